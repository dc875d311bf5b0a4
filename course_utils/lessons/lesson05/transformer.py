"""The small transformer of lesson 5, with its normalization after the block or before it."""

from __future__ import annotations

import time
from collections.abc import Callable
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils.experiments.datasets import digits
from course_utils.experiments.evaluation import accuracy
from course_utils.experiments.table import Table, save
from course_utils.experiments.training import train
from course_utils.run import Run
from course_utils.schedules import constant, with_warmup

COMMAND = "make records NB=05"
RATES, SEEDS, STEPS, WARMUP = (0.003, 0.01), range(8), 200, 50


def post_norm(x: torch.Tensor, layer: Layer) -> torch.Tensor:
    """Return the tokens after a layer of the original design: each sum is normalized.

    Source: Vaswani et al. 2017 (1706.03762).

    >>> post_norm(torch.zeros(2, 3, 8), Layer(8)).shape
    torch.Size([2, 3, 8])
    """
    x = layer.norm1(x + layer.attend(x))
    return layer.norm2(x + layer.feed(x))


def pre_norm(x: torch.Tensor, layer: Layer) -> torch.Tensor:
    """Return the tokens after a layer that normalizes what it looks at, and adds to the rest.

    Source: Xiong et al. 2020 (2002.04745).

    >>> pre_norm(torch.zeros(2, 3, 8), Layer(8)).shape
    torch.Size([2, 3, 8])
    """
    x = x + layer.attend(layer.norm1(x))
    return x + layer.feed(layer.norm2(x))


class Layer(nn.Module):
    """What a layer of a transformer has: attention, a small network, two normalizations.

    Example:
        >>> Layer(8).feed
        Sequential(
          (0): Linear(in_features=8, out_features=16, bias=True)
          (1): ReLU()
          (2): Linear(in_features=16, out_features=8, bias=True)
        )
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.feed = nn.Sequential(
            nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
        )

    def attend(self, x: torch.Tensor) -> torch.Tensor:
        """Return the attention of every token to all tokens."""
        return self.attention(x, x, x, need_weights=False)[0]


class Transformer(nn.Module):
    """Digits as 8 tokens of 8 pixels, some layers, the mean over the tokens, 10 outputs.

    Args:
        block: how a layer is put together, `post_norm` or `pre_norm`.
        layers: how many.
        width: numbers per token.
        seed: of the first weights.

    Example:
        >>> Transformer(post_norm, layers=2)(torch.zeros(5, 64)).shape
        torch.Size([5, 10])
    """

    def __init__(
        self,
        block: Callable[[torch.Tensor, Any], torch.Tensor],
        layers: int = 6,
        width: int = 32,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.block = block
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.embed = nn.Linear(8, width)
            self.place = nn.Parameter(torch.randn(1, 8, width) * 0.02)
            self.layers = nn.ModuleList([Layer(width) for _ in range(layers)])
            self.out = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits (N, 10) for images (N, 64)."""
        x = self.embed(x.view(-1, 8, 8)) + self.place
        for layer in self.layers:
            x = self.block(x, layer)
        return self.out(x.mean(dim=1))


def fit(model: nn.Module, lr: float, warmup: int, steps: int = STEPS, seed: int = 0) -> Run:
    """Train on the digits with Adam, in batches of 32; the rate rises for `warmup` updates.

    >>> fit(Transformer(post_norm, layers=1), 0.01, warmup=2, steps=3).lr.tolist()
    [0.005, 0.01, 0.01]
    """
    rate = with_warmup(lr, warmup - 1, 1 / warmup) if warmup > 1 else constant(lr)
    return train(model, digits(), optimizer="adam", schedule=rate, steps=steps,
                 batch_size=32, seed=seed)  # fmt: skip


ARMS = {
    "post-norm": (post_norm, 0),
    "post-norm, warm-up": (post_norm, WARMUP),
    "pre-norm": (pre_norm, 0),
    "pre-norm, warm-up": (pre_norm, WARMUP),
}
"""What is recorded: the block, and the updates of the warm-up."""


def record(path: str | PathLike[str]) -> None:
    """Train every arm at every rate from every seed; one table per arm, written after each seed."""
    start, data = time.perf_counter(), digits()
    measured: dict[str, list[np.ndarray]] = {arm: [] for arm in ARMS}
    for seed in SEEDS:
        for arm, (block, warmup) in ARMS.items():
            rows = []
            for lr in RATES:
                model = Transformer(block, seed=seed)
                run = fit(model, lr, warmup, seed=seed)
                ends = (accuracy(model, split) for split in (data.validation, data.test))
                rows.append([run.loss[-20:].mean(), *ends])
            measured[arm].append(np.array(rows))
        save(path, _tables(measured, list(SEEDS)[: seed + 1]), command=COMMAND,
             seconds=round(time.perf_counter() - start))  # fmt: skip


def _tables(measured: dict[str, list[np.ndarray]], seeds: list[int]) -> dict[str, Table]:
    names, tables = ("train_loss", "validation_accuracy", "test_accuracy"), {}
    for arm, runs in measured.items():
        cells = np.stack(runs, axis=-1)  # (R, metrics, S)
        metrics = {name: cells[:, i] for i, name in enumerate(names)}
        meta = {"layers": 6, "steps": STEPS, "batch_size": 32, "warmup": ARMS[arm][1]}
        lost = ~np.isfinite(cells[:, 0])
        tables[arm] = Table(RATES, seeds, metrics, lost, meta).rounded(4)
    return tables
