"""The figures of lesson 10 that are longer than a notebook cell should be; no training in here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from course_utils import views
from course_utils.experiments.intervals import Estimate, estimate
from course_utils.experiments.table import Table
from course_utils.lessons.lesson10.strips import STRIPS, lost
from course_utils.lessons.lesson10.task import EPOCHS, UPDATES
from course_utils.run import Run
from course_utils.views import Picture

_POINTS = 100  # of accuracy


def strips(rates: Mapping[int, np.ndarray], tables: Mapping[str, Table], title: str) -> Picture:
    """Return the rates that ran (solid) under those announced (dashed), and what the run lost.

    Args:
        rates: number of the strip -> the rate of each of the 930 updates.
        tables: the recorded file 10_strips.json.
        title: the finding.

    Example:
        >>> same = Table([0.5], [0, 1], {m: [[0.2, 0.3]] for m in ("test_loss", "test_accuracy")})
        >>> tables = {f"strip {n}, {k}": same for n in STRIPS for k in ("wrong", "right")}
        >>> strips({n: np.full(930, 0.5) for n in STRIPS}, tables, "Flat").alt[:53]
        'Flat. Rates that ran, at every eighth of the run, and'
    """
    fig, axes = views.subplots(4, 2, size=(12, 12.5), sharex=True, sharey=True)
    epoch = np.arange(EPOCHS * UPDATES) / UPDATES
    words = []
    for ax, (number, used) in zip(axes.flat, rates.items()):
        strip = STRIPS[number]
        ax.step(epoch, used, where="post", color=views.BLUE, ls="-", lw=3.4)
        planned = strip.announced(np.arange(len(epoch)))
        ax.step(epoch, planned, where="post", color=views.BLACK, ls="--", lw=1.4)
        ax.set_title(f"{number}. {strip.announcement}", fontsize=12)
        cost = _cost(tables, number)
        ax.text(0.98, 0.94, cost, transform=ax.transAxes, ha="right", va="top", fontsize=11)
        words.append(f"strip {number}: {_eighths(used)} ({cost})".replace("\n", ", "))
    axes[0, 0].set(ylim=(-0.03, 0.78), xlim=(0, EPOCHS))
    for ax in axes[-1]:
        ax.set_xlabel(f"epoch ({UPDATES} updates each)")
    for ax in axes[:, 0]:
        ax.set_ylabel(views.RATE_LABEL)
    views.suptitle(fig, title)
    alt = f"{title}. Rates that ran, at every eighth of the run, and the cost: {'; '.join(words)}."
    return views.with_alt(fig, alt=alt)


def _eighths(lr: np.ndarray) -> str:
    at = np.linspace(0, len(lr) - 1, 9).round().astype(int)
    return ", ".join(f"{rate:.2g}" for rate in lr[at])


def _cost(tables: Mapping[str, Table], number: int) -> str:
    points = estimate(_POINTS * lost(tables, number, "test_accuracy"))
    loss = estimate(lost(tables, number, "test_loss"))
    digits = 0 if abs(points.mean) > 10 else 2
    return f"accuracy {_signed(points, digits)} points\nloss {_signed(loss, 3)}"


def _signed(found: Estimate, digits: int) -> str:
    """The mean and half of its 95 % interval."""
    reach = (found.high - found.low) / 2
    return f"{found.mean:+.{digits}f} ± {reach:.{digits}f}".replace("-", "−")


def resumed(planned: Any, ran: Mapping[str, Any], title: str) -> Picture:
    """Return the rates of eight updates, of which the last four follow a stop, way by way.

    Args:
        planned: the rates of the plan, (8,).
        ran: the way -> the rates of the four updates after the stop.
        title: the finding.

    Example:
        >>> resumed(range(8), {"all loaded": range(4, 8)}, "Four each").alt
        'Four each. Planned: 0, 1, 2, 3, 4, 5, 6, 7. After the stop: all loaded: 4, 5, 6, 7.'
    """
    fig, ax = views.subplots(size=(10, 4.2))
    planned = np.asarray(planned, dtype=float)
    ax.plot(planned, "s--", color=views.BLACK, lw=1.4, ms=9, mfc="none", label="planned")
    for i, (way, rates) in enumerate(ran.items()):
        ax.plot(np.arange(4, 8), rates, label=views.as_label(way), **_look(i, "os^vD", 7))
    ax.axvline(3.5, color=views.GRAY, ls=":")
    ax.text(3.45, ax.get_ylim()[1], "stopped ", ha="right", va="top", color=views.GRAY)
    ax.set(xlabel=views.STEP_LABEL, ylabel=views.RATE_LABEL)
    legend_title = "made and loaded, in this order"
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title=legend_title)
    ax.set_title(title)
    told = "; ".join(f"{way}: {_listed(rates)}" for way, rates in ran.items())
    alt = f"{title}. Planned: {_listed(planned)}. After the stop: {told}."
    return views.with_alt(fig, alt=alt, scale=1.2)


def _look(i: int, markers: str, size: int) -> dict[str, Any]:
    """The looks of line i; the first is broad, for the others run over it."""
    look = {"marker": markers[i % len(markers)], "ms": size, **views.line_style(i)}
    return look | ({"lw": 7, "ms": 11, "alpha": 0.4} if i == 0 else {})


def _listed(rates: Any) -> str:
    return ", ".join(f"{float(rate):.3g}" for rate in rates)


def clipped(tables: Mapping[str, Table], steps: int, title: str) -> Picture:
    """Return the validation loss against the nominal rate, with and without clipping.

    Args:
        tables: the recorded file 10_clipping.json.
        steps: which of its budgets.
        title: the finding.

    Example:
        >>> few = Table([0.1, 0.2], [0], {"validation_loss": [[0.5], [0.25]]})
        >>> names = [f"{o}, clip {c}, 9 updates" for o in ("sgd", "adam") for c in ("none", 0.1)]
        >>> clipped(dict.fromkeys(names, few), 9, "Alike").alt[:48]
        'Alike. SGD, no clipping: best 0.2, loss 0.250; S'
    """
    fig, axes = views.subplots(1, 2, size=(12, 4.6), sharey=True)
    words = []
    for ax, (optimizer, name) in zip(axes, {"sgd": "SGD", "adam": "Adam"}.items()):
        for clip in ("none", "0.1"):
            found = tables[f"{optimizer}, clip {clip}, {steps} updates"]
            label = "no clipping" if clip == "none" else f"clipped to {clip}"
            views.sensitivity_curve(ax, found, "validation_loss", label, log=True)
            best = found.best("validation_loss")
            words.append(f"{name}, {label}: best {best.lr:g}, loss {best.value:.3f}")
        ax.set(xlabel="peak of the nominal rate")
        ax.set_title(f"{name}, {steps} updates, {len(found.seeds)} seeds")
    views.suptitle(fig, title)
    return views.with_alt(fig, alt=f"{title}. {'; '.join(words)}.", scale=1.2)


def effective(runs: Sequence[Run], title: str) -> Picture:
    """Return the length of the gradients, and below it the nominal and the effective rate.

    Args:
        runs: trainings by `train` with the same `clip` and schedule; their means are drawn,
            smoothed over 25 updates.
        title: the finding.

    Example:
        >>> meta = {"clip": 0.1, "effective_lr": [0.5, 0.25]}
        >>> one = Run(lr=[1, 1], loss=[2, 1], grad_norm=[0.2, 0.4], final_loss=1, meta=meta)
        >>> effective([one], "Halved").alt
        'Halved. Nominal rate 1 to 1; effective 0.5 at first, least 0.38 (step 1), 0.38 at last.'
    """
    fig, (above, below) = views.subplots(2, 1, size=(10, 5), sharex=True, height_ratios=(1, 1.2))
    norms = np.mean([run.grad_norm for run in runs], axis=0)
    acting = np.mean([run.meta["effective_lr"] for run in runs], axis=0)
    nominal, clip, steps = runs[0].lr, runs[0].meta["clip"], len(norms)
    above.plot(views.running_mean(norms, min(25, steps)), color=views.VERMILLION)
    above.axhline(clip, color=views.BLACK, ls="--", lw=1.2)
    above.text(steps, 1.05 * clip, f"clipped to {clip:g}", ha="right", va="bottom")
    above.set(ylabel="length of\nthe gradient", yscale="log")
    below.plot(nominal, color=views.GRAY, ls="--", label="nominal")
    smooth = views.running_mean(acting, min(25, steps))
    below.plot(smooth, color=views.BLUE, label="effective")
    top = 5 * float(nominal.max())
    below.set(xlabel=views.STEP_LABEL, ylabel=views.RATE_LABEL, yscale="log")
    below.set_ylim(0.6 * float(acting.min()), top)
    views.log_ticks(below.yaxis, 4)
    below.legend(loc="upper right", ncol=2)
    above.set_title(title)
    alt = (
        f"{title}. Nominal rate {nominal[0]:g} to {nominal[-1]:g}; effective {smooth[0]:.2g} at "
        f"first, least {smooth.min():.2g} (step {smooth.argmin()}), {smooth[-1]:.2g} at last."
    )
    return views.with_alt(fig, alt=alt)


def copied(rates: Mapping[str, np.ndarray], title: str) -> Picture:
    """Return the rates of a few schedules, update by update; the first one broad, underneath.

    Example:
        >>> copied({"a": np.array([0.1, 0.2])}, "Up").alt
        'Up. Rates at every fifth update: a: 0.1.'
    """
    fig, ax = views.subplots(size=(10, 3.6))
    for i, (label, lr) in enumerate(rates.items()):
        ax.plot(lr, label=views.as_label(label), **_look(i, "os^D", 6))
    ax.set(xlabel=views.STEP_LABEL, ylabel=views.RATE_LABEL, xticks=range(0, len(lr), 5))
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    ax.set_title(title)
    told = "; ".join(f"{label}: {_listed(lr[::5])}" for label, lr in rates.items())
    return views.with_alt(fig, alt=f"{title}. Rates at every fifth update: {told}.")
