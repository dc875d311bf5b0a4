"""Every checker of lesson 4 accepts its solution, knows its stub, and explains typical mistakes."""

import numpy as np
import pytest
import torch
from exercise_table import check_lesson

from course_utils.course.exercises import NOT_YET
from course_utils.lessons.lesson04 import exercises as ex
from course_utils.optimizers import Adagrad, Adam, GradientDescent, RMSprop


def with_rule(average, root=np.sqrt, sign=1.0, first=None, start=0):
    """An RMSprop of a learner, with some part of it replaced."""

    def learner(gradient, w, lr, steps, alpha=0.99, eps=1e-8):
        v, path = 0.0, [w]
        for t in range(steps):
            g = gradient(w)
            v = g**2 if first and t == 0 else average(v, g, alpha)
            w = w - sign * lr * g / (root(v) + eps)
            path.append(w)
        return np.array(path)[start:]

    return learner


def averaged(v, g, alpha):
    return alpha * v + (1 - alpha) * g**2


def eps_inside(gradient, w, lr, steps, alpha=0.99, eps=1e-8):
    v, path = 0.0, [w]
    for _ in range(steps):
        g = gradient(w)
        v = averaged(v, g, alpha)
        w = w - lr * g / np.sqrt(v + eps)
        path.append(w)
    return path


def aliased(gradient, w, lr, steps, alpha=0.99, eps=1e-8):
    v, path = 0.0, [w]
    for _ in range(steps):
        g = gradient(w)
        v = averaged(v, g, alpha)
        w -= lr * g / (np.sqrt(v) + eps)
        path.append(w)
    return path


class Choice(dict):
    """A dict that may be the key of a table of wrong answers."""

    __hash__ = object.__hash__


def choice(**changes):
    return Choice({**ex.choose_and_defend.solution_value, **changes})


def in_place(x):
    x -= x.mean(axis=0)
    return ex.standardize(x)


WRONG = {
    "first_steps_of_adam": {
        (1, 1): "0.001",
        (1, 0.1): "below",
        (1, 10): "RMSprop",
        (1, 31.6): "too small by 10",
        (1, 100): "root",
        (1, 7): "compute",
        (0.1, 3.16): "with the correction",
        1.0: "pair",
    },
    "rare_feature": {
        0.002: "hundredth of the steps",
        2e-5: "must be long",
        0.02: "one of 10",
        -1: "greater than 0",
        3: "times longer",
    },
    "who_wins": {"momentum": "ahead", "tie": "not enough", "SGD": "one of", 4: "one of"},
    "turned_network": {30: "chosen", 8: "chosen", 3: "hardly", -5: "positive", "none": "number"},
    "who_notices": {
        frozenset({"momentum", "Adam"}): "turns with them",
        frozenset({"gradient descent"}): "vector turns",
        frozenset(): "do notice",
        frozenset({"adam", "RMSProp "}): "Adagrad",
        frozenset({"Adagrad", "Adam"}): "RMSprop",
        frozenset({"SGD", "adam"}): "names",
        7: "set of names",
    },
    "write_rmsprop": {
        with_rule(averaged, sign=-1.0): "uphill",
        with_rule(lambda v, g, alpha: v + g**2): "Adagrad",
        with_rule(lambda v, g, alpha: (1 - alpha) * v + alpha * g**2): "swapped",
        eps_inside: "outside",
        with_rule(averaged, first=True): "lecture",
        with_rule(averaged, root=lambda v: v): "root is missing",
        with_rule(lambda v, g, alpha: alpha * v + g**2): "not an average",
        with_rule(averaged, start=-1): "start included",
        with_rule(averaged, start=1): "start included",
        (lambda *a, **k: ex.rmsprop(*a, **k)[-1]): "one point",
        (lambda *a, **k: ex.rmsprop(*a, **{**k, "lr": 0.1})): "not RMSprop's",
        aliased: "in place",
        (lambda *a, **k: 3.0): "float",
        3: "function",
    },
    "missing_correction": {"m": "too short", "both": "3.16", "none": "one of", 1: "one of"},
    "floor_of_rmsprop": {
        0.01: "one rate long",
        0.005: "factor ½",
        0: "gradient descent",
        0.25: "squared",
        1.0: "ends at",
    },
    "largest_heavy_ball_rate": {
        0.08: "without momentum",
        0.05538: "Nesterov",
        0.4: "guess",
        3.6: "divide",
        0.016: "faster",
        1.0: "limit is",
    },
    "scale_the_inputs": {
        (lambda x: x - x.mean(axis=0)): "condition number",
        (lambda x: (x - x.mean()) / x.std()): "means",
        (lambda x: (x - x.mean(axis=0)) / x.std(axis=0)): "NaN",
        (lambda x: x / x.max(axis=0)): "means",
        (lambda x: x[:, 0]): "same shape",
        in_place: "changed its input",
    },
    "choose_and_defend": {
        choice(axes=(RMSprop(alpha=0.9), 0.0237)): "pays for 100",
        choice(axes=(GradientDescent(), 0.0199)): "arrive and stay",
        choice(turned=(Adam(), 0.178)): "turned",
        choice(turned=(Adagrad(), 3.0)): "arrive and stay",
        choice(exact=(RMSprop(), 0.1)): "softly",
        choice(exact=(GradientDescent(), 2.5)): "softly",
        choice(exact=(GradientDescent(), -1.0)): "greater than 0",
        choice(exact=("Adam", 1.0)): "object",
        choice(exact=Adam()): "pair",
        choice(exact=...): "fill in",
        "Adam": "keys",
    },
}

# Nearly right, and wrong still: on each side of each threshold.
NEAR = {
    "rare_feature": (0.099, 0.451),
    "turned_network": (1.51, -2),
    "first_steps_of_adam": ((1.02, 3.1623), (0.98, 3.1623), (1, 3.2), (1, 3.12)),
    "write_rmsprop": (lambda *a, **k: ex.rmsprop(*a, **k) + 1e-7,),
    "floor_of_rmsprop": (0.00256, 0.00244),
    "largest_heavy_ball_rate": (0.1445, 0.1435),
    "scale_the_inputs": (
        lambda x: (x - x.mean(axis=0)) / np.maximum(np.ptp(x, axis=0), 1e-9),  # by the range
        lambda x: ex.standardize(x) * [1, 1.011, 1],  # condition number 1.022
        lambda x: ex.standardize(x) + 1e-5,
    ),
    "choose_and_defend": (
        choice(axes=(Adam(), 0.115)),  # 104 steps
        choice(turned=(Adam(beta2=0.9), 0.06)),  # more than 400 steps
        choice(exact=(GradientDescent(), 0.075)),  # a loss of 1.4e-12
    ),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.filterwarnings("ignore:invalid value")  # a learner may divide by zero
def test_question(name):
    check_lesson(ex, name, WRONG[name], NEAR.get(name, ()))


def test_every_question_is_in_the_table():
    check_lesson(ex, None, WRONG)


def test_several_rules_defend_a_client():
    for change in (
        {"axes": (Adagrad(), 3.0)},
        {"exact": (Adagrad(), 10.0)},
        {"exact": (GradientDescent(momentum=0.3), 0.9)},
        {"turned": (GradientDescent(momentum=0.96), 0.032)},
        {"turned": (Adam(beta2=0.9), 0.0316)},
    ):
        assert ex.choose_and_defend.check(choice(**change)).status != NOT_YET, change


def test_rmsprop_of_the_solution_is_torchs():
    curvature, start = np.array([3.0, 0.2]), np.array([1.0, -2.0])
    path = ex.rmsprop(lambda w: curvature * w, start, 0.05, 40, alpha=0.8, eps=0.01)
    w = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.RMSprop([w], lr=0.05, alpha=0.8, eps=0.01)
    for t in range(40):
        assert np.allclose(path[t], w.detach().numpy(), rtol=0, atol=1e-12)
        w.grad = torch.tensor(curvature) * w.detach()
        optimizer.step()


def test_names_are_read_as_learners_write_them():
    assert ex.who_notices.check({"adagrad", "RMSProp", " adam"}).status != NOT_YET
    assert ex.who_wins.check("adam").status != NOT_YET


def test_the_choices_that_count_for_a_client_are_near_its_limit():
    lost = choice(turned=(GradientDescent(momentum=0.9), 0.0316))  # 609 steps, β not tuned
    assert "pays for 400" in str(ex.choose_and_defend.check(lost))
