r"""Where libraries give the same name to another update: what is different, and by how much.

- **Momentum.** Keras puts the rate *inside* the velocity (TensorFlow 1 did not): at a constant rate
  the same; after the rate drops, the course's form brakes at once and that one coasts on. Some
  courses average, :math:`v_t = \mu v_{t-1} + (1-\mu) g_t`: the same at a rate :math:`1/(1-\mu)`
  times smaller. Nesterov's own form takes the gradient at :math:`y_t = \theta_t - \eta\mu v_{t-1}`.
  The parameters here *are* that point, so at a constant rate the two walk the same path, seen from
  two places.
- **Adagrad.** Dividing by the root *mean* square (H.-Y. Lee's lecture) is the sum's rule at
  the rate :math:`\eta\sqrt{t+1}`, t counted from 0.
- **RMSprop.** TensorFlow 1 starts from :math:`v_0 = 1`: small first steps where these are large.
- **Adam.** Keras and TensorFlow 1 use the paper's "epsilon hat",
  :math:`\eta\sqrt{1-\beta_2^t}/(1-\beta_1^t)\; m_t/(\sqrt{v_t} + \hat\epsilon)`: it acts like an
  epsilon :math:`1/\sqrt{1-\beta_2^t}` times larger, 32 times at the first step. AMSGrad's paper
  corrects no bias; optax's largest *corrected* average remembers the first gradients much longer.
- **AdamW.** The paper's decay follows the shape of the schedule (1, falling to 0), not the rate:
  its :math:`\lambda` is :math:`\eta_0` times this one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from course_utils.optimizers import Adagrad, Adam, AdamW, GradientDescent, Optimizer, RMSprop
from course_utils.views.tables import TextTable


class Difference(NamedTuple):
    """One update that goes by the same name elsewhere, and how far apart the two are.

    `here` and `there` are two values of one quantity, named in `measured`.
    """

    optimizer: str
    elsewhere: str
    difference: str
    measured: str
    here: float
    there: float


def differences() -> tuple[Difference, ...]:
    """Return where the same name means another update, and the size of each difference.

    A "first step" is its length divided by the rate, for one parameter with the gradient g.

    Sources: the papers named in the class, and Keras 3, TensorFlow 1 (`tf.compat.v1.train`) and
    optax 0.2, whose own results for these settings are in the tests.

    Example:
        >>> row = next(row for row in differences() if row.elsewhere == "Lee's lecture")
        >>> row.optimizer, row.measured, round(row.here, 1), row.there
        ('RMSprop', 'first step, g = 0.001', 10.0, 1.0)
    """
    small, tiny = 1e-3, 1e-6
    lowest = "lowest point after the rate drops from 0.1 to 0.001 (parabola, momentum 0.9)"
    decayed = "part of the weight that decays in one step at rate"
    # fmt: off
    rows = [
        ("GradientDescent", "Keras", "the rate is inside the velocity",
         lowest, _lowest_after_drop(inside=False), _lowest_after_drop(inside=True)),
        ("GradientDescent", "averaged velocity", "the gradient enters multiplied by 1 - momentum",
         "longest step on a slope of 1, momentum 0.9", 1 / (1 - 0.9), 1.0),
        ("GradientDescent", "Nesterov 1983", "the parameters are not the point looked ahead to",
         "first step, g = 1, momentum 0.9", _first_step(GradientDescent(0.9, True), 1.0), 1.0),
        ("Adagrad", "Keras, optax", "starts from 0.1, eps 1e-7 inside the root",
         "first step, g = 0.001", _first_step(Adagrad(), small),
         small / math.sqrt(0.1 + small**2 + 1e-7)),
        ("Adagrad", "TensorFlow 1", "starts from 0.1, no eps",
         "first step, g = 0.001", _first_step(Adagrad(), small), small / math.sqrt(0.1 + small**2)),
        ("RMSprop", "TensorFlow 1", "starts from 1, alpha 0.9, eps 1e-10 inside the root",
         "first step, g = 0.001", _first_step(RMSprop(), small),
         small / math.sqrt(0.9 + 0.1 * small**2 + 1e-10)),
        ("RMSprop", "Keras", "alpha 0.9, eps 1e-7 inside the root",
         "first step, g = 0.001", _first_step(RMSprop(), small),
         small / math.sqrt(0.1 * small**2 + 1e-7)),
        ("RMSprop", "optax", "alpha 0.9, eps 1e-8 inside the root",
         "first step, g = 0.001", _first_step(RMSprop(), small),
         small / math.sqrt(0.1 * small**2 + 1e-8)),
        ("RMSprop", "Lee's lecture", "the average starts from the first squared gradient",
         "first step, g = 0.001", _first_step(RMSprop(), small), 1.0),
        ("Adam", "Keras", "eps 1e-7 beside the uncorrected root",
         "first step, g = 1e-6", _first_step(Adam(), tiny), _first_step_eps_hat(tiny, 1e-7)),
        ("Adam", "TensorFlow 1", "eps 1e-8 beside the uncorrected root",
         "first step, g = 1e-6", _first_step(Adam(), tiny), _first_step_eps_hat(tiny, 1e-8)),
        ("Adam", "lecture notes", "no bias correction",
         "longest step on a slope of 1", _longest_step(Adam()),
         _longest_step(Adam(bias_correction=False))),
        ("Adam, amsgrad", "optax", "takes the largest of the corrected averages",
         "divisor after gradients 1, then 0.1 (99 times)", _amsgrad_divisor(), 1.0),
        ("AdamW", "Loshchilov & Hutter 2019", "decay times the shape of the schedule, not the rate",
         f"{decayed} 0.001, decay 0.01", _decayed(0.001), 0.01),
        ("AdamW", "Keras", "default decay 0.004", f"{decayed} 0.1", _decayed(0.1), 0.1 * 0.004),
        ("AdamW", "optax", "default decay 0.0001", f"{decayed} 0.1", _decayed(0.1), 0.1 * 0.0001),
    ]
    # fmt: on
    return tuple(Difference(*row) for row in rows)


def differences_table() -> TextTable:
    """Return the differences as a table, what was measured here and there in the last columns.

    >>> print(repr(differences_table()).splitlines()[0])
    | Rule | Elsewhere | What differs | Measured | Here | There |
    """
    rows = [
        (row.optimizer, row.elsewhere, row.difference, row.measured,
         f"{row.here:.3g}", f"{row.there:.3g}")
        for row in differences()
    ]  # fmt: skip
    return TextTable(("Rule", "Elsewhere", "What differs", "Measured", "Here", "There"), rows)


def _first_step(optimizer: Optimizer, g: float) -> float:
    """The length of the first step at rate 1."""
    return -float(optimizer.step(0.0, g, 1.0))


def _first_step_eps_hat(g: float, eps: float) -> float:
    """Adam's first step at rate 1 in the form of Keras and TensorFlow 1."""
    m, v = (1 - 0.9) * g, (1 - 0.999) * g * g
    return math.sqrt(1 - 0.999) / (1 - 0.9) * m / (math.sqrt(v) + eps)


def _longest_step(optimizer: Optimizer, steps: int = 100) -> float:
    """The longest of the first steps at rate 1 on a slope of 1."""
    return max(-float(optimizer.step(0.0, 1.0, 1.0)) for _ in range(steps))


def _lowest_after_drop(inside: bool) -> float:
    """The lowest point in 40 steps after the rate has dropped, with the rate in or outside v."""
    x, v, lowest = 1.0, 0.0, math.inf
    for t in range(45):
        lr = 0.1 if t < 5 else 0.001
        v = 0.9 * v + (lr * x if inside else x)
        x -= v if inside else lr * v
        lowest = min(lowest, x) if t >= 5 else lowest
    return lowest


def _amsgrad_divisor() -> float:
    """What the 100th step is divided by after one gradient of 1 and 99 of 0.1."""
    optimizer = Adam(amsgrad=True)
    for t in range(100):
        optimizer.step(0.0, 1.0 if t == 0 else 0.1, 1.0)
    return 1.0 / float(optimizer.scale)


def _decayed(lr: float) -> float:
    """The part of a weight that AdamW takes away in one step without a gradient."""
    return 1.0 - float(AdamW().step(1.0, 0.0, lr))
