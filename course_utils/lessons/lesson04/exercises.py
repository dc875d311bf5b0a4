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
    expect_number,
    grade_choice,
    grade_number,
    number,
    pair,
)
from course_utils.descent import descend
from course_utils.lessons.lesson04.race import LEVEL, steps_to_arrive
from course_utils.optimizers import Adam, GradientDescent, Optimizer
from course_utils.problems import abc_surface, linear_regression, quadratic

question = Lesson(4).question


# -------------------------------------------------------------------------- 4.2 steep and flat


def _grade_along_the_floor(answer):
    value = number(answer)
    expect(value <= 0, f"You gave {value:g}: the floor leads from −10 up to 0, not beyond.")
    expect(value >= -10, f"You gave {value:g}: it starts at −10 and comes closer to 0.")
    if value > -1:
        raise Incorrect(
            f"You gave {value:g}: that is arrival. The factor per step is 1 − 0.0199·0.01, so "
            "hardly anything is lost in one step."
        )
    if value < -9:
        raise Incorrect(f"You gave {value:g}: slow, but not that slow. 2000 small factors add up.")
    expect(
        abs(value + 6.716) < 0.3,
        f"You gave {value:g}: compute −10 · (1 − 0.0199 · 0.01)^2000.",
    )
    return "−10 · 0.999801^2000 = −6.72: a third of the way in 2000 steps, at the best stable rate."


along_the_floor = question(
    "along_the_floor",
    "Where is w2 after 2000 steps of gradient descent at the rate 0.0199?",
    _grade_along_the_floor,
    hints=(
        "Each direction of a quadratic has its own factor 1 − ηλ; here λ = 0.01.",
        "(1 − 0.000199)^2000 is about exp(−0.4).",
    ),
    solution=-6.716,
    explanation="The flat direction shrinks by 1 − 0.0199·0.01 per step: −10·exp(−0.398) = −6.72.",
)


# ------------------------------------------------------------------------------- 4.3 the stall


predict_the_stall = question(
    "predict_the_stall",
    "How many steps does Adagrad need to cover 100 rates on a constant slope?",
    grade_number(
        2550,
        mistakes={
            100: "that is gradient descent. Adagrad's second step is only 1/√2 long.",
            10_000: "you forgot the factor 2: the distance is 2√n, not √n.",
            50: "that is fewer than gradient descent needs; Adagrad only ever slows down.",
            200: "the distance grows like the root of the steps, not like half of them.",
        },
        otherwise="solve 2√n = 100 for n.",
        right="2√n = 100 gives n = 2500 (exactly 2574): 25 times slower, and the next 100 take "
        "7500 more.",
        near=0.01,
        atol=150,
    ),
    hints=("The distance after n steps is about 2√n.", "2√n = 100, so √n = 50."),
    solution=2500,
    explanation="2√2500 = 100. The exact sum 1 + 1/√2 + 1/√3 + … passes 100 at step 2574.",
)


# --------------------------------------------------------------------------------- 4.5 momentum


heavy_ball_limit = question(
    "heavy_ball_limit",
    "Is the largest stable rate of the heavy ball below, at or above 2/λ?",
    grade_choice(
        "above",
        {
            "below": "that is Nesterov's form. The heavy ball's memory of the last step brakes the "
            "jump from wall to wall.",
            "at": "the memory changes the limit; work out w(t+1) for steps that alternate.",
            "above": "It is 2(1 + β)/λ = 3.8 for β = 0.9: alternating gradients cancel in the "
            "average.",
        },
    ),
    hints=(
        "Near the limit the weight jumps from wall to wall, so the gradients alternate in sign.",
        "The sum g − βg + β²g − … = g/(1 + β): momentum makes alternating steps shorter.",
    ),
    solution="above",
    explanation="Alternating steps are damped by 1/(1 + β), so the limit is 2(1 + β)/λ.",
)


# ------------------------------------------------------------------------------------- 4.6 Adam


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


# -------------------------------------------------------------------- 4.7 and 4.8 race and turn

who_wins = question(
    "who_wins",
    "Which rule arrives first on the A-B-C surface, each at its best rate?",
    grade_choice(
        "Adagrad",
        {
            "momentum": "momentum needs 609 steps: it is limited by the wall, like gradient "
            "descent.",
            "RMSprop": "RMSprop needs 402 steps: a larger rate would be faster, but then its "
            "floor, ½ Σ λ (η/2)², is above 0.01.",
            "Adam": "Adam is second with 77 steps. One rule may use much larger rates here.",
            "Adagrad": "Adagrad, in four steps: it may start with the rate 10, because it slows "
            "down by itself.",
        },
    ),
    hints=(
        "Which rule can afford a very large rate, because it becomes smaller by itself?",
        "There is no noise and no changing slope here: the stall does not matter.",
    ),
    solution="Adagrad",
    explanation="Its weakness, a rate that only shrinks, is a strength on a smooth surface.",
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
    names = {name.strip() for name in answer}
    known = _NOTICE | {"gradient descent", "momentum"}
    expect(
        names <= known,
        f"the five names are {', '.join(sorted(known))}, got {sorted(names - known)}.",
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
    "Which of the five rules notice that the surface has been turned?",
    _grade_who_notices,
    hints=(
        "Which rules do something to each parameter separately?",
        "A sum of vectors turns with the vectors; a vector of squares does not.",
    ),
    solution={"Adagrad", "RMSprop", "Adam"},
    explanation="The three that divide per parameter. Sums of gradients turn with the surface.",
)


def _grade_after_scaling(answer):
    value = number(answer)
    mistakes = {
        100_000: "the number of steps depends on the condition number, and that has changed.",
        2: "almost: with all curvatures equal to 2, what is the factor 1 − 0.5·2?",
        0: "the scaling changes the shape of the valley; somebody still has to walk down.",
    }
    expect_none_of(value, mistakes, near=0.01)
    expect(value >= 1, f"You gave {value:g}: a number of steps, at least 1.")
    expect_number(value, 1, "the condition number is 1 now, and both curvatures are 2.")
    return "Both curvatures are 2, and 1 − 0.5·2 = 0: one step, as in lesson 1."


after_scaling = question(
    "after_scaling",
    "How many steps does gradient descent need on the scaled data at the rate 0.5?",
    _grade_after_scaling,
    hints=(
        "With scaled inputs, X'X/n is the identity matrix, so the Hessian is 2 times the identity.",
        "What is 1 − ηλ for η = 0.5 and λ = 2?",
    ),
    solution=1,
    explanation="The factor 1 − ηλ is zero in every direction.",
)


# ------------------------------------------------------------------------- 4.9 the article's run


def _grade_epochs_of_the_article(answer):
    value = number(answer)
    expect(value >= 1, f"You gave {value:g}: a number of epochs, at least 1.")
    expect(
        value > 105,
        f"You gave {value:g}: after the article's 100 epochs it is still 0.144 away.",
    )
    if value < 300:
        raise Incorrect(
            f"You gave {value:g}: within 0.1 after 155 epochs; 0.001 is a hundred times closer."
        )
    expect(value <= 1500, f"You gave {value:g}: it is not that slow; look at the figure below.")
    expect(
        450 <= value <= 800,
        f"You gave {value:g}: the order of magnitude is right; read it off the figure below.",
    )
    return "605 epochs. The program stops at 100 and looks finished, because the data are noisy."


epochs_of_the_article = question(
    "epochs_of_the_article",
    "After how many epochs is the article's Adam within 0.001 of the best line?",
    _grade_epochs_of_the_article,
    hints=(
        "After 155 epochs it is within 0.1, after 424 within 0.01.",
        "The distance falls by a factor of ten every 180 to 270 epochs.",
    ),
    solution=605,
    explanation="Anything from 450 to 800 counts as a good prediction.",
)


# --------------------------------------------------------------------------------- 4.11 exercises


def rmsprop(gradient, w, lr, steps, alpha=0.99, eps=1e-8):
    """Divide each coordinate by the root of a moving average of its squared gradients."""
    v, path = 0.0, [w]
    for _ in range(steps):
        g = gradient(w)
        v = alpha * v + (1 - alpha) * g**2
        w = w - lr * g / (np.sqrt(v) + eps)
        path.append(w)
    return np.array(path)


def _variants(gradient, w, lr, steps, alpha, eps):
    """Paths of typical mistakes in `rmsprop`, each with what to tell the learner."""

    def run(average, divide, sign=-1.0, first=lambda g: 0.0):
        v, point, path = None, w, [w]
        for _ in range(steps):
            g = gradient(point)
            v = average(first(g) if v is None else v, g)
            point = point + sign * lr * g / divide(v)
            path.append(point)
        return np.array(path)

    def mean(v, g):
        return alpha * v + (1 - alpha) * g**2

    def outside(v):
        return np.sqrt(v) + eps

    yield run(mean, outside, sign=1.0), "you walk uphill: subtract the step."
    yield (
        run(lambda v, g: v + g**2, outside),
        "that is Adagrad: the squares add up and never fade. Weigh the old ones with α.",
    )
    yield (
        run(lambda v, g: (1 - alpha) * v + alpha * g**2, outside),
        "α and 1 − α are swapped: α is the part of the old average that is kept.",
    )
    yield (
        run(mean, lambda v: np.sqrt(v + eps)),
        "eps belongs outside the root here, as in PyTorch (Keras puts it inside).",
    )
    yield (
        run(mean, outside, first=lambda g: g**2),
        "the average starts at 0 here; you start it from the first squared gradient (the lecture).",
    )
    yield run(mean, lambda v: v + eps), "the root is missing: without it the step has a unit."
    yield (
        run(lambda v, g: alpha * v + g**2, outside),
        "the new square needs the weight 1 − α, or it is not an average.",
    )


def _grade_write_rmsprop(answer):
    curvature, start = np.array([2.0, 0.5]), np.array([1.0, -2.0])
    settings = {"lr": 0.05, "steps": 6, "alpha": 0.8, "eps": 0.01}

    def gradient(w):
        return curvature * w

    got = call(answer, gradient, start.copy(), **settings)
    expect(
        isinstance(got, (list, tuple, np.ndarray)),
        f"return the whole path, not a {type(got).__name__}.",
    )
    path, right = np.asarray(got, dtype=float), rmsprop(gradient, start, **settings)
    expect(
        path.shape != start.shape, "that is one point. Return the path: the start and each step."
    )
    expect(
        len(path) == len(right),
        f"{settings['steps']} steps visit {len(right)} points, start included; "
        f"you returned {len(path)}.",
    )
    for wrong, why in _variants(gradient, start, **settings):
        expect(not np.allclose(path, wrong, rtol=0, atol=1e-9), why)
    expect(
        np.allclose(path, right, rtol=0, atol=1e-9),
        "the path is not RMSprop's: v ← αv + (1 − α)g², then w ← w − lr·g/(√v + eps).",
    )
    return "The same path as the library's, with any α and eps."


write_rmsprop = question(
    "write_rmsprop",
    "Write my_rmsprop(gradient, w, lr, steps, alpha, eps) returning the path.",
    _grade_write_rmsprop,
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
            0.4: "2/(1−β)/λ is a widespread guess; look at the left figure of 4.5.",
            3.6: "do not forget to divide by the curvature.",
            0.016: "2(1−β)/λ would be smaller than without momentum; the ball may go faster.",
        },
        otherwise="the limit is 2(1 + β)/λ.",
        right="2·1.8/25 = 0.144, almost twice the limit of gradient descent.",
        near=1e-3,
        rtol=1e-3,
    ),
    hints=("On λ = 1 the limits in 4.5 were 3 for β = 0.5 and 3.8 for β = 0.9.", "2(1 + β)/λ"),
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


def _clients():
    """The three descriptions of the exercise: name -> (problem, budget in steps, loss to reach)."""
    return {
        "axes": (abc_surface(), 100, LEVEL),
        "turned": (abc_surface(rotation=45), 700, LEVEL),
        "exact": (quadratic([1.0, 1.0], start=[1.0, -10.0]), 200, 1e-12),
    }


def _defend(client, problem, budget, level, choice):
    """Run the chosen rule; return a sentence for a success, raise `Incorrect` for a failure."""
    rule, lr = pair(choice, f'"{client}": give a pair (rule, rate), got {choice!r}.')
    expect(
        isinstance(rule, Optimizer),
        f'"{client}": the rule must be an object such as Adam(), got {rule!r}.',
    )
    lr = number(lr)
    expect(0 < lr < math.inf, f'"{client}": a learning rate is greater than 0, got {lr:g}.')
    told = f'"{client}", {rule.name} at {lr:g}'
    if client == "exact":
        loss = float(descend(problem, rule, lr, budget).final_loss)
        expect(
            loss < level,
            f"{told}: the loss after {budget} steps is {loss:.2g}. Which rules land softly, "
            "because their steps shrink with the slope?",
        )
        return f"{rule.name} ends at {loss:.1g}"
    (steps,) = steps_to_arrive(rule, problem, [lr], steps=max(1000, 2 * budget), level=level)
    if not np.isfinite(steps):
        raise Incorrect(
            f"{told}: it does not arrive and stay. Is the rate too large or too small, or is it "
            "the rule? See the figure of 4.8."
        )
    expect(steps <= budget, f"{told}: {steps:.0f} steps, but the client pays for {budget}.")
    return f"{rule.name} in {steps:.0f} steps"


def _grade_choose_and_defend(answer):
    clients = _clients()
    expect(
        isinstance(answer, dict) and set(answer) == set(clients),
        f"answer with a dict with the keys {', '.join(clients)}, got {answer!r}.",
    )
    if any(choice is ... for choice in answer.values()):
        raise Incorrect("fill in a pair (rule, rate) for each of the three clients.")
    told = [_defend(name, *clients[name], answer[name]) for name in clients]
    return f"Defended by runs: {', '.join(told)}. Three surfaces, and no rule for all of them."


choose_and_defend = question(
    "choose_and_defend",
    "Which rule, at which rate, for each of three described surfaces?",
    _grade_choose_and_defend,
    hints=(
        "Along the axes per-parameter factors help; turned, they do not. See the figures of 4.8.",
        "Adam at 0.18 or Adagrad at 3; momentum at 0.0316; gradient descent at 1.",
    ),
    solution={
        "axes": (Adam(), 0.178),
        "turned": (GradientDescent(momentum=0.9), 0.0316),
        "exact": (GradientDescent(), 1.0),
    },
    explanation="The surface decides. Adam on the axes, momentum turned, plain descent on a bowl.",
)
