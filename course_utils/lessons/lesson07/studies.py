"""Choosing a rate: the recorded experiments of lesson 7.

Each study is a function that trains many networks and returns plain tables: one `Table` per arm,
with the rates it was tried at, the seeds, and what was measured. `record` runs them in some minutes
and writes `notebooks/results/07_<study>.json`; `load` reads such a file. The searches (`pick`,
`simulate`) then run on a table, so that thousands of them cost nothing.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from course_utils import validate
from course_utils.experiments import files
from course_utils.experiments.datasets import Data, digits
from course_utils.experiments.evaluation import accuracy
from course_utils.experiments.models import mlp
from course_utils.experiments.sweep import Sweep, sweep
from course_utils.experiments.training import train
from course_utils.optimizers import Adam, GradientDescent
from course_utils.run import read_json, write_atomically

COMMAND = "python -m course_utils.lessons.lesson07.studies results"
SEEDS = range(5)
METHODS = {"momentum": GradientDescent(momentum=0.9), "adam": Adam()}
"""The two arms of `table`; the keys are also the names that `range_test` knows."""


@dataclass(frozen=True, eq=False)
class Table:
    """R rates times S seeds of one arm.

    Args:
        lrs: shape (R,), rising.
        seeds: shape (S,).
        metrics: name -> shape (R, S); NaN where a training diverged or never came so far.
        meta: how it was made, in plain JSON types.

    Example:
        >>> table = Table([0.1, 1.0], [0], {"test_loss": [[3.0], [2.0]]})
        >>> table.best("test_loss"), table.mean("test_loss").tolist()
        (1, [3.0, 2.0])
    """

    lrs: np.ndarray
    seeds: np.ndarray
    metrics: dict[str, np.ndarray]
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lrs", np.asarray(self.lrs, dtype=np.float64))
        object.__setattr__(self, "seeds", np.asarray(self.seeds))
        metrics = {name: np.asarray(v, dtype=np.float64) for name, v in self.metrics.items()}
        object.__setattr__(self, "metrics", metrics)
        for name, values in metrics.items():
            if values.shape != (len(self.lrs), len(self.seeds)):
                raise ValueError(
                    f"metrics[{name!r}] must have shape {(len(self.lrs), len(self.seeds))}, "
                    f"got {values.shape}"
                )

    def mean(self, name: str) -> np.ndarray:
        """The mean of a metric over the seeds, shape (R,); NaN where one seed has none."""
        return self.metrics[validate.one_of("name", name, self.metrics)].mean(axis=1)

    def best(self, name: str) -> int:
        """The index of the best mean: of the largest accuracy, of the smallest of anything else."""
        mean = self.mean(name)
        if np.isnan(mean).all():
            raise ValueError(f"name must be a metric with a finite mean, got {name!r}")
        return int(np.nanargmax(mean) if name.endswith("accuracy") else np.nanargmin(mean))

    def edge(self, name: str) -> str | None:
        """'low' or 'high' where the best rate is the first or last one tried."""
        best = self.best(name)
        return "low" if best == 0 else "high" if best == len(self.lrs) - 1 else None

    def window(self, name: str, tolerance: float) -> tuple[float, float]:
        """The ends of the unbroken range of rates around the best within `tolerance` of it."""
        mean = self.mean(name)
        low = high = self.best(name)
        good = np.abs(mean - mean[low]) <= validate.nonnegative("tolerance", tolerance)
        while low > 0 and good[low - 1]:
            low -= 1
        while high < len(good) - 1 and good[high + 1]:
            high += 1
        return float(self.lrs[low]), float(self.lrs[high])

    def limit(self, name: str, bound: float) -> float:
        """The largest rate with a mean below `bound`."""
        below = np.flatnonzero(self.mean(name) < bound)
        if not len(below):
            raise ValueError(f"bound must be above the smallest mean of {name!r}, got {bound!r}")
        return float(self.lrs[below[-1]])


# --- Full batch, small batch ----------------------------------------------------------------------


def batch_sizes(
    sizes: Sequence[int] = (512, 64, 8, 1),
    budget: str = "steps",
    lrs: Iterable[float] = tuple(np.geomspace(1e-3, 10, 17)),
    seeds: Iterable[int] = SEEDS,
    n: int = 512,
    amount: int | None = None,
) -> dict[str, Table]:
    """Train with batches of several sizes, by plain gradient descent: which rates still work?

    Args:
        sizes: examples per update; n is gradient descent on the full batch.
        budget: "steps" gives every size the same number of updates (600 if `amount` is None),
            "epochs" the same number of passes over the data (20).
        lrs, seeds: what to train.
        n: training examples.
        amount: of the budget.

    Example:
        >>> batch_sizes([64], lrs=[0.1], seeds=[0], n=128, amount=2)["batch 64"].mean("steps")
        array([2.])
    """
    validate.one_of("budget", budget, ("steps", "epochs"))
    amount = {"steps": 600, "epochs": 20}[budget] if amount is None else amount
    data = digits().subset(n)
    return {
        f"batch {size}": _ends(sweep(lrs, seeds, data=data, batch_size=size, **_PARTS,
                                     **{budget: amount}))
        for size in sizes
    }  # fmt: skip


# --- What moves the best rate ---------------------------------------------------------------------


def tasks(
    lrs: Iterable[float] = tuple(np.geomspace(10**-2.5, 10, 22)),
    seeds: Iterable[int] = SEEDS,
    n: int = 180,
    steps: int = 400,
) -> dict[str, Table]:
    """Train on tasks of different difficulty and of different scale, with the same settings.

    Plain gradient descent, batches of 30. The last two arms are the task "10 classes" with other
    units of the inputs.

    Args:
        lrs, seeds: what to train.
        n: training examples of every task.
        steps: updates.

    Example:
        >>> list(tasks([0.1], [0], n=30, steps=1))[:3]
        ['2 classes', '5 classes', '10 classes']
    """
    data = digits()
    arms = {
        "2 classes": data.only_classes(2),
        "5 classes": data.only_classes(5),
        "10 classes": data,
        "30 % label noise": data.subset(n).with_label_noise(0.3, seed=3),
        "random labels": data.subset(n).with_label_noise(1.0, seed=3),
        "inputs x 1/4": data.scaled(0.25),
        "inputs x 4": data.scaled(4.0),
    }
    return {
        name: _ends(sweep(lrs, seeds, data=_first(arm, n), batch_size=30, steps=steps, **_PARTS))
        for name, arm in arms.items()
    }


def amounts(
    numbers: Sequence[int] = (40, 100, 300, 1000),
    lrs: Iterable[float] = tuple(np.geomspace(10**-2.5, 10, 22)),
    seeds: Iterable[int] = SEEDS,
    steps: int = 800,
) -> dict[str, Table]:
    """Train on more and more examples for the same number of updates, with batches of 20.

    Args:
        numbers: training examples.
        lrs, seeds: what to train.
        steps: updates.

    Example:
        >>> list(amounts([40], [0.1], [0], steps=1))
        ['40 examples']
    """
    return {
        f"{n} examples": _ends(sweep(lrs, seeds, data=digits().subset(n), batch_size=20,
                                     steps=steps, **_PARTS))
        for n in numbers
    }  # fmt: skip


# --- Does a small rate regularize? ----------------------------------------------------------------


def clock(
    lrs: Iterable[float] = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
    seeds: Iterable[int] = range(3),
    area: float = 30.0,
) -> dict[str, Table]:
    """Train with the full batch until rate times updates is `area`: same path, other speed?

    Args:
        lrs, seeds: what to train; 200 images, gradient descent.
        area: the sum of the rates of all updates; the number of updates is round(area / rate).

    Example:
        >>> clock([0.5], [0], area=1.0)["200 images"].mean("steps")
        array([2.])
    """
    data, area = digits().subset(200), validate.positive("area", area)
    lrs = [validate.positive("lrs", lr) for lr in lrs]
    parts = [
        _ends(sweep([lr], seeds, data=data, batch_size=None, steps=round(area / lr), **_PARTS))
        for lr in lrs
    ]
    metrics = {
        name: np.concatenate([part.metrics[name] for part in parts]) for name in parts[0].metrics
    }
    return {"200 images": Table(lrs, parts[0].seeds, metrics, parts[0].meta | {"area": area})}


def gap(
    lrs: Iterable[float] = tuple(np.geomspace(1e-3, 10, 13)),
    seeds: Iterable[int] = range(8),
    l2: Sequence[float] = (0.0, 1e-3, 1e-2),
    noise: Sequence[float] = (0.0, 0.2),
    steps: int = 3000,
    every: int = 20,
    level: float = 0.05,
) -> dict[str, Table]:
    """Train 200 images for long and compare the rates at equal updates and at equal training loss.

    Plain gradient descent, batches of 20. The metrics named "... at level" are taken where the
    training loss first falls below `level`, between two measurements by linear interpolation in
    the logarithm of the training loss; NaN where it never does.

    Args:
        lrs, seeds: what to train.
        l2: weights of the L2 term (the `l2` of Keras); noise: fractions of random labels.
        steps: updates; every: updates between two measurements.
        level: of the training loss.

    Example:
        >>> sorted(gap([0.1], [0], [0.0], [0.0], steps=2, every=1)["noise 0, L2 0"].metrics)[-2:]
        ['train_loss', 'train_loss at 300']
    """
    validate.positive("level", level)
    tables = {}
    for fraction in noise:
        data = digits().subset(200)
        data = data.with_label_noise(fraction, seed=7) if fraction else data
        for weight in l2:
            trained = sweep(
                lrs, seeds, data=data, batch_size=20, steps=steps, l2=weight,
                evaluate_every=every, evaluate_on=("train", "test"),
            )  # fmt: skip
            tables[f"noise {fraction:g}, L2 {weight:g}"] = _with_level(trained, level)
    return tables


def _with_level(trained: Sweep, level: float) -> Table:
    table = _ends(trained)
    measured, step = trained.metrics, trained.metrics["step"]
    at = int(np.abs(step - 300).argmin())
    early = {f"{name} at 300": measured[name][..., at] for name in _GAP}
    names = ["step", *_GAP[1:]]
    found = {f"{name} at level": np.full(table.metrics["steps"].shape, np.nan) for name in names}
    for i, j in np.ndindex(*table.metrics["steps"].shape):
        loss = measured["train_loss"][i, j]
        first = int(np.argmax(loss < level))  # 0 where there is none
        if first == 0:
            continue
        before, after = np.log(loss[first - 1 : first + 1].astype(float))
        share = (np.log(level) - before) / (after - before)
        for name in names:
            values = step if name == "step" else measured[name][i, j]
            values = values[first - 1 : first + 1].astype(float)
            found[f"{name} at level"][i, j] = values[0] + share * (values[1] - values[0])
    return Table(table.lrs, table.seeds, table.metrics | early | found, table.meta)


# --- Searches on a table --------------------------------------------------------------------------


def table(
    lrs: Iterable[float] = tuple(np.geomspace(1e-5, 10, 49)),
    seeds: Iterable[int] = range(6),
    epochs: int = 10,
    split: int = 0,
) -> dict[str, Table]:
    """Train two methods at every rate of a fine grid: all that a search could ever find.

    800 training images, batches of 32; 397 images to choose on, 600 to judge.

    Args:
        lrs, seeds: what to train.
        epochs: passes over the data.
        split: of the digits.

    Example:
        >>> list(table([0.1], [0], epochs=1))
        ['momentum', 'adam']
    """
    data = digits(split, n_train=800)
    return {
        name: _ends(sweep(lrs, seeds, data=data, optimizer=optimizer, batch_size=32, epochs=epochs,
                          **_PARTS))
        for name, optimizer in METHODS.items()
    }  # fmt: skip


def pick(table: Table, candidates: np.ndarray, seed: int) -> np.ndarray:
    """Return the test accuracy after a search that trained each candidate rate once.

    The search takes the rate with the best validation accuracy, at equal accuracy the one with
    the smaller validation loss.

    Args:
        table: one arm of the function `table`.
        candidates: indices of rates, shape (..., n): any number of searches of n trials.
        seed: index of the seed that they train with.

    Returns:
        Shape (...).

    Example:
        >>> metrics = {
        ...     "validation_accuracy": [[0.5], [0.9]],
        ...     "validation_loss": [[1], [2]],
        ...     "test_accuracy": [[0.6], [0.8]],
        ... }
        >>> pick(Table([0.1, 1.0], [0], metrics), np.array([[0, 1], [0, 0]]), 0)
        array([0.8, 0.6])
    """
    m = {name: values[:, seed] for name, values in table.metrics.items()}
    loss = np.nan_to_num(m["validation_loss"], nan=np.inf)
    order = np.lexsort((loss, -np.nan_to_num(m["validation_accuracy"])))
    rank = np.empty(len(order), dtype=int)
    rank[order] = np.arange(len(order))
    winner = rank[candidates].argmin(axis=-1)
    chosen = np.take_along_axis(candidates, winner[..., np.newaxis], axis=-1)[..., 0]
    return np.nan_to_num(m["test_accuracy"])[chosen]


def simulate(
    table: Table, kind: str, n: int, draws: int = 2000, axes: int = 1, seed: int = 0
) -> np.ndarray:
    """Return the test accuracy after many searches of n trials each, simulated on a table.

    Args:
        table: one arm of the function `table`.
        kind: "grid" (evenly spaced on the log axis, with a random phase: fixed ends would be lucky
            or unlucky) or "random" (independent, log-uniform).
        n: trials per search.
        draws: searches per seed of the table.
        axes: 2 adds an axis that does not matter: a grid of n trials then has only sqrt(n)
            different rates, a random search still has n.
        seed: of the phases and draws.

    Returns:
        Shape (S, draws).

    Example:
        >>> metrics = {
        ...     name: [[0.2], [0.4]]
        ...     for name in ("validation_accuracy", "validation_loss", "test_accuracy")
        ... }
        >>> simulate(Table([0.1, 1.0], [0], metrics), "grid", 2, draws=3)
        array([[0.4, 0.4, 0.4]])
    """
    validate.one_of("kind", kind, ("grid", "random"))
    n, draws = validate.integer("n", n, minimum=1), validate.integer("draws", draws, minimum=1)
    axes = validate.integer("axes", axes, minimum=1)
    rates, rng = len(table.lrs), np.random.default_rng(seed)
    if kind == "grid":
        different = round(n ** (1 / axes))
        if different**axes != n:
            raise ValueError(f"n must be a power k^{axes} for a grid of {axes} axes, got {n}")
    found = []
    for j in range(len(table.seeds)):
        if kind == "grid":
            phase = rng.random((draws, 1))
            chosen = np.floor((np.arange(different) + phase) / different * rates).astype(int)
        else:
            chosen = rng.integers(0, rates, (draws, n))
        found.append(pick(table, chosen, j))
    return np.array(found)


def accuracy_at(table: Table, lrs: Any) -> np.ndarray:
    """Return the mean test accuracy of a table at any rates, linear between its own on a log axis.

    Args:
        table: one arm of the function `table`.
        lrs: rates, any shape; beyond the ends of the table the value at the end.

    Example:
        >>> accuracy_at(Table([0.1, 10.0], [0], {"test_accuracy": [[0.5], [0.7]]}), 1.0)
        array(0.6)
    """
    mean = np.nan_to_num(table.mean("test_accuracy"))
    return np.array(np.interp(np.log10(lrs), np.log10(table.lrs), mean))


# --- L1, L2, and layers that change the landscape -------------------------------------------------


def zeros(
    lrs: Iterable[float] = (0.05, 0.5), l1: float = 0.003, l2: float = 0.01, steps: int = 2000
) -> dict[str, Table]:
    r"""Train softmax regression with L1 and L2 and count the weights that are exactly 0.

    .. math:: w \leftarrow w - \eta (g + 2 \lambda_2 w + \lambda_1 \operatorname{sign} w)
        \quad\text{or}\quad
        w \leftarrow \operatorname{sign}(w') \max(|w'| - \eta \lambda_1, 0), \; w' = w - \eta g

    The first is what automatic differentiation does; the second is the proximal step. Weights
    begin at 0, biases are free, the batch is the whole training set, float64.

    Args:
        lrs: rates.
        l1, l2: weights of the two penalties.
        steps: updates.

    Returns:
        Arm -> table with "zeros" (fraction of weights), "small" (fraction below 1e-3), "size" (the
        median of those that are below 0.01 but not 0; NaN if none) and "test_accuracy".

    Source: J. Duchi, Y. Singer, Efficient online and batch learning using forward backward
    splitting, JMLR 10 (2009).

    Example:
        >>> found = zeros([0.5], steps=20)
        >>> list(found)
        ['none', 'L2', 'L1', 'L1, proximal']
    """
    arms = {"none": (0, 0, False), "L2": (0, l2, False), "L1": (l1, 0, False)}
    arms["L1, proximal"] = (l1, 0, True)
    lrs = [validate.positive("lrs", lr) for lr in lrs]
    steps = validate.integer("steps", steps, minimum=1)
    tables = {}
    for name, settings in arms.items():
        rows = [_counted(*_weights(lr, *settings, steps)) for lr in lrs]
        metrics = {key: [[row[key]] for row in rows] for key in rows[0]}
        tables[name] = Table(lrs, [0], metrics, {"l1": settings[0], "l2": settings[1]})
    return tables


def _weights(
    lr: float, l1: float, l2: float, proximal: bool, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """The weights (64, 10) and biases (10,) after the training."""
    data = digits()
    x, y = data.train.x.astype(np.float64), np.eye(10)[data.train.y]
    w, b = np.zeros((64, 10)), np.zeros(10)
    for _ in range(steps):
        p = np.exp(x @ w + b)
        error = (p / p.sum(axis=1, keepdims=True) - y) / len(x)
        gradient = x.T @ error + 2 * l2 * w
        if proximal:
            w = w - lr * gradient
            w = np.sign(w) * np.maximum(np.abs(w) - lr * l1, 0)
        else:
            w = w - lr * (gradient + l1 * np.sign(w))
        b = b - lr * error.sum(axis=0)
    return w, b


def _counted(w: np.ndarray, b: np.ndarray) -> dict[str, float]:
    data = digits()
    size = np.abs(w[(w != 0) & (np.abs(w) < 0.01)])
    return {
        "zeros": float((w == 0).mean()),
        "small": float((np.abs(w) < 1e-3).mean()),
        "size": float(np.median(size)) if len(size) else np.nan,
        "test_accuracy": float(((data.test.x @ w + b).argmax(axis=1) == data.test.y).mean()),
    }


LAYERS: dict[str, Callable[[int], list[nn.Module]]] = {
    "plain": lambda width: [nn.ReLU()],
    "batch normalization": lambda width: [nn.BatchNorm1d(width), nn.ReLU()],
    "dropout": lambda width: [nn.ReLU(), nn.Dropout(0.5)],
}


def layers(
    lrs: Iterable[float] = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
    seeds: Iterable[int] = range(5),
    steps: int = 300,
) -> dict[str, Table]:
    """Train a 64-64-64-10 network plain, with batch normalization, and with dropout (one half).

    Plain gradient descent, batches of 32.

    Args:
        lrs, seeds: what to train.
        steps: updates.

    Example:
        >>> list(layers([0.1], [0], steps=1))
        ['plain', 'batch normalization', 'dropout']
    """
    data, lrs, seeds = digits(), list(lrs), list(seeds)
    tables = {}
    for name in LAYERS:
        found = np.full((2, len(lrs), len(seeds)), np.nan)
        for i, j in np.ndindex(len(lrs), len(seeds)):
            model = _network(name, seeds[j])
            run = train(model, data, schedule=lrs[i], steps=steps, batch_size=32, seed=seeds[j])
            found[:, i, j] = run.final_loss, accuracy(model, data.test)
        metrics = {"train_loss": found[0], "test_accuracy": found[1]}
        tables[name] = Table(lrs, seeds, metrics, {"steps": steps, "batch_size": 32})
    return tables


def _network(name: str, seed: int) -> nn.Sequential:
    """The hidden and output weights of the same seed are the same in all three."""
    linear = [layer for layer in mlp((64, 64, 64, 10), seed=seed) if isinstance(layer, nn.Linear)]
    hidden = [part for layer in linear[:-1] for part in (layer, *LAYERS[name](layer.out_features))]
    return nn.Sequential(*hidden, linear[-1])


# --- Records --------------------------------------------------------------------------------------


def _batch_sizes_of_both_budgets() -> dict[str, Table]:
    return {
        f"{name}, equal {budget}": found
        for budget in ("steps", "epochs")
        for name, found in batch_sizes(budget=budget).items()
    }


STUDIES: Mapping[str, Callable[[], dict[str, Table]]] = {
    "batch_sizes": _batch_sizes_of_both_budgets,
    "tasks": tasks,
    "amounts": amounts,
    "clock": clock,
    "gap": gap,
    "table": table,
    "zeros": zeros,
    "layers": layers,
}


def record(study: str, folder: str | PathLike[str]) -> dict[str, Table]:
    """Run one of `STUDIES` and write it to `folder`/07_<study>.json with its provenance.

    Args:
        study: its name.
        folder: an existing one.
    """
    run = STUDIES[validate.one_of("study", study, STUDIES)]
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"folder must exist, got {str(folder)!r}")
    started = time.process_time()
    tables = run()
    content = {
        "tables": {
            name: {
                "lrs": files.rounded(found.lrs, 6),
                "seeds": found.seeds.tolist(),
                "metrics": files.rounded(found.metrics, 5),
                "meta": found.meta,
            }
            for name, found in tables.items()
        },
        "provenance": files.provenance(
            f"{COMMAND} {study}",
            cpu_seconds=round(time.process_time() - started),
            **files.versions(),
        ),
    }
    write_atomically(folder / f"07_{study}.json", json.dumps(content, allow_nan=False))
    return tables


def load(path: str | PathLike[str]) -> dict[str, Table]:
    """Read what `record` wrote; the provenance is in the `meta` of every table."""
    return read_json(path, _decode)


def _decode(content: dict[str, Any]) -> dict[str, Table]:
    return {
        name: Table(
            one["lrs"],
            one["seeds"],
            {key: np.array(v, dtype=object).astype(float) for key, v in one["metrics"].items()},
            one["meta"] | {"provenance": content["provenance"]},
        )
        for name, one in content["tables"].items()
    }


def record_all(arguments: Sequence[str]) -> None:
    """Record the studies that are named after the folder, or all."""
    for study in arguments[1:] or STUDIES:
        record(study, arguments[0])


_PARTS = {"evaluate_on": ("train", "validation", "test")}
_GAP = ("train_loss", "test_loss", "test_accuracy")


def _first(data: Data, n: int) -> Data:
    return data if len(data.train) == n else data.subset(n)


def _ends(trained: Sweep) -> Table:
    """The measurements after the last update; NaN where a network diverged."""
    names = [name for name in trained.metrics if name != "step"]
    metrics = {
        name: np.where(np.isfinite(trained.final(name)), trained.final(name), np.nan)
        for name in names
    }
    metrics["steps"] = np.full(trained.diverged.shape, trained.meta["steps"])
    metrics["diverged"] = trained.diverged
    return Table(trained.lrs, trained.seeds, metrics, trained.meta)


if __name__ == "__main__":
    record_all(sys.argv[1:])
