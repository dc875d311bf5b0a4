"""Bad input: every factory names the argument, shows the value and says what is allowed."""

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

# Good arguments of every factory; each row of the tables below spoils one of them.
GOOD = {
    "constant": {"lr": 0.1},
    "piecewise_constant": {"boundaries": [5, 9], "values": [0.1, 0.01, 0.001]},
    "step_decay": {"lr": 0.1, "step_size": 10, "drop": 0.5},
    "exponential": {"lr": 0.1, "decay_steps": 10, "decay_rate": 0.5, "staircase": False},
    "natural_exponential": {"lr": 0.1, "decay_steps": 10, "decay_rate": 0.5, "staircase": False},
    "inverse_time": {"lr": 0.1, "decay_steps": 10, "decay_rate": 0.5, "staircase": False},
    "inverse_sqrt": {"lr": 0.1, "decay_steps": 10},
    "polynomial": {"lr": 0.1, "decay_steps": 10, "end_lr": 0.0, "power": 1.0, "cycle": False},
    "cosine": {"lr": 0.1, "decay_steps": 10, "alpha": 0.0},
    "cosine_restarts": {
        "lr": 0.1,
        "first_decay_steps": 10,
        "t_mul": 2.0,
        "m_mul": 1.0,
        "alpha": 0.0,
    },
    "linear_cosine": {
        "lr": 0.1,
        "decay_steps": 10,
        "num_periods": 0.5,
        "alpha": 0.0,
        "beta": 0.001,
    },
    "noisy_linear_cosine": {
        "lr": 0.1,
        "decay_steps": 10,
        "initial_variance": 1.0,
        "variance_decay": 0.55,
        "num_periods": 0.5,
        "alpha": 0.0,
        "beta": 0.001,
        "seed": 0,
        "floor": 0.0,
    },
    "triangular": {"lr_min": 0.01, "lr_max": 0.1, "step_size": 10},
    "one_cycle": {
        "lr_max": 0.1,
        "total_steps": 10,
        "warmup_fraction": 0.3,
        "div_factor": 25.0,
        "final_div_factor": 1e4,
        "anneal": "cos",
    },
    "warmup_stable_decay": {"lr": 0.1, "warmup_steps": 1, "stable_steps": 2, "decay_steps": 3},
    "custom": {"function": abs, "vectorized": False},
    "with_warmup": {"schedule": 0.1, "warmup_steps": 5, "start_factor": 0.0},
    "join": {"schedules": [0.1, 0.2], "boundaries": [5]},
    "ReduceOnPlateau": {
        "lr": 0.1,
        "factor": 0.1,
        "patience": 10,
        "mode": "min",
        "threshold": 1e-4,
        "threshold_mode": "rel",
        "cooldown": 0,
        "min_lr": 0.0,
        "eps": 1e-8,
    },
}
MAKERS = {**FAMILIES, "ReduceOnPlateau": ReduceOnPlateau}

# What each kind of argument must refuse, and what the message must say is allowed.
NO_NUMBERS = [("0.1", "a number"), (None, "a number"), (True, "a number"), ([0.1], "a number")]
NOT_FINITE = [(NAN, "finite"), (INF, "finite"), (-INF, "finite")]
POSITIVE = [*NO_NUMBERS, *NOT_FINITE, (0, "greater than 0"), (-0.1, "greater than 0")]
NONNEGATIVE = [*NO_NUMBERS, *NOT_FINITE, (-1e-9, "0 or greater")]
SHARE = [*NO_NUMBERS, *NOT_FINITE, (-0.1, r"in \[0, 1\]"), (1.1, r"in \[0, 1\]")]
NO_INTEGERS = [(v, "an integer") for v in ("10", None, True, [10], 10.5, NAN, INF)]
COUNT = [*NO_INTEGERS, (0, "1 or greater"), (-10, "1 or greater")]
COUNT_OR_ZERO = [*NO_INTEGERS, (-1, "0 or greater")]
FLAG = [(v, "True or False") for v in (1, 0.0, "no", None)]
ONE_OR_MORE = [*NO_NUMBERS, *NOT_FINITE, (0.99, "1 or greater")]

KINDS = {
    "lr": POSITIVE,
    "lr_max": POSITIVE,
    "drop": POSITIVE,
    "power": POSITIVE,
    "m_mul": POSITIVE,
    "decay_rate": NONNEGATIVE,
    "end_lr": NONNEGATIVE,
    "num_periods": NONNEGATIVE,
    "beta": NONNEGATIVE,
    "initial_variance": NONNEGATIVE,
    "variance_decay": NONNEGATIVE,
    "lr_min": NONNEGATIVE,
    "min_lr": NONNEGATIVE,
    "threshold": NONNEGATIVE,
    "eps": NONNEGATIVE,
    "floor": [row for row in NONNEGATIVE if row[0] is not None],
    "warmup_fraction": SHARE,
    "start_factor": SHARE,
    "alpha": SHARE,
    "factor": [*POSITIVE, (1.0, r"in \[0, 1\)")],
    "t_mul": ONE_OR_MORE,
    "div_factor": ONE_OR_MORE,
    "final_div_factor": ONE_OR_MORE,
    "decay_steps": COUNT,
    "first_decay_steps": COUNT,
    "step_size": COUNT,
    "total_steps": [*NO_INTEGERS, (1, "2 or greater")],
    "warmup_steps": COUNT_OR_ZERO,
    "stable_steps": COUNT_OR_ZERO,
    "seed": COUNT_OR_ZERO,
    "patience": COUNT_OR_ZERO,
    "cooldown": COUNT_OR_ZERO,
    "staircase": FLAG,
    "cycle": FLAG,
    "vectorized": FLAG,
    "anneal": [("cosine", "one of 'cos', 'linear'"), (None, "one of"), (["cos"], "one of")],
    "mode": [("minimum", "one of 'min', 'max'"), (None, "one of")],
    "threshold_mode": [("relative", "one of 'rel', 'abs'"), (1, "one of")],
    "function": [(0.1, "callable"), (None, "callable")],
    "schedule": [
        ("cosine", "a number"),
        (None, "a number"),
        (-1.0, "greater than 0"),
        (abs, "custom"),
    ],
    "boundaries": [
        (5, "a list"),
        ("5", "a list"),
        ([5.5, 9], "an integer"),
        ([NAN, 9], "an integer"),
        ([-1, 9], "or greater"),
        ([9, 5], "increase"),
        ([5, 5], "increase"),
    ],
    "values": [
        (0.1, "a list"),
        ([0.1, "x", 0.1], "a number"),
        ([0.1, NAN, 0.1], "finite"),
        ([0.1, -0.1, 0.1], "0 or greater"),
        ([0.1, 0.01], "one item more than boundaries"),
        ([0.1] * 4, "one item more than boundaries"),
    ],
    "schedules": [
        (0.1, "a list"),
        ([0.1, None], "a number"),
        ([0.1], "one item more than boundaries"),
        ([0.1, 0.2, 0.3], "one item more than boundaries"),
    ],
}
SPECIAL = {  # where an argument of that name is of another kind
    ("exponential", "decay_rate"): POSITIVE,
    ("linear_cosine", "alpha"): NONNEGATIVE,
    ("noisy_linear_cosine", "alpha"): NONNEGATIVE,
    ("warmup_stable_decay", "decay_steps"): COUNT_OR_ZERO,
}
ROWS = [
    pytest.param(maker, name, bad, allowed, id=f"{maker}-{name}-{bad}")
    for maker, good in GOOD.items()
    for name in good
    for bad, allowed in SPECIAL.get((maker, name), KINDS[name])
]
# Nested values are reported under the name of what they become.
REPORTED = {"schedule": "lr", "schedules": "(lr|schedules)"}


@pytest.mark.parametrize(("maker", "name", "bad", "allowed"), ROWS)
def test_bad_argument(maker, name, bad, allowed):
    with pytest.raises((ValueError, TypeError)) as caught:
        MAKERS[maker](**{**GOOD[maker], name: bad})
    message = str(caught.value)
    reported = REPORTED.get(name, name)
    assert re.match(rf"{reported}(\[\d\])? must ", message), message
    assert re.search(allowed, message), message
    if isinstance(bad, (float, str)):
        assert f"{bad}" in message, message


def test_the_tables_cover_every_argument_of_every_factory():

    free_text = {("custom", "name"), ("custom", "formula")}
    for maker, function in MAKERS.items():
        named = {(maker, name) for name in inspect.signature(function).parameters}
        assert named - free_text == {(maker, name) for name in GOOD[maker]}
        MAKERS[maker](**GOOD[maker])


def test_lr_max_below_lr_min():
    with pytest.raises(ValueError, match="lr_max must be greater than lr_min = 0.1, got 0.1"):
        FAMILIES["triangular"](0.1, 0.1, 10)


def test_unknown_names_are_refused_by_python():
    with pytest.raises(TypeError, match="end_rate"):
        FAMILIES["polynomial"](0.1, 10, end_rate=0.0)


STEPS = [
    (-1, ValueError, "0 or greater, got -1"),
    ([3, -2], ValueError, "0 or greater, got -2"),
    (0.5, TypeError, "integer"),
    (NAN, TypeError, "integer"),
    (INF, TypeError, "integer"),
    ([1, 2.5], TypeError, "integer"),
    ("1", TypeError, "integer"),
    (None, TypeError, "integer"),
    (True, TypeError, "integer"),
    (np.array([True, False]), TypeError, "integer"),
    (1j, TypeError, "integer"),
    ([[1, 2], [3]], TypeError, "integer"),
]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("step", "error", "says"), STEPS, ids=lambda x: str(x)[:20])
def test_bad_step(family, step, error, says):
    schedule = FAMILIES[family](**GOOD[family])
    with pytest.raises(error, match=f"step must be .*{says}"):
        schedule(step)


@pytest.mark.parametrize("step", [3, 3.0, np.int32(3), np.uint8(3), np.float32(3), np.array(3)])
def test_whole_numbers_of_every_type_are_steps(step):
    assert cosine(0.1, 10)(step) == cosine(0.1, 10)(3)
    assert type(cosine(0.1, 10)(step)) is float


@pytest.mark.parametrize("steps", [-1, 2.5, "3", None, NAN])
@pytest.mark.parametrize("method", [Schedule.rates, Schedule.area])
def test_bad_number_of_steps(method, steps):
    with pytest.raises((ValueError, TypeError), match="steps must be"):
        method(constant(0.1), steps)


@pytest.mark.parametrize("returned", [NAN, INF, "0.1", None])
def test_custom_function_that_returns_no_rate(returned):
    schedule = custom(lambda t: returned if t == 2 else 0.1, name="mine")
    assert schedule(1) == 0.1
    with pytest.raises((ValueError, TypeError), match="the rate of mine at step 2 must be"):
        schedule([0, 1, 2])


@pytest.mark.parametrize("function", [lambda t: 0.1, lambda t: t * NAN, lambda t: [0.1, 0.2, 0.3]])
def test_custom_vectorized_function_of_wrong_shape_or_not_finite(function):
    schedule = custom(function, name="mine", vectorized=True)
    with pytest.raises(ValueError, match="the rates of mine must be finite and have the shape"):
        schedule([0, 1])


@pytest.mark.parametrize("wrong", ["0.1", None, [0.1], NAN, 0.0, -1, True, lambda t: 0.1])
def test_as_schedule_refuses(wrong):
    with pytest.raises((ValueError, TypeError), match="lr must be"):
        as_schedule(wrong)


def test_errors_of_a_part_reach_the_caller():
    with pytest.raises(ValueError, match="step must be 0 or greater, got -1"):
        join([cosine(0.1, 3), 0.1], [3])(-1)


@pytest.mark.parametrize("metric", ["0.5", None, [1.0, 2.0]])
def test_plateau_metric_must_be_a_number(metric):
    plateau = ReduceOnPlateau(0.1, patience=0)
    with pytest.raises(TypeError, match="metric must be a number"):
        plateau.update(metric)
    assert plateau.bad_epochs == 0, "a refused metric changes nothing"


def test_a_schedule_cannot_be_changed():
    with pytest.raises(AttributeError):
        constant(0.1).name = "other"
