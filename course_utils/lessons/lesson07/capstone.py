"""The capstone of lesson 7: a good rate for unknown tasks, at the price of ten runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from course_utils.course.exercises import Incorrect, call, expect, number
from course_utils.experiments.datasets import Data, digits
from course_utils.experiments.models import mlp
from course_utils.experiments.range_test import RangeTest, range_test
from course_utils.experiments.sweep import Sweep, sweep
from course_utils.optimizers import Adam, GradientDescent, Optimizer

BUDGET = 10.0
"""What the capstone allows, in whole runs."""
TEST_PRICE = 0.4
"""A range test has 100 updates, a run 250."""
_LARGEST = 65504.0
"""Of half precision: a run whose loss exceeds it is NaN there."""


class BudgetSpent(Exception):
    """Raised by a task when what is asked for costs more than is left."""


@dataclass
class Task:
    """A network, a data set and an update rule that nobody tells you; only runs tell.

    Args:
        name: "A", "B" or "C".

    Example:
        >>> task = Task("A")
        >>> 0 < task(0.01) < 1, task.left
        (True, 9.0)
    """

    name: str
    spent: float = 0.0
    used: list[float] = field(default_factory=list)

    @property
    def left(self) -> float:
        """How many runs of the budget are left."""
        return round(BUDGET - self.spent, 6)

    def __call__(self, lr: float) -> float:
        """Train at a rate; return the validation accuracy, NaN where the training diverged.

        Raises:
            BudgetSpent: when less than one run is left.
        """
        lr = number(lr)
        expect(0 < lr < math.inf, f"a rate must be positive and finite, got {lr:g}.")
        self._pay(1.0)
        self.used.append(lr)
        run = _train(self.name, (lr,), _RUN_SEEDS)
        overflows = not (run.loss <= _LARGEST).all() or run.diverged.any()
        return math.nan if overflows else float(run.final("validation_accuracy").mean())

    def range_test(self) -> RangeTest:
        """Run a range test of 100 updates from 1e-5 to 10, for 0.4 of a run; another seed each.

        Returns:
            Its `lr`, `loss` and `smoothed`; `start` is the loss before.
        """
        self._pay(TEST_PRICE)
        _, _, size, name = _HIDDEN[self.name]
        seed = round(self.spent / TEST_PRICE)
        model = mlp((64, 32, 10), seed=seed)
        return range_test(model, _data(self.name), optimizer=name, batch_size=size, seed=seed)

    def _pay(self, price: float) -> None:
        if self.left < price:
            raise BudgetSpent
        self.spent += price


_HIDDEN: dict[str, tuple[float, Optimizer, int, str]] = {
    "A": (0.25, GradientDescent(), 32, "sgd"),
    "B": (1.0, Adam(), 16, "adam"),
    "C": (17.0, GradientDescent(momentum=0.9), 16, "momentum"),
}
"""Scale of the pixels, rule, batch size, and the name of the rule in PyTorch."""
_ORACLE_RATES = tuple(10 ** (k / 6) for k in range(-24, 7))
_RUN_SEEDS, _SCORE_SEEDS = (0, 1, 2, 3), (4, 5, 6, 7, 8, 9)


def _data(name: str) -> Data:
    return digits(n_train=600).scaled(_HIDDEN[name][0])


def _train(name: str, lrs: tuple[float, ...], seeds: tuple[int, ...]) -> Sweep:
    _, rule, size, _ = _HIDDEN[name]
    return sweep(lrs, seeds, data=_data(name), hidden=(32,), optimizer=rule, batch_size=size,
                 steps=250, evaluate_on=("validation", "test"))  # fmt: skip


@cache
def oracle(name: str) -> tuple[float, float]:
    """Return the best rate of a task and its test accuracy: 31 rates, six seeds of its own.

    >>> 0.9 < oracle("B")[1] < 1
    True
    """
    best = _train(name, _ORACLE_RATES, _SCORE_SEEDS).best("test_accuracy")
    return best.lr, best.value


def solve(task: Task) -> float:
    """Six rates, a factor of ten apart; then four more around the best of them.

    >>> 0.003 < solve(Task("B")) < 0.04
    True
    """
    scores = {10.0**k: task(10.0**k) for k in range(-4, 2)}

    def best() -> float:
        return max(scores, key=lambda lr: -1 if math.isnan(scores[lr]) else scores[lr])

    for factors in ((0.3, 3.0), (0.55, 1.8)):
        center = best()
        for factor in factors:
            scores[center * factor] = task(center * factor)
    return best()


def grade_capstone(answer: object) -> str:
    """Give `answer` each task with a budget, and compare its rate with the oracle's.

    >>> grade_capstone(lambda task: 0.01)
    Traceback (most recent call last):
        ...
    course_utils.course.exercises.Incorrect: task A: your rate 0.01 is ...
    """
    regrets = []
    for name in _HIDDEN:
        task = Task(name)
        try:
            lr = number(call(answer, task))
        except BudgetSpent:
            raise Incorrect(
                f"task {name}: you asked for more than the price of ten runs. It must be enough."
            ) from None
        expect(0 < lr < math.inf, f"task {name}: a rate must be positive and finite, got {lr:g}.")
        best_lr, best = oracle(name)
        mine = _train(name, (lr,), _SCORE_SEEDS).final("test_accuracy").mean()
        regret = 100 * (best - mine)
        regrets.append(regret)
        expect(
            regret <= 1.0,
            f"task {name}: your rate {lr:.3g} is {regret:.1f} points below the oracle "
            f"({best:.1%}), for {task.spent:g} of {BUDGET:g} runs. {_advice(best_lr, task)}",
        )
    return (
        "Within a point of the oracle on all three tasks; the regrets are "
        + ", ".join(f"{max(regret, 0.0):.1f}" for regret in regrets)
        + " points."
    )


def _advice(best_lr: float, task: Task) -> str:
    tried = sorted(set(task.used))
    if not task.spent:
        return "You did not run anything: no rate is right for every task."
    if not tried:
        return "A range test is a guess: train around what it says."
    if len(tried) > 2 and np.ptp(np.diff(tried)) < 1e-6 * tried[-1]:
        return "Your rates are evenly spaced; space them evenly on a logarithmic axis."
    if not tried[0] * 1.01 < best_lr < tried[-1] / 1.01:
        side = "small" if best_lr <= tried[0] * 1.01 else "large"
        return f"The best rate lies beyond the {side} end of what you tried: widen the range."
    if task.left >= 1:
        return "You have runs left: refine around the best rate."
    return "Coarse first, over many decades, then fine around the best; NaN must not win."
