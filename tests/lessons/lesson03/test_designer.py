"""The schedule designer: what a design means, and that its picture, text and task agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.experiments.intervals import Estimate
from course_utils.lessons.lesson03 import designer
from course_utils.lessons.lesson03.designer import OFFERED, design
from course_utils.schedules import constant, cosine, exponential, inverse_time, with_warmup

STEPS = 40  # short runs: the laws do not depend on the length


@pytest.fixture(scope="module")
def explorer():
    made = designer.schedule_designer(steps=STEPS)
    yield made
    made.close()


# --- the design --------------------------------------------------------------------------------


@given(
    shape=st.sampled_from([f for f in OFFERED if f not in ("constant", "cosine restarts")]),
    peak=st.floats(0.01, 2),
    warmup=st.floats(0, 0.5),
    hold=st.floats(0, 0.9),
    end=st.floats(0.001, 1),
    steps=st.integers(20, 500),
)
@settings(deadline=None)
def test_a_design_stays_between_end_and_peak_and_ends_at_the_end(
    shape, peak, warmup, hold, end, steps
):
    schedule = design(shape, peak, warmup, hold, end, steps)
    rates = schedule(np.arange(steps + 1))
    rise = round(warmup * steps)
    assert rates.max() <= peak * (1 + 1e-12) and rates[rise] == pytest.approx(peak)
    assert rates[rise:].min() >= peak * end * (1 - 1e-9)
    assert rates[steps] == pytest.approx(peak * end, rel=1e-9)
    assert (np.diff(rates[:rise]) > 0).all() and (np.diff(rates[rise:]) <= 1e-15).all()


def test_designs_are_made_of_the_library_s_schedules():
    assert design("cosine", 0.5, end=0.1) == cosine(0.5, 310, alpha=0.1)
    assert design("exponential", 0.5) == exponential(0.5, 310, 0.1)
    assert design("inverse time", 0.5) == inverse_time(0.5, 310, 9.0)
    warm = design("cosine", 0.5, warmup=0.1)
    assert warm == with_warmup(cosine(0.5, 279, alpha=0.1), 31, start_factor=1 / 31)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"shape": "cosinus"}, "shape"),
        ({"peak": 0.0}, "peak"),
        ({"peak": float("nan")}, "peak"),
        ({"warmup": 0.6}, "warmup"),
        ({"hold": 1.0}, "hold"),
        ({"end": 0.0}, "end"),
        ({"end": 1.5}, "end"),
        ({"steps": 10}, "steps"),
    ],
)
def test_bad_designs_are_refused_by_name(values, name):
    with pytest.raises(ValueError, match=name):
        design(**{"shape": "cosine", "peak": 0.5, **values})


# --- the training ------------------------------------------------------------------------------


def test_the_rate_shown_is_the_rate_that_ran(explorer):
    data = explorer.compute("linear", 0.4, 0.1, 0.3, 0.05)
    np.testing.assert_array_equal(data["lr"], np.float32(data["schedule"](np.arange(STEPS))))
    assert data["area"] == pytest.approx(data["lr"].sum())
    assert data["loss"].shape == (16, STEPS) and len(data["final"]) == 16


def test_the_gain_is_paired_with_the_best_constant_rate(explorer):
    best = designer.best_constant(STEPS)
    table = designer.train_under(designer.CONSTANT_RATES, STEPS)
    means = table.final("validation_loss").mean(axis=1)
    assert best["lr"] == designer.CONSTANT_RATES[means.argmin()]
    same = explorer.compute("constant", best["lr"], 0.0, 0.0, 1.0)
    assert same["gain"].mean == pytest.approx(0.0, abs=1e-12) and not explorer.task.reached(same)


def test_the_task_asks_that_the_interval_leaves_zero_out(explorer):
    for low, beats in ((0.001, True), (0.0, False), (-0.02, False)):
        assert explorer.task.reached({"gain": Estimate(0.02, 0.01, low, 0.04)}) is beats


def test_a_design_of_one_s_own_is_what_trains():
    made = designer.schedule_designer(lambda *_, **__: constant(0.123), steps=20)
    assert made.compute("cosine", 0.5, 0.0, 0.0, 0.1)["schedule"] == constant(0.123)
    made.close()


def test_the_task_can_be_reached_and_a_decay_that_is_too_fast_fails_it():
    made = designer.schedule_designer()
    assert made.task.reached(made.compute("linear", 0.6, 0.0, 0.5, 0.01))
    frozen = made.compute("exponential", 0.3, 0.0, 0.0, 0.001)
    assert not made.task.reached(frozen) and frozen["gain"].mean < 0
    made.close()


# --- the explorer ------------------------------------------------------------------------------


def test_picture_and_text_show_what_was_computed(explorer):
    explorer.set(shape="cosine", peak=0.5, warmup=0.1, hold=0.2, end=0.02)
    data = explorer.data
    np.testing.assert_array_equal(explorer.artists["rate"].get_ydata(), data["lr"])
    assert f"{data['area']:.1f}" in explorer.artists["left title"].get_text()
    assert f"{data['final'].mean():.3f}" in explorer.state
    assert f"{data['area']:.1f}" in explorer.state
    np.testing.assert_allclose(explorer.artists["runs"].get_ydata(), data["final"])


def test_the_schedule_is_shown_before_the_networks_are_trained(explorer):
    explorer.set(shape="cosine", peak=0.5, warmup=0.1, hold=0.2, end=0.02)
    shown = explorer.artists["rate"].get_ydata()
    title = explorer.artists["left title"].get_text()
    explorer.set(shape="linear", peak=0.3)
    design = {"shape": "cosine", "peak": 0.5, "warmup": 0.1, "hold": 0.2, "end": 0.02}
    before = explorer.artists["mean"].get_ydata()
    explorer.preview(explorer.artists, **design)
    planned = explorer.artists["rate"].get_ydata()  # the networks train in float32
    np.testing.assert_array_equal(np.float32(planned), shown)
    assert explorer.artists["left title"].get_text() == title
    np.testing.assert_array_equal(explorer.artists["mean"].get_ydata(), before)
    assert explorer.artists["right title"].get_text() == "training …"


@pytest.mark.parametrize("shape", OFFERED)
def test_every_shape_can_be_chosen(explorer, shape):
    before = explorer.image.value
    explorer.set(shape=shape, peak=0.47, end=0.05)
    assert explorer.image.value != before


def test_presets_and_reset(explorer):
    for label in explorer.presets:
        explorer.set(**explorer.presets[label])
        assert not explorer.task_reached
    explorer.reset()
    assert explorer.values == explorer.defaults and "the same schedule" in explorer.state


def test_divergence_is_drawn_and_said():
    made = designer.schedule_designer(steps=20)
    text = made.draw(made.compute("constant", 1e6, 0.0, 0.0, 1.0), made.artists)
    assert "diverged" in text and "nan" not in text.split("updates")[0]
    made.close()
