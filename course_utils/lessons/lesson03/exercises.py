"""Questions of lesson 3, decay families."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from course_utils.course.exercises import (
    Incorrect,
    Lesson,
    call,
    expect,
    grade_choice,
    grade_number,
    number,
)
from course_utils.schedules import Schedule, cosine, polynomial, with_warmup

question = Lesson(3).question


# --------------------------------------------------------------------------------- predictions

half_the_rate = question(
    "half_the_rate",
    "The floor of the noisy parabola is 0.026 at the rate 0.1. What is it at 0.05?",
    grade_number(
        0.05 / (2 * 1.95),
        mistakes={
            0.026: "smaller steps pass less of the noise on; the floor cannot stay the same.",
            0.0065: "that is a quarter. The variance of w is proportional to the rate, and the "
            "loss is proportional to that variance.",
            0.052: "a smaller rate gives a lower floor, not a higher one.",
            0.0: "every constant rate has a floor: the noise never stops.",
        },
        otherwise="half the rate, about half the floor.",
        right="η/(2(2−η)) is 0.0128: half the rate, a bit less than half the floor.",
        near=2e-6,
        rtol=0.06,
    ),
    hints=(
        "Each step adds noise of size η·ξ and forgets a fraction η of the past.",
        "Variance in: η². Forgetting: 2η. Their balance is proportional to η.",
    ),
    solution=0.0128,
    explanation="The stationary loss is η/(2(2−η)) for curvature 1 and noise of variance 1.",
)


decay_or_not = question(
    "decay_or_not",
    "(w+1)², no noise, 20 steps: A decayed from 0.2, B constant 0.2, C the same. Which is lower?",
    grade_choice(
        "B",
        {
            "A": "the decay slows the run down: 0.99 per step costs it a factor of ten.",
            "B": "Without noise the constant rate keeps its speed; the decayed one gives some "
            "away.",
            "C": "they look alike in a linear plot. On a logarithmic axis they do not.",
        },
    ),
    hints=(
        "The distance is multiplied by 1 − 2η.",
        "Which of the two has the larger η at step 10?",
    ),
    solution="B",
    explanation="At 0.2 the factor is 0.6 per step; every decay below 0.2 moves it towards 1.",
)

where_it_freezes = question(
    "where_it_freezes",
    "Rate 0.01 · 0.9^t on (w+1)² from w = 5: where is w after infinitely many steps?",
    grade_number(
        6 * math.exp(-0.2) - 1,
        mistakes={
            -1.0: "the minimum would need an infinite sum of rates. Here they add up to 0.1.",
            5.0: "it does move: the rates add up to 0.1.",
            4.88: "that is one step. How far do all of them go together?",
            3.8: "that adds up the first gradient, 12, times 0.1; but the slope falls on the way.",
        },
        otherwise="the distance 6 is multiplied by about exp(−2·Σ rates).",
        right="6·exp(−2·0.1) − 1 = 3.91: eighteen percent of the way, and no step more.",
        near=2e-6,
        atol=0.03,
    ),
    hints=(
        "Σ 0.01·0.9^t = 0.01 / (1 − 0.9) = 0.1.",
        "The distance is multiplied by Π(1 − 2η) ≈ exp(−2 Σ η).",
    ),
    solution=3.91,
    explanation="The sum of all rates is finite, and so is the way that they can go.",
)

keras_decay = question(
    "keras_decay",
    "SGD(lr=1, decay=1e-6): what is the rate after 100 epochs of 938 updates?",
    grade_number(
        1 / 1.0938,
        mistakes={
            1.0: "the decay acts from the first update on.",
            0.5: "halved only after a million updates; 100 epochs are 93,800.",
            0.9999: "you counted epochs. Keras counts updates: 93,800 of them.",
            0.9062: "that subtracts decay · updates. The rate is divided by 1 + decay · updates.",
        },
        otherwise="divide 1 by 1 + 1e-6 · 93,800.",
        right="0.914: in a hundred epochs it loses nine percent. Nothing happens at epoch 100.",
        near=2e-6,
        atol=0.0006,
    ),
    hints=(
        "lr / (1 + decay · iterations), and an iteration is an update.",
        "100 · 938 = 93,800.",
    ),
    solution=0.9142,
    explanation="1 / (1 + 0.0938) = 0.9142: inverse-time decay, counted in updates.",
)


restarts = question(
    "restarts",
    "Cosine with restarts against one cosine: A it wins 1–2 points, B it loses, C no difference?",
    grade_choice(
        "C",
        {
            "A": "article 001 says so too. Look at the paired differences below.",
            "B": "two restarts cost nothing measurable here. Look at the figure below.",
            "C": "Over one cosine of the same length, no difference is detected on any of the "
            "splits.",
        },
    ),
    hints=(
        "Both end at a rate of zero after the same number of updates.",
        "What does a restart change, if the network was not stuck?",
    ),
    solution="C",
    explanation="The gain in article 001 is the gain of a decayed rate over a constant one.",
)


# ----------------------------------------------------------------------------------- exercises


def my_cosine(t, lr, decay_steps, alpha):
    """Half a cosine from lr to alpha·lr, which then stays there."""
    progress = min(t / decay_steps, 1)
    return lr * ((1 - alpha) * 0.5 * (1 + np.cos(np.pi * progress)) + alpha)


def _grade_write_cosine(answer):
    right = cosine(0.4, 100, alpha=0.1)
    got = {t: number(call(answer, t, 0.4, 100, 0.1)) for t in (0, 25, 50, 100, 150, 200)}
    start, end, late = got[0], got[100], (got[150], got[200])
    expect(abs(start - 0.4) < 1e-9, f"at step 0 the rate must be lr = 0.4, got {start:g}.")
    expect(
        abs(end - 0.1) > 1e-9,
        "at the end the rate is 0.1: you used α as a rate. It is a fraction, so the floor is α·lr.",
    )
    expect(
        abs(end) > 1e-9, "at the end the rate is 0, but the floor is α·lr = 0.04. Where is alpha?"
    )
    expect(abs(end - 0.04) < 1e-9, f"at step 100 the rate must be α·lr = 0.04, got {end:g}.")
    expect(
        np.allclose(late, 0.04),
        f"past the end the rate must stay at 0.04; yours is {late[0]:.3g} at step 150 and "
        f"{late[1]:.3g} at 200: it climbs back, as PyTorch's CosineAnnealingLR does.",
    )
    expect(
        all(abs(got[t] - right(t)) < 1e-9 for t in got),
        f"in the middle the rate must be {right(50):.3g}, got {got[50]:.3g}: half a cosine.",
    )
    return "α is a fraction of the peak, and min(t, T) keeps the rate at the floor."


write_cosine = question(
    "write_cosine",
    "Write my_cosine(t, lr, decay_steps, alpha) with alpha as a fraction, staying at the floor.",
    _grade_write_cosine,
    hints=(
        "½(1 + cos(π t/T)) falls from 1 to 0.",
        "Scale it by (1 − α), add α, multiply by lr. For t > T use t = T.",
    ),
    solution=my_cosine,
    explanation="PyTorch's eta_min is an absolute rate; TensorFlow's, Keras's and optax's α is a "
    "fraction.",
)


def my_warmup(t, lr, warmup_steps, decay_steps):
    """Up in a straight line from 0 to lr at step W, then half a cosine of decay_steps to 0."""
    if t < warmup_steps:
        return lr * t / warmup_steps
    progress = min((t - warmup_steps) / decay_steps, 1)
    return lr * 0.5 * (1 + np.cos(np.pi * progress))


def _grade_write_warmup(answer):
    right = with_warmup(cosine(0.5, 100), 10)
    steps = (0, 1, 5, 9, 10, 11, 60, 110, 130)
    got = {t: number(call(answer, t, 0.5, 10, 100)) for t in steps}
    expect(
        abs(got[0] - 0.05) > 1e-9,
        "your first rate is lr/W: that rule, (t+1)/W, reaches lr one step early, at W − 1. Here it "
        "is t/W.",
    )
    expect(abs(got[0]) < 1e-9, f"at step 0 the rate must be 0, got {got[0]:g}.")
    expect(
        abs(got[10] - cosine(0.5, 100)(10)) > 1e-9,
        "at step W the cosine has already run for W steps. It starts at *its* step 0: use t − W.",
    )
    expect(
        abs(got[10] - 0.5) < 1e-9, f"at step W = 10 the rate must be the peak 0.5, got {got[10]:g}."
    )
    expect(abs(got[9] - 0.45) < 1e-9, f"at step W − 1 the rate must be 0.45, got {got[9]:g}.")
    expect(
        abs(got[130]) < 1e-9,
        f"past the end (W + D) the rate must stay at 0; at step 130 yours is {got[130]:.3g}.",
    )
    expect(
        all(abs(got[t] - right(t)) < 1e-9 for t in steps),
        f"the cosine must take D steps: at step 60 the rate is 0.25, got {got[60]:.3g}.",
    )
    return "One pure function, right at W − 1, W and W + 1, whoever calls it and however often."


write_warmup = question(
    "write_warmup",
    "Write my_warmup(t, lr, warmup_steps, decay_steps): t/W up, then a cosine of D steps to 0.",
    _grade_write_warmup,
    hints=("Two cases: t < W and the rest.", "In the second, the cosine's own step is t − W."),
    solution=my_warmup,
    explanation="A function of t has no state that a plot or a second call could disturb.",
)


def my_piecewise(t, boundaries, values):
    """The old rate still holds at the boundary itself."""
    for boundary, value in zip(boundaries, values):
        if t <= boundary:
            return value
    return values[-1]


def _grade_fix_boundary(answer):
    got = {t: number(call(answer, t, [100, 200], [0.1, 0.05, 0.01])) for t in (0, 100, 101, 200)}
    last = number(call(answer, 201, [100, 200], [0.1, 0.05, 0.01]))
    expect(abs(got[0] - 0.1) < 1e-12, f"at step 0 the rate must be 0.1, got {got[0]:g}.")
    expect(
        abs(got[101] - 0.1) > 1e-12,
        "at step 101 you still use the first rate: the change must come right after the boundary.",
    )
    expect(
        abs(got[100] - 0.05) > 1e-12,
        "at the boundary itself (step 100) TensorFlow still uses the old rate, 0.1; yours has "
        "changed, as in PyTorch's MultiStepLR.",
    )
    expect(abs(last - 0.01) < 1e-12, f"after the last boundary the rate is 0.01, got {last:g}.")
    expect(
        (got[100], got[101], got[200]) == (0.1, 0.05, 0.05),
        "steps 100, 101 and 200 must use 0.1, 0.05 and 0.05; yours use "
        f"{got[100]:g}, {got[101]:g} and {got[200]:g}.",
    )
    return "With a boundary of 100, a hundred and one updates use the first rate."


fix_boundary = question(
    "fix_boundary",
    "Repair piecewise(t, boundaries, values) so that the old rate still holds at the boundary.",
    _grade_fix_boundary,
    hints=("Which comparison is true at t = boundary?", "`<=` in place of `<`."),
    solution=my_piecewise,
    explanation="One character. PyTorch and optax change one update earlier than TensorFlow.",
)

gamma_per_update = question(
    "gamma_per_update",
    "0.96 per epoch of 62 updates; your scheduler steps after every update. Which gamma?",
    grade_number(
        0.96 ** (1 / 62),
        mistakes={
            0.96: "that decays by 0.96 per update: after one epoch the rate is 0.08 of its start.",
            0.96**62: "that is the decay of 62 epochs. You need the 62nd *root*.",
            0.96 / 62: "gammas multiply; dividing the factor does not undo 62 multiplications.",
            1
            - 0.04 / 62: "very close (0.9994 lowers the rate by 0.9608 per epoch), but exact is as "
            "easy: which factor, 62 times, is 0.96?",
        },
        otherwise="find the factor that multiplied 62 times gives 0.96.",
        right="0.96^(1/62) = 0.99934. Always ask: per what?",
        near=2e-6,
        rtol=4e-6,
    ),
    hints=("gamma^62 = 0.96.", "0.96 ** (1 / 62)"),
    solution=0.96 ** (1 / 62),
    explanation="The 62nd root of 0.96.",
)

natural_rate = question(
    "natural_rate",
    "Which k makes natural_exponential(0.1, 1, k) equal to exponential(0.1, 1, 0.96)?",
    grade_number(
        -math.log(0.96),
        mistakes={
            0.96: "the same number means exp(−0.96) = 0.38 per step there.",
            0.04: "close, but exp(−0.04) = 0.9608.",
            math.log(0.96): "the sign: the formula has a minus already.",
            math.exp(-0.96): "that is what 0.96 becomes there. You need the other direction.",
        },
        otherwise="solve exp(−k) = 0.96.",
        right="k = −ln 0.96 = 0.0408. Base e is a notation, not a speed.",
        near=2e-6,
        atol=2.5e-4,
    ),
    hints=("exp(−k) must be 0.96.", "Take logarithms."),
    solution=-math.log(0.96),
    explanation="exp(−k) = 0.96 gives k = −ln 0.96.",
)

area_of_a_cosine = question(
    "area_of_a_cosine",
    "The area under cosine(0.5, 930) over 930 updates, to one percent?",
    grade_number(
        cosine(0.5, 930).area(930),
        mistakes={
            465: "that is the constant rate, 0.5 · 930.",
            930: "the peak is 0.5, not 2.",
            0.25: "that is the mean rate. The area is the sum over all updates.",
            0.5: "that is the peak. The area is the sum over all updates.",
            296.06: "that is a quarter period (2/π of the rectangle). This cosine goes from 1 to "
            "−1, lifted by 1 and halved.",
        },
        otherwise="a half cosine is as much above its middle as below: mean 0.25.",
        right="0.25 · 930 = 232.5, the same as a straight line to 0: at small rates they train "
        "alike.",
        near=2e-6,
        rtol=0.01,
    ),
    hints=("What is the mean of ½(1 + cos x) from 0 to π?", "½ · 0.5 · 930"),
    solution=232.5,
    explanation="The mean of the half cosine is one half of the peak.",
)


def my_schedule():
    """Hold a high rate for half of the run, then go down in a straight line."""
    from course_utils.schedules import join

    return join([0.6, polynomial(0.6, 155, end_lr=0.0)], boundaries=[155])


@cache
def _loss_of_the_best_constant() -> tuple[float, np.ndarray]:
    from course_utils.lessons.lesson03.designer import best_constant

    best = best_constant()
    return best["lr"], best["loss"]


def _grade_choose_schedule(answer):
    from course_utils.lessons.lesson03.designer import train_under

    schedule = call(answer)
    expect(
        isinstance(schedule, Schedule),
        f"return a Schedule, such as cosine(0.5, 310), got {schedule!r}.",
    )
    expect(
        schedule.family != "constant", "a constant rate cannot beat the best constant rate by much."
    )
    lr, reference = _loss_of_the_best_constant()
    with np.errstate(all="ignore"):
        table = train_under([schedule])
        final = table.final("validation_loss")[0]
        gain = reference - final
        mean, error = gain.mean(), gain.std(ddof=1) / math.sqrt(len(gain))
    expect(not table.diverged.any(), "some of the 16 runs diverged: the peak is too high.")
    report = (
        f"validation loss {final.mean():.3f}, best constant rate ({lr:g}) {reference.mean():.3f}"
    )
    if mean < 2 * error:
        rates = schedule.rates(310)
        if rates[-1] > 0.5 * rates.max():
            why = "It hardly decays within the 310 updates that there are."
        elif rates.mean() < 0.15:
            why = f"Its mean rate is {rates.mean():.2g}: it stops before it has learned."
        else:
            why = "Look at the peak and at the last rate in the designer."
        raise Incorrect(f"{report}: not lower by two standard errors. {why}")
    return f"{report}: lower by {mean:.3f} ± {error:.3f} over 16 paired runs. Defended."


choose_schedule = question(
    "choose_schedule",
    "Write my_schedule(): 310 updates, 10 % wrong labels; beat the best constant rate by 2 se.",
    _grade_choose_schedule,
    hints=(
        "Labels are noisy: which end of the run needs a small rate?",
        "A peak of 0.5 to 0.7, and a decay that ends near 0 at update 310.",
    ),
    solution=my_schedule,
    explanation="High while there is a way to go, then down to nothing when the run ends.",
)
