"""The schedule designer: what a design means, and that its picture, text and task agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.lessons.lesson03 import designer
from course_utils.lessons.lesson03.designer import FAMILIES, design
from course_utils.schedules import cosine, exponential, inverse_time, with_warmup

STEPS = 40  # short runs: the laws do not depend on the length


@pytest.fixture(scope="module")
def explorer():
    made = designer.schedule_designer(steps=STEPS)
    yield made
    made.close()


# --- the design --------------------------------------------------------------------------------


@given(
    family=st.sampled_from([f for f in FAMILIES if f not in ("constant", "cosine restarts")]),
    lr=st.floats(0.01, 2),
    warmup=st.floats(0, 0.5),
    hold=st.floats(0, 0.9),
    floor=st.floats(0.001, 1),
    steps=st.integers(20, 500),
)
@settings(deadline=None)
def test_a_design_stays_between_floor_and_peak_and_ends_at_the_floor(
    family, lr, warmup, hold, floor, steps
):
    schedule = design(family, lr, warmup, hold, floor, steps)
    rates = schedule(np.arange(steps + 1))
    rise = round(warmup * steps)
    assert rates.max() <= lr * (1 + 1e-12) and rates[rise] == pytest.approx(lr)
    assert rates[rise:].min() >= lr * floor * (1 - 1e-9)
    assert rates[steps] == pytest.approx(lr * floor, rel=1e-9)
    assert (np.diff(rates[:rise]) > 0).all() and (np.diff(rates[rise:]) <= 1e-15).all()


def test_designs_are_made_of_the_library_s_schedules():
    assert design("cosine", 0.5, floor=0.1) == cosine(0.5, 310, alpha=0.1)
    assert design("exponential", 0.5, floor=0.1) == exponential(0.5, 310, 0.1)
    assert design("inverse time", 0.5, floor=0.1) == inverse_time(0.5, 310, 9.0)
    warm = design("cosine", 0.5, warmup=0.1, floor=0.1)
    assert warm == with_warmup(cosine(0.5, 279, alpha=0.1), 31, start_factor=1 / 31)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"family": "cosinus"}, "family"),
        ({"lr": 0.0}, "lr"),
        ({"lr": float("nan")}, "lr"),
        ({"warmup": 0.6}, "warmup"),
        ({"hold": 1.0}, "hold"),
        ({"floor": 0.0}, "floor"),
        ({"floor": 1.5}, "floor"),
        ({"steps": 10}, "steps"),
    ],
)
def test_bad_designs_are_refused_by_name(values, name):
    with pytest.raises(ValueError, match=name):
        design(**{"family": "cosine", "lr": 0.5, **values})


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
    assert same["gain"] == pytest.approx(0.0, abs=1e-12) and not explorer.task.reached(same)


@pytest.mark.parametrize(
    ("gain", "error", "beats"), [(0.03, 0.01, True), (0.02, 0.01, False), (-0.1, 0.01, False)]
)
def test_the_task_asks_for_two_standard_errors(explorer, gain, error, beats):
    assert explorer.task.reached({"gain": gain, "gain_error": error}) is beats


def test_the_task_can_be_reached_and_a_decay_that_is_too_fast_fails_it():
    made = designer.schedule_designer()
    assert made.task.reached(made.compute("linear", 0.6, 0.0, 0.5, 0.01))
    frozen = made.compute("exponential", 0.3, 0.0, 0.0, 0.001)
    assert not made.task.reached(frozen) and frozen["gain"] < 0
    made.close()


# --- the explorer ------------------------------------------------------------------------------


def test_picture_and_text_show_what_was_computed(explorer):
    explorer.set(family="cosine", lr=0.5, warmup=0.1, hold=0.2, floor=0.02)
    data = explorer.data
    np.testing.assert_array_equal(explorer.artists["rate"].get_ydata(), data["lr"])
    assert f"{data['area']:.1f}" in explorer.artists["left title"].get_text()
    assert f"{data['final'].mean():.3f}" in explorer.state
    assert f"{data['area']:.1f}" in explorer.state
    np.testing.assert_allclose(explorer.artists["runs"].get_ydata(), data["final"])


def test_the_schedule_is_shown_before_the_networks_are_trained(explorer):
    explorer.set(family="cosine", lr=0.5, warmup=0.1, hold=0.2, floor=0.02)
    shown = explorer.artists["rate"].get_ydata()
    title = explorer.artists["left title"].get_text()
    explorer.set(family="linear", lr=0.3)
    design = {"family": "cosine", "lr": 0.5, "warmup": 0.1, "hold": 0.2, "floor": 0.02}
    before = explorer.artists["mean"].get_ydata()
    explorer.preview(explorer.artists, **design)
    planned = explorer.artists["rate"].get_ydata()  # the networks train in float32
    np.testing.assert_array_equal(np.float32(planned), shown)
    assert explorer.artists["left title"].get_text() == title
    np.testing.assert_array_equal(explorer.artists["mean"].get_ydata(), before)
    assert explorer.artists["right title"].get_text() == "training …"


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_can_be_chosen(explorer, family):
    before = explorer.image.value
    explorer.set(family=family, lr=0.47, floor=0.05)
    assert explorer.image.value != before and family.split(",")[0].split()[0]


def test_presets_and_reset(explorer):
    for label in explorer.presets:
        explorer.set(**explorer.presets[label])
        assert not explorer.task_reached
    explorer.reset()
    assert explorer.values == explorer.defaults and "no difference" in explorer.state


def test_divergence_is_drawn_and_said():
    made = designer.schedule_designer(steps=20)
    text = made.draw(made.compute("constant", 1e6, 0.0, 0.0, 1.0), made.artists)
    assert "diverged" in text and "nan" not in text.split("updates")[0]
    made.close()
