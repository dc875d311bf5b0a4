"""Every checker of lesson 7 accepts its solution, knows its stub, and explains typical mistakes."""

import numpy as np
import pytest
from exercise_table import check_lesson

from course_utils.lessons.lesson07 import capstone
from course_utils.lessons.lesson07 import exercises as ex


def first_is_best(lrs, losses):
    return bool(0 < np.nanargmin(losses) < len(losses) - 1)


def on_edge_too(lrs, losses):
    return True


def never(lrs, losses):
    return False


def blind_to_nan(lrs, losses):
    best = lrs[np.argmin(losses)]
    return bool(lrs.min() < best < lrs.max())


def greedy(task):
    return max(task(0.1) for _ in range(11))


def too_many_tests(task):
    return [task(lr) for lr in (0.01, 0.1, 0.001, 1e-4, 1, 10)] and [
        task.range_test() for _ in range(11)
    ]


def best_of(rates, pick=np.nanargmax):
    def find(task):
        return rates[int(pick([task(lr) for lr in rates]))]

    return find


DECADES = [10.0**k for k in range(-4, 2)]


WRONG = {
    "which_point": {
        "lowest": "undoes",
        "steepest": "too near the cliff",
        "last": "one of",
        3: "one of",
    },
    "dead_neighbor": {
        14: "One seed",
        13: "One seed",
        5: "more than half",
        0: "more than half",
        "C": "number",
    },
    "survivors": {
        (8, 9): "Nothing is lost",
        (10, 11): "one result",
        (9, 9): "began again",
        (9, 10): "one more for",
        9: "pair",
    },
    "harder_task": {"larger": "new", "equal": "by training loss", "64": "one of"},
    "equal_training_loss": {
        20: "four percent",
        10.5: "four percent",
        0: "wrong labels",
        -5: "wrong labels",
        100: "below 0",
    },
    "random_trials": {12: "grid", 34: "Round up", 6: "twelfth", 100: "miss"},
    "bill": {11: "entries", 6: "cost something", 8: "100 updates", 6.5: "stopped runs", 3: "count"},
    "trust": {
        first_is_best: "sorted",
        on_edge_too: "larger one",
        never: "not trusted",
        blind_to_nan: "valid neighbor",
        (lambda lrs, losses: "no"): "True or False",
        3: "function",
    },
    "capstone": {
        greedy: "more than the price",
        too_many_tests: "more than the price",
        best_of([1e-4, 1e-3, 1e-2]): "beyond the large end",
        best_of(DECADES): "runs left",
        best_of([*DECADES, 0.3, 3.0, 0.03, 2.0], np.argmax): "NaN must not win",
        best_of(np.linspace(1e-3, 0.3, 10).tolist()): "evenly spaced",
        best_of(np.linspace(0.1, 1, 10).tolist()): "evenly spaced",
        (lambda task: 1e-3): "did not run anything",
        (lambda task: task.range_test().lr[60]): "guess",
        (lambda task: -1.0): "positive",
        0.1: "function",
    },
}

# Nearly right, and wrong still: on each side of each threshold.
NEAR = {
    "random_trials": (36, 35.001),
    "bill": (6.81, 6.86),
    "capstone": (lambda task: 0.45 * capstone.solve(task),),
}


@pytest.mark.parametrize("name", WRONG)
def test_question(name):
    check_lesson(ex, name, WRONG[name], NEAR.get(name, ()))


def test_every_question_is_tested():
    check_lesson(ex, None, WRONG)


def test_numbers_of_the_solutions_are_independent_facts():
    trials = ex.random_trials.solution_value
    hits = np.random.default_rng(0).uniform(0, 6, (20_000, trials))
    found = ((hits > 2) & (hits < 2.5)).any(axis=1).mean()
    assert found == pytest.approx(0.95, abs=0.01)
    assert ex.bill.solution_value * 600 == pytest.approx(6 * 600 + 3 * 100 + 2 * 100)
