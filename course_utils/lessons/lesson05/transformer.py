"""The small transformer of lesson 5."""

from __future__ import annotations

import torch
from torch import nn


class Block(nn.Module):
    """One layer of a transformer encoder, with the normalization after (post) or before (pre).

    Example:
        >>> Block(8, pre=False)(torch.zeros(2, 3, 8)).shape
        torch.Size([2, 3, 8])
    """

    def __init__(self, width: int, pre: bool) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.feed = nn.Sequential(
            nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
        )
        self.pre = pre

    def attend(self, x: torch.Tensor) -> torch.Tensor:
        """Return the attention of every token to all tokens."""
        return self.attention(x, x, x, need_weights=False)[0]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the tokens after this layer, shape (N, tokens, width) as before."""
        first, second = self.norms
        if self.pre:
            x = x + self.attend(first(x))
            return x + self.feed(second(x))
        x = first(x + self.attend(x))
        return second(x + self.feed(x))


class Transformer(nn.Module):
    """Digits as 8 tokens of 8 pixels, `layers` blocks, mean over the tokens, 10 outputs.

    Example:
        >>> Transformer(layers=2)(torch.zeros(5, 64)).shape
        torch.Size([5, 10])
    """

    def __init__(self, layers: int = 6, width: int = 32, pre: bool = False) -> None:
        super().__init__()
        self.embed = nn.Linear(8, width)
        self.place = nn.Parameter(torch.randn(1, 8, width) * 0.02)
        self.blocks = nn.Sequential(*[Block(width, pre) for _ in range(layers)])
        self.out = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits (N, 10) for images (N, 64)."""
        return self.out(self.blocks(self.embed(x.view(-1, 8, 8)) + self.place).mean(dim=1))
