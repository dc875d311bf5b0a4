"""The cheat sheet says what the code does, covers everything, and is well formed."""

import inspect
import re

import numpy as np
import pytest

from course_utils import optimizers, schedules
from course_utils.course import cheat_sheet


def test_tables_are_well_formed():
    for table in cheat_sheet.cheat_sheet().tables:
        assert table.rows and all(len(row) == len(table.columns) for row in table.rows)
        assert not any("|" in cell or "\n" in cell for row in table.rows for cell in row)
        assert all(cell.count("$") % 2 == 0 for row in table.rows for cell in row)


def test_braces_of_formulas_are_balanced():
    for formula in re.findall(r"\$([^$]+)\$", repr(cheat_sheet.cheat_sheet())):
        assert formula.count("{") == formula.count("}")
        assert formula.count(r"\left") == formula.count(r"\right")


def table(heading):
    page = cheat_sheet.cheat_sheet()
    return next(table.rows for table in page.tables if table.heading.startswith(heading))


def test_every_schedule_and_every_rule_is_on_the_sheet():
    left_out = {"custom", "join"}  # no formula of their own
    assert {row[0] for row in table("Schedules")} == set(schedules.FAMILIES) - left_out
    rules = {
        name
        for name, value in vars(optimizers).items()
        if inspect.isclass(value) and issubclass(value, optimizers.Optimizer)
    }
    assert {row[0] for row in table("Update rules")} == rules - {"Optimizer"}


def test_defaults_are_those_of_the_objects():
    """Independent of signatures: the attributes of an object made with no arguments."""
    for name, _, defaults in table("Update rules"):
        rule = getattr(optimizers, name)()
        stated = dict(part.split(" = ") for part in defaults.split(", "))
        assert stated == {key: str(getattr(rule, key)) for key in stated}
    rows = {name: defaults for name, _, defaults in table("Schedules")}
    assert "alpha = 0.0" in rows["cosine"] and "t_mul = 2.0" in rows["cosine_restarts"]


def test_formulas_name_the_mathematics():
    rules = {name: formula for name, formula, _ in table("Update rules")}
    assert r"\sqrt{s_t}" in rules["Adagrad"] and r"\hat v_t" in rules["Adam"]
    assert all(formula.startswith("$") and len(formula) > 8 for formula in rules.values())


RULES = {
    "gradient descent": lambda lr: np.array([[1 - lr, 0.0], [0.0, 0.0]]),
    # columns: w and the velocity v; the gradient of w²/2 is w
    "momentum (heavy ball)": lambda lr: np.array([[1 - lr, -0.9 * lr], [1.0, 0.9]]),
    "Nesterov": lambda lr: np.array([[1 - 1.9 * lr, -0.81 * lr], [1.0, 0.9]]),
    "Adam": lambda lr: np.array([[1 - 0.1 * lr, -0.9 * lr], [0.1, 0.9]]),
}


@pytest.mark.parametrize(("name", "limit"), [(n, x) for n, _, x in cheat_sheet.limits_of(1.0)])
def test_limits_are_where_the_spectral_radius_passes_one(name, limit):
    radius = {f: abs(np.linalg.eigvals(RULES[name](f * limit))).max() for f in (0.999, 1.001)}
    assert radius[0.999] < 1 < radius[1.001]


def test_limits_scale_with_the_curvature():
    ones, fours = cheat_sheet.limits_of(1.0), cheat_sheet.limits_of(4.0)
    np.testing.assert_allclose([x for *_, x in ones], [4 * x for *_, x in fours])
    with pytest.raises(ValueError, match="curvature"):
        cheat_sheet.limits_of(0.0)
    with pytest.raises(ValueError, match="beta"):
        cheat_sheet.limits_of(1.0, beta=1.0)
