r"""Averages of iterates: one set of weights made of many, instead of a decay or beside it.

Running averages are one formula, :math:`a \leftarrow a + c_n (w_n - a)`, with the weights
:math:`w_n` after update n = 1, 2, ...; `running` applies it to a path, a loop in one line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_utils import validate

Share = Callable[[int], float]
"""From n = 1, 2, ... to the share of the n-th weights in the average, 0 to 1."""

FIRST: dict[str, Callable[[float, int], float]] = {
    "copy": lambda d, n: 1.0 if n == 1 else 1 - d,
    "start": lambda d, n: 1 - d,
    "corrected": lambda d, n: (1 - d) / (1 - d**n),
    "warm-up": lambda d, n: max(1 - d, n ** (-2 / 3)),
}
"""What an exponential average does at first: `exponential` says who does which."""


def uniform(n: int) -> float:
    r"""Return :math:`c_n = 1/n`, the mean of all weights so far (SWA, Izmailov et al., 1803.05407).

    >>> running([1.0, 2.0, 3.0, 4.0], uniform)
    array([1. , 1.5, 2. , 2.5])
    """
    return 1 / validate.integer("n", n, minimum=1)


def polynomial(power: float) -> Share:
    r"""Return :math:`c_n = (p + 1)/(n + p)`: later weights count more, about like :math:`n^p`.

    Power 0 is `uniform`. Source: Shamir & Zhang, 1212.1824, §4 (polynomial-decay averaging).

    >>> running([1.0, 2.0, 3.0], polynomial(1.0)).round(4)
    array([1.    , 1.6667, 2.3333])
    """
    p = validate.nonnegative("power", power)
    return lambda n: (p + 1) / (validate.integer("n", n, minimum=1) + p)


def exponential(decay: float, first: str = "copy") -> Share:
    r"""Return :math:`c_n = 1 - d`: an exponential average, which remembers about 1/(1 - d) weights.

    What comes first lasts: the initial weights keep the share :math:`d^n`. "copy" starts from the
    first weights after an update (PyTorch, Keras); "start" from the weights before it, `start` of
    `running` (timm; optax from zero); "corrected" divides by :math:`1 - d^n`, as Adam does
    (`optax.ema`); "warm-up" takes :math:`c_n = \max(1 - d, n^{-2/3})` (timm, `use_warmup`).

    >>> running([1.0, 2.0, 3.0], exponential(0.9))
    array([1.  , 1.1 , 1.29])
    """
    d = validate.between("decay", decay, 0, 1, open_high=True)
    share = FIRST[validate.one_of("first", first, FIRST)]
    return lambda n: share(d, validate.integer("n", n, minimum=1))


def running(path: Any, share: Share, start: Any = None) -> np.ndarray:
    """Return the running average after each update, in the shape of `path`.

    The path holds the weights after updates 1 to T, shape (T, ...), such as `run.params[1:]`;
    `start`, shape (...), is the average before, needed where c_1 is not 1.

    >>> running([[1.0, 0.0], [3.0, 1.0]], uniform).tolist()
    [[1.0, 0.0], [2.0, 0.5]]
    """
    path = _path(path)
    if not callable(share):
        raise TypeError(f"share must be a function such as exponential(0.9), got {share!r}")
    if start is None and len(path) and share(1) != 1:
        raise ValueError("start must be given where share(1) is not 1")
    average = np.zeros(path.shape[1:])
    if start is not None:
        average = average + validate.array("start", start, shape=path.shape[1:])
    averages = np.empty_like(path)
    with np.errstate(all="ignore"):  # a run may have diverged
        for n, w in enumerate(path, start=1):
            average = average + share(n) * (w - average)
            averages[n - 1] = average
    return averages


def tail(path: Any, last: int) -> np.ndarray:
    """Return the mean of the last `last` weights (of all, while there are fewer) after each update.

    Of every k-th weight, `tail(path[::k], last)`, it is LAWA (Kaddour, 2209.14981).

    >>> tail([1.0, 2.0, 3.0, 4.0], last=3)
    array([1. , 1.5, 2. , 3. ])
    """
    path, last = _path(path), validate.integer("last", last, minimum=1)
    means = [path[max(0, n - last) : n].mean(axis=0) for n in range(1, len(path) + 1)]
    return np.array(means).reshape(path.shape)


def _path(path: Any) -> np.ndarray:
    path = validate.array("path", path, finite=False)
    if not path.ndim:
        raise ValueError(f"path must have shape (updates, ...), got {path!r}")
    return path
