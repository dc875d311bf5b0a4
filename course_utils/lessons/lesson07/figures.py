"""The figures of lesson 7: range tests and their worth, searches, curves, a map, the job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from course_utils import views
from course_utils.experiments.intervals import estimate
from course_utils.experiments.range_test import RangeTest
from course_utils.experiments.table import Table
from course_utils.views.figure import check_axes

_MARKS = "vs^"


def range_tests(
    tests: Mapping[str, Sequence[RangeTest]],
    chosen: Mapping[str, Mapping[str, Sequence[float]]],
    full: Mapping[str, Table],
    title: str,
    *,
    alt: str,
) -> views.Picture:
    """Draw, per update rule, the tests, what is read off them, and whole runs at all rates.

    Args:
        tests: update rule -> one test per seed.
        chosen: update rule -> reading rule -> the rates that it read.
        full: update rule -> table with "test_accuracy".
        title: of the figure; alt: what it shows.

    Example:
        >>> test = RangeTest(np.array([0.1, 1.0]), np.ones(2), np.ones(2), 2.0, "")
        >>> table = Table([0.1, 1.0], [0], {"test_accuracy": [[0.8], [0.9]]})
        >>> both = {"momentum": table, "adam": table}
        >>> tests, chosen = ({name: one for name in both} for one in ([test], {"a rule": [0.1]}))
        >>> range_tests(tests, chosen, both, "Title", alt="One test").width
        1250
    """
    fig, axes = views.subplots(
        3, 2, size=(12.5, 8.2), sharex=True, sharey="row", height_ratios=(3, 0.8, 3)
    )
    for (above, between, below), name in zip(axes.T, tests, strict=True):
        for test in tests[name]:
            above.plot(test.lr, test.smoothed, color=views.color(0), lw=1.2, alpha=0.7)
        above.set(title=f"{name.capitalize()}: {len(tests[name])} tests", ylim=(0, 4))
        views.sensitivity_curve(below, full[name], "test_accuracy", index=0)
        for i, (rule, rates) in enumerate(chosen[name].items()):
            look = {"marker": _MARKS[i % 3], "color": views.color(i + 1), "ls": "", "ms": 9}
            between.plot(rates, np.full(len(rates), -i), alpha=0.8, label=rule, **look)
            below.plot(rates, accuracy_at(full[name], rates), zorder=9 - i, **look)
        between.set(
            yticks=[-i for i in range(len(chosen[name]))], ylim=(0.6 - len(chosen[name]), 0.4)
        )
        between.set_yticklabels(chosen[name])
        below.set(ylim=(0.7, 1.0), xlabel=views.RATE_LABEL, ylabel="")
        views.log_ticks(below.xaxis)
    axes[0, 0].set_ylabel("smoothed loss")
    axes[2, 0].set_ylabel("test accuracy, whole runs\n(band: range of six seeds)")
    views.suptitle(fig, title)
    return views.with_alt(fig, alt=alt)


def accuracy_at(table: Table, lrs: Any) -> np.ndarray:
    """Return the mean test accuracy at any rates, linear between those of the table on a log axis.

    >>> accuracy_at(Table([0.1, 10.0], [0], {"test_accuracy": [[0.5], [0.7]]}), 1.0)
    array(0.6)
    """
    mean = np.nan_to_num(table.mean("test_accuracy"))
    return np.array(np.interp(np.log10(lrs), np.log10(table.lrs), mean))


def regrets(points: Mapping[str, Sequence[float]], title: str, *, alt: str) -> views.Picture:
    """Draw the regret of every reading, a row per case; a case without readings was refused.

    Args:
        points: case -> regrets in points of accuracy.
        title: of the figure; alt: what it shows.

    Example:
        >>> regrets({"digits": [1.0, 2.0], "refused": []}, "Title", alt="Two points").width
        1100
    """
    fig, ax = views.subplots(size=(11, 0.5 * len(points) + 1.6))
    for row, values in enumerate(points.values()):
        ax.plot(values, np.full(len(values), row), "o", color=views.color(0), alpha=0.5, ms=8)
        if len(values):
            ax.plot(np.mean(values), row, "|", color=views.BLACK, ms=22, mew=3)
        else:
            ax.text(0.3, row, "refused: no test had a real fall", va="center", fontsize=11)
    ax.axvspan(-0.4, 1, color="0.92", zorder=0)
    ax.set(xlabel="regret in points of test accuracy (bar: mean; gray: up to 1 point)", title=title)
    ax.set(yticks=range(len(points)), ylim=(len(points) - 0.5, -0.5))
    ax.set_yticklabels(points)
    return views.with_alt(fig, alt=alt)


def peaks(
    log: Mapping[str, Table], survival: Mapping[str, Table], title: str, *, guess: float, alt: str
) -> views.Picture:
    """Draw, against the peak, the loss of one seed and how many of all seeds are alive.

    Args:
        log: line -> table of one seed with "validation_loss" and "updates".
        survival: the same line -> table with "alive", 1 or 0.
        title: of the figure; guess: the loss of guessing; alt: what it shows.

    Example:
        >>> names = ("validation_loss", "alive", "updates")
        >>> one = {"line": Table([0.1], [0], {n: [[1.0]] for n in names}, meta={"steps": 600})}
        >>> peaks(one, one, "Title", guess=4.6, alt="One point").width
        1250
    """
    fig, (left, right) = views.subplots(1, 2, size=(12.5, 4.6))
    for i, (name, table) in enumerate(log.items()):
        loss, color = table.final("validation_loss")[:, 0], views.color(i)
        whole = table.final("updates")[:, 0] == table.meta["steps"]
        look = {"marker": "os"[i % 2], "ms": 8, **views.line_style(i)}
        left.plot(table.lrs[whole], loss[whole], label=name, **look)
        left.plot(table.lrs[~whole], loss[~whole], "x", color=color, ms=13, mew=3)
        alive = survival[name].final("alive").sum(axis=1)
        right.plot(survival[name].lrs, alive, label=name, **look)
        seeds = len(survival[name].seeds)
    left.axhline(guess, color="0.4", ls=":")
    left.text(1e-4, guess - 0.04, "guessing (cross: stopped)", color="0.3", fontsize=11)
    left.set(ylabel="held-out loss", title="Whole runs, seed 0")
    right.set(ylabel=f"alive, of {seeds} seeds", ylim=(-0.5, seeds + 0.5))
    right.set_title("After 100 updates")
    for ax in (left, right):
        ax.set(xscale="log", xlabel="peak of the learning rate")
    views.log_ticks(left.xaxis)
    peaks_of = survival[name].lrs
    right.set_xticks(peaks_of, [f"{lr:g}" for lr in peaks_of])
    right.minorticks_off()
    left.legend(loc="lower left")
    views.suptitle(fig, title)
    return views.with_alt(fig, alt=alt)


def searches(
    found: Mapping[str, Mapping[str, Mapping[int, float]]], title: str, *, alt: str
) -> views.Picture:
    """Draw what searches find against the number of trials: {panel: {kind: {trials: loss}}}.

    >>> kinds = {"grid": {4: 0.7, 9: 0.6}}
    >>> searches({"one": kinds, "two": kinds}, "Title", alt="Two lines").width
    1250
    """
    fig, axes = views.subplots(1, len(found), size=(12.5, 4.6), sharey=True)
    for ax, (panel, kinds) in zip(axes, found.items(), strict=True):
        for i, (kind, losses) in enumerate(kinds.items()):
            ax.plot(losses.keys(), losses.values(), marker="os^D"[i % 4], label=kind,
                    **views.line_style(i))  # fmt: skip
        counts = list(next(iter(kinds.values())))
        ax.set(title=panel, xscale="log", xlabel="trials", xticks=counts)
        ax.set_xticklabels(counts)
        ax.minorticks_off()
    axes[0].set(ylabel="validation loss, other seeds")
    axes[0].legend()
    views.suptitle(fig, title)
    return views.with_alt(fig, alt=alt)


def two_metrics(tables: Mapping[str, Table], title: str, *, alt: str) -> views.Picture:
    """Draw training loss and test loss against the rate, a star on the best of each line.

    >>> table = Table([0.1, 1.0], [0], {f"{p}_loss": [[0.5], [0.4]] for p in ("train", "test")})
    >>> two_metrics({"ten classes": table}, "Title", alt="Two lines").width
    1250
    """
    fig, axes = views.subplots(1, 2, size=(12.5, 4.8))
    for ax, metric in zip(axes, ("train_loss", "test_loss"), strict=True):
        for i, (name, table) in enumerate(tables.items()):
            views.sensitivity_curve(ax, table, metric, name, log=True, index=i)
            best = table.best(metric)
            ax.plot(best.lr, best.value, "*", ms=19, color=views.color(i), mec=views.BLACK)
    axes[0].set(title="Training loss: what trains fastest")
    axes[1].set(title="Test loss: what is best on new images", ylim=(3e-3, 5))
    axes[0].legend(loc="lower left")
    if legend := axes[1].get_legend():
        legend.remove()
    views.suptitle(fig, title)
    return views.with_alt(fig, alt=alt)


def at_level(tables: Mapping[str, tuple[Table, float]], title: str, *, alt: str) -> views.Picture:
    """Draw, at equal training loss, each rate minus a reference rate: 95 % intervals over seeds.

    Args:
        tables: label -> table with "test_loss at level" and "test_accuracy at level", reference.
        title: of the figure; alt: what it shows.

    Example:
        >>> names = ("test_loss at level", "test_accuracy at level")
        >>> table = Table([0.1, 1.0], [0, 1], {name: [[1.0, 2.0], [2.0, 2.5]] for name in names})
        >>> at_level({"right": (table, 0.1)}, "Title", alt="Two points").width
        1250
    """
    fig, axes = views.subplots(1, 2, size=(12.5, 4.6))
    parts = (("test_loss", 1, "test loss"), ("test_accuracy", 100, "test accuracy, points"))
    for i, (name, (table, reference)) in enumerate(tables.items()):
        for ax, (metric, factor, words) in zip(axes, parts, strict=True):
            values = factor * table.final(f"{metric} at level")
            paired = values - values[table.nearest(reference)]
            kept = [r for r, row in enumerate(paired) if np.isfinite(row).all()]
            one = [estimate(paired[r]) for r in kept]
            mean = np.array([e.mean for e in one])
            reach = [mean - [e.low for e in one], [e.high for e in one] - mean]
            ax.errorbar(table.lrs[kept], mean, reach, marker="os"[i % 2], capsize=4,
                        label=f"{name}, minus rate {reference:g}",
                        **views.line_style(i))  # fmt: skip
            ax.set(xscale="log", xlabel=views.RATE_LABEL, ylabel=f"difference of {words}")
    for ax in axes:
        ax.axhline(0, color="0.4", ls=":")
        views.log_ticks(ax.xaxis)
    axes[0].legend(loc="upper left")
    views.suptitle(fig, title)
    return views.with_alt(fig, alt=alt)


def decay_maps(maps: Mapping[str, tuple[Any, Any, Any]], title: str, *, alt: str) -> views.Picture:
    """Draw one `decay_map` per update rule: name -> rates, decays, losses.

    >>> one = [0.1, 1.0], [0.0, 0.1], [[1.0, 0.8], [0.9, 2.0]]
    >>> decay_maps({"AdamW": one, "SGD": one}, "Title", alt="Two maps").width
    1300
    """
    fig, axes = views.subplots(1, len(maps), size=(13, 6.2))
    for ax, (name, (rates, decays, loss)) in zip(axes, maps.items(), strict=True):
        decay_map(ax, rates, decays, loss)
        ax.set_title(name)
    views.suptitle(fig, title)
    return views.with_alt(fig, alt=alt, colors=128)


def decay_map(ax: Axes, rates: Any, decays: Any, loss: Any, top: float = 1.2) -> Axes:
    """Draw the mean validation loss over rate and weight decay; frames mark each column's best.

    Args:
        ax: where to draw.
        rates, decays: shapes (R,) and (D,).
        loss: shape (R, D).
        top: losses from here on have the darkest shade.

    Example:
        >>> ax = decay_map(views.subplots()[1], [0.1, 1.0], [0.0, 0.1], [[1.0, 0.8], [0.9, 2.0]])
        >>> [label.get_text() for label in ax.get_xticklabels()]
        ['0', '0.1']
    """
    loss = np.asarray(loss, dtype=float)
    shown = np.minimum(loss, top)
    image = check_axes(ax).imshow(shown, origin="lower", aspect="auto", cmap="viridis_r", vmax=top)
    for (row, column), value in np.ndenumerate(loss):
        text = f"{value:.2f}" if value < top else "·"
        dark = shown[row, column] > 0.43 * shown.min() + 0.57 * top
        ax.text(column, row, text, ha="center", va="center", fontsize=10,
                color="white" if dark else "black")  # fmt: skip
    best = loss.argmin(axis=0)
    good = [column for column, row in enumerate(best) if loss[row, column] < top]
    ax.plot(good, best[good], "s", ms=29, mfc="none", mec=views.VERMILLION, mew=2)
    ax.set(xlabel="weight decay", ylabel=views.RATE_LABEL)
    ax.set_xticks(range(len(decays)), [f"{decay:g}" for decay in decays], fontsize=10)
    ax.set_yticks(range(len(rates)), [f"{rate:.2g}" for rate in rates])
    ax.grid(False)
    ax.figure.colorbar(image, ax=ax, label=f"validation loss (dot: {top:g} or more)")
    return ax
