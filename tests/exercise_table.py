"""The one way in which every lesson's questions are tested."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from course_utils.course.exercises import CORRECT, NOT_ATTEMPTED, NOT_YET, Question


def questions(module: ModuleType) -> Iterator[tuple[str, Question]]:
    """(name, question) of every question of a lesson, in the order of definition."""
    for name, value in vars(module).items():
        if isinstance(value, Question):
            yield name, value


def check_lesson(module: ModuleType, name: str | None, wrong: dict) -> None:
    """Test question `name`: solution, stub, and a table {wrong answer: word of the message}.

    With `name` None, test instead that `wrong` has an entry for every question of the module.
    """
    if name is None:
        assert set(wrong) == {question for question, _ in questions(module)}
        for name, question in questions(module):
            assert question.place == (int(module.__name__.split(".")[-2][-2:]), name)
        return
    question = getattr(module, name)
    right = question.check(question.solution_value)
    assert right.status == CORRECT and right.message, right
    for stub in (..., None) + ((lambda *a, **k: ...,) if callable(question.solution_value) else ()):
        assert question.check(stub).status == NOT_ATTEMPTED
    assert len(wrong) >= 3, f"{name} needs at least three typical wrong answers"
    messages = []
    for answer, word in wrong.items():
        outcome = question.check(answer)
        assert outcome.status == NOT_YET, f"{name} accepts the wrong answer {answer!r}: {outcome}"
        assert word in outcome.message, f"{name}, {answer!r}: {word!r} not in {outcome.message!r}"
        messages.append(outcome.message)
    assert len(set(messages)) >= 3, f"{name} answers different mistakes with the same words"
    for _ in range(len(question.hints) + 1):
        assert question.hint().text
    assert question.solution().text and question.prompt
