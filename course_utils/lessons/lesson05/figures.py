"""The figure of lesson 5: rules below each other, each with one mark per shape of its rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from course_utils import views
from course_utils.experiments.intervals import Estimate, estimate
from course_utils.experiments.table import Table
from course_utils.lessons.lesson05.reading import reached
from course_utils.lessons.lesson05.rules import RULES

AXIS = {"accuracy": "test accuracy (%)", "loss": "test loss (nats)"}
CONSTANT, DECAYED = "constant", ("cosine", "linear")


def levels(
    tables: Mapping[str, Table], metric: str = "accuracy", settings: str = "loss"
) -> dict[str, dict[str, Estimate]]:
    """Return what each rule reached, constant and decayed: {"constant": {rule: estimate}, ...}.

    Args:
        tables: a file of the record. Decayed means with a cosine; where a file has a line, with it.
        metric, settings: as in `reached`.

    Example:
        >>> table = Table([1, 1, 1], [0, 1], {"test_loss": [[2, 4]] * 3})
        >>> levels({"Adam, constant": table, "Adam, linear": table}, "loss")["linear"]["Adam"].mean
        3.0
    """
    decay = next(d for d in reversed(DECAYED) if any(arm.endswith(f", {d}") for arm in tables))
    return {
        shape: {
            rule: estimate(reached(tables, f"{rule}, {shape}", metric, settings))
            for rule in RULES
            if f"{rule}, {shape}" in tables
        }
        for shape in (CONSTANT, decay)
    }


def comparison_axes(ax: Axes, rules: Sequence[str] = tuple(RULES)) -> dict[str, Artist]:
    """Draw the empty figure; return its artists: points and intervals, constant and decayed.

    >>> sorted(comparison_axes(views.subplots()[1]))[:2]
    ['constant', 'constant intervals']
    """
    artists: dict[str, Artist] = {}
    for shape, fill, edge in (
        (CONSTANT, "white", views.VERMILLION),
        ("decayed", views.BLUE, views.BLUE),
    ):
        bars = ax.add_collection(LineCollection([], colors=edge, linewidths=2.2))
        (points,) = ax.plot([], [], "o", ms=9, mfc=fill, mec=edge, mew=2, label=shape)
        artists |= {shape: points, f"{shape} intervals": bars}
    ax.set(yticks=range(len(rules)), yticklabels=list(rules), ylim=(len(rules) - 0.4, -0.6))
    ax.legend(loc="best")
    return artists


def fill_comparison(
    artists: Mapping[str, Artist],
    found: Mapping[str, Mapping[str, Estimate]],
    rules: Sequence[str] = tuple(RULES),
) -> tuple[float, float]:
    """Move the artists of `comparison_axes` to what was found; return the limits that fit.

    >>> artists = comparison_axes(views.subplots()[1])
    >>> fill_comparison(artists, {"constant": {"Adam": Estimate(1.5, 0.1, 1.0, 2.0)}})
    (0.939999999, 2.060000001)
    """
    ends = []
    for shape, ones in found.items():
        name, shift = (CONSTANT, -0.14) if shape == CONSTANT else ("decayed", 0.14)
        rows = [(y + shift, ones[rule]) for y, rule in enumerate(rules) if rule in ones]
        artists[name].set_data([one.mean for _, one in rows], [y for y, _ in rows])
        bars = [[(one.low, y), (one.high, y)] for y, one in rows]
        artists[f"{name} intervals"].set_segments(bars)
        ends += [end for _, one in rows for end in (one.low, one.high)]
    room = 0.06 * (max(ends) - min(ends)) + 1e-9
    return float(np.min(ends) - room), float(np.max(ends) + room)


def draw_comparison(
    ax: Axes,
    tables: Mapping[str, Table],
    metric: str = "accuracy",
    rules: Sequence[str] = tuple(RULES),
) -> Axes:
    """Draw what each rule reached at a constant rate and decayed: mean and 95 % interval.

    Args:
        ax: where to draw.
        tables: a file of the record.
        metric: "accuracy" or "loss".
        rules: from above.
    """
    artists = comparison_axes(ax, rules)
    ax.set_xlim(*fill_comparison(artists, levels(tables, metric), rules))
    ax.set_xlabel(AXIS[metric])
    return ax
