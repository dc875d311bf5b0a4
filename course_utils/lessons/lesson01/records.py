"""The recorded file of lesson 1; `make records NB=01` makes it again.

A run at a constant rate does not know how long it will be: what it has reached after 400 updates
*is* the run of 400 updates. So one long run, measured on its way, gives every budget.
"""

from __future__ import annotations

import time
from os import PathLike
from typing import Any

import numpy as np

from course_utils.experiments.sweep import Sweep, sweep
from course_utils.experiments.sweep_record import diverged
from course_utils.experiments.table import Table, save
from course_utils.optimizers import Adam, GradientDescent

BUDGETS = (50, 100, 400, 2000, 8000)
"""Updates."""
SEEDS = tuple(range(16))
RULES = {
    "gradient descent": (GradientDescent(), np.geomspace(1e-3, 10, 33)),
    "Adam": (Adam(), np.geomspace(10**-4.5, 10**-0.5, 33)),
}
"""Each with its grid: eight rates per decade, over both edges of the basin at every budget."""


def _record(path: str | PathLike[str]) -> None:
    """Train 64 ReLU units on batches of 16 digits with both rules; write a table per budget.

    The names of the tables are such as "Adam, 400 updates"; numbers have three digits.
    """
    start, tables = time.perf_counter(), {}
    for name, (optimizer, lrs) in RULES.items():
        # Two runs, because measuring every 50 of 8000 updates would take longer than the updates.
        for steps, every in ((400, 50), (8000, 2000)):
            run = sweep(lrs, SEEDS, optimizer=optimizer, steps=steps, evaluate_every=every)
            for budget in BUDGETS:
                if budget in run.metrics["step"]:
                    tables[f"{name}, {budget} updates"] = _after(run, budget)
    command = "make records NB=01"
    save(path, tables, command=command, seconds=round(time.perf_counter() - start))


def _after(run: Sweep, budget: int) -> Table:
    """What a sweep had come to after `budget` updates."""
    place = int(np.flatnonzero(run.metrics["step"] == budget)[0])
    names = ("train_loss", "validation_loss", "validation_accuracy")
    measured = {name: run.metrics[name][..., place] for name in names}
    lost = diverged(run.loss[..., :budget], measured["train_loss"])
    meta: dict[str, Any] = run.meta | {"steps": budget}
    return Table(run.lrs, run.seeds, measured, lost, meta).rounded(3)


RECORDS = {"01_budgets.json": _record}
