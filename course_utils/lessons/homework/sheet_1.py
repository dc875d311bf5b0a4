"""Sheet 1, on lessons 1 and 2: one number, two edges."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from course_utils.course.exercises import (
    call,
    expect,
    expect_none_of,
    expect_number,
    number,
    pair,
)
from course_utils.course.homework import Sheet, Task, dice
from course_utils.experiments.sweep import sweep

RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
UPDATES = 300


def parabola(student: int) -> tuple[float, float, float]:
    """Return the curvature, the minimum and the start of a student's parabola.

    Example:
        >>> parabola(417)
        (4.08, 2.0, 8.0)
    """
    draw = dice(student, "parabola")
    curvature = draw.integers(120, 600) / 100
    return float(curvature), float(draw.integers(-5, 6)), float(draw.integers(6, 15))


def _limit(student: int) -> str:
    curvature, minimum, start = parabola(student)
    return (
        f"Your loss is $L(w) = {curvature / 2:g}\\,(w - ({minimum:g}))^2$, and you start at "
        f"$w = {start:g}$. Up to which learning rate does gradient descent not run away? Write the "
        "number into `limit`."
    )


def _grade_limit(student: int, answer: Any) -> str:
    curvature, *_ = parabola(student)
    value = number(answer)
    half = {1 / curvature: "is half of it: there it arrives in one step."}
    expect_none_of(value, half, near=1e-3, reply="{value:g} {why}")
    expect_number(value, 2 / curvature, "the limit is 2 / L''.", rtol=1e-3)
    return "2 divided by the curvature."


def _steps(student: int) -> str:
    return (
        "Write a function `steps_until(lr, loss)` for the loss and the start of the task `limit`: "
        "how many updates are needed until $L(w)$ is below `loss`? Return a whole number, 0 if it "
        "is so at the start, and `math.inf` for a rate at which it never happens."
    )


def _right_steps(student: int, lr: float, loss: float) -> float:
    """From the closed form: the distance is multiplied by 1 − η·λ in every update."""
    curvature, minimum, start = parabola(student)
    factor, first = (1 - lr * curvature) ** 2, curvature / 2 * (start - minimum) ** 2
    if first < loss:
        return 0
    if factor >= 1:
        return math.inf
    if factor < 1e-20:
        return 1
    t = max(0, math.floor(math.log(loss / first) / math.log(factor)) - 2)
    while first * factor**t >= loss:
        t += 1
    return t


def _grade_steps(student: int, answer: Any) -> str:
    curvature, *_ = parabola(student)
    cases = [(share / curvature, 1e-3) for share in (0.1, 0.5, 1.3, 1.9)]
    cases += [(0.2 / curvature, 1e9), (2.1 / curvature, 1e-3), (2 / curvature, 1e-3)]
    for lr, loss in cases:
        right, given = _right_steps(student, lr, loss), number(call(answer, lr, loss))
        at = f"at the rate {lr:.4g} and the loss {loss:g}"
        expect(
            not (math.isinf(right) and np.isfinite(given)), f"{at} it never gets there: math.inf."
        )
        expect(given == right, f"{at} it takes {right:g} updates, yours says {given:g}.")
    return "Right below, at and above the limit."


def seeds(student: int) -> list[int]:
    """Return the three seeds with which a student trains.

    Example:
        >>> seeds(417)
        [76594, 557583, 721399]
    """
    return [int(seed) for seed in dice(student, "seeds").integers(1000, 10**6, size=3)]


@functools.cache
def _found(student: int) -> tuple[float, float]:
    """The best rate of the student's networks, and its loss."""
    table = sweep(list(RATES), seeds(student), steps=UPDATES, batch_size=16).table
    best = table.best("validation_loss")
    return best.lr, best.value


def _best(student: int) -> str:
    return (
        f"Train the digits network of lesson 1 with `sweep({list(RATES)}, {seeds(student)}, "
        f"steps={UPDATES}, batch_size=16)`. `best` is the pair: the rate with the lowest mean "
        "*validation* loss over your three seeds, and that loss, to four digits."
    )


def _grade_best(student: int, answer: Any) -> str:
    given, its_loss = pair(answer, "give a pair: (rate, loss).")
    lr, loss = _found(student)
    expect_number(given, lr, "that is not the rate of the lowest mean validation loss.")
    expect_number(its_loss, loss, f"at {lr:g} the mean loss is another.", rtol=1e-3)
    return "Chosen on validation, over three seeds."


def _why(student: int) -> str:
    return (
        "In `why`, explain in 80 to 200 words what lies left and right of the best rate in your "
        "table, which of the two edges would move with ten times the updates, and why the other "
        "would not. Use numbers from your table."
    )


SHEET = Sheet(
    "1 (lessons 1 and 2)",
    (
        Task("limit", 1, _limit, _grade_limit, lambda s: 2 / parabola(s)[0]),
        Task(
            "steps_until",
            3,
            _steps,
            _grade_steps,
            lambda s: lambda lr, loss: _right_steps(s, lr, loss),
        ),
        Task("best", 3, _best, _grade_best, _found),
        Task("why", 3, _why),
    ),
)
