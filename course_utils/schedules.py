r"""Learning-rate schedules: pure functions from the step t = 0, 1, 2, ... to the rate of update t.

Every factory below checks its arguments and returns a `Schedule`, which is called with one step
(and gives a float) or with an integer array of steps (and gives a float64 array). It has no
state: the same step always gives the same rate, in whatever order the steps are asked for.

A step is one *update*, not one epoch; the first update is step 0. Where TensorFlow 1 has the
schedule (`tf.compat.v1.train.*`), its definition, defaults and edge cases are used, and the
docstring says where another library means something else by the same name.

In the formulas :math:`\eta_0` is `lr`, t the step and T (or D) `decay_steps`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils.validate import between, finite, integer, nonnegative, one_of, positive

if TYPE_CHECKING:
    import torch


# --------------------------------------------------------------------------------------------
# What a schedule is
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Schedule:
    r"""A learning rate for every step, :math:`t \mapsto \eta_t`; made by the factories below.

    Args:
        family: the name of the factory, e.g. "cosine_restarts".
        name: what a legend says, e.g. "cosine restarts".
        formula: LaTeX, without dollar signs.
        parameters: the arguments of the factory, so that `family` and `parameters` say it all:
            they make the `repr`, decide equality, and are what is pickled.
        rate: the formula, from a float64 array of steps to the array of rates.

    Example:
        >>> schedule = exponential(0.1, decay_steps=100, decay_rate=0.5)
        >>> schedule(0), schedule(100)
        (0.1, 0.05)
        >>> schedule(np.array([0, 100, 200]))
        array([0.1  , 0.05 , 0.025])
        >>> schedule
        exponential(lr=0.1, decay_steps=100, decay_rate=0.5, staircase=False)
    """

    family: str
    name: str
    formula: str
    parameters: dict[str, Any] = field(hash=False)
    rate: Callable[[np.ndarray], np.ndarray] = field(compare=False, repr=False)

    def __call__(self, step: Any) -> Any:
        """Return the rate of update `step` (int -> float, integer array -> float64 array).

        Raises:
            TypeError: if a step is not a whole number.
            ValueError: if a step is below 0.

        Example:
            >>> constant(0.1)(-1)
            Traceback (most recent call last):
                ...
            ValueError: step must be 0 or greater, got -1
        """
        with np.errstate(over="ignore", under="ignore"):
            rates = np.asarray(self.rate(_steps(step)), dtype=np.float64)
        return float(rates) if rates.ndim == 0 else rates

    def rates(self, steps: int) -> np.ndarray:
        """Return the rates of the first `steps` updates, shape (steps,).

        Example:
            >>> polynomial(1.0, 4, end_lr=0.0).rates(6)
            array([1.  , 0.75, 0.5 , 0.25, 0.  , 0.  ])
        """
        return self(np.arange(integer("steps", steps, minimum=0)))

    def area(self, steps: int) -> float:
        r"""Return the area under the schedule, :math:`\sum_{t < \text{steps}} \eta_t`.

        With small rates, runs of equal area end at nearly the same loss, whatever their shape.

        Example:
            >>> polynomial(1.0, 4, end_lr=0.0).area(4)
            2.5
        """
        return float(self.rates(steps).sum())

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.parameters.items())
        return f"{self.family}({arguments})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.family, self.parameters)


def _rebuild(family: str, parameters: dict[str, Any]) -> Schedule:
    return FAMILIES[family](**parameters)


def as_schedule(rate: float | Schedule) -> Schedule:
    """Return `rate` itself if it is a `Schedule`, and a constant schedule if it is a number.

    Raises:
        TypeError: for anything else; wrap your own function in `custom`.

    Example:
        >>> as_schedule(0.1)
        constant(lr=0.1)
    """
    if isinstance(rate, Schedule):
        return rate
    if callable(rate):
        raise TypeError(f"lr must be a number or a Schedule, got {rate!r}; use custom(function)")
    return constant(rate)


# --------------------------------------------------------------------------------------------
# TensorFlow 1's families
# --------------------------------------------------------------------------------------------


def constant(lr: float) -> Schedule:
    r"""Return the schedule that never changes: :math:`\eta_t = \eta_0`.

    Args:
        lr: the learning rate, greater than 0.

    Raises:
        ValueError: if `lr` is not a finite number greater than 0.

    Example:
        >>> constant(0.1)(1_000_000)
        0.1
    """
    lr = positive("lr", lr)

    def rate(t):
        return np.full_like(t, lr)

    return _schedule("constant", r"\eta_t = \eta_0", rate, lr=lr)


def piecewise_constant(boundaries: Sequence[int], values: Sequence[float]) -> Schedule:
    r"""Return one constant rate per interval: :math:`\eta_t = v_i` for :math:`b_{i-1} < t \le b_i`.

    At a boundary the *old* rate still holds, as in TensorFlow: with `boundaries=[100]` the first
    101 updates (0 to 100) use the first value. PyTorch's `MultiStepLR` and optax change *at* the
    boundary, one update earlier.

    Args:
        boundaries: n increasing steps.
        values: n + 1 rates, 0 or greater.

    Raises:
        ValueError: if the boundaries do not increase or the lengths do not fit.

    Source: `tf.compat.v1.train.piecewise_constant`.

    Example:
        >>> schedule = piecewise_constant([50, 100], [0.1, 0.05, 0.01])
        >>> schedule([0, 50, 51, 100, 101])
        array([0.1 , 0.1 , 0.05, 0.05, 0.01])
    """
    boundaries = _boundaries("boundaries", boundaries, minimum=0)
    values = [nonnegative(f"values[{i}]", v) for i, v in enumerate(_sequence("values", values))]
    if len(values) != len(boundaries) + 1:
        raise ValueError(
            "values must have one item more than boundaries, "
            f"got {len(values)} values for {len(boundaries)} boundaries"
        )

    def rate(t):
        interval = np.searchsorted(boundaries, t, side="left")  # "left": b itself is before b
        return np.array(values)[interval]

    formula = r"\eta_t = v_i \quad\text{for}\quad b_{i-1} < t \le b_i"
    return _schedule("piecewise_constant", formula, rate, boundaries=boundaries, values=values)


def step_decay(lr: float, step_size: int, drop: float = 0.5) -> Schedule:
    r"""Multiply by `drop` every `step_size` steps: :math:`\eta_t = \eta_0 d^{\lfloor t/s \rfloor}`.

    The same as `exponential` with `staircase=True`, and as PyTorch's `StepLR`. Unlike in
    `piecewise_constant`, the rate changes *at* steps s, 2s, ...

    Args:
        lr: the first rate, greater than 0.
        step_size: how many updates each rate lasts, at least 1.
        drop: the factor, greater than 0.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> step_decay(0.1, step_size=10)([0, 9, 10, 20])
        array([0.1  , 0.1  , 0.05 , 0.025])
    """
    lr, s, drop = positive("lr", lr), _count("step_size", step_size), positive("drop", drop)

    def rate(t):
        return lr * drop ** np.floor(t / s)

    formula = r"\eta_t = \eta_0\, d^{\lfloor t/s \rfloor}"
    return _schedule("step_decay", formula, rate, lr=lr, step_size=s, drop=drop)


def exponential(
    lr: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> Schedule:
    r"""Multiply by `decay_rate` per `decay_steps` steps: :math:`\eta_t = \eta_0\, r^{t/D}`.

    It never ends: past `decay_steps` it goes on falling. PyTorch's `ExponentialLR` has a factor
    per *step*: `gamma = decay_rate ** (1 / decay_steps)`.

    Args:
        lr: the rate at step 0, greater than 0.
        decay_steps: D, the number of updates that multiply the rate by r once, at least 1.
        decay_rate: r, greater than 0 (below 1 to decay).
        staircase: use the whole part of t/D, so that the rate falls in steps.

    Raises:
        ValueError: if an argument is out of its range.

    Source: `tf.compat.v1.train.exponential_decay`.

    Example:
        >>> exponential(0.1, 100, 0.5)([0, 100, 200])
        array([0.1  , 0.05 , 0.025])
    """
    lr, D, r = positive("lr", lr), _count("decay_steps", decay_steps), decay_rate
    r, whole = positive("decay_rate", r), _flag("staircase", staircase)

    def rate(t):
        periods = np.floor(t / D) if whole else t / D
        return lr * r**periods

    formula = (
        r"\eta_t = \eta_0\, r^{\lfloor t/D \rfloor}" if whole else r"\eta_t = \eta_0\, r^{t/D}"
    )
    return _schedule(
        "exponential", formula, rate, lr=lr, decay_steps=D, decay_rate=r, staircase=whole
    )


def natural_exponential(
    lr: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> Schedule:
    r"""Decay with base e: :math:`\eta_t = \eta_0\, e^{-r t / D}`.

    The same family as `exponential`, whose `decay_rate` is :math:`e^{-r}`: base e decays no
    faster, only the same number means something else (0.96 here is 0.38 there).

    Args:
        lr: the rate at step 0, greater than 0.
        decay_steps: D, at least 1.
        decay_rate: r, 0 or greater (0 is constant, unlike in `exponential`).
        staircase: use the whole part of t/D.

    Raises:
        ValueError: if an argument is out of its range.

    Source: `tf.compat.v1.train.natural_exp_decay`.

    Example:
        >>> natural_exponential(0.1, 100, 0.5)([0, 100, 200]).round(4)
        array([0.1   , 0.0607, 0.0368])
    """
    lr, D, r = positive("lr", lr), _count("decay_steps", decay_steps), decay_rate
    r, whole = nonnegative("decay_rate", r), _flag("staircase", staircase)

    def rate(t):
        periods = np.floor(t / D) if whole else t / D
        return lr * np.exp(-r * periods)

    power = r"\lfloor t/D \rfloor" if whole else "t/D"
    return _schedule(
        "natural_exponential",
        rf"\eta_t = \eta_0\, e^{{-r {power}}}",
        rate,
        lr=lr,
        decay_steps=D,
        decay_rate=r,
        staircase=whole,
    )


def inverse_time(
    lr: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> Schedule:
    r"""Decay like 1/t: :math:`\eta_t = \eta_0 / (1 + r t / D)`.

    The old Keras argument `decay` is this with `decay_steps=1`: a decay per *update*, not a step
    decay per epoch.

    Args:
        lr: the rate at step 0, greater than 0.
        decay_steps: D, at least 1.
        decay_rate: r, 0 or greater.
        staircase: use the whole part of t/D.

    Raises:
        ValueError: if an argument is out of its range.

    Source: `tf.compat.v1.train.inverse_time_decay`.

    Example:
        >>> inverse_time(0.1, 100, 0.5)([0, 100, 200])
        array([0.1       , 0.06666667, 0.05      ])
    """
    lr, D, r = positive("lr", lr), _count("decay_steps", decay_steps), decay_rate
    r, whole = nonnegative("decay_rate", r), _flag("staircase", staircase)

    def rate(t):
        periods = np.floor(t / D) if whole else t / D
        return lr / (1 + r * periods)

    power = r"\lfloor t/D \rfloor" if whole else "t/D"
    return _schedule(
        "inverse_time",
        rf"\eta_t = \frac{{\eta_0}}{{1 + r\, {power}}}",
        rate,
        lr=lr,
        decay_steps=D,
        decay_rate=r,
        staircase=whole,
    )


def inverse_sqrt(lr: float, decay_steps: int = 1) -> Schedule:
    r"""Decay like one over the square root of t: :math:`\eta_t = \eta_0 / \sqrt{1 + t/D}`.

    With D = 1 it is the rate that Adagrad follows on a constant gradient. TensorFlow 1 has no
    such function; the Transformer's rule is a linear warm-up followed by :math:`1/\sqrt{t}`.

    Args:
        lr: the rate at step 0, greater than 0.
        decay_steps: D, at least 1; at t = 3D the rate is half of `lr`.

    Raises:
        ValueError: if an argument is out of its range.

    Source: Duchi, Hazan & Singer, JMLR 12 (2011); Vaswani et al., arXiv 1706.03762, §5.3.

    Example:
        >>> inverse_sqrt(0.1)([0, 3, 99])
        array([0.1 , 0.05, 0.01])
    """
    lr, D = positive("lr", lr), _count("decay_steps", decay_steps)

    def rate(t):
        return lr / np.sqrt(1 + t / D)

    formula = r"\eta_t = \frac{\eta_0}{\sqrt{1 + t/D}}"
    return _schedule("inverse_sqrt", formula, rate, lr=lr, decay_steps=D)


def polynomial(
    lr: float,
    decay_steps: int,
    end_lr: float = 1e-4,
    power: float = 1.0,
    cycle: bool = False,
) -> Schedule:
    r"""Go to `end_lr` along a power: :math:`\eta_t = (\eta_0 - \eta_e)(1 - t/T)^p + \eta_e`.

    Past T the rate stays at `end_lr`. With `cycle=True` the horizon is stretched to the next
    multiple of T instead, so that after kT the rate jumps up to about :math:`\eta_0/(k+1)` and
    falls again: every peak is lower. PyTorch's `PolynomialLR` always ends at 0.

    Args:
        lr: the rate at step 0, greater than 0.
        decay_steps: T, at least 1.
        end_lr: the last rate, 0 or greater (an absolute rate).
        power: p, greater than 0; 1 is a straight line.
        cycle: stretch the horizon instead of stopping.

    Raises:
        ValueError: if an argument is out of its range.

    Source: `tf.compat.v1.train.polynomial_decay`.

    Example:
        >>> polynomial(0.1, 100)([0, 50, 100, 101])
        array([0.1    , 0.05005, 0.0001 , 0.0001 ])
        >>> polynomial(0.1, 100, cycle=True)([100, 101]).round(4)
        array([0.0001, 0.0496])
    """
    lr, T, end = positive("lr", lr), _count("decay_steps", decay_steps), end_lr
    end, p, cycle = nonnegative("end_lr", end), positive("power", power), _flag("cycle", cycle)

    def rate(t):
        horizon = T * np.maximum(1, np.ceil(t / T)) if cycle else T  # at t = 0 the first horizon
        progress = np.minimum(t / horizon, 1)
        return (lr - end) * (1 - progress) ** p + end

    horizon = r"T\lceil t/T \rceil" if cycle else "T"
    return _schedule(
        "polynomial",
        rf"\eta_t = (\eta_0 - \eta_e)\left(1 - \frac{{t}}{{{horizon}}}\right)^p + \eta_e",
        rate,
        lr=lr,
        decay_steps=T,
        end_lr=end,
        power=p,
        cycle=cycle,
    )


def cosine(lr: float, decay_steps: int, alpha: float = 0.0) -> Schedule:
    r"""Half a cosine: :math:`\eta_t = \eta_0[(1-\alpha)\frac{1}{2}(1+\cos(\pi t/T)) + \alpha]`.

    Past T the rate stays at alpha * lr. PyTorch's `CosineAnnealingLR` has an *absolute* floor,
    `eta_min = alpha * lr`, and climbs up again after T.

    Args:
        lr: the rate at step 0, greater than 0.
        decay_steps: T, at least 1.
        alpha: the floor as a *fraction* of `lr`, from 0 to 1.

    Raises:
        ValueError: if an argument is out of its range.

    Source: `tf.compat.v1.train.cosine_decay`; Loshchilov & Hutter, arXiv 1608.03983.

    Example:
        >>> cosine(0.1, 100, alpha=0.1)([0, 50, 100, 150])
        array([0.1  , 0.055, 0.01 , 0.01 ])
    """
    lr, T, a = positive("lr", lr), _count("decay_steps", decay_steps), between("alpha", alpha, 0, 1)

    def rate(t):
        progress = np.minimum(t / T, 1)
        return lr * ((1 - a) * 0.5 * (1 + np.cos(np.pi * progress)) + a)

    formula = (
        r"\eta_t = \eta_0\left[(1-\alpha)\,\frac{1}{2}"
        r"\left(1 + \cos\frac{\pi \min(t, T)}{T}\right) + \alpha\right]"
    )
    return _schedule("cosine", formula, rate, lr=lr, decay_steps=T, alpha=a)


def cosine_restarts(
    lr: float,
    first_decay_steps: int,
    t_mul: float = 2.0,
    m_mul: float = 1.0,
    alpha: float = 0.0,
) -> Schedule:
    r"""Half cosines, each starting at a peak: SGDR, stochastic gradient descent with warm restarts.

    In cycle i, which is :math:`T_i = T_0\, t_{mul}^i` steps long, after a fraction f of it,
    :math:`\eta_t = \eta_0[(1-\alpha)\, m_{mul}^i \frac{1}{2}(1+\cos \pi f) + \alpha]`. The step at
    which a cycle ends is the first of the next one. TensorFlow finds i from a ratio of
    logarithms, whose rounding can miss a restart by one step; here it is exact. PyTorch's
    `CosineAnnealingWarmRestarts` has T_mult=1 by default, whole numbers only, and no m_mul.

    Args:
        lr: the rate at step 0, greater than 0.
        first_decay_steps: T_0, the length of the first cycle, at least 1.
        t_mul: each cycle is this much longer than the last, at least 1.
        m_mul: the part of each peak above the floor is multiplied by this, greater than 0.
        alpha: the floor as a *fraction* of `lr`, from 0 to 1.

    Raises:
        ValueError: if an argument is out of its range.

    Source: `tf.compat.v1.train.cosine_decay_restarts`; arXiv 1608.03983.

    Example:
        >>> cosine_restarts(0.1, 100, m_mul=0.5)([0, 50, 100, 200, 300])
        array([0.1  , 0.05 , 0.05 , 0.025, 0.025])
    """
    lr, T0, a = positive("lr", lr), _count("first_decay_steps", first_decay_steps), alpha
    t_mul, m_mul = finite("t_mul", t_mul), positive("m_mul", m_mul)
    a = between("alpha", a, 0, 1)
    if t_mul < 1:
        raise ValueError(f"t_mul must be 1 or greater, got {t_mul!r}")

    def rate(t):
        i, f = _cycle(t, T0, t_mul)  # the number of the cycle, and how much of it has passed
        return lr * ((1 - a) * m_mul**i * 0.5 * (1 + np.cos(np.pi * f)) + a)

    formula = (
        r"\eta_t = \eta_0\left[(1-\alpha)\, m^i\, \frac{1}{2}"
        r"\left(1 + \cos\frac{\pi (t - S_i)}{T_i}\right) + \alpha\right],"
        r"\quad T_i = T_0\, t_{mul}^i,\ S_i = T_0 + \dots + T_{i-1}"
    )
    arguments = {"lr": lr, "first_decay_steps": T0, "t_mul": t_mul, "m_mul": m_mul, "alpha": a}
    return _schedule("cosine_restarts", formula, rate, **arguments)


def linear_cosine(
    lr: float,
    decay_steps: int,
    num_periods: float = 0.5,
    alpha: float = 0.0,
    beta: float = 0.001,
) -> Schedule:
    r"""A line times a cosine: :math:`\eta_t = \eta_0[(\alpha + 1 - t/T)\, c_t + \beta]`.

    :math:`c_t = \frac{1}{2}(1 + \cos(2\pi n t/T))` with n periods. The defaults start at
    1.001 lr, not at lr, and end at 0.001 lr. Past T the rate stays where it is.

    Args:
        lr: the scale of the rate, greater than 0.
        decay_steps: T, at least 1.
        num_periods: n, the number of cosine periods until T, 0 or greater.
        alpha: added to the line, 0 or greater.
        beta: the floor as a fraction of `lr`, 0 or greater.

    Raises:
        ValueError: if an argument is out of its range.

    Source: `tf.compat.v1.train.linear_cosine_decay`; Bello et al., arXiv 1709.07417.

    Example:
        >>> linear_cosine(0.1, 100)([0, 50, 100, 200])
        array([1.001e-01, 2.510e-02, 1.000e-04, 1.000e-04])
    """
    lr, T, n, a, b = _linear_cosine_arguments(lr, decay_steps, num_periods, alpha, beta)

    def rate(t):
        progress = np.minimum(t / T, 1)
        wave = 0.5 * (1 + np.cos(2 * np.pi * n * progress))
        return lr * ((a + 1 - progress) * wave + b)

    formula = (
        r"\eta_t = \eta_0\left[\left(\alpha + 1 - \frac{t}{T}\right)"
        r"\frac{1}{2}\left(1 + \cos\frac{2\pi n t}{T}\right) + \beta\right]"
    )
    arguments = {"lr": lr, "decay_steps": T, "num_periods": n, "alpha": a, "beta": b}
    return _schedule("linear_cosine", formula, rate, **arguments)


def noisy_linear_cosine(
    lr: float,
    decay_steps: int,
    initial_variance: float = 1.0,
    variance_decay: float = 0.55,
    num_periods: float = 0.5,
    alpha: float = 0.0,
    beta: float = 0.001,
    seed: int = 0,
    floor: float | None = None,
) -> Schedule:
    r"""`linear_cosine` with noise: :math:`\eta_t = \eta_0[(\alpha+1-t/T+\varepsilon_t)c_t+\beta]`.

    :math:`\varepsilon_t \sim N(0, v/(1+t)^d)`. As in TensorFlow the rate can be **negative** (with
    the defaults in 16 of 100 seeds at step 0), which steps *up* the loss; `floor=0.0` forbids it.
    TensorFlow draws new noise at every evaluation; here the noise belongs to the step and the
    seed, so the same step always gives the same rate, in whatever order.

    Args:
        lr: the scale of the rate, greater than 0.
        decay_steps: T, at least 1.
        initial_variance: v, the variance at step 0, 0 or greater.
        variance_decay: d, 0 or greater.
        num_periods, alpha, beta: as in `linear_cosine`.
        seed: which noise, 0 or greater.
        floor: the smallest rate allowed (an absolute rate, 0 or greater), or None for no limit.

    Raises:
        ValueError: if an argument is out of its range.

    Source: `tf.compat.v1.train.noisy_linear_cosine_decay`; arXiv 1709.07417.

    Example:
        >>> schedule = noisy_linear_cosine(0.1, 100, seed=1)
        >>> schedule(7) == schedule.rates(100).tolist()[7]
        True
        >>> noisy_linear_cosine(0.1, 100, initial_variance=0)(50) == linear_cosine(0.1, 100)(50)
        True
    """
    lr, T, n, a, b = _linear_cosine_arguments(lr, decay_steps, num_periods, alpha, beta)
    v, d = nonnegative("initial_variance", initial_variance), variance_decay
    d, seed = nonnegative("variance_decay", d), integer("seed", seed, minimum=0)
    floor = None if floor is None else nonnegative("floor", floor)

    def rate(t):
        progress = np.minimum(t / T, 1)
        noise = np.sqrt(v / (1 + np.minimum(t, T)) ** d) * _standard_normal(seed, t)
        wave = 0.5 * (1 + np.cos(2 * np.pi * n * progress))
        noisy = lr * ((a + 1 - progress + noise) * wave + b)
        return noisy if floor is None else np.maximum(noisy, floor)

    formula = (
        r"\eta_t = \eta_0\left[\left(\alpha + 1 - \frac{t}{T} + \varepsilon_t\right)"
        r"\frac{1}{2}\left(1 + \cos\frac{2\pi n t}{T}\right) + \beta\right],"
        r"\quad \varepsilon_t \sim N\!\left(0, \frac{v}{(1+t)^d}\right)"
    )
    return _schedule(
        "noisy_linear_cosine",
        formula,
        rate,
        lr=lr,
        decay_steps=T,
        initial_variance=v,
        variance_decay=d,
        num_periods=n,
        alpha=a,
        beta=b,
        seed=seed,
        floor=floor,
    )


# --------------------------------------------------------------------------------------------
# Schedules that rise: cyclic, one-cycle, warm-up
# --------------------------------------------------------------------------------------------


def triangular(lr_min: float, lr_max: float, step_size: int) -> Schedule:
    r"""Up and down in straight lines: :math:`\eta_t = \eta_{min} + (\eta_{max}-\eta_{min})(1-|x|)`.

    :math:`x = (t \bmod 2s)/s - 1`. It starts at `lr_min`, is at `lr_max` at t = s, 3s, 5s, ... and
    goes on for ever. PyTorch's `CyclicLR` (mode "triangular") is the same, but also moves the
    momentum unless `cycle_momentum=False`.

    Args:
        lr_min: the lowest rate, 0 or greater.
        lr_max: the highest rate, greater than `lr_min`.
        step_size: s, the steps from the lowest to the highest, at least 1.

    Raises:
        ValueError: if an argument is out of its range.

    Source: Smith, arXiv 1506.01186.

    Example:
        >>> triangular(0.0, 1.0, 4)(np.arange(9))
        array([0.  , 0.25, 0.5 , 0.75, 1.  , 0.75, 0.5 , 0.25, 0.  ])
    """
    low, high, s = nonnegative("lr_min", lr_min), positive("lr_max", lr_max), step_size
    s = _count("step_size", s)
    if high <= low:
        raise ValueError(f"lr_max must be greater than lr_min = {low!r}, got {high!r}")

    def rate(t):
        x = np.mod(t, 2 * s) / s - 1
        return low + (high - low) * (1 - np.abs(x))

    formula = (
        r"\eta_t = \eta_{min} + (\eta_{max} - \eta_{min})"
        r"\left(1 - \left|\frac{t \bmod 2s}{s} - 1\right|\right)"
    )
    return _schedule("triangular", formula, rate, lr_min=low, lr_max=high, step_size=s)


def one_cycle(
    lr_max: float,
    total_steps: int,
    warmup_fraction: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    anneal: str = "cos",
) -> Schedule:
    r"""One rise to `lr_max` and one fall to almost nothing, :math:`\eta = a + (b - a) h(f)`.

    From a = lr_max / div_factor up to lr_max at step warmup_fraction * total_steps - 1, then down
    to lr_max / (div_factor * final_div_factor) at step total_steps - 1; f is the fraction of the
    phase that has passed, h(f) = f or :math:`\frac{1}{2}(1-\cos \pi f)`. Past the end the rate
    stays; PyTorch's `OneCycleLR`, otherwise equal (with its two phases), extrapolates one step
    and then raises. It also moves the momentum unless `cycle_momentum=False`.

    Args:
        lr_max: the peak, greater than 0.
        total_steps: number of updates of the whole cycle, at least 2.
        warmup_fraction: the share of the rise, from 0 to 1.
        div_factor: peak over first rate, 1 or greater.
        final_div_factor: first rate over last rate, 1 or greater.
        anneal: "cos" or "linear".

    Raises:
        ValueError: if an argument is out of its range.

    Source: `torch.optim.lr_scheduler.OneCycleLR`; Smith & Topin, arXiv 1708.07120.

    Example:
        >>> schedule = one_cycle(0.1, total_steps=100)
        >>> schedule([0, 29, 99]).round(7)
        array([4.e-03, 1.e-01, 4.e-07])
    """
    high, T = positive("lr_max", lr_max), integer("total_steps", total_steps, minimum=2)
    share = between("warmup_fraction", warmup_fraction, 0, 1)
    div, final_div = _at_least_one(div_factor=div_factor, final_div_factor=final_div_factor)
    one_of("anneal", anneal, ("cos", "linear"))
    first, last, peak = high / div, high / div / final_div, share * T - 1

    def rate(t):
        t = np.minimum(t, T - 1)
        up = t / peak if peak > 0 else np.ones_like(t)
        down = (t - peak) / (T - 1 - peak) if peak < T - 1 else np.zeros_like(t)
        rise = first + (high - first) * smooth(up)
        fall = high + (last - high) * smooth(down)
        return np.where(t < peak, rise, fall)

    def smooth(f):
        return f if anneal == "linear" else 0.5 * (1 - np.cos(np.pi * f))

    formula = r"\eta_t = a + (b - a)\, h(f),\quad h(f) = " + (
        "f" if anneal == "linear" else r"\frac{1}{2}(1 - \cos \pi f)"
    )
    return _schedule(
        "one_cycle",
        formula,
        rate,
        lr_max=high,
        total_steps=T,
        warmup_fraction=share,
        div_factor=div,
        final_div_factor=final_div,
        anneal=anneal,
    )


def warmup_stable_decay(
    lr: float, warmup_steps: int, stable_steps: int, decay_steps: int
) -> Schedule:
    r"""A trapezoid (WSD): W steps up from 0 to `lr`, S steps at `lr`, D steps down to 0.

    :math:`\eta_t/\eta_0 = t/W`, then 1, then :math:`1 - (t-W-S)/D`, then 0. Unlike a cosine, the
    stable phase need not know how long the run will be.

    Args:
        lr: the rate of the stable phase, greater than 0.
        warmup_steps: W, 0 or more (if it is not 0, update 0 has rate 0 and changes nothing).
        stable_steps: S, 0 or more.
        decay_steps: D, 0 or more.

    Raises:
        ValueError: if an argument is out of its range.

    Source: Hu et al. (MiniCPM), arXiv 2404.06395; Hägele et al., arXiv 2405.18392.

    Example:
        >>> warmup_stable_decay(1.0, 2, 3, 4)(np.arange(10))
        array([0.  , 0.5 , 1.  , 1.  , 1.  , 1.  , 0.75, 0.5 , 0.25, 0.  ])
    """
    lr = positive("lr", lr)
    W = integer("warmup_steps", warmup_steps, minimum=0)
    S = integer("stable_steps", stable_steps, minimum=0)
    D = integer("decay_steps", decay_steps, minimum=0)

    def rate(t):
        up = t / W if W else np.ones_like(t)
        down = (W + S + D - t) / D if D else 1.0 * (t < W + S)
        return lr * np.clip(np.minimum(up, down), 0, 1)

    formula = (
        r"\eta_t = \eta_0 \min\left(\frac{t}{W},\ 1,\ \frac{W + S + D - t}{D}\right)"
        r"\quad(0 \text{ past the end})"
    )
    return _schedule(
        "warmup_stable_decay",
        formula,
        rate,
        lr=lr,
        warmup_steps=W,
        stable_steps=S,
        decay_steps=D,
    )


# --------------------------------------------------------------------------------------------
# Your own, and ways to combine
# --------------------------------------------------------------------------------------------


def custom(
    function: Callable[[Any], Any],
    name: str = "custom",
    formula: str = r"\eta_t = f(t)",
    vectorized: bool = False,
) -> Schedule:
    r"""Make a schedule of your own function: :math:`\eta_t = f(t)`.

    Args:
        function: from the step (an int) to the rate; it must not depend on anything else.
        name: what a legend says.
        formula: LaTeX, without dollar signs.
        vectorized: the function takes an int64 array of steps and gives an array of rates; faster
            by far, but a function with an `if` in it cannot do that.

    Raises:
        TypeError: if `function` cannot be called or returns no number.
        ValueError: when the schedule is called and the function returns a non-finite rate.

    Example:
        >>> schedule = custom(lambda t: 0.01 * 0.6**t, name="0.01 · 0.6^t")
        >>> schedule([0, 1, 2])
        array([0.01  , 0.006 , 0.0036])
    """
    if not callable(function):
        raise TypeError(f"function must be callable, got {function!r}")
    vectorized = _flag("vectorized", vectorized)

    def one(step):
        return finite(f"the rate of {name} at step {step}", function(step))

    def rate(t):
        steps = t.astype(np.int64)
        if not vectorized:
            return np.array([one(int(step)) for step in steps.flat]).reshape(steps.shape)
        rates = np.asarray(function(steps), dtype=np.float64)
        if rates.shape != steps.shape or not np.isfinite(rates).all():
            raise ValueError(
                f"the rates of {name} must be finite and have the shape {steps.shape} of the "
                f"steps, got {rates!r}"
            )
        return rates

    parameters = {"function": function, "name": name, "formula": formula, "vectorized": vectorized}
    return Schedule("custom", str(name), str(formula), parameters, rate)


def with_warmup(
    schedule: float | Schedule, warmup_steps: int, start_factor: float = 0.0
) -> Schedule:
    r"""Rise in a straight line to the start of `schedule`, then follow it from *its* step 0.

    :math:`\eta_t = s_0\,[f + (1-f)\,t/W]` for t < W and :math:`s_{t-W}` from t = W on. With
    `start_factor=0`, as in Keras and optax, update 0 has rate 0 and changes nothing. The common
    rule :math:`\min(1, (t+1)/n)` is `warmup_steps=n - 1, start_factor=1 / n`. PyTorch's
    `LinearLR` (in `SequentialLR`) starts at a third by default and refuses 0.

    Args:
        schedule: what follows; a number means a constant rate.
        warmup_steps: W, 0 or more.
        start_factor: f, the first rate as a fraction of `schedule(0)`, from 0 to 1.

    Raises:
        ValueError: if an argument is out of its range.

    Source: Goyal et al., arXiv 1706.02677, §2.2.

    Example:
        >>> with_warmup(0.1, 4)(np.arange(6))
        array([0.   , 0.025, 0.05 , 0.075, 0.1  , 0.1  ])
    """
    schedule, f = as_schedule(schedule), between("start_factor", start_factor, 0, 1)
    W = integer("warmup_steps", warmup_steps, minimum=0)
    peak = schedule(0)

    def rate(t):
        rise = peak * (f + (1 - f) * t / max(W, 1))
        return np.where(t < W, rise, schedule(np.maximum(t - W, 0)))

    return Schedule(
        "with_warmup",
        f"warm-up, then {schedule.name}",
        r"\eta_t = s_0\left[f + (1-f)\frac{t}{W}\right]\ (t < W),\quad s_{t-W}\ (t \ge W)",
        {"schedule": schedule, "warmup_steps": W, "start_factor": f},
        rate,
    )


def join(schedules: Sequence[float | Schedule], boundaries: Sequence[int]) -> Schedule:
    r"""Follow one schedule after another: :math:`\eta_t = s_i(t - b_{i-1}),\ b_{i-1}\le t<b_i`.

    Each starts at *its* step 0 *at* its boundary, as in PyTorch's `SequentialLR` and optax's
    `join_schedules` (and unlike `piecewise_constant`, where the old rate holds at the boundary).

    Args:
        schedules: n + 1 schedules or numbers.
        boundaries: n increasing steps, at least 1.

    Raises:
        ValueError: if the boundaries do not increase or the lengths do not fit.

    Example:
        >>> join([0.1, exponential(0.1, 1, 0.5)], boundaries=[3])(np.arange(6))
        array([0.1  , 0.1  , 0.1  , 0.1  , 0.05 , 0.025])
    """
    parts = [as_schedule(part) for part in _sequence("schedules", schedules)]
    boundaries = _boundaries("boundaries", boundaries, minimum=1)
    if len(parts) != len(boundaries) + 1:
        raise ValueError(
            "schedules must have one item more than boundaries, "
            f"got {len(parts)} schedules for {len(boundaries)} boundaries"
        )

    def rate(t):
        part = np.searchsorted(boundaries, t, side="right")
        rates = np.empty_like(t)
        for i, (schedule, start) in enumerate(zip(parts, [0, *boundaries])):
            rates[part == i] = schedule(t[part == i] - start)
        return rates

    return Schedule(
        "join",
        ", then ".join(part.name for part in parts),
        r"\eta_t = s_i(t - b_{i-1}) \quad\text{for}\quad b_{i-1} \le t < b_i",
        {"schedules": parts, "boundaries": boundaries},
        rate,
    )


# --------------------------------------------------------------------------------------------
# The one that watches
# --------------------------------------------------------------------------------------------


class ReduceOnPlateau:
    r"""Multiply the rate by `factor` when a metric has stalled for more than `patience` epochs.

    Not a function of the step but of what happens: :math:`\eta \leftarrow \max(\phi\,\eta,
    \eta_{min})`. Call `update(metric)` once per epoch; it returns the rate to use from then on.
    The first cut comes after patience + 1 bad epochs, as in PyTorch, which this follows to the
    step. A metric of NaN counts as "not better".

    Args:
        lr: the first rate, greater than 0.
        factor: what the rate is multiplied by, above 0 and below 1.
        patience: how many epochs without improvement are forgiven, 0 or more.
        mode: "min" if a smaller metric is better, "max" if a larger one is.
        threshold: how much better counts as better, 0 or greater.
        threshold_mode: "rel", as a fraction of the best so far, or "abs". "rel" misleads where
            the metric can be negative.
        cooldown: how many epochs after a cut are not counted, 0 or more.
        min_lr: the smallest rate, 0 or greater.
        eps: smaller changes of the rate are not made, 0 or greater.

    Raises:
        ValueError: if an argument is out of its range.

    Source: `torch.optim.lr_scheduler.ReduceLROnPlateau`.

    Example:
        >>> plateau = ReduceOnPlateau(0.1, factor=0.5, patience=1)
        >>> [plateau.update(loss) for loss in (1.0, 0.8, 0.8, 0.8, 0.7)]
        [0.1, 0.1, 0.1, 0.05, 0.05]
    """

    name = "reduce on plateau"
    formula = r"\eta \leftarrow \max(\phi\,\eta,\ \eta_{min}) \text{ when the metric stalls}"

    def __init__(
        self,
        lr: float,
        factor: float = 0.1,
        patience: int = 10,
        mode: str = "min",
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        self.parameters = {
            "lr": positive("lr", lr),
            "factor": between("factor", positive("factor", factor), 0, 1, open_high=True),
            "patience": integer("patience", patience, minimum=0),
            "mode": one_of("mode", mode, ("min", "max")),
            "threshold": nonnegative("threshold", threshold),
            "threshold_mode": one_of("threshold_mode", threshold_mode, ("rel", "abs")),
            "cooldown": integer("cooldown", cooldown, minimum=0),
            "min_lr": nonnegative("min_lr", min_lr),
            "eps": nonnegative("eps", eps),
        }
        self.reset()

    def reset(self) -> None:
        """Forget every metric and go back to the first rate."""
        self.lr = self.parameters["lr"]
        self.best = np.inf if self.parameters["mode"] == "min" else -np.inf
        self.bad_epochs = 0
        self.cooldown_left = 0

    def update(self, metric: float) -> float:
        """Take the metric of one more epoch and return the rate to use from now on."""
        metric = _metric(metric)
        if self._is_better(metric):
            self.best, self.bad_epochs = metric, 0
        else:
            self.bad_epochs += 1
        if self.cooldown_left > 0:
            self.cooldown_left, self.bad_epochs = self.cooldown_left - 1, 0
        if self.bad_epochs > self.parameters["patience"]:
            self._reduce()
            self.cooldown_left, self.bad_epochs = self.parameters["cooldown"], 0
        return self.lr

    def _is_better(self, metric: float) -> bool:
        sign = 1 if self.parameters["mode"] == "min" else -1
        margin = self.parameters["threshold"]
        if self.parameters["threshold_mode"] == "abs":
            target = self.best - sign * margin
        else:
            target = self.best * (1.0 - sign * margin)
        return sign * metric < sign * target

    def _reduce(self) -> None:
        smaller = max(self.lr * self.parameters["factor"], self.parameters["min_lr"])
        if self.lr - smaller > self.parameters["eps"]:
            self.lr = smaller

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.parameters.items())
        return f"ReduceOnPlateau({arguments})"


# --------------------------------------------------------------------------------------------
# PyTorch
# --------------------------------------------------------------------------------------------


def to_torch(
    schedule: float | Schedule, optimizer: torch.optim.Optimizer
) -> torch.optim.lr_scheduler.LambdaLR:
    """Return a PyTorch scheduler: the rate used at update t is exactly `schedule(t)`.

    Drive it as usual, `optimizer.step()` and then `scheduler.step()` after *every update* (not
    epoch). All parameter groups get the same rate; the optimizer's own `lr` is overwritten, now
    and for good. To resume, make both anew and then load both states, the optimizer's last:
    as every PyTorch scheduler, this one sets the rate of step 0 when it is made.

    Args:
        schedule: a schedule, or a number for a constant rate.
        optimizer: any `torch.optim` optimizer.

    Raises:
        TypeError: if `schedule` is neither a number nor a `Schedule`.

    Source: `torch.optim.lr_scheduler.LambdaLR`.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=123.0)
        >>> scheduler = to_torch(polynomial(1.0, 4, end_lr=0.0), optimizer)
        >>> used = []
        >>> for t in range(4):
        ...     used += [optimizer.param_groups[0]["lr"]]
        ...     optimizer.step()
        ...     scheduler.step()
        >>> used
        [1.0, 0.75, 0.5, 0.25]
    """
    from torch.optim.lr_scheduler import LambdaLR  # torch takes a second to import

    schedule = as_schedule(schedule)
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] = 1.0  # LambdaLR multiplies by it: 1 keeps every bit
    # A plain function: the state of a callable object would be put into the state_dict.
    return LambdaLR(optimizer, lambda t: schedule(t))


# --------------------------------------------------------------------------------------------
# Small parts
# --------------------------------------------------------------------------------------------


def _schedule(family: str, formula: str, rate: Callable, **parameters: Any) -> Schedule:
    return Schedule(family, family.replace("_", " "), formula, parameters, rate)


def _steps(step: Any) -> np.ndarray:
    """Return the steps as a new float64 array, after checking that they are 0, 1, 2, ..."""
    try:
        raw = np.asarray(step)
    except ValueError as error:  # a ragged list
        raise TypeError(f"step must be an integer or an array of integers, got {step!r}") from error
    if raw.dtype.kind not in "iuf":
        raise TypeError(f"step must be an integer or an array of integers, got {step!r}")
    t = raw.astype(np.float64)
    if raw.dtype.kind == "f" and not (np.isfinite(t) & (t == np.floor(t))).all():
        raise TypeError(f"step must be an integer or an array of integers, got {step!r}")
    if t.size and t.min() < 0:
        raise ValueError(f"step must be 0 or greater, got {raw.min().item()!r}")
    return t


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


_BLOCK = 4096


def _standard_normal(seed: int, t: np.ndarray) -> np.ndarray:
    """Return one draw from N(0, 1) per step that depends on the seed and that step alone."""
    steps = t.astype(np.int64)
    block = steps // _BLOCK
    blocks, row = np.unique(block, return_inverse=True)
    # A generator for every block of steps: a late step costs no more than an early one.
    draws = [np.random.default_rng([seed, k]).standard_normal(_BLOCK) for k in blocks]
    return np.array(draws).reshape(-1, _BLOCK)[row.reshape(block.shape), steps - block * _BLOCK]


def _linear_cosine_arguments(lr, decay_steps, num_periods, alpha, beta):
    return (
        positive("lr", lr),
        _count("decay_steps", decay_steps),
        nonnegative("num_periods", num_periods),
        nonnegative("alpha", alpha),
        nonnegative("beta", beta),
    )


def _count(name: str, value: Any) -> int:
    return integer(name, value, minimum=1)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def _metric(value: Any) -> float:
    if not hasattr(value, "__float__"):  # a one-element tensor has it, a text has not
        raise TypeError(f"metric must be a number, got {value!r}")
    return float(value)  # NaN and infinity are allowed: a run may diverge


def _at_least_one(**values: Any) -> list[float]:
    for name, value in values.items():
        if finite(name, value) < 1:
            raise ValueError(f"{name} must be 1 or greater, got {float(value)!r}")
    return [float(value) for value in values.values()]


def _sequence(name: str, value: Any) -> list[Any]:
    if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__iter__"):
        raise TypeError(f"{name} must be a list, got {value!r}")
    return list(value)


def _boundaries(name: str, value: Any, minimum: int) -> list[int]:
    steps = _sequence(name, value)
    steps = [integer(f"{name}[{i}]", step, minimum=minimum) for i, step in enumerate(steps)]
    if any(later <= earlier for earlier, later in zip(steps, steps[1:])):
        raise ValueError(f"{name} must increase, got {steps!r}")
    return steps


FAMILIES: dict[str, Callable[..., Schedule]] = {
    factory.__name__: factory
    for factory in (
        constant,
        piecewise_constant,
        step_decay,
        exponential,
        natural_exponential,
        inverse_time,
        inverse_sqrt,
        polynomial,
        cosine,
        cosine_restarts,
        linear_cosine,
        noisy_linear_cosine,
        triangular,
        one_cycle,
        warmup_stable_decay,
        custom,
        with_warmup,
        join,
    )
}
"""Every factory by its name, in the order of this module."""
