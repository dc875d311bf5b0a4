"""Losses and learning rates over updates, drawn from the records of runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.lib.stride_tricks import sliding_window_view

from course_utils import validate
from course_utils.run import Run
from course_utils.views.figure import (
    BLUE,
    INFEASIBLE,
    RATE_LABEL,
    STEP_LABEL,
    WHITE_BOX,
    Picture,
    as_label,
    check_axes,
    legend,
    line_style,
    log_ticks,
    readable_color,
    subplots,
    suptitle,
    with_alt,
)

CEILING = 100.0
"""A curve of a diverging run is cut where its loss exceeds this multiple of the first loss."""


# ------------------------------------------------------------------------------ runs over steps


def by_label(runs: Run | Mapping[str, Run] | Sequence[Run]) -> dict[str, Run]:
    """Return `runs` as a dict from label to `Run`; a single run gets an empty label.

    >>> run = Run(lr=[0.1], loss=[4.0], grad_norm=[4.0], final_loss=1.0)
    >>> list(by_label({"small": run})), list(by_label(run)), list(by_label([run, run]))
    (['small'], [''], ['run 1', 'run 2'])
    """
    if isinstance(runs, Run):
        runs = {"": runs}
    elif isinstance(runs, Mapping):
        given, runs = runs, {str(label): run for label, run in runs.items()}
        if len(runs) < len(given):
            raise ValueError(f"runs must have labels that differ in words, got {list(given)}")
    elif isinstance(runs, Sequence) and not isinstance(runs, str):
        runs = {f"run {i}": run for i, run in enumerate(runs, 1)}
    else:
        raise TypeError(f"runs must be a Run or a dict from label to Run, got {runs!r}")
    if not runs:
        raise ValueError("runs must contain at least one Run, got none")
    for label, run in runs.items():
        if not isinstance(run, Run):
            raise TypeError(f"runs[{label!r}] must be a Run, got {type(run).__name__}")
    return runs


def losses(run: Run) -> np.ndarray:
    """Return the loss after 0, 1, ..., T updates, shape (T + 1, ...).

    >>> losses(Run(lr=[0.1], loss=[4.0], grad_norm=[4.0], final_loss=1.0))
    array([4., 1.])
    """
    if not isinstance(run, Run):
        raise TypeError(f"run must be a Run, got {run!r}")
    return np.concatenate([run.loss, np.asarray(run.final_loss)[np.newaxis]])


def loss_curve(
    ax: Axes,
    runs: Run | Mapping[str, Run],
    *,
    floor: float | None = None,
    smooth: int = 1,
    log: bool = True,
) -> Axes:
    """Draw loss against the number of updates done, 0 to T, on a logarithmic axis.

    The curve of a diverging run is cut where it leaves the frame, and a red cross says at which
    step; a loss of exactly zero, which a logarithmic axis cannot show, is a triangle at its foot.
    Runs with replicas show their median and, as a band, their range.

    Args:
        ax: where to draw.
        runs: a `Run` or a dict from label to `Run`.
        floor: the lowest loss shown; smaller ones lie on it.
        smooth: draw the mean of this many updates (and the raw curve faintly behind it).
        log: False for a linear loss axis, which losses below 0 get in any case.

    Example:
        >>> run = Run(lr=[0.1, 0.1], loss=[4.0, 1.0], grad_norm=[4.0, 2.0], final_loss=0.25)
        >>> ax = loss_curve(subplots()[1], {"0.1": run})
        >>> ax.lines[0].get_ydata().tolist()
        [4.0, 1.0, 0.25]
    """
    runs, ax = by_label(runs), check_axes(ax)
    floor = None if floor is None else validate.positive("floor", floor)
    smooth, log = validate.integer("smooth", smooth, 1), validate.boolean("log", log)
    curves = {label: losses(run) for label, run in runs.items()}
    negative = any((curve[np.isfinite(curve)] < 0).any() for curve in curves.values())
    log = log and not negative
    top = CEILING * max(_first(curve) for curve in curves.values())
    bottom = floor if floor is not None else _lowest(curves.values())
    if log:
        ax.set_yscale("log")
    for i, (label, curve) in enumerate(curves.items()):
        _curve(ax, i, label, curve, runs[label].diverged, bottom, top, smooth, log)
    if floor is not None and not negative:
        ax.set_ylim(bottom=floor if log else 0)
    ax.set(xlabel=STEP_LABEL, ylabel="loss")
    ax.margins(x=0.02)
    if log:
        log_ticks(ax.yaxis)
    legend(ax)
    return ax


def _first(curve: np.ndarray) -> float:
    first = np.asarray(curve[0])
    return float(np.max(first[np.isfinite(first)], initial=0.0)) or 1.0


def _lowest(curves: Any) -> float:
    """The place of a loss of exactly zero: one decade below the smallest positive one."""
    lowest = [np.min(c[np.isfinite(c) & (c > 0)], initial=np.inf) for c in curves]
    return float(min(lowest)) / 10 if np.isfinite(min(lowest)) else 1e-12


def _curve(
    ax: Axes,
    index: int,
    label: str,
    curve: np.ndarray,
    diverged: Any,
    bottom: float,
    top: float,
    smooth: int,
    log: bool,
) -> None:
    look = line_style(index)
    flat = curve.reshape(len(curve), -1)
    with np.errstate(invalid="ignore"):
        middle = np.median(flat, axis=1)
    end, why = _visible(middle, np.any(diverged), top, log)
    steps, shown = np.arange(end), middle[:end]
    if log:
        shown = np.maximum(shown, bottom)
    if smooth > 1:
        ax.plot(steps, shown, color=look["color"], lw=0.8, alpha=0.3)
        shown = running_mean(shown, smooth)
    if end == 1:
        look["marker"] = "o"  # a line of one point is invisible
    ax.plot(steps, shown, label=as_label(label), **look)
    if flat.shape[1] > 1:
        low = np.clip(flat[:end].min(axis=1), bottom if log else -top, top)
        high = np.nan_to_num(np.minimum(flat[:end].max(axis=1), top), nan=top)
        ax.fill_between(steps, low, high, color=look["color"], alpha=0.18, lw=0)
    if why == "diverged":
        _mark_divergence(ax, end, shown, index)
    elif why == "zero":
        _mark_zero(ax, end - 1, bottom, look["color"])


def _visible(loss: np.ndarray, diverged: bool, top: float, log: bool) -> tuple[int, str]:
    """How many entries of a curve can be shown, and why it ends: "diverged", "zero" or ""."""
    outside = ~(np.isfinite(loss) & (loss <= top))
    if diverged and outside.any():
        return int(np.argmax(outside)), "diverged"
    if log and loss[-1] == 0:
        return int(np.argmax(loss == 0)) + 1, "zero"
    return len(loss), ""


def _mark_zero(ax: Axes, step: int, bottom: float, shade: str) -> None:
    ax.plot([step], [bottom], "v", color=shade, ms=10, clip_on=False)
    ax.annotate(
        "exactly 0", (step, bottom), (8, 4), textcoords="offset points", color=readable_color(shade)
    )


def _mark_divergence(ax: Axes, end: int, shown: np.ndarray, index: int) -> None:
    """A red cross at the last point inside the frame, and in words when the run left it."""
    last = max(end - 1, 0)
    height = shown[-1] if len(shown) else 1.0
    ax.plot([last], [height], "x", color=INFEASIBLE, ms=11, mew=3, zorder=5, clip_on=False)
    ax.annotate(
        f"diverges, cut at step {end}",
        (last, height),
        (9, -4 if index % 2 == 0 else -18),
        textcoords="offset points",
        color=INFEASIBLE,
        va="center",
        bbox=WHITE_BOX,
    )


def running_mean(values: Any, window: int) -> np.ndarray:
    """Return the mean of each entry and the `window` - 1 before it (fewer at the start).

    Along the last axis. What left the window, infinities too, leaves no trace in the mean.

    >>> running_mean(np.array([2.0, 4.0, 6.0]), 2)
    array([2., 3., 5.])
    """
    values = np.asarray(values)
    if values.dtype.kind not in "iuf" or not values.ndim:
        raise TypeError(f"values must be an array of numbers, got {values!r}")
    length = values.shape[-1]
    window = min(validate.integer("window", window, 1), max(length, 1))
    before = np.zeros((*values.shape[:-1], window - 1))
    if not length:
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        windows = sliding_window_view(np.concatenate([before, values], axis=-1), window, axis=-1)
        return windows.sum(axis=-1) / np.minimum(np.arange(1, length + 1), window)


def rate_strip(ax: Axes, runs: Run | Mapping[str, Run], *, log: bool | None = None) -> Axes:
    """Draw the learning rate that was used at each update.

    Args:
        ax: where to draw.
        runs: a `Run` or a dict from label to `Run`.
        log: logarithmic axis; by default when one run's largest rate is over 30 times another's.

    Example:
        >>> run = Run(lr=[0.2, 0.1], loss=[4.0, 1.0], grad_norm=[4.0, 2.0], final_loss=0.25)
        >>> rate_strip(subplots()[1], run).lines[0].get_ydata().tolist()
        [0.2, 0.1, 0.1]
    """
    runs, ax = by_label(runs), check_axes(ax)
    log = None if log is None else validate.boolean("log", log)
    for i, (label, run) in enumerate(runs.items()):
        if run.steps:
            used = np.append(run.lr, run.lr[-1])  # update t lasts from t to t + 1
            _rate_line(ax, used, label=as_label(label), **line_style(i))
    rates = np.concatenate([run.lr[np.isfinite(run.lr)] for run in runs.values()])
    if log is None:
        peaks = [np.max(run.lr, where=np.isfinite(run.lr), initial=0) for run in runs.values()]
        peaks = [peak for peak in peaks if peak > 0]
        log = len(peaks) > 1 and max(peaks) > 30 * min(peaks)
    if log:
        ax.set_yscale("log")
        log_ticks(ax.yaxis, 4)
    else:
        ax.set_yscale("linear")
        ax.set_ylim(min(0.0, 1.15 * rates.min(initial=0)), 1.15 * rates.max(initial=0) or 1.0)
        ax.yaxis.get_major_locator().set_params(nbins=3)
    ax.set(xlabel=STEP_LABEL, ylabel=RATE_LABEL.replace(" ", "\n"))
    ax.margins(x=0.02)
    return ax


def _rate_line(ax: Axes, rates: np.ndarray, **look: Any) -> None:
    """Rates as stairs, where one can see the stairs or the schedule itself has some."""
    stairs = len(rates) <= 60 or np.mean(rates[1:] == rates[:-1]) > 0.5
    ax.plot(np.arange(len(rates)), rates, drawstyle="steps-post" if stairs else "default", **look)


def loss_and_rate(
    runs: Run | Mapping[str, Run],
    title: str,
    alt: str,
    *,
    floor: float | None = None,
    smooth: int = 1,
    size: tuple[float, float] = (10, 5),
    loss_label: str = "loss",
) -> Picture:
    """Return a picture of the loss with, under it, the rate that was used at each update.

    Args:
        runs: a `Run` or a dict from label to `Run`.
        title: the finding.
        alt: the text alternative, with the numbers.
        floor, smooth: as in `loss_curve`.
        size: inches.
        loss_label: which loss, if it is not plain.

    Example:
        >>> run = Run(lr=[0.1, 0.1], loss=[4.0, 1.0], grad_norm=[4.0, 2.0], final_loss=0.25)
        >>> loss_and_rate(run, "The loss falls", alt="Loss 4, 1, 0.25 at the rate 0.1.").width
        1000
    """
    fig, (above, below) = subplots(2, 1, size=size, height_ratios=(3, 1.15), sharex=True)
    loss_curve(above, runs, floor=floor, smooth=smooth)
    rate_strip(below, runs)
    above.set(title=title, xlabel="", ylabel=loss_label)
    fig.align_ylabels()
    return with_alt(fig, alt=alt)


# ---------------------------------------------------------------------------------- schedules


def schedule_gallery(
    schedules: Mapping[str, Any] | Sequence[Any],
    steps: int,
    *,
    alt: str | None = None,
    title: str | None = None,
    cols: int = 4,
) -> Picture:
    """Return a picture with one small plot per schedule, all with the same axes.

    Args:
        schedules: `Schedule`s, or a dict from label to schedule.
        steps: draw the updates 0 to `steps` - 1.
        alt: the text alternative; by default the first, middle and last rate of each.
        title: the finding.
        cols: plots per row.

    Example:
        >>> from course_utils.schedules import constant
        >>> schedule_gallery([constant(0.1)], 10).alt
        'Learning rate over 10 updates, first, middle, last: constant 0.1, 0.1, 0.1.'
    """
    steps, cols = validate.integer("steps", steps, 2), validate.integer("cols", cols, 1)
    pairs = list(schedules.items() if isinstance(schedules, Mapping) else _with_names(schedules))
    if not pairs:
        raise ValueError("schedules must contain at least one schedule, got none")
    cols = min(cols, len(pairs))
    rows = math.ceil(len(pairs) / cols)
    fig, axes = subplots(rows, cols, size=(12, 0.4 + 2.5 * rows), sharex=True, sharey=True)
    axes = np.atleast_1d(axes).ravel()
    shown, at = [], np.arange(steps)
    for ax, (name, schedule) in zip(axes, pairs):
        rates = np.asarray(schedule(at))
        shown.append(f"{name} {rates[0]:.3g}, {rates[steps // 2]:.3g}, {rates[-1]:.3g}")
        _rate_line(ax, rates, color=BLUE, ls="-")
        ax.set_title(name, fontsize=13)
    _finish_gallery(axes, len(pairs), cols)
    if title:
        suptitle(fig, title)
    if alt is None:
        alt = f"Learning rate over {steps} updates, first, middle, last: {'; '.join(shown)}."
    return with_alt(fig, alt=alt)


def _with_names(schedules: Sequence[Any]) -> list[tuple[str, Any]]:
    if not isinstance(schedules, Sequence) or not all(hasattr(s, "name") for s in schedules):
        raise TypeError(f"schedules must be schedules or a dict of them, got {schedules!r}")
    return [(schedule.name, schedule) for schedule in schedules]


def _finish_gallery(axes: np.ndarray, count: int, cols: int) -> None:
    """Label the outer Axes only, and remove those that hold no schedule."""
    for i, ax in enumerate(axes):
        if i >= count:
            ax.remove()
            continue
        ax.set_ylim(bottom=0)
        if i % cols == 0:
            ax.set_ylabel(RATE_LABEL)
        if i + cols >= count:
            ax.set_xlabel(STEP_LABEL)
            ax.tick_params(labelbottom=True)
