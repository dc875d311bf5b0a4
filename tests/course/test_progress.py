"""Progress is kept as empty files, by several kernels, and is never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from course_utils.course import progress
from course_utils.course.exercises import CORRECT, NOT_ATTEMPTED, NOT_YET, Question, grade_number
from course_utils.lessons.lesson01 import exercises

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for progress that does not exist yet."""
    monkeypatch.setenv(progress.VARIABLE, str(tmp_path / "kept" / "here"))
    monkeypatch.setattr(progress, "_said", set())
    return tmp_path / "kept" / "here"


def test_what_is_recorded_is_solved_until_it_is_forgotten(folder: Path) -> None:
    assert progress.solved() == {}
    for lesson, name in ((3, "write_cosine"), (1, "same_clock"), (3, "write_cosine"), (99, "q")):
        assert progress.record(lesson, name)
    assert progress.solved() == {1: {"same_clock"}, 3: {"write_cosine"}, 99: {"q"}}
    assert {(p.name, p.stat().st_size) for p in folder.iterdir()} == {
        ("01.same_clock.v1", 0), ("03.write_cosine.v1", 0), ("99.q.v1", 0),
    }  # fmt: skip
    assert progress.forget() == "Forgotten: 3 right answers."
    assert progress.solved() == {} and not folder.exists()
    assert progress.forget() == "Forgotten: 0 right answers."


def test_only_marks_are_read_and_deleted(folder: Path) -> None:
    """The variable may name a folder with other things in it; v2 is a mark of a later course."""
    progress.record(1, "same_clock")
    others = {"thesis.txt", "01.same_clock", "1.a.v1", "01.a-b.v1", "01.1a.v1", "01.a.v1.bak"}
    for name in (*others, "01.detector.v2"):
        (folder / name).touch()
    assert progress.solved() == {1: {"same_clock"}}
    assert progress.forget() == "Forgotten: 2 right answers."
    assert {p.name for p in folder.iterdir()} == others


@pytest.mark.parametrize(
    ("lesson", "question", "error", "words"),
    [
        (0, "q", ValueError, "lesson must be .* got 0"),
        (100, "q", ValueError, "got 100, 'q'"),
        ("1", "q", TypeError, "lesson must be an integer, got '1'"),
        (1, "", ValueError, "got 1, ''"),
        (1, "../../x", ValueError, "got 1, '../../x'"),
    ],
)
def test_bad_input_is_named(folder: Path, lesson, question, error, words) -> None:
    with pytest.raises(error, match=words):
        progress.record(lesson, question)
    assert not folder.exists()


# --- where ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["off", "OFF", " off "])
def test_off_keeps_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(progress.VARIABLE, value)
    assert progress.path() is None and progress.trouble() == ""
    assert not progress.record(1, "one_step_rate")
    assert progress.solved() == {} and "nothing to forget" in progress.forget()
    assert "Nothing is kept" in progress.my_progress({1: ("a",)}).where
    assert not folder.exists()


def test_the_folder_lies_beside_the_lessons(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(progress.VARIABLE, "  ")
    monkeypatch.chdir(tmp_path)
    assert progress.path() == ROOT / "notebooks" / progress.FOLDER  # no lessons here
    (tmp_path / progress.START_PAGE).touch()  # a copy of the lessons, as in a class
    assert progress.path() == Path.cwd() / progress.FOLDER
    assert f"notebooks/{progress.FOLDER}/" in (ROOT / ".gitignore").read_text().splitlines()
    assert (ROOT / "notebooks" / progress.START_PAGE).is_file()


def test_a_folder_named_by_the_variable_is_absolute(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(progress.VARIABLE, "mine")
    assert progress.path() == Path.cwd() / "mine"
    monkeypatch.setenv(progress.VARIABLE, "~/mine")
    assert progress.path() == Path.home() / "mine"


def test_tests_keep_nothing() -> None:
    assert progress.path() is None
    code = "import notebooks, os; print(os.environ['COURSE_PROGRESS'])"
    environment = {k: v for k, v in os.environ.items() if k != progress.VARIABLE}
    environment["PYTHONPATH"] = str(ROOT / "tools")
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "off\n", done.stderr


# --- never in the way ----------------------------------------------------------------------------


def refuse(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def blocked(folder: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it impossible to keep progress there."""
    if how == "a file in the way":
        folder.parent.write_text("a file")
    elif how == "too long a name":
        monkeypatch.setenv(progress.VARIABLE, str(folder / ("x" * 300)))
    elif how == "a folder of the system":
        monkeypatch.setenv(progress.VARIABLE, "/proc/x")
    elif how == "no rights":  # as they do not bind root, who may be running this
        for name in ("mkdir", "open", "listdir", "stat"):
            monkeypatch.setattr(os, name, refuse)
    elif how == "a full disk":
        folder.mkdir(parents=True)
        monkeypatch.setattr(os, "open", refuse)


BLOCKED = ["a file in the way", "too long a name", "no rights", "a full disk"]
BLOCKED += ["a folder of the system"] * os.path.isdir("/proc")


@pytest.mark.parametrize("how", BLOCKED)
def test_what_cannot_be_kept_is_said_once_and_the_lesson_goes_on(folder, monkeypatch, how) -> None:
    with monkeypatch.context() as patch:
        blocked(folder, how, patch)
        assert progress.trouble()
        with pytest.warns(UserWarning, match="progress cannot be kept.*COURSE_PROGRESS") as said:
            assert not progress.record(1, "same_clock")
            assert exercises.first_step.check(4.88).status == CORRECT
        assert len(said) == 1
        assert progress.solved() == {}
        assert progress.forget() == "Forgotten: 0 right answers."
        assert "0 of 1" in repr(progress.my_progress({1: ("same_clock",)}))


def test_it_raises_nothing_where_warnings_are_errors(folder: Path, monkeypatch) -> None:
    blocked(folder, "a file in the way", monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not progress.record(1, "same_clock")


def test_there_is_no_trouble_where_progress_can_be_kept(folder: Path) -> None:
    assert progress.trouble() == "" and list(folder.iterdir()) == []
    assert progress.record(1, "same_clock") and progress.trouble() == ""


def test_what_cannot_be_deleted_is_said(folder: Path) -> None:
    (folder / "01.same_clock.v1").mkdir(parents=True)  # unlink refuses a folder
    assert "by hand" in progress.forget() and str(folder) in progress.forget()


@pytest.mark.parametrize("wanted", ["", "mine"])
def test_a_current_folder_that_is_gone(tmp_path: Path, monkeypatch, wanted: str) -> None:
    monkeypatch.setenv(progress.VARIABLE, wanted)
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert progress.path() == (Path(wanted) if wanted else ROOT / "notebooks" / progress.FOLDER)
    assert isinstance(progress.trouble(), str)


# --- questions -----------------------------------------------------------------------------------


def test_a_right_answer_is_kept_and_nothing_else(folder: Path) -> None:
    assert exercises.first_step.check(...).status == NOT_ATTEMPTED
    assert exercises.first_step.check(5.12).status == NOT_YET
    assert exercises.write_gradient_descent.check(lambda *a: 1 / 0).status == NOT_YET
    grade = grade_number(1, mistakes={}, otherwise="no.", right="Yes.")
    assert Question("One?", grade, hints=("1",), solution=1).check(1).status == CORRECT
    assert not folder.exists()  # that question belongs to no lesson
    assert exercises.first_step.check(4.88).status == CORRECT
    assert exercises.first_step.check(5.12).status == NOT_YET
    assert progress.solved() == {1: {"first_step"}}


def test_in_the_browser_edition_it_is_kept_in_the_browser(folder: Path, monkeypatch) -> None:
    assert str(folder) in progress.my_progress({}).where
    monkeypatch.setenv(progress.BROWSER, "1, 2")
    assert progress.my_progress({}).where == "This is kept in the storage of this browser only."
