"""The data as `Networks` want them: a batch per seed, the same for all rates."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from course_utils import sampling
from course_utils.experiments.datasets import Data, Split


class Batches:
    """Float32 inputs with a last column of ones for the bias; `parts` is (inputs, labels) by name.

    >>> from course_utils.experiments.datasets import digits
    >>> inputs, targets = next(Batches(digits(), batch_size=16).of_seeds([0, 1, 2]))
    >>> inputs.shape, targets.shape
    ((3, 16, 65), (3, 16, 10))
    """

    def __init__(self, data: Data, batch_size: int) -> None:
        self.batch_size = batch_size
        self.parts = {name: (with_ones(split), split.y) for name, split in data.splits.items()}
        self.inputs = self.parts["train"][0]
        self.targets = np.eye(data.classes, dtype=np.float32)[data.train.y]

    def of_seeds(self, seeds: Sequence[int]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (inputs (S, B, D + 1), one-hot targets (S, B, C)), one per update, without end."""
        n = len(self.inputs)
        if self.batch_size == n:  # every network sees everything: one copy serves all seeds
            while True:
                yield self.inputs[None], self.targets[None]
        for rows in orders(n, self.batch_size, seeds):
            # batch by batch: what was just gathered is still in the cache
            yield self.inputs.take(rows, axis=0), self.targets.take(rows, axis=0)


def orders(n: int, batch_size: int, seeds: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield which of n examples each seed sees (S, B), one per update, epoch after epoch.

    >>> next(orders(10, 4, seeds=[0, 1])).shape
    (2, 4)
    """
    for epoch in itertools.count():
        order = [sampling.epoch_batches(n, batch_size, epoch, seed) for seed in seeds]
        # (updates, S, B); `take` refuses int64 where pointers have 32 bits, as in a browser
        yield from np.stack(order, axis=1, dtype=np.intp)


def with_ones(split: Split) -> np.ndarray:
    """Return what a network sees, flattened and with a last column of ones for the bias (N, D + 1).

    >>> from course_utils.experiments.datasets import digits
    >>> with_ones(digits().test).shape
    (400, 65)
    """
    return append_ones(split.inputs().reshape(len(split), -1))


def append_ones(x: np.ndarray) -> np.ndarray:
    """Return inputs (..., D) with a last column of ones for the bias (..., D + 1).

    >>> append_ones(np.zeros((2, 1), np.float32)).tolist()
    [[0.0, 1.0], [0.0, 1.0]]
    """
    return np.concatenate([x, np.ones((*x.shape[:-1], 1), dtype=np.float32)], axis=-1)
