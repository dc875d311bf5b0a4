"""The exercise machinery: no answer, however strange, may break a notebook."""

import functools

import numpy as np
import pytest

from course_utils.course.exercises import (
    CORRECT,
    NOT_ATTEMPTED,
    NOT_YET,
    Incorrect,
    Outcome,
    Question,
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


STRANGE = [
    True,
    np.True_,
    b"6",
    [6],
    {6},
    {},
    1j,
    object(),
    float,
    Hostile(),
    HostileText("6"),
    NoText("6"),
]


@pytest.mark.parametrize("answer", [..., None])
@pytest.mark.parametrize("question", [NUMBER, FUNCTION])
def test_a_stub_is_not_attempted(question, answer):
    assert question.check(answer).status == NOT_ATTEMPTED


def type_name(answer):
    return type(answer).__name__


def described(x):
    """Twice x; to be written."""


def passed(x):
    pass


def dotted(x):
    """Twice x."""
    ...


STUBS = [lambda x: ..., lambda x: None, described, passed, dotted]


@pytest.mark.parametrize("stub", STUBS)
def test_a_function_with_an_empty_body_is_not_attempted(stub):
    assert FUNCTION.check(stub).status == NOT_ATTEMPTED


def forgot(x):
    2 * x


def forgot_on_one_way(x):
    if x > 5:
        return 2 * x


def printed(x):
    return print(2 * x)


@pytest.mark.parametrize(
    "answer", [forgot, forgot_on_one_way, printed, [].append, functools.partial(forgot)]
)
def test_a_function_that_forgets_to_return_is_told_so(answer):
    outcome = FUNCTION.check(answer)
    assert (
        outcome.status == NOT_YET and "returned None: did you forget `return`?" in outcome.message
    )


class Mute(Exception):
    """An error whose text cannot be had."""

    def __str__(self):
        raise RuntimeError("no")


class MuteExit(SystemExit):
    """The same, and asking for the text leaves the program."""

    def __str__(self):
        raise SystemExit


def raising(error):
    def learner(x):
        raise error

    return learner


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SystemExit(3), "SystemExit: 3"),
        (GeneratorExit("x"), "GeneratorExit: x"),
        (Mute(), "Mute."),
        (MuteExit(), "MuteExit."),
    ],
    ids=type_name,
)
def test_no_error_of_the_learner_leaves_the_check(error, told):
    assert FUNCTION.check(raising(error)) == Outcome(NOT_YET, f"Your answer raised {told}")


def test_an_endless_loop_can_be_interrupted():
    with pytest.raises(KeyboardInterrupt):
        FUNCTION.check(raising(KeyboardInterrupt()))


@pytest.mark.parametrize("given", [[3, 1, 2], np.array([3, 1, 2])], ids=type_name)
def test_a_function_may_change_what_it_is_given(given):
    assert call(lambda values: values.sort() or values[0], given) == 1
    assert list(given) == [3, 1, 2]


def test_a_function_is_given_the_very_objects_that_count_its_calls():
    counter = iter([7, 8])
    assert call(lambda run: run(), counter.__next__) == 7 and next(counter) == 8


@pytest.mark.parametrize("answer", ["0.5", True, [0.5], float("nan"), object(), Hostile(), 0.4])
def test_a_wrong_or_strange_answer_is_told_why(answer):
    outcome = NUMBER.check(answer)
    assert outcome.status == NOT_YET and outcome.message


@pytest.mark.parametrize("answer", [lambda: 0, lambda x: 1 / 0, 7, Hostile(), lambda x: "6"])
def test_a_failing_function_is_reported_not_raised(answer):
    outcome = FUNCTION.check(answer)
    assert outcome.status == NOT_YET and outcome.message


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (float("nan"), "NaN"),
        (np.float64("nan"), "NaN"),
        ("x", "'x'"),
        (np.True_, "True"),
        (1j, "1j"),
    ],
)
def test_what_is_no_number_is_not_read_as_one(answer, why):
    with pytest.raises(Incorrect, match="number") as told:
        number(answer)
    assert why in str(told.value)


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
        ("{why}", "answer with one of 'up', 'Down', 'stay'; you gave '{why}'."),
        (3, "answer with one of 'up', 'Down', 'stay'; you gave 3."),
    ],
)
def test_a_wrong_option_has_its_own_reply(answer, message):
    assert DOWN.check(answer) == Outcome(NOT_YET, message)


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
