"""The capstone: its budget, its tasks, and which ways to search pass."""

import math

import numpy as np
import pytest

from course_utils.course.exercises import CORRECT, NOT_YET
from course_utils.experiments.models import mlp
from course_utils.experiments.range_test import minimum_over_ten, range_test
from course_utils.lessons.lesson07 import capstone
from course_utils.lessons.lesson07 import exercises as ex


def test_the_budget_is_the_price_of_ten_runs():
    task = capstone.Task("B")
    for _ in range(5):
        task.range_test()
    assert task.left == 8.0
    for left in range(7, -1, -1):
        task(0.01)
        assert task.left == left
    for too_much in (lambda: task(0.01), task.range_test):
        with pytest.raises(capstone.BudgetSpent):
            too_much()
    assert task.left == 0 and len(task.used) == 8


def test_a_range_test_is_the_library_s_on_the_task_s_own_data():
    test = capstone.Task("C").range_test()
    data, model = capstone._data("C"), mlp((64, 32, 10), seed=1)
    mine = range_test(model, data, optimizer="momentum", batch_size=16, seed=1)
    assert data.train.x.max() == pytest.approx(17) and np.array_equal(mine.loss, test.loss)


def test_the_usual_first_six_rates_meet_a_nan():
    scores = [capstone.Task("C")(10.0**k) for k in range(-4, 2)]
    assert [math.isnan(score) for score in scores] == [False] * 5 + [True]


def test_the_best_rates_of_the_tasks_are_far_apart_and_inside_the_grid():
    rates = [capstone.oracle(name)[0] for name in "ABC"]
    assert max(rates) / min(rates) > 100
    assert all(capstone._ORACLE_RATES[0] < rate < capstone._ORACLE_RATES[-1] for rate in rates)


def test_no_ten_evenly_spaced_rates_serve_all_tasks():
    """What is within a point of the oracle, between the rates of its grid; B and C need two points
    of the row, so its steps are small, and then it does not reach A."""
    good = {}
    for name in "ABC":
        run = capstone._train(name, capstone._ORACLE_RATES, capstone._SCORE_SEEDS)
        scores = run.table.mean("test_accuracy")
        near = np.flatnonzero(scores >= max(scores) - 0.01)
        one = np.array(capstone._ORACLE_RATES) * 10 ** (1 / 6)
        good[name] = one[near[0]] / 10 ** (1 / 3), one[near[-1]]
    (low, _), (_, b), (c, _) = good["A"], good["B"], good["C"]
    assert c + 9 * (b - c) < low


def test_a_range_test_and_a_grid_around_it_pass_where_the_loss_has_fallen():
    def with_tests(task):
        readings = []
        for _ in range(3):
            try:
                readings.append(minimum_over_ten(task.range_test()))
            except ValueError:
                continue  # no real fall: no reading
        center = np.median(readings) if readings else 0.3
        scores = {lr: task(lr) for lr in center * 3.0 ** np.arange(-3, 4)}
        best = max(scores, key=lambda lr: -1 if math.isnan(scores[lr]) else scores[lr])
        scores[1.7 * best] = task(1.7 * best)
        return max(scores, key=lambda lr: -1 if math.isnan(scores[lr]) else scores[lr])

    assert ex.capstone.check(with_tests).status == CORRECT


def test_each_task_asks_for_its_own_rate():
    for name in "ABC":
        lr = capstone.oracle(name)[0]
        assert ex.capstone.check(lambda task, lr=lr: task(lr) and lr).status == NOT_YET
