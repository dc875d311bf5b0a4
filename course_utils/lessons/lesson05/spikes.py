r"""Late loss spikes of adaptive rules: what counts as one, and the threshold of their meter.

The rate that acts on a weight is :math:`\eta_t / \sigma_t`. Times the curvature it is the *meter*.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils import validate

FACTOR = 3.0
"""A loss this many times the smallest one so far is a spike."""


def threshold(beta1: float) -> float:
    r"""Return where the meter of Adam becomes unstable: :math:`2 (1+\beta_1) / (1-\beta_1)`.

    Args:
        beta1: the memory of the direction, from 0 (RMSprop) to below 1.

    Source: Cohen et al. 2022, Adaptive gradient methods at the edge of stability (2207.14484).

    Example:
        >>> threshold(0.0), round(threshold(0.9), 6)
        (2.0, 38.0)
    """
    beta1 = validate.between("beta1", beta1, 0, 1, open_high=True)
    return 2 * (1 + beta1) / (1 - beta1)


def loss_spikes(loss: Any, start: int = 0) -> np.ndarray:
    r"""Return where a loss spike begins: the loss rises above three times its smallest so far.

    Args:
        loss: shape (T, ...).
        start: the first update that counts; the smallest is that of all updates.

    Returns:
        True at the first update of each spike, shape (T, ...).

    Example:
        >>> np.flatnonzero(loss_spikes([8, 1, 5, 6, 1, 4, 0.5])).tolist()
        [2, 5]
    """
    loss = validate.array("loss", loss, finite=False)
    if loss.ndim == 0:
        raise ValueError(f"loss must have one entry per update, got {loss!r}")
    start = validate.integer("start", start, minimum=0)
    high = ~(loss <= FACTOR * np.fmin.accumulate(loss, axis=0))  # NaN is high
    begins = high.copy()
    begins[1:] &= ~high[:-1]
    begins[:start] = False
    return begins
