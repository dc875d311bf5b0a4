"""Many networks at once: train every (learning rate, seed) pair together, in NumPy.

A small network spends its time in Python, not in arithmetic. So the weights of all R x S networks
(R rates, S seeds) live in *one* array with a row per network, and every NumPy call serves all of
them. The update rules are those of `course_utils.optimizers`, unchanged: they broadcast.

How the numbers lie in memory (float32):

* `params` has shape (R*S, P): row r*S + s is the network with rate r and seed s.
* A layer is a *view* of shape (R, S, inputs + 1, outputs) into it: the weight matrix, and the bias
  as its last row. Layer inputs carry a last column of ones, so one matrix product adds the bias,
  and one matrix product gives the gradients of weights and bias.
* A batch has shape (S, B, inputs + 1): networks that differ only in their rate share it.
"""

from __future__ import annotations

import copy
import json
import operator
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from course_utils import __version__, sampling, validate
from course_utils.experiments.datasets import Data, Split, digits
from course_utils.optimizers import GradientDescent
from course_utils.run import DIVERGENCE_RATIO, Run
from course_utils.schedules import Schedule, as_schedule, constant

LOSSES = ("cross_entropy", "mse")
ACTIVATIONS = ("relu", "tanh")
PARTS = ("train", "validation", "test")

# Networks trained side by side. More share the cost of a Python call; fewer stay in the CPU's
# cache, and a group whose networks have all diverged ends early.
_GROUP = 64
_GROUP_FLOATS = 2**24  # 64 MB: wide networks on large batches train in smaller groups
_CHECK_EVERY = 50  # updates
_EVALUATION_ROWS = 200  # examples per evaluation pass, again for the cache


@dataclass(frozen=True)
class Best:
    """The rate with the best mean over seeds; usable as an index (`sweep.run(best, 0)`).

    `edge` is "low" or "high" where the best rate is the smallest or largest one tried: then the
    grid ends too early and the answer is only "at most this" or "at least this".
    """

    index: int
    lr: float
    value: float
    standard_error: float
    edge: str | None

    def __index__(self) -> int:
        return self.index

    def __str__(self) -> str:
        text = f"{self.value:.4g} ± {self.standard_error:.2g} at learning rate {self.lr:.3g}"
        return text + (f" (on the {self.edge} edge of the grid: extend it)" if self.edge else "")


@dataclass(frozen=True)
class Basin:
    """The rates around the best that are nearly as good; unpacks into (low, high, decades).

    `edge` is "low", "high" or "both" where the basin reaches the end of the grid, so that its
    width is a lower bound.
    """

    low: float
    high: float
    edge: str | None

    @property
    def decades(self) -> float:
        """The width on the logarithmic axis, log10(high / low)."""
        return float(np.log10(self.high / self.low))

    def __iter__(self) -> Iterator[float]:
        return iter((self.low, self.high, self.decades))


@dataclass(frozen=True, eq=False)
class Sweep:
    """The record of R learning rates times S seeds, T updates each.

    Args:
        schedules: R schedules; where the sweep was read from a file, what they print.
        lrs: shape (R,), the rate each was asked for, or the peak of a schedule that was given.
        seeds: shape (S,).
        lr: shape (R, T), the rate used at each update.
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

    schedules: tuple[Schedule | str, ...]
    lrs: np.ndarray
    seeds: np.ndarray
    lr: np.ndarray
    loss: np.ndarray
    grad_norm: np.ndarray
    final_loss: np.ndarray
    metrics: dict[str, np.ndarray]
    diverged: np.ndarray
    meta: dict[str, Any] = field(default_factory=dict)

    def final(self, name: str) -> np.ndarray:
        """Return metric `name` after the last update, shape (R, S)."""
        measured = [key for key in self.metrics if key != "step"]
        return self.metrics[validate.one_of("name", name, measured)][..., -1]

    def run(self, i: int, j: int = 0) -> Run:
        """Return the run with rate i and seed j as a `Run`."""
        i, j = _position("i", i, len(self.lrs)), _position("j", j, len(self.seeds))
        if self.loss.shape[-1] != self.meta["steps"]:
            raise ValueError("this sweep was recorded without its curves: no single run to show")
        metrics = {k: v if k == "step" else v[i, j] for k, v in self.metrics.items()}
        schedule = self.schedules[i]
        meta = self.meta | {
            "schedule": schedule if isinstance(schedule, str) else repr(schedule),
            "peak_lr": float(self.lrs[i]),
            "seed": int(self.seeds[j]),
        }
        return Run(
            lr=self.lr[i],
            loss=self.loss[i, j],
            grad_norm=self.grad_norm[i, j],
            final_loss=self.final_loss[i, j],
            metrics=metrics,
            meta=meta,
        )

    def __iter__(self) -> Iterator[Run]:
        for i in range(len(self.lrs)):
            for j in range(len(self.seeds)):
                yield self.run(i, j)

    def best(self, name: str = "validation_loss") -> Best:
        """Return the rate whose mean over seeds of final `name` is best, and whether to trust it.

        Losses are minimized, accuracies maximized; a rate at which a seed gave NaN never wins.
        """
        scores = self._scores(name)
        index = int(np.argmin(scores))
        if not np.isfinite(scores[index]):
            raise ValueError(f"no learning rate of this sweep has a finite {name}")
        values = self.final(name)[index]
        error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
        return Best(
            index=index,
            lr=float(self.lrs[index]),
            value=float(values.mean()),
            standard_error=float(error),
            edge=self._edge(self.lrs[index], self.lrs[index]),
        )

    def basin(self, name: str = "validation_loss", tolerance: float = 0.02) -> Basin:
        """Return the unbroken range of rates around the best within `tolerance` of its mean.

        `tolerance` is in the units of the metric: 0.02 means two points of accuracy, or 0.02 of
        loss. The width depends on it and on the grid, so state both.
        """
        tolerance = validate.nonnegative("tolerance", tolerance)
        order = np.argsort(self.lrs, kind="stable")
        scores = self._scores(name)[order]
        good = scores <= scores.min() + tolerance
        low = high = int(np.argmin(scores))
        if not np.isfinite(scores[low]):
            raise ValueError(f"no learning rate of this sweep has a finite {name}")
        while low > 0 and good[low - 1]:
            low -= 1
        while high < len(good) - 1 and good[high + 1]:
            high += 1
        rates = self.lrs[order]
        return Basin(float(rates[low]), float(rates[high]), self._edge(rates[low], rates[high]))

    def to_json(self, *, command: str = "", curves: bool = True) -> str:
        """Return the sweep as strict JSON with its provenance, to be kept as a measured result.

        Args:
            command: the line that makes this file again.
            curves: False leaves out `lr`, `loss` and `grad_norm` (by far the largest part).
        """
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        if not curves:
            arrays |= {name: arrays[name][..., :0] for name in ("lr", "loss", "grad_norm")}
        names = [s if isinstance(s, str) else repr(s) for s in self.schedules]
        content = {
            "schedules": names,
            **{name: _to_lists(values) for name, values in arrays.items()},
            "metrics": {name: _to_lists(values) for name, values in self.metrics.items()},
            "meta": self.meta | {"provenance": _provenance(command)},
        }
        return json.dumps(content, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Sweep:
        """Rebuild a sweep from `to_json`; its schedules are then the text that they print."""
        content = json.loads(text)
        expected = set(cls.__dataclass_fields__)
        if not isinstance(content, dict) or set(content) != expected:
            found = sorted(content) if isinstance(content, dict) else type(content).__name__
            raise ValueError(f"text must hold the fields {sorted(expected)}, got {found}")
        arrays = {name: _from_lists(content[name]) for name in _ARRAYS}
        metrics = {name: _from_lists(values) for name, values in content["metrics"].items()}
        return cls(
            schedules=tuple(content["schedules"]),
            **arrays,
            metrics=metrics,
            meta=content["meta"],
        )

    def _scores(self, name: str) -> np.ndarray:
        """Mean of the final metric per rate, turned so that smaller is better, NaN worst."""
        with np.errstate(invalid="ignore", over="ignore"):
            mean = self.final(name).mean(axis=1)
        scores = -mean if name.endswith("accuracy") else mean
        return np.nan_to_num(scores, nan=np.inf, posinf=np.inf)

    def _edge(self, low: float, high: float) -> str | None:
        first, last = low == self.lrs.min(), high == self.lrs.max()
        if self.lrs.min() == self.lrs.max() or not (first or last):
            return None
        return "both" if first and last else "low" if first else "high"


_ARRAYS = ("lrs", "seeds", "lr", "loss", "grad_norm", "final_loss", "diverged")


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
        A `Sweep`. A network that diverges is marked, its record continues with NaN.

    Raises:
        ValueError: for a rate that is not finite and positive, an unknown name, a batch larger than
            the training set, neither or both of steps and epochs, an empty list.
        TypeError: for an argument of the wrong type.

    Example:
        >>> result = sweep([0.001, 0.1, 1000.0], seeds=[0, 1], steps=100)
        >>> result.loss.shape, result.diverged[:, 0].tolist()
        ((3, 2, 100), [False, False, True])
    """
    if data is None:
        data = digits()
    elif not isinstance(data, Data):
        raise TypeError(
            f"data must be a Data (see course_utils.experiments.datasets), got {data!r}"
        )
    rates, schedules = _check_rates(lrs, schedule)
    seeds = _check_seeds(seeds)
    sizes = (data.train.x[0].size, *_check_hidden(hidden), data.classes)
    validate.one_of("activation", activation, ACTIVATIONS)
    validate.one_of("loss", loss, LOSSES)
    l2 = validate.nonnegative("l2", l2)
    parts = _check_parts(evaluate_on, data)
    optimizer = _check_optimizer(optimizer)
    batch_size, steps = sampling.resolve_steps(len(data.train), batch_size, steps, epochs)
    evaluate_at = sampling.evaluation_steps(steps, evaluate_every, "evaluate_every")

    lr = np.stack([np.broadcast_to(s(np.arange(steps)), steps) for s in schedules])
    peaks = np.array([p if p is not None else row.max(initial=0) for p, row in zip(rates, lr)])
    shape = (len(lr), len(seeds))
    record = _Record(
        loss=np.full((*shape, steps), np.nan, dtype=np.float32),
        grad_norm=np.full((*shape, steps), np.nan, dtype=np.float32),
        final_loss=np.full(shape, np.nan),
        metrics={
            f"{part}_{what}": np.full((*shape, len(evaluate_at)), np.nan)
            for part in parts
            for what in ("loss", "accuracy")
        },
    )
    problem = _Problem(data, batch_size)
    per_group = max(1, _group_size(sizes, batch_size) // len(seeds))
    with _progress_bar(progress, total=len(lr) * steps) as bar:
        for first in range(0, len(lr), per_group):
            rows = slice(first, first + per_group)
            group = record.rows(rows)
            networks = _Networks(len(group.loss), seeds, sizes, activation, loss, l2)
            rule = copy.deepcopy(optimizer)
            rule.reset()
            with np.errstate(all="ignore"):  # divergence is a result, not a warning
                _train(networks, problem, rule, lr[rows], evaluate_at, group, bar)

    meta = {
        "data": data.name,
        "sizes": list(sizes),
        "activation": activation,
        "loss": loss,
        "optimizer": optimizer.name,
        "optimizer_parameters": dict(optimizer.parameters),
        "batch_size": batch_size,
        "steps": steps,
        "l2": l2,
    }
    return Sweep(
        schedules=tuple(schedules),
        lrs=peaks,
        seeds=np.array(seeds),
        lr=lr,
        loss=record.loss,
        grad_norm=record.grad_norm,
        final_loss=record.final_loss,
        metrics={"step": np.array(evaluate_at)} | record.metrics,
        diverged=_diverged(record),
        meta=meta,
    )


def _group_size(sizes: Sequence[int], batch_size: int) -> int:
    """How many networks to train side by side."""
    activations = 2 * batch_size * sum(sizes[1:])  # forward and backward
    weights = 4 * sum((n_in + 1) * n_out for n_in, n_out in zip(sizes, sizes[1:]))
    return max(1, min(_GROUP, _GROUP_FLOATS // (activations + weights)))


@dataclass(frozen=True)
class _Record:
    """The arrays that training fills in: loss and grad_norm (R, S, T), metrics (R, S, E)."""

    loss: np.ndarray
    grad_norm: np.ndarray
    final_loss: np.ndarray
    metrics: dict[str, np.ndarray]

    def rows(self, rows: slice) -> _Record:
        """The part of some rates: views, so that filling them in fills in the whole."""
        metrics = {name: values[rows] for name, values in self.metrics.items()}
        return _Record(self.loss[rows], self.grad_norm[rows], self.final_loss[rows], metrics)


class _Problem:
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
            order = np.stack(order, axis=1)  # (updates, S, B)
            for rows in order:  # batch by batch: what was just gathered is still in the cache
                yield self.inputs.take(rows, axis=0), self.targets.take(rows, axis=0)
            epoch += 1


class _Networks:
    """R x S multilayer perceptrons with equal layers: forward pass, loss and gradient by hand."""

    def __init__(
        self,
        rates: int,
        seeds: Sequence[int],
        sizes: Sequence[int],
        activation: str,
        loss: str,
        l2: float,
    ) -> None:
        self.shape = (rates, len(seeds))
        self.seeds = seeds
        self.sizes = sizes
        self.activation = activation
        self.loss = loss
        ends = np.cumsum([(n_in + 1) * n_out for n_in, n_out in zip(sizes, sizes[1:])])
        self.columns = [slice(end - size, end) for end, size in zip(ends, np.diff(ends, prepend=0))]
        self.gradient = np.zeros((rates * len(seeds), ends[-1]), dtype=np.float32)
        self.layer_gradients = self.layers(self.gradient)
        self.decay = self._decay(2 * l2) if l2 else None
        self.spaces: dict[int, _Workspace] = {}

    def initial(self) -> np.ndarray:
        """The initial weights (R*S, P): seed j's, the same for every rate."""
        rows = []
        for seed in self.seeds:
            layers = sampling.initial_parameters(self.sizes, seed)
            rows.append(np.concatenate([np.vstack([w, b]).ravel() for w, b in layers]))
        return np.tile(np.array(rows, dtype=np.float32), (self.shape[0], 1))

    def layers(self, params: np.ndarray) -> list[np.ndarray]:
        """Views of the flat parameters, one (R, S, inputs + 1, outputs) per layer."""
        pairs = zip(self.sizes, self.sizes[1:])
        return [
            params[:, columns].reshape(*self.shape, n_in + 1, n_out)
            for columns, (n_in, n_out) in zip(self.columns, pairs)
        ]

    def outputs(
        self, layers: list[np.ndarray], x: np.ndarray
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Forward pass: the input of every layer (with its ones), and the outputs (R, S, B, C)."""
        space = self._workspace(x.shape[-2])
        inputs = [x, *space.hidden]
        for layer, before, after in zip(layers, inputs, inputs[1:]):
            np.matmul(before, layer, out=after[..., :-1])
            if self.activation == "relu":
                np.maximum(after, 0, out=after)  # the column of ones stays 1
            else:
                np.tanh(after[..., :-1], out=after[..., :-1])
        np.matmul(inputs[-1], layers[-1], out=space.outputs)
        return inputs, space.outputs

    def loss_and_gradient(
        self, params: np.ndarray, x: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The mean loss of the batch (R, S) and its gradient (R*S, P), overwritten by the next."""
        layers = self.layers(params)
        inputs, z = self.outputs(layers, x)
        loss, delta = (_cross_entropy if self.loss == "cross_entropy" else _mse)(z, target)
        backward = self._workspace(x.shape[-2]).backward
        for i in reversed(range(len(layers))):
            np.matmul(inputs[i].swapaxes(-1, -2), delta, out=self.layer_gradients[i])
            if i > 0:  # the chain rule, through the weights and then through the activation
                back = np.matmul(delta, layers[i].swapaxes(-1, -2), out=backward[i - 1])
                if self.activation == "relu":
                    back *= inputs[i] > 0
                else:
                    back *= 1 - inputs[i] ** 2
                delta = back[..., :-1]  # the ones are no unit: nothing flows into them
        if self.decay is not None:
            self.gradient += self.decay * params
        return loss, self.gradient

    def evaluate(
        self, params: np.ndarray, x: np.ndarray, labels: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean loss and accuracy (R, S) over all examples, a few rows at a time."""
        layers = self.layers(params)
        total, correct = np.zeros(self.shape), np.zeros(self.shape)
        for first in range(0, len(x), _EVALUATION_ROWS):
            rows = slice(first, first + _EVALUATION_ROWS)
            _, z = self.outputs(layers, x[rows])
            correct += (z.argmax(axis=-1) == labels[rows]).sum(axis=-1)
            target = np.eye(self.sizes[-1], dtype=np.float32)[labels[rows]]
            loss, _ = (_cross_entropy if self.loss == "cross_entropy" else _mse)(z, target)
            total += loss * len(target)
        return total / len(x), correct / len(x)

    def _decay(self, factor: float) -> np.ndarray:
        """`factor` where a parameter is a weight and 0 where it is a bias, shape (P,)."""
        rows = [
            np.repeat([factor, 0.0], [n_in * n_out, n_out])
            for n_in, n_out in zip(self.sizes, self.sizes[1:])
        ]
        return np.concatenate(rows).astype(np.float32)

    def _workspace(self, batch: int) -> _Workspace:
        if batch not in self.spaces:
            self.spaces[batch] = _Workspace(self.shape, batch, self.sizes)
        return self.spaces[batch]


class _Workspace:
    """Arrays for one batch size, allocated once and overwritten at every update."""

    def __init__(self, shape: tuple[int, int], batch: int, sizes: Sequence[int]) -> None:
        with_ones = [(*shape, batch, units + 1) for units in sizes[1:-1]]
        self.hidden = [np.ones(size, dtype=np.float32) for size in with_ones]
        self.backward = [np.empty(size, dtype=np.float32) for size in with_ones]
        self.outputs = np.empty((*shape, batch, sizes[-1]), dtype=np.float32)


def _cross_entropy(z: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of -log softmax(z)[label] and its derivative by z, which overwrites z."""
    z -= _largest(z)  # so that exp cannot overflow
    label_score = np.einsum("...bc,...bc->...", z, target)
    np.exp(z, out=z)
    total = z.sum(axis=-1, keepdims=True)
    batch = target.shape[-2]
    loss = (np.log(total).sum(axis=(-1, -2)) - label_score) / batch
    z /= total
    z -= target
    z /= batch
    return loss, z


def _largest(z: np.ndarray) -> np.ndarray:
    """`z.max(axis=-1, keepdims=True)`, several times faster where the last axis has few entries.

    NumPy compares the ten entries of each row one by one, but whole columns many at a time.
    """
    columns = z.reshape(-1, z.shape[-1]).T.copy()
    return columns.max(axis=0).reshape(*z.shape[:-1], 1)


def _mse(z: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the batch of half the squared distance, and its derivative by z (in place)."""
    z -= target
    batch = target.shape[-2]
    loss = np.einsum("...bc,...bc->...", z, z) / (2 * batch)
    z /= batch
    return loss, z


def _train(
    networks: _Networks,
    problem: _Problem,
    optimizer: Any,
    lr: np.ndarray,
    evaluate_at: Sequence[int],
    record: _Record,
    bar: Any,
) -> None:
    """Train one group of networks and fill in its part of the record."""
    shape, steps = networks.shape, lr.shape[1]
    rates = np.repeat(lr, shape[1], axis=0).astype(np.float32)  # (R*S, T)
    columns = {step: column for column, step in enumerate(evaluate_at)}
    batches = problem.batches(networks.seeds)
    params = networks.initial()
    for t in range(steps):
        if t in columns:
            _evaluate(networks, problem, params, record, columns[t])
        loss, gradient = networks.loss_and_gradient(params, *next(batches))
        record.loss[..., t] = loss
        record.grad_norm[..., t] = np.sqrt(np.vecdot(gradient, gradient)).reshape(shape)
        params = optimizer.step(params, gradient, rates[:, t : t + 1])
        bar.update(len(lr))
        if t % _CHECK_EVERY == 0:
            _forget_traces(optimizer)
            if np.isnan(loss).all():  # no update can change that: the rest of the record stays NaN
                bar.update(len(lr) * (steps - t - 1))
                break
    _evaluate(networks, problem, params, record, columns[steps])
    if "train_loss" in record.metrics:
        record.final_loss[:] = record.metrics["train_loss"][..., -1]
    else:
        record.final_loss[:], _ = networks.evaluate(params, *problem.parts["train"])


def _forget_traces(optimizer: Any) -> None:
    """Set to zero what an optimizer remembers of gradients that vanished long ago.

    The momentum of a dead unit shrinks by 0.9 per update until it is a subnormal number (below
    1.2e-38), where it stays, and where a CPU computes many times slower: after 800 updates Adam
    would take three times as long. Against the eps of any rule, 1e-35 is nothing.
    """
    for name in getattr(optimizer, "memory", ()):
        state = getattr(optimizer, name)
        state[np.abs(state) < 1e-35] = 0.0


def _evaluate(
    networks: _Networks, problem: _Problem, params: np.ndarray, record: _Record, column: int
) -> None:
    """Measure the networks on the parts that the record asks for."""
    for part in PARTS:
        if f"{part}_loss" in record.metrics:
            loss, accuracy = networks.evaluate(params, *problem.parts[part])
            record.metrics[f"{part}_loss"][..., column] = loss
            record.metrics[f"{part}_accuracy"][..., column] = accuracy


def _with_ones(split: Split) -> np.ndarray:
    """What a network sees, flattened to (N, D), with a last column of ones for the bias."""
    flat = split.inputs().reshape(len(split), -1)
    return np.concatenate([flat, np.ones((len(flat), 1), dtype=np.float32)], axis=1)


def _diverged(record: _Record) -> np.ndarray:
    """The rule of `Run.diverged`, for all networks at once."""
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(record.loss).all(axis=-1) & np.isfinite(record.final_loss)
        return ~finite | (record.final_loss > DIVERGENCE_RATIO * record.loss[..., 0])


def _check_rates(
    lrs: Iterable[float | Schedule], schedule: Callable[[float], Schedule]
) -> tuple[list[float | None], list[Schedule]]:
    """Per rate: the number asked for (None where a schedule was given), and its schedule."""
    if not callable(schedule) or isinstance(schedule, Schedule):
        raise TypeError(
            "schedule must be a function from a rate to a Schedule, such as constant or "
            f"lambda lr: cosine(lr, 930), got {schedule!r}"
        )
    lrs = _as_list("lrs", lrs, "learning rates")
    rates: list[float | None] = []
    schedules: list[Schedule] = []
    for i, rate in enumerate(lrs):
        if isinstance(rate, Schedule):
            rates.append(None)
            schedules.append(rate)
        else:
            rates.append(validate.positive(f"lrs[{i}]", rate))
            schedules.append(as_schedule(schedule(rates[-1])))
    return rates, schedules


def _check_seeds(seeds: Iterable[int]) -> list[int]:
    seeds = _as_list("seeds", seeds, "integers")
    return [validate.integer(f"seeds[{i}]", seed, minimum=0) for i, seed in enumerate(seeds)]


def _check_hidden(hidden: Sequence[int]) -> list[int]:
    hidden = _as_list("hidden", hidden, "integers", empty=True)
    return [validate.integer(f"hidden[{i}]", units, minimum=1) for i, units in enumerate(hidden)]


def _check_parts(parts: Sequence[str], data: Data) -> list[str]:
    parts = _as_list("evaluate_on", parts, "names of parts", empty=True)
    return [validate.one_of("evaluate_on", part, data.splits) for part in parts]


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
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a list of {what}, got {values!r}")
    values = list(values)
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


def _progress_bar(progress: bool, total: int) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, disable=not progress, unit="updates")


def _provenance(command: str) -> dict[str, str]:
    return {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "course_utils": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
    }


def _to_lists(values: np.ndarray) -> Any:
    """The shape and a flat list, NaN and infinities as strings (strict JSON has none)."""
    flat = values.ravel()
    if values.dtype.kind != "f":
        return {"shape": list(values.shape), "values": flat.tolist()}
    # astype(str) gives the shortest text that is read back as the same float32 or float64
    numbers = [float(text) if text[-1] not in "nf" else text for text in flat.astype(str).tolist()]
    return {"shape": list(values.shape), "values": numbers}


def _from_lists(content: dict[str, Any]) -> np.ndarray:
    """The inverse of `_to_lists`."""
    values = content["values"]
    if not values or any(isinstance(v, (float, str)) for v in values):
        values = np.array(values, dtype=object).astype(float)
    return np.array(values).reshape(content["shape"])
