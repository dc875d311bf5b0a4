"""Questions of lesson 7, choosing a learning rate; its last one is in `capstone`."""

from __future__ import annotations

import math

import numpy as np

from course_utils.course.exercises import (
    Lesson,
    call,
    expect,
    grade_choice,
    grade_number,
    number,
    pair,
)
from course_utils.lessons.lesson07.capstone import grade_capstone, solve

question = Lesson(7).question


# --- predictions -------------------------------------------------------------------------------

which_point = question(
    "which_point",
    "Which point of a range test do you take as the rate: 'lowest', 'steepest' or 'tenth'?",
    grade_choice(
        "tenth",
        {
            "lowest": "at the lowest point the loss has stopped falling: the next rate undoes it.",
            "steepest": "with Adam it is as good; with momentum it lies too near the cliff. See "
            "the regrets.",
            "tenth": "A tenth of the rate with the lowest loss: far from the cliff, and easy to "
            "read.",
        },
    ),
    hints=("What has the loss just begun to do at its lowest point?", "Which point is robust?"),
    solution="tenth",
    explanation="The minimum of the smoothed curve is easy to find, and an order of magnitude "
    "below it there is room on both sides.",
)


def _grade_survival(answer):
    count = number(answer)
    expect(count < 13, "One seed has lived. It does not say how often that happens.")
    expect(count > 5, "It is not dead: more than half live.")
    return "9 of 14: a peak that seed 0 calls safe stops 5 of the others."


dead_neighbor = question(
    "dead_neighbor",
    "Seed 0 lives at the best peak, whose larger neighbor is dead. How many of the fourteen seeds "
    "0 to 13 live after 100 updates?",
    _grade_survival,
    hints=("How much do you know of a coin that you have seen land once?",),
    solution=9,
    explanation="Beside a dead neighbor a run is at the edge of what trains, and the seed decides. "
    "Change what limits the rate, then search again. If warm-up does not help, clip.",
)


def _grade_survivors(answer):
    results, begun = map(number, pair(answer, "give a pair: (results, trials begun)."))
    expect(results >= 9, "Nothing is lost: a trial without signs of life is queued again.")
    expect(results <= 9, "Each point has one result: one that comes too late is refused.")
    expect(begun > 9, "Two trials were in hand when their workers stopped: they began again.")
    expect(begun == 11, "Count: nine, and one more for the killed and one for the frozen worker.")
    return "Nine results, eleven beginnings."


survivors = question(
    "survivors",
    "Nine trials, one worker killed in a trial, one frozen in another: (results, trials begun)?",
    _grade_survivors,
    hints=("What happens to a trial that gives no sign of life?", "Can a point have two results?"),
    solution=(9, 11),
    explanation="Two trials are begun anew; the late result of the frozen worker is refused.",
)

harder_task = question(
    "harder_task",
    "Ten classes in place of two: does the best rate by *test* loss get 'larger', 'smaller', or "
    "stay 'equal' (within 20 %)?",
    grade_choice(
        "smaller",
        {
            "larger": "more to learn, larger steps? It is judged on new examples, after the same "
            "number of updates.",
            "smaller": "By test loss it falls to a third, in a flat basin. By training loss it "
            "moves far less.",
            "equal": "by training loss, nearly. What does a fast run do after it has fitted?",
        },
    ),
    hints=("Where does overfitting begin sooner?",),
    solution="smaller",
    explanation="Probably because, at a fixed number of updates, a smaller rate also ends the "
    "training earlier.",
)


def _grade_percent(answer):
    percent = number(answer)
    expect(percent < 100, "The loss would be below 0. Give the percent of the large rate's loss.")
    expect(percent <= 10, "It is lower, but by four percent: most of the gap was time.")
    expect(percent > 0, "With wrong labels that happens. Here the small rate is a little ahead.")
    return "It is ahead by four percent; most of its gap was time."


equal_training_loss = question(
    "equal_training_loss",
    "Right labels; 0.046 and 0.46, both stopped at the training loss 0.05. By how many percent is "
    "the test loss of 0.046 lower?",
    _grade_percent,
    hints=("Lesson 1: at small rates the rate is a clock.", "Compare positions, not times."),
    solution=4,
    explanation="The gap between training and test loss grows along the road. A small rate has "
    "a smaller gap above all because it has not come as far.",
)


# --- exercises ---------------------------------------------------------------------------------


random_trials = question(
    "random_trials",
    "How many random trials over six decades until a basin of half a decade is hit with 95 %?",
    grade_number(
        35,
        mistakes={
            12: "twelve is what a grid needs. Random points do not keep their distance.",
            13: "that is about what a grid needs. Random points do not keep their distance.",
            34: "34 trials reach 94.8 %. Round up.",
            6: "the basin is a twelfth of the range, and it must be hit with a probability of "
            "95 %.",
        },
        otherwise="all n trials miss with the probability (1 − 1/12)^n. Make that 5 %.",
        right="35 random trials for what 12 grid points do with certainty.",
    ),
    hints=("One trial misses with the probability 11/12.", "log(0.05) / log(11/12)"),
    solution=35,
    explanation="(11/12)^34 = 0.052 and (11/12)^35 = 0.048.",
)


def trustworthy(lrs, losses):
    """The best of the finite losses, if a smaller and a larger rate were tried as well."""
    lrs, losses = np.asarray(lrs, dtype=float), np.asarray(losses, dtype=float)
    if not np.isfinite(losses).any():
        return False
    best = lrs[np.where(np.isfinite(losses), losses, np.inf).argmin()]
    return bool(lrs.min() < best < lrs.max())


_SEARCHES = (
    ([0.01, 0.1, 1.0], [0.5, 0.2, 0.9], True, "a best rate in the middle is not trusted."),
    (
        [0.01, 0.1, 1.0],
        [0.5, 0.3, 0.2],
        False,
        "the best is the largest rate tried: a larger one may be better.",
    ),
    ([0.01, 0.1, 1.0], [0.2, 0.3, 0.9], False, "the best is the smallest rate tried."),
    (
        [0.1, 1.0, 0.01],
        [0.4, 0.2, 0.5],
        False,
        "the rates need not be sorted: the best is the largest, in the middle of the list.",
    ),
    (
        [0.01, 0.1, 1.0, 10.0],
        [0.5, 0.2, math.inf, math.nan],
        True,
        "a diverged run (NaN) is a valid neighbor: it says that the rate is too large. Do not "
        "let `argmin` choose it either.",
    ),
    ([0.1, 1.0], [math.nan, math.nan], False, "nothing can be trusted where every run diverged."),
)


def _grade_trust(answer):
    for lrs, losses, truth, why in _SEARCHES:
        got = call(answer, np.array(lrs), np.array(losses))
        expect(
            isinstance(got, (bool, np.bool_)), f"return True or False, not {type(got).__name__}."
        )
        expect(bool(got) == truth, f"Not yet, for rates {lrs} and losses {losses}: {why}")
    return "Sorted or not, with NaN or without: an answer on the edge is only a bound."


trust = question(
    "trust",
    "Write trustworthy(lrs, losses): False where the best rate lies on the edge of those tried.",
    _grade_trust,
    hints=(
        "Replace what is not finite by infinity before you look for the smallest loss.",
        "Compare the best rate with lrs.min() and lrs.max(), not its position with 0 and n − 1.",
    ),
    solution=trustworthy,
    explanation="`best(...).edge` of a table of this course does the same.",
)


def price_of_a_search(n, tests, stopped):
    """Runs of 600 updates, tests of 100, and runs stopped after 100."""
    return n + (tests + stopped) / 6


bill = question(
    "bill",
    "Six whole runs of 600 updates, three range tests of 100 updates, two runs stopped after 100: "
    "the bill in whole runs?",
    grade_number(
        price_of_a_search(6, 3, 2),
        rtol=0.002,
        mistakes={
            11: "that counts the entries. A range test and a stopped run are a sixth of a run.",
            6: "the tests and the stopped runs cost something as well.",
            8: "the stopped runs cost 100 updates each, not 600.",
            6.5: "the two stopped runs cost something as well.",
        },
        otherwise="count updates, and divide by 600.",
        right="Less than seven runs. Whoever counts entries would have said eleven.",
    ),
    hints=("600 updates are one run.", "5 × 100 / 600"),
    solution=price_of_a_search(6, 3, 2),
    explanation="6 + 5 · 100/600 = 6.83.",
)

capstone = question(
    "capstone",
    "Write find_rate(task): find a good rate for an unknown task at the price of ten runs.",
    grade_capstone,
    hints=(
        "Begin with a factor of ten between the rates, from 1e-4 to 10: six runs.",
        "Or with task.range_test(), which costs 0.4 of a run: the minimum divided by ten is the "
        "center of a grid. Look whether the loss has really fallen.",
        "task(lr) returns NaN where the training diverged; NaN must not win.",
    ),
    solution=solve,
    explanation="Coarse to fine on a logarithmic axis, with or without a range test.",
)
