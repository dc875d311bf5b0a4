"""Two real processes train one model; run as a script, this file is one of them.

Each process has half of the examples and a model of its own, equal at the start. After every
`backward()` they put their gradients together (gloo, on this machine only). `launch` starts both.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.optim import SGD, lr_scheduler

Batches = list[tuple[torch.Tensor, torch.Tensor]]


def epoch(process: int = 0, processes: int = 1, batch: int = 8) -> Batches:
    """Return one process's batches of 64 examples in three dimensions: every `processes`-th.

    Example:
        >>> len(epoch()), len(epoch(process=1, processes=2)), len(epoch(batch=16))
        (8, 4, 4)
    """
    random = torch.Generator().manual_seed(0)
    x = torch.randn(64, 3, generator=random, dtype=torch.float64)
    noise = torch.randn(64, generator=random, dtype=torch.float64)
    y = x @ torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64) + noise
    own = slice(process, None, processes)
    return list(zip(x[own].split(batch), y[own].split(batch)))


def _together(gradient: torch.Tensor, how: str) -> None:
    """Make the gradients of all processes one: their mean or sum, in place ("none": nothing)."""
    if how != "none":
        dist.all_reduce(gradient)  # the sum over the processes ...
    if how == "mean":
        gradient /= dist.get_world_size()  # ... DistributedDataParallel divides it


def train(
    batches: Batches,
    lr: float = 0.1,
    plan: int | None = None,
    steps: int = 1,
    how: str = "mean",
    watched: Callable[[float], float] | None = None,
) -> tuple[torch.Tensor, list[float]]:
    """Make one epoch of gradient descent; return the weights and each update's rate / `lr`.

    Args:
        batches: what this process sees.
        lr: the first rate.
        plan: how many steps of the scheduler a line to 0 takes, none without.
        steps: how often the scheduler is stepped after an update.
        how: gradients are put together, mean, sum or none.
        watched: loss -> the metric for ReduceLROnPlateau, none without.

    Example:
        >>> train(epoch(batch=16), plan=4, how="none")[1]
        [1.0, 0.75, 0.5, 0.25]
    """
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer, used = SGD([w], lr=lr), []
    line = plan and lr_scheduler.LambdaLR(optimizer, lambda t: max(0.0, 1 - t / plan))
    plateau = watched and lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=0)
    for x, y in batches:
        optimizer.zero_grad()
        loss = ((x @ w - y) ** 2).mean()
        loss.backward()
        _together(w.grad, how)
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for _ in range(steps if line else 0):
            line.step()
        if plateau:
            plateau.step(watched(float(loss.detach())))
    return w.detach(), [round(rate / lr, 4) for rate in used]


def _gathered(value: Any) -> list[Any]:
    """What every process has."""
    everywhere = [None] * dist.get_world_size()
    dist.all_gather_object(everywhere, value)
    return everywhere


def _apart(w: torch.Tensor) -> float:
    """The largest difference between the processes' weights."""
    first, *others = _gathered(w)
    return max(float((first - other).abs().max()) for other in others)


def _experiments() -> dict[str, Any]:
    """Run all comparisons, in every process alike; return what the lesson shows."""
    rank, world = dist.get_rank(), dist.get_world_size()
    mine, whole = epoch(rank, world), epoch(batch=8 * world)
    mean, sums = train(mine)[0], train(mine, how="sum")[0]
    found: dict[str, Any] = {
        "mean": float((mean - train(whole, how="none")[0]).abs().max()),
        "sum": float((sums - train(whole, lr=0.1 * world, how="none")[0]).abs().max()),
        "forgotten": _apart(train(mine, how="none")[0]),
    }
    for plan in (8, 4):  # all batches of 8, and those of one process
        for steps in (1, world):
            found[f"plan {plan}, steps {steps}"] = train(mine, plan=plan, steps=steps)[1]

    def averaged(loss: float) -> float:
        metric = torch.tensor(loss)
        dist.all_reduce(metric)
        return float(metric) / world

    for name, metric in {"own": float, "averaged": averaged}.items():
        w, rates = train(mine, watched=metric)
        found[f"plateau, {name}"] = {"rates": _gathered(rates), "apart": _apart(w)}
    return found


def _main(rank: int, world: int, store: str) -> None:
    """Be one process of `world`; the first prints what was found, as JSON."""
    torch.set_num_threads(1)
    meet = dist.FileStore(store, world)  # a file is the meeting place: no port to choose
    limit = timedelta(seconds=30)
    dist.init_process_group("gloo", store=meet, rank=rank, world_size=world, timeout=limit)
    found = _experiments()
    if rank == 0:
        sys.stdout.write(json.dumps(found))
    dist.barrier()  # leave together, or the last one finds a closed connection
    dist.destroy_process_group()


def launch(world: int = 2, seconds: float = 60, script: str | Path = __file__) -> dict[str, Any]:
    """Start this file once per process; return what the first one found.

    A notebook cannot hand a function of a cell to a new process, so it starts a file.

    Args:
        world: how many processes.
        seconds: after this time they are ended, and a RuntimeError says what they last said.
        script: the file that is started as `script rank world store`.

    Example:
        >>> launch()["plan 8, steps 1"]  # doctest: +SKIP
        [1.0, 0.875, 0.75, 0.625]
    """
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    if sys.platform == "linux":
        env["GLOO_SOCKET_IFNAME"] = "lo"  # or gloo looks up the name of this machine
    with tempfile.TemporaryDirectory() as folder:
        jobs = [
            subprocess.Popen(
                [sys.executable, str(script), str(rank), str(world), f"{folder}/store"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=env,
                start_new_session=True,
            )
            for rank in range(world)
        ]
        try:
            said = [job.communicate(timeout=seconds) for job in jobs]
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"the processes were not done after {seconds:g} s") from None
        finally:
            for job in jobs:
                job.kill()  # nothing to one that has ended
                job.communicate()
    for rank, (job, (_, errors)) in enumerate(zip(jobs, said)):
        if job.returncode:
            last = "\n".join(errors.splitlines()[-15:])
            raise RuntimeError(
                f"process {rank} ended with {job.returncode}. Two processes need sockets on this "
                f"machine (127.0.0.1); its last lines:\n{last}"
            )
    return json.loads(said[0][0])


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
