"""Every checker of lesson 5 accepts its solution, knows its stub, and explains typical mistakes."""

import math

import numpy as np
import pytest
from exercise_table import check_lesson

from course_utils.course.exercises import NOT_ATTEMPTED
from course_utils.lessons.lesson05 import exercises as ex
from course_utils.optimizers import Adagrad, Adam, AdamW, GradientDescent
from course_utils.schedules import cosine


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


WRONG = {
    "who_can_burst": {"sum": "never falls", "both": "for each", "neither": "average", 3: "one of"},
    "what_cures": {"warm-up": "first steps", "both": "full rate", "neither": "zero"},
    "where_warmup_helps": {0.01: "below", 0.03: "protection", 0.1: "at stake", 1.0: "choose"},
    "smallest_batch_gap": {"small": "article", "equal": "parallel", "huge": "one of"},
    "burst_threshold": {
        2: "β1 = 0",
        38: "0.9",
        3: "heavy ball",
        4: "1+β",
        2 / 3: "exchanged",
        5: "put",
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
    "weight_left": {
        0.1353: "constant",
        0.98**1000: "per step",
        0.998: "one step",
        1: "all the same",
        0.5: "multiply",
    },
    "choose_and_defend": {
        choice(calm=(Adam(beta1=0.0, beta2=0.9), 0.1)): "again",
        choice(calm=(Adagrad(), 0.1)): "final loss",
        choice(calm=("Adam", 0.1)): "pair",
        choice(calm=0.1): "pair",
        choice(rare=(GradientDescent(), 1.0)): "nats",
        choice(careless=(GradientDescent(), 0.5)): "quarter",
        "Adam": "dict",
    },
}

# Nearly right, and wrong still: on each side of each threshold.
NEAR = {
    "where_warmup_helps": (0.301, 0.299),
    "burst_threshold": (6.01, 5.99),
    "write_warmup": (bent(0), bent(3), bent(399), bent(0, warmup=1)),
    "state_of_adam": (602_133, 602_131),
    "weight_left": (0.372, 0.3635),
    "choose_and_defend": (
        choice(calm=(Adam(beta1=0.0, beta2=0.9), cosine(0.022, 2000))),  # a loss of 7e-6
        choice(rare=(Adagrad(), 0.4)),  # 0.085 nats
        choice(careless=(Adam(), 0.03)),  # 92.4 %
        choice(careless=(Adam(), 0.05)),
    ),
}


@pytest.mark.parametrize("name", [None, *WRONG])
def test_question(name):
    check_lesson(ex, name, WRONG if name is None else WRONG[name], NEAR.get(name, ()))


def test_the_stub_of_the_notebook_is_not_attempted():
    stub = {"calm": (..., ...), "rare": (..., ...), "careless": (..., ...)}
    assert ex.choose_and_defend.check(stub).status == NOT_ATTEMPTED


def test_state_of_adam_is_what_torch_keeps():
    import torch

    from course_utils.experiments.models import mlp

    model = mlp([64, 512, 512, 10])
    adam = torch.optim.Adam(model.parameters())
    model(torch.zeros(1, 64)).sum().backward()
    adam.step()
    kept = [s[key].numel() for s in adam.state.values() for key in ("exp_avg", "exp_avg_sq")]
    assert sum(kept) == ex.state_of_adam.solution_value


def test_weight_left_is_what_torch_leaves():
    import torch

    w = torch.ones(1, dtype=torch.float64, requires_grad=True)
    adamw = torch.optim.AdamW([w], lr=0.1, weight_decay=0.02)
    for t in range(1000):
        adamw.param_groups[0]["lr"] = cosine(0.1, 1000)(t)
        w.grad = torch.zeros(1, dtype=torch.float64)
        adamw.step()
    assert w.item() == pytest.approx(ex.weight_left.solution_value, rel=0.01)
    ours, rule = np.ones(1), AdamW(weight_decay=0.02)
    for t in range(1000):
        ours = rule.step(ours, [0.0], cosine(0.1, 1000)(t))
    assert ours[0] == pytest.approx(w.item(), rel=1e-12)


def test_burst_threshold_is_where_the_recursion_loses_its_stability():
    # Adam with a frozen σ on a parabola: the largest root of its recursion passes 1 at the limit.
    for beta in (0.0, 0.5, 0.9):
        for factor, stable in ((0.999, True), (1.001, False)):
            x = factor * 2 * (1 + beta) / (1 - beta)
            roots = np.roots([1, (1 - beta) * x - 1 - beta, beta])
            assert bool(np.abs(roots).max() < 1) is stable
