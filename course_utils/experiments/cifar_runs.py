"""Recorded runs of the seven-layer CNN on CIFAR-100: what a run is, and the files of them.

`course_utils.experiments.cifar100` makes the runs and writes `notebooks/results/06_<group>.json`.
Reading them needs NumPy only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course_utils import validate
from course_utils.experiments import files
from course_utils.run import read_json, write_atomically


@dataclass(frozen=True)
class Plan:
    """One run, before it is made.

    Args:
        group: what it is for, one of `cifar_plans.GROUPS`.
        lr: peak learning rate.
        seed: of the weights and the batches.
        epochs: its length, unless `steps` says it in updates.
        optimizer: as in `train`.
        schedule: a name in `cifar_plans.SCHEDULES`.
        held_out: training images that are not trained on.
        precision: as in `train`.
        measure: what to watch besides loss and accuracy: "dead", "sharpness" or "".
        steps: 0, or the number of updates.
        width: of the network, as in `SevenLayerCNN`; 1 is the article's.

    Example:
        >>> Plan("article", lr=1e-3, seed=0, epochs=15).name
        'article-adam-constant-0.001-seed0-15epochs-float32'
    """

    group: str
    lr: float
    seed: int
    epochs: int
    optimizer: str = "adam"
    schedule: str = "constant"
    held_out: int = 0
    precision: str = "float32"
    measure: str = ""
    steps: int = 0
    width: float = 1.0

    @property
    def name(self) -> str:
        """A name for files; other settings have another name."""
        length = f"{self.steps}steps" if self.steps else f"{self.epochs}epochs"
        parts = [self.group, self.optimizer, self.schedule, f"{self.lr:g}", f"seed{self.seed}"]
        parts += [length, self.precision]
        parts += [f"without{self.held_out}"] * (self.held_out > 0)
        parts += [f"width{self.width:g}"] * (self.width != 1)
        return "-".join(parts).replace(", ", "-").replace(" ", "-")


@dataclass(frozen=True, eq=False)
class Result:
    """One run as recorded: curves thinned to about ten points per epoch.

    Args:
        plan: what was run.
        step: updates done before each point (P,).
        lr: the rate used at that update (P,).
        loss: mean training loss of the mini-batches from this point to the next (P,).
        grad_norm: likewise.
        metrics: "step" (E,) and, measured after so many updates, "test_loss", "test_accuracy",
            "validation_loss", "validation_accuracy" (E,), "dead" (E, 7), "sharpness" (E,).
        final_loss: training loss after the last update.
        diverged: as in `Run`.
        meta: updates per epoch, the schedule's formula, and where the numbers come from.

    A run at a constant rate may be published before its end: its whole epochs are those of a
    shorter run. Then `complete` is False, and there is no final loss.
    """

    plan: Plan
    step: np.ndarray
    lr: np.ndarray
    loss: np.ndarray
    grad_norm: np.ndarray
    metrics: dict[str, np.ndarray]
    final_loss: float
    diverged: bool
    meta: dict[str, Any]

    @property
    def epoch_loss(self) -> np.ndarray:
        """The mean training loss of each whole epoch; none if the run is shorter than one."""
        epoch = self.step // self.meta["updates_per_epoch"]
        weight = np.diff(np.append(self.step, self.meta["updates"]))
        return np.array(
            [
                np.average(self.loss[epoch == e], weights=weight[epoch == e])
                for e in range(self.epochs)
            ]
        )

    @property
    def epochs(self) -> int:
        """How many whole epochs it has."""
        return int(self.meta["updates"] // self.meta["updates_per_epoch"])

    @property
    def complete(self) -> bool:
        """Whether it is as long as planned."""
        plan, per_epoch = self.plan, self.meta["updates_per_epoch"]
        return self.meta["updates"] == (plan.steps or plan.epochs * per_epoch)

    def final(self, metric: str) -> float:
        """Return the last value of a metric."""
        return float(self.metrics[validate.one_of("metric", metric, self.metrics)][-1])


def load(path: str | os.PathLike[str]) -> list[Result]:
    """Return the runs of a file that `add` wrote, sorted by name, or the run of a file of one."""
    return read_json(path, _runs)


def add(path: str | os.PathLike[str], runs: Iterable[Result]) -> None:
    """Write runs to a file, beside those in it; of two recordings of one run the longer stays.

    Runs on other images than those in the file are refused.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     add(Path(folder) / "06_dead.json", [])
        ...     load(Path(folder) / "06_dead.json")
        []
    """
    found = {run.plan.name: run for run in (load(path) if Path(path).exists() else [])}
    for run in runs:
        known = found.get(run.plan.name)
        if not (known and known.epochs > run.epochs):
            found[run.plan.name] = run
    refuse_other_images(found.values())
    # One run per line, so that a new run is one new line.
    lines = [json.dumps(_encode(found[name]), separators=(",", ":")) for name in sorted(found)]
    write_atomically(path, '{"runs":[\n' + ",\n".join(lines) + "\n]}\n")


def refuse_other_images(runs: Iterable[Result], images: str | None = None) -> None:
    """Raise ValueError unless all runs saw the same images, those with the checksum `images`.

    Example:
        >>> refuse_other_images([])
    """
    found = {run.meta["provenance"]["images_sha256"] for run in runs} | ({images} - {None})
    if len(found) > 1:
        raise ValueError(f"results must hold runs on the same images, got {sorted(found)}")


def select(results: Iterable[Result], **settings: Any) -> list[Result]:
    """Return the results whose plan has these settings, in their order.

    Example:
        >>> select([], lr=1e-3, schedule="cosine")
        []
    """
    for name in settings:
        validate.one_of("settings", name, Plan.__dataclass_fields__)
    wanted = settings.items()
    results = validate.sequence("results", results)
    return [r for r in results if all(getattr(r.plan, name) == value for name, value in wanted)]


@dataclass(frozen=True, eq=False)
class Grid:
    """Runs that differ in their rates and seeds, as a table: what `views.sensitivity_curve` draws.

    Args:
        lrs: rates, smallest first (R,).
        seeds: those that every rate has (S,).
        diverged: (R, S).
        table: the runs, table[rate][seed].
    """

    lrs: np.ndarray
    seeds: list[int]
    diverged: np.ndarray
    table: list[list[Result]]

    def final(self, metric: str) -> np.ndarray:
        """Return the last value of a metric (R, S); "train_loss" is the last epoch's mean."""

        def last(run: Result) -> float:
            if metric != "train_loss":
                return run.final(metric)
            if not run.epochs:
                updates = run.meta["updates"]
                raise ValueError(
                    f"metric 'train_loss' must be of runs with a whole epoch, got {updates} updates"
                )
            return run.epoch_loss[-1]

        return np.array([[last(run) for run in row] for row in self.table])


def grid(results: Iterable[Result]) -> Grid:
    """Return the runs as a table over rates and seeds; a seed that some rate lacks is left out.

    Example:
        >>> grid([])
        Traceback (most recent call last):
        ValueError: results must have a seed that is common to all rates, got 0 runs
    """
    runs = list(results)
    cells = {(run.plan.lr, run.plan.seed): run for run in runs}
    if len(cells) < len(runs):
        raise ValueError(f"results must differ in rate or seed, got {len(runs)} runs, some alike")
    lrs = sorted({lr for lr, _ in cells})
    seeds = [s for s in sorted({seed for _, seed in cells}) if all((lr, s) in cells for lr in lrs)]
    if not seeds:
        raise ValueError(
            f"results must have a seed that is common to all rates, got {len(runs)} runs"
        )
    table = [[cells[lr, seed] for seed in seeds] for lr in lrs]
    diverged = np.array([[run.diverged for run in row] for row in table])
    return Grid(np.array(lrs), seeds, diverged, table)


def _runs(content: dict[str, Any]) -> list[Result]:
    return [_decode(run) for run in content.get("runs", [content])]


def _encode(result: Result) -> dict[str, Any]:
    content = {name: getattr(result, name) for name in Result.__dataclass_fields__}
    numbers = ("step", "lr", "loss", "grad_norm", "metrics", "final_loss")
    found = {name: files.rounded(content[name], 6) for name in numbers}
    return content | found | {"plan": asdict(result.plan)}


def _decode(content: dict[str, Any]) -> Result:
    arrays = {k: np.array(content[k], dtype=float) for k in ("lr", "loss", "grad_norm")}
    metrics = {name: np.array(values, dtype=float) for name, values in content["metrics"].items()}
    metrics["step"] = metrics["step"].astype(int)
    final, plan = content["final_loss"], content["plan"]
    # Plans of older files left the precision to the study.
    precision = plan["precision"] or content["meta"]["precision"]
    return Result(
        plan=Plan(**plan | {"precision": precision}),
        step=np.array(content["step"], dtype=int),
        metrics=metrics,
        final_loss=float("nan") if final is None else final,
        diverged=content["diverged"],
        meta=content["meta"],
        **arrays,
    )
