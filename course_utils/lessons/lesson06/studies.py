"""Which deaths are the rate's, and which the network's? Four arms of the quarter-width network.

Each run is 120 updates of `SevenLayerCNN(width=0.25)` with Adam on the photographs. The arms have
the same seeds, batches and rates, and differ in one thing.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from torch import nn

from course_utils.experiments.cifar_files import DataError
from course_utils.experiments.cifar_plans import SHORT
from course_utils.experiments.cifar_runs import load, select
from course_utils.experiments.datasets import Data, cifar100, synthetic_cifar100
from course_utils.experiments.diagnostics import dead_shares
from course_utils.experiments.models import SevenLayerCNN
from course_utils.experiments.table import Table, save
from course_utils.experiments.tabulate import tabulate
from course_utils.sampling import epoch_batches
from course_utils.schedules import constant, with_warmup

STEPS, WARM_UP, BATCH, LAST = 120, 60, 128, 30
RATES = (1e-2, 6.25e-3, 2e-2, 1e-1)
ARMS = ("plain", "warm-up", "clipping", "normalization")
CLIP = 0.1
"""About two thirds of the first gradient's length: the arm with clipping shortens to this."""


def images(n: int = 5000) -> Data:
    """Return n photographs of CIFAR-100 if it is on this computer, else a few synthetic images.

    >>> images().classes
    100
    """
    try:
        data = cifar100(download=False)
        few = {"train": data.train.take(slice(n)), "test": data.test.take(slice(n // 5))}
        return replace(data, **few)
    except DataError:
        with tempfile.TemporaryDirectory() as folder:
            return synthetic_cifar100(folder, n_train=600, n_test=200)


def normalized(model: SevenLayerCNN) -> nn.Sequential:
    """Return the network with a batch normalization behind each convolution; the weights are kept.

    >>> [type(layer).__name__ for layer in normalized(SevenLayerCNN(seed=0, width=0.25))][:3]
    ['Conv2d', 'BatchNorm2d', 'ReLU']
    """
    layers: list[nn.Module] = []
    for layer in model.children():
        layers.append(layer)
        if isinstance(layer, nn.Conv2d):
            layers.append(nn.BatchNorm2d(layer.out_channels))
    return nn.Sequential(*layers)


def one_run(arm: str, lr: float, seed: int, data: Data) -> dict[str, float]:
    """Train one network of one arm; return its loss at the end and the dead share of each layer.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     few = synthetic_cifar100(folder, n_train=200, n_test=10)  # one batch, one update
    >>> round(one_run("plain", 1e-3, 0, few)["train_loss"], 2)
    4.61
    """
    model: nn.Module = SevenLayerCNN(seed=seed, width=0.25)
    model = normalized(model) if arm == "normalization" else model
    schedule = with_warmup(lr, WARM_UP, 1 / WARM_UP) if arm == "warm-up" else constant(lr)
    adam = torch.optim.Adam(model.parameters(), fused=True)
    losses = []
    for t, rows in enumerate(epoch_batches(len(data.train), BATCH, 0, seed)[:STEPS]):
        adam.param_groups[0]["lr"] = float(schedule(t))  # all parameters are in one group
        adam.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            z = model(torch.from_numpy(data.train.inputs(rows)))
        loss = nn.functional.cross_entropy(z.float(), torch.from_numpy(data.train.y[rows]))
        loss.backward()
        if arm == "clipping":
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        adam.step()
        losses.append(loss.item())
    found = {"train_loss": float(np.mean(losses[-LAST:]))}
    probe = torch.from_numpy(data.train.inputs(slice(256)))
    dead = dead_shares(model, probe)  # in training mode: the spread of a channel is the probe's own
    return found | {f"dead_{i}": float(s) for i, s in enumerate(dead, start=1)}


def record_arms(
    path: str | PathLike[str], seeds: Iterable[int] = range(8), data: Data | None = None
) -> None:
    """Write one table per arm.

    The metrics are "train_loss", the mean of the last 30 mini-batches, and "dead_1" to "dead_7".
    """
    start, tables, seeds = time.perf_counter(), {}, list(seeds)
    data = cifar100() if data is None else data
    for arm in ARMS:
        meta = {"steps": STEPS, "batch_size": BATCH, "optimizer": "Adam", "width": 0.25,
                "precision": "bfloat16", "images": data.name, "arm": arm}  # fmt: skip
        one = partial(one_run, arm, data=data)
        tables[arm] = tabulate(one, sorted(RATES), seeds, meta).rounded(4)
    seconds = round(time.perf_counter() - start)
    save(path, tables, command="make records NB=06", seconds=seconds)


def record_survival(path: str | PathLike[str]) -> None:
    """Write who survives 200 updates at full width, from the runs of `06_dead.json` beside it.

    The metrics, NaN where a seed was not run at a rate: "train_loss", the mean of updates 151 to
    200; "dead_1" to "dead_7" at the end; "dead_since", the update since which some layer has no
    living unit (infinite if there is none).
    """
    runs = load(Path(path).with_name("06_dead.json"))
    runs = select(runs, steps=SHORT, width=1.0)  # `make cifar100` adds others
    lrs = sorted({run.plan.lr for run in runs})
    seeds = sorted({run.plan.seed for run in runs})
    names = ("train_loss", "dead_since", *(f"dead_{i}" for i in range(1, 8)))
    metrics = {name: np.full((len(lrs), len(seeds)), np.nan) for name in names}
    for run in runs:
        cell = lrs.index(run.plan.lr), seeds.index(run.plan.seed)
        dead, step = run.metrics["dead"], run.metrics["step"]
        lost = (dead == 1).any(axis=1)
        since = step[len(lost) - lost[::-1].argmin()] if lost[-1] else np.inf
        found = (run.loss[150:].mean(), since, *dead[-1])
        for name, value in zip(names, found, strict=True):
            metrics[name][cell] = float(f"{value:.6g}")
    images = runs[-1].meta["provenance"]["images_sha256"]
    meta = {"steps": SHORT, "batch_size": 128, "optimizer": "Adam", "width": 1.0,
            "precision": "float32", "images": "CIFAR-100", "images_sha256": images}  # fmt: skip
    table = Table(np.array(lrs), np.array(seeds), metrics, None, meta)
    save(path, {"constant": table}, command="make records NB=06")
