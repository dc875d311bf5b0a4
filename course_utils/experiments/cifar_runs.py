"""Recorded runs of the seven-layer CNN on CIFAR-100: what a run is, and the files of them.

`course_utils.experiments.cifar100` makes the runs and writes `notebooks/results/06_<group>.json`.
Reading them needs NumPy only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from course_utils import validate
from course_utils.experiments import files
from course_utils.experiments.table import Table
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
        measure: "dead" to watch dead units in place of loss and accuracy, or "".
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
            "validation_loss", "validation_accuracy" (E,), "dead" (E, 7).
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

    def covers(self, plan: Plan) -> int:
        """Return how many epochs of a plan it holds: at a constant rate, some may be enough.

        A plan that is told in updates, or has a schedule, is covered in full or not at all.
        """
        if plan.steps or plan.schedule != "constant":  # published when it is complete
            return plan.epochs * (self.plan == plan)
        return min(self.epochs, plan.epochs) * (replace(self.plan, epochs=plan.epochs) == plan)

    def final(self, metric: str) -> float:
        """Return the last value of a metric."""
        return float(self.metrics[validate.one_of("metric", metric, self.metrics)][-1])


def load(path: str | os.PathLike[str]) -> list[Result]:
    """Return the runs of a file that `add` wrote, sorted by name."""
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
    found: dict[Plan, Result] = {}
    for run in [*(load(path) if Path(path).exists() else []), *runs]:
        if run.plan not in found or run.epochs >= found[run.plan].epochs:
            found[run.plan] = run
    refuse_other_images(found.values())
    # One run per line, so that a new run is one new line.
    named = sorted(found.values(), key=lambda run: run.plan.name)
    lines = [json.dumps(_encode(run), separators=(",", ":")) for run in named]
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


def grid(results: Iterable[Result]) -> Table:
    """Return a table of the last values of runs that differ in rate and seed.

    Its metrics are those of the runs, and "train_loss", the mean of the last whole epoch. A seed
    that some rate lacks is left out.

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
    found = {
        name: [[run.final(name) for run in row] for row in table]
        for name, values in runs[0].metrics.items()
        if name != "step" and values.ndim == 1
    }
    if all(run.epochs for run in runs):
        found["train_loss"] = [[run.epoch_loss[-1] for run in row] for row in table]
    return Table(lrs, seeds, found, [[run.diverged for run in row] for row in table])


def _runs(content: dict[str, Any]) -> list[Result]:
    return [_decode(run) for run in content["runs"]]


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
