"""The network that lesson 1 trains by hand is PyTorch's, and the one that `sweep` trains."""

import numpy as np
import pytest
import torch

from course_utils.experiments.datasets import digits
from course_utils.experiments.models import mlp
from course_utils.experiments.network import Network


def rows_of(model, grad):
    """The parameters of an mlp, or their gradients, in the order of the vector w."""
    parts = [p.grad if grad else p.detach() for p in model.parameters()]
    layers = zip(parts[::2], parts[1::2])
    return torch.cat([part for W, b in layers for part in (W.T.flatten(), b)]).numpy()


@pytest.mark.parametrize("seed", [0, 7])
def test_start_loss_gradient_and_accuracy_are_those_of_torch(seed):
    network, images = Network(64, 32, 10), digits().train.take(slice(50))
    model, labels = mlp((64, 32, 10), seed=seed), torch.tensor(images.y)
    outputs = model(torch.tensor(images.x))
    torch.nn.functional.cross_entropy(outputs, labels).backward()
    w = network.start(seed)
    assert w == pytest.approx(rows_of(model, grad=False), abs=1e-7)
    loss, gradient = network.loss_and_gradient(w, images)
    assert gradient == pytest.approx(rows_of(model, grad=True), abs=1e-6)
    exact = torch.nn.functional.cross_entropy(outputs, labels).item()
    assert (loss, network.loss(w, images)) == pytest.approx((exact, exact), rel=1e-5)
    right = (outputs.argmax(dim=1) == labels).numpy()
    assert network.accuracy(w, images) == pytest.approx(np.mean(right))


def test_a_gradient_stays_what_it_was_when_the_next_is_computed():
    network, images = Network(64, 8, 10), digits().train.take(slice(16))
    _, first = network.loss_and_gradient(network.start(0), images)
    kept = first.copy()
    network.loss_and_gradient(network.start(1), images)
    assert (first == kept).all()


@pytest.mark.parametrize(
    ("sizes", "name"),
    [((0, 64, 10), "inputs"), ((64, 2.5, 10), "hidden"), ((64, 8, -1), "classes")],
)
def test_bad_sizes_are_named(sizes, name):
    with pytest.raises((TypeError, ValueError), match=name):
        Network(*sizes)
