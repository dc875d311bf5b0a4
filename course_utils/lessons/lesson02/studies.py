"""What lesson 2 records: where fast runs leave the slow road, who returns, the edge, dead units.

All on lesson 1's network of 64 hidden units and the digits; 16 seeds each. `make records NB=02`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from course_utils.experiments import table
from course_utils.experiments.batches import Batches
from course_utils.experiments.datasets import digits
from course_utils.experiments.networks import Networks
from course_utils.experiments.table import Table
from course_utils.lessons.lesson02.network import digits_network, sharpness

SEEDS = range(16)
ROAD = 0.1
"""The slow rate whose run is the road."""


def walk(
    lr: float, seed: int, steps: int, every: int, loss: str = "cross_entropy"
) -> dict[str, np.ndarray]:
    """Train by full-batch gradient descent; measure after 0, every, 2 every, ... updates.

    Returns:
        "step", and the "loss" there; "center", the sharpness halfway between w_t and w_{t + 1},
        which is the center of a jump from one wall to the other. Infinite where it diverged.

    Example:
        >>> walk(0.1, seed=0, steps=20, every=10)["step"]
        array([ 0, 10, 20])
    """
    network = digits_network(seed, loss=loss)
    w, v = network.start, None
    measured = []
    with np.errstate(all="ignore"):  # to diverge is a result, not an accident
        for t in range(steps + 1):
            gradient = network.gradient(w)
            if not np.isfinite(gradient).all():
                measured += [(np.inf, np.inf)] * (steps // every + 1 - len(measured))
                break
            if t % every == 0:
                center, v = sharpness(network.gradient, w - lr / 2 * gradient, v)
                measured.append((float(network.loss(w)), center))
            w = w - lr * gradient
    found = np.array(measured)
    step = every * np.arange(len(found))
    return {"step": step, "loss": found[:, 0], "center": found[:, 1]}


def departures(
    rates: Iterable[float] = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.5, 2.0),
    seeds: Iterable[int] = SEEDS,
    clock: float = 60.0,
) -> Table:
    """Compare runs at several rates with the road, at equal rate times step, up to `clock`.

    Metrics: "peak" sharpness of the road; "departure", the largest |ln(loss / loss of the road)|
    after a clock of 3; "crossing", the clock at which the road's sharpness passes 2/rate, and
    "leaving", at which the departure passes 10 % (NaN if never); "low", the smallest sharpness at
    the center of the jumps between crossing and a clock of 30, and "road", that of the road at the
    same clock; "loss" at the end.

    >>> departures([0.2], [0], clock=6).final("departure").shape
    (1, 1)
    """
    rates, seeds = list(rates), list(seeds)
    roads = [walk(ROAD, seed, round(clock / ROAD), 2) for seed in seeds]
    rows = [[_departure(lr, seed, clock, road) for seed, road in zip(seeds, roads)] for lr in rates]
    names = rows[0][0]
    metrics = {name: [[cell[name] for cell in row] for row in rows] for name in names}
    return Table(rates, seeds, metrics, meta={"network": "64-64-10 relu", "clock": clock})


def _departure(lr: float, seed: int, clock: float, road: dict[str, np.ndarray]) -> dict[str, float]:
    run = walk(lr, seed, round(clock / lr), 1)
    at, slow = lr * run["step"], ROAD * road["step"]
    with np.errstate(invalid="ignore"):
        apart = np.abs(np.log(run["loss"]) - np.log(np.interp(at, slow, road["loss"])))
    apart[at < 3] = 0
    crossed = np.flatnonzero(road["center"] > 2 / lr)
    crossing = slow[crossed[0]] if len(crossed) else np.nan
    left = np.flatnonzero(~(apart <= np.log(1.1)))
    found = {
        "peak": road["center"].max(),
        "departure": apart.max(),
        "crossing": crossing,
        "leaving": at[left[0]] if len(left) else np.nan,
        "low": np.nan,
        "road": np.nan,
        "loss": run["loss"][-1],
    }
    between = np.flatnonzero((at >= crossing) & (at <= 30))
    if len(between):
        lowest = between[np.argmin(run["center"][between])]
        found["low"] = run["center"][lowest]
        found["road"] = np.interp(at[lowest], slow, road["center"])
    return {name: float(value) for name, value in found.items()}


def later(
    rates: Iterable[float] = (0.4, 0.7, 1.0, 1.5, 2.0), seeds: Iterable[int] = SEEDS
) -> Table:
    """Train as in `departures`, four times as long: which rates are only late, which are lost?

    Metrics: "at_60" and "at_240", the loss where rate times step is 60 and 240.

    >>> later([2.0], [0]).final("at_60").shape
    (1, 1)
    """
    rates, seeds = list(rates), list(seeds)
    quarters = [round(60 / lr) for lr in rates]  # in steps
    runs = [[walk(lr, seed, 4 * q, q)["loss"] for seed in seeds] for lr, q in zip(rates, quarters)]
    metrics = {"at_60": [[loss[1] for loss in row] for row in runs]}
    metrics["at_240"] = [[loss[4] for loss in row] for row in runs]
    return Table(rates, seeds, metrics, meta={"network": "64-64-10 relu", "clock": 240.0})


def edge(
    rates: Iterable[float] = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0),
    seeds: Iterable[int] = SEEDS,
    steps: int = 3000,
) -> Table:
    """Train with the squared error, whose road goes on becoming steeper: the edge of stability.

    Metrics: "ratio", sharpness at the center of the jumps in units of 2/rate, mean of the last
    third; "loss" after all updates, and "early" after a tenth of them; "same_clock", the loss where
    rate times step is what the smallest rate reaches at the end.

    >>> edge([0.1, 0.2], [0], steps=60).final("ratio").shape
    (2, 1)
    """
    rates, seeds = list(rates), list(seeds)
    every = max(1, steps // 300)
    metrics: dict[str, list] = {name: [] for name in ("ratio", "loss", "early", "same_clock")}
    for lr in rates:
        runs = [walk(lr, seed, steps, every, "mse") for seed in seeds]
        same = round(min(rates) / lr * steps / every)
        metrics["ratio"].append(
            [run["center"][-len(run["center"]) // 3 :].mean() * lr / 2 for run in runs]
        )
        for name, place in {"loss": -1, "early": steps // 10 // every, "same_clock": same}.items():
            metrics[name].append([run["loss"][place] for run in runs])
    return Table(rates, seeds, metrics, meta={"network": "64-64-10 relu, mse", "steps": steps})


def dead_units(
    activation: str = "relu",
    rates: Iterable[float] = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.33, 1.8, 2.4, 3.2, 5.6, 10.0),
    seeds: Iterable[int] = SEEDS,
    steps: int = 400,
) -> Table:
    """Train as in lesson 1 (batches of 16) and count the hidden units that are 0 for every image.

    Metrics: "dead" of the 64 units (0 with tanh, which has no such units), "train_loss",
    "validation_accuracy".

    >>> dead_units(rates=[0.3], seeds=[0], steps=5).final("dead").tolist()
    [[0.0]]
    """
    rates, seeds = list(rates), list(seeds)
    batches = Batches(digits(), 16)
    batch = batches.of_seeds(seeds)
    networks = Networks(len(rates), seeds, (64, 64, 10), activation, "cross_entropy", 0.0)
    params, column = networks.initial(), np.repeat(rates, len(seeds))[:, np.newaxis]
    with np.errstate(all="ignore"):
        for _ in range(steps):
            _, gradient = networks.loss_and_gradient(params, *next(batch))
            params = (params - column * gradient).astype(np.float32)
        first = networks.layers(params)[0]
        x = batches.inputs
        silent = [[(x @ layer <= 0).all(axis=0).sum() for layer in row] for row in first]
        loss, _ = networks.evaluate(params, *batches.parts["train"])
        _, accuracy = networks.evaluate(params, *batches.parts["validation"])
    dead = np.array(silent) if activation == "relu" else np.zeros(loss.shape)
    metrics = {"dead": dead, "train_loss": loss, "validation_accuracy": accuracy}
    return Table(rates, seeds, metrics, meta={"network": f"64-64-10 {activation}", "steps": steps})


STUDIES = {
    "departures": lambda: {"rates": departures()},
    "later": lambda: {"rates": later()},
    "edge": lambda: {"squared error": edge()},
    "dead_units": lambda: {"ReLU": dead_units("relu"), "tanh": dead_units("tanh")},
}
"""What is recorded, most valuable first: the tables of each file."""


def record(name: str, path: Path) -> None:
    """Make the tables of `STUDIES[name]` and write them to `path`."""
    started = time.perf_counter()
    tables = STUDIES[name]()
    seconds = round(time.perf_counter() - started)
    command = f'make records NB=02 ARGS="02_{name}.json"'
    table.save(path, tables, command=command, seconds=seconds)
