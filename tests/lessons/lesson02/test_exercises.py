"""Every checker of lesson 2 accepts its solution, knows its stub, and explains typical mistakes."""

import math

import numpy as np
import pytest
from exercise_table import check_lesson

from course_utils.course.exercises import CORRECT, NOT_ATTEMPTED, NOT_YET
from course_utils.lessons.lesson02 import exercises as ex


class Table:
    """A table {wrong answer: word} whose wrong answers need not be hashable."""

    def __init__(self, *pairs):
        self.pairs = pairs

    def __len__(self):
        return len(self.pairs)

    def items(self):
        return self.pairs


RIGHT = ex.name_the_regimes.solution_value


def previous_step(losses):
    return bool((np.diff(losses) > 0).any())


def not_lower(losses):
    return not losses[-1] < losses[0]


def highest(losses):
    return bool(not np.isfinite(losses).all() or np.max(losses) > 10 * losses[0])


def blind_to_nan(losses):
    return bool(losses[-1] > 10 * losses[0])


def only_nan(losses):
    return bool(np.isnan(losses).any())


def always(losses):
    return True


WRONG = {
    "which_arrives_first": {
        "0.01": "careful",
        "0.99": "way back",
        "neither": "below 1",
        "x": "one of",
    },
    "at_the_limit": {
        0: "shrink",
        math.inf: "larger than 1",
        144: "doubles",
        6: "square",
        1: "sign",
    },
    "who_sets_what": {
        ("flat", "steep"): "other way",
        ("flat", "flat"): "largest",
        ("steep", "steep"): "still on its way",
        "steep": "pair",
    },
    "above_the_limit_in_the_ravine": {"diverges": "straight", "settles": "25", "crawls": "across"},
    "one_percent_above": {1.01: "per step", 100: "too small", 1e78: "too large", -1: "positive"},
    "width_of_the_basin": {0.01: "forgiving", 5: "tune", 2: "not quite", -1: "positive"},
    "largest_stable_rate": {
        2 / 3: "diagonal",
        1: "flat",
        0.25: "half",
        1 / 3: "best rate",
        4: "divided",
        0.7: "eigenvalues",
    },
    "steps_at_0_002": {
        2155: "proportional",
        4342: "square",
        2170: "Round up",
        1724: "36",
        4346: "0.998",
        12: "solve",
    },
    "name_the_regimes": Table(
        (RIGHT | {"A": "approach"}, "changes sides"),
        (RIGHT | {"D": "never settles"}, "grow"),
        (RIGHT | {"B": "approach"}, "left after 30"),
        (RIGHT | {"C": "diverge"}, "once more"),
        (RIGHT | {"F": "sinks"}, "one of"),
        ({"A": "crawl"}, "all six"),
        ("crawl", "dict"),
    ),
    "best_rate_and_factor": {
        (0.04, 1.0): "two points",
        (0.02, 0.96): "flat one",
        (0.5, -24): "−24",
        (1 / 24, 0.9): "above the limit",
        (1 / 26, 1 / 26): "hardly",
        (1 / 26, 0.5): "The rate is right",
        (1 / 26, 0.92): "three digits",
        (0.03, 0.94): "equal in size",
        0.0385: "pair",
    },
    "detector": {
        previous_step: "while it falls",
        not_lower: "stands still",
        highest: "spike",
        blind_to_nan: "NaN",
        only_nan: "no alarm",
        always: "simply falls",
        (lambda losses: "no"): "True or False",
        3: "function",
    },
    "free_the_loss": {
        (0.4, 0.4): "walls",
        (0.02, 0.02): "too short",
        (100, 0.05): "too large",
        (0.4, 1e-5): "down the wall",
        (-0.4, 0.02): "greater than 0",
        0.4: "pair",
    },
}

# Nearly right, and wrong still: on each side of each threshold.
NEAR = {
    "at_the_limit": (36.001, 35.999),
    "one_percent_above": (0.9e5, 1.1e10),
    "width_of_the_basin": (0.29, 1.65),
    "largest_stable_rate": (0.501, 0.499),
    "steps_at_0_002": (2172,),
    "best_rate_and_factor": (
        *((rate, 12 / 13) for rate in (1 / 26 * 1.003, 1 / 26 * 0.997, 0.045)),
        *((1 / 26, factor) for factor in (12 / 13 * 1.001, 12 / 13 * 0.999)),
    ),
    "free_the_loss": ((0.24, 0.02),),  # the loss ends at 0.011
}


@pytest.mark.parametrize("name", WRONG)
def test_question(name):
    check_lesson(ex, name, WRONG[name], NEAR.get(name, ()))


def test_every_question_is_tested():
    check_lesson(ex, None, WRONG)


def test_untouched_dictionary_is_not_an_answer():
    stub = dict.fromkeys("ABCDEF", ...)
    assert ex.name_the_regimes.check(stub).status == NOT_ATTEMPTED
    assert ex.name_the_regimes.check(RIGHT | {"A": "oscillate and converge"}).status == CORRECT
    assert ex.name_the_regimes.check(stub | {"A": "crawl"}).status == NOT_YET


def test_regimes_of_the_mystery_runs_follow_from_their_factors():
    for name, run in ex.mystery_runs().items():
        factor = 1 - 4 * run.lr[0]
        regime = (
            "diverge"
            if factor < -1
            else "never settles"
            if factor == -1
            else "oscillate"
            if factor < 0
            else "one step"
            if factor == 0
            else "approach"
            if factor < 0.9
            else "crawl"
        )
        assert RIGHT[name] == regime
        path = run.params[:, 0]
        np.testing.assert_allclose(path, factor ** np.arange(31), rtol=1e-9, atol=1e-12)


def test_numbers_of_the_solutions_are_independent_facts():
    assert 2 / np.linalg.eigvalsh([[3, 1], [1, 3]]).max() == pytest.approx(0.5)
    steps = ex.steps_at_0_002.solution_value
    assert 36 * 0.996 ** (2 * steps) < 1e-6 <= 36 * 0.996 ** (2 * (steps - 1))
    rates = np.linspace(0.001, 0.06, 59001)
    worst = np.maximum(abs(1 - 50 * rates), abs(1 - 2 * rates))
    rate, factor = ex.best_rate_and_factor.solution_value
    assert rates[worst.argmin()] == pytest.approx(rate, abs=2e-6)
    assert worst.min() == pytest.approx(factor, abs=1e-5)
