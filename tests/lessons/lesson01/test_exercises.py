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


def picks(choose):
    """A learner who trains everything, and chooses by `choose(losses)`, (rates, seeds) -> index."""

    def learner(train, rates, seeds):
        losses = np.array([[train(lr, seed) for seed in seeds] for lr in rates])
        return rates[choose(losses)]

    return learner


def place_of_the_best(train, rates, seeds):
    return rates.index(ex.best_rate(train, rates, seeds))


def lowest_loss(train, rates, seeds):
    return np.nanmin([np.mean([train(lr, seed) for seed in seeds]) for lr in rates])


def prints_it(train, rates, seeds):
    print(ex.best_rate(train, rates, seeds))


FIRST_SEED = picks(lambda losses: np.nanargmin(losses[:, 0]))
LUCKIEST = picks(lambda losses: np.nanargmin(losses.min(axis=1)))
MEDIAN = picks(lambda losses: np.nanargmin(np.median(losses, axis=1)))
WITHOUT_THE_LAST = picks(lambda losses: np.nanargmin(losses[:, :-1].mean(axis=1)))
NAN_WINS = picks(lambda losses: np.argmin(losses.mean(axis=1)))
NAN_IS_SKIPPED = picks(lambda losses: np.nanargmin(np.nanmean(losses, axis=1)))
WORST = picks(lambda losses: np.nanargmax(losses.mean(axis=1)))


WRONG = {
    "first_step": {
        5.12: "uphill",
        4.99: "rate itself",
        4.94: "derivative",
        4.9: "two decimals",
        3.0: "compute",
    },
    "steps_needed": {38: "One more", 431: "0.01", 78: "square", 31: "36", 100: "solve"},
    "twentieth_step": {
        0.1: "slope shrinks",
        1.2: "first step",
        0.0138: "twenty-first",
        0.086: "minimum is",
        0.06: "each step",
    },
    "best_rate_of_the_network": {
        0.003: "two of three",
        0.03: "on its way",
        3: "cliff",
        7: "choose",
    },
    "who_is_further": {"0.01": "same road", "0.2": "fewer", "both": "one of", 0.2: "one of"},
    "which_edge_moves": {
        "right": "come back",
        "both": "does not help",
        "neither": "need",
        "up": "one of",
    },
    "factor_between_rules": {
        1: "nearly serve",
        0.03: "Turn it around",
        1000: "too much",
        -3: "greater than 0",
        "x": "number",
    },
    "write_gradient_descent": {
        only_the_end: "one point",
        one_too_few: "start included",
        uphill: "uphill",
        step_of_the_rate: "wrong from the first step",
        first_slope_for_ever: "anew",
        in_place: "stored before",
    },
    "one_step_rate": {
        0.5: "second derivative",
        1 / 3: "for ever",
        0.33: "for ever",
        0.333: "for ever",
        1 / 12: "half",
        0.08: "half",
        0.083: "half",
        6: "inverse",
    },
    "same_clock": {60: "more steps", 300: "not the step alone", 7500: "square", 1: "equal"},
    "rate_for_adam": {
        0.5: "above",
        0.1: "above",
        1e-5: "below",
        0.001: "below",
        -0.1: "greater than 0",
        "x": "number",
    },
    "one_step_later": {
        (lambda printed, lr: printed): "before the last step",
        (lambda printed, lr: printed * (1 - 2 * lr)): "square",
        (lambda printed, lr: printed / (1 - 2 * lr) ** 2): "back in time",
        (lambda printed, lr: printed * 0.98): "square",
        (lambda printed, lr: 0.0): "multiply",
        (lambda printed, lr: print(printed)): "forget `return`",
    },
    "write_best_rate": {
        FIRST_SEED: "means over all",
        NAN_WINS: "where a run gave NaN",
        LUCKIEST: "means over all",
        WORST: "means over all",
        place_of_the_best: "place of the rate",
        lowest_loss: "return the rate to it",
        prints_it: "does not return it",
        (lambda train, rates, seeds: 0.2): "none of the rates",
    },
}

# Nearly right, and wrong still: on each side of each threshold.
NEAR = {
    "first_step": (4.8799, 4.88001),
    "steps_needed": (39.001, 38.999),
    "twentieth_step": (0.0173 * 1.06, 0.0173 * 0.94),
    "best_rate_of_the_network": (0.31, 0.29),
    "factor_between_rules": (9.9, 101),
    "write_gradient_descent": tuple(map(off_from, range(5))),
    "one_step_rate": (1 / 6 * 1.03, 0.16, 0.18),
    "same_clock": (1501, 1499),
    "rate_for_adam": (0.0011, 0.07),  # 3 points below the best
    "one_step_later": (
        lambda printed, lr: printed * (1 - 2 * lr) ** 2 * (1 + 1e-5 * (lr < 0.5)),
        lambda printed, lr: printed * (1 - 2 * lr) ** 2 * (1 + 1e-5 * (lr > 0.5)),
    ),
    "write_best_rate": (MEDIAN, WITHOUT_THE_LAST, NAN_IS_SKIPPED),
}


def test_answers_with_two_decimals_are_right():
    assert ex.one_step_rate.check(0.17).status == "correct"
    assert ex.twentieth_step.check(0.017).status == "correct"


@pytest.mark.parametrize("rate", [0.004, 0.005, 0.03])
def test_good_rates_of_adam_are_accepted(rate):
    assert ex.rate_for_adam.check(rate).status == "correct"


@pytest.mark.parametrize("name", WRONG)
def test_question(name):
    check_lesson(ex, name, WRONG[name], NEAR.get(name, ()))


def test_every_question_is_in_the_table():
    check_lesson(ex, None, WRONG)
