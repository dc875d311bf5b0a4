r"""The late burst of adaptive methods: its meter, its threshold, and the explorer of lesson 5.

The rate that acts on a parameter is :math:`\eta_t / \sigma_t`. Times the curvature across the
valley it is the *meter*: a step in that direction is stable while it is below 2, and with an
averaged direction (Adam) below :math:`2 (1 + \beta_1) / (1 - \beta_1)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils import validate, views
from course_utils.descent import descend
from course_utils.optimizers import Adagrad, Adam, Optimizer
from course_utils.problems import Problem, curved_valley
from course_utils.run import Run
from course_utils.schedules import (
    Schedule,
    as_schedule,
    constant,
    cosine,
    custom,
    exponential,
    inverse_sqrt,
    with_warmup,
)
from course_utils.views.controls import choice_slider, menu
from course_utils.views.explorer import Explorer, Task

CURVATURE = 100.0
"""The curvature across both valleys of this module."""

NEAR, FAR = 0.02, 0.1
"""A burst: the path has been nearer than NEAR to the valley floor, and is now farther than FAR."""

STEPS = 2000
"""The updates of every run of the explorer."""

GOAL = 1e-6
"""The final loss that the task of the explorer asks for."""

RATES = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2)
"""The peak rates of the explorer."""

WARMUPS = (0, 50, 100, 200, 300)
"""The warm-up steps of the explorer."""


class Rule(NamedTuple):
    """A rule of the explorer: how to make it, what it makes of a schedule, its threshold."""

    make: Callable[[], Optimizer]
    rate: Callable[[Schedule], Schedule]
    threshold: float


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


SHAPES: dict[str, Callable[[float, int], Schedule]] = {
    "constant": lambda lr, steps: constant(lr),
    "1/√t": lambda lr, steps: inverse_sqrt(lr, 100),
    "exponential 0.998": lambda lr, steps: exponential(lr, 1, 0.998),
    "cosine to 0": lambda lr, steps: cosine(lr, max(steps, 1)),
}
"""What follows the warm-up: (peak rate, steps left) -> schedule."""


def mean_of_squares(schedule: float | Schedule) -> Schedule:
    r"""Return the schedule with which `Adagrad` divides by the root *mean* square of all gradients.

    .. math:: \eta_t \to \eta_t \sqrt{t + 1}

    Args:
        schedule: the rate of the lecture's rule.

    Example:
        >>> mean_of_squares(0.1)(np.arange(4)).round(4).tolist()
        [0.1, 0.1414, 0.1732, 0.2]
    """
    schedule = as_schedule(schedule, "schedule")
    return custom(
        lambda t: schedule(t) * np.sqrt(t + 1), f"{schedule.name} × √(t+1)", vectorized=True
    )


RULES = {
    "RMSprop, memory of 10 steps": Rule(lambda: Adam(beta1=0.0, beta2=0.9), as_schedule, 2.0),
    "Lee's σ, mean of all squares": Rule(Adagrad, mean_of_squares, 2.0),
    "Adam": Rule(Adam, as_schedule, threshold(0.9)),
}
"""The rules of the explorer. RMSprop starts without a jump (bias correction)."""


def scheduled(shape: str, lr: float, warmup: int, steps: int = STEPS) -> Schedule:
    """Return a warm-up to `lr` followed by one of `SHAPES`, `steps` updates in all.

    Args:
        shape: a key of `SHAPES`.
        lr: the peak rate.
        warmup: steps of the rise: update t has the rate lr (t + 1) / warmup; 0 is none.
        steps: the length of the run.

    Example:
        >>> scheduled("constant", 0.1, 2)(np.arange(3)).tolist()
        [0.05, 0.1, 0.1]
    """
    validate.one_of("shape", shape, SHAPES)
    if warmup < 2:
        return SHAPES[shape](lr, steps)
    return with_warmup(SHAPES[shape](lr, steps - warmup + 1), warmup - 1, 1 / warmup)


def endless_valley() -> Problem:
    r"""Return a straight valley that never ends: :math:`f(w) = 50\, w_1^2 - w_2`.

    Across it the gradient dies, so σ shrinks: the purest form of the burst. Start (0.5, 0).

    Example:
        >>> endless_valley().gradient([0.1, 7.0])
        array([10., -1.])
    """
    half = CURVATURE / 2
    return Problem(
        name="endless valley",
        formula=r"50\, w_1^2 - w_2",
        loss=lambda w: half * w[..., 0] ** 2 - w[..., 1],
        gradient=lambda w: np.stack([2 * half * w[..., 0], -np.ones_like(w[..., 1])], axis=-1),
        hessian=lambda w: np.zeros((*w.shape, 2)) + np.diag([2 * half, 0.0]),
        start=np.array([0.5, 0.0]),
    )


def distance(w: Any) -> np.ndarray:
    """Return how far points (..., 2) are from the floor of `curved_valley`, shape (...,).

    Example:
        >>> float(distance([0.25, 0.0]))
        0.25
    """
    w = validate.array("w", w)
    return np.abs(w[..., 0] - 0.05 * np.sin(0.5 * w[..., 1]))


def excursions(off: Any, near: float = NEAR, far: float = FAR) -> list[int]:
    """Return the steps at which a path that had come near is far again: its bursts.

    Args:
        off: distance from the floor, shape (T,).
        near: it has arrived when it is nearer than this.
        far: it has burst out when it is farther than this.

    Example:
        >>> excursions([0.5, 0.01, 0.2, 0.3, 0.0, 0.15])
        [2, 5]
    """
    found, armed = [], False
    for step, value in enumerate(validate.array("off", off, ndim=1)):
        if value < near:
            armed = True
        elif armed and value > far:
            found.append(step)
            armed = False
    return found


def meter(run: Run, curvature: float = CURVATURE) -> np.ndarray:
    """Return the meter of a run: rate × factor × curvature of the first parameter, shape (T, ...).

    Args:
        run: from `descend`, with an adaptive rule.
        curvature: across the valley.

    Example:
        >>> from course_utils.descent import descend
        >>> meter(descend(endless_valley(), Adagrad(), 0.1, 1)).round(3)
        array([0.2])
    """
    if "scale" not in run.metrics:
        raise ValueError("run must come from an adaptive rule: it has no metrics['scale']")
    scale = run.metrics["scale"][..., 0]
    lr = run.lr if run.lr.ndim == scale.ndim else run.lr.reshape(-1, *[1] * (scale.ndim - 1))
    return lr * scale * curvature


def onset(run: Run, limit: float) -> list[tuple[int, int, float]]:
    """Return per replica of `endless_valley`: when the meter crossed, when it burst, how high.

    Args:
        run: with replicas, shape (T, R).
        limit: the threshold to cross.

    Returns:
        R triples: first step above the limit, first step with |w1| > 0.01 after it had been below
        0.001, and the largest meter until then (T and the largest of all if there was none).

    Example:
        >>> from course_utils.descent import descend
        >>> rate = mean_of_squares(0.1)
        >>> run = descend(endless_valley(), Adagrad(), rate, 400, [[0.5, 0]], gradient_noise=1e-3)
        >>> crossed, burst, value = onset(run, 2.0)[0]
        >>> crossed, crossed < burst, 2 < value < 3
        (247, True, True)
    """
    found = []
    for path, level in zip(np.abs(run.params[:-1, :, 0]).T, meter(run).T):
        calm = int(np.argmax(path < 1e-3))
        loud = np.flatnonzero(path[calm:] > 1e-2)
        burst = calm + int(loud[0]) if len(loud) else run.steps
        above = np.flatnonzero(level[calm:] > limit)
        crossed = calm + int(above[0]) if len(above) else run.steps
        found.append((crossed, burst, float(level[calm : burst + 1].max())))
    return found


# --------------------------------------------------------------------------------- the explorer


@cache
def _table(rule: str) -> dict[tuple[str, float, int], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Every run of one rule, all together: (shape, rate, warm-up) -> path, rate and meter."""
    keys, chosen = list(product(SHAPES, RATES, WARMUPS)), RULES[rule]
    schedules = [scheduled(shape, peak, rise) for shape, peak, rise in keys]
    run = descend(curved_valley(), chosen.make(), [chosen.rate(s) for s in schedules], STEPS)
    paths, levels = run.params.swapaxes(0, 1), meter(run).T
    return {key: (paths[i], schedules[i].rates(STEPS), levels[i]) for i, key in enumerate(keys)}


def compute_burst(rule: str, lr: float, warmup: int, shape: str) -> dict[str, Any]:
    """Look up one run on the curved valley, with its meter and its bursts.

    The arguments are values of the controls of `burst_meter`. `off` (T + 1,) is the distance from
    the valley floor, `crossed` the first step at which the meter is above its threshold, or None.

    Example:
        >>> data = compute_burst("Lee's σ, mean of all squares", 0.1, 0, "constant")
        >>> data["crossed"], data["bursts"]
        (209, [344, 628, 982, 1386, 1832])
    """
    path, rates, level = _table(rule)[shape, lr, warmup]
    off, limit = distance(path), RULES[rule].threshold
    above = np.flatnonzero(level > limit)
    return {
        "rule": rule,
        "lr": lr,
        "warmup": warmup,
        "shape": shape,
        "off": off,
        "rates": rates,
        "meter": level,
        "threshold": limit,
        "bursts": excursions(off),
        "crossed": int(above[0]) if len(above) else None,
        "final_loss": float(curved_valley().loss(path[-1])),
    }


def cured(data: Mapping[str, Any]) -> bool:
    """Return whether a run of RMSprop neither bursts nor ends above the goal: the task.

    Example:
        >>> cured(compute_burst("RMSprop, memory of 10 steps", 0.1, 0, "constant"))
        False
    """
    return data["rule"].startswith("RMSprop") and not data["bursts"] and data["final_loss"] <= GOAL


def draw_burst(data: Mapping[str, Any], artists: Mapping[str, Artist]) -> str:
    """Update the artists of `burst_meter`; return its state in words."""
    steps = np.arange(STEPS)
    artists["off"].set_data(np.arange(STEPS + 1), np.maximum(data["off"], 1e-7))
    artists["bursts"].set_data(data["bursts"], data["off"][data["bursts"]])
    artists["meter"].set_data(steps, data["meter"])
    artists["limit"].set_ydata([data["threshold"]] * 2)
    artists["rate"].set_data(steps, data["rates"])
    count, final = len(data["bursts"]), data["final_loss"]
    bursts = f"{count} burst{'' if count == 1 else 's'}"
    artists["title"].set_text(f"{data['rule']}: {bursts}, final loss {final:.1e}")
    crossed = "never" if data["crossed"] is None else f"first at step {data['crossed']}"
    return (
        f"{data['rule']}, peak rate {data['lr']:g}, warm-up {data['warmup']} steps, then "
        f"{data['shape']}: the meter crosses {data['threshold']:.0f} {crossed}; {bursts}"
        + (f", at steps {', '.join(map(str, data['bursts'][:5]))}" if count else "")
        + f"; final loss {final:.1e}."
    )


def burst_meter() -> Explorer:
    """Return the explorer of lesson 5: the meter against its threshold, with a schedule.

    Example:
        >>> explorer = burst_meter()
        >>> explorer.set(shape="cosine to 0")
        >>> explorer.task_reached  # it still bursts, early
        False
        >>> explorer.close()
    """
    figure, artists = _figure()
    return Explorer(
        {
            "rule": menu(RULES, next(iter(RULES)), "optimizer"),
            "lr": choice_slider(RATES, 0.1, "peak rate η"),
            "warmup": choice_slider(WARMUPS, WARMUPS[0], "warm-up (steps)"),
            "shape": menu(SHAPES, next(iter(SHAPES)), "then"),
        },
        compute_burst,
        draw_burst,
        figure,
        artists,
        task=Task(
            f"Cure RMSprop: no burst, and a final loss of at most {GOAL:.0e} (at the constant rate "
            "0.1 it is 0.13).",
            cured,
        ),
        presets={
            "warm-up only": {"warmup": 300, "shape": "constant", "lr": 0.1},
            "decay only": {"warmup": 0, "shape": "cosine to 0", "lr": 0.1},
            "the lecture's σ": {
                "rule": list(RULES)[1],
                "warmup": 0,
                "shape": "constant",
                "lr": 0.1,
            },
        },
    )


def _figure() -> tuple[Figure, dict[str, Artist]]:
    figure, (top, middle, low) = views.subplots(
        3, 1, size=(10, 6.4), sharex=True, height_ratios=(2, 2, 1)
    )
    top.set(yscale="log", ylim=(1e-7, 3), ylabel="distance from\nthe valley floor")
    middle.set(yscale="log", ylim=(3e-3, 300), ylabel="rate / σ × curvature")
    low.set(ylim=(0, 0.21), ylabel="rate η", xlabel=views.STEP_LABEL, xlim=(0, STEPS))
    views.log_ticks(top.yaxis, ticks=5)
    views.log_ticks(middle.yaxis, ticks=5)
    top.axhline(FAR, color=views.GRAY, lw=1, ls=":")
    (off,) = top.plot([], [], "-", color=views.BLUE, lw=1.3)
    (marks,) = top.plot([], [], "v", color=views.VERMILLION, ms=11)
    (level,) = middle.plot([], [], "-", color=views.VERMILLION, lw=1.3)
    limit = middle.axhline(2, color=views.BLACK, lw=1.6, ls="--")
    (rate,) = low.plot([], [], "-", color=views.BLUE)
    artists = {"off": off, "bursts": marks, "meter": level, "limit": limit, "rate": rate}
    artists["title"] = top.set_title("burst", loc="left")
    figure.align_ylabels()
    return figure, artists


# ------------------------------------------------------------------------------- static views


def draw_meter(ax: Axes, meters: Mapping[str, Any], limit: float, step: Any = None) -> Axes:
    """Draw meters against the step, with the threshold as a dashed line.

    Args:
        ax: where to draw.
        meters: label -> meter, shape (T,).
        limit: the threshold.
        step: shape (T,); 0, 1, ... if not given.

    Example:
        >>> ax = draw_meter(views.subplots()[1], {"a": [0.1, 3.0]}, 2.0)
        >>> ax.lines[0].get_ydata().tolist(), ax.lines[-1].get_ydata()
        ([0.1, 3.0], [2.0, 2.0])
    """
    for i, (label, values) in enumerate(meters.items()):
        values = np.asarray(values, dtype=float)
        at = np.arange(len(values)) if step is None else np.asarray(step)
        ax.semilogy(at, values, label=views.as_label(label), lw=1.3, **views.line_style(i))
    ax.axhline(limit, color=views.BLACK, lw=1.6, ls=(0, (4, 2)))
    ax.set(xlabel=views.STEP_LABEL, ylabel="rate / σ × curvature")
    views.log_ticks(ax.yaxis)
    views.legend(ax)
    return ax
