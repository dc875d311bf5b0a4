"""The table of loops says what was recorded in the libraries themselves."""

import json
from pathlib import Path

import pytest

from course_utils.lessons.lesson10 import loops

GOLDEN = Path(__file__).parents[2] / "golden" / "loops.json"
RECORD = json.loads(GOLDEN.read_text(encoding="utf-8"))["rates"]


@pytest.mark.parametrize("library", loops.LOOPS)
def test_every_number_is_the_librarys_own(library):
    loop = loops.LOOPS[library]
    for question in ("accumulated", "warm_up", "logged"):
        said, recorded = getattr(loop, question), RECORD[library].get(question, [])
        assert bool(said) == bool(recorded), question
        assert said == pytest.approx(tuple(recorded[: len(said)]), abs=1e-5), question


def test_lightning_and_timm_count_epochs_when_nothing_is_said():
    for library in ("lightning", "timm"):
        assert RECORD[library]["by_default"] == [1, 1, 1, 1]
        assert loops.LOOPS[library].moved == "the update (default: epoch)"
    assert RECORD["lightning"]["used"] == [1, 0.75, 0.5, 0.25]


def test_timm_never_reaches_the_peak_without_its_prefix():
    assert max(RECORD["timm"]["warm_up"]) == 0.75
    assert max(RECORD["timm"]["with_prefix"]) == 1


def test_on_two_processes_accelerate_steps_twice_per_update():
    assert RECORD["accelerate"]["two_processes"] == [1, 0.75, 0.5, 0.25]


def test_the_table_has_a_row_for_each_library():
    body = loops.table().rows
    assert len(body) == len(RECORD) == 7
    assert body[0][2:] == ["0.75, 0.25, 0, 0", "0.33, 0.5, 0.67, 0.83, 1", "0.75, 0.5, 0.25"]
