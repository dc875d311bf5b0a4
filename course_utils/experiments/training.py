"""Train one network with PyTorch and record every update: the loop that `sweep` is checked against.

The rate of each update is written into the optimizer from the schedule and recorded where the
optimizer reads it, so the record shows what ran. A training can be stopped, killed and resumed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import nn

from course_utils import validate
from course_utils.experiments import checkpoints
from course_utils.experiments.datasets import Data
from course_utils.experiments.devices import autocast
from course_utils.experiments.evaluation import LOSSES, modes_kept, trainable
from course_utils.experiments.progress_bar import progress_bar
from course_utils.experiments.recorder import record_rates
from course_utils.experiments.settings import Settings
from course_utils.experiments.training_state import TrainingState
from course_utils.run import Run
from course_utils.schedules import Schedule


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

    Here s is `schedule`, d_t the rule of `optimizer`, W the weights that `l2` acts on; the batches
    are those of `sweep`. Stop, pressed once, finishes the update; the record so far is returned,
    with `meta["interrupted"]` True. A loss of NaN ends the training at the next `checkpoint_every`.
    Modules that you froze (evaluation mode, in a model in training mode) stay so.

    Args:
        model: any classifier that maps a batch of `data.train.x` to (N, classes) logits.
        data: see `course_utils.experiments.datasets`.
        optimizer: "sgd", "momentum" (0.9), "nesterov" (0.9), "adagrad", "rmsprop", "adam",
            "adamw", or a function from the parameters to a `torch.optim` optimizer.
        schedule: the learning rate, a number > 0 or a `Schedule`.
        factors: what the rate is multiplied by in each parameter group.
        steps: number of updates. Give either steps or epochs.
        epochs: passes over the training set, of floor(n / examples per update) updates each.
        batch_size: examples per forward pass; None: all.
        accumulate: batches per update; k batches of b have the gradient of one of k * b (not with
            batch normalization).
        loss: "cross_entropy", or "mse" (half the squared distance to the one-hot label).
        l2: adds l2 * sum(W^2) over parameters with two or more axes, but not to the recorded loss.
        clip: longer gradients are shortened to this norm. `grad_norm` is the norm before;
            `meta["effective_lr"]` is lr min(1, clip / grad_norm), at each update.
        seed: of the batches and of dropout; the weights are the model's own.
        device: "auto" is CUDA, else MPS, else the CPU; None is where the model is.
        precision: "float32", or "bfloat16" for the forward pass (see `devices.fast_precision`).
        fused: use PyTorch's fused kernels where there are some. The last digits differ.
        observers: functions of the model to numbers or arrays, which `metrics` keeps.
        observe_every: after 0, k, 2k, ... updates and the last; "epoch"; None: only at the end.
        checkpoint: file to save to, and to resume from if it exists: the result is that of a
            training that was never stopped.
        checkpoint_every: updates between saves; None: one epoch or 100 updates, the longer one.
        max_seconds: stop after so long ("interrupted", too); with a checkpoint, go on by calling.

    Returns:
        A `Run`; `lr` is what the optimizer used (in its first group; `meta["group_lr"]` has all),
        `final_loss` the mean over at most 10,000 training examples after the last update.

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
        state = TrainingState(model, params, chosen, device)
        torch.manual_seed(chosen.seed)  # dropout draws from `seed`, the caller's state is kept
        return state.record(interrupted=_loop(state, progress))


def _loop(state: TrainingState, progress: bool) -> bool:
    """Make the updates that are left; return True if cut short by the user or by `max_seconds`."""
    s = state.settings
    with record_rates(state.optimizer) as state.log, checkpoints.stop_requests() as stop:
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
                _update(state, t)
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


def _update(state: TrainingState, t: int) -> None:
    """Set the rate of update t, go forward and backward, note loss and gradient, make the step."""
    s, optimizer = state.settings, state.optimizer
    for group, factor in zip(optimizer.param_groups, state.factors):
        group["lr"] = float(state.rates[t] * factor)
    optimizer.zero_grad()
    total = 0.0
    for x, y in state.batches(t):
        with autocast(state.device, s.precision):
            outputs = state.model(x)
        loss = objective = LOSSES[s.loss](outputs.to(x.dtype), y) / s.accumulate
        if s.l2:
            objective = loss + s.l2 / s.accumulate * sum((w**2).sum() for w in state.weights)
        objective.backward()
        total = total + loss.detach()
    gradients = [p.grad for p in state.params if p.grad is not None]
    norm = torch.stack([g.norm() for g in gradients]).norm()
    state.loss[t], state.grad_norm[t] = total, norm
    if s.clip is not None:
        for g in gradients:
            g.mul_((s.clip / norm).clamp(max=1))
    optimizer.step()
