"""A mean over seeds with its standard error and its interval, of one method or of paired ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils import validate


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds, its standard error, and the interval (low, high) around it."""

    mean: float
    standard_error: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.4g} ± {self.standard_error:.2g}"


def estimate(values: Any, confidence: float = 0.95) -> Estimate:
    r"""Return the mean over S seeds with its standard error and Student's t interval.

    .. math:: \bar x \pm t_{S-1}\, \frac{s}{\sqrt S}

    For paired differences, give it those: `estimate(a.difference(b, "test_loss", "test_loss"))`.
    One value, or one that is not finite, leaves the interval (-inf, inf).

    Example:
        >>> estimate([1.0, 2.0, 3.0])
        Estimate(mean=2.0, standard_error=0.577..., low=-0.484..., high=4.484...)
    """
    values = numbers("values", values, "iuf")
    if values.ndim != 1 or not len(values):
        raise ValueError(f"values must be a list of at least one number, got {values!r}")
    confidence = validate.between("confidence", confidence, 0, 1, open_high=True)
    with np.errstate(invalid="ignore", over="ignore"):
        mean = float(values.mean())
    if len(values) < 2 or not np.isfinite(values).all():
        return Estimate(mean, math.nan, -math.inf, math.inf)
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    reach = _student(confidence, len(values) - 1) * error
    return Estimate(mean, error, mean - reach, mean + reach)


def share(successes: int, of: int) -> Estimate:
    r"""Return the share of successes among n seeds with Wilson's interval of 95 %.

    .. math:: \frac{p + z^2/2n \pm z\sqrt{p(1-p)/n + z^2/4n^2}}{1 + z^2/n}, \qquad z = 1.96

    Unlike mean ± two standard errors it stays in [0, 1], and has a width where none or all succeed.
    Of no seeds at all the share is NaN, somewhere from 0 to 1.

    Source: E. Wilson, Probable inference, 1927.

    Example:
        >>> share(0, 4).high, share(4, 10).low
        (0.489..., 0.168...)
    """
    n = validate.integer("of", of, minimum=0)
    k = validate.integer("successes", successes, minimum=0)
    if k > n:
        raise ValueError(f"successes must be at most {n}, got {successes!r}")
    if n == 0:
        return Estimate(math.nan, math.nan, 0.0, 1.0)
    p = k / n
    z = 1.959964
    middle, scale = p + z * z / (2 * n), 1 + z * z / n
    reach = z * math.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    low, high = (middle - reach) / scale, (middle + reach) / scale
    return Estimate(p, math.sqrt(p * (1 - p) / n), max(low, 0.0), min(high, 1.0))


def _student(confidence: float, freedom: int) -> float:
    """The t with P(|T| < t) = confidence (Abramowitz & Stegun 26.7.3 and 26.7.4, bisected)."""
    odd = freedom % 2

    def inside(angle: float) -> float:  # tan(angle) = t / sqrt(freedom)
        total, term = 0.0, math.cos(angle) if odd else 1.0
        for k in range(freedom // 2):
            total += term
            term *= math.cos(angle) ** 2 * (2 * k + 1 + odd) / (2 * k + 2 + odd)
        total *= math.sin(angle)
        return 2 / math.pi * (angle + total) if odd else total

    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if inside(middle) < confidence else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


def numbers(name: str, values: Any, kinds: str) -> np.ndarray:
    """Return `values` as an array of numbers, finite or not; `kinds` are NumPy's letters.

    >>> numbers("values", [1, math.inf], "iuf")
    array([ 1., inf])
    """
    try:
        array = np.asarray(values)
    except ValueError as error:  # a ragged list
        raise ValueError(f"{name} must be an array of numbers, got {values!r}") from error
    if array.dtype.kind not in kinds:
        raise TypeError(f"{name} must be an array of numbers, got {values!r}")
    if np.ma.is_masked(values):
        raise ValueError(f"{name} must not have masked values (fill them first), got {values!r}")
    return array
