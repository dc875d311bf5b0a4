"""Train the seven-layer CNN of lesson 6 on CIFAR-100: hours, the most valuable runs first.

`record` makes the runs of `cifar_plans.plans` and adds them to `notebooks/results/06_<group>.json`.
It can be stopped at any time, or killed: the same command goes on where it was. It runs on the best
device of the machine. `load` reads such a file (see `cifar_runs`). From the command line:

    python -m course_utils.experiments.cifar100 --dry-run
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
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
from course_utils.experiments.datasets import Data, cifar100
from course_utils.experiments.devices import best_device
from course_utils.experiments.diagnostics import dead_fractions
from course_utils.experiments.evaluation import evaluate
from course_utils.experiments.models import SevenLayerCNN
from course_utils.experiments.training import train
from course_utils.run import Run

COMMAND = "python -m course_utils.experiments.cifar100"
BATCH_SIZE = 128
PROBE = 256
"""Training images on which dead units are measured."""


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
        device, checkpoint, progress, max_seconds, fused: as in `train`; saved every epoch.
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
        observe_every=5 if plan.steps else "epoch",
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


def _observers(plan: Plan, data: Data) -> dict[str, Callable[[nn.Module], Any]]:
    if plan.measure == "dead":
        return {"dead": lambda model: dead_fractions(model, data.train, PROBE)}
    parts = {name: split for name, split in data.splits.items() if name != "train"}
    return {part: lambda model, s=split: evaluate(model, s) for part, split in parts.items()}


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
    results: str | os.PathLike[str],
    groups: Iterable[str] = GROUPS,
    *,
    minutes: float | None = None,
    progress: bool = False,
    say: Callable[[str], Any] = lambda text: None,
) -> bool:
    """Make all runs that are not recorded yet; return whether all are made.

    Args:
        results: the folder for `06_<group>.json`, to which every run is added; checkpoints, which
            are large, are put into `data/checkpoints` beside it.
        groups: which ones of `GROUPS`.
        minutes: stop after about so long.
        progress: show progress bars.
        say: told what happens, line by line.
    """
    seconds = None if minutes is None else 60 * validate.positive("minutes", minutes)
    end = None if seconds is None else time.monotonic() + seconds
    groups, device = list(groups), str(best_device())
    todo = left(results, groups)
    results = Path(results)
    work = results.parent / "data" / "checkpoints"
    for folder in (results, work):
        folder.mkdir(parents=True, exist_ok=True)
    loaded: dict[int, tuple[Data, str]] = {}
    while todo:
        plan = next(iter(todo))
        seconds = None if end is None else end - time.monotonic()
        if seconds is not None and seconds <= 0:
            say(f"time is up, {len(todo)} runs left")
            return False
        if plan.held_out not in loaded:  # one at a time: each is 200 MB
            data = cifar100(n_validation=plan.held_out)
            loaded = {plan.held_out: (data, fingerprint(data))}
        data, images = loaded[plan.held_out]
        refuse_other_images(recorded(results), images)
        checkpoint = work / f"{plan.name}.pt"
        say(f"{len(todo)} runs left; on {device} now {plan.name}")
        result = record_run(
            plan, data, device=device, checkpoint=checkpoint, progress=progress,
            max_seconds=seconds, fused=True,
        )  # fmt: skip
        if result is not None:
            result.meta["provenance"] = _provenance(device, images)
            add(results / f"06_{plan.group}.json", [result])
        if result is None or not result.complete:
            say("stopped; the same command goes on from the last finished epoch")
            return False
        checkpoint.unlink(missing_ok=True)
        todo = left(results, groups)
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


def left(results: str | os.PathLike[str], groups: Iterable[str] = GROUPS) -> dict[Plan, int]:
    """Return the plans of some groups that a folder does not hold in full, most valuable first.

    Each with the number of epochs that are published already, for a run at a constant rate.

    Args:
        results: the folder.
        groups: which ones of `GROUPS`.

    Example:
        >>> len(left("no such folder", ["rates"]))
        36
    """
    groups = {validate.one_of("groups", group, GROUPS) for group in groups}
    done = recorded(results)
    published = {
        plan: max((run.covers(plan) for run in done), default=0)
        for plan in plans()
        if plan.group in groups
    }
    return {plan: epochs for plan, epochs in published.items() if epochs < plan.epochs}


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
        >>> main(["--dry-run", "--only", "article", "--results", "/no/such/folder"])
        article-adam-constant-6.25e-05-seed0-15epochs-bfloat16
        ...
        27 runs are left: 237 epochs at full width, 135 at a quarter
        0
    """
    parser = argparse.ArgumentParser(prog=COMMAND, description=(__doc__ or "").partition("\n\n")[0])
    option = parser.add_argument
    option("--only", nargs="+", choices=GROUPS, default=GROUPS, metavar="GROUP",
           help=", ".join(GROUPS))  # fmt: skip
    option("--results", default="notebooks/results", help="the folder for 06_<group>.json")
    option("--minutes", type=float, help="stop after about so long")
    option("--dry-run", action="store_true", help="list the runs that are left, and stop")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.dry_run:
            _list(left(chosen.results, chosen.only))
            return 0
        torch.set_num_threads(_processors())
        finished = record(
            chosen.results, chosen.only, minutes=chosen.minutes, progress=True, say=_say
        )
        return 0 if finished else 1
    except KeyboardInterrupt:
        _say("stopped; the same command goes on from the last finished epoch")
    except (DataError, ValueError, OSError) as error:
        _say(str(error))
    return 1


def _list(todo: Mapping[Plan, int]) -> None:
    """Say what is left: the runs, and epochs beyond those that are published."""
    epochs = {True: 0, False: 0}
    for plan, published in todo.items():
        _say(plan.name + f", {published} epochs of it are published" * (published > 0))
        epochs[plan.width == 1] += (plan.epochs - published) * (not plan.steps)
    parts = [f"{epochs[True]} epochs at full width", f"{epochs[False]} at a quarter"]
    parts += [f"{sum(plan.steps == n for plan in todo)} runs of {n} updates" for n in (SHORT, LONG)]
    parts = [part for part in parts if not part.startswith("0 ")]
    _say(f"{len(todo)} runs are left" + (": " if parts else "") + ", ".join(parts))


def _processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
