"""What the tests of several explorers share: a small sweep, and an explorer without a task."""

from __future__ import annotations

import numpy as np

from course_utils import views
from course_utils.views.explorer import Explorer, choice_slider


class FakeSweep:
    """Four rates, two seeds, five updates; the largest rate diverged with one seed."""

    lrs = np.array([0.01, 0.1, 1.0, 10.0])
    seeds = np.arange(2)
    diverged = np.array([[False, False]] * 3 + [[False, True]])
    loss = np.array([[[2.0, 1.9, 1.8, 1.7, 1.6]] * 2, [[2, 1, 0.5, 0.2, 0.1]] * 2] * 2)

    def __init__(self):
        self.loss = self.loss.copy()
        self.loss[3, 1, 2:] = np.nan

    def final(self, name):
        assert name == "validation_accuracy"
        return np.array([[0.3, 0.5], [0.9, 0.94], [0.93, 0.91], [0.1, 0.2]])


def bare(**changes):
    """An explorer made by hand, with one argument replaced."""
    figure, ax = views.subplots(size=(3, 2))
    (line,) = ax.plot([], [])
    arguments = {
        "controls": {"x": choice_slider([0.1, 0.25, 0.5], 0.5, "x")},
        "compute": lambda x: x,
        "draw": lambda data, artists: f"x is {data}.",
        "figure": figure,
        "artists": {"line": line},
    }
    return Explorer(**{**arguments, **changes})
