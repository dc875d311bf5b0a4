"""Paths on a loss, still and moving."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import axes, find, make_run, texts

from course_utils import views
from course_utils.problems import quadratic, shifted_square
from course_utils.views.paths import move_path, moving_path


def run_along(problem, path):
    with np.errstate(all="ignore"):
        return make_run(problem.loss(np.array(path)), params=np.array(path))


def test_a_path_in_one_dimension_lies_on_the_curve():
    problem = shifted_square()
    ax = views.trajectory(axes(), problem, run_along(problem, [[5.0], [2.0], [0.5]]))
    curve, line, start = ax.lines
    assert line.get_xydata() == pytest.approx(np.array([[5, 36], [2, 9], [0.5, 2.25]]))
    assert curve.get_ydata() == pytest.approx((curve.get_xdata() + 1) ** 2)
    assert start.get_xydata().tolist() == [[5, 36]]


def test_a_path_in_two_dimensions_shows_contours_and_the_minimum():
    problem = quadratic([1.0, 10.0])
    path = [[-4.0, 1.5], [-2.0, -1.0], [-1.0, 0.5]]
    runs = {"_a": run_along(problem, path)}
    ax = views.trajectory(axes(), problem, runs, xlim=(-5, 1), ylim=(-2, 2))
    (star,) = find(ax, marker="*")
    assert star.get_xydata().tolist() == [[0, 0]]
    assert ax.get_xlim() == (-5, 1)
    (line,) = (li for li in ax.lines if li.get_label() == " _a")
    assert line.get_xydata().tolist() == path
    assert len(ax.collections) == 2 and ax.get_legend() is not None


def test_a_path_that_leaves_the_window_is_cut_and_says_when():
    problem = shifted_square()
    run = run_along(problem, [[5.0], [-6.5], [8.0], [-9.5], [np.inf]])
    ax = views.trajectory(axes(), problem, run, xlim=(-8, 9))
    assert len(find(ax, marker="x")) == 1
    assert texts(ax) == ["leaves at step 3"]


@pytest.mark.parametrize("beyond", [9.0, np.inf, -np.inf, np.nan])
def test_a_moving_path_ends_at_the_first_point_outside(beyond):
    ax = axes()
    ax.set(xlim=(0, 4), ylim=(0, 4))
    artists = moving_path(ax)
    move_path(artists, np.array([1.0, 2.0, beyond, 1.0]), np.array([1.0, 3.0, 2.0, 1.0]))
    assert artists["path"].get_xydata()[:2].tolist() == [[1, 1], [2, 3]]
    assert len(artists["path"].get_xdata()) == 3 and np.isfinite(artists["path"].get_xdata()).all()
    assert artists["exit"].get_xydata().tolist() == [[2, 3]]
    move_path(artists, np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    assert artists["exit"].get_xydata().tolist() == []


@pytest.mark.parametrize(
    ("params", "words"),
    [(None, "params"), (np.ones((2, 3)), "one or two"), (np.ones((2, 1, 1)), "params")],
)
def test_runs_without_a_path_in_one_or_two_dimensions_are_refused(params, words):
    with pytest.raises(ValueError, match=words):
        views.trajectory(axes(), shifted_square(), make_run([1, 1], params=params))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ax": None}, "ax must"),
        ({"problem": 3}, "problem must"),
        ({"xlim": (0, np.nan)}, "xlim must"),
        ({"ylim": 4}, "ylim must"),
    ],
)
def test_bad_input_is_refused_by_name(change, words):
    problem = shifted_square()
    good = {"ax": axes(), "problem": problem, "runs": run_along(problem, [[5.0], [2.0]])}
    with pytest.raises((TypeError, ValueError), match=words):
        views.trajectory(**{**good, **change})
