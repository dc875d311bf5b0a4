"""Every checker of lesson 3 accepts its solution, knows its stub, and explains typical mistakes."""

import numpy as np
import pytest
from exercise_table import check_lesson

from course_utils.lessons.lesson03 import exercises as ex
from course_utils.schedules import cosine


def alpha_as_a_rate(t, lr, decay_steps, alpha):
    return alpha + (lr - alpha) * 0.5 * (1 + np.cos(np.pi * min(t / decay_steps, 1)))


def climbs_back(t, lr, decay_steps, alpha):
    return lr * ((1 - alpha) * 0.5 * (1 + np.cos(np.pi * t / decay_steps)) + alpha)


def without_alpha(t, lr, decay_steps, alpha):
    return lr * 0.5 * (1 + np.cos(np.pi * min(t / decay_steps, 1)))


def a_straight_line(t, lr, decay_steps, alpha):
    return lr * (1 - (1 - alpha) * min(t / decay_steps, 1))


def starts_at_the_floor(t, lr, decay_steps, alpha):
    return lr * ((1 - alpha) * 0.5 * (1 - np.cos(np.pi * min(t / decay_steps, 1))) + alpha)


def alpha_added(t, lr, decay_steps, alpha):
    return lr * (0.5 * (1 + np.cos(np.pi * min(t / decay_steps, 1))) + alpha)


def warmup_plus_one(t, lr, warmup_steps, decay_steps):
    if t < warmup_steps:
        return lr * (t + 1) / warmup_steps
    return ex.my_warmup(t, lr, warmup_steps, decay_steps)


def warmup_not_shifted(t, lr, warmup_steps, decay_steps):
    return lr * t / warmup_steps if t < warmup_steps else cosine(lr, decay_steps)(t)


def warmup_climbs_back(t, lr, warmup_steps, decay_steps):
    if t < warmup_steps:
        return lr * t / warmup_steps
    return lr * 0.5 * (1 + np.cos(np.pi * (t - warmup_steps) / decay_steps))


def warmup_within_the_budget(t, lr, warmup_steps, decay_steps):
    return ex.my_warmup(t, lr, warmup_steps, decay_steps - warmup_steps)


def warmup_from_a_third(t, lr, warmup_steps, decay_steps):
    if t < warmup_steps:
        return lr * (1 / 3 + 2 / 3 * t / warmup_steps)
    return ex.my_warmup(t, lr, warmup_steps, decay_steps)


def changes_at_the_boundary(t, boundaries, values):
    for boundary, value in zip(boundaries, values):
        if t < boundary:
            return value
    return values[-1]


def changes_too_late(t, boundaries, values):
    return ex.my_piecewise(t - 1, boundaries, values)


def never_the_last(t, boundaries, values):
    return values[0] if t <= boundaries[0] else values[1]


def backwards(t, boundaries, values):
    return ex.my_piecewise(t, boundaries, values[::-1])


def each(choose):
    """A wrong way to choose the row; the rest is right."""
    return lambda ca, ja, cb, jb: ja[choose(ca, ja)] - jb[choose(cb, jb)]


def of_a(ca, ja, cb, jb):
    row = ca.mean(axis=1).argmin()
    return ja[row] - jb[row]


def of_the_choosers(ca, ja, cb, jb):
    return ca[ca.mean(axis=1).argmin()] - cb[cb.mean(axis=1).argmin()]


def unpaired(ca, ja, cb, jb):
    a, b = ja[ca.mean(axis=1).argmin()], jb[cb.mean(axis=1).argmin()]
    return np.sort(a) - np.sort(b)


def bent(function, at):
    """`function` of the step, a millionth too large at one step."""
    return lambda t, *rest: function(t, *rest) + 1e-6 * (t == at)


WRONG = {
    "half_the_rate": {
        0.026: "stay the same",
        0.0065: "quarter",
        0.052: "lower",
        0.0: "never stops",
        0.02: "half",
    },
    "decay_or_not": {"A": "slows the run down", "c": "logarithmic", "D": "one of", 2: "one of"},
    "cosine_against_constant": {"A": "pays twice", "c": "the least", "D": "one of"},
    "where_it_freezes": {"A": "add up to 0.1", "B": "not come that far", 3.9: "one of"},
    "keras_decay": {"A": "epochs", "c": "a tenth", 0.9: "one of"},
    "which_shape": {"B": "constant rate", "c": "own best", "yes": "one of"},
    "write_cosine": {
        alpha_as_a_rate: "fraction",
        climbs_back: "climbs back",
        without_alpha: "Where is alpha",
        a_straight_line: "half a cosine",
        starts_at_the_floor: "step 0",
        (lambda *arguments: arguments[9]): "IndexError",
    },
    "write_warmup": {
        warmup_plus_one: "one step early",
        warmup_not_shifted: "t − W",
        warmup_climbs_back: "stay at 0",
        warmup_within_the_budget: "of D = 100 steps",
        warmup_from_a_third: "must be 0",
    },
    "fix_boundary": {
        changes_at_the_boundary: "MultiStepLR",
        changes_too_late: "right after",
        never_the_last: "last boundary",
        backwards: "step 0",
    },
    "gamma_per_update": {
        0.96: "0.08",
        0.96**62: "root",
        0.96 / 62: "dividing",
        1 - 0.04 / 62: "exact",
        0.9993: "rounded",
        0.9994: "rounded",
        1.0: "62 times",
    },
    "area_of_a_cosine": {
        465: "constant",
        0.25: "mean",
        0.5: "peak",
        930: "peak is",
        296.06: "quarter",
        100: "half cosine",
    },
    "paired": {
        each(lambda choose, judge: judge.mean(axis=1).argmin()): "lucky",
        each(lambda choose, judge: choose.mean(axis=1).argmax()): "worst",
        of_a: "one rate",
        of_the_choosers: "Judge on others",
        unpaired: "sorted",
        (lambda *tables: ex.my_paired(*tables).mean()): "mean",
        (lambda ca, ja, cb, jb: ex.my_paired(cb, jb, ca, ja)): "b minus a",
        (lambda ca, ja, cb, jb: ja - jb): "one difference per seed",
    },
}

# Nearly right, and wrong still: on each side of each threshold.
NEAR = {
    "half_the_rate": (0.0137, 0.0120),
    "write_cosine": tuple(bent(ex.my_cosine, t) for t in (0, 25, 50, 75, 100, 150, 200)),
    "write_warmup": tuple(bent(ex.my_warmup, t) for t in (0, 1, 5, 9, 10, 11, 60, 110, 130)),
    "fix_boundary": tuple(bent(ex.my_piecewise, t) for t in (0, 100, 101, 200, 201)),
    "gamma_per_update": (0.99935, 0.99933),
    "area_of_a_cosine": (235.5, 230),
    "paired": (lambda *tables: ex.my_paired(*tables) + [0, 0, 2e-6, 0],),
}


@pytest.mark.parametrize("name", WRONG)
def test_question(name):
    check_lesson(ex, name, WRONG[name], NEAR.get(name, ()))


def test_every_question_is_in_the_table():
    check_lesson(ex, None, WRONG)


def test_alpha_added_on_top_is_told_where_the_rate_starts():
    assert "step 0" in ex.write_cosine.check(alpha_added).message


def test_single_precision_is_precise_enough():
    def in_float32(t, lr, decay_steps, alpha):
        return np.float32(ex.my_cosine(t, lr, decay_steps, alpha))

    assert ex.write_cosine.check(in_float32).status == "correct"


def test_a_wrong_rate_is_told_with_the_digits_in_which_it_differs():
    for function, question in ((ex.my_cosine, ex.write_cosine), (ex.my_warmup, ex.write_warmup)):
        message = question.check(bent(function, 50 if question is ex.write_cosine else 60)).message
        wanted, got = message.split("must be ")[1].split(":")[0].split(", got ")
        assert wanted != got
