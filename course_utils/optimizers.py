r"""The update rules, written as in their papers: gradient in, new parameters out.

`step(params, grad, lr)` returns new parameters; what a rule remembers lives inside it until
`reset()`. The rate is given at *every* step, so that what ran can be recorded. It may be an array
that broadcasts: parameters (K, P) with rates (K, 1) train K models at K rates at once.

All rules follow `torch.optim` to the last rounding. Other libraries give the same names to other
updates: `lessons.lesson04.differences` lists them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils import validate
from course_utils.validate import BelowOne, Flag, NonNegative


class Optimizer:
    """What all update rules share: a rule is a dataclass of its checked hyperparameters.

    The arrays it remembers, `memory`, start at zero, like the first parameters.
    """

    name: str
    memory: tuple[str, ...] = ()
    t = 0

    if TYPE_CHECKING:  # the arrays in `memory` are attributes, such as `velocity`

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    def __post_init__(self) -> None:
        rule: Any = type(self)
        for name, check in validate.checks(rule).items():
            setattr(self, name, check(name, getattr(self, name)))
        self.reset()

    def step(self, params: Any, grad: Any, lr: Any) -> np.ndarray:
        """Return the parameters after one update; the arguments are left as they are.

        Parameters and gradient have one shape, any; float32 is kept, infinities are allowed.
        """
        params = validate.floats("params", params)
        grad = validate.floats("grad", grad).astype(params.dtype, copy=False)
        if grad.shape != params.shape:
            raise ValueError(f"grad must have the shape of params {params.shape}, got {grad.shape}")
        lr = _rate(lr, params)
        for name in self.memory:
            state = getattr(self, name)
            if state is None:
                setattr(self, name, np.zeros_like(params))
            elif state.shape != params.shape:
                kept = f"the shape {state.shape} of the first step, got {params.shape}"
                raise ValueError(f"params must keep {kept}; call reset() to start anew")
        self.t += 1
        return self._update(params, grad, lr)

    def _update(self, params: np.ndarray, grad: np.ndarray, lr: Any) -> np.ndarray:
        """The rule itself: the arguments are clean, `self.t` counts from 1."""
        raise NotImplementedError

    def reset(self) -> None:
        """Forget everything: the next step is a first step again."""
        self.t = 0
        self._denominator: np.ndarray | None = None
        for name in self.memory:
            setattr(self, name, None)

    @property
    def scale(self) -> float | np.ndarray:
        """What multiplied `lr` at the last step, for each parameter; 1.0 for gradient descent."""
        return 1.0 if self._denominator is None else 1.0 / self._denominator

    @property
    def parameters(self) -> dict[str, Any]:
        """The hyperparameters by name, in plain types, for the record of a run."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(eq=False)
class GradientDescent(Optimizer):
    r"""Gradient descent: go against the gradient; with momentum, keep a part of the last step.

    .. math::
        v_t = \mu v_{t-1} + g_t, \qquad
        \theta_{t+1} = \theta_t - \eta_t v_t
        \quad\text{(heavy ball), or}\quad
        \theta_t - \eta_t (g_t + \mu v_t) \quad\text{(Nesterov)}.

    `weight_decay` :math:`\lambda` adds :math:`\lambda\theta` to the gradient. On a quadratic of
    curvature :math:`\lambda` it is stable up to :math:`2/\lambda`; the heavy ball up to
    :math:`2(1+\mu)/\lambda`; Nesterov only up to :math:`2(1+\mu)/((1+2\mu)\lambda)`.
    Sources: Polyak 1964; Nesterov 1983; Sutskever et al. 2013; `torch.optim.SGD` (no dampening).

    >>> GradientDescent().step([5.0], [12.0], lr=0.01)
    array([4.88])
    """

    momentum: BelowOne = 0.0
    nesterov: Flag = False
    weight_decay: NonNegative = 0.0

    def _update(self, params: np.ndarray, grad: np.ndarray, lr: Any) -> np.ndarray:
        if self.weight_decay:
            grad = grad + self.weight_decay * params
        if self.momentum:
            self.velocity *= self.momentum
            self.velocity += grad
            grad = grad + self.momentum * self.velocity if self.nesterov else self.velocity
        return _minus(params, lr * grad)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and not self.momentum:
            raise ValueError("momentum must be greater than 0 with nesterov=True, got 0.0")
        kind = f"{'Nesterov' if self.nesterov else 'momentum'} {self.momentum:g}"
        self.name = kind if self.momentum else "gradient descent"
        # Without momentum there is nothing to remember, and nothing to allocate.
        self.memory = ("velocity",) if self.momentum else ()
        self.reset()


@dataclass(eq=False)
class Adagrad(Optimizer):
    r"""Adagrad: divide each coordinate by the root of the sum of all its squared gradients.

    .. math::
        s_t = s_{t-1} + g_t^2, \qquad
        \theta_{t+1} = \theta_t - \frac{\eta_t}{\sqrt{s_t} + \epsilon}\, g_t

    The first step has length :math:`\eta`, whatever the gradient; on a constant slope n steps cover
    :math:`2\eta\sqrt n`. `initial_accumulator` is :math:`s_0`. Sources: Duchi, Hazan & Singer 2011;
    `torch.optim.Adagrad` (no `lr_decay`).

    >>> Adagrad().step([1.0, 1.0], [100.0, 0.01], lr=0.1).round(6)
    array([0.9, 0.9])
    """

    eps: NonNegative = 1e-10
    initial_accumulator: NonNegative = 0.0
    name = "Adagrad"
    memory = ("s",)

    def _update(self, params: np.ndarray, grad: np.ndarray, lr: Any) -> np.ndarray:
        if self.t == 1:
            self.s += self.initial_accumulator
        self.s += grad * grad
        self._denominator = np.sqrt(self.s) + self.eps
        return _minus(params, lr * grad / self._denominator)


@dataclass(eq=False)
class RMSprop(Optimizer):
    r"""RMSprop: divide each coordinate by the root of a moving average of its squared gradients.

    .. math::
        v_t = \alpha v_{t-1} + (1 - \alpha)\, g_t^2, \qquad
        \theta_{t+1} = \theta_t - \frac{\eta_t}{\sqrt{v_t} + \epsilon}\, g_t

    The average remembers about :math:`1/(1-\alpha)` gradients. It starts at :math:`v_0 = 0`,
    uncorrected: the first step has length :math:`\eta/\sqrt{1-\alpha}`, by default **ten times the
    rate**. At a constant rate it ends jumping across the minimum, :math:`\eta/2` to each side.
    Sources: Tieleman & Hinton 2012, lecture 6e; `torch.optim.RMSprop` (no momentum, not centered).

    >>> RMSprop().step([1.0, 1.0], [100.0, 0.01], lr=0.01).round(4)
    array([0.9, 0.9])
    """

    alpha: BelowOne = 0.99
    eps: NonNegative = 1e-8
    name = "RMSprop"
    memory = ("v",)

    def _update(self, params: np.ndarray, grad: np.ndarray, lr: Any) -> np.ndarray:
        self.v *= self.alpha
        self.v += (1 - self.alpha) * grad * grad
        self._denominator = np.sqrt(self.v) + self.eps
        return _minus(params, lr * grad / self._denominator)


@dataclass(eq=False)
class Adam(Optimizer):
    r"""Adam: the direction from an average of gradients, the scale from an average of squares.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, &
        \hat m_t &= m_t / (1 - \beta_1^t) \\
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2, &
        \hat v_t &= v_t / (1 - \beta_2^t) \\
        \theta_{t+1} &= \theta_t - \eta_t\, \hat m_t / (\sqrt{\hat v_t} + \epsilon)

    with t counted from 1: the first step has length :math:`\eta` in every coordinate (without
    `bias_correction`, the divisions by :math:`1 - \beta^t`, 3.16 times that). `amsgrad` divides by
    the largest :math:`v_t` so far. Sources: Kingma & Ba 2015, algorithm 1; Reddi, Kale & Kumar
    2018; `torch.optim.Adam`.

    >>> Adam().step([1.0, 1.0], [100.0, -0.01], lr=0.1).round(6)
    array([0.9, 1.1])
    """

    beta1: BelowOne = 0.9
    beta2: BelowOne = 0.999
    eps: NonNegative = 1e-8
    amsgrad: Flag = False
    bias_correction: Flag = True
    name = "Adam"

    def _update(self, params: np.ndarray, grad: np.ndarray, lr: Any) -> np.ndarray:
        self.m *= self.beta1
        self.m += (1 - self.beta1) * grad
        self.v *= self.beta2
        self.v += (1 - self.beta2) * grad * grad
        v = np.maximum(self.v_max, self.v, out=self.v_max) if self.amsgrad else self.v
        correct_m = 1 - self.beta1**self.t if self.bias_correction else 1.0
        correct_v = 1 - self.beta2**self.t if self.bias_correction else 1.0
        self._denominator = np.sqrt(v) / math.sqrt(correct_v) + self.eps
        return _minus(params, lr / correct_m * self.m / self._denominator)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.memory = ("m", "v", "v_max") if self.amsgrad else ("m", "v")
        self.reset()


@dataclass(eq=False)
class AdamW(Adam):
    r"""AdamW: Adam, with weight decay applied to the parameters and not to the gradient.

    .. math:: \theta_{t+1} = \text{Adam}\big((1 - \eta_t \lambda)\, \theta_t,\ g_t,\ \eta_t\big)

    The decay :math:`\lambda` is multiplied by the *current* rate, so a schedule of the rate also
    schedules the decay. Sources: Loshchilov & Hutter 2019; `torch.optim.AdamW`.

    >>> AdamW(weight_decay=0.5).step([1.0], [0.0], lr=0.1)
    array([0.95])
    """

    weight_decay: NonNegative = 0.01
    name = "AdamW"

    def _update(self, params: np.ndarray, grad: np.ndarray, lr: Any) -> np.ndarray:
        decay = 1 - lr * self.weight_decay
        return super()._update(decay * params, grad, lr)


def _minus(params: np.ndarray, step: np.ndarray) -> np.ndarray:
    """params - step, in the memory of `step`: `sweep` spends much of its time in these rules."""
    return np.subtract(params, step, out=step) if step.ndim else params - step


def _rate(lr: Any, params: np.ndarray) -> float | np.ndarray:
    """`lr` as a Python float or an array of the dtype of `params`, so that this dtype is kept."""
    if not isinstance(lr, (list, tuple)) and np.ndim(lr) == 0:
        return validate.finite("lr", lr)
    rates = validate.array("lr", lr, keep=(params.dtype,)).astype(params.dtype, copy=False)
    pairs = zip(reversed(rates.shape), reversed(params.shape))
    if rates.ndim > params.ndim or any(r not in (1, p) for r, p in pairs):
        wanted = f"a number or broadcast to the shape of params {params.shape}"
        raise ValueError(f"lr must be {wanted}, got shape {rates.shape}")
    return rates
