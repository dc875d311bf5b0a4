"""The fair comparison of lesson 5: its grids follow the best rate, and who chooses never judges."""

import numpy as np
import pytest
import torch

from course_utils.experiments.table import Table
from course_utils.lessons.lesson05 import comparison, reading, tasks
from course_utils.lessons.lesson05.comparison import Setting
from course_utils.lessons.lesson05.rules import RULES
from course_utils.optimizers import GradientDescent
from course_utils.schedules import cosine

MOMENTUM = RULES["momentum"]


def valley(best, asked):
    """A task whose loss is lowest at the rate `best`, and best of all with momentum 0.9."""

    def train(rule, rates, seeds):
        asked.append((len(rates), tuple(seeds)))
        lrs = np.array([rate(0) for rate in rates])
        loss = (
            np.log2(lrs / best)[:, None] ** 2
            + 100 * (rule.momentum - 0.9) ** 2
            + np.zeros(len(seeds))
        )
        metrics = {f"{part}_loss": loss for part in ("validation", "test")}
        metrics |= {f"{part}_accuracy": 1 / (1 + loss) for part in ("validation", "test")}
        return Table(lrs, seeds, metrics)

    return tasks.Task(10, train)


@pytest.mark.parametrize("best", [0.05, 2.0**-12, 2.0**8])
def test_the_grid_follows_the_best_rate(best):
    tables = comparison.tuned(valley(best, []), MOMENTUM, "constant", [1, 2])
    for metric in comparison.METRICS:
        found = comparison.chosen(tables, metric)
        assert found.value == 0.9 and 2**-0.51 < found.lr / best < 2**0.51
    assert all(table.best("validation_loss").edge is None for table in tables.values())
    assert all((np.diff(table.lrs) > 0).all() for table in tables.values())


def test_who_chooses_does_not_judge():
    asked = []
    comparison.compared(valley(0.05, asked), ["momentum"], choosing=[7, 8], fresh=[1, 2, 3])
    assert {seeds for rates, seeds in asked if rates > 1} == {(7, 8)}
    assert {seeds for rates, seeds in asked if rates == 1} == {(1, 2, 3)}
    assert not set(comparison.CHOOSING) & set(comparison.FRESH)


def test_a_judged_row_is_the_run_at_its_setting():
    settings = [Setting(0.1, 0.9), Setting(0.2, 0.8), Setting(0.1, 0.9)]
    table = comparison.judged(valley(0.05, []), MOMENTUM, "constant", settings, [1, 2])
    assert table.final("test_loss")[:, 0] == pytest.approx([1, 5, 1])
    assert table.meta["values"] == [0.9, 0.8, 0.9]


@pytest.mark.parametrize("kind", ["rare", "dense"])
def test_the_linear_task_is_a_loop_of_torch(kind):
    steps, seeds, schedule = 12, [3, 4], cosine(0.5, 12)
    table = tasks.linear(kind, steps).train(GradientDescent(momentum=0.8), [schedule], seeds)
    for s, seed in enumerate(seeds):
        problem = tasks._problem(kind, seed, steps)
        x, y = (torch.tensor(np.asarray(a, dtype=float)) for a in problem["train"])
        w = torch.zeros(300, dtype=torch.float64, requires_grad=True)
        rule = torch.optim.SGD([w], lr=1.0, momentum=0.8)
        for t in range(steps):
            rule.param_groups[0]["lr"] = float(schedule(t))
            rule.zero_grad()
            rows = slice(10 * t, 10 * t + 10)
            torch.nn.functional.binary_cross_entropy_with_logits(x[rows] @ w, y[rows]).backward()
            rule.step()
        x, p = (torch.tensor(np.asarray(a, dtype=float)) for a in problem["test"])
        z = x @ w.detach()
        cross = torch.nn.functional.binary_cross_entropy_with_logits(z, p)
        excess = cross - torch.nn.functional.binary_cross_entropy(p, p)
        right = torch.where(z > 0, p, 1 - p).mean()
        assert table.final("test_loss")[0, s] == pytest.approx(excess.item(), abs=1e-5)
        assert table.final("test_accuracy")[0, s] == pytest.approx(right.item(), abs=1e-4)


def test_rare_features_are_as_rare_as_they_say():
    x, _ = tasks._problem("rare", 0, 400)["train"]
    often = x.mean(axis=0)
    assert often[[0, 5]] == pytest.approx([0.5, 0.5], abs=0.05)
    assert often[29] == pytest.approx(0.1, abs=0.02) and often[200:].mean() < 0.015


def test_a_lead_is_paired_and_a_rate_that_was_not_tried_is_no_number():
    seed = np.array([0.1, 0.3, 0.5])
    tables = {
        arm: Table([1, 1, 1], [0, 1, 2], {"test_accuracy": np.tile(seed + plus, (3, 1))})
        for arm, plus in (("A, constant", 0.02), ("B, constant", 0.0))
    }
    found = reading.lead(tables, "A, constant", "B, constant")
    assert (found.mean, found.standard_error) == pytest.approx((2, 0), abs=1e-9)
    meta = {"knob": "μ", "values": [0.9, 0.9, 0.9]}
    arm = Table([2, 2, 2], [0], {"test_loss": [[1.0]] * 3}, meta=meta)
    grid = Table([1, 2, 4], [5], {"validation_accuracy": [[0.8], [0.9], [np.nan]]})
    both = {"A": arm, "A, tuning, μ = 0.9": grid}
    assert reading.off_by(both, "A", 0.5) == pytest.approx([-10])
    assert reading.off_by(both, "A", 2) == pytest.approx([-90])  # diverged: all of it
    assert np.isnan(reading.off_by(both, "A", 4)).all()
