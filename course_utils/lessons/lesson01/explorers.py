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
from course_utils.views.explorer import (
    _FLOOR,
    RATE,
    Explorer,
    Task,
    _above,
    _draw_path,
    _number,
    _path_artists,
    choice_slider,
    first_below,
    rates_between,
    regime,
)

# -------------------------------------------------------------------- lesson 01: the parabola


def compute_parabola(lr: float, steps: int = 40, target: float = 1e-6) -> dict[str, Any]:
    r"""Run gradient descent on :math:`(w+1)^2` from 5 and put the closed form beside it.

    .. math:: w_t + 1 = (w_0 + 1)(1 - 2\eta)^t

    Args:
        lr: η, greater than 0.
        steps: the number of updates T.
        target: the loss to reach.

    Returns:
        lr, factor 1 - 2η, regime, w (T + 1,), loss (T + 1,), closed_form (T + 1,), hit (first step
        with loss <= target, or None).

    Example:
        >>> data = compute_parabola(0.2)
        >>> data["hit"], bool(np.allclose(data["loss"], data["closed_form"]))
        (18, True)
    """
    lr, steps = validate.positive("lr", lr), validate.integer("steps", steps, 1)
    target = validate.positive("target", target)
    problem = shifted_square()
    run = descend(problem, GradientDescent(), lr, steps)
    loss = views.losses(run)
    with np.errstate(over="ignore"):
        closed_form = problem.loss(problem.start) * (1 - 2 * lr) ** (2.0 * np.arange(steps + 1))
    return {
        "lr": lr,
        "factor": 1 - 2 * lr,
        "regime": regime(lr, 2.0),
        "w": run.params[:, 0],
        "loss": loss,
        "closed_form": closed_form,
        "hit": first_below(loss, target),
        "steps": steps,
        "target": target,
    }


def draw_parabola(data: Mapping[str, Any], artists: Mapping[str, Artist]) -> str:
    """Update the artists of `parabola`; return its state in words."""
    steps = np.arange(data["steps"] + 1)
    _draw_path(artists, data["w"], data["loss"])
    artists["loss"].set_data(steps, _above(data["loss"], _FLOOR))
    artists["closed form"].set_data(steps, _above(data["closed_form"], _FLOOR))
    artists["title"].set_text(f"η = {data['lr']:.3g}: {data['regime']}")
    factor, target = _number(data["factor"]), _number(data["target"])
    artists["right title"].set_text(f"each step: distance × {factor}".replace("-", "−"))
    done = "not reached" if data["hit"] is None else f"reached at step {data['hit']}"
    return (
        f"Learning rate {data['lr']:.3g}: {data['regime']}. Each step multiplies the distance to "
        f"the minimum by {factor}. Loss after {data['steps']} steps: {_number(data['loss'][-1])}; "
        f"a loss of {target}: {done}."
    )


def parabola(steps: int = 40, target: float = 1e-6) -> Explorer:
    """Return the explorer of lesson 01: the rate on (w + 1)², the path, and the loss over steps.

    Args:
        steps: updates per run, which is also what the task allows.
        target: the loss to reach.

    Example:
        >>> explorer = parabola()
        >>> explorer.set(lr=1.01)
        >>> explorer.data["regime"], explorer.task_reached
        ('diverge', False)
        >>> explorer.close()
    """
    figure, artists = _parabola_figure(
        validate.integer("steps", steps, 1), validate.positive("target", target)
    )
    return Explorer(
        {"lr": choice_slider(sorted({*rates_between(0.001, 2), 1.01}), 0.02, RATE)},
        lambda lr: compute_parabola(lr, steps, target),
        draw_parabola,
        figure,
        artists,
        task=Task(
            f"Reach a loss of {_number(target)} in at most {steps} steps.",
            lambda data: data["hit"] is not None,
        ),
        presets={
            "too small": {"lr": 0.01},
            "just right": {"lr": 0.2},
            "too large": {"lr": 1.01},
        },
    )


def _parabola_figure(steps: int, target: float) -> tuple[Figure, dict[str, Artist]]:
    figure, (left, right) = views.subplots(cols=2)
    views.draw_curve(left, shifted_square(), (-9, 7), (-4, 66))
    left.plot(5, 36, "o", ms=13, mfc="white", mec=views.BLUE, mew=2.4, zorder=5)
    right.set(yscale="log", xlim=(-0.02 * steps, 1.03 * steps), ylim=(_FLOOR, 1e6))
    right.set(xlabel=views.STEP_LABEL, ylabel="loss", yticks=10.0 ** np.arange(-12, 7, 3))
    right.axhspan(_FLOOR, target, color=views.GREEN, alpha=0.15, lw=0)
    note = {"transform": right.transAxes, "ha": "right", "color": "#006B4E"}
    right.text(0.98, 0.26, "task: a dot down here", **note)
    look = {"color": views.BLACK, "ls": "-", "lw": 1.2, "zorder": 7}
    (closed,) = right.plot([], [], label="36 (1 − 2η)²ᵗ", **look)
    (loss,) = right.plot([], [], "o", color=views.BLUE, ms=6, zorder=6, label="measured")
    right.legend(loc="upper right")
    titles = {"title": left.set_title("η"), "right title": right.set_title("each step")}
    return figure, {**_path_artists(left), "loss": loss, "closed form": closed, **titles}
