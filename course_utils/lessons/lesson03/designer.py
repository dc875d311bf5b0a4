"""The schedule designer of lesson 3: draw a schedule, and see a network train under it at once.

Every design has the same plan: an optional warm-up to the peak rate, a hold at the peak, and then
a decay of the chosen family that ends at a floor when the run ends. Sixteen networks are trained
under it at every move, and compared, seed by seed, with the best constant rate.
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
from course_utils.experiments.datasets import digits
from course_utils.experiments.sweep import Sweep, sweep
from course_utils.schedules import Schedule
from course_utils.views.controls import choice_slider, menu, rates_between
from course_utils.views.explorer import Explorer, Task

STEPS = 310
SEEDS = range(16)
CONSTANT_RATES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
_SMOOTH = 20


def _linear_cosine(lr: float, D: int, floor: float) -> Schedule:
    """The family starts at (1 + β) η₀ and ends at β η₀: choose both so that the peak is lr."""
    if floor == 1:
        return schedules.constant(lr)
    return schedules.linear_cosine(lr * (1 - floor), D, beta=floor / (1 - floor))


def _last(lr: float, floor: float) -> float:
    """The rate at the end, without the digits that binary fractions add: 0.014, not 0.01399…9."""
    return float(f"{lr * floor:.12g}")


# Each decay takes (peak, number of steps D, floor as a fraction of the peak) and ends at the floor.
_DECAYS: dict[str, Callable[[float, int, float], Schedule]] = {
    "constant": lambda lr, D, floor: schedules.constant(lr),
    "piecewise constant": lambda lr, D, floor: schedules.piecewise_constant(
        [D // 3, 2 * D // 3], [lr, lr * floor**0.5, _last(lr, floor)]
    ),
    "exponential": lambda lr, D, floor: schedules.exponential(lr, D, floor),
    "inverse time": lambda lr, D, floor: schedules.inverse_time(lr, D, 1 / floor - 1),
    "linear": lambda lr, D, floor: schedules.polynomial(lr, D, end_lr=_last(lr, floor)),
    "polynomial, power 2": lambda lr, D, floor: schedules.polynomial(
        lr, D, end_lr=_last(lr, floor), power=2.0
    ),
    "cosine": lambda lr, D, floor: schedules.cosine(lr, D, alpha=floor),
    "cosine restarts": lambda lr, D, floor: schedules.cosine_restarts(
        lr, -(-D // 3), t_mul=1.0, alpha=floor
    ),
    "linear cosine": lambda lr, D, floor: _linear_cosine(lr, D, floor),
}
FAMILIES = tuple(_DECAYS)
WARMUPS = tuple(round(0.05 * k, 2) for k in range(11))
HOLDS = tuple(round(0.05 * k, 2) for k in range(19))
FLOORS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def design(
    family: str, lr: float, warmup: float = 0.0, hold: float = 0.0, floor: float = 0.01,
    steps: int = STEPS,
) -> Schedule:  # fmt: skip
    """Return the schedule of a design: warm-up, hold at the peak, decay to the floor.

    Args:
        family: one of `FAMILIES`.
        lr: the peak rate, greater than 0.
        warmup: share of the run spent rising from almost 0, from 0 to 0.5.
        hold: share of what is left that is spent at the peak, from 0 to 0.9.
        floor: the last rate as a fraction of the peak, above 0 and at most 1.
        steps: length of the run, at least 20.

    Example:
        >>> design("linear", 0.5, hold=0.5, floor=0.1, steps=100)([0, 49, 75, 100])
        array([0.5  , 0.5  , 0.275, 0.05 ])
        >>> design("cosine", 0.5)
        cosine(lr=0.5, decay_steps=310, alpha=0.01)
    """
    validate.one_of("family", family, FAMILIES)
    lr, steps = validate.positive("lr", lr), validate.integer("steps", steps, 20)
    rise = round(validate.between("warmup", warmup, 0, 0.5) * steps)
    held = round(validate.between("hold", hold, 0, 0.9) * (steps - rise))
    floor = validate.between("floor", validate.positive("floor", floor), 0, 1)
    schedule = _DECAYS[family](lr, steps - rise - held, floor)
    if held and family != "constant":
        schedule = schedules.join([lr, schedule], [held])
    return schedules.with_warmup(schedule, rise, start_factor=1 / rise) if rise else schedule


@cache
def _data() -> Any:
    return digits().with_label_noise(0.1, seed=0)


def train_under(rates: Any, steps: int = STEPS) -> Sweep:
    """Train 16 networks (64-16-10) under each schedule, on the digits with 10 % wrong labels.

    Args:
        rates: floats or schedules, as in `sweep.sweep`.
        steps: updates of every run.

    Example:
        >>> train_under([0.3], steps=20).final("validation_loss").shape
        (1, 16)
    """
    return sweep(
        rates, SEEDS, data=_data(), hidden=(16,), batch_size=16, steps=steps,
        evaluate_on=("validation",),
    )  # fmt: skip


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
    family: str, lr: float, warmup: float, hold: float, floor: float, steps: int
) -> dict[str, Any]:
    """Rates as used, losses (S, T) and (S,), and how much lower than the best constant, paired."""
    schedule = design(family, lr, warmup, hold, floor, steps)
    table = train_under([schedule], steps)
    constant = best_constant(steps)
    final = table.final("validation_loss")[0]
    difference = constant["loss"] - final
    return {
        "schedule": schedule,
        "lr": table.lr[0],
        "area": schedule.area(steps),
        "loss": np.asarray(table.loss[0], dtype=float),
        "final": final,
        "constant": constant,
        "gain": float(difference.mean()),
        "gain_error": float(difference.std(ddof=1) / np.sqrt(len(difference))),
        "diverged": table.diverged[0],
        "steps": steps,
    }


def _beats_constant(data: Mapping[str, Any]) -> bool:
    return bool(data["gain"] > 2 * data["gain_error"])


def _preview(artists: Mapping[str, Artist], *, steps: int, **values: Any) -> None:
    """Show the schedule of a design, which follows the hand while the networks still train."""
    schedule = design(**values, steps=steps)
    _draw_schedule(artists, schedule(np.arange(steps)), schedule.area(steps))
    artists["right title"].set_text("training …")


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
    label = f"yours {final.mean():.2f}" if final.mean() < 100 else "diverged"
    artists["right title"].set_text(label)
    return _in_words(data, float(final.mean()))


def _draw_schedule(artists: Mapping[str, Artist], lr: np.ndarray, area: float) -> None:
    steps = np.arange(len(lr))
    artists["rate"].set_data(steps, lr)
    artists["area"].set_verts([_polygon(steps, np.zeros(len(steps)), lr)])
    artists["left title"].set_text(f"Σ rate = {area:.1f}")


def _in_words(data: Mapping[str, Any], final: float) -> str:
    constant, bad = data["constant"], int(np.sum(data["diverged"]))
    text = (
        f"{data['schedule']!r}: area {data['area']:.1f}. Validation loss after {data['steps']} "
        f"updates {final:.3f}, mean of {len(data['final'])} runs; best constant rate "
        f"({constant['lr']:g}) {constant['loss'].mean():.3f}. "
    )
    if bad:
        return text + f"{bad} of {len(data['final'])} runs diverged."
    verdict = "better" if data["gain"] > 0 else "worse"
    clear = abs(data["gain"]) > 2 * data["gain_error"]
    change = "Lower" if data["gain"] >= 0 else "Higher"
    return text + (
        f"{change} by {abs(data['gain']):.3f} ± {data['gain_error']:.3f}: "
        + (f"{verdict} than every constant rate." if clear else "no difference detected.")
    )


def _polygon(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.column_stack([np.append(x, x[::-1]), np.append(low, high[::-1])])


def _spread(center: float, count: int) -> np.ndarray:
    return center + np.linspace(-0.2, 0.2, count)


def schedule_designer(steps: int = STEPS) -> Explorer:
    """Return the explorer of lesson 3: design a schedule, and beat the best constant rate.

    Args:
        steps: updates of every run.

    Example:
        >>> explorer = schedule_designer(steps=40)
        >>> explorer.set(family="cosine", lr=0.7)
        >>> explorer.data["schedule"]
        cosine(lr=0.7, decay_steps=40, alpha=0.01)
        >>> explorer.close()
    """
    steps = validate.integer("steps", steps, 20)
    constant = best_constant(steps)
    figure, artists = _designer_figure(steps, constant)
    return Explorer(
        {
            "family": menu(FAMILIES, "constant", "family"),
            "lr": choice_slider(rates_between(0.05, 1.5), constant["lr"], "peak rate η"),
            "warmup": choice_slider(WARMUPS, 0.0, "warm-up (share)"),
            "hold": choice_slider(HOLDS, 0.0, "hold at the peak"),
            "floor": choice_slider(FLOORS, 0.01, "last rate / peak"),
        },
        partial(_compute, steps=steps),
        _draw,
        figure,
        artists,
        task=Task(
            f"Beat the best constant rate ({constant['lr']:g}): a validation loss that is lower "
            "by more than two standard errors over 16 paired runs.",
            _beats_constant,
        ),
        presets={
            "too small": {"family": "exponential", "lr": 0.3, "floor": 0.001},
            "too large": {"family": "linear", "lr": 1.4, "floor": 0.01},
        },
        preview=partial(_preview, steps=steps),
    )


def _designer_figure(steps: int, constant: Mapping[str, Any]) -> tuple[Figure, dict[str, Artist]]:
    figure, (left, middle, right) = views.subplots(cols=3, width_ratios=(3, 3, 1.7))
    at = np.arange(steps)
    left.axhline(constant["lr"], color=views.GRAY, ls="--", lw=1.4)
    left.set(ylim=(0, 1.55), xlabel=views.STEP_LABEL, ylabel=views.RATE_LABEL)
    (rate,) = left.plot(at, np.zeros(steps), "-", color=views.BLUE, drawstyle="steps-post")
    area = left.fill_between(at, 0, 1, color=views.BLUE, alpha=0.15, lw=0)
    middle.plot(at, constant["curve"], "--", color=views.GRAY, label="best constant rate")
    (mean,) = middle.plot(at, np.ones(steps), "-", color=views.BLUE, label="your schedule")
    band = middle.fill_between(at, 0.9, 1, color=views.BLUE, alpha=0.15, lw=0)
    middle.set(
        yscale="log", ylim=(0.15, 5), xlabel=views.STEP_LABEL, title="Training loss, 16 runs"
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
    right.set(ylim=(center - 0.15, center + 0.3), ylabel="validation loss")
    titles = left.set_title("Σ rate", loc="left"), right.set_title("yours 0.00", loc="left")
    names = ("rate", "area", "mean", "band", "runs", "result", "left title", "right title")
    return figure, dict(zip(names, (rate, area, mean, band, runs, result, *titles)))
