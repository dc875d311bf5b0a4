"""Train one network with PyTorch and record every update: the loop that `sweep` is checked against.

The rate of each update is written into the optimizer from the schedule and recorded where the
optimizer reads it, so the record shows what ran. A training can be stopped, killed and resumed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils import sampling, validate
from course_utils.experiments import checkpoints
from course_utils.experiments.datasets import Data
from course_utils.experiments.devices import DeviceData, autocast, image_layout
from course_utils.experiments.evaluation import (
    LOSSES,
    evaluating,
    logits,
    mean_loss,
    modes_kept,
    trainable,
)
from course_utils.experiments.progress_bar import progress_bar
from course_utils.experiments.recorder import record_rates
from course_utils.experiments.settings import Settings, build_optimizer, group_factors
from course_utils.run import Run
from course_utils.schedules import Schedule

_FINAL_ROWS = 10_000  # training examples on which the final loss is measured, at most


def train(
    model: nn.Module,
    data: Data,
    *,
    optimizer: str | Callable[[Any], torch.optim.Optimizer] = "sgd",
    schedule: float | Schedule = 0.1,
    factors: Sequence[float] | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = 64,
    accumulate: int = 1,
    loss: str = "cross_entropy",
    l2: float = 0.0,
    clip: float | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
    precision: str = "float32",
    fused: bool = False,
    observers: dict[str, Callable[[nn.Module], Any]] | None = None,
    observe_every: int | str | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    max_seconds: float | None = None,
    progress: bool = False,
) -> Run:
    r"""Train `model` (in place) on `data.train` and return the record of every update.

    .. math:: w_{t+1} = w_t - \eta_t\, d_t(\nabla \ell_t + 2\lambda W), \quad \eta_t = s(t)

    Here s is `schedule`, d_t the rule of `optimizer`, and W the weights that `l2` (lambda) acts on.
    The batches are `sampling.batch_order(n, batch_size, steps, seed)`, the same as in `sweep`.
    The data lie on the device; images and convolutions have the layout that is faster there.
    Pressing stop finishes the update and returns what was recorded so far, with
    `meta["interrupted"]` True. A loss that is NaN ends the training at the next `checkpoint_every`
    (with or without a file); the rest of the record is NaN, its rates those that were asked for.
    A model in evaluation mode is put in training mode, whole; in one that is in training mode
    already, modules that you put in evaluation mode stay so. Afterwards all modes are as before.

    Args:
        model: any classifier that maps a batch of `data.train.x` to (N, classes) logits.
        data: see `course_utils.experiments.datasets`.
        optimizer: "sgd", "momentum" (0.9), "nesterov" (0.9), "adagrad", "rmsprop", "adam",
            "adamw", or a function from the parameters to a `torch.optim` optimizer.
        schedule: the learning rate, a number > 0 or a `Schedule`.
        factors: what the rate is multiplied by in each parameter group of the optimizer.
        steps: number of updates. Give either steps or epochs.
        epochs: passes over the training set, of floor(n / examples per update) updates each.
        batch_size: examples per forward pass; None uses the whole training set each time.
        accumulate: batches per update. k batches of b examples are the k b examples that an
            update with batch size k b would see, and give the same gradient (where the network
            treats examples one by one: batch normalization does not).
        loss: "cross_entropy", or "mse" (half the squared distance to the one-hot label).
        l2: adds l2 * sum(W^2) over weights (parameters with two or more axes), not biases. The
            recorded loss is without this term, the gradient norm is with it.
        clip: a gradient with a larger norm is shortened to this one. `grad_norm` is the norm
            before; `meta["effective_lr"]` is lr min(1, clip / grad_norm), at each update.
        seed: decides the batches, and what dropout drops; the weights are the model's own.
        device: where to train; "auto" is CUDA, else MPS, else the CPU; None is where the model is.
        precision: "float32", or "bfloat16" for the forward pass (weights stay float32). Faster
            where `devices.fast_precision` says so; `final_loss` is measured in float32.
        fused: use PyTorch's fused kernels for the named optimizers that have them on the device.
            Faster with many parameters; the last digits differ.
        observers: functions of the model to record in `metrics`, called in evaluation mode. Each
            returns a number, or an array that always has the same shape.
        observe_every: call them after 0, k, 2k, ... updates and after the last; "epoch" for k =
            updates per epoch; None: only at the end.
        checkpoint: file to resume from if it exists, and to save to. Resuming gives the same
            record and weights as a training that was never stopped.
        checkpoint_every: updates between saves; None means once per epoch or 100 updates,
            whichever is longer. Who presses stop loses nothing.
        max_seconds: stop as if the user had pressed stop once this call has taken so long. With
            a checkpoint, the same call goes on from there.
        progress: show a progress bar with the time left.

    Returns:
        A `Run`; `lr` is what the optimizer used (in its first group; with `factors`,
        `meta["group_lr"]` has all), `final_loss` the mean loss over the training set (its first
        10,000 examples) after the last update, `meta["seconds"]` the time of all calls.

    Raises:
        ValueError: where a checkpoint is damaged, or of another training or version of the course.

    Example:
        >>> from course_utils.experiments.datasets import digits
        >>> from course_utils.experiments.models import mlp
        >>> run = train(mlp((64, 10), seed=0), digits(), schedule=0.5, steps=20)
        >>> run.steps, bool(run.loss[0] > run.final_loss)
        (20, True)
    """
    given = locals()  # the arguments, for nothing stands before this line
    chosen = Settings(**{f.name: given[f.name] for f in fields(Settings) if f.init})
    params = trainable(model)
    validate.boolean("progress", progress)
    device = chosen.device or params[0].device
    with torch.random.fork_rng([device] if device.type == "cuda" else []), modes_kept(model):
        if not model.training:  # else modules that were frozen would thaw
            model.train()
        state = _State(model, params, chosen, device)
        torch.manual_seed(chosen.seed)  # dropout draws from `seed`, the caller's state is kept
        interrupted = _loop(state, progress)
        return state.record(interrupted)


def _loop(state: _State, progress: bool) -> bool:
    """Make the updates that are left; return whether the user stopped them."""
    s, model, optimizer = state.settings, state.model, state.optimizer
    measure = LOSSES[s.loss]
    with record_rates(optimizer) as state.log, checkpoints.stop_requests() as stop:
        state.resume()
        bar = progress_bar(progress, s.steps, state.done)
        try:
            for t in range(state.done, s.steps):
                if t % s.checkpoint_every == 0:
                    if state.died:  # asked seldom: reading a loss from a GPU waits for it
                        return False
                    state.save()
                if stop or state.out_of_time:
                    state.save()
                    return True
                state.observe()
                state.in_update = True

                for group, factor in zip(optimizer.param_groups, state.factors):
                    group["lr"] = float(state.rates[t] * factor)
                optimizer.zero_grad()
                total = 0.0
                for x, y in state.batches(t):
                    with autocast(state.device, s.precision):
                        outputs = model(x)
                    loss = objective = measure(outputs.to(x.dtype), y) / s.accumulate
                    if s.l2:
                        squares = sum((w**2).sum() for w in state.weights)
                        objective = loss + s.l2 / s.accumulate * squares
                    objective.backward()
                    total = total + loss.detach()
                gradients = [p.grad for p in state.params if p.grad is not None]
                norm = torch.stack([g.norm() for g in gradients]).norm()
                state.loss[t], state.grad_norm[t] = total, norm
                if s.clip is not None:
                    for g in gradients:
                        g.mul_((s.clip / norm).clamp(max=1))
                optimizer.step()

                state.done, state.in_update = t + 1, False
                bar.update()
            state.observe()
            state.save()
        except KeyboardInterrupt:  # stop was pressed twice, or where it cannot be noted
            if not state.in_update:  # else only some of the weights may have moved: do not save
                state.save()
            return True
        finally:
            bar.close()
    return False


class _State:
    """What changes during a training: model, optimizer, record; can be saved and resumed."""

    def __init__(
        self, model: nn.Module, params: list[nn.Parameter], settings: Settings, device: torch.device
    ) -> None:
        self.model, self.params, self.settings, self.device = model, params, settings, device
        saves = settings.checkpoint is not None
        self.start = checkpoints.digest(model.state_dict()) if saves else ""
        images = settings.data.train.x.ndim == 4
        layout = image_layout(device, settings.precision) if images else torch.preserve_format
        model.to(device, memory_format=layout)
        self.weights = [p for p in params if p.ndim >= 2]
        self.optimizer = build_optimizer(settings.optimizer, params, settings.fused)
        self.factors = group_factors(self.optimizer, settings.factors)
        self.rates = settings.schedule.rates(settings.steps)
        self.identity = self._identity() if saves else {}
        self.examples = DeviceData(settings.data.train, device, params[0].dtype, layout)
        with torch.no_grad(), evaluating(model):  # before any work: does it fit?
            logits(model, self.examples.batch(slice(2))[0], settings.data.classes)
        self.done = 0  # complete updates
        self.in_update = False  # between two updates model, optimizer and record belong together
        self.saved = -1  # what `done` was when it was last written
        # On the device, because reading a number from a GPU at every update would slow it down.
        wide = torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64
        self.loss = torch.full((settings.steps,), torch.nan, dtype=wide, device=device)
        self.grad_norm = self.loss.clone()
        self.observed = -1  # where the observers were called last
        empty = np.full(len(settings.observe_at), np.nan)
        self.metrics = {name: empty.copy() for name in settings.observers}
        self.epoch, self.order = -1, None  # the epoch whose batches are at hand, and those
        self.started = time.perf_counter()
        self.seconds_before, self.done_before = 0.0, 0  # by earlier calls, of which this is resumed
        # `_loop` adds `log`, the rates that ran.

    def batches(self, t: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The batches of update t; the full batch is one in the order of the data."""
        s, n = self.settings, len(self.settings.data.train)
        if s.batch_size == n:
            yield self.examples.batch()
            return
        per_update = s.batch_size * s.accumulate
        epoch, row = divmod(t, n // per_update)
        if epoch != self.epoch:
            self.epoch, self.order = epoch, sampling.epoch_batches(n, per_update, epoch, s.seed)
        for rows in np.split(self.order[row], s.accumulate):
            yield self.examples.batch(rows)

    def observe(self) -> None:
        """Call the observers if this is one of their steps."""
        if self.done not in self.settings.observe_at or not self.settings.observers:
            return
        column = self.settings.observe_at.index(self.done)
        with evaluating(self.model):
            for name, observer in self.settings.observers.items():
                self._note(name, column, observer(self.model))
        self.observed = self.done

    def _note(self, name: str, column: int, found: Any) -> None:
        """Store what an observer returned; the first value decides the shape."""
        try:
            value = np.asarray(found, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"observers[{name!r}] must return a number or an array of numbers, got {found!r}"
            ) from error
        table = self.metrics[name]
        if value.shape != table.shape[1:] and np.isnan(table).all():
            table = self.metrics[name] = np.full((len(table), *value.shape), np.nan)
        if value.shape != table.shape[1:]:
            raise ValueError(
                f"observers[{name!r}] must return the same shape each time, "
                f"got {value.shape} after {table.shape[1:]}"
            )
        table[column] = value

    def _identity(self) -> dict[str, Any]:
        s = self.settings
        names = ("steps", "batch_size", "accumulate", "loss", "l2", "clip", "seed", "precision")
        train = s.data.train
        return checkpoints.identity(
            self.model, self.optimizer, self.rates,
            **{name: getattr(s, name) for name in (*names, "observe_at")},
            factors=self.factors, observers=sorted(s.observers),
            data=checkpoints.digest([train.x, train.y, train.mean, train.std]),
        )  # fmt: skip

    def save(self) -> None:
        """Write the checkpoint, unless it is there."""
        if self.settings.checkpoint is None or self.saved == self.done:
            return
        cuda = self.device.type == "cuda"
        state = {
            "done": self.done,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rates": self.log.lr,
            "loss": self.loss,
            "grad_norm": self.grad_norm,
            "metrics": self.metrics,
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if cuda else None,
            "seconds": self.seconds,
        }
        checkpoints.save(self.settings.checkpoint, self.identity, self.start, state)
        self.saved = self.done

    def resume(self) -> None:
        """Continue from the checkpoint if there is one."""
        s = self.settings
        if s.checkpoint is None:
            return
        state = checkpoints.resume(s.checkpoint, self.identity, self.start, s.steps)
        if state is None:
            return
        self.start = state["start"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.done = self.done_before = state["done"]
        self.log.extend(_columns(state["rates"]).tolist())
        self.loss.copy_(state["loss"])
        self.grad_norm.copy_(state["grad_norm"])
        self.metrics = {name: values.numpy() for name, values in state["metrics"].items()}
        self.seconds_before = state["seconds"]
        torch.set_rng_state(state["random"])
        if state["random_cuda"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"], self.device)

    @property
    def seconds(self) -> float:
        """The time this training has taken, over all calls."""
        return self.seconds_before + time.perf_counter() - self.started

    @property
    def out_of_time(self) -> bool:
        """Whether this call has taken as long as it may; it makes one update at least."""
        spent = time.perf_counter() - self.started
        return spent >= self.settings.max_seconds and self.done > self.done_before

    @property
    def died(self) -> bool:
        """Whether the last loss was NaN: then all weights are, and no update can change that."""
        return self.done > 0 and bool(torch.isnan(self.loss[self.done - 1]))

    def record(self, interrupted: bool) -> Run:
        """The `Run`: cut after the last complete update if the user pressed stop."""
        s = self.settings
        steps = self.done if interrupted else s.steps
        lr = np.outer(self.rates, self.factors)  # what was asked for ...
        # ... and what ran; the log may be ahead by an update that was interrupted after its step.
        lr[: self.done] = _columns(self.log.lr)[: self.done, : len(self.factors)]
        kept = np.array(s.observe_at) < steps + (not interrupted or self.observed == steps)
        measured = {name: values[kept] for name, values in self.metrics.items()}
        grad_norm = self.grad_norm[:steps].cpu().numpy()
        final = s.data.train.take(slice(_FINAL_ROWS))  # who pressed stop does not want to wait
        return Run(
            lr=lr[:steps, 0],
            loss=self.loss[:steps].cpu().numpy(),
            grad_norm=grad_norm,
            final_loss=mean_loss(self.model, final, s.loss),
            metrics={"step": np.array(s.observe_at)[kept]} | measured if measured else {},
            meta=self._meta(lr[:steps], grad_norm)
            | {"interrupted": interrupted, "seconds": round(self.seconds, 3)},
        )

    def _meta(self, lr: np.ndarray, grad_norm: np.ndarray) -> dict[str, Any]:
        """What was run; a setting that is seldom used stands there only where it was."""
        s, named = self.settings, isinstance(self.settings.optimizer, str)
        found = {
            "data": s.data.name,
            "optimizer": s.optimizer if named else getattr(s.optimizer, "__name__", "custom"),
            "schedule": repr(s.schedule),
            "batch_size": s.batch_size,
            "steps": s.steps,
            "loss": s.loss,
            "l2": s.l2,
            "seed": s.seed,
            "precision": s.precision,
        }
        found |= {"accumulate": s.accumulate} if s.accumulate > 1 else {}
        found |= {"fused": True} if s.fused else {}
        if s.factors is not None:
            found |= {"factors": list(s.factors), "group_lr": _finite_or_none(lr)}
        if s.clip is not None:
            with np.errstate(divide="ignore"):
                effective = lr[:, 0] * np.minimum(1, s.clip / grad_norm)
            found |= {"clip": s.clip, "effective_lr": _finite_or_none(effective)}
        return found


def _columns(rates: Any) -> Any:
    """Rates (T,) or (T, G) as (T, G)."""
    return rates if rates.ndim > 1 else rates[:, None]


def _finite_or_none(rates: np.ndarray) -> list[Any]:
    """Nested lists for JSON, which has no NaN."""
    return np.where(np.isfinite(rates), rates, None).tolist()
