"""The one way in which every lesson's questions are tested."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from course_utils.course.exercises import CORRECT, NOT_ATTEMPTED, NOT_YET, Question


def questions(module: ModuleType) -> Iterator[tuple[str, Question]]:
    """(name, question) of every question of a lesson, in the order of definition."""
    for name, value in vars(module).items():
        if isinstance(value, Question):
            yield name, value


def empty(*arguments: Any, **options: Any) -> None:
    """The stub of the notebooks, with a docstring."""
    ...


def forgetful(function: Callable[..., Any]) -> Callable[..., None]:
    """Compute what `function` computes, and forget to return it."""

    def learner(*arguments: Any, **options: Any) -> None:
        function(*arguments, **options)

    return learner


def vandal(function: Callable[..., Any], destroyed: list) -> Callable[..., Any]:
    """Compute what `function` computes, and destroy what can be destroyed of its arguments."""

    def learner(*arguments: Any, **options: Any) -> Any:
        result = copy.deepcopy(function(*arguments, **options))
        for argument in (*arguments, *options.values()):
            if isinstance(argument, np.ndarray):
                argument[...] = 0
            elif isinstance(argument, (list, dict, set)):
                argument.clear()
            else:
                continue
            destroyed.append(argument)
        return result

    return learner


def check_lesson(
    module: ModuleType, name: str | None, wrong: dict, near: Iterable[Any] = ()
) -> None:
    """Test question `name`: solution, stub, and a table {wrong answer: word of the message}.

    `near` are answers that are nearly right, and wrong still: one on each side of each threshold.
    With `name` None, test instead that `wrong` has an entry for every question of the module.
    """
    if name is None:
        assert set(wrong) == {question for question, _ in questions(module)}
        for name, question in questions(module):
            assert question.place == (int(module.__name__.split(".")[-2][-2:]), name)
        return
    question, solution = getattr(module, name), getattr(module, name).solution_value
    right = question.check(solution)
    assert right.status == CORRECT and right.message, right
    stubs = (..., None) + ((lambda *a, **k: ..., empty) if callable(solution) else ())
    for stub in stubs:
        assert question.check(stub).status == NOT_ATTEMPTED
    if callable(solution):
        outcome = question.check(forgetful(solution))
        assert outcome.status == NOT_YET and "forget `return`" in outcome.message, outcome
        question.check(vandal(solution, destroyed := []))
        assert not destroyed or question.check(solution).status == CORRECT, "an answer broke it"
    if isinstance(solution, (int, float)) and not isinstance(solution, bool):
        assert "NaN" in question.check(float("nan")).message
    assert len(wrong) >= 3, f"{name} needs at least three typical wrong answers"
    messages = []
    for answer, word in wrong.items():
        outcome = question.check(answer)
        assert outcome.status == NOT_YET, f"{name} accepts the wrong answer {answer!r}: {outcome}"
        assert word in outcome.message, f"{name}, {answer!r}: {word!r} not in {outcome.message!r}"
        messages.append(outcome.message)
    assert len(set(messages)) >= 3, f"{name} answers different mistakes with the same words"
    for answer in near:
        outcome = question.check(answer)
        assert outcome.status == NOT_YET, f"{name} accepts {answer!r}, just not good enough"
        assert "raised" not in outcome.message, f"{name}, {answer!r}: {outcome}"
    for _ in range(len(question.hints) + 1):
        assert question.hint().text
    assert question.solution().text and question.prompt
