"""The figures of lesson 7: curves of recorded tables, range tests, searches, and a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from course_utils import views
from course_utils.experiments.range_test import RangeTest
from course_utils.experiments.table import Basin
from course_utils.lessons.lesson07.studies import Table, accuracy_at
from course_utils.lessons.lesson07.weight_decay import Map
from course_utils.views.figure import check_axes

_RULE_MARKS = "vs^"


@dataclass(frozen=True)
class _AsSweep:
    """A table as `views.sensitivity_curve` wants it."""

    table: Table

    @property
    def lrs(self) -> np.ndarray:
        return self.table.lrs

    @property
    def diverged(self) -> np.ndarray:
        shape = len(self.table.lrs), len(self.table.seeds)
        return self.table.metrics.get("diverged", np.zeros(shape)).astype(bool)

    def final(self, metric: str) -> np.ndarray:
        return self.table.metrics[metric]

    def basin(self, metric: str, tolerance: float) -> Basin:
        low, high = self.table.window(metric, tolerance)
        return Basin(low, high, self.table.edge(metric))


def curve(ax: Axes, table: Table, metric: str, label: str | None = None, **options: Any) -> Axes:
    """Draw a metric of a recorded table against the rate: mean and range of the seeds.

    Args:
        ax: where to draw.
        table: from `studies`.
        metric: one of `table.metrics`.
        label: of the line.
        options: of `views.sensitivity_curve`.

    Example:
        >>> table = Table([0.1, 1.0], [0], {"test_loss": [[3.0], [2.0]]})
        >>> ax = curve(views.subplots()[1], table, "test_loss")
        >>> ax.lines[0].get_ydata().tolist()
        [3.0, 2.0]
    """
    return views.sensitivity_curve(ax, _AsSweep(table), metric, label, **options)


def range_tests(
    ax: Axes, tests: Sequence[RangeTest], chosen: Mapping[str, Sequence[float]]
) -> Axes:
    """Draw the smoothed losses of several range tests, and below them what each rule reads.

    Args:
        ax: where to draw.
        tests: one per seed.
        chosen: rule -> the rate that it reads off each test.

    Example:
        >>> from course_utils.experiments.range_test import ramp
        >>> values = iter([3.0, 1.0, 2.0])
        >>> test = ramp([0.01, 0.1, 1.0], lambda lr: next(values), 4.0)
        >>> ax = range_tests(views.subplots()[1], [test], {"rule": [0.01]})
        >>> ax.get_xscale(), len(ax.lines)
        ('log', 2)
    """
    check_axes(ax).set_xscale("log")
    for i, test in enumerate(tests):
        label = "smoothed loss, one line per seed" if i == 0 else None
        ax.plot(
            test.lr, test.smoothed, color=views.color(0), ls="-", lw=1.2, alpha=0.7, label=label
        )
    top = max(test.start for test in tests)
    for i, (rule, rates) in enumerate(chosen.items()):
        height = np.full(len(rates), -0.12 * top * (i + 1))
        look = {"marker": _RULE_MARKS[i % 3], "color": views.color(i + 1), "ls": "", "ms": 8}
        ax.plot(rates, height, label=views.as_label(rule), alpha=0.8, **look)
    ax.set(
        xlabel=views.RATE_LABEL, ylabel="loss", ylim=(-0.12 * top * (len(chosen) + 1), 1.7 * top)
    )
    ax.set_yticks(np.arange(0, 1.7 * top))  # the marks below 0 are no losses
    views.log_ticks(ax.xaxis)
    return ax


def readings(ax: Axes, table: Table, chosen: Mapping[str, Sequence[float]]) -> Axes:
    """Draw the accuracy of full runs against the rate, and on it what each rule chose.

    Args:
        ax: where to draw.
        table: full runs, from `studies.table`.
        chosen: as in `range_tests`.

    Example:
        >>> table = Table([0.1, 10.0], [0], {"test_accuracy": [[0.5], [0.7]]})
        >>> readings(views.subplots()[1], table, {"rule": [1.0]}).lines[1].get_ydata().round(
        ...     3
        ... ).tolist()
        [0.6]
    """
    curve(ax, table, "test_accuracy", index=0)
    for i, (rule, rates) in enumerate(chosen.items()):
        look = {"marker": _RULE_MARKS[i % 3], "color": views.color(i + 1), "ls": "", "ms": 9}
        ax.plot(rates, accuracy_at(table, rates), label=views.as_label(rule), **look)
    ax.set(ylabel="test accuracy of a full run", ylim=(0.7, 1.0))
    return ax


def decay_map(ax: Axes, one: Map, top: float = 1.2) -> Axes:
    """Draw the mean validation loss over rate and weight decay; circles mark each column's best.

    Args:
        ax: where to draw.
        one: from `weight_decay`.
        top: losses from here on have the darkest shade.

    Example:
        >>> loss = np.array([[[1.0], [0.8]], [[0.9], [2.0]]])
        >>> one = Map("AdamW", np.array([0.1, 1.0]), np.array([0.0, 0.1]), loss, loss, loss, {})
        >>> ax = decay_map(views.subplots()[1], one)
        >>> [label.get_text() for label in ax.get_xticklabels()]
        ['0', '0.1']
    """
    shown = np.minimum(one.mean, top)
    image = check_axes(ax).imshow(shown, origin="lower", aspect="auto", cmap="viridis_r", vmax=top)
    for (row, column), loss in np.ndenumerate(one.mean):
        text = f"{loss:.2f}" if loss < top else "·"
        dark = shown[row, column] > 0.43 * shown.min() + 0.57 * top
        ax.text(column, row, text, ha="center", va="center", fontsize=10,
                color="white" if dark else "black")  # fmt: skip
    best = one.mean.argmin(axis=0)
    good = [column for column, row in enumerate(best) if one.mean[row, column] < top]
    ax.plot(good, best[good], "o", ms=25, mfc="none", mec=views.VERMILLION, mew=2)
    ax.set(xlabel="weight decay", ylabel=views.RATE_LABEL, title=one.rule)
    ax.set_xticks(range(len(one.decays)), [f"{decay:g}" for decay in one.decays], fontsize=11)
    ax.set_yticks(range(len(one.rates)), [f"{rate:.2g}" for rate in one.rates])
    ax.grid(False)
    ax.figure.colorbar(image, ax=ax, label="validation loss")
    return ax


def at_level(ax: Axes, tables: Mapping[str, Table]) -> Axes:
    """Draw the test loss at equal training loss against the rate: mean and two standard errors.

    Args:
        ax: where to draw.
        tables: name -> table from `studies.gap`; rates that a seed did not bring to the level
            are left out.

    Example:
        >>> table = Table([0.1, 1.0], [0, 1], {"test_loss at level": [[1.0, 3.0], [2.0, np.nan]]})
        >>> ax = at_level(views.subplots()[1], {"clean": table})
        >>> ax.containers[0].lines[0].get_ydata().tolist()
        [2.0]
    """
    check_axes(ax)
    for i, (name, table) in enumerate(tables.items()):
        values = table.metrics["test_loss at level"]
        kept = np.isfinite(values).all(axis=1)
        center, count = values[kept].mean(axis=1), values.shape[1]
        error = values[kept].std(axis=1, ddof=1) / np.sqrt(count)
        look = {
            "marker": "os^"[i % 3],
            "capsize": 4,
            "label": views.as_label(name),
            **views.line_style(i),
        }
        ax.errorbar(table.lrs[kept], center, 2 * error, **look)
    ax.set(xscale="log", xlabel=views.RATE_LABEL, ylabel="test loss", ylim=(0, None))
    ax.legend()
    return ax
