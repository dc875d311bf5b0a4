"""The best of R learning rates, the basin around it, and whether the grid ended too early."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from course_utils import validate


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


def basin(lrs: np.ndarray, scores: np.ndarray, tolerance: float) -> Basin:
    """Return the unbroken range of rates around the least score that is within `tolerance` of it.

    >>> basin(np.array([0.1, 0.2, 0.4, 0.8]), np.array([0.9, 0.51, 0.5, np.inf]), 0.02)
    Basin(low=0.2, high=0.4, edge=None)
    """
    order = np.argsort(lrs, kind="stable")
    scores, rates = scores[order], lrs[order]
    low = high = int(np.argmin(scores))
    with np.errstate(over="ignore"):  # 0.91 - 0.89 is a rounding error above 0.02
        rounding = 16 * np.spacing(max(abs(scores[low]), tolerance))
        good = np.isfinite(scores) & (scores <= scores[low] + tolerance + rounding)
    while low > 0 and good[low - 1]:
        low -= 1
    while high < len(good) - 1 and good[high + 1]:
        high += 1
    return Basin(float(rates[low]), float(rates[high]), edge(lrs, rates[low], rates[high]))


def edge(lrs: np.ndarray, low: float, high: float) -> str | None:
    """Return which end of the grid `lrs` the range from `low` to `high` reaches.

    >>> edge(np.array([0.1, 0.2, 0.4]), 0.1, 0.2), edge(np.array([0.1]), 0.1, 0.1)
    ('low', None)
    """
    first, last = low == lrs.min(), high == lrs.max()
    if lrs.min() == lrs.max() or not (first or last):
        return None
    return "both" if first and last else "low" if first else "high"


def higher_is_better(metric: str) -> bool:
    """Return whether larger values of a metric are better: those of accuracies, by its name.

    >>> higher_is_better("test_accuracy"), higher_is_better("test_loss")
    (True, False)
    """
    validate.instance("metric", metric, str)
    return metric == "accuracy" or metric.endswith("_accuracy")
