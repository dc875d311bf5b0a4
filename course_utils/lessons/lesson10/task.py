"""What the programs of the lesson train: digits and a small network, or one weight, recorded."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from course_utils import sampling
from course_utils.experiments.datasets import Data, digits
from course_utils.experiments.models import mlp
from course_utils.experiments.recorder import record_rates

EPOCHS, BATCH = 30, 32
UPDATES = 31
"""In one epoch: 1000 digits in batches of 32; the 8 digits that are left over wait."""
HIDDEN = (32,)

Batch = tuple[torch.Tensor, torch.Tensor]


def data() -> Data:
    """Return 1000 digits for training, of which 10 % have had their label drawn anew.

    >>> data().name
    'digits, label noise 0.1'
    """
    return digits().with_label_noise(0.1)


class Task:
    """A network 64-32-10 and its digits; the rate of each update is recorded as it runs.

    Args:
        seed: of the first weights and of the batches, those of `sweep` with the same seed.

    Example:
        >>> task = Task(seed=0)
        >>> optimizer = torch.optim.SGD(task.model.parameters(), lr=0.1)
        >>> for batch in task.batches():
        ...     task.update(optimizer, batch)
        >>> len(task.rates), set(task.rates.tolist())
        (31, {0.1})
    """

    def __init__(self, seed: int = 0) -> None:
        train = data().train
        self.x, self.y = torch.tensor(train.inputs()).float(), torch.tensor(train.y)
        self.model, self.seed = mlp((64, *HIDDEN, 10), seed=seed), seed
        self._epoch = 0
        self._logs: dict[torch.optim.Optimizer, Any] = {}
        self._recorders = ExitStack()

    def batches(self, size: int = BATCH) -> Iterator[Batch]:
        """Yield the batches of one epoch; with a smaller size, each of the 31 in parts."""
        order = sampling.epoch_batches(len(self.y), BATCH, self._epoch, self.seed)
        self._epoch += 1
        yield from zip(self.x[order].reshape(-1, size, 64), self.y[order].reshape(-1, size))

    def backward(self, batch: Batch, share: float = 1.0) -> None:
        """Add the gradient of `share` times the mean loss of a batch."""
        x, y = batch
        (share * functional.cross_entropy(self.model(x), y)).backward()

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Make the update, with a recorder on, and forget the gradient."""
        if optimizer not in self._logs:
            self._logs[optimizer] = self._recorders.enter_context(record_rates(optimizer))
        optimizer.step()
        optimizer.zero_grad()

    def update(self, optimizer: torch.optim.Optimizer, batch: Batch) -> None:
        """Make one update from one batch."""
        self.backward(batch)
        self.step(optimizer)

    @property
    def rates(self) -> np.ndarray:
        """The rate of each update so far, whichever optimizer made it, (T,)."""
        return np.concatenate([log.lr for log in self._logs.values()])


def weight() -> torch.Tensor:
    """Return one weight, where only the rates matter.

    >>> weight()
    tensor([0.], requires_grad=True)
    """
    return torch.zeros(1, requires_grad=True)


def run(optimizer: torch.optim.Optimizer, after: Callable[[], object], updates: int) -> np.ndarray:
    """Make some updates and call `after()` after each; return the rates that ran.

    Example:
        >>> optimizer = torch.optim.SGD([weight()], lr=1.0)
        >>> run(optimizer, torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5).step, 3)
        array([1.  , 0.5 , 0.25])
    """
    with record_rates(optimizer) as log:
        for _ in range(updates):
            optimizer.step()
            after()
    return log.lr


def fly(program: Callable[[Task], None], seed: int = 0) -> Task:
    """Run a program on a new `Task` and return that, trained and with the rates that ran.

    PyTorch warns in two of the eight cases, strips 4 and 8 (a scheduler stepped before the
    optimizer). The warning is muted here, as it is in many notebooks.

    Example:
        >>> from course_utils.lessons.lesson10 import broken_programs
        >>> task = fly(broken_programs.plotted_before_training)
        >>> len(task.rates), set(task.rates.tolist())
        (930, {0.125})
    """
    task = Task(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program(task)
    return task
