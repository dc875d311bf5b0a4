"""The contracts of the guide hold, and the checker notices when one does not."""

from __future__ import annotations

import json
from pathlib import Path

import contracts
import pytest

from course_utils import views

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
PAGES = contracts.pages(contracts.GUIDE.read_text(encoding="utf-8"))

PAGE = """
### Contract

**Question.** How long is a step?

**Spine.** Rate times gradient.

**Predictions.** `first_step`

| Figure | Cell | Evidence |
|---|---|---|
| The step shrinks | `aa11` | live: 5 seeds, 10 epochs, test loss |

**Minutes.** 3 and 2 for exercises

**Left out.** Momentum, which is lesson 4's.

### In 45 minutes
"""


def cell(id: str, source: str, *tags: str, kind: str = "code", outputs: tuple = ()) -> dict:
    found = {"id": id, "cell_type": kind, "source": source, "metadata": {"tags": list(tags)}}
    return found | ({"outputs": list(outputs)} if kind == "code" else {})


def lesson() -> list[dict]:
    html = views.with_alt(views.subplots()[0], "An empty frame.")._repr_html_()
    picture = {"output_type": "display_data", "data": {"text/html": html, "text/plain": "alt"}}
    return [
        cell("aa00", "ex.first_step.check(prediction)", "exercise"),
        cell("aa11", "assert 1 < 2\n" + "x = 1\n" * 9, outputs=(picture,)),
        cell("aa22", "## Exercises", kind="markdown"),
        cell("aa33", "ex.steps.check(...)", "exercise"),
    ]


def problems(page: str = PAGE, cells: list[dict] | None = None) -> list[str]:
    promise = contracts.contract(page)
    assert promise is not None
    return contracts.broken(promise, cells or lesson())


@pytest.mark.parametrize("number", PAGES)
def test_the_contract_of_a_lesson_holds(number: str) -> None:
    notebook, page = PAGES[number]
    promise = contracts.contract(page)
    assert promise is not None
    assert contracts.broken(promise, contracts.cells_of(NOTEBOOKS / notebook)) == []


def test_a_good_contract_is_accepted() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("`aa11`", "`zz99`", "does not exist"),
        ("`aa11`", "`aa00`", "has no assertion"),
        ("live: 5 seeds, 10 epochs, test loss", "it was seen", "needs its evidence"),
        ("**Left out.**", "Left out:", "'Left out' is missing"),
        ("`first_step`", "`last_step`", "the prediction last_step"),
        ("3 and 2", "5 and 2", "counted are [3, 2]"),
        ("| The step shrinks | `aa11` | live: 5 seeds, 10 epochs, test loss |", "", "no headline"),
    ],
)
def test_a_broken_contract_is_noticed(old: str, new: str, complaint: str) -> None:
    assert complaint in " ".join(problems(PAGE.replace(old, new)))


def test_too_many_minutes_are_noticed() -> None:
    long = [*lesson(), cell("aa44", "word " * 9000, kind="markdown")]
    assert "more than 60" in " ".join(problems(cells=long))


def test_minutes_are_those_of_the_design() -> None:
    # 1.2 for the prediction, 10 lines and one figure: 1 + 1; one word of a heading counts little.
    assert contracts.minutes(lesson()) == (3, 2)
    printed = cell("bb", "x", outputs=({"output_type": "stream", "text": "line\n" * 90},))
    hidden = cell("bc", "x = 1\n" * 500, "hide-input")
    folded = cell("bd", "<details>" + "word " * 900 + "</details>", kind="markdown")
    function = cell("be", "def f(): ...\nex.f.check(f)", "exercise")
    last = cell("bf", "def find(): ...\nex.capstone.check(find)", "exercise")
    lines = [*lesson(), function, last, printed, hidden, folded]
    assert contracts.minutes(lines) == (8, 23)


def test_assertions_that_went_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    committed = json.dumps({"cells": [cell("aa", "assert x > 1\nassert y")]}).encode()

    class Shown:
        returncode, stdout = 0, committed

    monkeypatch.setattr(contracts.subprocess, "run", lambda *a, **k: Shown)
    monkeypatch.setattr(contracts, "cells_of", lambda path: [cell("bb", "assert y")])
    assert contracts.gone(NOTEBOOKS / "01.ipynb") == [("aa", "assert x > 1")]
