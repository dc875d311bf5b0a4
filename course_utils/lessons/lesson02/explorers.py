"""The live valley of lesson 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from course_utils import validate, views
from course_utils.descent import descend
from course_utils.optimizers import GradientDescent
from course_utils.problems import Problem, quadratic
from course_utils.views.controls import RATE, choice_slider, rates_between
from course_utils.views.explorer import (
    LOSS_FLOOR,
    Explorer,
    Task,
    as_written,
    on_log_axis,
    regime,
)
from course_utils.views.paths import move_path, moving_path

CONDITIONS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""The condition numbers that `ravine` offers."""

_RAVINE_START = (-4.0, 1.0)


def _compute_ravine(lr: float, condition: float, steps: int) -> dict[str, Any]:
    """Along the directions are `regimes` (2,) and `parts` (T + 1, 2), whose sum is the loss."""
    run = descend(_ravine(condition), GradientDescent(), lr, steps)
    with np.errstate(over="ignore", invalid="ignore"):
        parts = 0.5 * np.array([1.0, condition]) * run.params**2
    return {
        "lr": lr,
        "condition": condition,
        "limit": 2 / condition,
        "best": 2 / (1 + condition),
        "regimes": (regime(lr, 1.0), regime(lr, condition)),
        "w": run.params,
        "parts": parts,
        "loss": views.losses(run),
        "steps": steps,
    }


def _ravine(condition: float) -> Problem:
    return quadratic((1.0, condition), start=_RAVINE_START)


_ANGLES = np.linspace(0, 2 * np.pi, 97)
_LEVELS = np.concatenate([np.arange(0.5, 5.1, 0.75), np.arange(6, 22, 1.5)]) ** 2 / 2


def _ellipses(condition: float) -> np.ndarray:
    """Contours of the ravine, shape (levels, points, 2): w1² + κ w2² is constant on each."""
    radius = np.sqrt(2 * _LEVELS)[:, np.newaxis]
    return np.stack(
        [radius * np.cos(_ANGLES), radius * np.sin(_ANGLES) / np.sqrt(condition)], axis=-1
    )


def _draw_ravine(data: Mapping[str, Any], artists: Mapping[str, Artist]) -> str:
    steps = np.arange(data["steps"] + 1)
    artists["contours"].set_segments(_ellipses(data["condition"]))
    move_path(artists, *data["w"].T)
    for name, part in zip(("flat", "steep"), data["parts"].T):
        shown = np.where(part < LOSS_FLOOR, np.nan, on_log_axis(part))  # no line along the foot
        artists[name].set_data(steps, shown)
    artists["stable"].set_width(data["limit"])
    artists["unstable"].set_x(data["limit"])
    artists["rate"].set_data([data["lr"]], [0.5])
    flat, steep = data["regimes"]
    artists["title"].set_text(f"η = {data['lr']:.3g}, κ = {data['condition']:.3g}")
    short = f"flat: {flat}, steep: {steep}".replace(" and converge", "")
    artists["right title"].set_text(short)
    return (
        f"Learning rate {data['lr']:.3g}, condition number {data['condition']:.3g}. "
        f"Flat direction: {flat}; steep direction: {steep}. "
        f"The limit 2/λmax is {data['limit']:.3g}, the best rate 2/(λmin + λmax) is "
        f"{data['best']:.3g}. Loss after {data['steps']} steps: {as_written(data['loss'][-1])}."
    )


def ravine(steps: int = 100, target: float = 0.02, condition: float = 50.0) -> Explorer:
    r"""Return the explorer of lesson 02: rate and condition number, path and loss per direction.

    Gradient descent on :math:`\frac12 (w_1^2 + \kappa w_2^2)` from (-4, 1).

    Args:
        steps: updates per run.
        target: the loss that the task asks for.
        condition: κ at first, one of `CONDITIONS`; the task wants at least this one.

    Example:
        >>> explorer = ravine()
        >>> explorer.set(lr=0.035)
        >>> explorer.task_reached
        True
        >>> explorer.close()
    """
    steps, target = validate.integer("steps", steps, 1), validate.positive("target", target)
    condition = validate.one_of("condition", condition, CONDITIONS)
    figure, artists = _ravine_figure(steps)
    rates = rates_between(0.001, 3)

    def near(rate: float) -> dict[str, float]:
        return {"lr": min(rates, key=lambda lr: abs(lr - rate)), "condition": condition}

    return Explorer(
        {
            "lr": choice_slider(rates, 0.01, RATE),
            "condition": choice_slider(CONDITIONS, condition, "condition number κ"),
        },
        lambda lr, condition: _compute_ravine(lr, condition, steps),
        _draw_ravine,
        figure,
        artists,
        task=Task(
            f"At a condition number of {condition:g} or more, bring the loss below {target:g} "
            f"in {steps} steps.",
            lambda data: bool(data["condition"] >= condition - 1e-9 and data["loss"][-1] < target),
        ),
        presets={
            "too small": near(0.2 / condition),
            "half the limit": near(1 / condition),
            "too large": near(2.05 / condition),
        },
    )


def _ravine_figure(steps: int) -> tuple[Figure, dict[str, Artist]]:
    figure, axes = views.subplots(2, 2, height_ratios=(4, 1))
    for ax in axes[:, 0]:
        ax.remove()
    left = figure.add_subplot(axes[0, 0].get_gridspec()[:, 0])
    right, strip = axes[:, 1]
    left.set(xlim=(-5, 2), ylim=(-2, 2), xlabel="$w_1$ (flat)", ylabel="$w_2$ (steep)")
    left.grid(False)
    contours = left.add_collection(LineCollection([], colors="#BBBBBB", linewidths=0.9))
    left.plot(0, 0, "*", ms=16, color="white", mec=views.BLACK, mew=1.2, zorder=2)
    left.plot(*_RAVINE_START, "o", ms=13, mfc="white", mec=views.BLUE, mew=2.4, zorder=2)
    right.set(yscale="log", xlim=(-0.02 * steps, 1.02 * steps), ylim=(LOSS_FLOOR, 1e6))
    right.set(xlabel=views.STEP_LABEL, ylabel="loss", yticks=10.0 ** np.arange(-12, 7, 6))
    (flat,) = right.plot([], [], "-", color=views.BLUE, zorder=6, label="flat direction")
    (steep,) = right.plot([], [], "--", color=views.VERMILLION, zorder=6, label="steep direction")
    right.legend(loc="upper right", ncols=2, fontsize=11, columnspacing=1)
    titles = {"title": left.set_title("η"), "right title": right.set_title("flat")}
    lines = {"contours": contours, "flat": flat, "steep": steep}
    return figure, {**lines, **moving_path(left), **_rate_scale(strip), **titles}


def _rate_scale(ax: Any) -> dict[str, Artist]:
    """The rate axis with its limit 2/λmax: green below, red above, a triangle at the rate."""
    ax.set(xscale="log", xlim=(1e-3, 3), ylim=(0, 1), yticks=[])
    ax.set_xlabel("learning rate (red: above 2/λmax)")
    ax.spines["left"].set_visible(False)
    ax.grid(False)
    stable = ax.add_patch(Rectangle((0, 0), 1, 1, color=views.GREEN, alpha=0.3, lw=0))
    unstable = ax.add_patch(Rectangle((1, 0), 10, 1, color=views.INFEASIBLE, alpha=0.3, lw=0))
    (rate,) = ax.plot([], [], "v", color=views.BLACK, ms=12, zorder=4)
    return {"stable": stable, "unstable": unstable, "rate": rate}
