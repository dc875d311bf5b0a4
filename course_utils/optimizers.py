r"""The update rules, written as in their papers: gradient in, new parameters out.

Every optimizer has one method, `step(params, grad, lr)`. It returns new parameters and never
changes the ones it was given; what it remembers (velocity, averages of squares) lives inside it
until `reset()`. The rate `lr` is given at *every* step, so that a schedule is only a function of
the step, and what ran can be recorded. It may be an array that broadcasts against the parameters:
parameters of shape (K, P) with rates of shape (K, 1) train K models at K rates at once.

All rules follow the conventions of `torch.optim`, to the last rounding. Other libraries give the
same names to other updates: see each docstring.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from course_utils import validate

__all__ = [
    "AdamW",
    "Adagrad",
    "Adam",
    "GradientDescent",
    "Optimizer",
    "RMSprop",
]


class Optimizer:
    """What all update rules share: checks of the arguments, memory, and a record of themselves.

    A rule is a dataclass of its hyperparameters. It lists the arrays it remembers in `memory`;
    they start at zero, in the shape and dtype of the first parameters, and are updated in place.
    """

    memory: ClassVar[tuple[str, ...]] = ()

    def step(self, params: Any, grad: Any, lr: Any) -> np.ndarray:
        """Return the parameters after one update; the arguments are left as they are.

        Args:
            params: the parameters, any shape, float32 or float64 (kept; anything else becomes
                float64).
            grad: the gradient of the loss, same shape. It may hold infinities: a run that
                diverges is a result, not an error.
            lr: the learning rate of this update: a finite number, or an array of them that
                broadcasts against `params`. Zero is allowed (a warm-up starts there), and so is
                a negative rate (TensorFlow's noisy linear cosine produces some).

        Returns:
            New parameters, same shape and dtype.

        Raises:
            TypeError: if an argument is not numeric.
            ValueError: if the shapes do not fit each other or the memory, or `lr` is not finite.
        """
        raise NotImplementedError

    def reset(self) -> None:
        """Forget everything: the next step is a first step again.

        >>> optimizer = GradientDescent(momentum=0.9)
        >>> first = optimizer.step([1.0], [2.0], lr=0.1)
        >>> optimizer.reset()
        >>> bool(first == optimizer.step([1.0], [2.0], lr=0.1))
        True
        """
        self.t = 0
        self._denominator = None
        for name in self.memory:
            setattr(self, name, None)

    @property
    def scale(self) -> float | np.ndarray:
        """The factor that multiplied `lr` at the last step, for each parameter.

        The rate that really acts on parameter i is `lr * scale[i]`. It is 1.0 for gradient
        descent and before the first step.

        >>> optimizer = Adagrad()
        >>> _ = optimizer.step([0.0, 0.0], [4.0, 0.5], lr=0.1)
        >>> optimizer.scale.round(6)
        array([0.25, 2.  ])
        """
        return 1.0 if self._denominator is None else 1.0 / self._denominator

    @property
    def parameters(self) -> dict[str, Any]:
        """The hyperparameters by name, in plain types, for the record of a run.

        >>> RMSprop(alpha=0.9).parameters
        {'alpha': 0.9, 'eps': 1e-08}
        """
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def _begin(self, params: Any, grad: Any, lr: Any) -> tuple[np.ndarray, np.ndarray, Any]:
        """Check the arguments of `step`, count the step, and set the memory up at the first one."""
        params = _floats("params", params)
        grad = _floats("grad", grad).astype(params.dtype, copy=False)
        if grad.shape != params.shape:
            raise ValueError(f"grad must have the shape of params {params.shape}, got {grad.shape}")
        lr = _rate(lr, params)
        for name in self.memory:
            state = getattr(self, name)
            if state is None:
                setattr(self, name, np.zeros_like(params))
            elif state.shape != params.shape:
                raise ValueError(
                    f"params must keep the shape {state.shape} of the first step, "
                    f"got {params.shape}; call reset() to start anew"
                )
        self.t += 1
        return params, grad, lr


@dataclass(eq=False)
class GradientDescent(Optimizer):
    r"""Gradient descent: go against the gradient; with momentum, keep a part of the last step.

    .. math::
        v_t = \mu v_{t-1} + g_t, \qquad
        \theta_{t+1} = \theta_t - \eta_t v_t
        \quad\text{(heavy ball), or}\quad
        \theta_t - \eta_t (g_t + \mu v_t) \quad\text{(Nesterov)}.

    Args:
        momentum: :math:`\mu` in [0, 1); 0 is plain gradient descent.
        nesterov: use Nesterov's form; needs a momentum above 0.
        weight_decay: :math:`\lambda \ge 0`; :math:`\lambda\theta` is added to the gradient.

    Raises:
        TypeError, ValueError: if a hyperparameter is not a number in its range.

    On a quadratic of curvature :math:`\lambda` it is stable up to :math:`2/\lambda`; the heavy
    ball up to :math:`2(1+\mu)/\lambda`; Nesterov only up to :math:`2(1+\mu)/((1+2\mu)\lambda)`.

    **Where others differ.** Keras puts the rate *inside* the velocity (TensorFlow 1 did not),
    :math:`v_t = \mu v_{t-1} - \eta_t g_t,\ \theta_{t+1} = \theta_t + v_t`. At a constant rate that
    is the same; after the rate drops, this form brakes at once and that one coasts on. Some courses
    average, :math:`v_t = \mu v_{t-1} + (1-\mu) g_t`: the same with a rate :math:`1/(1-\mu)` times
    smaller. Nesterov's own form looks ahead: it takes the gradient at
    :math:`y_t = \theta_t - \eta\mu v_{t-1}`. The parameters here *are* that point :math:`y_t`, so
    at a constant rate the two forms walk the same path, seen from two places.

    Sources: Polyak 1964; Nesterov 1983; Sutskever et al. 2013; `torch.optim.SGD` (no dampening).

    Example:
        >>> GradientDescent().step([5.0], [12.0], lr=0.01)
        array([4.88])
    """

    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        self.momentum = validate.between("momentum", self.momentum, 0, 1, open_high=True)
        self.nesterov = _switch("nesterov", self.nesterov)
        self.weight_decay = validate.nonnegative("weight_decay", self.weight_decay)
        if self.nesterov and self.momentum == 0:
            raise ValueError("momentum must be greater than 0 with nesterov=True, got 0.0")
        # Without momentum there is nothing to remember, and nothing to allocate.
        self.memory = ("velocity",) if self.momentum else ()
        self.reset()

    @property
    def name(self) -> str:
        """What to call it in a figure."""
        if not self.momentum:
            return "gradient descent"
        return f"{'Nesterov' if self.nesterov else 'momentum'} {self.momentum:g}"

    def step(self, params: Any, grad: Any, lr: Any) -> np.ndarray:
        """Return the parameters after one update; see `Optimizer.step`."""
        params, grad, lr = self._begin(params, grad, lr)
        if self.weight_decay:
            grad = grad + self.weight_decay * params
        if self.momentum:
            self.velocity *= self.momentum
            self.velocity += grad
            grad = grad + self.momentum * self.velocity if self.nesterov else self.velocity
        return _minus(params, lr * grad)


@dataclass(eq=False)
class Adagrad(Optimizer):
    r"""Adagrad: divide each coordinate by the root of the sum of all its squared gradients.

    .. math::
        s_t = s_{t-1} + g_t^2, \qquad
        \theta_{t+1} = \theta_t - \frac{\eta_t}{\sqrt{s_t} + \epsilon}\, g_t

    Args:
        eps: :math:`\epsilon \ge 0`, keeps the division defined; added *outside* the root.
        initial_accumulator: :math:`s_0 \ge 0`.

    Raises:
        TypeError, ValueError: if a hyperparameter is not a number in its range.

    The first step has length :math:`\eta` in every coordinate, whatever the gradient; on a
    constant slope n steps cover :math:`2\eta\sqrt n`, so the rate only ever shrinks. The variant
    that divides by the root *mean* square of all gradients (H.-Y. Lee's lecture) is this rule at
    the rate :math:`\eta\sqrt{t+1}`, t counted from 0.

    **Where others differ.** TensorFlow 1, Keras and optax start from :math:`s_0 = 0.1`: small
    first gradients then make small first steps. Keras and optax put :math:`\epsilon = 10^{-7}`
    *inside* the root; TensorFlow 1 has none.

    Sources: Duchi, Hazan & Singer 2011; `torch.optim.Adagrad` (no `lr_decay`).

    Example:
        >>> Adagrad().step([1.0, 1.0], [100.0, 0.01], lr=0.1).round(6)
        array([0.9, 0.9])
    """

    name: ClassVar[str] = "Adagrad"
    memory: ClassVar[tuple[str, ...]] = ("s",)
    eps: float = 1e-10
    initial_accumulator: float = 0.0

    def __post_init__(self) -> None:
        self.eps = validate.nonnegative("eps", self.eps)
        self.initial_accumulator = validate.nonnegative(
            "initial_accumulator", self.initial_accumulator
        )
        self.reset()

    def step(self, params: Any, grad: Any, lr: Any) -> np.ndarray:
        """Return the parameters after one update; see `Optimizer.step`."""
        params, grad, lr = self._begin(params, grad, lr)
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

    Args:
        alpha: :math:`\alpha` in [0, 1): how much of the average is kept; it remembers about
            :math:`1/(1-\alpha)` gradients.
        eps: :math:`\epsilon \ge 0`, added *outside* the root.

    Raises:
        TypeError, ValueError: if a hyperparameter is not a number in its range.

    The average starts at :math:`v_0 = 0` and is not corrected for it: the first step has length
    :math:`\eta/\sqrt{1-\alpha}`, **ten times the rate** at the default. (Corrected for it, RMSprop
    is Adam with `beta1=0`.) At a constant rate it need not settle: on a parabola it ends jumping
    to and fro across the minimum, at a distance of :math:`\eta/2`.

    **Where others differ.** TensorFlow 1 starts from :math:`v_0 = 1`, with :math:`\alpha = 0.9`
    and :math:`\epsilon = 10^{-10}` *inside* the root: its first step is small where this one is
    large. Keras has :math:`\alpha = 0.9` and :math:`\epsilon = 10^{-7}` inside the root, optax 0.9
    and :math:`10^{-8}` inside. H.-Y. Lee's lecture starts from :math:`v_1 = g_1^2`: its first step
    has length :math:`\eta`.

    Sources: Tieleman & Hinton 2012, lecture 6e; `torch.optim.RMSprop` (no momentum, not centered).

    Example:
        >>> RMSprop().step([1.0, 1.0], [100.0, 0.01], lr=0.01).round(4)
        array([0.9, 0.9])
    """

    name: ClassVar[str] = "RMSprop"
    memory: ClassVar[tuple[str, ...]] = ("v",)
    alpha: float = 0.99
    eps: float = 1e-8

    def __post_init__(self) -> None:
        self.alpha = validate.between("alpha", self.alpha, 0, 1, open_high=True)
        self.eps = validate.nonnegative("eps", self.eps)
        self.reset()

    def step(self, params: Any, grad: Any, lr: Any) -> np.ndarray:
        """Return the parameters after one update; see `Optimizer.step`."""
        params, grad, lr = self._begin(params, grad, lr)
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

    with t counted from 1.

    Args:
        beta1: :math:`\beta_1` in [0, 1), the memory of the direction.
        beta2: :math:`\beta_2` in [0, 1), the memory of the scale.
        eps: :math:`\epsilon \ge 0`, added *outside* the root of the corrected average.
        amsgrad: divide by the largest :math:`v_t` so far in place of the last.
        bias_correction: the divisions by :math:`1 - \beta^t`. Without them the first step on a
            constant slope has length :math:`(1-\beta_1)/\sqrt{1-\beta_2}` = 3.16 times the rate,
            and the longest, the twelfth, 6.57 times.

    Raises:
        TypeError, ValueError: if a hyperparameter is not a number in its range.

    With the correction the first step has length :math:`\eta` in every coordinate.

    **Where others differ.** Keras and TensorFlow 1 use the paper's "epsilon hat" form,
    :math:`\eta\sqrt{1-\beta_2^t}/(1-\beta_1^t)\; m_t/(\sqrt{v_t} + \hat\epsilon)`: their epsilon
    acts like one :math:`1/\sqrt{1-\beta_2^t}` times larger, 32 times at the first step, and Keras
    takes :math:`10^{-7}`. AMSGrad: the paper corrects no bias; optax takes the largest *corrected*
    average, which remembers the first gradients much longer.

    Sources: Kingma & Ba 2015, algorithm 1; Reddi, Kale & Kumar 2018; `torch.optim.Adam`.

    Example:
        >>> Adam().step([1.0, 1.0], [100.0, -0.01], lr=0.1).round(6)
        array([0.9, 1.1])
    """

    name: ClassVar[str] = "Adam"
    memory: ClassVar[tuple[str, ...]] = ("m", "v")
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    amsgrad: bool = False
    bias_correction: bool = True

    def __post_init__(self) -> None:
        self.beta1 = validate.between("beta1", self.beta1, 0, 1, open_high=True)
        self.beta2 = validate.between("beta2", self.beta2, 0, 1, open_high=True)
        self.eps = validate.nonnegative("eps", self.eps)
        self.amsgrad = _switch("amsgrad", self.amsgrad)
        self.bias_correction = _switch("bias_correction", self.bias_correction)
        if self.amsgrad:
            self.memory = ("m", "v", "v_max")
        self.reset()

    def step(self, params: Any, grad: Any, lr: Any) -> np.ndarray:
        """Return the parameters after one update; see `Optimizer.step`."""
        params, grad, lr = self._begin(params, grad, lr)
        self.m *= self.beta1
        self.m += (1 - self.beta1) * grad
        self.v *= self.beta2
        self.v += (1 - self.beta2) * grad * grad
        v = np.maximum(self.v_max, self.v, out=self.v_max) if self.amsgrad else self.v
        correct_m = 1 - self.beta1**self.t if self.bias_correction else 1.0
        correct_v = 1 - self.beta2**self.t if self.bias_correction else 1.0
        self._denominator = np.sqrt(v) / math.sqrt(correct_v) + self.eps
        return _minus(params, lr / correct_m * self.m / self._denominator)


@dataclass(eq=False)
class AdamW(Adam):
    r"""AdamW: Adam, with weight decay applied to the parameters and not to the gradient.

    .. math:: \theta_{t+1} = \text{Adam}\big((1 - \eta_t \lambda)\, \theta_t,\ g_t,\ \eta_t\big)

    Args:
        beta1, beta2, eps, amsgrad, bias_correction: as in `Adam`.
        weight_decay: :math:`\lambda \ge 0`.

    Raises:
        TypeError, ValueError: if a hyperparameter is not a number in its range.

    The decay is multiplied by the *current* rate, so a schedule of the rate also schedules the
    decay.

    **Where others differ.** The paper multiplies the decay by the shape of the schedule alone (1,
    falling to 0), not by the rate: its :math:`\lambda` is :math:`\eta_0` times this one. The
    default is 0.01 in PyTorch, 0.004 in Keras and 0.0001 in optax.

    Sources: Loshchilov & Hutter 2019; `torch.optim.AdamW`.

    Example:
        >>> AdamW(weight_decay=0.5).step([1.0], [0.0], lr=0.1)
        array([0.95])
    """

    name: ClassVar[str] = "AdamW"
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        self.weight_decay = validate.nonnegative("weight_decay", self.weight_decay)
        super().__post_init__()

    def step(self, params: Any, grad: Any, lr: Any) -> np.ndarray:
        """Return the parameters after one update; see `Optimizer.step`."""
        params = _floats("params", params)
        decay = 1 - _rate(lr, params) * self.weight_decay
        return super().step(decay * params, grad, lr)


def _minus(params: np.ndarray, step: np.ndarray) -> np.ndarray:
    """params - step, in the memory of `step`: `sweep` spends much of its time in these rules."""
    return np.subtract(params, step, out=step) if step.ndim else params - step


def _floats(name: str, values: Any) -> np.ndarray:
    """`values` as an array of floats: float32 and float64 stay as they are."""
    try:
        array = np.asarray(values)
    except ValueError as error:  # a ragged list
        raise TypeError(f"{name} must be an array of numbers, got {values!r}") from error
    if array.dtype.kind == "f":
        return array
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be an array of real numbers, got {values!r}")
    return array.astype(np.float64)


def _rate(lr: Any, params: np.ndarray) -> float | np.ndarray:
    """`lr` as a Python float or an array of the dtype of `params`, so that this dtype is kept."""
    if np.ndim(lr) == 0 and not isinstance(lr, np.ndarray):
        return validate.finite("lr", lr)
    rates = _floats("lr", lr).astype(params.dtype, copy=False)
    if not np.isfinite(rates).all():
        raise ValueError(f"lr must contain finite numbers only, got {lr!r}")
    pairs = zip(reversed(rates.shape), reversed(params.shape))
    if rates.ndim > params.ndim or any(r not in (1, p) for r, p in pairs):
        raise ValueError(
            f"lr must be a number or broadcast to the shape of params {params.shape}, "
            f"got shape {rates.shape}"
        )
    return rates


def _switch(name: str, value: Any) -> bool:
    """`value` if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)
