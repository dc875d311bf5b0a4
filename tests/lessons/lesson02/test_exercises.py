"""Every checker of lesson 2 accepts its solution, knows its stub, and explains typical mistakes."""

import math

import numpy as np
import pytest
from exercise_table import check_lesson

from course_utils.course.exercises import CORRECT, NOT_ATTEMPTED, NOT_YET
from course_utils.lessons.lesson02 import exercises as ex


class Table:
    """A table {wrong answer: word} whose wrong answers need not be hashable."""

    def __init__(self, *pairs):
        self.pairs = pairs

    def __len__(self):
        return len(self.pairs)

    def items(self):
        return self.pairs


RIGHT = ex.name_the_regimes.solution_value


def previous_step(losses):
    return bool((np.diff(losses) > 0).any())


def not_lower(losses):
    return not losses[-1] < losses[0]


def higher_than_the_start(losses):
    return bool(not np.isfinite(losses).all() or losses[-1] > losses[0])


def above_a_hundred(losses):
    return bool(not np.isfinite(losses).all() or losses[-1] > 100)


def only_growing(losses):
    return bool(not np.isfinite(losses).all() or (np.diff(losses) > 0).all())


def above_the_lowest(losses):
    return bool(not np.isfinite(losses).all() or losses[-1] > 3 * losses.min())


def above_the_mean(losses):
    return bool(not np.isfinite(losses).all() or losses[-1] > losses.mean())


def highest(losses):
    return bool(not np.isfinite(losses).all() or np.max(losses) > 10 * losses[0])


def blind_to_nan(losses):
    return bool(losses[-1] > 10 * losses[0])


def only_nan(losses):
    return bool(np.isnan(losses).any())


def always(losses):
    return True


def curvature_of(gradient, w):
    return 2 / ex.limit_from_gradients.solution_value(gradient, w)


def from_ones(gradient, w):
    """A few rounds from (1, 1, ...), which may stand at a right angle to the steepest."""
    v = np.ones(len(w))
    for _ in range(10):
        v = v / np.linalg.norm(v)
        hv = (gradient(w + 1e-5 * v) - gradient(w - 1e-5 * v)) / 2e-5
        curvature, v = v @ hv, hv
    return 2 / curvature


def at_the_origin(gradient, w):
    return ex.limit_from_gradients.solution_value(gradient, np.zeros(len(w)))


def one_round(gradient, w):
    v = np.random.default_rng(0).standard_normal(len(w))
    v = v / np.linalg.norm(v)
    return 2 / (v @ (gradient(w + 1e-5 * v) - gradient(w - 1e-5 * v)) / 2e-5)


def two_rates(first, second):
    return lambda t: first if t < 200 else second


LOGS = ex.four_logs.solution_value


WRONG = {
    "which_arrives_first": {
        "0.01": "careful",
        "0.99": "way back",
        "neither": "below 1",
        "x": "one of",
    },
    "at_the_limit": {
        0: "shrink",
        math.inf: "larger than 1",
        144: "doubles",
        6: "square",
        1: "sign",
    },
    "who_sets_what": {
        ("flat", "steep"): "other way",
        ("flat", "flat"): "largest",
        ("steep", "steep"): "still on its way",
        "steep": "pair",
    },
    "above_the_limit_in_the_ravine": {"diverges": "straight", "settles": "25", "crawls": "across"},
    "one_percent_above": {1.01: "per step", 100: "too small", 1e78: "too large", -1: "positive"},
    "where_runs_leave": {
        3.8: "sharpness itself",
        0.26: "1/λ is the rate",
        1.9: "turned over",
        1.0: "passes early",
        0.1: "steepest direction",
    },
    "at_the_center": {"rise": "not come back", "stay": "ravine", "x": "one of"},
    "largest_stable_rate": {
        2 / 3: "diagonal",
        0.67: "diagonal",
        0.33: "best rate",
        1: "flat",
        0.25: "half",
        1 / 3: "best rate",
        4: "divided",
        0.7: "eigenvalues",
    },
    "name_the_regimes": Table(
        (RIGHT | {"A": "approach"}, "changes sides"),
        (RIGHT | {"D": "never settles"}, "grow"),
        (RIGHT | {"B": "approach"}, "left after 30"),
        (RIGHT | {"C": "diverge"}, "once more"),
        (RIGHT | {"F": "sinks"}, "one of"),
        ({"A": "crawl"}, "all six"),
        ("crawl", "dict"),
    ),
    "best_rate_and_factor": {
        (0.04, 1.0): "two points",
        (0.02, 0.96): "flat one",
        (0.5, -24): "−24",
        (1 / 24, 0.9): "above the limit",
        (1 / 26, 1 / 26): "hardly",
        (1 / 26, 0.5): "The rate is right",
        (1 / 26, 0.92): "three digits",
        (0.03, 0.94): "equal in size",
        (0.038, 0.92): "nearly the best",
        0.0385: "pair",
    },
    "detector": {
        previous_step: "while it falls",
        not_lower: "stands still",
        higher_than_the_start: "a little above its start",
        above_a_hundred: "a million",
        only_growing: "zigzag",
        above_the_lowest: "lowest",
        above_the_mean: "a little above its start",
        highest: "spike",
        blind_to_nan: "NaN",
        only_nan: "no alarm",
        always: "simply falls",
        (lambda losses: "no"): "True or False",
        3: "function",
    },
    "limit_from_gradients": {
        curvature_of: "is the curvature",
        (lambda gradient, w: 1 / curvature_of(gradient, w)): "1/λ, not 2/λ",
        from_ones: "random direction",
        at_the_origin: "at w itself",
        one_round: "the limit is",
        0.5: "function",
    },
    "four_logs": Table(
        (LOGS | {"A": "bouncing"}, "rises only for a while"),
        (LOGS | {"B": "tiny rate"}, "vanished"),
        (LOGS | {"C": "dead units"}, "holds it back"),
        (LOGS | {"D": "burst"}, "turns round"),
        (LOGS | {"D": "sleepy"}, "one of"),
        ({"A": "burst"}, "all four"),
        ("bouncing", "dict"),
    ),
    "free_the_loss": {
        two_rates(0.4, 0.4): "walls",
        two_rates(0.02, 0.02): "faster",
        two_rates(0.4, 0.02): "faster",
        two_rates(100.0, 0.05): "the limit along",
        two_rates(4.0, 1e-5): "down the wall",
        two_rates(-0.4, 0.02): "positive",
        two_rates(math.inf, 0.02): "positive",
        0.4: "function",
    },
}

# Nearly right, and wrong still: on each side of each threshold.
NEAR = {
    "at_the_limit": (36.001, 35.999),
    "one_percent_above": (0.9e5, 1.1e10),
    "where_runs_leave": (0.494, 0.561),
    "largest_stable_rate": (0.501, 0.499),
    "best_rate_and_factor": (
        *((rate, 12 / 13) for rate in (1 / 26 * 1.003, 1 / 26 * 0.997, 0.045)),
        *((1 / 26, factor) for factor in (12 / 13 * 1.001, 12 / 13 * 0.999)),
    ),
    "limit_from_gradients": (
        lambda gradient, w: 1.012 * ex.limit_from_gradients.solution_value(gradient, w),
        lambda gradient, w: 0.988 * ex.limit_from_gradients.solution_value(gradient, w),
    ),
    "detector": (
        lambda losses: bool(not np.isfinite(losses).all() or losses[-1] > 1.04 * losses[0]),
        lambda losses: bool(not np.isfinite(losses).all() or losses[-1] > 33 * losses[0]),
    ),
    "free_the_loss": (two_rates(0.79, 0.02),),  # the loss ends at 0.00012
}


@pytest.mark.parametrize("name", WRONG)
def test_question(name):
    check_lesson(ex, name, WRONG[name], NEAR.get(name, ()))


def test_every_question_is_tested():
    check_lesson(ex, None, WRONG)


def test_untouched_dictionary_is_not_an_answer():
    stub = dict.fromkeys("ABCDEF", ...)
    assert ex.name_the_regimes.check(stub).status == NOT_ATTEMPTED
    assert ex.name_the_regimes.check(RIGHT | {"A": "oscillate and converge"}).status == CORRECT
    assert ex.name_the_regimes.check(stub | {"A": "crawl"}).status == NOT_YET


def test_an_untouched_dictionary_of_logs_is_not_an_answer():
    assert ex.four_logs.check(dict.fromkeys("ABCD", ...)).status == NOT_ATTEMPTED


def test_the_logs_are_what_their_names_say():
    """Each cause by its definition, in the last quarter of the log and at its start."""
    logs = ex.unlabelled_logs()
    for name, cause in LOGS.items():
        loss, size, cosine = (logs[name][what] for what in ("loss", "|gradient|", "cosine"))
        late = slice(-25, None)
        found = {
            "tiny rate": size[late].min() > 0.9 * size[0] and cosine.min() > 0.9,
            "bouncing": size[late].min() > 0.5 * size[0] and cosine[late].max() < -0.9,
            "dead units": size[late].max() < 1e-3 and abs(loss[late] - math.log(10)).max() < 0.02,
            "burst": np.nanmin(cosine) < -0.7 and cosine[-1] > 0.9 and loss[-1] < 0.1 * loss[0],
        }
        assert [c for c, true in found.items() if true] == [cause]


def test_regimes_of_the_mystery_runs_follow_from_their_factors():
    for name, run in ex.mystery_runs().items():
        factor = 1 - 4 * run.lr[0]
        regime = (
            "diverge"
            if factor < -1
            else "never settles"
            if factor == -1
            else "oscillate"
            if factor < 0
            else "one step"
            if factor == 0
            else "approach"
            if factor < 0.9
            else "crawl"
        )
        assert RIGHT[name] == regime
        path = run.params[:, 0]
        np.testing.assert_allclose(path, factor ** np.arange(31), rtol=1e-9, atol=1e-12)


def test_numbers_of_the_solutions_are_independent_facts():
    assert 2 / np.linalg.eigvalsh([[3, 1], [1, 3]]).max() == pytest.approx(0.5)
    rates = np.linspace(0.001, 0.06, 59001)
    worst = np.maximum(abs(1 - 50 * rates), abs(1 - 2 * rates))
    rate, factor = ex.best_rate_and_factor.solution_value
    assert rates[worst.argmin()] == pytest.approx(rate, abs=2e-6)
    assert worst.min() == pytest.approx(factor, abs=1e-5)
