"""Results over learning rates: sensitivity curves with their basins, differences of methods."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from course_utils import validate
from course_utils.experiments.best import higher_is_better
from course_utils.views.figure import (
    BLACK,
    BLUE,
    GRAY,
    INFEASIBLE,
    RATE_LABEL,
    WHITE_BOX,
    as_label,
    check_axes,
    color,
    legend,
    line_style,
    log_ticks,
    readable_color,
)

_DIVERGED = "some seed diverged"
_CURVE = "sensitivity_curve"


def sensitivity_curve(
    ax: Axes,
    sweep: Any,
    metric: str = "validation_loss",
    label: str | None = None,
    *,
    index: int | None = None,
    tolerance: float | None = None,
    log: bool = False,
) -> Axes:
    """Draw the final `metric` against the rate: mean over seeds, and their range as a band.

    Rates at which some run diverged (or the metric is not finite) get a red cross at the edge of
    the frame and no place in the line. With `tolerance` the width of the basin is drawn.

    Args:
        ax: where to draw; call it again on the same Axes to compare methods.
        sweep: a `sweep.Sweep`: `lrs` (R,), `final(metric)` (R, S), `diverged` (R, S).
        metric: for instance "validation_accuracy" or "train_loss".
        label: the name of the method in the legend.
        index: the color to use; by default the next one.
        tolerance: the basin is where the mean is within this distance of the best (`Sweep.basin`).
        log: logarithmic y axis, for losses over many orders of magnitude, none below 0.

    Example:
        >>> from course_utils.views.figure import subplots
        >>> class Three:
        ...     lrs, diverged = np.array([0.1, 1.0, 10.0]), np.array([[False], [False], [True]])
        ...
        ...     def final(self, name):
        ...         return np.array([[0.8], [0.9], [np.nan]])
        >>> ax = sensitivity_curve(subplots()[1], Three(), "validation_accuracy")
        >>> ax.lines[0].get_ydata().tolist()
        [0.8, 0.9, nan]
    """
    check_axes(ax)
    if not isinstance(metric, str):
        raise TypeError(f"metric must be a text, got {metric!r}")
    log = validate.boolean("log", log)
    lrs, values, bad = _cells(sweep, metric)
    if tolerance is not None:
        tolerance = validate.nonnegative("tolerance", tolerance)
    drawn = sum(line.get_gid() == _CURVE for line in ax.lines)
    index = drawn if index is None else validate.integer("index", index, 0)
    feasible = ~bad.any(axis=1)
    mean, low, high = (
        np.where(feasible, f(values, axis=1), np.nan) for f in (np.mean, np.min, np.max)
    )
    ax.set_xscale("log")
    if log and (values[feasible] >= 0).all():
        ax.set_yscale("log")
        log_ticks(ax.yaxis)
    style = {"marker": "os^DvP*"[index % 7], **line_style(index)}
    ax.plot(lrs, mean, label=as_label(label), gid=_CURVE, **style)
    if values.shape[1] > 1:
        ax.fill_between(lrs, low, high, color=color(index), alpha=0.2, lw=0)
    _crosses(ax, lrs[~feasible], index, label, higher_is_better(metric))
    if tolerance is not None:
        _basin(ax, sweep, metric, tolerance, index)
    ax.set(xlabel=RATE_LABEL, ylabel=_in_words(metric))
    ax.set_xlim(min(lrs.min(), ax.dataLim.x0) / 1.3, max(lrs.max(), ax.dataLim.x1) * 1.3)
    log_ticks(ax.xaxis)
    legend(ax)
    return ax


def _in_words(metric: str) -> str:
    """The name of a metric as an axis says it: training loss, not train_loss."""
    return metric.replace("_", " ").replace("train ", "training ")


def _cells(sweep: Any, metric: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rates, the final values with 0 in infeasible cells, and which cells are infeasible."""
    for name in ("lrs", "final", "diverged"):
        if not hasattr(sweep, name):
            raise TypeError(f"sweep must have .{name}, got {type(sweep).__name__}")
    lrs = np.asarray(sweep.lrs, dtype=float)
    values = np.asarray(sweep.final(metric), dtype=float)
    bad = np.asarray(sweep.diverged, dtype=bool) | ~np.isfinite(values)
    order = np.argsort(lrs, kind="stable")
    return lrs[order], np.where(bad, 0.0, values)[order], bad[order]


def _crosses(ax: Axes, lrs: np.ndarray, index: int, label: str | None, from_below: bool) -> None:
    """Red crosses on the edge where bad values lie, one row per method, with its name beside it."""
    if not len(lrs):
        return
    height = 0.04 + 0.07 * index
    height = height if from_below else 1 - height
    known = any(line.get_label() == _DIVERGED for line in ax.lines)
    ax.plot(
        lrs,
        np.full(len(lrs), height),
        "x",
        color=INFEASIBLE,
        ms=9,
        mew=2.6,
        transform=ax.get_xaxis_transform(),
        label=None if known else _DIVERGED,
    )
    if label:
        ax.annotate(
            label,
            (lrs[0], height),
            (-9, 0),
            xycoords=ax.get_xaxis_transform(),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=12,
            color=readable_color(color(index)),
        )


def _basin(ax: Axes, sweep: Any, metric: str, tolerance: float, index: int) -> None:
    basin = sweep.basin(metric, tolerance)
    low, high, decades = basin
    at_least = "at least " if getattr(basin, "edge", None) else ""
    if not (np.isfinite(low) and np.isfinite(high)):
        return
    shade = color(index)
    ax.axvspan(low, high, color=shade, alpha=0.08, lw=0, zorder=0)
    height = (0.02 if higher_is_better(metric) else 0.75) + 0.15 * index
    transform = ax.get_xaxis_transform()
    arrow = {"arrowstyle": "<->", "color": shade, "lw": 1.8, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (low, height), (high, height), xycoords=transform, arrowprops=arrow)
    ax.text(
        high,
        height + 0.02,
        f"within {tolerance:g} of the best:\n{at_least}{decades:.1f} decades",
        transform=transform,
        ha="right",  # to the left of the cliff
        zorder=1.5,  # behind the curves
        va="bottom",
        color=readable_color(shade),
        bbox=WHITE_BOX,
    )


def mark_rates(ax: Axes, rates: Mapping[str, float], *, height: float = 0.97) -> Axes:
    """Draw a vertical line with its label at each rate, for instance {"2/λ": 1.0}.

    Example:
        >>> from course_utils.views.figure import subplots
        >>> [text.get_text() for text in mark_rates(subplots()[1], {"2/λ": 1.0}).texts]
        ['2/λ']
    """
    check_axes(ax)
    if not isinstance(rates, Mapping):
        raise TypeError(f"rates must be a dict from label to rate, got {rates!r}")
    rates = {label: validate.finite(f"rates[{label!r}]", rate) for label, rate in rates.items()}
    for label, rate in rates.items():
        ax.axvline(rate, color=BLACK, ls="-", lw=1.2, zorder=1)
        ax.annotate(
            label,
            (rate, height),
            (4, 0),
            xycoords=ax.get_xaxis_transform(),
            textcoords="offset points",
            va="top",
            bbox=WHITE_BOX,
        )
    return ax


def differences(
    ax: Axes, pairs: Mapping[str, Any], *, label: str = "difference", scale: float = 1.0
) -> Axes:
    """Draw paired differences: each pair as a dot, their mean with two standard errors as a bar.

    Beside each bar stands the mean with its standard error, or "no difference detected" where
    the mean is smaller than two standard errors.

    Args:
        ax: where to draw.
        pairs: label -> differences, shape (S,), S >= 2: one per seed.
        label: what the differences are of, with the unit, on the x axis.
        scale: factor on the numbers, e.g. 100 for percentage points.

    Example:
        >>> from course_utils.views.figure import subplots
        >>> ax = differences(subplots()[1], {"Adam - SGD": [0.1, 0.2, 0.3], "A - A": [-0.1, 0.1]})
        >>> [text.get_text() for text in ax.texts]
        ['+0.2 ± 0.058', '+0 ± 0.1: no difference detected']
    """
    if not isinstance(pairs, Mapping) or not pairs:
        raise ValueError(f"pairs must be a dict of at least one comparison, got {pairs!r}")
    check_axes(ax)
    scale = validate.finite("scale", scale)
    checked = {k: scale * validate.array(f"pairs[{k!r}]", v, ndim=1) for k, v in pairs.items()}
    for row, (name, values) in enumerate(checked.items()):
        if len(values) < 2:
            raise ValueError(f"pairs[{name!r}] must have at least 2 differences, got {len(values)}")
        mean, error = values.mean(), values.std(ddof=1) / math.sqrt(len(values))
        clear = abs(mean) >= 2 * error
        shade = BLUE if clear else GRAY
        ax.plot(values, np.full(len(values), row + 0.2), "o", ms=6, alpha=0.45, color=shade)
        ax.errorbar(mean, row, xerr=2 * error, fmt="D", color=shade, ms=8, capsize=6, lw=2.4)
        note = f"{mean:+.2g} ± {error:.2g}" if abs(mean) > 1e-12 else f"+0 ± {error:.2g}"
        ax.annotate(
            note + ("" if clear else ": no difference detected"),
            (mean, row),
            (0, 12),
            textcoords="offset points",
            ha="center",
            va="bottom",
            color=shade,
            bbox=WHITE_BOX,
        )
    ax.axvline(0, color=BLACK, ls="-", lw=1.2, zorder=1)
    ax.set(yticks=range(len(checked)), yticklabels=list(checked), xlabel=label)
    ax.set_ylim(len(checked) - 0.5, -0.6)
    ax.margins(x=0.15)
    return ax
