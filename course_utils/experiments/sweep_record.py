"""What `sweep` returns: the record of every network that it trained."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from course_utils.experiments.table import Basin, Best, Table
from course_utils.run import DIVERGENCE_RATIO, Run
from course_utils.schedules import Schedule


@dataclass(frozen=True, eq=False)
class Sweep:
    """The record of R learning rates times S seeds, T updates each.

    `table` is what it came to: the last value of every metric.

    Args:
        schedules: R schedules.
        lrs: shape (R,), each number as it was given, or the peak of a schedule that was given.
        seeds: shape (S,).
        lr: shape (R, T), the rate used at each update, which is a float32.
        loss: shape (R, S, T), mean loss of the mini-batch before each update (no L2 term).
        grad_norm: shape (R, S, T), norm of the gradient of that loss plus the L2 term.
        final_loss: shape (R, S), mean loss over the training set after the last update.
        metrics: "step" (E,) and measured arrays (R, S, E) such as "validation_accuracy".
        diverged: shape (R, S), True where a loss was not finite or ended above 10 times the first.
        meta: what was run, in plain JSON types.

    Example:
        >>> from course_utils.experiments.sweep import sweep
        >>> result = sweep([0.01, 0.1], seeds=[0], steps=50)
        >>> result.final("validation_accuracy").shape, len(list(result))
        ((2, 1), 2)
        >>> result.best("validation_loss").edge
        'high'
    """

    schedules: tuple[Schedule, ...]
    lrs: np.ndarray
    seeds: np.ndarray
    lr: np.ndarray
    loss: np.ndarray
    grad_norm: np.ndarray
    final_loss: np.ndarray
    metrics: dict[str, np.ndarray]
    diverged: np.ndarray
    meta: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def table(self) -> Table:
        """The last value of every metric, to be compared with other methods and to be kept."""
        last = {name: v[..., -1] for name, v in self.metrics.items() if name != "step"}
        return Table(self.lrs, self.seeds, last, self.diverged, self.meta)

    def final(self, metric: str) -> np.ndarray:
        """Return a metric after the last update, shape (R, S)."""
        return self.table.final(metric)

    def best(self, metric: str = "validation_loss") -> Best:
        """Return the rate whose mean over seeds is best; see `Table.best`."""
        return self.table.best(metric)

    def basin(self, metric: str = "validation_loss", tolerance: float = 0.02) -> Basin:
        """Return the rates around the best that are nearly as good; see `Table.basin`."""
        return self.table.basin(metric, tolerance)

    def run(self, i: int, j: int = 0) -> Run:
        """Return the run with rate i and seed j as a `Run`."""
        i, j = _position("i", i, len(self.lrs)), _position("j", j, len(self.seeds))
        return Run(
            lr=self.lr[i],
            loss=self.loss[i, j],
            grad_norm=self.grad_norm[i, j],
            final_loss=self.final_loss[i, j],
            metrics={k: v if k == "step" else v[i, j] for k, v in self.metrics.items()},
            meta=self.meta
            | {
                "schedule": repr(self.schedules[i]),
                "peak_lr": float(self.lrs[i]),
                "seed": int(self.seeds[j]),
            },
        )

    def __iter__(self) -> Iterator[Run]:
        for i in range(len(self.lrs)):
            for j in range(len(self.seeds)):
                yield self.run(i, j)


def diverged(loss: np.ndarray, final_loss: np.ndarray) -> np.ndarray:
    """Return for all networks (R, S) what `Run.diverged` says of one; the losses are not negative.

    >>> diverged(np.array([[[1.0, 2.0]], [[1.0, 2.0]]]), np.array([[9], [11]]))
    array([[False],
           [ True]])
    """
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(loss).all(axis=-1) & np.isfinite(final_loss)
        return ~finite | (final_loss > DIVERGENCE_RATIO * loss[..., 0])


def _position(name: str, index: Any, length: int) -> int:
    """`index` as a position in 0..length - 1; a negative one counts from the end."""
    try:
        position = operator.index(index)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {index!r}") from None
    if not -length <= position < length:
        raise ValueError(f"{name} must be in {-length}..{length - 1}, got {position}")
    return position % length
