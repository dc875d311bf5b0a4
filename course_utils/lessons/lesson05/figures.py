"""The figure of lesson 5: rules below each other, a constant rate and a cosine side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from course_utils import views
from course_utils.experiments.intervals import Estimate, estimate
from course_utils.experiments.table import Table
from course_utils.lessons.lesson05.reading import reached
from course_utils.lessons.lesson05.rules import RULES, SHAPES

AXIS = {"accuracy": "test accuracy (%)", "loss": "test loss (nats)"}
_LOOK = {"constant": ("o", "white", views.VERMILLION), "cosine": ("o", views.BLUE, views.BLUE)}


def levels(
    tables: Mapping[str, Table], metric: str = "accuracy", settings: str = "loss"
) -> dict[str, Estimate]:
    """Return what every arm reached, with its interval; arguments as in `reached`."""
    arms = [f"{rule}, {shape}" for rule in RULES for shape in SHAPES]
    return {arm: estimate(reached(tables, arm, metric, settings)) for arm in arms if arm in tables}


def comparison_axes(ax: Axes, rules: Sequence[str] = tuple(RULES)) -> dict[str, Artist]:
    """Draw the empty figure; return its artists, two for each shape: points and intervals.

    >>> sorted(comparison_axes(views.subplots()[1]))[:2]
    ['constant', 'constant intervals']
    """
    artists: dict[str, Artist] = {}
    for shape, (marker, fill, edge) in _LOOK.items():
        bars = ax.add_collection(LineCollection([], colors=edge, linewidths=2.2))
        (points,) = ax.plot([], [], marker, ms=9, mfc=fill, mec=edge, mew=2, label=shape)
        artists |= {shape: points, f"{shape} intervals": bars}
    ax.set(yticks=range(len(rules)), yticklabels=list(rules), ylim=(len(rules) - 0.4, -0.6))
    ax.legend(loc="lower left")
    return artists


def fill_comparison(
    artists: Mapping[str, Artist], found: Mapping[str, Estimate], rules: Iterable[str]
) -> tuple[float, float]:
    """Move the artists of `comparison_axes` to what was found; return the limits that fit."""
    ends = []
    for shape in SHAPES:
        arms = [(y, f"{rule}, {shape}") for y, rule in enumerate(rules)]
        rows = [(y, found[arm]) for y, arm in arms if arm in found]
        heights = [y + (0.14 if shape == "cosine" else -0.14) for y, _ in rows]
        artists[shape].set_data([one.mean for _, one in rows], heights)
        bars = [[(one.low, y), (one.high, y)] for y, (_, one) in zip(heights, rows)]
        artists[f"{shape} intervals"].set_segments(bars)
        ends += [end for _, one in rows for end in (one.low, one.high, one.mean)]
    low, high = np.min(np.nan_to_num(ends, neginf=0)), np.max(np.nan_to_num(ends, posinf=0))
    room = 0.06 * (high - low) + 1e-9
    return float(low - room), float(high + room)


def draw_comparison(
    ax: Axes,
    tables: Mapping[str, Table],
    metric: str = "accuracy",
    rules: Sequence[str] = tuple(RULES),
) -> Axes:
    """Draw what each rule reached at a constant rate and with a cosine: mean and 95 % interval.

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
