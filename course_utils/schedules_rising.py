r"""Learning-rate schedules that rise: restarts, cyclic, one-cycle, warmup-stable-decay.

See `course_utils.schedules`, which exports them.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from course_utils import validate
from course_utils.schedule import Law, Rates, family
from course_utils.validate import AtLeastOne, Count, CountOrZero, NonNegative, Positive, Share


def _between(start: Any, end: Any, done: Any) -> Any:
    """From `start` to `end`, `done` of the way, along whatever curve it follows."""
    return start + (end - start) * done


def _half_cosine(done: Any) -> Any:
    """From 1 to 0 while `done` goes from 0 to 1, along half a cosine."""
    return 0.5 * (1 + np.cos(np.pi * done))


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

    From a = lr_max / div_factor up to lr_max at step warmup_fraction * total_steps - 1, down to
    lr_max / (div_factor * final_div_factor) at step total_steps - 1; f is the fraction of the phase
    that has passed. It is `torch.optim.lr_scheduler.OneCycleLR`. Smith & Topin, arXiv 1708.07120.

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
