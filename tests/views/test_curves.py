"""Losses and rates over updates: what is drawn is what was recorded."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
from fakes import axes, find, make_run, texts
from hypothesis import given
from hypothesis import strategies as st

from course_utils import views
from course_utils.descent import descend
from course_utils.optimizers import GradientDescent
from course_utils.problems import shifted_square
from course_utils.schedules import cosine
from course_utils.views.curves import by_label


def legend(ax):
    return [text.get_text().strip() for text in ax.get_legend().get_texts()]


# --- losses -------------------------------------------------------------------------------------


def test_loss_curve_shows_the_loss_after_0_to_T_updates():
    ax = views.loss_curve(axes(), {"_a": make_run([4, 2, 1]), "b": make_run([4, 3, 2.5])})
    assert [line.get_ydata().tolist() for line in ax.lines] == [[4, 2, 1], [4, 3, 2.5]]
    assert ax.lines[0].get_xdata().tolist() == [0, 1, 2]
    assert ax.get_yscale() == "log"
    assert ax.get_xlabel() == "step (updates)"
    assert legend(ax) == ["_a", "b"]


@pytest.mark.parametrize("tail", [[1e9], [np.inf, np.nan], [np.nan], [-np.inf]])
def test_a_diverging_curve_is_cut_with_a_cross_that_says_where(tail):
    ax = views.loss_curve(axes(), make_run([1, 5, 90, *tail]))
    assert ax.lines[0].get_ydata().tolist() == [1, 5, 90]
    (cross,) = find(ax, marker="x")
    assert (cross.get_xdata()[0], cross.get_ydata()[0]) == (2, 90)
    assert texts(ax) == ["diverges, cut at step 3"]


@pytest.mark.parametrize("smooth", [1, 5])
@pytest.mark.parametrize(("loss", "step"), [([1, np.inf, np.inf], 1), ([np.nan, np.nan], 0)])
def test_a_curve_that_diverges_at_once_is_still_visible(loss, step, smooth):
    ax = views.loss_curve(axes(), make_run(loss), smooth=smooth)
    assert len(find(ax, marker="x")) == 1
    assert texts(ax) == [f"diverges, cut at step {step}"]


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


@pytest.mark.parametrize("floor", [None, 1e-6])
def test_losses_below_zero_are_drawn_as_they_are(floor):
    ax = views.loss_curve(axes(), make_run([2, 0, -3]), floor=floor)  # a log likelihood, say
    assert ax.lines[0].get_ydata().tolist() == [2, 0, -3]
    assert ax.get_yscale() == "linear" and ax.get_ylim()[0] < -3


def test_floor_is_the_foot_of_the_axis():
    ax = views.loss_curve(axes(), make_run([1, 1e-3, 1e-20]), floor=1e-6)
    assert ax.lines[0].get_ydata().tolist() == [1, 1e-3, 1e-6]
    assert ax.get_ylim()[0] == 1e-6


def test_replicas_show_their_median_and_their_range():
    ax = views.loss_curve(axes(), make_run([[4, 8, 12], [1, 2, 9]]))
    assert ax.lines[0].get_ydata().tolist() == [8, 2]
    corners = ax.collections[0].get_paths()[0].vertices
    assert {tuple(v) for v in corners} >= {(0, 4), (0, 12), (1, 1), (1, 9)}


# --- the running mean ---------------------------------------------------------------------------


@given(
    st.lists(st.floats(-1e17, 1e17, allow_subnormal=False), min_size=1, max_size=20),
    st.integers(1, 25),
)
def test_running_mean_is_the_mean_of_each_window(values, window):
    got = views.running_mean(values, window)
    for t, mean in enumerate(got):
        inside = values[max(0, t - window + 1) : t + 1]
        exact = float(sum(map(Fraction, inside)) / len(inside))
        scale = max(map(abs, inside))  # not that of numbers which have left the window
        assert mean == pytest.approx(exact, rel=1e-12, abs=1e-14 * scale)


def test_running_mean_of_what_is_not_finite_and_of_nothing():
    assert views.running_mean([1, np.inf, 1, 1, 1], 2).tolist() == [1, np.inf, np.inf, 1, 1]
    assert views.running_mean([[2, 4, 6], [0, 0, 3]], 2).tolist() == [[2, 3, 5], [0, 0, 1.5]]
    assert views.running_mean([], 3).shape == (0,)


def test_a_smoothed_loss_that_falls_to_1e_31_is_nowhere_zero():
    run = descend(shifted_square(), GradientDescent(), 0.1, 300)
    raw, smooth = views.loss_curve(axes(), run, smooth=10).lines
    assert 0 < raw.get_ydata()[-1] < 1e-31
    assert (smooth.get_ydata() >= raw.get_ydata()).all()


# --- rates --------------------------------------------------------------------------------------


def test_rate_strip_is_the_record_and_lasts_to_the_end():
    ax = views.rate_strip(axes(), make_run([4, 3, 2, 1], lr=[0.3, 0.2, 0.1]))
    assert ax.lines[0].get_ydata().tolist() == [0.3, 0.2, 0.1, 0.1]
    assert ax.lines[0].get_drawstyle() == "steps-post"
    assert ax.get_ylim()[0] == 0


def test_rate_strip_is_logarithmic_only_where_runs_differ_in_magnitude():
    falling = make_run(np.ones(101), lr=cosine(0.1, 100)(np.arange(100)))
    small = make_run(np.ones(101), lr=0.001)
    assert views.rate_strip(axes(), falling).get_yscale() == "linear"
    assert views.rate_strip(axes(), {"a": falling, "b": small}).get_yscale() == "log"


def test_a_rate_that_overflowed_does_not_spoil_the_axis():
    ax = views.rate_strip(axes(), make_run([4, 3, 2, 1], lr=[0.1, 0.2, np.inf]))
    assert ax.get_ylim() == pytest.approx((0, 0.23))


def test_loss_and_rate_share_the_steps_and_the_colors():
    runs = {"a": make_run([4, 2, 1]), "b": make_run([4, 3, 2])}
    shown = views.loss_and_rate(runs, "Both fall", alt="Loss 4 to 1 and 4 to 2.")
    above, below = shown.figure.axes
    assert above.get_shared_x_axes().joined(above, below)
    assert [li.get_color() for li in above.lines] == [li.get_color() for li in below.lines]
    assert above._left_title.get_text() == "Both fall"


def test_gallery_draws_each_schedule():
    rules = {"half": lambda t: 0.5 + 0 * t, "falling": lambda t: 1 / (1 + t)}
    shown = views.schedule_gallery(rules, 5, title="Two", cols=3)
    first, second = shown.figure.axes
    assert first.lines[0].get_ydata().tolist() == [0.5] * 5
    assert second.lines[0].get_ydata() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    assert "half 0.5, 0.5, 0.5; falling 1, 0.333, 0.2" in shown.alt


def test_gallery_draws_schedules_of_one_name_too():
    shown = views.schedule_gallery([cosine(0.1, 9), cosine(0.2, 9)], 5)
    assert [ax.lines[0].get_ydata()[0] for ax in shown.figure.axes] == [0.1, 0.2]


# --- bad input ----------------------------------------------------------------------------------

RUN = make_run([4, 2, 1])
BAD = {
    "ax must": lambda: views.loss_curve(None, RUN),
    "ax must be one": lambda: views.rate_strip(views.subplots(2)[1], RUN),
    "run must": lambda: views.losses({}),
    "values must": lambda: views.running_mean(["1"], 1),
    "runs must": lambda: views.loss_curve(axes(), 3),
    "runs must contain": lambda: by_label({}),
    "runs['a'] must": lambda: views.loss_curve(axes(), {"a": np.ones(3)}),
    "runs must have labels": lambda: by_label({0.1: RUN, "0.1": RUN}),
    "floor must": lambda: views.loss_curve(axes(), RUN, floor=-1),
    "smooth must": lambda: views.loss_curve(axes(), RUN, smooth=0),
    "window must": lambda: views.running_mean([1.0], 0),
    "schedules must": lambda: views.schedule_gallery([], 10),
    "schedules must be": lambda: views.schedule_gallery([1], 10),
    "steps must": lambda: views.schedule_gallery({"a": lambda t: t}, 1),
    "cols must": lambda: views.schedule_gallery({"a": lambda t: t}, 2, cols=0),
}


@pytest.mark.parametrize("words", BAD)
def test_bad_input_is_refused_by_name(words):
    with pytest.raises((ValueError, TypeError), match=re.escape(words)):
        BAD[words]()
