"""What a table may hold: a number in each cell, seeds that differ."""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.experiments.intervals import numbers


def checked_cells(name: str, values: Any, shape: tuple[int, int]) -> np.ndarray:
    """Return numbers, finite or not, as float64, or raise unless they have this shape.

    >>> checked_cells("diverged", [[True, False]], (1, 2))
    array([[1., 0.]])
    """
    array = numbers(name, values, "iufb")
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    return array.astype(np.float64)


def checked_seeds(values: Any) -> np.ndarray:
    """Return seeds as int64, or raise unless they are different integers.

    >>> checked_seeds(range(3))
    array([0, 1, 2])
    """
    array = numbers("seeds", values, "iuf")
    seeds = array.astype(np.int64) if array.dtype.kind in "iu" else np.array([-1])
    if array.ndim != 1 or seeds.min(initial=0) < 0 or not 0 < len(seeds) == len(np.unique(seeds)):
        raise ValueError(f"seeds must be different integers, 0 or greater, got {values!r}")
    return seeds
