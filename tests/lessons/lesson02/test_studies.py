"""What lesson 2 has recorded is what its code measures."""

from pathlib import Path

import numpy as np
import pytest
import torch

from course_utils.descent import descend
from course_utils.experiments import diagnostics, table
from course_utils.experiments.datasets import digits
from course_utils.experiments.models import mlp
from course_utils.experiments.sweep import sweep
from course_utils.experiments.training import train
from course_utils.lessons.lesson02 import studies
from course_utils.optimizers import GradientDescent
from course_utils.problems import log_cosh_ravine
from course_utils.schedules import piecewise_constant

RESULTS = Path(__file__).parents[3] / "notebooks" / "results"


def test_the_walk_is_the_training_of_the_sweep():
    """In single precision, by other code: the loss before each of the first updates."""
    found = studies.walk(0.2, seed=1, steps=50, every=10)
    other = sweep([0.2], [1], data=digits().subset(200), batch_size=None, steps=51)
    np.testing.assert_allclose(found["loss"], other.loss[0, 0, ::10], rtol=1e-4)


def test_a_walk_that_diverges_is_infinite_from_there_on():
    found = studies.walk(50.0, seed=0, steps=400, every=40, loss="mse")
    assert len(found["loss"]) == 11 and found["loss"][0] < 1 and np.isinf(found["loss"][-1])


def test_dead_units_are_counted_as_pytorch_counts_them():
    one = studies.dead_units(rates=[0.3, 3.2], seeds=[1], steps=100)
    for lr, counted in zip(one.lrs, one.final("dead")[:, 0], strict=True):
        model = mlp([64, 64, 10], seed=1)
        train(model, digits(), schedule=float(lr), steps=100, batch_size=16, seed=1)
        dead = diagnostics.dead_fractions(model, digits().train, examples=1000)
        assert counted == pytest.approx(64 * dead[0], abs=1)
    assert one.final("dead")[1, 0] > one.final("dead")[0, 0]


def test_the_center_is_halfway_to_the_next_point():
    found = studies.walk(0.5, seed=0, steps=4, every=4)
    model = mlp([64, 64, 10], seed=0).double()
    x, y = torch.tensor(digits().train.x[:200]).double(), torch.tensor(digits().train.y[:200])
    for lr in (0.5, 0.5, 0.5, 0.5, 0.25):  # four updates, and half of the fifth
        model.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        with torch.no_grad():
            for part in model.parameters():
                part -= lr * part.grad
    exact = diagnostics.sharpness(model, x, y, "cross_entropy", iterations=200).value
    assert found["center"][-1] == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize(
    ("name", "entry", "again"),
    [
        ("departures", "rates", lambda: studies.departures([0.4], [3])),
        ("later", "rates", lambda: studies.later([0.7], [3])),
        ("edge", "squared error", lambda: studies.edge([0.1], [3])),
        ("dead_units", "tanh", lambda: studies.dead_units("tanh", [0.2], [3])),
    ],
)
def test_what_was_recorded_can_be_made_again(name, entry, again):
    """At small rates, where rounding does not grow."""
    recorded, new = table.load(RESULTS / f"02_{name}.json")[entry], again()
    assert recorded.seeds.tolist() == list(studies.SEEDS)
    old = recorded.select(lrs=new.lrs, seeds=new.seeds)
    for metric in new.metrics:
        np.testing.assert_allclose(new.final(metric), old.final(metric), rtol=0.02, atol=1e-3)


def test_who_is_late_was_measured_on_the_runs_that_left():
    """Both recordings walk the same steps; their losses meet at a clock of 60."""
    later, left = (
        table.load(RESULTS / f"02_{name}.json")["rates"] for name in ("later", "departures")
    )
    same = left.select(lrs=later.lrs)
    np.testing.assert_allclose(later.final("at_60"), same.final("loss"), rtol=1e-6)


@pytest.mark.parametrize("steps", [40, 400, 4000])
def test_large_then_small_beats_the_best_constant_rate_if_the_switch_is_half_way(steps):
    """In the ravine of 2.4; the last sentence there adds what happens at update 200 of 4000."""
    ravine = log_cosh_ravine()
    rates = np.append(np.geomspace(0.005, 1, 93), 0.08)
    constant = descend(ravine, GradientDescent(), list(rates), steps).final_loss.min()

    def two_rates(switch):
        plan = piecewise_constant([switch - 1], [0.4, 0.02])
        return descend(ravine, GradientDescent(), plan, steps).final_loss

    assert two_rates(steps // 2) < constant
    if steps == 4000:
        assert two_rates(200) > constant
