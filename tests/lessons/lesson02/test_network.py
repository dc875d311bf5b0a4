"""The network of lesson 2 against PyTorch: its loss, its gradient, its sharpness."""

import numpy as np
import pytest
import torch

from course_utils.experiments import diagnostics
from course_utils.experiments.datasets import digits
from course_utils.experiments.models import mlp
from course_utils.lessons.lesson02.network import digits_network, sharpness
from course_utils.problems import quadratic


def in_torch(w, examples, hidden, activation):
    """The same network in PyTorch, with its inputs and labels."""
    model = mlp([64, hidden, 10], activation, seed=0).double()
    parts = np.split(w, np.cumsum([64 * hidden, hidden, 10 * hidden]))
    with torch.no_grad():
        for layer, weight, bias in zip((model[0], model[2]), parts[::2], parts[1::2], strict=True):
            layer.weight.copy_(torch.tensor(weight.reshape(layer.in_features, -1).T.copy()))
            layer.bias.copy_(torch.tensor(bias))
    data = digits().train
    return model, torch.tensor(data.x[:examples]).double(), torch.tensor(data.y[:examples])


def loss_of(model, x, y, loss):
    z = model(x)
    if loss == "cross_entropy":
        return torch.nn.functional.cross_entropy(z, y)
    return ((z - torch.nn.functional.one_hot(y, 10)) ** 2).sum(1).mean() / 2


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_loss_gradient_and_sharpness_are_those_of_pytorch(activation, loss):
    network = digits_network(0, 40, 12, activation, loss)
    w = network.start
    for _ in range(30):
        w = w - 0.1 * network.gradient(w)
    model, x, y = in_torch(w, 40, 12, activation)
    value = loss_of(model, x, y, loss)
    value.backward()
    expected = np.concatenate(
        [part.grad.numpy().T.ravel() for layer in (model[0], model[2]) for part in
         (layer.weight, layer.bias)]
    )  # fmt: skip
    assert network.loss(w) == pytest.approx(value.item(), rel=1e-12)
    np.testing.assert_allclose(network.gradient(w), expected, atol=1e-14)
    steepest, _ = sharpness(network.gradient, w, rounds=60)
    exact = diagnostics.sharpness(model, x, y, loss, iterations=300).value
    assert steepest == pytest.approx(exact, rel=1e-2)
    steepest, _ = sharpness(network.gradient, w, np.random.default_rng(1).random(len(w)), 300)
    assert steepest == pytest.approx(exact, rel=1e-4)


def test_it_starts_where_pytorch_does():
    model, _, _ = in_torch(digits_network(hidden=12).start, 40, 12, "relu")
    for ours, theirs in zip(model.parameters(), mlp([64, 12, 10], seed=0).parameters()):
        torch.testing.assert_close(ours.float(), theirs)


def test_replicas_are_computed_together():
    network = digits_network(0, 30, 5)
    both = np.stack([network.start, 2 * network.start])
    np.testing.assert_allclose(network.loss(both), [network.loss(w) for w in both])
    np.testing.assert_allclose(network.gradient(both), [network.gradient(w) for w in both])


def test_hessian_is_symmetric_and_its_largest_eigenvalue_is_the_sharpness():
    network = digits_network(0, 30, 3)
    hessian = network.hessian(network.start)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-4)
    found, _ = sharpness(network.gradient, network.start)
    assert found == pytest.approx(np.linalg.eigvalsh((hessian + hessian.T) / 2)[-1], rel=0.01)


def test_sharpness_goes_on_from_a_direction():
    steep = quadratic([1.0, 2.0, 5.0])
    value, v = sharpness(steep.gradient, np.ones(3), np.array([0.1, 0.1, 1.0]), rounds=10)
    assert value == pytest.approx(5, rel=1e-5)
    np.testing.assert_allclose(np.abs(v), [0, 0, 1], atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"activation": "gelu"}, "activation must be one of"),
        ({"loss": "hinge"}, "loss must be one of"),
        ({"hidden": 0}, "hidden must be"),
        ({"examples": 5000}, "n must be"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        digits_network(**arguments)
