"""The predictions on loss spikes and weight decay, and the exercise on the latter."""

import numpy as np
import pytest
from exercise_table import check_lesson

from course_utils.lessons.lesson05 import spike_predictions
from course_utils.lessons.lesson05 import weight_decay_exercises as ex


def areas(old, new, steps):
    return old(np.arange(steps)).sum(), new(np.arange(steps)).sum()


def from_peaks(decay, old, new, steps):
    return decay * old(0) / new(0)


def upside_down(decay, old, new, steps):
    before, after = areas(old, new, steps)
    return decay * after / before


def share(decay, old, new, steps):
    return np.exp(-decay * areas(old, new, steps)[0])


def product(decay, old, new, steps):
    return decay * areas(old, new, steps)[0]


def off_by(percent):
    def learner(decay, old, new, steps):
        return ex.same_decay(decay, old, new, steps) * (1 + percent / 100)

    return learner


PREDICTIONS = {
    "spike_threshold": {2: "β1 = 0", 38: "0.9", 3: "heavy ball", 4: "1+β", 2 / 3: "exchanged"},
    "decay_and_rate": {"a quarter": "memorize", "four times": "already", 4: "one of"},
}
EXERCISES = {
    "weight_left": {
        (lambda decay, old, new, steps: decay): "areas",
        from_peaks: "peaks",
        upside_down: "upside down",
        share: "share that is left",
        product: "divide by the new",
        (lambda *a: -0.1): "greater than 0",
        (lambda *a: 0.3): "AdamW leaves",
        0.0556: "function",
    },
}
NEAR = {"weight_left": [off_by(2), off_by(-2)], "spike_threshold": [6.1, 5.9]}


@pytest.mark.parametrize(
    ("module", "name", "wrong"),
    [
        (module, name, table if name is None else table[name])
        for module, table in ((spike_predictions, PREDICTIONS), (ex, EXERCISES))
        for name in (*table, None)
    ],
)
def test_question(module, name, wrong):
    check_lesson(module, name, wrong, NEAR.get(name, ()))


def test_the_exact_product_is_accepted_as_well():
    def exact(decay, old, new, steps):
        t = np.arange(steps)
        left = np.log1p(-decay * old(t)).sum()
        low, high = 0.0, 10.0
        for _ in range(80):
            middle = (low + high) / 2
            low, high = (middle, high) if np.log1p(-middle * new(t)).sum() > left else (low, middle)
        return low

    assert ex.weight_left.check(exact).status == "correct"
