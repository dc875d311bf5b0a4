"""Questions of lesson 1, a fixed learning rate."""

from __future__ import annotations

from functools import cache

import numpy as np

from course_utils.course.exercises import (
    Incorrect,
    Lesson,
    call,
    expect,
    expect_number,
    grade_choice,
    grade_number,
    number,
)

question = Lesson(1).question


def gradient_descent(gradient, w, lr, steps):
    """Return the start and the weight after each of `steps` updates."""
    path = [w]
    for _ in range(steps):
        w = w - lr * gradient(w)
        path.append(w)
    return np.array(path)


def loss_of_saved_weights(last_printed_loss, lr):
    """The distance shrinks by 1 − 2·lr per step, so the loss by its square."""
    return (1 - 2 * lr) ** 2 * last_printed_loss


def best_rate(train, rates, seeds):
    """Return the rate with the lowest mean loss over the seeds; NaN never wins."""
    means = [np.mean([train(lr, seed) for seed in seeds]) for lr in rates]
    return rates[np.nanargmin(means)]


# --- predictions ----------------------------------------------------------------------------------


first_step = question(
    "first_step",
    "Where is w after one step from 5 at learning rate 0.01?",
    grade_number(
        4.88,
        mistakes={
            5.12: "that adds the gradient. The slope points uphill, so subtract.",
            4.99: "that moves by the learning rate itself. Multiply it with the gradient, 12.",
            4.94: "the derivative of (w+1)² is 2(w+1), not w+1.",
            4.28: "that uses a rate of 0.06. The gradient at 5 is 2·(5+1) = 12.",
            4.9: "nearly: give two decimals.",
        },
        otherwise="compute 5 − 0.01 · 2 · (5 + 1).",
        right="5 − 0.01·12 = 4.88: rate times gradient, not the rate alone.",
        atol=1e-6,
    ),
    hints=("What is the gradient 2(w+1) at w = 5?", "The step is 0.01 times that, downhill."),
    solution=4.88,
    explanation="The gradient at 5 is 12, so the step is 0.12.",
)


steps_needed = question(
    "steps_needed",
    "How many steps from w = 5 until (w+1)² is below 1e-6, at rate 0.1?",
    grade_number(
        39,
        mistakes={
            38: "after 38 steps the loss is still 1.6e-6. One more.",
            431: "that is the number for the rate 0.01.",
            78: "the loss is the square of the distance: it shrinks by 0.8² per step, not by 0.8.",
            31: "start from the loss 36, not from 1.",
        },
        otherwise="solve 36 · 0.8^(2t) < 1e-6 for t and round up.",
        right="36 · 0.64^39 is 9.9e-7, just below.",
    ),
    hints=(
        "The loss after t steps is 36 · (1 − 2·0.1)^(2t).",
        "Take logarithms: t > ln(36e6) / (−2 ln 0.8).",
    ),
    solution=39,
    explanation="ln(36·10⁶) / (−2 ln 0.8) = 38.99, rounded up.",
)


twentieth_step = question(
    "twentieth_step",
    "At the constant rate 0.1 from w = 5: how long is the twentieth step?",
    grade_number(
        0.1 * 12 * 0.8**19,
        mistakes={
            0.1: "that is the rate. A step is the rate times the slope, and the slope shrinks.",
            1.2: "that is the first step, 0.1 · 12.",
            1.2 * 0.8**20: "that is the twenty-first: before the twentieth step, 19 were made.",
            6 * 0.8**19: "that is how far the minimum is. A step is 0.1 · 2 of this distance.",
        },
        otherwise="the first step is 0.1 · 12, and each step is 0.8 times the one before.",
        right="1.2 · 0.8^19 = 0.017: the rate is still 0.1, the step is 70 times shorter.",
        near=0.03,
        rtol=0.05,
    ),
    hints=(
        "The first step is 0.1 · 12 = 1.2.",
        "Distance, slope and step shrink by 0.8 each time.",
    ),
    solution=0.017,
    explanation="1.2 · 0.8^19 = 0.0173.",
)


best_rate_of_the_network = question(
    "best_rate_of_the_network",
    "Which of 0.003, 0.03, 0.3, 3 trains the network best in 400 updates of gradient descent?",
    grade_number(
        0.3,
        mistakes={
            0.003: "after 400 updates this rate gets two of three images wrong; see the figure.",
            0.03: "it learns, slowly: after 400 updates it is still on its way; see the figure.",
            3: "that is beyond the cliff: nothing is learned at all; see the figure.",
        },
        otherwise="choose 0.003, 0.03, 0.3 or 3.",
        right="Thirty times the customary 0.01; and ten times more would have been the end.",
        rtol=0,
        atol=0,
    ),
    hints=("400 updates at 0.001 did nearly nothing.", "Thirty times more? Three hundred times?"),
    solution=0.3,
    explanation="The sweep below the question shows the whole curve, and the cliff behind 1.",
)


who_is_further = question(
    "who_is_further",
    "Full batch: 3000 steps at 0.01 or 150 steps at 0.2, which ends at the lower loss?",
    grade_choice(
        "equal",
        {
            "0.01": "small steps look careful, but they follow the same road.",
            "0.2": "larger steps, but also twenty times fewer of them.",
            "equal": "0.01 · 3000 = 0.2 · 150 = 30: to within a few parts in a thousand.",
        },
    ),
    hints=("How far does each run go, in rate × steps?",),
    solution="equal",
    explanation="As long as the rate is small, only rate × step counts.",
)


which_edge_moves = question(
    "which_edge_moves",
    "Five times the updates: which edge of the basin moves?",
    grade_choice(
        "left",
        {
            "left": "On the left are runs that have not arrived yet, and they get more time.",
            "right": "a run that the rate has thrown out does not come back if it goes on longer.",
            "both": "the left edge moves. On the right runs are thrown out: time does not help.",
            "neither": "on the left are runs that have not arrived yet. What do they need?",
        },
    ),
    hints=("What is wrong with the runs on the left? And with those on the right?",),
    solution="left",
    explanation="Time helps whoever is late. It does not help whoever was thrown out.",
)


def _grade_factor_between_rules(answer):
    value = number(answer)
    expect(value > 0, f"You gave {value:g}: a factor is greater than 0.")
    expect(not 0.01 <= value <= 0.1, "which of the two needs the smaller rate? Turn it around.")
    expect(value >= 10, f"You gave {value:g}: then one rate would nearly serve both. It does not.")
    expect(value <= 100, f"You gave {value:g}: too much. Compare the two basins in the figure.")
    return "Between 10 and 100, at each of the five budgets and at both edges of the basin."


factor_between_rules = question(
    "factor_between_rules",
    "How many times lower are the good rates of Adam: about 1, 3, 30, or 300 times?",
    _grade_factor_between_rules,
    hints=("Adam's own customary rate is 0.001, that of gradient descent 0.01 to 0.1.",),
    solution=30,
    explanation="Any factor from 10 to 100 counts: it is not the same at both edges.",
)


# --- exercises ------------------------------------------------------------------------------------


def _grade_write_gradient_descent(answer):
    start, lr, steps = np.array([1.0, -2.0]), 0.1, 4
    curvature = np.array([1.0, 3.0])
    got = call(answer, lambda w: curvature * w, start, lr, steps)
    expect(
        isinstance(got, (list, tuple, np.ndarray)),
        f"return the whole path, not a {type(got).__name__}.",
    )
    path = np.asarray(got, dtype=float)
    right = gradient_descent(lambda w: curvature * w, start, lr, steps)
    expect(
        path.shape != right[-1].shape,
        "that is one point. Return the whole path: the start and the weight after each step.",
    )
    expect(
        len(path) == len(right),
        f"{steps} steps visit {steps + 1} points, start included; you returned {len(path)}.",
    )
    expect(
        np.allclose(path[0], start),
        "the first entry must be the start. (Did `w -= …` change an array that was stored before?)",
    )
    uphill = gradient_descent(lambda w: -curvature * w, start, lr, steps)
    expect(not np.allclose(path, uphill), "you walk uphill: subtract the step.")
    expect(
        np.allclose(path[1], right[1]),
        "the path is wrong from the first step: w − lr · gradient(w).",
    )
    expect(
        np.allclose(path, right),
        "the first step is right, a later one is not: compute the gradient anew at every step.",
    )
    return "Five lines that work for one weight and for a million."


write_gradient_descent = question(
    "write_gradient_descent",
    "Write gradient_descent(gradient, w, lr, steps) returning the start and each new weight.",
    _grade_write_gradient_descent,
    hints=(
        "Keep a list that starts with w, and append after each update.",
        "Write w = w - lr * gradient(w), which makes a new array, instead of w -= …",
    ),
    solution=gradient_descent,
    explanation="Nothing in it knows how many weights there are.",
)


one_step_rate = question(
    "one_step_rate",
    "Which rate reaches the minimum of 3(w−2)² in one step?",
    grade_number(
        1 / 6,
        mistakes={
            0.5: "that is the answer for (w+1)², whose second derivative is 2.",
            1 / 3: "there the factor is −1: it jumps across and back for ever.",
            1 / 12: "there the factor is 1/2: half of the distance remains.",
            6: "that is the second derivative; the rate is its inverse.",
        },
        otherwise="make the factor 1 − 6η zero.",
        right="1/6, one over the second derivative: steep valleys need small rates.",
        near=0.05,
        rtol=0.025,  # 0.17 is right, to two decimals
    ),
    hints=("The gradient is 6(w−2).", "The distance is multiplied by 1 − 6η."),
    solution=1 / 6,
    explanation="The second derivative is λ = 6, and the factor 1 − ηλ vanishes at η = 1/λ.",
)


same_clock = question(
    "same_clock",
    "How many steps at rate 0.02 reach what 300 steps at rate 0.1 reached?",
    grade_number(
        1500,
        mistakes={
            60: "a smaller rate needs more steps, not fewer.",
            300: "rate × step is the clock, not the step alone.",
            7500: "the number of steps grows like 1/rate, not like its square.",
        },
        otherwise="keep rate × step equal: 0.1 · 300 = 0.02 · ?",
        right="0.1·300 = 0.02·1500 = 30 units of time.",
    ),
    hints=("What was on the horizontal axis when the curves coincided?", "rate × step = 30"),
    solution=1500,
    explanation="In the regime of small rates only rate × step counts.",
)


@cache
def _accuracy_with_adam(*rates: float) -> tuple[float, ...]:
    """Validation accuracy of the network of section 1.7 with Adam, mean over five seeds."""
    from course_utils.experiments.sweep import sweep
    from course_utils.optimizers import Adam

    table = sweep(rates, seeds=range(5), steps=400, optimizer=Adam())
    return tuple(table.final("validation_accuracy").mean(axis=1))


_RATES_OF_ADAM = (0.0025, 0.005, 0.01, 0.02, 0.04)


def _grade_rate_for_adam(answer):
    value = number(answer)
    expect(0 < value < float("inf"), f"a learning rate is greater than 0, got {value:g}.")
    tried = _accuracy_with_adam(*_RATES_OF_ADAM)
    best = max(tried)
    best_rate_tried = _RATES_OF_ADAM[tried.index(best)]
    (yours,) = _accuracy_with_adam(value)
    report = (
        f"rate {value:g} reaches {yours:.1%}, the best of a grid ({best_rate_tried:g}) {best:.1%}"
    )
    if yours < best - 0.02:
        side = "below" if value < best_rate_tried else "above"
        raise Incorrect(f"{report}. Your rate is {side} the basin of Adam in the figure of 1.7.")
    return f"{report}. A fair comparison gives each rule its own best rate, not the same rate."


rate_for_adam = question(
    "rate_for_adam",
    "Which rate would you give Adam on the network of 1.7, for 400 updates?",
    _grade_rate_for_adam,
    hints=("Look at Adam's curve for 400 updates in the figure of 1.7.", "It is best near 0.01."),
    solution=0.01,
    explanation="Anything within two points of the best rate of the grid counts.",
)


def _grade_one_step_later(answer):
    got = number(call(answer, 36.0, 0.01))
    expect(abs(got - 36.0) > 1e-9, "that is the printed loss, of the weights before the last step.")
    expect(abs(got - 36 * 0.98) > 1e-9, "the distance shrinks by 1 − 2·lr; the loss is its square.")
    expect(
        abs(got - 36 / 0.98**2) > 1e-6,
        "that goes one step back in time; the saved weights are newer.",
    )
    expect_number(got, 36 * 0.98**2, "multiply by (1 − 2·lr)².")
    expect_number(
        call(answer, 2.0, 0.99), 2 * 0.98**2, "it must also hold when the path jumps across (0.99)."
    )
    return "For 36 at rate 0.01: 34.5744, the loss at w = 4.88."


one_step_later = question(
    "one_step_later",
    "Write loss_of_saved_weights(last_printed_loss, lr) for the parabola (w+1)².",
    _grade_one_step_later,
    hints=(
        "The printed loss belongs to the weights before the last update.",
        "One update multiplies w + 1 by 1 − 2·lr.",
    ),
    solution=loss_of_saved_weights,
    explanation="The loss is a square, so its factor is (1 − 2·lr)².",
)


_SEEDS = (3, 5, 7)
# {rate: the losses of these seeds}; a single run misleads, and so does NaN.
_TRIALS = (
    {0.01: (3.0, 3.1, 2.9), 0.1: (0.3, 0.5, 0.7), 1.5: (0.1, 0.2, 2.4), 10.0: (0.1, np.nan, 0.1)},
    {10.0: (np.nan, np.nan, np.nan), 0.3: (0.9, 0.1, 0.2), 0.03: (0.3, 0.3, 0.3)},
)


def _judge_best_rate(answer, losses):
    rates = tuple(losses)

    def train(lr, seed):
        return losses[lr][_SEEDS.index(seed)]

    got, right = number(call(answer, train, rates, _SEEDS)), best_rate(train, rates, _SEEDS)
    lowest = np.mean(losses[right])
    expect(got != rates.index(right), "that is the place of the rate; return the rate itself.")
    expect(not np.isclose(got, lowest), "that is the lowest mean loss; return the rate to it.")
    expect(got in rates, f"your function returned {got:g}, which is none of the rates {rates}.")
    expect(
        not np.isnan(losses[got]).any(),
        f"you chose {got:g}, where a run gave NaN: it diverged, and must not win. np.argmin takes "
        "NaN for the smallest number, and np.nanmean leaves it out.",
    )
    expect(
        got == right,
        f"you chose {got:g}, where the losses are {losses[got]}; at {right:g} they are "
        f"{losses[right]}. Compare the means over all seeds, and take the lowest.",
    )


def _grade_write_best_rate(answer):
    for losses in _TRIALS:
        _judge_best_rate(answer, losses)
    return "The double loop behind every curve of this course, safe against luck and NaN."


write_best_rate = question(
    "write_best_rate",
    "Write best_rate(train, rates, seeds): the rate with the lowest mean loss over the seeds.",
    _grade_write_best_rate,
    hints=(
        "Two loops: for each rate, the mean of train(lr, seed) over the seeds.",
        "np.nanargmin gives the place of the smallest mean that is a number.",
    ),
    solution=best_rate,
    explanation="The mean of a row with a NaN is NaN, and np.nanargmin passes over it.",
)
