"""Learning rates of a seven-layer CNN on CIFAR-100: the recorded experiment of lesson 6.

`record` makes the runs that `plans` lists, the most valuable first, and writes them to
`notebooks/results/06_<group>.json`. It can be stopped at any time, or killed: the same command
goes on where it was. `load` reads such a file. From the command line:

    python -m course_utils.experiments.cifar100 --dry-run
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils import __version__, validate
from course_utils.experiments.cifar_files import DataError
from course_utils.experiments.datasets import Data, cifar100
from course_utils.experiments.devices import best_device, fast_precision
from course_utils.experiments.diagnostics import dead_fractions, sharpness
from course_utils.experiments.models import SevenLayerCNN
from course_utils.experiments.training import evaluate, train
from course_utils.run import Run, write_atomically
from course_utils.schedules import (
    Schedule,
    constant,
    cosine,
    one_cycle,
    piecewise_constant,
    with_warmup,
)

COMMAND = "python -m course_utils.experiments.cifar100"
BATCH_SIZE = 128
HELD_OUT = 5000
"""Training images held out where a rate is chosen."""
PROBE = 256
"""Training images on which dead units and sharpness are measured."""
ARTICLE = (1e-3, 6.25e-3, 3e-4, 1e-1, 6.25e-5)
"""The four rates of the article, and the one that its author may have meant by 625e-5."""
LEARNING = (1e-3, 3e-4, 6.25e-5)
DEAD_RATES = (6.25e-3, 1e-3, 1e-1, 3e-3, 1e-2)
"""Rates below, at and above the border beyond which layers die."""
RATES = (1e-3, 3e-4, 3e-3, 1e-4, 5e-4, 2e-3, 3e-5, 1e-2, 1e-5, 1e-1)
MOMENTUM_RATES = (0.1, 0.03, 0.2, 0.01, 0.5, 0.003)
SHARPNESS_RUNS = (("momentum", 0.1), ("sgd", 1.0), ("sgd", 0.5))
"""One that learns, and two of plain gradient descent; below 0.2 it does not leave ln 100."""
SCHEDULES: dict[str, Callable[[float, int, int], Schedule]] = {
    "constant": lambda lr, steps, epoch: constant(lr),
    "cosine": lambda lr, steps, epoch: cosine(lr, steps),
    "one-cycle": lambda lr, steps, epoch: one_cycle(lr, steps),
    "step decay": lambda lr, steps, epoch: piecewise_constant(
        [steps // 2 - 1, 3 * steps // 4 - 1], [lr, lr / 10, lr / 100]
    ),
    "warm-up": lambda lr, steps, epoch: with_warmup(lr, 2 * epoch, 1 / (2 * epoch)),
    "warm-up, cosine": lambda lr, steps, epoch: with_warmup(
        cosine(lr, max(1, steps - 2 * epoch)), 2 * epoch, 1 / (2 * epoch)
    ),
}
"""Name -> (peak rate, updates of the run, updates per epoch) -> schedule. Warm-ups: 2 epochs."""
GROUPS = ("article", "dead", "precision", "schedules", "rates", "momentum", "sharpness")


@dataclass(frozen=True)
class Plan:
    """One run, before it is made.

    Args:
        group: what it is for, one of `GROUPS`.
        lr: peak learning rate.
        seed: of the weights and the batches.
        epochs: its length, unless `steps` says it in updates.
        optimizer: as in `train`.
        schedule: a name in `SCHEDULES`.
        held_out: training images that are not trained on.
        precision: as in `train`; "" means that of the study.
        measure: what to watch besides loss and accuracy: "dead", "sharpness" or "".
        steps: 0, or the number of updates.
        width: of the network, as in `SevenLayerCNN`; 1 is the article's.

    Example:
        >>> Plan("article", lr=1e-3, seed=0, epochs=15).name
        'article-adam-constant-0.001-seed0-15epochs'
    """

    group: str
    lr: float
    seed: int
    epochs: int
    optimizer: str = "adam"
    schedule: str = "constant"
    held_out: int = 0
    precision: str = ""
    measure: str = ""
    steps: int = 0
    width: float = 1.0

    @property
    def name(self) -> str:
        """A name for files; other settings have another name."""
        length = f"{self.steps}steps" if self.steps else f"{self.epochs}epochs"
        parts = [self.group, self.optimizer, self.schedule, f"{self.lr:g}", f"seed{self.seed}"]
        parts += [length, self.precision, f"without{self.held_out}" if self.held_out else ""]
        parts += [f"width{self.width:g}" if self.width != 1 else ""]
        return "-".join(filter(None, parts)).replace(", ", "-").replace(" ", "-")


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


def plans(
    epochs: int = 15,
    seeds: int = 3,
    precision: str = "float32",
    done: Sequence[Result] = (),
    width: float = 1.0,
) -> list[Plan]:
    """Return all runs of the experiment, the most valuable first.

    Rates are compared on `HELD_OUT` images over two fifths of the epochs. The final runs of SGD
    with momentum are listed once its comparison is among `done`, for its best rate.

    Args:
        epochs: length of the main runs.
        seeds: how many; seeds are 0, 1, ...
        precision: of the study; where it is bfloat16, it is compared with float32.
        done: finished runs.
        width: of the network, as in `SevenLayerCNN`.

    Example:
        >>> few = plans(epochs=2, seeds=1)
        >>> len(few), few[0].lr, {plan.group for plan in few} < set(GROUPS)
        (41, 0.001, True)
    """
    epochs = validate.integer("epochs", epochs, minimum=1)
    seeds = validate.integer("seeds", seeds, minimum=1)
    short = -(-2 * epochs // 5)
    others = range(1, seeds)

    make = partial(Plan, width=validate.positive("width", width))

    def article(rates: Iterable[float], seed: int) -> list[Plan]:
        return [make("article", lr, seed, epochs) for lr in rates]

    def scheduled(seed: int) -> list[Plan]:
        arms = [(1e-3, "cosine"), (1e-3, "one-cycle"), (1e-3, "step decay")]
        arms += [(6.25e-3, "warm-up"), (6.25e-3, "warm-up, cosine")]
        # A schedule whose mean rate is half its peak may need a higher peak.
        arms += [(3e-3, "constant"), (3e-3, "cosine"), (3e-3, "one-cycle")]
        return [make("schedules", lr, seed, epochs, schedule=name) for lr, name in arms]

    def choice(group: str, optimizer: str, rates: Iterable[float], seed: int) -> list[Plan]:
        return [
            make(group, lr, seed, short, optimizer=optimizer, held_out=HELD_OUT) for lr in rates
        ]

    found = article(ARTICLE, 0)
    found += [
        make("dead", lr, seed, 1, measure="dead", steps=200)
        for seed in range(seeds)
        for lr in DEAD_RATES
    ]
    found += [  # long enough to see the end of the warm-up
        make("dead", 6.25e-3, seed, 3, schedule=name, measure="dead", steps=1000)
        for seed in range(seeds)
        for name in ("warm-up", "constant")
    ]
    found += [  # two ways to stand at ln 100
        make("dead", lr, seed, 1, optimizer="momentum", measure="dead", steps=200)
        for seed in range(seeds)
        for lr in (0.01, 0.2)
    ]
    if validate.one_of("precision", precision, ("float32", "bfloat16")) == "bfloat16":
        found += [
            make("precision", 1e-3, seed, short, precision=name)
            for seed in range(seeds)
            for name in ("float32", "bfloat16")
        ]
    found += [plan for seed in others for plan in article(LEARNING, seed)]
    found += scheduled(0)
    found += choice("rates", "adam", RATES, 0)
    scan = choice("momentum", "momentum", MOMENTUM_RATES, 0)
    found += scan + _momentum_runs(scan, done, epochs, seeds)
    found += [
        make("sharpness", lr, 0, epochs, optimizer=name, measure="sharpness")
        for name, lr in SHARPNESS_RUNS
    ]
    found += [plan for seed in others for plan in scheduled(seed)]
    found += [plan for seed in others for plan in choice("rates", "adam", RATES, seed)]
    dead = [lr for lr in ARTICLE if lr not in LEARNING]
    return found + [plan for seed in others for plan in article(dead, seed)]


def _momentum_runs(scan: list[Plan], done: Sequence[Result], epochs: int, seeds: int) -> list[Plan]:
    """Full-length runs at the rate with the best validation accuracy, when all are in."""
    results = {result.plan.name: result for result in done}
    if not all(plan.name in results for plan in scan):
        return []

    def accuracy(plan: Plan) -> float:
        value = results[plan.name].final("validation_accuracy")
        return value if np.isfinite(value) else -np.inf  # max would keep a NaN that comes first

    best = max(scan, key=accuracy)
    return [replace(best, seed=seed, epochs=epochs, held_out=0) for seed in range(seeds)]


def record_run(
    plan: Plan,
    data: Data,
    *,
    precision: str = "float32",
    device: str = "auto",
    checkpoint: Path | None = None,
    progress: bool = False,
    max_seconds: float | None = None,
) -> Result | None:
    """Make one run, or the next part of it; None if nothing of it can be published yet.

    What is left of a run that was stopped: its whole epochs if the rate is constant, because those
    do not depend on how long the run was to be; otherwise nothing.

    Args:
        plan: what to run.
        data: `cifar100(n_validation=plan.held_out)`.
        precision: used where the plan names none.
        device: as in `train`.
        checkpoint: file to save to after every epoch, and to go on from.
        progress: show a progress bar.
        max_seconds: stop after so long.
    """
    per_epoch = len(data.train) // BATCH_SIZE
    steps = plan.steps or plan.epochs * per_epoch
    schedule = SCHEDULES[plan.schedule](plan.lr, steps, per_epoch)
    run = train(
        SevenLayerCNN(seed=plan.seed, width=plan.width),
        data,
        optimizer=plan.optimizer,
        schedule=schedule,
        steps=steps,
        batch_size=BATCH_SIZE,
        seed=plan.seed,
        device=device,
        precision=plan.precision or precision,
        observers=_observers(plan, data),
        observe_every=_observe_every(plan, per_epoch),
        progress=progress,
        checkpoint=checkpoint,
        checkpoint_every=per_epoch,
        max_seconds=max_seconds,
    )
    if not run.meta["interrupted"]:
        return _thin(run, plan, per_epoch)
    updates = (run.steps - 1) // per_epoch * per_epoch  # whole epochs whose end was measured
    if updates <= 0 or plan.steps or plan.schedule != "constant":
        return None
    return replace(_thin(_first(run, updates), plan, per_epoch), final_loss=float("nan"))


def _first(run: Run, updates: int) -> Run:
    """The first updates of a longer run, as a run."""
    kept = run.metrics["step"] <= updates
    return replace(
        run,
        lr=run.lr[:updates],
        loss=run.loss[:updates],
        grad_norm=run.grad_norm[:updates],
        # What came later must not decide how this part ended. The next batch sees its weights.
        final_loss=run.loss[updates],
        metrics={name: values[kept] for name, values in run.metrics.items()},
    )


def _observe_every(plan: Plan, per_epoch: int) -> int | str:
    if plan.steps:
        return 5
    return max(1, per_epoch // 5) if plan.measure == "sharpness" else "epoch"


def _observers(plan: Plan, data: Data) -> dict[str, Callable[[nn.Module], Any]]:
    if plan.measure == "dead":
        return {"dead": lambda model: dead_fractions(model, data.train, PROBE)}
    parts = {name: split for name, split in data.splits.items() if name != "train"}
    found = {part: lambda model, s=split: evaluate(model, s) for part, split in parts.items()}
    if plan.measure == "sharpness":
        x, y = data.train.inputs(slice(PROBE)), data.train.y[:PROBE]
        found["sharpness"] = lambda model: (
            sharpness(model, x, y, loss="cross_entropy", iterations=20).value
        )
    return found


def _thin(run: Run, plan: Plan, per_epoch: int) -> Result:
    """A run with about ten points per epoch, or all points if its length is given in updates."""
    every = 1 if plan.steps else max(1, per_epoch // 10)
    # An epoch starts a new point, so that the points of an epoch are its own.
    starts = np.array([t for t in range(run.steps) if t % per_epoch % every == 0])
    sizes = np.diff(np.append(starts, run.steps))
    metrics = {}
    for name, values in run.metrics.items():
        if name in ("test", "validation"):
            metrics[f"{name}_loss"], metrics[f"{name}_accuracy"] = values.T
        else:
            metrics[name] = values
    kept = ("schedule", "precision", "seconds", "data")
    return Result(
        plan=plan,
        step=starts,
        lr=run.lr[starts],
        loss=np.add.reduceat(run.loss, starts) / sizes,
        grad_norm=np.add.reduceat(run.grad_norm, starts) / sizes,
        metrics=metrics,
        final_loss=run.final_loss,
        diverged=bool(run.diverged),
        meta={key: run.meta[key] for key in kept}
        | {"updates": run.steps, "updates_per_epoch": per_epoch, "batch_size": BATCH_SIZE},
    )


# ----------------------------------------------------------------------------------- the record


def record(
    root: str | os.PathLike[str] | None = None,
    *,
    work: str | os.PathLike[str],
    results: str | os.PathLike[str],
    groups: Iterable[str] = GROUPS,
    epochs: int = 15,
    seeds: int = 3,
    precision: str = "auto",
    width: float = 1.0,
    device: str = "auto",
    minutes: float | None = None,
    progress: bool = False,
    say: Callable[[str], Any] = lambda text: None,
) -> bool:
    """Make all runs that are not made yet; return whether all are made.

    Args:
        root: where the data are, as in `cifar100`.
        work: a folder for finished runs and checkpoints, which are large.
        results: the folder for `06_<group>.json`, rewritten after every run. Runs of other
            settings that are in such a file already stay there.
        groups: which ones.
        epochs: see `plans`.
        seeds: see `plans`.
        precision: "float32", "bfloat16", or "auto": that of the runs of this width that are
            recorded already, or where there are none the faster one on this machine.
        width: of the network, as in `SevenLayerCNN`.
        device: as in `train`.
        minutes: stop after about so long.
        progress: show progress bars.
        say: told what happens, line by line.

    Raises:
        ValueError: for an unknown group, the same folder twice, or results on other data or of
            another precision in it.
    """
    start = datetime.now(UTC)
    groups = [validate.one_of("groups", group, GROUPS) for group in groups]
    device = str(best_device()) if device == "auto" else device
    seconds = None if minutes is None else 60 * validate.positive("minutes", minutes)
    work, results = Path(work), Path(results)
    if work.resolve() == results.resolve():
        raise ValueError(f"work and results must be different folders, got {str(work)!r} for both")
    for folder in (work, results):
        folder.mkdir(parents=True, exist_ok=True)
    precision = _resolve(precision, work, results, width, device)
    kept = _kept(work, results, groups)
    planned = [(plan, precision) for plan in plans(epochs, seeds, precision, width=width)]
    _refuse_mixed_precision(planned + [(r.plan, r.meta["precision"]) for r in kept])
    loaded: dict[int, tuple[Data, str]] = {}
    while True:
        todo = _left(work, groups, epochs, seeds, precision, width)
        if not todo:
            say("all runs are made")
            return True
        plan = todo[0]
        spent = (datetime.now(UTC) - start).total_seconds()
        if seconds is not None and spent >= seconds:
            say(f"time is up, {len(todo)} runs left")
            return False
        if plan.held_out not in loaded:  # one at a time: each is 200 MB
            data = cifar100(root, n_validation=plan.held_out)
            loaded = {plan.held_out: (data, fingerprint(data))}
        data, images = loaded[plan.held_out]
        say(f"{len(todo)} runs left; now {plan.name}")
        result = record_run(
            plan, data, precision=precision, device=device,
            checkpoint=work / f"{plan.name}.pt", progress=progress,
            max_seconds=None if seconds is None else max(seconds - spent, 1),
        )  # fmt: skip
        if result is not None:
            result.meta["provenance"] = _provenance(device, images)
            write_atomically(work / f"{plan.name}.json", json.dumps(_encode(result)))
            collect(work, results, plan.group)
        if result is None or not result.complete:
            say("stopped; the same command goes on from the last finished epoch")
            return False
        (work / f"{plan.name}.pt").unlink(missing_ok=True)


def collect(work: str | os.PathLike[str], results: str | os.PathLike[str], group: str) -> None:
    """Write the runs of a group to `results`/06_<group>.json, beside those in it.

    Of two recordings of the same run the longer one stays.

    Raises:
        ValueError: if the file holds runs on other images, or runs of this width in another
            precision that their names do not tell.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     collect(folder, folder, "dead")  # nothing is finished yet
        ...     load(Path(folder) / "06_dead.json")
        []
    """
    path = Path(results) / f"06_{group}.json"
    kept = load(path) if path.exists() else []
    found = [result for result in _recorded(Path(work)) if result.plan.group == group]
    _refuse_mixed_precision((r.plan, r.meta["precision"]) for r in kept + found)
    runs = {result.plan.name: result for result in kept}
    for result in found:
        known = runs.get(result.plan.name)
        if not (known and known.epochs > result.epochs):
            runs[result.plan.name] = result
    images = {
        result.meta["provenance"]["images_sha256"]: result.plan.name for result in runs.values()
    }
    if len(images) > 1:
        raise ValueError(
            f"results must hold runs on the same images, got {sorted(images.values())}"
        )
    ordered = sorted(runs.values(), key=lambda result: result.plan.name)
    # One run per line, so that a new run is one new line.
    lines = ",\n".join(json.dumps(_encode(result), separators=(",", ":")) for result in ordered)
    write_atomically(path, f'{{"runs":[\n{lines}\n]}}\n')


def load(path: str | os.PathLike[str]) -> list[Result]:
    """Return the runs of a file that `record` wrote, sorted by name."""
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    return [_decode(run) for run in content["runs"]]


def select(results: Iterable[Result], **settings: Any) -> list[Result]:
    """Return the results whose plan has these settings, in their order.

    Example:
        >>> select([], lr=1e-3, schedule="cosine")
        []
    """
    for name in settings:
        validate.one_of("settings", name, Plan.__dataclass_fields__)
    wanted = settings.items()
    return [r for r in results if all(getattr(r.plan, name) == value for name, value in wanted)]


@dataclass(frozen=True, eq=False)
class Grid:
    """Runs that differ in their rates and seeds, as a table: what `plots.u_curve` draws.

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

    Raises:
        ValueError: if two runs have the same rate and seed, or no seed is common to all rates.

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


def fingerprint(data: Data) -> str:
    """Return a checksum of all images and labels that does not depend on order or on the split.

    Example:
        >>> from course_utils.experiments.datasets import digits
        >>> fingerprint(digits(seed=0)) == fingerprint(digits(seed=1))
        True
    """
    digests = sorted(
        hashlib.sha256(x.tobytes() + bytes([y])).digest()
        for split in data.splits.values()
        for x, y in zip(split.x, split.y)
    )
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _left(
    work: Path, groups: Iterable[str], epochs: int, seeds: int, precision: str, width: float
) -> list[Plan]:
    """The runs that are not made yet in their precision, which their names may not tell."""
    done = [
        result
        for result in _recorded(work)
        if result.complete and result.meta["precision"] == (result.plan.precision or precision)
    ]
    names = {result.plan.name for result in done}
    listed = plans(epochs, seeds, precision, done, width)
    return [plan for plan in listed if plan.group in groups and plan.name not in names]


def _kept(work: Path, results: Path, groups: Iterable[str]) -> list[Result]:
    """What is recorded of some groups, in either folder."""
    files = [results / f"06_{group}.json" for group in groups]
    kept = [result for file in files if file.exists() for result in load(file)]
    return kept + [result for result in _recorded(work) if result.plan.group in groups]


def _resolve(precision: str, work: Path, results: Path, width: float, device: str | None) -> str:
    """What "auto" means: the precision of the recorded runs whose names do not tell theirs."""
    if precision != "auto":
        return precision
    alike = (r for r in _kept(work, results, GROUPS) if r.plan.width == width)
    recorded = (r.meta["precision"] for r in alike if not r.plan.precision)
    return next(recorded, None) or fast_precision(device)


def _refuse_mixed_precision(runs: Iterable[tuple[Plan, str]]) -> None:
    """Raise if runs of one width differ in a precision that is not part of their names."""
    found: dict[float, set[str]] = {}
    for plan, precision in runs:
        if not plan.precision:
            found.setdefault(plan.width, set()).add(precision)
    for width, precisions in found.items():
        if len(precisions) > 1:
            raise ValueError(
                f"results must hold runs of the same precision, got for width {width:g}: "
                f"{', '.join(sorted(precisions))}; choose the precision of those that are there, "
                "or other folders for work and results"
            )


def _provenance(device: str, images: str) -> dict[str, Any]:
    """Where a run was made, and with what."""
    cuda = device.startswith("cuda")
    return {
        "command": COMMAND,
        "date": datetime.now(UTC).date().isoformat(),
        "course_utils": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(device) if cuda else device,
        "threads": torch.get_num_threads(),
        "machine": f"{platform.system()} {platform.machine()}",
        "images_sha256": images,
    }


def _recorded(work: Path) -> list[Result]:
    return [_decode(json.loads(p.read_text(encoding="utf-8"))) for p in sorted(work.glob("*.json"))]


def _encode(result: Result) -> dict[str, Any]:
    content = {name: getattr(result, name) for name in Result.__dataclass_fields__}
    arrays = {k: _short(v) for k, v in content.items() if isinstance(v, np.ndarray)}
    metrics = {name: _short(values) for name, values in result.metrics.items()}
    return (
        content
        | arrays
        | {
            "plan": asdict(result.plan),
            "metrics": metrics,
            "final_loss": _short(np.array(result.final_loss)),
        }
    )


def _decode(content: dict[str, Any]) -> Result:
    arrays = {k: np.array(content[k], dtype=float) for k in ("lr", "loss", "grad_norm")}
    metrics = {name: np.array(values, dtype=float) for name, values in content["metrics"].items()}
    metrics["step"] = metrics["step"].astype(int)
    final = content["final_loss"]
    return Result(
        plan=Plan(**content["plan"]),
        step=np.array(content["step"], dtype=int),
        metrics=metrics,
        final_loss=float("nan") if final is None else final,
        diverged=content["diverged"],
        meta=content["meta"],
        **arrays,
    )


def _short(values: np.ndarray) -> Any:
    """Nested lists with six digits; null where a number is not finite. Integers stay whole."""
    if values.dtype.kind in "iu":
        return values.tolist()
    if values.ndim:
        return [_short(value) for value in values]
    return float(f"{values:.6g}") if np.isfinite(values) else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment from the command line; return 0, or 1 if something is left to do.

    Example:
        >>> main(["--dry-run", "--only", "dead", "--work", "/no/such/folder"])
        dead-adam-constant-0.00625-seed0-200steps
        ...
        27 runs are left, 27 of them short (200 or 1000 updates)
        0
    """
    parser = argparse.ArgumentParser(prog=COMMAND, description=(__doc__ or "").partition("\n\n")[0])
    add = parser.add_argument
    add("--data", metavar="FOLDER", help="where CIFAR-100 is or is to be put (a cache folder)")
    add("--work", default="notebooks/data/cifar_study", help="for finished runs and checkpoints")
    add("--results", default="notebooks/results", help="for 06_<group>.json")
    add(
        "--only", nargs="+", choices=GROUPS, default=GROUPS, metavar="GROUP", help=", ".join(GROUPS)
    )
    add("--epochs", type=int, default=15, help="length of the main runs")
    add("--seeds", type=int, default=3)
    add(
        "--width",
        type=float,
        default=1.0,
        help="0.25: a quarter of the channels",
    )
    add("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    add("--device", default="auto", help="cpu, cuda, mps")
    add("--threads", type=int, default=_processors(), help="of the CPU (all)")
    add("--minutes", type=float, help="stop after about so long")
    add("--dry-run", action="store_true", help="list the runs that are left, and stop")
    chosen = parser.parse_args(arguments)
    if chosen.dry_run:
        _list(chosen)
        return 0
    torch.set_num_threads(chosen.threads)
    try:
        finished = record(
            chosen.data, work=chosen.work, results=chosen.results, groups=chosen.only,
            epochs=chosen.epochs, seeds=chosen.seeds, precision=chosen.precision,
            width=chosen.width, device=chosen.device, minutes=chosen.minutes, progress=True,
            say=_say,
        )  # fmt: skip
    except KeyboardInterrupt:
        finished = False
        _say("stopped; the same command goes on from the last finished epoch")
    except (DataError, ValueError) as error:
        finished = False
        _say(str(error))
    return 0 if finished else 1


def _list(chosen: argparse.Namespace) -> None:
    work, results = Path(chosen.work), Path(chosen.results)
    device = None if chosen.device == "auto" else chosen.device
    precision = _resolve(chosen.precision, work, results, chosen.width, device)
    left = _left(work, chosen.only, chosen.epochs, chosen.seeds, precision, chosen.width)
    for plan in left:
        _say(plan.name)
    short = sum(plan.steps > 0 for plan in left)
    epochs = sum(plan.epochs for plan in left if not plan.steps)
    text = f", {epochs} epochs" if epochs else ""
    text += f", {short} of them short (200 or 1000 updates)" if short else ""
    _say(f"{len(left)} runs are left{text}")


def _processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
