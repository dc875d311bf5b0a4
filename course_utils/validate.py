"""Checks of arguments: each returns the clean value or says what was wrong and what is allowed.

Every public function of the course calls these before it does any work; inner functions trust.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from functools import cache, partial
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import numpy as np
from numpy.typing import DTypeLike

T = TypeVar("T")
Check = Callable[[str, Any], Any]


def finite(name: str, value: Any) -> float:
    """Return `value` as a float if it is a finite real number (or an array of one, without axes).

    >>> finite("lr", np.array(1))
    1.0
    """
    value = _scalar(value)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r} ({type(value).__name__})")
    try:
        number = float(value)
    except OverflowError:  # an integer of more than 308 digits
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, got {number!r}")
    return number


def positive(name: str, value: Any) -> float:
    """Return `value` as a float if it is finite and greater than zero.

    >>> positive("lr", 1)
    1.0
    """
    number = finite(name, value)
    if number <= 0:
        raise ValueError(f"{name} must be greater than 0, got {number!r}")
    return number


def nonnegative(name: str, value: Any) -> float:
    """Return `value` as a float if it is finite and not negative.

    >>> nonnegative("momentum", 0)
    0.0
    """
    return _at_least(name, value, low=0)


def _at_least(name: str, value: Any, low: float) -> float:
    number = finite(name, value)
    if number < low:
        raise ValueError(f"{name} must be {low} or greater, got {number!r}")
    return number


def between(name: str, value: Any, low: float, high: float, *, open_high: bool = False) -> float:
    """Return `value` as a float if low <= value <= high (value < high if `open_high`).

    >>> between("momentum", 0.9, 0, 1, open_high=True)
    0.9
    """
    number = finite(name, value)
    if number < low or number > high or (open_high and number == high):
        end = ")" if open_high else "]"
        raise ValueError(f"{name} must be in [{low}, {high}{end}, got {number!r}")
    return number


def integer(name: str, value: Any, minimum: int | None = None) -> int:
    """Return `value` as an int if it is a whole number (3 or 3.0) and at least `minimum`.

    >>> integer("steps", 3.0)
    3
    """
    value = _scalar(value)
    whole = isinstance(value, Integral) or (isinstance(value, Real) and float(value).is_integer())
    if not whole or isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    number = int(value)
    if minimum is not None and number < minimum:
        raise ValueError(f"{name} must be {minimum} or greater, got {number!r}")
    return number


def boolean(name: str, value: Any) -> bool:
    """Return `value` as a bool if it is True or False; a number or a word is neither.

    >>> boolean("nesterov", np.True_)
    True
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def instance(name: str, value: Any, kind: type[T], such_as: str = "") -> T:
    """Return `value` if it is an instance of the class `kind`.

    >>> instance("text", "abc", str)
    'abc'
    """
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        allowed = f"{article} {kind.__name__} {such_as}".rstrip()
        raise TypeError(f"{name} must be {allowed}, got {value!r}")
    return value


def sequence(name: str, value: Any) -> list[Any]:
    """Return `value` as a list if it lists something: no text, no table, no single number.

    >>> sequence("boundaries", np.arange(1))
    [np.int64(0)]
    """
    try:
        if isinstance(value, (str, bytes, dict, set)):
            raise TypeError
        return list(value)
    except TypeError:
        raise TypeError(f"{name} must be a list, got {value!r}") from None


def each(check: Check, name: str, value: Any) -> list[Any]:
    """Return `value` as a list of what `check` makes of every item.

    >>> each(positive, "rates", [1, 2])
    [1.0, 2.0]
    """
    return [check(f"{name}[{i}]", item) for i, item in enumerate(sequence(name, value))]


def path(name: str, value: Any) -> Path:
    """Return `value` as a path if it names a file or a folder, whether or not there is one.

    >>> path("folder", "results").name
    'results'
    """
    if not isinstance(value, (str, PathLike)):
        raise TypeError(f"{name} must be a path, got {value!r}")
    return Path(value)


def one_of(name: str, value: T, allowed: Collection[Any]) -> T:
    """Return `value` if it is one of `allowed`.

    >>> one_of("activation", "tanh", ("relu", "tanh"))
    'tanh'
    """
    try:
        known = value in allowed
    except (TypeError, ValueError):  # unhashable, or an array, which has no single truth value
        known = False
    if not known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value


def array(
    name: str,
    value: Any,
    *,
    ndim: int | None = None,
    shape: tuple[int | None, ...] | None = None,
    finite: bool = True,
    keep: tuple[DTypeLike, ...] = (),
) -> np.ndarray:
    """Return `value` as a float64 array if it is numeric, finite and of the given shape.

    None in `shape` allows any length; arrays of a dtype in `keep` stay as they are.

    >>> array("start", [1, 2], shape=(2,))
    array([1., 2.])
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{name} must not have masked values (fill them first), got {value!r}")
    try:
        result = np.asarray(value)
    except (TypeError, ValueError) as error:  # a ragged list
        raise TypeError(f"{name} must be an array of numbers, got {value!r}") from error
    if result.dtype.kind not in "iuf":  # "1" and 1j would pass the conversion to float
        raise TypeError(f"{name} must be an array of numbers, got {value!r}")
    if result.dtype not in keep:
        result = result.astype(np.float64, copy=False)
    if ndim is not None and result.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension(s), got shape {result.shape}")
    if shape is not None:
        pairs = zip(shape, result.shape)
        if result.ndim != len(shape) or any(want not in (None, have) for want, have in pairs):
            wanted = str(shape).replace("None", "any")
            raise ValueError(f"{name} must have shape {wanted}, got {result.shape}")
    if finite and not np.isfinite(result).all():
        raise ValueError(f"{name} must contain finite numbers only, got {value!r}")
    return result


_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def floats(name: str, value: Any) -> np.ndarray:
    """Return `value` as an array of float32 or float64; it may hold infinities and NaN.

    >>> floats("w", [1, np.inf])
    array([ 1., inf])
    """
    if type(value) is np.ndarray and value.dtype in _FLOATS:
        return value  # the usual case, at every update of every run
    return array(name, value, finite=False, keep=_FLOATS)


# Kinds of arguments, so that `lr: Positive` in a signature is all that has to be said about one.
Positive = Annotated[float, positive]
NonNegative = Annotated[float, nonnegative]
AtLeastOne = Annotated[float, partial(_at_least, low=1)]
Share = Annotated[float, partial(between, low=0, high=1)]
BelowOne = Annotated[float, partial(between, low=0, high=1, open_high=True)]
Count = Annotated[int, partial(integer, minimum=1)]
CountOrZero = Annotated[int, partial(integer, minimum=0)]
Flag = Annotated[bool, boolean]
Text = Annotated[str, partial(instance, kind=str)]


@cache
def checks(signed: Any) -> dict[str, Check]:
    """Return the checks that the annotations of a function, or of the fields of a class, name.

    >>> def cosine(lr: Positive, name: str): ...
    >>> checks(cosine)["lr"]("lr", 1)
    1.0
    """
    hints = get_type_hints(signed, include_extras=True)
    kinds = {name: hint for name, hint in hints.items() if hasattr(hint, "__metadata__")}
    return {name: kind.__metadata__[0] for name, kind in kinds.items()}


def _scalar(value: Any) -> Any:
    """What an array without axes holds, such as `np.where` of a number gives."""
    plain = isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray)
    return value[()] if plain and value.ndim == 0 else value
