"""What a toy problem is: a loss, its gradient and its Hessian, checked at the door.

The problems of the course are in `course_utils.problems`, which exports `Problem` too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from course_utils import validate

Field = Callable[[Any], np.ndarray]


@dataclass(frozen=True, eq=False)
class Problem:
    r"""A loss :math:`f(w)` of d parameters to be minimized.

    Loss, gradient and Hessian are functions of w, shape (..., d), to (...,), (..., d) and
    (..., d, d); they check that shape. `start` and `minimum` (a global one, None where there is
    none) have shape (d,). `formula` is LaTeX without dollar signs; `parameters` are, in plain
    types, the numbers that the problem was made with.

    >>> from course_utils.problems import shifted_square
    >>> shifted_square().loss([[5.0], [-1.0]])
    array([36.,  0.])
    """

    name: str
    formula: str
    loss: Field = field(repr=False)
    gradient: Field = field(repr=False)
    hessian: Field = field(repr=False)
    start: np.ndarray
    minimum: np.ndarray | None = None
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        start = np.array(validate.array("start", self.start, ndim=1))
        if not start.size:
            raise ValueError("start must hold at least one parameter, got an empty array")
        points = {"start": start}
        if self.minimum is not None:
            points["minimum"] = np.array(validate.array("minimum", self.minimum, shape=start.shape))
        for name, point in points.items():
            point.flags.writeable = False  # they are not changed by accident
            object.__setattr__(self, name, point)
        for name in ("loss", "gradient", "hessian"):
            object.__setattr__(self, name, _checked(name, getattr(self, name), start.size))

    @property
    def dimension(self) -> int:
        """The number of parameters d."""
        return self.start.size


def _checked(name: str, function: Field, d: int) -> Field:
    """`function` behind a check that the last axis of its argument has length d."""
    if not callable(function):
        raise TypeError(f"{name} must be a function of w, got {function!r}")

    def call(w: Any) -> np.ndarray:
        w = validate.floats("w", w)
        if w.shape[-1:] != (d,):
            raise ValueError(f"w must have shape (..., {d}), got {w.shape}")
        return function(w)

    return call
