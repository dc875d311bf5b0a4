"""Fine-tuning on digits: turned or renamed, at every rate, in all layers or in one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np

from course_utils import validate
from course_utils.experiments.batches import Batches, with_ones
from course_utils.experiments.datasets import Split, digits
from course_utils.experiments.networks import Networks
from course_utils.experiments.table import Table
from course_utils.lessons.lesson09.training import (
    again,
    evaluate,
    networks,
    optimizer,
    result,
    to_zero,
    train,
)

SIZES = (64, 32, 32, 10)
PRETRAINED_AT = {"SGD": 0.5, "Adam": 0.02}
"""The best rate of pre-training on the grid of the course, for each rule."""
ARMS = {"all layers": (1, 1, 1), "first layer": (1, 0, 0), "last layer": (0, 0, 1)}
LABELS = "labels"
BATCH = 10


def turning(angle: float) -> np.ndarray:
    """Return the matrix M, (64, 64), that turns digits: `x @ M.T` for pixels x (N, 64).

    Counterclockwise by `angle` degrees around the middle, bilinear between the pixels, 0 outside.

    >>> bool((turning(0) == np.eye(64)).all())
    True
    """
    angle = math.radians(validate.finite("angle", angle))
    cos, sin = math.cos(angle), math.sin(angle)
    rows, columns = np.indices((8, 8)).reshape(2, 64) - 3.5
    from_row = (cos * rows + sin * columns + 3.5).round(9)
    from_column = (cos * columns - sin * rows + 3.5).round(9)
    inside = (from_row >= 0) & (from_row <= 7) & (from_column >= 0) & (from_column <= 7)
    i, j = np.indices((8, 8)).reshape(2, 64)
    near = np.maximum(0, 1 - np.abs(from_row[:, None] - i))
    near = near * np.maximum(0, 1 - np.abs(from_column[:, None] - j))
    return near * inside[:, None]


@cache
def target(change: float | str) -> tuple[Split, Split]:
    """Return training and test part of the new task: turned by degrees, or "labels" renamed.

    Renamed: what was called c is now called (c + 3) mod 10.

    >>> target("labels")[1].y[:3], digits().test.y[:3]
    (array([1, 6, 5]), array([8, 3, 2]))
    """
    data = digits()
    if change == LABELS:
        return tuple(Split(part.x, (part.y + 3) % 10) for part in (data.train, data.test))
    matrix = turning(change).T
    return tuple(Split((part.x @ matrix).astype("f4"), part.y) for part in (data.train, data.test))


def few(split: Split, per_class: int, seeds: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return a few examples of each class for each seed: inputs (S, n, 65), labels (S, n).

    >>> x, y = few(digits().train, 10, seeds=[0, 1])
    >>> x.shape, np.bincount(y[0]).tolist()
    ((2, 100, 65), [10, 10, 10, 10, 10, 10, 10, 10, 10, 10])
    """
    inputs, rows = with_ones(split), []
    for seed in seeds:
        rng = np.random.default_rng([seed, 11])
        of_class = [np.flatnonzero(split.y == c) for c in range(10)]
        rows.append(np.concatenate([rng.choice(at, per_class, replace=False) for at in of_class]))
    return inputs[np.stack(rows)], split.y[np.stack(rows)]


def pretrained(
    rule: str, lr: float, seeds: Sequence[int], sizes: Sequence[int] = SIZES
) -> np.ndarray:
    """Return the weights (S, P) after 500 updates on batches of 16 upright digits, linear to zero.

    >>> pretrained("SGD", 0.5, [0]).shape
    (1, 3466)
    """
    nets = networks(1, seeds, sizes)
    batches = Batches(digits(), 16).of_seeds(list(seeds))
    return train(nets, nets.initial(), batches, to_zero([lr], 500), optimizer(rule))


def fine_tuned(
    rule: str, start: np.ndarray, change: float | str, lrs: Sequence[float], seeds: Sequence[int],
    arm: str = "all layers", steps: int = 300,
) -> Table:  # fmt: skip
    """Fine-tune on 100 examples of the new task, batches of 10, from `start` at peaks `lrs`.

    Metrics: "new_loss", "new_accuracy", "old_loss", "old_accuracy", on 400 test digits.

    >>> start = pretrained("SGD", 0.5, [0])
    >>> table = fine_tuned("SGD", start, 10, [0.05], [0], steps=5)
    >>> bool(table.final("old_accuracy")[0, 0] > 0.9)
    True
    """
    nets = networks(len(lrs), seeds, SIZES)
    new_train, new_test = target(change)
    params, layers = np.tile(start, (len(lrs), 1)), ARMS[validate.one_of("arm", arm, ARMS)]
    factors = 1.0 if all(layers) else one_rate_a_layer(nets, layers)
    before = evaluate(nets, params, new_test, "new")
    batches = again(*few(new_train, 10, seeds), seeds, BATCH)
    params = train(nets, params, batches, to_zero(lrs, steps), optimizer(rule), factors)
    after = evaluate(nets, params, new_test, "new") | evaluate(nets, params, digits().test, "old")
    return result(lrs, seeds, after, np.maximum(before["new_loss"], 1), {
        "data": f"digits, {change}", "sizes": list(SIZES), "optimizer": rule, "arm": arm,
        "steps": steps, "batch_size": BATCH, "examples": 100,
        "before": [round(float(v), 4) for v in before["new_accuracy"][0]],
    })  # fmt: skip


def one_rate_a_layer(nets: Networks, factors: Sequence[float]) -> np.ndarray:
    """Return the factor of each weight (R*S, P), from one per layer.

    >>> nets = networks(1, [0], (64, 32, 10))
    >>> one_rate_a_layer(nets, (0, 1)).sum()
    np.float32(330.0)
    """
    per_weight = np.ones_like(nets.gradient)
    for layer, factor in zip(nets.layers(per_weight), factors, strict=True):
        layer[:] = factor
    return per_weight


def stability_limit(
    params: np.ndarray, seeds: Sequence[int], x: np.ndarray, y: np.ndarray, iterations: int = 30
) -> np.ndarray:
    r"""Return 2 / sharpness (S,) of networks 64-32-32-10 on their examples, by power iteration.

    .. math:: v \leftarrow \frac{H v}{\lVert H v \rVert}, \qquad
        H v \approx \frac{\nabla L(w + h v) - \nabla L(w - h v)}{2 h}

    Args:
        params: shape (S, P).
        seeds: S of them.
        x, y: examples (S, n, 65) and labels (S, n).
        iterations: of the power method.

    Example:
        >>> start, (x, y) = pretrained("SGD", 0.5, [0]), few(digits().train, 10, [0])
        >>> bool(0.2 < stability_limit(start, [0], x, y)[0] < 5)
        True
    """
    nets, targets = networks(1, seeds, SIZES), np.eye(10, dtype=np.float32)[y]
    v = np.random.default_rng(0).standard_normal(params.shape).astype("f4")
    h = np.float32(0.01)
    for _ in range(iterations):
        v /= np.linalg.norm(v, axis=1, keepdims=True)
        up = nets.loss_and_gradient(params + h * v, x, targets)[1].copy()
        v = (up - nets.loss_and_gradient(params - h * v, x, targets)[1]) / (2 * h)
    return 2 / np.linalg.norm(v, axis=1)
