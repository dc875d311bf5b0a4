"""The live race of lesson 4: a rule in a turned valley, with two knobs, rate and memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from course_utils import validate, views
from course_utils.descent import descend
from course_utils.lessons.lesson04.race import LEVEL, arrivals
from course_utils.optimizers import Adam, GradientDescent, Optimizer, RMSprop
from course_utils.problems import abc_surface
from course_utils.views.controls import RATE, choice_slider, menu
from course_utils.views.explorer import Explorer, Task

RATES = np.geomspace(1e-3, 10, 33)
"""Eight per decade."""
ANGLES = tuple(range(0, 50, 5))
"""Of the valley, in degrees."""
MEMORIES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.97, 0.99, 0.999)
"""What the second knob offers: β of momentum, α of RMSprop, β₂ of Adam."""
RULES: dict[str, tuple[str, Callable[[float], Optimizer]]] = {
    "momentum": ("β", lambda memory: GradientDescent(momentum=memory)),
    "RMSprop": ("α", lambda memory: RMSprop(alpha=memory)),
    "Adam": ("β₂", lambda memory: Adam(beta2=memory)),
}
STEPS = 1000
"""The updates of every run."""

_FLOOR = 1e-6
_WINDOW = 12.0
_TASKS = {
    "Adam in the turned valley": (
        "Turn the valley by 45° and let Adam arrive in at most 450 steps.",
        lambda data: data["rule"] == "Adam" and data["rotation"] == 45 and data["arrival"] <= 450,
    ),
    "the smallest angle": (
        "Find the smallest angle at which momentum can arrive before every setting of Adam; stand "
        "there with momentum, arriving in at most 300 steps.",
        lambda data: (
            data["rule"] == "momentum" and data["rotation"] == 15 and data["arrival"] <= 300
        ),
    ),
}


@lru_cache(maxsize=8)  # 1 MB each
def _runs(rotation: int, rule: str, memory: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All rates at once: paths (T + 1, R, 2), losses (T + 1, R), arrivals (R,)."""
    run = descend(abc_surface(rotation), RULES[rule][1](memory), list(RATES), STEPS)
    return run.params, views.losses(run), arrivals(run)


def compute_race(rotation: int, rule: str, memory: float, index: int) -> dict[str, Any]:
    """Run a rule in the valley from (1, -10), turned; arguments are values of the controls.

    Example:
        >>> compute_race(45, "momentum", 0.95, 12)["arrival"]
        290.0
    """
    path, loss, arrived = _runs(rotation, rule, memory)
    return {
        "rotation": rotation,
        "rule": rule,
        "memory": memory,
        "lr": float(RATES[index]),
        "w": path[:, index],
        "loss": loss[:, index],
        "arrival": float(arrived[index]),
    }


def contours(rotation: float) -> np.ndarray:
    """Return contour lines of the valley, shape (levels, points, 2).

    >>> float(np.abs(contours(0)[0] @ [0, 1]).max()) > 3
    True
    """
    angle = np.linspace(0, 2 * np.pi, 241)
    radius = np.sqrt(2 * np.geomspace(0.05, 100, 9))[:, np.newaxis]
    circle = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    c, s = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
    return circle / np.sqrt([100.0, 0.01]) @ np.array([[c, s], [-s, c]])


def draw_race(data: Mapping[str, Any], artists: Mapping[str, Artist]) -> str:
    """Update the artists of `race`; return its state in words."""
    artists["contours"].set_segments(contours(data["rotation"]))
    path = np.clip(np.nan_to_num(data["w"], nan=1e3, posinf=1e3, neginf=-1e3), -1e3, 1e3)
    artists["path"].set_data(*path.T)
    artists["start"].set_data(*path[:1].T)
    loss = np.nan_to_num(data["loss"], nan=1e9, posinf=1e9)
    artists["loss"].set_data(np.arange(len(loss)), np.clip(loss, _FLOOR, 1e9))
    knob = RULES[data["rule"]][0]
    setting = f"{data['rule']}, {knob} = {data['memory']:g}, rate {data['lr']:.3g}"
    came = f"{data['arrival']:.0f} steps" if np.isfinite(data["arrival"]) else "does not arrive"
    artists["title"].set_text(f"valley turned by {data['rotation']}°")
    artists["right title"].set_text(f"{setting}: {came}")
    first = np.abs(path[1] - path[0]).max()
    return (
        f"Valley turned by {data['rotation']}°. {setting}: {came} (until the loss stays below "
        f"{LEVEL}). The first step is {first:.3g} long."
    )


def race(task: str = "Adam in the turned valley") -> Explorer:
    """Return the explorer of lesson 04: angle, rule, memory and rate; path and loss.

    No button and no single slider solves a task: rate and memory are found together.

    Args:
        task: "Adam in the turned valley" or "the smallest angle".

    Example:
        >>> explorer = race()
        >>> explorer.set(rotation=45, memory=0.9, index=12)
        >>> explorer.data["arrival"], explorer.task_reached
        (361.0, True)
        >>> explorer.close()
    """
    text, reached = _TASKS[validate.one_of("task", task, _TASKS)]
    figure, artists = _race_figure()
    return Explorer(
        {
            "rotation": choice_slider(ANGLES, ANGLES[0], "turned by (°)"),
            "rule": menu(RULES, "Adam", "optimizer"),
            "memory": choice_slider(MEMORIES, 0.999, "β, α or β₂"),
            "index": choice_slider(range(len(RATES)), 18, RATE, labels=RATES),
        },
        compute_race,
        draw_race,
        figure,
        artists,
        task=Task(text, reached),
        presets={
            "Adam, along the axes": {"rotation": 0, "rule": "Adam", "memory": 0.95, "index": 17},
            "Adam, turned": {"rotation": 45, "rule": "Adam", "memory": 0.999, "index": 18},
            "momentum, turned": {"rotation": 45, "rule": "momentum", "memory": 0.97, "index": 11},
        },
    )


def _race_figure() -> tuple[Figure, dict[str, Artist]]:
    figure, (left, right) = views.subplots(cols=2, size=(10, 4.6), width_ratios=(1, 1.25))
    left.set(xlim=(-_WINDOW, _WINDOW), ylim=(-_WINDOW, _WINDOW), aspect="equal")
    left.set(xlabel="parameter $w_1$", ylabel="parameter $w_2$")
    left.grid(False)
    lines = left.add_collection(LineCollection([], colors="#B0B0B0", linewidths=0.9))
    left.plot(0, 0, "*", ms=16, color="white", mec=views.BLACK, mew=1.2, zorder=4)
    (path,) = left.plot([], [], "o-", color=views.VERMILLION, ms=3, lw=1.2, zorder=3)
    (start,) = left.plot([], [], "o", ms=12, mfc="white", mec=views.VERMILLION, mew=2.4, zorder=3)
    right.set(yscale="log", xlim=(-10, STEPS + 10), ylim=(_FLOOR / 2, 1e6))
    right.set(xlabel=views.STEP_LABEL, ylabel="loss (cut at 1e-6)")
    right.axhspan(_FLOOR / 2, LEVEL, color=views.GREEN, alpha=0.15, lw=0)
    (loss,) = right.plot([], [], color=views.BLUE, lw=1.8)
    artists: dict[str, Artist] = {"contours": lines, "path": path, "start": start, "loss": loss}
    artists["title"] = left.set_title("valley", loc="left")
    artists["right title"] = right.set_title("steps", loc="left")
    return figure, artists
