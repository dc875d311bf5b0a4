r"""What a schedule is, a pure function of the step :math:`t \mapsto \eta_t`; ways to combine some.

The families are in `course_utils.schedules`, which exports all of this.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, ParamSpec, overload

import numpy as np

from course_utils import validate
from course_utils.validate import CountOrZero, Flag, Positive, Share

if TYPE_CHECKING:
    import torch

P = ParamSpec("P")
Rates = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Schedule:
    r"""A learning rate for every step; `family` and `parameters` say it all.

    They decide equality. `name` is for a legend, `formula` is LaTeX without dollar signs, `rate`
    goes from a float64 array of steps to the rates.

    >>> from course_utils.schedules import exponential
    >>> schedule = exponential(0.1, decay_steps=100, decay_rate=0.5)
    >>> schedule(100), schedule(np.array([0, 100, 200]))
    (0.05, array([0.1  , 0.05 , 0.025]))
    >>> schedule
    exponential(lr=0.1, decay_steps=100, decay_rate=0.5, staircase=False)
    """

    family: str
    name: str
    formula: str
    parameters: dict[str, Any] = field(hash=False)
    rate: Rates = field(compare=False, repr=False)

    @overload
    def __call__(self, step: int) -> float: ...
    @overload
    def __call__(self, step: Sequence[int] | np.ndarray) -> np.ndarray: ...
    def __call__(self, step: int | Sequence[int] | np.ndarray) -> float | np.ndarray:
        """Return the rate of update `step` (int -> float, array of integers -> float64 array)."""
        t = _steps(step)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            rates = np.asarray(self.rate(t), dtype=np.float64)
        if not np.isfinite(rates).all():
            first = int(np.argmin(np.isfinite(rates)))
            where, rate = f"{self.name} at step {int(t.flat[first])}", float(rates.flat[first])
            raise ValueError(f"the rate of {where} must be a finite number, got {rate}")
        return float(rates) if rates.ndim == 0 else rates

    def rates(self, steps: int) -> np.ndarray:
        """Return the rates of the first `steps` updates, shape (steps,)."""
        return self(np.arange(validate.integer("steps", steps, minimum=0), dtype=np.int64))

    def area(self, steps: int) -> float:
        r"""Return the area under the schedule, :math:`\sum_{t < \text{steps}} \eta_t`."""
        return float(self.rates(steps).sum())

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.parameters.items())
        return f"{self.family}({arguments})"

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(FAMILIES[self.family], **self.parameters), ()


def _steps(step: Any) -> np.ndarray:
    """Return the steps as a new float64 array, after checking that they are 0, 1, 2, ..."""
    try:
        t = np.array(validate.array("step", step))
    except (TypeError, ValueError):
        t = np.array(np.nan)
    if (t != np.floor(t)).any():
        raise TypeError(f"step must be an integer or an array of integers, got {step!r}")
    if t.size and t.min() < 0:
        raise ValueError(f"step must be 0 or greater, got {t.min():.0f}")
    return t


class Law(NamedTuple):
    """What the function behind a family returns: its formula twice, in LaTeX and in NumPy."""

    formula: str
    rate: Rates
    name: str = ""


FAMILIES: dict[str, Callable[..., Schedule]] = {}
"""Every factory by its name."""


def family(function: Callable[P, Law]) -> Callable[P, Schedule]:
    """Make a factory of schedules of a function that returns a `Law`; its name names the family.

    The annotations of its arguments name their checks.

    >>> constant(lr=1)
    constant(lr=1.0)
    """
    signature, checks = inspect.signature(function), validate.checks(function)
    law_of: Callable[..., Law] = function

    @functools.wraps(function)
    def factory(*args: P.args, **kwargs: P.kwargs) -> Schedule:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        arguments = given.arguments
        arguments |= {name: check(name, arguments[name]) for name, check in checks.items()}
        law = law_of(**arguments)
        name = law.name or function.__name__.replace("_", " ")
        return Schedule(function.__name__, name, law.formula, arguments, law.rate)

    signature = signature.replace(return_annotation=Schedule)
    factory.__signature__ = signature  # type: ignore[attr-defined]
    factory.__annotations__ = {**function.__annotations__, "return": Schedule}
    FAMILIES[function.__name__] = factory
    # doctest looks behind a decorator only where it is told to.
    function.__globals__.setdefault("__test__", {})[function.__name__] = factory
    return factory


@family
def constant(lr: Positive) -> Law:
    r"""Return the schedule that never changes: :math:`\eta_t = \eta_0`.

    >>> constant(0.1)(1_000_000)
    0.1
    """
    return Law(r"\eta_t = \eta_0", lambda t: np.full_like(t, lr))


def as_schedule(rate: float | Schedule, name: str = "lr") -> Schedule:
    """Return `rate` itself if it is a `Schedule`, a constant one if a number; `name` is for errors.

    >>> as_schedule(0.1)
    constant(lr=0.1)
    """
    if isinstance(rate, Schedule):
        return rate
    if callable(rate):
        wanted = "a number or a Schedule"
        raise TypeError(f"{name} must be {wanted}, got {rate!r}; use custom(function)")
    return constant(validate.positive(name, rate))


def _boundaries(minimum: int) -> validate.Check:
    def check(name: str, value: Any) -> list[int]:
        steps = validate.each(lambda n, v: validate.integer(n, v, minimum), name, value)
        if any(later <= earlier for earlier, later in zip(steps, steps[1:])):
            raise ValueError(f"{name} must increase, got {steps!r}")
        return steps

    return check


def _rates(name: str, value: Any) -> list[float]:
    return validate.each(validate.nonnegative, name, value)


def _one_item_more(name: str, values: Sequence[Any], boundaries: Sequence[int]) -> None:
    if (n := len(values)) != (b := len(boundaries)) + 1:
        what = f"got {n} {name} for {b} boundaries"
        raise ValueError(f"{name} must have one item more than boundaries, {what}")


@family
def piecewise_constant(
    boundaries: Annotated[Sequence[int], _boundaries(0)],
    values: Annotated[Sequence[float], _rates],
) -> Law:
    r"""Return one constant rate per interval: :math:`\eta_t = v_i` for :math:`b_{i-1} < t \le b_i`.

    At a boundary the *old* rate still holds: with `boundaries=[100]` the first 101 updates (0 to
    100) use the first value.

    >>> piecewise_constant([50, 100], [0.1, 0.05, 0.01])([0, 50, 51, 100, 101])
    array([0.1 , 0.1 , 0.05, 0.05, 0.01])
    """
    _one_item_more("values", values, boundaries)
    rates = np.array(values)  # side="left": the boundary itself is before it
    return Law(
        r"\eta_t = v_i \quad\text{for}\quad b_{i-1} < t \le b_i",
        lambda t: rates[np.searchsorted(boundaries, t, side="left")],
    )


@family
def custom(
    function: Callable[[Any], Any],
    name: validate.Text = "custom",
    formula: validate.Text = r"\eta_t = f(t)",
    vectorized: Flag = False,
) -> Law:
    r"""Make a schedule of your own function: :math:`\eta_t = f(t)`.

    It goes from the step (an int) to the rate and depends on nothing else; if `vectorized`, which
    is faster by far, from an int64 array of steps to an array.

    >>> custom(lambda t: 0.01 * 0.6**t, name="0.01 · 0.6^t")([0, 1, 2])
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
    `start_factor=0`, as in Keras and optax, update 0 changes nothing; :math:`\min(1, (t+1)/n)`, a
    common rule, is `warmup_steps=n - 1, start_factor=1 / n`. Goyal et al., 1706.02677, §2.2.

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


def _schedules(name: str, value: Any) -> list[Schedule]:
    return validate.each(lambda n, v: as_schedule(v, n), name, value)


@family
def join(
    schedules: Annotated[Sequence[float | Schedule], _schedules],
    boundaries: Annotated[Sequence[int], _boundaries(1)],
) -> Law:
    r"""Follow one schedule after another: :math:`\eta_t = s_i(t - b_{i-1}),\ b_{i-1}\le t<b_i`.

    Each starts at *its* step 0 *at* its boundary (unlike in `piecewise_constant`).

    >>> join([0.1, 0.05], boundaries=[3])(np.arange(5))
    array([0.1 , 0.1 , 0.1 , 0.05, 0.05])
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
    epoch); `step` is the update to begin with. The optimizer's own `lr` is overwritten for good.
    `factors` multiply the rates of the parameter groups, one each; without them all groups must
    come with one rate. To resume, make both anew and then load both states, the optimizer's last.

    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=123.0)
    >>> scheduler = to_torch(0.5, optimizer)
    >>> optimizer.param_groups[0]["lr"]
    0.5
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
            if (now := len(optimizer.param_groups)) != count:
                raise ValueError(
                    f"optimizer has {now} parameter groups, and had {count} when to_torch was "
                    "called; after add_param_group call it again: "
                    f"to_torch(schedule, optimizer, factors=[...], step={t})"
                )
            return factor * rate(t)

        return lr  # a plain function: the state of a callable object would be in the state_dict

    for group in groups:
        group["lr"] = group["initial_lr"] = 1.0  # LambdaLR multiplies by it: 1 keeps every bit
    return LambdaLR(optimizer, [follow(factor) for factor in listed], last_epoch=step - 1)
