"""The figures of lesson 7 show the numbers that they are given."""

import numpy as np
import pytest

from course_utils import views
from course_utils.experiments.range_test import ramp
from course_utils.lessons.lesson07 import figures
from course_utils.lessons.lesson07.studies import Table
from course_utils.lessons.lesson07.weight_decay import Map


@pytest.fixture
def ax():
    return views.subplots()[1]


def test_curve_leaves_diverged_rates_out_and_marks_the_window(ax):
    metrics = {
        "test_accuracy": [[0.5, 0.7], [0.8, 0.9], [np.nan, 0.1]],
        "diverged": [[0, 0], [0, 0], [1, 0]],
    }
    figures.curve(ax, Table([0.1, 1, 10], [0, 1], metrics), "test_accuracy", tolerance=0.3)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [0.6, 0.85, np.nan])
    assert "1.0 decades" in " ".join(text.get_text() for text in ax.texts)


def test_a_table_without_the_mark_of_divergence_is_drawn_too(ax):
    figures.curve(ax, Table([0.1, 1], [0], {"test_loss": [[3.0], [2.0]]}), "test_loss")
    assert ax.lines[0].get_ydata().tolist() == [3, 2]


def test_range_tests_show_every_test_and_every_reading(ax):
    tests = []
    for values in ([3.0, 1.0, 2.0], [3.0, 2.0, 1.0]):
        losses = iter(values)
        tests.append(ramp([0.01, 0.1, 1.0], lambda lr: next(losses), 4.0, smoothing=0.0))  # noqa: B023
    chosen = {"a": [0.01, 0.1], "b": [0.02, 0.2]}
    figures.range_tests(ax, tests, chosen)
    assert ax.lines[1].get_ydata().tolist() == [3, 2, 1]
    assert [list(line.get_xdata()) for line in ax.lines[2:]] == [[0.01, 0.1], [0.02, 0.2]]
    assert ax.lines[3].get_ydata()[0] < ax.lines[2].get_ydata()[0] < 0
    assert min(ax.get_yticks()) == 0  # the marks below the losses are no losses


def test_readings_lie_on_the_curve(ax):
    table = Table([0.01, 1.0], [0], {"test_accuracy": [[0.8], [0.9]]})
    figures.readings(ax, table, {"a": [0.01, 0.1, 1.0]})
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [0.8, 0.85, 0.9])


def test_map_writes_every_loss_below_the_top_and_circles_the_best_of_each_column(ax):
    loss = np.array([[0.6, 0.5, 2.0], [0.7, 0.4, 1.9]])[..., np.newaxis]
    one = Map("AdamW", np.array([0.1, 1.0]), np.array([0, 0.1, 1.0]), loss, loss, loss, {})
    figures.decay_map(ax, one, top=1.2)
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["0.60", "0.50", "·", "0.70", "0.40", "·"]
    circles = ax.lines[0]
    assert list(circles.get_xdata()) == [0, 1] and list(circles.get_ydata()) == [0, 1]


def test_rates_that_did_not_reach_the_level_are_left_out(ax):
    metrics = {"test_loss at level": [[np.nan, 1.0], [1.0, 3.0], [2.0, 2.0]]}
    figures.at_level(ax, {"a": Table([0.1, 1, 10], [0, 1], metrics)})
    line, _, (bars,) = ax.containers[0]
    assert list(line.get_xdata()) == [1, 10] and list(line.get_ydata()) == [2, 2]
    first, second = (segment[:, 1] for segment in bars.get_segments())
    np.testing.assert_allclose([first, second], [[0, 4], [2, 2]])  # 2 ± 2 · √2/√2, 2 ± 0
