"""The frame of a sheet: numbers, what is missing, whose answer it is."""

import pytest

from course_utils.course.exercises import expect
from course_utils.course.homework import Sheet, Task, dice, student_number


def text(student):
    return f"Double {student}."


def grade(student, answer):
    expect(answer == 2 * student, "no.")
    return "yes."


SHEET = Sheet("0", (Task("a", 2, text, grade, lambda s: 2 * s), Task("b", 3, text)))


@pytest.mark.parametrize("bad", [0, -3, 1.5, "x", "", True, None, 10**12, "12 3"])
def test_what_is_no_student_number(bad):
    with pytest.raises(ValueError, match="student number must be a positive whole number, got"):
        student_number(bad)


def test_dice_differ_by_student_and_by_purpose_and_repeat():
    def draw(student, what):
        return dice(student, what).integers(10**9)

    assert draw(5, "a") == draw("005", "a")
    assert len({draw(5, "a"), draw(6, "a"), draw(5, "b")}) == 3


def test_handing_in_says_what_is_missing_and_judges_nothing():
    def stub(): ...

    assert "Still missing: a, b" in repr(SHEET.hand_in(4, a=..., b=" "))
    assert "Still missing: a." in repr(SHEET.hand_in(4, a=stub, b="words"))
    assert "every task has an answer" in repr(SHEET.hand_in(4, a="nonsense", b="words"))
    assert "student number" in repr(SHEET.hand_in(...)) and "student number" in repr(
        SHEET.task("a", ...)
    )
    with pytest.raises(ValueError, match="answers must be one of 'a', 'b', got 'c'"):
        SHEET.hand_in(4, c=1)


def test_points_reasons_and_owners():
    assert SHEET.judge(4, {"a": 8, "b": "one two"}) == {
        "a": (2, "correct. yes."),
        "b": (None, "2 words, to be read"),
    }
    assert SHEET.judge(4, {"a": 10})["a"] == (0, "not yet. no.")
    assert SHEET.owners(4, {"a": 10}, [3, 5]) == {"a": [5]}
    assert SHEET.owners(4, {"a": 8}, [4, 5]) == {}
