"""The figures of lesson 3 that are longer than a notebook cell should be; no training in here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils import views
from course_utils.problems import double_well, sharp_and_flat
from course_utils.schedules import Schedule
from course_utils.views import Picture

if TYPE_CHECKING:
    from course_utils.experiments.sweep import Sweep
    from course_utils.lessons.lesson03.families import Comparison
    from course_utils.run import Run

_RATE_TICKS = (0.05, 0.1, 0.2, 0.5, 1.0)


def curves(title: str, variants: Mapping[str, Schedule], steps: int = 401) -> Picture:
    """Return one low, wide plot of schedules by label.

    Args:
        title: the finding.
        variants: label -> schedule.
        steps: draw the updates 0 to `steps` - 1.

    Example:
        >>> from course_utils.schedules import constant
        >>> curves("Flat", {"0.1": constant(0.1)}, steps=9).alt
        'Flat. Rates at steps 0, 1, 3, 5, 7: 0.1: 0.1, 0.1, 0.1, 0.1, 0.1.'
    """
    fig, ax = views.subplots(size=(10, 2.5))
    t = np.arange(steps)
    for i, (label, schedule) in enumerate(variants.items()):
        ax.step(t, schedule(t), where="post", label=views.as_label(label), **views.line_style(i))
    ax.set(xlabel=views.STEP_LABEL, ylabel="learning\nrate")
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, -0.04 * high), high)  # zero is where it can be seen
    ax.set_title(title)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.05))
    at = [round(k * (steps - 1) / 8) for k in (0, 1, 3, 5, 7)]  # between the ends of periods
    rows = [f"{k}: {', '.join(f'{r:.3g}' for r in s(at))}" for k, s in variants.items()]
    steps_named = ", ".join(map(str, at))
    return views.with_alt(
        fig, alt=f"{title}. Rates at steps {steps_named}: {'; '.join(rows)}.", scale=1.0
    )


def gallery(panels: Mapping[str, Mapping[str, Schedule]], alt: str, steps: int = 401) -> Picture:
    """Return small plots on common axes, three in a row, each with one or several schedules.

    Args:
        panels: title -> {label: schedule}.
        alt: the text alternative.
        steps: draw the updates 0 to `steps` - 1.

    Example:
        >>> from course_utils.schedules import cosine
        >>> gallery({"cosine": {"": cosine(0.1, 5)}}, "A cosine from 0.1 to 0.", steps=9).width
        1200
    """
    rows = -(-len(panels) // 3)
    fig, axes = views.subplots(rows, 3, size=(12, 0.6 + 2.4 * rows), sharex=True, sharey=True)
    axes, t = np.atleast_2d(axes), np.arange(steps)
    for ax, (name, lines) in zip(axes.flat, panels.items()):
        for i, (label, schedule) in enumerate(lines.items()):
            ax.step(
                t, schedule(t), where="post", label=views.as_label(label), **views.line_style(i)
            )
        ax.set_title(name)
        views.legend(ax)
    axes.flat[0].set_ylim(-0.035, 0.165)
    _outer_labels(axes, views.STEP_LABEL, views.RATE_LABEL)
    return views.with_alt(fig, alt=alt, scale=1.2)


def _outer_labels(axes: np.ndarray, x: str, y: str) -> None:
    for ax in axes[-1]:
        ax.set_xlabel(x)
    for ax in axes[:, 0]:
        ax.set_ylabel(y)


def trainings(table: Sweep, labels: Sequence[str], title: str, alt: str) -> Picture:
    """Return the training loss of each schedule of a sweep (mean, range over seeds), and its rates.

    Args:
        table: a `sweep.Sweep` measured several times on the way, with "train_loss".
        labels: one per schedule.
        title, alt: the finding, and the text alternative.

    Example:
        >>> from course_utils.experiments.sweep import sweep
        >>> table = sweep([0.1, 0.2], [0], steps=20, evaluate_every=10)
        >>> trainings(table, ["small", "large"], "Both learn", "Two falling curves.").alt
        'Two falling curves.'
    """
    fig, (above, below) = views.subplots(2, 1, size=(10, 5), height_ratios=(3, 1.4), sharex=True)
    at, loss = table.metrics["step"], table.metrics["train_loss"]
    for i, label in enumerate(labels):
        style = views.line_style(i)
        above.plot(at, loss[i].mean(axis=0), label=views.as_label(label), **style)
        low, high = loss[i].min(axis=0), loss[i].max(axis=0)
        above.fill_between(at, low, high, color=views.color(i), alpha=0.15, lw=0)
        below.step(np.arange(table.lr.shape[1]), table.lr[i], where="post", **style)
    top = np.max(loss, where=np.isfinite(loss), initial=0.0) or 1.0
    above.set(ylabel="training loss", ylim=(0, 1.5 * top))
    above.legend(loc="upper center", ncol=2)
    above.set_title(title)
    below.set(xlabel=views.STEP_LABEL, ylabel="learning\nrate", yscale="log")
    views.log_ticks(below.yaxis, 5)
    fig.align_ylabels()
    return views.with_alt(fig, alt=alt)


def intervals(
    values: Mapping[str, Mapping[str, tuple[float, float]]], title: str, xlabel: str
) -> Picture:
    """Return a panel per group with a bar of two standard errors per name; gray if 0 is in it.

    Args:
        values: group -> {name: (mean, standard error)}, the same names in each group.
        title: the finding.
        xlabel: what the numbers are, with the unit.

    Example:
        >>> intervals({"clean": {"a": (1.0, 0.1), "b": (0.0, 0.2)}}, "a wins", "points").alt
        'a wins. points, mean and standard error: clean: a +1.0 ± 0.1, b +0.0 ± 0.2.'
    """
    names = list(next(iter(values.values())))
    size = (12, 1.8 + 0.33 * len(names))
    fig, axes = views.subplots(1, len(values), size=size, sharey=True)
    axes = np.atleast_1d(axes)
    for ax, (group, rows) in zip(axes, values.items()):
        for y, (mean, error) in enumerate(rows.values()):
            clear = abs(mean) > 2 * error
            look = {"color": views.BLUE, "fmt": "D"} if clear else {"color": views.GRAY, "fmt": "o"}
            ax.errorbar(mean, y, xerr=2 * error, capsize=5, lw=2, **look)
        ax.axvline(0, color=views.BLACK, ls="-", lw=1.2)
        ax.set(xlabel=xlabel)
        ax.set_title(group)
    axes[0].set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.4, -0.6))
    ends = [ax.get_xlim() for ax in axes]
    for ax in axes:
        ax.set_xlim(min(low for low, _ in ends), max(high for _, high in ends))
    views.suptitle(fig, title)
    numbers = "; ".join(f"{group}: {_in_words(rows)}" for group, rows in values.items())
    return views.with_alt(
        fig, alt=f"{title}. {xlabel}, mean and standard error: {numbers}.", scale=1.2
    )


def _in_words(rows: Mapping[str, tuple[float, float]]) -> str:
    return ", ".join(f"{name} {mean:+.1f} ± {error:.1f}" for name, (mean, error) in rows.items())


def over_rates(
    comparisons: Mapping[str, Comparison], names: Sequence[str], title: str, alt: str
) -> Picture:
    """Return the test accuracy against the peak rate, one panel per comparison.

    Args:
        comparisons: title of the panel -> `families.Comparison`.
        names: the families to draw.
        title, alt: the finding, and the text alternative.

    Example:
        >>> from course_utils.lessons.lesson03.families import compare
        >>> few = compare(["constant"], rates=[0.1, 0.2], seeds=[0], epochs=1)
        >>> over_rates({"clean": few}, ["constant"], "It learns", "A rising curve.").alt
        'A rising curve.'
    """
    fig, axes = views.subplots(1, len(comparisons), size=(12, 4.8), sharey=True)
    axes = np.atleast_1d(axes)
    for ax, (group, comparison) in zip(axes, comparisons.items()):
        for i, name in enumerate(names):
            accuracy = comparison.metrics["test_accuracy"][comparison.row(name)].mean(axis=1)
            label = views.as_label(name) if ax is axes[0] else None
            style = {"marker": "osD^"[i % 4], **views.line_style(i)}
            ax.semilogx(comparison.rates, accuracy, label=label, **style)
        ax.set(xlabel="peak learning rate", ylim=(0.7, 1.0))
        _rate_ticks(ax)
        ax.set_title(group)
    axes[0].set_ylabel("test accuracy, mean over seeds")
    fig.legend(loc="outside lower center", ncol=4, fontsize=11)
    views.suptitle(fig, title)
    return views.with_alt(fig, alt=alt)


def _rate_ticks(ax: Any) -> None:
    ax.set_xticks(_RATE_TICKS, [f"{rate:g}" for rate in _RATE_TICKS])
    ax.set_xticks([], minor=True)


def rank_correlation(a: Any, b: Any) -> float:
    """Return Spearman's rank correlation of two arrays without ties.

    >>> rank_correlation([1, 2, 3], [10, 5, 1])
    -1.0
    """
    ranks = [np.argsort(np.argsort(values)) for values in (a, b)]
    return round(float(np.corrcoef(*ranks)[0, 1]), 12)


def wells() -> Picture:
    """Return the two losses of section 3.7, with the places where their runs start.

    Example:
        >>> wells().width
        1200
    """
    fig, (left, right) = views.subplots(1, 2, size=(12, 3.6))
    two, sharp = double_well(), sharp_and_flat()
    views.draw_curve(left, two, (-1.6, 1.5), (-0.6, 2.2))
    left.plot(two.start, two.loss(two.start), "o", ms=12, color=views.BLUE)
    left.text(two.start[0], 0.1, "start: a local\nminimum", ha="center", va="top")
    left.text(two.minimum[0], 0.5, "global\nminimum", ha="center")
    left.set_title("Two wells")
    views.draw_curve(right, sharp, (-7, 3.2), (-0.3, 3.6))
    right.plot(sharp.start, sharp.loss(sharp.start), "o", ms=12, color=views.BLUE)
    right.text(0.6, 2.0, "start: sharp,\n2/λ = 0.042", ha="right")
    right.text(-3, 0.35, "flat: 2/λ = 10", ha="center")
    right.set_title("A sharp well in a flat bowl")
    return views.with_alt(
        fig,
        alt="Left: a curve with a shallow well at 0.96, where the run starts, a hill in the middle "
        "and a deeper well at -1.04. Right: a wide flat bowl with its minimum at -3 and a narrow "
        "dip at 1, where the run starts.",
    )


def over_peaks(rates: Any, values: Mapping[str, tuple[str, Any, Any]], alt: str) -> Picture:
    """Return differences against the peak rate, with bars of two standard errors.

    Args:
        rates: peak rates (K,).
        values: y label -> (title, means (K,), standard errors (K,)).
        alt: the text alternative.

    Example:
        >>> over_peaks([0.1, 0.5], {"points": ("None", [0.0, 1.0], [0.5, 0.5])}, "Two bars.").width
        1200
    """
    fig, axes = views.subplots(1, len(values), size=(12, 4.2))
    for ax, (label, (title, mean, error)) in zip(np.atleast_1d(axes), values.items()):
        ax.errorbar(rates, mean, yerr=2 * np.asarray(error), fmt="o", capsize=5)
        ax.axhline(0, color=views.BLACK, ls="-", lw=1.2)
        ax.set(xscale="log", xlabel="peak learning rate", ylabel=label)
        _rate_ticks(ax)
        ax.set_xlim(0.8 * min(rates), 1.25 * max(rates))
        ax.set_title(title)
    return views.with_alt(fig, alt=alt)


def strips(
    runs: Mapping[int, Run],
    announced: Mapping[int, Schedule],
    updates_per_epoch: int,
    title: str,
) -> Picture:
    """Return the recorded rates of several programs (solid) over the announced ones (dashed).

    Args:
        runs: number of the strip -> the `Run` of its program.
        announced: number of the strip -> the schedule that it announces.
        updates_per_epoch: for the axis.
        title: the finding.

    Example:
        >>> from course_utils.run import Run
        >>> from course_utils.schedules import constant
        >>> one = Run([0.1, 0.1], [4.0, 1.0], [4.0, 2.0], 0.5)
        >>> strips({1: one}, {1: constant(0.2)}, 1, "Half").alt
        'Half. Recorded rates at every eighth of the run: strip 1: 0.1, ...'
    """
    rows = -(-len(runs) // 2)
    fig, axes = views.subplots(rows, 2, size=(12, 0.5 + 2.3 * rows), sharex=True, sharey=True)
    axes = np.atleast_2d(axes)
    for ax, (number, run) in zip(axes.flat, runs.items()):
        t = np.arange(run.steps)
        epoch = t / updates_per_epoch
        ax.step(epoch, announced[number](t), where="post", color=views.GRAY, ls="--", lw=1.6)
        ax.step(epoch, run.lr, where="post", color=views.BLUE, ls="-", lw=2.6)
        ax.set_title(f"Strip {number}")
    _outer_labels(axes, f"epoch ({updates_per_epoch} updates each)", views.RATE_LABEL)
    views.suptitle(fig, title)
    rates = "; ".join(f"strip {n}: {_eighths(run.lr)}" for n, run in runs.items())
    return views.with_alt(fig, alt=f"{title}. Recorded rates at every eighth of the run: {rates}.")


def _eighths(lr: np.ndarray) -> str:
    at = np.linspace(0, len(lr) - 1, 9).round().astype(int)
    return ", ".join(f"{rate:.2g}" for rate in lr[at])
