"""The recorded files of lesson 7, most valuable first; `make records NB=07` makes them again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np

from course_utils.experiments.datasets import Data, digits
from course_utils.experiments.files import rounded
from course_utils.experiments.sweep import Sweep, sweep
from course_utils.experiments.table import Table, save
from course_utils.lessons.lesson07 import job
from course_utils.optimizers import Adam, AdamW, GradientDescent

RULES = {"momentum": GradientDescent(momentum=0.9), "adam": Adam()}
"""The keys are also the names that `range_test` knows."""


def _save(path: str | PathLike[str], tables: Mapping[str, Table], started: float) -> None:
    save(path, tables, command=job.COMMAND, seconds=round(time.perf_counter() - started))


def _ends(run: Sweep, **more: np.ndarray) -> Table:
    """Loss and accuracy after the last update, with five significant digits."""
    return replace(run.table, metrics=run.table.metrics | more).rounded(5)


def _table(path: str | PathLike[str]) -> None:
    """All that a search could ever find: two rules at 49 rates, from six seeds."""
    start = time.perf_counter()
    data, lrs = digits(n_train=800), np.geomspace(1e-5, 10, 49)
    tables = {
        name: _ends(sweep(lrs, range(6), data=data, optimizer=rule, batch_size=32, epochs=10,
                          evaluate_on=("validation", "test")))
        for name, rule in RULES.items()
    }  # fmt: skip
    _save(path, tables, start)


def cases() -> dict[str, dict[str, Any]]:
    """Return where else the range test is tried, as arguments of `sweep`.

    >>> cases()["six layers, Adam"]["hidden"]
    (64, 64, 64, 64, 64, 64)
    """
    data = digits(n_train=800)
    noisy = data.with_label_noise(0.3, seed=3)
    momentum, adam = RULES.values()
    return {
        "plain gradient descent, 3 epochs": {"data": data, "epochs": 3},
        "wrong labels, momentum": {"data": noisy, "epochs": 40, "optimizer": momentum},
        "wrong labels, Adam": {"data": noisy, "epochs": 40, "optimizer": adam},
        "six layers, momentum": {"data": data, "optimizer": momentum, "hidden": (64,) * 6},
        "six layers, Adam": {"data": data, "optimizer": adam, "hidden": (64,) * 6},
    }


def _cases(path: str | PathLike[str]) -> None:
    """The whole curve of each of `cases`: 25 rates, four seeds, test loss and accuracy."""
    start, tables = time.perf_counter(), {}
    for name, settings in cases().items():
        settings = {"epochs": 10, "batch_size": 32, "evaluate_on": ("test",)} | settings
        run = sweep(np.geomspace(1e-5, 10, 25), range(4), **settings)
        tables[name] = _ends(run)
    _save(path, tables, start)


MAPS = {
    "gradient descent": (GradientDescent, 0.003, (0.0, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)),
    "AdamW": (AdamW, 0.0001, (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)),
}
"""Rule -> its class, the least of ten rates over three decades, the weight decays."""


def _map(path: str | PathLike[str]) -> None:
    """Every rate with every weight decay, on 200 digits with a fifth of the labels drawn anew.

    The names of the tables are such as "AdamW, decay 0.1".
    """
    start, tables = time.perf_counter(), {}
    data = digits().subset(200).with_label_noise(0.2, seed=7)
    for name, (kind, low, decays) in MAPS.items():
        for decay in decays:
            run = sweep(rounded(np.geomspace(low, 1000 * low, 10), 3), range(5), data=data,
                        batch_size=20, steps=1500, optimizer=kind(weight_decay=decay),
                        evaluate_on=("train", "validation"))  # fmt: skip
            tables[f"{name}, decay {decay:g}"] = _ends(run)
    _save(path, tables, start)


def tasks() -> dict[str, tuple[Data, int, int]]:
    """Return the tasks of 7.6: data, batch size, updates.

    >>> tasks()["2 classes"][0].classes
    2
    """
    data = digits()
    arms = {
        "2 classes": data.only_classes(2).subset(180),
        "5 classes": data.only_classes(5).subset(180),
        "10 classes": data.subset(180),
        "30 % label noise": data.subset(180).with_label_noise(0.3, seed=3),
        "inputs x 1/4": data.scaled(0.25).subset(180),
        "inputs x 4": data.scaled(4.0).subset(180),
    }
    sizes = {f"{n} examples": (data.subset(n), 20, 800) for n in (40, 100, 300, 1000)}
    return {name: (arm, 30, 400) for name, arm in arms.items()} | sizes


def _tasks(path: str | PathLike[str]) -> None:
    """Each of `tasks` at 22 rates from five seeds, by plain gradient descent."""
    start, tables = time.perf_counter(), {}
    for name, (data, size, steps) in tasks().items():
        run = sweep(np.geomspace(10**-2.5, 10, 22), range(5), data=data, batch_size=size,
                    steps=steps, evaluate_on=("train", "test"))  # fmt: skip
        tables[name] = _ends(run)
    _save(path, tables, start)


def _batch_sizes(path: str | PathLike[str]) -> None:
    """Four batch sizes with the same updates, then with the same epochs; 512 digits."""
    start, tables = time.perf_counter(), {}
    budgets: dict[str, dict[str, int]] = {"steps": {"steps": 600}, "epochs": {"epochs": 20}}
    for budget, length in budgets.items():
        for size in (512, 64, 8, 1):
            run = sweep(np.geomspace(1e-3, 10, 17), range(5), data=digits().subset(512),
                        batch_size=size, evaluate_on=("train", "test"), **length)  # fmt: skip
            tables[f"batch {size}, equal {budget}"] = _ends(run)
    _save(path, tables, start)


LEVEL = 0.05
"""The training loss at which the rates of `_gap` are compared."""


def _gap(path: str | PathLike[str]) -> None:
    """Train 200 digits for long: loss and accuracy at the end, and where the loss is `LEVEL`."""
    start, tables, clean = time.perf_counter(), {}, digits().subset(200)
    noisy = clean.with_label_noise(0.2, seed=7)
    arms = {"noise 0, L2 0": (clean, 0.0), "noise 0, L2 0.001": (clean, 0.001),
            "noise 0.2, L2 0": (noisy, 0.0)}  # fmt: skip
    for name, (data, l2) in arms.items():
        run = sweep(np.geomspace(1e-3, 10, 13), range(8), data=data, batch_size=20, steps=3000,
                    l2=l2, evaluate_every=20, evaluate_on=("train", "test"))  # fmt: skip
        metrics = ("test_loss", "test_accuracy")
        tables[name] = _ends(run, **{f"{m} at level": at_level(run, m) for m in metrics})
    _save(path, tables, start)


def at_level(run: Sweep, metric: str, level: float = LEVEL) -> np.ndarray:
    """Return a metric where the training loss first falls below `level`, (R, S); NaN where never.

    Between two measurements by linear interpolation in the logarithm of the training loss.

    >>> run = sweep([0.1], [0], steps=2, evaluate_every=1)
    >>> at_level(run, "train_loss").tolist()
    [[nan]]
    """
    loss, values = run.metrics["train_loss"].astype(float), run.metrics[metric].astype(float)
    found = np.full(loss.shape[:2], np.nan)
    for i, j in np.ndindex(*found.shape):
        first = int(np.argmax(loss[i, j] < level))  # 0 where there is none
        if first:
            before, after = np.log(loss[i, j, first - 1 : first + 1])
            share = (np.log(level) - before) / (after - before)
            a, b = values[i, j, first - 1 : first + 1]
            found[i, j] = a + share * (b - a)
    return found


RECORDS = {
    "07_job.json": job.record,
    "07_survival.json": job.record_survival,
    "07_table.json": _table,
    "07_cases.json": _cases,
    "07_map.json": _map,
    "07_tasks.json": _tasks,
    "07_gap.json": _gap,
    "07_batch_sizes.json": _batch_sizes,
}
