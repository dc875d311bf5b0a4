"""The figures of lesson 3: what an interval must say, and what must not spoil its frame."""

from __future__ import annotations

import numpy as np

from course_utils import views
from course_utils.experiments.intervals import Estimate
from course_utils.lessons.lesson03 import figures
from course_utils.run import Run
from course_utils.schedules import cosine, exponential


def estimate(mean: float, reach: float = 0.5) -> Estimate:
    return Estimate(mean, reach / 2, mean - reach, mean + reach)


def test_an_interval_that_holds_zero_is_gray_and_one_far_away_is_written_at_the_edge():
    rows = {"a": estimate(1.0), "b": estimate(0.2), "c": estimate(-0.9), "far": estimate(60.0)}
    shown = figures.intervals({"digits": {"loss": rows}}, "Some differ", ["%"], [(-2, 3)])
    ax = shown.figure.axes[0]
    colors = [container.lines[0].get_color() for container in ax.containers]
    assert colors == [views.BLUE, views.GRAY, views.BLUE]
    assert [text.get_text() for text in ax.texts] == ["+60 [+60, +60] →"]
    assert ax.get_xlim() == (-2, 3) and "far +60.0 [+59.5, +60.5]" in shown.alt


def test_schedules_of_one_area_share_a_label():
    points = {"line": ([10.0, 30.0], [1.0, 0.5]), "rising line": ([10.4], [1.0])}
    ax = figures.areas(points, "Areas", "Three points.").figure.axes[0]
    assert [text.get_text() for text in ax.texts] == ["line\nrising line", "line"]


def test_the_gallery_shows_what_comes_past_the_end():
    plans = {"stays": cosine(0.1, 10, alpha=0.1), "goes on": exponential(0.1, 10, 0.1)}
    axes = figures.gallery(plans, 10, "Two", "Two curves.").figure.axes
    drawn = [ax.lines[-1].get_ydata() for ax in axes[:2]]
    assert [len(rates) for rates in drawn] == [16, 16]
    np.testing.assert_allclose([rates[-1] for rates in drawn], [0.01, 0.1 * 0.1**1.5])


def test_each_column_has_its_rates_under_its_losses():
    run = Run([0.4, 0.1], [4.0, 1.0], [4.0, 2.0], 0.5)
    axes = figures.columns({"one": {"x": run}, "two": {"x": run}}, "Two", "Two.").figure.axes
    heights = [list(ax.lines[0].get_ydata()) for ax in axes]
    assert heights == [[4.0, 1.0, 0.5]] * 2 + [[0.4, 0.1, 0.1]] * 2


def test_who_watches_is_drawn_on_two_axes():
    shown = figures.watching([([2.0, 1.0], [0.5, 0.1]), ([2.0, 2.0], [0.05, 0.05])], "Two", "Two.")
    axes = shown.figure.axes
    assert len(axes) == 4 and axes[2].get_ylim() == axes[3].get_ylim()
    assert axes[2].lines[0].get_ydata().tolist() == [0.5, 0.1]
