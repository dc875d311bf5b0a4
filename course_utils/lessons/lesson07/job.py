"""The job of lesson 7: a procedure carried out once on lesson 6's network, a quarter as wide.

A run is 600 updates of Adam on batches of 64 photographs of CIFAR-100 (45,000 to train on, 5,000
held out), with a straight line from its peak to 0. `record` makes every entry of its log again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
from torch import nn

from course_utils import schedules
from course_utils.experiments.datasets import Data, cifar100
from course_utils.experiments.evaluation import evaluate
from course_utils.experiments.files import rounded
from course_utils.experiments.models import SevenLayerCNN
from course_utils.experiments.range_test import RangeTest, range_test
from course_utils.experiments.table import Table, save
from course_utils.experiments.tabulate import tabulate
from course_utils.experiments.training import train

COMMAND = "make records NB=07"
STEPS = 600
BATCH_SIZE = 64
STOP_AT = 100
"""Updates after which a run that still knows nothing is stopped."""


class _Hopeless(Exception):
    """Raised inside a run that is stopped early."""


def _schedule(peak: float, warmup: int, shape: str, steps: int) -> schedules.Schedule:
    """A linear rise to the peak, and a straight line from there to 0, or none."""
    length = steps - warmup
    line = schedules.polynomial(peak, length, end_lr=0.0)
    fall = {"line": line, "constant": schedules.constant(peak)}[shape]
    return schedules.with_warmup(fall, warmup, start_factor=1 / warmup) if warmup else fall


def _knows(loss: float, classes: int) -> bool:
    """Whether a loss is clearly below that of guessing; NaN is not."""
    return loss < 0.995 * math.log(classes)


def begin(data: Data, peak: float, seed: int, *, warmup: int = 0) -> dict[str, float]:
    """Train the first `STOP_AT` updates of a run: loss on 1000 held-out images, alive (1) or not.

    >>> import tempfile
    >>> from course_utils.experiments.datasets import synthetic_cifar100
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = synthetic_cifar100(folder, n_train=100, n_test=10)
    ...     data = cifar100(folder, download=False, n_validation=20)
    >>> begin(data, 1e-9, seed=0)["alive"]
    0.0
    """
    model = SevenLayerCNN(seed=seed, width=0.25)
    train(
        model, data, optimizer="adam", schedule=_schedule(peak, warmup, "line", STEPS),
        steps=STOP_AT, batch_size=BATCH_SIZE, seed=seed,
    )  # fmt: skip
    loss = float(evaluate(model, data.validation.take(slice(1000)))[0])
    return {"validation_loss": loss, "alive": float(_knows(loss, data.classes))}


def run(
    data: Data,
    peak: float,
    seed: int,
    *,
    warmup: int = 0,
    shape: str = "line",
    steps: int = STEPS,
    judge: str = "validation",
) -> dict[str, float]:
    """Train once; return loss, accuracy, and the price in updates.

    A run whose loss on 1000 held-out images is within 0.5 % of that of guessing after 100 updates
    is stopped, at the price of those.

    Args:
        data: with a held-out set.
        peak: of the schedule.
        seed: of the weights and the batches.
        warmup: updates of a linear rise to the peak.
        shape: "line" to 0, or "constant".
        steps: updates.
        judge: "validation" or "test", what is measured at the end.

    Returns:
        "train_loss", judge + "_loss", judge + "_accuracy" and "updates".

    Example:
        >>> import tempfile
        >>> from course_utils.experiments.datasets import synthetic_cifar100
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = synthetic_cifar100(folder, n_train=100, n_test=10)
        ...     data = cifar100(folder, download=False, n_validation=20)
        >>> run(data, 1e-9, seed=0, steps=100)["updates"]  # it still guesses
        100
    """
    model = SevenLayerCNN(seed=seed, width=0.25)
    count, few = 0, data.validation.take(slice(1000))

    def watch(model: nn.Module) -> float:
        nonlocal count
        loss = float(evaluate(model, few)[0])
        if count == 1 and not _knows(loss, data.classes):
            raise _Hopeless(loss)
        count += 1
        return loss

    try:
        record = train(
            model, data, optimizer="adam", schedule=_schedule(peak, warmup, shape, steps),
            steps=steps, batch_size=BATCH_SIZE, seed=seed, observers={"watch": watch},
            observe_every=STOP_AT,
        )  # fmt: skip
    except _Hopeless as stopped:
        loss = stopped.args[0]
        found = {"train_loss": loss, f"{judge}_loss": loss, f"{judge}_accuracy": 1 / data.classes}
        return found | {"updates": STOP_AT}
    loss, accuracy = evaluate(model, data.splits[judge])
    found = {"train_loss": record.final_loss, f"{judge}_loss": loss, f"{judge}_accuracy": accuracy}
    return {name: float(value) for name, value in found.items()} | {"updates": steps}


def ramp(data: Data, seed: int, *, optimizer: str, steps: int, lr_max: float) -> RangeTest:
    """Run the range test of the job from 1e-5 to `lr_max`, by the name of an optimizer.

    >>> import tempfile
    >>> from course_utils.experiments.datasets import synthetic_cifar100
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = synthetic_cifar100(folder, n_train=100, n_test=10)
    ...     data = cifar100(folder, download=False, n_validation=20)
    >>> len(ramp(data, 0, optimizer="adam", steps=2, lr_max=1e-4).lr)
    2
    """
    model = SevenLayerCNN(seed=seed, width=0.25)
    return range_test(
        model, data, optimizer=optimizer, steps=steps, lr_max=lr_max, batch_size=BATCH_SIZE,
        seed=seed,
    )  # fmt: skip


TESTS: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "range test, Adam, 100 updates": (
        {"optimizer": "adam", "steps": 100, "lr_max": 10.0},
        (0, 1, 2),
    ),
    "range test, Adam, 300 updates": ({"optimizer": "adam", "steps": 300, "lr_max": 0.1}, (0,)),
    "range test, momentum, 100 updates": (
        {"optimizer": "momentum", "steps": 100, "lr_max": 10.0},
        (0, 1),
    ),
}
"""Entry of the log -> arguments of `ramp`, seeds."""

FRESH = (10, 11, 12, 13)
RUNS: dict[str, tuple[dict[str, Any], tuple[float, ...], tuple[int, ...]]] = {
    "line to 0": ({}, (1e-4, 3e-4, 1e-3, 3e-3, 1e-2), (0,)),
    "warm-up, line to 0": ({"warmup": 60}, (1e-3, 3e-3, 6e-3, 1e-2), (0,)),
    "final, chosen": ({"warmup": 60, "judge": "test"}, (3e-3,), FRESH),
    "final, chosen shape at 1e-3": ({"warmup": 60, "judge": "test"}, (1e-3,), FRESH),
    "final, default": ({"shape": "constant", "judge": "test"}, (1e-3,), FRESH),
}
"""Entry of the log -> arguments of `run`, peaks, seeds."""


def tables(
    trained: Callable[..., dict[str, float]], tested: Callable[..., RangeTest]
) -> dict[str, Table]:
    """Return the log: a table per entry of `TESTS` (a row per update) and of `RUNS`.

    Args:
        trained: `run` without its data: (peak, seed, **settings).
        tested: `ramp` without its data: (seed, **settings).

    Example:
        >>> found = {name: 0.0 for name in ("train_loss", "updates")}
        >>> one = RangeTest(np.array([1e-5]), np.ones(1), np.ones(1), 2.0, "")
        >>> list(tables(lambda *_, **__: found, lambda *_, **__: one))[-1]
        'final, default'
    """
    log = {}
    for name, (settings, seeds) in TESTS.items():
        found = [tested(seed, **settings) for seed in seeds]
        lrs = np.geomspace(1e-5, settings["lr_max"], settings["steps"])
        metrics = {"loss": np.full((len(lrs), len(seeds)), np.nan)}
        metrics["smoothed"] = metrics["loss"].copy()
        for column, one in enumerate(found):
            for part, values in metrics.items():
                values[: len(one.lr), column] = rounded(getattr(one, part), 5)
        meta = settings | {"start": [round(one.start, 5) for one in found]}
        log[name] = Table(lrs, seeds, metrics, meta=meta)
    for name, (settings, peaks, seeds) in RUNS.items():
        one, meta = partial(trained, **settings), {"steps": STEPS} | settings
        log[name] = tabulate(one, peaks, seeds, meta).rounded(5)
    return log


BEGINNINGS = {"line to 0": 0, "warm-up, line to 0": 60}
"""Entry of the record of survival -> updates of warm-up."""


def record_survival(path: str | PathLike[str]) -> None:
    """Begin three peaks from fourteen seeds, without a warm-up and with (some ten minutes)."""
    start, data = time.perf_counter(), cifar100(download=False, n_validation=5000)
    found = {}
    for name, warmup in BEGINNINGS.items():
        one = partial(begin, data, warmup=warmup)
        meta = {"warmup": warmup, "steps": STOP_AT, "data": data.name}
        found[name] = tabulate(one, (3e-3, 6e-3, 1e-2), range(14), meta).rounded(5)
    save(path, found, command=COMMAND, seconds=round(time.perf_counter() - start))


def record(path: str | PathLike[str]) -> None:
    """Train everything in the log again (some ten minutes), on photographs that are there."""
    start, data = time.perf_counter(), cifar100(download=False, n_validation=5000)
    log = tables(partial(run, data), partial(ramp, data))
    for table in log.values():
        table.meta["data"] = data.name
    save(path, log, command=COMMAND, seconds=round(time.perf_counter() - start))
