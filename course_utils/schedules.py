r"""Learning-rate schedules: pure functions from the step t = 0, 1, 2, ... to the rate of update t.

Each function below states a `Law`: its formula, to show, and the rate at an array of steps. The
decorator checks the arguments and makes of it a factory of a `Schedule`, which gives a float for
one step and a float64 array for an integer array of steps. A step is one *update*, not one epoch;
the first is step 0. The signature says what arguments may be: `lr: Positive`, `alpha: Share` (0 to
1), `decay_steps: Count` (1 or more); anything else is an error that names it.

Here are those that decay from the first step on; `schedules_rising` has those that rise,
`schedules_historical` those of TensorFlow 1 that are seldom met, `schedule` your own, combinations
and PyTorch, `plateau` the one that watches a metric. All are imported from here. Definitions,
defaults and edge cases are TensorFlow 1's where it has the schedule; other libraries differ (lesson
10). In the formulas :math:`\eta_0` is `lr`, t the step, T (or D) is `decay_steps`.
"""

from __future__ import annotations

import numpy as np

from course_utils.plateau import ReduceOnPlateau as ReduceOnPlateau
from course_utils.schedule import FAMILIES as FAMILIES
from course_utils.schedule import Law, Rates, family
from course_utils.schedule import Schedule as Schedule
from course_utils.schedule import as_schedule as as_schedule
from course_utils.schedule import constant as constant
from course_utils.schedule import custom as custom
from course_utils.schedule import join as join
from course_utils.schedule import piecewise_constant as piecewise_constant
from course_utils.schedule import to_torch as to_torch
from course_utils.schedule import with_warmup as with_warmup
from course_utils.schedules_historical import linear_cosine as linear_cosine
from course_utils.schedules_historical import noisy_linear_cosine as noisy_linear_cosine
from course_utils.schedules_rising import cosine_restarts as cosine_restarts
from course_utils.schedules_rising import one_cycle as one_cycle
from course_utils.schedules_rising import triangular as triangular
from course_utils.schedules_rising import warmup_stable_decay as warmup_stable_decay
from course_utils.validate import Count, Flag, NonNegative, Positive, Share


@family
def step_decay(lr: Positive, step_size: Count, drop: Positive = 0.5) -> Law:
    r"""Multiply by `drop` every `step_size` steps: :math:`\eta_t = \eta_0 d^{\lfloor t/s \rfloor}`.

    Unlike in `piecewise_constant`, the rate changes *at* steps s, 2s, ...

    >>> step_decay(0.1, step_size=10)([0, 9, 10, 20])
    array([0.1  , 0.1  , 0.05 , 0.025])
    """
    formula = r"\eta_t = \eta_0\, d^{\lfloor t/s \rfloor}"
    return Law(formula, lambda t: lr * drop ** np.floor(t / step_size))


@family
def cosine(lr: Positive, decay_steps: Count, alpha: Share = 0.0) -> Law:
    r"""Half a cosine: :math:`\eta_t = \eta_0[(1-\alpha)\frac{1}{2}(1+\cos(\pi t/T)) + \alpha]`.

    Past T the rate stays at alpha * lr. Loshchilov & Hutter, arXiv 1608.03983.

    >>> cosine(0.1, 100, alpha=0.1)([0, 50, 100, 150])
    array([0.1  , 0.055, 0.01 , 0.01 ])
    """
    formula = (
        r"\eta_t = \eta_0\left[(1-\alpha)\,\frac{1}{2}"
        r"\left(1 + \cos\frac{\pi \min(t, T)}{T}\right) + \alpha\right]"
    )

    def rate(t: np.ndarray) -> np.ndarray:
        done = np.minimum(t / decay_steps, 1)
        return lr * (alpha + (1 - alpha) * 0.5 * (1 + np.cos(np.pi * done)))

    return Law(formula, rate)


@family
def polynomial(
    lr: Positive,
    decay_steps: Count,
    end_lr: NonNegative = 1e-4,
    power: Positive = 1.0,
    cycle: Flag = False,
) -> Law:
    r"""Go to `end_lr` along a power: :math:`\eta_t = (\eta_0 - \eta_e)(1 - t/T)^p + \eta_e`.

    Past T the rate stays at `end_lr` (an absolute rate). With `cycle` the horizon is stretched to
    the next multiple of T instead, so that after kT the rate jumps up to about
    :math:`\eta_0/(k+1)^p` and falls again: every peak is lower.

    >>> polynomial(0.1, 100)([0, 50, 100, 101])
    array([0.1    , 0.05005, 0.0001 , 0.0001 ])
    """

    def rate(t: np.ndarray) -> np.ndarray:
        cycles = np.maximum(1, np.ceil(t / decay_steps)) if cycle else 1  # at t = 0 the first
        left = 1 - np.minimum(t / (decay_steps * cycles), 1)
        return end_lr + (lr - end_lr) * left**power

    horizon = r"T\max(1, \lceil t/T \rceil)" if cycle else "T"
    formula = rf"(\eta_0 - \eta_e)\left(1 - \frac{{t}}{{{horizon}}}\right)^p + \eta_e"
    return Law(r"\eta_t = " + formula, rate)


@family
def inverse_sqrt(lr: Positive, decay_steps: Count = 1) -> Law:
    r"""Decay like one over the square root of t: :math:`\eta_t = \eta_0 / \sqrt{1 + t/D}`.

    With D = 1 it is the rate that Adagrad follows on a constant gradient (Duchi, Hazan & Singer,
    JMLR 12, 2011); after a linear warm-up the Transformer's (Vaswani et al., 1706.03762, §5.3).

    >>> inverse_sqrt(0.1)([0, 3, 99])
    array([0.1 , 0.05, 0.01])
    """
    formula = r"\eta_t = \frac{\eta_0}{\sqrt{1 + t/D}}"
    return Law(formula, lambda t: lr / np.sqrt(1 + t / decay_steps))


def _of_periods(formula: str, rate: Rates, decay_steps: int, staircase: bool) -> Law:
    """The body of three families: a formula of the number of periods t/D, or of its whole part."""
    if staircase:
        formula = formula.replace("t/D", r"\lfloor t/D \rfloor")
        return Law(formula, lambda t: rate(np.floor(t / decay_steps)))
    return Law(formula, lambda t: rate(t / decay_steps))


@family
def exponential(
    lr: Positive, decay_steps: Count, decay_rate: Positive, staircase: Flag = False
) -> Law:
    r"""Multiply by `decay_rate` per `decay_steps` steps: :math:`\eta_t = \eta_0\, r^{t/D}`.

    It never ends: past `decay_steps` it goes on falling (in steps, with `staircase`).

    >>> exponential(0.1, 100, 0.5)([0, 100, 200])
    array([0.1  , 0.05 , 0.025])
    """
    formula = r"\eta_t = \eta_0\, r^{t/D}"
    return _of_periods(formula, lambda n: lr * decay_rate**n, decay_steps, staircase)


@family
def natural_exponential(
    lr: Positive, decay_steps: Count, decay_rate: NonNegative, staircase: Flag = False
) -> Law:
    r"""Decay with base e: :math:`\eta_t = \eta_0\, e^{-r t / D}`.

    The same family as `exponential`, whose `decay_rate` is :math:`e^{-r}`.

    >>> natural_exponential(0.1, 100, 0.5)([0, 100, 200]).round(4)
    array([0.1   , 0.0607, 0.0368])
    """
    formula = r"\eta_t = \eta_0\, e^{-r t/D}"
    return _of_periods(formula, lambda n: lr * np.exp(-decay_rate * n), decay_steps, staircase)


@family
def inverse_time(
    lr: Positive, decay_steps: Count, decay_rate: NonNegative, staircase: Flag = False
) -> Law:
    r"""Decay like 1/t: :math:`\eta_t = \eta_0 / (1 + r t / D)`.

    >>> inverse_time(0.1, 100, 0.5)([0, 100, 200])
    array([0.1       , 0.06666667, 0.05      ])
    """
    formula = r"\eta_t = \frac{\eta_0}{1 + r\, t/D}"
    return _of_periods(formula, lambda n: lr / (1 + decay_rate * n), decay_steps, staircase)
