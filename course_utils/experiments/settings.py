"""What a training is to do: the arguments of `train`, checked, and its optimizer."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils import sampling, validate
from course_utils.experiments.datasets import Data
from course_utils.experiments.devices import PRECISIONS, as_device, torch_seed
from course_utils.experiments.evaluation import LOSSES
from course_utils.schedules import Schedule, as_schedule

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    # The rate given here never acts: every update sets its own.
    "sgd": partial(torch.optim.SGD, lr=0.0),
    "momentum": partial(torch.optim.SGD, lr=0.0, momentum=0.9),
    "nesterov": partial(torch.optim.SGD, lr=0.0, momentum=0.9, nesterov=True),
    "adagrad": partial(torch.optim.Adagrad, lr=0.0),
    "rmsprop": partial(torch.optim.RMSprop, lr=0.0),
    "adam": partial(torch.optim.Adam, lr=0.0),
    "adamw": partial(torch.optim.AdamW, lr=0.0),
}


@dataclass(frozen=True, eq=False)
class Settings:
    """The arguments of `train`, checked; `observe_at` lists the updates to observe after."""

    data: Data
    optimizer: str | Callable[[Any], torch.optim.Optimizer]
    schedule: float | Schedule
    factors: Sequence[float] | None
    steps: int | None
    epochs: int | None
    batch_size: int | None
    accumulate: int
    loss: str
    l2: float
    clip: float | None
    seed: int
    device: str | torch.device | None
    precision: str
    fused: bool
    observers: dict[str, Callable[[nn.Module], Any]] | None
    observe_every: int | str | None
    checkpoint: str | os.PathLike[str] | None
    checkpoint_every: int | None
    max_seconds: float | None
    observe_at: list[int] = field(init=False)

    def __post_init__(self) -> None:
        """Check everything, and replace it by what the training works with."""
        validate.instance("data", self.data, Data, "(see course_utils.experiments.datasets)")
        if not callable(self.optimizer):
            validate.one_of("optimizer", self.optimizer, OPTIMIZERS)
        validate.one_of("loss", self.loss, LOSSES)
        validate.one_of("precision", self.precision, PRECISIONS)
        validate.boolean("fused", self.fused)
        n, every = len(self.data.train), self.observe_every
        accumulate = validate.integer("accumulate", self.accumulate, minimum=1)
        size, steps = sampling.resolve_steps(n, self.batch_size, self.steps, self.epochs)
        if accumulate > n // size:
            raise ValueError(
                f"accumulate must be at most {n // size} with {n} examples in batches of {size}, "
                f"got {accumulate}"
            )
        per_update = size * accumulate
        if self.epochs is not None:
            _, steps = sampling.resolve_steps(n, per_update, None, self.epochs)
        per_epoch = n // per_update
        clean = {
            "schedule": _finite_schedule(self.schedule, steps),
            "steps": steps,
            "batch_size": size,
            "accumulate": accumulate,
            "l2": validate.nonnegative("l2", self.l2),
            "clip": None if self.clip is None else validate.positive("clip", self.clip),
            "factors": _checked_factors(self.factors),
            "seed": torch_seed("seed", self.seed),
            "device": None if self.device is None else as_device(self.device),
            "observers": _checked_observers(self.observers),
            "observe_at": sampling.evaluation_steps(
                steps, per_epoch if isinstance(every, str) and every == "epoch" else every,
                "observe_every",
            ),
            "checkpoint": _checked_path(self.checkpoint),
            "checkpoint_every": max(100, per_epoch)
            if self.checkpoint_every is None
            else validate.integer("checkpoint_every", self.checkpoint_every, minimum=1),
            "max_seconds": np.inf
            if self.max_seconds is None
            else validate.positive("max_seconds", self.max_seconds),
        }  # fmt: skip
        for name, value in clean.items():
            object.__setattr__(self, name, value)


def build_optimizer(
    optimizer: str | Callable[[Any], torch.optim.Optimizer],
    params: Sequence[nn.Parameter],
    fused: bool = False,
) -> torch.optim.Optimizer:
    """Return the optimizer of a name or function, if `train` can work with it.

    Args:
        optimizer: as in `train`.
        params: what it changes.
        fused: prefer PyTorch's fused kernels, where a named optimizer has them for the device.

    Example:
        >>> type(build_optimizer("adam", [nn.Parameter(torch.zeros(1))])).__name__
        'Adam'
    """
    if not callable(optimizer):
        make = OPTIMIZERS[validate.one_of("optimizer", optimizer, OPTIMIZERS)]
        try:
            return make(params, fused=True) if fused else make(params)
        except (RuntimeError, TypeError):  # it has no fused kernel, or not on this device
            return make(params)
    if fused:
        raise ValueError(f"fused must be False where you make the optimizer, got {fused!r}")
    try:
        made = optimizer(params)
    except TypeError as error:
        raise TypeError(
            f"optimizer must be a function of the parameters alone, got {optimizer!r}: {error}"
        ) from error
    if not isinstance(made, torch.optim.Optimizer):
        raise TypeError(f"optimizer must return a torch.optim.Optimizer, got {made!r}")
    return checked_optimizer(made, params)


def checked_optimizer(
    made: torch.optim.Optimizer, params: Sequence[nn.Parameter]
) -> torch.optim.Optimizer:
    """Return an optimizer if each of its steps follows from one gradient and one rate.

    Example:
        >>> w = [nn.Parameter(torch.zeros(1))]
        >>> checked_optimizer(torch.optim.LBFGS(w), w)
        Traceback (most recent call last):
            ...
        ValueError: optimizer must make its step from one gradient, got LBFGS, which calls for ...
    """
    closure = inspect.signature(made.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise ValueError(
            "optimizer must make its step from one gradient, got "
            f"{type(made).__name__}, which calls for a closure"
        )
    held = {id(p) for group in made.param_groups for p in group["params"]}
    if held.isdisjoint(map(id, params)):
        raise ValueError(f"optimizer must change the parameters that it is given, got {made!r}")
    if not all("lr" in group for group in made.param_groups):
        raise ValueError(f"optimizer must have a learning rate in each group, got {made!r}")
    return made


def group_factors(
    optimizer: torch.optim.Optimizer, factors: tuple[float, ...] | None
) -> tuple[float, ...]:
    """Return what the rate is multiplied by in each parameter group.

    Example:
        >>> head, body = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
        >>> groups = [{"params": [head]}, {"params": [body], "lr": 0.01}]
        >>> group_factors(torch.optim.SGD(groups, lr=0.1), (1.0, 0.1))
        (1.0, 0.1)
    """
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    if factors is None:
        if len(set(rates)) > 1:
            raise ValueError(
                f"factors must say how the rates of the {len(rates)} parameter groups differ, "
                f"because the schedule is one and the optimizer has the rates {rates}"
            )
        return (1.0,) * len(rates)
    if len(factors) != len(rates):
        raise ValueError(
            f"factors must have one entry for each of the {len(rates)} parameter groups of the "
            f"optimizer, got {factors}"
        )
    return factors


def _checked_factors(factors: Any) -> tuple[float, ...] | None:
    if factors is None:
        return None
    return tuple(validate.each(validate.nonnegative, "factors", factors))


def _checked_path(checkpoint: Any) -> Path | None:
    if checkpoint is None:
        return None
    path = validate.path("checkpoint", checkpoint)
    if not path.parent.is_dir():
        raise ValueError(f"checkpoint must be in an existing folder, got {str(path)!r}")
    if path.is_dir():
        raise ValueError(f"checkpoint must be a file, got the folder {str(path)!r}")
    return path


def _checked_observers(observers: Any) -> dict[str, Callable[[nn.Module], Any]]:
    if observers is None:
        return {}
    if not isinstance(observers, dict) or not all(callable(f) for f in observers.values()):
        raise TypeError(
            f"observers must be a dict from names to functions of the model, got {observers!r}"
        )
    if not all(isinstance(name, str) for name in observers):
        raise TypeError(f"observers must have names that are text, got {[*observers]}")
    if "step" in observers:
        raise ValueError("observers must not be called 'step': that is the name of their axis")
    return dict(observers)


def _finite_schedule(schedule: Any, steps: int) -> Schedule:
    schedule = as_schedule(schedule, "schedule")
    finite = np.isfinite(schedule.rates(steps))
    if not finite.all():
        t = int(np.argmin(finite))
        raise ValueError(f"schedule must give finite rates, got {schedule(t)} at update {t}")
    return schedule
