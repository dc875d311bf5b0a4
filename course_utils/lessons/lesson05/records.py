"""The recorded files of lesson 5, most valuable first; `make records NB=05` makes them again."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from os import PathLike
from typing import Any

from course_utils.experiments.datasets import digits
from course_utils.experiments.table import save
from course_utils.lessons.lesson05 import weight_decay
from course_utils.lessons.lesson05.comparison import compared
from course_utils.lessons.lesson05.rules import SHAPES
from course_utils.lessons.lesson05.tasks import Task, linear, network, teacher

NOISE = 0.2
_COMMAND = "make records NB=05"
_BATCHED = ("gradient descent", "momentum", "Adam", "Adam (β₁)")
SIZES = {1: 1 / 8, 16: 1.0, 256: 2.0}
"""Batch size -> about how its best rates compare with those of 16."""
EQUAL_EPOCHS, EQUAL_UPDATES = 8, 248


def _compare(make: Callable[[], Task], path: str | PathLike[str], **options: Any) -> None:
    start = time.perf_counter()
    tables = compared(make(), **options)
    save(path, tables, command=_COMMAND, seconds=round(time.perf_counter() - start))


def _noisy(steps: int) -> Task:
    return network(digits().with_label_noise(NOISE), steps)


def _batch_sizes(path: str | PathLike[str], shape: str = "cosine") -> None:
    """Some rules at three sizes; tables such as "Adam, cosine, 16, equal epochs"."""
    start, tables = time.perf_counter(), {}
    for size, scale in SIZES.items():
        for name, steps in (("updates", EQUAL_UPDATES), ("epochs", EQUAL_EPOCHS * (1000 // size))):
            task = network(digits(), steps, size, scale)
            for arm, table in compared(task, _BATCHED, shapes=[shape]).items():
                tables[f"{arm}, {size}, equal {name}"] = table
    save(path, tables, command=_COMMAND, seconds=round(time.perf_counter() - start))


def _split() -> Task:
    return network(digits(seed=1), 930)


def _noisy_split() -> Task:
    return network(digits(seed=1).with_label_noise(NOISE, seed=1), 930)


def _transformers(path: str | PathLike[str]) -> None:
    from course_utils.lessons.lesson05 import transformer  # needs PyTorch

    transformer.record(path)


def _spikes(path: str | PathLike[str]) -> None:
    from course_utils.lessons.lesson05 import network_spikes  # needs PyTorch

    network_spikes.record(path)


_LINEAR: dict[str, Any] = {"shapes": ("constant", "linear")}

RECORDS: dict[str, Callable[[str | PathLike[str]], None]] = {
    "05_digits_930.json": partial(_compare, lambda: network(digits(), 930), keep_tuning=True),
    "05_noisy_930.json": partial(_compare, lambda: _noisy(930), keep_tuning=True),
    "05_rare_400.json": partial(
        _compare, lambda: linear("rare", 400), shapes=tuple(SHAPES), keep_tuning=True
    ),
    "05_teacher_930.json": partial(_compare, lambda: teacher(930), keep_tuning=True),
    "05_digits_93.json": partial(_compare, lambda: network(digits(), 93)),
    "05_noisy_93.json": partial(_compare, lambda: _noisy(93)),
    "05_dense_400.json": partial(_compare, lambda: linear("dense", 400), **_LINEAR),
    "05_batch_sizes.json": _batch_sizes,
    "05_split_930.json": partial(_compare, _split),
    "05_noisy_split_930.json": partial(_compare, _noisy_split),
    "05_batch_sizes_constant.json": partial(_batch_sizes, shape="constant"),
    "05_weight_decay.json": weight_decay.record,
    "05_transformers.json": _transformers,
    "05_spikes.json": _spikes,
    "05_teacher_93.json": partial(_compare, lambda: teacher(93)),
    "05_rare_40.json": partial(_compare, lambda: linear("rare", 40), **_LINEAR),
}
