"""Questions of lesson 5, scheduling against adaptive methods."""

from __future__ import annotations

import math

import numpy as np

from course_utils.course.exercises import (
    Lesson,
    NotAttempted,
    call,
    expect,
    expect_none_of,
    expect_number,
    grade_choice,
    grade_number,
    number,
    pair,
)
from course_utils.descent import descend
from course_utils.experiments.sweep import sweep
from course_utils.lessons.lesson05.spikes import distance, excursions
from course_utils.lessons.lesson05.studies import sparse_excess
from course_utils.optimizers import Adagrad, Adam, AdamW, Optimizer
from course_utils.problems import curved_valley
from course_utils.schedules import Schedule, as_schedule, cosine

question = Lesson(5).question


# ------------------------------------------------------------------------------- predictions


who_can_burst = question(
    "who_can_burst",
    'Which σ can let the effective rate η/σ grow late: the "sum", the "mean", "both", "neither"?',
    grade_choice(
        "mean",
        {
            "sum": "a sum of squares never falls, so the effective rate can never rise again.",
            "mean": "Only a σ that can shrink lets η/σ grow: an average, not a sum.",
            "both": "ask for each: can its σ become smaller when the gradients become small?",
            "neither": "an average over many small gradients becomes small. What does η/σ do then?",
        },
    ),
    hints=("η/σ grows when σ shrinks.", "Can a sum of squares shrink? Can a mean?"),
    solution="mean",
    explanation="The mean over t + 1 gradients falls when new ones are small; the sum cannot.",
)


what_cures = question(
    "what_cures",
    'What keeps RMSprop calm at the end: a "warm-up" alone, a "cosine", "both", "neither"?',
    grade_choice(
        "cosine",
        {
            "warm-up": "it acts in the first steps only. What holds the rate down at the end?",
            "cosine": "Late trouble needs a cure that is at work late.",
            "both": "a warm-up ends at the full rate; late in training nothing has changed.",
            "neither": "a rate that goes to zero takes η/σ with it, however small σ gets.",
        },
    ),
    hints=("The burst is late.", "At which steps does each schedule lower the rate?"),
    solution="cosine",
    explanation="The warm-up is over when the trouble starts; the cosine is at work then.",
)


def _grade_where_warmup_helps(answer):
    value = number(answer)
    mistakes = {
        0.01: "this rate is below the best one: there is nothing to protect from.",
        0.03: "at its best rate Adam needs no protection here. Think of the risky end.",
        0.1: "just above the best rate. There is a place where more is at stake.",
    }
    expect_none_of(value, mistakes)
    expect(math.isclose(value, 0.3), "choose one of 0.01, 0.03, 0.1 and 0.3.")
    return "A warm-up helps where the start is the dangerous part: at rates that are too large."


where_warmup_helps = question(
    "where_warmup_helps",
    "At which of the rates 0.01, 0.03, 0.1, 0.3 does a warm-up help Adam most?",
    _grade_where_warmup_helps,
    hints=("A warm-up protects the first steps.", "Which rate can ruin a network in ten steps?"),
    solution=0.3,
    explanation="At 0.3 most seeds fail without a warm-up and none with it.",
)


smallest_batch_gap = question(
    "smallest_batch_gap",
    'Is Adam\'s lead over gradient descent largest for "small" or "large" batches, or "equal"?',
    grade_choice(
        "large",
        {
            "small": "that is the article's guess too. With more noise, both methods have to be "
            "slow.",
            "large": "With large batches there are few updates, and plain descent cannot use them "
            "well.",
            "equal": "the figure shows four batch sizes; the curves are not parallel.",
        },
    ),
    hints=("At equal epochs, large batches mean few updates.", "Which method makes more of few?"),
    solution="large",
    explanation="From none at one image per batch it grows to twelve points at 256.",
)

# --------------------------------------------------------------------------------- exercises


burst_threshold = question(
    "burst_threshold",
    "At which value of rate/σ × curvature does Adam with β1 = 0.5 become unstable?",
    grade_number(
        6,
        mistakes={
            2: "2 is the limit without an averaged direction, β1 = 0.",
            38: "38 belongs to β1 = 0.9.",
            3: "2(1+β) is the heavy ball's limit. Adam's average has a factor 1−β more.",
            4: "2/(1−β): and the factor 1+β?",
            2 / 3: "you have numerator and denominator exchanged.",
        },
        otherwise="put β1 = 0.5 into 2(1+β1)/(1−β1).",
        right="2 · 1.5 / 0.5 = 6. On the endless valley it bursts at 6.2.",
        near=1e-3,
        rtol=1e-3,
    ),
    hints=(
        "The threshold is 2 for β1 = 0 and 38 for β1 = 0.9.",
        "The heavy ball is stable up to 2(1+β)/λ; Adam's m is (1−β) times its velocity.",
    ),
    solution=6,
    explanation="2(1+β1)/(1−β1) with β1 = 0.5.",
)


def warm_then_root(t, lr, warmup):
    """Rise in a straight line to lr at t = warmup - 1, then fall like 1/√t; a pure function."""
    return lr * min((t + 1) / warmup, math.sqrt(warmup / (t + 1)))


def _grade_warm_then_root(answer):
    first = number(call(answer, 0, 0.1, 4))
    expect(first != 0, "the rate of update 0 is 0: that update is wasted. Use (t+1)/warmup.")
    expect(math.isclose(first, 0.025), f"at t = 0, warm-up 4, lr 0.1 it is 0.025, not {first:g}.")
    top = number(call(answer, 3, 0.1, 4))
    expect(
        math.isclose(top, 0.1),
        f"at t = 3 four updates are done, so the rate is lr = 0.1, not {top:g}.",
    )
    late = number(call(answer, 399, 0.1, 4))
    expect(
        not math.isclose(late, 0.1), "after the warm-up the rate has to fall: it is still at lr."
    )
    expect(late < 0.1, f"at t = 399 it is {late:g}, above lr: take the smaller of the two parts.")
    expect(
        math.isclose(late, 0.01),
        f"at t = 399 it is 0.1·√(4/400) = 0.01, not {late:g}: count the root from update 0, "
        "√(warmup/(t+1)).",
    )
    one = number(call(answer, 0, 0.1, 1))
    expect(math.isclose(one, 0.1), f"with a warm-up of 1 the first rate is lr, not {one:g}.")
    again = number(call(answer, 0, 0.1, 4))
    expect(again == first, "called twice, it gives two answers: a schedule must not count calls.")
    return "One line, no state, continuous, and right at t = 0, at the peak and long after it."


write_warmup = question(
    "write_warmup",
    "Write a warm-up followed by 1/√t as one pure function of the step.",
    _grade_warm_then_root,
    hints=(
        "Two parts that meet: (t+1)/warmup and √(warmup/(t+1)). Both are 1 at t = warmup − 1.",
        "Take the smaller of the two and multiply with lr.",
    ),
    solution=warm_then_root,
    explanation="The minimum of two curves needs no if, and has no jump.",
)


_PARAMETERS = 64 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10

state_of_adam = question(
    "state_of_adam",
    "How many numbers does Adam remember for a network 64-512-512-10?",
    grade_number(
        2 * _PARAMETERS,
        mistakes={
            _PARAMETERS: "that is one number per parameter. Adam keeps m and v.",
            3 * _PARAMETERS: "do not count the parameters themselves: they are not state.",
            2 * (_PARAMETERS - 1034): "the biases have a state, too.",
            2 * 1000 * _PARAMETERS: "the state does not grow with the number of samples.",
        },
        otherwise="count weights and biases of all layers, times two.",
        right="Two per parameter, whether you train on a hundred images or on a billion.",
    ),
    hints=(
        "A layer from a to b units has a·b weights and b biases.",
        "Adam keeps two numbers per parameter, m and v.",
    ),
    solution=602_132,
    explanation="33 280 + 262 656 + 5 130 = 301 066 parameters, times two.",
)


def _grade_weight_left(answer):
    value = number(answer)
    mistakes = {
        math.exp(-2): "that is for the constant rate. The cosine uses half of its area.",
        0.98**1000: "the decay per step is η·λ, not λ.",
        0.998: "that is what one step leaves at the peak rate. There are 1000 steps.",
        1.0: "no gradient, but AdamW shrinks the weight all the same.",
    }
    expect_none_of(value, mistakes, near=1e-3)
    right = float(np.prod(1 - 0.02 * cosine(0.1, 1000)(np.arange(1000))))
    expect_number(value, right, "multiply the factors 1 − η_t λ over all steps.", rtol=0.01)
    w, rule = np.array([1.0]), AdamW(weight_decay=0.02)
    for lr in cosine(0.1, 1000)(np.arange(1000)):
        w = rule.step(w, [0.0], float(lr))
    expect(math.isclose(w[0], right, rel_tol=1e-9), "AdamW disagrees: please report this.")
    return "exp(−λ Σ η_t) = exp(−1): AdamW itself, run for 1000 steps, agrees."


weight_left = question(
    "weight_left",
    "AdamW, λ = 0.02, cosine from 0.1 to 0 in 1000 steps, no gradient: what is left of a weight 1?",
    _grade_weight_left,
    hints=(
        "Each step multiplies the weight by 1 − η_t λ.",
        "Many small factors: exp(−λ Σ η_t). The mean of a cosine is half its peak.",
    ),
    solution=0.368,
    explanation="λ Σ η_t = 0.02 · 50 = 1.",
)


def _rule_and_schedule(answer, client: str) -> tuple[Optimizer, Schedule]:
    expect(isinstance(answer, dict) and client in answer, f'give a dict with the key "{client}".')
    why = f'"{client}" needs a pair (rule, rate or schedule), such as (Adam(), 0.01).'
    rule, rate = pair(answer[client], why)
    expect(isinstance(rule, Optimizer), why)
    return rule, as_schedule(rate)


def _grade_choose_and_defend(answer):
    stubs = list(answer.values()) if isinstance(answer, dict) else []
    if stubs and all(v is ... or (isinstance(v, tuple) and ... in v) for v in stubs):
        raise NotAttempted
    rule, schedule = _rule_and_schedule(answer, "calm")
    run = descend(curved_valley(), rule, schedule, 2000)
    bursts = excursions(distance(run.params)) if not run.diverged else ["diverged"]
    expect(not bursts, f'"calm": your run leaves the valley floor again, at {bursts[:4]}.')
    expect(
        run.final_loss <= 1e-6,
        f'"calm": no burst, but the final loss is {run.final_loss:.1e}, above 1e-6.',
    )
    rule, schedule = _rule_and_schedule(answer, "rare")
    excess = sparse_excess(rule, schedule).mean()
    expect(
        excess <= 0.08,
        f'"rare": {rule.name} ends {excess:.3f} nats above the teacher; 0.08 is asked for.',
    )
    rule, schedule = _rule_and_schedule(answer, "careless")
    lrs = [_times(schedule, factor) for factor in (0.25, 1.0, 4.0)]
    table = sweep(lrs, range(3), batch_size=32, epochs=10, optimizer=rule)
    worst = table.final("validation_accuracy").mean(axis=1).min()
    expect(
        worst >= 0.935,
        f'"careless": at a quarter or at four times your rate the accuracy falls to {worst:.1%}.',
    )
    return "All three defended by runs: a schedule, per-parameter rates, and a wide basin."


def _times(schedule: Schedule, factor: float) -> Schedule:
    from course_utils.schedules import custom

    return custom(lambda t: factor * schedule(t), vectorized=True)


choose_and_defend = question(
    "choose_and_defend",
    "Choose a rule and a rate or schedule for three clients, and defend them by runs.",
    _grade_choose_and_defend,
    hints=(
        '"calm": a rate that goes to zero. "rare": which rule gives rare features large steps?',
        '"careless": the middle of a wide basin, on a logarithmic axis.',
    ),
    solution={
        "calm": (Adam(beta1=0.0, beta2=0.9), cosine(0.05, 2000)),
        "rare": (Adagrad(), 0.5),
        "careless": (Adam(), 0.012),
    },
    explanation="A cosine lets RMSprop come to rest; Adagrad suits rare features; Adam's basin is "
    "the widest.",
)
