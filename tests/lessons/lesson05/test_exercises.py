"""Every checker of lesson 5 accepts its solution, knows its stub, and explains typical mistakes."""

import math

import numpy as np
import pytest
from exercise_table import check_lesson

from course_utils.course.exercises import CORRECT, NOT_ATTEMPTED
from course_utils.lessons.lesson05 import exercises as ex
from course_utils.optimizers import Adagrad, Adam, GradientDescent
from course_utils.schedules import cosine, polynomial


class Choice(dict):
    """A dict that may be the key of a table of wrong answers."""

    __hash__ = object.__hash__


def choice(**changes):
    return Choice({**ex.choose_and_defend.solution_value, **changes})


def counting():
    calls = iter(range(10**6))
    return lambda t, lr, warmup: ex.warm_then_root(t, lr, warmup) + 1e-3 * (next(calls) > 3)


def bent(at, warmup=4):
    """The solution, a millionth too large at one step of one warm-up."""

    def learner(t, lr, steps):
        return ex.warm_then_root(t, lr, steps) + 1e-6 * ((t, steps) == (at, warmup))

    return learner


def rows(table):
    return np.mean(table, axis=1)


def of(difference, error=None):
    """What a learner returns for differences (S,)."""
    error = difference.std(ddof=1) / math.sqrt(len(difference)) if error is None else error
    return difference.mean(), error


def chosen_on_the_test(va, ta, vb, tb):
    return of(ta[rows(ta).argmax()] - tb[rows(tb).argmax()])


def best_of_each_seed(va, ta, vb, tb):
    return of(ta.max(axis=0) - tb.max(axis=0))


def one_rate_for_both(va, ta, vb, tb):
    return of(ta[rows(va).argmax()] - tb[rows(va).argmax()])


def luckiest_run(va, ta, vb, tb):
    return of(ta[va.argmax() // va.shape[1]] - tb[vb.argmax() // vb.shape[1]])


def fair(va, ta, vb, tb):
    return ta[rows(va).argmax()], tb[rows(vb).argmax()]


def unpaired(*tables):
    a, b = fair(*tables)
    return of(a - b, math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / len(a)))


def spread(*tables):
    a, b = fair(*tables)
    return of(a - b, (a - b).std(ddof=1))


def without_ddof(*tables):
    a, b = fair(*tables)
    return of(a - b, (a - b).std() / math.sqrt(len(a)))


WRONG = {
    "what_decay_does": {"grows": "noise", "stays": "two rows", "turns": "ahead", 3: "one of"},
    "where_it_turns": {
        (256, 256): "in equal updates",
        (1, 1): "in equal epochs",
        (256, 1): "other way",
        1: "pair",
        (1, 16): "pair",
    },
    "rare_features": {"plain": "badly", "neither": "hundred", "both": "one of"},
    "fair_lead": {
        chosen_on_the_test: "luck",
        best_of_each_seed: "one rate per rule",
        one_rate_for_both: "its own",
        luckiest_run: "single run",
        (lambda va, ta, vb, tb: ex.lead(vb, tb, va, ta)): "sign",
        unpaired: "seed by seed",
        spread: "√S",
        without_ddof: "ddof=1",
        (lambda *tables: ex.lead(*tables)[0]): "pair",
    },
    "write_warmup": {
        (lambda t, lr, warmup: lr * min(t / warmup, 1)): "wasted",
        (lambda t, lr, warmup: lr): "at t = 0",
        (lambda t, lr, warmup: lr * min((t + 1) / warmup, 1)): "has to fall",
        (lambda t, lr, warmup: lr * (t + 1) / warmup): "smaller of the two",
        (
            lambda t, lr, warmup: lr * ((t + 1) / warmup if t < warmup else 1 / math.sqrt(t + 1))
        ): "count the root",
        (lambda t, lr, warmup: lr * min((t + 1) / (warmup + 0.0), 1) if t < 3 else 0.05): "t = 3",
        counting(): "two",
    },
    "state_of_adam": {
        301_066: "m and v",
        903_198: "themselves",
        600_064: "biases",
        602_132_000: "samples",
        7: "count",
    },
    "choose_and_defend": {
        choice(rare=(Adam(), 0.04)): "nats",
        choice(rare=("Adam", 0.1)): "pair",
        choice(rare=0.1): "pair",
        choice(short=(GradientDescent(momentum=0.8), 0.2)): "93 updates",
        choice(careless=(GradientDescent(momentum=0.9), 0.05)): "quarter",
        "Adam": "dict",
    },
}

# Nearly right, and wrong still: on each side of each threshold.
NEAR = {
    "fair_lead": (
        lambda *tables: (ex.lead(*tables)[0] + 1e-4, ex.lead(*tables)[1]),
        lambda *tables: (ex.lead(*tables)[0], ex.lead(*tables)[1] * 1.001),
    ),
    "write_warmup": (bent(0), bent(3), bent(399), bent(0, warmup=1)),
    "state_of_adam": (602_133, 602_131),
    "choose_and_defend": (
        choice(rare=(Adam(), polynomial(0.08, 400, end_lr=0.0))),  # 0.0774 nats
        choice(rare=(GradientDescent(0.6, nesterov=True), polynomial(1.6, 400, end_lr=0.0))),
        choice(short=(GradientDescent(momentum=0.8), polynomial(0.4, 93, end_lr=0.0))),  # 93.9 %
        choice(short=(Adam(), cosine(0.04, 93))),  # 93.7 %
        choice(careless=(Adam(), 0.008)),  # 94.3 %
        choice(careless=(Adagrad(), cosine(0.1, 310))),  # 93.9 %
    ),
}


# Questions of other modules, tested in test_weight_decay_exercises.
ELSEWHERE = ("spike_threshold", "decay_and_rate", "weight_left")


@pytest.mark.parametrize("name", [None, *WRONG])
def test_question(name):
    wrong = WRONG | dict.fromkeys(ELSEWHERE) if name is None else WRONG[name]
    check_lesson(ex, name, wrong, NEAR.get(name, ()))


def test_the_stub_of_the_notebook_is_not_attempted():
    stub = {"rare": (..., ...), "short": (..., ...), "careless": (..., ...)}
    assert ex.choose_and_defend.check(stub).status == NOT_ATTEMPTED


def test_other_good_choices_pass():
    for other in (
        choice(rare=(Adam(), polynomial(0.16, 400, end_lr=0.0))),
        choice(short=(GradientDescent(0.8, nesterov=True), cosine(0.4, 93))),
        choice(careless=(Adagrad(), 0.1)),
    ):
        assert ex.choose_and_defend.check(dict(other)).status == CORRECT


def test_state_of_adam_is_what_torch_keeps():
    import torch

    from course_utils.experiments.models import mlp

    model = mlp([64, 512, 512, 10])
    adam = torch.optim.Adam(model.parameters())
    model(torch.zeros(1, 64)).sum().backward()
    adam.step()
    kept = [s[key].numel() for s in adam.state.values() for key in ("exp_avg", "exp_avg_sq")]
    assert sum(kept) == ex.state_of_adam.solution_value
