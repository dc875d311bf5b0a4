"""The two tasks of lesson 8, and the loop that trains on them and averages on the way.

`sweep` has no place for averages, nor for data that never repeat. Apart from these two the loop is
the same; on the digits a test demands the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from course_utils.averages import Share
from course_utils.experiments.batches import Batches, with_ones
from course_utils.experiments.datasets import Data, digits, teacher
from course_utils.experiments.networks import Networks
from course_utils.experiments.teacher import Teacher
from course_utils.optimizers import GradientDescent, Optimizer
from course_utils.schedules import Schedule

PARTS = ("validation", "test")
Scores = dict[str, np.ndarray]
"""From "validation_loss" and the like to shape (R, S)."""
Found = dict[str, dict[int, Scores]]
"""From the name of an average or method, and the updates, to its scores."""


@dataclass(frozen=True, eq=False)
class Task:
    """What is learned, and for how long.

    Args:
        name: what the lesson calls it.
        source: a `Data`, or a `Teacher`, whose data never repeat and whose loss is measured above
            the best possible.
        hidden: units of the one hidden layer.
        steps: updates of the longest run T.
        batch_size: examples per update.

    Example:
        >>> TASKS["teacher"].lengths, TASKS["digits"].sizes
        ((1000, 2000, 3000), (64, 32, 10))
    """

    name: str
    source: Data | Teacher
    hidden: int
    steps: int
    batch_size: int = 8

    @property
    def lengths(self) -> tuple[int, int, int]:
        """A third of T, two thirds, and T."""
        return thirds(self.steps)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Inputs, units and classes of the networks."""
        return 64 if isinstance(self.source, Data) else 20, self.hidden, 10

    def batches(self, seeds: Sequence[int]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Return an endless iterator: inputs with ones (S, B, D + 1), one-hot targets (S, B, C)."""
        if isinstance(self.source, Data):
            return Batches(self.source, self.batch_size).of_seeds(seeds)
        return self.source.stream(seeds, self.batch_size)

    def scores(self, networks: Networks, params: np.ndarray) -> Scores:
        """Return loss and accuracy on validation and test data."""
        found = {}
        for part in PARTS:
            if isinstance(self.source, Data):
                split = self.source.splits[part]
                loss, accuracy = networks.evaluate(params, with_ones(split), split.y)
            else:
                loss, accuracy = self.source.evaluate(networks, params, part)
            found |= {f"{part}_loss": loss, f"{part}_accuracy": accuracy}
        return found


def thirds(steps: int) -> tuple[int, int, int]:
    """Return the three lengths at which a run of T updates is measured.

    >>> thirds(1000)
    (333, 666, 1000)
    """
    return steps // 3, 2 * steps // 3, steps


def _wrong_digits(noise: float, split: int) -> Data:
    return digits(seed=split).with_label_noise(noise, seed=split)


TASKS = {
    "teacher": Task("teacher", teacher(), 64, 3000),
    "digits": Task("digits", _wrong_digits(0.2, 0), 32, 1800),
    "another teacher": Task("another teacher", teacher(seed=1, scale=3.0), 32, 3000),
    "other digits": Task("other digits", _wrong_digits(0.1, 1), 64, 1800),
}
"""On the digits a fifth of the training labels is drawn anew (a tenth on the other digits)."""
SHORT = [replace(TASKS[name], name=f"{name}, short", steps=300) for name in ("teacher", "digits")]


def train(
    task: Task,
    schedules: Sequence[Schedule],
    seeds: Iterable[int],
    *,
    optimizer: Optimizer | None = None,
    averages: Mapping[str, Share] | None = None,
    at: Iterable[int] | None = None,
) -> Found:
    """Train R schedules from S seeds; measure the last weights, and averages of all weights so far.

    Args:
        task: one of `TASKS`.
        schedules: R schedules.
        seeds: S seeds.
        optimizer: a rule; None means gradient descent. Of a rule with an `average` that is
            measured.
        averages: running averages by name (see `course_utils.averages`).
        at: after how many updates; None: after the longest run of the task, T.

    Returns:
        {name of an average, or "last": {updates: scores}}.

    Example:
        >>> from course_utils import averages, schedules
        >>> few = Task("digits", digits(), 8, 30)
        >>> found = train(
        ...     few, [schedules.constant(0.1)], [0, 1], at=[20], averages={"mean": averages.uniform}
        ... )
        >>> list(found), found["mean"][20]["test_loss"].shape
        (['last', 'mean'], (1, 2))
    """
    seeds, averages = list(seeds), dict(averages or {})
    at = {task.steps} if at is None else set(at)
    networks = Networks(len(schedules), seeds, task.sizes, "relu", "cross_entropy", l2=0.0)
    rates = np.stack([plan(np.arange(max(at))).astype(np.float32) for plan in schedules])
    rates = np.repeat(rates, len(seeds), axis=0)  # (R * S, T), as the rows of the weights
    rule: Any = optimizer or GradientDescent()
    rule.reset()
    w, batch = networks.initial(), task.batches(seeds)
    means = {name: np.zeros_like(w) for name in averages}
    found: Found = {name: {} for name in ("last", *averages)}
    with np.errstate(all="ignore"):  # to diverge is a result
        for n in range(1, max(at) + 1):
            _, gradient = networks.loss_and_gradient(w, *next(batch))
            w = rule.step(w, gradient, rates[:, n - 1 : n])
            for name, share in averages.items():
                means[name] += np.float32(share(n)) * (w - means[name])
            if n in at:
                measured = {"last": getattr(rule, "average", w), **means}
                for name, weights in measured.items():
                    found[name][n] = task.scores(networks, weights)
    return found
