"""Learning rates of a seven-layer CNN on CIFAR-100: the recorded experiment of lesson 6.

`record` makes the runs that `cifar_plans.plans` lists, the most valuable first, and adds them to
`notebooks/results/06_<group>.json`. It can be stopped at any time, or killed: the same command
goes on where it was. `load` reads such a file (see `cifar_runs`). From the command line:

    python -m course_utils.experiments.cifar100 --dry-run
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils import validate
from course_utils.experiments import files
from course_utils.experiments.cifar_files import DataError
from course_utils.experiments.cifar_plans import GROUPS, LONG, SCHEDULES, SHORT, plans
from course_utils.experiments.cifar_runs import Plan, Result, add, load, refuse_other_images
from course_utils.experiments.cifar_runs import grid as grid  # lessons read the runs from here
from course_utils.experiments.cifar_runs import select as select
from course_utils.experiments.datasets import Data, cifar100
from course_utils.experiments.devices import PRECISIONS, as_device, fast_precision
from course_utils.experiments.diagnostics import dead_fractions, sharpness
from course_utils.experiments.evaluation import evaluate
from course_utils.experiments.models import SevenLayerCNN
from course_utils.experiments.training import train
from course_utils.run import Run

COMMAND = "python -m course_utils.experiments.cifar100"
BATCH_SIZE = 128
PROBE = 256
"""Training images on which dead units and sharpness are measured."""


def record_run(
    plan: Plan,
    data: Data,
    *,
    device: str = "auto",
    checkpoint: Path | None = None,
    progress: bool = False,
    max_seconds: float | None = None,
    fused: bool = False,
) -> Result | None:
    """Make one run, or the next part of it; None if nothing of it can be published yet.

    What is left of a run that was stopped: its whole epochs if the rate is constant, because those
    do not depend on how long the run was to be; otherwise nothing.

    Args:
        plan: what to run.
        data: `cifar100(n_validation=plan.held_out)`.
        device: as in `train`.
        checkpoint: file to save to after every epoch, and to go on from.
        progress: show a progress bar.
        max_seconds: stop after so long.
        fused: as in `train`.
    """
    per_epoch = len(data.train) // BATCH_SIZE
    steps = plan.steps or plan.epochs * per_epoch
    make = SCHEDULES[validate.one_of("plan.schedule", plan.schedule, SCHEDULES)]
    run = train(
        SevenLayerCNN(seed=plan.seed, width=plan.width),
        data,
        optimizer=plan.optimizer,
        schedule=make(plan.lr, steps, per_epoch),
        steps=steps,
        batch_size=BATCH_SIZE,
        seed=plan.seed,
        device=device,
        precision=plan.precision,
        observers=_observers(plan, data),
        observe_every=_observe_every(plan, per_epoch),
        progress=progress,
        checkpoint=checkpoint,
        checkpoint_every=per_epoch,
        max_seconds=max_seconds,
        fused=fused,
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
    precision: str = "float32",
    width: float = 1.0,
    device: str = "auto",
    minutes: float | None = None,
    progress: bool = False,
    say: Callable[[str], Any] = lambda text: None,
) -> bool:
    """Make all runs that are not recorded yet; return whether all are made.

    Args:
        root: where the data are, as in `cifar100`.
        work: a folder for checkpoints, which are large.
        results: the folder for `06_<group>.json`, to which every run is added.
        groups, epochs, seeds, precision, width: which runs; see `left`.
        device: as in `train`.
        minutes: stop after about so long.
        progress: show progress bars.
        say: told what happens, line by line.
    """
    start = datetime.now(UTC)
    device = str(as_device(device))
    seconds = None if minutes is None else 60 * validate.positive("minutes", minutes)
    chosen = (tuple(groups), epochs, seeds, precision, width)
    todo = left(results, *chosen)
    work, results = Path(work), Path(results)
    for folder in (work, results):
        folder.mkdir(parents=True, exist_ok=True)
    say(f"in {precision} on {device}")
    loaded: dict[int, tuple[Data, str]] = {}
    while todo:
        plan = todo[0]
        spent = (datetime.now(UTC) - start).total_seconds()
        if seconds is not None and spent >= seconds:
            say(f"time is up, {len(todo)} runs left")
            return False
        if plan.held_out not in loaded:  # one at a time: each is 200 MB
            data = cifar100(root, n_validation=plan.held_out)
            images = fingerprint(data)
            refuse_other_images(recorded(results), images)
            loaded = {plan.held_out: (data, images)}
        data, images = loaded[plan.held_out]
        say(f"{len(todo)} runs left; now {plan.name}")
        result = record_run(
            plan, data, device=device, checkpoint=work / f"{plan.name}.pt", progress=progress,
            max_seconds=None if seconds is None else max(seconds - spent, 1), fused=True,
        )  # fmt: skip
        if result is not None:
            result.meta["provenance"] = _provenance(device, images)
            add(results / f"06_{plan.group}.json", [result])
        if result is None or not result.complete:
            say("stopped; the same command goes on from the last finished epoch")
            return False
        (work / f"{plan.name}.pt").unlink(missing_ok=True)
        todo = left(results, *chosen)
    say("all runs are made")
    return True


def recorded(results: str | os.PathLike[str]) -> list[Result]:
    """Return the runs of all groups that are in a folder.

    >>> recorded("no such folder")
    []
    """
    folder = validate.path("results", results)
    files = [folder / f"06_{group}.json" for group in GROUPS]
    return [run for file in files if file.exists() for run in load(file)]


def left(
    results: str | os.PathLike[str],
    groups: Iterable[str] = GROUPS,
    epochs: int = 15,
    seeds: int = 3,
    precision: str = "float32",
    width: float = 1.0,
) -> list[Plan]:
    """Return the plans of some groups that are not in a folder in full, most valuable first.

    Args:
        results: the folder.
        groups: which ones of `GROUPS`.
        epochs, seeds, precision, width: see `plans`.

    Example:
        >>> len(left("no such folder", ["sharpness"]))
        3
    """
    groups = {validate.one_of("groups", group, GROUPS) for group in groups}
    done = [run for run in recorded(results) if run.complete]
    names = {run.plan.name for run in done}
    listed = plans(epochs, seeds, precision, done, width)
    return [plan for plan in listed if plan.group in groups and plan.name not in names]


def fingerprint(data: Data) -> str:
    """Return a checksum of all images and labels that does not depend on order or on the split.

    Example:
        >>> from course_utils.experiments.datasets import digits
        >>> fingerprint(digits(seed=0)) == fingerprint(digits(seed=1))
        True
    """
    validate.instance("data", data, Data)
    digests = sorted(
        hashlib.sha256(x.tobytes() + bytes([y])).digest()
        for split in data.splits.values()
        for x, y in zip(split.x, split.y)
    )
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _provenance(device: str, images: str) -> dict[str, Any]:
    """Where `record` made a run, and with what."""
    cuda = device.startswith("cuda")
    return files.provenance(
        COMMAND,
        **files.versions(),
        device=torch.cuda.get_device_name(device) if cuda else device,
        threads=torch.get_num_threads(),
        fused=True,  # kernels of the optimizer, where it has them on the device
        images_sha256=images,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment from the command line; return 0, or 1 if something is left to do.

    Example:
        >>> main(["--dry-run", "--only", "dead", "--results", "/no/such/folder"])
        dead-adam-constant-0.00625-seed0-200steps-float32
        ...
        27 runs are left, 27 of them short (200 or 1000 updates)
        0
    """
    parser = argparse.ArgumentParser(prog=COMMAND, description=(__doc__ or "").partition("\n\n")[0])
    option = parser.add_argument
    option("--data", metavar="FOLDER", help="where CIFAR-100 is or is to be put (a cache folder)")
    option("--work", default="notebooks/data/checkpoints", help="for checkpoints")
    option("--results", default="notebooks/results", help="for 06_<group>.json")
    option(
        "--only", nargs="+", choices=GROUPS, default=GROUPS, metavar="GROUP", help=", ".join(GROUPS)
    )
    option("--epochs", type=int, default=15, help="length of the main runs")
    option("--seeds", type=int, default=3)
    option(
        "--width",
        type=float,
        default=1.0,
        help="0.25: a quarter of the channels",
    )
    option(
        "--precision",
        choices=(*PRECISIONS, "auto"),
        default="float32",
        help="of the forward pass, float32 if not given; auto: the faster one on this device",
    )
    option("--device", default="auto", help="cpu, cuda, mps")
    option("--threads", type=int, default=_processors(), help="of the CPU (all)")
    option("--minutes", type=float, help="stop after about so long")
    option("--dry-run", action="store_true", help="list the runs that are left, and stop")
    chosen = parser.parse_args(arguments)
    try:
        threads = validate.integer("threads", chosen.threads, minimum=1)
        device, precision = str(as_device(chosen.device)), chosen.precision
        if precision == "auto":
            precision = fast_precision(device)
        which = {
            "groups": chosen.only, "epochs": chosen.epochs, "seeds": chosen.seeds,
            "precision": precision, "width": chosen.width,
        }  # fmt: skip
        if chosen.dry_run:
            _list(left(chosen.results, **which))
            return 0
        torch.set_num_threads(threads)
        finished = record(
            chosen.data, work=chosen.work, results=chosen.results, device=device,
            minutes=chosen.minutes, progress=True, say=_say, **which,
        )  # fmt: skip
        return 0 if finished else 1
    except KeyboardInterrupt:
        _say("stopped; the same command goes on from the last finished epoch")
    except (DataError, ValueError, TypeError, OSError) as error:
        _say(str(error))
    return 1


def _list(todo: Sequence[Plan]) -> None:
    for plan in todo:
        _say(plan.name)
    short = sum(plan.steps > 0 for plan in todo)
    epochs = sum(plan.epochs for plan in todo if not plan.steps)
    text = f", {epochs} epochs" if epochs else ""
    text += f", {short} of them short ({SHORT} or {LONG} updates)" if short else ""
    _say(f"{len(todo)} runs are left{text}")


def _processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
