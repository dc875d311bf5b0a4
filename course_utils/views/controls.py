"""The controls of explorers: sliders over numbers that stay exact, and menus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isclose
from numbers import Real
from typing import Any

import ipywidgets as widgets
import numpy as np

from course_utils import validate

RATE = "learning rate η"


def rates_between(low: float, high: float) -> list[float]:
    """Return all rates of two digits from `low` to `high`: 0.010, 0.011, ..., 0.99, 1.0, 1.1, ...

    Example:
        >>> rates_between(0.098, 0.12)
        [0.098, 0.099, 0.1, 0.11, 0.12]
    """
    low, high = validate.positive("low", low), validate.positive("high", high)
    if low >= high:
        raise ValueError(f"low must be below high = {high}, got {low}")
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    rates = (float(f"{digits}e{decade - 1}") for decade in decades for digits in range(10, 100))
    return [rate for rate in rates if low <= rate <= high]


def choice_slider(
    options: Sequence[float], value: float, description: str, labels: Sequence[Any] | None = None
) -> widgets.SelectionSlider:
    """Return a slider over the given numbers, each of them exact; `labels` to show others.

    A `FloatLogSlider` would not do: the browser moves it to the nearest stop, so that 0.5, the
    rate of the single step, silently becomes 0.501.

    >>> slider = choice_slider([0.1, 0.2, 0.5], 0.2, "learning rate η")
    >>> slider.value, slider.index
    (0.2, 1)
    """
    options = _several("options", options)
    for option in options:
        validate.finite("options", option)
    labels = options if labels is None else _several("labels", labels)
    pairs = [(f"{label:.3g}", option) for label, option in zip(labels, options, strict=True)]
    value = _nearly("value", value, options)
    return widgets.SelectionSlider(options=pairs, value=value, description=description, **_wide())


def menu(options: Iterable[str], value: str, description: str) -> widgets.Dropdown:
    """Return a menu of texts.

    >>> menu(("SGD", "Adam"), "Adam", "optimizer").index
    1
    """
    options = _several("options", options)
    value = _nearly("value", value, options)
    return widgets.Dropdown(options=options, value=value, description=description, **_wide())


def _several(name: str, values: Any) -> list[Any]:
    values = validate.sequence(name, list(values) if isinstance(values, Mapping) else values)
    if not values:
        raise TypeError(f"{name} must be a list of at least one entry, got {values!r}")
    return values


def _wide() -> dict[str, Any]:
    layout = widgets.Layout(width="min(100%, 46em)")
    return {"style": {"description_width": "10em"}, "layout": layout}


def offered(name: str, control: widgets.Widget, value: Any) -> Any:
    """Return `value` as `control` offers it, or raise an error that says what it offers.

    >>> offered("lr", choice_slider([0.1, 0.3], 0.1, "rate"), 0.1 * 3)
    0.3
    """
    if hasattr(control, "options"):  # values, or pairs of a label and a value
        options = control.options
        return _nearly(name, value, [o[1] if isinstance(o, tuple) else o for o in options])
    if isinstance(control.value, bool):
        return bool(validate.one_of(name, value, (False, True)))
    if hasattr(control, "min"):
        number = validate.between(name, value, control.min, control.max)
        return validate.integer(name, number) if isinstance(control.value, int) else number
    return value


def _nearly(name: str, value: Any, options: Sequence[Any]) -> Any:
    """The option that `value` is, or is but for rounding."""
    for option in options:
        if isinstance(value, Real) and isinstance(option, Real):
            if isclose(value, option, rel_tol=1e-9, abs_tol=1e-12):
                return option
        elif value is option or (isinstance(value, str) and value == option):
            return option
    few = options if len(options) <= 12 else [*options[:2], ..., *options[-2:]]
    known = ", ".join("..." if option is ... else repr(option) for option in few)
    raise ValueError(f"{name} must be one of its {len(options)} options {known}, got {value!r}")
