"""The shapes compared, each at its own best peak and best end: lesson 3's recorded experiment.

A design is a shape with a peak and an end. `train` runs every design of a setting (a task, a
budget, a batch size) from every seed. One set of seeds chooses, another judges: `03_choose.json`
has what the best designs reach on validation data, `03_judge.json` what they reach on test data.
A seed decides everything that chance decides: weights, batches, and the data themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from course_utils import schedules, validate
from course_utils.experiments.datasets import Data, digits, teacher
from course_utils.experiments.sweep import sweep
from course_utils.experiments.table import Table, higher_is_better, load, save
from course_utils.lessons.lesson03.shapes import SHAPES
from course_utils.schedules import Schedule

ENDS = (0.001, 0.03, 0.1, 0.3)
CHOOSE, JUDGE = range(8), range(100, 116)
CANDIDATES = 6
"""How many designs of a shape are kept, by either metric."""
NOISY = "noisy linear cosine"
NAMES = (*SHAPES, NOISY)


def _wrong_digits(seed: int, examples: int) -> Data:
    return digits(seed=seed).with_label_noise(0.1, seed=seed)


def _clean_digits(seed: int, examples: int) -> Data:
    return digits(seed=seed)


def _teacher(seed: int, examples: int) -> Data:
    return teacher().data(examples, seed=seed)


@dataclass(frozen=True)
class Setting:
    """What is trained: the data of (seed, number of examples that a run sees), and for how long.

    Args:
        data: the data of one seed.
        steps: updates of each run.
        hidden: units of the hidden layer.
        names: which of `NAMES`.
        batch_size: examples per update.
    """

    data: Callable[[int, int], Data]
    steps: int
    hidden: int = 32
    names: Sequence[str] = NAMES
    batch_size: int = 16

    @property
    def peaks(self) -> list[float]:
        """Ten peak rates, a factor of the root of 2 apart: larger ones for a short run."""
        first = 0.1 if self.steps < 1000 else 0.05
        return [float(f"{first * 2 ** (k / 2):.3g}") for k in range(10)]


_PAIR = ("constant", "linear")
SETTINGS = {
    "digits, 300 updates": Setting(_wrong_digits, 300),
    "teacher, 300 updates": Setting(_teacher, 300, hidden=64),
    "digits, batches of 128": Setting(_wrong_digits, 300, names=_PAIR, batch_size=128),
    "digits, batches of 1000": Setting(_wrong_digits, 300, names=_PAIR, batch_size=1000),
    "digits, 3000 updates": Setting(_wrong_digits, 3000),
    "teacher, 3000 updates": Setting(_teacher, 3000, hidden=64),
    "digits, clean labels": Setting(_clean_digits, 3000, names=_PAIR),
}
"""By name, the shortest first. On the digits 10 % of the labels are drawn anew."""


def designs(setting: Setting, name: str, seed: int) -> list[tuple[float, float, Schedule]]:
    """Return every (peak, end, schedule) of one shape; the constant rate has the end 1.

    Example:
        >>> designs(SETTINGS["digits, 300 updates"], "cosine", 0)[0]
        (0.1, 0.001, cosine(lr=0.1, decay_steps=300, alpha=0.001))
    """
    validate.one_of("name", name, NAMES)
    T = setting.steps
    if name == "constant":
        return [(lr, 1.0, schedules.constant(lr)) for lr in setting.peaks]
    pairs = [(lr, end) for end in ENDS for lr in setting.peaks]
    if name != NOISY:
        return [(lr, end, SHAPES[name](lr, end, T)) for lr, end in pairs]
    return [
        (
            lr,
            end,
            schedules.noisy_linear_cosine(lr * (1 - end), T, beta=end / (1 - end), seed=seed),
        )
        for lr, end in pairs
    ]


def train(
    setting: Setting,
    seeds: Iterable[int],
    part: str,
    rows: Mapping[str, Sequence[int]] | None = None,
) -> dict[str, Table]:
    """Train designs of a setting from every seed; return a table per shape, a row per design.

    Args:
        setting: one of `SETTINGS`.
        seeds: S seeds.
        part: "validation" or "test", where the runs are measured.
        rows: {shape: which of its `designs`}; None trains all.

    Returns:
        {shape: `Table`} with "..._loss" and "..._accuracy" to four digits; `meta["ends"]` has the
        end of each row, as `lrs` its peak.

    Example:
        >>> few = Setting(_wrong_digits, 20, names=("constant",))
        >>> train(few, [0, 1], "test")["constant"].final("test_loss").shape
        (10, 2)
    """
    seeds, columns = list(seeds), []
    rows = rows or {name: range(len(designs(setting, name, 0))) for name in setting.names}
    for seed in seeds:
        every = {name: designs(setting, name, seed) for name in setting.names}
        chosen = [every[name][row] for name in setting.names for row in rows[name]]
        columns.append(
            sweep(
                [plan for *_, plan in chosen],
                [seed],
                data=setting.data(seed, setting.steps * setting.batch_size),
                hidden=(setting.hidden,),
                batch_size=setting.batch_size,
                steps=setting.steps,
                evaluate_on=(part,),
            ).table
        )
    metrics = [f"{part}_{what}" for what in ("loss", "accuracy")]
    values = {key: np.hstack([column.final(key) for column in columns]) for key in metrics}
    diverged = np.hstack([column.diverged for column in columns])
    made, first = {}, 0
    for name in setting.names:
        here = slice(first, first := first + len(rows[name]))
        peaks, ends, _ = zip(*chosen[here])
        cells = {key: array[here] for key, array in values.items()}
        meta = {"ends": ends, **columns[0].meta}
        made[name] = Table(peaks, seeds, cells, diverged[here], meta).rounded(4)
    return made


def candidates(table: Table, count: int = CANDIDATES) -> list[int]:
    """Return the rows that are among the `count` best by loss or by accuracy, in their order.

    Example:
        >>> metrics = {"test_loss": [[0.3], [0.2], [0.4]], "test_accuracy": [[0.8], [0.9], [0.7]]}
        >>> candidates(Table([0.1, 0.2, 0.3], [0], metrics), count=1)
        [1]
    """
    found: set[int] = set()
    for metric in table.metrics:
        mean = table.mean(metric) * (-1 if higher_is_better(metric) else 1)
        mean = np.where(np.isfinite(mean) & ~table.diverged.any(axis=1), mean, np.inf)
        found |= set(np.argsort(mean, kind="stable")[:count].tolist())
    return sorted(found)


def record_choose(path: str | PathLike[str]) -> None:
    """Train all designs from the seeds that choose; keep the six best of each by either metric.

    The file is written after each setting, with tables such as "digits, 300 updates: cosine".
    """
    start, tables = time.process_time(), {}
    for name, setting in SETTINGS.items():
        for shape, table in train(setting, CHOOSE, "validation").items():
            tables[f"{name}: {shape}"] = _kept(table, candidates(table))
        _save(path, tables, start)


def record_judge(path: str | PathLike[str]) -> None:
    """Train the designs in `03_choose.json`, which is beside `path`, from the seeds that judge."""
    start, tables = time.process_time(), {}
    chosen = load(Path(path).with_name("03_choose.json"))
    for name, setting in SETTINGS.items():
        rows = {}
        for shape in setting.names:
            every = [(lr, end) for lr, end, _ in designs(setting, shape, 0)]
            table = chosen[f"{name}: {shape}"]
            rows[shape] = [
                every.index(pair) for pair in zip(table.lrs.tolist(), table.meta["ends"])
            ]
        finals = train(setting, JUDGE, "test", rows)
        tables |= {f"{name}: {shape}": table for shape, table in finals.items()}
        _save(path, tables, start)


def _save(path: str | PathLike[str], tables: Mapping[str, Table], start: float) -> None:
    seconds = round(time.process_time() - start)
    save(path, tables, command="make records NB=03", seconds=seconds)


def _kept(table: Table, rows: Sequence[int]) -> Table:
    """Return the table of some rows, with their ends."""
    return Table(
        table.lrs[rows],
        table.seeds,
        {key: values[rows] for key, values in table.metrics.items()},
        table.diverged[rows],
        table.meta | {"ends": [table.meta["ends"][row] for row in rows]},
    )
