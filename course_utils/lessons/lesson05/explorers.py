"""The viewer of lesson 5: the whole record, one comparison at a time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from matplotlib.artist import Artist

from course_utils import validate, views
from course_utils.experiments.table import Table, load
from course_utils.lessons.lesson05.figures import (
    AXIS,
    comparison_axes,
    fill_comparison,
    levels,
)
from course_utils.lessons.lesson05.rules import RULES
from course_utils.views.controls import menu
from course_utils.views.explorer import Explorer, Task

FILES = {
    "digits, 93 updates": "05_digits_93.json",
    "digits, 930 updates": "05_digits_930.json",
    "digits, 9300 updates": "05_digits_9300.json",
    "noisy digits, 93 updates": "05_noisy_93.json",
    "noisy digits, 930 updates": "05_noisy_930.json",
    "noisy digits, 9300 updates": "05_noisy_9300.json",
    "teacher, 93 updates": "05_teacher_93.json",
    "teacher, 930 updates": "05_teacher_930.json",
    "rare features, 40 updates": "05_rare_40.json",
    "rare features, 400 updates": "05_rare_400.json",
    "rare features, 4000 updates": "05_rare_4000.json",
    "dense features, 400 updates": "05_dense_400.json",
    "other split of the digits, 930 updates": "05_split_930.json",
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
    rules = tuple(RULES)
    figure, ax = views.subplots(size=(10, 4.8))
    artists = comparison_axes(ax, rules)
    artists["title"] = ax.set_title(start, loc="left")

    def compute(task: str, metric: str, settings: str) -> dict[str, Any]:
        found = levels(_tables(path / FILES[task]), metric, SETTINGS[settings])
        return {"task": task, "metric": metric, "settings": settings, "levels": found}

    def draw(data: Mapping[str, Any], artists: Mapping[str, Artist]) -> str:
        found, metric = data["levels"], data["metric"]
        ax.set_xlim(*fill_comparison(artists, found, rules))
        ax.set_xlabel(AXIS[metric])
        artists["title"].set_text(f"{data['task']}; {data['settings']}")
        first = best(found, metric)
        unit = " %" if metric == "accuracy" else " nats"
        return (
            f"{data['task']}, {data['settings']}: the best mean has {first}, "
            f"{found[first].mean:.3g}{unit} (95 % interval {found[first].low:.3g} to "
            f"{found[first].high:.3g})."
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


def best(found: Mapping[str, Any], metric: str) -> str:
    """Return the arm with the best mean."""
    sign = -1 if metric == "accuracy" else 1
    return min(found, key=lambda arm: sign * found[arm].mean)


_TASK = (
    "Everyone at its own best: find a comparison that an arm at a constant rate wins outright (its "
    "mean is the best of all)."
)


def _reached(data: Mapping[str, Any]) -> bool:
    first = best(data["levels"], data["metric"])
    return data["settings"] != "PyTorch's defaults" and first.endswith("constant")
