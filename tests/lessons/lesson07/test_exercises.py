"""Every checker of lesson 7 accepts its solution, knows its stub, and explains typical mistakes."""

import math

import numpy as np
import pytest
from exercise_table import check_lesson

from course_utils.course.exercises import CORRECT, NOT_YET
from course_utils.lessons.lesson07 import exercises as ex
from course_utils.optimizers import Adam


def first_is_best(lrs, losses):
    return bool(0 < np.nanargmin(losses) < len(losses) - 1)


def on_edge_too(lrs, losses):
    return True


def never(lrs, losses):
    return False


def blind_to_nan(lrs, losses):
    best = lrs[np.argmin(losses)]
    return bool(lrs.min() < best < lrs.max())


def crosses_zero(w, t):
    return w - t * np.sign(w)


def cuts(w, t):
    return np.where(np.abs(w) > t, w, 0.0)


def loses_the_sign(w, t):
    return np.maximum(w - t, 0.0)


def spends_eleven(run):
    return max(run(0.1) for _ in range(11))


def best_of(rates):
    def find(run):
        scores = [-1.0 if math.isnan(score := run(lr)) else score for lr in rates]
        return rates[int(np.argmax(scores))]

    return find


WRONG = {
    "which_point": {"lowest": "undoes", "steepest": "noisier", "last": "one of", 3: "one of"},
    "one_dimension": {"random": "holes", "even": "cost is even", "tpe": "one of"},
    "brighter_pixels": {"larger": "gradients", "equal": "curvature", "16": "one of"},
    "equal_training_loss": {"small": "slower", "large": "wrong labels", "lower": "one of"},
    "grid_size": {9: "0.66", 8: "gaps", 5: "factor of 10", 4: "half a decade", 20: "solve"},
    "random_trials": {12: "grid", 34: "Round up", 6: "twelfth", 100: "miss"},
    "distinct_rates": {
        (16, 4): "other way",
        (16, 16): "columns",
        (4, 4): "draws its own",
        (2, 16): "4 columns",
        (4, 12): "new rate",
        4: "pair",
    },
    "weight_decay": {0.01: "gradient of", 0.005: "no ½", 0.0001: "squared", 1: "differentiate"},
    "trust": {
        first_is_best: "sorted",
        on_edge_too: "larger one",
        never: "not trusted",
        blind_to_nan: "valid neighbor",
        (lambda lrs, losses: "no"): "True or False",
        3: "function",
    },
    "threshold": {
        crosses_zero: "cross",
        cuts: "cut",
        loses_the_sign: "sign back",
        (lambda w, t: w): "want",
        (lambda w, t: 0.0): "one weight per weight",
    },
    "capstone": {
        spends_eleven: "eleventh",
        best_of([0.1 * k for k in range(1, 11)]): "beyond the small end",
        best_of([1e-4, 1e-3, 1e-2]): "beyond the large end",
        best_of([10.0**k for k in range(-4, 2)]): "runs left",
        best_of([0.01 * k for k in range(1, 11)]): "large end",
        (lambda run: 1e-3): "did not run anything",
        (lambda run: -1.0): "positive",
        0.1: "function",
    },
}

# Nearly right, and wrong still: on each side of each threshold.
NEAR = {
    "grid_size": (11, 10.001),
    "random_trials": (36, 35.001),
    "distinct_rates": ((4.001, 16), (4, 16.001)),
    "weight_decay": (0.02001, 0.01999),
    "threshold": (lambda w, t: ex.soft_threshold(w, t) * (1 + 1e-4),),
    "capstone": (lambda run: 0.45 * ex.find_rate(run),),  # 1.4 points below the oracle on task A
}


@pytest.mark.parametrize("name", WRONG)
def test_question(name):
    check_lesson(ex, name, WRONG[name], NEAR.get(name, ()))


def test_every_question_is_tested():
    check_lesson(ex, None, WRONG)


def test_numbers_of_the_solutions_are_independent_facts():
    n = ex.grid_size.solution_value
    assert 1e-4 * 3 ** (n - 1) >= 1 > 1e-4 * 3 ** (n - 2)
    trials = ex.random_trials.solution_value
    hits = np.random.default_rng(0).uniform(0, 6, (20_000, trials))
    found = ((hits > 2) & (hits < 2.5)).any(axis=1).mean()
    assert found == pytest.approx(0.95, abs=0.01)
    w = np.array([0.7])
    slope = (0.01 * (w + 1e-6) ** 2 - 0.01 * (w - 1e-6) ** 2) / 2e-6
    assert slope / w == pytest.approx(ex.weight_decay.solution_value, rel=1e-6)


def test_soft_threshold_minimizes_its_proximal_problem():
    grid = np.linspace(-3, 3, 60_001)
    for w, t in ((1.7, 0.4), (-0.9, 0.4), (0.2, 0.4)):
        best = grid[(0.5 * (grid - w) ** 2 + t * np.abs(grid)).argmin()]
        assert ex.soft_threshold(np.array([w]), t)[0] == pytest.approx(best, abs=2e-4)


# --- the capstone ------------------------------------------------------------------------------


def test_budget_is_ten_runs():
    task = ex.Task("B")
    for left in range(9, -1, -1):
        task.run(0.01)
        assert task.runs_left == left
    with pytest.raises(ex.BudgetSpent):
        task.run(0.01)


def test_a_diverged_run_is_nan_and_costs_a_run():
    task = ex.Task("C")
    assert math.isnan(task.run(1e6)) and task.runs_left == 9


def test_the_best_rates_of_the_tasks_are_far_apart_and_inside_the_grid():
    rates = [ex.oracle(name)[0] for name in "ABC"]
    assert max(rates) / min(rates) > 10
    assert all(ex._ORACLE_RATES[0] < rate < ex._ORACLE_RATES[-1] for rate in rates)


def test_each_task_asks_for_its_own_rate():
    for name in "ABC":
        lr = ex.oracle(name)[0]
        assert ex.capstone.check(lambda run, lr=lr: run(lr) and lr).status == NOT_YET


def test_oracle_is_trained_by_the_rule_it_says():
    assert isinstance(ex._HIDDEN["B"][1], Adam)


def test_a_learner_may_use_fewer_runs():
    def frugal(run):
        return ex.find_rate(run)

    assert ex.capstone.check(frugal).status == CORRECT
