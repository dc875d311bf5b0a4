"""The record of clipping: without it, the same as `sweep`; with it, as PyTorch's own clipping."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from course_utils import sampling
from course_utils.experiments import table
from course_utils.experiments.datasets import digits
from course_utils.experiments.evaluation import mean_loss
from course_utils.experiments.models import mlp
from course_utils.experiments.sweep import sweep
from course_utils.lessons.lesson10 import clipping, figures
from course_utils.schedules import polynomial

STEPS = 40


def test_without_clipping_it_is_the_sweep():
    plan = polynomial(0.3, STEPS, end_lr=0.0)
    options = {"hidden": (32,), "batch_size": 16, "evaluate_on": ("test",)}
    swept = sweep([plan], [0, 1], data=digits(), steps=STEPS, **options)
    found = clipping.measure("sgd", None, STEPS, [0.3], [0, 1])
    np.testing.assert_allclose(found.final("test_loss"), swept.final("test_loss"), atol=1e-4)
    assert not found.final("clipped").any()


def test_with_clipping_it_is_pytorchs():
    data, model = digits(), mlp(clipping.SIZES, seed=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    x, y = torch.tensor(data.train.inputs()).float(), torch.tensor(data.train.y)
    for t, rows in enumerate(sampling.epoch_batches(1000, 16, 0, 0)[:STEPS]):
        optimizer.param_groups[0]["lr"] = 3.0 * (1 - t / STEPS)
        optimizer.zero_grad()
        cross_entropy(model(x[rows]), y[rows]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), clipping.CLIP)
        optimizer.step()
    found = clipping.measure("sgd", clipping.CLIP, STEPS, [3.0], [0])
    assert found.final("test_loss")[0, 0] == pytest.approx(mean_loss(model, data.test), abs=1e-4)
    assert found.final("clipped")[0, 0] == 1.0


def test_the_record_can_be_made_again_and_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(clipping, "STEPS", (10,))
    monkeypatch.setattr(clipping, "RATES", {"sgd": (0.1, 0.3), "adam": (0.01,)})
    real = clipping.measure
    monkeypatch.setattr(clipping, "measure", lambda o, c, steps: real(o, c, steps, seeds=[0, 1]))
    clipping.record(tmp_path / "10_clipping.json")
    tables = table.load(tmp_path / "10_clipping.json")
    assert [*tables] == [
        f"{o}, clip {c}, 10 updates" for o in ("sgd", "adam") for c in ("none", 0.1)
    ]
    assert "SGD, clipped to 0.1: best 0.3" in figures.clipped(tables, 10, "Small").alt
