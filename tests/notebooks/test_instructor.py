"""The instructor's guide fits the notebooks: sections, minutes, questions, wrong answers."""

from __future__ import annotations

import importlib
import json
import math
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "notebooks" / "INSTRUCTOR.md").read_text(encoding="utf-8")
LESSON = re.compile(r"^## Lesson (\d) · \[(.+?)\]\((.+?\.ipynb)\)$", re.MULTILINE)
NAMES = {"__builtins__": {}, "inf": math.inf, "set": set}


def lessons() -> dict[str, tuple[str, str]]:
    """Number of a lesson ("01") -> its notebook and its part of the guide."""
    starts = list(LESSON.finditer(GUIDE))
    ends = [m.start() for m in starts[1:]] + [GUIDE.index("\n## Setting it up")]
    return {f"0{m[1]}": (m[3], GUIDE[m.end() : end]) for m, end in zip(starts, ends, strict=True)}


def items(text: str) -> list[str]:
    """The points of the lists of questions, each with the points below it, on one line."""
    return [" ".join(item.split()) for item in re.findall(r"^- \*\*.+\n(?:  .+\n)*", text, re.M)]


def questions(text: str) -> dict[str, tuple[str, list[str]]]:
    """Name of a question -> the right answer and the wrong ones, as they stand in the guide."""
    found = {}
    for item in items(text):
        if match := re.match(r"- \*\*[^*]+\*\* \(`(\w+)`\)(.*)", item):
            right, *wrong = re.findall(r"`([^`]+)`", re.split(r"[Rr]ight: ", match[2])[1])
            found[match[1]] = right, wrong
    return found


def minutes(text: str, length: int) -> list[int]:
    plan = re.search(rf"### In {length} minutes\n\n(.*?)\n\n", text, re.DOTALL)[1]
    return [int(n) for n in re.findall(r"^\| (\d+) \|", plan, re.MULTILINE)]


def cells(notebook: str) -> list[dict]:
    return json.loads((ROOT / "notebooks" / notebook).read_text(encoding="utf-8"))["cells"]


EVERY = lessons()
ANSWERS = [(n, name, *pair) for n in EVERY for name, pair in questions(EVERY[n][1]).items()]


def test_the_guide_was_read_at_all() -> None:
    notebooks = {path.name for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")}
    assert {EVERY[number][0] for number in EVERY} == {n for n in notebooks if n[:2] != "00"}
    assert list(EVERY) == sorted(EVERY)
    assert all(EVERY[number][0].startswith(number) for number in EVERY)
    assert len(ANSWERS) > 20
    assert sum(len(wrong) for *_, wrong in ANSWERS) > 50


@pytest.mark.parametrize("number", EVERY)
def test_the_plans_last_as_long_as_they_say(number: str) -> None:
    for length in (45, 90):
        assert sum(minutes(EVERY[number][1], length)) == length


@pytest.mark.parametrize("number", EVERY)
def test_every_part_is_there(number: str) -> None:
    headings = re.findall(r"^### (.+)$", EVERY[number][1], re.MULTILINE)
    assert [title for title in headings if title != "Contract"] == [
        "In 45 minutes",
        "In 90 minutes",
        "Ask before the figure",
        "Run live, run before",
        "Skip",
    ]
    assert "**The sentence to leave with:**" in EVERY[number][1]


@pytest.mark.parametrize("number", EVERY)
def test_the_sections_exist(number: str) -> None:
    notebook, text = EVERY[number]
    prose = "\n".join("".join(c["source"]) for c in cells(notebook) if c["cell_type"] == "markdown")
    known = set(re.findall(rf"^## ({int(number)}\.\d+) ", prose, re.MULTILINE))
    planned = re.findall(rf"^\| \d+ \| ({int(number)}\.\d+) \|", text, re.MULTILINE)
    asked = re.findall(rf"^- \*\*({int(number)}\.\d+)", text, re.MULTILINE)
    assert planned
    assert asked
    assert {*planned, *asked} <= known


@pytest.mark.parametrize("number", EVERY)
def test_every_prediction_of_the_notebook_is_in_the_guide(number: str) -> None:
    notebook, text = EVERY[number]
    code = ["".join(cell["source"]) for cell in cells(notebook) if cell["cell_type"] == "code"]
    predictions = re.findall(r"^ex\.(\w+)\.check\(prediction\)", "\n".join(code), re.MULTILINE)
    assert predictions
    assert set(predictions) <= questions(text).keys()


@pytest.mark.parametrize(("number", "name", "right", "wrong"), ANSWERS)
def test_the_answers_are_judged_as_the_guide_says(
    number: str, name: str, right: str, wrong: list[str]
) -> None:
    lesson = importlib.import_module(f"course_utils.lessons.lesson{number}.exercises")
    question = getattr(lesson, name)
    assert question.check(eval(right, NAMES)).status == "correct"  # our own document
    for answer in wrong:
        assert question.check(eval(answer, NAMES)).status == "not yet", answer
