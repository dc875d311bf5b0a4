"""Many networks at once: every learning rate from every seed, trained together in NumPy.

What comes out is what these loops give::

    for lr in lrs:
        for seed in seeds:
            params = initial(seed)
            for t, batch in enumerate(batches(seed)):
                loss, gradient = loss_and_gradient(params, batch)
                params = optimizer.step(params, gradient, lr(t))

`_train` is the loop over t, for some of the rates and all seeds at once: `params` has a row for
each network (see `networks`), and the rules of `course_utils.optimizers` broadcast.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from course_utils.experiments.batches import Batches
from course_utils.experiments.datasets import Data
from course_utils.experiments.networks import Networks
from course_utils.experiments.progress_bar import progress_bar
from course_utils.experiments.sweep_record import Sweep as Sweep
from course_utils.experiments.sweep_record import diverged
from course_utils.experiments.sweep_settings import SweepSettings
from course_utils.schedules import Schedule, constant

_CHECK_EVERY = 50  # updates, between looks for NaN losses and for traces to forget


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
        A `Sweep`: `loss` and `grad_norm` (R, S, T), `lr` (R, T), `final_loss` and `diverged`
        (R, S), each of `metrics` (R, S, E), after `metrics["step"]` (E,) updates. Once a loss is
        NaN it stays so; the accuracy may be that of a constant answer: ask `diverged` first.

    Example:
        >>> result = sweep([0.001, 0.1, 1000.0], seeds=[0, 1], steps=100)
        >>> result.loss.shape, result.diverged[:, 0].tolist()
        ((3, 2, 100), [False, False, True])
    """
    s = SweepSettings(**locals())  # the arguments, for nothing stands before this line
    batches, record = Batches(s.data, s.batch_size), s.empty_record()
    with progress_bar(s.progress, total=s.lr.size) as bar:
        for rows in s.groups():
            group_record = {name: values[rows] for name, values in record.items()}  # views
            with np.errstate(all="ignore"):  # divergence is a result, not a warning
                _train(s, batches, s.lr[rows], group_record, bar)

    loss, grad_norm = record.pop("loss"), record.pop("grad_norm")
    final_loss = record.pop("final_loss")
    return Sweep(
        schedules=s.schedules,
        lrs=s.peaks,
        seeds=np.array(s.seeds, dtype=np.int64),
        lr=s.lr,
        loss=loss,
        grad_norm=grad_norm,
        final_loss=final_loss,
        metrics={"step": np.array(s.evaluate_at)} | record,  # what is left in it
        diverged=diverged(loss, final_loss),
        meta=s.meta,
    )


def _train(
    s: SweepSettings, batches: Batches, lr: np.ndarray, record: dict[str, np.ndarray], bar: Any
) -> None:
    """Train one group of networks at the rates lr (R, T), and fill in its part of the record."""
    networks = Networks(len(lr), s.seeds, s.sizes, s.activation, s.loss, s.l2)
    optimizer = copy.deepcopy(s.optimizer)
    optimizer.reset()
    rates = np.repeat(lr, len(s.seeds), axis=0)  # (R*S, T), as the rows of params
    params, batch = networks.initial(), batches.of_seeds(s.seeds)

    def evaluate(t: int) -> None:
        place = s.evaluate_at.index(t)
        for part in s.evaluate_on:
            loss, accuracy = networks.evaluate(params, *batches.parts[part])
            record[f"{part}_loss"][..., place] = loss
            record[f"{part}_accuracy"][..., place] = accuracy

    measured = set(s.evaluate_at)
    for t in range(s.steps):
        if t in measured:
            evaluate(t)
        loss, gradient = networks.loss_and_gradient(params, *next(batch))
        record["loss"][..., t] = loss
        record["grad_norm"][..., t] = np.sqrt(np.vecdot(gradient, gradient)).reshape(loss.shape)
        params = optimizer.step(params, gradient, rates[:, t : t + 1])
        bar.update(len(lr))
        if t % _CHECK_EVERY == 0:
            _forget_traces(optimizer)
            if np.isnan(loss).all():  # no update can change that: the rest of the record stays NaN
                bar.update(len(lr) * (s.steps - t - 1))
                break
    evaluate(s.steps)
    if "train_loss" in record:
        record["final_loss"][:] = record["train_loss"][..., -1]
    else:
        record["final_loss"][:], _ = networks.evaluate(params, *batches.parts["train"])


def _forget_traces(optimizer: Any) -> None:
    """Set to zero what an optimizer remembers of gradients that vanished long ago.

    The momentum of a dead unit shrinks by 0.9 per update until it is a subnormal number (below
    1.2e-38), where it stays, and where a CPU computes many times slower: after 800 updates Adam
    would take three times as long. Against the eps of any rule, 1e-35 is nothing.
    """
    for name in getattr(optimizer, "memory", ()):
        state = getattr(optimizer, name)
        state[np.abs(state) < 1e-35] = 0.0
