"""What one method reached at R learning rates from S seeds: its best rate, its basin, differences.

A comparison is a dictionary of tables, one per method (schedule, batch size, decay, ...): each is
judged at its *own* best rate. `save` and `load` keep such a dictionary in a file. For the interval
of a mean over seeds see `intervals.estimate`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from course_utils import validate
from course_utils.experiments import audit, files
from course_utils.experiments.intervals import estimate, numbers


@dataclass(frozen=True)
class Best:
    """The rate with the best mean over seeds; usable as an index (`table.lrs[best]`).

    `edge` is "low" or "high" where the best rate is the smallest or largest one tried: then the
    grid ends too early and the answer is only "at most this" or "at least this". It is None inside
    the grid, and where only one rate was tried. `standard_error` is NaN where there is one seed.
    """

    index: int
    lr: float
    value: float
    standard_error: float
    edge: str | None

    def __index__(self) -> int:
        return self.index

    def __str__(self) -> str:
        text = f"{self.value:.4g} ± {self.standard_error:.2g} at learning rate {self.lr:.3g}"
        return text + (f" (on the {self.edge} edge of the grid: extend it)" if self.edge else "")


@dataclass(frozen=True)
class Basin:
    """The rates around the best that are nearly as good; unpacks into (low, high, decades).

    `edge` is "low", "high" or "both" where the basin reaches the end of the grid, so that its
    width is a lower bound; else None, as where only one rate was tried.
    """

    low: float
    high: float
    edge: str | None

    @property
    def decades(self) -> float:
        """The width on the logarithmic axis, log10(high / low)."""
        with np.errstate(divide="ignore", invalid="ignore"):  # a rate of 0 is infinitely far away
            return float(np.log10(np.divide(self.high, self.low)))

    def __iter__(self) -> Iterator[float]:
        return iter((self.low, self.high, self.decades))


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
        seeds = _seeds(self.seeds)
        for name in ("metrics", "meta"):
            value = getattr(self, name)
            if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
                raise TypeError(f"{name} must be a dictionary with strings as keys, got {value!r}")
        shape = len(lrs), len(seeds)
        metrics = {k: _cells(f"metrics[{k!r}]", v, shape) for k, v in self.metrics.items()}
        marks = np.zeros(shape) if self.diverged is None else self.diverged
        diverged = _cells("diverged", marks, shape)
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
        """Return the rate whose mean over seeds is best, and whether the grid ends there.

        A rate at which a seed diverged or has no finite value never wins; of equals, the smallest.
        """
        index = int(np.lexsort((self.lrs, self._scores(metric)))[0])
        found = estimate(self.metrics[metric][index])
        edge = self._edge(self.lrs[index], self.lrs[index])
        return Best(index, float(self.lrs[index]), found.mean, found.standard_error, edge)

    def basin(self, metric: str, tolerance: float) -> Basin:
        """Return the unbroken range of rates around the best within `tolerance` of its mean.

        `tolerance` is in the units of the metric: 0.02 means two points of accuracy, or 0.02 of
        loss; a mean exactly that far away is inside. The width depends on it and on the grid.
        """
        tolerance = validate.nonnegative("tolerance", tolerance)
        order = np.argsort(self.lrs, kind="stable")
        scores, rates = self._scores(metric)[order], self.lrs[order]
        low = high = int(np.argmin(scores))
        with np.errstate(over="ignore"):  # 0.91 - 0.89 is a rounding error above 0.02
            rounding = 16 * np.spacing(max(abs(scores[low]), tolerance))
            good = np.isfinite(scores) & (scores <= scores[low] + tolerance + rounding)
        while low > 0 and good[low - 1]:
            low -= 1
        while high < len(good) - 1 and good[high + 1]:
            high += 1
        return Basin(float(rates[low]), float(rates[high]), self._edge(rates[low], rates[high]))

    def at_best(self, metric: str, by: str) -> np.ndarray:
        """Return `metric` at the rate that is best by the metric `by`, shape (S,)."""
        values = self.final(metric)
        return values[self.best(validate.one_of("by", by, self.metrics))]

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

    def _edge(self, low: float, high: float) -> str | None:
        first, last = low == self.lrs.min(), high == self.lrs.max()
        if self.lrs.min() == self.lrs.max() or not (first or last):
            return None
        return "both" if first and last else "low" if first else "high"


def higher_is_better(metric: str) -> bool:
    """Return whether larger values of a metric are better: those of accuracies, by its name.

    >>> higher_is_better("test_accuracy"), higher_is_better("test_loss")
    (True, False)
    """
    validate.instance("metric", metric, str)
    return metric == "accuracy" or metric.endswith("_accuracy")


def save(
    path: str | PathLike[str],
    tables: Mapping[str, Table],
    *,
    command: str,
    seconds: float | None = None,
) -> None:
    """Write tables to a file, atomically; every float is read back exactly as it was.

    Args:
        path: the file; its folder must exist.
        tables: one per method. A table that was read from a file keeps its provenance.
        command: the line that makes this file again.
        seconds: how long the tables that are new took to make.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table = Table([0.1], [0], {"test_loss": [[0.25]]})
        ...     save(f"{folder}/speed.json", {"Adam": table}, command="python speed.py", seconds=9)
        ...     load(f"{folder}/speed.json")["Adam"].final("test_loss").tolist()
        [[0.25]]
    """
    files.check("tables", tables, Table)
    for name, table in tables.items():
        if "drawn" in table.meta:
            raise ValueError(f"tables[{name!r}] has its seeds drawn anew, for an audit: not saved")
    files.write(path, "tables", {name: _encode(t) for name, t in tables.items()}, command, seconds)


def load(path: str | PathLike[str]) -> dict[str, Table]:
    """Read a file written by `save`; `meta["provenance"]` says how each table was made.

    In an audit (`course_utils.experiments.audit`) the seeds of every table are drawn anew; the
    labels `seeds` stay, and `meta["drawn"]` says whose results stand in each column.
    """
    tables = files.read(path, "tables", _decode)
    if audit.shift():
        tables = {name: _drawn_anew(Path(path).name, name, t) for name, t in tables.items()}
    return tables


def _drawn_anew(file: str, name: str, table: Table) -> Table:
    if len(table.seeds) == 1:  # nothing to draw from: `make audit` lists the tables it cannot try
        audit.report(f"{file}: {name}")
        return table
    columns = audit.draw(file, table.seeds)
    return replace(
        table,
        metrics={metric: values[:, columns] for metric, values in table.metrics.items()},
        diverged=table.diverged[:, columns],
        meta=table.meta | {"drawn": table.seeds[columns].tolist()},
    )


def _encode(table: Table) -> dict[str, Any]:
    return {
        "lrs": table.lrs.tolist(),
        "seeds": table.seeds.tolist(),
        "metrics": {
            metric: [[v if math.isfinite(v) else str(v) for v in row] for row in values.tolist()]
            for metric, values in table.metrics.items()
        },
        "diverged": table.diverged.astype(int).tolist(),
        "meta": table.meta,
    }


def _decode(content: Any) -> Table:
    expected = sorted(field.name for field in fields(Table))
    if not isinstance(content, dict) or sorted(content) != expected:
        raise ValueError(f"it must have the fields {expected}, got {content!r:.80}")
    metrics = {k: [list(map(_number, row)) for row in v] for k, v in content["metrics"].items()}
    return Table(**content | {"metrics": metrics})


def _number(value: Any) -> float:
    if type(value) not in (int, float) and value not in ("nan", "inf", "-inf"):
        raise ValueError(f"metrics must hold numbers, 'nan', 'inf' and '-inf', got {value!r}")
    return float(value)  # of those strings, too: strict JSON has no such numbers


def _cells(name: str, values: Any, shape: tuple[int, int]) -> np.ndarray:
    array = numbers(name, values, "iufb")
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    return array.astype(np.float64)


def _seeds(values: Any) -> np.ndarray:
    array = numbers("seeds", values, "iuf")
    seeds = array.astype(np.int64) if array.dtype.kind in "iu" else np.array([-1])
    if array.ndim != 1 or seeds.min(initial=0) < 0 or not 0 < len(seeds) == len(np.unique(seeds)):
        raise ValueError(f"seeds must be different integers, 0 or greater, got {values!r}")
    return seeds
