"""The recorded files of lesson 4; `make records NB=04` makes them again."""

from __future__ import annotations

import time
from os import PathLike

import numpy as np

from course_utils.experiments.batches import Batches
from course_utils.experiments.datasets import digits
from course_utils.experiments.networks import Networks
from course_utils.experiments.sweep import sweep
from course_utils.experiments.table import Table, save
from course_utils.lessons.lesson04.turned import Rotation
from course_utils.optimizers import Adam, Optimizer

SIZES = (64, 64, 10)
BATCH = 16
RATES = np.geomspace(1e-3, 0.1778, 10)
BETA2 = (0.9, 0.999)
EPSILONS = (1e-8, 1e-4, 1e-2, 0.1, 1.0)
EPSILON_RATES = np.geomspace(1e-3, 3.162, 15)
COMMAND = "make records NB=04"


def record_networks(
    optimizer: Optimizer, lrs: np.ndarray, seed: int, steps: int, turned: bool
) -> dict[str, np.ndarray]:
    """Train one network per rate, all with one seed; with `turned` in a random basis of that seed.

    Returns:
        What was measured at the end, by name, each of shape (R,).
    """
    batches = Batches(digits(), BATCH)
    batch = batches.of_seeds([seed])
    networks = Networks(len(lrs), [seed], SIZES, "relu", "cross_entropy", l2=0.0)
    w = networks.initial()
    rotation = Rotation(w.shape[1], seed) if turned else None
    u = rotation.turn(w) if rotation else w
    rates = lrs[:, None].astype(np.float32)
    optimizer.reset()
    for _ in range(steps):
        w = rotation.back(u) if rotation else u
        _, gradient = networks.loss_and_gradient(w, *next(batch))
        u = optimizer.step(u, rotation.turn(gradient) if rotation else gradient, rates)
    w = rotation.back(u) if rotation else u
    loss, _ = networks.evaluate(w, *batches.parts["train"])
    _, accuracy = networks.evaluate(w, *batches.parts["validation"])
    return {"train_loss": loss[:, 0], "validation_accuracy": accuracy[:, 0]}


def _turned(path: str | PathLike[str], steps: int, seeds: range) -> None:
    """Train the network of lesson 1 with Adam, along its own axes and turned at random.

    The names of the tables are such as "β₂ = 0.9, turned".
    """
    start, tables = time.perf_counter(), {}
    for beta2 in BETA2:
        rule = Adam(beta2=beta2)
        for turned in (False, True):
            with np.errstate(all="ignore"):  # to diverge is a result
                runs = [record_networks(rule, RATES, seed, steps, turned) for seed in seeds]
            what = "turned" if turned else "own axes"
            columns = {name: np.stack([run[name] for run in runs], axis=1) for name in runs[0]}
            meta = {"steps": steps, "batch_size": BATCH, "axes": what, "optimizer": rule.name,
                    "optimizer_parameters": rule.parameters}  # fmt: skip
            lost = ~np.isfinite(columns["train_loss"])
            tables[f"β₂ = {beta2:g}, {what}"] = Table(RATES, seeds, columns, lost, meta).rounded(3)
    save(path, tables, command=COMMAND, seconds=round(time.perf_counter() - start))


def _epsilon(path: str | PathLike[str]) -> None:
    """Train the network of lesson 1 with Adam at each ε and rate; tables such as "ε = 0.01"."""
    start, tables = time.perf_counter(), {}
    for eps in EPSILONS:
        run = sweep(EPSILON_RATES, range(8), optimizer=Adam(eps=eps), steps=400, progress=False)
        names = ("train_loss", "validation_accuracy")
        metrics = {name: run.final(name) for name in names}
        table = Table(run.lrs, run.seeds, metrics, run.diverged, run.meta)
        tables[f"ε = {eps:g}"] = table.rounded(3)
    save(path, tables, command=COMMAND, seconds=round(time.perf_counter() - start))


RECORDS = {
    "04_turned.json": lambda path: _turned(path, 400, range(16)),
    "04_epsilon.json": _epsilon,
    "04_turned_2000.json": lambda path: _turned(path, 2000, range(6)),
}
