r"""Races of update rules: after how many steps does each copy of the parameters arrive?

A rule is never judged at one rate: many copies of the parameters move side by side, one per rate,
with the very `step` that the lessons teach.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils import validate
from course_utils.descent import descend
from course_utils.optimizers import Optimizer
from course_utils.problems import Problem
from course_utils.run import Run

LEVEL = 0.01
"""The loss to stay below: then a run has arrived."""


def steps_to_arrive(
    optimizer: Optimizer,
    problem: Problem,
    rates: Any,
    steps: int = 1000,
    level: float = LEVEL,
    start: Any = None,
) -> np.ndarray:
    """Return, for each rate, after how many updates the loss stays below `level`.

    All rates run side by side, from the same start, for `steps` updates each. To stay means: until
    the end, and for a tenth of the steps at least; a run that jumps about has not arrived because
    it happens to be low when the time is up.

    Args:
        optimizer: the update rule; it is `reset()` first.
        problem: what to minimize, with d parameters.
        rates: the learning rates, shape (K,), greater than 0.
        steps: the budget of each run.
        level: the loss to stay below.
        start: shape (d,); `problem.start` if not given.

    Returns:
        Shape (K,): a number of updates from 0 to 0.9 `steps`, or infinity where the loss did not
        come to stay below the level.

    Example:
        >>> from course_utils.optimizers import GradientDescent
        >>> from course_utils.problems import shifted_square
        >>> steps_to_arrive(GradientDescent(), shifted_square(), [0.1, 0.5, 1.0], level=1e-6)
        array([39.,  1., inf])
    """
    validate.instance("problem", problem, Problem)
    rates = validate.array("rates", rates, ndim=1)
    if not rates.size or (rates <= 0).any():
        raise ValueError(f"rates must hold numbers greater than 0, got {rates!r}")
    level = validate.positive("level", level)
    if start is not None:
        start = validate.array("start", start, shape=(problem.dimension,))
    return arrivals(descend(problem, optimizer, rates, steps, start, record_params=False), level)


def arrivals(run: Run, level: float = LEVEL) -> np.ndarray:
    """Return after how many updates each replica of a run came to stay below the level.

    >>> from course_utils.optimizers import GradientDescent
    >>> from course_utils.problems import shifted_square
    >>> arrivals(descend(shifted_square(), GradientDescent(), [0.5, 1.0], 100))
    array([ 1., inf])
    """
    # Infinity is not below the level, so a run that has diverged never arrives.
    above = np.concatenate([run.loss, run.final_loss[None]]) >= level
    arrived = np.where(above.any(axis=0), len(above) - np.argmax(above[::-1], axis=0), 0.0)
    return np.where(arrived > 0.9 * run.steps, np.inf, arrived)
