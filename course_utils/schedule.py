r"""What a schedule is: a pure function of the step, :math:`t \mapsto \eta_t`, that knows its name.

The families are in `course_utils.schedules`, which exports all of this too.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, ParamSpec, overload

import numpy as np

from course_utils.validate import Positive, checks, integer, positive

P = ParamSpec("P")
Rates = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Schedule:
    r"""A learning rate for every step, :math:`t \mapsto \eta_t`; made by `course_utils.schedules`.

    Args:
        family: the name of the factory, e.g. "cosine_restarts".
        name: what a legend says, e.g. "cosine restarts".
        formula: LaTeX, without dollar signs.
        parameters: the arguments of the factory, so that `family` and `parameters` say it all:
            they make the `repr`, decide equality, and are what is pickled.
        rate: the formula, from a float64 array of steps to the array of rates.

    Example:
        >>> from course_utils.schedules import exponential
        >>> schedule = exponential(0.1, decay_steps=100, decay_rate=0.5)
        >>> schedule(0), schedule(100)
        (0.1, 0.05)
        >>> schedule(np.array([0, 100, 200]))
        array([0.1  , 0.05 , 0.025])
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
        """Return the rate of update `step` (int -> float, array of integers -> float64 array).

        A rate that is not finite is a ValueError that names its step.
        """
        t = _steps(step)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            rates = np.asarray(self.rate(t), dtype=np.float64)
        if not np.isfinite(rates).all():
            first = int(np.argmin(np.isfinite(rates)))
            raise ValueError(
                f"the rate of {self.name} at step {int(t.flat[first])} must be a finite number, "
                f"got {float(rates.flat[first])}"
            )
        return float(rates) if rates.ndim == 0 else rates

    def rates(self, steps: int) -> np.ndarray:
        """Return the rates of the first `steps` updates, shape (steps,).

        >>> from course_utils.schedules import polynomial
        >>> polynomial(1.0, 4, end_lr=0.0).rates(6)
        array([1.  , 0.75, 0.5 , 0.25, 0.  , 0.  ])
        """
        return self(np.arange(integer("steps", steps, minimum=0), dtype=np.int64))

    def area(self, steps: int) -> float:
        r"""Return the area under the schedule, :math:`\sum_{t < \text{steps}} \eta_t`.

        With small rates, runs of equal area end at nearly the same loss, whatever their shape.

        >>> from course_utils.schedules import polynomial
        >>> polynomial(1.0, 4, end_lr=0.0).area(4)
        2.5
        """
        return float(self.rates(steps).sum())

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.parameters.items())
        return f"{self.family}({arguments})"

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(FAMILIES[self.family], **self.parameters), ()


class Law(NamedTuple):
    """What the function behind a family returns: its formula twice, in LaTeX and in NumPy."""

    formula: str
    rate: Rates
    name: str = ""


FAMILIES: dict[str, Callable[..., Schedule]] = {}
"""Every factory by its name, in the order of `course_utils.schedules`."""


def family(function: Callable[P, Law]) -> Callable[P, Schedule]:
    """Make a factory of schedules of a function that returns a `Law`; its name names the family.

    The annotations of its arguments name their checks (`validate.checks`): the function gets clean
    values.

    Example:
        >>> from course_utils.schedules import cosine
        >>> inspect.signature(cosine).return_annotation
        <class 'course_utils.schedule.Schedule'>
    """
    signature, clean = inspect.signature(function), checks(function)
    law_of: Callable[..., Law] = function

    @functools.wraps(function)
    def factory(*args: P.args, **kwargs: P.kwargs) -> Schedule:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        arguments = given.arguments
        arguments |= {name: check(name, arguments[name]) for name, check in clean.items()}
        law = law_of(**arguments)
        name = law.name or function.__name__.replace("_", " ")
        return Schedule(function.__name__, name, law.formula, arguments, law.rate)

    signature = signature.replace(return_annotation=Schedule)
    factory.__signature__ = signature  # type: ignore[attr-defined]
    factory.__annotations__ = {**function.__annotations__, "return": Schedule}
    FAMILIES[function.__name__] = factory
    return factory


@family
def constant(lr: Positive) -> Law:
    r"""Return the schedule that never changes: :math:`\eta_t = \eta_0`.

    >>> constant(0.1)(1_000_000)
    0.1
    """
    return Law(r"\eta_t = \eta_0", lambda t: np.full_like(t, lr))


def as_schedule(rate: float | Schedule, name: str = "lr") -> Schedule:
    """Return `rate` itself if it is a `Schedule`, and a constant schedule if it is a number.

    Args:
        rate: of anything else, a TypeError says to wrap your own function in `custom`.
        name: what to call it in an error.

    Example:
        >>> as_schedule(0.1)
        constant(lr=0.1)
    """
    if isinstance(rate, Schedule):
        return rate
    if callable(rate):
        raise TypeError(
            f"{name} must be a number or a Schedule, got {rate!r}; use custom(function)"
        )
    return constant(positive(name, rate))


def anneal(start: Any, end: Any, done: Any) -> Any:
    """Go from `start` to `end`: `done` of the way, along whatever curve it follows.

    >>> anneal(0.5, 0.0, half_cosine(np.array([1.0, 0.5, 0.0])))
    array([0.5 , 0.25, 0.  ])
    """
    return start + (end - start) * done


def half_cosine(done: Any) -> Any:
    """Fall from 1 to 0 while `done` goes from 0 to 1, along half a cosine.

    >>> half_cosine(np.array([0.0, 0.5, 1.0]))
    array([1. , 0.5, 0. ])
    """
    return 0.5 * (1 + np.cos(np.pi * done))


def _steps(step: Any) -> np.ndarray:
    """Return the steps as a new float64 array, after checking that they are 0, 1, 2, ..."""
    try:
        masked = isinstance(step, np.ma.MaskedArray) and np.ma.is_masked(step)
        raw = np.asarray(None if masked else step)
    except ValueError:  # a ragged list
        raw = np.asarray(None)
    whole = raw.dtype.kind in "iu"
    if raw.dtype.kind == "f":
        whole = bool((np.isfinite(raw) & (raw == np.floor(raw))).all())
    if not whole:
        raise TypeError(f"step must be an integer or an array of integers, got {step!r}")
    if raw.size and raw.min() < 0:
        raise ValueError(f"step must be 0 or greater, got {raw.min().item()!r}")
    return raw.astype(np.float64)


__test__ = {"constant": constant}  # doctest looks behind a decorator only where it is told to
