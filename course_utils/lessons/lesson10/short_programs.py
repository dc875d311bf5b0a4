"""Eight short PyTorch programs that run other rates than they announce, and the page they fill.

Each announces a schedule in its docstring; its last line, a comment, says what happened.
"""

from __future__ import annotations

import inspect
import textwrap
import warnings

import numpy as np
import torch
from torch.optim import SGD, lr_scheduler

from course_utils import validate
from course_utils.experiments.recorder import record_rates
from course_utils.lessons.lesson10.task import run, weight
from course_utils.views.tables import TextTable


def skipped():
    """A line over 6 updates; in mixed precision the first two gradients overflow."""
    optimizer, scaler = SGD([w := weight()], lr=1.0), torch.amp.GradScaler("cpu")
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: 1 - t / 6)
    with record_rates(optimizer) as log:
        for t in range(6):
            optimizer.zero_grad()
            scaler.scale((w * (np.inf if t < 2 else 1)).sum()).backward()
            scaler.step(optimizer)
            scaler.update()
            scheduler.step()
    return log.lr  # a skipped update is none, but its step of the plan is gone


def waited():
    """The same; the scheduler waits where the scaler has skipped."""
    optimizer, scaler = SGD([w := weight()], lr=1.0), torch.amp.GradScaler("cpu")
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: 1 - t / 6)
    with record_rates(optimizer) as log:
        for t in range(6):
            before = scaler.get_scale()
            optimizer.zero_grad()
            scaler.scale((w * (np.inf if t < 2 else 1)).sum()).backward()
            scaler.step(optimizer)
            scaler.update()
            if scaler.get_scale() >= before:
                scheduler.step()
    return log.lr  # as planned, and two updates short of the end


def a_rate_for_a_factor():
    """Two groups, of 1 and 0.1; both go to the rate 0.05 after one update."""
    optimizer = two_groups()
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: 0.05 if t else 1.0)
    return run(optimizer, scheduler.step, 3)  # a LambdaLR gives a factor on each group's own rate


def one_peak_for_all():
    """Two groups, of 1 and 0.1; one cycle over 4 updates."""
    optimizer = two_groups()
    scheduler = lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=4)
    return run(
        optimizer, scheduler.step, 4
    )  # max_lr replaces every rate (its peak lies between two updates)


def a_floor_above_the_rate():
    """Two groups, of 1 and 0.1; a cosine down to 0.5."""
    optimizer = two_groups()
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=3, eta_min=0.5)
    return run(optimizer, scheduler.step, 4)  # eta_min is no factor: the small rate climbs to it


def set_in_vain():
    """0.5 instead of 1, from the third update on."""
    optimizer = SGD([weight()], lr=1.0)
    first = run(optimizer, lambda: None, 2)
    optimizer.lr = 0.5
    return np.append(first, run(optimizer, lambda: None, 2))  # it is in optimizer.param_groups


def the_wrong_way_up():
    """Halve the rate after three epochs without progress; accuracies 0.5, 0.6, 0.7, 0.8, 0.9."""
    optimizer, accuracy = SGD([weight()], lr=1.0), iter((0.5, 0.6, 0.7, 0.8, 0.9))
    plateau = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
    return run(optimizer, lambda: plateau.step(next(accuracy)), 5)  # mode="min" wants it to fall


def never_worse():
    """Halve the rate after three epochs without progress; the loss stands at -1."""
    optimizer = SGD([weight()], lr=1.0)
    plateau = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
    return run(
        optimizer, lambda: plateau.step(-1.0), 6
    )  # "better" is below -1 + 1e-4, and -1 is that


def two_groups() -> SGD:
    """An optimizer with two groups of parameters, of the rates 1 and 0.1."""
    groups = [{"params": [weight()], "lr": rate} for rate in (1.0, 0.1)]
    return SGD(groups, lr=1.0)


PROGRAMS = {
    function.__name__: function
    for function in (
        skipped,
        waited,
        a_rate_for_a_factor,
        one_peak_for_all,
        a_floor_above_the_rate,
        set_in_vain,
        the_wrong_way_up,
        never_worse,
    )
}
"""The programs by name, in the order of the page."""


def source(name: str) -> str:
    """Return a program as it can be typed.

    Example:
        >>> source("set_in_vain").splitlines()[4]
        '    optimizer.lr = 0.5'
    """
    program = PROGRAMS[validate.one_of("name", name, PROGRAMS)]
    return textwrap.dedent(inspect.getsource(program)).rstrip()


def rates(name: str) -> np.ndarray:
    """Run a program; return the rates of its updates, (T,), or (T, 2) for two groups.

    Example:
        >>> rates("set_in_vain")
        array([1., 1., 1., 1.])
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns of the skipped updates
        return PROGRAMS[validate.one_of("name", name, PROGRAMS)]()


def page(announced: bool = True, why: bool = True) -> TextTable:
    """Run all programs; return a table: what was announced, the rates that ran, what happened.

    Args:
        announced: with the announcements and the rates.
        why: with what happened.

    Example:
        >>> page(announced=False).rows[5]
        ['`set_in_vain`', 'it is in optimizer.param_groups']
    """
    told = {
        "announced": [inspect.getdoc(program) for program in PROGRAMS.values()],
        "ran": [_listed(rates(name)) for name in PROGRAMS] if announced else [],
        "why": [source(name).rpartition("# ")[2] for name in PROGRAMS],
    }
    columns = [*(("announced", "ran") if announced else ()), *(("why",) if why else ())]
    names = [f"`{name}`" for name in PROGRAMS]
    rows = [list(row) for row in zip(names, *(told[column] for column in columns))]
    return TextTable(["program", *columns], rows)


def _listed(lr: np.ndarray) -> str:
    return ", ".join(" / ".join(f"{rate:.2g}" for rate in np.atleast_1d(row)) for row in lr)
