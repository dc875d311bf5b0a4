"""The record of the edge of stability is what the code measures, and meets its acceptance."""

import inspect
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from course_utils.experiments.diagnostics import sharpness
from course_utils.experiments.models import mlp
from course_utils.lessons.lesson02 import edge_of_stability

RECORD = Path(__file__).parents[3] / "notebooks" / "results" / "02_edge_of_stability.json"


@pytest.fixture(scope="module")
def record():
    return edge_of_stability.load(RECORD)


def test_record_has_its_shape_and_provenance(record):
    assert (
        tuple(record.rates) == edge_of_stability.RATES
        and tuple(record.seeds) == edge_of_stability.SEEDS
    )
    assert record.step.tolist() == list(range(0, 3001, 30))
    for values in (record.loss, record.grad_norm, record.sharpness):
        assert values.shape == (4, 3, 101) and np.isfinite(values).all()
    provenance = record.meta["provenance"]
    assert re.fullmatch(r"python -m course_utils\.\S+ results/02_\w+\.json", provenance["command"])
    assert {"date", "torch", "numpy", "python", "course_utils"} <= set(provenance)
    assert RECORD.stat().st_size < 100_000


def test_network_hovers_at_the_edge_but_for_the_smallest_rate(record):
    late = record.late(record.ratio)
    assert (late[0] < 0.7).all()
    assert ((late[1:] > 0.97) & (late[1:] < 1.07)).all()


def test_gradient_grows_while_the_loss_falls(record):
    at_04 = list(record.rates).index(0.4)
    growth = record.late(record.grad_norm)[at_04] / record.grad_norm[at_04].min(axis=-1)
    assert (growth > 10).all()
    smallest = record.grad_norm[at_04].argmin(axis=-1)
    for seed, at in enumerate(smallest):
        assert record.loss[at_04, seed, -1] < record.loss[at_04, seed, at]


def test_code_measures_what_was_recorded(record):
    """The first 60 updates are far from the edge, so they repeat closely on every machine."""
    again = edge_of_stability.measure([0.2, 0.8], [1], steps=60, every=30)
    rows = [0, 2]
    for name in ("loss", "grad_norm"):
        recorded = getattr(record, name)[rows, 1, :2]
        np.testing.assert_allclose(getattr(again, name)[:, 0, :2], recorded, rtol=1e-3)
    np.testing.assert_allclose(again.sharpness[:, 0], record.sharpness[rows, 1, :3], rtol=0.02)


def test_sharpness_is_the_largest_eigenvalue_of_the_full_hessian():
    """An independent computation: the dense Hessian of a smaller network of the same kind."""
    data = edge_of_stability.problem()
    x = torch.tensor(data.train.x[:40, :6], dtype=torch.float64)
    y = torch.nn.functional.one_hot(torch.tensor(data.train.y[:40]), 10).double()
    model = mlp([6, 4, 10], "tanh", seed=0).double()
    shapes = [p.shape for p in model.parameters()]
    names = [name for name, _ in model.named_parameters()]

    def loss(flat):
        parts = torch.split(flat, [shape.numel() for shape in shapes])
        params = {n: part.reshape(shape) for n, part, shape in zip(names, parts, shapes)}
        return ((torch.func.functional_call(model, params, x) - y) ** 2).sum(1).mean() / 2

    flat = torch.cat([p.detach().reshape(-1) for p in model.parameters()])
    dense = torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, flat))[-1].item()
    found = sharpness(model, x, data.train.y[:40].copy(), "mse", 300).value
    assert found == pytest.approx(dense, rel=1e-6)


def test_measure_refuses_a_remainder():
    with pytest.raises(ValueError, match=r"steps must be a multiple of every \(30\), got 100"):
        edge_of_stability.measure(steps=100, every=30)


def test_record_writes_what_load_reads(tmp_path, monkeypatch):
    small = edge_of_stability.measure([0.4], [0], steps=4, every=2)
    monkeypatch.setattr(edge_of_stability, "measure", lambda: small)
    edge_of_stability.record(tmp_path / "edge.json")
    loaded = edge_of_stability.load(tmp_path / "edge.json")
    np.testing.assert_allclose(loaded.sharpness, small.sharpness, rtol=1e-5)
    assert loaded.meta["provenance"]["command"] == edge_of_stability.COMMAND
    assert loaded.meta["provenance"]["cpu_seconds"] >= 0
    assert "NaN" not in (tmp_path / "edge.json").read_text()
    json.loads((tmp_path / "edge.json").read_text())


def test_every_public_name_is_explained():
    for name, thing in vars(edge_of_stability).items():
        if inspect.isfunction(thing) and thing.__module__ == edge_of_stability.__name__:
            assert thing.__doc__, name
