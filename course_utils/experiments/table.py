"""What one method reached at R learning rates from S seeds: its best rate, its basin, differences.

A comparison is a dictionary of tables, one per method, each judged at its *own* best rate. `save`
and `load` keep it in a file; `intervals.estimate` gives the interval of a mean over seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from course_utils import validate
from course_utils.experiments import best as judge
from course_utils.experiments.best import Basin as Basin
from course_utils.experiments.best import Best as Best
from course_utils.experiments.best import higher_is_better as higher_is_better
from course_utils.experiments.files import rounded
from course_utils.experiments.intervals import estimate
from course_utils.experiments.table_checks import checked_cells, checked_seeds
from course_utils.experiments.table_files import load as load
from course_utils.experiments.table_files import save as save


@dataclass(frozen=True, eq=False)
class Table:
    """One method: R learning rates times S seeds, and what was measured at the end of each run.

    Args:
        lrs: shape (R,), in any order; for a schedule its peak.
        seeds: shape (S,).
        metrics: name -> shape (R, S). "accuracy" and "..._accuracy" are better when larger, every
            other metric when smaller. Not finite where there is no such number.
        diverged: shape (R, S), True where a run did; None if none did.
        meta: what was run, in plain JSON types.

    Example:
        >>> accuracy = [[0.80, 0.82], [0.90, 0.94], [np.nan, 0.10]]
        >>> table = Table([0.01, 0.1, 1.0], [0, 1], {"test_accuracy": accuracy})
        >>> print(table.best("test_accuracy"))
        0.92 ± 0.02 at learning rate 0.1
        >>> table.basin("test_accuracy", tolerance=0.15)
        Basin(low=0.01, high=0.1, edge='low')
    """

    lrs: np.ndarray
    seeds: np.ndarray
    metrics: dict[str, np.ndarray]
    diverged: np.ndarray | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lrs = validate.array("lrs", self.lrs, ndim=1).copy()
        if not len(lrs):
            raise ValueError("lrs must not be empty")
        if (lrs < 0).any():
            raise ValueError(f"lrs must be 0 or greater, got {self.lrs!r}")
        seeds = checked_seeds(self.seeds)
        for name in ("metrics", "meta"):
            value = getattr(self, name)
            if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
                raise TypeError(f"{name} must be a dictionary with strings as keys, got {value!r}")
        shape = len(lrs), len(seeds)
        metrics = {k: checked_cells(f"metrics[{k!r}]", v, shape) for k, v in self.metrics.items()}
        marks = np.zeros(shape) if self.diverged is None else self.diverged
        diverged = checked_cells("diverged", marks, shape)
        if not np.isin(diverged, (0, 1)).all():
            raise ValueError(f"diverged must hold True and False only, got {self.diverged!r}")
        clean = {"lrs": lrs, "seeds": seeds, "metrics": metrics, "diverged": diverged.astype(bool)}
        for name, value in (clean | {"meta": dict(self.meta)}).items():
            object.__setattr__(self, name, value)

    def final(self, metric: str) -> np.ndarray:
        """Return what was measured, shape (R, S)."""
        return self.metrics[validate.one_of("metric", metric, self.metrics)]

    def mean(self, metric: str) -> np.ndarray:
        """Return the mean over the seeds (R,); not finite where a seed has no finite value."""
        with np.errstate(invalid="ignore", over="ignore"):
            return self.final(metric).mean(axis=1)

    def best(self, metric: str) -> Best:
        """Return the rate whose mean over seeds is best, and in `edge` whether the grid ends there.

        A rate at which a seed diverged or has no finite value never wins; of equals, the smallest.
        """
        index = int(np.lexsort((self.lrs, self._scores(metric)))[0])
        lr, found = float(self.lrs[index]), estimate(self.metrics[metric][index])
        return Best(index, lr, found.mean, found.standard_error, judge.edge(self.lrs, lr, lr))

    def basin(self, metric: str, tolerance: float) -> Basin:
        """Return the unbroken range of rates around the best within `tolerance` of its mean.

        `tolerance` is in the units of the metric: 0.02 means two points of accuracy, or 0.02 of
        loss; a mean exactly that far away is inside. The width depends on it and on the grid.
        """
        tolerance = validate.nonnegative("tolerance", tolerance)
        return judge.basin(self.lrs, self._scores(metric), tolerance)

    def at_best(self, metric: str, by: str) -> np.ndarray:
        """Return `metric`, shape (S,), at the one rate whose mean of `by` is best."""
        values = self.final(metric)
        chosen = self.best(validate.one_of("by", by, self.metrics))
        return values[chosen.index]

    def difference(self, other: Table, metric: str, by: str) -> np.ndarray:
        """Return self minus other, each at its own best rate, paired by seed, shape (S,)."""
        if not isinstance(other, Table):
            raise TypeError(f"other must be a Table, got {other!r}")
        mine, others = self.seeds.tolist(), other.seeds.tolist()
        if mine != others:
            raise ValueError(f"other must have the seeds {mine}, got {others}")
        with np.errstate(invalid="ignore"):
            return self.at_best(metric, by) - other.at_best(metric, by)

    def nearest(self, lr: float) -> int:
        """Return the index of the rate that is nearest to `lr` on a logarithmic axis."""
        lr = validate.positive("lr", lr)
        with np.errstate(divide="ignore"):
            distance = np.abs(np.log(self.lrs / lr))
        return int(np.argmin(distance))

    def select(
        self, *, lrs: Iterable[float] | None = None, seeds: Iterable[int] | None = None
    ) -> Table:
        """Return the table of some rates (each to 1 %) and some seeds, in the order given."""
        places = {int(seed): place for place, seed in enumerate(self.seeds)}
        rows = list(range(len(self.lrs)))
        if lrs is not None:
            rows = [self._row(lr) for lr in validate.sequence("lrs", lrs)]
        seeds = places if seeds is None else validate.sequence("seeds", seeds)
        columns = [places[validate.one_of("seeds", seed, places)] for seed in seeds]
        cells = np.ix_(rows, columns)
        metrics = {name: values[cells] for name, values in self.metrics.items()}
        meta = dict(self.meta)
        if "drawn" in meta:  # in an audit
            meta["drawn"] = [meta["drawn"][column] for column in columns]
        return Table(self.lrs[rows], self.seeds[columns], metrics, self.diverged[cells], meta)

    def rounded(self, digits: int) -> Table:
        """Return the table for a file: metrics with so many digits, NaN where they are not finite.

        >>> Table([0.1], [0, 1], {"loss": [[2 / 3, np.inf]]}).rounded(3).final("loss")
        array([[0.667,   nan]])
        """
        metrics = {k: np.array(rounded(v, digits), float) for k, v in self.metrics.items()}
        return replace(self, metrics=metrics)

    def _row(self, lr: float) -> int:
        row = self.nearest(validate.positive("lrs", lr))
        if not 0.99 < self.lrs[row] / lr < 1.01:
            raise ValueError(f"lrs must be rates of this table, {self.lrs.tolist()}, got {lr!r}")
        return row

    def _scores(self, metric: str) -> np.ndarray:
        """The mean per rate, turned so that smaller is better, infinite where there is none."""
        mean = self.mean(metric)
        scores = np.where(np.isfinite(mean) & ~self.diverged.any(axis=1), mean, np.nan)
        scores = -scores if higher_is_better(metric) else scores
        if np.isnan(scores).all():
            raise ValueError(f"no learning rate of this table has a finite {metric}")
        return np.nan_to_num(scores, nan=np.inf)
