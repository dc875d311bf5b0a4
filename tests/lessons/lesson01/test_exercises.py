"""Every checker of lesson 1 accepts its solution, knows its stub, and explains typical mistakes."""

import numpy as np
import pytest
from exercise_table import check_lesson

from course_utils.lessons.lesson01 import exercises as ex


def only_the_end(gradient, w, lr, steps):
    return ex.gradient_descent(gradient, w, lr, steps)[-1]


def one_too_few(gradient, w, lr, steps):
    return ex.gradient_descent(gradient, w, lr, steps)[1:]


def uphill(gradient, w, lr, steps):
    return ex.gradient_descent(lambda v: -gradient(v), w, lr, steps)


def step_of_the_rate(gradient, w, lr, steps):
    return ex.gradient_descent(lambda v: np.sign(gradient(v)), w, lr, steps)


def first_slope_for_ever(gradient, w, lr, steps):
    slope = gradient(w)
    return np.array([w - k * lr * slope for k in range(steps + 1)])


def in_place(gradient, w, lr, steps):
    path = [w]
    for _ in range(steps):
        w -= lr * gradient(w)
        path.append(w)
    return np.array(path)


def off_from(first):
    """Gradient descent, a ten-thousandth off from the update `first` on."""

    def learner(gradient, w, lr, steps):
        path = ex.gradient_descent(gradient, w, lr, steps)
        return np.concatenate([path[:first], path[first:] * (1 + 1e-4)])

    return learner


WRONG = {
    "first_step": {5.12: "uphill", 4.99: "rate itself", 4.94: "derivative", 3.0: "compute"},
    "steps_needed": {38: "One more", 431: "0.01", 78: "square", 31: "36", 100: "solve"},
    "best_rate_of_the_network": {0.001: "Adam", 0.01: "slowly", 0.1: "better still", 7: "choose"},
    "write_gradient_descent": {
        only_the_end: "one point",
        one_too_few: "start included",
        uphill: "uphill",
        step_of_the_rate: "wrong from the first step",
        first_slope_for_ever: "anew",
        in_place: "stored before",
    },
    "one_step_rate": {0.5: "second derivative", 1 / 3: "for ever", 1 / 12: "half", 6: "inverse"},
    "who_wrote_it": {
        "A": "climbs",
        "B": "single number",
        "c": "exactly lr",
        "E": "'D'",
        4: "one of",
    },
    "same_clock": {60: "more steps", 300: "not the step alone", 7500: "square", 1: "equal"},
    "rate_for_adam": {0.5: "above", 1e-5: "below", -0.1: "greater than 0", "x": "number"},
    "one_step_later": {
        (lambda printed, lr: printed): "before the last step",
        (lambda printed, lr: printed * (1 - 2 * lr)): "square",
        (lambda printed, lr: printed / (1 - 2 * lr) ** 2): "back in time",
        (lambda printed, lr: printed * 0.98): "square",
        (lambda printed, lr: 0.0): "multiply",
    },
}

# Nearly right, and wrong still: on each side of each threshold.
NEAR = {
    "first_step": (4.8799, 4.88001),
    "steps_needed": (39.001, 38.999),
    "best_rate_of_the_network": (1.1, 0.9),
    "write_gradient_descent": tuple(map(off_from, range(5))),
    "one_step_rate": (1 / 6 * 1.004, 1 / 6 * 0.996),
    "same_clock": (1501, 1499),
    "rate_for_adam": (0.0025, 0.08),  # 3 points below the best
    "one_step_later": (
        lambda printed, lr: printed * (1 - 2 * lr) ** 2 * (1 + 1e-5 * (lr < 0.5)),
        lambda printed, lr: printed * (1 - 2 * lr) ** 2 * (1 + 1e-5 * (lr > 0.5)),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_question(name):
    check_lesson(ex, name, WRONG[name], NEAR.get(name, ()))


def test_every_question_is_in_the_table():
    check_lesson(ex, None, WRONG)
