"""The explorers: pure parts against closed forms, and the widgets driven without a browser."""

from __future__ import annotations

import gc
import io
import math
import threading
import weakref

import ipywidgets as widgets
import numpy as np
import pytest
from fakes import bare
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from course_utils import views
from course_utils.lessons.lesson01 import explorers as explorers01
from course_utils.lessons.lesson02 import explorers as explorers02
from course_utils.views import controls
from course_utils.views import explorer as explorer_module
from course_utils.views.images import render

MANY = settings(max_examples=25, deadline=None)


def make(name):
    return getattr(explorers01 if name == "parabola" else explorers02, name)()


NAMES = ("parabola", "ravine")
OTHER = {
    "parabola": {"lr": 0.3},
    "ravine": {"lr": 0.03, "condition": 20.0},
}


@pytest.fixture(params=NAMES, scope="module")
def shared(request):
    made = make(request.param)
    made.name = request.param
    yield made
    made.close()


@pytest.fixture
def explorer(shared):
    shared.reset()
    return shared


def pixels(explorer):
    return np.asarray(Image.open(io.BytesIO(explorer.image.value))).astype(int)


# ---------------------------------------------------------------------------------- the parabola


PARABOLA = make("parabola").compute  # 40 steps
PARABOLA_OF_1000_STEPS = explorers01.parabola(steps=1000).compute
RAVINE = make("ravine").compute  # 100 steps


@given(lr=st.floats(1e-4, 1.5))
@MANY
def test_parabola_follows_the_closed_form(lr):
    data = PARABOLA(lr)
    expected = -1 + 6 * (1 - 2 * lr) ** np.arange(41)
    assert data["w"] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert data["loss"] == pytest.approx((expected + 1) ** 2, rel=1e-9, abs=1e-12)


@given(lr=st.floats(0.01, 0.98).filter(lambda lr: abs(lr - 0.5) > 1e-3))
@MANY
def test_parabola_hits_the_target_when_the_formula_says_so(lr):
    # 36 (1 - 2 lr)^(2t) <= 1e-6
    exact = math.log(1e-6 / 36) / (2 * math.log(abs(1 - 2 * lr)))
    hit = PARABOLA_OF_1000_STEPS(lr)["hit"]
    assert hit is not None
    assert hit - 1 < exact + 1e-6 and hit > exact - 1e-6


def test_0_01_and_0_99_are_equally_fast():
    slow, wild = (PARABOLA_OF_1000_STEPS(lr)["hit"] for lr in (0.01, 0.99))
    assert slow == wild == 431


@pytest.mark.parametrize(
    ("scaled", "name"),
    [
        (0.0999, "crawl"),
        (0.1001, "approach"),
        (0.9999, "approach"),
        (1.0, "one step"),
        (1.0001, "oscillate and converge"),
        (1.9999, "oscillate and converge"),
        (2.0, "never settles"),
        (2.0001, "diverge"),
        (1e6, "diverge"),
    ],
)
@pytest.mark.parametrize("curvature", [0.01, 2.0, 50.0])
def test_regimes_depend_on_rate_times_curvature_only(scaled, name, curvature):
    assert explorer_module.regime(scaled / curvature, curvature) == name


# ------------------------------------------------------------------------------------ the ravine


@given(lr=st.floats(1e-3, 0.1), condition=st.floats(1, 100))
@MANY
def test_ravine_directions_do_not_know_of_each_other(lr, condition):
    data = RAVINE(lr, condition)
    t = np.arange(101)
    flat = 0.5 * (4 * (1 - lr) ** t) ** 2
    steep = 0.5 * condition * ((1 - lr * condition) ** t) ** 2
    assert data["parts"][:, 0] == pytest.approx(flat, rel=1e-8, abs=1e-12)
    assert data["parts"][:, 1] == pytest.approx(steep, rel=1e-8, abs=1e-12)
    assert data["loss"] == pytest.approx(flat + steep, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize(
    ("lr", "condition", "solved"),
    [
        (0.029, 50, False),  # 8 (1 - lr)^200 > 0.02
        (0.030, 50, True),
        (0.039, 50, True),
        (0.040, 50, False),
        (0.03, 20, False),  # easy, but not what is asked
    ],
)
def test_the_task_of_the_ravine_has_a_narrow_solution(lr, condition, solved):
    explorer = explorers02.ravine()
    explorer.set(lr=lr, condition=condition)
    assert explorer.task_reached is solved
    explorer.close()


def test_ravine_contours_are_contours():
    explorer = explorers02.ravine()
    explorer.set(condition=5.0)
    for line in explorer.artists["contours"].get_segments():
        loss = 0.5 * (line**2 @ [1.0, 5.0])
        assert loss == pytest.approx(np.full(len(line), loss[0]))
    explorer.close()


def test_ravine_colors_the_rate_axis_at_the_limit():
    explorer = explorers02.ravine()
    explorer.set(condition=20.0)
    assert explorer.artists["stable"].get_width() == pytest.approx(2 / 20)
    assert explorer.artists["unstable"].get_x() == pytest.approx(2 / 20)
    explorer.close()


# ------------------------------------------------------------------------ all explorers, as widgets


def test_moving_a_control_changes_picture_and_text_once(explorer):
    before, state, updates = explorer.image.value, explorer.state, explorer.updates
    name, value = next(iter(OTHER[explorer.name].items()))
    explorer.controls[name].value = value
    assert explorer.image.value != before
    assert explorer.state != state
    assert explorer.updates == updates + 1
    assert explorer.state.replace("'", "&#x27;") in explorer.status.value


def test_several_controls_move_with_one_update(explorer):
    updates = explorer.updates
    explorer.set(**OTHER[explorer.name])
    assert explorer.updates == updates + 1
    assert explorer.values == {**explorer.defaults, **OTHER[explorer.name]}


def test_picture_is_1000_by_400_rgb(explorer):
    assert pixels(explorer).shape == (400, 1000, 3)


def test_blitted_picture_is_the_fully_drawn_one(explorer):
    explorer.set(**OTHER[explorer.name])
    live = pixels(explorer)
    for artist in explorer.artists.values():
        artist.set_animated(False)
    full = np.asarray(render(explorer.figure)).astype(int)
    for artist in explorer.artists.values():
        artist.set_animated(True)
    differ = (np.abs(live - full).max(axis=2) > 60).mean()
    assert differ < 0.002


def test_picture_depends_on_the_values_only_not_on_the_way_to_them(explorer):
    first, state = explorer.image.value, explorer.state
    explorer.set(**OTHER[explorer.name])
    explorer.reset()
    assert (explorer.image.value, explorer.state) == (first, state)


def test_drawing_twice_is_drawing_once(explorer):
    first = explorer.image.value
    explorer.update()
    assert explorer.image.value == first


def test_preset_buttons_and_reset(explorer):
    assert list(explorer.buttons) == [*explorer.presets, "reset"]
    pictures = []
    for label, values in explorer.presets.items():
        explorer.buttons[label].click()
        assert {k: explorer.values[k] for k in values} == values
        pictures.append(explorer.image.value)
    assert len(set(pictures)) == 3
    explorer.buttons["reset"].click()
    assert explorer.values == explorer.defaults


@pytest.mark.parametrize("name", NAMES)
def test_no_button_solves_the_task(name):
    explorer = make(name)
    for button in explorer.buttons.values():
        button.click()
        assert not explorer.task_reached
    explorer.close()


def test_static_picture_says_the_state_and_leaves_the_explorer_alone(explorer):
    before = explorer.values, explorer.state, explorer.image.value
    shown = explorer.static(**OTHER[explorer.name])
    assert isinstance(shown, views.Picture)
    assert shown.width == 1000
    assert (explorer.values, explorer.state, explorer.image.value) == before
    explorer.update()
    assert explorer.image.value == before[2]
    explorer.set(**OTHER[explorer.name])
    assert shown.alt == " ".join(explorer.state.split())


def test_every_control_is_labeled_and_moves_by_keyboard(explorer):
    for control in explorer.controls.values():
        assert control.description
        assert control.tooltip
        assert control.continuous_update
        assert getattr(control, "step", 1) > 0
        assert control.layout.width == "min(100%, 46em)", "it must fit a narrow window"
        assert control.layout.max_width == "calc(100% - 4px)"
    assert explorer.image.layout.max_width == "100%"
    for text in (explorer.status.value, explorer.task_text.value):
        assert 'role="status"' in text and 'aria-live="polite"' in text
    for button in explorer.buttons.values():
        assert button.description and button.tooltip


def test_shows_itself_as_a_widget_and_as_text(explorer):
    bundle = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"].startswith(explorer.state)


# ---------------------------------------------------------------------------------------- no leaks


def alive():
    gc.collect()
    return len(widgets.widget._instances)  # where ipywidgets keeps every widget that is not closed


def test_close_removes_every_widget_and_forgets_the_figure():
    make("parabola").close()  # what is made once stays: fonts, tickers
    before, threads = alive(), threading.active_count()
    explorer = make("ravine")
    figure = weakref.ref(explorer.figure)
    slider = explorer.controls["lr"]
    explorer.set(lr=0.5)
    assert alive() > before
    explorer.close()
    explorer.close()
    assert alive() == before
    assert threading.active_count() == threads
    updates = explorer.updates
    slider.value = 0.7  # a closed slider moves nothing
    assert explorer.updates == updates
    gc.collect()
    assert figure() is None, "IPython's Out keeps the closed explorer, which must not keep this"
    for call in (explorer.set, explorer.static, explorer.reset):
        with pytest.raises(RuntimeError, match="closed"):
            call()
    assert explorer.update() is None


def test_running_a_cell_again_closes_what_it_made_before(monkeypatch):
    requests = iter([("cell", "1"), ("cell", "1"), ("cell", "2"), ("other", "3")])
    monkeypatch.setattr(explorer_module, "_running_cell", lambda: next(requests))
    monkeypatch.setattr(explorer_module, "_alive", {})
    first, second = make("parabola"), make("parabola")
    assert not first._closed and not second._closed, "two of one execution live side by side"
    again = make("parabola")
    assert first._closed and second._closed and not again._closed
    other = make("parabola")
    assert not again._closed
    again.close()
    other.close()


def test_many_moves_make_no_new_figure_artist_or_widget():
    explorer = make("parabola")
    explorer.set(lr=0.3)
    before = alive(), len(explorer.figure.findobj())
    for index in range(0, 240, 4):
        explorer.controls["lr"].index = index
    assert (alive(), len(explorer.figure.findobj())) == before
    explorer.close()


def test_the_last_of_many_moves_wins():
    explorer = make("parabola")
    for lr in (0.1, 1.2, 0.003, 0.37):
        explorer.controls["lr"].value = lr
    last = explorer.image.value
    explorer.reset()
    explorer.set(lr=0.37)
    assert explorer.image.value == last
    explorer.close()


# --------------------------------------------------------------------------------------- bad input


def test_a_preview_is_shown_while_the_rest_is_computed():
    figure, ax = views.subplots()
    ax.set(xlim=(0, 1), ylim=(0, 1))
    (left,), (right,) = ax.plot([], [], "o"), ax.plot([], [], "s")
    seen = []

    def preview(artists, *, lr):
        artists["left"].set_data([0.2], [lr])

    def compute(lr):
        seen.append(pixels(explorer) if explorer else None)
        return lr

    def draw(lr, artists):
        artists["left"].set_data([0.2], [lr])
        artists["right"].set_data([0.8], [lr])
        return f"Rate {lr}."

    explorer = None
    slider = controls.choice_slider([0.2, 0.5], 0.2, "rate")
    explorer = explorer_module.Explorer(
        {"lr": slider}, compute, draw, figure, {"left": left, "right": right}, preview=preview
    )
    before = pixels(explorer)
    slider.value = 0.5
    after, between = pixels(explorer), seen[-1]
    half = before.shape[1] // 2
    assert len(seen) == 2 and explorer.state == "Rate 0.5." and explorer.updates == 2
    assert (between[:, :half] == after[:, :half]).all()
    assert (between[:, half:] == before[:, half:]).all()
    assert (before[:, :half] != after[:, :half]).any()
    assert (before[:, half:] != after[:, half:]).any()
    explorer.close()


def test_an_explorer_made_by_hand():
    explorer = bare()
    explorer.set(x=0.25)
    assert explorer.state == "x is 0.25."
    assert explorer.task is None and explorer.task_text not in explorer.widget.children
    explorer.close()


BAD = {
    "no controls": (lambda: bare(controls={}), "controls"),
    "control is a number": (lambda: bare(controls={"x": 3}), "controls['x']"),
    "control without a value": (lambda: bare(controls={"x": widgets.VBox()}), "controls['x']"),
    "artist is a text": (lambda: bare(artists={"line": "line"}), "artists['line']"),
    "figure is None": (lambda: bare(figure=None), "figure"),
    "preset of nothing": (lambda: bare(presets={"a": {"y": 1}}), "'y'"),
    "set of nothing": (lambda: bare().set(y=1), "'y'"),
    "static of nothing": (lambda: bare().static(y=1), "'y'"),
    "static rate negative": (lambda: explorers01.parabola().static(lr=-1), "lr"),
    "no steps": (lambda: explorers01.parabola(steps=0), "steps"),
    "half a step": (lambda: explorers01.parabola(steps=2.5), "steps"),
    "target zero": (lambda: explorers01.parabola(target=0), "target"),
    "condition off the slider": (lambda: explorers02.ravine(condition=1000), "condition"),
    "regime of nothing": (lambda: explorer_module.regime(0.1, 0), "curvature"),
}


@pytest.mark.parametrize("call, name", BAD.values(), ids=BAD.keys())
def test_bad_input_is_refused_by_name(call, name):
    with pytest.raises((ValueError, TypeError)) as error:
        call()
    assert name in str(error.value)


def test_the_rest_of_the_figure_is_drawn_again_only_when_the_axes_change():
    figure, ax = views.subplots()
    [line] = ax.plot([0, 1], [0, 1])

    def draw(top, artists):
        artists["line"].set_data([0, 1], [0, top])
        artists["line"].axes.set_ylim(0, 10 if top > 1 else 1)
        return str(top)

    explorer = explorer_module.Explorer(
        {"top": widgets.FloatSlider(1.0, min=0, max=10)}, lambda top: top, draw, figure,
        {"line": line},
    )  # fmt: skip
    before, picture = explorer._background, explorer.image.value
    explorer.set(top=0.5)
    assert explorer._background is before and explorer.image.value != picture
    explorer.set(top=2.0)
    assert explorer._background is not before  # or the old numbers would stand beside the axis
    explorer.set(top=1.0)
    assert explorer.image.value == picture
    explorer.close()
