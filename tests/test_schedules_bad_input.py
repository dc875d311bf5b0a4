"""Bad input: every factory names the argument, shows the value and says what is allowed.

One bad value per argument: what each kind of argument refuses is in test_validate.py, and whether
any argument of the root can be spoiled without a clear error in test_bad_input.py.
"""

import inspect
import re

import numpy as np
import pytest

from course_utils.schedules import (
    FAMILIES,
    ReduceOnPlateau,
    Schedule,
    as_schedule,
    constant,
    cosine,
    custom,
    join,
)

NAN, INF = float("nan"), float("inf")

POSITIVE, NONNEGATIVE = (0, "greater than 0"), (-1e-9, "0 or greater")
COUNT, COUNT_OR_ZERO = (0, "1 or greater"), (-1, "0 or greater")
SHARE, AT_LEAST_ONE = (1.1, r"in \[0, 1\]"), (0.99, "1 or greater")
FLAG = ("no", "True or False")
DECAY = {"lr": POSITIVE, "decay_steps": COUNT}
LINEAR_COSINE = {**DECAY, "num_periods": NONNEGATIVE, "alpha": NONNEGATIVE, "beta": NONNEGATIVE}
BAD = {
    "constant": {"lr": POSITIVE},
    "piecewise_constant": {
        "boundaries": ([9, 5], "increase"),
        "values": ([0.1, -0.1, 0.1], "0 or greater"),
    },
    "step_decay": {"lr": POSITIVE, "step_size": COUNT, "drop": POSITIVE},
    "exponential": {**DECAY, "decay_rate": POSITIVE, "staircase": FLAG},
    "natural_exponential": {**DECAY, "decay_rate": NONNEGATIVE, "staircase": FLAG},
    "inverse_time": {**DECAY, "decay_rate": NONNEGATIVE, "staircase": FLAG},
    "inverse_sqrt": DECAY,
    "polynomial": {**DECAY, "end_lr": NONNEGATIVE, "power": POSITIVE, "cycle": FLAG},
    "cosine": {**DECAY, "alpha": SHARE},
    "cosine_restarts": {
        "lr": POSITIVE,
        "first_decay_steps": COUNT,
        "t_mul": AT_LEAST_ONE,
        "m_mul": POSITIVE,
        "alpha": SHARE,
    },
    "linear_cosine": LINEAR_COSINE,
    "noisy_linear_cosine": {
        **LINEAR_COSINE,
        "initial_variance": NONNEGATIVE,
        "variance_decay": NONNEGATIVE,
        "seed": COUNT_OR_ZERO,
        "floor": NONNEGATIVE,
    },
    "triangular": {"lr_min": NONNEGATIVE, "lr_max": POSITIVE, "step_size": COUNT},
    "one_cycle": {
        "lr_max": POSITIVE,
        "total_steps": (1, "2 or greater"),
        "warmup_fraction": SHARE,
        "div_factor": AT_LEAST_ONE,
        "final_div_factor": AT_LEAST_ONE,
        "anneal": ("cosine", "one of 'cos', 'linear'"),
    },
    "warmup_stable_decay": {
        "lr": POSITIVE,
        "warmup_steps": COUNT_OR_ZERO,
        "stable_steps": COUNT_OR_ZERO,
        "decay_steps": COUNT_OR_ZERO,
        "shape": ("sqrt", "one of 'linear', 'cosine', '1-sqrt', 'square'"),
    },
    "custom": {
        "function": (0.1, "callable"),
        "name": (None, "a str"),
        "formula": (3, "a str"),
        "vectorized": FLAG,
    },
    "with_warmup": {
        "schedule": (abs, "custom"),
        "warmup_steps": COUNT_OR_ZERO,
        "start_factor": SHARE,
    },
    "join": {
        "schedules": ([0.1, 0.2, 0.3], "one item more than boundaries"),
        "boundaries": ([0], "1 or greater"),
    },
    "ReduceOnPlateau": {
        "lr": POSITIVE,
        "factor": (1.0, r"in \[0, 1\)"),
        "patience": COUNT_OR_ZERO,
        "mode": ("minimum", "one of 'min', 'max'"),
        "threshold": NONNEGATIVE,
        "threshold_mode": ("relative", "one of 'rel', 'abs'"),
        "cooldown": COUNT_OR_ZERO,
        "min_lr": NONNEGATIVE,
        "eps": NONNEGATIVE,
    },
}
MAKERS = {**FAMILIES, "ReduceOnPlateau": ReduceOnPlateau}
# What has no default; each row above spoils one argument.
GOOD = {
    "lr": 0.1,
    "decay_steps": 10,
    "first_decay_steps": 10,
    "step_size": 10,
    "decay_rate": 0.5,
    "boundaries": [5],
    "values": [0.1, 0.01],
    "lr_min": 0.01,
    "lr_max": 0.1,
    "total_steps": 10,
    "warmup_steps": 1,
    "stable_steps": 2,
    "function": abs,
    "schedule": 0.1,
    "schedules": [0.1, 0.2],
}


def good(maker):
    return {
        name: GOOD[name] for name in inspect.signature(MAKERS[maker]).parameters if name in GOOD
    }


@pytest.mark.parametrize(
    ("maker", "name", "bad", "allowed"),
    [(maker, name, *row) for maker, rows in BAD.items() for name, row in rows.items()],
)
def test_bad_argument(maker, name, bad, allowed):
    with pytest.raises((ValueError, TypeError)) as caught:
        MAKERS[maker](**{**good(maker), name: bad})
    message = str(caught.value)
    assert re.match(rf"{name}(\[\d\])? must ", message), message
    assert re.search(allowed, message), message
    assert not isinstance(bad, (float, str)) or f"{bad}" in message, message


def test_the_table_covers_every_argument_of_every_factory():
    assert {maker: set(rows) for maker, rows in BAD.items()} == {
        maker: set(inspect.signature(make).parameters) for maker, make in MAKERS.items()
    }
    for maker, make in MAKERS.items():
        make(**good(maker))


@pytest.mark.parametrize(
    ("maker", "arguments", "message"),
    [
        ("triangular", (0.1, 0.1, 10), "lr_max must be greater than lr_min = 0.1, got 0.1"),
        ("piecewise_constant", ([5], [0.1]), "values must have one item more than boundaries"),
        ("piecewise_constant", ([5.5], [0.1, 0.2]), r"boundaries\[0\] must be an integer"),
        ("piecewise_constant", (5, [0.1, 0.2]), "boundaries must be a list, got 5"),
        ("join", ([0.1, None], [5]), r"schedules\[1\] must be a number"),
    ],
)
def test_arguments_that_do_not_fit_each_other(maker, arguments, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        FAMILIES[maker](*arguments)


def test_unknown_names_are_refused_by_python():
    with pytest.raises(TypeError, match="end_rate"):
        FAMILIES["polynomial"](0.1, 10, end_rate=0.0)


STEPS = [
    (-1, ValueError, "0 or greater, got -1"),
    ([3, -2], ValueError, "0 or greater, got -2"),
    (0.5, TypeError, "integer"),
    (NAN, TypeError, "integer"),
    ([1, INF], TypeError, "integer"),
    ("1", TypeError, "integer"),
    (None, TypeError, "integer"),
    (np.array([True, False]), TypeError, "integer"),
    (1j, TypeError, "integer"),
    ([[1, 2], [3]], TypeError, "integer"),
    (np.ma.masked_array([1, 2], [False, True]), TypeError, "integer"),
]


@pytest.mark.parametrize(("step", "error", "says"), STEPS, ids=lambda x: str(x)[:20])
def test_bad_step(step, error, says):
    for schedule in (cosine(0.1, 10), join([cosine(0.1, 3), 0.1], [3])):
        with pytest.raises(error, match=f"step must be .*{says}"):
            schedule(step)


@pytest.mark.parametrize("step", [3, 3.0, np.int32(3), np.uint8(3), np.float32(3), np.array(3)])
def test_whole_numbers_of_every_type_are_steps(step):
    assert cosine(0.1, 10)(step) == cosine(0.1, 10)(3)
    assert type(cosine(0.1, 10)(step)) is float


@pytest.mark.parametrize("method", [Schedule.rates, Schedule.area])
def test_bad_number_of_steps(method):
    with pytest.raises(ValueError, match="steps must be 0 or greater, got -1"):
        method(constant(0.1), -1)


@pytest.mark.parametrize("returned", [NAN, INF, "0.1", None, [0.1], np.ma.masked])
def test_custom_function_that_returns_no_rate(returned):
    schedule = custom(lambda t: returned if t == 2 else 0.1, name="mine")
    assert schedule(1) == 0.1
    with pytest.raises((ValueError, TypeError), match="the rate of mine at step 2 must be"):
        schedule([0, 1, 2])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda t: 0.1, r"the rates of mine must have shape \(2,\), got \(\)"),
        (lambda t: [0.1, 0.2, 0.3], r"the rates of mine must have shape \(2,\), got \(3,\)"),
        (lambda t: t * NAN, "the rate of mine at step 0 must be a finite number, got nan"),
        (lambda t: ["a", "b"], "the rates of mine must be an array of numbers"),
    ],
)
def test_custom_vectorized_function_of_wrong_shape_or_not_finite(function, message):
    schedule = custom(function, name="mine", vectorized=True)
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        schedule([0, 1])


@pytest.mark.parametrize("wrong", ["0.1", None, [0.1], NAN, 0.0, True, lambda t: 0.1])
def test_as_schedule_refuses(wrong):
    with pytest.raises((ValueError, TypeError), match="lr must be"):
        as_schedule(wrong)


@pytest.mark.parametrize("metric", ["0.5", None, [1.0, 2.0]])
def test_plateau_metric_must_be_a_number(metric):
    plateau = ReduceOnPlateau(0.1, patience=0)
    with pytest.raises(TypeError, match="metric must be a number"):
        plateau.update(metric)
    assert plateau.bad_epochs == 0, "a refused metric changes nothing"


def test_a_schedule_cannot_be_changed():
    with pytest.raises(AttributeError):
        constant(0.1).name = "other"
