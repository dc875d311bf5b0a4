"""The rules that lesson 5 compares, each with its second knob, and the two shapes of the rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from course_utils.optimizers import Adagrad, Adam, AdamW, GradientDescent, Optimizer, RMSprop
from course_utils.schedules import Schedule, constant, cosine, inverse_sqrt, polynomial


@dataclass(frozen=True)
class Rule:
    """An update rule with one knob beside its rate.

    Args:
        make: the optimizer at a value of the knob.
        knob: its symbol.
        values: what is tried, four for every rule that has a knob.
        center: the middle of the grid of rates at a value, for batches of 16 digits.
        default: rate and value of `torch.optim`.
    """

    make: Callable[[float], Optimizer]
    knob: str
    values: tuple[float, ...]
    center: Callable[[float], float]
    default: tuple[float, float]


_MOMENTA = (0.6, 0.8, 0.9, 0.97)
_MEMORIES = (0.8, 0.9, 0.99, 0.999)

RULES = {
    "gradient descent": Rule(lambda _: GradientDescent(), "", (0,), lambda _: 0.3, (1e-3, 0)),
    "momentum": Rule(
        lambda mu: GradientDescent(momentum=mu), "μ", _MOMENTA, lambda mu: 0.5 * (1 - mu),
        (1e-3, 0.9),
    ),
    "Nesterov": Rule(
        lambda mu: GradientDescent(momentum=mu, nesterov=True), "μ", _MOMENTA,
        lambda mu: 0.5 * (1 - mu), (1e-3, 0.9),
    ),
    "Adagrad": Rule(
        lambda start: Adagrad(initial_accumulator=start), "s₀", (0, 0.001, 0.01, 0.1),
        lambda _: 0.1, (1e-2, 0),
    ),
    "RMSprop": Rule(
        lambda alpha: RMSprop(alpha=alpha), "α", _MEMORIES, lambda _: 0.005, (1e-2, 0.99)
    ),
    "Adam": Rule(lambda beta: Adam(beta2=beta), "β₂", _MEMORIES, lambda _: 0.01, (1e-3, 0.999)),
    "AdamW": Rule(
        lambda decay: AdamW(weight_decay=decay), "λ", (0.03, 0.1, 0.3, 1.0), lambda _: 0.01,
        (1e-3, 0.01),
    ),
    "Adam (β₁)": Rule(
        lambda beta: Adam(beta1=beta), "β₁", (0, 0.5, 0.8, 0.9), lambda _: 0.01, (1e-3, 0.9)
    ),
    "momentum + L2": Rule(
        lambda decay: GradientDescent(momentum=0.9, weight_decay=decay), "λ",
        (0.0003, 0.001, 0.003, 0.01), lambda _: 0.05, (1e-3, 0),
    ),
}  # fmt: skip
"""Seven rules, and two arms more: Adam with β₁ as its second knob, and momentum with weight decay.

The latter gives AdamW a rival with equal help. Held are β₁ = 0.9 and β₂ = 0.999 where they are not
the knob, and momentum 0.9 where λ is it.
"""
ADAPTIVE = ("Adagrad", "RMSprop", "Adam", "AdamW")
PLAIN = ("gradient descent", "momentum", "Nesterov")

SHAPES: dict[str, Callable[[float, int], Schedule]] = {
    "constant": lambda lr, steps: constant(lr),
    "cosine": cosine,
    "linear": lambda lr, steps: polynomial(lr, steps, end_lr=0.0),
    "1/√t": lambda lr, steps: inverse_sqrt(lr),
}
"""Name -> schedule of a peak and a number of updates; cosine and linear end at 0."""
