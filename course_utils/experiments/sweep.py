"""Many networks at once: train every (learning rate, seed) pair together, in NumPy.

The loop is the textbook's (`_train`): a batch, its loss and gradient, an update. Only the arrays
have a row per network (`course_utils.experiments.networks`), and the update rules are those of
`course_utils.optimizers`, unchanged: they broadcast.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from course_utils import sampling, validate
from course_utils.experiments.datasets import Data, Split, digits
from course_utils.experiments.networks import ACTIVATIONS, LOSSES, Networks
from course_utils.experiments.progress_bar import progress_bar
from course_utils.experiments.table import Basin, Best, Table
from course_utils.optimizers import GradientDescent
from course_utils.run import DIVERGENCE_RATIO, Run
from course_utils.schedules import Schedule, as_schedule, constant

PARTS = ("train", "validation", "test")

# Networks trained side by side. More share the cost of a Python call; fewer stay in the CPU's
# cache, and a group whose networks have all diverged ends early.
_GROUP = 64
_GROUP_FLOATS = 2**24  # 64 MB: wide networks on large batches train in smaller groups
_CHECK_EVERY = 50  # updates, between looks for NaN losses and for traces to forget


@dataclass(frozen=True, eq=False)
class Sweep:
    """The record of R learning rates times S seeds, T updates each.

    `table` is what it came to: the last value of every metric.

    Args:
        schedules: R schedules.
        lrs: shape (R,), each number as it was given, or the peak of a schedule that was given.
        seeds: shape (S,).
        lr: shape (R, T), the rate used at each update, which is a float32.
        loss: shape (R, S, T), mean loss of the mini-batch before each update (no L2 term).
        grad_norm: shape (R, S, T), norm of the gradient of that loss plus the L2 term.
        final_loss: shape (R, S), mean loss over the training set after the last update.
        metrics: "step" (E,) and measured arrays (R, S, E) such as "validation_accuracy".
        diverged: shape (R, S), True where a loss was not finite or ended above 10 times the first.
        meta: what was run, in plain JSON types.

    Example:
        >>> result = sweep([0.01, 0.1], seeds=[0], steps=50)
        >>> result.final("validation_accuracy").shape, len(list(result))
        ((2, 1), 2)
        >>> result.best("validation_loss").edge
        'high'
    """

    schedules: tuple[Schedule, ...]
    lrs: np.ndarray
    seeds: np.ndarray
    lr: np.ndarray
    loss: np.ndarray
    grad_norm: np.ndarray
    final_loss: np.ndarray
    metrics: dict[str, np.ndarray]
    diverged: np.ndarray
    meta: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def table(self) -> Table:
        """The last value of every metric, to be compared with other methods and to be kept."""
        last = {name: v[..., -1] for name, v in self.metrics.items() if name != "step"}
        return Table(self.lrs, self.seeds, last, self.diverged, self.meta)

    def final(self, metric: str) -> np.ndarray:
        """Return a metric after the last update, shape (R, S)."""
        return self.table.final(metric)

    def best(self, metric: str = "validation_loss") -> Best:
        """Return the rate whose mean over seeds is best; see `Table.best`."""
        return self.table.best(metric)

    def basin(self, metric: str = "validation_loss", tolerance: float = 0.02) -> Basin:
        """Return the rates around the best that are nearly as good; see `Table.basin`."""
        return self.table.basin(metric, tolerance)

    def run(self, i: int, j: int = 0) -> Run:
        """Return the run with rate i and seed j as a `Run`."""
        i, j = _position("i", i, len(self.lrs)), _position("j", j, len(self.seeds))
        return Run(
            lr=self.lr[i],
            loss=self.loss[i, j],
            grad_norm=self.grad_norm[i, j],
            final_loss=self.final_loss[i, j],
            metrics={k: v if k == "step" else v[i, j] for k, v in self.metrics.items()},
            meta=self.meta
            | {
                "schedule": repr(self.schedules[i]),
                "peak_lr": float(self.lrs[i]),
                "seed": int(self.seeds[j]),
            },
        )

    def __iter__(self) -> Iterator[Run]:
        for i in range(len(self.lrs)):
            for j in range(len(self.seeds)):
                yield self.run(i, j)


def sweep(
    lrs: Iterable[float | Schedule],
    seeds: Iterable[int] = range(5),
    *,
    data: Data | None = None,
    hidden: Sequence[int] = (64,),
    activation: str = "relu",
    loss: str = "cross_entropy",
    optimizer: Any = None,
    schedule: Callable[[float], Schedule] = constant,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = 16,
    l2: float = 0.0,
    evaluate_every: int | None = None,
    evaluate_on: Sequence[str] = ("train", "validation"),
    progress: bool = False,
) -> Sweep:
    r"""Train a multilayer perceptron at every learning rate and from every seed, all together.

    .. math:: w_{t+1} = w_t - \eta_t\, d_t(\nabla \ell_t + 2\lambda W), \quad
        \ell = -\log p_y \;\text{ or }\; \tfrac12 \lVert z - \mathrm{onehot}(y) \rVert^2

    Seed j decides the initial weights and the batches of network (i, j), for every rate i: compare
    rates at the same seed. Agrees with a loop of `torch.nn` and `torch.optim` to 1e-5 (relative)
    where training is stable; a run at the edge of divergence is chaotic and agrees with nothing.

    Args:
        lrs: R rates > 0, or schedules, or both.
        seeds: S integers >= 0.
        data: the problem; None means `digits()`. Inputs are flattened, pixels normalized.
        hidden: units of each hidden layer; () is linear regression or softmax regression.
        activation: "relu" or "tanh", after every hidden layer.
        loss: "cross_entropy" (outputs are logits) or "mse" (linear outputs, one-hot targets, half
            the squared distance, mean over examples).
        optimizer: an object from `course_utils.optimizers`; None means plain gradient descent.
        schedule: turns each float of `lrs` into a schedule, e.g. `lambda lr: cosine(lr, 930)`.
        steps: number of updates. Give either steps or epochs.
        epochs: passes over the training set, of floor(n / batch_size) updates each.
        batch_size: examples per update; None uses the whole training set each time.
        l2: adds l2 * sum(W^2) over weight matrices, not biases (the `l2` of Keras).
        evaluate_every: measure after 0, k, 2k, ... updates and after the last; None: at the end.
        evaluate_on: which of "train", "validation", "test" to measure on; `data` must have them.
        progress: show a progress bar.

    Returns:
        A `Sweep`, with `diverged` True where a network did. Once a loss is NaN it stays so; the
        accuracy is then NaN or that of a constant answer: ask `diverged` first.

    Example:
        >>> result = sweep([0.001, 0.1, 1000.0], seeds=[0, 1], steps=100)
        >>> result.loss.shape, result.diverged[:, 0].tolist()
        ((3, 2, 100), [False, False, True])
    """
    data = digits() if data is None else data
    if not isinstance(data, Data):
        raise TypeError(f"data must be a Data (course_utils.experiments.datasets), got {data!r}")
    validate.boolean("progress", progress)
    seeds = _check_seeds(seeds)
    hidden = _as_list("hidden", hidden, "integers", empty=True)
    hidden = [validate.integer(f"hidden[{i}]", n, minimum=1) for i, n in enumerate(hidden)]
    sizes = [data.train.x[0].size, *hidden, data.classes]
    validate.one_of("activation", activation, ACTIVATIONS)
    validate.one_of("loss", loss, LOSSES)
    l2 = validate.nonnegative("l2", l2)
    parts = _as_list("evaluate_on", evaluate_on, "names of parts", empty=True)
    parts = [validate.one_of("evaluate_on", part, data.splits) for part in parts]
    optimizer = _check_optimizer(optimizer)
    batch_size, steps = sampling.resolve_steps(len(data.train), batch_size, steps, epochs)
    evaluate_at = sampling.evaluation_steps(steps, evaluate_every, "evaluate_every")
    schedules, peaks, lr = _resolve_rates(lrs, schedule, steps)

    shape = (len(lr), len(seeds))
    record = {name: np.full((*shape, steps), np.nan, np.float32) for name in ("loss", "grad_norm")}
    record["final_loss"] = np.full(shape, np.nan)
    for name in (f"{part}_{what}" for part in parts for what in ("loss", "accuracy")):
        record[name] = np.full((*shape, len(evaluate_at)), np.nan)
    prepared = _Prepared(data, batch_size)
    rates_per_group = max(1, _group_size(sizes, batch_size) // len(seeds))
    with progress_bar(progress, total=len(lr) * steps) as bar:
        for first in range(0, len(lr), rates_per_group):
            rows = slice(first, first + rates_per_group)
            networks = Networks(len(lr[rows]), seeds, sizes, activation, loss, l2)
            rule = copy.deepcopy(optimizer)
            rule.reset()
            group_record = {name: values[rows] for name, values in record.items()}  # views
            with np.errstate(all="ignore"):  # divergence is a result, not a warning
                _train(networks, prepared, rule, lr[rows], evaluate_at, group_record, bar)

    # What this leaves in the record are the metrics.
    whole = {name: record.pop(name) for name in ("loss", "grad_norm", "final_loss")}
    return Sweep(
        schedules=tuple(schedules),
        lrs=peaks,
        seeds=np.array(seeds, dtype=np.int64),
        lr=lr,
        **whole,
        metrics={"step": np.array(evaluate_at)} | record,
        diverged=_diverged(**whole),
        meta={
            "data": data.name,
            "sizes": sizes,
            "activation": activation,
            "loss": loss,
            "optimizer": optimizer.name,
            "optimizer_parameters": dict(optimizer.parameters),
            "batch_size": batch_size,
            "steps": steps,
            "l2": l2,
        },
    )


def _train(
    networks: Networks,
    prepared: _Prepared,
    optimizer: Any,
    lr: np.ndarray,
    evaluate_at: Sequence[int],
    record: dict[str, np.ndarray],
    bar: Any,
) -> None:
    """Train one group of networks at the rates lr (R, T), and fill in its part of the record."""
    shape, steps = networks.shape, lr.shape[1]
    rates = np.repeat(lr, shape[1], axis=0)  # (R*S, T)
    columns = {step: column for column, step in enumerate(evaluate_at)}
    batches = prepared.batches(networks.seeds)
    params = networks.initial()
    for t in range(steps):
        if t in columns:
            _evaluate(networks, prepared, params, record, columns[t])
        loss, gradient = networks.loss_and_gradient(params, *next(batches))
        record["loss"][..., t] = loss
        record["grad_norm"][..., t] = np.sqrt(np.vecdot(gradient, gradient)).reshape(shape)
        params = optimizer.step(params, gradient, rates[:, t : t + 1])
        bar.update(len(lr))
        if t % _CHECK_EVERY == 0:
            _forget_traces(optimizer)
            if np.isnan(loss).all():  # no update can change that: the rest of the record stays NaN
                bar.update(len(lr) * (steps - t - 1))
                break
    _evaluate(networks, prepared, params, record, columns[steps])
    if "train_loss" in record:
        record["final_loss"][:] = record["train_loss"][..., -1]
    else:
        record["final_loss"][:], _ = networks.evaluate(params, *prepared.parts["train"])


def _evaluate(
    networks: Networks,
    prepared: _Prepared,
    params: np.ndarray,
    record: dict[str, np.ndarray],
    column: int,
) -> None:
    """Measure the networks on the parts that the record asks for."""
    for part in PARTS:
        if f"{part}_loss" in record:
            loss, accuracy = networks.evaluate(params, *prepared.parts[part])
            record[f"{part}_loss"][..., column] = loss
            record[f"{part}_accuracy"][..., column] = accuracy


def _forget_traces(optimizer: Any) -> None:
    """Set to zero what an optimizer remembers of gradients that vanished long ago.

    The momentum of a dead unit shrinks by 0.9 per update until it is a subnormal number (below
    1.2e-38), where it stays, and where a CPU computes many times slower: after 800 updates Adam
    would take three times as long. Against the eps of any rule, 1e-35 is nothing.
    """
    for name in getattr(optimizer, "memory", ()):
        state = getattr(optimizer, name)
        state[np.abs(state) < 1e-35] = 0.0


def _group_size(sizes: Sequence[int], batch_size: int) -> int:
    """How many networks to train side by side."""
    activations = 2 * batch_size * sum(sizes[1:])  # forward and backward
    weights = 4 * sum((n_in + 1) * n_out for n_in, n_out in zip(sizes, sizes[1:]))
    return max(1, min(_GROUP, _GROUP_FLOATS // (activations + weights)))


def _diverged(loss: np.ndarray, grad_norm: np.ndarray, final_loss: np.ndarray) -> np.ndarray:
    """The rule of `Run.diverged`, for all networks at once."""
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(loss).all(axis=-1) & np.isfinite(final_loss)
        return ~finite | (final_loss > DIVERGENCE_RATIO * loss[..., 0])


class _Prepared:
    """The data as the networks want it: float32 inputs with a last column of ones."""

    def __init__(self, data: Data, batch_size: int) -> None:
        self.batch_size = batch_size
        self.parts = {name: (_with_ones(split), split.y) for name, split in data.splits.items()}
        self.inputs = self.parts["train"][0]
        self.targets = np.eye(data.classes, dtype=np.float32)[data.train.y]

    def batches(self, seeds: Sequence[int]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (inputs (S, B, D + 1), one-hot targets (S, B, C)), one per update, without end."""
        n = len(self.inputs)
        if self.batch_size == n:  # every network sees everything: one copy serves all seeds
            while True:
                yield self.inputs[None], self.targets[None]
        epoch = 0
        while True:
            order = [sampling.epoch_batches(n, self.batch_size, epoch, seed) for seed in seeds]
            # (updates, S, B); `take` refuses int64 where pointers have 32 bits, as in a browser
            order = np.stack(order, axis=1, dtype=np.intp)
            for rows in order:  # batch by batch: what was just gathered is still in the cache
                yield self.inputs.take(rows, axis=0), self.targets.take(rows, axis=0)
            epoch += 1


def _with_ones(split: Split) -> np.ndarray:
    """What a network sees, flattened to (N, D), with a last column of ones for the bias."""
    flat = split.inputs().reshape(len(split), -1)
    return np.concatenate([flat, np.ones((len(flat), 1), dtype=np.float32)], axis=1)


def _resolve_rates(
    lrs: Iterable[float | Schedule], schedule: Callable[[float], Schedule], steps: int
) -> tuple[list[Schedule], np.ndarray, np.ndarray]:
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
    return schedules, np.array(peaks, dtype=np.float64), np.stack(used)


def _check_seeds(seeds: Iterable[int]) -> list[int]:
    seeds = _as_list("seeds", seeds, "integers")
    seeds = [validate.integer(f"seeds[{i}]", seed, minimum=0) for i, seed in enumerate(seeds)]
    if len(set(seeds)) < len(seeds) or max(seeds) >= 2**63:
        raise ValueError(f"seeds must be different integers below 2**63, got {seeds}")
    return seeds


def _check_optimizer(optimizer: Any) -> Any:
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


def _position(name: str, index: Any, length: int) -> int:
    """`index` as a position in 0..length - 1; a negative one counts from the end."""
    try:
        position = operator.index(index)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {index!r}") from None
    if not -length <= position < length:
        raise ValueError(f"{name} must be in {-length}..{length - 1}, got {position}")
    return position % length
