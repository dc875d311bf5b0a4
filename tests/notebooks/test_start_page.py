"""The start page tells the truth about the lessons, and what it counts is what the lessons ask."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import lesson_map
import pytest
from exercise_table import questions

from course_utils import lessons
from course_utils.course.progress import Overview

# By name: the folder slides/ that the tool writes would make linters take this for a package.
slides = importlib.import_module("slides")

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
PAGE = FOLDER / "00_start_here.ipynb"
LESSONS = lesson_map.lessons(FOLDER)
ROW = re.compile(r"^\| (\d) \| \[(.+?)\]\((.+?)\) \| (.+?) \| (\d+) \|$", re.MULTILINE)


def source(path: Path, kind: str) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == kind)


def test_the_map_has_the_titles_links_and_minutes_of_the_lessons() -> None:
    told = {
        (n, title, file, int(m)) for n, title, file, _, m in ROW.findall(source(PAGE, "markdown"))
    }
    true = set()
    for path in LESSONS:
        prose = lesson_map.prose(path)
        number, title = re.search(r"^# (\d) · (.+)$", prose, re.MULTILINE).groups()
        true.add((number, title, path.name, sum(lesson_map.section_minutes(prose))))
    assert told == true
    assert len(told) == 7


@pytest.mark.parametrize("row", ROW.findall(source(PAGE, "markdown")), ids=lambda row: row[0])
def test_what_comes_first_is_what_the_lesson_asks_for(row: tuple[str, ...]) -> None:
    prose = lesson_map.prose(FOLDER / row[2])
    asked = re.search(r"\*\*Prerequisites\*\*: (.+?)(?:\n\n|$)", prose, re.DOTALL)[1]
    numbers = set(re.findall(r"\d", row[3]))
    named = set(re.findall(r"(?<=lesson )\d|(?<=lessons )\d|(?<=and )\d|(?<=Lesson )\d", asked))
    assert numbers <= named | {"0"}
    assert bool(numbers) == ("lesson" in asked.partition(".")[0])


def exercises_in(path: Path) -> list[str]:
    """The questions of a notebook that are no predictions, in order."""
    checks = re.findall(r"^ex\.(\w+)\.check\((\w+)\)", source(path, "code"), re.MULTILINE)
    return [name for name, answer in checks if answer != "prediction"]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_exercises_that_count_are_those_of_the_notebook(path: Path) -> None:
    number = int(path.name[:2])
    module = importlib.import_module(f"course_utils.lessons.lesson{number:02}.exercises")
    assert list(lessons.exercises()[number]) == exercises_in(path)
    assert set(lessons.exercises()[number]) <= dict(questions(module)).keys()


def test_every_lesson_has_its_exercises() -> None:
    assert list(lessons.exercises()) == [int(path.name[:2]) for path in LESSONS]


def test_the_page_is_short_and_asks_nothing() -> None:
    cells = json.loads(PAGE.read_text(encoding="utf-8"))["cells"]
    assert len(cells) <= 14
    assert len(source(PAGE, "markdown").split()) < 3 * 250  # minutes, words per minute
    assert not re.search(r"\.check\(\w|claims", source(PAGE, "code"))


def test_the_page_is_no_lesson() -> None:
    assert PAGE.exists() and PAGE not in LESSONS
    assert PAGE.name not in lesson_map.table(FOLDER)
    assert PAGE not in slides.lessons([])


# --- the table of progress -----------------------------------------------------------------------


def test_solved_exercises_are_counted_and_predictions_are_not() -> None:
    known = set(lessons.exercises()[1])
    table = Overview(lessons.exercises(), {1: {"first_step", "same_clock"}, 2: known, 9: {"x"}}, "")
    lines = repr(table).splitlines()
    assert lines[0].startswith("lesson 1  ■□□□□□ 1 of 6  ")  # first_step is a prediction
    assert lines[1].startswith("lesson 2  □□□□□□ 0 of 6  ")  # names of another lesson
    assert "Together 1 of 42" in table.summary


def test_all_and_nothing_are_said_in_words() -> None:
    everything = {lesson: set(names) for lesson, names in lessons.exercises().items()}
    full = Overview(everything, everything, "")
    assert repr(full).count("all solved") == 7 and "□" not in repr(full)
    assert "42 of 42" in full.summary
    empty = Overview(everything, {}, "")
    assert "■" not in repr(empty) and "0 of 6" in repr(empty)


@pytest.mark.parametrize(("done", "listed"), [(3, "d, e, f, ..."), (4, "e, f, g"), (6, "g")])
def test_at_most_three_open_exercises_are_named(done: int, listed: str) -> None:
    table = Overview({1: tuple("abcdefg")}, {1: set("abcdefg"[:done])}, "")
    assert repr(table).splitlines()[0].endswith(f" {done} of 7  {listed}")
    assert f">{listed}<" in table._repr_html_()


def test_the_table_escapes_what_it_shows() -> None:
    assert "<b>" not in Overview({1: ("<b>",)}, {}, "in <b>")._repr_html_()
