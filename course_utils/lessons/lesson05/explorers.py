"""The viewer of lesson 5: the whole record, one comparison at a time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from matplotlib.artist import Artist

from course_utils import validate, views
from course_utils.experiments.table import Table, higher_is_better, load
from course_utils.lessons.lesson05.figures import (
    AXIS,
    comparison_axes,
    fill_comparison,
    levels,
)
from course_utils.views.controls import menu
from course_utils.views.explorer import Explorer, Task

FILES = {
    "digits, 93 updates": "05_digits_93.json",
    "digits, 930 updates": "05_digits_930.json",
    "noisy digits, 93 updates": "05_noisy_93.json",
    "noisy digits, 930 updates": "05_noisy_930.json",
    "teacher, 93 updates": "05_teacher_93.json",
    "teacher, 930 updates": "05_teacher_930.json",
    "rare features, 40 updates": "05_rare_40.json",
    "rare features, 400 updates": "05_rare_400.json",
    "dense features, 400 updates": "05_dense_400.json",
    "digits, other split, 930 updates": "05_split_930.json",
    "noisy digits, other split, 930 updates": "05_noisy_split_930.json",
}
"""What the menu offers -> its file in notebooks/results."""
SETTINGS = {
    "own best, by loss": "loss",
    "own best, by accuracy": "accuracy",
    "PyTorch's defaults": "default",
}


@lru_cache(maxsize=16)
def _tables(path: Path) -> dict[str, Table]:
    return load(path)


def record(folder: str = "results", start: str = "digits, 930 updates") -> Explorer:
    """Return the viewer: menus for task, metric and settings; means and 95 % intervals.

    Args:
        folder: with the recorded files.
        start: one of `FILES`.
    """
    path = validate.path("folder", folder)
    validate.one_of("start", start, FILES)
    figure, ax = views.subplots(size=(10, 4.8))
    artists = comparison_axes(ax)
    artists["title"] = ax.set_title(start, loc="left")

    def compute(task: str, metric: str, settings: str) -> dict[str, Any]:
        found = levels(_tables(path / FILES[task]), metric, SETTINGS[settings])
        return {"task": task, "metric": metric, "settings": settings, "levels": found}

    def draw(data: Mapping[str, Any], artists: Mapping[str, Artist]) -> str:
        found, metric = data["levels"], data["metric"]
        ax.set_xlim(*fill_comparison(artists, found))
        ax.set_xlabel(AXIS[metric])
        artists["title"].set_text(f"{data['task']}; {data['settings']}")
        shape, rule = best(found, metric)
        first, unit = found[shape][rule], " %" if metric == "accuracy" else " nats"
        return (
            f"{data['task']}, {data['settings']}: the best mean has {rule}, {shape}: "
            f"{first.mean:.3g}{unit} (95 % interval {first.low:.3g} to {first.high:.3g}); "
            "where intervals overlap, this names no winner. "
            f"Decayed means: {list(found)[1]} to zero."
        )

    return Explorer(
        {
            "task": menu(FILES, start, "task and budget"),
            "metric": menu(AXIS, "accuracy", "judged by"),
            "settings": menu(SETTINGS, "own best, by loss", "rate and knob"),
        },
        compute,
        draw,
        figure,
        artists,
        task=Task(_TASK, _reached),
    )


def best(found: Mapping[str, Mapping[str, Any]], metric: str) -> tuple[str, str]:
    """Return shape and rule with the best mean.

    >>> from course_utils.experiments.intervals import estimate
    >>> found = {"constant": {"Adam": estimate([1.0])}, "cosine": {"Adam": estimate([2.0])}}
    >>> best(found, "accuracy"), best(found, "loss")
    (('cosine', 'Adam'), ('constant', 'Adam'))
    """
    arms = [(shape, rule) for shape, ones in found.items() for rule in ones]
    pick = max if higher_is_better(metric) else min
    return pick(arms, key=lambda arm: found[arm[0]][arm[1]].mean)


_TASK = (
    "Everybody at its own best, judged by loss: find a task on which a rule at a constant rate has "
    "the best mean of all. Which rule is it, and what does its rate do?"
)


def _reached(data: Mapping[str, Any]) -> bool:
    shape, _ = best(data["levels"], data["metric"])
    mine = data["settings"] != "PyTorch's defaults" and data["metric"] == "loss"
    return mine and shape == "constant"
