"""Questions of lesson 1, a fixed learning rate."""

from __future__ import annotations

from functools import cache

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
    explanation="ln(36·10⁶) / (−2 ln 0.8) = 38.98, rounded up.",
)


def _grade_best_rate_of_the_network(answer):
    value = number(answer)
    not_the_best = {
        0.001: "0.001 is Adam's customary rate. With plain gradient descent the network has hardly "
        "moved after ten epochs; see the figure.",
        0.01: "0.01 learns, slowly: after ten epochs it is still on its way. See the figure.",
        0.1: "0.1 is good, and safe. But one of the four is better still; see the figure.",
    }
    expect_none_of(value, not_the_best, reply="{why}")
    expect(value == 1, f"You gave {value:g}: choose 0.001, 0.01, 0.1 or 1.")
    return "A hundred times the customary 0.01, and the cliff is close: at 1.5 nothing is learned."


best_rate_of_the_network = question(
    "best_rate_of_the_network",
    "Which of 0.001, 0.01, 0.1, 1 trains the network best in ten epochs of gradient descent?",
    _grade_best_rate_of_the_network,
    hints=("One epoch at 0.001 did nothing at all.", "Ten times more? A hundred? A thousand?"),
    solution=1,
    explanation="The sweep below the question shows the whole curve, and the cliff behind 1.",
)


def _grade_write_gradient_descent(answer):
    start, lr, steps = np.array([1.0, -2.0]), 0.1, 4
    curvature = np.array([1.0, 3.0])
    got = call(answer, lambda w: curvature * w, start.copy(), lr, steps)
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
        right="One over the second derivative: steep valleys need small rates.",
        near=2e-5,
        rtol=3e-3,
    ),
    hints=("The gradient is 6(w−2).", "The distance is multiplied by 1 − 6η."),
    solution=1 / 6,
    explanation="The second derivative is λ = 6, and the factor 1 − ηλ vanishes at η = 1/λ.",
)


who_wrote_it = question(
    "who_wrote_it",
    "Which of the four lines is gradient descent?",
    grade_choice(
        "D",
        {
            "A": "adding the gradient climbs: in 1.4 the loss rose from 36 to 79.",
            "B": "np.dot(g, g) is a single number. Every weight would be moved by the same amount, "
            "in the same direction, whatever its own slope.",
            "C": "this moves every weight by exactly lr. It goes downhill, but its steps never get "
            "smaller near the minimum. It exists (sign descent), and lesson 4 meets its relatives.",
            "D": "A number times a vector, subtracted.",
        },
    ),
    hints=("What is the shape of np.dot(g, g)?", "Downhill, and in proportion to the slope."),
    solution="D",
    explanation="Rate × gradient has the shape of the weights, and the minus sign goes downhill.",
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
    """Validation accuracy of the network of section 1.6 with Adam, mean over five seeds."""
    from course_utils.experiments.sweep import sweep
    from course_utils.optimizers import Adam

    table = sweep(rates, seeds=range(5), hidden=(64,), batch_size=32, epochs=5, optimizer=Adam())
    return tuple(table.final("validation_accuracy").mean(axis=1))


def _grade_rate_for_adam(answer):
    value = number(answer)
    expect(0 < value < float("inf"), f"a learning rate is greater than 0, got {value:g}.")
    best = max(_accuracy_with_adam(0.005, 0.01, 0.02, 0.04))
    (yours,) = _accuracy_with_adam(value)
    report = f"rate {value:g} reaches {yours:.1%}, the best of a grid {best:.1%}"
    if yours < best - 0.02:
        side = "below" if value < 0.005 else "above"
        raise Incorrect(f"{report}. Your rate is {side} the valley of Adam in the figure of 1.6.")
    return f"{report}. A fair comparison gives each rule its own best rate, not the same rate."


rate_for_adam = question(
    "rate_for_adam",
    "Which rate would you give Adam on the network of 1.6?",
    _grade_rate_for_adam,
    hints=("Look at Adam's curve in the figure of 1.6.", "It is highest near 0.02."),
    solution=0.02,
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
    return "For 36 at rate 0.01: 34.5744, the number that article 002 should have printed in row 1."


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
