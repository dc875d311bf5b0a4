"""Many multilayer perceptrons of equal layers: forward pass, loss and gradient by hand, in NumPy.

A small network spends its time in Python, not in arithmetic. So the weights of all R x S networks
(R rates, S seeds) live in *one* array with a row per network, and every NumPy call serves them all.

How the numbers lie in memory (float32):

* `params` has shape (R*S, P): row r*S + s is the network with rate r and seed s.
* A layer is a *view* of shape (R, S, inputs + 1, outputs) into it: the weight matrix, and the bias
  as its last row. Layer inputs carry a last column of ones, so one matrix product adds the bias,
  and one matrix product gives the gradients of weights and bias.
* A batch has shape (S, B, inputs + 1): networks that differ only in their rate share it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from course_utils import sampling

ACTIVATIONS = ("relu", "tanh")

_EVALUATION_ROWS = 200  # examples per evaluation pass: what is computed stays in the CPU's cache


class Networks:
    """R x S networks; every method takes their parameters (R*S, P) and leaves them as they are.

    >>> networks = Networks(3, [0, 1], (64, 32, 10), "relu", "cross_entropy", l2=0.0)
    >>> params = networks.initial()
    >>> params.shape, [layer.shape for layer in networks.layers(params)]
    ((6, 2410), [(3, 2, 65, 32), (3, 2, 33, 10)])
    """

    def __init__(
        self,
        rates: int,
        seeds: Sequence[int],
        sizes: Sequence[int],
        activation: str,
        loss: str,
        l2: float,
    ) -> None:
        self.shape = (rates, len(seeds))
        self.seeds = seeds
        self.sizes = sizes
        self.relu = activation == "relu"
        self.loss = LOSSES[loss]
        pairs = list(zip(sizes, sizes[1:]))
        ends = np.cumsum([0] + [(n_in + 1) * n_out for n_in, n_out in pairs])
        self.columns = [slice(first, end) for first, end in zip(ends, ends[1:])]
        self.gradient = np.zeros((rates * len(seeds), ends[-1]), dtype=np.float32)
        self.layer_gradients = self.layers(self.gradient)
        decay = [np.repeat([2 * l2, 0.0], [n_in * n_out, n_out]) for n_in, n_out in pairs]
        self.decay = np.concatenate(decay).astype(np.float32) if l2 else None  # 0 for a bias
        self.spaces: dict[int, _Workspace] = {}

    def initial(self) -> np.ndarray:
        """The initial weights (R*S, P): seed j's, the same for every rate."""
        rows = []
        for seed in self.seeds:
            layers = sampling.initial_parameters(self.sizes, seed)
            rows.append(np.concatenate([np.vstack([w, b]).ravel() for w, b in layers]))
        return np.tile(np.array(rows, dtype=np.float32), (self.shape[0], 1))

    def layers(self, params: np.ndarray) -> list[np.ndarray]:
        """Views of the parameters, one (R, S, inputs + 1, outputs) per layer."""
        return [
            params[:, columns].reshape(*self.shape, n_in + 1, n_out)
            for columns, n_in, n_out in zip(self.columns, self.sizes, self.sizes[1:])
        ]

    def outputs(
        self, layers: list[np.ndarray], x: np.ndarray
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Forward pass: the input of every layer (with its ones), and the outputs (R, S, B, C)."""
        space = self._workspace(x.shape[-2])
        inputs = [x, *space.hidden]
        for layer, before, after, zeros in zip(layers, inputs, space.hidden, space.zeros):
            np.matmul(before, layer, out=after[..., :-1])
            if self.relu:
                np.maximum(after, zeros, out=after)  # the column of ones stays 1
            else:
                np.tanh(after[..., :-1], out=after[..., :-1])
        np.matmul(inputs[-1], layers[-1], out=space.outputs)
        return inputs, space.outputs

    def loss_and_gradient(
        self, params: np.ndarray, x: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The mean loss of the batch (R, S) and its gradient (R*S, P), overwritten by the next."""
        layers = self.layers(params)
        inputs, z = self.outputs(layers, x)
        loss, delta = self.loss(z, target)
        backward = self._workspace(x.shape[-2]).backward
        for i in reversed(range(len(layers))):
            np.matmul(inputs[i].swapaxes(-1, -2), delta, out=self.layer_gradients[i])
            if i > 0:  # the chain rule, through the weights and then through the activation
                back = np.matmul(delta, layers[i].swapaxes(-1, -2), out=backward[i - 1])
                back *= inputs[i] > 0 if self.relu else 1 - inputs[i] ** 2
                delta = back[..., :-1]  # the ones are no unit: nothing flows into them
        if self.decay is not None:
            self.gradient += self.decay * params
        return loss, self.gradient

    def evaluate(
        self, params: np.ndarray, x: np.ndarray, labels: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean loss and accuracy (R, S) over all examples."""
        total, correct = np.zeros(self.shape), np.zeros(self.shape)
        for rows, z in self._in_parts(params, x):
            correct += (z.argmax(axis=-1) == labels[rows]).sum(axis=-1)
            target = np.eye(self.sizes[-1], dtype=np.float32)[labels[rows]]
            loss, _ = self.loss(z, target)
            total += loss * len(target)
        return total / len(x), correct / len(x)

    def logits(self, params: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The outputs (R, S, N, C) for all examples x (N, inputs + 1)."""
        return np.concatenate([z.copy() for _, z in self._in_parts(params, x)], axis=-2)

    def _in_parts(self, params: np.ndarray, x: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """A few rows at a time: which, and their outputs, overwritten by the next."""
        layers = self.layers(params)
        for first in range(0, len(x), _EVALUATION_ROWS):
            rows = slice(first, first + _EVALUATION_ROWS)
            yield rows, self.outputs(layers, x[rows])[1]

    def _workspace(self, batch: int) -> _Workspace:
        if batch not in self.spaces:
            self.spaces[batch] = _Workspace(self.shape, batch, self.sizes)
        return self.spaces[batch]


class _Workspace:
    """Arrays for one batch size, allocated once and overwritten at every update."""

    def __init__(self, shape: tuple[int, int], batch: int, sizes: Sequence[int]) -> None:
        with_ones = [(*shape, batch, units + 1) for units in sizes[1:-1]]
        self.hidden = [np.ones(size, dtype=np.float32) for size in with_ones]
        self.backward = [np.empty(size, dtype=np.float32) for size in with_ones]
        # np.maximum(x, zeros) takes a quarter of the time of np.maximum(x, 0).
        zeros = np.zeros(max((h.size for h in self.hidden), default=0), dtype=np.float32)
        self.zeros = [zeros[: h.size].reshape(h.shape) for h in self.hidden]
        self.outputs = np.empty((*shape, batch, sizes[-1]), dtype=np.float32)


def cross_entropy(z: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of -log softmax(z)[label] (R, S) and its derivative by z (R, S, B, C), in its place.

    >>> loss, slope = cross_entropy(np.zeros((1, 1, 1, 2)), np.array([[[1.0, 0.0]]]))
    >>> loss.round(4).tolist(), slope.tolist()
    ([[0.6931]], [[[[-0.5, 0.5]]]])
    """
    z -= _largest(z)  # so that exp cannot overflow
    label_score = np.einsum("...bc,...bc->...", z, target)
    np.exp(z, out=z)
    total = z.sum(axis=-1, keepdims=True)
    batch = target.shape[-2]
    loss = (np.log(total).sum(axis=(-1, -2)) - label_score) / batch
    z /= total
    z -= target
    z /= batch
    return loss, z


def mse(z: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the batch of half the squared distance, and its derivative by z, in its place.

    >>> loss, slope = mse(np.zeros((1, 1, 1, 2)), np.array([[[1.0, 0.0]]]))
    >>> loss.tolist(), slope.tolist()
    ([[0.5]], [[[[-1.0, 0.0]]]])
    """
    z -= target
    batch = target.shape[-2]
    loss = np.einsum("...bc,...bc->...", z, z) / (2 * batch)
    z /= batch
    return loss, z


LOSSES = {"cross_entropy": cross_entropy, "mse": mse}


def _largest(z: np.ndarray) -> np.ndarray:
    """`z.max(axis=-1, keepdims=True)`, several times faster where the last axis has few entries.

    NumPy compares the ten entries of each row one by one, but whole columns many at a time.
    """
    columns = z.reshape(-1, z.shape[-1]).T.copy()
    return columns.max(axis=0).reshape(*z.shape[:-1], 1)
