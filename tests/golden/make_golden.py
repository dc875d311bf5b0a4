"""Evaluate TensorFlow's own learning-rate schedules and write `tensorflow_schedules.json`.

The course does not depend on TensorFlow: run this in a throw-away environment,

    python -m venv tf && tf/bin/pip install tensorflow-cpu
    tf/bin/python tests/golden/make_golden.py

Arguments are drawn once from a fixed seed and rounded, so that a new TensorFlow gives the same
file unless it computes something else. They are passed as float64, in which TensorFlow 1's
functions then compute. Its cosines contain a float32 pi that breaks this; here that one constant
is replaced by a float64 pi (`_Float64Pi`). The noisy linear cosine draws float32 noise and stays
in float32, and so does Keras 3, as its users run it.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import constant_op
from tensorflow.python.keras.optimizer_v2 import learning_rate_schedule as tf_schedules

V1, V3 = tf.compat.v1.train, keras.optimizers.schedules
CASES = 32
TARGET = Path(__file__).with_name("tensorflow_schedules.json")


def main() -> None:
    rng = np.random.default_rng(2015)
    families = {
        "exponential": _decays(rng, low=0.3, high=1.1),
        "natural_exponential": _decays(rng, low=0.0, high=1.5),
        "inverse_time": _decays(rng, low=0.0, high=3.0),
        "piecewise_constant": _piecewise(rng),
        "polynomial": _polynomials(rng),
        "cosine": _cosines(rng),
        "cosine_restarts": _restarts(rng),
        "linear_cosine": _linear_cosines(rng),
        "noisy_linear_cosine": _linear_cosines(rng, noisy=True),
    }
    families = {name: list(cases) for name, cases in families.items()}
    record = {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "made_by": "tests/golden/make_golden.py",
        "v1": {name: _evaluate_v1(name, cases) for name, cases in families.items()},
        "v1_float32_restarts": _evaluate_v1("cosine_restarts", _default_restarts(), "float32"),
        "keras3": {name: _evaluate_v3(name, families[name]) for name in KERAS},
        "keras3_warmup": _evaluate_keras_warmup(rng),
        "noise": _noise(),
    }
    TARGET.write_text(_compact(record), encoding="utf-8")


# --------------------------------------------------------------------------------------------
# Arguments (under the names of course_utils.schedules) and steps
# --------------------------------------------------------------------------------------------


def _decays(rng, low, high):
    for i in range(CASES):
        D = _horizon(rng, i)
        arguments = {"lr": _lr(rng), "decay_steps": D, "decay_rate": _number(rng, low, high)}
        yield {**arguments, "staircase": i % 2 == 1}, _around(rng, D)


def _piecewise(rng):
    for i in range(CASES):
        count = 1 + i % 5
        boundaries = sorted(rng.choice(np.arange(1, 2000), size=count, replace=False).tolist())
        steps = {0, 5000} | {b + shift for b in boundaries for shift in (-1, 0, 1)}
        values = [_lr(rng) for _ in range(count + 1)]
        yield {"boundaries": boundaries, "values": values}, sorted(steps)


def _polynomials(rng):
    for i in range(CASES):
        D = _horizon(rng, i)
        end = [1e-4, 0.0, _number(rng, 0, 0.01)][i % 3]
        power = [1.0, 2.0, 0.5, _number(rng, 0.2, 4)][i % 4]
        arguments = {"lr": _lr(rng), "decay_steps": D, "end_lr": end, "power": power}
        yield {**arguments, "cycle": i % 2 == 1}, _around(rng, D)


def _cosines(rng):
    for i in range(CASES):
        D = _horizon(rng, i)
        alpha = [0.0, 0.1, 1.0, _number(rng, 0, 1)][i % 4]
        yield {"lr": _lr(rng), "decay_steps": D, "alpha": alpha}, _around(rng, D)


def _restarts(rng):
    for i in range(CASES):
        first = _horizon(rng, i)
        t_mul = [1.0, 2.0, 1.5, 3.0, _number(rng, 1.1, 2.9)][i % 5]
        arguments = {"lr": _lr(rng), "first_decay_steps": first, "t_mul": t_mul}
        arguments |= {"m_mul": [1.0, 0.5, 0.9, 1.2][i % 4], "alpha": [0.0, 0.1, 0.35][i % 3]}
        yield arguments, _around_restarts(rng, first, t_mul)


def _default_restarts():
    for first in (3, 7, 10, 100, 1000):
        ends = [first * (2**i - 1) for i in range(1, 13)]
        yield {"lr": 0.1, "first_decay_steps": first}, [end + k for end in ends for k in (-1, 0, 1)]


def _linear_cosines(rng, noisy=False):
    for i in range(CASES):
        D = _horizon(rng, i)
        arguments = {
            "lr": _lr(rng),
            "decay_steps": D,
            "num_periods": [0.5, 2.0, 1.0, _number(rng, 0.1, 5)][i % 4],
            "alpha": [0.0, 0.2, _number(rng, 0, 1)][i % 3],
            "beta": [0.001, 0.0, _number(rng, 0, 0.1)][i % 3],
        }
        if noisy:  # TensorFlow's noise has no seed of its own: it is compared as a distribution
            arguments |= {"initial_variance": 0.0, "variance_decay": 0.55}
        yield arguments, _around(rng, D)


def _horizon(rng, i):
    return [1, 2, 10, 100][i] if i < 4 else int(rng.integers(3, 3000))


def _lr(rng):
    return _number(rng, -4, 1, power=True)


def _number(rng, low, high, power=False):
    value = rng.uniform(low, high)
    return float(f"{10**value if power else value:.4g}")


def _around(rng, D):
    steps = {0, 1, D // 2} | {k * D + shift for k in (1, 2, 3) for shift in (-1, 0, 1)}
    return sorted(steps | {7 * D + 3, int(rng.integers(0, 5 * D + 1))})


def _around_restarts(rng, first, t_mul):
    ends = np.cumsum([first * t_mul**i for i in range(4)])
    steps = {0, 1, first // 2, int(rng.integers(0, ends[-1] + 1))}
    return sorted(steps | {max(0, math.ceil(end) + shift) for end in ends for shift in (-1, 0, 1)})


# --------------------------------------------------------------------------------------------
# TensorFlow 1, as tf.compat.v1.train still has it
# --------------------------------------------------------------------------------------------

NAMES = {
    "decay_steps": "decay_steps",
    "decay_rate": "decay_rate",
    "end_lr": "end_learning_rate",
    "lr": "learning_rate",
}
FUNCTIONS = {
    "exponential": "exponential_decay",
    "natural_exponential": "natural_exp_decay",
    "inverse_time": "inverse_time_decay",
    "piecewise_constant": "piecewise_constant",
    "polynomial": "polynomial_decay",
    "cosine": "cosine_decay",
    "cosine_restarts": "cosine_decay_restarts",
    "linear_cosine": "linear_cosine_decay",
    "noisy_linear_cosine": "noisy_linear_cosine_decay",
}


class _Float64Pi:
    """Stands in for TensorFlow's `constant_op` where a cosine makes its pi."""

    @staticmethod
    def constant(value, *args, **kwargs):
        if value == math.pi and not args and not kwargs:
            return constant_op.constant(value, dtype=tf.float64)
        return constant_op.constant(value, *args, **kwargs)


def _evaluate_v1(family, cases, dtype=None):
    dtype = dtype or ("float32" if family == "noisy_linear_cosine" else "float64")
    function = getattr(V1, FUNCTIONS[family])
    tf_schedules.constant_op = _Float64Pi if dtype == "float64" else constant_op
    result = []
    for arguments, steps in cases:
        rates = [_call_v1(family, function, arguments, step, dtype) for step in steps]
        result.append({"arguments": arguments, "steps": steps, "rates": rates})
    return {"function": f"tf.compat.v1.train.{FUNCTIONS[family]}", "dtype": dtype, "cases": result}


def _call_v1(family, function, arguments, step, dtype):
    if family == "piecewise_constant":
        values = [tf.constant(v, dtype) for v in arguments["values"]]
        boundaries = [tf.constant(b, tf.int64) for b in arguments["boundaries"]]
        return _number_of(function(tf.constant(step, tf.int64), boundaries, values), dtype)
    translated = {NAMES.get(key, key): _typed(value, dtype) for key, value in arguments.items()}
    translated["learning_rate"] = tf.constant(arguments["lr"], dtype)
    return _number_of(function(global_step=tf.constant(step, tf.int64), **translated), dtype)


def _typed(value, dtype):
    # A Python float would be rounded to float32 on its way into a float64 computation.
    return value if isinstance(value, bool) else np.dtype(dtype).type(value)


def _number_of(value, dtype):
    value = value() if callable(value) else value  # in eager mode the functions return functions
    assert value.dtype == dtype, (value.dtype, dtype)
    return float(value) if dtype == "float64" else float(f"{float(value):.9g}")


# --------------------------------------------------------------------------------------------
# Keras 3
# --------------------------------------------------------------------------------------------

KERAS = {
    "exponential": "ExponentialDecay",
    "inverse_time": "InverseTimeDecay",
    "piecewise_constant": "PiecewiseConstantDecay",
    "polynomial": "PolynomialDecay",
    "cosine": "CosineDecay",
    "cosine_restarts": "CosineDecayRestarts",
}


def _evaluate_v3(family, cases, dtype="float32"):
    """Keras computes in float32, its default, as its users do."""
    result = []
    for arguments, steps in cases:
        translated = dict(arguments)
        if "lr" in translated:
            translated["initial_learning_rate"] = translated.pop("lr")
        if "end_lr" in translated:
            translated["end_learning_rate"] = translated.pop("end_lr")
        schedule = getattr(V3, KERAS[family])(**translated)
        rates = [_number_of(schedule(step), dtype) for step in steps]
        result.append({"arguments": arguments, "steps": steps, "rates": rates})
    return {
        "function": f"keras.optimizers.schedules.{KERAS[family]}",
        "dtype": dtype,
        "cases": result,
    }


def _evaluate_keras_warmup(rng):
    """CosineDecay with warmup_target: a line from `start` to `lr`, then the cosine from there."""
    result = []
    for i in range(CASES):
        D, W, lr = _horizon(rng, i), int(rng.integers(1, 200)), _lr(rng)
        start_factor = [0.0, 0.25, _number(rng, 0, 1)][i % 3]
        schedule = V3.CosineDecay(lr * start_factor, D, 0.1, warmup_target=lr, warmup_steps=W)
        steps = sorted({0, 1, W // 2, W - 1, W, W + 1, W + D // 2, W + D, W + D + 1, 3 * (W + D)})
        arguments = {"lr": lr, "decay_steps": D, "alpha": 0.1, "warmup_steps": W}
        rates = [_number_of(schedule(step), "float32") for step in steps]
        arguments["start_factor"] = start_factor
        result.append({"arguments": arguments, "steps": steps, "rates": rates})
    return {
        "function": "keras.optimizers.schedules.CosineDecay",
        "dtype": "float32",
        "cases": result,
    }


# --------------------------------------------------------------------------------------------
# The noise of the noisy linear cosine
# --------------------------------------------------------------------------------------------


def _noise(draws=200_000):
    """Return mean, standard deviation and share below zero of TensorFlow's rate at some steps."""
    tf.random.set_seed(0)
    result = []
    for variance, decay, D in ((1.0, 0.55, 100), (1.0, 0.55, 1000), (0.25, 1.0, 100)):
        for step in (0, 1, 10, D // 2, 9 * D // 10, D, 2 * D):
            arguments = {"lr": 0.1, "decay_steps": D, "initial_variance": variance}
            arguments |= {"variance_decay": decay, "num_periods": 2.0}
            many = tf.fill([draws], tf.constant(step, tf.int64))
            translated = {NAMES.get(key, key): value for key, value in arguments.items()}
            rates = V1.noisy_linear_cosine_decay(global_step=many, **translated)().numpy()
            mean, std = float(rates.mean(dtype=float)), float(rates.std(dtype=float))
            entry = {"arguments": arguments, "step": step, "draws": draws}
            entry |= {"mean": float(f"{mean:.6g}"), "std": float(f"{std:.6g}")}
            result.append(entry | {"negative": float((rates < 0).mean())})
    return result


def _compact(record):
    """JSON with one case per line: small, and a change shows in a diff."""
    text = json.dumps(record, separators=(",", ":"))
    return text.replace('{"arguments"', '\n{"arguments"') + "\n"


if __name__ == "__main__":
    main()
