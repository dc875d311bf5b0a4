"""Every shape goes from its peak to its end, and by the way that its name says."""

from __future__ import annotations

import numpy as np
import pytest

from course_utils.lessons.lesson03.shapes import SHAPES

T = 210


@pytest.mark.parametrize("end", [0.001, 0.1, 1.0])
@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_starts_at_its_peak_and_ends_at_its_end(name: str, end: float) -> None:
    rates = SHAPES[name](0.4, end, T)(np.arange(T + 1))
    assert rates[0] == rates.max() == pytest.approx(0.4)
    assert rates.min() >= 0.4 * end * (1 - 1e-9)
    if name == "cosine restarts":  # at T its fourth cosine begins
        assert rates[T - 1] == pytest.approx(0.4 * end, abs=1e-3)
    elif name != "constant":
        assert rates[T] == pytest.approx(0.4 * end)


@pytest.mark.parametrize(
    ("name", "middle"),
    [
        ("piecewise constant", np.sqrt(0.1)),  # after the first of two equal drops
        ("exponential", np.sqrt(0.1)),
        ("inverse time", 2 / 11),  # half of the way in 1 / rate: (1 + 10) / 2
        ("linear", 0.55),
        ("polynomial, power 2", 0.1 + 0.9 / 4),
        ("cosine", 0.55),
        ("hold, then linear", 1.0),
        ("linear cosine", 0.1 + 0.9 / 4),  # half a line times half a cosine
    ],
)
def test_in_the_middle_a_shape_is_where_its_formula_says(name: str, middle: float) -> None:
    assert SHAPES[name](1.0, 0.1, T)(T // 2) == pytest.approx(middle)


def test_the_restarts_come_after_one_and_three_sevenths() -> None:
    rates = SHAPES["cosine restarts"](1.0, 0.1, T).rates(T)
    assert (np.flatnonzero(np.diff(rates) > 0) + 1).tolist() == [30, 90]
