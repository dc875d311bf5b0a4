"""Every checker of lesson 9 accepts its solution, knows its stub, explains typical mistakes."""

import numpy as np
import pytest
from exercise_table import check_lesson

from course_utils.experiments.table import load
from course_utils.lessons.lesson09 import exercises as ex
from course_utils.lessons.lesson09.transfer import best_rate


class Factors(dict):
    """A dictionary that can be a key of the table."""

    def __hash__(self):
        return id(self)


def moved(sgd, standard, mup):
    return Factors({"SGD": sgd, "Adam, standard": standard, "Adam, µP": mup})


WRONG = {
    "sixteen_times": {
        (4, 4): "SGD × 4",
        (16, 16): "Adam × 16",
        (1, 4): "SGD × 1",
        (16, 1): "Adam × 1",
        (2, 4): "1, 4 and 16",
        16: "pair",
    },
    "equal_updates": {"not at all": "less noise", "16": "sixteenth", "four": "one of"},
    "wider": {4: "more weights", 1: "holds for SGD", 0.25: "1/width", 3: "to choose"},
    "fine_tuning": {
        (0.5, 0.02): "SGD at 0.5",
        (0.005, 0.02): "a little too slow",
        (0.05, 0.002): "Adam at 0.002",
        (0.05, 0.0002): "Adam at 0.0002",
        (0.1, 0.02): "to choose",
        (0.05, 0.1): "to choose",
    },
    "which_layer": {
        ("last", "last"): "upright",
        ("first", "first"): "only names",
        ("middle", "last"): "one of",
        "first": "pair",
    },
    "transfer_all": {
        moved(1, 1, 2.83): "SGD: × 1 is too little",
        moved(64, 1, 2.83): "SGD: × 64 is too much",
        moved(8, 2.83, 2.83): "standard: × 2.83 is too much",
        moved(8, 1, 1): "µP: × 1 is too little",
        moved(8, 1, -1): "greater than 0",
        moved(8, ..., 1): "number",
        3: "dict",
    },
    "larger_batch": {0.012: "SGD's", 0.003: "kept", 0.0015: "wrong way", 0.01: "root"},
    "write_mup_rates": {
        lambda lr, width, layers, base: [lr * base / width] * layers: "input layer keeps",
        lambda lr, width, layers, base: [lr] * layers: "the standard",
        lambda lr, width, layers, base: [lr] + [lr * width / base] * (layers - 1): "divide by m",
        lambda lr, width, layers, base: (
            [lr] + [lr * (base / width) ** 0.5] * (layers - 1)
        ): "root belongs",
        lambda lr, width, layers, base: (
            [lr, *[lr * base / width] * (layers - 2), lr]
        ): "readout has",
        lambda lr, width, layers, base: [lr] + [lr / width] * (layers - 1): "width / base",
        lambda lr, width, layers, base: (
            [lr * width / base, *[lr] * (layers - 2), lr * base / width]
        ): "SGD's",
        lambda lr, width, layers, base: lr: "one rate per layer",
    },
    "rule_and_record": {
        (4, 4.4): "Adam's",
        (1, 4.4): "rate ∝ batch",
        (16, 16): "the rule again",
        (16, 0.23): "divide",
        (16, 12): "both tables",
        (16, 3.9): "both tables",
        16: "pair",
    },
    "write_adapter": {
        lambda x, W, A, B, alpha: x @ W + x @ A @ B: "α/r is missing",
        lambda x, W, A, B, alpha: x @ W + alpha * x @ A @ B: "divide it by the rank",
        lambda x, W, A, B, alpha: x @ W + alpha / len(A) * x @ A @ B: "inner",
        lambda x, W, A, B, alpha: alpha / A.shape[1] * x @ A @ B: "frozen layer",
        lambda x, W, A, B, alpha: x @ W + alpha / A.shape[1] ** 0.5 * x @ A @ B: "rsLoRA",
        lambda x, W, A, B, alpha: x @ W: "no effect",
        lambda x, W, A, B, alpha: (x @ W).sum(): "one row",
    },
    "larger_alpha": {
        (4, 0.5): "SGD × 4",
        (0.5, 0.5): "SGD × ½",
        (0.25, 0.25): "Adam × ¼",
        (0.25, 2): "Adam × 2",
        (1, 1): "SGD × 1",
        0.25: "pair",
    },
}
NEAR = {
    "transfer_all": [moved(8 / 1.52, 1, 2.83), moved(8 * 1.52, 1, 2.83), moved(8, 1, 2.83 / 1.52)]
    + [moved(8, 1, 2.83 * 1.52), moved(8, 0.83 * 1.52, 2.83), moved(8, 0.83 / 1.52, 2.83)],
}


@pytest.mark.parametrize("name", [None, *WRONG])
def test_questions(name):
    check_lesson(ex, name, WRONG if name is None else WRONG[name], NEAR.get(name, ()))


def test_untouched_dictionaries_are_not_attempted():
    assert ex.transfer_all.check(moved(..., ..., ...)).status == "not attempted yet"


def test_the_rule_fails_on_the_digits_by_loss_and_by_accuracy():
    digits = load("notebooks/results/09_batch_digits.json")
    for metric in ("test_loss", "test_accuracy"):
        small, large = (best_rate(digits[f"SGD, batch {B}"], metric) for B in (4, 64))
        assert ex.rule_and_record.check((16, large / small)).status == "correct"
    accuracy = digits["SGD, batch 64"].mean("test_accuracy")
    lrs = digits["SGD, batch 64"].lrs
    assert accuracy[lrs == 0.8] > 0.85 > 0.45 > accuracy[lrs == 1.6] and accuracy[lrs == 3.2] < 0.11


def test_arrays_and_other_orders_of_multiplication_count():
    assert ex.write_mup_rates.check(lambda *a: np.array(ex.mup_rates(*a))).status == "correct"
    whole = ex.write_adapter.check(lambda x, W, A, B, alpha: x @ (W + alpha / B.shape[0] * A @ B))
    assert whole.status == "correct"
