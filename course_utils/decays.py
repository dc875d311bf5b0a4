r"""The families of TensorFlow 1 and their kin: schedules that decay from the first step on.

Definitions, defaults and edge cases are those of `tf.compat.v1.train.*`; a docstring says where
another library means something else by the same name. :math:`\eta_0` is `lr`, t the step, T (or
D) is `decay_steps`. Import them from `course_utils.schedules`.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from course_utils.schedule import Law, Rates, anneal, family, half_cosine
from course_utils.validate import (
    AtLeastOne,
    Count,
    CountOrZero,
    Flag,
    NonNegative,
    Positive,
    Share,
    nonnegative,
)


@family
def step_decay(lr: Positive, step_size: Count, drop: Positive = 0.5) -> Law:
    r"""Multiply by `drop` every `step_size` steps: :math:`\eta_t = \eta_0 d^{\lfloor t/s \rfloor}`.

    The same as `exponential` with `staircase=True`, and as PyTorch's `StepLR`. Unlike in
    `piecewise_constant`, the rate changes *at* steps s, 2s, ...

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

    It never ends: past `decay_steps` it goes on falling (in steps, with `staircase`). PyTorch's
    `ExponentialLR` has a factor per *step*: `gamma = decay_rate ** (1 / decay_steps)`.

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

    The same family as `exponential`, whose `decay_rate` is :math:`e^{-r}`: base e decays no
    faster, only the same number means something else (0.96 here is 0.38 there; 0 is constant).

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

    The old Keras argument `decay` is this with `decay_steps=1`: a decay per *update*, not a step
    decay per epoch.

    >>> inverse_time(0.1, 100, 0.5)([0, 100, 200])
    array([0.1       , 0.06666667, 0.05      ])
    """
    formula = r"\eta_t = \frac{\eta_0}{1 + r\, t/D}"
    return _of_periods(formula, lambda n: lr / (1 + decay_rate * n), decay_steps, staircase)


@family
def inverse_sqrt(lr: Positive, decay_steps: Count = 1) -> Law:
    r"""Decay like one over the square root of t: :math:`\eta_t = \eta_0 / \sqrt{1 + t/D}`.

    At t = 3D the rate is half of `lr`. With D = 1 it is the rate that Adagrad follows on a constant
    gradient (Duchi, Hazan & Singer, JMLR 12, 2011). The Transformer's rule is a linear warm-up
    followed by :math:`1/\sqrt{t}` (Vaswani et al., arXiv 1706.03762, §5.3).

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
    :math:`\eta_0/(k+1)` and falls again: every peak is lower. PyTorch's `PolynomialLR` ends at 0.

    >>> polynomial(0.1, 100)([0, 50, 100, 101])
    array([0.1    , 0.05005, 0.0001 , 0.0001 ])
    >>> polynomial(0.1, 100, cycle=True)([100, 101]).round(4)
    array([0.0001, 0.0496])
    """

    def rate(t: np.ndarray) -> np.ndarray:
        cycles = np.maximum(1, np.ceil(t / decay_steps)) if cycle else 1  # at t = 0 the first
        left = 1 - np.minimum(t / (decay_steps * cycles), 1)
        return anneal(end_lr, lr, left**power)

    horizon = r"T\lceil t/T \rceil" if cycle else "T"
    formula = rf"(\eta_0 - \eta_e)\left(1 - \frac{{t}}{{{horizon}}}\right)^p + \eta_e"
    return Law(r"\eta_t = " + formula, rate)


@family
def cosine(lr: Positive, decay_steps: Count, alpha: Share = 0.0) -> Law:
    r"""Half a cosine: :math:`\eta_t = \eta_0[(1-\alpha)\frac{1}{2}(1+\cos(\pi t/T)) + \alpha]`.

    Past T the rate stays at alpha * lr. PyTorch's `CosineAnnealingLR` has an *absolute* floor,
    `eta_min = alpha * lr`, and climbs up again after T. Loshchilov & Hutter, arXiv 1608.03983.

    >>> cosine(0.1, 100, alpha=0.1)([0, 50, 100, 150])
    array([0.1  , 0.055, 0.01 , 0.01 ])
    """
    formula = (
        r"\eta_t = \eta_0\left[(1-\alpha)\,\frac{1}{2}"
        r"\left(1 + \cos\frac{\pi \min(t, T)}{T}\right) + \alpha\right]"
    )
    return Law(
        formula, lambda t: lr * anneal(alpha, 1, half_cosine(np.minimum(t / decay_steps, 1)))
    )


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
    which a cycle ends is the first of the next one. TensorFlow finds i from a ratio of
    logarithms, whose rounding can miss a restart by one step; here it is exact. PyTorch's
    `CosineAnnealingWarmRestarts` has T_mult=1 by default, whole numbers only, and no m_mul.

    >>> cosine_restarts(0.1, 100, m_mul=0.5)([0, 50, 100, 200, 300])
    array([0.1  , 0.05 , 0.05 , 0.025, 0.025])
    """

    def rate(t: np.ndarray) -> np.ndarray:
        i, f = _cycle(t, first_decay_steps, t_mul)  # the number of the cycle, what has passed of it
        return lr * ((1 - alpha) * m_mul**i * half_cosine(f) + alpha)

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
    return None if value is None else nonnegative(name, value)


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

    :math:`\varepsilon_t \sim N(0, v/(1+t)^d)`. As in TensorFlow the rate can be **negative** (with
    the defaults in 16 of 100 seeds at step 0), which steps *up* the loss; `floor=0.0` forbids it.
    TensorFlow draws new noise at every evaluation; here the noise belongs to the step and the
    seed, so the same step always gives the same rate, in whatever order.

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


_BLOCK = 4096


def _standard_normal(seed: int, t: np.ndarray) -> np.ndarray:
    """Return one draw from N(0, 1) per step that depends on the seed and that step alone."""
    steps = t.astype(np.int64)
    block = steps // _BLOCK
    blocks, row = np.unique(block, return_inverse=True)
    # A generator for every block of steps: a late step costs no more than an early one.
    draws = [np.random.default_rng([seed, k]).standard_normal(_BLOCK) for k in blocks]
    return np.array(draws).reshape(-1, _BLOCK)[row.reshape(block.shape), steps - block * _BLOCK]


# doctest looks behind a decorator only where it is told to.
__test__ = {name: value for name, value in globals().items() if hasattr(value, "__wrapped__")}
