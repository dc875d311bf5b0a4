"""The recorded files of lesson 9; `make records NB=09` makes them again."""

from __future__ import annotations

import time
from collections.abc import Callable
from os import PathLike

import numpy as np

from course_utils.experiments.datasets import digits
from course_utils.experiments.table import Table, save
from course_utils.lessons.lesson09 import adapter, batch, task, width

COMMAND = "make records NB=09"
STEPS_OF_TWO = 2.0 ** np.arange(-4, 4)

# Where the grids have their middle: (at batch 1, exponent of the batch, largest).
EXAMPLES = {"SGD": (0.0125, 1.0, 1.6), "momentum": (0.00125, 1.0, 0.32), "Adam": (0.002, 0.5, 1.0)}
UPDATES = {"SGD": (0.06, 0.55, 1.0), "momentum": (0.008, 0.6, 0.2), "Adam": (0.003, 0.15, 1.0)}


def grid(start: float, power: float, largest: float, batch_size: int) -> np.ndarray:
    """Return eight rates around where the best is expected.

    >>> grid(0.002, 0.5, 1.0, 16).tolist()
    [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064]
    """
    return min(start * batch_size**power, largest) * STEPS_OF_TWO


def _batch(
    path: str | PathLike[str], on: str, seeds: range, *, examples=None, updates=None
) -> None:
    """Tables such as "Adam, batch 16"."""
    start, tables = time.perf_counter(), {}
    for rule in batch.RULES:
        for size in batch.BATCHES:
            lrs = grid(*(EXAMPLES if examples else UPDATES)[rule], size)
            steps = examples // size if examples else updates
            tables[f"{rule}, batch {size}"] = batch.study(rule, size, steps, lrs, seeds, on)
    save(path, tables, command=COMMAND, seconds=round(time.perf_counter() - start))


def _width(path: str | PathLike[str]) -> None:
    """Tables such as "Adam, µP, width 256"."""
    start, tables = time.perf_counter(), {}
    for rule, mup, middle in (
        ("Adam", False, {16: 0.008, 64: 0.004, 256: 0.002}),
        ("Adam", True, {16: 0.004, 64: 0.004, 256: 0.004}),
        ("SGD", False, {16: 0.25, 64: 0.25, 256: 0.25}),
    ):
        for n in (16, 64, 256):
            name = f"{rule}, {'µP' if mup else 'standard'}, width {n}"
            tables[name] = width.study(rule, mup, n, middle[n] * STEPS_OF_TWO[1:], range(200, 208))
            save(path, tables, command=COMMAND, seconds=round(time.perf_counter() - start))


# What tunes and what judges: rates are chosen on the first eight, compared on the others.
CHOOSE, FRESH = range(8), range(100, 116)
BOTH = [*CHOOSE, *FRESH]
THIRDS = 10 ** (np.arange(-9, 4) / 3)
"""Of a decade: from a thousandth of the pre-training rate to ten times it."""


def _task(path: str | PathLike[str]) -> None:
    """Tables such as "Adam, turned by 90°", and the stability limits of "SGD, where it begins"."""
    start, tables = time.perf_counter(), {}
    for rule, rate in task.PRETRAINED_AT.items():
        w = task.pretrained(rule, rate, BOTH)
        for angle in (10, 30, 90):
            name = f"{rule}, turned by {angle}°"
            tables[name] = task.fine_tuned(rule, w, angle, rate * THIRDS, BOTH)
        if rule == "SGD":
            tables["SGD, where it begins"] = _limits(w, rate)
    save(path, tables, command=COMMAND, seconds=round(time.perf_counter() - start))


def _limits(w: np.ndarray, rate: float) -> Table:
    """2 / sharpness of the pre-trained weights, on the old pictures and on the turned ones."""
    limits = {"limit_old": task.stability_limit(w, BOTH, *task.few(digits().train, 10, BOTH))}
    for change in (10, 30, 90):
        new = task.few(task.target(change)[0], 10, BOTH)
        limits[f"limit_{change}"] = task.stability_limit(w, BOTH, *new)
    metrics = {name: [[float(f"{v:.4g}") for v in values]] for name, values in limits.items()}
    return Table([rate], BOTH, metrics, meta={"examples": 100, "optimizer": "SGD"})


def _layers(path: str | PathLike[str]) -> None:
    """Tables such as "Adam, labels, last layer"."""
    start, tables = time.perf_counter(), {}
    for rule, rate in task.PRETRAINED_AT.items():
        w = task.pretrained(rule, rate, BOTH)
        for change in (30, task.LABELS):
            for arm in task.ARMS:
                name = f"{rule}, {'labels' if change == task.LABELS else 'pictures'}, {arm}"
                lrs = rate * 10 ** (np.arange(-6, 5) / 3)
                tables[name] = task.fine_tuned(rule, w, change, lrs, BOTH, arm)
    save(path, tables, command=COMMAND, seconds=round(time.perf_counter() - start))


def _adapter(path: str | PathLike[str]) -> None:
    """Tables such as "SGD, rank 4, α = 8", and "SGD, all weights"."""
    start, tables, seeds = time.perf_counter(), {}, range(200, 212)
    w = task.pretrained("Adam", adapter.PRETRAINED_AT, seeds, adapter.SIZES)
    # Half steps of a factor of two: SGD's best rate lies close to its cliff.
    grids = {"SGD": 2.0 ** np.arange(-7, 0.5, 0.5), "Adam": 2.0 ** np.arange(-8, -1.5, 0.5)}
    for rule, lrs in grids.items():
        tables[f"{rule}, all weights"] = adapter.study(rule, lrs, seeds, start=w)
        for rank, alpha in ((4, 2), (4, 8), (4, 32), (1, 8), (16, 8)):
            name = f"{rule}, rank {rank}, α = {alpha}"
            tables[name] = adapter.study(rule, lrs, seeds, rank, alpha, w)
    save(path, tables, command=COMMAND, seconds=round(time.perf_counter() - start))


def _large(path: str | PathLike[str]) -> None:
    """Tune small (width 64, batch 8), train large (width 512, batch 64), 12,800 examples each."""
    start, tables = time.perf_counter(), {}
    rules = {
        "Adam, µP": ("Adam", True, 0.002, 0.004 * 2.0 ** np.arange(-2, 3)),
        "Adam, standard": ("Adam", False, 0.002, 0.002 * 2.0 ** np.arange(-2, 3)),
        "SGD": ("SGD", False, 0.1, 0.8 * 2.0 ** np.arange(-4, 3)),  # the rate kept is far below
    }
    for name, (rule, mup, small, wide) in rules.items():
        lrs = small * 2.0 ** np.arange(-3, 4)
        tables[f"{name}, small"] = width.study(
            rule, mup, 64, lrs, range(300, 308), steps=1600, batch_size=8
        )
        tables[f"{name}, large"] = width.study(
            rule, mup, 512, wide, range(400, 408), steps=200, batch_size=64
        )
        save(path, tables, command=COMMAND, seconds=round(time.perf_counter() - start))


RECORDS: dict[str, Callable[[PathLike[str]], None]] = {
    "09_batch_examples.json": lambda path: _batch(path, "teacher", range(100, 116), examples=8192),
    "09_batch_updates.json": lambda path: _batch(path, "teacher", range(100, 116), updates=400),
    "09_width.json": _width,
    "09_task.json": _task,
    "09_layers.json": _layers,
    "09_adapter.json": _adapter,
    "09_batch_digits.json": lambda path: _batch(path, "digits", range(100, 116), examples=5000),
    "09_large.json": _large,
    "09_batch_digits_updates.json": lambda path: _batch(
        path, "digits", range(100, 116), updates=400
    ),
}
