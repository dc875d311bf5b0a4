"""What a sweep is to do: the arguments of `sweep`, checked, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from course_utils import sampling, validate
from course_utils.experiments.datasets import Data, digits
from course_utils.experiments.networks import ACTIVATIONS, LOSSES
from course_utils.optimizers import GradientDescent
from course_utils.schedules import Schedule, as_schedule

# Networks trained side by side. More share the cost of a Python call; fewer stay in the CPU's
# cache, and a group whose networks have all diverged ends early.
_GROUP = 64
_GROUP_FLOATS = 2**24  # 64 MB: wide networks on large batches train in smaller groups


@dataclass(frozen=True, eq=False)
class SweepSettings:
    """The arguments of `sweep`, and: R schedules and their peaks (R,), the rates `lr` (R, T)."""

    lrs: Iterable[float | Schedule]
    seeds: Iterable[int]
    data: Data | None
    hidden: Sequence[int]
    activation: str
    loss: str
    optimizer: Any
    schedule: Callable[[float], Schedule]
    steps: int | None
    epochs: int | None
    batch_size: int | None
    l2: float
    evaluate_every: int | None
    evaluate_on: Sequence[str]
    progress: bool
    sizes: list[int] = field(init=False)
    evaluate_at: list[int] = field(init=False)
    schedules: tuple[Schedule, ...] = field(init=False)
    peaks: np.ndarray = field(init=False)
    lr: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Check everything, and replace it by what the training works with."""
        data = digits() if self.data is None else self.data
        validate.instance("data", data, Data, "(course_utils.experiments.datasets)")
        validate.boolean("progress", self.progress)
        validate.one_of("activation", self.activation, ACTIVATIONS)
        validate.one_of("loss", self.loss, LOSSES)
        n = len(data.train)
        batch_size, steps = sampling.resolve_steps(n, self.batch_size, self.steps, self.epochs)
        schedules, peaks, lr = _resolved_rates(self.lrs, self.schedule, steps)
        clean = {
            "data": data,
            "seeds": _checked_seeds(self.seeds),
            "sizes": [data.train.x[0].size, *_checked_hidden(self.hidden), data.classes],
            "l2": validate.nonnegative("l2", self.l2),
            "evaluate_on": _checked_parts(self.evaluate_on, data),
            "optimizer": _checked_optimizer(self.optimizer),
            "batch_size": batch_size,
            "steps": steps,
            "evaluate_at": sampling.evaluation_steps(steps, self.evaluate_every, "evaluate_every"),
            "schedules": schedules,
            "peaks": peaks,
            "lr": lr,
        }
        for name, value in clean.items():
            object.__setattr__(self, name, value)

    def groups(self) -> Iterator[slice]:
        """The rates that are trained side by side, from all seeds."""
        activations = 2 * self.batch_size * sum(self.sizes[1:])  # forward and backward
        pairs = zip(self.sizes, self.sizes[1:])
        weights = 4 * sum((n_in + 1) * n_out for n_in, n_out in pairs)
        networks = min(_GROUP, _GROUP_FLOATS // (activations + weights))
        rates = max(1, networks // len(self.seeds))
        return (slice(first, first + rates) for first in range(0, len(self.lr), rates))

    def empty_record(self) -> dict[str, np.ndarray]:
        """The arrays of a `Sweep` that the training fills, NaN until then."""
        shape = (len(self.lr), len(self.seeds))
        record = {
            "loss": np.full((*shape, self.steps), np.nan, np.float32),
            "grad_norm": np.full((*shape, self.steps), np.nan, np.float32),
            "final_loss": np.full(shape, np.nan),
        }
        for part in self.evaluate_on:
            for what in ("loss", "accuracy"):
                record[f"{part}_{what}"] = np.full((*shape, len(self.evaluate_at)), np.nan)
        return record

    @property
    def meta(self) -> dict[str, Any]:
        """What is run, in plain JSON types."""
        return {
            "data": self.data.name,
            "sizes": self.sizes,
            "activation": self.activation,
            "loss": self.loss,
            "optimizer": self.optimizer.name,
            "optimizer_parameters": dict(self.optimizer.parameters),
            "batch_size": self.batch_size,
            "steps": self.steps,
            "l2": self.l2,
        }


def _resolved_rates(
    lrs: Iterable[float | Schedule], schedule: Callable[[float], Schedule], steps: int
) -> tuple[tuple[Schedule, ...], np.ndarray, np.ndarray]:
    """The R schedules, the rate asked for or the peak of each (R,), and the rates used (R, T)."""
    if not callable(schedule) or isinstance(schedule, Schedule):
        raise TypeError(
            "schedule must be a function from a rate to a Schedule, such as constant or "
            f"lambda lr: cosine(lr, 930), got {schedule!r}"
        )
    schedules, peaks, used = [], [], []
    for i, rate in enumerate(_as_list("lrs", lrs, "learning rates")):
        given = isinstance(rate, Schedule)
        peak = None if given else validate.positive(f"lrs[{i}]", rate)
        schedules.append(rate if given else as_schedule(schedule(peak)))
        row = np.broadcast_to(schedules[-1](np.arange(steps)), steps)
        with np.errstate(over="ignore"):
            used.append(row.astype(np.float32))  # the precision of the networks
        if not np.isfinite(used[-1]).all():
            raise ValueError(f"lrs[{i}] must give rates that a float32 can hold, got {rate!r}")
        peaks.append(row.max(initial=0) if given else peak)
    return tuple(schedules), np.array(peaks, dtype=np.float64), np.stack(used)


def _checked_seeds(seeds: Iterable[int]) -> list[int]:
    seeds = _as_list("seeds", seeds, "integers")
    seeds = [validate.integer(f"seeds[{i}]", seed, minimum=0) for i, seed in enumerate(seeds)]
    if len(set(seeds)) < len(seeds) or max(seeds) >= 2**63:
        raise ValueError(f"seeds must be different integers below 2**63, got {seeds}")
    return seeds


def _checked_hidden(hidden: Sequence[int]) -> list[int]:
    units = _as_list("hidden", hidden, "integers", empty=True)
    return [validate.integer(f"hidden[{i}]", n, minimum=1) for i, n in enumerate(units)]


def _checked_parts(evaluate_on: Sequence[str], data: Data) -> list[str]:
    parts = _as_list("evaluate_on", evaluate_on, "names of parts", empty=True)
    return [validate.one_of("evaluate_on", part, data.splits) for part in parts]


def _checked_optimizer(optimizer: Any) -> Any:
    if optimizer is None:
        return GradientDescent()
    if isinstance(optimizer, type) or not all(
        hasattr(optimizer, name) for name in ("step", "reset", "name", "parameters")
    ):
        raise TypeError(
            "optimizer must be an object from course_utils.optimizers, such as Adam(), "
            f"got {optimizer!r}"
        )
    return optimizer


def _as_list(name: str, values: Any, what: str, *, empty: bool = False) -> list[Any]:
    try:
        values = validate.sequence(name, list(values) if isinstance(values, Mapping) else values)
    except TypeError:
        raise TypeError(f"{name} must be a list of {what}, got {values!r}") from None
    if not values and not empty:
        raise ValueError(f"{name} must not be empty")
    return values
