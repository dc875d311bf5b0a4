"""The one loop of lesson 9: many networks at once, from any weights, each layer at its own rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from course_utils import validate
from course_utils.experiments.batches import orders, with_ones
from course_utils.experiments.datasets import Split
from course_utils.experiments.networks import Networks
from course_utils.experiments.sweep import forget_traces
from course_utils.experiments.table import Table
from course_utils.experiments.teacher import Teacher
from course_utils.optimizers import Adam, GradientDescent, Optimizer

Batch = tuple[np.ndarray, np.ndarray]


def networks(rates: int, seeds: Sequence[int], sizes: Sequence[int]) -> Networks:
    """Return R x S classifiers of ReLU units, with the first weights of `torch.nn.Linear`.

    >>> networks(3, [0, 1], (20, 64, 64, 10)).shape
    (3, 2)
    """
    return Networks(rates, list(seeds), tuple(sizes), "relu", "cross_entropy", l2=0.0)


def optimizer(rule: str) -> GradientDescent | Adam:
    """Return the rule of a name, "SGD" or "Adam".

    >>> optimizer("Adam").name
    'Adam'
    """
    rules = {"SGD": GradientDescent(), "Adam": Adam()}
    return rules[validate.one_of("rule", rule, rules)]


def train(
    nets: Networks,
    params: np.ndarray,
    batches: Iterable[Batch],
    rates: np.ndarray,
    rule: Optimizer,
    factors: float | np.ndarray = 1.0,
) -> np.ndarray:
    r"""Return the weights after T updates, of R rates times S seeds.

    .. math:: w_{t+1} = w_t - \eta_t\, f \cdot d_t(\nabla \ell_t), \qquad f \text{ per weight}

    Args:
        nets: the networks.
        params: shape (R*S, P), where they start; left as it is.
        batches: at least T pairs of inputs (S, B, D + 1) and one-hot targets (S, B, C).
        rates: shape (T, R).
        rule: what turns gradients into steps.
        factors: of the rate, for each weight; broadcasts to (R*S, P).

    Example:
        >>> nets, task = networks(2, [0], (20, 64, 10)), Teacher()
        >>> params = nets.initial()
        >>> from course_utils.optimizers import Adam
        >>> rates = np.tile([0.0, 0.01], (5, 1))
        >>> after = train(nets, params, task.stream([0], 8), rates, Adam())
        >>> (after == params).all(axis=1).tolist()
        [True, False]
    """
    rule.reset()
    seeds = len(nets.seeds)
    with np.errstate(all="ignore"):  # divergence is a result, not a warning
        for t, (row, batch) in enumerate(zip(rates, batches)):
            _, gradient = nets.loss_and_gradient(params, *batch)
            lr = np.repeat(row, seeds)[:, np.newaxis] * factors
            params = rule.step(params, gradient, lr.astype(np.float32))
            if t % 50 == 0:
                forget_traces(rule)
    return params


def constant(lrs: Sequence[float], steps: int) -> np.ndarray:
    """Return constant rates (T, R), one column per rate.

    >>> constant([0.1, 0.2], 2).tolist()
    [[0.1, 0.2], [0.1, 0.2]]
    """
    return np.tile(np.asarray(lrs, dtype=np.float64), (validate.integer("steps", steps, 1), 1))


def to_zero(lrs: Sequence[float], steps: int) -> np.ndarray:
    """Return rates (T, R) on a straight line to zero.

    >>> to_zero([0.1], 2).tolist()
    [[0.1], [0.05]]
    """
    return (1 - np.arange(steps) / steps)[:, np.newaxis] * constant(lrs, steps)


def again(x: np.ndarray, y: np.ndarray, seeds: Sequence[int], batch_size: int) -> Iterator[Batch]:
    """Yield batches from the few examples of each seed, x (S, n, D + 1) and y (S, n), for ever.

    >>> x, y = np.zeros((2, 30, 65), np.float32), np.zeros((2, 30), int)
    >>> [part.shape for part in next(again(x, y, [0, 1], 10))]
    [(2, 10, 65), (2, 10, 10)]
    """
    one_hot, row = np.eye(10, dtype=np.float32), np.arange(len(x))[:, np.newaxis]
    for chosen in orders(x.shape[1], batch_size, seeds):
        yield x[row, chosen], one_hot[y[row, chosen]]


def score(nets: Networks, params: np.ndarray, task: Teacher) -> dict[str, np.ndarray]:
    """Return "test_loss" (above the best possible) and "test_accuracy" (R, S), both exact.

    >>> nets = networks(1, [0, 1], (20, 64, 10))
    >>> score(nets, nets.initial(), Teacher())["test_accuracy"].shape
    (1, 2)
    """
    with np.errstate(all="ignore"):
        loss, accuracy = task.evaluate(nets, params)
    return {"test_loss": loss, "test_accuracy": accuracy}


def evaluate(nets: Networks, params: np.ndarray, split: Split, name: str) -> dict[str, np.ndarray]:
    """Return "<name>_loss" and "<name>_accuracy" (R, S) on a split of digits.

    >>> from course_utils.experiments.datasets import digits
    >>> nets = networks(1, [0, 1], (64, 32, 10))
    >>> sorted(evaluate(nets, nets.initial(), digits().test, "new"))
    ['new_accuracy', 'new_loss']
    """
    with np.errstate(all="ignore"):
        loss, accuracy = nets.evaluate(params, with_ones(split), split.y)
    return {f"{name}_loss": loss, f"{name}_accuracy": accuracy}


def result(
    lrs: Sequence[float],
    seeds: Sequence[int],
    metrics: Mapping[str, np.ndarray],
    first: np.ndarray,
    meta: dict[str, Any],
) -> Table:
    """Return a table of metrics with four digits; a run is lost above ten times its `first` loss.

    >>> losses = {"test_loss": np.array([[1.23456, 21]])}
    >>> table = result([0.1], [0, 1], losses, np.array([2.0, 2]), {})
    >>> table.final("test_loss").tolist(), table.diverged.tolist()
    ([[1.235, 21.0]], [[False, True]])
    """
    name = next(name for name in metrics if name.endswith("_loss"))
    with np.errstate(invalid="ignore"):
        lost = ~(metrics[name] <= 10 * first)
    return Table(lrs, seeds, metrics, lost, meta).rounded(4)
