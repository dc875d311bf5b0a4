"""Controls: numbers stay exact, and what a control does not offer is refused by name."""

from __future__ import annotations

import ipywidgets as widgets
import numpy as np
import pytest
from fakes import bare

from course_utils.views import controls


def test_rates_are_exact_numbers_of_two_digits():
    rates = controls.rates_between(0.001, 2)
    assert {0.001, 0.01, 0.2, 0.5, 0.99, 1.0, 2.0} <= set(rates)
    assert rates == sorted(set(rates))
    assert all(float(f"{rate:.2g}") == rate for rate in rates)


def test_the_last_digits_of_a_number_do_not_matter():
    assert controls.choice_slider(np.arange(0, 0.25, 0.05), 0.15, "x").index == 3
    explorer = bare(controls={"x": controls.choice_slider([0.1, 0.3], 0.1, "x")})
    explorer.set(x=0.1 * 3)
    assert explorer.values == {"x": 0.3}
    explorer.close()


def test_a_slider_can_show_other_numbers_than_it_has():
    slider = controls.choice_slider(range(3), 1, "rate", labels=[0.001, 0.01, 1 / 3])
    assert slider.value == 1 and type(slider.value) is int
    assert [label for label, _ in slider.options] == ["0.001", "0.01", "0.333"]


@pytest.mark.parametrize(
    ("control", "right", "wrong"),
    [
        (widgets.Checkbox(True), False, "no"),
        (widgets.IntSlider(3, 1, 9), 9, 10),
        (widgets.IntSlider(3, 1, 9), 4.0, 4.5),
        (widgets.FloatSlider(0.3, min=0, max=1), 1, float("nan")),
        (widgets.Dropdown(options=["a", "b"]), "b", "c"),
        (widgets.Dropdown(options=[("first", "a"), ("second", "b")]), "b", "second"),
        (controls.menu(("SGD", "Adam"), "SGD", "optimizer"), "Adam", ["Adam"]),
        (controls.choice_slider([0.1, 0.5], 0.1, "x"), 0.5, 0.3),
    ],
)
def test_a_control_says_what_it_offers(control, right, wrong):
    explorer = bare(controls={"x": control})
    explorer.set(x=right)
    assert explorer.values == {"x": right}
    with pytest.raises((ValueError, TypeError), match="^x must be"):
        explorer.set(x=wrong)
    with pytest.raises((ValueError, TypeError), match="^x must be"):
        explorer.static(x=wrong)
    assert explorer.values == {"x": right}
    explorer.close()


BAD = {
    "value must": lambda: controls.choice_slider([1, 2], 3, "x"),
    "options must": lambda: controls.choice_slider([float("nan")], 3, "x"),
    "low must be below": lambda: controls.rates_between(1, 0.1),
    "low must be greater": lambda: controls.rates_between(0, 1),
    "value must be one of its 1 options": lambda: controls.menu(["a"], "b", "x"),
}


@pytest.mark.parametrize("words", BAD)
def test_bad_input_is_refused_by_name(words):
    with pytest.raises(ValueError, match=words):
        BAD[words]()
