"""Sharpness against Hessians that were really formed."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.experiments.datasets import digits
from course_utils.experiments.diagnostics import sharpness
from course_utils.experiments.evaluation import LOSSES
from course_utils.experiments.models import mlp


def exact_eigenvalues(model, x, y, loss):
    """All eigenvalues of the full Hessian, formed by torch and solved by NumPy."""
    names = [name for name, _ in model.named_parameters()]
    shapes = [p.shape for p in model.parameters()]
    sizes = [p.numel() for p in model.parameters()]
    flat = torch.cat([p.detach().reshape(-1) for p in model.parameters()])

    def value(flat):
        parts = [part.view(shape) for part, shape in zip(flat.split(sizes), shapes)]
        return LOSSES[loss](torch.func.functional_call(model, dict(zip(names, parts)), (x,)), y)

    return np.linalg.eigvalsh(torch.autograd.functional.hessian(value, flat).numpy())


def small_problem(seed, activation="tanh", classes=3):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(40, 4, generator=generator, dtype=torch.float64)
    y = torch.randint(0, classes, (40,), generator=generator)
    return mlp((4, 5, classes), activation, seed=seed).double(), x, y


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_largest_eigenvalue_of_the_exact_hessian(seed, loss, activation):
    model, x, y = small_problem(seed, activation)
    before = [p.clone() for p in model.parameters()]
    found = sharpness(model, x, y, loss, iterations=400)
    eigenvalues = exact_eigenvalues(model, x, y, loss)
    assert found.value == pytest.approx(eigenvalues[-1], rel=1e-6)
    assert found.vector.shape == (sum(p.numel() for p in model.parameters()),)
    assert found.vector.norm().item() == pytest.approx(1)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters()))


class Hilltop(nn.Module):
    """Loss ½(w² + u - 1)²: at w = u = 0 its Hessian is diag(-2, 1)."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        self.u = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, x):
        return (self.w**2 + self.u).expand(len(x), 1)


def test_the_largest_is_found_even_if_the_smallest_is_larger_in_magnitude():
    found = sharpness(Hilltop(), torch.zeros(3, 1), torch.zeros(3, dtype=int), iterations=200)
    assert found.value == pytest.approx(1)
    assert found.vector.abs().tolist() == pytest.approx([0, 1], abs=1e-6)


def test_linear_regression_has_the_closed_form():
    data = digits().subset(300)
    x = np.column_stack([data.train.x.astype(float), np.ones(300)])
    expected = np.linalg.eigvalsh(x.T @ x / 300)[-1]
    found = sharpness(mlp((64, 10), seed=0).double(), data.train.x, data.train.y, iterations=50)
    assert found.value == pytest.approx(expected, rel=1e-9)


def test_a_warm_start_needs_few_iterations():
    model, x, y = small_problem(1)
    exact = exact_eigenvalues(model, x, y, "mse")[-1]
    start = sharpness(model, x, y, iterations=400).vector
    assert sharpness(model, x, y, iterations=1, vector=start).value == pytest.approx(
        exact, rel=1e-9
    )
    assert sharpness(model, x, y, iterations=1).value < 0.9 * exact  # a cold start does


def test_the_estimate_comes_from_below_and_improves():
    model, x, y = small_problem(2)
    values = [sharpness(model, x, y, iterations=k).value for k in (2, 5, 20, 100)]
    assert values == sorted(values)
    assert values[-1] <= exact_eigenvalues(model, x, y, "mse")[-1] * (1 + 1e-12)


def test_a_diverged_model_has_no_sharpness():
    model, x, y = small_problem(0)
    with torch.no_grad():
        model[0].weight[:] = math.nan
    assert math.isnan(sharpness(model, x, y).value)


def test_it_is_that_of_evaluation_mode_and_the_network_is_left_as_it_was():
    x, y = small_problem(0)[1:]
    torch.manual_seed(0)
    layers = nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(0.5), nn.Linear(6, 3)
    model = nn.Sequential(*layers).double()
    model[1].eval()
    before = [value.clone() for value in model.state_dict().values()]
    found = sharpness(model, x, y, iterations=300)
    assert [module.training for module in model] == [True, False, True, True, True]
    assert all(torch.equal(a, b) for a, b in zip(before, model.state_dict().values()))
    assert found.value == sharpness(model, x, y, iterations=300).value  # nothing is dropped
    assert found.value == pytest.approx(exact_eigenvalues(model.eval(), x, y, "mse")[-1], rel=1e-6)


MODEL, X, Y = small_problem(0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: sharpness("mlp", X, Y), TypeError, "model must be a torch.nn.Module"),
        (lambda: sharpness(nn.Tanh(), X, Y), ValueError, "model must have at least one trainable"),
        (lambda: sharpness(MODEL, X, Y, "mae"), ValueError, "loss must be one of"),
        (lambda: sharpness(MODEL, X, Y, iterations=0), ValueError, "iterations must be 1 or"),
        (
            lambda: sharpness(MODEL, X, Y, iterations=2.5),
            TypeError,
            "iterations must be an integer",
        ),
        (lambda: sharpness(MODEL, "x", Y), TypeError, "x must be an array of numbers"),
        (lambda: sharpness(MODEL, 1.0, Y), ValueError, "x and y must have the same length"),
        (lambda: sharpness(MODEL, X, None), TypeError, "y must be an array of numbers"),
        (lambda: sharpness(MODEL, X, Y.double()), ValueError, "y must hold labels"),
        (lambda: sharpness(MODEL, X, Y - 1), ValueError, "y must hold labels"),
        (lambda: sharpness(MODEL, X, Y + 1), ValueError, "at least 4 outputs each"),
        (lambda: sharpness(MODEL, X[:, :2], Y), ValueError, "model must map inputs"),
        (lambda: sharpness(MODEL, X, Y, vector="v"), TypeError, "vector must be a tensor"),
        (lambda: sharpness(MODEL, X, Y[:3]), ValueError, "x and y must have the same length"),
        (
            lambda: sharpness(MODEL, X, Y, vector=torch.ones(3)),
            ValueError,
            r"vector must have shape",
        ),
        (lambda: sharpness(MODEL, X, Y, vector=torch.zeros(43)), ValueError, "finite and not zero"),
        (
            lambda: sharpness(MODEL, X, Y, vector=torch.full((43,), math.nan)),
            ValueError,
            "finite and not zero",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
