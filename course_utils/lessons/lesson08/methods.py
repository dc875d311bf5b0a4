"""The ways of training without an end that lesson 8 compares, and what each reaches: `Study`.

Eight seeds choose the rates, by validation data; 24 others report, on test data, and only the
chosen rates are trained again. Each method gets its own best rate at each length ("own"), and one
rate for all lengths ("one"): the rate with the least sum of validation losses over the lengths.
Accuracies choose for themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike

import numpy as np

from course_utils import averages, validate
from course_utils.experiments.files import rounded
from course_utils.experiments.intervals import Estimate, estimate
from course_utils.experiments.table import Table, load, save
from course_utils.lessons.lesson08.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD
from course_utils.lessons.lesson08.training import Found, Scores, Task, thirds, train
from course_utils.optimizers import AdamW, Optimizer
from course_utils.schedules import Schedule, constant, cosine, warmup_stable_decay

CHOOSE, REPORT = range(8), range(100, 124)
COMMAND = "make records NB=08"
METRICS = ("loss", "accuracy")
RATES = {
    "SGD": [float(f"{0.03 * 2 ** (k / 2):.3g}") for k in range(14)],
    "AdamW": [float(f"{0.001 * 2 ** (k / 2):.3g}") for k in range(13)],
}
"""The grids, a factor of the root of 2 between neighbors: 0.03 to 2.72, and 0.001 to 0.064."""

Plan = Callable[[float, int, int], Schedule]
"""From a rate, the length h at which the run is stopped, and the length T that was planned."""


def _cool_down(percent: int, shape: str) -> Plan:
    def plan(lr: float, h: int, T: int) -> Schedule:
        D = round(percent / 100 * h)
        return warmup_stable_decay(lr, 0, h - D, D, shape)

    return plan


PLANS: dict[str, Plan] = {
    "planned cosine": lambda lr, h, T: cosine(lr, h),
    "cosine cut": lambda lr, h, T: cosine(lr, T),
    "constant": lambda lr, h, T: constant(lr),
    **{
        f"{percent} % {shape}": _cool_down(percent, shape)
        for percent in (10, 20, 40)
        for shape in ("linear", "1-sqrt")
    },
}
"""A constant run that cools down from update S on *is* warmup_stable_decay(lr, 0, S, D)."""


def averages_of(lengths: Sequence[int]) -> dict[str, averages.Share]:
    """Return the averages that are compared; a tail mean must know its length, the others do not.

    >>> list(averages_of((100, 200, 300)))[:4]
    ['mean of all', 'weights n^8', 'EMA 0.99', 'EMA 0.997']
    """
    tails = {f"last half, {h}": _tail(h - h // 2) for h in lengths}
    return {
        "mean of all": averages.uniform,
        "weights n^8": averages.polynomial(8.0),
        "EMA 0.99": averages.exponential(0.99, "corrected"),
        "EMA 0.997": averages.exponential(0.997, "corrected"),
    } | tails


def _tail(after: int) -> averages.Share:
    return lambda n: 1 / max(n - after, 1)


@dataclass(frozen=True)
class Method:
    """A plan with a rule; along a constant rate also its averages."""

    plan: str
    schedule_free: float | None = None
    """Its β."""

    def rule(self, family: str) -> Optimizer | None:
        """Return the rule of the family "SGD" or "AdamW"."""
        beta = self.schedule_free
        if family == "SGD":
            return None if beta is None else ScheduleFreeSGD(beta)
        return AdamW() if beta is None else ScheduleFreeAdamW(beta)

    def measure(self, task: Task, family: str, lrs: Sequence[float], seeds: Iterable[int]) -> Found:
        """Return {name: {length: scores (R, S)}}, of this method and of its averages."""
        plan, lengths = PLANS[self.plan], task.lengths
        shapes = {h: [plan(lr, h, task.steps) for lr in lrs] for h in lengths}
        rule = self.rule(family)
        if self.plan not in ("cosine cut", "constant"):  # another run for each length
            runs = {h: train(task, shapes[h], seeds, optimizer=rule, at=[h]) for h in lengths}
            return {self.plan: {h: runs[h]["last"][h] for h in lengths}}
        beta = self.schedule_free
        means = averages_of(lengths) if self.plan == "constant" and beta is None else {}
        found = train(task, shapes[lengths[-1]], seeds, optimizer=rule, averages=means, at=lengths)
        last = found.pop("last")
        tails = {h: found.pop(f"last half, {h}")[h] for h in lengths} if means else {}
        own = {self.plan if beta is None else f"schedule-free, β = {beta:g}": last}
        return own | found | ({"last half": tails} if tails else {})


_FREE = [Method("constant", beta) for beta in (0.5, 0.9, 0.98)]
METHODS = {
    "SGD": [Method(plan) for plan in PLANS] + _FREE,
    "AdamW": [Method(plan) for plan in PLANS if "10 %" not in plan and "linear" not in plan]
    + _FREE,
}
"""What is recorded with each rule."""


def choose(found: Mapping[int, Scores], metric: str) -> dict[str, int]:
    """Return which row wins on validation data: at each length, by its number, and in sum, "one".

    A row in which a run diverged never wins.

    >>> scores = {"validation_loss": np.array([[0.3, 0.5], [0.2, 0.3], [0.1, np.nan]])}
    >>> choose({100: scores, 200: scores}, "loss")
    {'100': 1, '200': 1, 'one': 1}
    """
    sign = -1 if metric == "accuracy" else 1
    means = {str(h): sign * scores[f"validation_{metric}"].mean(axis=1) for h, scores in
             found.items()}  # fmt: skip
    means["one"] = np.sum(list(means.values()), axis=0)
    return {name: int(np.argmin(np.nan_to_num(v, nan=np.inf))) for name, v in means.items()}


def record_task(task: Task, family: str = "SGD", seeds: Iterable[int] = REPORT) -> dict[str, Table]:
    """Choose rates and report: one table per method, with metrics such as "1000_test_loss".

    `meta["chosen"][metric]` has the row of each length and of "one"; `meta["edge"]` what of it is
    at an end of the grid.
    """
    seeds, lrs, made = list(seeds), RATES[family], {}
    for method in METHODS[family]:
        tried = _grouped(partial(method.measure, task, family, lrs), CHOOSE)
        chosen = {n: {m: choose(found, m) for m in METRICS} for n, found in tried.items()}
        rows = sorted({row for by in chosen.values() for c in by.values() for row in c.values()})
        winners = [lrs[row] for row in rows]
        reported = _grouped(partial(method.measure, task, family, winners), seeds)
        for name, found in reported.items():
            mine = sorted({row for by in chosen[name].values() for row in by.values()})
            keep = [rows.index(row) for row in mine]
            cells = {
                f"{h}_test_{m}": np.array(rounded(scores[f"test_{m}"][keep], 4), float)
                for h, scores in found.items()
                for m in METRICS
            }
            places = {
                m: {key: mine.index(row) for key, row in by.items()}
                for m, by in chosen[name].items()
            }
            edge = [
                f"{m} {key}"
                for m, by in chosen[name].items()
                for key, row in by.items()
                if row in (0, len(lrs) - 1)
            ]
            meta = {"chosen": places, "edge": edge, "steps": task.steps, "hidden": task.hidden}
            rates = [lrs[row] for row in mine]
            lost = ~np.isfinite(sum(cells.values()))
            made[name] = Table(rates, seeds, cells, lost, meta)
    return made


def _grouped(measure: Callable[[Sequence[int]], Found], seeds: Iterable[int]) -> Found:
    """What is found eight seeds at a time, which keeps what is computed in the CPU's cache."""
    seeds = list(seeds)
    parts = [measure(seeds[i : i + 8]) for i in range(0, len(seeds), 8)]
    return {
        name: {
            h: {key: np.hstack([part[name][h][key] for part in parts]) for key in scores}
            for h, scores in found.items()
        }
        for name, found in parts[0].items()
    }


def record(path: str | PathLike[str], family: str, tasks: Sequence[Task], seeds: range) -> None:
    """Write the tables of several tasks, named "teacher: constant"; the file grows by task."""
    start, made = time.process_time(), {}
    for task in tasks:
        made |= {f"{task.name}: {name}": t for name, t in record_task(task, family, seeds).items()}
        save(path, made, command=COMMAND, seconds=round(time.process_time() - start))


@dataclass(frozen=True)
class Study:
    """What the methods reached on one task, from a file of `record`.

    Args:
        tables: {method: table}.
        lengths: the three numbers of updates.
    """

    tables: Mapping[str, Table]
    lengths: tuple[int, ...]

    def value(self, method: str, h: int, metric: str = "loss", rate: str = "own") -> np.ndarray:
        """Return the test loss or accuracy after h updates from each seed (S,).

        `rate` is "own", the best for that length; "one", the best for all three; or "whole", the
        best for the longest.
        """
        table = self.tables[validate.one_of("method", method, self.tables)]
        return table.final(f"{h}_test_{metric}")[self._row(table, h, metric, rate)]

    def rate(self, method: str, h: int, metric: str = "loss", rate: str = "own") -> float:
        """Return the rate that `value` belongs to."""
        table = self.tables[validate.one_of("method", method, self.tables)]
        return float(table.lrs[self._row(table, h, metric, rate)])

    def _row(self, table: Table, h: int, metric: str, rate: str) -> int:
        keys = {"own": str(h), "one": "one", "whole": str(self.lengths[-1])}
        chosen = table.meta["chosen"][validate.one_of("metric", metric, METRICS)]
        return chosen[keys[validate.one_of("rate", rate, keys)]]

    def behind(
        self, method: str, h: int, metric: str = "loss", rate: str = "own", other: str = ""
    ) -> Estimate:
        """Return by how much a method is worse than the planned cosine, with its interval.

        In loss, or in points of accuracy; paired by seed. `other` names another method instead.
        """
        other = other or "planned cosine"
        gap = self.value(method, h, metric, rate) - self.value(other, h, metric)
        return estimate(-100 * gap if metric == "accuracy" else gap)

    def closed(self, method: str, h: int, metric: str = "loss", rate: str = "own") -> float:
        """Return the part of the gap from the constant rate to the planned cosine that is closed.

        1 where the method is as good as the cosine, 0 where it is as bad as the constant rate.
        """
        gap = self.behind("constant", h, metric).mean
        return 1 - self.behind(method, h, metric, rate).mean / gap


def studies(path: str | PathLike[str]) -> dict[str, Study]:
    """Read a file of `record`: {task: `Study`}.

    >>> studies("results/no_such_file.json")
    Traceback (most recent call last):
        ...
    FileNotFoundError: [Errno 2] No such file or directory: 'results/no_such_file.json'
    """
    grouped: dict[str, dict[str, Table]] = {}
    for name, table in load(path).items():
        task, method = name.split(": ")
        grouped.setdefault(task, {})[method] = table
    return {
        task: Study(found, thirds(next(iter(found.values())).meta["steps"]))
        for task, found in grouped.items()
    }


def record_starts(path: str | PathLike[str], tasks: Sequence[Task], seeds: range) -> None:
    """Write what linear cool-downs reach that begin after 0, 10, ... 100 % of the shortest length.

    Tables such as "teacher: 40 %", with a row for every second rate.
    """
    start, made = time.process_time(), {}
    for task in tasks:
        h, lrs = task.lengths[0], RATES["SGD"][:9:2]
        for percent in range(0, 101, 10):
            S = h * percent // 100
            plans = [warmup_stable_decay(lr, 0, S, h - S) for lr in lrs]
            run = _grouped(partial(train, task, plans, at=[h]), seeds)["last"][h]
            cells = {f"test_{m}": np.array(rounded(run[f"test_{m}"], 4), float) for m in METRICS}
            meta = {"updates": h, "start": S, "hidden": task.hidden}
            made[f"{task.name}: {percent} %"] = Table(lrs, seeds, cells, None, meta)
    save(path, made, command=COMMAND, seconds=round(time.process_time() - start))
