r"""A network seen from other axes: its P weights as coordinates in a basis turned at random.

.. math:: u = Q w, \qquad \nabla_u L = Q\, \nabla_w L, \qquad Q^\top Q = 1

Nothing about the loss changes, only what a "parameter" is. Gradient descent walks the same path.
"""

from __future__ import annotations

import math

import numpy as np

from course_utils import validate


class Rotation:
    r"""A random orthogonal matrix Q of size P, which is never written down.

    .. math:: Q w = A\, W B^\top, \qquad W = \text{the entries of } w \text{, shuffled, as a table}

    with A and B orthogonal and random: each new coordinate mixes all P old ones, and a rotation
    costs a thousandth of what a full matrix does.

    Args:
        size: P, not a prime.
        seed: of the rotation.

    Example:
        >>> rotation, w = Rotation(4810, seed=0), np.eye(4810)[7]
        >>> u = rotation.turn(w)
        >>> bool(np.allclose(rotation.back(u), w)), bool(np.abs(u).max() < 0.2)
        (True, True)
    """

    def __init__(self, size: int, seed: int) -> None:
        size = validate.integer("size", size, minimum=4)
        rows = next((n for n in range(math.isqrt(size), 1, -1) if size % n == 0), 1)
        if rows == 1:
            raise ValueError(f"size must not be a prime, got {size}")
        rng = np.random.default_rng(validate.integer("seed", seed, minimum=0))
        self._order = rng.permutation(size)
        self._left, self._right = (_orthogonal(n, rng) for n in (rows, size // rows))

    def turn(self, w: np.ndarray) -> np.ndarray:
        """Return the coordinates Q w in the turned basis, shape (..., P), of the dtype of `w`."""
        table = w[..., self._order].reshape(*w.shape[:-1], len(self._left), len(self._right))
        turned = self._left.astype(w.dtype) @ table @ self._right.T.astype(w.dtype)
        return turned.reshape(w.shape)

    def back(self, u: np.ndarray) -> np.ndarray:
        """Return the weights that have the turned coordinates `u`, shape (..., P)."""
        table = u.reshape(*u.shape[:-1], len(self._left), len(self._right))
        w = np.empty_like(u)
        straight = self._left.T.astype(u.dtype) @ table @ self._right.astype(u.dtype)
        w[..., self._order] = straight.reshape(u.shape)
        return w


def _orthogonal(n: int, rng: np.random.Generator) -> np.ndarray:
    """A random orthogonal matrix, uniform among all (Stewart 1980)."""
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    return q * np.sign(np.diag(r))
