"""The path of a run on a curve or on contour lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from course_utils import validate
from course_utils.run import Run
from course_utils.views.curves import by_label
from course_utils.views.figure import (
    BLACK,
    BLUE,
    INFEASIBLE,
    WHITE_BOX,
    as_label,
    check_axes,
    legend,
    line_style,
)


def trajectory(
    ax: Axes,
    problem: Any,
    runs: Run | Mapping[str, Run],
    xlim: tuple[float, float] | None = None,
    ylim: tuple[float, float] | None = None,
) -> Axes:
    """Draw the path of the parameters on the curve (d = 1) or the contours (d = 2) of the loss.

    Args:
        ax: where to draw.
        problem: a `problems.Problem` of one or two parameters.
        runs: runs with `params` of shape (T + 1, d), labeled or not.
        xlim, ylim: the window; by default the start, the minimum and what lies near them.

    Example:
        >>> from course_utils.problems import shifted_square
        >>> from course_utils.views.figure import subplots
        >>> run = Run([0.1], [36.0], [12.0], 23.04, params=[[5.0], [3.8]])
        >>> ax = trajectory(subplots()[1], shifted_square(), run)
        >>> ax.lines[1].get_ydata().tolist()
        [36.0, 23.04]
    """
    runs, ax, problem = by_label(runs), check_axes(ax), _checked(problem)
    xlim, ylim = (
        None if ends is None else _limits(name, ends)
        for name, ends in (("xlim", xlim), ("ylim", ylim))
    )
    paths = {label: _path(label, run) for label, run in runs.items()}
    dimension = {path.shape[1] for path in paths.values()}
    if len(dimension) != 1 or not dimension <= {1, 2}:
        raise ValueError(f"runs must all have one or two parameters, got {sorted(dimension)}")
    if dimension == {1}:
        return _paths_on_curve(ax, problem, paths, xlim, ylim)
    return _paths_on_contours(ax, problem, paths, xlim, ylim)


def _checked(problem: Any) -> Any:
    if not hasattr(problem, "loss") or not hasattr(problem, "minimum"):
        raise TypeError(f"problem must be a Problem, got {problem!r}")
    return problem


def _limits(name: str, ends: Any) -> tuple[float, float]:
    low, high = validate.array(name, ends, shape=(2,)).tolist()
    return low, high


def _path(label: str, run: Run) -> np.ndarray:
    if run.params is None:
        raise ValueError(f"runs[{label!r}] must have recorded params, got None")
    if run.params.ndim != 2:
        raise ValueError(f"runs[{label!r}].params must be (T + 1, d), got {run.params.shape}")
    return run.params


def _paths_on_curve(
    ax: Axes, problem: Any, paths: Mapping[str, np.ndarray], xlim: Any, ylim: Any
) -> Axes:
    xlim = xlim or _window([path[:, 0] for path in paths.values()], _minimum(problem, 0))
    draw_curve(ax, problem, xlim, ylim)
    for i, (label, path) in enumerate(paths.items()):
        with np.errstate(all="ignore"):
            heights = problem.loss(path)
        _path_line(ax, i, label, path[:, 0], heights, xlim, ax.get_ylim())
    legend(ax)
    return ax


def draw_curve(ax: Axes, problem: Any, xlim: tuple, ylim: tuple | None = None) -> Axes:
    """Draw the loss of a problem of one parameter over `xlim`, in gray."""
    check_axes(ax)
    w = np.linspace(*_limits("xlim", xlim), 400)
    ylim = None if ylim is None else _limits("ylim", ylim)
    loss = _checked(problem).loss(w[:, np.newaxis])
    ax.plot(w, loss, color="#888888", ls="-", lw=3, zorder=1)
    span = loss.max() - loss.min()
    ax.set(xlim=xlim, ylim=ylim or (loss.min() - 0.06 * span, loss.max()))
    ax.set(xlabel="parameter w", ylabel="loss")
    return ax


def _paths_on_contours(
    ax: Axes, problem: Any, paths: Mapping[str, np.ndarray], xlim: Any, ylim: Any
) -> Axes:
    xlim = xlim or _window([path[:, 0] for path in paths.values()], _minimum(problem, 0))
    ylim = ylim or _window([path[:, 1] for path in paths.values()], _minimum(problem, 1))
    draw_contours(ax, problem, xlim, ylim)
    for i, (label, path) in enumerate(paths.items()):
        _path_line(ax, i, label, path[:, 0], path[:, 1], xlim, ylim)
    legend(ax)
    return ax


def draw_contours(ax: Axes, problem: Any, xlim: tuple, ylim: tuple) -> Axes:
    """Draw contours of the loss of a problem of two parameters, and a star at its minimum."""
    check_axes(ax)
    xlim, ylim = _limits("xlim", xlim), _limits("ylim", ylim)
    x, y = np.meshgrid(np.linspace(*xlim, 161), np.linspace(*ylim, 121))
    loss = _checked(problem).loss(np.stack([x, y], axis=-1))
    # Levels that grow with the square are equally far apart on a parabola.
    levels = loss.min() + (loss.max() - loss.min()) * np.linspace(0.03, 1, 13) ** 2
    ax.contourf(x, y, loss, levels=[loss.min() - 1, *levels], cmap="Greys_r", alpha=0.2)
    ax.contour(x, y, loss, levels=levels, colors="#AAAAAA", linewidths=0.9)
    if problem.minimum is not None:
        point = np.atleast_1d(problem.minimum)
        ax.plot(*point, "*", ms=16, color="white", mec=BLACK, mew=1.2, zorder=4)
    ax.grid(False)
    ax.set(xlim=xlim, ylim=ylim, xlabel="parameter $w_1$", ylabel="parameter $w_2$")
    return ax


def _path_line(ax: Axes, i: int, label: str, x: Any, y: Any, xlim: Any, ylim: Any) -> None:
    """A path with a dot per update, a ring at the start, and a cross where it leaves the frame."""
    out = _first_outside(x, y, xlim, ylim)
    look = line_style(i)
    shown = slice(0, out + 1)  # with the first point outside: the line reaches the edge
    finite = np.isfinite(x[shown]) & np.isfinite(y[shown])
    ax.plot(
        x[shown][finite],
        y[shown][finite],
        marker="o",
        ms=5,
        label=as_label(label),
        zorder=3,
        **{**look, "lw": 1.6},
    )
    ax.plot(x[:1], y[:1], "o", ms=12, mfc="white", mec=look["color"], mew=2.4, zorder=4)
    if 0 < out < len(x):
        ax.plot(x[out - 1], y[out - 1], "x", ms=12, mew=3, color=INFEASIBLE, zorder=5)
        ax.annotate(
            f"leaves at step {out}",
            (x[out - 1], y[out - 1]),
            (10, 0),
            textcoords="offset points",
            color=INFEASIBLE,
            va="center",
            bbox=WHITE_BOX,
        )


def _first_outside(x: np.ndarray, y: np.ndarray, xlim: Any, ylim: Any) -> int:
    """The index of the first point outside the window; their number if there is none."""
    with np.errstate(invalid="ignore"):
        inside = (x >= xlim[0]) & (x <= xlim[1]) & (y >= ylim[0]) & (y <= ylim[1])
    return len(x) if inside.all() else int(np.argmin(inside))


def _minimum(problem: Any, axis: int) -> float | None:
    return None if problem.minimum is None else float(np.atleast_1d(problem.minimum)[axis])


def _window(paths: Sequence[np.ndarray], minimum: float | None) -> tuple[float, float]:
    """A window around the starts and the minimum; a run that goes off does not widen it much."""
    starts = [float(path[0]) for path in paths]
    center = minimum if minimum is not None else float(np.mean(starts))
    reach = max(max(abs(start - center) for start in starts), 1e-3)
    points = np.concatenate([path[np.isfinite(path)] for path in paths])
    near = points[np.abs(points - center) <= 1.6 * reach]
    low, high = min(near.min(initial=center), center), max(near.max(initial=center), center)
    pad = 0.12 * (high - low)
    return (low - pad, high + pad)


# ------------------------------------------------------------------ paths that move, in explorers


def moving_path(ax: Axes) -> dict[str, Artist]:
    """Return artists for a path with a dot per update and the red cross where it leaves `ax`.

    >>> from course_utils.views.figure import subplots
    >>> list(moving_path(subplots()[1]))
    ['path', 'exit']
    """
    check_axes(ax)
    (path,) = ax.plot([], [], "o-", color=BLUE, ms=6, lw=1.4, zorder=6)  # above the legend
    (cross,) = ax.plot([], [], "x", color=INFEASIBLE, ms=13, mew=3, zorder=7)
    return {"path": path, "exit": cross}


def move_path(artists: Mapping[str, Any], x: np.ndarray, y: np.ndarray) -> None:
    """Let the artists of `moving_path` show the points (x, y), up to the first one outside.

    >>> from course_utils.views.figure import subplots
    >>> ax = subplots()[1]
    >>> _ = ax.set(xlim=(0, 4), ylim=(0, 4))
    >>> artists = moving_path(ax)
    >>> move_path(artists, np.array([1.0, 2.0, 9.0, 1.0]), np.array([1.0, 3.0, 3.0, 1.0]))
    >>> artists["path"].get_xdata().tolist(), artists["exit"].get_xdata().tolist()
    ([1.0, 2.0, 9.0], [2.0])
    """
    ax = artists["path"].axes
    xlim, ylim = ax.get_xlim(), ax.get_ylim()
    end = _first_outside(x, y, xlim, ylim)
    far = 1e4 * np.abs([*xlim, *ylim]).max()  # as far as one can draw
    shown = [np.nan_to_num(v[: end + 1], nan=far, posinf=far, neginf=-far) for v in (x, y)]
    shown = np.clip(shown, -far, far)
    artists["path"].set_data(*shown)
    gone = slice(end - 1, end) if 0 < end < len(x) else slice(0, 0)
    artists["exit"].set_data(*shown[:, gone])
