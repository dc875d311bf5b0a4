"""Which networks lesson 6 trains on CIFAR-100: schedules, rates and seeds, most valuable first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from course_utils import validate
from course_utils.experiments.cifar_runs import Plan, Result
from course_utils.schedules import (
    Schedule,
    constant,
    cosine,
    one_cycle,
    piecewise_constant,
    with_warmup,
)

PRECISIONS = ("float32", "bfloat16")  # those of `devices`, which needs PyTorch
HELD_OUT = 5000
"""Training images held out where a rate is chosen."""
ARTICLE = (1e-3, 6.25e-3, 3e-4, 1e-1, 6.25e-5)
"""The four rates of the article, and the one that its author may have meant by 625e-5."""
LEARNING = (1e-3, 3e-4, 6.25e-5)
DEAD_RATES = (6.25e-3, 1e-3, 1e-1, 3e-3, 1e-2)
"""Rates below, at and above the border beyond which layers die."""
SHORT, LONG = 200, 1000
"""Updates after which it is decided who dies; enough to see the end of a warm-up."""
RATES = (1e-3, 3e-4, 3e-3, 1e-4, 5e-4, 2e-3, 3e-5, 1e-2, 1e-5, 1e-1)
MOMENTUM_RATES = (0.1, 0.03, 0.2, 0.01, 0.5, 0.003)
SHARPNESS_RUNS = (("momentum", 0.1), ("sgd", 1.0), ("sgd", 0.5))
"""One that learns, and two of plain gradient descent; below 0.2 it does not leave ln 100."""
SCHEDULES: dict[str, Callable[[float, int, int], Schedule]] = {
    "constant": lambda lr, steps, epoch: constant(lr),
    "cosine": lambda lr, steps, epoch: cosine(lr, steps),
    "one-cycle": lambda lr, steps, epoch: one_cycle(lr, steps),
    "step decay": lambda lr, steps, epoch: piecewise_constant(
        [steps // 2 - 1, 3 * steps // 4 - 1], [lr, lr / 10, lr / 100]
    ),
    "warm-up": lambda lr, steps, epoch: with_warmup(lr, 2 * epoch, 1 / (2 * epoch)),
    "warm-up, cosine": lambda lr, steps, epoch: with_warmup(
        cosine(lr, max(1, steps - 2 * epoch)), 2 * epoch, 1 / (2 * epoch)
    ),
}
"""Name -> (peak rate, updates of the run, updates per epoch) -> schedule. Warm-ups: 2 epochs."""
GROUPS = ("article", "dead", "precision", "schedules", "rates", "momentum", "sharpness")


def plans(
    epochs: int = 15,
    seeds: int = 3,
    precision: str = "float32",
    done: Sequence[Result] = (),
    width: float = 1.0,
) -> list[Plan]:
    """Return all runs of the experiment, the most valuable first.

    Rates are compared on `HELD_OUT` images over two fifths of the epochs. The final runs of SGD
    with momentum are listed once its comparison is among `done`, for its best rate.

    Args:
        epochs: length of the main runs.
        seeds: how many; seeds are 0, 1, ...
        precision: as in `train`; where it is bfloat16, it is compared with float32.
        done: finished runs.
        width: of the network, as in `SevenLayerCNN`.

    Example:
        >>> few = plans(epochs=2, seeds=1)
        >>> len(few), few[0].lr, {plan.group for plan in few} < set(GROUPS)
        (41, 0.001, True)
    """
    epochs = validate.integer("epochs", epochs, minimum=1)
    seeds = validate.integer("seeds", seeds, minimum=1)
    short = -(-2 * epochs // 5)
    others = range(1, seeds)
    validate.one_of("precision", precision, PRECISIONS)
    make = partial(Plan, precision=precision, width=validate.positive("width", width))

    def article(rates: Iterable[float], seed: int) -> list[Plan]:
        return [make("article", lr, seed, epochs) for lr in rates]

    def scheduled(seed: int) -> list[Plan]:
        arms = [(1e-3, "cosine"), (1e-3, "one-cycle"), (1e-3, "step decay")]
        arms += [(6.25e-3, "warm-up"), (6.25e-3, "warm-up, cosine")]
        # A schedule whose mean rate is half its peak may need a higher peak.
        arms += [(3e-3, "constant"), (3e-3, "cosine"), (3e-3, "one-cycle")]
        return [make("schedules", lr, seed, epochs, schedule=name) for lr, name in arms]

    def choice(group: str, optimizer: str, rates: Iterable[float], seed: int) -> list[Plan]:
        return [
            make(group, lr, seed, short, optimizer=optimizer, held_out=HELD_OUT) for lr in rates
        ]

    found = article(ARTICLE, 0)
    found += [
        make("dead", lr, seed, 1, measure="dead", steps=SHORT)
        for seed in range(seeds)
        for lr in DEAD_RATES
    ]
    found += [
        make("dead", 6.25e-3, seed, 3, schedule=name, measure="dead", steps=LONG)
        for seed in range(seeds)
        for name in ("warm-up", "constant")
    ]
    found += [  # two ways to stand at ln 100
        make("dead", lr, seed, 1, optimizer="momentum", measure="dead", steps=SHORT)
        for seed in range(seeds)
        for lr in (0.01, 0.2)
    ]
    if precision == "bfloat16":
        found += [
            make("precision", 1e-3, seed, short, precision=name)
            for seed in range(seeds)
            for name in PRECISIONS
        ]
    found += [plan for seed in others for plan in article(LEARNING, seed)]
    found += scheduled(0)
    found += choice("rates", "adam", RATES, 0)
    scan = choice("momentum", "momentum", MOMENTUM_RATES, 0)
    found += scan + _momentum_runs(scan, done, epochs, seeds)
    found += [
        make("sharpness", lr, 0, epochs, optimizer=name, measure="sharpness")
        for name, lr in SHARPNESS_RUNS
    ]
    found += [plan for seed in others for plan in scheduled(seed)]
    found += [plan for seed in others for plan in choice("rates", "adam", RATES, seed)]
    dead = [lr for lr in ARTICLE if lr not in LEARNING]
    return found + [plan for seed in others for plan in article(dead, seed)]


def _momentum_runs(scan: list[Plan], done: Sequence[Result], epochs: int, seeds: int) -> list[Plan]:
    """Full-length runs at the rate with the best validation accuracy, when all are in."""
    results = {result.plan.name: result for result in done}
    if not all(plan.name in results for plan in scan):
        return []

    def accuracy(plan: Plan) -> float:
        value = results[plan.name].final("validation_accuracy")
        return value if np.isfinite(value) else -np.inf  # max would keep a NaN that comes first

    best = max(scan, key=accuracy)
    return [replace(best, seed=seed, epochs=epochs, held_out=0) for seed in range(seeds)]
