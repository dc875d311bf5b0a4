"""The networks: their layers, their functions, their weights."""

import inspect
import re

import numpy as np
import pytest
import torch
from torch import nn

from course_utils import sampling
from course_utils.experiments.models import SevenLayerCNN, mlp


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


class ArticleCNN(nn.Module):
    """The article's listing, with its mistakes of spelling left out; n is 16 there."""

    def __init__(self, n=16):
        super().__init__()
        self.conv1 = nn.Conv2d(3, n, kernel_size=3, stride=2, padding=1)
        self.pool = nn.MaxPool2d(kernel_size=2)
        self.act = nn.ReLU()
        self.conv2 = nn.Conv2d(n, 4 * n, kernel_size=3, padding=1)
        self.conv3 = nn.Conv2d(4 * n, 8 * n, kernel_size=3, padding=1)
        self.conv4 = nn.Conv2d(8 * n, 16 * n, kernel_size=3, padding=1)
        self.conv5 = nn.Conv2d(16 * n, 32 * n, kernel_size=3, padding=1)
        self.conv6 = nn.Conv2d(32 * n, 32 * n, kernel_size=3, padding=1)
        self.conv7 = nn.Conv2d(32 * n, 16 * n, kernel_size=3, padding=1)
        self.fc = nn.Linear(64 * n, 100)
        self.ln = nn.Flatten()

    def forward(self, x):
        x = self.act(self.conv1(x))
        x = self.pool(self.act(self.conv2(x)))
        x = self.act(self.conv3(x))
        x = self.pool(self.act(self.conv4(x)))
        x = self.act(self.conv5(x))
        x = self.pool(self.act(self.conv6(x)))
        x = self.ln(self.act(self.conv7(x)))
        return self.fc(x)


@pytest.mark.parametrize(("width", "n"), [(1, 16), (0.25, 4), (1 / 16, 1), (2.0, 32)])
def test_the_seven_layer_cnn_is_the_network_of_the_article(width, n):
    torch.manual_seed(5)
    article = ArticleCNN(n)
    model = SevenLayerCNN(seed=5, width=width)  # the same draws in the same order
    for ours, theirs in zip(model.parameters(), article.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(model(x), article(x))


def is_row(cells):
    return cells[0].startswith(("conv", "fc", "sum")) and len(cells) > 1


def test_the_table_of_the_seven_layer_cnn_is_true():
    table = inspect.getdoc(SevenLayerCNN).split("======")
    lines = [re.split(r"\s{2,}", line.strip()) for line in "".join(table).splitlines()]
    rows = {line[0]: (line[-2], int(line[-1].replace(",", ""))) for line in lines if is_row(line)}
    model, shapes, current = SevenLayerCNN(seed=0), {}, ""
    x = torch.zeros(1, 3, 32, 32)
    for name, layer in model.named_children():
        x = layer(x)
        current = name if name.startswith(("conv", "fc")) else current
        if name != "flat":
            shapes[current] = " x ".join(map(str, x.shape[1:]))
    for name, shape in shapes.items():
        parameters = sum(p.numel() for p in getattr(model, name).parameters())
        assert rows[name] == (shape, parameters), name
    assert rows["sum"][1] == sum(p.numel() for p in model.parameters()) == 5_201_124


def test_the_seed_decides_the_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    a, b, c = SevenLayerCNN(seed=1), SevenLayerCNN(seed=1), SevenLayerCNN(seed=2)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(a.conv7.weight, b.conv7.weight)
    assert not torch.equal(a.conv7.weight, c.conv7.weight)
    assert not torch.equal(SevenLayerCNN().fc.bias, SevenLayerCNN().fc.bias)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mlp((64,)), ValueError, "sizes must name at least"),
        (lambda: mlp((64, -1)), ValueError, r"sizes\[1\] must be 1 or greater"),
        (lambda: mlp("64-10"), TypeError, "sizes must be a list"),
        (lambda: mlp((64, 10), activation="sigmoid"), ValueError, "activation must be one of"),
        (lambda: mlp((64, 10), activation=torch.relu), ValueError, "activation must be one of"),
        (lambda: mlp((64, 10), seed=-1), ValueError, "seed must be 0 or greater"),
        (lambda: mlp((64, 10), seed=1.5), TypeError, "seed must be an integer"),
        (lambda: SevenLayerCNN(seed=-1), ValueError, "seed must be 0 or greater"),
        (lambda: SevenLayerCNN(seed=2**64), ValueError, r"seed must be less than 2\^64"),
        (lambda: SevenLayerCNN(width=0), ValueError, "width must be greater than 0"),
        (lambda: SevenLayerCNN(width=0.3), ValueError, "width must be a multiple of 1/16, got 0.3"),
        (lambda: SevenLayerCNN(width="a"), TypeError, "width must be a number"),
        (lambda: SevenLayerCNN(seed="a"), TypeError, "seed must be an integer"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
