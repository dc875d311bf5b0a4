"""The network of lesson 1 as a `Problem`: full batch, in double precision, and its sharpness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_utils import sampling, validate
from course_utils.experiments.datasets import digits
from course_utils.problems import Problem

_H = 1e-10
"""How far apart two gradients are taken: so close that no ReLU unit switches between them."""


def digits_network(
    seed: int = 0,
    examples: int = 200,
    hidden: int = 64,
    activation: str = "relu",
    loss: str = "cross_entropy",
) -> Problem:
    r"""Return the mean loss of a network with one hidden layer on the first digits, all at once.

    .. math:: f(w) = \frac1n \sum_i \ell(z_i, y_i), \qquad z_i = W_2\, \phi(W_1 x_i + b_1) + b_2

    The loss is "cross_entropy" or "mse" (half the squared distance to the one-hot label). `w` holds
    W1 (inputs, hidden), b1, W2 (hidden, 10), b2, row by row, and starts at the weights that `sweep`
    and `models.mlp` draw for `seed`. The Hessian takes 2 d gradients: for small networks only.

    >>> network = digits_network()
    >>> network.dimension, round(float(network.loss(network.start)), 2)
    (4810, 2.31)
    """
    relu = validate.one_of("activation", activation, ("relu", "tanh")) == "relu"
    mse = validate.one_of("loss", loss, ("cross_entropy", "mse")) == "mse"
    data = digits().subset(examples).train
    x, onehot = data.x.astype(float), np.eye(10)[data.y]
    sizes = (x.shape[1], validate.integer("hidden", hidden, 1), 10)
    start = [part.ravel() for layer in sampling.initial_parameters(sizes, seed) for part in layer]
    ends = np.cumsum([part.size for part in start])[:-1]

    def forward(w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        w1, b1, w2, b2 = np.split(w, ends, axis=-1)
        w1 = w1.reshape(*w.shape[:-1], *sizes[:2])
        w2 = w2.reshape(*w.shape[:-1], *sizes[1:])
        z = x @ w1 + b1[..., np.newaxis, :]
        h = np.maximum(z, 0) if relu else np.tanh(z)
        return h, w2, h @ w2 + b2[..., np.newaxis, :]

    def value(w: np.ndarray) -> Any:
        _, _, z = forward(w)
        if mse:
            return 0.5 * ((z - onehot) ** 2).sum(axis=-1).mean(axis=-1)
        z = z - z.max(axis=-1, keepdims=True)
        return (np.log(np.exp(z).sum(axis=-1)) - (z * onehot).sum(axis=-1)).mean(axis=-1)

    def gradient(w: np.ndarray) -> np.ndarray:
        h, w2, z = forward(w)
        if not mse:  # softmax
            z = np.exp(z - z.max(axis=-1, keepdims=True))
            z /= z.sum(axis=-1, keepdims=True)
        delta = (z - onehot) / len(x)
        back = delta @ w2.swapaxes(-1, -2) * (h > 0 if relu else 1 - h**2)
        parts = (x.T @ back, back.sum(axis=-2), h.swapaxes(-1, -2) @ delta, delta.sum(axis=-2))
        return np.concatenate([part.reshape(*w.shape[:-1], -1) for part in parts], axis=-1)

    def hessian(w: np.ndarray) -> np.ndarray:
        at, aside = w[..., np.newaxis, :], _H * np.eye(w.shape[-1])
        return (gradient(at + aside) - gradient(at - aside)) / (2 * _H)

    return Problem(
        name="digits network",
        formula=r"\ell(W_2\, \phi(W_1 x + b_1) + b_2,\; y)",
        loss=value,
        gradient=gradient,
        hessian=hessian,
        start=np.concatenate(start).astype(float),
        parameters={
            "seed": seed,
            "examples": len(x),
            "hidden": hidden,
            "activation": activation,
            "loss": loss,
        },
    )


def sharpness(
    gradient: Callable[[np.ndarray], np.ndarray],
    w: np.ndarray,
    v: np.ndarray | None = None,
    rounds: int = 10,
) -> tuple[float, np.ndarray]:
    r"""Return the largest curvature of a loss at `w` (d,) and its direction (d,), of length 1.

    .. math:: v \leftarrow \frac{H v}{\lVert H v \rVert}, \qquad
        H v \approx \frac{\nabla f(w + h v) - \nabla f(w - h v)}{2 h}

    Power iteration, as lesson 2 writes it out. It finds the eigenvalue of largest magnitude. From
    the direction `v` of a point nearby few rounds are enough; without one it makes 60.

    >>> from course_utils.problems import quadratic
    >>> round(sharpness(quadratic([4.0, 1.0]).gradient, np.array([3.0, 5.0]))[0], 4)
    4.0
    """
    if v is None:
        v, rounds = np.random.default_rng(0).standard_normal(w.size), 60
    for _ in range(rounds):
        v = v / np.linalg.norm(v)
        hv = (gradient(w + _H * v) - gradient(w - _H * v)) / (2 * _H)
        curvature, v = v @ hv, hv
    return float(curvature), v / np.linalg.norm(v)
