"""Checks of arguments: each returns the clean value or says what was wrong and what is allowed.

Every message names the argument, shows the value and states what is allowed, and every public
function of the course calls these before it does any work.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import Any

import numpy as np


def finite(name: str, value: Any) -> float:
    """Return `value` as a float if it is a finite real number.

    >>> finite("lr", 0.1)
    0.1
    >>> finite("lr", float("nan"))
    Traceback (most recent call last):
        ...
    ValueError: lr must be a finite number, got nan
    """
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

    >>> positive("lr", -0.1)
    Traceback (most recent call last):
        ...
    ValueError: lr must be greater than 0, got -0.1
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
    number = finite(name, value)
    if number < 0:
        raise ValueError(f"{name} must be 0 or greater, got {number!r}")
    return number


def between(name: str, value: Any, low: float, high: float, *, open_high: bool = False) -> float:
    """Return `value` as a float if low <= value <= high (value < high if `open_high`).

    >>> between("momentum", 1.5, 0, 1, open_high=True)
    Traceback (most recent call last):
        ...
    ValueError: momentum must be in [0, 1), got 1.5
    """
    number = finite(name, value)
    if number < low or number > high or (open_high and number == high):
        raise ValueError(
            f"{name} must be in [{low}, {high}{')' if open_high else ']'}, got {number!r}"
        )
    return number


def integer(name: str, value: Any, minimum: int | None = None) -> int:
    """Return `value` as an int if it is a whole number (3 or 3.0) and at least `minimum`.

    >>> integer("steps", 2.5)
    Traceback (most recent call last):
        ...
    TypeError: steps must be an integer, got 2.5
    """
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    whole = isinstance(value, Integral) or (isinstance(value, Real) and float(value).is_integer())
    if not whole:
        raise TypeError(f"{name} must be an integer, got {value!r}")
    number = int(value)
    if minimum is not None and number < minimum:
        raise ValueError(f"{name} must be {minimum} or greater, got {number!r}")
    return number


def one_of(name: str, value: Any, allowed: Collection[Any]) -> Any:
    """Return `value` if it is one of `allowed`.

    >>> one_of("activation", "sigmoid", ("relu", "tanh"))
    Traceback (most recent call last):
        ...
    ValueError: activation must be one of 'relu', 'tanh', got 'sigmoid'
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
) -> np.ndarray:
    """Return `value` as a float64 array if it is numeric, finite and of the given shape.

    `None` in `shape` allows any length along that axis.

    >>> array("start", [1, 2], shape=(3,))
    Traceback (most recent call last):
        ...
    ValueError: start must have shape (3,), got (2,)
    """
    try:
        result = np.asarray(value)
    except (TypeError, ValueError) as error:  # a ragged list
        raise TypeError(f"{name} must be an array of numbers, got {value!r}") from error
    if result.dtype.kind not in "iuf":  # "1" and 1j would pass the conversion to float
        raise TypeError(f"{name} must be an array of numbers, got {value!r}")
    result = result.astype(np.float64, copy=False)
    if ndim is not None and result.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension(s), got shape {result.shape}")
    if shape is not None and (
        result.ndim != len(shape)
        or any(want is not None and want != have for want, have in zip(shape, result.shape))
    ):
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape)
        wanted += ",)" if len(shape) == 1 else ")"
        raise ValueError(f"{name} must have shape {wanted}, got {result.shape}")
    if not np.isfinite(result).all():
        raise ValueError(f"{name} must contain finite numbers only, got {value!r}")
    return result
