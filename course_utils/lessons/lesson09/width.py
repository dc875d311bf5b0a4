"""Maximal-update parametrization (µP) of a multilayer perceptron: its factors, and their study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from course_utils import validate
from course_utils.experiments.networks import Networks
from course_utils.experiments.table import Table
from course_utils.experiments.teacher import Teacher
from course_utils.lessons.lesson09.training import (
    constant,
    networks,
    optimizer,
    result,
    score,
    train,
)

BASE = 64
"""The width at which µP is what PyTorch does anyway."""
RULES = ("SGD", "Adam")


@dataclass(frozen=True)
class Factors:
    """What µP multiplies in one layer: the rate of its weights, that of its biases, its start."""

    weights: float
    biases: float
    start: float


def mup_factors(rule: str, layers: int, width: int, base: int = BASE) -> list[Factors]:
    r"""Return the factors of each layer, from the input to the readout, with m = width / base.

    .. math::
        \text{Adam: } (1, \tfrac1m, \dots, \tfrac1m), \qquad
        \text{SGD: } (m, 1, \dots, 1, \tfrac1m), \qquad
        \text{start of the readout: } \tfrac1{\sqrt m}

    beside PyTorch's start, which shrinks like the root of the number of inputs. Biases go as the
    input layer; that of the readout stays.

    Args:
        rule: "SGD" or "Adam".
        layers: of weights, at least 2.
        width: units of every hidden layer.
        base: the width at which the rate was tuned.

    Source: Yang et al. 2022 (arXiv:2203.03466), table 3; equal to the package `mup` 1.0.0.

    Example:
        >>> [layer.weights for layer in mup_factors("Adam", layers=3, width=256)]
        [1.0, 0.25, 0.25]
        >>> [layer.weights for layer in mup_factors("SGD", layers=3, width=256)]
        [4.0, 1.0, 0.25]
    """
    validate.one_of("rule", rule, RULES)
    layers = validate.integer("layers", layers, minimum=2)
    m = validate.integer("width", width, 1) / validate.integer("base", base, 1)
    adam, hidden = rule == "Adam", layers - 2
    weights = [1.0 if adam else m, *hidden * [1 / m if adam else 1.0], 1 / m]
    biases = [*(1 + hidden) * [1.0 if adam else m], 1.0]
    starts = [*(1 + hidden) * [1.0], m**-0.5]
    return [Factors(*three) for three in zip(weights, biases, starts)]


def apply_mup(
    nets: Networks, params: np.ndarray, rule: str, base: int = BASE
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first weights of µP and the factors of the rate, both (R*S, P).

    >>> nets = networks(1, [0], (20, 256, 256, 10))
    >>> params, factors = apply_mup(nets, nets.initial(), "Adam")
    >>> [float(layer[0, 0, 0, 0]) for layer in nets.layers(factors)]
    [1.0, 0.25, 0.25]
    """
    params, factors = params.copy(), np.ones_like(params)
    layers = nets.layers(params), nets.layers(factors)
    for start, rate, f in zip(*layers, mup_factors(rule, len(layers[0]), nets.sizes[1], base)):
        start[..., :-1, :] *= f.start
        rate[..., :-1, :] = f.weights
        rate[..., -1, :] = f.biases
    return params, factors


def study(
    rule: str, mup: bool, width: int, lrs: Sequence[float], seeds: Sequence[int], *,
    steps: int = 800, batch_size: int = 32,
) -> Table:  # fmt: skip
    """Train 20-n-n-10 on the teacher at constant rates, standard or with µP.

    >>> study("Adam", True, 16, [0.01], [0], steps=2).final("test_loss").shape
    (1, 1)
    """
    nets = networks(len(lrs), seeds, (20, width, width, 10))
    params, factors = nets.initial(), 1.0
    if mup:
        params, factors = apply_mup(nets, params, rule)
    descent, task = optimizer(rule), Teacher()
    batches = task.stream(seeds, batch_size)
    first = score(nets, params, task)["test_loss"]
    params = train(nets, params, batches, constant(lrs, steps), descent, factors)
    return result(lrs, seeds, score(nets, params, task), first, {
        "data": task.name, "sizes": [20, width, width, 10], "optimizer": descent.name,
        "parametrization": "µP" if mup else "standard", "steps": steps, "batch_size": batch_size,
    })  # fmt: skip
