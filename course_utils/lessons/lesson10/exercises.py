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
from course_utils.experiments.recorder import record_rates
from course_utils.lessons.lesson10.diagnoses import DIAGNOSES, LOOKS, MISTAKES
from course_utils.lessons.lesson10.strips import STRIPS
from course_utils.schedules import cosine, with_warmup

question = Lesson(10).question


# --------------------------------------------------------------------------------- predictions

what_is_logged = question(
    "what_is_logged",
    "A line from 1 to 0 over 4 updates; get_last_lr() is logged after scheduler.step(). First?",
    grade_number(
        0.75,
        mistakes={
            1.0: "that is what the first update *used*. When the loop logs, scheduler.step() has "
            "already set the next rate.",
            0.8: "that would be five steps down. Four updates use 1, 0.75, 0.5, 0.25.",
            0.5: "that is two steps down. One scheduler.step() has been made.",
            0.0: "that is the last number that is logged, and no update uses it.",
        },
        otherwise="the rates of the four updates are 1, 0.75, 0.5, 0.25. Which one is set after "
        "the first scheduler.step()?",
        right="0.75, the rate of the *second* update. The log is one update ahead of the training.",
        near=2e-6,
        rtol=1e-3,
    ),
    hints=("In which order do optimizer.step(), scheduler.step() and the log stand?", "1 − 1/4"),
    solution=0.75,
    explanation="get_last_lr() is the last rate that the scheduler *set*, for the next update.",
)

retuned = question(
    "retuned",
    "Each program of strip 8 at its peak of least validation loss. A: it loses, B nothing, C gains",
    grade_choice(
        "B",
        {
            "A": "that is so for the five others that lost accuracy. Here both programs have the "
            "least loss at a peak of 1.0; which of the two does a larger peak help?",
            "B": "Both go to a peak of 1.0. There the wrong program has come up from 93.4 to "
            "94.5 %, and the repaired one has gone *down* from 95.1 to 94.5 %. The test loss is "
            "still higher, by 0.04.",
            "C": "a quarter of the updates is not more than all of them.",
        },
    ),
    hints=(
        "How many of its 930 updates move the weights?",
        "Does the peak of least loss have to be the peak of best accuracy?",
    ),
    solution="B",
    explanation="At the peaks of least loss the accuracies are equal, and the losses are not.",
)

resume_order = question(
    "resume_order",
    "Load the optimizer; make a LambdaLR, load it. Next rate: A as planned, B of step 0, C error?",
    grade_choice(
        "B",
        {
            "A": "so one thinks. But *making* a scheduler writes a rate into the optimizer, after "
            "the right one was loaded.",
            "B": "Making a scheduler sets the rate of step 0. Loading its state gives the counter "
            "back, not the rate: that comes right one update later.",
            "C": "nothing complains: all states fit.",
        },
    ),
    hints=(
        "What is the optimizer's rate right after LambdaLR(optimizer, ...) was called?",
        "Who writes the rate: the scheduler's load_state_dict, or its step?",
    ),
    solution="B",
    explanation="One update at the rate of step 0, in the middle of the run: with SequentialLR all "
    "later ones are wrong, too.",
)

accumulated = question(
    "accumulated",
    "Line 1 to 0 over 4 updates of 2 mini-batches; a scheduler.step() per mini-batch. Third rate?",
    grade_number(
        0.0,
        mistakes={
            0.5: "that is the plan. The scheduler has made five steps by then, not two.",
            0.25: "that is the second update: three steps of the scheduler, 1 − 3/4.",
            0.375: "that is for a plan of 8 steps, which counts mini-batches.",
            -0.25: "the line ends at 0 and stays there: max(0, 1 − 5/4).",
        },
        otherwise="before the third update there have been five mini-batches, so five steps.",
        right="0.75, 0.25, 0, 0: the plan is over after two updates, and the rest trains nothing.",
        near=2e-6,
        atol=1e-3,
    ),
    hints=(
        "Before the third update five mini-batches are through, and each stepped the scheduler.",
        "max(0, 1 − 5/4)",
    ),
    solution=0.0,
    explanation="The schedule counts mini-batches, the plan updates: it runs twice too fast.",
)

clipped_best = question(
    "clipped_best",
    "SGD, gradients longer than c = 0.1. Best nominal rate: A smaller, B same, C ten times larger?",
    grade_choice(
        "C",
        {
            "A": "clipping does make the steps smaller; so the rate has to be ...?",
            "B": "that is Adam's answer, which divides by the size of the gradient anyway.",
            "C": "Most gradients are several times longer than 0.1. Clipping makes the steps so "
            "many times shorter, and the best rate is larger: what acts is the product.",
        },
    ),
    hints=("What is the length of a step, rate times clipped gradient?", "η · c against η · ‖g‖"),
    solution="C",
    explanation="The step is η · min(1, c/‖g‖) · g: clipping by c is a factor on the rate.",
)

warmup_length = question(
    "warmup_length",
    "Warm-up of 5, cosine of 10: warmup_cosine_decay_schedule(0.0, 0.1, 5, ?) of optax",
    grade_number(
        15,
        mistakes={
            10: "then 5 updates are left for the cosine: optax counts from update 0, with the "
            "warm-up.",
            5: "that is the warm-up alone.",
            14: "one short: the cosine is to take ten steps, from update 5 to update 15.",
        },
        otherwise="optax's decay_steps is the whole length, with the warm-up.",
        right="15 in optax and Transformers, 10 in Keras and in PyTorch's T_max.",
        near=2e-6,
    ),
    hints=("Is the warm-up a part of decay_steps?", "5 + 10"),
    solution=15,
    explanation="In optax `decay_steps` is the length of the whole schedule.",
)


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
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)


def _line(optimizer: torch.optim.Optimizer) -> Any:
    return lr_scheduler.LambdaLR(optimizer, lambda t: 1 - t / 8)


def _warmup_then_cosine(optimizer: torch.optim.Optimizer) -> Any:
    parts = [
        lr_scheduler.LinearLR(optimizer, 0.25, total_iters=3),
        lr_scheduler.CosineAnnealingLR(optimizer, T_max=5),
    ]
    return lr_scheduler.SequentialLR(optimizer, parts, milestones=[3])


def _drive(optimizer: torch.optim.Optimizer, scheduler: Any, updates: int) -> np.ndarray:
    with record_rates(optimizer) as log, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(updates):
            optimizer.step()
            scheduler.step()
    return log.lr


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
        "make_scheduler(optimizer) writes the rate of step 0 into the optimizer.",
        "Make, make, load, load.",
    ),
    solution=my_resume,
    explanation="Making a scheduler sets a rate; so all is made before anything is loaded.",
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
