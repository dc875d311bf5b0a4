"""Races: the count of steps against single runs and closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import views
from course_utils.descent import descend
from course_utils.lessons.lesson04.race import steps_to_arrive
from course_utils.optimizers import Adagrad, Adam, GradientDescent, RMSprop
from course_utils.problems import quadratic, shifted_square, slope

RULES = [GradientDescent(), GradientDescent(0.9), Adagrad(), RMSprop(alpha=0.9), Adam()]


def one_by_one(rule, problem, rates, steps, level):
    """The same count from one recorded run per rate."""
    arrived = []
    for lr in rates:
        loss = views.losses(descend(problem, rule, float(lr), steps))
        high = np.flatnonzero(~(loss < level))
        first = high[-1] + 1 if len(high) else 0
        arrived.append(first if first <= 0.9 * steps else math.inf)
    return arrived


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("rotation", [0, 30])
def test_counts_what_single_runs_show(rule, rotation):
    problem = quadratic([4.0, 0.5], start=[1.0, -3.0], rotation=rotation)
    rates = [0.003, 0.05, 0.3, 0.6, 3.0]
    together = steps_to_arrive(rule, problem, rates, steps=150, level=0.05)
    assert together.tolist() == one_by_one(rule, problem, rates, 150, 0.05)


@settings(max_examples=25, deadline=None)
@given(lr=st.floats(0.02, 0.98), level=st.floats(1e-8, 1e-2))
def test_agrees_with_the_closed_form_of_the_parabola(lr, level):
    # (w + 1)² = 36 (1 - 2 lr)^(2t) falls below the level at this t.
    shrink = abs(1 - 2 * lr)
    (steps,) = steps_to_arrive(GradientDescent(), shifted_square(), [lr], steps=1000, level=level)
    if shrink < 1e-3:
        assert steps <= 2
        return
    exact = math.log(level / 36) / (2 * math.log(shrink))
    assert abs(steps - math.ceil(exact)) <= (abs(exact - round(exact)) < 1e-6)


def test_a_start_below_the_level_needs_no_step_and_divergence_never_arrives():
    problem = quadratic([1.0])
    assert steps_to_arrive(GradientDescent(), problem, [0.5], start=[0.01], level=0.1) == 0
    assert steps_to_arrive(GradientDescent(), problem, [2.1], start=[0.01], level=0.1) == math.inf
    assert steps_to_arrive(GradientDescent(), problem, [1e200], level=0.1) == math.inf


def test_low_by_chance_at_the_end_is_not_arrival():
    # A slope falls below any level at last, but stays there for less than a tenth of the steps.
    assert steps_to_arrive(GradientDescent(), slope(1.0), [1.0], steps=10, level=1e-3) == 0
    late = steps_to_arrive(GradientDescent(), slope(1.0), [1.0], steps=10, level=1e-3, start=[9.5])
    assert late == math.inf


def test_is_reset_first_and_changes_nothing():
    rule, problem, rates = Adam(), quadratic([1.0]), np.array([0.1])
    first = steps_to_arrive(rule, problem, rates)
    assert (steps_to_arrive(rule, problem, rates) == first).all()
    assert rates.tolist() == [0.1] and problem.start.tolist() == [1.0]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"optimizer": "Adam"}, TypeError, "optimizer must be an Optimizer"),
        ({"problem": lambda w: w}, TypeError, "problem must be a Problem"),
        ({"rates": []}, ValueError, "rates must hold numbers greater than 0"),
        ({"rates": [0.1, -0.1]}, ValueError, "rates must hold numbers greater than 0"),
        ({"rates": 0.1}, ValueError, "rates must have 1 dimension"),
        ({"rates": [np.nan]}, ValueError, "rates must contain finite"),
        ({"rates": ["a"]}, TypeError, "rates must be an array"),
        ({"steps": 0}, ValueError, "steps must be 1 or greater"),
        ({"steps": 2.5}, TypeError, "steps must be an integer"),
        ({"level": 0}, ValueError, "level must be greater than 0"),
        ({"start": [1.0, 2.0]}, ValueError, "start must have shape"),
    ],
)
def test_bad_input(change, error, message):
    good = {"optimizer": Adam(), "problem": quadratic([1.0]), "rates": [0.1]}
    with pytest.raises(error, match=message):
        steps_to_arrive(**{**good, **change})
