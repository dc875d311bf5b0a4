r"""Races of update rules: who arrives first, and at which rate; the explorer of lesson 4.

A rule is never judged at one rate: many copies of the parameters move side by side, one per rate,
with the very `step` that the lessons teach. The explorer turns a surface and shows, for five
rules, the steps to the goal over all rates, and the path of the chosen rule at the chosen rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from course_utils import validate, views
from course_utils.descent import descend
from course_utils.optimizers import Adagrad, Adam, GradientDescent, Optimizer, RMSprop
from course_utils.problems import Problem
from course_utils.run import Run
from course_utils.views.controls import RATE, choice_slider, menu
from course_utils.views.explorer import Explorer, Task

RATES = np.geomspace(1e-3, 10, 33)
"""The rates of the explorer: eight per decade."""

ANGLES = tuple(range(0, 50, 5))
"""The rotations of the explorer, in degrees."""

SURFACES = {
    "A-B-C surface: curvatures 100 and 0.01": (100.0, 0.01),
    "valley: curvatures 100 and 1": (100.0, 1.0),
    "bowl: curvatures 1 and 1": (1.0, 1.0),
}
"""The surfaces of the explorer, and their curvatures. Every run starts at (1, -10), turned."""

RULES: dict[str, Callable[[], Optimizer]] = {
    "gradient descent": GradientDescent,
    "momentum": lambda: GradientDescent(momentum=0.9),
    "Adagrad": Adagrad,
    "RMSprop": lambda: RMSprop(alpha=0.9),
    "Adam": Adam,
}
"""The rules of the explorer, and how to make them."""

LEVEL = 0.01
"""The loss to stay below: then a run has arrived."""

STEPS = 1000
"""The updates that every run of the explorer may use."""

_START = np.array([1.0, -10.0])
_WINDOW = 12.0
_TASKS = {
    "RMSprop beats Adam": (
        "On the A-B-C surface (not turned), find a rate at which RMSprop arrives before Adam.",
        lambda data: (
            data["surface"].startswith("A-B-C")
            and data["rotation"] == 0
            and data["at_this_rate"]["RMSprop"] < data["at_this_rate"]["Adam"]
        ),
    ),
    "momentum beats both": (
        "Find a surface on which plain momentum beats Adam and RMSprop, each at its best rate, "
        "and choose momentum and its best rate there.",
        lambda data: (
            data["rule"] == "momentum"
            and data["best"]["momentum"] < min(data["best"]["Adam"], data["best"]["RMSprop"])
            and data["at_this_rate"]["momentum"] == data["best"]["momentum"]
        ),
    ),
}


def steps_to_arrive(
    optimizer: Optimizer,
    problem: Problem,
    rates: Any,
    steps: int = 1000,
    level: float = LEVEL,
    start: Any = None,
) -> np.ndarray:
    """Return, for each rate, after how many updates the loss stays below `level`.

    All rates run side by side, from the same start, for `steps` updates each. To stay means: until
    the end, and for a tenth of the steps at least; a run that jumps about has not arrived because
    it happens to be low when the time is up.

    Args:
        optimizer: the update rule; it is `reset()` first.
        problem: what to minimize, with d parameters.
        rates: the learning rates, shape (K,), greater than 0.
        steps: the budget of each run.
        level: the loss to stay below.
        start: shape (d,); `problem.start` if not given.

    Returns:
        Shape (K,): a number of updates from 0 to 0.9 `steps`, or infinity where the loss did not
        come to stay below the level.

    Example:
        >>> from course_utils.problems import shifted_square
        >>> steps_to_arrive(GradientDescent(), shifted_square(), [0.1, 0.5, 1.0], level=1e-6)
        array([39.,  1., inf])
    """
    validate.instance("problem", problem, Problem)
    rates = validate.array("rates", rates, ndim=1)
    if not rates.size or (rates <= 0).any():
        raise ValueError(f"rates must hold numbers greater than 0, got {rates!r}")
    level = validate.positive("level", level)
    if start is not None:
        start = validate.array("start", start, shape=(problem.dimension,))
    return _arrivals(descend(problem, optimizer, rates, steps, start, record_params=False), level)


def _arrivals(run: Run, level: float) -> np.ndarray:
    """After how many updates the loss of each replica came to stay below the level, or infinity."""
    # Infinity is not below the level, so a run that has diverged never arrives.
    above = np.concatenate([run.loss, run.final_loss[None]]) >= level
    arrived = np.where(above.any(axis=0), len(above) - np.argmax(above[::-1], axis=0), 0.0)
    return np.where(arrived > 0.9 * run.steps, np.inf, arrived)


# --------------------------------------------------------------------------------- the explorer


def _surfaces(names: Sequence[str]) -> tuple[Problem, np.ndarray]:
    """One problem for all places at once, and its start: points (surfaces, angles, rates, 2)."""
    turns = np.stack([_turn(angle) for angle in ANGLES])
    curvatures = np.array([SURFACES[name] for name in names])
    hessian = np.einsum("aij,sj,akj->saik", turns, curvatures, turns)
    # H w for all places and rates at once: far cheaper than thousands of 2 × 2 products.
    diagonal = hessian[..., [0, 1], [0, 1]][:, :, np.newaxis]
    off_diagonal = hessian[..., 0, 1][..., np.newaxis, np.newaxis]
    start = np.broadcast_to(turns @ _START, (len(curvatures), len(ANGLES), 2))

    def gradient(w: np.ndarray) -> np.ndarray:
        return diagonal * w + off_diagonal * w[..., ::-1]

    def loss(w: np.ndarray) -> np.ndarray:
        wg = w * gradient(w)
        return 0.5 * (wg[..., 0] + wg[..., 1])

    places = Problem("surfaces", "", loss, gradient, lambda w: hessian[:, :, np.newaxis], _START)
    return places, np.repeat(start[:, :, np.newaxis], len(RATES), axis=2)


@cache
def _table() -> dict[str, np.ndarray]:
    """Steps to arrive for every rule: shape (surfaces, angles, rates); all computed together."""
    places, start = _surfaces(list(SURFACES))
    runs = {
        name: descend(places, make(), RATES, STEPS, start, record_params=False)
        for name, make in RULES.items()
    }
    return {name: _arrivals(run, LEVEL) for name, run in runs.items()}


@lru_cache(maxsize=8)  # 5 MB each
def _paths(surface: str, rule: str) -> np.ndarray:
    """The way of a rule at every angle and rate, (angles, rates, T + 1, 2): a slider only looks up.

    A run that has diverged is at infinity.
    """
    places, start = _surfaces([surface])
    return np.moveaxis(descend(places, RULES[rule](), RATES, STEPS, start).params[:, 0], 0, -2)


def _turn(degrees: float) -> np.ndarray:
    """The rotation of the plane by an angle, counter-clockwise."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s], [s, c]])


def compute_race(surface: str, rotation: int, rule: str, index: int) -> dict[str, Any]:
    """Run one rule at one rate on a turned surface, beside the results of all rules and rates.

    The arguments are values of the controls of `race`. Steps are those until the loss stays below
    the target: `steps` has them for each rule at every rate.

    Example:
        >>> data = compute_race("A-B-C surface: curvatures 100 and 0.01", 45, "momentum", 12)
        >>> round(data["lr"], 4), data["at_this_rate"]["momentum"], data["best"]["Adam"]
        (0.0316, 609.0, inf)
    """
    place = list(SURFACES).index(surface), ANGLES.index(rotation)
    steps = {name: table[place] for name, table in _table().items()}
    return {
        "surface": surface,
        "rotation": rotation,
        "rule": rule,
        "lr": float(RATES[index]),
        "w": _paths(surface, rule)[place[1], index].copy(),  # the cache keeps its own
        "steps": steps,
        "at_this_rate": {name: float(row[index]) for name, row in steps.items()},
        "best": {name: float(row.min()) for name, row in steps.items()},
        "best_lr": {name: float(RATES[row.argmin()]) for name, row in steps.items()},
    }


_AROUND = np.linspace(0, 2 * np.pi, 241)


def contours(surface: str, rotation: float) -> np.ndarray:
    """Return contour lines of a turned surface, shape (levels, points, 2).

    >>> line = contours("bowl: curvatures 1 and 1", 30)[2]
    >>> bool(np.ptp(np.sum(line**2, axis=1)) < 1e-9)
    True
    """
    curvatures = np.array(SURFACES[surface])
    radius = np.sqrt(2 * np.geomspace(0.05, 100, 9))[:, np.newaxis]
    circle = np.stack([radius * np.cos(_AROUND), radius * np.sin(_AROUND)], axis=-1)
    return circle / np.sqrt(curvatures) @ _turn(rotation).T


def draw_race(data: Mapping[str, Any], artists: Mapping[str, Artist]) -> str:
    """Update the artists of `race`; return its state in words."""
    artists["contours"].set_segments(contours(data["surface"], data["rotation"]))
    path = np.nan_to_num(data["w"], nan=1e3, posinf=1e3, neginf=-1e3)
    artists["path"].set_data(*np.clip(path, -1e3, 1e3).T)
    artists["start"].set_data(*path[:1].T)
    for name, row in data["steps"].items():
        artists[name].set_data(RATES, np.where(np.isfinite(row), row, np.nan))
    at_this_rate = {name: _in_words(steps) for name, steps in data["at_this_rate"].items()}
    steps = data["at_this_rate"][data["rule"]]
    artists["chosen"].set_data([data["lr"]], [min(steps, 1.25 * STEPS)])
    artists["title"].set_text(f"{data['rule']}, rate {data['lr']:.3g}")
    artists["right title"].set_text(f"turned by {data['rotation']}°: {at_this_rate[data['rule']]}")
    best = ", ".join(
        f"{name} {_in_words(steps)}"
        + (f" (rate {data['best_lr'][name]:.3g})" if np.isfinite(steps) else "")
        for name, steps in data["best"].items()
    )
    return (
        f"{data['surface']}, turned by {data['rotation']}°. {data['rule']} at rate "
        f"{data['lr']:.3g}: {at_this_rate[data['rule']]}. RMSprop and Adam at this rate: "
        f"{at_this_rate['RMSprop']}, {at_this_rate['Adam']}. Each at its best rate: "
        f"{best}. (Steps until the loss stays below {LEVEL}.)"
    )


def _in_words(steps: float) -> str:
    return f"{steps:.0f} steps" if np.isfinite(steps) else "never"


def race(task: str = "RMSprop beats Adam") -> Explorer:
    """Return the explorer of lesson 04: surface, rotation, rule and rate; path, and all rates.

    Args:
        task: "RMSprop beats Adam" or "momentum beats both".

    Example:
        >>> explorer = race()
        >>> explorer.set(index=11)
        >>> explorer.task_reached
        True
        >>> explorer.close()
    """
    text, reached = _TASKS[validate.one_of("task", task, _TASKS)]
    figure, artists = _race_figure()
    return Explorer(
        {
            "surface": menu(SURFACES, next(iter(SURFACES)), "surface"),
            "rotation": choice_slider(ANGLES, ANGLES[0], "turned by (°)"),
            "rule": menu(RULES, "Adam", "optimizer"),
            "index": choice_slider(range(len(RATES)), 24, RATE, labels=RATES),
        },
        compute_race,
        draw_race,
        figure,
        artists,
        task=Task(text, reached),
        presets={
            "Adam, along the axes": {"rotation": 0, "rule": "Adam", "index": 18},
            "Adam, turned": {"rotation": 45, "rule": "Adam", "index": 18},
            "RMSprop on its floor": {"rotation": 0, "rule": "RMSprop", "index": 20},
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
    right.set(xscale="log", yscale="log", xlim=(8e-4, 12), ylim=(0.8, 1.6 * STEPS))
    right.set(xlabel=views.RATE_LABEL, ylabel=f"steps until the loss stays below {LEVEL}")
    views.log_ticks(right.xaxis)
    views.log_ticks(right.yaxis)
    right.axhline(STEPS, color=views.GRAY, lw=1, ls="-")
    right.text(9e-4, 1.08 * STEPS, f"not in {STEPS} steps", color=views.GRAY, fontsize=10)
    artists: dict[str, Artist] = {"contours": lines, "path": path, "start": start}
    for i, name in enumerate(RULES):
        marker = "os^Dv"[i]
        (artists[name],) = right.plot(
            [], [], marker=marker, ms=5, label=name, **views.line_style(i)
        )
    (chosen,) = right.plot([], [], "D", color=views.BLACK, ms=13, mfc="none", mew=2.4, zorder=5)
    right.legend(loc="lower left", fontsize=10)
    artists["chosen"] = chosen
    artists["title"] = left.set_title("rate", loc="left")
    artists["right title"] = right.set_title("steps", loc="left")
    return figure, artists


# ------------------------------------------------------------------------------- static views


def draw_steps(ax: Axes, rates: Any, results: Mapping[str, np.ndarray], budget: int) -> Axes:
    """Draw the steps to arrive against the rate, one line per rule; no point where it never did.

    Args:
        ax: where to draw.
        rates: shape (K,).
        results: label -> steps, shape (K,), from `steps_to_arrive`.
        budget: the steps that every run had, drawn as a line.

    Example:
        >>> ax = draw_steps(views.subplots()[1], [0.1, 1.0], {"A": np.array([9.0, np.inf])}, 100)
        >>> ax.lines[0].get_ydata().tolist()
        [9.0, nan]
    """
    budget = validate.integer("budget", budget, minimum=1)
    for i, (name, steps) in enumerate(results.items()):
        shown = np.where(np.isfinite(steps), steps, np.nan)
        ax.loglog(
            rates, shown, marker="os^DvP*"[i % 7], label=views.as_label(name), **views.line_style(i)
        )
    ax.axhline(budget, color=views.GRAY, lw=1, ls="-")
    ax.text(
        0.02, 1.08 * budget, f"never in {budget} steps", color=views.GRAY,
        transform=ax.get_yaxis_transform(), fontsize=11,
    )  # fmt: skip
    ax.set(xlabel=views.RATE_LABEL, ylabel=f"steps until the loss stays below {LEVEL}")
    ax.set(xlim=(min(rates) / 1.2, max(rates) * 1.2), ylim=(2, 2 * budget))
    views.log_ticks(ax.xaxis)
    return ax


def draw_acting(ax: Axes, run: Run, labels: Sequence[str]) -> Axes:
    """Draw the rate that really acted on each parameter, rate × factor, over the updates.

    Args:
        ax: where to draw.
        run: a run of `descend` with an adaptive rule, so that `metrics["scale"]` is there.
        labels: one per parameter.

    Example:
        >>> from course_utils.descent import descend
        >>> from course_utils.problems import quadratic
        >>> run = descend(quadratic([4.0, 1.0]), Adagrad(), 0.1, steps=1)
        >>> lines = draw_acting(views.subplots()[1], run, ("steep", "flat")).lines
        >>> [round(float(line.get_ydata()[0]), 6) for line in lines]
        [0.025, 0.1]
    """
    if "scale" not in run.metrics:
        raise ValueError("run must have metrics['scale'], as runs of adaptive rules do; got none")
    acting = run.lr[:, np.newaxis] * run.metrics["scale"]
    if len(labels) != acting.shape[1]:
        raise ValueError(f"labels must hold {acting.shape[1]} texts, got {list(labels)}")
    for i, label in enumerate(labels):
        ax.semilogy(acting[:, i], label=views.as_label(label), **views.line_style(i))
    ax.set(xlabel=views.STEP_LABEL, ylabel="effective rate")
    views.log_ticks(ax.yaxis, 5)
    return ax
