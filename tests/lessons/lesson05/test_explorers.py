"""The viewer of lesson 5 shows what the files say, and its task is no accident."""

import itertools

import numpy as np
import pytest
from judging import NOTEBOOKS

from course_utils.experiments.table import load
from course_utils.lessons.lesson05 import explorers, reading


@pytest.fixture
def viewer():
    made = explorers.record(NOTEBOOKS / "results")
    yield made
    made.close()


def test_every_choice_shows_its_file_and_the_task_is_reached_by_few(viewer):
    reached = []
    for task, metric, settings in itertools.product(*(c.options for c in viewer.controls.values())):
        task, metric, settings = (
            o[1] if isinstance(o, tuple) else o for o in (task, metric, settings)
        )
        viewer.set(task=task, metric=metric, settings=settings)
        assert task in viewer.state and settings in viewer.state
        if viewer.task_reached:
            reached.append((task, metric))
    assert reached and {metric for _, metric in reached} == {"loss"}
    assert {task.partition(",")[0] for task, _ in reached} >= {"rare features"}
    assert len(set(reached)) <= 5


def test_the_points_are_the_means_of_the_record(viewer):
    viewer.set(task="teacher, 930 updates")
    tables = load(NOTEBOOKS / "results" / "05_teacher_930.json")
    x, y = viewer.artists["decayed"].get_data()
    assert np.isclose(x[5], reading.reached(tables, "Adam, cosine").mean()) and round(y[5]) == 5
