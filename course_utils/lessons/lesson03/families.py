"""The decay families compared at an equal budget: lesson 3's longest experiment, and its record.

Every family trains the same network (64-32-10, ReLU) on the same digits for the same number of
updates from the same seeds, at every rate of one grid. Each is then judged at its *own* best rate:
chosen on the validation set, reported on the test set. `record` runs all of it in some minutes
and writes `notebooks/results/03_families.json`; `load` reads that file.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from course_utils import schedules, validate
from course_utils.experiments import files
from course_utils.experiments.datasets import digits
from course_utils.experiments.sweep import sweep
from course_utils.optimizers import GradientDescent
from course_utils.run import read_json, write_atomically
from course_utils.schedules import Schedule

RATES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.4)
METRICS = ("train_loss", "validation_loss", "test_loss", "test_accuracy")
NOISY = "noisy linear cosine"
BATCH_SIZE = 16
EPOCHS = 15
STEPS_PER_EPOCH = 62  # floor(1000 / 16)
COMMAND = "python -m course_utils.lessons.lesson03.families results/03_families.json"

Factory = Callable[[float, int], Schedule]


def families(
    steps: int = EPOCHS * STEPS_PER_EPOCH, steps_per_epoch: int = STEPS_PER_EPOCH
) -> dict[str, Factory]:
    """Return the families by name: functions (peak rate, seed) -> schedule over `steps` updates.

    Only the noisy linear cosine depends on the seed. What is given per epoch in the source
    articles (0.96, 0.6) is given per epoch here.

    Args:
        steps: length of the run in updates, at least 20.
        steps_per_epoch: updates per epoch, at least 1.

    Example:
        >>> families()["cosine"](0.5, 0)
        cosine(lr=0.5, decay_steps=930, alpha=0.0)
    """
    T, epoch = (
        validate.integer("steps", steps, 20),
        validate.integer("steps_per_epoch", steps_per_epoch, 1),
    )
    warmup, cooldown = T // 10, T // 5
    s = schedules
    return {
        "constant": lambda lr, seed: s.constant(lr),
        "piecewise constant": lambda lr, seed: s.piecewise_constant(
            [T // 2 - 1, 3 * T // 4 - 1], [lr, 0.1 * lr, 0.01 * lr]
        ),
        "exponential to 1 %": lambda lr, seed: s.exponential(lr, T, 0.01),
        "exponential, 0.96 per epoch": lambda lr, seed: s.exponential(lr, epoch, 0.96),
        "natural exponential, 0.96 per epoch": lambda lr, seed: s.natural_exponential(
            lr, epoch, 0.96
        ),
        "0.6 per epoch": lambda lr, seed: s.step_decay(lr, epoch, 0.6),
        "inverse time": lambda lr, seed: s.inverse_time(lr, T // 10, 1.0),
        "inverse square root": lambda lr, seed: s.inverse_sqrt(lr, T // 10),
        "linear": lambda lr, seed: s.polynomial(lr, T, end_lr=0.0),
        "polynomial, power 2": lambda lr, seed: s.polynomial(lr, T, end_lr=0.0, power=2.0),
        "polynomial with cycle": lambda lr, seed: s.polynomial(
            lr, -(-T // 3), end_lr=0.0, cycle=True
        ),
        "cosine": lambda lr, seed: s.cosine(lr, T),
        "cosine, α = 0.1": lambda lr, seed: s.cosine(lr, T, alpha=0.1),
        "cosine restarts": lambda lr, seed: s.cosine_restarts(lr, -(-T // 7)),
        "linear cosine": lambda lr, seed: s.linear_cosine(lr, T),
        NOISY: lambda lr, seed: s.noisy_linear_cosine(lr, T, seed=seed),
        "warm-up, then cosine": lambda lr, seed: s.with_warmup(
            s.cosine(lr, T - warmup), warmup, start_factor=1 / warmup
        ),
        "warm-up-stable-decay": lambda lr, seed: s.warmup_stable_decay(
            lr, 0, T - cooldown, cooldown
        ),
    }


@dataclass(frozen=True, eq=False)
class Comparison:
    """F families at R peak rates from S seeds: what each reached after the same number of updates.

    Args:
        names: the families (F,).
        rates: peak rates (R,).
        metrics: final values of `METRICS`, each (F, R, S); not finite where a run diverged.
        areas: mean rate of each family as a fraction of its peak (F,), of the first seed.
        meta: what was run, in plain JSON types.

    Example:
        >>> few = compare(["constant", "cosine"], rates=[0.2, 0.5], seeds=range(2), epochs=1)
        >>> few.metrics["test_accuracy"].shape, few.areas.round(2).tolist()
        ((2, 2, 2), [1.0, 0.51])
    """

    names: tuple[str, ...]
    rates: np.ndarray
    metrics: dict[str, np.ndarray]
    areas: np.ndarray
    meta: dict[str, Any]

    def row(self, name: str) -> int:
        """Return the position of a family; ValueError if it was not run."""
        return self.names.index(validate.one_of("name", name, self.names))

    def best(self, name: str) -> int:
        """Return the index of the rate with the smallest mean validation loss of one family."""
        loss = self.metrics["validation_loss"][self.row(name)].mean(axis=1)
        return int(np.argmin(np.nan_to_num(loss, nan=np.inf)))

    def on_edge(self, name: str) -> bool:
        """Return whether that rate is the smallest or largest of the grid: then extend the grid."""
        return self.best(name) in (0, len(self.rates) - 1)

    def at_best(self, name: str, metric: str = "test_accuracy") -> np.ndarray:
        """Return the final metric of a family at its own best rate, shape (S,)."""
        validate.one_of("metric", metric, METRICS)
        return self.metrics[metric][self.row(name), self.best(name)]

    def difference(self, a: str, b: str, metric: str = "test_accuracy") -> np.ndarray:
        """Return a minus b, each at its own best rate, paired by seed, shape (S,)."""
        return self.at_best(a, metric) - self.at_best(b, metric)


def compare(
    names: Iterable[str] | None = None,
    rates: Sequence[float] = RATES,
    seeds: Iterable[int] = range(10),
    *,
    noise: float = 0.0,
    split: int = 0,
    epochs: int = EPOCHS,
) -> Comparison:
    """Train families at every rate from every seed, at the same number of updates.

    Args:
        names: which of `families`; None means all.
        rates: peak rates (R,).
        seeds: weights and batches; for the noisy family also its noise.
        noise: fraction of training labels drawn anew.
        split: which split of the digits (`digits(seed=split)`).
        epochs: length of each run, of 62 updates each.

    Example:
        >>> compare(["linear"], rates=[0.1], seeds=[0], epochs=1).meta["steps"]
        62
    """
    steps = validate.integer("epochs", epochs, 1) * STEPS_PER_EPOCH
    factories = families(steps)
    names = tuple(factories) if names is None else tuple(names)
    for name in names:
        validate.one_of("names", name, factories)
    seeds = list(seeds)
    data = digits(seed=split)
    data = data.with_label_noise(noise, seed=0) if noise else data
    tables = [_final(factories[name], name == NOISY, rates, seeds, data, epochs) for name in names]
    return Comparison(
        names=names,
        rates=np.array(rates, dtype=float),
        metrics={key: np.stack([table[key] for table in tables]) for key in METRICS},
        areas=np.array([factories[name](1.0, seeds[0]).area(steps) / steps for name in names]),
        meta={
            "data": data.name,
            "network": [64, 32, 10],
            "optimizer": "gradient descent",
            "batch_size": BATCH_SIZE,
            "steps": steps,
            "seeds": seeds,
        },
    )


def _final(factory, own_noise, rates, seeds, data, epochs) -> dict[str, np.ndarray]:
    """The final metrics (R, S) of one family; with noise in the schedule, another for each seed."""
    groups = [[seed] for seed in seeds] if own_noise else [seeds]
    parts = [
        sweep(
            rates,
            group,
            data=data,
            hidden=(32,),
            batch_size=BATCH_SIZE,
            epochs=epochs,
            schedule=lambda lr, seed=group[0]: factory(lr, seed),
            evaluate_on=("train", "validation", "test"),
        )
        for group in groups
    ]
    return {key: np.concatenate([part.final(key) for part in parts], axis=1) for key in METRICS}


# --------------------------------------------------------------------------------------------
# A schedule given per epoch, and epochs of different lengths
# --------------------------------------------------------------------------------------------


def per_epoch_decay(
    steps_per_epoch: int, seeds: Iterable[int] = range(10), epochs: int = 20
) -> dict[str, Any]:
    """Train article 000's network with 0.01 · 0.6^epoch and with 0.01, for some length of an epoch.

    64-64-10, momentum 0.9, L2 of 0.01 on the kernels, batches of 64. An "epoch" is
    `steps_per_epoch` updates here, however often that goes through the 1000 images.

    Args:
        steps_per_epoch: 15 is an epoch of the digits, 938 one of MNIST.
        seeds: paired between the two schedules.
        epochs: 20 in the article.

    Returns:
        steps_per_epoch, area (sum of the rates of the decayed run), and the test accuracy and the
        training loss of "decayed" and "constant", lists over seeds.

    Example:
        >>> per_epoch_decay(2, seeds=[0], epochs=3)["area"]
        0.0392
    """
    per_epoch = validate.integer("steps_per_epoch", steps_per_epoch, minimum=1)
    steps = per_epoch * validate.integer("epochs", epochs, minimum=1)
    decayed = schedules.step_decay(0.01, per_epoch, 0.6)
    table = sweep(
        [decayed, 0.01],
        seeds,
        hidden=(64,),
        batch_size=64,
        steps=steps,
        l2=0.01,
        optimizer=GradientDescent(momentum=0.9),
        evaluate_on=("train", "test"),
    )
    accuracy, loss = table.final("test_accuracy"), table.final("train_loss")
    return {
        "steps_per_epoch": per_epoch,
        "area": round(decayed.area(steps), 12),
        "decayed": {"test_accuracy": accuracy[0].tolist(), "train_loss": loss[0].tolist()},
        "constant": {"test_accuracy": accuracy[1].tolist(), "train_loss": loss[1].tolist()},
    }


# --------------------------------------------------------------------------------------------
# The record
# --------------------------------------------------------------------------------------------


def record(path: str | PathLike[str]) -> None:
    """Run the whole study and write it to `path` (some minutes).

    Clean labels and 10 % label noise, on three splits of the digits, and the epochs of 15, 60,
    240 and 938 updates.
    """
    started = time.process_time()
    comparisons = [
        _to_json(compare(noise=noise, split=split), noise, split)
        for split in (0, 1, 2)
        for noise in (0.0, 0.1)
    ]
    lengths = [per_epoch_decay(n) for n in (15, 60, 240, 938)]
    seconds = round(time.process_time() - started)
    provenance = files.provenance(COMMAND, cpu_seconds=seconds, **files.versions())
    content = {"provenance": provenance, "comparisons": comparisons, "per_epoch": lengths}
    write_atomically(path, json.dumps(content, allow_nan=False, separators=(",", ":")))


@dataclass(frozen=True, eq=False)
class Record:
    """What `record` wrote.

    Args:
        comparisons: (label noise, split) -> `Comparison`.
        per_epoch: the results of `per_epoch_decay`, shortest epoch first.
        provenance: command, date, versions.
    """

    comparisons: dict[tuple[float, int], Comparison]
    per_epoch: list[dict[str, Any]]
    provenance: dict[str, Any]


def load(path: str | PathLike[str]) -> Record:
    """Read a file written by `record`."""
    return read_json(path, _decode)


def _decode(content: Any) -> Record:
    if not isinstance(content, dict) or set(content) != {"provenance", "comparisons", "per_epoch"}:
        raise ValueError("it is no record of this study")
    comparisons = {(c["noise"], c["split"]): _from_json(c) for c in content["comparisons"]}
    return Record(comparisons, content["per_epoch"], content["provenance"])


def _to_json(comparison: Comparison, noise: float, split: int) -> dict[str, Any]:
    """Plain types; four significant digits, null where a run diverged."""
    return {
        "noise": noise,
        "split": split,
        "names": list(comparison.names),
        "rates": comparison.rates.tolist(),
        "metrics": files.rounded(comparison.metrics, 4),
        "areas": comparison.areas.tolist(),
        "meta": comparison.meta,
    }


def _from_json(content: dict[str, Any]) -> Comparison:
    return Comparison(
        names=tuple(content["names"]),
        rates=np.array(content["rates"]),
        metrics={k: np.array(v, dtype=float) for k, v in content["metrics"].items()},
        areas=np.array(content["areas"]),
        meta=content["meta"],
    )


if __name__ == "__main__":
    record(sys.argv[1])
