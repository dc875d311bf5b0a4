"""What a network's state tells: its sharpness, without forming the Hessian, and its dead units."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from course_utils import validate
from course_utils.experiments.datasets import Split
from course_utils.experiments.devices import DeviceData
from course_utils.experiments.evaluation import LOSSES, as_module, evaluating, logits, trainable


class Sharpness(NamedTuple):
    """The result of `sharpness`.

    `value` is the largest eigenvalue of the Hessian, `vector` its eigenvector (P,), of length 1:
    pass it to the next call, after some more training, and few iterations are enough.
    """

    value: float
    vector: torch.Tensor


def sharpness(
    model: nn.Module,
    x: Any,
    y: Any,
    loss: str = "mse",
    iterations: int = 12,
    vector: torch.Tensor | None = None,
) -> Sharpness:
    r"""Estimate the largest eigenvalue of the Hessian of the loss by power iteration.

    .. math:: v \leftarrow \frac{H v}{\lVert H v \rVert}, \qquad \lambda_{\max} \approx v^\top H v

    H v is the derivative of (gradient · v), two passes through the network: a *Hessian-vector
    product*. Gradient descent on a quadratic is stable up to the rate 2 / sharpness. The estimate
    comes from below; started cold it needs 50 to 100 iterations, warm about 12.

    Power iteration finds the eigenvalue of largest magnitude. Where that one is negative, the
    iteration is done once more on H shifted by it, so that the largest one is returned.

    Args:
        model: the network, taken in evaluation mode; it is not changed.
        x: the inputs (N, ...), an array or a tensor: usually the whole training set.
        y: the labels (N,), integers.
        loss: "mse" (half the squared distance to the one-hot label, mean over examples) or
            "cross_entropy", as in `train` and `sweep`.
        iterations: Hessian-vector products.
        vector: a start (P,), such as the vector of the last call; None draws one (always the same).

    Returns:
        `Sharpness(value, vector)`. The value is NaN where the loss or its gradient is not finite.

    Source: LeCun, Simard, Pearlmutter 1993; Pearlmutter, Fast exact multiplication by the
    Hessian, 1994.

    Example:
        >>> model = nn.Linear(1, 1).double()  # loss ½(wx + b - 1)², Hessian [x², x; x, 1]
        >>> round(sharpness(model, [[2.0]], [0]).value, 6)
        5.0
    """
    measure = LOSSES[validate.one_of("loss", loss, LOSSES)]
    iterations = validate.integer("iterations", iterations, minimum=1)
    params = trainable(model)
    x, y = _examples(x, y, params[0])
    start = _start(vector, sum(p.numel() for p in params), params[0])

    with torch.enable_grad(), evaluating(model):
        z = logits(model, x, int(y.max()) + 1)
        gradient = torch.autograd.grad(
            measure(z, y), params, create_graph=True, materialize_grads=True
        )
    flat = torch.cat([g.reshape(-1) for g in gradient])

    def hessian_times(v: torch.Tensor) -> torch.Tensor:
        products = torch.autograd.grad(
            flat, params, grad_outputs=v, retain_graph=True, materialize_grads=True
        )
        return torch.cat([p.reshape(-1) for p in products])

    value, v = _power_iteration(hessian_times, start, iterations)
    if value < 0:
        shift = -value
        shifted, v = _power_iteration(lambda u: hessian_times(u) + shift * u, start, iterations)
        value = shifted - shift
    return Sharpness(value, v)


def _examples(x: Any, y: Any, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and labels as tensors; arrays are copied, because those of `Data` are read-only."""
    found = {}
    for name, values in {"x": x, "y": y}.items():
        try:
            found[name] = values if isinstance(values, torch.Tensor) else torch.tensor(values)
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(f"{name} must be an array of numbers, got {values!r}") from error
    x, y = found["x"], found["y"]
    if y.ndim != 1 or y.is_floating_point() or y.is_complex() or not len(y) or y.min() < 0:
        raise ValueError(f"y must hold labels 0, 1, ... in one dimension, at least one, got {y!r}")
    if x.ndim < 2 or len(x) != len(y):
        raise ValueError(
            f"x and y must have the same length, got shapes {tuple(x.shape)} and {tuple(y.shape)}"
        )
    return x.to(like), y.to(like.device, torch.int64)


def _power_iteration(times: Any, v: torch.Tensor, iterations: int) -> tuple[float, torch.Tensor]:
    """The eigenvalue of largest magnitude of a symmetric linear map, and its eigenvector."""
    value = 0.0
    for _ in range(iterations):
        image = times(v)
        value = float(v @ image)
        length = float(image.norm())
        if length == 0 or length != length:  # v is in the null space, or the loss is NaN
            return value, v
        v = image / length
    return value, v


def _start(vector: torch.Tensor | None, size: int, like: torch.Tensor) -> torch.Tensor:
    """A start of length 1 with the dtype and device of the parameters."""
    if vector is None:
        vector = torch.randn(size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    try:
        vector = torch.as_tensor(vector).detach().to(like)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"vector must be a tensor of numbers, got {vector!r}") from error
    if vector.shape != (size,):
        raise ValueError(f"vector must have shape ({size},), got {tuple(vector.shape)}")
    length = float(vector.norm())
    if not 0 < length < float("inf"):
        raise ValueError(f"vector must be finite and not zero, got a vector of length {length}")
    return vector / length


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

    Source: Lu, Shin, Su, Karniadakis, Dying ReLU and initialization, 2020 (1903.06733).

    Example:
        >>> from course_utils.experiments.datasets import digits
        >>> layer = nn.Linear(64, 4)
        >>> with torch.no_grad():
        ...     _ = layer.bias.copy_(torch.tensor([-1e3, -1e3, -1e3, 1e3]))
        >>> dead_fractions(nn.Sequential(layer, nn.ReLU()), digits().train)
        array([0.75])
    """
    if not isinstance(split, Split):
        raise TypeError(f"split must be a Split such as data.train, got {type(split).__name__}")
    examples = validate.integer("examples", examples, minimum=1)
    parameter = next(as_module(model).parameters(), None)
    if parameter is None:
        raise ValueError(f"model must have at least one parameter, got {model!r}")
    x, _ = DeviceData(split.take(slice(examples)), parameter.device, parameter.dtype).batch()
    with evaluating(model):
        return dead_shares(model, x)


def dead_shares(model: nn.Module, x: torch.Tensor) -> np.ndarray:
    """Return what `dead_fractions` does, for inputs at hand and in the mode that the model is in.

    >>> dead_shares(nn.Sequential(nn.Linear(1, 4), nn.ReLU()), torch.zeros(1, 1)).shape
    (1,)
    """
    rectifiers = [module for module in as_module(model).modules() if isinstance(module, nn.ReLU)]
    if not rectifiers:
        raise ValueError("model must have at least one nn.ReLU module")
    found: list[float] = []

    def note(module: nn.Module, inputs: Any, outputs: torch.Tensor) -> None:
        silent = (outputs == 0).flatten(1).unflatten(1, (outputs.shape[1], -1))  # (N, units, rest)
        found.append(silent.all(dim=2).all(dim=0).double().mean().item())

    hooks = [module.register_forward_hook(note) for module in rectifiers]
    try:
        with torch.no_grad():
            logits(model, x)
    finally:
        for hook in hooks:
            hook.remove()
    return np.array(found)
