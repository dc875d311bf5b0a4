"""Figures: the image is what was drawn, small and sharp, and its words go with it."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from html.parser import HTMLParser

import matplotlib
import matplotlib.colors
import nbformat
import numpy as np
import pytest
from matplotlib.figure import Figure
from nbconvert import HTMLExporter
from PIL import Image

from course_utils import views
from course_utils.views import figure as figures


def test_importing_the_views_does_not_load_pyplot_or_torch():
    code = (
        "import sys, course_utils.views.explorer\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_figure_has_the_asked_grid_and_the_course_style():
    figure, grid = views.subplots(2, 3, size=(9, 5), height_ratios=(3, 1), sharex=True)
    assert type(figure) is Figure and grid.shape == (2, 3)
    assert figure.get_size_inches().tolist() == [9, 5]
    assert grid[0, 0].get_shared_x_axes().joined(grid[0, 0], grid[1, 0])
    assert grid[0, 0].get_gridspec().get_height_ratios() == (3, 1)
    assert matplotlib.colors.to_hex(figure.get_facecolor()) == "#ffffff"


def test_type_is_large_enough_for_a_projector():
    for name in ("font.size", "axes.labelsize", "legend.fontsize", "xtick.labelsize"):
        assert matplotlib.rcParams[name] >= 12, name
    assert matplotlib.rcParams["axes.titlesize"] >= 14


# --- the picture --------------------------------------------------------------------------------


def line(alt: str = "A line.") -> views.Picture:
    figure, ax = views.subplots(size=(4, 2))
    ax.plot([0, 1], color=views.VERMILLION, lw=5)
    return views.with_alt(figure, alt=alt)


class Images(HTMLParser):
    """The attributes of the images of a page."""

    def __init__(self, page: str):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.found.append(dict(attributes))


ALT = 'A line, "steep" & <b>thick</b>.'


def test_a_picture_is_one_html_image_with_its_words():
    shown = line('  A line,\n "steep" & <b>thick</b>. ')
    assert repr(shown) == shown.alt == ALT
    (image,) = Images(shown._repr_html_()).found
    assert (image["alt"], image["width"]) == (ALT, "400")
    assert base64.b64decode(image["src"].removeprefix("data:image/png;base64,")) == shown.png
    assert Image.open(io.BytesIO(shown.png)).size == (600, 300)  # 1.5 pixels per shown pixel
    assert shown.figure.get_dpi() == 100


def test_a_notebook_keeps_the_image_once():
    from IPython.core.formatters import DisplayFormatter

    data, metadata = DisplayFormatter().format(line(ALT))
    assert data.keys() == {"text/html", "text/plain"} and metadata == {}
    assert data["text/plain"] == ALT


@pytest.mark.parametrize("template", ["classic", "lab"])
def test_exported_pages_have_the_words(template):
    data = {"text/html": line(ALT)._repr_html_(), "text/plain": ALT}
    output = nbformat.v4.new_output("display_data", data)
    cell = nbformat.v4.new_code_cell("picture", outputs=[output], execution_count=1)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    page, _ = HTMLExporter(template_name=template).from_notebook_node(notebook)
    assert [image["alt"] for image in Images(page).found] == [ALT]


def test_a_picture_is_the_same_file_every_time_and_can_be_saved(tmp_path):
    first = line()
    assert first.png == line().png
    first.save(tmp_path / "line.png")
    assert (tmp_path / "line.png").read_bytes() == first.png


def test_a_picture_has_an_opaque_white_background_and_exact_main_colors():
    image = Image.open(io.BytesIO(line().png))
    assert "transparency" not in image.info
    pixels = {color for _, color in image.convert("RGB").getcolors(10**6)}
    assert {(255, 255, 255), (0xD5, 0x5E, 0x00)} <= pixels
    assert len(pixels) <= 64


# --- titles and labels --------------------------------------------------------------------------

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


@pytest.mark.parametrize("label", ["_warm-up", "__", "plain"])
def test_every_label_reaches_the_legend(label):
    ax = views.subplots()[1]
    ax.plot([0, 1], label=views.as_label(label))
    views.legend(ax)
    assert [text.get_text().strip() for text in ax.get_legend().get_texts()] == [label]


BAD = {
    "rows": lambda: views.subplots(0),
    "cols": lambda: views.subplots(cols=1.5),
    "size": lambda: views.subplots(size=(-1, 4)),
    "size of one": lambda: views.subplots(size=4),
    "alt empty": lambda: views.with_alt(views.subplots()[0], alt=" "),
    "alt": lambda: views.with_alt(views.subplots()[0], alt=None),
    "fig": lambda: views.with_alt("figure", alt="x"),
    "colors": lambda: views.with_alt(views.subplots()[0], alt="x", colors=1),
    "fig of a title": lambda: views.suptitle(None, "x"),
    "ax": lambda: views.legend(views.subplots(cols=2)[1]),
    "axis": lambda: views.log_ticks(views.subplots()[1]),
    "scale": lambda: views.with_alt(views.subplots()[0], alt="x", scale=100),
    "index": lambda: views.color(0.5),
    "index of a style": lambda: views.line_style("0"),
    "ticks": lambda: views.log_ticks(views.subplots()[1].yaxis, 0),
    "shade": lambda: figures.readable_color("reddish"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_by_name(name):
    with pytest.raises((ValueError, TypeError), match=rf"^{re.split(' ', name)[0]} must"):
        BAD[name]()
