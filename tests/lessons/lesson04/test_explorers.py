"""The live race: its numbers against single runs; its tasks need rate and memory together."""

import numpy as np
import pytest

from course_utils.descent import descend
from course_utils.lessons.lesson04 import explorers
from course_utils.lessons.lesson04.race import steps_to_arrive
from course_utils.optimizers import Adam, GradientDescent, RMSprop
from course_utils.problems import abc_surface, quadratic

TASKS = {
    "Adam in the turned valley": {"rotation": 45, "rule": "Adam", "memory": 0.9, "index": 12},
    "the smallest angle": {"rotation": 15, "rule": "momentum", "memory": 0.95, "index": 12},
}


@pytest.fixture(params=TASKS)
def explorer(request):
    made = explorers.race(request.param)
    made.name = request.param
    yield made
    made.close()


def test_a_task_can_be_solved(explorer):
    assert not explorer.task_reached
    explorer.set(**TASKS[explorer.name])
    assert explorer.task_reached


def test_no_button_and_no_single_control_solves_a_task(explorer):
    begin = dict(explorer.values)
    places = [begin]
    for button in explorer.buttons.values():
        button.click()
        assert not explorer.task_reached
        places.append(dict(explorer.values))
    for place in places:
        for name, control in explorer.controls.items():
            for option in control.options:
                value = option[1] if isinstance(option, tuple) else option
                assert not explorer.task.reached(explorers.compute_race(**place | {name: value}))


def test_the_smallest_angle_is_the_smallest():
    def best(rule, rotation):
        options = [(m, i) for m in explorers.MEMORIES for i in range(33)]
        return min(explorers.compute_race(rotation, rule, *o)["arrival"] for o in options)

    assert best("Adam", 10) < best("momentum", 10) == best("momentum", 15) == 290 < best("Adam", 15)


@pytest.mark.parametrize("rotation", [0, 45])
@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("momentum", GradientDescent(0.9)),
        ("RMSprop", RMSprop(alpha=0.9)),
        ("Adam", Adam(beta2=0.9)),
    ],
)
def test_what_is_shown_is_a_single_run(name, rule, rotation):
    data = explorers.compute_race(rotation, name, 0.9, 11)
    (alone,) = steps_to_arrive(rule, abc_surface(rotation), [data["lr"]], explorers.STEPS)
    assert data["arrival"] == alone
    run = descend(abc_surface(rotation), rule, data["lr"], explorers.STEPS)
    early = slice(0, 50)  # rounding grows where a run jumps about its goal
    np.testing.assert_allclose(data["w"][early], run.params[early], rtol=1e-6, atol=1e-9)


def test_every_preset_and_every_rule_can_be_drawn():
    explorer, pictures = explorers.race(), set()
    for button in explorer.buttons.values():
        button.click()
        pictures.add(explorer.image.value)
    assert len(pictures) == len(explorer.buttons)
    for rule in explorers.RULES:
        explorer.set(rule=rule, memory=0.9, index=32)  # momentum diverges here
        assert rule in explorer.state and "does not arrive" in explorer.state
    explorer.close()


def test_contours_are_contours():
    problem = quadratic((100.0, 0.01), rotation=20)
    for line in explorers.contours(20):
        assert np.ptp(problem.loss(line)) < 1e-9 * problem.loss(line).max()


def test_an_unknown_task_is_refused():
    with pytest.raises(ValueError, match="task must be one of"):
        explorers.race("win")
