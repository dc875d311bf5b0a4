"""No argument of the root can be spoiled without a clear error: which one, and not from the depths.

Every public callable is called with good arguments, of which one is replaced by each of the values
below. Either it works, or it raises ValueError or TypeError with the name of that argument.
"""

import inspect
import warnings

import numpy as np
import pytest
import torch

from course_utils import averages, descent, optimizers, problems, run, sampling, schedules

HUGE = 10**400
SPOILED = [
    *(
        None,
        "x",
        "",
        b"1",
        True,
        float("nan"),
        float("inf"),
        -float("inf"),
        -1,
        0,
        0.5,
        HUGE,
        1j,
    ),
    *(
        [],
        [None],
        [float("nan")],
        [[1.0], [1.0, 2.0]],
        {},
        {"a": 1},
        (3, "x"),
        object(),
        lambda *_: 0,
    ),
    *(np.array(["x"]), np.array([1j]), np.zeros((2, 3, 4)), np.array([True]), np.array(None)),
    *(np.ma.masked_array([1.0, 2.0], [False, True]), np.ma.masked, np.datetime64("2020-01-01")),
]

SGD = torch.optim.SGD([torch.zeros(1)], lr=0.1)
PARABOLA, RULE, RATE = (
    problems.shifted_square(),
    optimizers.GradientDescent(),
    schedules.constant(1),
)
RUN = run.Run(lr=[0.1], loss=[1.0], grad_norm=[1.0], final_loss=0.5)
W = {"w": [1.0]}
ARGUMENTS = {  # the good ones, without those that have good defaults
    schedules.piecewise_constant: {"boundaries": [5], "values": [0.1, 0.01]},
    schedules.triangular: {"lr_min": 0.01, "lr_max": 0.1, "step_size": 10},
    schedules.one_cycle: {"lr_max": 0.1, "total_steps": 10},
    schedules.warmup_stable_decay: {
        "lr": 0.1, "warmup_steps": 1, "stable_steps": 1, "decay_steps": 1,
    },
    schedules.custom: {"function": abs},
    schedules.with_warmup: {"schedule": 0.1, "warmup_steps": 3},
    schedules.join: {"schedules": [0.1, 0.2], "boundaries": [5]},
    schedules.step_decay: {"lr": 0.1, "step_size": 10},
    schedules.exponential: {"lr": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    schedules.natural_exponential: {"lr": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    schedules.inverse_time: {"lr": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    schedules.cosine_restarts: {"lr": 0.1, "first_decay_steps": 10},
    **{
        factory: {"lr": 0.1, "decay_steps": 10}
        for factory in (schedules.inverse_sqrt, schedules.polynomial, schedules.cosine)
        + (schedules.linear_cosine, schedules.noisy_linear_cosine)
    },
    schedules.constant: {"lr": 0.1},
    schedules.as_schedule: {"rate": 0.1, "name": "rate"},
    schedules.to_torch: {"schedule": 0.1, "optimizer": SGD},
    schedules.ReduceOnPlateau: {"lr": 0.1},
    schedules.ReduceOnPlateau(0.1).update: {"metric": 1.0},
    RATE: {"step": 1},
    RATE.rates: {"steps": 3},
    RATE.area: {"steps": 3},
    optimizers.GradientDescent: {"momentum": 0.9},
    optimizers.Adagrad: {},
    optimizers.RMSprop: {},
    optimizers.Adam: {},
    optimizers.AdamW: {},
    RULE.step: {"params": [1.0], "grad": [1.0], "lr": 0.1},
    optimizers.AdamW().step: {"params": [1.0], "grad": [1.0], "lr": 0.1},
    descent.descend: {"problem": PARABOLA, "optimizer": RULE, "schedule": 0.1, "steps": 2},
    problems.Problem: {
        **dict.fromkeys(("loss", "gradient", "hessian"), abs), "name": "x", "formula": "x",
        "start": [1.0],
    },
    problems.stable_rate: {"problem": PARABOLA},
    problems.shifted_square: {},
    problems.quadratic: {"curvatures": [1.0, 2.0]},
    problems.abc_surface: {},
    problems.double_well: {},
    problems.slope: {},
    problems.linear_regression: {"x": [1.0, 2.0], "y": [1.0, 3.0]},
    PARABOLA.loss: W,
    PARABOLA.gradient: W,
    PARABOLA.hessian: W,
    run.Run: {"lr": [0.1], "loss": [1.0], "grad_norm": [1.0], "final_loss": 0.5},
    run.Run.from_json: {"text": RUN.to_json()},
    sampling.initial_parameters: {"sizes": (3, 2), "seed": 0},
    sampling.epoch_batches: {"n": 4, "batch_size": 2, "epoch": 0, "seed": 0},
    sampling.batch_order: {"n": 4, "batch_size": 2, "steps": 3, "seed": 0},
    sampling.resolve_steps: {"n": 4, "batch_size": 2, "steps": 3, "epochs": None},
    sampling.evaluation_steps: {"steps": 4, "every": 2},
    sampling.layer_sizes: {"name": "sizes", "sizes": (3, 2)},
    averages.uniform: {"n": 1},
    averages.exponential: {"decay": 0.9},
    averages.polynomial: {"power": 1.0},
    averages.running: {"path": [1.0, 2.0], "share": averages.uniform},
    averages.tail: {"path": [1.0, 2.0], "last": 2},
}  # fmt: skip
# Words for an error, texts for a legend: anything will do. Sizes: a huge one is memory.
ANYTHING = {("as_schedule", "name"), ("evaluation_steps", "name"), ("layer_sizes", "name")}
ANYTHING |= {("Problem", name) for name in ("name", "formula", "parameters")} | {("Run", "meta")}
SIZES = {"steps", "n", "batch_size", "epoch", "epochs", "sizes", "step", "total_steps"}


def spoiled(function, good):
    """(argument, bad value, error that says nothing about it)"""
    name = getattr(function, "__name__", "Schedule")
    for argument in inspect.signature(function).parameters:
        for bad in SPOILED:
            if (name, argument) in ANYTHING or (argument in SIZES and bad is HUGE):
                continue
            try:
                function(**{**good, argument: bad})
            except (ValueError, TypeError) as error:
                if argument not in str(error):
                    yield argument, bad, error
            except Exception as error:
                yield argument, bad, error


@pytest.mark.parametrize("function", ARGUMENTS, ids=lambda f: getattr(f, "__qualname__", "call"))
def test_every_spoiled_argument_works_or_is_named(function):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        function(**ARGUMENTS[function])
        unclear = [
            f"{a}={b!r}: {type(e).__name__}: {e}"
            for a, b, e in spoiled(function, ARGUMENTS[function])
        ]
    assert unclear == []


def test_every_public_callable_of_the_root_is_tried():
    ours = set()
    for module in (averages, descent, optimizers, problems, run, sampling, schedules):
        for name, value in vars(module).items():
            if callable(value) and getattr(value, "__module__", "").startswith("course_utils"):
                ours |= {name} if not name.startswith("_") else set()
    tried = {getattr(function, "__name__", "Schedule") for function in ARGUMENTS}
    without = {"Optimizer", "Law", "family"}  # bases and parts
    without |= {"write_atomically", "replacing", "read_json"}  # files have tests of their own
    without |= {"curved_valley", "log_cosh_ravine", "saddle", "sharp_and_flat"}  # take nothing
    assert ours - without <= tried, ours - without - tried
