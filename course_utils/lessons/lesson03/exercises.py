"""Questions of lesson 3, decay families."""

from __future__ import annotations

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
from course_utils.schedules import cosine, with_warmup

question = Lesson(3).question


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
)

where_it_freezes = question(
    "where_it_freezes",
    "Rate 0.01 · 0.9^t on (w+1)² from w = 5: where does the run end? A −1, B about 0, C about 4.",
    grade_choice(
        "C",
        {
            "A": "the rate never becomes zero, but all the rates together add up to 0.1. Is that "
            "enough to walk from 5 to −1?",
            "B": "it does not come that far: all its rates together add up to 0.1.",
            "C": "The rates add up to 0.1, so the distance 6 is multiplied by about exp(−2 · 0.1): "
            "the run stops at 6 · 0.82 − 1 = 3.9.",
        },
    ),
    hints=(
        "Σ 0.01 · 0.9^t = 0.01 / (1 − 0.9) = 0.1.",
        "The distance is multiplied by Π(1 − 2η) ≈ exp(−2 Σ η).",
    ),
    solution="C",
)

keras_decay = question(
    "keras_decay",
    "Rate 1 / (1 + 1e-6 t), t counts updates: what is it nearest to after 100 epochs of 938 "
    "updates, A 1, B 0.9 or C 0.01?",
    grade_choice(
        "B",
        {
            "A": "you counted epochs. The formula counts updates, and there are 93,800 of them.",
            "B": "1 / 1.0938 = 0.914: in a hundred epochs it loses nine percent. Nothing happens "
            "at epoch 100.",
            "C": "93,800 millionths are about a tenth: 1 is divided by 1.09, no more.",
        },
    ),
    hints=(
        "Put the number of updates, not of epochs, into the formula.",
        "100 · 938 = 93,800.",
    ),
    solution="B",
)


cosine_against_constant = question(
    "cosine_against_constant",
    "The best constant rate ends at 1.74 / 1000. The best cosine: A within 10 % of it, B at about "
    "half, C at less than a tenth?",
    grade_choice(
        "B",
        {
            "A": "the constant rate pays twice: it must be small for a low floor, and then it is "
            "late. A falling rate pays neither in full.",
            "B": "0.78: about half. And there is not more to win here than down to 0.5, the least "
            "that 1000 noisy gradients allow.",
            "C": "that would be below 0.5 thousandths, the least that 1000 noisy gradients allow. "
            "(Against an untuned constant rate it looks like that.)",
        },
    ),
    hints=(
        "From 1000 noisy gradients nobody can promise a loss below 1 / (2 · 1000).",
        "The best constant rate is a compromise that is only some three times above that.",
    ),
    solution="B",
)


which_shape = question(
    "which_shape",
    "Each at its own best: how far are cosine and straight line apart, at most, in the test loss? "
    "A less than 5 %, B 5 to 20 %, C more than 20 %?",
    grade_choice(
        "A",
        {
            "A": "In all four columns. The constant rate is much farther behind: decay or none is "
            "the large difference.",
            "B": "that is how far the constant rate is behind in most columns. Two decays, each at "
            "its own best, are closer.",
            "C": "so far apart are they only where one of them is not at its own best.",
        },
    ),
    hints=(
        "Both start high and end low. What is left to differ, once each has its own peak and end?",
        "In 3.1 the cosine ended at 0.78 and the straight line at 0.86; the constant at 1.74.",
    ),
    solution="A",
)


def my_cosine(t, lr, decay_steps, alpha):
    """Half a cosine from lr to alpha·lr, which then stays there."""
    progress = min(t / decay_steps, 1)
    return lr * ((1 - alpha) * 0.5 * (1 + np.cos(np.pi * progress)) + alpha)


_CLOSE = 3e-7  # float32 is forgiven


def _grade_write_cosine(answer):
    right = cosine(0.4, 100, alpha=0.1)
    got = {t: number(call(answer, t, 0.4, 100, 0.1)) for t in (0, 25, 50, 75, 100, 150, 200)}
    start, end, late = got[0], got[100], (got[150], got[200])
    expect(abs(start - 0.4) < _CLOSE, f"at step 0 the rate must be lr = 0.4, got {start:.7g}.")
    expect(
        abs(end - 0.1) > _CLOSE,
        "at the end the rate is 0.1: you used α as a rate. It is a fraction, so the floor is α·lr.",
    )
    expect(
        abs(end) > _CLOSE, "at the end the rate is 0, but the floor is α·lr = 0.04. Where is alpha?"
    )
    expect(abs(end - 0.04) < _CLOSE, f"at step 100 the rate must be α·lr = 0.04, got {end:.7g}.")
    expect(
        max(abs(rate - 0.04) for rate in late) < _CLOSE,
        f"past the end the rate must stay at 0.04; yours is {late[0]:.7g} at step 150 and "
        f"{late[1]:.7g} at 200: it climbs back, as PyTorch's CosineAnnealingLR does.",
    )
    for t in (25, 50, 75):
        expect(
            abs(got[t] - right(t)) < _CLOSE,
            f"at step {t} the rate must be {right(t):.7g}, got {got[t]:.7g}: half a cosine.",
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
        abs(got[0] - 0.05) > _CLOSE,
        "your first rate is lr/W: that rule, (t+1)/W, reaches lr one step early, at W − 1. Here it "
        "is t/W.",
    )
    expect(abs(got[0]) < _CLOSE, f"at step 0 the rate must be 0, got {got[0]:.7g}.")
    expect(
        abs(got[10] - cosine(0.5, 100)(10)) > _CLOSE,
        "at step W the cosine has already run for W steps. It starts at *its* step 0: use t − W.",
    )
    expect(
        abs(got[10] - 0.5) < _CLOSE,
        f"at step W = 10 the rate must be the peak 0.5, got {got[10]:.7g}.",
    )
    expect(abs(got[9] - 0.45) < _CLOSE, f"at step W − 1 the rate must be 0.45, got {got[9]:.7g}.")
    expect(
        abs(got[130]) < _CLOSE,
        f"past the end (W + D) the rate must stay at 0; at step 130 yours is {got[130]:.3g}.",
    )
    for t in steps:
        expect(
            abs(got[t] - right(t)) < _CLOSE,
            f"at step {t} the rate must be {right(t):.7g}, got {got[t]:.7g}: up to W = 10 a "
            "straight line, then half a cosine of D = 100 steps.",
        )
    return "One pure function, right at W − 1, W and W + 1, whoever calls it and however often."


write_warmup = question(
    "write_warmup",
    "Write my_warmup(t, lr, warmup_steps, decay_steps): t/W up, then a cosine of D steps to 0.",
    _grade_write_warmup,
    hints=("Two cases: t < W and the rest.", "In the second, the cosine's own step is t − W."),
    solution=my_warmup,
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
    "0.96 per epoch of 62 updates; your scheduler steps after every update. gamma?",
    grade_number(
        0.96 ** (1 / 62),
        mistakes={
            0.96: "that decays by 0.96 per update: after one epoch the rate is 0.08 of its start.",
            0.96**62: "that is the decay of 62 epochs. You need the 62nd *root*.",
            0.96 / 62: "gammas multiply; dividing the factor does not undo 62 multiplications.",
            0.9993: "rounded too soon: 62 times that is 0.957. Give six digits, or the formula.",
            0.9994: "rounded too soon: 62 times that is 0.963. Give six digits, or the formula.",
            1 - 0.04 / 62: "very close (62 times that is 0.9608), but exact is as easy: which "
            "factor, 62 times, is 0.96?",
        },
        otherwise="find the factor that multiplied 62 times gives 0.96, to six digits.",
        right="0.96^(1/62) = 0.99934. Always ask: per what?",
        near=2e-6,
        rtol=4e-6,
    ),
    hints=("gamma^62 = 0.96.", "0.96 ** (1 / 62)"),
    solution=0.96 ** (1 / 62),
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
)


def my_paired(choose_a, judge_a, choose_b, judge_b):
    """Each method at the row that is best on its own choosing runs; then seed by seed."""
    a = judge_a[choose_a.mean(axis=1).argmin()]
    b = judge_b[choose_b.mean(axis=1).argmin()]
    return a - b


def _tables():
    """Losses (3 rates, 4 seeds) of two methods; every wrong way gives another answer."""
    noise = np.array([0.30, -0.10, 0.20, -0.40])
    base = np.array([[0.50], [0.40], [0.70]])
    choose_a, judge_a = base + noise, base + noise[::-1] + [[0.0], [0.05], [-0.60]]
    choose_b = base[[1, 2, 0]] + noise
    judge_b = base[[1, 2, 0]] + noise[::-1] * 1.1 + [[0.12], [0.0], [-0.50]]
    return choose_a, judge_a, choose_b, judge_b


def _grade_paired(answer):
    choose_a, judge_a, choose_b, judge_b = tables = _tables()
    got = np.asarray(call(answer, *tables))
    right = my_paired(*tables)
    mean = np.array([right.mean()])

    def is_like(values):
        return got.shape == np.shape(values) and np.allclose(got, values, rtol=0, atol=1e-6)

    if got.shape in ((), (1,)) and np.allclose(got, mean):
        raise Incorrect(
            "that is the mean. Return the four differences: without them nobody can say how "
            "certain the mean is."
        )
    a, b = choose_a.mean(axis=1).argmin(), choose_b.mean(axis=1).argmin()
    own = judge_a[judge_a.mean(axis=1).argmin()] - judge_b[judge_b.mean(axis=1).argmin()]
    expect(not is_like(own), "you chose the rate on the runs that judge: the winner is then lucky.")
    expect(
        not any(is_like(judge_a[row] - judge_b[row]) for row in (a, b)),
        "both methods are at one rate, which is best for one of them only. Each gets its own.",
    )
    expect(not is_like(choose_a[a] - choose_b[b]), "those are the choosing runs. Judge on others.")
    expect(not is_like(-right), "that is b minus a.")
    largest = judge_a[choose_a.mean(axis=1).argmax()] - judge_b[choose_b.mean(axis=1).argmax()]
    expect(not is_like(largest), "that is each at its *worst* rate: these are losses.")
    expect(got.shape == (4,), f"return one difference per seed, shape (4,), got {got.shape}.")
    expect(
        not is_like(np.sort(judge_a[a]) - np.sort(judge_b[b])),
        "sorted, the runs are not paired any more: seed 3 of a belongs to seed 3 of b.",
    )
    expect(is_like(right), "the row with the lowest mean of `choose`, then a minus b in `judge`.")
    return "Chosen on some runs, judged on others, each at its own best, paired seed by seed."


paired = question(
    "paired",
    "Write my_paired(choose_a, judge_a, choose_b, judge_b): a − b, each at its own best rate.",
    _grade_paired,
    hints=(
        "The row: choose_a.mean(axis=1).argmin(), and the same for b.",
        "Take that row of judge_a and that row of judge_b; subtract.",
    ),
    solution=my_paired,
    explanation="This is the method of section 3.5, and of every comparison in the course.",
)
