"""Questions of lesson 4, adaptive methods."""

from __future__ import annotations

import math

import numpy as np

from course_utils.course.exercises import (
    Incorrect,
    Lesson,
    call,
    expect,
    expect_none_of,
    grade_choice,
    grade_number,
    number,
    pair,
)
from course_utils.lessons.lesson04.choice_exercises import grade_defense
from course_utils.lessons.lesson04.rmsprop_exercises import grade_rmsprop, rmsprop
from course_utils.optimizers import Adam, GradientDescent
from course_utils.problems import linear_regression

question = Lesson(4).question


# ---------------------------------------------------------------- 4.1 one rate, two curvatures


def _grade_rare_feature(answer):
    value = number(answer)
    expect(value > 0, f"You gave {value:g}: a rate is greater than 0.")
    mistakes = {
        0.002: "the same rate. But this weight takes a hundredth of the steps.",
        0.00002: "that is a hundred times smaller. The weight takes few steps: they must be long.",
        0.02: "that is ten times larger, right for the feature that is seen in one of 10.",
    }
    expect_none_of(value, mistakes, near=0.05)
    expect(
        0.1 <= value <= 0.45,
        f"You gave {value:g}: it takes a hundredth of the steps, so each should be about a hundred "
        "times longer.",
    )
    return (
        "About 0.2, a hundred times larger: a hundredth of the steps, each a hundred times longer."
    )


rare_feature = question(
    "rare_feature",
    "Which rate is best for the weight of a feature seen in one of 100 examples?",
    _grade_rare_feature,
    hints=(
        "How many steps does this weight take, while the common one takes 1000?",
        "Rate × steps is the clock (lesson 1).",
    ),
    solution=0.2,
    explanation="A hundredth of the steps, each a hundred times longer; 0.1 to 0.45 counts.",
)


# ------------------------------------------------------------------------------------- 4.2 Adam


def _grade_first_steps_of_adam(answer):
    why = f"give a pair (with correction, without correction), got {answer!r}."
    corrected, bare = map(number, pair(answer, why))
    expect(
        math.isclose(corrected, 1, rel_tol=0.01),
        f"with the correction m̂ = g and v̂ = g² at the first step; you gave {corrected:g}.",
    )
    mistakes = {
        1: "without the correction m and v are not what they will be: m = 0.1 g, v = 0.001 g².",
        0.1: "m is too small by a factor of 10, but v is too small as well, and it is below.",
        10: "that is RMSprop with α = 0.99. Here m = 0.1 g and √v = √0.001 g.",
        31.6: "v is too small by 1000, which gives 31.6; but m is too small by 10.",
        100: "v stands under a root.",
    }
    expect_none_of(bare, mistakes, near=0.01, reply="You gave {value:g} without correction: {why}")
    expect(
        math.isclose(bare, 10**0.5, rel_tol=0.01),
        f"You gave {bare:g} without correction: compute 0.1 / √0.001.",
    )
    return "1 and 0.1/√0.001 = 3.16. The eleven steps after it are longer still."


first_steps_of_adam = question(
    "first_steps_of_adam",
    "How long is Adam's first step on a constant slope, with and without bias correction (rate 1)?",
    _grade_first_steps_of_adam,
    hints=(
        "After one step m = (1 − β1) g and v = (1 − β2) g².",
        "Without the correction the step is 0.1 g / √(0.001 g²).",
    ),
    solution=(1.0, 3.1623),
    explanation="Corrected, m̂ = g and v̂ = g², so the step is exactly one rate long.",
)


# -------------------------------------------------------------------- 4.3 and 4.4 race and turn

who_wins = question(
    "who_wins",
    "Who arrives first along the axes, each with its best rate and its best memory?",
    grade_choice(
        "Adam",
        {
            "momentum": "it does become more than twice as fast; Adam is ahead by more than that.",
            "tie": "both knobs help momentum more than Adam, but not enough.",
            "Adam": "Adam, still about three times faster: here the axes are what it needs.",
        },
    ),
    hints=(
        "Tuned momentum needs about the root of the condition number, times a small factor.",
        "The flat and the steep direction lie along the axes: what can a factor per weight do?",
    ),
    solution="Adam",
    explanation="Tuning both knobs helps momentum most, but the valley lies along the axes.",
)

_NOTICE = {"Adagrad", "RMSprop", "Adam"}


def _grade_who_notices(answer):
    if isinstance(answer, str):
        answer = {answer}
    expect(
        isinstance(answer, (set, frozenset, list, tuple))
        and all(isinstance(name, str) for name in answer),
        f"give a set of names, got {answer!r}.",
    )
    known = _NOTICE | {"gradient descent", "momentum"}
    spelled = {name.lower(): name for name in known}
    names = {spelled.get(name.strip().lower(), name.strip()) for name in answer}
    expect(
        names <= known,
        f"the names are {', '.join(sorted(known))}, got {sorted(names - known)}.",
    )
    expect(
        "gradient descent" not in names,
        "gradient descent subtracts a number times a vector. Turn the surface: the vector turns.",
    )
    expect(
        "momentum" not in names,
        "momentum adds up gradient vectors. If they all turn, their sum turns with them.",
    )
    expect(
        names,
        "some rules do notice: they treat each parameter separately, so the axes matter.",
    )
    for name in sorted(_NOTICE - names):
        raise Incorrect(f"not yet complete: what does {name} divide by, and along what?")
    return "Everything that squares, divides or takes a root per parameter depends on the axes."


who_notices = question(
    "who_notices",
    "Which of the rules notice that the surface has been turned?",
    _grade_who_notices,
    hints=(
        "Which rules do something to each parameter separately?",
        "A sum of vectors turns with the vectors; a vector of squares does not.",
    ),
    solution=_NOTICE,
    explanation="The three that divide per parameter. Sums of gradients turn with the surface.",
)


def _grade_turned_network(answer):
    value = number(answer)
    if 0 < value < 0.05:
        value = 100 * value  # 0.01 for one point
    expect(
        value > -2,
        f"You gave {value:g}: a loss is counted as a positive number of points.",
    )
    expect(
        value < 5,
        f"You gave {value:g}: as if this valley lay along the axes, like the one of the race. Were "
        "the weights of a network chosen so?",
    )
    expect(
        value <= 1.5,
        f"You gave {value:g}: less. At its best rate Adam hardly notices; look at higher rates.",
    )
    return "Less than a point at the best rate. What the turn costs shows at the rates above it."


turned_network = question(
    "turned_network",
    "How many points does Adam lose at its best rate when all 4810 axes are turned at random?",
    _grade_turned_network,
    hints=(
        "If the flat and steep directions lay along the weights, Adam would lose much.",
        "Nobody chose the weights of a network as the axes of its valley.",
    ),
    solution=0.3,
    explanation="Anything up to 1.5 points counts as a good prediction.",
)


# --------------------------------------------------------------------------------- 4.7 exercises


write_rmsprop = question(
    "write_rmsprop",
    "Write my_rmsprop(gradient, w, lr, steps, alpha, eps) returning the path.",
    grade_rmsprop,
    hints=(
        "Keep one more variable, v = 0.0, and update it before the step.",
        "v = alpha * v + (1 - alpha) * g**2, then divide by np.sqrt(v) + eps.",
    ),
    solution=rmsprop,
    explanation="One line more than gradient descent, and one division.",
)


missing_correction = question(
    "missing_correction",
    "Steps of 31.6, 22.4, 18.3, 15.8 on a slope of 1 at rate 1: which correction is missing?",
    grade_choice(
        "v",
        {
            "m": "without the correction of m alone the first step would be 0.1 long, too short.",
            "v": "1/√(1 − 0.999^t) is 31.6, 22.4, 18.3, …: v is too small, m is right.",
            "both": "then the first step would be 0.1/√0.001 = 3.16 long, not 31.6.",
        },
    ),
    hints=(
        "Compute the first step for each of the three cases.",
        "1/√0.001 = 31.6, and 31.6/√2 = 22.4.",
    ),
    solution="v",
    explanation="With m̂ = 1 and an uncorrected v = 1 − 0.999^t the step is 1/√v.",
)


floor_of_rmsprop = question(
    "floor_of_rmsprop",
    "On which loss does RMSprop end on ½·50·w² at the constant rate 0.02?",
    grade_number(
        0.0025,
        mistakes={
            0.01: "that is ½·50·0.02². The jump is one rate long, from −η/2 to +η/2.",
            0.005: "½·λ·(η/2)²: you forgot the factor ½.",
            0: "that would be gradient descent. RMSprop divides by the gradient's own size.",
            0.25: "that is ½·λ·η/2: the distance enters squared.",
        },
        otherwise="it ends at ±η/2; put that into ½·50·w².",
        right="½·50·0.01² = 0.0025. Halve the rate, and the floor falls to a quarter.",
        near=0.01,
        rtol=0.02,
    ),
    hints=("Every step has the length η: from −η/2 to +η/2 and back.", "½ · 50 · 0.01²"),
    solution=0.0025,
    explanation="The cycle is at ±η/2, so the loss is ½ λ (η/2)².",
)


largest_heavy_ball_rate = question(
    "largest_heavy_ball_rate",
    "What is the largest stable rate of the heavy ball, β = 0.8, at the curvature 25?",
    grade_number(
        0.144,
        mistakes={
            0.08: "that is 2/λ, the limit without momentum.",
            2 * 1.8 / 2.6 / 25: "that is Nesterov's limit, 2(1+β)/((1+2β)λ).",
            0.4: "2/(1−β)/λ is a widespread guess; it is right for a steady slope, not for jumps.",
            3.6: "do not forget to divide by the curvature.",
            0.016: "2(1−β)/λ would be smaller than without momentum; the ball may go faster.",
        },
        otherwise="the limit is 2(1 + β)/λ.",
        right="2·1.8/25 = 0.144, almost twice the limit of gradient descent.",
        near=1e-3,
        rtol=1e-3,
    ),
    hints=("Momentum may go up to twice as far as 2/λ: see 4.1.", "2(1 + β)/λ"),
    solution=0.144,
    explanation="2(1 + 0.8)/25.",
)


def standardize(x):
    """Subtract each column's mean and divide by its standard deviation, unless that is zero."""
    center = x - x.mean(axis=0)
    spread = x.std(axis=0)
    return center / np.where(spread > 0, spread, 1.0)


def _grade_scale_the_inputs(answer):
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(np.column_stack([np.ones(200), rng.standard_normal((200, 2))]))[0][:, 1:]
    x = np.column_stack([400 + 3000 * basis[:, 0], 5 + 0.2 * basis[:, 1], np.full(200, 7.0)])
    got = call(answer, x)  # of a copy of x
    expect(
        isinstance(got, np.ndarray) and got.shape == x.shape, "return a table of the same shape."
    )
    mine = x.copy()
    answer(mine)
    expect(np.array_equal(mine, x), "your function changed its input; return a new table instead.")
    expect(
        np.isfinite(got).all(),
        "the constant column became NaN: its standard deviation is 0, and 0/0 is not a number.",
    )
    expect(
        np.allclose(got.mean(axis=0), 0, atol=1e-6),
        "the means are not 0: subtract the mean of each column (axis=0), not of the whole table.",
    )
    hessian = linear_regression(got[:, :2], np.zeros(200)).hessian(np.zeros(3))
    low, *_, high = np.linalg.eigvalsh(hessian)
    expect(
        low > 0 and high / low < 1.02,
        f"the condition number is {high / max(low, 1e-300):.3g}, not 1: divide each column by its "
        "own standard deviation.",
    )
    return "Condition number 1: for gradient descent at the rate 0.5 a matter of one step."


scale_the_inputs = question(
    "scale_the_inputs",
    "Write standardize(x): columns of mean 0 and standard deviation 1; constant ones become 0.",
    _grade_scale_the_inputs,
    hints=(
        "x.mean(axis=0) and x.std(axis=0) work column by column.",
        "np.where(spread > 0, spread, 1.0) avoids the division by zero.",
    ),
    solution=standardize,
    explanation="Compute both on the training data, and reuse them for validation and test.",
)


choose_and_defend = question(
    "choose_and_defend",
    "Which rule, at which rate, for each of three described surfaces?",
    grade_defense,
    hints=(
        "Along the axes factors per weight help; turned, momentum does: tune its β as well.",
        "Adam at 0.18 or Adagrad at 3; momentum 0.95 at 0.0316; gradient descent at 1.",
    ),
    solution={
        "axes": (Adam(), 0.178),
        "turned": (GradientDescent(momentum=0.95), 0.0316),
        "exact": (GradientDescent(), 1.0),
    },
    explanation="The surface decides. Adam on the axes, momentum turned, plain descent on a bowl.",
)
