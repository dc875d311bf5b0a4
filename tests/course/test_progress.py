"""Progress is kept, by several processes at once, and is never in the way."""

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


# --- kept and forgotten --------------------------------------------------------------------------


def test_what_is_recorded_is_solved(folder: Path) -> None:
    assert progress.solved() == {}
    assert progress.record(3, "write_cosine") and progress.record(1, "same_clock")
    assert progress.record(3, "write_cosine")  # again: no change
    assert progress.record(3, "fix_boundary")
    assert progress.solved() == {1: {"same_clock"}, 3: {"fix_boundary", "write_cosine"}}
    assert list(progress.solved()) == [1, 3]


def test_nothing_but_names_is_kept(folder: Path) -> None:
    progress.record(7, "capstone")
    assert [(p.name, p.stat().st_size) for p in folder.iterdir()] == [("07.capstone.v1", 0)]


def test_what_is_forgotten_is_gone_and_can_be_kept_again(folder: Path) -> None:
    progress.record(1, "same_clock")
    progress.record(2, "detector")
    assert progress.forget() == "Forgotten: 2 right answers."
    assert not folder.exists()
    assert progress.solved() == {}
    assert progress.forget() == "Forgotten: 0 right answers."
    assert progress.record(1, "same_clock")
    assert progress.solved() == {1: {"same_clock"}}


def test_only_marks_are_read_and_deleted(folder: Path) -> None:
    """The variable may name a folder with other things in it."""
    progress.record(1, "same_clock")
    others = {
        "thesis.txt",
        "01.same_clock",
        "1.same_clock.v1",
        "01.a-b.v1",
        "01.1a.v1",
        ".DS_Store",
    }
    others |= {"01.detector.v1.bak", "x01.detector.v1"}
    for name in others:
        (folder / name).touch()
    assert progress.solved() == {1: {"same_clock"}}
    progress.forget()
    assert {p.name for p in folder.iterdir()} == others


def test_marks_of_another_version_do_not_count_and_are_forgotten(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "01.same_clock.v2").touch()
    assert progress.solved() == {}
    assert progress.forget() == "Forgotten: 1 right answer."
    assert not folder.exists()


def test_whatever_is_inside_a_mark_does_not_matter(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "01.same_clock.v1").write_bytes(b"\xff\x00 not text, not JSON")
    assert progress.solved() == {1: {"same_clock"}}


@pytest.mark.parametrize("lesson", [1, 99])
def test_the_ends_of_the_range(folder: Path, lesson: int) -> None:
    assert progress.record(lesson, "q")
    assert progress.solved() == {lesson: {"q"}}


@pytest.mark.parametrize(
    ("lesson", "question", "error", "words"),
    [
        (0, "q", ValueError, r"lesson must be in \[1, 99\], got 0"),
        (100, "q", ValueError, r"lesson must be in \[1, 99\], got 100"),
        ("1", "q", TypeError, "lesson must be an integer, got '1'"),
        (1.5, "q", TypeError, "lesson must be an integer, got 1.5"),
        (1, "", ValueError, "question must be a Python name, got ''"),
        (1, "../../x", ValueError, "question must be a Python name"),
        (1, "a/b", ValueError, "question must be a Python name"),
        (1, None, ValueError, "question must be a Python name, got None"),
    ],
)
def test_bad_input_is_named(folder: Path, lesson, question, error, words) -> None:
    with pytest.raises(error, match=words):
        progress.record(lesson, question)
    assert not folder.exists()


# --- where ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["off", "OFF", " off "])
def test_off_keeps_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    progress.record(1, "same_clock")
    monkeypatch.setenv(progress.VARIABLE, value)
    assert progress.path() is None
    assert not progress.record(1, "one_step_rate")
    assert progress.solved() == {}
    assert "nothing to forget" in progress.forget()
    assert {p.name for p in folder.iterdir()} == {"01.same_clock.v1"}


@pytest.mark.parametrize("value", [None, "", "  "])
def test_the_folder_lies_beside_the_lessons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv(progress.VARIABLE)
    else:
        monkeypatch.setenv(progress.VARIABLE, value)
    monkeypatch.chdir(tmp_path)
    assert progress.path() == ROOT / "notebooks" / ".progress"  # no lessons here
    (tmp_path / progress.START_PAGE).touch()  # a copy of the lessons, as in a class
    assert progress.path() == Path.cwd() / ".progress"


def test_a_folder_named_by_the_variable_is_absolute(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(progress.VARIABLE, "mine")
    assert progress.path() == Path.cwd() / "mine"
    monkeypatch.setenv(progress.VARIABLE, "~/mine")
    assert progress.path() == Path.home() / "mine"


def test_git_ignores_it() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert f"notebooks/{progress.FOLDER}/" in ignored
    assert (ROOT / "notebooks" / progress.START_PAGE).is_file()


# --- several kernels at once ---------------------------------------------------------------------

WRITER = """
import sys
from course_utils.course import progress
me = sys.argv[1]
print("ready", flush=True)
sys.stdin.readline()
for i in range(300):
    assert progress.record(1, f"{me}{i}")
    assert progress.record(2, f"both{i}")
"""


def together(*commands: list[str]) -> None:
    """Run programs that wait for each other at their start; each must end well."""
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", *command],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for command in commands
    ]  # fmt: skip
    try:
        for process in running:
            assert process.stdout.readline() == "ready\n"
        for process in running:
            process.stdin.write("\n")
            process.stdin.flush()
        assert [process.wait(120) for process in running] == [0] * len(running)
    finally:
        for process in running:
            process.kill()
            process.communicate()


def test_two_kernels_at_once_lose_nothing(folder: Path) -> None:
    together([WRITER, "a"], [WRITER, "b"])
    assert progress.solved() == {
        1: {f"{name}{i}" for name in "ab" for i in range(300)},
        2: {f"both{i}" for i in range(300)},
    }


# --- never in the way ----------------------------------------------------------------------------


def blocked(folder: Path) -> None:
    """Make the folder impossible: a file is in its way. (Rights do not stop root.)"""
    folder.parent.mkdir(parents=True)
    folder.write_text("a file")


def test_a_folder_that_cannot_be_is_said_once(folder: Path) -> None:
    blocked(folder)
    with pytest.warns(UserWarning, match="progress cannot be kept.*COURSE_PROGRESS") as said:
        assert not progress.record(1, "same_clock")
        assert not progress.record(1, "one_step_rate")
    assert len(said) == 1
    assert progress.solved() == {}
    assert progress.forget() == "Forgotten: 0 right answers."
    assert folder.read_text() == "a file"


def test_it_raises_nothing_where_warnings_are_errors(folder: Path) -> None:
    blocked(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not progress.record(1, "same_clock")


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(28, "full")])
def test_a_read_only_or_full_disk(folder: Path, monkeypatch, error: OSError) -> None:
    def refuse(*_: object) -> int:
        raise error

    monkeypatch.setattr(os, "open", refuse)
    with pytest.warns(UserWarning, match=error.strerror):
        assert not progress.record(1, "same_clock")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="rights do not bind root"
)
def test_a_read_only_folder_for_real(folder: Path) -> None:
    folder.parent.mkdir(parents=True, mode=0o500)
    with pytest.warns(UserWarning, match="Permission denied"):
        assert not progress.record(1, "same_clock")


def test_what_cannot_be_deleted_is_said(folder: Path) -> None:
    (folder / "01.same_clock.v1").mkdir(parents=True)  # unlink refuses a folder
    assert "by hand" in progress.forget() and str(folder) in progress.forget()


def test_a_folder_that_is_taken_away_meanwhile_is_made_again(folder: Path, monkeypatch) -> None:
    true_open, calls = os.open, []

    def first_taken_away(*arguments: object) -> int:
        calls.append(1)
        if len(calls) == 1:
            folder.rmdir()
        return true_open(*arguments)

    monkeypatch.setattr(os, "open", first_taken_away)
    assert progress.record(1, "same_clock")
    assert len(calls) == 2


def test_a_current_folder_that_is_gone(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv(progress.VARIABLE)
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert progress.path() == ROOT / "notebooks" / ".progress"


# --- questions -----------------------------------------------------------------------------------


def test_a_right_answer_is_kept_and_nothing_else(folder: Path) -> None:
    assert exercises.first_step.check(...).status == NOT_ATTEMPTED
    assert exercises.first_step.check(5.12).status == NOT_YET
    assert exercises.write_gradient_descent.check(lambda *a: 1 / 0).status == NOT_YET
    assert not folder.exists()
    assert exercises.first_step.check(4.88).status == CORRECT
    assert progress.solved() == {1: {"first_step"}}


def test_later_mistakes_take_nothing_back(folder: Path) -> None:
    exercises.first_step.check(4.88)
    assert exercises.first_step.check(5.12).status == NOT_YET
    assert progress.solved() == {1: {"first_step"}}


def test_the_answer_is_the_same_whether_it_is_kept_or_not(folder: Path, monkeypatch) -> None:
    kept = exercises.first_step.check(4.88)
    monkeypatch.setenv(progress.VARIABLE, "off")
    assert exercises.first_step.check(4.88) == kept


def test_a_check_survives_a_folder_that_cannot_be(folder: Path) -> None:
    blocked(folder)
    with pytest.warns(UserWarning, match="The lesson goes on"):
        assert exercises.first_step.check(4.88).status == CORRECT


def test_questions_of_no_lesson_are_not_kept(folder: Path) -> None:
    grade = grade_number(1, mistakes={}, otherwise="no.", right="Yes.")
    assert Question("One?", grade, hints=("1",), solution=1).check(1).status == CORRECT
    assert not folder.exists()


def test_tests_keep_nothing() -> None:
    assert progress.path() is None
    code = "import notebooks, os; print(os.environ['COURSE_PROGRESS'])"
    environment = {k: v for k, v in os.environ.items() if k != progress.VARIABLE}
    environment["PYTHONPATH"] = str(ROOT / "tools")
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "off\n", done.stderr
