"""What changes during a training: model, optimizer, record; can be saved and resumed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils import sampling
from course_utils.experiments import checkpoints
from course_utils.experiments.devices import DeviceData, image_layout
from course_utils.experiments.evaluation import evaluating, logits, mean_loss
from course_utils.experiments.settings import Settings, build_optimizer, group_factors
from course_utils.run import Run

_FINAL_ROWS = 10_000  # training examples on which the final loss is measured, at most


class TrainingState:
    """The state of one training after `done` updates; the loop in `training` moves it on."""

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

        # Where it stands.
        self.done = 0  # complete updates
        self.in_update = False  # between two updates model, optimizer and record belong together
        self.saved = -1  # what `done` was when it was last written
        self.observed = -1  # where the observers were called last
        self.epoch, self.order = -1, None  # the epoch whose batches are at hand, and those
        self.started = time.perf_counter()
        self.seconds_before, self.done_before = 0.0, 0  # by earlier calls, of which this is resumed

        # The record, to which the loop adds `log`, the rates that ran. On the device, because
        # reading a number from a GPU at every update would slow it down.
        wide = torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64
        self.loss = torch.full((settings.steps,), torch.nan, dtype=wide, device=device)
        self.grad_norm = self.loss.clone()
        empty = np.full(len(settings.observe_at), np.nan)
        self.metrics = {name: empty.copy() for name in settings.observers}

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


def _columns(rates: Any) -> Any:
    """Rates (T,) or (T, G) as (T, G)."""
    return rates if rates.ndim > 1 else rates[:, None]


def _finite_or_none(rates: np.ndarray) -> list[Any]:
    """Nested lists for JSON, which has no NaN."""
    return np.where(np.isfinite(rates), rates, None).tolist()
