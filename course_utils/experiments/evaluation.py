"""How good a network is: its loss and accuracy over a split. The network is left as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import validate
from course_utils.experiments.datasets import Split
from course_utils.experiments.devices import DeviceData

_EVALUATION_ROWS = 1000  # examples per forward pass when a whole split is measured


def half_squared_distance(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    r"""Return the mean over the batch of :math:`\frac12 \lVert z - \mathrm{onehot}(y) \rVert^2`.

    Args:
        outputs: shape (N, C).
        labels: integer classes, shape (N,).

    Example:
        >>> float(half_squared_distance(torch.tensor([[1.0, 2.0]]), torch.tensor([0])))
        2.0
    """
    if not isinstance(outputs, torch.Tensor) or outputs.ndim != 2:
        raise TypeError(f"outputs must be a tensor of shape (N, C), got {outputs!r}")
    if not isinstance(labels, torch.Tensor) or labels.shape != outputs.shape[:1]:
        raise TypeError(f"labels must be a tensor of shape ({len(outputs)},), got {labels!r}")
    if labels.dtype != torch.int64:
        raise TypeError(f"labels must be of type torch.int64, got {labels.dtype}")
    target = F.one_hot(labels, outputs.shape[1]).to(outputs.dtype)
    return ((outputs - target) ** 2).sum(dim=1).mean() / 2


LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cross_entropy": F.cross_entropy,
    "mse": half_squared_distance,
}


def mean_loss(model: nn.Module, split: Split, loss: str = "cross_entropy") -> float:
    """Return the mean loss of `model` over a whole split, in evaluation mode and without gradients.

    Args:
        model: a classifier, on any device.
        split: `data.train`, `data.validation` or `data.test`.
        loss: "cross_entropy" or "mse".

    Example:
        >>> from course_utils.experiments.datasets import digits
        >>> from course_utils.experiments.models import mlp
        >>> bool(abs(mean_loss(mlp((64, 10), seed=0), digits().test) - np.log(10)) < 0.2)
        True
    """
    return float(evaluate(model, split, loss)[0])


def accuracy(model: nn.Module, split: Split) -> float:
    """Return the fraction of a split that `model` labels correctly, in [0, 1].

    Args:
        model: a classifier, on any device.
        split: `data.train`, `data.validation` or `data.test`.

    Example:
        >>> from course_utils.experiments.datasets import digits
        >>> from course_utils.experiments.models import mlp
        >>> 0 <= accuracy(mlp((64, 10), seed=0), digits().test) < 0.3
        True
    """
    return float(evaluate(model, split)[1])


def evaluate(model: nn.Module, split: Split, loss: str = "cross_entropy") -> np.ndarray:
    """Return `mean_loss` and `accuracy` from one pass, an array of shape (2,).

    Args:
        model: a classifier, on any device.
        split: `data.train`, `data.validation` or `data.test`.
        loss: "cross_entropy" or "mse".

    Example:
        >>> from course_utils.experiments.datasets import digits
        >>> from course_utils.experiments.models import mlp
        >>> evaluate(mlp((64, 10), seed=0), digits().test).round(2)
        array([2.32, 0.09])
    """
    measure = LOSSES[validate.one_of("loss", loss, LOSSES)]
    parameter = next(as_module(model).parameters(), torch.empty(0))
    if not isinstance(split, Split):
        raise TypeError(f"split must be a Split such as data.test, got {type(split).__name__}")
    total = np.zeros(2)
    with torch.no_grad(), evaluating(model):
        for first in range(0, len(split), _EVALUATION_ROWS):
            rows = slice(first, first + _EVALUATION_ROWS)
            x, y = DeviceData(split.take(rows), parameter.device, parameter.dtype).batch()
            z = logits(model, x, int(y.max()) + 1)
            total += measure(z, y).item() * len(y), (z.argmax(dim=1) == y).sum().item()
    return total / len(split)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode for a while; afterwards each module is in its own mode.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2).eval())
        >>> with evaluating(model):
        ...     print(model.training)
        False
        >>> model.training, model[1].training  # model.train(True) would thaw what was frozen
        (True, False)
    """
    with modes_kept(model):
        model.eval()
        yield


@contextmanager
def modes_kept(model: nn.Module) -> Iterator[None]:
    """Give every module its mode back afterwards.

    Example:
        >>> model = nn.Linear(2, 2)
        >>> with modes_kept(model):
        ...     _ = model.eval()
        >>> model.training
        True
    """
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def logits(model: nn.Module, x: torch.Tensor, classes: int | None = None) -> torch.Tensor:
    """Return `model(x)`, or an error that says what the model has to map to what.

    Args:
        model: a classifier.
        x: a batch of inputs (N, ...).
        classes: how many outputs each example must have at least; None: any shape will do.

    Example:
        >>> logits(nn.Linear(3, 2), torch.zeros(4, 3), classes=5)
        Traceback (most recent call last):
            ...
        ValueError: model must map inputs (4, 3) to at least 5 outputs each, got (4, 2)
    """
    wanted = f"model must map inputs {tuple(x.shape)} to"
    try:
        z = model(x)
    except torch.cuda.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise ValueError(f"{wanted} outputs (N, classes), got {error}") from error
    if classes is None:
        return z
    shape = tuple(getattr(z, "shape", ()))
    if len(shape) != 2 or shape[0] != len(x) or shape[1] < classes:
        raise ValueError(f"{wanted} at least {classes} outputs each, got {shape}")
    return z


def as_module(model: Any) -> nn.Module:
    """Return a network, or raise a TypeError.

    Example:
        >>> as_module("mlp")
        Traceback (most recent call last):
            ...
        TypeError: model must be a torch.nn.Module, got 'mlp'
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {model!r}")
    return model


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that a gradient is asked for; a model without any is a ValueError.

    Example:
        >>> [tuple(p.shape) for p in trainable(nn.Linear(3, 2))]
        [(2, 3), (2,)]
    """
    params = [p for p in as_module(model).parameters() if p.requires_grad]
    if not params:
        raise ValueError("model must have at least one trainable parameter")
    return params
