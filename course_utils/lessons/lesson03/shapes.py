"""The shapes that lesson 3 compares: every one from a peak down to its end, at the last update."""

from __future__ import annotations

from collections.abc import Callable

from course_utils import schedules
from course_utils.schedules import Schedule

Shape = Callable[[float, float, int], Schedule]
"""(peak, end as a fraction of the peak, updates T) -> schedule."""


def _piecewise(lr: float, end: float, steps: int) -> Schedule:
    """Two equal drops, after half and after three quarters of the run."""
    values = [lr, lr * end**0.5, lr * end]
    return schedules.piecewise_constant([steps // 2 - 1, 3 * steps // 4 - 1], values)


def _hold(lr: float, end: float, steps: int) -> Schedule:
    half = steps // 2
    fall = schedules.polynomial(lr, steps - half, end_lr=lr * end)
    return schedules.join([lr, fall], boundaries=[half])


def _restarts(lr: float, end: float, steps: int) -> Schedule:
    """Three cosines, each twice as long as the one before."""
    return schedules.cosine_restarts(lr, -(-steps // 7), alpha=end)


def _linear_cosine(lr: float, end: float, steps: int) -> Schedule:
    """The family goes from (1 + beta) times its rate to beta times that: from lr to end · lr."""
    if end == 1:
        return schedules.constant(lr)
    return schedules.linear_cosine(lr * (1 - end), steps, beta=end / (1 - end))


SHAPES: dict[str, Shape] = {
    "constant": lambda lr, end, T: schedules.constant(lr),
    "piecewise constant": _piecewise,
    "exponential": lambda lr, end, T: schedules.exponential(lr, T, end),
    "inverse time": lambda lr, end, T: schedules.inverse_time(lr, T, 1 / end - 1),
    "linear": lambda lr, end, T: schedules.polynomial(lr, T, end_lr=lr * end),
    "polynomial, power 2": lambda lr, end, T: schedules.polynomial(
        lr, T, end_lr=lr * end, power=2.0
    ),
    "cosine": lambda lr, end, T: schedules.cosine(lr, T, alpha=end),
    "cosine restarts": _restarts,
    "hold, then linear": _hold,
    "linear cosine": _linear_cosine,
}
"""By name. The end is above 0 and at most 1; a constant rate ignores it."""
