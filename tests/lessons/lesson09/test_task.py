"""Turned digits, renamed labels, single layers and stability limits, each against another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch_layers import torch_layers, torch_loss

from course_utils.experiments.datasets import digits
from course_utils.lessons.lesson09 import task, training


@pytest.mark.parametrize("angle", [0, 10, 30, 90, -45])
def test_pictures_are_turned_as_pytorch_turns_them(angle: float) -> None:
    """PyTorch mixes zeros into what lies across the rim; all that comes from inside is equal."""
    picture = torch.tensor(digits().test.x[3].reshape(1, 1, 8, 8), dtype=torch.float64)
    turn = math.radians(angle)
    matrix = [[math.cos(turn), -math.sin(turn), 0], [math.sin(turn), math.cos(turn), 0]]
    grid = functional.affine_grid(
        torch.tensor([matrix], dtype=torch.float64), [1, 1, 8, 8], align_corners=True
    )
    expected = functional.grid_sample(picture, grid, align_corners=True)[0, 0].numpy()
    turned = (task.turning(angle) @ picture.numpy().ravel()).reshape(8, 8)
    inside = (grid[0].abs() <= 1 + 1e-9).all(dim=-1).numpy()
    assert inside.sum() >= 40 and not turned[~inside].any()
    assert np.allclose(turned[inside], expected[inside], atol=1e-8)


def test_renamed_labels_are_three_further_and_pictures_stay() -> None:
    train, test = task.target("labels")
    assert (test.x == digits().test.x).all()
    assert ((train.y - digits().train.y) % 10 == 3).all()


def test_each_seed_gets_ten_different_pictures_of_each_class() -> None:
    x, y = task.few(digits().train, 10, [0, 1])
    assert (np.array([np.bincount(labels) for labels in y]) == 10).all()
    assert all(len(np.unique(pictures, axis=0)) == 100 for pictures in x)
    assert not np.array_equal(x[0], x[1])


@pytest.mark.parametrize(("arm", "moves"), [("first layer", 0), ("last layer", 2)])
def test_only_the_chosen_layer_moves(arm: str, moves: int) -> None:
    nets = training.networks(1, [0], task.SIZES)
    factors = task.one_rate_a_layer(nets, task.ARMS[arm])
    found = [set(np.unique(layer)) for layer in nets.layers(factors)]
    assert found == [{float(k == moves)} for k in range(3)]  # its biases, too


def sharpness(nets, params: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """By power iteration on autograd's own Hessian."""
    layers = torch_layers(nets, params, 0, 0)
    gradient = torch.autograd.grad(torch_loss(layers, x[0], y[0]), layers, create_graph=True)
    v = [torch.ones_like(layer) for layer in layers]
    for _ in range(40):
        size = sum((a * a).sum() for a in v) ** 0.5
        v = [a / size for a in v]
        along = sum((g * a).sum() for g, a in zip(gradient, v))
        new = torch.autograd.grad(along, layers, retain_graph=True)
        value, v = sum((h * a).sum() for h, a in zip(new, v)), new
    return value.item()


@pytest.mark.parametrize("angle", [0, 10, 90])
def test_the_stability_limit_is_that_of_autograd(angle: float) -> None:
    start = task.pretrained("SGD", 0.5, [0])
    x, y = task.few(task.target(angle)[0], 10, [0])
    nets = training.networks(1, [0], task.SIZES)
    limit = task.stability_limit(start, [0], x, y)[0]
    # The kinks of the ReLU, which finite differences see and autograd does not, cost some percent.
    assert limit == pytest.approx(2 / sharpness(nets, start, x, y), rel=0.15)


def test_bad_names_are_refused() -> None:
    with pytest.raises(ValueError, match="rule"):
        task.optimizer("RMSprop")
    with pytest.raises(ValueError, match="arm"):
        task.fine_tuned("SGD", np.zeros((1, 3466), "f4"), 0, [0.1], [0], arm="middle layer")
