"""The live cool-down of lesson 8."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from course_utils import views
from course_utils.lessons.lesson08.training import TASKS, train
from course_utils.schedules import Schedule, constant, cosine, warmup_stable_decay
from course_utils.views.controls import RATE, choice_slider
from course_utils.views.explorer import Explorer, Task

END = 1000
STARTS = tuple(range(0, END + 1, 50))
"""Updates at which the cool-down may begin."""
PEAKS = (0.03, 0.06, 0.12, 0.24, 0.48)
LOOKS = tuple(range(100, END + 1, 100))
COSINE = 0.34
"""The best peak of a cosine made for these 1000 updates, on the seeds shown."""
_SEEDS = range(4)


@lru_cache(maxsize=256)
def _losses(plan: Schedule) -> np.ndarray:
    """The mean test loss at `LOOKS`, over four seeds."""
    found = train(TASKS["teacher"], [plan], _SEEDS, at=LOOKS)["last"]
    return np.array([found[n]["test_loss"].mean() for n in LOOKS])


def _plan(lr: float, start: int) -> Schedule:
    return warmup_stable_decay(lr, 0, start, END - start)


def _compute(lr: float, start: int) -> dict[str, Any]:
    return {
        "lr": lr,
        "start": start,
        "rates": _plan(lr, start)(np.arange(END + 1)),
        "loss": _losses(_plan(lr, start)),
        "constant": _losses(constant(lr)),
        "cosine": float(_losses(cosine(COSINE, END))[-1]),
    }


def _preview(artists: Mapping[str, Artist], lr: float, start: int) -> None:
    """The rates are known before the run."""
    artists["rates"].set_data(np.arange(END + 1), _plan(lr, start)(np.arange(END + 1)))
    artists["start"].set_data([start, start], [0, 1])


def _draw(data: Mapping[str, Any], artists: Mapping[str, Artist]) -> str:
    _preview(artists, data["lr"], data["start"])
    artists["constant"].set_data(LOOKS, data["constant"])
    artists["loss"].set_data(LOOKS, data["loss"])
    end = data["loss"][-1]
    artists["title"].set_text(f"After 1000 updates: {end:.3f}, planned cosine {data['cosine']:.3f}")
    return (
        f"Rate {data['lr']:g}, cool-down from update {data['start']} to {END}. Loss above the best "
        f"possible at the end: {end:.3f}; without a cool-down {data['constant'][-1]:.3f}; a cosine "
        f"made for {END} updates has {data['cosine']:.3f}."
    )


def cool_down() -> Explorer:
    """Return the explorer of lesson 8: a rate, and the update at which it begins to fall to 0.

    The teacher's task, 1000 updates, mean of four seeds, test loss above the best possible.

    Example:
        >>> explorer = cool_down()
        >>> explorer.set(lr=0.24, start=500)
        >>> explorer.task_reached
        True
        >>> explorer.close()
    """
    figure, artists = _figure()
    return Explorer(
        {
            "start": choice_slider(STARTS, 800, "cool-down begins at"),
            "lr": choice_slider(PEAKS, 0.12, RATE),
        },
        _compute,
        _draw,
        figure,
        artists,
        task=Task(
            "Hold the full rate for at least 400 updates, and end below the planned cosine.",
            lambda data: bool(data["start"] >= 400 and data["loss"][-1] < data["cosine"]),
        ),
        presets={
            "no cool-down": {"start": END},
            "the last tenth": {"start": 900},
            "from the start": {"start": 0},
        },
        preview=_preview,
    )


def _figure() -> tuple[Figure, dict[str, Artist]]:
    figure, (above, below) = views.subplots(2, 1, height_ratios=(3, 1.15), sharex=True)
    above.set(yscale="log", ylim=(0.15, 1.5), ylabel="loss above\nthe best possible")
    above.set_yticks([0.2, 0.5, 1.0], labels=["0.2", "0.5", "1"])
    above.minorticks_off()
    planned = float(_losses(cosine(COSINE, END))[-1])
    above.axhline(planned, color=views.GRAY, ls=":", label="cosine made for 1000")
    (plain,) = above.plot([], [], "o--", color=views.VERMILLION, ms=5, label="constant")
    (loss,) = above.plot([], [], "o-", color=views.BLUE, ms=6, label="with the cool-down")
    above.legend(loc="upper right", ncols=3)
    below.set(xlabel=views.STEP_LABEL, ylabel="learning\nrate", ylim=(0, 0.55), xlim=(-20, 1020))
    (rates,) = below.plot([], [], "-", color=views.BLUE)
    (start,) = below.plot([], [], ":", color=views.BLACK)
    lines = {"constant": plain, "loss": loss, "rates": rates, "start": start}
    return figure, {**lines, "title": above.set_title("After 1000 updates")}
