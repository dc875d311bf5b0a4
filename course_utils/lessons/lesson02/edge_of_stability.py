"""The edge of stability: a network whose sharpness climbs to 2/rate and stays there.

Full-batch gradient descent on 400 digits with a tanh network and the squared error, at several
rates and from several seeds, with the sharpness measured on the way (Cohen et al. 2021). Lesson 2
runs one of these trainings and compares it with all the others, which `record` has run in some
minutes and written to `notebooks/results/02_edge_of_stability.json`; `load` reads that file.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils import validate
from course_utils.experiments import files
from course_utils.experiments.datasets import Data, digits
from course_utils.run import Run, read_json, write_atomically

if TYPE_CHECKING:
    import torch

RATES = (0.2, 0.4, 0.8, 1.2)
SEEDS = (0, 1, 2)
STEPS = 3000
EVERY = 30
COMMAND = (
    "python -m course_utils.lessons.lesson02.edge_of_stability results/02_edge_of_stability.json"
)


@dataclass(frozen=True, eq=False)
class Edge:
    """R rates times S seeds, measured after 0, 30, 60, ... updates (E times).

    Args:
        rates: shape (R,).
        seeds: shape (S,).
        step: shape (E,), updates done.
        loss, grad_norm, sharpness: shape (R, S, E), over the whole training set.
        meta: how it was made.
    """

    rates: np.ndarray
    seeds: np.ndarray
    step: np.ndarray
    loss: np.ndarray
    grad_norm: np.ndarray
    sharpness: np.ndarray
    meta: dict[str, Any]

    @property
    def ratio(self) -> np.ndarray:
        """Sharpness in units of 2/rate, shape (R, S, E): 1 is the limit of a parabola."""
        return self.sharpness * self.rates[:, np.newaxis, np.newaxis] / 2

    def late(self, values: np.ndarray) -> np.ndarray:
        """The mean of `values` (R, S, E) over the last third of the training, shape (R, S)."""
        return values[..., -(len(self.step) // 3) :].mean(axis=-1)


def problem() -> Data:
    """Return the data: the first 400 training digits, centered.

    >>> problem().train.x.shape
    (400, 64)
    """
    return digits().subset(400).centered()


def run(lr: float, seed: int = 0, steps: int = STEPS, every: int = EVERY) -> Run:
    """Train one 64-32-10 tanh network by full-batch gradient descent, watching its sharpness.

    Args:
        lr: the learning rate.
        seed: of the initial weights.
        steps: updates.
        every: updates between two measurements of the sharpness, in `metrics["sharpness"]`.

    Source: Cohen, Kaur, Li, Kolter, Talwalkar, Gradient descent on neural networks typically
    occurs at the edge of stability, ICLR 2021.

    Example:
        >>> run(0.4, steps=2, every=1).metrics["sharpness"].shape
        (3,)
    """
    import torch  # not above: what was recorded can be looked at without PyTorch

    from course_utils.experiments.diagnostics import sharpness
    from course_utils.experiments.models import mlp
    from course_utils.experiments.training import train

    lr = validate.positive("lr", lr)
    data = problem()
    x, y = torch.tensor(data.train.x), torch.tensor(data.train.y)
    vector = None

    def watch(model: torch.nn.Module) -> float:
        nonlocal vector  # the eigenvector turns slowly: start from where it was
        value, vector = sharpness(model, x, y, "mse", 60 if vector is None else 12, vector)
        return value

    return train(
        mlp([64, 32, 10], "tanh", seed=seed),
        data,
        schedule=lr,
        steps=steps,
        batch_size=None,
        loss="mse",
        observers={"sharpness": watch},
        observe_every=every,
    )


def measure(
    rates: Iterable[float] = RATES,
    seeds: Iterable[int] = SEEDS,
    steps: int = STEPS,
    every: int = EVERY,
) -> Edge:
    """Run every rate from every seed.

    Args:
        rates, seeds, steps, every: as in `run`; `steps` must be a multiple of `every`.

    Example:
        >>> measure([0.4], [0], steps=4, every=2).sharpness.shape
        (1, 1, 3)
    """
    rates, seeds = tuple(rates), tuple(seeds)
    steps, every = validate.integer("steps", steps, 1), validate.integer("every", every, 1)
    if steps % every:
        raise ValueError(f"steps must be a multiple of every ({every}), got {steps}")
    runs = [[run(lr, seed, steps, every) for seed in seeds] for lr in rates]
    step = runs[0][0].metrics["step"]
    # Entry t is taken before update t; after the last update there is no gradient any more.
    at = np.minimum(step, steps - 1)
    return Edge(
        rates=np.array(rates),
        seeds=np.array(seeds),
        step=step,
        loss=np.array([[one.loss[at] for one in row] for row in runs]),
        grad_norm=np.array([[one.grad_norm[at] for one in row] for row in runs]),
        sharpness=np.array([[one.metrics["sharpness"] for one in row] for row in runs]),
        meta={"steps": steps, "every": every, "network": "64-32-10 tanh", "loss": "mse"},
    )


def record(path: str | PathLike[str]) -> Edge:
    """Measure everything (some minutes) and write it to `path` with its provenance."""
    started = time.process_time()
    edge = measure()
    seconds = round(time.process_time() - started)
    provenance = files.provenance(COMMAND, cpu_seconds=seconds, **files.versions())
    content = {name: getattr(edge, name).tolist() for name in ("rates", "seeds", "step")}
    for name in ("loss", "grad_norm", "sharpness"):
        content[name] = files.rounded(getattr(edge, name), 6)
    content["meta"] = edge.meta | {"provenance": provenance}
    write_atomically(path, json.dumps(content, allow_nan=False))
    return edge


def load(path: str | PathLike[str]) -> Edge:
    """Read what `record` wrote."""
    return read_json(path, _from_json)


def _from_json(content: dict[str, Any]) -> Edge:
    """The inverse of what `record` writes."""
    meta = content.pop("meta")
    return Edge(**{name: np.array(values) for name, values in content.items()}, meta=meta)


if __name__ == "__main__":
    record(sys.argv[1])
