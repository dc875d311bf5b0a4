"""Networks of `experiments.networks`, and their loss, in PyTorch: a reference of several tests."""

from __future__ import annotations

import numpy as np
import torch

from course_utils.experiments.networks import Networks


def torch_layers(nets: Networks, params: np.ndarray, row: int, column: int) -> list[torch.Tensor]:
    layers = nets.layers(params)
    return [torch.tensor(layer[row, column].copy(), requires_grad=True) for layer in layers]


def torch_loss(layers: list[torch.Tensor], x: np.ndarray, y: np.ndarray) -> torch.Tensor:
    z = torch.as_tensor(x)
    for k, layer in enumerate(layers):
        z = z @ layer
        if k < len(layers) - 1:
            z = torch.cat([z.relu(), torch.ones(len(z), 1)], dim=1)
    return torch.nn.functional.cross_entropy(z, torch.as_tensor(y))
