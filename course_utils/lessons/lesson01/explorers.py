"""The live parabola of lesson 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from course_utils import validate, views
from course_utils.descent import descend
from course_utils.optimizers import GradientDescent
from course_utils.problems import shifted_square
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


def parabola(steps: int = 40, target: float = 1e-6) -> Explorer:
    r"""Return the explorer of lesson 01: the rate on (w + 1)², the path, and the loss over steps.

    Beside what was measured stands the closed form :math:`w_t + 1 = (w_0 + 1)(1 - 2\eta)^t`. The
    task asks for the smallest rate of the slider that reaches the target; no button has it.

    Args:
        steps: updates per run, which is also what the task allows.
        target: the loss to reach.

    Example:
        >>> explorer = parabola()
        >>> explorer.set(lr=0.2)
        >>> explorer.data["regime"], explorer.data["hit"], explorer.task_reached
        ('approach', 18, False)
        >>> explorer.set(lr=0.098)
        >>> explorer.data["hit"], explorer.task_reached
        (40, True)
        >>> explorer.close()
    """
    steps, target = validate.integer("steps", steps, 1), validate.positive("target", target)
    figure, artists = _parabola_figure(steps, target)
    rates = sorted({*rates_between(0.001, 2), 1.01})
    smallest = next(lr for lr in rates if 36 * (1 - 2 * lr) ** (2 * steps) <= target)  # 0.5 does
    return Explorer(
        {"lr": choice_slider(rates, 0.02, RATE)},
        lambda lr: _compute_parabola(lr, steps, target),
        _draw_parabola,
        figure,
        artists,
        task=Task(
            f"Find the smallest rate that reaches a loss of {as_written(target)} in at most "
            f"{steps} steps.",
            lambda data: data["lr"] == smallest,
        ),
        presets={
            "too small": {"lr": 0.01},
            "just right": {"lr": 0.2},
            "too large": {"lr": 1.01},
        },
    )


def _compute_parabola(lr: float, steps: int, target: float) -> dict[str, Any]:
    """`hit` is the first step with a loss of at most `target`, or None; losses are (T + 1,)."""
    problem = shifted_square()
    run = descend(problem, GradientDescent(), lr, steps)
    loss = views.losses(run)
    with np.errstate(over="ignore"):
        closed_form = problem.loss(problem.start) * (1 - 2 * lr) ** (2.0 * np.arange(steps + 1))
    hits = np.flatnonzero(loss <= target)
    return {
        "lr": lr,
        "factor": 1 - 2 * lr,
        "regime": regime(lr, 2.0),
        "w": run.params[:, 0],
        "loss": loss,
        "closed_form": closed_form,
        "hit": int(hits[0]) if len(hits) else None,
        "steps": steps,
        "target": target,
    }


def _draw_parabola(data: Mapping[str, Any], artists: Mapping[str, Artist]) -> str:
    steps = np.arange(data["steps"] + 1)
    move_path(artists, data["w"], data["loss"])
    artists["loss"].set_data(steps, on_log_axis(data["loss"]))
    artists["closed form"].set_data(steps, on_log_axis(data["closed_form"]))
    artists["title"].set_text(f"η = {data['lr']:.3g}: {data['regime']}")
    factor, target = as_written(data["factor"]), as_written(data["target"])
    artists["right title"].set_text(f"each step: distance × {factor}".replace("-", "−"))
    done = "not reached" if data["hit"] is None else f"reached at step {data['hit']}"
    return (
        f"Learning rate {data['lr']:.3g}: {data['regime']}. Each step multiplies the distance to "
        f"the minimum by {factor}. Loss after {data['steps']} steps: "
        f"{as_written(data['loss'][-1])}; a loss of {target}: {done}."
    )


def _parabola_figure(steps: int, target: float) -> tuple[Figure, dict[str, Artist]]:
    figure, (left, right) = views.subplots(cols=2)
    views.draw_curve(left, shifted_square(), (-9, 7), (-4, 66))
    left.plot(5, 36, "o", ms=13, mfc="white", mec=views.BLUE, mew=2.4, zorder=5)
    right.set(yscale="log", xlim=(-0.02 * steps, 1.03 * steps), ylim=(LOSS_FLOOR, 1e6))
    right.set(xlabel=views.STEP_LABEL, ylabel="loss", yticks=10.0 ** np.arange(-12, 7, 3))
    right.axhspan(LOSS_FLOOR, target, color=views.GREEN, alpha=0.15, lw=0)
    note = {"transform": right.transAxes, "ha": "right", "color": "#006B4E"}
    right.text(0.98, 0.26, "task: a dot down here", **note)
    look = {"color": views.BLACK, "ls": "-", "lw": 1.2, "zorder": 7}
    (closed,) = right.plot([], [], label="36 (1 − 2η)²ᵗ", **look)
    (loss,) = right.plot([], [], "o", color=views.BLUE, ms=6, zorder=6, label="measured")
    right.legend(loc="upper right")
    titles = {"title": left.set_title("η"), "right title": right.set_title("each step")}
    return figure, {**moving_path(left), "loss": loss, "closed form": closed, **titles}
