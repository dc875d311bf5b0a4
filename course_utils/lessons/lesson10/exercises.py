"""Questions of lesson 10, the rate that really ran."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.optim import lr_scheduler

from course_utils.course.exercises import (
    Incorrect,
    Lesson,
    Question,
    call,
    expect,
    grade_choice,
    grade_number,
    pair,
)
from course_utils.lessons.lesson10.diagnoses import DIAGNOSES, LOOKS, MISTAKES
from course_utils.lessons.lesson10.predictions import (  # noqa: F401
    accumulated,
    clipped_best,
    last_rate,
    resume_order,
    warmup_length,
    what_is_logged,
)
from course_utils.lessons.lesson10.strips import STRIPS
from course_utils.lessons.lesson10.task import run, weight
from course_utils.schedules import cosine, with_warmup

question = Lesson(10).question


# -------------------------------------------------------------------------------- spot the bug


def _spot(strip: int) -> Question:
    right, meaning, hint = MISTAKES[strip]
    replies = {
        letter: f"then {looks}. Look again at strip {strip}." for letter, looks in LOOKS.items()
    }
    return question(
        f"strip_{strip}",
        f"Strip {strip} announces: {STRIPS[strip].announcement} What went wrong?",
        grade_choice(right, replies | {right: meaning}),
        hints=(hint, f"Then {LOOKS[right]}."),
        solution=right,
        explanation=f"{right}: {DIAGNOSES[right]}. {meaning} The repair takes away what is marked "
        f"with − and puts in what is marked with +:\n\n```diff\n{STRIPS[strip].change}\n```\n\n"
        f"The program:\n\n```python\n{STRIPS[strip].source}\n```",
    )


strip_1, strip_2, strip_3, strip_4 = (_spot(n) for n in (1, 2, 3, 4))
strip_5, strip_6, strip_7, strip_8 = (_spot(n) for n in (5, 6, 7, 8))


# ----------------------------------------------------------------------------------- exercises

plan_length = question(
    "plan_length",
    "1000 digits, mini-batches of 8, 4 to an update, rest dropped, 20 epochs: how many updates?",
    grade_number(
        620,
        mistakes={
            2500: "those are mini-batches. Four of them make one update.",
            625: "that drops no rest: 1000/32 is 31.25, and the quarter is dropped in each epoch.",
            2480: "those are the mini-batches that are used. Four of them make one update.",
            640: "that rounds 31.25 up; the rest is dropped.",
            31: "that is one epoch.",
        },
        otherwise="125 mini-batches an epoch, in groups of four.",
        right="⌊125/4⌋ = 31 an epoch, 620 in all: that is the T of the schedule.",
        near=2e-6,
    ),
    hints=("How many complete groups of four are among 125 mini-batches?", "31 · 20"),
    solution=620,
    explanation="Count updates, not mini-batches and not examples.",
)


def my_effective_rate(lr, norms, c):
    """The rate that acts at each update when gradients longer than c are shortened to c."""
    return lr * np.minimum(1, c / norms)


def _grade_effective_rate(answer):
    norms = np.array([0.5, 2.0, 10.0])
    got = np.asarray(call(answer, 0.3, norms, 1.0), dtype=float)
    expect(got.shape == (3,), f"give one rate per norm, shape (3,); yours has shape {got.shape}.")
    expect(
        abs(got[0] - 0.6) > 1e-9,
        "a short gradient was made longer: with norm 0.5 and c = 1 you give 0.6. Clipping only "
        "shortens: min(1, ...).",
    )
    expect(
        not np.allclose(got, 0.3 * np.minimum(norms, 1.0)),
        "that is the length of the step, η·min(‖g‖, c). The rate is what multiplies g itself.",
    )
    expect(abs(got[0] - 0.3) < 1e-9, f"with norm 0.5 nothing is clipped: 0.3, got {got[0]:g}.")
    right = my_effective_rate(0.3, norms, 1.0)
    expect(
        np.allclose(got, right, rtol=1e-6, atol=0),
        f"with the norms 0.5, 2, 10 and c = 1 it is 0.3, 0.15, 0.03; yours is {_listed(got)}.",
    )
    other = np.asarray(call(answer, 2.0, np.array([4.0, 0.01]), 0.1), dtype=float)
    expect(
        np.allclose(other, [0.05, 2.0], rtol=1e-6, atol=0),
        f"with lr 2, the norms 4 and 0.01 and c = 0.1 it is 0.05 and 2; yours is {other.tolist()}.",
    )
    return "The rate and the clipping are one number: print it beside the rate."


effective_rate = question(
    "effective_rate",
    "Write effective_rate(lr, norms, c): the rate that acts at each update of SGD with clipping.",
    _grade_effective_rate,
    hints=(
        "The clipped gradient is g·min(1, c/‖g‖).",
        "np.minimum works on a whole array at once.",
    ),
    solution=my_effective_rate,
    explanation="A step of η times the clipped gradient is a step of the effective rate times g.",
)


def my_resume(make_optimizer, make_scheduler, saved):
    """Make both, then load both."""
    optimizer = make_optimizer()
    scheduler = make_scheduler(optimizer)
    scheduler.load_state_dict(saved["scheduler"])
    optimizer.load_state_dict(saved["optimizer"])
    return optimizer, scheduler


def _new_optimizer(lr: float = 1.0) -> torch.optim.Optimizer:
    return torch.optim.SGD([weight()], lr=lr)


def _line(optimizer: torch.optim.Optimizer) -> Any:
    return lr_scheduler.LambdaLR(optimizer, lambda t: 1 - t / 8)


def _warmup_then_cosine(optimizer: torch.optim.Optimizer) -> Any:
    parts = [
        lr_scheduler.LinearLR(optimizer, 0.25, total_iters=3),
        lr_scheduler.CosineAnnealingLR(optimizer, T_max=5),
    ]
    return lr_scheduler.SequentialLR(optimizer, parts, milestones=[3])


def _drive(optimizer: torch.optim.Optimizer, scheduler: Any, updates: int) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run(optimizer, scheduler.step, updates)


def _grade_resume(answer):
    for name, make in {"a line": _line, "warm-up, then cosine": _warmup_then_cosine}.items():
        optimizer = _new_optimizer()
        scheduler = make(optimizer)
        _drive(optimizer, scheduler, 4)
        saved = {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}
        planned = _drive(optimizer, scheduler, 4)
        made = call(answer, _new_optimizer, make, saved)
        optimizer, scheduler = pair(made, "return the pair optimizer, scheduler.")
        expect(
            isinstance(optimizer, torch.optim.Optimizer) and hasattr(scheduler, "step"),
            "return the pair optimizer, scheduler, in this order.",
        )
        used = _drive(optimizer, scheduler, 4)
        if np.allclose(used, planned):
            continue
        said = f"{name}: planned {_listed(planned)}, yours ran {_listed(used)}."
        if np.allclose(used[1:], planned[1:]):
            raise Incorrect(f"{said} Only the first is wrong: who wrote the rate last?")
        if used[0] == _drive(fresh := _new_optimizer(), make(fresh), 1)[0]:
            raise Incorrect(f"{said} It begins anew: is each of the two states loaded?")
        raise Incorrect(f"{said} The first is right and the shape is lost: what holds the count?")
    return "Right for both schedulers. All was made before anything was loaded."


def _listed(rates: np.ndarray) -> str:
    return ", ".join(f"{rate:.3g}" for rate in rates)


resume = question(
    "resume",
    "Write resume(make_optimizer, make_scheduler, saved): return both as they were when saved.",
    _grade_resume,
    hints=(
        "make_scheduler(optimizer) may write a rate into the optimizer.",
        "Make, make, load, load.",
    ),
    solution=my_resume,
    explanation="Making a scheduler may set a rate; so all is made before anything is loaded.",
)


def _grade_shared_plan(answer):
    own, accelerate = map(float, pair(answer, "give both lengths: (own, accelerate)."))
    replies = {
        (24, 24): "24 batches are in the three epochs, but two make one update.",
        (12, 12): "the first is right. accelerate makes two steps of the scheduler per update.",
        (24, 12): "the other way around: who steps twice per update needs the longer plan.",
        (6, 12): "each process has 32 examples, four batches an epoch, not two.",
        (4, 8): "that is one epoch.",
        (48, 24): "two processes make half as many updates, not twice as many.",
    }
    expect((own, accelerate) not in replies, replies.get((own, accelerate), ""))
    expect(own == 12, "the first is the number of updates: 64/(8·2) an epoch, times 3.")
    expect(accelerate == 24, "for accelerate: updates times processes.")
    return "12 updates, 24 steps of accelerate's scheduler: both lines end where the run ends."


shared_plan = question(
    "shared_plan",
    "64 examples, batches of 8 per process, 2 processes, 3 epochs: plan of an own loop, accelerate",
    _grade_shared_plan,
    hints=("64/(8·2) updates an epoch.", "accelerate: one step of the scheduler per process."),
    solution=(12, 24),
    explanation="An own loop counts updates; accelerate counts the batches of all processes.",
)


def my_scheduler(optimizer):
    """Five updates from 0 up to the optimizer's rate, ten along a cosine down to 0, then 0."""

    def factor(t):
        if t < 5:
            return t / 5
        return 0.5 * (1 + np.cos(np.pi * min((t - 5) / 10, 1)))

    return lr_scheduler.LambdaLR(optimizer, factor)


def _grade_scheduler(answer: Callable[..., Any]) -> str:
    optimizer = _new_optimizer(0.4)
    scheduler = call(answer, optimizer)
    expect(hasattr(scheduler, "step"), f"return a scheduler of PyTorch, got {scheduler!r}.")
    used, right = _drive(optimizer, scheduler, 20), with_warmup(cosine(0.4, 10), 5)(np.arange(20))
    if np.allclose(used, right, atol=1e-7):
        return "Right at update 0, at 5, at 15, and past the end: np.allclose says it in one line."
    expect(
        not np.allclose(used, 0.4 * right, atol=1e-9),
        "all rates are 0.4 times too small: a LambdaLR returns a *factor* on the optimizer's rate.",
    )
    expect(abs(used[0]) < 1e-9, f"update 0 must have the rate 0, yours has {used[0]:.3g}.")
    t = int(np.argmax(np.abs(used - right) > 1e-7))
    said = f"update {t} must have the rate {right[t]:.3g}, yours has {used[t]:.3g}."
    if t > 15:
        raise Incorrect(
            f"{said} Up to the end all is right: past it, yours climbs back or goes on."
        )
    if t < 5:
        raise Incorrect(f"{said} The warm-up is t/5 of the full rate.")
    raise Incorrect(f"{said} From update 5 on the cosine takes ten updates of its own.")


scheduler = question(
    "scheduler",
    "Write my_scheduler(optimizer): 5 updates of warm-up from 0, a cosine of 10 down to 0, then 0.",
    _grade_scheduler,
    hints=(
        "LambdaLR(optimizer, f): f(t) is a factor, and t counts updates.",
        "t/5 below 5, then ½(1 + cos(π·min((t − 5)/10, 1))).",
    ),
    solution=my_scheduler,
    explanation="CosineAnnealingLR would climb back after update 15, and LinearLR refuses 0.",
)
