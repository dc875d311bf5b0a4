"""Which exercises a learner has solved: empty files in one folder, and nothing else.

Each right answer is one empty file, such as `.progress/03.write_cosine.v1`, beside the lessons. To
create a file is one step for the operating system. So two notebooks that are open at once lose
nothing, nothing can be half written, and nothing has to be locked or repaired. No answer and no
time is kept, and nothing is ever sent.

Progress is a nicety: where it cannot be kept, `record` says so once and the lesson goes on.
"""

from __future__ import annotations

import html
import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_utils import validate

VARIABLE = "COURSE_PROGRESS"
"""The environment variable that names another folder, or says `off`."""

OFF = "off"
BROWSER = "COURSE_BROWSER"
"""The environment variable that the browser edition sets: the numbers of the lessons it runs."""

START_PAGE = "00_start_here.ipynb"
FOLDER = ".progress"

_MARK = re.compile(r"(?P<lesson>\d{2})\.(?P<question>[^\W\d]\w*)\.v(?P<version>\d+)")
_VERSION = 1  # of what a file means; files of other versions are left alone until `forget`
_MOST_NAMES = 3  # of open exercises that are listed
_said: set[str] = set()


def path() -> Path | None:
    """Return the folder of the learner's progress, or None where progress is switched off.

    The environment variable COURSE_PROGRESS decides. Where it is not set, the folder is `.progress`
    beside the lessons: in the current folder if the start page is there, as it is in a notebook,
    or else in the folder `notebooks` of the course.

    Example:
        >>> path() is None  # as COURSE_PROGRESS is off in tests
        True
    """
    wanted = os.environ.get(VARIABLE, "").strip()
    if wanted.lower() == OFF:
        return None
    course = Path(__file__).resolve().parents[2] / "notebooks"
    beside = course if os.path.isdir(course) and not os.path.exists(START_PAGE) else Path()
    folder = os.path.expanduser(wanted) if wanted else beside / FOLDER
    with suppress(OSError):  # the current folder may be gone
        folder = os.path.abspath(folder)
    return Path(folder)


def record(lesson: int, question: str) -> bool:
    """Keep that a question of a lesson (1 to 99) was answered rightly; return whether it is kept.

    It is not where progress is off, and where the folder cannot be written to; the latter is said
    once, as a warning, and never raised.

    Example:
        >>> record(3, "write cosine")
        Traceback (most recent call last):
            ...
        ValueError: lesson and question must be like 3, 'write_cosine', got 3, 'write cosine'
    """
    lesson = validate.integer("lesson", lesson, minimum=1)
    name = f"{lesson:02}.{question}.v{_VERSION}"
    if not _MARK.fullmatch(name):
        raise ValueError(
            f"lesson and question must be like 3, 'write_cosine', got {lesson!r}, {question!r}"
        )
    folder = path()
    if folder is None:
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.close(os.open(folder / name, os.O_CREAT | os.O_WRONLY, 0o644))
    except OSError as error:
        _say_once(
            f"Your progress cannot be kept in {folder} ({error.strerror or error}). The lesson "
            f"goes on without it. Set {VARIABLE} to another folder, or to {OFF}."
        )
        return False
    return True


def trouble() -> str:
    """Return why progress cannot be kept, or "" if it can: by trying, for rights do not say it all.

    The folder is made; what is written into it is gone at once.

    Example:
        >>> trouble()
        ''
    """
    folder = path()
    try:
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def solved() -> dict[int, set[str]]:
    """Return the names of the questions answered so far, by number of the lesson.

    A folder that is missing or cannot be read, and files that are no marks of this version, count
    as nothing.

    Example:
        >>> solved()
        {}
    """
    found: dict[int, set[str]] = {}
    for mark in _marks():
        if int(mark["version"]) == _VERSION:
            found.setdefault(int(mark["lesson"]), set()).add(mark["question"])
    return found


def forget() -> str:
    """Delete the learner's progress, and say in one sentence what was done.

    Only marks are deleted, and the folder if nothing else is in it.

    Example:
        >>> forget()
        'Progress is switched off: there is nothing to forget.'
    """
    folder = path()
    if folder is None:
        return "Progress is switched off: there is nothing to forget."
    marks = _marks()
    try:
        for mark in marks:
            (folder / mark.string).unlink(missing_ok=True)
    except OSError as error:
        return (
            f"Not everything could be deleted ({error.strerror}). Delete this folder by hand: "
            f"{folder}"
        )
    with suppress(OSError):  # not empty, or not there
        folder.rmdir()
    return f"Forgotten: {len(marks)} right answer{'' if len(marks) == 1 else 's'}."


@dataclass(frozen=True)
class Overview:
    """The exercises of each lesson, and which of them are solved; a table in Jupyter.

    Args:
        exercises: lesson -> the names of its exercises, in order.
        solved: lesson -> names of questions answered rightly. A prediction, whose wrong answer
            teaches as much as a right one, is no exercise and does not count.
        where: a sentence on where this is kept.

    Example:
        >>> Overview({1: ("one_step_rate", "same_clock")}, {1: {"same_clock"}}, "Kept here.")
        lesson 1  ■□ 1 of 2  one_step_rate
        Together 1 of 2 exercises are solved. Kept here.
    """

    exercises: Mapping[int, Sequence[str]]
    solved: Mapping[int, set[str]]
    where: str

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        for lesson, names in self.exercises.items():
            still = [name for name in names if name not in self.solved.get(lesson, ())]
            done = len(names) - len(still)
            bar = "■" * done + "□" * len(still)
            listed = ", ".join([*still[:_MOST_NAMES], *(["..."] if still[_MOST_NAMES:] else [])])
            yield str(lesson), f"{bar} {done} of {len(names)}", listed or "all solved"

    @property
    def summary(self) -> str:
        """All lessons together, and where this is kept."""
        everything = {(number, name) for number, names in self.exercises.items() for name in names}
        answered = {(number, name) for number, names in self.solved.items() for name in names}
        done = len(everything & answered)
        return f"Together {done} of {len(everything)} exercises are solved. {self.where}"

    def __repr__(self) -> str:
        return "\n".join([*("  ".join(("lesson " + row[0], *row[1:])) for row in self._rows()),
                          self.summary])  # fmt: skip

    def html(self) -> str:
        """The table, and the sentence below it."""
        from course_utils.views import tables  # here: lessons are to be counted without Matplotlib

        table = tables.html(("Lesson", "Solved", "Still open"), self._rows())
        return f"{table}<p>{html.escape(self.summary)}</p>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        """Live, so that a stored page does not show somebody else's progress."""
        stored = "The exercises you have solved. (To see them, run the cell.)"
        return live(self.html())._repr_mimebundle_(**kwargs) | {"text/plain": stored}


def my_progress(exercises: Mapping[int, Sequence[str]]) -> Overview:
    """Return which of the exercises {lesson: names} the learner has solved so far.

    Example:
        >>> my_progress({1: ("one_step_rate",)}).summary.partition(" Nothing")[0]
        'Together 0 of 1 exercises are solved.'
    """
    folder = path()
    where = f"Nothing is kept: {VARIABLE} is {OFF}."
    if folder and os.environ.get(BROWSER):
        where = "This is kept in the storage of this browser only."
    elif folder:
        where = f"This is kept on this computer only, in the folder {folder}."
    return Overview(exercises, solved(), where)


def live(content: str) -> Any:
    """Return HTML as a widget, which a stored page does not show.

    Example:
        >>> live("<b>1 of 6</b>").value
        '<b>1 of 6</b>'
    """
    import ipywidgets as widgets  # here: it takes a tenth of a second, and exercises record

    # The class gives a table the looks that JupyterLab gives to those of other outputs.
    return widgets.HTML(content, tooltip="").add_class("jp-RenderedHTMLCommon")


def _marks() -> list[re.Match[str]]:
    """The names in the folder that are marks, of any version."""
    folder = path()
    try:
        names = sorted(os.listdir(folder)) if folder else []
    except OSError:
        return []
    return [match for name in names if (match := _MARK.fullmatch(name))]


def _say_once(text: str) -> None:
    """Warn, but only the first time, and also where warnings are made errors."""
    if text not in _said:
        _said.add(text)
        with suppress(UserWarning):
            warnings.warn(text, UserWarning, stacklevel=3)
