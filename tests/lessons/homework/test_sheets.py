"""Every sheet: right answers pass, those of another student do not, and are recognized."""

import math

import numpy as np
import pytest

from course_utils.lessons.homework import sheet_1, sheet_2
from course_utils.schedules import cosine, with_warmup

STUDENTS = (1, 417, 20261128)
SHEETS = {"1": sheet_1.SHEET, "2": sheet_2.SHEET}


def right_answers(sheet, student):
    return {t.name: t.right(student) if t.right else "one two three" for t in sheet.tasks}


@pytest.mark.parametrize("sheet", SHEETS.values(), ids=SHEETS)
@pytest.mark.parametrize("student", STUDENTS)
def test_right_answers_get_all_points_and_those_of_another_student_none(sheet, student):
    answers = right_answers(sheet, student)
    judged = sheet.judge(student, answers)
    for task in sheet.tasks:
        assert judged[task.name][0] == (task.points if task.grade else None), judged[task.name]
    other = 5 + student
    copied = sheet.judge(other, answers)
    assert not any(points for points, _ in copied.values()), copied
    whose = sheet.owners(other, answers, [3 + student, student])
    assert whose == {task.name: [student] for task in sheet.tasks if task.grade}


@pytest.mark.parametrize("sheet", SHEETS.values(), ids=SHEETS)
def test_an_untouched_sheet_and_a_broken_answer_are_told_apart(sheet):
    untouched = sheet.judge(7, {})
    assert all(why.startswith("not attempted") for p, why in untouched.values() if p is not None)
    broken = sheet.judge(7, {task.name: lambda *_: 1 / 0 for task in sheet.tasks})
    assert all(why.startswith("not yet") for p, why in broken.values() if p is not None)
    assert sheet.owners(7, {}, [8, 9]) == {}


def test_the_steps_are_those_of_the_loop():
    for student in STUDENTS:
        curvature, minimum, start = sheet_1.parabola(student)
        steps = sheet_1.SHEET.tasks[1].right(student)
        for share in (0.05, 0.9, 1.0, 1.5, 1.99):
            w, t = start, 0
            while curvature / 2 * (w - minimum) ** 2 >= 1e-3:
                w, t = w - share / curvature * curvature * (w - minimum), t + 1
            assert steps(share / curvature, 1e-3) == t
        assert steps(2.001 / curvature, 1e-3) == math.inf


def test_half_of_the_limit_and_a_sign_are_recognized():
    curvature, *_ = sheet_1.parabola(9)
    assert "in one step" in sheet_1.SHEET.judge(9, {"limit": 1 / curvature})["limit"][1]
    moves = sheet_2.right_moves(*sheet_2.gradients(9))
    assert "sign" in sheet_2.SHEET.judge(9, {"moves": -moves})["moves"][1]


def test_the_references_agree_with_the_course():
    for student in STUDENTS:
        peak, warmup, total = sheet_2.plan(student)
        mine = with_warmup(cosine(peak, total - warmup), warmup)
        t = np.arange(total + 20)
        own = [sheet_2.right_schedule(student, step) for step in t]
        np.testing.assert_allclose(own, mine(t), atol=1e-12)
        told = sheet_2.gradients(student)
        np.testing.assert_allclose(sheet_2.right_moves(*told), sheet_2._adam(*told), rtol=1e-9)
