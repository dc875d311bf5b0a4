"""Sheet 2, on lessons 3 and 4: a schedule, a decay, an adaptive rule."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from course_utils import schedules
from course_utils.course.exercises import call, expect, expect_number, number
from course_utils.course.homework import Sheet, Task, dice
from course_utils.optimizers import Adam


def plan(student: int) -> tuple[float, int, int]:
    """Return the peak of a student's schedule, its updates of warm-up and its updates in all.

    Example:
        >>> peak, warmup, total = plan(417)
        >>> 0 < peak <= 1 and 0 < warmup < total / 4
        True
    """
    draw = dice(student, "plan")
    total = int(draw.integers(200, 400))
    return float(draw.integers(11, 100) / 100), int(draw.integers(7, 31)), total


def _schedule(student: int) -> str:
    peak, warmup, total = plan(student)
    return (
        f"Write `schedule(t)`, the rate of update t = 0, 1, ...: {warmup} updates of linear "
        f"warm-up from 0 (so update {warmup} is the first with the full rate {peak:g}), then a "
        f"cosine that is 0 at update {total}, and 0 for ever after. NumPy and `math` only."
    )


def right_schedule(student: int, t: float) -> float:
    """The schedule that is asked for, written out.

    Example:
        >>> right_schedule(417, 0), right_schedule(417, 400)
        (0.0, 0.0)
    """
    peak, warmup, total = plan(student)
    if t < warmup:
        return peak * t / warmup
    share = min(1.0, (t - warmup) / (total - warmup))
    return peak * (1 + math.cos(math.pi * share)) / 2


def _grade_schedule(student: int, answer: Any) -> str:
    peak, warmup, total = plan(student)
    mine = schedules.with_warmup(schedules.cosine(peak, total - warmup), warmup)
    for t in (0, 1, warmup - 1, warmup, (warmup + total) // 2, total - 1, total, total + 50):
        given, right = number(call(answer, t)), float(mine(t))
        expect(
            math.isclose(given, right, rel_tol=1e-6, abs_tol=1e-9 * peak),
            f"update {t} has the rate {right:.5g}, yours has {given:.5g}.",
        )
    return "Right at the start, at the peak, at the end and after it."


def decay(student: int) -> tuple[float, int, float]:
    """Return the first rate, the decay steps and the decay rate of a student's inverse time decay.

    Example:
        >>> lr, steps, rate = decay(417)
        >>> 50 <= steps < 500
        True
    """
    draw = dice(student, "decay")
    return 0.1, int(draw.integers(50, 500)), float(draw.integers(2, 20) / 10)


def _third(student: int) -> str:
    lr, steps, rate = decay(student)
    return (
        f"`inverse_time({lr:g}, decay_steps={steps}, decay_rate={rate:g})` decays at every update. "
        "At which update is the rate for the first time a third of the first rate, or less? Write "
        "the whole number into `third`."
    )


def _right_third(student: int) -> int:
    """From 1 / (1 + rate·t/steps) ≤ 1/3: t ≥ 2·steps/rate."""
    _, steps, rate = decay(student)
    return math.ceil(2 * steps / rate - 1e-9)


def _grade_third(student: int, answer: Any) -> str:
    expect_number(answer, _right_third(student), "solve 1 + rate·t/steps ≥ 3 and round up.")
    return "2 · steps / rate, rounded up."


def gradients(student: int) -> tuple[np.ndarray, float, float, float]:
    """Return five gradients of one weight, and the rate, β₁ and β₂ with which Adam sees them.

    Example:
        >>> gradients(417)[0].shape
        (5,)
    """
    draw = dice(student, "gradients")
    beta1, beta2 = draw.integers(50, 95) / 100, draw.integers(900, 999) / 1000
    return draw.normal(size=5).round(2), float(draw.integers(1, 50) / 1000), beta1, beta2


def _moves(student: int) -> str:
    g, lr, beta1, beta2 = gradients(student)
    return (
        f"One weight sees the gradients {[float(x) for x in g]}. How far does Adam move it in each "
        f"update, new minus old, with the rate {lr:g}, β₁ = {beta1:g}, β₂ = {beta2:g}, "
        "ε = 1e-8, and its correction of the bias? Write Adam yourself, in ten lines; `moves` are "
        "the five numbers."
    )


def right_moves(g: Any, lr: float, beta1: float, beta2: float) -> np.ndarray:
    """Adam written out: the moves of one weight.

    Example:
        >>> right_moves([2.0], 0.1, 0.9, 0.999).round(6)
        array([-0.1])
    """
    m = v = 0.0
    moves = []
    for t, slope in enumerate(g, start=1):
        m = beta1 * m + (1 - beta1) * slope
        v = beta2 * v + (1 - beta2) * slope**2
        moves.append(-lr * m / (1 - beta1**t) / (math.sqrt(v / (1 - beta2**t)) + 1e-8))
    return np.array(moves)


def _adam(g: np.ndarray, lr: float, beta1: float, beta2: float) -> np.ndarray:
    """The moves of the course's own Adam."""
    rule, path = Adam(beta1=beta1, beta2=beta2), [np.zeros(1)]
    for slope in g:
        path.append(rule.step(path[-1], np.array([slope]), lr))
    return np.diff(np.concatenate(path))


def _grade_moves(student: int, answer: Any) -> str:
    given, right = np.asarray(answer, dtype=float), _adam(*gradients(student))
    expect(given.shape == (5,), f"give five moves, shape (5,); yours has {given.shape}.")
    expect(not np.allclose(given, -right, rtol=1e-4), "the sign: new minus old.")
    wrong = ~np.isclose(given, right, rtol=1e-4, atol=1e-12)
    expect(not wrong.any(), f"update {int(np.argmax(wrong)) + 1} moves by another distance.")
    return "Equal to the course's Adam, which is equal to PyTorch's."


def _which(student: int) -> str:
    names = ("Adagrad", "RMSprop", "Adam")
    rule = names[int(dice(student, "rule").integers(3))]
    return (
        f"In `which`, 80 to 200 words: a friend trains with {rule} and asks whether a decay is "
        "still needed, 'because it adapts the rate by itself'. Say what the rule adapts and what "
        "it does not, with one formula, and name one experiment of lesson 3 or 4 that speaks for "
        "your answer, with its task, its budget and its metric."
    )


SHEET = Sheet(
    "2 (lessons 3 and 4)",
    (
        Task(
            "schedule",
            3,
            _schedule,
            _grade_schedule,
            lambda s: lambda t: right_schedule(s, t),
        ),
        Task("third", 1, _third, _grade_third, _right_third),
        Task("moves", 3, _moves, _grade_moves, lambda s: right_moves(*gradients(s))),
        Task("which", 3, _which),
    ),
)
