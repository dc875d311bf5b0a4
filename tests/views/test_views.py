"""The views: what is drawn is what was recorded, and everybody can read it."""

from __future__ import annotations

import base64
import io
import statistics
import subprocess
import sys
from html.parser import HTMLParser

import matplotlib
import matplotlib.colors
import nbformat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from nbconvert import HTMLExporter
from PIL import Image

from course_utils import views
from course_utils.problems import quadratic, shifted_square
from course_utils.run import Run


def make_run(loss, lr=0.1, params=None, final=None, metrics=None):
    """A run from its losses after 0, 1, ..., T updates."""
    loss = np.asarray(loss, dtype=float)
    steps = len(loss) - 1
    lr = np.broadcast_to(lr, (steps,)).astype(float)
    return Run(lr, loss[:-1], np.ones(loss[:-1].shape), loss[-1], params, metrics or {})


def axes(**options):
    return views.subplots(**options)[1]


def find(ax, **look):
    """The lines of `ax` with these properties."""
    return [li for li in ax.lines if all(getattr(li, f"get_{k}")() == v for k, v in look.items())]


def texts(ax):
    return [text.get_text() for text in ax.texts]


class FakeSweep:
    """What `u_curve` needs of a sweep: three seeds at four rates, the largest one diverged."""

    lrs = np.array([1.0, 0.01, 0.1, 10.0])  # not sorted, as a random search would have it
    seeds = np.arange(3)
    values = np.array([[0.8, 0.7, 0.9], [0.2, 0.3, 0.1], [0.9, 0.95, 0.97], [0.1, 0.1, 0.5]])
    diverged = np.array([[False] * 3, [False] * 3, [False] * 3, [False, True, False]])
    edge = None

    def final(self, name):
        assert name in ("validation_accuracy", "train_loss")
        return self.values

    def basin(self, name, tolerance):
        return FakeBasin(self.edge)


class FakeBasin:
    def __init__(self, edge):
        self.edge = edge

    def __iter__(self):
        return iter((0.1, 1.0, 1.0))


# ---------------------------------------------------------------------------- figure and picture


def test_importing_the_views_does_not_load_pyplot_or_torch():
    code = (
        "import sys, course_utils.views.explorer\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_canvas_has_the_asked_grid_and_the_course_style():
    figure, grid = views.subplots(2, 3, size=(9, 5), height_ratios=(3, 1), sharex=True)
    assert grid.shape == (2, 3)
    assert figure.get_size_inches().tolist() == [9, 5]
    assert grid[0, 0].get_shared_x_axes().joined(grid[0, 0], grid[1, 0])
    assert grid[0, 0].get_gridspec().get_height_ratios() == (3, 1)
    assert matplotlib.colors.to_hex(figure.get_facecolor()) == "#ffffff"


def test_type_is_large_enough_for_a_projector():
    for name in ("font.size", "axes.labelsize", "legend.fontsize", "xtick.labelsize"):
        assert matplotlib.rcParams[name] >= 12, name
    assert matplotlib.rcParams["axes.titlesize"] >= 14


def test_picture_offers_the_image_and_the_words():
    figure, ax = views.subplots(size=(4, 2))
    ax.plot([0, 1])
    shown = views.with_alt(figure, alt="  A line\n from 0 to 1. ")
    data, metadata = shown._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]) == shown.png
    assert data["text/plain"] == repr(shown) == shown.alt == "A line from 0 to 1."
    assert metadata["image/png"] == {"alt": shown.alt, "alttext": shown.alt, "width": 400}
    assert Image.open(io.BytesIO(shown.png)).size == (600, 300)  # 1.5 pixels per shown pixel
    assert shown.figure is figure
    assert figure.get_dpi() == 100


def test_picture_is_the_same_file_every_time_and_can_be_saved(tmp_path):
    def render():
        figure, ax = views.subplots(size=(4, 2))
        ax.plot([0, 1, 0])
        return views.with_alt(figure, alt="A tent.")

    first = render()
    assert first.png == render().png
    first.save(tmp_path / "tent.png")
    assert (tmp_path / "tent.png").read_bytes() == first.png


def test_picture_has_an_opaque_white_background_and_exact_main_colors():
    figure, ax = views.subplots(size=(4, 2))
    ax.plot([0, 1], color=views.VERMILLION, lw=5)
    image = Image.open(io.BytesIO(views.with_alt(figure, alt="A line.").png))
    assert "transparency" not in image.info
    pixels = {color for _, color in image.convert("RGB").getcolors(10**6)}
    assert (255, 255, 255) in pixels
    assert (0xD5, 0x5E, 0x00) in pixels
    assert len(pixels) <= 64


def test_palette_keeps_rare_colors_and_stays_close():
    rng = np.random.default_rng(0)
    pixels = np.full((60, 60, 3), 255, np.uint8)
    pixels[:30] = rng.integers(200, 256, (30, 60, 3))
    pixels[50, 50] = (192, 0, 0)
    result = np.asarray(views.with_palette(Image.fromarray(pixels), 64).convert("RGB")).astype(int)
    assert result[50, 50].tolist() == [192, 0, 0]
    assert (result[30:50] == 255).all()
    assert np.abs(result - pixels).max() <= 40


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_quick_png_is_read_back_exactly_by_another_decoder(height, width, seed):
    rgba = np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)
    decoded = np.asarray(Image.open(io.BytesIO(views.quick_png(rgba))))
    assert (decoded == rgba[:, :, :3]).all()


def test_html_export_puts_the_words_into_the_image_tag():
    figure, _ = views.subplots(size=(2, 1))
    data, metadata = views.with_alt(figure, alt='A frame, "empty" & <small>.')._repr_mimebundle_()
    output = nbformat.v4.new_output("display_data", data, metadata=metadata)
    cell = nbformat.v4.new_code_cell("picture", outputs=[output], execution_count=1)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    page, _ = HTMLExporter(template_name="classic").from_notebook_node(notebook)
    images = Images()
    images.feed(page)
    assert images.alternatives == ['A frame, "empty" & <small>.']


class Images(HTMLParser):
    def __init__(self):
        super().__init__()
        self.alternatives = []

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.alternatives.append(dict(attributes).get("alt"))


LONG = (
    "A rate of 0.99 is exactly as slow as 0.01 and what counts is the distance from $1 / \\lambda$"
)


@pytest.mark.parametrize("cols", [1, 2, 3])
def test_long_titles_are_wrapped_and_nothing_is_cut(cols):
    figure, grid = views.subplots(cols=cols, size=(10, 4))
    for ax in np.atleast_1d(grid):
        ax.set_title(LONG)
    views.suptitle(figure, LONG + " " + LONG)
    views.with_alt(figure, alt="Long titles.")
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    boxes = [ax._left_title.get_window_extent(renderer) for ax in np.atleast_1d(grid)]
    for box in [*boxes, figure._suptitle.get_window_extent(renderer)]:
        assert box.x0 >= 0 and box.x1 <= figure.bbox.width
        assert box.y0 >= 0 and box.y1 <= figure.bbox.height
    for left, right in zip(boxes, boxes[1:]):
        assert left.x1 < right.x0
    for ax in np.atleast_1d(grid):
        title = ax._left_title.get_text()
        assert "$1 / \\lambda$" in title, "a formula must stay on one line"
        assert title.split() == LONG.split()


def test_short_titles_stay_on_one_line():
    figure, ax = views.subplots()
    ax.set_title("Short and true")
    views.with_alt(figure, alt="Nothing.")
    assert ax._left_title.get_text() == "Short and true"


def luminance(color):
    """Relative luminance, WCAG 2.2."""
    rgb = np.array(matplotlib.colors.to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize(
    ("color", "contrast"),
    # WCAG 2.2: 4.5 for text, 3 for graphical objects
    [(c, 3.0) for c in views.COLORS[:4]] + [(views.GRAY, 4.5), (views.INFEASIBLE, 4.5)],
)
def test_contrast_against_white(color, contrast):
    assert 1.05 / (luminance(color) + 0.05) >= contrast


# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB
DEFICIENCY = {
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


@pytest.mark.parametrize("kind", DEFICIENCY)
def test_the_first_four_colors_differ_for_color_blind_readers(kind):
    linear = np.array([matplotlib.colors.to_rgb(c) for c in views.COLORS[:4]]) ** 2.2
    seen = np.clip(linear @ np.array(DEFICIENCY[kind]).T, 0, 1) ** (1 / 2.2)
    for i in range(4):
        for j in range(i):
            assert np.linalg.norm(seen[i] - seen[j]) > 0.2, (views.COLORS[i], views.COLORS[j])


def test_lines_differ_in_style_too():
    assert len({views.line_style(i)["ls"] for i in range(4)}) == 4
    cycle = matplotlib.rcParams["axes.prop_cycle"].by_key()
    assert [c.upper() for c in cycle["color"]] in (
        [c.lstrip("#") for c in views.COLORS],
        list(views.COLORS),
    )


# -------------------------------------------------------------------------------- runs over steps


def test_loss_curve_shows_the_loss_after_0_to_T_updates():
    ax = views.loss_curve(axes(), {"a": make_run([4, 2, 1]), "b": make_run([4, 3, 2.5])})
    assert [line.get_ydata().tolist() for line in ax.lines] == [[4, 2, 1], [4, 3, 2.5]]
    assert ax.lines[0].get_xdata().tolist() == [0, 1, 2]
    assert ax.get_yscale() == "log"
    assert ax.get_xlabel() == "step (updates)"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]


@pytest.mark.parametrize("tail", [[1e9], [np.inf, np.nan], [np.nan]])
def test_a_diverging_curve_is_cut_with_a_cross_that_says_where(tail):
    ax = views.loss_curve(axes(), make_run([1, 5, 90, *tail]))
    assert ax.lines[0].get_ydata().tolist() == [1, 5, 90]
    (cross,) = find(ax, marker="x")
    assert (cross.get_xdata()[0], cross.get_ydata()[0]) == (2, 90)
    assert texts(ax) == ["diverges, cut at step 3"]


def test_a_curve_that_diverges_at_once_is_still_visible():
    ax = views.loss_curve(axes(), make_run([1, np.inf, np.inf]))
    assert ax.lines[0].get_marker() == "o"
    assert texts(ax) == ["diverges, cut at step 1"]


def test_a_passing_spike_is_not_called_divergence():
    ax = views.loss_curve(axes(), make_run([1, 500, 0.1]))
    assert ax.lines[0].get_ydata().tolist() == [1, 500, 0.1]
    assert texts(ax) == []


def test_a_loss_of_zero_is_a_triangle_at_the_foot():
    ax = views.loss_curve(axes(), make_run([36, 0, 0, 0]))
    (triangle,) = find(ax, marker="v")
    assert triangle.get_xdata().tolist() == [1]
    assert len(ax.lines[0].get_xdata()) == 2
    assert texts(ax) == ["exactly 0"]


def test_floor_is_the_foot_of_the_axis():
    ax = views.loss_curve(axes(), make_run([1, 1e-3, 1e-20]), floor=1e-6)
    assert ax.lines[0].get_ydata().tolist() == [1, 1e-3, 1e-6]
    assert ax.get_ylim()[0] == 1e-6


def test_replicas_show_their_median_and_their_range():
    ax = views.loss_curve(axes(), make_run([[4, 8, 12], [1, 2, 9]]))
    assert ax.lines[0].get_ydata().tolist() == [8, 2]
    corners = ax.collections[0].get_paths()[0].vertices
    assert {tuple(v) for v in corners} >= {(0, 4), (0, 12), (1, 1), (1, 9)}


def test_smooth_is_a_mean_over_the_last_updates():
    loss = np.random.default_rng(0).uniform(1, 2, 50)
    smooth = views.loss_curve(axes(), make_run(loss), smooth=7).lines[1].get_ydata()
    assert smooth[6:] == pytest.approx(np.convolve(loss, np.ones(7) / 7, mode="valid"))
    assert smooth[2] == pytest.approx(loss[:3].mean())


def test_rate_strip_is_the_record_and_lasts_to_the_end():
    rates = np.array([0.3, 0.2, 0.1])
    ax = views.rate_strip(axes(), make_run([4, 3, 2, 1], lr=rates))
    assert ax.lines[0].get_ydata().tolist() == [0.3, 0.2, 0.1, 0.1]
    assert ax.lines[0].get_drawstyle() == "steps-post"
    assert ax.get_ylim()[0] == 0


def test_rate_strip_is_logarithmic_only_where_runs_differ_in_magnitude():
    cosine = make_run(np.ones(101), lr=0.05 * (1 + np.cos(np.pi * np.arange(100) / 100)))
    small = make_run(np.ones(101), lr=0.001)
    assert views.rate_strip(axes(), cosine).get_yscale() == "linear"
    assert views.rate_strip(axes(), {"a": cosine, "b": small}).get_yscale() == "log"


def test_loss_and_rate_share_the_steps_and_the_colors():
    runs = {"a": make_run([4, 2, 1]), "b": make_run([4, 3, 2])}
    shown = views.loss_and_rate(runs, "Both fall", alt="Loss 4 to 1 and 4 to 2.")
    above, below = shown.figure.axes
    assert above.get_shared_x_axes().joined(above, below)
    assert [li.get_color() for li in above.lines] == [li.get_color() for li in below.lines]
    assert above._left_title.get_text() == "Both fall"


# -------------------------------------------------------------------------------- paths on a loss


def test_trajectory_in_one_dimension_lies_on_the_curve():
    problem = shifted_square()
    path = np.array([[5.0], [2.0], [0.5]])
    run = make_run(problem.loss(path), params=path)
    ax = views.trajectory(axes(), problem, run)
    curve, line, start = ax.lines
    assert line.get_xydata() == pytest.approx(np.array([[5, 36], [2, 9], [0.5, 2.25]]))
    assert curve.get_ydata() == pytest.approx((curve.get_xdata() + 1) ** 2)
    assert start.get_xydata().tolist() == [[5, 36]]


def test_trajectory_in_two_dimensions_shows_contours_and_the_minimum():
    problem = quadratic([1.0, 10.0])
    path = np.array([[-4.0, 1.5], [-2, -1], [-1, 0.5]])
    run = make_run(problem.loss(path), params=path)
    ax = views.trajectory(axes(), problem, {"a": run}, xlim=(-5, 1), ylim=(-2, 2))
    (star,) = find(ax, marker="*")
    assert star.get_xydata().tolist() == [[0, 0]]
    assert ax.get_xlim() == (-5, 1)
    line = next(li for li in ax.lines if li.get_label() == "a")
    assert line.get_xydata().tolist() == path.tolist()
    assert len(ax.collections) == 2


def test_a_path_that_leaves_the_window_is_cut_and_says_when():
    problem = shifted_square()
    path = np.array([[5.0], [-6.5], [8.0], [-9.5], [np.inf]])
    with np.errstate(all="ignore"):
        run = make_run(problem.loss(path), params=path)
    ax = views.trajectory(axes(), problem, run, xlim=(-8, 9))
    assert len(find(ax, marker="x")) == 1
    assert texts(ax) == ["leaves at step 3"]


# ---------------------------------------------------------------------------- many learning rates


def test_u_curve_is_the_mean_over_seeds_sorted_by_rate_without_infeasible_cells():
    ax = views.sensitivity_curve(axes(), FakeSweep(), "validation_accuracy", "SGD")
    line = ax.lines[0]
    assert line.get_xdata().tolist() == [0.01, 0.1, 1.0, 10.0]
    assert line.get_ydata() == pytest.approx([0.2, 0.94, 0.8, np.nan], nan_ok=True)
    assert ax.get_xscale() == "log"
    (cross,) = find(ax, marker="x")
    assert cross.get_xdata().tolist() == [10.0]
    assert cross.get_label() == "some seed diverged"
    corners = {tuple(v) for path in ax.collections[0].get_paths() for v in path.vertices}
    assert corners >= {(0.1, 0.9), (0.1, 0.97), (0.01, 0.1), (0.01, 0.3)}


def test_u_curve_takes_the_next_color_for_the_next_method_and_marks_both():
    ax = views.sensitivity_curve(axes(), FakeSweep(), "validation_accuracy", "SGD")
    views.sensitivity_curve(ax, FakeSweep(), "validation_accuracy", "Adam")
    lines = [li for li in ax.lines if li.get_gid() == "u_curve"]
    assert [li.get_color() for li in lines] == list(views.COLORS[:2])
    heights = [li.get_ydata()[0] for li in find(ax, marker="x")]
    assert len(set(heights)) == 2
    shown = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sorted(shown) == ["Adam", "SGD", "some seed diverged"]


@pytest.mark.parametrize(("edge", "words"), [(None, "best:\n1.0"), ("low", "best:\nat least 1.0")])
def test_u_curve_shows_the_width_of_the_basin(edge, words):
    sweep = FakeSweep()
    sweep.edge = edge
    ax = views.sensitivity_curve(axes(), sweep, "validation_accuracy", tolerance=0.05)
    assert any(words + " decades" in text for text in texts(ax))
    span = ax.patches[0].get_extents().transformed(ax.transData.inverted())
    assert (span.x0, span.x1) == pytest.approx((0.1, 1.0))


def test_crosses_of_a_loss_are_at_the_top():
    ax = views.sensitivity_curve(axes(), FakeSweep(), "train_loss")
    assert find(ax, marker="x")[0].get_ydata()[0] == 1.0 - 0.04


def test_mark_rates():
    ax = views.mark_rates(axes(), {"2/λ": 0.5})
    assert ax.lines[0].get_xdata() == [0.5, 0.5]


# --------------------------------------------------------------- schedules, sharpness, differences


def test_gallery_draws_each_schedule():
    rules = {"half": lambda t: 0.5 + 0 * t, "falling": lambda t: 1 / (1 + t)}
    shown = views.schedule_gallery(rules, 5, title="Two", cols=3)
    first, second = shown.figure.axes
    assert first.lines[0].get_ydata().tolist() == [0.5] * 5
    assert second.lines[0].get_ydata() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    assert "half 0.5, 0.5, 0.5; falling 1, 0.333, 0.2" in shown.alt


def test_differences_show_mean_and_two_standard_errors():
    values = [0.3, 0.1, 0.2, 0.6]
    ax = views.differences(axes(), {"A - B": values}, scale=100)
    error = 100 * statistics.stdev(values) / 2
    left, right = ax.collections[0].get_segments()[0][:, 0]
    assert (left, right) == pytest.approx((30 - 2 * error, 30 + 2 * error))
    assert texts(ax) == ["+30 ± 11"]


def test_a_difference_below_two_standard_errors_is_not_one():
    ax = views.differences(axes(), {"A - B": [0.5, -0.4, 0.2]})
    assert texts(ax)[0].endswith("no difference detected")


# -------------------------------------------------------------------------------------- bad input

RUN = make_run([4, 2, 1])
PROBLEM = shifted_square()

BAD = {
    "no rows": (lambda: views.subplots(0), "rows"),
    "half a column": (lambda: views.subplots(cols=1.5), "cols"),
    "negative size": (lambda: views.subplots(size=(-1, 4)), "size"),
    "no alternative text": (lambda: views.with_alt(views.subplots()[0], alt=" "), "alt"),
    "alt not a text": (lambda: views.with_alt(views.subplots()[0], alt=None), "alt"),
    "not a figure": (lambda: views.with_alt("figure", alt="x"), "fig"),
    "one color": (lambda: views.with_alt(views.subplots()[0], alt="x", colors=1), "colors"),
    "huge scale": (lambda: views.with_alt(views.subplots()[0], alt="x", scale=100), "scale"),
    "runs a number": (lambda: views.loss_curve(axes(), 3), "runs"),
    "runs empty": (lambda: views.loss_curve(axes(), {}), "runs"),
    "a run is an array": (lambda: views.loss_curve(axes(), {"a": np.ones(3)}), "runs['a']"),
    "negative floor": (lambda: views.loss_curve(axes(), RUN, floor=-1), "floor"),
    "floor nan": (lambda: views.loss_curve(axes(), RUN, floor=float("nan")), "floor"),
    "smooth zero": (lambda: views.loss_curve(axes(), RUN, smooth=0), "smooth"),
    "no params": (lambda: views.trajectory(axes(), PROBLEM, RUN), "params"),
    "three parameters": (
        lambda: views.trajectory(axes(), PROBLEM, make_run([1, 1], params=np.ones((2, 3)))),
        "one or two",
    ),
    "not a sweep": (lambda: views.sensitivity_curve(axes(), {"lrs": [1]}), "sweep"),
    "no schedules": (lambda: views.schedule_gallery([], 10), "schedules"),
    "one step": (lambda: views.schedule_gallery({"a": lambda t: t}, 1), "steps"),
    "no pairs": (lambda: views.differences(axes(), {}), "pairs"),
    "one pair": (lambda: views.differences(axes(), {"a": [1.0]}), "pairs['a']"),
    "nan pair": (lambda: views.differences(axes(), {"a": [1.0, np.nan]}), "pairs['a']"),
}


@pytest.mark.parametrize("call, name", BAD.values(), ids=BAD.keys())
def test_bad_input_is_refused_by_name(call, name):
    with pytest.raises((ValueError, TypeError)) as error:
        call()
    assert name in str(error.value)


def test_canvas_makes_plain_figures():
    assert type(views.subplots()[0]) is Figure
