"""Homework that can be handed in: tasks whose data and right answers follow the student's number.

A `Sheet` is a list of `Task`s. In the notebook of a sheet a student asks for the text of each task,
answers, and ends with `sheet.hand_in(number, name=answer, ...)`, which says what is missing and
judges nothing. `tools/grade.py` runs the notebooks that were handed in and calls `Sheet.judge`.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils import validate
from course_utils.course.exercises import (
    CORRECT,
    NOT_ATTEMPTED,
    NOT_YET,
    Outcome,
    Question,
    Text,
    is_stub,
    untouched,
)


@dataclass(frozen=True)
class Task:
    """One task of a sheet.

    Args:
        name: the variable or function that answers it.
        points: what it is worth.
        text: student's number -> what is asked, in Markdown.
        grade: (student's number, answer) -> what a right answer means; raises `Incorrect`, as the
            grader of a `Question` does. None: prose, read by a person with the rubric of the guide.
        right: student's number -> a right answer; None for prose.
    """

    name: str
    points: int
    text: Callable[[int], str]
    grade: Callable[[int, Any], str] | None = None
    right: Callable[[int], Any] | None = None


@dataclass(frozen=True)
class Sheet:
    """The tasks of one homework.

    Args:
        title: "1 (lessons 1 and 2)".
        tasks: in order.

    Example:
        >>> def text(student):
        ...     return f"Double {student}."
        >>> task = Task("a", 1, text, lambda student, answer: "Yes." * (answer == 2 * student))
        >>> Sheet("0", (task,)).task("a", 21)
        **Task a** (1 point). Double 21.
        >>> Sheet("0", (task,)).hand_in(21)
        ○ not attempted yet — Student 21. Still missing: a.
    """

    title: str
    tasks: tuple[Task, ...]

    def task(self, name: str, student: int) -> Text | Outcome:
        """Return the text of a task for a student."""
        if student is ...:
            return _NO_NUMBER
        tasks = {task.name: task for task in self.tasks}
        task = tasks[validate.one_of("name", name, tasks)]
        points = f"{task.points} point{'s' if task.points > 1 else ''}"
        return Text(f"**Task {name}** ({points}). {task.text(student_number(student))}")

    def hand_in(self, student: int, **answers: Any) -> Outcome:
        """Say which tasks are still without an answer. Nothing is judged, and nothing is sent."""
        if student is ...:
            return _NO_NUMBER
        known = [task.name for task in self.tasks]
        for name in answers:
            validate.one_of("answers", name, known)
        missing = [name for name in known if _is_missing(answers.get(name, ...))]
        student = student_number(student)
        if missing:
            return Outcome(
                NOT_ATTEMPTED, f"Student {student}. Still missing: {', '.join(missing)}."
            )
        return Outcome(
            CORRECT, f"Student {student}: every task has an answer. Save and hand it in."
        )

    def judge(self, student: int, answers: Mapping[str, Any]) -> dict[str, tuple[int | None, str]]:
        """Return {task: (points, why)}; points are None for prose, which a person reads."""
        student, judged = student_number(student), {}
        for task in self.tasks:
            answer = answers.get(task.name, ...)
            if task.grade is None:
                words = len(answer.split()) if isinstance(answer, str) else 0
                judged[task.name] = (None, f"{words} words, to be read")
            else:
                outcome = _outcome(task, student, answer)
                points = task.points if outcome.status == CORRECT else 0
                judged[task.name] = (points, f"{outcome.status}. {outcome.message}")
        return judged

    def owners(
        self, student: int, answers: Mapping[str, Any], others: Iterable[int]
    ) -> dict[str, list[int]]:
        """Return {task: the other students whose right answer was given}, wrong answers only."""
        found: dict[str, list[int]] = {}
        for task in self.tasks:
            answer = answers.get(task.name, ...)
            if task.grade is None or _outcome(task, student, answer).status != NOT_YET:
                continue
            fits = [n for n in others if _outcome(task, n, answer).status == CORRECT]
            found |= {task.name: fits} if fits else {}
        return found


_NO_NUMBER = Outcome(NOT_ATTEMPTED, "Write your student number into the first cell, and run it.")


def _is_missing(answer: Any) -> bool:
    """Whether nothing was answered: a placeholder, a stub, an empty text."""
    empty = isinstance(answer, str) and not answer.strip()
    return untouched(answer) or empty or is_stub(answer)


def _outcome(task: Task, student: int, answer: Any) -> Outcome:
    """What a question with this student's grader says to an answer: it never raises."""
    assert task.grade is not None
    grader = functools.partial(task.grade, student)
    return Question(task.name, grader, ("none",), None).check(answer)


def student_number(value: Any) -> int:
    """Return a student's number, a positive whole number of at most twelve digits.

    Example:
        >>> student_number("00417")
        417
    """
    digits = str(value).strip()
    if isinstance(value, bool) or not digits.isdecimal() or not 0 < int(digits) < 10**12:
        raise ValueError(
            f"the student number must be a positive whole number, got {value!r}: write it into "
            "the first cell of the sheet"
        )
    return int(digits)


def dice(student: int, what: str) -> np.random.Generator:
    """Return the random numbers of one student for one purpose, the same on every machine.

    Example:
        >>> int(dice(417, "rate").integers(100)), int(dice(418, "rate").integers(100))
        (41, 50)
    """
    text = f"{student_number(student)} {what}".encode()
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text).digest()[:8], "big"))
