r"""Weight decay when the rate moves: the best decay at each rate, and the price of two recipes.

200 digits, a fifth of the labels drawn anew, a network of 32 units, batches of 20: here decay has
something to do. Three rules: gradient descent with :math:`\lambda w` in the gradient (L2), Adam
with it in the gradient, and AdamW, which shrinks by :math:`1 - \eta_t \lambda`. The AdamW of the
paper, :math:`1 - s_t \lambda'` with the schedule's factor :math:`s_t`, is the same run under
another name: :math:`\lambda' = \eta_{max} \lambda`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from os import PathLike
from typing import NamedTuple

import numpy as np

from course_utils import validate
from course_utils.experiments.datasets import Data, digits
from course_utils.experiments.sweep import Sweep, sweep
from course_utils.experiments.table import Table, save
from course_utils.optimizers import Adam, AdamW, GradientDescent
from course_utils.schedules import constant, polynomial

COMMAND = "make records NB=05"
CHOOSE, JUDGE = range(8), range(100, 116)
"""The seeds that choose a decay, by validation loss, and the fresh ones that judge the choice."""

KEPT = {"choose": ("validation_loss",), "judge": ("test_loss", "test_accuracy", "train_accuracy")}


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
        >>> trained("AdamW", [0.01], 0.5, [0, 1], 3, "linear").lr.round(4)
        array([[0.01  , 0.0067, 0.0033]], dtype=float32)
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
                metrics = {m: run.final(m) for m in KEPT[part]}
                meta = run.meta | {"schedule": shape, "weight_decay": float(decay)}
                table = Table(run.lrs, run.seeds, metrics, run.diverged, meta)
                tables[name(rule, shape, steps, part, decay)] = table.rounded(3)
        save(path, tables, command=COMMAND, seconds=round(time.perf_counter() - start))


def measured(
    tables: Mapping[str, Table], what: tuple[str, str, int], part: str, metric: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Collect one metric of a rule from its tables.

    Args:
        tables: as `record` writes them.
        what: rule, schedule and updates, such as ("AdamW", "linear", 1500).
        part: "choose" or "judge".
        metric: a metric of these tables.

    Returns:
        The decays (D,), the rates (R,) and the metric (D, R, S).

    Example:
        >>> table = Table([0.1], [0], {"test_loss": [[0.5]]})
        >>> measured(
        ...     {name("L2", "linear", 9, "judge", 0.25): table},
        ...     ("L2", "linear", 9),
        ...     "judge",
        ...     "test_loss",
        ... )
        (array([0.25]), array([0.1]), array([[[0.5]]]))
    """
    start = name(*what, part, 0)[:-1]
    found = {
        float(key.removeprefix(start)): t for key, t in tables.items() if key.startswith(start)
    }
    if not found:
        raise ValueError(f"what must be recorded, one of {RECORDED}, got {what!r}, {part!r}")
    decays = sorted(found)
    return (
        np.array(decays),
        found[decays[0]].lrs,
        np.stack([found[decay].final(metric) for decay in decays]),
    )


def price(
    tables: Mapping[str, Table], what: tuple[str, str, int], metric: str
) -> tuple[np.ndarray, np.ndarray]:
    """Compare, on fresh seeds, two ways to go from the middle rate to the others.

    The decay is tuned at the middle rate, by validation loss. Then it is kept, or it is changed so
    that rate × decay is kept.

    Args:
        tables, what: as in `measured`.
        metric: "test_loss" or "test_accuracy".

    Returns:
        The metric with the decay kept, and with rate × decay kept, each (R, S).

    Example:
        >>> tables = {}
        >>> for part, metric in (("choose", "validation_loss"), ("judge", "test_loss")):
        ...     for decay, loss in ((0.25, 2.0), (0.5, 1.0), (1.0, 3.0)):
        ...         cells = [[loss], [loss], [loss]]
        ...         table = Table([0.1, 0.2, 0.4], [0], {metric: cells})
        ...         tables[name("L2", "linear", 9, part, decay)] = table
        >>> kept, product = price(tables, ("L2", "linear", 9), "test_loss")
        >>> kept[:, 0].tolist(), product[:, 0].tolist()
        ([1.0, 1.0, 1.0], [3.0, 1.0, 2.0])
    """
    _, lrs, choice = measured(tables, what, "choose", "validation_loss")
    decays, _, values = measured(tables, what, "judge", metric)
    middle = len(lrs) // 2
    tuned = int(np.nan_to_num(choice[:, middle].mean(axis=-1), nan=np.inf).argmin())
    wanted = decays[tuned] * lrs[middle] / lrs  # a grid point: both grids rise by factors of two
    rows = [int(np.abs(decays - decay).argmin()) for decay in wanted]
    if not np.allclose(decays[rows], wanted, rtol=1e-6):
        raise ValueError(f"decays of {what!r} must reach from {wanted[-1]:g} to {wanted[0]:g}")
    return values[tuned], np.stack([values[row, i] for i, row in enumerate(rows)])
