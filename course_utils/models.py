"""The networks of the course."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from course_utils import sampling, validate

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


def mlp(sizes: Sequence[int], activation: str = "relu", seed: int | None = None) -> nn.Sequential:
    r"""Build a multilayer perceptron: linear layers with an activation between them.

    .. math:: z = W_L\, \phi(\dots \phi(W_1 x + b_1) \dots) + b_L

    Args:
        sizes: units per layer, inputs first and outputs last, such as (64, 32, 10).
        activation: "relu" or "tanh", after every layer but the last (the outputs are logits).
        seed: draws the weights with `sampling.initial_parameters`, as `sweep` does; None leaves
            them to PyTorch's global generator. The law is the same.

    Returns:
        An `nn.Sequential` of float32 layers, on the CPU.

    Raises:
        ValueError: if there are fewer than two sizes, one is below 1, or the activation is unknown.
        TypeError: if a size or the seed is not an integer.

    Example:
        >>> mlp((64, 32, 10), activation="tanh", seed=0)
        Sequential(
          (0): Linear(in_features=64, out_features=32, bias=True)
          (1): Tanh()
          (2): Linear(in_features=32, out_features=10, bias=True)
        )
    """
    sizes = sampling.layer_sizes("sizes", sizes)
    validate.one_of("activation", activation, ACTIVATIONS)
    if seed is not None:
        seed = validate.integer("seed", seed, minimum=0)
    linear = [nn.Linear(n_in, n_out) for n_in, n_out in zip(sizes, sizes[1:])]
    if seed is not None:
        _copy_weights(linear, sizes, seed)
    layers: list[nn.Module] = []
    for layer in linear:
        layers += [layer, ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])


def _copy_weights(linear: list[nn.Linear], sizes: Sequence[int], seed: int) -> None:
    """Give the layers the weights of `seed`; torch stores a weight as (outputs, inputs)."""
    with torch.no_grad():
        for layer, (weight, bias) in zip(linear, sampling.initial_parameters(sizes, seed)):
            layer.weight.copy_(torch.from_numpy(weight.T))
            layer.bias.copy_(torch.from_numpy(bias))
