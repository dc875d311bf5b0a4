"""The perceptron: its layers, its function, its weights."""

import numpy as np
import pytest
import torch

from course_utils import sampling
from course_utils.models import mlp


@pytest.mark.parametrize(
    ("activation", "phi"), [("relu", lambda x: np.maximum(x, 0)), ("tanh", np.tanh)]
)
def test_mlp_computes_its_formula(activation, phi):
    sizes = (5, 7, 6, 3)
    x = np.random.default_rng(0).normal(size=(4, 5))
    (w1, b1), (w2, b2), (w3, b3) = sampling.initial_parameters(sizes, seed=2)
    expected = phi(phi(x @ w1 + b1) @ w2 + b2) @ w3 + b3
    found = mlp(sizes, activation, seed=2)(torch.tensor(x, dtype=torch.float32))
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-6)


def test_without_a_seed_the_weights_are_torchs():
    torch.manual_seed(0)
    model = mlp((4, 3))
    torch.manual_seed(0)
    assert torch.equal(model[0].weight, torch.nn.Linear(4, 3).weight)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mlp((64,)), ValueError, "sizes must name at least"),
        (lambda: mlp((64, -1)), ValueError, r"sizes\[1\] must be 1 or greater"),
        (lambda: mlp("64-10"), TypeError, "sizes must be a sequence"),
        (lambda: mlp((64, 10), activation="sigmoid"), ValueError, "activation must be one of"),
        (lambda: mlp((64, 10), activation=torch.relu), ValueError, "activation must be one of"),
        (lambda: mlp((64, 10), seed=-1), ValueError, "seed must be 0 or greater"),
        (lambda: mlp((64, 10), seed=1.5), TypeError, "seed must be an integer"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
