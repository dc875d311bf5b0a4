r"""Learning-rate schedules: pure functions from the step t = 0, 1, 2, ... to the rate of update t.

Every factory returns a `Schedule`, which is called with one step (and gives a float) or with an
integer array of steps (and gives a float64 array). It has no state: the same step always gives the
same rate, in whatever order the steps are asked for. A step is one *update*, not one epoch; the
first update is step 0. The signature of a factory says what its arguments may be: `lr: Positive`,
`alpha: Share` (0 to 1), `decay_steps: Count` (1 or more); anything else is an error that names it.

The families that only decay are in `decays.py`, what a schedule is in `schedule.py`, the one that
watches a metric in `plateau.py`; here are those that rise, ways to combine, and PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from course_utils import validate
from course_utils.decays import cosine as cosine
from course_utils.decays import cosine_restarts as cosine_restarts
from course_utils.decays import exponential as exponential
from course_utils.decays import inverse_sqrt as inverse_sqrt
from course_utils.decays import inverse_time as inverse_time
from course_utils.decays import linear_cosine as linear_cosine
from course_utils.decays import natural_exponential as natural_exponential
from course_utils.decays import noisy_linear_cosine as noisy_linear_cosine
from course_utils.decays import polynomial as polynomial
from course_utils.decays import step_decay as step_decay
from course_utils.plateau import ReduceOnPlateau as ReduceOnPlateau
from course_utils.schedule import FAMILIES as FAMILIES
from course_utils.schedule import Law, Rates, family, half_cosine
from course_utils.schedule import Schedule as Schedule
from course_utils.schedule import anneal as _anneal
from course_utils.schedule import as_schedule as as_schedule
from course_utils.schedule import constant as constant
from course_utils.validate import AtLeastOne, Count, CountOrZero, Flag, NonNegative, Positive, Share

if TYPE_CHECKING:
    import torch


# -------------------------------------------------- schedules that rise: cyclic, one-cycle, WSD


@family
def triangular(lr_min: NonNegative, lr_max: Positive, step_size: Count) -> Law:
    r"""Up and down in straight lines: :math:`\eta_t = \eta_{min} + (\eta_{max}-\eta_{min})(1-|x|)`.

    :math:`x = (t \bmod 2s)/s - 1`. It starts at `lr_min`, is at `lr_max` at t = s, 3s, 5s, ... and
    goes on for ever. PyTorch's `CyclicLR` (mode "triangular") is the same, but also moves the
    momentum unless `cycle_momentum=False`. Smith, arXiv 1506.01186.

    >>> triangular(0.0, 1.0, 4)(np.arange(9))
    array([0.  , 0.25, 0.5 , 0.75, 1.  , 0.75, 0.5 , 0.25, 0.  ])
    """
    if lr_max <= lr_min:
        raise ValueError(f"lr_max must be greater than lr_min = {lr_min!r}, got {lr_max!r}")

    def rate(t: np.ndarray) -> np.ndarray:
        x = np.mod(t, 2 * step_size) / step_size - 1
        return _anneal(lr_min, lr_max, 1 - np.abs(x))

    formula = (
        r"\eta_t = \eta_{min} + (\eta_{max} - \eta_{min})"
        r"\left(1 - \left|\frac{t \bmod 2s}{s} - 1\right|\right)"
    )
    return Law(formula, rate)


_RISES: dict[str, tuple[str, Rates]] = {
    "cos": (r"\frac{1}{2}(1 - \cos \pi f)", lambda f: 0.5 * (1 - np.cos(np.pi * f))),
    "linear": ("f", lambda f: f),
}


@family
def one_cycle(
    lr_max: Positive,
    total_steps: Annotated[int, lambda name, value: validate.integer(name, value, minimum=2)],
    warmup_fraction: Share = 0.3,
    div_factor: AtLeastOne = 25.0,
    final_div_factor: AtLeastOne = 1e4,
    anneal: Annotated[str, lambda name, value: validate.one_of(name, value, _RISES)] = "cos",
) -> Law:
    r"""One rise to `lr_max` and one fall to almost nothing, :math:`\eta = a + (b - a) h(f)`.

    From a = lr_max / div_factor up to lr_max at step warmup_fraction * total_steps - 1, then down
    to lr_max / (div_factor * final_div_factor) at step total_steps - 1; f is the fraction of the
    phase that has passed, h(f) = f or :math:`\frac{1}{2}(1-\cos \pi f)`. Past the end the rate
    stays; PyTorch's `OneCycleLR`, otherwise equal (with its two phases), extrapolates one step
    and then raises, and moves the momentum too. Smith & Topin, arXiv 1708.07120.

    >>> one_cycle(0.1, total_steps=100)([0, 29, 99]).round(7)
    array([4.e-03, 1.e-01, 4.e-07])
    """
    first, last = lr_max / div_factor, lr_max / div_factor / final_div_factor
    peak, end = warmup_fraction * total_steps - 1, total_steps - 1
    formula, h = _RISES[anneal]

    def rate(t: np.ndarray) -> np.ndarray:
        t = np.minimum(t, end)
        up = t / peak if peak > 0 else np.ones_like(t)
        down = (t - peak) / (end - peak) if peak < end else np.zeros_like(t)
        return np.where(t < peak, _anneal(first, lr_max, h(up)), _anneal(lr_max, last, h(down)))

    return Law(r"\eta_t = a + (b - a)\, h(f),\quad h(f) = " + formula, rate)


_FALLS: dict[str, tuple[str, Rates]] = {  # of what is left of the cool-down, 1 - u
    "linear": (r"\frac{W + S + D - t}{D}", lambda left: left),
    "cosine": (r"\frac{1}{2}(1 + \cos \pi u)", lambda left: half_cosine(1 - left)),
    "1-sqrt": (r"1 - \sqrt{u}", lambda left: 1 - np.sqrt(1 - left)),
    "square": ("1 - u^2", lambda left: 1 - (1 - left) ** 2),
}


@family
def warmup_stable_decay(
    lr: Positive,
    warmup_steps: CountOrZero,
    stable_steps: CountOrZero,
    decay_steps: CountOrZero,
    shape: Annotated[str, lambda name, value: validate.one_of(name, value, _FALLS)] = "linear",
) -> Law:
    r"""A trapezoid (WSD): W steps up from 0 to `lr`, S steps at `lr`, D steps down to 0.

    :math:`\eta_t/\eta_0 = t/W`, then 1, then a cool-down of :math:`u = (t-W-S)/D`, then 0. Its
    shape is "linear" :math:`1-u`, "cosine" :math:`\frac{1}{2}(1+\cos \pi u)`, "1-sqrt"
    :math:`1-\sqrt u` or "square" :math:`1-u^2`. Unlike a cosine, the stable phase need not know how
    long the run will be. If W is not 0, update 0 has rate 0 and changes nothing.

    Source: Hu et al. (MiniCPM), arXiv 2404.06395; Hägele et al., arXiv 2405.18392.

    >>> warmup_stable_decay(1.0, 2, 3, 4)(np.arange(10))
    array([0.  , 0.5 , 1.  , 1.  , 1.  , 1.  , 0.75, 0.5 , 0.25, 0.  ])
    """
    W, S, D = warmup_steps, stable_steps, decay_steps
    formula, fall = _FALLS[shape]

    def rate(t: np.ndarray) -> np.ndarray:
        up = t / W if W else np.ones_like(t)
        left = (W + S + D - t) / D if D else 1.0 * (t < W + S)
        return lr * np.minimum(np.clip(up, 0, 1), fall(np.clip(left, 0, 1)))

    formula = rf"\eta_t = \eta_0 \min\left(\frac{{t}}{{W}},\ 1,\ {formula}\right)"
    return Law(formula + r"\quad(0 \text{ past the end})", rate)


# ------------------------------------------------------------------- your own, and ways to combine


def _boundaries(minimum: int) -> Callable[[str, Any], list[int]]:
    def check(name: str, value: Any) -> list[int]:
        listed = enumerate(validate.sequence(name, value))
        steps = [validate.integer(f"{name}[{i}]", step, minimum) for i, step in listed]
        if any(later <= earlier for earlier, later in zip(steps, steps[1:])):
            raise ValueError(f"{name} must increase, got {steps!r}")
        return steps

    return check


def _rates(name: str, value: Any) -> list[float]:
    listed = enumerate(validate.sequence(name, value))
    return [validate.nonnegative(f"{name}[{i}]", rate) for i, rate in listed]


def _schedules(name: str, value: Any) -> list[Schedule]:
    listed = enumerate(validate.sequence(name, value))
    return [as_schedule(schedule, f"{name}[{i}]") for i, schedule in listed]


def _one_item_more(name: str, values: Sequence[Any], boundaries: Sequence[int]) -> None:
    if len(values) != len(boundaries) + 1:
        raise ValueError(
            f"{name} must have one item more than boundaries, "
            f"got {len(values)} {name} for {len(boundaries)} boundaries"
        )


@family
def piecewise_constant(
    boundaries: Annotated[Sequence[int], _boundaries(0)],
    values: Annotated[Sequence[float], _rates],
) -> Law:
    r"""Return one constant rate per interval: :math:`\eta_t = v_i` for :math:`b_{i-1} < t \le b_i`.

    n increasing boundaries, n + 1 rates of 0 or more. As in `tf.compat.v1.train`, at a boundary the
    *old* rate still holds: with `boundaries=[100]` the first 101 updates (0 to 100) use the first
    value. PyTorch's `MultiStepLR` and optax change *at* the boundary, one update earlier.

    >>> piecewise_constant([50, 100], [0.1, 0.05, 0.01])([0, 50, 51, 100, 101])
    array([0.1 , 0.1 , 0.05, 0.05, 0.01])
    """
    _one_item_more("values", values, boundaries)

    def rate(t: np.ndarray) -> np.ndarray:
        interval = np.searchsorted(boundaries, t, side="left")  # "left": b itself is before b
        return np.array(values)[interval]

    return Law(r"\eta_t = v_i \quad\text{for}\quad b_{i-1} < t \le b_i", rate)


@family
def custom(
    function: Callable[[Any], Any],
    name: validate.Text = "custom",
    formula: validate.Text = r"\eta_t = f(t)",
    vectorized: Flag = False,
) -> Law:
    r"""Make a schedule of your own function: :math:`\eta_t = f(t)`.

    Args:
        function: from the step (an int) to the rate; it must not depend on anything else.
        name: what a legend says.
        formula: LaTeX, without dollar signs.
        vectorized: the function takes an int64 array of steps and gives an array of rates; faster
            by far, but a function with an `if` in it cannot do that.

    Example:
        >>> schedule = custom(lambda t: 0.01 * 0.6**t, name="0.01 · 0.6^t")
        >>> schedule([0, 1, 2])
        array([0.01  , 0.006 , 0.0036])
    """
    if not callable(function):
        raise TypeError(f"function must be callable, got {function!r}")

    def one(step: int) -> float:
        return validate.finite(f"the rate of {name} at step {step}", function(step))

    def rate(t: np.ndarray) -> np.ndarray:
        steps = t.astype(np.int64)
        if not vectorized:
            return np.array([one(int(step)) for step in steps.flat]).reshape(steps.shape)
        rates = function(steps)
        return validate.array(f"the rates of {name}", rates, shape=steps.shape, finite=False)

    return Law(formula, rate, name)


@family
def with_warmup(
    schedule: Annotated[float | Schedule, lambda name, value: as_schedule(value, name)],
    warmup_steps: CountOrZero,
    start_factor: Share = 0.0,
) -> Law:
    r"""Rise in a straight line to the start of `schedule`, then follow it from *its* step 0.

    :math:`\eta_t = s_0\,[f + (1-f)\,t/W]` for t < W and :math:`s_{t-W}` from t = W on. With
    `start_factor=0`, as in Keras and optax, update 0 has rate 0 and changes nothing. The common
    rule :math:`\min(1, (t+1)/n)` is `warmup_steps=n - 1, start_factor=1 / n`. PyTorch's
    `LinearLR` (in `SequentialLR`) starts at a third by default and refuses 0.

    Source: Goyal et al., arXiv 1706.02677, §2.2.

    >>> with_warmup(0.1, 4)(np.arange(6))
    array([0.   , 0.025, 0.05 , 0.075, 0.1  , 0.1  ])
    """
    after, W, f = as_schedule(schedule), warmup_steps, start_factor
    peak = after(0)

    def rate(t: np.ndarray) -> np.ndarray:
        rise = peak * (f + (1 - f) * t / max(W, 1))
        return np.where(t < W, rise, after(np.maximum(t - W, 0)))

    formula = r"\eta_t = s_0\left[f + (1-f)\frac{t}{W}\right]\ (t < W),\quad s_{t-W}\ (t \ge W)"
    return Law(formula, rate, f"warm-up, then {after.name}")


@family
def join(
    schedules: Annotated[Sequence[float | Schedule], _schedules],
    boundaries: Annotated[Sequence[int], _boundaries(1)],
) -> Law:
    r"""Follow one schedule after another: :math:`\eta_t = s_i(t - b_{i-1}),\ b_{i-1}\le t<b_i`.

    n + 1 schedules or numbers, n increasing boundaries. Each starts at *its* step 0 *at* its
    boundary, as in PyTorch's `SequentialLR` and optax's `join_schedules` (and unlike
    `piecewise_constant`, where the old rate holds at the boundary).

    >>> join([0.1, exponential(0.1, 1, 0.5)], boundaries=[3])(np.arange(6))
    array([0.1  , 0.1  , 0.1  , 0.1  , 0.05 , 0.025])
    """
    _one_item_more("schedules", schedules, boundaries)
    parts = [as_schedule(schedule) for schedule in schedules]

    def rate(t: np.ndarray) -> np.ndarray:
        part, rates = np.searchsorted(boundaries, t, side="right"), np.empty_like(t)
        for i, (schedule, start) in enumerate(zip(parts, [0, *boundaries])):
            rates[part == i] = schedule(t[part == i] - start)
        return rates

    formula = r"\eta_t = s_i(t - b_{i-1}) \quad\text{for}\quad b_{i-1} \le t < b_i"
    return Law(formula, rate, ", then ".join(part.name for part in parts))


def to_torch(
    schedule: float | Schedule,
    optimizer: torch.optim.Optimizer,
    factors: Sequence[float] | None = None,
    step: int = 0,
) -> torch.optim.lr_scheduler.LambdaLR:
    """Return a PyTorch scheduler: the rate used at update t is exactly `schedule(t)`.

    Drive it as usual, `optimizer.step()` and then `scheduler.step()` after *every update* (not
    epoch). The optimizer's own `lr` is overwritten, now and for good. To resume, make both anew
    and then load both states, the optimizer's last.

    Args:
        schedule: a schedule, or a number for a constant rate.
        optimizer: any `torch.optim` optimizer.
        factors: what the rate of each parameter group is multiplied by; without them all groups
            must come with one rate. A group that was added later needs a new scheduler.
        step: the update to begin with.

    Source: `torch.optim.lr_scheduler.LambdaLR`.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=123.0)
        >>> scheduler = to_torch(polynomial(1.0, 4, end_lr=0.0), optimizer)
        >>> used = []
        >>> for t in range(4):
        ...     used += [optimizer.param_groups[0]["lr"]]
        ...     optimizer.step()
        ...     scheduler.step()
        >>> used
        [1.0, 0.75, 0.5, 0.25]
    """
    from torch.optim import Optimizer  # torch takes a second to import
    from torch.optim.lr_scheduler import LambdaLR

    rate = as_schedule(schedule, "schedule")
    groups = validate.instance("optimizer", optimizer, Optimizer, "of torch.optim").param_groups
    step = validate.integer("step", step, minimum=0)
    count, own = len(groups), [float(group["lr"]) for group in groups]
    if factors is None and len(set(own)) > 1:
        raise ValueError(
            f"factors must be given for parameter groups of different rates {own}: one number for "
            f"each group, which multiplies the schedule ({[1.0] * count} gives all the same rate)"
        )
    listed = [1.0] * count if factors is None else _rates("factors", factors)
    if len(listed) != count:
        raise ValueError(f"factors must be {count}, one per parameter group, got {listed}")

    def follow(factor: float) -> Callable[[int], float]:
        def lr(t: int) -> float:
            if len(optimizer.param_groups) != count:
                raise ValueError(
                    f"optimizer has {len(optimizer.param_groups)} parameter groups, and had "
                    f"{count} when to_torch was called; after add_param_group call it again: "
                    f"to_torch(schedule, optimizer, factors=[...], step={t})"
                )
            return factor * rate(t)

        return lr  # a plain function: the state of a callable object would be in the state_dict

    for group in groups:
        group["lr"] = group["initial_lr"] = 1.0  # LambdaLR multiplies by it: 1 keeps every bit
    return LambdaLR(optimizer, [follow(factor) for factor in listed], last_epoch=step - 1)


# doctest looks behind a decorator only where it is told to.
__test__ = {name: value for name, value in globals().items() if hasattr(value, "__wrapped__")}
