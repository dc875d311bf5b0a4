"""The schedules equal TensorFlow's and Keras's own, as recorded by tests/golden/make_golden.py."""

import json
from pathlib import Path

import numpy as np
import pytest

from course_utils import schedules

FOLDER = Path(__file__).parent / "golden"
GOLDEN = json.loads((FOLDER / "tensorflow_schedules.json").read_text())

# Relative to lr. TensorFlow's own rounding is what is left: its float32 has 7 digits, and its
# power amplifies the error of 1 - t/T where that is small.
TOLERANCE = {"float64": 2e-15, "float32": 2e-6}
LOOSER = {("keras3", "polynomial"): 2e-5}

TABLES = [(part, family) for part in ("v1", "keras3") for family in GOLDEN[part]]


@pytest.mark.parametrize(("part", "family"), TABLES)
def test_equals_tensorflow(part, family):
    table = GOLDEN[part][family]
    tolerance = LOOSER.get((part, family), TOLERANCE[table["dtype"]])
    for case in table["cases"]:
        arguments = case["arguments"]
        rates = schedules.FAMILIES[family](**arguments)(case["steps"])
        scale = arguments.get("lr") or max(arguments["values"])
        assert np.abs(rates - case["rates"]).max() <= tolerance * scale, arguments


@pytest.mark.parametrize(("part", "family"), TABLES)
def test_the_record_covers_the_edges(part, family):
    """At least 30 parameter sets, each at step 0, at a boundary and its neighbors, past the end."""
    cases = GOLDEN[part][family]["cases"]
    assert len({json.dumps(case["arguments"]) for case in cases}) >= 30
    for case in cases:
        arguments, steps = case["arguments"], set(case["steps"])
        horizon = arguments.get("decay_steps") or arguments.get("first_decay_steps")
        edges = arguments.get("boundaries") or [horizon]
        assert {0} | {edge + shift for edge in edges for shift in (-1, 0, 1)} <= steps
        assert max(steps) > 2 * max(edges)


def test_every_tensorflow_function_is_covered():
    functions = {table["function"].rsplit(".", 1)[1] for table in GOLDEN["v1"].values()}
    assert functions == {
        "exponential_decay",
        "natural_exp_decay",
        "inverse_time_decay",
        "piecewise_constant",
        "polynomial_decay",
        "cosine_decay",
        "cosine_decay_restarts",
        "linear_cosine_decay",
        "noisy_linear_cosine_decay",
    }


def test_defaults_are_tensorflows():
    """The golden values of the definitions: lr 0.1, 100 steps, everything else left out."""
    steps = [0, 1, 50, 100, 101, 200]
    expected = {
        "polynomial": [0.1, 0.099001, 0.05005, 0.0001, 0.0001, 0.0001],
        "cosine": [0.1, 0.0999753, 0.05, 0, 0, 0],
        "cosine_restarts": [0.1, 0.0999753, 0.05, 0.1, 0.0999938, 0.05],
        "linear_cosine": [0.1001, 0.0990756, 0.0251, 0.0001, 0.0001, 0.0001],
    }
    for family, rates in expected.items():
        assert schedules.FAMILIES[family](0.1, 100)(steps) == pytest.approx(rates, abs=1e-7)


def test_restarts_in_float32_come_a_step_early_in_tensorflow_but_not_here():
    differences = []
    for case in GOLDEN["v1_float32_restarts"]["cases"]:
        rates = schedules.cosine_restarts(**case["arguments"])(case["steps"])
        far = np.abs(rates - case["rates"]) > 1e-3
        differences += [
            (case["arguments"]["first_decay_steps"], case["steps"][i]) for i in far.nonzero()[0]
        ]
    # 1000 * (2**12 - 1) = 4_095_000 is the restart; TensorFlow's logarithms round it down by one.
    assert differences == [(1000, 4_094_999)]
    assert schedules.cosine_restarts(0.1, 1000)([4_094_999, 4_095_000]) == pytest.approx([0, 0.1])


def test_warmup_equals_kerass_cosine_with_warmup_target():
    for case in GOLDEN["keras3_warmup"]["cases"]:
        a = case["arguments"]
        schedule = schedules.with_warmup(
            schedules.cosine(a["lr"], a["decay_steps"], a["alpha"]),
            a["warmup_steps"],
            a["start_factor"],
        )
        assert np.abs(schedule(case["steps"]) - case["rates"]).max() <= 2e-6 * a["lr"], a


COOL_DOWNS = json.loads((FOLDER / "warmup_stable_decay.json").read_text())


@pytest.mark.parametrize("shape", ["linear", "cosine", "1-sqrt", "square"])
def test_cool_downs_equal_those_of_transformers_and_epfml(shape):
    theirs = np.array(COOL_DOWNS[shape])
    ours = schedules.warmup_stable_decay(1.0, 4, 8, 8, shape).rates(len(theirs))
    first = 4 if shape == "square" else 0  # epfml warms up from another rate
    np.testing.assert_allclose(ours[first:], theirs[first:], rtol=1e-13, atol=1e-15)
    assert (schedules.warmup_stable_decay(0.1, 3, 2, 0, shape)([2, 3, 4, 5]) > 0).tolist() == [
        True, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("entry", GOLDEN["noise"], ids=lambda e: f"t={e['step']}")
def test_noise_is_distributed_as_tensorflows(entry):
    """Mean, spread and share of negative rates over seeds, within 4.5 standard errors."""
    seeds = 1000
    rates = np.array(
        [
            schedules.noisy_linear_cosine(**entry["arguments"], seed=seed)(entry["step"])
            for seed in range(seeds)
        ]
    )
    both = np.sqrt(1 / seeds + 1 / entry["draws"])
    share = entry["negative"]
    assert abs(rates.mean() - entry["mean"]) < 4.5 * entry["std"] * both
    assert abs(rates.std() / entry["std"] - 1) < 4.5 * both / np.sqrt(2)
    assert abs((rates < 0).mean() - share) < 4.5 * np.sqrt(share * (1 - share)) * both + 1 / seeds
