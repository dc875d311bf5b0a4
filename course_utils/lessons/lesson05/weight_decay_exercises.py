"""The exercise of lesson 5 on weight decay and schedules."""

from __future__ import annotations

import math

import numpy as np

from course_utils.course.exercises import (
    Lesson,
    call,
    expect,
    expect_none_of,
    number,
)
from course_utils.optimizers import AdamW
from course_utils.schedule import Schedule
from course_utils.schedules import constant, cosine, polynomial, warmup_stable_decay

question = Lesson(5).question


def same_decay(decay: float, old: Schedule, new: Schedule, steps: int) -> float:
    r"""Return the λ with which `new` leaves the share of a weight that `old` leaves with `decay`.

    .. math:: \lambda' = \lambda \sum \eta_t / \sum \eta'_t

    >>> round(same_decay(0.1, polynomial(0.01, 100, 0.0), constant(0.01), 100), 6)
    0.0505
    """
    t = np.arange(steps)
    return float(decay * old(t).sum() / new(t).sum())


_CASES = (
    (0.02, constant(0.05), polynomial(0.02, 500, 0.0), 500),
    (0.1, polynomial(0.01, 1000, 0.0), warmup_stable_decay(0.01, 0, 800, 200), 1000),
    (0.5, cosine(0.003, 400), constant(0.003), 400),
)


def _left(decay: float, schedule: Schedule, steps: int) -> float:
    rule, w = AdamW(weight_decay=decay), np.array([1.0])
    for lr in schedule.rates(steps):
        w = rule.step(w, [0.0], float(lr))
    return float(w[0])


def _grade_weight_left(answer):
    for decay, old, new, steps in _CASES:
        value = number(call(answer, decay, old, new, steps))
        areas = [schedule.area(steps) for schedule in (old, new)]
        expect_none_of(
            value,
            {
                decay * areas[1] / areas[0]: "upside down: where the area is larger, each update "
                "has to shrink less.",
                decay * old(0) / new(0): "that compares the peaks. The whole area counts.",
                decay: "the same λ. But the areas below the two schedules differ.",
                math.exp(-decay * areas[0]): "that is the share that is left. Which λ does the "
                "new schedule need to leave it?",
                decay * areas[0]: "λ × area is what should stay the same: divide by the new area.",
            },
            near=1e-4,
        )
        expect(value > 0, f"You gave {value:g}: the λ that keeps this share is greater than 0.")
        wanted, left = _left(decay, old, steps), _left(value, new, steps)
        expect(
            math.isclose(left, wanted, rel_tol=5e-3),
            f"with λ = {value:.3g} AdamW leaves {left:.3f} of a weight under the new schedule; the "
            f"old one left {wanted:.3f}.",
        )
    return "Run by AdamW itself: the same share is left. λ × area was the number to keep."


weight_left = question(
    "weight_left",
    "Write the λ with which a new schedule leaves the same share of a weight as the old one.",
    _grade_weight_left,
    hints=(
        "Each update leaves 1 − η_t λ of a weight; many small ones leave exp(−λ Σ η_t).",
        "λ Σ η_t must stay the same. t = np.arange(steps); old(t) has all rates.",
    ),
    solution=same_decay,
    explanation="λ' = λ Σ η_t / Σ η'_t: for linear → 20 % decay at the end, 0.1 → 0.0556.",
)
