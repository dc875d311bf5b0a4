"""The live cool-down: what it shows are runs of the lesson, and no button solves its task."""

import numpy as np
import pytest

from course_utils.lessons.lesson08 import explorers
from course_utils.lessons.lesson08.training import TASKS, train
from course_utils.schedules import cosine, warmup_stable_decay


@pytest.fixture
def explorer():
    explorer = explorers.cool_down()
    yield explorer
    explorer.close()


def test_it_shows_the_runs_of_the_lesson(explorer):
    explorer.set(lr=0.24, start=600)
    plan = warmup_stable_decay(0.24, 0, 600, 400)
    found = train(TASKS["teacher"], [plan], range(4), at=[500, 1000])["last"]
    assert explorer.data["loss"][4] == found[500]["test_loss"].mean()
    assert explorer.data["loss"][-1] == found[1000]["test_loss"].mean()
    np.testing.assert_array_equal(explorer.data["rates"], plan(np.arange(1001)))


def test_the_dotted_line_is_the_best_planned_cosine(explorer):
    """Of the peaks around it, a factor of the root of 2 apart."""
    plans = [cosine(peak, 1000) for peak in (0.24, explorers.COSINE, 0.48)]
    loss = train(TASKS["teacher"], plans, range(4), at=[1000])["last"][1000]["test_loss"]
    assert loss.mean(axis=1).argmin() == 1
    assert explorer.data["cosine"] == pytest.approx(loss[1].mean(), rel=1e-5)


def test_a_larger_rate_and_an_early_enough_start_solve_the_task(explorer):
    solved = []
    for lr in explorers.PEAKS:
        for start in (350, 400, 500, 600, 700):
            explorer.set(lr=lr, start=start)
            if explorer.task_reached:
                solved.append((lr, start))
    assert {lr for lr, _ in solved} == {0.24} and {500, 600} <= {start for _, start in solved}
    assert not {350, 700} & {start for _, start in solved}


@pytest.mark.parametrize("lr", explorers.PEAKS)
def test_no_button_solves_the_task(explorer, lr):
    explorer.set(lr=lr)
    for label in ("no cool-down", "the last tenth", "from the start", "reset"):
        explorer.buttons[label].click()
        assert not explorer.task_reached
