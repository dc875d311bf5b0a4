"""Dead units: counted as the gradient sees them."""

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.experiments.datasets import Split, digits
from course_utils.experiments.diagnostics import dead_fractions

IMAGES = Split(np.random.default_rng(0).normal(size=(12, 3, 6, 6)), np.arange(12) % 3)


def network():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(128, 10), nn.ReLU(),
        nn.Linear(10, 3),
    )  # fmt: skip
    with torch.no_grad():
        model[0].bias[:3] = -100.0  # dead
        model[0].bias[3] = -2.5  # active at few positions of few images: not dead
        model[4].bias[:7] = -100.0
    return model


def test_dead_units_are_those_whose_weights_get_no_gradient():
    model = network().eval()
    x, y = torch.tensor(IMAGES.x), torch.tensor(IMAGES.y)
    nn.functional.cross_entropy(model(x), y).backward()
    no_gradient = [(w.grad.flatten(1) == 0).all(dim=1).double().mean().item()
                   for w in (model[0].weight, model[4].weight)]  # fmt: skip
    found = dead_fractions(model, IMAGES)
    assert found.tolist() == no_gradient and found[1] == 0.7 and found[0] >= 3 / 8


def test_few_examples_overestimate_and_the_model_is_left_as_it_was():
    model = network().train()
    before = [p.clone() for p in model.parameters()]
    few, many = dead_fractions(model, IMAGES, examples=1), dead_fractions(model, IMAGES)
    assert (few >= many).all() and (few > many).any()
    assert model.training and not model[1]._forward_hooks
    model[2].eval()
    dead_fractions(model, IMAGES)
    assert [module.training for module in model][:3] == [True, True, False]
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters()))
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: dead_fractions(nn.Linear(64, 1), digits().test), ValueError, "one nn.ReLU"),
        (lambda: dead_fractions(nn.ReLU(), digits().test), ValueError, "one parameter, got ReLU"),
        (lambda: dead_fractions("cnn", digits().test), TypeError, "model must be a torch"),
        (lambda: dead_fractions(network(), digits().test), ValueError, "model must map inputs"),
        (lambda: dead_fractions(network(), digits()), TypeError, "split must be a Split"),
        (lambda: dead_fractions(network(), IMAGES, 0), ValueError, "examples must be 1 or"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
