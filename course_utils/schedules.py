r"""Learning-rate schedules: pure functions from the step t = 0, 1, 2, ... to the rate of update t.

Every factory returns a `Schedule`, which is called with one step (and gives a float) or with an
integer array of steps (and gives a float64 array). A step is one *update*, not one epoch; the first
update is step 0. The signature says what arguments may be: `lr: Positive`, `alpha: Share` (0 to 1),
`decay_steps: Count` (1 or more); anything else is an error that names it.

Definitions, defaults and edge cases are TensorFlow 1's where it has the schedule; what other
libraries mean by the same names is in `lessons.lesson10.libraries`. In the formulas
:math:`\eta_0` is `lr`, t the step, T (or D) is `decay_steps`. What a schedule is, your own, ways to
combine them, and PyTorch, are in `schedule.py`; the one that watches a metric in `plateau.py`.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from course_utils import validate
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
from course_utils.validate import AtLeastOne, Count, CountOrZero, Flag, NonNegative, Positive, Share


def _between(start: Any, end: Any, done: Any) -> Any:
    """From `start` to `end`, `done` of the way, along whatever curve it follows."""
    return start + (end - start) * done


def _half_cosine(done: Any) -> Any:
    """From 1 to 0 while `done` goes from 0 to 1, along half a cosine."""
    return 0.5 * (1 + np.cos(np.pi * done))


# ------------------------------------------------------ schedules that decay from the first step on


@family
def step_decay(lr: Positive, step_size: Count, drop: Positive = 0.5) -> Law:
    r"""Multiply by `drop` every `step_size` steps: :math:`\eta_t = \eta_0 d^{\lfloor t/s \rfloor}`.

    Unlike in `piecewise_constant`, the rate changes *at* steps s, 2s, ...

    >>> step_decay(0.1, step_size=10)([0, 9, 10, 20])
    array([0.1  , 0.1  , 0.05 , 0.025])
    """
    formula = r"\eta_t = \eta_0\, d^{\lfloor t/s \rfloor}"
    return Law(formula, lambda t: lr * drop ** np.floor(t / step_size))


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
    :math:`\eta_0/(k+1)` and falls again: every peak is lower.

    >>> polynomial(0.1, 100)([0, 50, 100, 101])
    array([0.1    , 0.05005, 0.0001 , 0.0001 ])
    """

    def rate(t: np.ndarray) -> np.ndarray:
        cycles = np.maximum(1, np.ceil(t / decay_steps)) if cycle else 1  # at t = 0 the first
        left = 1 - np.minimum(t / (decay_steps * cycles), 1)
        return _between(end_lr, lr, left**power)

    horizon = r"T\lceil t/T \rceil" if cycle else "T"
    formula = rf"(\eta_0 - \eta_e)\left(1 - \frac{{t}}{{{horizon}}}\right)^p + \eta_e"
    return Law(r"\eta_t = " + formula, rate)


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
        return lr * _between(alpha, 1, _half_cosine(np.minimum(t / decay_steps, 1)))

    return Law(formula, rate)


@family
def cosine_restarts(
    lr: Positive,
    first_decay_steps: Count,
    t_mul: AtLeastOne = 2.0,
    m_mul: Positive = 1.0,
    alpha: Share = 0.0,
) -> Law:
    r"""Half cosines, each starting at a peak: SGDR, stochastic gradient descent with warm restarts.

    In cycle i, which is :math:`T_i = T_0\, t_{mul}^i` steps long, after a fraction f of it,
    :math:`\eta_t = \eta_0[(1-\alpha)\, m_{mul}^i \frac{1}{2}(1+\cos \pi f) + \alpha]`. The step at
    which a cycle ends is the first of the next one, exactly (TensorFlow may miss it by one step).

    >>> cosine_restarts(0.1, 100, m_mul=0.5)([0, 50, 100, 200, 300])
    array([0.1  , 0.05 , 0.05 , 0.025, 0.025])
    """

    def rate(t: np.ndarray) -> np.ndarray:
        i, f = _cycle(t, first_decay_steps, t_mul)  # the number of the cycle, what has passed of it
        return lr * ((1 - alpha) * m_mul**i * _half_cosine(f) + alpha)

    formula = (
        r"\eta_t = \eta_0\left[(1-\alpha)\, m^i\, \frac{1}{2}"
        r"\left(1 + \cos\frac{\pi (t - S_i)}{T_i}\right) + \alpha\right],"
        r"\quad T_i = T_0\, t_{mul}^i,\ S_i = T_0 + \dots + T_{i-1}"
    )
    return Law(formula, rate)


def _cycle(t: np.ndarray, first: int, t_mul: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of the cycle each step is in, and the fraction of it that has passed."""
    if t_mul == 1:
        cycle, passed = np.divmod(t, first)
        return cycle, passed / first
    last = np.max(t, initial=0)
    count = int(np.log1p(last * (t_mul - 1) / first) / np.log(t_mul)) + 2
    lengths = first * t_mul ** np.arange(count)
    starts = np.concatenate([[0], np.cumsum(lengths[:-1])])
    # Rounded, so that 8040.000000000001 = 1000 * (1 + 2.2 + 2.2**2) counts as step 8040.
    cycle = np.searchsorted(np.round(starts, 6), t, side="right") - 1
    return cycle, (t - starts[cycle]) / lengths[cycle]


@family
def linear_cosine(
    lr: Positive,
    decay_steps: Count,
    num_periods: NonNegative = 0.5,
    alpha: NonNegative = 0.0,
    beta: NonNegative = 0.001,
) -> Law:
    r"""A line times a cosine: :math:`\eta_t = \eta_0[(\alpha + 1 - t/T)\, c_t + \beta]`.

    :math:`c_t = \frac{1}{2}(1 + \cos(2\pi n t/T))` with n periods. The defaults start at 1.001 lr,
    not at lr, and end at 0.001 lr. Past T the rate stays. Bello et al., arXiv 1709.07417.

    >>> linear_cosine(0.1, 100)([0, 50, 100, 200])
    array([1.001e-01, 2.510e-02, 1.000e-04, 1.000e-04])
    """

    def rate(t: np.ndarray, noise: Any = 0.0) -> np.ndarray:
        progress = np.minimum(t / decay_steps, 1)
        wave = 0.5 * (1 + np.cos(2 * np.pi * num_periods * progress))
        return lr * ((alpha + 1 - progress + noise) * wave + beta)

    formula = (
        r"\eta_t = \eta_0\left[\left(\alpha + 1 - \frac{t}{T}\right)"
        r"\frac{1}{2}\left(1 + \cos\frac{2\pi n t}{T}\right) + \beta\right]"
    )
    return Law(formula, rate)


def _nonnegative_or_none(name: str, value: Any) -> float | None:
    return None if value is None else validate.nonnegative(name, value)


@family
def noisy_linear_cosine(
    lr: Positive,
    decay_steps: Count,
    initial_variance: NonNegative = 1.0,
    variance_decay: NonNegative = 0.55,
    num_periods: NonNegative = 0.5,
    alpha: NonNegative = 0.0,
    beta: NonNegative = 0.001,
    seed: CountOrZero = 0,
    floor: Annotated[float | None, _nonnegative_or_none] = None,
) -> Law:
    r"""`linear_cosine` with noise: :math:`\eta_t = \eta_0[(\alpha+1-t/T+\varepsilon_t)c_t+\beta]`.

    :math:`\varepsilon_t \sim N(0, v/(1+t)^d)`, of the step and the seed alone. The rate can be
    **negative** (with the defaults in 16 of 100 seeds at step 0); `floor=0.0` forbids it.

    >>> schedule = noisy_linear_cosine(0.1, 100, seed=1)
    >>> schedule(7) == schedule.rates(100).tolist()[7]
    True
    """
    smooth: Any = linear_cosine(lr, decay_steps, num_periods, alpha, beta).rate

    def rate(t: np.ndarray) -> np.ndarray:
        variance = initial_variance / (1 + np.minimum(t, decay_steps)) ** variance_decay
        noisy: np.ndarray = smooth(t, np.sqrt(variance) * _standard_normal(seed, t))
        return noisy if floor is None else np.maximum(noisy, floor)

    formula = (
        r"\eta_t = \eta_0\left[\left(\alpha + 1 - \frac{t}{T} + \varepsilon_t\right)"
        r"\frac{1}{2}\left(1 + \cos\frac{2\pi n t}{T}\right) + \beta\right],"
        r"\quad \varepsilon_t \sim N\!\left(0, \frac{v}{(1+t)^d}\right)"
    )
    return Law(formula, rate)


def _standard_normal(seed: int, t: np.ndarray) -> np.ndarray:
    """Return one draw from N(0, 1) per step that depends on the seed and that step alone."""
    size = 4096  # a generator for every block of steps: a late step costs no more than an early one
    block, column = np.divmod(t.astype(np.int64), size)
    blocks, row = np.unique(block, return_inverse=True)
    draws = [np.random.default_rng([seed, k]).standard_normal(size) for k in blocks]
    return np.array(draws).reshape(-1, size)[row.reshape(block.shape), column]


# -------------------------------------------------- schedules that rise: cyclic, one-cycle, WSD


@family
def triangular(lr_min: NonNegative, lr_max: Positive, step_size: Count) -> Law:
    r"""Up and down in straight lines: :math:`\eta_t = \eta_{min} + (\eta_{max}-\eta_{min})(1-|x|)`.

    :math:`x = (t \bmod 2s)/s - 1`: at `lr_min` at t = 0, 2s, 4s, ..., at `lr_max` at t = s, 3s, ...
    Smith, arXiv 1506.01186.

    >>> triangular(0.0, 1.0, 4)(np.arange(9))
    array([0.  , 0.25, 0.5 , 0.75, 1.  , 0.75, 0.5 , 0.25, 0.  ])
    """
    if lr_max <= lr_min:
        raise ValueError(f"lr_max must be greater than lr_min = {lr_min!r}, got {lr_max!r}")

    def rate(t: np.ndarray) -> np.ndarray:
        x = np.mod(t, 2 * step_size) / step_size - 1
        return _between(lr_min, lr_max, 1 - np.abs(x))

    formula = (
        r"\eta_t = \eta_{min} + (\eta_{max} - \eta_{min})"
        r"\left(1 - \left|\frac{t \bmod 2s}{s} - 1\right|\right)"
    )
    return Law(formula, rate)


_RISES: dict[str, tuple[str, Rates]] = {
    "cos": (r"\frac{1}{2}(1 - \cos \pi f)", lambda f: 0.5 * (1 - np.cos(np.pi * f))),
    "linear": ("f", lambda f: f),
}


@family
def one_cycle(
    lr_max: Positive,
    total_steps: Annotated[int, lambda name, value: validate.integer(name, value, minimum=2)],
    warmup_fraction: Share = 0.3,
    div_factor: AtLeastOne = 25.0,
    final_div_factor: AtLeastOne = 1e4,
    anneal: Annotated[str, lambda name, value: validate.one_of(name, value, _RISES)] = "cos",
) -> Law:
    r"""One rise to `lr_max` and one fall to almost nothing, :math:`\eta = a + (b - a) h(f)`.

    From a = lr_max / div_factor up to lr_max at step warmup_fraction * total_steps - 1, then down
    to lr_max / (div_factor * final_div_factor) at step total_steps - 1, where it stays; f is the
    fraction of the phase that has passed, h(f) = f or :math:`\frac{1}{2}(1-\cos \pi f)`. It is
    `torch.optim.lr_scheduler.OneCycleLR`. Smith & Topin, arXiv 1708.07120.

    >>> one_cycle(0.1, total_steps=100)([0, 29, 99]).round(7)
    array([4.e-03, 1.e-01, 4.e-07])
    """
    first, last = lr_max / div_factor, lr_max / div_factor / final_div_factor
    peak, end = warmup_fraction * total_steps - 1, total_steps - 1
    formula, h = _RISES[anneal]

    def rate(t: np.ndarray) -> np.ndarray:
        t = np.minimum(t, end)
        up = t / peak if peak > 0 else np.ones_like(t)
        down = (t - peak) / (end - peak) if peak < end else np.zeros_like(t)
        return np.where(t < peak, _between(first, lr_max, h(up)), _between(lr_max, last, h(down)))

    return Law(r"\eta_t = a + (b - a)\, h(f),\quad h(f) = " + formula, rate)


_FALLS: dict[str, tuple[str, Rates]] = {  # of what is left of the cool-down, 1 - u
    "linear": (r"\frac{W + S + D - t}{D}", lambda left: left),
    "cosine": (r"\frac{1}{2}(1 + \cos \pi u)", lambda left: _half_cosine(1 - left)),
    "1-sqrt": (r"1 - \sqrt{u}", lambda left: 1 - np.sqrt(1 - left)),
    "square": ("1 - u^2", lambda left: 1 - (1 - left) ** 2),
}


@family
def warmup_stable_decay(
    lr: Positive,
    warmup_steps: CountOrZero,
    stable_steps: CountOrZero,
    decay_steps: CountOrZero,
    shape: Annotated[str, lambda name, value: validate.one_of(name, value, _FALLS)] = "linear",
) -> Law:
    r"""A trapezoid (WSD): W steps up from 0 to `lr`, S steps at `lr`, D steps down to 0.

    :math:`\eta_t/\eta_0 = t/W`, then 1, then a cool-down of :math:`u = (t-W-S)/D`, then 0. Its
    shape is "linear" :math:`1-u`, "cosine" :math:`\frac{1}{2}(1+\cos \pi u)`, "1-sqrt"
    :math:`1-\sqrt u` or "square" :math:`1-u^2`. Hu et al., 2404.06395; Hägele et al., 2405.18392.

    >>> warmup_stable_decay(1.0, 2, 3, 4)(np.arange(10))
    array([0.  , 0.5 , 1.  , 1.  , 1.  , 1.  , 0.75, 0.5 , 0.25, 0.  ])
    """
    W, S, D = warmup_steps, stable_steps, decay_steps
    formula, fall = _FALLS[shape]

    def rate(t: np.ndarray) -> np.ndarray:
        up = t / W if W else np.ones_like(t)
        left = (W + S + D - t) / D if D else 1.0 * (t < W + S)
        return lr * np.minimum(np.clip(up, 0, 1), fall(np.clip(left, 0, 1)))

    formula = rf"\eta_t = \eta_0 \min\left(\frac{{t}}{{W}},\ 1,\ {formula}\right)"
    return Law(formula + r"\quad(0 \text{ past the end})", rate)


# doctest looks behind a decorator only where it is told to.
__test__ = {name: value for name, value in globals().items() if hasattr(value, "__wrapped__")}
