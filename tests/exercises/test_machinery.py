"""The exercise machinery: no answer, however strange, may break a notebook."""

from types import SimpleNamespace

import numpy as np
import pytest

from course_utils.exercises import (
    CORRECT,
    NOT_ATTEMPTED,
    NOT_YET,
    Incorrect,
    Outcome,
    Question,
    call,
    expect,
    expect_number,
    number,
    questions,
)


def double(x):
    """Twice x."""
    return 2 * x


def grade_double(answer):
    expect(call(answer, 3) == 6, "twice 3 is 6.")
    return "Doubling."


NUMBER = Question(
    "1/2?", lambda a: expect_number(a, 0.5, "half.") or "Half.", ("cut",), 0.5, "Why."
)
FUNCTION = Question("double", grade_double, ("add it", "to itself"), double)


class Hostile:
    """An answer whose every operation raises."""

    def __float__(self):
        raise RuntimeError("no")

    def __eq__(self, other):
        raise RuntimeError("no")

    def __call__(self, *args):
        raise RuntimeError("never")


@pytest.mark.parametrize("answer", [..., None])
@pytest.mark.parametrize("question", [NUMBER, FUNCTION])
def test_a_stub_is_not_attempted(question, answer):
    assert question.check(answer).status == NOT_ATTEMPTED


@pytest.mark.parametrize("stub", [lambda x: ..., lambda x: None])
def test_a_function_with_an_empty_body_is_not_attempted(stub):
    assert FUNCTION.check(stub).status == NOT_ATTEMPTED


@pytest.mark.parametrize("answer", ["0.5", True, [0.5], float("nan"), object(), Hostile(), 0.4])
def test_a_wrong_or_strange_answer_is_told_why(answer):
    outcome = NUMBER.check(answer)
    assert outcome.status == NOT_YET and outcome.message


@pytest.mark.parametrize("answer", [lambda: 0, lambda x: 1 / 0, 7, Hostile(), lambda x: "6"])
def test_a_failing_function_is_reported_not_raised(answer):
    outcome = FUNCTION.check(answer)
    assert outcome.status == NOT_YET and outcome.message


@pytest.mark.parametrize("answer", [0.5, np.float32(0.5), np.array(0.5), 0.5 + 1e-12])
def test_a_right_number_in_any_dress(answer):
    assert NUMBER.check(answer) == Outcome(CORRECT, "Half.")


def test_the_solution_shown_is_the_source_of_the_tested_function():
    assert FUNCTION.check(double).status == CORRECT
    assert "return 2 * x" in repr(FUNCTION.solution())
    assert "0.5" in repr(NUMBER.solution()) and "Why." in NUMBER.solution()._repr_markdown_()


def test_hints_come_one_by_one_and_the_last_stays():
    question = Question("double", grade_double, ("add it", "to itself"), double)
    shown = [repr(question.hint()) for _ in range(3)]
    assert shown == ["Hint 1 of 2: add it", "Hint 2 of 2: to itself", "Hint 2 of 2: to itself"]


def test_outcomes_render_as_html_with_the_learner_s_text_escaped():
    page = Outcome(NOT_YET, "<script>")._repr_html_()
    assert "<script>" not in page and "not yet" in page and 'role="status"' in page


def test_messages_are_required():
    with pytest.raises(ValueError, match="hints"):
        Question("?", grade_double, "a string is not a tuple", 1)
    with pytest.raises(Incorrect, match="number"):
        number("x")


def test_questions_are_found_in_order():
    module = SimpleNamespace(b=FUNCTION, other=3, a=NUMBER)
    assert [name for name, _ in questions(module)] == ["b", "a"]
