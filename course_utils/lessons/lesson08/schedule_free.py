r"""Schedule-free learning (Defazio et al., 2405.15682): a constant rate, and an average to measure.

.. math::
    y_t &= (1 - \beta)\, z_t + \beta\, x_t & &\text{the gradient is taken here} \\
    z_{t+1} &= z_t - \eta_t\, d(g_t) & &\text{moves, by the rule's direction } d \\
    x_{t+1} &= (1 - c)\, x_t + c\, z_{t+1} & &\text{is measured, and kept}

c is this update's share of all weights so far, each the square of the largest rate so far: 1/(t+1)
at a constant rate. The three begin together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from course_utils import validate
from course_utils.optimizers import Optimizer
from course_utils.validate import BelowOne, NonNegative

RULES = ("package", "paper")
Rule = Annotated[str, lambda name, value: validate.one_of(name, value, RULES)]


@dataclass(eq=False)
class ScheduleFreeSGD(Optimizer):
    r"""Schedule-free gradient descent, :math:`d(g) = g + \lambda y`; `step` goes from y to next y.

    Equal to `SGDScheduleFree` of the authors' package schedulefree 1.4.1.

    >>> rule = ScheduleFreeSGD()
    >>> rule.step([1.0], [1.0], lr=0.5), rule.step([0.5], [0.5], lr=0.5).round(4), rule.average
    (array([0.5]), array([0.3625]), array([0.375]))
    """

    beta: BelowOne = 0.9
    weight_decay: NonNegative = 0.0
    name = "schedule-free gradient descent"
    memory = ("z", "x")

    @property
    def average(self) -> np.ndarray:
        """The weights to measure and to keep, x; those that `step` returns are y."""
        return self.x

    def _update(self, params: np.ndarray, grad: np.ndarray, lr: Any) -> np.ndarray:
        if self.t == 1:
            self.z, self.x = params.copy(), params.copy()
            self._largest = self._sum = np.zeros(np.shape(lr))
        direction, lr = self._direction(params, grad, lr)
        self._largest = np.maximum(self._largest, np.asarray(lr, dtype=np.float64))
        weight = self._largest**2
        self._sum = self._sum + weight
        share = np.divide(weight, self._sum, out=np.zeros_like(weight), where=self._sum > 0)
        self.z -= lr * direction
        self.x += share.astype(params.dtype) * (self.z - self.x)
        return (1 - self.beta) * self.z + self.beta * self.x

    def _direction(self, y: np.ndarray, grad: np.ndarray, lr: Any) -> tuple[np.ndarray, Any]:
        """Where z goes, and at which rate."""
        return grad + self.weight_decay * y if self.weight_decay else grad, lr


@dataclass(eq=False)
class ScheduleFreeAdamW(ScheduleFreeSGD):
    r"""Schedule-free AdamW: the average takes the place of Adam's m, and β that of its β₁.

    .. math::
        v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2, \qquad
        d(g) = g_t / (\sqrt{\hat v_t} + \epsilon) + \lambda y

    The authors' package has two rules. "package", its `AdamWScheduleFree`, corrects v as Adam does,
    :math:`\hat v = v / (1 - \beta_2^t)`. "paper", its `AdamWScheduleFreePaper`, does not; it
    multiplies the rate by :math:`\sqrt{1 - \beta_2^t}`. Without decay z moves the same (to
    :math:`\epsilon`), but the shares follow that rate: early z count less in x.

    >>> rule = ScheduleFreeAdamW(weight_decay=0.0)
    >>> rule.step([1.0], [1.0], lr=0.1).round(6)
    array([0.9])
    """

    beta2: BelowOne = 0.999
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.01
    rule: Rule = "package"
    name = "schedule-free AdamW"
    memory = ("z", "x", "v")

    def _direction(self, y: np.ndarray, grad: np.ndarray, lr: Any) -> tuple[np.ndarray, Any]:
        self.v *= self.beta2
        self.v += (1 - self.beta2) * grad * grad
        correct, paper = math.sqrt(1 - self.beta2**self.t), self.rule == "paper"
        root = np.sqrt(self.v) if paper else np.sqrt(self.v) / correct
        direction = grad / (root + self.eps) + self.weight_decay * y
        return direction, lr * correct if paper else lr
