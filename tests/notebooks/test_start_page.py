"""The start page tells the truth about the lessons, and what it counts is what the lessons ask."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import lesson_map
import numpy as np
import pytest
from exercise_table import questions

from course_utils import lessons
from course_utils.course.progress import Overview

# By name: the folder slides/ that the tool writes would make linters take this for a package.
slides = importlib.import_module("slides")

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
PAGE = FOLDER / "00_start_here.ipynb"
LESSONS = lesson_map.lessons(FOLDER)
PICTURE = [
    cell
    for cell in json.loads(PAGE.read_text(encoding="utf-8"))["cells"]
    if cell["cell_type"] == "code" and "checkup" not in "".join(cell["source"])
][:2]
WITH_EXERCISES = [path for path in LESSONS if path.name[:2].isdigit()]
ROW = re.compile(r"^\| (\w+) \| \[(.+?)\]\((.+?)\) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def source(path: Path, kind: str) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == kind)


def test_the_map_has_the_titles_links_and_minutes_of_the_lessons() -> None:
    told = {row[:3] + row[4:] for row in ROW.findall(source(PAGE, "markdown"))}
    true = set()
    for path in LESSONS:
        prose = lesson_map.prose(path)
        number, title = re.search(r"^# (\w+) · (.+)$", prose, re.MULTILINE).groups()
        minutes = str(sum(lesson_map.section_minutes(prose)))
        true.add((number, title, path.name, minutes if number.isdigit() else "to look things up"))
    assert told == true


@pytest.mark.parametrize(
    "row",
    [row for row in ROW.findall(source(PAGE, "markdown")) if row[0].isdigit()],
    ids=lambda row: row[0],
)
def test_what_comes_first_is_what_the_lesson_asks_for(row: tuple[str, ...]) -> None:
    prose = lesson_map.prose(FOLDER / row[2])
    asked = re.search(r"\*\*Prerequisites\*\*: (.+?)(?:\n\n|$)", prose, re.DOTALL)[1]
    numbers = set(re.findall(r"\d", row[3]))
    named = set(re.findall(r"(?<=lesson )\d|(?<=lessons )\d|(?<=and )\d|(?<=Lesson )\d", asked))
    assert numbers <= named | {"0"}
    assert bool(numbers) == ("lesson" in asked.partition(".")[0])


@pytest.mark.parametrize("first_seed", [0, 100, 200])
def test_what_the_picture_and_its_alternative_say_holds_on_other_seeds(first_seed: int) -> None:
    train, draw = ("".join(c["source"]) for c in PICTURE)
    train = train.replace("range(5)", f"range({first_seed}, {first_seed + 5})")
    names: dict = {}
    exec(f"{train}\n{draw}", names)  # asserts its title
    rates, accuracy, loss = names["rates"], names["accuracy"], names["result"].loss.mean(axis=1)
    assert loss.shape == (17, 310) and names["result"].loss.size == 85 * 310
    early, late = loss[:, 0], loss[:, -20:].mean(axis=1)
    assert np.allclose(early, 2.3, atol=0.1)
    assert np.allclose(late[[4, 10, 14]], [2.1, 0.15, 2.4], atol=0.1)
    assert abs(accuracy[0] - 0.15) < 0.06 and (accuracy[rates > 1.5] < 0.15).all()
    assert np.allclose(rates[[4, 10, 14]], [0.01, 0.3, 3], rtol=0.06)


def exercises_in(path: Path) -> list[str]:
    """The questions of a notebook that are no predictions, in order."""
    checks = re.findall(r"^ex\.(\w+)\.check\((\w+)\)", source(path, "code"), re.MULTILINE)
    return [name for name, answer in checks if answer != "prediction"]


@pytest.mark.parametrize("path", WITH_EXERCISES, ids=lambda path: path.stem)
def test_the_exercises_that_count_are_those_of_the_notebook(path: Path) -> None:
    number = int(path.name[:2])
    module = importlib.import_module(f"course_utils.lessons.lesson{number:02}.exercises")
    assert list(lessons.exercises()[number]) == exercises_in(path)
    assert set(lessons.exercises()[number]) <= dict(questions(module)).keys()


def test_every_lesson_has_its_exercises() -> None:
    assert list(lessons.exercises()) == [int(path.name[:2]) for path in WITH_EXERCISES]


def test_nothing_that_is_stored_is_about_another_computer() -> None:
    cells = json.loads(PAGE.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(o["data"]["text/plain"]) for c in cells for o in c.get("outputs", [])]
    assert len(texts) == 3
    for text in texts:
        assert not re.search(r"COURSE_PROGRESS|✓|\bok\b|Together|\d+\.\d+\.\d+", text)


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
    exercises = {1: ("a", "b", "c"), 2: ("d", "e"), 10: ("f",)}
    solved = {1: {"a", "a_prediction"}, 2: {"b", "c"}, 9: {"x"}}  # 2: names of another lesson
    lines = repr(Overview(exercises, solved, "")).splitlines()
    assert lines[0].startswith("lesson 1  ■□□ 1 of 3  ")
    assert lines[1].startswith("lesson 2  □□ 0 of 2  ")
    assert lines[-1].startswith("Together 1 of 6")


def test_all_and_nothing_are_said_in_words() -> None:
    exercises = {1: ("a", "b"), 2: ("c",)}
    full = repr(Overview(exercises, {1: {"a", "b"}, 2: {"c"}}, ""))
    assert full.count("all solved") == 2 and "□" not in full and "3 of 3" in full
    empty = repr(Overview(exercises, {}, ""))
    assert "■" not in empty and "0 of 3" in empty


@pytest.mark.parametrize(("done", "listed"), [(3, "d, e, f, ..."), (4, "e, f, g"), (6, "g")])
def test_at_most_three_open_exercises_are_named(done: int, listed: str) -> None:
    table = Overview({1: tuple("abcdefg")}, {1: set("abcdefg"[:done])}, "")
    assert repr(table).splitlines()[0].endswith(f" {done} of 7  {listed}")
    assert f">{listed}<" in table.html()


def test_the_table_escapes_what_it_shows() -> None:
    assert "<b>" not in Overview({1: ("<b>",)}, {}, "in <b>").html()
