"""What a learner has solved so far: lesson by lesson, exercises only.

A prediction is made before an experiment to be compared with it, and a wrong one is worth as much
as a right one. So predictions do not count here.
"""

from __future__ import annotations

import html
from dataclasses import dataclass

from course_utils import progress

EXERCISES = {
    1: ("write_gradient_descent", "one_step_rate", "who_wrote_it", "same_clock", "rate_for_adam",
        "one_step_later"),
    2: ("largest_stable_rate", "steps_at_0_002", "name_the_regimes", "best_rate_and_factor",
        "detector", "free_the_loss"),
    3: ("strip_1", "strip_2", "strip_3", "strip_4", "strip_5", "strip_6", "write_cosine",
        "write_warmup", "fix_boundary", "gamma_per_update", "natural_rate", "area_of_a_cosine",
        "choose_schedule"),
    4: ("write_rmsprop", "missing_correction", "floor_of_rmsprop", "largest_heavy_ball_rate",
        "scale_the_inputs", "choose_and_defend"),
    5: ("write_warmup", "state_of_adam", "weight_left", "burst_threshold", "choose_and_defend"),
    6: ("last_linear", "parameters", "tenth_of_a_weight", "behind_a_dead_layer",
        "diagnose", "choose"),
    7: ("grid_size", "random_trials", "distinct_rates", "weight_decay", "trust", "threshold",
        "capstone"),
}  # fmt: skip
"""The exercises of each lesson in the order of the notebook (a test compares them). The modules of
the lessons would say the same, but to import all of them takes seconds."""

_MOST_NAMES = 3  # of open exercises that are listed


@dataclass(frozen=True)
class Overview:
    """The exercises of each lesson, and which of them are solved; a table in Jupyter.

    Args:
        solved: lesson -> names of exercises answered rightly; other names are ignored.
        where: a sentence on where this is kept.

    Example:
        >>> overview = Overview({1: {"same_clock"}}, "Kept here.")
        >>> overview.counts[1]
        (1, 6)
        >>> print(str(overview).splitlines()[0])
        lesson 1  ■□□□□□         1 of 6   open: write_gradient_descent, one_step_rate, ...
    """

    solved: dict[int, set[str]]
    where: str

    @property
    def counts(self) -> dict[int, tuple[int, int]]:
        """Lesson -> (solved exercises, all exercises)."""
        return {
            lesson: (len(names) - len(self.open(lesson)), len(names))
            for lesson, names in EXERCISES.items()
        }

    def open(self, lesson: int) -> list[str]:
        """Return the names of the exercises of a lesson that are not solved yet, in order."""
        return [name for name in EXERCISES[lesson] if name not in self.solved.get(lesson, ())]

    @property
    def summary(self) -> str:
        """All lessons together, in one sentence."""
        done, total = (sum(column) for column in zip(*self.counts.values()))
        return f"Together {done} of {total} exercises are solved."

    def _rows(self) -> list[tuple[int, str, str, str]]:
        """For each lesson: number, a bar of boxes, the count, what is open."""
        rows = []
        for lesson, (done, total) in self.counts.items():
            names = self.open(lesson)
            listed = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
            still = f"open: {listed}" if names else "all solved"
            rows.append((lesson, "■" * done + "□" * (total - done), f"{done} of {total}", still))
        return rows

    def __repr__(self) -> str:
        width = max(map(len, EXERCISES.values()))
        lines = [
            f"lesson {lesson}  {bar:{width}}  {count:>8}   {still}"
            for lesson, bar, count, still in self._rows()
        ]
        return "\n".join([*lines, self.summary, self.where])

    def _repr_html_(self) -> str:
        heads = "".join(
            f'<th scope="col" style="text-align: left">{head}</th>'
            for head in ("Lesson", "Solved", "Still open")
        )
        body = "".join(
            f'<tr><th scope="row" style="text-align: left">{lesson}</th>'
            f'<td style="text-align: left"><span aria-hidden="true" style="letter-spacing: 2px">'
            f"{bar}</span>&ensp;{count}</td>"
            f'<td style="text-align: left">{html.escape(still.removeprefix("open: "))}</td></tr>'
            for lesson, bar, count, still in self._rows()
        )
        return (
            f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
            f"<p>{self.summary} {html.escape(self.where)}</p>"
        )


def my_progress() -> Overview:
    """Return the exercises that the learner has solved so far.

    Example:
        >>> import os
        >>> os.environ["COURSE_PROGRESS"] = "off"
        >>> my_progress().summary
        'Together 0 of 49 exercises are solved.'
    """
    folder = progress.path()
    if folder is None:
        where = f"Nothing is kept: {progress.VARIABLE} is {progress.OFF}."
    else:
        where = f"This is kept on this computer only, in the folder {folder}."
    return Overview(progress.solved(), where)
