r"""The loss spikes of a network under Adam, with the meter: rate × preconditioned sharpness."""

from __future__ import annotations

import time
from os import PathLike

import numpy as np
import torch
from torch import nn

from course_utils.experiments.datasets import Data, digits
from course_utils.experiments.diagnostics import Sharpness, sharpness
from course_utils.experiments.models import mlp
from course_utils.experiments.table import save
from course_utils.experiments.tabulate import tabulate
from course_utils.experiments.training import train
from course_utils.lessons.lesson05.spikes import loss_spikes, threshold
from course_utils.run import Run

COMMAND = "make records NB=05"
RATES, SEEDS = (0.005, 0.01, 0.02), range(8)
STEPS, EVERY, KEPT = 600, 4, 20
"""The updates; the meter is read after every fourth, and kept after every twentieth."""
START = 20
"""Spikes and crossings count from here."""


class Stretched(nn.Module):
    r"""A network as a function of :math:`u = D^{-1/2} w`, where an adaptive step is a plain one.

    Its Hessian by u is :math:`D^{1/2} H D^{1/2}`.

    Args:
        model: it is not changed.
        scale: the diagonal of D, :math:`1/\sigma`, shape (P,), in the order of its parameters.

    Example:
        >>> model, x = nn.Linear(2, 1), torch.ones(1, 2)
        >>> bool(torch.isclose(Stretched(model, torch.full((3,), 4.0))(x), model(x)))
        True
    """

    def __init__(self, model: nn.Module, scale: torch.Tensor) -> None:
        super().__init__()
        self.root = scale.sqrt()
        w = nn.utils.parameters_to_vector(model.parameters()).detach()
        self.u = nn.Parameter(w / self.root)
        self.network = [model]  # in a list: its parameters are not those of this module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the network puts out."""
        model = self.network[0]
        pieces = (self.root * self.u).split([p.numel() for p in model.parameters()])
        named = {
            name: piece.view_as(p) for (name, p), piece in zip(model.named_parameters(), pieces)
        }
        return torch.func.functional_call(model, named, x)


def preconditioned_sharpness(
    model: nn.Module,
    data: Data,
    scale: torch.Tensor,
    iterations: int = 12,
    vector: torch.Tensor | None = None,
) -> Sharpness:
    r"""Return the largest eigenvalue of :math:`D^{1/2} H D^{1/2}`, the curvature an update feels.

    An adaptive step is a plain step in coordinates stretched by :math:`D = diag(1/\sigma)`. There
    it is stable while the rate times this eigenvalue is below 2 (38 for Adam with momentum 0.9).

    Args:
        model: a classifier; H is the Hessian of half the squared distance on `data.train`.
        data: see `course_utils.experiments.datasets`.
        scale: :math:`1/\sigma`, shape (P,), in the order of `model.parameters()`.
        iterations: Hessian-vector products; cold it needs some 50.
        vector: where to start, shape (P,): the vector of the last call.

    Source: Cohen et al. 2022, Adaptive gradient methods at the edge of stability (2207.14484).

    Example:
        >>> model, one = mlp([64, 10], seed=0), torch.ones(650)
        >>> plain, double = (
        ...     preconditioned_sharpness(model, digits(), factor * one, 50) for factor in (1, 2)
        ... )
        >>> round(double.value / plain.value, 3)
        2.0
    """
    stretched = Stretched(model, scale)
    return sharpness(stretched, data.train.inputs(), data.train.y, "mse", iterations, vector)


def watch(seed: int, lr: float, steps: int = STEPS, every: int = EVERY) -> Run:
    """Train 64-32-10 tanh on 200 digits, full batch, with Adam; `metrics["meter"]` every so often.

    Example:
        >>> watch(0, 0.02, steps=8).metrics["meter"].shape
        (3,)
    """
    data, model, vector = digits().subset(200), mlp([64, 32, 10], "tanh", seed=seed), None
    adam = torch.optim.Adam(model.parameters(), lr=lr)

    def meter(model):
        nonlocal vector
        if not adam.state:
            return float("nan")
        state = [adam.state[p] for p in model.parameters()]
        t = float(state[0]["step"])
        v = torch.cat([s["exp_avg_sq"].flatten() for s in state]) / (1 - 0.999**t)
        scale = 1 / (v.sqrt() + 1e-8)
        found = preconditioned_sharpness(model, data, scale, 40 if vector is None else 8, vector)
        vector = found.vector
        return lr * found.value

    return train(
        model, data, optimizer=lambda _: adam, schedule=lr, steps=steps, batch_size=None,
        loss="mse", observers={"meter": meter}, observe_every=every,
    )  # fmt: skip


def summary(run: Run, limit: float) -> dict[str, float]:
    """Return when the meter crossed and the loss spiked (the run's length: never), and the meter.

    Example:
        >>> run = Run(
        ...     [0.1] * 60,
        ...     [1.0] * 50 + [4.0] * 10,
        ...     [0.0] * 60,
        ...     4.0,
        ...     metrics={"step": [0, 40], "meter": [1.0, 40.0]},
        ... )
        >>> summary(run, 38.0)
        {'crossed': 40.0, 'spiked': 50.0, 'spikes': 1.0, 'meter 40': 40.0}
    """
    steps, meter = run.metrics["step"], np.nan_to_num(run.metrics["meter"])
    above = steps[(steps >= START) & (meter > limit)]
    at = np.flatnonzero(loss_spikes(run.loss, START))
    found = {
        "crossed": float(above[0]) if len(above) else float(run.steps),
        "spiked": float(at[0]) if len(at) else float(run.steps),
        "spikes": float(len(at)),
    }
    return found | {f"meter {s}": float(m) for s, m in zip(steps, meter) if s and s % KEPT == 0}


def record(path: str | PathLike[str]) -> None:
    """Write the summaries of all rates and seeds as a table."""
    start = time.perf_counter()
    meta = {"network": "64-32-10 tanh", "data": "200 digits", "steps": STEPS, "optimizer": "Adam"}

    def one(lr: float, seed: int) -> dict[str, float]:
        return summary(watch(seed, lr), threshold(0.9))

    table = tabulate(one, RATES, SEEDS, meta).rounded(3)
    save(path, {"Adam": table}, command=COMMAND, seconds=round(time.perf_counter() - start))
