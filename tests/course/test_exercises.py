"""The exercise machinery: no answer, however strange, may break a notebook."""

import numpy as np
import pytest

from course_utils.course.exercises import (
    CORRECT,
    NOT_ATTEMPTED,
    NOT_YET,
    Incorrect,
    Outcome,
    Question,
    Wording,
    call,
    choice,
    expect,
    expect_none_of,
    expect_number,
    grade_choice,
    grade_number,
    number,
    pair,
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
SIX = Question(
    "How many?",
    grade_number(
        6,
        mistakes={0: "nothing.", 3: "half.", 3.01: "never said: 3 is near enough.", np.inf: "all."},
        otherwise="count.",
        right="Six.",
        near=0.01,
        rtol=0.1,
    ),
    ("count",),
    6,
)
DOWN = Question(
    "Which way?",
    grade_choice("Down", {"up": "{it} rises there.", "Down": "Downhill.", "stay": "no."}),
    ("slope",),
    "Down",
)


class Hostile:
    """An answer whose every operation raises."""

    def __float__(self):
        raise RuntimeError("no")

    def __eq__(self, other):
        raise RuntimeError("no")

    def __call__(self, *args):
        raise RuntimeError("never")

    def __repr__(self):
        raise RuntimeError("not even this")


class HostileText(str):
    """A string that cannot be read."""

    def strip(self, *args):
        raise RuntimeError("no")


class NoText(str):
    """A string whose methods return something else."""

    def strip(self, *args):
        return self

    def lower(self):
        return []


def type_name(answer):
    return type(answer).__name__


STRANGE = [True, b"6", [6], {6}, {}, 1j, object(), float, Hostile(), HostileText("6"), NoText("6")]


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


@pytest.mark.parametrize(
    "answer", [*STRANGE, "", "6", "{it}", float("nan"), np.zeros(2)], ids=type_name
)
@pytest.mark.parametrize("question", [SIX, DOWN])
def test_a_declared_question_survives_every_answer(question, answer):
    outcome = question.check(answer)
    assert outcome.status == NOT_YET and outcome.message and outcome._repr_html_()


@pytest.mark.parametrize("question", [SIX, DOWN])
@pytest.mark.parametrize("answer", [..., None])
def test_a_declared_question_knows_its_stub(question, answer):
    assert question.check(answer).status == NOT_ATTEMPTED


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (0, "You gave 0: nothing."),
        (3, "You gave 3: half."),
        (3.029, "You gave 3.029: half."),
        (3.031, "You gave 3.031: never said: 3 is near enough."),
        (3.05, "You gave 3.05: count."),
        (np.inf, "You gave inf: all."),
        (-np.inf, "You gave -inf: count."),
        (5.3, "You gave 5.3: count."),
    ],
)
def test_the_first_mistake_that_fits_is_answered(answer, message):
    assert SIX.check(answer) == Outcome(NOT_YET, message)


@pytest.mark.parametrize("answer", [6, 5.5, 6.6, np.int64(6), np.float32(6), np.array(6)])
def test_what_is_near_the_right_number_is_right(answer):
    assert SIX.check(answer) == Outcome(CORRECT, "Six.")


@pytest.mark.parametrize("answer", ["Down", "down", " DOWN\n", np.str_("down")])
def test_an_option_is_known_in_any_case(answer):
    assert DOWN.check(answer) == Outcome(CORRECT, "Downhill.")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (" UP", "You chose 'up': {it} rises there."),  # braces of a reply are left alone
        ("{why}", "'{why}' is no option: choose one of 'up', 'Down', 'stay'."),
        (3, "answer with a text, one of 'up', 'Down', 'stay'."),
    ],
)
def test_a_wrong_option_has_its_own_reply(answer, message):
    assert DOWN.check(answer) == Outcome(NOT_YET, message)


def test_a_lesson_can_word_a_choice_in_its_own_way():
    wording = Wording("{chosen}: {why}", "one of {options}, not {answer!r}.", "a letter.", quote="")
    replies = {"A": "first.", "B": "second."}
    question = Question("Which?", grade_choice("B", replies, wording), ("guess",), "B")
    answers = ("a", "c", 7, "b")
    messages = [question.check(answer).message for answer in answers]
    assert messages == ["A: first.", "one of A, B, not 'c'.", "a letter.", "second."]


@pytest.mark.parametrize("answer", [(1, 2), [1, 2]])
def test_a_pair_is_a_tuple_or_a_list_of_two(answer):
    assert pair(answer, "two, please.") == (1, 2)


@pytest.mark.parametrize(
    "answer", [*STRANGE, (), (1,), (1, 2, 3), "ab", np.zeros(2)], ids=type_name
)
def test_anything_else_is_no_pair(answer):
    with pytest.raises(Incorrect, match="two, please"):
        pair(answer, "two, please.")


def test_a_known_mistake_can_be_answered_in_other_words():
    with pytest.raises(Incorrect, match=r"^The rate 0.1: too large\.$"):
        expect_none_of(0.1, {0.1: "too large."}, reply="The rate {value:g}: {why}")
    expect_none_of(0.2, {0.1: "too large."})
    with pytest.raises(Incorrect):
        choice(b"up", ("up",))


def test_a_question_that_contradicts_itself_cannot_be_declared():
    with pytest.raises(ValueError, match="among the mistakes"):
        grade_number(0.3, mistakes={0.1 + 0.2: "no."}, otherwise="no.", right="yes.")
    with pytest.raises(ValueError, match="'left' must be one of up, down"):
        grade_choice("left", {"up": "no.", "down": "yes."})


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
