r"""Learning-rate schedules of TensorFlow 1 that are seldom met: a cosine on a line, with noise.

See `course_utils.schedules`, which exports them.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from course_utils import validate
from course_utils.schedule import Law, family
from course_utils.validate import Count, CountOrZero, NonNegative, Positive


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
