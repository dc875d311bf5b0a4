"""Clipping as a hidden learning rate: the best rate with and without it, for SGD and for Adam."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from course_utils.experiments import table
from course_utils.experiments.datasets import digits
from course_utils.experiments.evaluation import evaluate, mean_loss
from course_utils.experiments.models import mlp
from course_utils.experiments.table import Table
from course_utils.experiments.tabulate import tabulate
from course_utils.experiments.training import train
from course_utils.schedules import polynomial

SIZES = (64, 32, 10)
CLIP = 0.1
STEPS = (300, 1200)
SEEDS = 8
RATES = {
    "sgd": (0.06, 0.1, 0.18, 0.3, 0.55, 1.0, 1.8, 3.0, 5.5, 10.0, 18.0, 30.0),
    "adam": (0.003, 0.0055, 0.01, 0.018, 0.03, 0.055, 0.1, 0.18),
}
COMMAND = "make records NB=10 ARGS=10_clipping.json"


def measure(
    optimizer: str,
    clip: float | None,
    steps: int,
    lrs: Sequence[float] | None = None,
    seeds: Sequence[int] = tuple(range(SEEDS)),
) -> Table:
    """Train 64-32-10 on digits, batches of 16, under a line to 0, at every rate from every seed.

    Example:
        >>> few = measure("sgd", 0.1, steps=20, lrs=[0.5], seeds=[0])
        >>> sorted(few.metrics)
        ['clipped', 'test_accuracy', 'test_loss', 'validation_loss']
    """
    lrs = RATES[optimizer] if lrs is None else lrs
    meta = {"data": "digits", "sizes": list(SIZES), "optimizer": optimizer, "clip": clip}
    meta |= {"steps": steps, "batch_size": 16, "schedule": "polynomial(lr, steps, end_lr=0)"}
    made = tabulate(partial(_one, optimizer, clip, steps), lrs, seeds, meta)
    lost = made.metrics.pop("diverged")
    return replace(made, diverged=lost)


def _one(optimizer: str, clip: float | None, steps: int, lr: float, seed: int) -> dict[str, float]:
    model, data = mlp(SIZES, seed=seed), digits()
    plan = polynomial(lr, steps, end_lr=0.0)
    run = train(
        model, data, optimizer=optimizer, schedule=plan, steps=steps, batch_size=16, clip=clip,
        seed=seed,
    )  # fmt: skip
    with np.errstate(invalid="ignore"):
        share = 0.0 if clip is None else float(np.mean(run.grad_norm > clip))
    loss, right = evaluate(model, data.test)
    return {
        "validation_loss": round(mean_loss(model, data.validation), 5),
        "test_loss": round(float(loss), 5),
        "test_accuracy": round(float(right), 5),
        "clipped": round(share, 4),
        "diverged": run.diverged,
    }


def record(path: Path) -> None:
    """Measure both optimizers with and without clipping at both budgets; some ten minutes."""
    start = time.perf_counter()
    tables = {
        f"{optimizer}, clip {clip or 'none'}, {steps} updates": measure(optimizer, clip, steps)
        for steps in STEPS
        for optimizer in RATES
        for clip in (None, CLIP)
    }
    table.save(path, tables, command=COMMAND, seconds=time.perf_counter() - start)
