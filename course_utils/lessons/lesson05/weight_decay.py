r"""Weight decay when the rate moves: the best decay at each rate, and the price of two recipes.

200 digits, a fifth of the labels drawn anew, a network of 32 units, batches of 20: here decay has
something to do. Three rules: gradient descent with :math:`\lambda w` in the gradient (L2), Adam
with it in the gradient, and AdamW, which shrinks by :math:`1 - \eta_t \lambda`. The AdamW of the
paper, :math:`1 - s_t \lambda'` with the schedule's factor :math:`s_t`, is the same run under
another name: :math:`\lambda' = \eta_{max} \lambda`.
"""

from __future__ import annotations

import time
from os import PathLike
from typing import NamedTuple

import numpy as np

from course_utils import validate
from course_utils.experiments.datasets import Data, digits
from course_utils.experiments.files import rounded
from course_utils.experiments.sweep import Sweep, sweep
from course_utils.experiments.table import Table, save
from course_utils.optimizers import Adam, AdamW, GradientDescent
from course_utils.schedules import constant, polynomial

COMMAND = "make records NB=05"
CHOOSE, JUDGE = range(8), range(100, 116)
"""The seeds that choose a decay, by validation loss, and the fresh ones that judge the choice."""

METRICS = ("validation_loss", "test_loss", "test_accuracy", "train_accuracy")


class Rule(NamedTuple):
    """The rates and decays that a rule is tried at; both grids rise by factors of two."""

    lrs: np.ndarray
    decays: np.ndarray


RULES = {
    "AdamW": Rule(2.0 ** np.arange(-10, -5), np.append(0, 2.0 ** np.arange(-6, 3))),
    "L2": Rule(2.0 ** np.arange(-4, 1), np.append(0, 2.0 ** np.arange(-11, -3))),
    "Adam with L2": Rule(2.0 ** np.arange(-10, -5), np.append(0, 2.0 ** np.arange(-16, -5))),
}


def task() -> Data:
    """Return 200 digits for training, a fifth of them with a label that was drawn anew.

    Example:
        >>> len(task().train), len(task().test)
        (200, 400)
    """
    return digits().subset(200).with_label_noise(0.2, seed=7)


def trained(
    rule: str, lrs: np.ndarray, decay: float, seeds: range | list[int], steps: int, shape: str
) -> Sweep:
    """Train with one decay at all rates, from all seeds.

    Args:
        rule: a key of `RULES`. Adam with L2 leaves the biases alone.
        lrs: peak rates, shape (R,).
        decay: λ, in PyTorch's convention.
        seeds: of weights and batches.
        steps: updates of 20 examples.
        shape: "constant", or "linear" (from the peak to 0).

    Example:
        >>> trained("AdamW", [0.01], 0.5, [0, 1], 3, "linear").lr.round(4).tolist()
        [[0.01, 0.0067, 0.0033]]
    """
    validate.one_of("rule", rule, RULES)
    linear = validate.one_of("shape", shape, ("constant", "linear")) == "linear"
    optimizers = {"AdamW": AdamW(weight_decay=decay), "L2": GradientDescent(weight_decay=decay)}
    return sweep(
        lrs,
        seeds,
        data=task(),
        hidden=(32,),
        optimizer=optimizers.get(rule, Adam()),
        schedule=lambda lr: polynomial(lr, steps, 0.0) if linear else constant(lr),
        steps=steps,
        batch_size=20,
        l2=decay / 2 if rule == "Adam with L2" else 0.0,
        evaluate_on=("train", "validation", "test"),
    )


def name(rule: str, shape: str, steps: int, part: str, decay: float) -> str:
    """Return the name of a recorded table.

    >>> name("AdamW", "linear", 1500, "judge", 0.25)
    'AdamW, linear, 1500 updates, judge, λ = 0.25'
    """
    return f"{rule}, {shape}, {steps} updates, {part}, λ = {decay:g}"


RECORDED = (
    ("AdamW", "linear", 1500, CHOOSE, JUDGE),
    ("AdamW", "linear", 300, CHOOSE, JUDGE),
    ("L2", "linear", 1500, CHOOSE, JUDGE),
    ("Adam with L2", "linear", 1500, CHOOSE),
    ("AdamW", "constant", 1500, CHOOSE, JUDGE),
    ("AdamW", "linear", 6000, CHOOSE, JUDGE),
)
"""Rule, schedule, updates and seeds of what is recorded, most valuable first."""


def record(path: str | PathLike[str]) -> None:
    """Train every rule at every rate and decay; write one table per decay, after each rule."""
    start, tables = time.perf_counter(), {}
    for rule, shape, steps, *parts in RECORDED:
        for seeds in parts:
            part = "choose" if seeds is CHOOSE else "judge"
            for decay in RULES[rule].decays:
                run = trained(rule, RULES[rule].lrs, decay, seeds, steps, shape)
                metrics = {m: np.array(rounded(run.final(m), 3), float) for m in METRICS}
                meta = run.meta | {"schedule": shape, "weight_decay": float(decay)}
                table = Table(run.lrs, run.seeds, metrics, run.diverged, meta)
                tables[name(rule, shape, steps, part, decay)] = table
        save(path, tables, command=COMMAND, seconds=round(time.perf_counter() - start))
