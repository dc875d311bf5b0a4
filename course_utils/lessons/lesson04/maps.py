"""Maps of lesson 4: a number for each pair of rate and second knob, as colors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize

from course_utils import validate, views


def draw_map(
    ax: Axes,
    rates: Any,
    knob: Sequence[Any],
    values: Any,
    *,
    limits: tuple[float, float] | None = None,
    lower: bool = True,
    star: bool = True,
    words: str = "{:.0f}",
) -> Any:
    """Draw values (K, R) over rate and knob; hatched where there is none; a star on the best.

    Args:
        ax: where to draw.
        rates: shape (R,), equally far apart on a logarithmic axis.
        knob: K settings, from below.
        values: shape (K, R); not finite where there is no result.
        limits: of the colors; if not given they are logarithmic, from 50 to 5000.
        lower: whether a smaller value is the better one.
        star: whether to mark the best of all.
        words: how the best of each row is written beside it.

    Returns:
        The image, for a color bar.

    Example:
        >>> image = draw_map(views.subplots()[1], [0.1, 1], [0.9], [[7.0, np.inf]])
        >>> image.get_array().tolist()
        [[7.0, None]]
    """
    rates, values = validate.array("rates", rates, ndim=1), np.asarray(values, dtype=float)
    if values.shape != (len(knob), len(rates)):
        raise ValueError(f"values must have shape {(len(knob), len(rates))}, got {values.shape}")
    ax.grid(False)
    ax.set_facecolor("#DDDDDD")
    step = (rates[1] / rates[0]) ** 0.5
    edges = np.append(rates / step, rates[-1] * step)
    image = ax.pcolormesh(
        edges,
        np.arange(len(knob) + 1) - 0.5,
        np.ma.masked_invalid(values),
        norm=Normalize(*limits) if limits else LogNorm(50, 5000),
        cmap="viridis_r" if lower else "viridis",
    )
    ranked = np.where(np.isfinite(values), values if lower else -values, np.inf)
    for k, row in enumerate(ranked):
        best = words.format(values[k, row.argmin()]) if np.isfinite(row.min()) else "never"
        ax.text(edges[-1] * 1.15, k, best, va="center", fontsize=11)
    if star and np.isfinite(ranked).any():
        k, r = np.unravel_index(ranked.argmin(), values.shape)
        ax.plot(rates[r], k, "*", ms=17, color="white", mec=views.BLACK, mew=1.2)
    ax.set(xscale="log", xlabel=views.RATE_LABEL, yticks=range(len(knob)))
    ax.set_yticklabels([f"{one:g}" for one in knob])
    views.log_ticks(ax.xaxis, 5)
    return image
