"""The figures of lesson 3: what a label or a loss must not be able to spoil."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from course_utils.lessons.lesson03 import figures
from course_utils.schedules import constant


def test_a_training_that_diverged_leaves_an_axis_for_the_others():
    loss = np.array([[[1.0, 2.0]], [[1.0, np.inf]]])  # two schedules, one seed, two measurements
    table = SimpleNamespace(metrics={"step": [0, 1], "train_loss": loss}, lr=np.ones((2, 1)))
    above = figures.trainings(table, ["_small", "large"], "One learns", "x").figure.axes[0]
    assert above.get_ylim() == (0, 3)
    assert [text.get_text().strip() for text in above.get_legend().get_texts()] == [
        "_small",
        "large",
    ]


def test_every_curve_has_its_label():
    shown = figures.curves("Two", {"_a": constant(0.1), "b": constant(0.2)}, steps=9)
    texts = shown.figure.axes[0].get_legend().get_texts()
    assert [text.get_text().strip() for text in texts] == ["_a", "b"]
