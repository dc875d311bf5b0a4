r"""The tasks on which lesson 5 compares: networks on digits and on a teacher, and rare features."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from course_utils import validate
from course_utils.experiments.datasets import Data
from course_utils.experiments.sweep import sweep
from course_utils.experiments.table import Table
from course_utils.experiments.teacher import Teacher
from course_utils.lessons.lesson05.rules import SHAPES
from course_utils.optimizers import Optimizer

FEATURES, SAMPLES = 300, 10  # of the linear task; samples per batch
_HELD_OUT = 4000
_METRICS = ("validation_loss", "validation_accuracy", "test_loss", "test_accuracy")


@dataclass(frozen=True)
class Task:
    """What is to be learned, in how many updates; `train` is the one thing it can do.

    Args:
        train: (optimizer, R rates, name of a shape, S seeds) -> a `Table` with loss and accuracy
            on validation and test data.
        scale: what the middle of each rule's grid of rates is multiplied by.
    """

    train: Callable[[Optimizer, Iterable[float], str, Iterable[int]], Table]
    scale: float = 1.0


def network(data: Data, steps: int, batch_size: int = 16, scale: float = 1.0) -> Task:
    """64 ReLU units on `data`, trained for a number of updates.

    >>> from course_utils.experiments.datasets import digits
    >>> from course_utils.optimizers import Adam
    >>> table = network(digits(), 20).train(Adam(), [0.01, 0.1], "cosine", range(3))
    >>> table.final("test_accuracy").shape
    (2, 3)
    """

    def train(rule: Optimizer, lrs: Iterable[float], shape: str, seeds: Iterable[int]) -> Table:
        return sweep(
            lrs, seeds, data=data, optimizer=rule, schedule=SHAPES[shape](steps), steps=steps,
            batch_size=batch_size, evaluate_on=("validation", "test"),
        ).table  # fmt: skip

    return Task(train, scale)


def teacher(steps: int) -> Task:
    """64 ReLU units on labels drawn by a fixed network, one pass: no example comes twice.

    >>> teacher(20).scale
    1.0
    """
    return network(Teacher().data(16 * steps), steps)


def linear(kind: str, steps: int) -> Task:
    r"""Logistic regression on 300 features, rare ones or dense ones, one pass in batches of 10.

    .. math:: x_j \sim \text{Bernoulli}\big(\min(\tfrac12, \tfrac3j)\big) \text{ or }
        N(0, \tfrac1{30}), \qquad p(y = 1) = \sigma(w^\top x)

    The weights w, N(0, 4) or N(0, 1), are drawn anew for every seed. Loss and accuracy are those
    expected of the drawn labels; the loss is what exceeds that of w itself.

    >>> from course_utils.optimizers import Adagrad
    >>> linear("rare", 4).train(Adagrad(), [0.1, 1.0], "constant", [0]).lrs.tolist()
    [0.1, 1.0]
    """
    validate.one_of("kind", kind, ("rare", "dense"))

    def train(rule: Optimizer, lrs: Iterable[float], shape: str, seeds: Iterable[int]) -> Table:
        lrs, seeds = list(lrs), list(seeds)
        problems = [_problem(kind, seed, steps) for seed in seeds]
        schedules = [SHAPES[shape](steps)(lr) for lr in lrs]
        w = np.zeros((len(lrs), len(seeds), FEATURES), np.float32)
        rule.reset()
        for t in range(steps):
            rows = slice(t * SAMPLES, (t + 1) * SAMPLES)
            x = np.stack([p["train"][0][rows] for p in problems]).astype(np.float32)
            y = np.stack([p["train"][1][rows] for p in problems])
            error = sigmoid(np.einsum("rsf,sbf->rsb", w, x, optimize=True)) - y
            gradient = np.einsum("rsb,sbf->rsf", error, x, optimize=True) / SAMPLES
            rates = np.array([s(t) for s in schedules], np.float32)[:, None, None]
            w = rule.step(w, gradient.astype(np.float32), rates)
        columns = [_measured(w[:, s], problem) for s, problem in enumerate(problems)]
        metrics = {name: np.stack([c[name] for c in columns], axis=1) for name in _METRICS}
        meta = {"data": f"{kind} features", "steps": steps, "batch_size": SAMPLES,
                "optimizer": rule.name, "optimizer_parameters": dict(rule.parameters)}  # fmt: skip
        return Table(lrs, seeds, metrics, ~np.isfinite(metrics["test_loss"]), meta)

    return Task(train)


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-z)).

    >>> float(sigmoid(np.array(0.0)))
    0.5
    """
    return 1 / (1 + np.exp(-np.clip(z, -50, 50)))


@lru_cache(maxsize=32)
def _problem(kind: str, seed: int, steps: int) -> dict[str, tuple[Any, Any]]:
    """Train (x, y), and for validation and test (x, probability)."""
    rng = np.random.default_rng([seed, steps, kind == "rare"])
    often = np.minimum(0.5, 3 / np.arange(1, FEATURES + 1))

    def draw(count: int) -> np.ndarray:
        if kind == "rare":
            return rng.random((count, FEATURES), dtype=np.float32) < often
        return rng.standard_normal((count, FEATURES), dtype=np.float32) * np.float32(30**-0.5)

    w = rng.standard_normal(FEATURES) * (2 if kind == "rare" else 1)
    x = draw(steps * SAMPLES)
    parts = {"train": (x, (rng.random(len(x)) < sigmoid(x @ w)).astype(np.float32))}
    for part in ("validation", "test"):
        x = draw(_HELD_OUT)
        parts[part] = x, sigmoid(x @ w)
    return parts


def _measured(w: np.ndarray, parts: dict[str, tuple[Any, Any]]) -> dict[str, np.ndarray]:
    """Expected excess loss and expected accuracy of weights (R, F), by name."""
    found = {}
    for part in ("validation", "test"):
        x, p = parts[part]
        z = np.clip(w @ x.T.astype(np.float32), -50, 50).astype(float)
        best = -(p * np.log(p + 1e-12) + (1 - p) * np.log(1 - p + 1e-12)).mean()
        found[f"{part}_loss"] = (np.logaddexp(0, z) - p * z).mean(axis=1) - best
        found[f"{part}_accuracy"] = np.where(z > 0, p, 1 - p).mean(axis=1)
    return found
