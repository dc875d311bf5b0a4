"""Eight wrong PyTorch programs that run for real, on digits, and the rates they really used.

Each announces a schedule, in its docstring. None raises an error, each trains, and each uses
other rates than it announces. What the repair changes is in `repaired_programs`; what the mistake
costs is in `strips`. Strips 1 and 4 are mistakes of a published course.
"""

import math

from torch.optim import SGD, lr_scheduler

from course_utils.lessons.lesson10.task import Task


def warmed_up_too_late(task: Task) -> None:
    """Warm-up from 0 to 0.5 over 5 epochs, then a cosine down to 0 at epoch 30."""

    def schedule(epoch):
        if epoch < 5:
            return 0.5 * epoch / 5
        return 0.25 * (1 + math.cos(math.pi * (epoch - 5) / 25))

    optimizer = SGD(task.model.parameters(), lr=0.5)
    for epoch in range(30):
        for batch in task.batches():
            task.update(optimizer, batch)
        for group in optimizer.param_groups:
            group["lr"] = schedule(epoch)


def boundary_out_of_reach(task: Task) -> None:
    """0.5, a tenth of it after half of the updates and a hundredth after three quarters."""
    total = 30 * 1000
    optimizer = SGD(task.model.parameters(), lr=0.5)
    milestones = [total // 2, 3 * total // 4]
    scheduler = lr_scheduler.MultiStepLR(optimizer, milestones, gamma=0.1)
    for _ in range(30):
        for batch in task.batches():
            task.update(optimizer, batch)
            scheduler.step()


def restarts_that_swing(task: Task) -> None:
    """Cosine with warm restarts: from 0.5 to 0 in every 6 of 30 epochs."""
    optimizer = SGD(task.model.parameters(), lr=0.5)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=6)
    for _ in range(30):
        for batch in task.batches():
            task.update(optimizer, batch)
        scheduler.step()


def plotted_before_training(task: Task) -> None:
    """0.5, halved after 10 and after 20 of 30 epochs."""
    optimizer = SGD(task.model.parameters(), lr=0.5)
    scheduler = lr_scheduler.MultiStepLR(optimizer, milestones=[10, 20], gamma=0.5)
    curve = []
    for _ in range(30):  # look at the schedule before using it
        curve.append(scheduler.get_last_lr()[0])
        scheduler.step()
    for _ in range(30):
        for batch in task.batches():
            task.update(optimizer, batch)
        scheduler.step()


def stepped_every_update(task: Task) -> None:
    """Exponential decay from 0.5, by 0.85 per epoch, for 30 epochs."""
    optimizer = SGD(task.model.parameters(), lr=0.5)
    scheduler = lr_scheduler.ExponentialLR(optimizer, gamma=0.85)
    for _ in range(30):
        for batch in task.batches():
            task.update(optimizer, batch)
            scheduler.step()


def trained_past_the_end(task: Task) -> None:
    """Cosine from 0.5 to 0 over 20 epochs, then 10 more epochs at the lowest rate."""
    optimizer = SGD(task.model.parameters(), lr=0.5)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
    for _ in range(30):
        for batch in task.batches():
            task.update(optimizer, batch)
        scheduler.step()


def resumed_at_step_0(task: Task) -> None:
    """A line from 0.5 to 0 in 30 epochs; the run was killed after epoch 18, and resumed."""
    saved = None
    for epochs in (range(18), range(18, 30)):  # the second in a new process
        optimizer = SGD(task.model.parameters(), lr=0.5)
        if saved:
            task.model.load_state_dict(saved["model"])
            optimizer.load_state_dict(saved["optimizer"])
        scheduler = lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 - epoch / 30)
        for _ in epochs:
            for batch in task.batches():
                task.update(optimizer, batch)
            scheduler.step()
        saved = {"model": task.model.state_dict(), "optimizer": optimizer.state_dict()}


def counted_by_the_mini_batch(task: Task) -> None:
    """A line from 0.5 to 0 over all 930 updates; four mini-batches of 8 make one update."""
    optimizer = SGD(task.model.parameters(), lr=0.5)
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: max(0, 1 - t / 930))
    for _ in range(30):
        for i, batch in enumerate(task.batches(size=8)):
            task.backward(batch, share=1 / 4)  # a quarter of the loss: gradients add up
            if i % 4 == 3:
                task.step(optimizer)
            scheduler.step()
