"""What lesson 5 says of its recorded runs in passing, of weight decay, spikes and transformers."""

from pathlib import Path

import pytest

from course_utils.experiments.table import load
from course_utils.lessons.lesson05 import weight_decay

RESULTS = Path(__file__).parents[3] / "notebooks" / "results"


@pytest.fixture(scope="module")
def decay():
    return load(RESULTS / "05_weight_decay.json")


def best(tables, what, part, metric):
    decays, lrs, values = weight_decay.measured(tables, what, part, metric)
    mean = values.mean(axis=2)
    return decays[mean.argmin(axis=0) if "loss" in metric else mean.argmax(axis=0)]


def test_without_decay_the_labels_are_memorized_after_1500_updates_and_not_after_300(decay):
    for steps, low, high in ((1500, 0.92, 1.0), (300, 0.0, 0.89)):
        what = ("AdamW", "linear", steps)
        learned = weight_decay.measured(decay, what, "judge", "train_accuracy")[2][0, 2:]
        assert ((low <= learned.mean(axis=1)) & (learned.mean(axis=1) <= high)).all()


def test_after_300_updates_no_decay_is_best_at_the_four_lower_rates(decay):
    for part, metric in (("choose", "validation_loss"), ("judge", "test_loss")):
        assert best(decay, ("AdamW", "linear", 300), part, metric)[:4].tolist() == [0] * 4


def test_at_the_two_lowest_rates_no_decay_is_better_than_either_recipe(decay):
    what = ("AdamW", "linear", 1500)
    none = weight_decay.measured(decay, what, "judge", "test_loss")[2][0]
    for values in weight_decay.price(decay, what, "test_loss"):
        assert (none.mean(axis=1)[:2] < values.mean(axis=1)[:2] - 0.01).all()


def test_by_accuracy_the_best_decay_is_two_to_four_times_larger(decay):
    what = ("AdamW", "linear", 1500)
    ratio = best(decay, what, "judge", "test_accuracy") / 0.25
    assert best(decay, what, "judge", "test_loss")[2:].tolist() == [0.25] * 3
    assert ((ratio[2:] >= 2) & (ratio[2:] <= 4)).all()


def test_l2_and_a_constant_rate_say_the_same(decay):
    l2 = best(decay, ("L2", "linear", 1500), "choose", "validation_loss")
    assert weight_decay.RULES["L2"].lrs[2:4].tolist() == [0.25, 0.5]
    assert l2[2:4].tolist() == [1 / 128, 1 / 128]
    flat = ("AdamW", "constant", 1500)
    assert best(decay, flat, "choose", "validation_loss")[2:].tolist() == [0.25] * 3
    kept, product = weight_decay.price(decay, flat, "test_loss")
    assert ((kept - product).mean(axis=1)[[0, 1, 3, 4]] < -0.015).all()
    kept, product = weight_decay.price(decay, flat, "test_accuracy")
    assert (kept - product).mean(axis=1)[1] == pytest.approx(-0.02, abs=0.005)


def test_adam_spikes_at_the_highest_of_three_rates_and_only_after_the_crossing():
    table = load(RESULTS / "05_spikes.json")["Adam"]
    spiked = table.final("spiked") < 600
    assert spiked.sum(axis=1).tolist() == [0, 0, 7]
    assert (table.final("crossed") < table.final("spiked")).all()


def test_the_transformer_with_its_norm_after_the_block_needs_no_warmup_at_the_lower_rate():
    tables = load(RESULTS / "05_transformers.json")
    accuracy = {arm: table.final("test_accuracy") for arm, table in tables.items()}
    assert len(tables["post-norm"].seeds) == 8
    assert (accuracy["post-norm"][0].mean() > accuracy["post-norm, warm-up"][1].mean()).all()
