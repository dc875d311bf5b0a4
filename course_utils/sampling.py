"""Random draws shared by the torch training loop and the NumPy sweep.

Initial weights and batch order depend on the seed alone, never on a global generator, so that
arms of a comparison can be *paired*: same seed, same weights, same batches, another rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from course_utils import validate

# Every use of a seed gets its own stream, so that weights and batch order are independent.
_WEIGHTS, _BATCHES = 0, 1


def initial_parameters(sizes: Sequence[int], seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    r"""Draw the weights of a multilayer perceptron from PyTorch's default law.

    .. math:: W, b \sim U(-1/\sqrt{n_\text{in}},\; 1/\sqrt{n_\text{in}})

    Args:
        sizes: units per layer, inputs first and outputs last, such as (64, 32, 10).
        seed: any integer >= 0; the same seed gives the same weights.

    Returns:
        One pair (W, b) per layer: W has shape (inputs, outputs), b has shape (outputs,), float64.

    Raises:
        ValueError: if there are fewer than two sizes, a size below 1 or a negative seed.
        TypeError: if a size or the seed is not an integer.

    Source: `torch.nn.Linear.reset_parameters` (Kaiming uniform with a = sqrt(5)).

    Example:
        >>> [(W.shape, b.shape) for W, b in initial_parameters((64, 32, 10), seed=0)]
        [((64, 32), (32,)), ((32, 10), (10,))]
    """
    sizes = layer_sizes("sizes", sizes)
    rng = np.random.default_rng([validate.integer("seed", seed, minimum=0), _WEIGHTS])
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        bound = 1 / np.sqrt(inputs)
        weight = rng.uniform(-bound, bound, (inputs, outputs))
        bias = rng.uniform(-bound, bound, outputs)
        layers.append((weight, bias))
    return layers


def epoch_batches(n: int, batch_size: int, epoch: int, seed: int) -> np.ndarray:
    """Return the batches of one epoch: a fresh permutation, cut; the last partial batch is dropped.

    The draw depends on (seed, epoch) only, so a training that was interrupted can go on at any
    epoch without replaying the ones before.

    Args:
        n: number of training examples.
        batch_size: examples per batch, at most n.
        epoch: the epoch, counted from 0.
        seed: any integer >= 0.

    Returns:
        Integer array of shape (n // batch_size, batch_size), entries in [0, n), all different.

    Raises:
        ValueError, TypeError: as `batch_order`.

    Example:
        >>> epoch_batches(n=10, batch_size=4, epoch=0, seed=0).shape
        (2, 4)
    """
    n, batch_size, seed = _check_batches(n, batch_size, seed)
    epoch = validate.integer("epoch", epoch, minimum=0)
    order = np.random.default_rng([seed, _BATCHES, epoch]).permutation(n)
    per_epoch = n // batch_size
    return order[: per_epoch * batch_size].reshape(per_epoch, batch_size)


def batch_order(n: int, batch_size: int, steps: int, seed: int) -> np.ndarray:
    """Return which examples each update sees: epoch after epoch of `epoch_batches`.

    Args:
        n: number of training examples.
        batch_size: examples per batch, at most n.
        steps: number of updates T; 0 is allowed.
        seed: any integer >= 0.

    Returns:
        Integer array of shape (steps, batch_size): row t holds the indices used at update t.

    Raises:
        ValueError: if batch_size is not in 1..n, or steps or seed is negative.
        TypeError: if an argument is not an integer.

    Example:
        >>> order = batch_order(n=6, batch_size=2, steps=4, seed=0)
        >>> sorted(order[:3].ravel().tolist())  # the first epoch sees every example once
        [0, 1, 2, 3, 4, 5]
    """
    n, batch_size, seed = _check_batches(n, batch_size, seed)
    steps = validate.integer("steps", steps, minimum=0)
    order = np.empty((steps, batch_size), dtype=np.int64)
    for first, batches in zip(range(0, steps, n // batch_size), _epochs(n, batch_size, seed)):
        rows = order[first : first + len(batches)]
        rows[:] = batches[: len(rows)]
    return order


def resolve_steps(
    n: int, batch_size: int | None, steps: int | None, epochs: int | None
) -> tuple[int, int]:
    """Return (examples per update, number of updates) for a training set of n examples.

    Args:
        n: examples in the training set.
        batch_size: examples per update; None means all n.
        steps: number of updates, or None.
        epochs: passes of floor(n / batch_size) updates, or None; exactly one of the two is given.

    Raises:
        ValueError: if batch_size is not in 1..n, or not exactly one of steps and epochs is given,
            or it is below 1.
        TypeError: if one is not an integer.

    Example:
        >>> resolve_steps(1000, batch_size=16, steps=None, epochs=2)
        (16, 124)
    """
    batch_size = n if batch_size is None else validate.integer("batch_size", batch_size, minimum=1)
    if batch_size > n:
        raise ValueError(f"batch_size must be at most {n} (the training set), got {batch_size}")
    if (steps is None) == (epochs is None):
        raise ValueError(f"give either steps or epochs, got steps={steps!r} and epochs={epochs!r}")
    if steps is not None:
        return batch_size, validate.integer("steps", steps, minimum=1)
    return batch_size, validate.integer("epochs", epochs, minimum=1) * (n // batch_size)


def evaluation_steps(steps: int, every: int | None, name: str = "every") -> list[int]:
    """Return after how many updates to measure: 0, every, 2 every, ... and always at the end.

    Args:
        steps: number of updates.
        every: updates between two measurements; None: only at the end.
        name: what to call `every` in a message.

    Raises:
        ValueError, TypeError: if `every` is neither None (only the end) nor an integer >= 1.

    Example:
        >>> evaluation_steps(10, every=4), evaluation_steps(10, every=None)
        ([0, 4, 8, 10], [10])
    """
    if every is None:
        return [steps]
    return [*range(0, steps, validate.integer(name, every, minimum=1)), steps]


def layer_sizes(name: str, sizes: Sequence[int]) -> tuple[int, ...]:
    """Return `sizes` as a tuple if it lists at least two layers of at least one unit.

    Args:
        name: what to call the argument in the message.
        sizes: units per layer, inputs first.

    Raises:
        ValueError: if there are fewer than two sizes or a size is below 1.
        TypeError: if `sizes` is not a sequence of integers.

    Example:
        >>> layer_sizes("sizes", [64, 10])
        (64, 10)
    """
    if isinstance(sizes, str) or not isinstance(sizes, (Sequence, np.ndarray)):
        raise TypeError(f"{name} must be a sequence of integers such as (64, 10), got {sizes!r}")
    if len(sizes) < 2:
        raise ValueError(f"{name} must name at least inputs and outputs, got {sizes!r}")
    return tuple(validate.integer(f"{name}[{i}]", size, minimum=1) for i, size in enumerate(sizes))


def _check_batches(n: int, batch_size: int, seed: int) -> tuple[int, int, int]:
    n = validate.integer("n", n, minimum=1)
    batch_size = validate.integer("batch_size", batch_size, minimum=1)
    if batch_size > n:
        raise ValueError(f"batch_size must be at most n = {n}, got {batch_size}")
    return n, batch_size, validate.integer("seed", seed, minimum=0)


def _epochs(n: int, batch_size: int, seed: int) -> Iterator[np.ndarray]:
    epoch = 0
    while True:
        yield epoch_batches(n, batch_size, epoch, seed)
        epoch += 1
