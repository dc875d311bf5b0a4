"""A fair comparison: every rule at its own best rate and second knob, judged on fresh seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from course_utils.experiments.files import rounded
from course_utils.experiments.table import Table, higher_is_better
from course_utils.lessons.lesson05.rules import RULES, SHAPES, Rule
from course_utils.lessons.lesson05.tasks import Task

METRICS = ("accuracy", "loss")
ROWS = ("accuracy", "loss", "default")
"""Of a judged table: rate and knob chosen by validation accuracy, by loss, and those of PyTorch."""
CHOOSING = tuple(range(100, 106))
FRESH = tuple(range(16))
_REACH = 3  # factors of two to each side of the middle, before the grid follows the best rate
_MORE = 6  # extensions, of two factors each


@dataclass(frozen=True)
class Setting:
    """A rate and a value of the second knob."""

    lr: float
    value: float


def trained(
    task: Task, rule: Rule, value: float, shape: str, lrs: Iterable[float], seeds: Iterable[int]
) -> Table:
    """Return the table of one rule at one value of its knob, for several (peak) rates.

    >>> from course_utils.lessons.lesson05.tasks import linear
    >>> trained(linear("rare", 4), RULES["Adam"], 0.9, "cosine", [0.1, 0.2], [0]).lrs.tolist()
    [0.1, 0.2]
    """
    make = SHAPES[shape]
    return task.train(rule.make(value), [make(lr, task.steps) for lr in lrs], seeds)


def tuned(task: Task, rule: Rule, shape: str, seeds: Iterable[int]) -> dict[float, Table]:
    """Return, for each value of the knob, the table of a grid of rates, in steps of two.

    A grid whose best rate is its first or last one, by loss or by accuracy, is extended.

    Example:
        >>> from course_utils.lessons.lesson05.tasks import linear
        >>> tables = tuned(linear("rare", 40), RULES["Adam"], "cosine", [100, 101])
        >>> [value for value in tables]
        [0.8, 0.9, 0.99, 0.999]
    """
    seeds = list(seeds)
    tables = {}
    for value in rule.values:
        middle = task.scale * rule.center(value)
        lrs = middle * 2.0 ** np.arange(-_REACH, _REACH + 1)
        table = trained(task, rule, value, shape, lrs, seeds)
        for _ in range(_MORE):
            edges = {table.best(f"validation_{metric}").edge for metric in METRICS}
            if edges == {None}:
                break
            low, high = table.lrs.min(), table.lrs.max()
            more = [low / 4, low / 2] * ("low" in edges) + [2 * high, 4 * high] * ("high" in edges)
            table = _stacked([table, trained(task, rule, value, shape, more, seeds)])
        tables[value] = table.select(lrs=np.sort(table.lrs))
    return tables


def chosen(tables: Mapping[float, Table], metric: str) -> Setting:
    """Return the rate and the value with the best mean on the validation data.

    >>> worse, better = (Table([0.1], [0], {"validation_loss": [[v]]}) for v in (2.0, 1.0))
    >>> chosen({0.8: worse, 0.9: better}, "loss")
    Setting(lr=0.1, value=0.9)
    """
    best = {value: table.best(f"validation_{metric}") for value, table in tables.items()}
    pick = max if higher_is_better(metric) else min
    value = pick(best, key=lambda v: best[v].value)
    return Setting(best[value].lr, value)


def judged(
    task: Task, rule: Rule, shape: str, settings: Iterable[Setting], seeds: Iterable[int]
) -> Table:
    """Return the table of one rule at a few settings, one row each, from fresh seeds.

    >>> from course_utils.lessons.lesson05.tasks import linear
    >>> settings = [Setting(0.1, 0.9), Setting(0.2, 0.8)]
    >>> judged(linear("rare", 4), RULES["Adam"], "cosine", settings, [0, 1]).lrs.tolist()
    [0.1, 0.2]
    """
    settings, seeds = list(settings), list(seeds)
    found = {s: trained(task, rule, s.value, shape, [s.lr], seeds) for s in set(settings)}
    table = _stacked([found[s] for s in settings])
    return replace(
        table, meta=table.meta | {"knob": rule.knob, "values": [s.value for s in settings]}
    )


def compared(
    task: Task,
    rules: Iterable[str] = tuple(RULES),
    choosing: Iterable[int] = CHOOSING,
    fresh: Iterable[int] = FRESH,
    shapes: Iterable[str] = ("constant", "cosine"),
    keep_tuning: bool = False,
) -> dict[str, Table]:
    """Return the whole comparison: tables such as "Adam, cosine", with the rows `ROWS`.

    Args:
        task: what is learned.
        rules: which of `RULES`.
        choosing, fresh: seeds that choose rate and knob, and seeds that judge.
        shapes: which of `SHAPES`.
        keep_tuning: add the grids, as tables with names of `tuning`.

    Example:
        >>> from course_utils.lessons.lesson05.tasks import linear
        >>> tables = compared(linear("rare", 20), ["gradient descent"], [100], [0, 1])
        >>> list(tables), tables["gradient descent, cosine"].final("test_loss").shape
        (['gradient descent, constant', 'gradient descent, cosine'], (3, 2))
    """
    tables, grids, shapes = {}, {}, list(shapes)
    for name in rules:
        rule = RULES[name]
        for shape in shapes:
            grid = tuned(task, rule, shape, choosing)
            settings = [chosen(grid, metric) for metric in METRICS] + [Setting(*rule.default)]
            tables[f"{name}, {shape}"] = _short(judged(task, rule, shape, settings, fresh))
            for value, table in grid.items():
                grids[tuning(f"{name}, {shape}", rule.knob, value)] = _short(table)
    return tables | (grids if keep_tuning else {})


def tuning(arm: str, knob: str, value: float) -> str:
    """Return the name of the table of an arm's grid of rates at one value of its knob.

    >>> tuning("Adam, cosine", "β₂", 0.999), tuning("gradient descent, cosine", "", 0)
    ('Adam, cosine, tuning, β₂ = 0.999', 'gradient descent, cosine, tuning')
    """
    return f"{arm}, tuning" + f", {knob} = {value:g}" * bool(knob)


def _stacked(tables: list[Table]) -> Table:
    first = tables[0]
    metrics = {m: np.concatenate([t.metrics[m] for t in tables]) for m in first.metrics}
    lrs = np.concatenate([t.lrs for t in tables])
    lost = np.concatenate([t.diverged for t in tables])
    return Table(lrs, first.seeds, metrics, lost, first.meta)


def _short(table: Table) -> Table:
    """The table with four digits, for a file."""
    return replace(table.rounded(4), lrs=rounded(table.lrs, 5))
