"""The schedule designer of lesson 3: draw a schedule, and see a network train under it at once.

Every design has the same plan: an optional warm-up to the peak rate, a hold at the peak, and then
a decay of the chosen shape to its end, at the last update. Sixteen networks are trained under it
at every move, and compared, seed by seed, with the best constant rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from course_utils import schedules, validate, views
from course_utils.experiments.datasets import Data, digits
from course_utils.experiments.intervals import Estimate, estimate
from course_utils.experiments.sweep import Sweep, sweep
from course_utils.lessons.lesson03.shapes import SHAPES
from course_utils.schedules import Schedule
from course_utils.views.controls import choice_slider, menu, rates_between
from course_utils.views.explorer import Explorer, Task

STEPS = 310
SEEDS = range(16)
CONSTANT_RATES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
OFFERED = tuple(name for name in SHAPES if name != "hold, then linear")  # the hold has a slider
WARMUPS = tuple(round(0.05 * k, 2) for k in range(11))
HOLDS = tuple(round(0.05 * k, 2) for k in range(19))
ENDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
_SMOOTH = 20


def design(
    shape: str,
    peak: float,
    warmup: float = 0.0,
    hold: float = 0.0,
    end: float = 0.1,
    steps: int = STEPS,
) -> Schedule:
    """Return the schedule of a design: warm-up, hold at the peak, decay to the end.

    Args:
        shape: one of `SHAPES`.
        peak: the peak rate, greater than 0.
        warmup: share of the run spent rising from almost 0, from 0 to 0.5.
        hold: share of what is left that is spent at the peak, from 0 to 0.9.
        end: the last rate as a fraction of the peak, above 0 and at most 1.
        steps: length of the run, at least 20.

    Example:
        >>> design("linear", 0.5, hold=0.5, steps=100)([0, 49, 75, 100])
        array([0.5  , 0.5  , 0.275, 0.05 ])
        >>> design("cosine", 0.5)
        cosine(lr=0.5, decay_steps=310, alpha=0.1)
    """
    validate.one_of("shape", shape, SHAPES)
    peak, steps = validate.positive("peak", peak), validate.integer("steps", steps, 20)
    rise = round(validate.between("warmup", warmup, 0, 0.5) * steps)
    held = round(validate.between("hold", hold, 0, 0.9) * (steps - rise))
    end = validate.between("end", validate.positive("end", end), 0, 1)
    plan = SHAPES[shape](peak, end, steps - rise - held)
    plan = schedules.join([peak, plan], [held]) if held else plan
    return schedules.with_warmup(plan, rise, start_factor=1 / rise) if rise else plan


@cache
def _data() -> Data:
    return digits().with_label_noise(0.1, seed=0)


def train_under(rates: Any, steps: int = STEPS) -> Sweep:
    """Train 16 networks (64-16-10) on the digits, with 10 % of the labels drawn at random.

    Args:
        rates: floats or schedules, as in `sweep.sweep`.
        steps: updates of every run.

    Example:
        >>> train_under([0.3], steps=20).final("validation_loss").shape
        (1, 16)
    """
    return sweep(
        rates,
        SEEDS,
        data=_data(),
        hidden=(16,),
        batch_size=16,
        steps=steps,
        evaluate_on=("validation",),
    )


@cache
def best_constant(steps: int = STEPS) -> dict[str, Any]:
    """Return the best of `CONSTANT_RATES` by validation loss: lr, loss (S,), curve (T,).

    Example:
        >>> best_constant(20)["loss"].shape
        (16,)
    """
    table = train_under(CONSTANT_RATES, steps)
    best = table.best("validation_loss")
    return {
        "lr": best.lr,
        "loss": table.final("validation_loss")[best],
        "curve": views.running_mean(table.loss[best].mean(axis=0), _SMOOTH),
    }


def _compute(
    shape: str,
    peak: float,
    warmup: float,
    hold: float,
    end: float,
    plan: Callable[..., Schedule],
    steps: int,
) -> dict[str, Any]:
    """Rates as used, losses (S, T) and (S,), and how much lower than the best constant, paired."""
    schedule = plan(shape, peak, warmup, hold, end, steps)
    table = train_under([schedule], steps)
    constant = best_constant(steps)
    final = table.final("validation_loss")[0]
    with np.errstate(invalid="ignore", over="ignore"):  # a design may diverge
        gain = estimate(constant["loss"] - final)
    return {
        "schedule": schedule,
        "lr": table.lr[0],
        "area": schedule.area(steps),
        "loss": np.asarray(table.loss[0], dtype=float),
        "final": final,
        "constant": constant,
        "gain": gain,
        "diverged": table.diverged[0],
        "steps": steps,
    }


def _beats_constant(data: Mapping[str, Any]) -> bool:
    return bool(data["gain"].low > 0)


def _preview(
    artists: Mapping[str, Artist], *, plan: Callable[..., Schedule], steps: int, **values: Any
) -> None:
    """Show the schedule of a design, which follows the hand while the networks still train."""
    schedule = plan(**values, steps=steps)
    _draw_schedule(artists, schedule(np.arange(steps)), schedule.area(steps))
    artists["right title"].set_text("training …")
    artists["verdict"].set_text("")


def _draw(data: Mapping[str, Any], artists: Mapping[str, Artist]) -> str:
    steps = np.arange(data["steps"])
    _draw_schedule(artists, data["lr"], data["area"])
    curves = views.running_mean(data["loss"], _SMOOTH)
    curves = np.nan_to_num(curves, nan=1e3, posinf=1e3).clip(0, 1e3)
    artists["mean"].set_data(steps, curves.mean(axis=0))
    artists["band"].set_verts([_polygon(steps, curves.min(axis=0), curves.max(axis=0))])
    final = np.nan_to_num(data["final"], nan=1e3, posinf=1e3).clip(0, 1e3)
    artists["runs"].set_data(_spread(1.0, len(final)), final)
    artists["result"].set_data([0.75, 1.25], [final.mean()] * 2)
    bad = bool(np.any(data["diverged"]))
    artists["right title"].set_text("diverged" if bad else f"yours {final.mean():.3f}")
    artists["verdict"].set_text(
        "" if bad else _verdict(data).replace(" ±", "\n±").replace(", no", ",\nno")
    )
    return _in_words(data, float(final.mean()))


def _draw_schedule(artists: Mapping[str, Artist], lr: np.ndarray, area: float) -> None:
    steps = np.arange(len(lr))
    artists["rate"].set_data(steps, lr)
    artists["area"].set_verts([_polygon(steps, np.zeros(len(steps)), lr)])
    artists["left title"].set_text(f"Σ rate = {area:.1f}")


def _verdict(data: Mapping[str, Any]) -> str:
    gain: Estimate = data["gain"]
    if gain.low == gain.high == 0:
        return "this is the same schedule, no difference"
    if gain.low <= 0 <= gain.high:
        return "no difference detected"
    change = "lower" if gain.mean > 0 else "higher"
    return f"{change} by {abs(gain.mean):.3f} ± {(gain.high - gain.low) / 2:.3f} (95 %)"


def _in_words(data: Mapping[str, Any], final: float) -> str:
    constant, bad = data["constant"], int(np.sum(data["diverged"]))
    text = (
        f"{data['schedule']!r}: area {data['area']:.1f}. Validation loss after {data['steps']} "
        f"updates {final:.3f}, mean of {len(data['final'])} runs; best constant rate "
        f"({constant['lr']:g}) {constant['loss'].mean():.3f}. "
    )
    if bad:
        return text + f"{bad} of {len(data['final'])} runs diverged."
    return text + f"Against the best constant rate, seed by seed: {_verdict(data)}."


def _polygon(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.column_stack([np.append(x, x[::-1]), np.append(low, high[::-1])])


def _spread(center: float, count: int) -> np.ndarray:
    return center + np.linspace(-0.2, 0.2, count)


def schedule_designer(plan: Callable[..., Schedule] = design, steps: int = STEPS) -> Explorer:
    """Return the explorer of lesson 3: design a schedule, and beat the best constant rate.

    Args:
        plan: (shape, peak, warmup, hold, end, steps) -> schedule, such as `design`.
        steps: updates of every run.

    Example:
        >>> explorer = schedule_designer(steps=40)
        >>> explorer.set(shape="cosine", peak=0.7)
        >>> explorer.data["schedule"]
        cosine(lr=0.7, decay_steps=40, alpha=0.1)
        >>> explorer.close()
    """
    steps = validate.integer("steps", steps, 20)
    constant = best_constant(steps)
    figure, artists = _designer_figure(steps, constant)
    return Explorer(
        {
            "shape": menu(OFFERED, "constant", "shape"),
            "peak": choice_slider(rates_between(0.05, 1.5), constant["lr"], "peak rate η"),
            "warmup": choice_slider(WARMUPS, 0.0, "warm-up (share)"),
            "hold": choice_slider(HOLDS, 0.0, "hold at the peak"),
            "end": choice_slider(ENDS, 0.1, "last rate / peak"),
        },
        partial(_compute, plan=plan, steps=steps),
        _draw,
        figure,
        artists,
        task=Task(
            f"Beat the best constant rate ({constant['lr']:g}): a validation loss so much lower "
            "that the 95 % interval of 16 paired differences leaves zero out.",
            _beats_constant,
        ),
        presets={
            "too small": {"shape": "exponential", "peak": 0.3, "end": 0.001},
            "too large": {"shape": "linear", "peak": 1.4, "end": 0.5},
        },
        preview=partial(_preview, plan=plan, steps=steps),
    )


def _designer_figure(steps: int, constant: Mapping[str, Any]) -> tuple[Figure, dict[str, Artist]]:
    figure, (left, middle, right) = views.subplots(cols=3, width_ratios=(3, 3, 2.2))
    at = np.arange(steps)
    left.axhline(constant["lr"], color=views.GRAY, ls="--", lw=1.4, label="best constant rate")
    left.set(ylim=(0, 1.55), xlabel=views.STEP_LABEL, ylabel=views.RATE_LABEL)
    left.legend(loc="upper right")
    (rate,) = left.plot(at, np.zeros(steps), "-", color=views.BLUE, drawstyle="steps-post")
    area = left.fill_between(at, 0, 1, color=views.BLUE, alpha=0.15, lw=0)
    middle.plot(at, constant["curve"], "--", color=views.GRAY, label="best constant rate")
    (mean,) = middle.plot(at, np.ones(steps), "-", color=views.BLUE, label="your schedule")
    band = middle.fill_between(at, 0.9, 1, color=views.BLUE, alpha=0.15, lw=0)
    middle.set(
        yscale="log",
        ylim=(0.15, 5),
        xlabel=views.STEP_LABEL,
        ylabel="training loss",
        title="16 runs: mean, range",
    )
    middle.set_yticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
    middle.yaxis.set_minor_formatter(NullFormatter())
    middle.legend(loc="upper right")
    center = float(constant["loss"].mean())
    right.plot(_spread(0.0, len(constant["loss"])), constant["loss"], "o", color=views.GRAY, ms=4)
    right.plot([-0.25, 0.25], [center] * 2, "-", color=views.BLACK)
    right.axhline(center, color=views.GRAY, ls="--", lw=1)
    (runs,) = right.plot([], [], "o", color=views.BLUE, ms=4)
    (result,) = right.plot([], [], "-", color=views.BLACK)
    right.set(xlim=(-0.5, 1.5), xticks=[0, 1], xticklabels=["constant", "yours"])
    right.set(ylim=(center - 0.2, center + 0.15), ylabel="validation loss")
    verdict = right.text(0.5, 0.02, "", transform=right.transAxes, ha="center", va="bottom")
    titles = left.set_title("Σ rate", loc="left"), right.set_title("yours 0.00", loc="left")
    names = ("rate", "area", "mean", "band", "runs", "result", "verdict")
    made = dict(zip(names, (rate, area, mean, band, runs, result, verdict)))
    return figure, made | dict(zip(("left title", "right title"), titles))
