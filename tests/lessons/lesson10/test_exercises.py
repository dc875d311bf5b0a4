"""Every checker of lesson 10 accepts its solution, knows its stub, explains typical mistakes."""

import numpy as np
import pytest
from exercise_table import check_lesson
from torch.optim import lr_scheduler

from course_utils.lessons.lesson10 import exercises as ex
from course_utils.lessons.lesson10.strips import STRIPS


def strip_answers(right):
    return {letter: f"'{letter}': then" for letter in "ABCDEFGHI" if letter != right} | {
        "J": "one of",
        3: "one of",
    }


def nothing_loaded(make_optimizer, make_scheduler, saved):
    optimizer = make_optimizer()
    return optimizer, make_scheduler(optimizer)


def scheduler_made_last(make_optimizer, make_scheduler, saved):
    optimizer = make_optimizer()
    optimizer.load_state_dict(saved["optimizer"])
    scheduler = make_scheduler(optimizer)
    scheduler.load_state_dict(saved["scheduler"])
    return optimizer, scheduler


def optimizer_only(make_optimizer, make_scheduler, saved):
    optimizer = make_optimizer()
    scheduler = make_scheduler(optimizer)
    optimizer.load_state_dict(saved["optimizer"])
    return optimizer, scheduler


def optimizer_alone(make_optimizer, make_scheduler, saved):
    return optimizer_only(make_optimizer, make_scheduler, saved)[0]


def backwards(make_optimizer, make_scheduler, saved):
    return ex.my_resume(make_optimizer, make_scheduler, saved)[::-1]


def rate_for_factor(optimizer):
    return lr_scheduler.LambdaLR(optimizer, lambda t: 0.4 * factor(t))


def factor(t, until=1.0):
    return t / 5 if t < 5 else 0.5 * (1 + np.cos(np.pi * min((t - 5) / 10, until)))


def starts_at_a_third(optimizer):
    parts = [
        lr_scheduler.LinearLR(optimizer, total_iters=5),
        lr_scheduler.CosineAnnealingLR(optimizer, T_max=10),
    ]
    return lr_scheduler.SequentialLR(optimizer, parts, milestones=[5])


def climbs_back(optimizer):
    return lr_scheduler.LambdaLR(optimizer, lambda t: factor(t, until=9.0))


def too_short(optimizer):
    return lr_scheduler.LambdaLR(optimizer, lambda t: factor(t if t < 5 else 5 + 2 * (t - 5)))


def one_early(optimizer):
    return lr_scheduler.LambdaLR(optimizer, lambda t: t / 4 if t < 4 else factor(t))


def bent(at):
    """The right schedule, a hundred-thousandth too high at one update."""
    return lambda optimizer: lr_scheduler.LambdaLR(
        optimizer, lambda t: factor(t) + 1e-5 * (t == at)
    )


WRONG = {
    "what_is_logged": {1: "used", 0.8: "five", 0.5: "two steps", 0: "no update", 0.25: "four"},
    "resume_order": {"A": "making", "C": "complains", 1: "one of"},
    "accumulated": {
        0.5: "plan",
        0.25: "second",
        0.375: "8 steps",
        -0.25: "ends at 0",
        1: "five mini-batches",
    },
    "clipped_best": {"A": "smaller", "B": "Adam", "D": "one of"},
    "last_rate": {
        0.125: "eighth",
        0.25: "plan of 4",
        0.5: "fifth",
        0: "end of the line",
        1: "4 updates",
    },
    "warmup_length": {10: "cosine", 5: "alone", 14: "short", 20: "whole length"},
    **{f"strip_{n}": strip_answers(right) for n, right in enumerate("BFDAECHG", start=1)},
    "plan_length": {
        2500: "mini-batches. Four",
        625: "rest",
        2480: "are used",
        640: "rounds",
        31: "one epoch",
        100: "groups",
    },
    "effective_rate": {
        (lambda lr, norms, c: lr * c / norms): "short gradient",
        (lambda lr, norms, c: lr * np.minimum(norms, c)): "length of the step",
        (lambda lr, norms, c: lr * c / (c + norms)): "nothing is clipped",
        (lambda lr, norms, c: lr): "shape",
        (lambda lr, norms, c: np.where(norms > c, c, lr)): "0.15",
    },
    "resume": {
        nothing_loaded: "begins anew",
        scheduler_made_last: "Only the first",
        optimizer_only: "shape is lost",
        optimizer_alone: "pair",
        backwards: "in this order",
    },
    "shared_plan": {
        (24, 24): "two make one",
        (12, 12): "two steps",
        (24, 12): "other way",
        (6, 12): "four batches",
        (4, 8): "one epoch",
        (48, 24): "half as many",
        (12, 48): "updates times processes",
        (36, 24): "number of updates",
        12: "both lengths",
    },
    "scheduler": {
        rate_for_factor: "factor",
        starts_at_a_third: "update 0",
        climbs_back: "past it",
        too_short: "ten updates of its own",
        one_early: "t/5",
        (lambda optimizer: [0.0] * 20): "of PyTorch",
    },
}
NEAR = {
    "what_is_logged": (0.7489, 0.7511),
    "accumulated": (0.0011,),
    "last_rate": (0.6239, 0.6261),
    "shared_plan": ((12.01, 24), (12, 23.99)),
    "warmup_length": (14.999, 15.001),
    "plan_length": (619.99, 620.01),
    "effective_rate": (
        lambda lr, norms, c: ex.my_effective_rate(lr, norms, c) * np.where(norms > c, 1.00001, 1),
        lambda lr, norms, c: ex.my_effective_rate(lr, norms, c) * np.where(norms < 0.1, 1.00001, 1),
    ),
    "scheduler": [bent(at) for at in (0, 3, 10, 15, 19)],
}


@pytest.mark.parametrize("name", WRONG)
def test_question(name):
    check_lesson(ex, name, WRONG[name], NEAR.get(name, ()))


def test_every_question_is_in_the_table():
    check_lesson(ex, None, WRONG)


@pytest.mark.parametrize("number", STRIPS)
def test_the_solution_of_a_strip_shows_the_wrong_line_the_repair_and_the_program(number):
    text = getattr(ex, f"strip_{number}").solution().text
    change = text.partition("```diff\n")[2].partition("\n```")[0].splitlines()
    assert any(line.startswith("+") for line in change)
    assert all(
        line[1:].strip() in text.rpartition("```python")[2] for line in change if line[0] == "-"
    )
    assert "task.step(optimizer)" in text or "task.update(optimizer, batch)" in text


def test_other_right_answers_are_accepted():
    def the_other_order_of_loading(make_optimizer, make_scheduler, saved):
        optimizer = make_optimizer()
        scheduler = make_scheduler(optimizer)
        optimizer.load_state_dict(saved["optimizer"])
        scheduler.load_state_dict(saved["scheduler"])
        return [optimizer, scheduler]

    def in_three_parts(optimizer):
        parts = [
            lr_scheduler.LambdaLR(optimizer, lambda t: t / 5),
            lr_scheduler.CosineAnnealingLR(optimizer, T_max=10),
            lr_scheduler.LambdaLR(optimizer, lambda t: 0.0),
        ]
        return lr_scheduler.SequentialLR(optimizer, parts, milestones=[5, 15])

    assert ex.resume.check(the_other_order_of_loading).status == "correct"
    assert ex.scheduler.check(in_three_parts).status == "correct"
    assert (
        ex.effective_rate.check(
            lambda lr, norms, c: [lr * (c / n if n > c else 1) for n in norms]
        ).status
        == "correct"
    )
