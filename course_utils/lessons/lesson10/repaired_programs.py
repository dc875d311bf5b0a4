"""The eight programs repaired: the same names, the same announcements, the fewest changed lines.

Schedules that are stepped after every epoch stay so, as announced.
"""

import math

from torch.optim import SGD, lr_scheduler

from course_utils.lessons.lesson10.task import Task


def warmed_up_too_late(task: Task) -> None:
    """Set the rate before the epoch that it is for."""

    def schedule(epoch):
        if epoch < 5:
            return 0.5 * epoch / 5
        return 0.25 * (1 + math.cos(math.pi * (epoch - 5) / 25))

    optimizer = SGD(task.model.parameters(), lr=0.5)
    for epoch in range(30):
        for group in optimizer.param_groups:
            group["lr"] = schedule(epoch)
        for batch in task.batches():
            task.update(optimizer, batch)


def boundary_out_of_reach(task: Task) -> None:
    """Count what the scheduler counts: updates."""
    total = 30 * 31
    optimizer = SGD(task.model.parameters(), lr=0.5)
    milestones = [total // 2, 3 * total // 4]
    scheduler = lr_scheduler.MultiStepLR(optimizer, milestones, gamma=0.1)
    for _ in range(30):
        for batch in task.batches():
            task.update(optimizer, batch)
            scheduler.step()


def restarts_that_swing(task: Task) -> None:
    """Take the class that restarts."""
    optimizer = SGD(task.model.parameters(), lr=0.5)
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=6)
    for _ in range(30):
        for batch in task.batches():
            task.update(optimizer, batch)
        scheduler.step()


def plotted_before_training(task: Task) -> None:
    """Make a new scheduler, of a new optimizer, after the look."""
    optimizer = SGD(task.model.parameters(), lr=0.5)
    scheduler = lr_scheduler.MultiStepLR(optimizer, milestones=[10, 20], gamma=0.5)
    curve = []
    for _ in range(30):  # look at the schedule before using it
        curve.append(scheduler.get_last_lr()[0])
        scheduler.step()
    optimizer = SGD(task.model.parameters(), lr=0.5)
    scheduler = lr_scheduler.MultiStepLR(optimizer, milestones=[10, 20], gamma=0.5)
    for _ in range(30):
        for batch in task.batches():
            task.update(optimizer, batch)
        scheduler.step()


def stepped_every_update(task: Task) -> None:
    """Step once per epoch: outside of the inner loop."""
    optimizer = SGD(task.model.parameters(), lr=0.5)
    scheduler = lr_scheduler.ExponentialLR(optimizer, gamma=0.85)
    for _ in range(30):
        for batch in task.batches():
            task.update(optimizer, batch)
        scheduler.step()


def trained_past_the_end(task: Task) -> None:
    """Stop the scheduler at the bottom."""
    optimizer = SGD(task.model.parameters(), lr=0.5)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
    for epoch in range(30):
        for batch in task.batches():
            task.update(optimizer, batch)
        if epoch < 20:
            scheduler.step()


def resumed_at_step_0(task: Task) -> None:
    """Make both, then load both, the optimizer last; and save both."""
    saved = None
    for epochs in (range(18), range(18, 30)):  # the second in a new process
        optimizer = SGD(task.model.parameters(), lr=0.5)
        scheduler = lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 - epoch / 30)
        if saved:
            task.model.load_state_dict(saved["model"])
            scheduler.load_state_dict(saved["scheduler"])
            optimizer.load_state_dict(saved["optimizer"])
        for _ in epochs:
            for batch in task.batches():
                task.update(optimizer, batch)
            scheduler.step()
        saved = {"model": task.model.state_dict(), "optimizer": optimizer.state_dict()}
        saved["scheduler"] = scheduler.state_dict()


def counted_by_the_mini_batch(task: Task) -> None:
    """Step the scheduler where the optimizer steps."""
    optimizer = SGD(task.model.parameters(), lr=0.5)
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: max(0, 1 - t / 930))
    for _ in range(30):
        for i, batch in enumerate(task.batches(size=8)):
            task.backward(batch, share=1 / 4)  # a quarter of the loss: gradients add up
            if i % 4 == 3:
                task.step(optimizer)
                scheduler.step()
