"""Train one network with PyTorch and record every update: the loop that `sweep` is checked against.

The rate of each update is written into the optimizer from the schedule and recorded from the
optimizer, so the record shows what ran. A training can be interrupted, killed and resumed.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import sampling, validate
from course_utils.experiments.datasets import Data, Split
from course_utils.experiments.devices import (
    PRECISIONS,
    DeviceData,
    autocast,
    best_device,
    image_layout,
)
from course_utils.run import Run
from course_utils.schedules import Schedule, as_schedule

OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    # The rate given here never acts: every update sets its own.
    "sgd": lambda params: torch.optim.SGD(params, lr=0.0),
    "momentum": lambda params: torch.optim.SGD(params, lr=0.0, momentum=0.9),
    "nesterov": lambda params: torch.optim.SGD(params, lr=0.0, momentum=0.9, nesterov=True),
    "adagrad": lambda params: torch.optim.Adagrad(params, lr=0.0),
    "rmsprop": lambda params: torch.optim.RMSprop(params, lr=0.0),
    "adam": lambda params: torch.optim.Adam(params, lr=0.0),
    "adamw": lambda params: torch.optim.AdamW(params, lr=0.0),
}

_EVALUATION_ROWS = 1000  # examples per forward pass when a whole split is measured
_FINAL_ROWS = 10_000  # training examples on which the final loss is measured, at most


def half_squared_distance(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    r"""Return the mean over the batch of :math:`\frac12 \lVert z - \mathrm{onehot}(y) \rVert^2`.

    Args:
        outputs: shape (N, C).
        labels: integer classes, shape (N,).

    Example:
        >>> float(half_squared_distance(torch.tensor([[1.0, 2.0]]), torch.tensor([0])))
        2.0
    """
    target = F.one_hot(labels, outputs.shape[1]).to(outputs.dtype)
    return ((outputs - target) ** 2).sum(dim=1).mean() / 2


LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cross_entropy": F.cross_entropy,
    "mse": half_squared_distance,
}


def train(
    model: nn.Module,
    data: Data,
    *,
    optimizer: str | Callable[[Any], torch.optim.Optimizer] = "sgd",
    schedule: float | Schedule = 0.1,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = 64,
    loss: str = "cross_entropy",
    l2: float = 0.0,
    seed: int = 0,
    device: str | torch.device | None = None,
    precision: str = "float32",
    observers: dict[str, Callable[[nn.Module], Any]] | None = None,
    observe_every: int | str | None = None,
    progress: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    max_seconds: float | None = None,
) -> Run:
    r"""Train `model` (in place) on `data.train` and return the record of every update.

    .. math:: w_{t+1} = w_t - \eta_t\, d_t(\nabla \ell_t + 2\lambda W), \quad \eta_t = s(t)

    The batches are `sampling.batch_order(n, batch_size, steps, seed)`, the same as in `sweep`.
    The data lie on the device; images and convolutions have the layout that is faster there.
    Pressing stop (KeyboardInterrupt) returns what was recorded so far, with
    `meta["interrupted"]` True. A loss that is NaN ends the training; the rest of the record is NaN.

    Args:
        model: any classifier that maps a batch of `data.train.x` to (N, classes) logits.
        data: see `course_utils.experiments.datasets`.
        optimizer: "sgd", "momentum" (0.9), "nesterov" (0.9), "adagrad", "rmsprop", "adam",
            "adamw", or a function from the parameters to a `torch.optim` optimizer.
        schedule: the learning rate, a number > 0 or a `Schedule`.
        steps: number of updates. Give either steps or epochs.
        epochs: passes over the training set, of floor(n / batch_size) updates each.
        batch_size: examples per update; None uses the whole training set each time.
        loss: "cross_entropy", or "mse" (half the squared distance to the one-hot label).
        l2: adds l2 * sum(W^2) over weights (parameters with two or more axes), not biases. The
            recorded loss is without this term, the gradient norm is with it.
        seed: decides the batches, and what dropout drops; the weights are the model's own.
        device: where to train; "auto" is CUDA, else MPS, else the CPU; None is where the model is.
        precision: "float32", or "bfloat16" for the forward pass (weights stay float32). Faster
            where `batches.fast_precision` says so; `final_loss` is measured in float32.
        observers: functions of the model to record in `metrics`, called in evaluation mode. Each
            returns a number, or an array that always has the same shape.
        observe_every: call them after 0, k, 2k, ... updates and after the last; "epoch" for k =
            updates per epoch; None: only at the end.
        progress: show a progress bar with the time left.
        checkpoint: file to resume from if it exists, and to save to. Resuming gives the same
            record and weights as a training that was never stopped.
        checkpoint_every: updates between saves; None means once per epoch or 100 updates,
            whichever is longer.
        max_seconds: stop as if the user had pressed stop once this call has taken so long. With
            a checkpoint, the same call goes on from there.

    Returns:
        A `Run`; `final_loss` is the mean loss over the training set (its first 10,000 examples)
        after the last update, and `meta["seconds"]` the time it took, over all calls.

    Raises:
        ValueError: for an unknown name, a rate or size out of range, neither or both of steps and
            epochs, or a checkpoint that is damaged or that another training, or an older version
            of the course, wrote.
        TypeError: for an argument of the wrong type.

    Example:
        >>> from course_utils.experiments.datasets import digits
        >>> from course_utils.experiments.models import mlp
        >>> run = train(mlp((64, 10), seed=0), digits(), schedule=0.5, steps=20)
        >>> run.steps, bool(run.loss[0] > run.final_loss)
        (20, True)
    """
    job = _check(
        model, data, optimizer, schedule, steps, epochs, batch_size, loss, l2, seed, device,
        precision, observers, observe_every, checkpoint, checkpoint_every, max_seconds,
    )  # fmt: skip
    model.to(job.device, memory_format=job.layout)
    cuda = [job.device] if job.device.type == "cuda" else []
    was_training = model.training
    with torch.random.fork_rng(cuda):  # dropout draws from `seed`, the caller's state is kept
        torch.manual_seed(job.seed)
        state = _State(model, job)
        state.resume()
        try:
            interrupted = _loop(state, progress)
        finally:
            model.train(was_training)
        return state.record(interrupted)


def mean_loss(model: nn.Module, split: Split, loss: str = "cross_entropy") -> float:
    """Return the mean loss of `model` over a whole split, in evaluation mode and without gradients.

    Args:
        model: a classifier, on any device.
        split: `data.train`, `data.validation` or `data.test`.
        loss: "cross_entropy" or "mse".

    Raises:
        ValueError: if the loss is unknown.

    Example:
        >>> from course_utils.experiments.datasets import digits
        >>> from course_utils.experiments.models import mlp
        >>> bool(abs(mean_loss(mlp((64, 10), seed=0), digits().test) - np.log(10)) < 0.2)
        True
    """
    measure = LOSSES[validate.one_of("loss", loss, LOSSES)]
    return _average(model, split, lambda z, y: measure(z, y).item() * len(y))


def accuracy(model: nn.Module, split: Split) -> float:
    """Return the fraction of a split that `model` labels correctly, in [0, 1].

    Args:
        model: a classifier, on any device.
        split: `data.train`, `data.validation` or `data.test`.

    Example:
        >>> from course_utils.experiments.datasets import digits
        >>> from course_utils.experiments.models import mlp
        >>> 0 <= accuracy(mlp((64, 10), seed=0), digits().test) < 0.3
        True
    """
    return _average(model, split, lambda z, y: (z.argmax(dim=1) == y).sum().item())


def evaluate(model: nn.Module, split: Split, loss: str = "cross_entropy") -> np.ndarray:
    """Return `mean_loss` and `accuracy` from one pass, an array of shape (2,).

    Args:
        model: a classifier, on any device.
        split: `data.train`, `data.validation` or `data.test`.
        loss: "cross_entropy" or "mse".

    Raises:
        ValueError: if the loss is unknown.

    Example:
        >>> from course_utils.experiments.datasets import digits
        >>> from course_utils.experiments.models import mlp
        >>> evaluate(mlp((64, 10), seed=0), digits().test).round(2)
        array([2.32, 0.09])
    """
    measure = LOSSES[validate.one_of("loss", loss, LOSSES)]

    def totals(z: torch.Tensor, y: torch.Tensor) -> np.ndarray:
        return np.array([measure(z, y).item() * len(y), (z.argmax(dim=1) == y).sum().item()])

    return _average(model, split, totals)


@dataclass(frozen=True)
class _Job:
    """The checked arguments of `train`."""

    data: Data
    optimizer: str | Callable[[Any], torch.optim.Optimizer]
    schedule: Schedule
    steps: int
    batch_size: int
    loss: str
    l2: float
    seed: int
    device: torch.device
    precision: str
    observers: dict[str, Callable[[nn.Module], Any]]
    observe_at: list[int]
    checkpoint: Path | None
    checkpoint_every: int
    max_seconds: float

    @property
    def layout(self) -> torch.memory_format:
        """The memory layout of convolutions; networks without images keep theirs."""
        images = self.data.train.x.ndim == 4
        return image_layout(self.device, self.precision) if images else torch.preserve_format

    @property
    def meta(self) -> dict[str, Any]:
        """What was run, for the record."""
        named = isinstance(self.optimizer, str)
        return {
            "data": self.data.name,
            "optimizer": self.optimizer if named else getattr(self.optimizer, "__name__", "custom"),
            "schedule": repr(self.schedule),
            "batch_size": self.batch_size,
            "steps": self.steps,
            "loss": self.loss,
            "l2": self.l2,
            "seed": self.seed,
            "precision": self.precision,
        }

    @property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree in; data sets of one name can differ in length."""
        return self.meta | {"observe_at": self.observe_at, "examples": len(self.data.train)}


class _State:
    """What changes during a training: model, optimizer, record; can be saved and resumed."""

    def __init__(self, model: nn.Module, job: _Job) -> None:
        self.model = model
        self.job = job
        self.params = [p for p in model.parameters() if p.requires_grad]
        self.weights = [p for p in self.params if p.ndim >= 2]
        make = OPTIMIZERS.get(job.optimizer, job.optimizer)
        self.optimizer = make(self.params)
        dtype = self.params[0].dtype
        self.examples = DeviceData(job.data.train, job.device, dtype, job.layout)
        self.done = 0  # complete updates
        self.rates = job.schedule(np.arange(job.steps))  # what is asked for ...
        self.lr = np.full(job.steps, np.nan)  # ... and what the optimizer used
        # On the device, because reading a number from a GPU at every update would slow it down.
        wide = torch.float32 if job.device.type == "mps" else torch.float64  # MPS has no float64
        self.loss = torch.full((job.steps,), torch.nan, dtype=wide, device=job.device)
        self.grad_norm = self.loss.clone()
        self.metrics = {name: np.full(len(job.observe_at), np.nan) for name in job.observers}
        # Of a large training set a part is enough, and who pressed stop does not want to wait.
        self.final = job.data.train.take(slice(_FINAL_ROWS))
        self.started = time.perf_counter()
        self.seconds_before = 0.0  # in the calls before this one ...
        self.first = 0  # ... which made so many updates

    def update(self, batch: np.ndarray | None) -> None:
        """Do one update, record it, and only then count it."""
        t, job = self.done, self.job
        for group in self.optimizer.param_groups:
            group["lr"] = float(self.rates[t])
        x, y = self.examples.batch(batch)
        self.optimizer.zero_grad()
        with autocast(job.device, job.precision):
            outputs = self.model(x)
        loss = LOSSES[job.loss](outputs.to(x.dtype), y)
        objective = loss
        if job.l2:
            objective = loss + job.l2 * sum((w**2).sum() for w in self.weights)
        objective.backward()
        gradients = [p.grad for p in self.params if p.grad is not None]
        self.loss[t] = loss.detach()
        self.grad_norm[t] = torch.stack([g.norm() for g in gradients]).norm()
        self.lr[t] = self.optimizer.param_groups[0]["lr"]
        self.optimizer.step()
        self.done = t + 1

    def observe(self) -> None:
        """Call the observers if this is one of their steps."""
        if self.done not in self.job.observe_at or not self.job.observers:
            return
        column = self.job.observe_at.index(self.done)
        self.model.eval()
        for name, observer in self.job.observers.items():
            self._note(name, column, np.asarray(observer(self.model), dtype=np.float64))
        self.model.train()

    def _note(self, name: str, column: int, value: np.ndarray) -> None:
        """Store what an observer returned; the first value decides the shape."""
        table = self.metrics[name]
        if value.shape != table.shape[1:] and np.isnan(table).all():
            table = self.metrics[name] = np.full((len(table), *value.shape), np.nan)
        if value.shape != table.shape[1:]:
            raise ValueError(
                f"observers[{name!r}] must return the same shape each time, "
                f"got {value.shape} after {table.shape[1:]}"
            )
        table[column] = value

    def save(self) -> None:
        """Write the checkpoint atomically: a reader finds the old one or the new one, whole."""
        path = self.job.checkpoint
        if path is None:
            return
        content = {
            "meta": json.dumps(self.job.identity),
            "done": self.done,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "lr": torch.tensor(self.lr),
            "loss": self.loss,
            "grad_norm": self.grad_norm,
            "metrics": {name: torch.tensor(values) for name, values in self.metrics.items()},
            "random": torch.get_rng_state(),
            "random_cuda": _cuda_state(self.job.device),
            "seconds": self.seconds,
        }
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                torch.save(content, stream)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def resume(self) -> None:
        """Continue from the checkpoint if there is one."""
        path = self.job.checkpoint
        if path is None or not path.exists():
            return
        try:
            # Adam counts its steps on the CPU; load_state_dict moves the rest to the device.
            content = torch.load(path, map_location="cpu", weights_only=True)
            meta = json.loads(content["meta"])
        except Exception as error:
            raise ValueError(
                f"checkpoint {str(path)!r} cannot be read; delete it to start anew"
            ) from error
        changed = [k for k, value in self.job.identity.items() if meta.get(k) != value]
        # Compared first, because load_state_dict keeps what fits and then raises.
        changed += ["model"] * (_shapes(content["model"]) != _shapes(self.model.state_dict()))
        changed += ["observers"] * (set(content["metrics"]) != set(self.metrics))
        if changed:
            raise ValueError(
                f"checkpoint {str(path)!r} belongs to another training "
                f"({', '.join(changed)} differ); delete it or use another file"
            )
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.done = content["done"]
        self.lr[:] = content["lr"].cpu().numpy()
        self.loss.copy_(content["loss"])
        self.grad_norm.copy_(content["grad_norm"])
        self.metrics = {name: values.cpu().numpy() for name, values in content["metrics"].items()}
        self.seconds_before = content["seconds"]
        self.first = self.done
        torch.set_rng_state(content["random"].cpu())
        if content["random_cuda"] is not None and self.job.device.type == "cuda":
            torch.cuda.set_rng_state(content["random_cuda"].cpu(), self.job.device)

    @property
    def seconds(self) -> float:
        """The time this training has taken, over all calls."""
        return self.seconds_before + time.perf_counter() - self.started

    @property
    def out_of_time(self) -> bool:
        """Whether this call has taken as long as it may; it makes one update at least."""
        spent = time.perf_counter() - self.started
        return spent >= self.job.max_seconds and self.done > self.first

    def record(self, interrupted: bool) -> Run:
        """The `Run`: cut after the last complete update if the user pressed stop."""
        steps = self.done if interrupted else self.job.steps
        at = np.array(self.job.observe_at)
        kept = at <= steps
        measured = {name: values[kept] for name, values in self.metrics.items()}
        seconds = round(self.seconds, 3)
        return Run(
            lr=self.lr[:steps],
            loss=self.loss[:steps].cpu().numpy(),
            grad_norm=self.grad_norm[:steps].cpu().numpy(),
            final_loss=mean_loss(self.model, self.final, self.job.loss),
            metrics={"step": at[kept]} | measured if measured else {},
            meta=self.job.meta | {"interrupted": interrupted, "seconds": seconds},
        )


def _loop(state: _State, progress: bool) -> bool:
    """Run the updates that are left; return whether the user interrupted."""
    from tqdm.auto import tqdm

    job = state.job
    n = len(job.data.train)
    per_epoch = n // job.batch_size
    full_batch = job.batch_size == n
    state.model.train()
    bar = tqdm(total=job.steps, initial=state.done, disable=not progress, unit="updates")
    batches = None
    try:
        while state.done < job.steps:
            epoch, row = divmod(state.done, per_epoch)
            if not full_batch and (row == 0 or batches is None):
                batches = sampling.epoch_batches(n, job.batch_size, epoch, job.seed)
            if state.done % job.checkpoint_every == 0:
                if _died(state):
                    break
                state.save()
            if state.out_of_time:
                state.save()
                return True
            state.observe()
            state.update(None if full_batch else batches[row])
            bar.update()
        else:
            state.observe()
            state.save()
    except KeyboardInterrupt:
        return True
    finally:
        bar.close()
    return False


def _died(state: _State) -> bool:
    """Whether the last loss was NaN: then all weights are, and no update can change that."""
    if state.done == 0 or not torch.isnan(state.loss[state.done - 1]):
        return False
    state.lr[state.done :] = state.rates[state.done :]
    return True


def _average(
    model: nn.Module, split: Split, total: Callable[[torch.Tensor, torch.Tensor], Any]
) -> Any:
    """The sum of `total(outputs, labels)` over pieces of a split, divided by its length."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {model!r}")
    if not isinstance(split, Split):
        raise TypeError(f"split must be a Split such as data.test, got {type(split).__name__}")
    parameter = next(model.parameters())
    was_training = model.training
    model.eval()
    result = 0.0
    with torch.no_grad():
        for first in range(0, len(split), _EVALUATION_ROWS):
            rows = slice(first, first + _EVALUATION_ROWS)
            x, y = DeviceData(split.take(rows), parameter.device, parameter.dtype).batch()
            result += total(model(x), y)
    model.train(was_training)
    return result / len(split)


def _shapes(state: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(value, "shape", None) for name, value in state.items()}


def _cuda_state(device: torch.device) -> torch.Tensor | None:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _check(
    model, data, optimizer, schedule, steps, epochs, batch_size, loss, l2, seed, device,
    precision, observers, observe_every, checkpoint, checkpoint_every, max_seconds,
) -> _Job:  # fmt: skip
    """The arguments of `train`, checked before any work."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {model!r}")
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("model must have at least one trainable parameter")
    if not isinstance(data, Data):
        raise TypeError(
            f"data must be a Data (see course_utils.experiments.datasets), got {data!r}"
        )
    if not callable(optimizer):
        validate.one_of("optimizer", optimizer, OPTIMIZERS)
    validate.one_of("loss", loss, LOSSES)
    n = len(data.train)
    batch_size, steps = sampling.resolve_steps(n, batch_size, steps, epochs)
    if checkpoint is not None:
        if not isinstance(checkpoint, (str, os.PathLike)):
            raise TypeError(f"checkpoint must be a path to a file, got {checkpoint!r}")
        checkpoint = Path(checkpoint)
        if not checkpoint.parent.is_dir():
            raise ValueError(f"checkpoint must be in an existing folder, got {str(checkpoint)!r}")
    if checkpoint_every is None:
        checkpoint_every = max(100, n // batch_size)
    return _Job(
        data=data,
        optimizer=optimizer,
        schedule=as_schedule(schedule),
        steps=steps,
        batch_size=batch_size,
        loss=loss,
        l2=validate.nonnegative("l2", l2),
        seed=validate.integer("seed", seed, minimum=0),
        device=_check_device(device, model),
        precision=validate.one_of("precision", precision, PRECISIONS),
        observers=_check_observers(observers),
        observe_at=sampling.evaluation_steps(
            steps, n // batch_size if observe_every == "epoch" else observe_every, "observe_every"
        ),
        checkpoint=checkpoint,
        checkpoint_every=validate.integer("checkpoint_every", checkpoint_every, minimum=1),
        max_seconds=np.inf
        if max_seconds is None
        else validate.positive("max_seconds", max_seconds),
    )


def _check_device(device: str | torch.device | None, model: nn.Module) -> torch.device:
    if device is None:
        return next(model.parameters()).device
    if device == "auto":
        return best_device()
    try:
        return torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device must be 'auto' or a device such as 'cpu' or 'cuda', got {device!r}"
        ) from error


def _check_observers(observers: Any) -> dict[str, Callable[[nn.Module], float]]:
    if observers is None:
        return {}
    if not isinstance(observers, dict) or not all(callable(f) for f in observers.values()):
        raise TypeError(
            f"observers must be a dict from names to functions of the model, got {observers!r}"
        )
    if "step" in observers:
        raise ValueError("observers must not be called 'step': that is the name of their axis")
    return dict(observers)
