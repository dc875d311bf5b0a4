"""Questions that answer back: `check(answer)`, `hint()`, `solution()`.

Each lesson has a module of questions: `from course_utils.lessons.lesson01 import exercises as ex`.
Checking never raises: an untouched stub is "not attempted yet", a wrong answer is told why, and a
right one is told what it means. So an untouched notebook runs from top to bottom.
"""

from __future__ import annotations

import copy
import dis
import html
import inspect
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils import validate
from course_utils.course import progress

NOT_ATTEMPTED = "not attempted yet"
NOT_YET = "not yet"
CORRECT = "correct"

_SYMBOL = {NOT_ATTEMPTED: "○", NOT_YET: "✗", CORRECT: "✓"}
_COLOR = {NOT_ATTEMPTED: "#888888", NOT_YET: "#D55E00", CORRECT: "#009E73"}


class Incorrect(Exception):
    """Raised by a grader; its text tells the learner why the answer is not right yet."""


class NotAttempted(Exception):
    """Raised by a grader where the answer, or the learner's function, is still a placeholder."""


@dataclass(frozen=True)
class Outcome:
    """What a check found: a status and a sentence. Renders as a box in Jupyter, as text elsewhere.

    Example:
        >>> Outcome(NOT_YET, "That is 1/λ; the limit is twice as large.")
        ✗ not yet — That is 1/λ; the limit is twice as large.
    """

    status: str
    message: str = ""

    def __repr__(self) -> str:
        tail = f" — {self.message}" if self.message else ""
        return f"{_SYMBOL[self.status]} {self.status}{tail}"

    def _repr_html_(self) -> str:
        look = f"border-left:4px solid {_COLOR[self.status]};padding:2px 10px"
        return (
            f'<div role="status" style="{look}">'
            f"<b>{_SYMBOL[self.status]} {self.status}</b> {html.escape(self.message)}</div>"
        )


@dataclass(frozen=True)
class Text:
    """A hint or a solution: Markdown in a notebook, plain text elsewhere.

    Example:
        >>> Text("Look at the factor 1 − 2η.")
        Look at the factor 1 − 2η.
    """

    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return self.text


class Question:
    """One exercise: a prompt, a grader, hints, and a solution that is real, tested code.

    Args:
        prompt: the question in one sentence.
        grade: answer -> what a right one means; raises `Incorrect` with the reason otherwise.
        hints: shown one after the other by `hint()`.
        solution: the answer itself: a value, or a function whose source is shown.
        explanation: a sentence or two shown with the solution.
        place: (lesson, name), under which a right answer is kept; see `Lesson.question`.

    Example:
        >>> words = {"otherwise": "2/λ is the limit, with λ = 4.", "right": "The limit is 2/λ."}
        >>> grade = grade_number(0.5, mistakes={0.25: "that is 1/λ."}, **words)
        >>> question = Question("Largest stable rate?", grade, hints=("λ = 4",), solution=0.5)
        >>> question.check(...)
        ○ not attempted yet — Replace the ... with your answer and run the cell again.
        >>> question.check(0.25)
        ✗ not yet — You gave 0.25: that is 1/λ.
        >>> question.check(0.5)
        ✓ correct — The limit is 2/λ.
    """

    def __init__(
        self,
        prompt: str,
        grade: Callable[[Any], str],
        hints: tuple[str, ...],
        solution: Any,
        explanation: str = "",
        place: tuple[int, str] | None = None,
    ) -> None:
        if not prompt or not hints or isinstance(hints, str):
            raise ValueError(f"a question needs a prompt and a tuple of hints, got {hints!r}")
        self.prompt = prompt
        self.grade = grade
        self.hints = tuple(hints)
        self.solution_value = solution
        self.explanation = explanation
        self.place = place
        self._hints_shown = 0

    def check(self, answer: Any = ...) -> Outcome:
        """Grade `answer`; whatever the answer does, nothing is raised but KeyboardInterrupt.

        That a question of a lesson was answered rightly is kept (see `course.progress`).
        """
        if untouched(answer):
            return _STUB_LEFT
        try:
            with np.errstate(all="ignore"):
                outcome = Outcome(CORRECT, self.grade(answer))
        except KeyboardInterrupt:  # the learner stops an endless loop
            raise
        except Incorrect as reason:
            return Outcome(NOT_YET, str(reason))
        except NotAttempted:
            return Outcome(NOT_ATTEMPTED, "The body is still ...: write it and run the cell again.")
        except BaseException as error:  # the learner's own code may raise anything, `exit()` too
            return Outcome(NOT_YET, f"Your answer raised {_in_words(error)}")
        if self.place:
            progress.record(*self.place)
        return outcome

    def hint(self) -> Text:
        """Return the next hint; after the last one, the last again."""
        number = min(self._hints_shown, len(self.hints) - 1)
        self._hints_shown += 1
        return Text(f"Hint {number + 1} of {len(self.hints)}: {self.hints[number]}")

    def solution(self) -> Text:
        """Return the solution: the source of a function, the repr of a value, and why."""
        value = self.solution_value
        code = textwrap.dedent(inspect.getsource(value)) if callable(value) else repr(value)
        return Text(f"```python\n{code.rstrip()}\n```\n\n{self.explanation}".rstrip())

    def __repr__(self) -> str:
        return f"Question({self.prompt!r})"


@dataclass(frozen=True)
class Lesson:
    """The questions of one lesson; each is made with its name, under which progress is kept.

    Example:
        >>> Lesson(1).question("first_step", "Where?", float, ("Subtract.",), 4.88).place
        (1, 'first_step')
    """

    number: int

    def question(self, name: str, *arguments: Any, **options: Any) -> Question:
        """Return a question of this lesson; the other arguments are those of `Question`."""
        return Question(*arguments, place=(self.number, name), **options)


def _in_words(error: BaseException) -> str:
    """Return the type and the text of an error; only the type where asking for the text fails."""
    try:
        return f"{type(error).__name__}: {error}"
    except KeyboardInterrupt:
        raise
    except BaseException:
        return f"{type(error).__name__}."


def untouched(answer: Any) -> bool:
    """Whether an answer is still the placeholder, or a collection with nothing else in it.

    >>> untouched(...), untouched({"A": ..., "B": (..., 0.1)}), untouched((..., 1)), untouched([])
    (True, True, True, False)
    """
    if isinstance(answer, dict):
        return bool(answer) and all(map(untouched, answer.values()))
    return answer is None or answer is ... or (isinstance(answer, tuple) and ... in answer)


# --- reading the answer ---------------------------------------------------------------------------


def call(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call the learner's function with copies of lists and arrays, which it may change.

    >>> call(lambda x: 2 * x, 3)
    6
    """
    if not callable(function):
        raise Incorrect(f"the answer must be a function, got {function!r}.")
    mutable = (list, dict, set, np.ndarray)
    own = [copy.deepcopy(a) if isinstance(a, mutable) else a for a in arguments]
    result = function(*own, **options)
    if result is ... or (result is None and is_stub(function)):
        raise NotAttempted
    if result is None:
        raise Incorrect(
            "your function returned None: did you forget `return`? (print shows a value, it does "
            "not return it.)"
        )
    return result


_STUB_LEFT = Outcome(NOT_ATTEMPTED, "Replace the ... with your answer and run the cell again.")
_STUB = {"NOP", *(step.opname for step in dis.get_instructions(lambda: None))}


def is_stub(function: Any) -> bool:
    """Whether the body of a function is nothing but `...`, `pass` or a docstring.

    >>> is_stub(lambda: ...), is_stub(abs)
    (True, False)
    """
    code = getattr(function, "__code__", None)
    return code is not None and {step.opname for step in dis.get_instructions(code)} <= _STUB


def number(answer: Any) -> float:
    """Return the answer as a float; `Incorrect` if it is not one number. Infinity is one, NaN not.

    >>> number("3")
    Traceback (most recent call last):
    course_utils.course.exercises.Incorrect: the answer must be a number, got '3'.
    """
    if isinstance(answer, (bool, np.bool_, str, bytes)) or np.ndim(answer) != 0:
        raise Incorrect(f"the answer must be a number, got {answer!r}.")
    try:
        value = float(answer)
    except (TypeError, ValueError):
        raise Incorrect(f"the answer must be a number, got {answer!r}.") from None
    if math.isnan(value):
        raise Incorrect("the answer is NaN, which is not a number.")
    return value


def pair(answer: Any, why: str) -> tuple[Any, Any]:
    """Return the two parts of a tuple or list, or raise `Incorrect(why)` if it is no pair.

    >>> pair([1, 2], "give a pair: (rate, factor).")
    (1, 2)
    """
    expect(isinstance(answer, (tuple, list)) and len(answer) == 2, why)
    return answer[0], answer[1]


def choice(answer: Any, options: Iterable[str]) -> str:
    """Return the option that the answer names; case and outer blanks do not matter.

    >>> choice(" adam", ("SGD", "Adam"))
    'Adam'
    >>> choice("Adan", ("SGD", "Adam"))
    Traceback (most recent call last):
        ...
    course_utils.course.exercises.Incorrect: answer with one of 'SGD', 'Adam'; you gave 'Adan'.
    """
    known = {option.lower(): option for option in options}
    word = answer.strip().lower() if isinstance(answer, str) else None
    if word not in known:
        listed = ", ".join(map(repr, known.values()))
        raise Incorrect(f"answer with one of {listed}; you gave {answer!r}.")
    return known[word]


# --- judging it -----------------------------------------------------------------------------------


def expect(condition: Any, why: str) -> None:
    """Raise `Incorrect(why)` unless `condition` is true.

    >>> expect(1 + 1 == 2, "arithmetic")
    """
    if not condition:
        raise Incorrect(why)


def expect_number(
    answer: Any, expected: float, why: str, *, rtol: float = 1e-6, atol: float = 1e-9
) -> None:
    """Raise `Incorrect(why)` unless `answer` is a number close to `expected`.

    >>> expect_number(0.3, 0.1 + 0.2, "rounding is forgiven")
    """
    value = number(answer)
    if not math.isclose(value, expected, rel_tol=rtol, abs_tol=atol):
        raise Incorrect(f"You gave {value:g}: {why}")


def expect_none_of(
    value: float,
    mistakes: Mapping[float, str],
    *,
    near: float = 1e-9,
    reply: str = "You gave {value:g}: {why}",
) -> None:
    """Raise `Incorrect` with the reason if `value` is a known mistake.

    Args:
        value: the learner's number.
        mistakes: {wrong number: why it is wrong}; the first that fits is answered.
        near: relative distance up to which a number counts as the mistake.
        reply: what the learner reads; fields {value} and {why}.

    Example:
        >>> expect_none_of(5.12, {5.12: "the slope points uphill."})
        Traceback (most recent call last):
            ...
        course_utils.course.exercises.Incorrect: You gave 5.12: the slope points uphill.
    """
    for wrong, why in mistakes.items():
        if math.isclose(value, wrong, rel_tol=near, abs_tol=1e-12):
            raise Incorrect(reply.format(value=value, why=why))


def grade_number(
    expected: float,
    *,
    mistakes: Mapping[float, str],
    otherwise: str,
    right: str,
    near: float = 1e-9,
    rtol: float = 1e-6,
    atol: float = 1e-9,
) -> Callable[[Any], str]:
    """Return the grader of a question whose answer is one number.

    Args:
        expected: the right number.
        mistakes: {wrong number: why it is wrong}; asked before `expected`.
        otherwise: the reply to any other wrong number.
        right: what the right number means.
        near: relative distance up to which a number counts as one of the `mistakes`.
        rtol, atol: relative and absolute distance up to which a number counts as right.

    Example:
        >>> mistakes = {5.12: "the slope points uphill."}
        >>> grade = grade_number(4.88, mistakes=mistakes, otherwise="5 − 0.12.", right="Downhill.")
        >>> grade(4.88)
        'Downhill.'
    """
    validate.instance("mistakes", mistakes, Mapping)
    expected, near = validate.finite("expected", expected), validate.nonnegative("near", near)
    try:
        expect_none_of(expected, mistakes, near=near)
    except Incorrect:
        raise ValueError(f"the right number {expected!r} is among the mistakes") from None

    def grade(answer: Any) -> str:
        value = number(answer)
        expect_none_of(value, mistakes, near=near)
        expect_number(value, expected, otherwise, rtol=rtol, atol=atol)
        return right

    return grade


def grade_choice(solution: str, replies: Mapping[str, str]) -> Callable[[Any], str]:
    """Return the grader of a question with a few options, each with its own reply.

    Args:
        solution: the right option, one of `replies`.
        replies: {option: why it is wrong, or what it means if it is right}.

    Example:
        >>> grade = grade_choice("down", {"up": "there it rises.", "down": "Minus the gradient."})
        >>> grade("Down")
        'Minus the gradient.'
        >>> grade("up")
        Traceback (most recent call last):
            ...
        course_utils.course.exercises.Incorrect: You chose 'up': there it rises.
    """
    if solution not in validate.instance("replies", replies, Mapping):
        raise ValueError(f"the solution {solution!r} must be one of {', '.join(replies)}")

    def grade(answer: Any) -> str:
        chosen = choice(answer, replies)
        expect(chosen == solution, f"You chose {chosen!r}: {replies[chosen]}")
        return replies[solution]

    return grade
