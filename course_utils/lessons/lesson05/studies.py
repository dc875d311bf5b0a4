"""Adaptive methods and schedules side by side: the recorded experiments of lesson 5.

Eight studies, each a function that returns `Arms`: every arm (a method, perhaps with a schedule) at
every rate of its own grid, from the same seeds. An arm is judged at its *own* best rate, chosen on
validation data and reported on test data. `record` runs them in some minutes each and writes
`notebooks/results/05_<study>.json`; `load` reads such a file.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils import sampling, validate
from course_utils.experiments import files
from course_utils.experiments.datasets import Data, digits
from course_utils.experiments.sweep import sweep
from course_utils.optimizers import Adagrad, Adam, GradientDescent, Optimizer, RMSprop
from course_utils.run import read_json, write_atomically
from course_utils.schedules import (
    ReduceOnPlateau,
    Schedule,
    as_schedule,
    constant,
    cosine,
    inverse_sqrt,
    polynomial,
    with_warmup,
)

if TYPE_CHECKING:
    import torch
    from torch import nn

COMMAND = "python -m course_utils.lessons.lesson05.studies results"
BURST = 3.0
"""A loss this many times above the smallest one so far is a burst."""


@dataclass(frozen=True, eq=False)
class Arms:
    """What every arm reached at each of its rates from each seed.

    Args:
        rates: arm -> its learning rates (R,).
        metrics: arm -> name -> measured values (R, S).
        curves: name -> whole curves, for the figures.
        meta: how it was made, in plain JSON types.

    Example:
        >>> arms = Arms({"A": np.array([0.1, 1.0])}, {"A": {"test_loss": np.array([[3], [2]])}})
        >>> arms.best("A", "test_loss"), arms.at_best("A", "test_loss", by="test_loss")
        (1, array([2]))
    """

    rates: dict[str, np.ndarray]
    metrics: dict[str, dict[str, np.ndarray]]
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)

    def best(self, arm: str, by: str = "validation_accuracy") -> int:
        """Return the index of the rate with the best mean `by`: highest accuracy, else lowest."""
        validate.one_of("arm", arm, self.rates)
        mean = np.nan_to_num(self.metrics[arm][by].mean(axis=1), nan=np.inf)
        return int(
            np.argmax(np.where(np.isfinite(mean), mean, -1))
            if "accuracy" in by
            else np.argmin(mean)
        )

    def on_edge(self, arm: str, by: str = "validation_accuracy") -> bool:
        """Return whether that rate is the first or the last one tried: then extend the grid."""
        return self.best(arm, by) in (0, len(self.rates[arm]) - 1)

    def best_rate(self, arm: str, by: str = "validation_accuracy") -> float:
        """Return the best rate of an arm."""
        return float(self.rates[arm][self.best(arm, by)])

    def at_best(
        self, arm: str, metric: str = "test_accuracy", by: str = "validation_accuracy"
    ) -> np.ndarray:
        """Return a metric of an arm at its own best rate, shape (S,)."""
        return self.metrics[arm][metric][self.best(arm, by)]

    def difference(
        self, a: str, b: str, metric: str = "test_accuracy", by: str = "validation_accuracy"
    ) -> np.ndarray:
        """Return a minus b, each at its own best rate, paired by seed, shape (S,)."""
        return self.at_best(a, metric, by) - self.at_best(b, metric, by)

    def width(self, arm: str, tolerance: float, metric: str = "validation_accuracy") -> float:
        """Return how many decades of rates around the best are within `tolerance` of its mean."""
        mean = np.nan_to_num(self.metrics[arm][metric].mean(axis=1), nan=-np.inf)
        low = high = self.best(arm, metric)
        while low > 0 and mean[low - 1] >= mean.max() - tolerance:
            low -= 1
        while high < len(mean) - 1 and mean[high + 1] >= mean.max() - tolerance:
            high += 1
        return float(np.log10(self.rates[arm][high] / self.rates[arm][low]))


def mean_and_error(values: Any) -> tuple[float, float]:
    """Return the mean of paired differences (S,) and its standard error.

    Example:
        >>> mean_and_error([1.0, 2.0, 3.0])
        (2.0, 0.5773502691896258)
    """
    values = validate.array("values", values, ndim=1)
    if len(values) < 2:
        raise ValueError(f"values must hold at least 2 differences, got {len(values)}")
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


# ------------------------------------------------------------------------ bursts in a network


def bursts(loss: Any, start: int = 0, factor: float = BURST) -> int:
    """Return how often, from update `start` on, the loss climbs past `factor` times its minimum.

    The minimum is that of all updates so far, those before `start` included.

    Args:
        loss: shape (T,).
        start: first update that counts.
        factor: above 1.

    Example:
        >>> bursts([8, 1, 5, 6, 1, 4, 0.5])
        2
        >>> bursts([8, 1, 5, 6, 1, 4, 0.5], start=4)
        1
    """
    loss = validate.array("loss", loss, ndim=1)
    high = loss / np.minimum.accumulate(loss) > factor
    return int((high[1:] & ~high[:-1])[max(start - 1, 0) :].sum())


def burst_schedules(lr: float = 0.01, steps: int = 3000) -> dict[str, Schedule]:
    """Return the schedules that try to cure the bursts: warm-up alone, and three that decay.

    Example:
        >>> [round(schedule(2999), 4) for schedule in burst_schedules().values()]
        [0.01, 0.01, 0.0, 0.0, 0.0018]
    """
    rise = steps // 10
    return {
        "constant": constant(lr),
        "warm-up only": with_warmup(lr, rise - 1, start_factor=1 / rise),
        "cosine": cosine(lr, steps),
        "warm-up, cosine": with_warmup(cosine(lr, steps - rise + 1), rise - 1, 1 / rise),
        "1/√t": inverse_sqrt(lr, 100),
    }


def network_bursts(seeds: Iterable[int] = range(5), steps: int = 3000) -> Arms:
    """Train a tanh network on the squared error, full batch, and count its bursts.

    64-64-10 on 1000 digits. RMSprop with five schedules, Adam with two, Adagrad and gradient
    descent at a constant rate. A burst counts from a tenth of the steps on, a late one in the
    last quarter.

    Example:
        >>> network_bursts(seeds=[0], steps=20).metrics["RMSprop, constant"]["bursts"].shape
        (1, 1)
    """
    seeds, schedules = list(seeds), burst_schedules(steps=steps)
    jobs = [
        ("RMSprop", RMSprop(), schedules),
        ("Adam", Adam(), _some(schedules, "constant", "cosine")),
    ]
    jobs += [("Adagrad", Adagrad(), {"constant": constant(0.1)})]
    jobs += [("gradient descent", GradientDescent(), {"constant": constant(0.16)})]
    rates, metrics, curves = {}, {}, {}
    for method, rule, schedule in jobs:
        table = sweep(
            schedule.values(), seeds, data=digits(), activation="tanh", loss="mse",
            optimizer=rule, batch_size=None, steps=steps, evaluate_on=("test",),
        )  # fmt: skip
        for i, name in enumerate(schedule):
            arm = f"{method}, {name}"
            rates[arm] = table.lrs[i : i + 1]
            metrics[arm] = {
                k: np.array([v]) for k, v in _burst_numbers(table.loss[i], steps).items()
            }
            metrics[arm]["final_loss"] = table.final_loss[i : i + 1]
            metrics[arm]["test_accuracy"] = table.final("test_accuracy")[i : i + 1]
            if method == "RMSprop":
                curves[arm] = table.loss[i, 0]
    return Arms(
        rates, metrics, curves, {"seeds": seeds, "steps": steps, "network": "64-64-10 tanh"}
    )


def _burst_numbers(loss: np.ndarray, steps: int) -> dict[str, list[float]]:
    """Counts and sizes of the bursts of S runs, loss (S, T)."""
    late = 3 * steps // 4
    return {
        "bursts": [bursts(row, steps // 10) for row in loss],
        "late_bursts": [bursts(row, late) for row in loss],
        "largest": [(row / np.minimum.accumulate(row))[steps // 10 :].max() for row in loss],
        "late_largest": [row[late:].max() / np.median(row[late:]) for row in loss],
    }


def _some(mapping: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: mapping[name] for name in names}


def preconditioned_sharpness(
    model: nn.Module, data: Data, scale: torch.Tensor, iterations: int = 8, vector: Any = None
) -> tuple[float, torch.Tensor]:
    r"""Return the largest eigenvalue of :math:`D^{1/2} H D^{1/2}`, the curvature an update feels.

    An adaptive step is a plain step in coordinates stretched by :math:`D = diag(1/\sigma)`. There
    it is stable while the rate times this eigenvalue is below 2 (38 for Adam with momentum 0.9).

    Args:
        model: a classifier; H is the Hessian of half the squared distance on `data.train`.
        data: see `course_utils.experiments.datasets`.
        scale: :math:`1/\sigma`, shape (P,), in the order of `model.parameters()`.
        iterations: Hessian-vector products.
        vector: where to start, shape (P,), as returned by the last call.

    Source: Cohen et al. 2022, Adaptive gradient methods at the edge of stability (2207.14484).

    Example:
        >>> import torch
        >>> from course_utils.experiments.models import mlp
        >>> model = mlp([64, 10], seed=0)
        >>> value, _ = preconditioned_sharpness(model, digits(), torch.ones(650), iterations=30)
        >>> double, _ = preconditioned_sharpness(
        ...     model, digits(), 2 * torch.ones(650), iterations=30
        ... )
        >>> round(double / value, 3)
        2.0
    """
    import torch  # here and below: what was recorded can be looked at without PyTorch

    x, y = torch.tensor(data.train.x), torch.tensor(data.train.y)
    target = torch.nn.functional.one_hot(y, data.classes).float()
    params = list(model.parameters())
    loss = ((model(x) - target) ** 2).sum(dim=1).mean() / 2
    gradient = torch.cat(
        [g.flatten() for g in torch.autograd.grad(loss, params, create_graph=True)]
    )
    root = scale.sqrt()
    v = torch.ones_like(root) if vector is None else vector
    value = 0.0
    for _ in range(iterations):
        v = v / v.norm()
        product = torch.autograd.grad(gradient @ (root * v), params, retain_graph=True)
        hv = root * torch.cat([p.flatten() for p in product])
        value, v = float(v @ hv), hv
    return value, v.detach()


def network_meter(
    seeds: Iterable[int] = range(3), steps: int = 600, every: int = 4, schedule: Any = 0.01
) -> Arms:
    """Watch rate × preconditioned curvature on RMSprop's way into its first bursts.

    The network of `network_bursts`, in PyTorch. `curves["step"]` (E,), `curves["meter"]` (S, E)
    and `curves["loss"]` (S, E).

    Example:
        >>> network_meter([0], steps=4, every=2).curves["meter"].shape
        (1, 3)
    """
    import torch

    from course_utils.experiments.models import mlp
    from course_utils.experiments.training import train

    data, seeds, schedule = digits(), list(seeds), as_schedule(schedule)
    meters, losses = [], []
    for seed in seeds:
        made: list[torch.optim.Optimizer] = []
        vector = None

        def optimizer(params: Any, made: list = made) -> torch.optim.Optimizer:
            made.append(torch.optim.RMSprop(params, lr=0.01))
            return made[-1]

        step = 0

        def meter(model: nn.Module, made: list = made) -> float:
            nonlocal vector, step
            step += every
            state = made[0].state
            if not state:
                return float("nan")
            scale = torch.cat(
                [1 / (state[p]["square_avg"].sqrt() + 1e-8).flatten() for p in model.parameters()]
            )
            value, vector = preconditioned_sharpness(
                model, data, scale, 40 if vector is None else 8, vector
            )
            return value * schedule(max(step - every, 0))

        run = train(
            mlp([64, 64, 10], "tanh", seed=seed), data, optimizer=optimizer, schedule=schedule,
            steps=steps, batch_size=None, loss="mse", observers={"meter": meter},
            observe_every=every,
        )  # fmt: skip
        at = run.metrics["step"].astype(int)
        meters.append(run.metrics["meter"])
        losses.append(np.append(run.loss, run.final_loss)[at])
    curves = {"step": at, "meter": np.array(meters), "loss": np.array(losses)}
    return Arms({}, {}, curves, {"seeds": seeds, "steps": steps, "network": "64-64-10 tanh"})


# ------------------------------------------------------------------------------- warm-up

TRANSFORMERS: dict[str, tuple[dict[str, Any], float, int]] = {
    "post-LN, no warm-up": ({}, 0.01, 0),
    "post-LN, warm-up 50": ({}, 0.01, 50),
    "post-LN, warm-up 100": ({}, 0.01, 100),
    "pre-LN, no warm-up": ({"pre": True}, 0.01, 0),
    "post-LN, 2 layers, no warm-up": ({"layers": 2}, 0.01, 0),
    "post-LN, rate 0.003, no warm-up": ({}, 0.003, 0),
    "post-LN, rate 0.003, warm-up 100": ({}, 0.003, 100),
}
"""Arm -> (arguments of `Transformer`, peak rate of Adam, warm-up steps)."""


def transformers(
    arms: Iterable[str] = tuple(TRANSFORMERS), seeds: Iterable[int] = range(5), steps: int = 300
) -> Arms:
    """Train small transformers on digits with Adam, with and without warm-up.

    Example:
        >>> transformers(["post-LN, no warm-up"], [0], steps=2).curves["post-LN, no warm-up"].shape
        (2,)
    """
    import torch

    from course_utils.experiments.evaluation import accuracy
    from course_utils.experiments.training import train
    from course_utils.lessons.lesson05.transformer import Transformer

    data, seeds = digits(), list(seeds)
    rates, metrics, curves = {}, {}, {}
    for arm in arms:
        build, lr, rise = TRANSFORMERS[validate.one_of("arms", arm, TRANSFORMERS)]
        schedule = with_warmup(lr, rise - 1, 1 / rise) if rise else constant(lr)
        ends, losses = [], []
        for seed in seeds:
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                model = Transformer(**build)
            run = train(model, data, optimizer="adam", schedule=schedule, steps=steps, seed=seed)
            ends.append((accuracy(model, data.validation), accuracy(model, data.test)))
            losses.append(run.loss)
        rates[arm] = np.array([lr])
        names = ("validation_accuracy", "test_accuracy")
        metrics[arm] = {k: np.array([v]) for k, v in zip(names, zip(*ends))}
        metrics[arm]["train_loss"] = np.array([[np.mean(loss[-20:]) for loss in losses]])
        curves[arm] = np.mean(losses, axis=0)
    return Arms(rates, metrics, curves, {"seeds": seeds, "steps": steps, "batch_size": 64})


# ----------------------------------------------------------------------- Adam and the plateau


def plateau(
    rates: Sequence[float] = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1),
    noises: Sequence[float] = (0.0, 0.1),
    seeds: Iterable[int] = range(10),
    epochs: int = 40,
) -> Arms:
    """Train with Adam at a constant rate, with ReduceOnPlateau on validation, and with a cosine.

    64-64-10, batches of 16, factor 0.3, patience 3 epochs. `noise` is the part of the training
    labels drawn anew. All networks run side by side; each has its own plateau.

    Example:
        >>> arms = plateau([0.01], [0.0], seeds=[0, 1], epochs=1)
        >>> sorted(arms.rates), arms.metrics["plateau, clean"]["drops"].tolist()
        (['constant, clean', 'cosine, clean', 'plateau, clean'], [[0.0, 0.0]])
    """
    seeds, rates = list(seeds), np.array(rates, dtype=float)
    found: dict[str, dict[str, np.ndarray]] = {}
    for noise in noises:
        data = digits().with_label_noise(noise, seed=0) if noise else digits()
        label = "noisy" if noise else "clean"
        watched = _train_watched(data, rates, seeds, epochs)
        found[f"plateau, {label}"] = watched
        steps = epochs * (len(data.train) // 16)
        for name in ("constant", "cosine"):
            factory = constant if name == "constant" else lambda lr, n=steps: cosine(lr, n)
            table = sweep(
                rates, seeds, data=data, optimizer=Adam(), schedule=factory, epochs=epochs,
                evaluate_on=("train", "validation", "test"),
            )  # fmt: skip
            found[f"{name}, {label}"] = {key: table.final(key) for key in _ENDS}
    return Arms(dict.fromkeys(found, rates), found, {}, {"seeds": seeds, "epochs": epochs})


_ENDS = ("train_loss", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy")


def _train_watched(
    data: Data, rates: np.ndarray, seeds: list[int], epochs: int
) -> dict[str, np.ndarray]:
    """Adam on R x S networks side by side, each with a plateau of its own; final metrics (R, S)."""
    pairs = [(lr, seed) for lr in rates for seed in seeds]
    watchers = [ReduceOnPlateau(lr, factor=0.3, patience=3) for lr, _ in pairs]
    models = [
        [t for wb in sampling.initial_parameters([64, 64, 10], s) for t in wb] for _, s in pairs
    ]
    params = np.stack([np.concatenate([a.ravel() for a in one]) for one in models]).astype("f4")
    lr = np.array([[rate] for rate, _ in pairs])
    adam = Adam()
    for epoch in range(epochs):
        order = {s: sampling.epoch_batches(len(data.train), 16, epoch, s) for s in seeds}
        for batch in np.stack([order[s] for _, s in pairs], axis=1):  # (K, 16) images
            grad = _gradient(params, data.train.x[batch], data.train.y[batch])
            params = adam.step(params, grad, lr)
        loss, _ = _evaluate(params, data.validation)
        lr = np.array([[watcher.update(v)] for watcher, v in zip(watchers, loss)])
    shape = len(rates), len(seeds)
    ends: dict[str, np.ndarray] = {}
    for part in ("train", "validation", "test"):
        loss, right = _evaluate(params, getattr(data, part))
        ends |= {f"{part}_loss": loss.reshape(shape), f"{part}_accuracy": right.reshape(shape)}
    drops = np.log(lr[:, 0] / [rate for rate, _ in pairs]) / np.log(0.3)
    return {key: ends[key] for key in _ENDS} | {"drops": drops.round().reshape(shape) + 0.0}


def _logits(params: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The outputs (K, N, 10) of K networks 64-64-10, params (K, P), x (K or 1, N, 64)."""
    w1, b1, w2, b2 = params.split((64 * 64, 64, 640, 10), dim=1)
    hidden = (x @ w1.view(-1, 64, 64) + b1[:, None]).relu()
    return hidden @ w2.view(-1, 64, 10) + b2[:, None]


def _gradient(params: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient (K, P) of every network's mean loss on its own batch x (K, B, 64)."""
    import torch

    p = torch.tensor(params, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(
        _logits(p, torch.tensor(x)).transpose(1, 2), torch.tensor(y), reduction="none"
    )
    return torch.autograd.grad(loss.mean(dim=1).sum(), p)[0].numpy()


def _evaluate(params: np.ndarray, split: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean loss and accuracy (K,) of every network on a split."""
    import torch

    y = torch.tensor(split.y)
    with torch.no_grad():
        z = _logits(torch.tensor(params), torch.tensor(split.x)[None])
        loss = -torch.log_softmax(z, dim=2).gather(2, y.expand(len(z), -1)[..., None])
        right = (z.argmax(dim=2) == y).float().mean(dim=1)
    return loss.mean(dim=(1, 2)).double().numpy(), right.double().numpy()


# --------------------------------------------------------------- schedules, speed, batch size

METHODS: dict[str, Callable[[], Optimizer]] = {
    "gradient descent": GradientDescent,
    "momentum": lambda: GradientDescent(momentum=0.9),
    "Nesterov": lambda: GradientDescent(momentum=0.9, nesterov=True),
    "Adagrad": Adagrad,
    "RMSprop": RMSprop,
    "Adam": Adam,
}
"""The update rules that are compared."""

CENTERS = {
    "gradient descent": 0.4, "momentum": 0.1, "Nesterov": 0.1, "Adagrad": 0.15, "RMSprop": 0.006,
    "Adam": 0.018,
}  # fmt: skip
"""About the best rate of each on digits with batches of 32: the middle of its grid."""


def grid(center: float, below: int, above: int, per_decade: int = 4) -> np.ndarray:
    """Return rates around `center`, equally spaced on a logarithmic axis.

    Example:
        >>> grid(0.1, 1, 1, per_decade=2).round(4).tolist()
        [0.0316, 0.1, 0.3162]
    """
    return center * 10.0 ** (np.arange(-below, above + 1) / per_decade)


def schedules(
    methods: Iterable[str] = ("momentum", "Adam"),
    noises: Sequence[float] = (0.0, 0.1),
    seeds: Iterable[int] = range(8),
    epochs: int = 15,
) -> Arms:
    """Compare a constant rate with a cosine for a plain and an adaptive method, over all rates.

    64-64-10, batches of 16. Arms are called "Adam, cosine, noisy".

    Example:
        >>> sorted(schedules(["Adam"], [0.0], seeds=[0], epochs=1).rates)
        ['Adam, constant, clean', 'Adam, cosine, clean']
    """
    seeds = list(seeds)
    rates, metrics = {}, {}
    for noise in noises:
        data = digits().with_label_noise(noise, seed=0) if noise else digits()
        steps = epochs * (len(data.train) // 16)
        for method in methods:
            for name in ("constant", "cosine"):
                arm = f"{method}, {name}, {'noisy' if noise else 'clean'}"
                rates[arm] = grid(CENTERS[method], 7, 4)
                table = sweep(
                    rates[arm], seeds, data=data, optimizer=METHODS[method](), epochs=epochs,
                    schedule=constant if name == "constant" else lambda lr, n=steps: cosine(lr, n),
                    evaluate_on=("train", "validation", "test"),
                )  # fmt: skip
                metrics[arm] = {key: table.final(key) for key in _ENDS}
    return Arms(rates, metrics, {}, {"seeds": seeds, "epochs": epochs, "batch_size": 16})


def speed(
    methods: Iterable[str] = tuple(METHODS),
    seeds: Iterable[int] = range(8),
    target: float = 0.94,
    epochs: int = 20,
) -> Arms:
    """Count the epochs until the validation accuracy first reaches the target, at every rate.

    64-64-10, batches of 32, constant rates. A run that never gets there counts as `epochs` + 1.

    Example:
        >>> speed(["Adam"], seeds=[0], target=0.5, epochs=3).metrics["Adam"]["epochs"].shape
        (9, 1)
    """
    seeds = list(seeds)
    rates, metrics = {}, {}
    for method in methods:
        rates[method] = grid(CENTERS[method], 4, 4)
        table = sweep(
            rates[method], seeds, optimizer=METHODS[method](), batch_size=32, epochs=epochs,
            evaluate_every=31, evaluate_on=("validation",),
        )  # fmt: skip
        reached = table.metrics["validation_accuracy"] >= target
        first = np.where(reached.any(axis=-1), reached.argmax(axis=-1), epochs + 1)
        metrics[method] = {"epochs": first}
    return Arms(rates, metrics, {}, {"seeds": seeds, "target": target, "batch_size": 32})


BATCH_CENTERS = {
    1: {"gradient descent": 0.03, "momentum": 0.004, "Adam": 0.001},
    4: {"gradient descent": 0.15, "momentum": 0.02, "Adam": 0.004},
    32: {"gradient descent": 0.5, "momentum": 0.1, "Adam": 0.018},
    256: {"gradient descent": 0.8, "momentum": 0.3, "Adam": 0.05},
}
"""Batch size -> about the best rate of each method in 8 epochs."""


def batch_sizes(
    sizes: Iterable[int] = tuple(BATCH_CENTERS), seeds: Iterable[int] = range(5), epochs: int = 8
) -> Arms:
    """Compare gradient descent, momentum and Adam at batch sizes from 1 to 256, at equal epochs.

    Example:
        >>> sorted(batch_sizes([256], seeds=[0], epochs=1).rates)
        ['Adam, 256', 'gradient descent, 256', 'momentum, 256']
    """
    seeds = list(seeds)
    rates, metrics = {}, {}
    for size in sizes:
        for method, center in BATCH_CENTERS[size].items():
            arm = f"{method}, {size}"
            rates[arm] = grid(center, 3, 3)
            table = sweep(
                rates[arm], seeds, optimizer=METHODS[method](), batch_size=size, epochs=epochs,
                evaluate_on=("validation", "test"),
            )  # fmt: skip
            metrics[arm] = {k: table.final(k) for k in _ENDS if not k.startswith("train")}
    return Arms(rates, metrics, {}, {"seeds": seeds, "epochs": epochs})


# ----------------------------------------------------------------------- sparse and dense inputs

SPARSE_ARMS: dict[str, tuple[Callable[[], Optimizer], str, tuple[float, float, int]]] = {
    "gradient descent, constant": (GradientDescent, "constant", (-2, 1.75, 16)),
    "gradient descent, 1/√t": (GradientDescent, "1/√t", (-1, 2.5, 15)),
    "gradient descent, linear": (GradientDescent, "linear", (-2, 1.75, 16)),
    "Adagrad": (Adagrad, "constant", (-2, 1, 13)),
    "RMSprop": (RMSprop, "constant", (-3.5, -0.5, 13)),
    "Adam": (Adam, "constant", (-3.5, -0.5, 13)),
}
"""Arm -> (rule, schedule, grid: exponents of the first and last rate, and how many)."""


def sparse_and_dense(
    kinds: Iterable[str] = ("sparse", "dense"), seeds: Iterable[int] = range(8), n: int = 4000
) -> Arms:
    """Logistic regression, one pass over `n` samples with 300 features: rare ones, or dense ones.

    Sparse: feature j is 1 with probability min(0.5, 3/j), else 0. Dense: Gaussian features of the
    same mean square. A random teacher draws the labels. Measured: the expected log-loss on new
    samples minus that of the teacher itself, in nats. Arms are called "Adagrad, sparse".

    Example:
        >>> arms = sparse_and_dense(["sparse"], seeds=[0], n=40)
        >>> arms.metrics["Adagrad, sparse"]["test_loss"].shape
        (13, 1)
    """
    seeds = list(seeds)
    rates, metrics = {}, {}
    for kind in kinds:
        problems = [
            _teacher(validate.one_of("kind", kind, ("sparse", "dense")), s, n) for s in seeds
        ]
        for name, (rule, schedule, (first, last, count)) in SPARSE_ARMS.items():
            lrs = np.logspace(first, last, count)
            ends = [_one_pass(p, rule(), lrs, schedule, s) for p, s in zip(problems, seeds)]
            rates[f"{name}, {kind}"] = lrs
            metrics[f"{name}, {kind}"] = {
                part: np.stack([end[part] for end in ends], axis=1) for part in ends[0]
            }
    return Arms(rates, metrics, {}, {"seeds": seeds, "samples": n, "features": 300})


def _teacher(kind: str, seed: int, n: int, features: int = 300) -> dict[str, Any]:
    """Samples of one problem: train (x, y) and, for validation and test, (x, probability)."""
    rng = np.random.default_rng(seed)

    def draw(count: int) -> np.ndarray:
        if kind == "dense":
            return rng.standard_normal((count, features)) * np.sqrt(10 / features)
        often = np.minimum(0.5, 3 / np.arange(1, features + 1))
        return (rng.random((count, features)) < often).astype(float)

    w = rng.standard_normal(features) * (2 if kind == "sparse" else 1)
    x = draw(n)
    parts: dict[str, Any] = {"train": (x, (rng.random(n) < _sigmoid(x @ w)).astype(float))}
    for part in ("validation", "test"):
        x = draw(4000)
        parts[part] = x, _sigmoid(x @ w)
    return parts


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(z, -50, 50)))


def _one_pass(
    parts: dict[str, Any], rule: Optimizer, lrs: np.ndarray, schedule: str, seed: int
) -> dict[str, np.ndarray]:
    """One pass in batches of 10 at all rates at once; excess loss (K,) on validation and test."""
    x, y = parts["train"]
    steps = len(x) // 10
    shape = {
        "constant": constant(1.0),
        "1/√t": inverse_sqrt(1.0),
        "linear": polynomial(1.0, steps, end_lr=0.0),
    }[schedule]
    order = np.random.default_rng(seed).permutation(len(x))[: 10 * steps].reshape(steps, 10)
    w = np.zeros((len(lrs), x.shape[1]))
    rule.reset()
    for t, batch in enumerate(order):
        error = _sigmoid(w @ x[batch].T) - y[batch]  # (K, 10)
        w = rule.step(w, error @ x[batch] / 10, shape(t) * lrs[:, None])
    return {f"{part}_loss": _excess(w, *parts[part]) for part in ("validation", "test")}


def sparse_excess(
    rule: Optimizer, schedule: float | Schedule, seeds: Iterable[int] = range(3)
) -> np.ndarray:
    """Return the excess test loss (S,) of one rule with one schedule on the sparse problem.

    Args:
        rule: the update rule.
        schedule: its rate over the 400 updates.
        seeds: as in `sparse_and_dense`.

    Example:
        >>> sparse_excess(Adagrad(), 0.5, seeds=[0]).shape
        (1,)
    """
    schedule = as_schedule(schedule)
    ends = []
    for seed in seeds:
        x, y = (parts := _teacher("sparse", seed, 4000))["train"]
        order = np.random.default_rng(seed).permutation(4000).reshape(400, 10)
        w = np.zeros((1, x.shape[1]))
        rule.reset()
        for t, batch in enumerate(order):
            w = rule.step(w, (_sigmoid(w @ x[batch].T) - y[batch]) @ x[batch] / 10, schedule(t))
        ends.append(_excess(w, *parts["test"])[0])
    return np.array(ends)


def _excess(w: np.ndarray, x: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Expected log-loss above the teacher's, (K,)."""
    z = np.clip(w @ x.T, -50, 50)
    best = -(p * np.log(p + 1e-12) + (1 - p) * np.log(1 - p + 1e-12)).mean()
    return (np.logaddexp(0, z) - p * z).mean(axis=1) - best


# ----------------------------------------------------------------------------------- the record

STUDIES: dict[str, Callable[[], Arms]] = {
    "bursts": network_bursts,
    "meter": network_meter,
    "transformers": transformers,
    "plateau": plateau,
    "schedules": schedules,
    "speed": speed,
    "batch_sizes": batch_sizes,
    "sparse": sparse_and_dense,
}
"""Name -> study, as written to `05_<name>.json`."""


def record(folder: str | PathLike[str], names: Iterable[str] = tuple(STUDIES)) -> None:
    """Run studies (some minutes each) and write each to `folder`/05_<name>.json."""
    for name in names:
        start = time.process_time()
        arms = STUDIES[validate.one_of("names", name, STUDIES)]()
        seconds = round(time.process_time() - start)
        provenance = files.provenance(f"{COMMAND} {name}", cpu_seconds=seconds, **files.versions())
        content = {
            "rates": files.rounded(arms.rates, 6),
            "metrics": files.rounded(arms.metrics, 6),
            "curves": files.rounded(arms.curves, 4),
            "meta": arms.meta | {"provenance": provenance},
        }
        text = json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        write_atomically(Path(folder) / f"05_{name}.json", text)


def load(path: str | PathLike[str]) -> Arms:
    """Read what `record` wrote."""
    return read_json(path, _from_json)


def _from_json(content: dict[str, Any]) -> Arms:
    return Arms(
        rates=_arrays(content["rates"]),
        metrics={arm: _arrays(values) for arm, values in content["metrics"].items()},
        curves=_arrays(content["curves"]),
        meta=content["meta"],
    )


def _arrays(values: dict[str, Any]) -> dict[str, np.ndarray]:
    return {key: np.array(value, dtype=float) for key, value in values.items()}


if __name__ == "__main__":
    record(sys.argv[1], sys.argv[2:] or tuple(STUDIES))
