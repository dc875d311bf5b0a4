"""Dead units: they put out 0 whatever the input, so no gradient reaches their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils import validate
from course_utils.batches import Resident
from course_utils.datasets import Split


def dead_fractions(model: nn.Module, split: Split, examples: int = 256) -> np.ndarray:
    r"""Return for every ReLU layer, inputs first, the fraction of its units that are dead.

    A unit (a channel, after a convolution) is dead if it puts out 0 for every example and, for a
    channel, at every position. Then the gradient of its weights is exactly 0.

    Args:
        model: a network with `nn.ReLU` modules, on any device; it is not changed.
        split: where the examples come from.
        examples: how many of its first examples to look at. Few overestimate the fraction.

    Returns:
        float64 array, one entry in [0, 1] per `nn.ReLU`, in the order in which they are used.

    Raises:
        ValueError: if the model has no `nn.ReLU` or no parameter, or examples is below 1.
        TypeError: if the model is not a module or split not a Split.

    Source: Lu, Shin, Su, Karniadakis, Dying ReLU and initialization, 2020 (1903.06733).

    Example:
        >>> from course_utils.datasets import digits
        >>> layer = nn.Linear(64, 4)
        >>> with torch.no_grad():
        ...     _ = layer.bias.copy_(torch.tensor([-1e3, -1e3, -1e3, 1e3]))
        >>> dead_fractions(nn.Sequential(layer, nn.ReLU()), digits().train)
        array([0.75])
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {model!r}")
    if not isinstance(split, Split):
        raise TypeError(f"split must be a Split such as data.train, got {type(split).__name__}")
    examples = validate.integer("examples", examples, minimum=1)
    rectifiers = [module for module in model.modules() if isinstance(module, nn.ReLU)]
    if not rectifiers:
        raise ValueError("model must have at least one nn.ReLU module")
    parameter = next(model.parameters(), None)
    if parameter is None:
        raise ValueError(f"model must have at least one parameter, got {model!r}")
    x, _ = Resident(split.take(slice(examples)), parameter.device, parameter.dtype).batch()
    found: list[float] = []

    def note(module: nn.Module, inputs: Any, outputs: torch.Tensor) -> None:
        silent = (outputs == 0).flatten(1).unflatten(1, (outputs.shape[1], -1))  # (N, units, rest)
        found.append(silent.all(dim=2).all(dim=0).double().mean().item())

    hooks = [module.register_forward_hook(note) for module in rectifiers]
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            model(x)
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return np.array(found)
