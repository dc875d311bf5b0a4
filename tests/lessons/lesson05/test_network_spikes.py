"""The preconditioned sharpness against the whole Hessian, and the recorded meter of a network."""

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.experiments.datasets import digits
from course_utils.experiments.models import mlp
from course_utils.lessons.lesson05 import network_spikes as spikes
from course_utils.run import Run


def dense(model, data, scale):
    """The matrix D^1/2 H D^1/2, from the whole Hessian, in double precision."""
    w = nn.utils.parameters_to_vector(model.parameters()).detach()
    names, shapes = zip(*((n, p.shape) for n, p in model.named_parameters()))
    x = torch.tensor(data.train.x).double()
    target = nn.functional.one_hot(torch.tensor(data.train.y), data.classes).double()

    def loss(w):
        pieces = w.split([shape.numel() for shape in shapes])
        named = {n: p.view(shape) for n, p, shape in zip(names, pieces, shapes)}
        return ((torch.func.functional_call(model, named, x) - target) ** 2).sum(1).mean() / 2

    hessian, root = torch.autograd.functional.hessian(loss, w), scale.sqrt()
    return root[:, None] * hessian * root


@pytest.fixture(scope="module")
def small():
    """A network whose Hessian can be written down: 64-3-10, at weights far from a minimum."""
    model = mlp([64, 3, 10], "tanh", seed=1).double()
    with torch.no_grad():
        for p in model.parameters():
            p *= 3
    return model, digits().subset(40)


@pytest.mark.parametrize("seed", range(3))
def test_preconditioned_sharpness_is_the_largest_eigenvalue(small, seed):
    model, data = small
    size = sum(p.numel() for p in model.parameters())
    draw = torch.Generator().manual_seed(seed)
    scale = torch.exp(2 * torch.randn(size, generator=draw, dtype=torch.float64))
    found = spikes.preconditioned_sharpness(model, data, scale, iterations=800)
    assert found.value == pytest.approx(
        float(torch.linalg.eigvalsh(dense(model, data, scale))[-1]), rel=1e-3
    )


def test_it_is_the_largest_even_where_a_negative_one_is_larger_in_size(small):
    model, data = small
    size = sum(p.numel() for p in model.parameters())
    scale = torch.ones(size, dtype=torch.float64)
    curvatures = dense(model, data, scale).diag()
    down, up = curvatures.argmin(), curvatures.argmax()
    scale *= 1e-6
    scale[down], scale[up] = 1.0, -0.3 * curvatures[down] / curvatures[up]
    values = torch.linalg.eigvalsh(dense(model, data, scale))
    assert -values[0] > 2 * values[-1] > 0
    found = spikes.preconditioned_sharpness(model, data, scale, iterations=100)
    assert found.value == pytest.approx(float(values[-1]), rel=1e-3)


def test_the_model_is_left_as_it_was(small):
    model, data = small
    before = [p.clone() for p in model.parameters()]
    size = sum(p.numel() for p in model.parameters())
    spikes.preconditioned_sharpness(model, data, torch.ones(size).double(), iterations=2)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters()))
    assert all(p.grad is None for p in model.parameters())


def test_the_meter_is_that_of_the_update_that_was_made():
    run = spikes.watch(3, 0.02, steps=5, every=1)
    model, data = mlp([64, 32, 10], "tanh", seed=3), digits().subset(200)
    adam = torch.optim.Adam(model.parameters(), lr=0.02)
    x, y = torch.tensor(data.train.x), torch.tensor(data.train.y)
    target = nn.functional.one_hot(y, 10).float()
    squares = []
    for _ in range(5):
        adam.zero_grad()
        (((model(x) - target) ** 2).sum(1).mean() / 2).backward()
        squares.append(torch.cat([p.grad.flatten() ** 2 for p in model.parameters()]))
        adam.step()
    weights = 0.999 ** torch.arange(4, -1, -1.0)
    v = (weights[:, None] * torch.stack(squares)).sum(0) / weights.sum()
    found = spikes.preconditioned_sharpness(model, data, 1 / (v.sqrt() + 1e-8), iterations=100)
    assert np.isnan(run.metrics["meter"][0])  # before the first update there is no σ
    assert run.metrics["meter"][-1] == pytest.approx(0.02 * found.value, rel=0.06)  # 8 iterations


def test_summary_of_a_run_that_neither_crosses_nor_spikes():
    run = Run([0.1] * 40, [1.0] * 40, [0.0] * 40, 1.0, metrics={"step": [0, 20], "meter": [99, 5]})
    expected = {"crossed": 40, "spiked": 40, "spikes": 0, "meter 20": 5}
    assert spikes.summary(run, 38.0) == expected
