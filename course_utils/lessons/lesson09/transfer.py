"""The best rate between the rates of a grid, and how it moves: the slope on a log-log plot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from course_utils.experiments.table import Table, higher_is_better

DRAWS = 200


def best_rate(table: Table, metric: str = "test_loss") -> float:
    r"""Return the vertex of the parabola through the best rate of a grid and its two neighbors.

    Over the logarithm of the rate; of the logarithm of a loss, or of an accuracy itself. At the end
    of the grid there is no parabola: the end is returned.

    >>> rates = 2.0 ** np.arange(-3, 4)
    >>> loss = np.exp((np.log(rates) - np.log(1.2)) ** 2)
    >>> round(best_rate(Table(rates, [0], {"test_loss": loss[:, None]})), 6)
    1.2
    """
    return _vertex(table.lrs, _cost(table.final(metric), metric))


@dataclass(frozen=True)
class Slope:
    """The exponent k of best rate ∝ x^k, and its 95 % interval over seeds."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"


def slope(tables: Mapping[float, Table], metric: str = "test_loss") -> Slope:
    r"""Return how the best rate moves with x, by a line through the logarithms of both.

    The interval is a bootstrap: the seeds are drawn anew 200 times, in all tables alike.

    Args:
        tables: x -> table; of equal seeds, at least two.

    Example:
        >>> rates, tables = 2.0 ** np.arange(-6, 7), {}
        >>> for x in (1, 4, 16):
        ...     loss = np.exp((np.log(rates) - 0.5 * np.log(x)) ** 2)
        ...     tables[x] = Table(rates, [0, 1], {"test_loss": np.stack([loss, loss], axis=1)})
        >>> print(slope(tables))
        +0.50 [+0.50, +0.50]
    """
    x = np.log(list(tables))
    grids = [(table.lrs, table.final(metric)) for table in tables.values()]
    seeds, rng = grids[0][1].shape[1], np.random.default_rng(0)

    def fitted(columns: np.ndarray) -> float:
        best = [_vertex(lrs, _cost(values[:, columns], metric)) for lrs, values in grids]
        return float(np.polyfit(x, np.log(best), 1)[0])

    drawn = [fitted(rng.integers(seeds, size=seeds)) for _ in range(DRAWS)]
    return Slope(fitted(np.arange(seeds)), *np.quantile(drawn, [0.025, 0.975]).tolist())


def _cost(values: np.ndarray, metric: str) -> np.ndarray:
    with np.errstate(all="ignore"):
        mean = values.mean(axis=1)
        cost = -mean if higher_is_better(metric) else np.log(mean)
    return np.where(np.isfinite(cost), cost, 50.0)


def _vertex(lrs: np.ndarray, cost: np.ndarray) -> float:
    order = np.argsort(lrs)
    x, y = np.log(lrs[order]), cost[order]
    i = int(np.argmin(y))
    if i in (0, len(y) - 1):
        return float(lrs[order][i])
    left, right = min(y[i - 1], y[i] + 3), min(y[i + 1], y[i] + 3)  # a cliff is not a parabola
    bend = left - 2 * y[i] + right
    move = 0.5 * (left - right) / bend if bend > 0 else 0.0
    return float(np.exp(x[i] + move * (x[i + 1] - x[i - 1]) / 2))
