"""A split of labeled examples that keeps the mix of classes."""

from __future__ import annotations

import numpy as np


def stratified(y: np.ndarray, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return n rows and the other ones, both with the mix of classes of y (N,), in random order.

    The same rows in the same order as `train_test_split` of scikit-learn 1.9 gives, which the
    course used before: every recorded number hangs on them.

    >>> [rows.tolist() for rows in stratified(np.array([0, 0, 0, 0, 1, 1]), 3, seed=0)]
    [[2, 4, 3], [5, 1, 0]]
    """
    rng = np.random.RandomState(seed)
    counts = np.bincount(y.astype(np.intp))  # refuses int64 where pointers have 32 bits
    chosen = _shares(counts, n, rng)
    _shares(counts - chosen, len(y) - n, rng)  # decides nothing, but draws where it rounds
    members = np.split(np.argsort(y, kind="stable"), np.cumsum(counts)[:-1])
    members = [rows[rng.permutation(len(rows))] for rows in members]
    first = np.concatenate([rows[:k] for rows, k in zip(members, chosen)])
    second = np.concatenate([rows[k:] for rows, k in zip(members, chosen)])
    return rng.permutation(first), rng.permutation(second)


def _shares(counts: np.ndarray, n: int, rng: np.random.RandomState) -> np.ndarray:
    """n in proportion to `counts`, in whole numbers: largest remainders first, ties are drawn."""
    exact = counts / counts.sum() * n
    shares = np.floor(exact).astype(np.int64)
    missing, remainder = n - int(shares.sum()), exact - shares
    for value in np.unique(remainder)[::-1]:
        if missing > 0:
            (ties,) = np.nonzero(remainder == value)
            drawn = rng.choice(ties, size=min(len(ties), missing), replace=False)
            shares[drawn] += 1
            missing -= len(drawn)
    return shares
