"""Every checker of lesson 8 accepts its solution, knows its stub, and explains typical mistakes."""

from pathlib import Path

import numpy as np
import pytest
from exercise_table import check_lesson

from course_utils.lessons.lesson08 import exercises as ex
from course_utils.lessons.lesson08.methods import studies
from course_utils.lessons.lesson08.schedule_free import ScheduleFreeSGD


def u_of(t, start, steps):
    return min(max((t - start) / steps, 0), 1)


def straight(t, lr, start, steps):
    return lr * (1 - u_of(t, start, steps))


def slow_first(t, lr, start, steps):
    return lr * (1 - u_of(t, start, steps)) ** 0.5


def one_late(t, lr, start, steps):
    return ex.my_cool_down(t - 1, lr, start, steps)


def one_early(t, lr, start, steps):
    return ex.my_cool_down(t + 1, lr, start, steps)


def no_floor(t, lr, start, steps):
    return lr * (1 - max((t - start) / steps, 0) ** 0.5)


def no_hold(t, lr, start, steps):
    return lr * (1 - min(abs((t - start) / steps), 1) ** 0.5)


def shifted(by):
    """A rate that is wrong by a millionth, at one update."""
    return lambda t, lr, start, steps: ex.my_cool_down(t, lr, start, steps) + by * (t == 101)


def mean(path, power):
    return path.mean(axis=0)


def powers(path, power):
    weights = np.arange(1.0, len(path) + 1) ** power
    return weights @ path / weights.sum()


def from_zero(path, power):
    a = np.zeros_like(path[0])
    for n, w in enumerate(path):
        a = a + min((power + 1) / max(n + power, 1e-9), 1) * (w - a)
    return a


def all_of_them(path, power):
    return np.array([ex.my_average(path[:n], power) for n in range(1, len(path) + 1)])


def ema(path, power):
    a = path[0]
    for w in path[1:]:
        a = a + 0.1 * (w - a)
    return a


def off_by(amount):
    return lambda path, power: ex.my_average(path, power) + amount


def separate(lengths, share):
    return sum(lengths)


def trunk_to_the_end(lengths, share):
    return max(lengths) + sum(round(share * h) for h in lengths)


def branches_only(lengths, share):
    return sum(round(share * h) for h in lengths)


def trunk_only(lengths, share):
    return ex.my_plan(lengths, share) - branches_only(lengths, share)


def last_in_the_list(lengths, share):
    return lengths[-1] - round(share * lengths[-1]) + branches_only(lengths, share)


def free(kept="x", at=0.6, begin=1, more=0.0):
    """Schedule-free with one thing wrong: what is kept, where the gradient is taken, the shares."""

    def answer(gradient, w, rate, beta, updates):
        x = z = w
        for n in range(begin, begin + updates):
            y = (1 - at) * z + at * x
            z = z - rate * gradient(y)
            x = x + (z - x) / n
        return {"x": x, "y": y, "z": z, "next y": (1 - at) * z + at * x}[kept] + more

    return answer


WRONG = {
    "cut_at_a_third": {"A": "three quarters", "C": "made for 600", "D": "one of"},
    "updates_in_all": {
        3600: "three runs",
        1800: "on top",
        2520: "may stop",
        720: "alone",
        1440: "last branch",
        2000: "1440",
    },
    "which_average": {"A": "for ever", "C": "neither", "D": "one of"},
    "what_is_left_of_the_gap": {"A": "small rate", "B": "more", 3: "one of"},
    "schedule_free_at_the_end": {"B": "default", "C": "furthest", 0.5: "one of"},
    "memory_of_an_average": {
        0.9: "ten updates",
        0.99: "100",
        0.999: "a fifth",
        0.9998: "whole run",
        0.002: "newest",
        0.5: "500",
    },
    "cool_down": {
        straight: "straight line",
        slow_first: "slowly at first",
        one_early: "u = 0",
        one_late: "101",
        no_floor: "past the end",
        no_hold: "before the cool-down",
    },
    "average": {
        mean: "plain mean",
        powers: "n^p",
        from_zero: "from 0",
        all_of_them: "last weights only",
        ema: "off by",
    },
    "price": {
        separate: "separate runs",
        trunk_to_the_end: "need not go",
        branches_only: "trunk costs",
        trunk_only: "cool-down costs",
        last_in_the_list: "100, 1000, 200",
    },
    "schedule_free": {
        free("y"): "is y",
        free("next y"): "is y",
        free("z"): "is z",
        free(at=0.0): "gradient at z",
        free(at=1.0): "gradient at x",
        free(at=0.4): "swapped",
        free(begin=2): "begins at 0",
        free(begin=3): "off by",
        (lambda gradient, w, rate, beta, updates: [w, w]): "one set",
    },
}

NEAR = {
    "updates_in_all": [2159, 2161],
    "memory_of_an_average": [0.99797, 0.99803],
    "cool_down": [shifted(1e-8), shifted(-1e-8)],
    "average": [off_by(1e-8), off_by(-1e-8)],
    "price": [lambda lengths, share: ex.my_plan(lengths, share) + 1],
    "schedule_free": [free(more=1e-8), free(more=-1e-8)],
}


@pytest.mark.parametrize("name", [None, *WRONG])
def test_checker(name):
    if name is None:
        return check_lesson(ex, None, WRONG)
    check_lesson(ex, name, WRONG[name], NEAR.get(name, ()))


def test_what_the_checkers_say_of_methods_is_on_record():
    """The letters of three predictions, on every recorded task, in loss."""
    results = Path(__file__).parents[3] / "notebooks/results"
    for study in studies(results / "08_sgd.json").values():
        third, *_ = study.lengths
        for h in study.lengths:
            mean, recent = (study.value(m, h).mean() for m in ("mean of all", "weights n^8"))
            assert recent < mean
            assert study.closed("weights n^8", h) > 0.85
        cut, constant = (study.behind(m, third).mean for m in ("cosine cut", "constant"))
        assert cut > 0.5 * constant > 0
        for h in study.lengths:
            assert study.behind("schedule-free, β = 0.5", h).mean < 0.01
        half, default, most = (
            study.behind(f"schedule-free, β = {beta}", h).mean for beta in (0.5, 0.9, 0.98)
        )
        assert half < 0.001 and 0 < default < most and 0.025 < most < 0.08


def test_the_schedule_free_that_is_asked_for_is_the_packages():
    """Through `ScheduleFreeSGD`, which tests/golden/schedule_free.json holds to the package."""
    pull, start = np.array([1.0, 3.0]), np.array([1.0, -2.0])
    rule, y = ScheduleFreeSGD(0.7), start
    for _ in range(20):
        y = rule.step(y, pull * y - 0.5, 0.2)
    x = ex.my_schedule_free(lambda w: pull * w - 0.5, start, 0.2, 0.7, 20)
    np.testing.assert_allclose(x, rule.average, rtol=0, atol=1e-13)
