r"""The tasks on which lesson 5 compares: networks on digits and on a teacher, and rare features."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from course_utils import validate
from course_utils.experiments.datasets import Data
from course_utils.experiments.sweep import sweep
from course_utils.experiments.table import Table
from course_utils.experiments.teacher import Teacher
from course_utils.optimizers import Optimizer
from course_utils.schedules import Schedule

FEATURES, SAMPLES = 300, 10  # of the linear task; samples per batch
_HELD_OUT = 4000
_METRICS = ("validation_loss", "validation_accuracy", "test_loss", "test_accuracy")


@dataclass(frozen=True)
class Task:
    """What is to be learned, in how many updates.

    Args:
        steps: number of updates.
        train: (optimizer, R schedules, S seeds) -> a `Table` with loss and accuracy on validation
            and test data; its rates are the peaks.
        scale: what the middle of each rule's grid of rates is multiplied by.
    """

    steps: int
    train: Callable[[Optimizer, Sequence[Schedule], Iterable[int]], Table]
    scale: float = 1.0


def network(data: Data, steps: int, batch_size: int = 16, scale: float = 1.0) -> Task:
    """64 ReLU units on `data`, trained for a number of updates.

    >>> from course_utils.experiments.datasets import digits
    >>> from course_utils.optimizers import Adam
    >>> from course_utils.schedules import constant, cosine
    >>> rates = [constant(0.01), cosine(0.1, 20)]
    >>> network(digits(), 20).train(Adam(), rates, range(3)).final("test_accuracy").shape
    (2, 3)
    """

    def train(rule: Optimizer, rates: Sequence[Schedule], seeds: Iterable[int]) -> Table:
        return sweep(
            rates, seeds, data=data, optimizer=rule, steps=steps, batch_size=batch_size,
            evaluate_on=("validation", "test"),
        ).table  # fmt: skip

    return Task(steps, train, scale)


def teacher(steps: int) -> Task:
    """64 ReLU units on labels drawn by a fixed network, one pass: no example comes twice.

    >>> teacher(20).steps
    20
    """
    return network(Teacher().data(16 * steps), steps)


def linear(kind: str, steps: int) -> Task:
    r"""Logistic regression on 300 features, rare ones or dense ones, one pass in batches of 10.

    .. math:: x_j \sim \text{Bernoulli}\big(\min(\tfrac12, \tfrac3j)\big) \text{ or }
        N(0, \tfrac1{30}), \qquad p(y = 1) = \sigma(w^\top x)

    The weights w, N(0, 4) or N(0, 1), are drawn anew for every seed. Loss and accuracy are those
    expected of the drawn labels; the loss is what exceeds that of w itself.

    >>> from course_utils.optimizers import Adagrad
    >>> from course_utils.schedules import cosine
    >>> linear("rare", 4).train(Adagrad(), [cosine(0.1, 4)], [0, 1]).lrs.tolist()
    [0.1]
    """
    validate.one_of("kind", kind, ("rare", "dense"))

    def train(rule: Optimizer, rates: Sequence[Schedule], seeds: Iterable[int]) -> Table:
        lr, seeds = np.stack([schedule.rates(steps) for schedule in rates]), list(seeds)
        problems = [_problem(kind, seed, steps) for seed in seeds]
        w = np.zeros((len(lr), len(seeds), FEATURES), np.float32)
        rule.reset()
        for t in range(steps):
            rows = slice(t * SAMPLES, (t + 1) * SAMPLES)
            x = np.stack([p["train"][0][rows] for p in problems]).astype(np.float32)
            y = np.stack([p["train"][1][rows] for p in problems])
            error = sigmoid(np.einsum("rsf,sbf->rsb", w, x, optimize=True)) - y
            gradient = np.einsum("rsb,sbf->rsf", error, x, optimize=True) / SAMPLES
            w = rule.step(w, gradient, lr[:, t, None, None].astype(np.float32))
        columns = [_measured(w[:, s], problem) for s, problem in enumerate(problems)]
        metrics = {name: np.stack([c[name] for c in columns], axis=1) for name in _METRICS}
        meta = {"data": f"{kind} features", "steps": steps, "batch_size": SAMPLES,
                "optimizer": rule.name, "optimizer_parameters": dict(rule.parameters)}  # fmt: skip
        lost = ~np.isfinite(metrics["test_loss"])
        return Table(lr.max(axis=1), seeds, metrics, lost, meta)

    return Task(steps, train)


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
