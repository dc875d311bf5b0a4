r"""Random draws shared by the torch training loop and the NumPy sweep.

They follow from the seed alone, so that arms of a comparison are *paired*: same seed, same weights,
same batches, another rate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from course_utils import validate

# Every use of a seed gets its own stream, so that weights and batch order are independent.
_WEIGHTS, _BATCHES = 0, 1


def initial_parameters(sizes: Sequence[int], seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    r"""Draw the weights of a multilayer perceptron: one pair (W, b) per layer.

    .. math:: W, b \sim U(-1/\sqrt{n_\text{in}},\; 1/\sqrt{n_\text{in}})

    W has shape (inputs, outputs), b (outputs,); the law is that of `torch.nn.Linear`.

    >>> [(W.shape, b.shape) for W, b in initial_parameters((64, 32, 10), seed=0)]
    [((64, 32), (32,)), ((32, 10), (10,))]
    """
    sizes = layer_sizes("sizes", sizes)
    rng = np.random.default_rng([validate.integer("seed", seed, minimum=0), _WEIGHTS])
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        bound = 1 / np.sqrt(inputs)
        weight = rng.uniform(-bound, bound, (inputs, outputs))
        layers.append((weight, rng.uniform(-bound, bound, outputs)))
    return layers


def epoch_batches(n: int, batch_size: int, epoch: int, seed: int) -> np.ndarray:
    """Return the batches of one epoch of n examples, shape (n // batch_size, batch_size).

    A permutation that depends on (seed, epoch) only, cut; the last partial batch is dropped.

    >>> epoch_batches(n=10, batch_size=4, epoch=0, seed=0).shape
    (2, 4)
    """
    n, batch_size = _sizes(n, batch_size)
    seed = validate.integer("seed", seed, minimum=0)
    rng = np.random.default_rng([seed, _BATCHES, validate.integer("epoch", epoch, minimum=0)])
    order = rng.permutation(np.arange(n, dtype=np.int64))
    return order[: n // batch_size * batch_size].reshape(-1, batch_size)


def batch_order(n: int, batch_size: int, steps: int, seed: int) -> np.ndarray:
    """Return which examples each update sees, (steps, batch_size): epoch after epoch.

    >>> order = batch_order(n=6, batch_size=2, steps=4, seed=0)
    >>> sorted(order[:3].ravel().tolist())  # the first epoch sees every example once
    [0, 1, 2, 3, 4, 5]
    """
    n, batch_size = _sizes(n, batch_size)
    steps, per_epoch = validate.integer("steps", steps, minimum=0), n // batch_size
    epochs = range(-(-steps // per_epoch))
    batches = [epoch_batches(n, batch_size, epoch, seed) for epoch in epochs]
    return np.concatenate([np.empty((0, batch_size), dtype=np.int64), *batches])[:steps]


def resolve_steps(
    n: int, batch_size: int | None, steps: int | None, epochs: int | None
) -> tuple[int, int]:
    """Return (examples per update, number of updates) for a training set of n examples.

    Without a `batch_size` an update sees all n.

    >>> resolve_steps(1000, batch_size=16, steps=None, epochs=2)
    (16, 124)
    """
    n, batch_size = _sizes(n, n if batch_size is None else batch_size)
    if (steps is None) == (epochs is None):
        raise ValueError(f"give either steps or epochs, got steps={steps!r} and epochs={epochs!r}")
    if steps is not None:
        return batch_size, validate.integer("steps", steps, minimum=1)
    return batch_size, validate.integer("epochs", epochs, minimum=1) * (n // batch_size)


def evaluation_steps(steps: int, every: int | None, name: str = "every") -> list[int]:
    """Return after how many updates to measure: 0, every, 2 every, ... and always at the end.

    Without `every` only at the end; `name` is what a message calls it.

    >>> evaluation_steps(10, every=4), evaluation_steps(10, every=None)
    ([0, 4, 8, 10], [10])
    """
    steps = validate.integer("steps", steps, minimum=0)
    if every is None:
        return [steps]
    return [*range(0, steps, validate.integer(name, every, minimum=1)), steps]


def layer_sizes(name: str, sizes: Sequence[int]) -> tuple[int, ...]:
    """Return `sizes` as a tuple if it lists at least two layers of at least one unit.

    >>> layer_sizes("sizes", [64, 10])
    (64, 10)
    """
    listed = validate.each(lambda n, size: validate.integer(n, size, minimum=1), name, sizes)
    if len(listed) < 2:
        raise ValueError(f"{name} must name at least inputs and outputs, got {sizes!r}")
    return tuple(listed)


def _sizes(n: int, batch_size: int) -> tuple[int, int]:
    n = validate.integer("n", n, minimum=1)
    batch_size = validate.integer("batch_size", batch_size, minimum=1)
    if batch_size > n:
        raise ValueError(f"batch_size must be at most {n} (all examples), got {batch_size}")
    return n, batch_size
