"""What the tests of views share: an explorer without a task, runs, empty Axes."""

from __future__ import annotations

import numpy as np

from course_utils import views
from course_utils.run import Run
from course_utils.views.controls import choice_slider
from course_utils.views.explorer import Explorer


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


def make_run(loss, lr=0.1, params=None):
    """A run from its losses after 0, 1, ..., T updates."""
    loss = np.asarray(loss, dtype=float)
    lr = np.broadcast_to(lr, len(loss) - 1).astype(float)
    return Run(lr, loss[:-1], np.ones(loss[:-1].shape), loss[-1], params)


def axes():
    """One empty Axes."""
    return views.subplots()[1]


def find(ax, **look):
    """The lines of `ax` with these properties."""
    return [li for li in ax.lines if all(getattr(li, f"get_{k}")() == v for k, v in look.items())]


def texts(ax):
    """What is written on `ax`."""
    return [text.get_text() for text in ax.texts]
