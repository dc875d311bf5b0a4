"""The adapter against autograd, and against what its first two updates must be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_layers import torch_layers, torch_loss

from course_utils.lessons.lesson09 import training
from course_utils.lessons.lesson09.adapter import Adapter
from course_utils.optimizers import Adam

SIZES = (20, 8, 10)


def made(rank: int = 3, alpha: float = 6.0) -> tuple[Adapter, np.ndarray, np.ndarray, np.ndarray]:
    nets = training.networks(1, [0], SIZES)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 16, 21)).astype("f4")
    x[..., -1] = 1
    return Adapter(nets, nets.initial(), rank, alpha), x, rng.integers(10, size=(1, 16)), rng


def test_loss_and_gradient_are_those_of_autograd() -> None:
    adapter, x, y, rng = made()
    w = adapter.initial() + rng.standard_normal(adapter.initial().shape).astype("f4") * 0.1
    loss, gradient = adapter.loss_and_gradient(w, x, np.eye(10, dtype="f4")[y])
    frozen = torch_layers(adapter.nets, adapter.frozen, 0, 0)
    parts = [
        [torch.tensor(m[0, 0].copy(), requires_grad=True) for m in p] for p in adapter.parts(w)
    ]
    whole = [
        torch.cat([layer[:-1] + 2.0 * (a @ b), layer[-1:]])  # α/r = 6/3
        for layer, (a, b) in zip(frozen, parts)
    ]
    expected = torch_loss(whole, x[0], y[0])
    expected.backward()
    assert loss[0, 0] == pytest.approx(expected.item(), rel=1e-5)
    for (a, b), (to_a, to_b) in zip(parts, adapter.parts(gradient)):
        assert np.allclose(to_a[0, 0], a.grad.numpy(), atol=1e-6)
        assert np.allclose(to_b[0, 0], b.grad.numpy(), atol=1e-6)


def test_the_first_update_moves_b_alone_and_the_second_moves_a_by_three_quarters() -> None:
    adapter, x, y, _ = made()
    w, rule, target = adapter.initial(), Adam(), np.eye(10, dtype="f4")[y]
    moved = []
    for _ in range(2):
        before = [part.copy() for pair in adapter.parts(w) for part in pair]
        w = rule.step(w, adapter.loss_and_gradient(w, x, target)[1], 0.01)
        after = [part for pair in adapter.parts(w) for part in pair]
        moved.append([np.median(np.abs(p - q)) / 0.01 for p, q in zip(before, after)])
    assert moved[0][0] == moved[0][2] == 0
    assert np.allclose([moved[0][1], moved[0][3]], 1, atol=0.01)
    # (0.1 / (1 − 0.9²)) / √(0.001 / (1 − 0.999²)), after one gradient that was exactly 0
    assert np.allclose([moved[1][0], moved[1][2]], 0.744, atol=0.01)


def test_what_an_adapter_adds_has_its_rank_and_leaves_the_biases() -> None:
    adapter, *_, rng = made(rank=2)
    w = rng.standard_normal(adapter.initial().shape).astype("f4")
    for before, after in zip(
        adapter.nets.layers(adapter.frozen), adapter.nets.layers(adapter.merged(w))
    ):
        change = (after - before)[0, 0]
        assert np.linalg.matrix_rank(change[:-1], tol=1e-4) == 2
        assert (change[-1] == 0).all()


@pytest.mark.parametrize(("rank", "alpha", "word"), [(0, 8, "rank"), (2, 0, "alpha")])
def test_bad_input_is_named(rank: int, alpha: float, word: str) -> None:
    nets = training.networks(1, [0], SIZES)
    with pytest.raises(ValueError, match=word):
        Adapter(nets, nets.initial(), rank, alpha)
