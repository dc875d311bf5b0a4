"""What a learner has solved so far: lesson by lesson, exercises only.

A prediction is made before an experiment to be compared with it, and a wrong one is worth as much
as a right one. So predictions do not count here.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from course_utils.course import progress

_MOST_NAMES = 3  # of open exercises that are listed


@dataclass(frozen=True)
class Overview:
    """The exercises of each lesson, and which of them are solved; a table in Jupyter.

    Args:
        exercises: lesson -> the names of its exercises, in order.
        solved: lesson -> names of exercises answered rightly; other names are ignored.
        where: a sentence on where this is kept.

    Example:
        >>> Overview({1: ("one_step_rate", "same_clock")}, {1: {"same_clock"}}, "Kept here.")
        lesson 1  ■□    1 of 2   open: one_step_rate
        Together 1 of 2 exercises are solved.
        Kept here.
    """

    exercises: Mapping[int, Sequence[str]]
    solved: Mapping[int, set[str]]
    where: str

    @property
    def counts(self) -> dict[int, tuple[int, int]]:
        """Lesson -> (solved exercises, all exercises)."""
        return {
            lesson: (len(names) - len(self.open(lesson)), len(names))
            for lesson, names in self.exercises.items()
        }

    def open(self, lesson: int) -> list[str]:
        """Return the names of the exercises of a lesson that are not solved yet, in order."""
        return [name for name in self.exercises[lesson] if name not in self.solved.get(lesson, ())]

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
        width = max(map(len, self.exercises.values()))
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


def my_progress(exercises: Mapping[int, Sequence[str]]) -> Overview:
    """Return which of the exercises {lesson: names} the learner has solved so far.

    Example:
        >>> my_progress({1: ("one_step_rate",)}).counts
        {1: (0, 1)}
    """
    folder = progress.path()
    if folder is None:
        where = f"Nothing is kept: {progress.VARIABLE} is {progress.OFF}."
    else:
        where = f"This is kept on this computer only, in the folder {folder}."
    return Overview(exercises, progress.solved(), where)
