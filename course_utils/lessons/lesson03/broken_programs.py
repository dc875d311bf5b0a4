"""Six wrong PyTorch programs that run for real, and the learning rates they really used.

Each program announces a schedule and trains a small linear regression. None of them raises an
error, each of them trains, and each uses other rates than it announces. All six mistakes were
found in published courses and libraries. `record` runs one and returns its flight recorder.
"""

from __future__ import annotations

import inspect
import math
import textwrap
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from course_utils import schedules
from course_utils.run import Run
from course_utils.schedules import Schedule

if TYPE_CHECKING:
    import torch
    from torch.optim import lr_scheduler

BATCHES = 8
"""Updates per epoch: 64 examples in batches of 8."""


class Flight:
    """A linear regression to train, and a recorder of the rate of every update.

    Example:
        >>> import torch
        >>> flight = Flight()
        >>> optimizer = torch.optim.SGD(flight.model.parameters(), lr=0.1)
        >>> flight.epoch(optimizer)
        >>> flight.run().lr.tolist()
        [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    """

    def __init__(self) -> None:
        # For all programs below: they can be read without PyTorch, and are shown as learners write.
        global torch, lr_scheduler
        import torch
        from torch.optim import lr_scheduler

        rng = np.random.default_rng(0)
        x = rng.standard_normal((8 * BATCHES, 4))
        y = x @ [1.0, -2.0, 0.5, 3.0] + 0.3 * rng.standard_normal(len(x))
        self.x, self.y = torch.tensor(x).float(), torch.tensor(y).float()
        self.model = torch.nn.Linear(4, 1)
        with torch.no_grad():
            for parameter in self.model.parameters():
                parameter.zero_()
        self.rows: list[tuple[float, float, float]] = []

    def batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield the mini-batches of one epoch."""
        yield from zip(self.x.split(8), self.y.split(8))

    def update(self, optimizer: torch.optim.Optimizer, batch: tuple) -> None:
        """Make one update, and note the rate that the optimizer has at that moment."""
        x, y = batch
        loss = 0.1 * ((self.model(x)[:, 0] - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        norm = math.sqrt(sum(float((p.grad**2).sum()) for p in self.model.parameters()))
        self.rows.append((optimizer.param_groups[0]["lr"], loss.item(), norm))
        optimizer.step()

    def epoch(self, optimizer: torch.optim.Optimizer) -> None:
        """Make the updates of one epoch."""
        for batch in self.batches():
            self.update(optimizer, batch)

    def run(self) -> Run:
        """Return the record of all updates so far."""
        lr, loss, norm = np.array(self.rows).T
        with torch.no_grad():
            final = 0.1 * ((self.model(self.x)[:, 0] - self.y) ** 2).mean().item()
        return Run(lr=lr, loss=loss, grad_norm=norm, final_loss=final)


def plotted_before_training(flight: Flight) -> None:
    """0.4, halved after 10 and after 20 of 30 epochs."""
    optimizer = torch.optim.SGD(flight.model.parameters(), lr=0.4)
    scheduler = lr_scheduler.MultiStepLR(optimizer, milestones=[10, 20], gamma=0.5)
    curve = []
    for _ in range(30):  # look at the schedule before using it
        curve.append(scheduler.get_last_lr()[0])
        scheduler.step()
    for _ in range(30):
        flight.epoch(optimizer)
        scheduler.step()


def warmed_up_too_late(flight: Flight) -> None:
    """Warm-up from 0 to 0.4 over 5 epochs, then a cosine down to 0 at epoch 30."""

    def schedule(epoch):
        if epoch < 5:
            return 0.4 * epoch / 5
        return 0.2 * (1 + math.cos(math.pi * (epoch - 5) / 25))

    optimizer = torch.optim.SGD(flight.model.parameters(), lr=0.4)
    for epoch in range(30):
        flight.epoch(optimizer)
        for group in optimizer.param_groups:
            group["lr"] = schedule(epoch)


def trained_past_the_end(flight: Flight) -> None:
    """Cosine from 0.4 to 0 over 20 epochs, then 10 more epochs at the lowest rate."""
    optimizer = torch.optim.SGD(flight.model.parameters(), lr=0.4)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
    for _ in range(30):
        flight.epoch(optimizer)
        scheduler.step()


def restarts_that_swing(flight: Flight) -> None:
    """Cosine annealing with warm restarts from 0.4 every 6 epochs, 30 epochs."""
    optimizer = torch.optim.SGD(flight.model.parameters(), lr=0.4)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=6)
    for _ in range(30):
        flight.epoch(optimizer)
        scheduler.step()


def stepped_every_update(flight: Flight) -> None:
    """Exponential decay from 0.4 by 0.85 per epoch, 30 epochs."""
    optimizer = torch.optim.SGD(flight.model.parameters(), lr=0.4)
    scheduler = lr_scheduler.ExponentialLR(optimizer, gamma=0.85)
    for _ in range(30):
        for batch in flight.batches():
            flight.update(optimizer, batch)
            scheduler.step()


def boundary_out_of_reach(flight: Flight) -> None:
    """0.4, a tenth of it after half of the updates and a hundredth after three quarters."""
    epochs, examples = 30, 64
    total = epochs * examples
    optimizer = torch.optim.SGD(flight.model.parameters(), lr=0.4)
    milestones = [total // 2, 3 * total // 4]
    scheduler = lr_scheduler.MultiStepLR(optimizer, milestones, gamma=0.1)
    for _ in range(epochs):
        for batch in flight.batches():
            flight.update(optimizer, batch)
            scheduler.step()


@dataclass(frozen=True)
class Strip:
    """A wrong program, what it announces, and the schedule that the announcement means.

    Args:
        program: trains on the `Flight` that it is given; its docstring is the announcement.
        announced: the rate of every update as announced.
    """

    program: Callable[[Flight], None]
    announced: Schedule

    @property
    def announcement(self) -> str:
        """What the program says it does, in one sentence."""
        return inspect.getdoc(self.program) or ""

    @property
    def source(self) -> str:
        """The program itself."""
        return textwrap.dedent(inspect.getsource(self.program))


def _per_epoch(function: Callable[[int], float], name: str) -> Schedule:
    return schedules.custom(lambda step: function(step // BATCHES), name=name)


def _warmup_then_cosine(epoch: int) -> float:
    return schedules.with_warmup(schedules.cosine(0.4, 25), 5)(epoch)


STRIPS = {
    1: Strip(warmed_up_too_late, _per_epoch(_warmup_then_cosine, "warm-up, then cosine")),
    2: Strip(boundary_out_of_reach, schedules.piecewise_constant([119, 179], [0.4, 0.04, 0.004])),
    3: Strip(restarts_that_swing, _per_epoch(schedules.cosine_restarts(0.4, 6, 1.0), "restarts")),
    4: Strip(plotted_before_training, _per_epoch(schedules.step_decay(0.4, 10), "step decay")),
    5: Strip(stepped_every_update, _per_epoch(schedules.exponential(0.4, 1, 0.85), "exponential")),
    6: Strip(trained_past_the_end, _per_epoch(schedules.cosine(0.4, 20), "cosine")),
}
"""The six strips by their number in the lesson (not in the order of the diagnoses)."""


def record(program: Callable[[Flight], None]) -> Run:
    """Run a program on a new `Flight` and return what it did, update by update.

    PyTorch warns in one of the six cases (a scheduler stepped before the optimizer). The warning
    is muted here, as it is in many notebooks.

    Example:
        >>> run = record(plotted_before_training)
        >>> run.steps, set(run.lr.tolist())
        (240, {0.1})
    """
    flight = Flight()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program(flight)
    return flight.run()
