"""The networks of the course."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn

from course_utils import sampling, validate
from course_utils.experiments.devices import torch_seed

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


class SevenLayerCNN(nn.Sequential):
    """The network of an article on CIFAR-100: seven convolutions, one linear layer.

    All convolutions are 3 x 3 with padding 1, each followed by ReLU; the first has stride 2, and
    after the second, fourth and sixth there is a 2 x 2 max pooling. No normalization, no dropout.

    ======  ===================  ===============  ==========
    layer   what                 output           parameters
    ======  ===================  ===============  ==========
    input                        3 x 32 x 32
    conv1   3 to 16, stride 2    16 x 16 x 16     448
    conv2   16 to 64, pool       64 x 8 x 8       9,280
    conv3   64 to 128            128 x 8 x 8      73,856
    conv4   128 to 256, pool     256 x 4 x 4      295,168
    conv5   256 to 512           512 x 4 x 4      1,180,160
    conv6   512 to 512, pool     512 x 2 x 2      2,359,808
    conv7   512 to 256           256 x 2 x 2      1,179,904
    fc      1,024 to 100         100              102,500
    sum                                           5,201,124
    ======  ===================  ===============  ==========

    Args:
        seed: draws the weights from PyTorch's default law and leaves its global generator alone;
            None draws them from that generator.
        width: multiplies the channels behind each convolution; a quarter of the channels need
            about a sixteenth of the multiplications.

    Source: the article numbered 004 in this course; its author calls it a custom 7-layer CNN.

    Example:
        >>> model = SevenLayerCNN(seed=0)
        >>> model(torch.zeros(2, 3, 32, 32)).shape, sum(p.numel() for p in model.parameters())
        (torch.Size([2, 100]), 5201124)
        >>> SevenLayerCNN(seed=0, width=0.25).conv6
        Conv2d(128, 128, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    """

    CHANNELS = (3, 16, 64, 128, 256, 512, 512, 256)
    POOL_AFTER = (2, 4, 6)

    def __init__(self, seed: int | None = None, width: float = 1.0) -> None:
        inputs, *outputs = self.CHANNELS
        channels = [inputs] + [validate.positive("width", width) * n for n in outputs]
        if any(n % 1 for n in channels):
            allowed = f"a multiple of 1/{math.gcd(*outputs)}"
            raise ValueError(f"width must be {allowed}, got {width!r}")
        layers: dict[str, nn.Module] = {}
        with torch.random.fork_rng(devices=[], enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(torch_seed("seed", seed))
            sizes = [int(n) for n in channels]
            for i, (n_in, n_out) in enumerate(zip(sizes, sizes[1:]), start=1):
                stride = 2 if i == 1 else 1
                layers[f"conv{i}"] = nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1)
                layers[f"relu{i}"] = nn.ReLU()
                if i in self.POOL_AFTER:
                    layers[f"pool{i}"] = nn.MaxPool2d(2)
            layers["flat"] = nn.Flatten()
            layers["fc"] = nn.Linear(4 * sizes[-1], 100)
        super().__init__(OrderedDict(layers))

    def __getitem__(self, index):
        """Return a layer, or an `nn.Sequential` of some: a part of the network is another network.

        >>> SevenLayerCNN(seed=0)[:-1](torch.zeros(1, 3, 32, 32)).shape
        torch.Size([1, 1024])
        """
        if isinstance(index, slice):
            return nn.Sequential(OrderedDict(list(self.named_children())[index]))
        return super().__getitem__(index)


def _copy_weights(linear: list[nn.Linear], sizes: Sequence[int], seed: int) -> None:
    """Give the layers the weights of `seed`; torch stores a weight as (outputs, inputs)."""
    with torch.no_grad():
        for layer, (weight, bias) in zip(linear, sampling.initial_parameters(sizes, seed)):
            layer.weight.copy_(torch.from_numpy(weight.T))
            layer.bias.copy_(torch.from_numpy(bias))
