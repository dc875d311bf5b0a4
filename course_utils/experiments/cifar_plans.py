"""Which networks `make cifar100` trains on CIFAR-100, most valuable first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from course_utils.experiments.cifar_runs import Plan
from course_utils.schedules import Schedule, constant, cosine, one_cycle, with_warmup

GROUPS = ("dead", "article", "schedules", "rates", "momentum")
HELD_OUT = 5000
"""Training images held out where a rate is chosen."""
SHORT, LONG = 200, 1000
"""Updates after which it is decided who dies; enough to see the end of a warm-up."""
SCHEDULES: dict[str, Callable[[float, int, int], Schedule]] = {
    "constant": lambda lr, steps, epoch: constant(lr),
    "cosine": lambda lr, steps, epoch: cosine(lr, steps),
    "one-cycle": lambda lr, steps, epoch: one_cycle(lr, steps),
    "warm-up": lambda lr, steps, epoch: with_warmup(lr, 2 * epoch, 1 / (2 * epoch)),
    "warm-up, cosine": lambda lr, steps, epoch: with_warmup(
        cosine(lr, max(1, steps - 2 * epoch)), 2 * epoch, 1 / (2 * epoch)
    ),
}
"""Name -> (peak rate, updates of the run, updates per epoch) -> schedule. Warm-ups: 2 epochs."""
PEAKS = {
    "one-cycle": (3e-3, 1e-3, 6.25e-3),
    "warm-up, cosine": (6.25e-3, 3e-3, 1e-3),
    "cosine": (1e-3, 3e-4, 3e-3),
    "constant": (3e-3,),  # 1e-3 and 3e-4 are the first epochs of the longer runs
    "warm-up": (6.25e-3,),
}
"""Each schedule is compared at its own best of these peaks."""
ADAM_RATES = (1e-3, 3e-4, 3e-3, 1e-4, 5e-4, 2e-3, 3e-5, 4.4e-3, 6.25e-3, 1e-2, 1e-5, 1e-1)
MOMENTUM_RATES = (0.1, 0.03, 0.2, 0.01, 0.5, 0.003)


def plans() -> list[Plan]:
    """Return all runs, most valuable first.

    The article's network is trained in bfloat16, but in float32 where it is counted which layers
    die. A rate that is known to die gets few epochs.

    Example:
        >>> plans()[0].name
        'dead-adam-constant-0.00625-seed0-200steps-float32'
    """
    border, learning = (6.25e-3, 4.4e-3, 8e-3, 3e-3, 1e-2), (6.25e-5, 3e-4, 1e-3)
    short: dict[str, Any] = {"measure": "dead", "steps": SHORT}
    wide: dict[str, Any] = {"precision": "bfloat16"}
    narrow: dict[str, Any] = {"width": 0.25}
    chosen: dict[str, Any] = {"held_out": HELD_OUT, **narrow}
    listed = [
        # Who survives 200 updates, and which layers die?
        *_each("dead", border, range(4), **short),
        *_each("dead", [6.25e-3, 4.4e-3], range(4, 6), **short),
        *_each("dead", [6.25e-3], range(6, 10), **short),
        *_each("dead", [1e-3, 1e-1], [0], **short),
        # The figure of the article.
        *_each("article", learning, [0], epochs=15, **wide),
        *_each("article", [6.25e-3], [1, 0], epochs=5, **wide),
        *_each("article", [1e-1], [0], epochs=2, **wide),
        *_each("article", learning, [1, 2], epochs=15, **wide),
        # Does a warm-up save the rate on the border?
        *_each("dead", [6.25e-3], range(3), **short | {"steps": LONG}),
        *_each("dead", [6.25e-3], range(3), **short | {"steps": LONG, "schedule": "warm-up"}),
        # Which schedule, if there are five epochs?
        *_schedules([0, 1], **wide),
        # A quarter of the channels, some 15 times as fast: the choice of a rate, and all the above.
        *_each("rates", ADAM_RATES, range(3), epochs=2, **chosen),
        *_each("momentum", MOMENTUM_RATES, range(2), epochs=5, optimizer="momentum", **chosen),
        *_each("dead", [1e-3, *border], range(3), **short, **narrow),
        *_each("article", learning, range(3), epochs=15, **narrow),
        *_schedules([0, 1], **narrow),
        # More seeds.
        *_each("dead", border, range(4, 10), **short),
        *_each("article", learning, [3, 4], epochs=15, **wide),
        *_schedules([2], **wide),
    ]  # fmt: skip
    return [*dict.fromkeys(listed)]  # each once


def _each(
    group: str, lrs: Iterable[float], seeds: Iterable[int], epochs: int = 1, **more: Any
) -> list[Plan]:
    """Return one plan per seed and rate."""
    return [Plan(group, lr, seed, epochs, **more) for seed in seeds for lr in lrs]


def _schedules(seeds: Iterable[int], **more: Any) -> list[Plan]:
    """Return all schedules of five epochs at their first peaks, then at their second, ..."""
    order = [(i, lr, name) for name, peaks in PEAKS.items() for i, lr in enumerate(peaks)]
    return [
        Plan("schedules", lr, seed, 5, schedule=name, **more)
        for seed in seeds
        for _, lr, name in sorted(order, key=lambda arm: arm[0])
    ]
