"""The learning-rate range test: one short run at growing rates, and three rules to read it."""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils import sampling, validate
from course_utils.experiments.datasets import Data
from course_utils.experiments.devices import DeviceData, torch_seed
from course_utils.experiments.evaluation import LOSSES, modes_kept, trainable
from course_utils.experiments.settings import build_optimizer, checked_optimizer

END, NOT_FINITE, BLEW_UP = "end of the ramp", "not finite", "blew up"

REAL_FALL = 0.03
"""By how much of the loss at the start the smoothed loss must fall to be read at all."""


@dataclass(frozen=True, eq=False)
class RangeTest:
    """What a learning-rate range test measured; row t belongs to update t.

    Args:
        lr: shape (T,), the rate of update t, rising exponentially.
        loss: shape (T,), the loss *after* update t: what the rate `lr[t]` led to. (A training loop
            prints the loss before the update, so the usual plots blame each rate for the one
            before it.)
        smoothed: shape (T,), the bias-corrected moving average of `loss`.
        start: the loss before the first update.
        stopped: "end of the ramp", "blew up" or "not finite". Only the last two show that the ramp
            went far enough.
    """

    lr: np.ndarray
    loss: np.ndarray
    smoothed: np.ndarray
    start: float
    stopped: str


def ramp(
    rates: Sequence[float],
    advance: Callable[[float], float],
    start: float,
    smoothing: float = 0.9,
    blow_up: float = 4.0,
) -> RangeTest:
    r"""Run the range test on anything that can do one update at a given rate.

    .. math:: s_t = \frac{a_t}{1 - \beta^{t+1}}, \qquad
        a_t = \beta\, a_{t-1} + (1 - \beta)\, \ell_t, \qquad a_{-1} = 0

    Args:
        rates: the rates to try, one update each, from small to large.
        advance: does one update with the rate it is given and returns the loss after it.
        start: the loss before the first update.
        smoothing: beta in [0, 1); 0 leaves the loss as it is.
        blow_up: stop when the smoothed loss exceeds this multiple of the smallest one so far
            (or of `start`, if that is smaller). Where the smallest is 0 or negative, which no
            multiple measures: when the rise from it is blow_up - 1 times its size, or the fall
            from `start` to it if that is larger.

    Returns:
        A `RangeTest`; it ends with the row that stopped it.

    Source: L. N. Smith, Cyclical learning rates for training neural networks (2017), section 3.3;
    stopping rule as in fastai. Its smoothing is another one: fastai takes beta = 0.98, which
    looks back over 50 updates and shifts a minimum to the right; 0.9 looks back over 10.

    Example:
        >>> halve = iter([4.0, 2.0, 1.0, float("nan")])
        >>> test = ramp([0.1, 1, 10, 100], lambda lr: next(halve), start=8.0, smoothing=0.0)
        >>> test.loss.tolist(), test.stopped
        ([4.0, 2.0, 1.0, nan], 'not finite')
    """
    rates = validate.array("rates", rates, ndim=1)
    if (rates <= 0).any():
        raise ValueError(f"rates must be greater than 0, got {rates.tolist()}")
    if not callable(advance):
        raise TypeError(f"advance must be a function of the rate, got {advance!r}")
    if not isinstance(start, Real):  # a network may begin at NaN
        raise TypeError(f"start must be a number, got {start!r}")
    smoothing, blow_up = _check_ramp(smoothing, blow_up)
    start = float(start)
    highest = math.inf if math.isnan(start) else start
    losses, smoothed, average, lowest, stopped = [], [], 0.0, highest, END
    for t, lr in enumerate(rates):
        loss = _number(advance(lr))
        average = smoothing * average + (1 - smoothing) * loss
        losses.append(loss)
        smoothed.append(average / (1 - smoothing ** (t + 1)))
        lowest = min(lowest, smoothed[t])
        if not math.isfinite(loss):
            stopped = NOT_FINITE
            break
        if _exploded(smoothed[t], lowest, highest, blow_up):
            stopped = BLEW_UP
            break
    used = rates[: len(losses)].copy()
    return RangeTest(used, np.array(losses), np.array(smoothed), start, stopped)


def _number(loss: Any) -> float:
    """The loss in double precision: an average of float16 numbers would overflow."""
    try:
        return float(loss)
    except (TypeError, ValueError) as error:
        raise TypeError(f"advance must return the loss after its update, got {loss!r}") from error


def _exploded(loss: float, lowest: float, start: float, factor: float) -> bool:
    if lowest > 0:
        return loss > factor * lowest
    scale = max(-lowest, start - lowest)
    return scale > 0 and loss - lowest > (factor - 1) * scale


def _check_ramp(smoothing: float, blow_up: float) -> tuple[float, float]:
    smoothing = validate.between("smoothing", smoothing, 0, 1, open_high=True)
    if validate.finite("blow_up", blow_up) <= 1:
        raise ValueError(f"blow_up must be greater than 1, got {blow_up!r}")
    return smoothing, float(blow_up)


def range_test(
    model: nn.Module,
    data: Data,
    *,
    lr_min: float = 1e-5,
    lr_max: float = 10.0,
    steps: int = 100,
    optimizer: str | Callable[[Any], torch.optim.Optimizer] | torch.optim.Optimizer = "sgd",
    batch_size: int | None = 32,
    loss: str = "cross_entropy",
    smoothing: float = 0.9,
    blow_up: float = 4.0,
    seed: int = 0,
) -> RangeTest:
    r"""Raise the rate exponentially during one short training and record what each rate did.

    .. math:: \eta_t = \eta_\text{min} (\eta_\text{max} / \eta_\text{min})^{t / (T - 1)}

    `loss[t]` is measured after update t, on the batch of update t + 1 (which is the one that the
    update did not fit), so it costs one forward pass in all. Afterwards the model, its gradients,
    the mode of each of its modules, the optimizer and the random state are what they were before.
    A model in evaluation mode is tested in training mode; in a model that is in training mode,
    frozen modules stay frozen.

    Args:
        model: a network for `data`, on any device.
        data: only its training set is used.
        lr_min, lr_max: the ends of the ramp, > 0.
        steps: updates T, at least 2. The result depends on it: more steps per decade show smaller
            rates in a better light.
        optimizer: "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam" or "adamw"; a
            function of the parameters; or a torch optimizer, which keeps its state. None that
            needs a closure (LBFGS).
        batch_size: examples per update; None uses the whole training set.
        loss: "cross_entropy" or "mse".
        smoothing, blow_up: as in `ramp`.
        seed: of the batches, and of dropout.

    Returns:
        A `RangeTest`, to be read by `minimum_over_ten`, `steepest` or `valley`.

    Source: as `ramp`.

    Example:
        >>> from course_utils.experiments.datasets import digits
        >>> from course_utils.experiments.models import mlp
        >>> test = range_test(mlp((64, 64, 10), seed=0), digits())
        >>> 0.01 < minimum_over_ten(test) < 1
        True
    """
    params = trainable(model)
    validate.instance("data", data, Data, "(see course_utils.experiments.datasets)")
    lr_min, lr_max = validate.positive("lr_min", lr_min), validate.positive("lr_max", lr_max)
    if lr_max <= lr_min:
        raise ValueError(f"lr_max must be greater than lr_min = {lr_min!r}, got {lr_max!r}")
    steps = validate.integer("steps", steps, minimum=2)
    batch_size, _ = sampling.resolve_steps(len(data.train), batch_size, steps, None)
    measure = LOSSES[validate.one_of("loss", loss, LOSSES)]
    smoothing, blow_up = _check_ramp(smoothing, blow_up)
    seed = torch_seed("seed", seed)
    made = isinstance(optimizer, torch.optim.Optimizer)
    optimizer = (checked_optimizer if made else build_optimizer)(optimizer, params)

    device, dtype = params[0].device, params[0].dtype
    examples = DeviceData(data.train, device, dtype)
    batches = iter(sampling.batch_order(len(data.train), batch_size, steps + 1, seed))

    def loss_on_next_batch() -> torch.Tensor:
        x, y = examples.batch(next(batches))
        return measure(model(x), y)

    def advance(lr: float) -> float:
        nonlocal current
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        optimizer.zero_grad()
        current.backward()
        optimizer.step()
        current = loss_on_next_batch()  # the loss that this rate led to
        return current.item()

    with _restored(model, optimizer):
        torch.manual_seed(seed)
        if not model.training:  # else modules that were frozen would thaw
            model.train()
        current = loss_on_next_batch()
        rates = np.geomspace(lr_min, lr_max, steps)
        return ramp(rates, advance, current.item(), smoothing, blow_up)


@contextlib.contextmanager
def _restored(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Put model, gradients, modes, optimizer and torch's random state back, whatever happens."""
    everything = itertools.chain(model.parameters(), model.buffers())
    tensors = [(tensor, tensor.detach().clone()) for tensor in everything]
    gradients = [(p, p.grad) for p in model.parameters()]
    state = copy.deepcopy(optimizer.state_dict())
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    for p, _ in gradients:
        p.grad = None  # else backward would add to the caller's gradients
    try:
        with torch.random.fork_rng(devices=devices), modes_kept(model):
            yield
    finally:
        with torch.no_grad():
            for tensor, before in tensors:
                tensor.copy_(before)
        for p, gradient in gradients:
            p.grad = gradient
        optimizer.load_state_dict(state)


def minimum_over_ten(test: RangeTest) -> float:
    r"""Return the rate of the smallest smoothed loss, divided by 10.

    .. math:: \eta = \eta_{t^*} / 10, \qquad t^* = \arg\min_t s_t

    At the minimum itself the loss has stopped falling: that rate is already too large to train
    with. The ten is a rule of thumb: one order of magnitude before the minimum.

    Args:
        test: what `range_test` or `ramp` returned.

    Raises:
        ValueError: if the smoothed loss never fell by `REAL_FALL` of its start: the lowest point of
            noise is no reading (all three rules).

    Source: `minimum` of fastai's `lr_find`.

    Example:
        >>> losses = iter([3.0, 1.0, 2.0])
        >>> test = ramp([0.01, 0.1, 1.0], lambda lr: next(losses), start=4.0, smoothing=0.0)
        >>> minimum_over_ten(test)
        0.01
    """
    lr, smoothed = _readable(test)
    return float(lr[smoothed.argmin()] / 10)


def steepest(test: RangeTest, skip: int = 5) -> float:
    r"""Return the rate at which the smoothed loss falls fastest per decade of the rate.

    .. math:: \eta = \eta_{t^*}, \qquad t^* = \arg\min_{t \ge k} \frac{d s}{d \log_{10} \eta}

    A slope of a noisy curve is noisier than the curve: of the three rules this one scatters most.

    Args:
        test: what `range_test` or `ramp` returned.
        skip: leave out so many rows at the beginning, where the average is over few losses.

    Source: `steep` of fastai's `lr_find`.

    Example:
        >>> losses = iter([3.0, 2.9, 2.0, 0.9, 5.0])
        >>> test = ramp([1e-4, 1e-3, 1e-2, 0.1, 1], lambda lr: next(losses), 4.0, smoothing=0.0)
        >>> steepest(test, skip=0)
        0.01
    """
    skip = validate.integer("skip", skip, minimum=0)
    lr, smoothed = _readable(test)
    if len(lr) < skip + 2:
        raise ValueError(f"skip must leave two of the {len(lr)} rows, got {skip}")
    slope = np.gradient(smoothed, np.log10(lr))
    return float(lr[skip + slope[skip:].argmin()])


def valley(test: RangeTest) -> float:
    """Return the rate in the middle of the longest valley of the smoothed loss.

    With L the length of the longest falling subsequence, and e the row where it ends first: row
    max(0, e - L + floor(L/3) + floor(L/6)). (fastai also leaves out the first tenth and the last
    5 rows.)

    Args:
        test: what `range_test` or `ramp` returned.

    Source: `valley` of fastai's `lr_find`, its default.

    Example:
        >>> losses = iter([6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 9.0])
        >>> test = ramp(np.geomspace(1e-6, 1, 7), lambda lr: next(losses), 7.0, smoothing=0.0)
        >>> round(valley(test), 9)
        0.0001
    """
    lr, smoothed = _readable(test)
    length = np.ones(len(lr), dtype=int)  # of the longest falling subsequence that ends here
    for i in range(1, len(lr)):
        length[i] += (length[:i] * (smoothed[:i] > smoothed[i])).max()
    end, longest = int(length.argmax()), int(length.max())
    # A short fall at the beginning gives row -1, which Python takes for the last one.
    return float(lr[max(0, end - longest + longest // 3 + longest // 6)])


RULES = {"minimum / 10": minimum_over_ten, "steepest": steepest, "valley": valley}


def _readable(test: RangeTest) -> tuple[np.ndarray, np.ndarray]:
    """The rates and smoothed losses that mean something, or an error that says why none do."""
    if not isinstance(test, RangeTest):
        raise TypeError(f"test must be a RangeTest, got {test!r}")
    kept = np.isfinite(test.smoothed)
    lr, smoothed = test.lr[kept], test.smoothed[kept]
    real = REAL_FALL * abs(test.start)
    if len(lr) < 2 or smoothed.argmin() == 0 or not test.start - smoothed.min() >= real:
        lowest = f", got {smoothed.min():.4g}" if len(lr) else ""
        raise ValueError(
            f"test must contain a loss that falls by {REAL_FALL:.0%} of its start, "
            f"{test.start:.4g}{lowest}: begin the ramp at a smaller rate, make it longer, or do "
            f"without (it stopped at row {len(test.lr) - 1}: {test.stopped})"
        )
    return lr, smoothed
