"""The figures of lesson 3 that are longer than a notebook cell should be; no training in here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from course_utils import validate, views
from course_utils.experiments.intervals import Estimate
from course_utils.run import Run
from course_utils.schedules import Schedule
from course_utils.views import Picture


def floors(curves: Mapping[str, Any], rates: Any, ends: Any, title: str, alt: str) -> Picture:
    """Return mean losses over the steps, and beside them the noise floor against the rate.

    Args:
        curves: label -> mean loss before each update and after the last.
        rates: learning rates (K,).
        ends: the floor that the recursion reached at each (K,).
        title: the finding.
        alt: the text alternative.

    Example:
        >>> floors({"0.1": [2.0, 1.0]}, [0.1, 0.2], [0.026, 0.055], "Floors", "Two dots.").alt
        'Two dots.'
    """
    fig, (left, right) = views.subplots(1, 2, size=(12, 4.4))
    for i, (label, losses) in enumerate(curves.items()):
        left.semilogy(losses, label=views.as_label(label), **views.line_style(i))
    left.set(xlabel=views.STEP_LABEL, ylabel="mean loss", ylim=(1e-4, 100))
    left.legend(loc="upper right")
    rates = np.asarray(rates, dtype=float)
    exact = rates / (2 * (2 - rates))
    right.loglog(rates, exact, "-", color=views.BLACK, lw=1.4, label="η / (2(2 − η))")
    right.loglog(rates, rates / 4, ":", color=views.GRAY, lw=2, label="η / 4: proportional")
    right.loglog(rates, ends, "o", ms=9, color=views.BLUE, label="from the recursion")
    right.set(xlabel="learning rate", ylabel="noise floor (mean loss)")
    right.set_xticks(rates, [f"{lr:g}" for lr in rates], fontsize=10)
    right.set_xticks([], minor=True)
    right.legend()
    views.suptitle(fig, title)
    return views.with_alt(fig, alt=alt)


def columns(panels: Mapping[str, Mapping[str, Run]], title: str, alt: str) -> Picture:
    """Return a column per problem: the losses of its runs and, under them, the rates that ran.

    Args:
        panels: heading -> {label: `Run`}.
        title: the finding.
        alt: the text alternative.

    Example:
        >>> run = Run([0.1, 0.1], [4.0, 1.0], [4.0, 2.0], 0.5)
        >>> columns({"a": {"x": run}, "b": {"x": run}}, "Both fall", "Two falling curves.").alt
        'Two falling curves.'
    """
    count = len(panels)
    fig, axes = views.subplots(2, count, size=(6 * count, 5.6), height_ratios=(3, 1.3))
    axes = np.reshape(axes, (2, count))
    for (above, below), (heading, runs) in zip(axes.T, panels.items()):
        views.loss_curve(above, runs)
        views.rate_strip(below, runs)
        above.set(title=heading, xlabel="")
        for ax in (above, below):
            ax.xaxis.get_major_locator().set_params(integer=True)
        below.set_ylabel("learning\nrate")
    views.suptitle(fig, title)
    fig.align_ylabels()
    return views.with_alt(fig, alt=alt)


def gallery(schedules: Mapping[str, Schedule], end: int, title: str, alt: str) -> Picture:
    """Return small plots of schedules on common axes, four in a row, up to half as long again.

    Args:
        schedules: title -> schedule.
        end: the last step of the plan, where a line is drawn.
        title: the finding.
        alt: the text alternative.

    Example:
        >>> from course_utils.schedules import cosine
        >>> gallery({"cosine": cosine(0.1, 8)}, 8, "It stays", "A cosine from 0.1 to 0.").alt
        'A cosine from 0.1 to 0.'
    """
    rows = -(-len(schedules) // 4)
    size = (12, 0.9 + 2.1 * rows)
    fig, axes = views.subplots(rows, 4, size=size, sharex=True, sharey=True)
    t = np.arange(3 * validate.integer("end", end, 2) // 2 + 1)
    for ax, (name, schedule) in zip(np.ravel(axes), schedules.items()):
        rates = schedule(t)
        ax.axvline(end, color=views.GRAY, ls=":", lw=1.4)
        ax.axhline(0, color=views.GRAY, ls="-", lw=0.8)
        ax.plot(t, rates, "-", color=views.BLUE, drawstyle="steps-post", lw=2)
        ax.set_title(name, fontsize=13)
    for ax in np.ravel(axes)[len(schedules) :]:
        ax.set_axis_off()
    for ax in np.reshape(axes, (rows, 4))[-1]:
        ax.set_xlabel(views.STEP_LABEL)
    for ax in np.reshape(axes, (rows, 4))[:, 0]:
        ax.set_ylabel("rate")
    views.suptitle(fig, title)
    return views.with_alt(fig, alt=alt, scale=1.2)


def watching(histories: Sequence[tuple[Any, Any]], title: str, alt: str) -> Picture:
    """Return a panel per run: the loss that a rule watched (left axis), the rate it set (right).

    Args:
        histories: (loss per epoch, rate per epoch) of each run.
        title: the finding.
        alt: the text alternative.

    Example:
        >>> watching([([2.0, 1.0], [0.5, 0.5])], "It waits", "A falling loss, a flat rate.").alt
        'A falling loss, a flat rate.'
    """
    fig, axes = views.subplots(1, len(histories), size=(12, 3.6), sharey=True)
    every = np.concatenate([rates for _, rates in histories])
    frame = 0.5 * every.min(), 3 * every.max()
    for number, (ax, (losses, rates)) in enumerate(zip(np.ravel(axes), histories), start=1):
        epochs = np.arange(1, len(losses) + 1)
        ax.semilogy(epochs, losses, "o-", color=views.BLUE, ms=4, label="loss watched (left)")
        twin = ax.twinx()
        twin.plot(
            epochs, rates, "--", color=views.VERMILLION, drawstyle="steps-mid", label="rate (right)"
        )
        twin.set(yscale="log", ylim=frame)
        twin.grid(False)
        ax.set(xlabel="epoch", title=f"Run {number}")
        if number == len(histories):
            twin.set_ylabel(views.RATE_LABEL)
        else:
            twin.set_yticklabels([])
        if number == 1:
            ax.set_ylabel("mean loss of the epoch")
            lines = [ax.lines[0], twin.lines[0]]
            ax.legend(lines, [line.get_label() for line in lines], loc="upper right", fontsize=11)
    views.suptitle(fig, title)
    return views.with_alt(fig, alt=alt)


def intervals(
    values: Mapping[str, Mapping[str, Mapping[str, Estimate]]],
    title: str,
    units: Sequence[str],
    frames: Sequence[tuple[float, float]],
) -> Picture:
    """Return a grid of intervals: a column per setting, a row per metric, a bar per method.

    Each row has one scale. A bar is gray where zero is inside; where the mean lies outside the
    frame, the numbers stand at its edge.

    Args:
        values: setting -> metric -> {method: `Estimate`}, the same methods everywhere.
        title: the finding.
        units: what the numbers are, one per metric.
        frames: lowest and highest value shown, one pair per metric.

    Example:
        >>> from course_utils.experiments.intervals import estimate
        >>> rows = {"a": estimate([1.0, 2.0]), "b": estimate([-1.0, 1.5])}
        >>> intervals({"digits": {"loss": rows}}, "a is higher", ["%"], [(-20, 20)]).alt
        'a is higher. digits, loss (%): a +1.5 [-4.9, +7.9], b +0.2 [-15.6, +16.1].'
    """
    metrics = list(next(iter(values.values())))
    names = list(values[next(iter(values))][metrics[0]])
    size = (13, 1.2 + len(metrics) * (0.9 + 0.36 * len(names)))
    fig, axes = views.subplots(len(metrics), len(values), size=size, sharex="row", sharey=True)
    axes = np.reshape(axes, (len(metrics), len(values)))
    said = []
    for column, (setting, by_metric) in enumerate(values.items()):
        for row, (metric, unit, frame) in enumerate(zip(metrics, units, frames)):
            ax = axes[row, column]
            _bars(ax, by_metric[metric], frame)
            ax.set_xlabel(unit, fontsize=12)
            if row == 0:
                ax.set_title(setting, fontsize=13)
            numbers = ", ".join(f"{n} {_signed(e)}" for n, e in by_metric[metric].items())
            said.append(f"{setting}, {metric} ({unit}): {numbers}")
    axes[0, 0].set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.4, -0.6))
    views.suptitle(fig, title)
    return views.with_alt(fig, alt=f"{title}. {'; '.join(said)}.", scale=1.2)


def _bars(ax: Any, rows: Mapping[str, Estimate], frame: tuple[float, float]) -> None:
    low, high = frame
    ax.set_xlim(low, high)
    for y, e in enumerate(rows.values()):
        clear = e.low > 0 or e.high < 0
        look = {"color": views.BLUE, "fmt": "D"} if clear else {"color": views.GRAY, "fmt": "o"}
        if low < e.mean < high:
            ax.errorbar(e.mean, y, xerr=(e.high - e.low) / 2, capsize=4, lw=2, ms=5, **look)
            continue
        text = f"{e.mean:+.0f} [{e.low:+.0f}, {e.high:+.0f}]"
        text, x, side = (f"{text} →", high, "right") if e.mean > 0 else (f"← {text}", low, "left")
        ax.text(x, y, text, ha=side, va="center", color=views.BLUE, fontsize=12)
    ax.axvline(0, color=views.BLACK, ls="-", lw=1.2)


def _signed(e: Estimate) -> str:
    return f"{e.mean:+.1f} [{e.low:+.1f}, {e.high:+.1f}]"


def areas(points: Mapping[str, tuple[Any, Any]], title: str, alt: str) -> Picture:
    """Return the final training loss against the area under the schedule, with names beside it.

    Schedules of nearly the same area, at most 2 % of the axis apart, share one label.

    Args:
        points: name -> (areas, losses).
        title: the finding.
        alt: the text alternative.

    Example:
        >>> areas({"linear": ([1.0, 2.0], [2.0, 1.5])}, "It falls", "Two falling points.").alt
        'Two falling points.'
    """
    fig, ax = views.subplots(size=(10, 4.6))
    dots = sorted((x, y, name) for name, pair in points.items() for x, y in zip(*pair))
    groups: list[list[tuple[float, float, str]]] = []
    for dot in dots:
        if groups and dot[0] - groups[-1][-1][0] < 0.02 * dots[-1][0]:
            groups[-1].append(dot)
        else:
            groups.append([dot])
    for group in groups:
        for x, y, name in group:
            rising = name.startswith("rising")
            look = {"ms": 15, "mew": 2, "mfc": "none"} if rising else {"ms": 8, "alpha": 0.85}
            ax.plot(x, y, "o", color=views.BLACK if rising else views.BLUE, **look)
        x, y = group[-1][0], max(y for _, y, _ in group)
        names = "\n".join(name for *_, name in group)
        below = len(group) > 3  # a long label, where the falling curve leaves room
        place = (-10, -8, "right", "top") if below else (4, 7, "left", "bottom")
        look = {"fontsize": 11, "ha": place[2], "va": place[3], "textcoords": "offset points"}
        ax.annotate(names, (group[0][0] if below else x, y), place[:2], **look)
    ax.set(xlabel="area under the schedule (sum of the rates)", ylabel="final training loss")
    ax.set_ylim(0, 1.15 * max(y for _, y, _ in dots))
    ax.set_xlim(right=1.12 * dots[-1][0])
    ax.set_title(title)
    return views.with_alt(fig, alt=alt)
