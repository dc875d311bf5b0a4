"""Which questions a learner has answered: empty files in one folder, and nothing else.

Each right answer is one empty file, such as `.progress/03.write_cosine.v1`, beside the lessons. To
create a file is one step for the operating system. So two notebooks that are open at once lose
nothing, nothing can be half written, and nothing has to be locked or repaired. No answer and no
time is kept, and nothing is ever sent.

Progress is a nicety: where it cannot be kept, `record` says so once and the lesson goes on.
"""

from __future__ import annotations

import os
import re
import warnings
from contextlib import suppress
from pathlib import Path

from course_utils import validate

VARIABLE = "COURSE_PROGRESS"
"""The environment variable that names another folder, or says `off`."""

OFF = "off"
START_PAGE = "00_start_here.ipynb"
FOLDER = ".progress"

_MARK = re.compile(r"(?P<lesson>\d{2})\.(?P<question>[^\W\d]\w*)\.v(?P<version>\d+)")
_VERSION = 1  # of what a file means; files of other versions are left alone until `forget`
_said: set[str] = set()


def path() -> Path | None:
    """Return the folder of the learner's progress, or None where progress is switched off.

    The environment variable COURSE_PROGRESS decides. Where it is not set, the folder is `.progress`
    beside the lessons: in the current folder if the start page is there, as it is in a notebook,
    or else in the folder `notebooks` of the course.

    Example:
        >>> os.environ["COURSE_PROGRESS"] = "off"
        >>> path() is None
        True
    """
    wanted = os.environ.get(VARIABLE, "").strip()
    if wanted.lower() == OFF:
        return None
    if wanted:
        return Path(os.path.abspath(os.path.expanduser(wanted)))
    here, course = Path(), Path(__file__).resolve().parents[2] / "notebooks"
    beside = here if (here / START_PAGE).exists() or not course.is_dir() else course
    return Path(os.path.abspath(beside / FOLDER))


def record(lesson: int, question: str) -> bool:
    """Keep that a question was answered rightly.

    Args:
        lesson: the number of the lesson, 1 to 99.
        question: the name of the question in the module of the lesson.

    Returns:
        Whether it is kept now. False where progress is off, and where the folder cannot be written
        to; the latter is said once, as a warning, and never raised.

    Raises:
        ValueError: if lesson or question is out of range.
        TypeError: if lesson is not an integer.

    Example:
        >>> record(3, "write cosine")
        Traceback (most recent call last):
            ...
        ValueError: question must be a Python name, got 'write cosine'
    """
    lesson = int(validate.between("lesson", validate.integer("lesson", lesson), 1, 99))
    if not isinstance(question, str) or not question.isidentifier():
        raise ValueError(f"question must be a Python name, got {question!r}")
    folder = path()
    if folder is None:
        return False
    mark = folder / f"{lesson:02}.{question}.v{_VERSION}"
    try:
        _create(mark)
    except OSError as error:
        _say_once(
            f"Your progress cannot be kept in {folder} ({error.strerror or error}). The lesson "
            f"goes on without it. Set {VARIABLE} to another folder, or to {OFF}."
        )
        return False
    return True


def solved() -> dict[int, set[str]]:
    """Return the names of the questions answered so far, by number of the lesson.

    A folder that is missing or cannot be read, and files that are no marks of this version, count
    as nothing.

    Example:
        >>> os.environ["COURSE_PROGRESS"] = "off"
        >>> solved()
        {}
    """
    found: dict[int, set[str]] = {}
    for mark in _marks():
        if int(mark["version"]) == _VERSION:
            found.setdefault(int(mark["lesson"]), set()).add(mark["question"])
    return dict(sorted(found.items()))


def forget() -> str:
    """Delete the learner's progress, and say in one sentence what was done.

    Only marks are deleted, and the folder if nothing else is in it.

    Example:
        >>> os.environ["COURSE_PROGRESS"] = "off"
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


def _create(mark: Path) -> None:
    """Make an empty file; again if `forget` has just taken the folder away."""
    for last_chance in (False, True):
        mark.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.close(os.open(mark, os.O_CREAT | os.O_WRONLY, 0o644))
            return
        except FileNotFoundError:
            if last_chance:
                raise


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
