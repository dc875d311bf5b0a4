"""Questions of lesson 8, without knowing the end."""

from __future__ import annotations

import numpy as np

from course_utils.course.exercises import (
    Lesson,
    call,
    expect,
    grade_choice,
    grade_number,
    number,
)

question = Lesson(8).question

cut_at_a_third = question(
    "cut_at_a_third",
    "A cosine made for 1800 updates is stopped at 600. Against a constant rate, each at its own "
    "best, its loss is A clearly lower, B about the same, C clearly higher?",
    grade_choice(
        "B",
        {
            "A": "its rate at 600 is still three quarters of the peak. It has hardly begun to "
            "come down.",
            "B": "After 600 of 1800 updates the rate is still 75 % of the peak: so far it was "
            "nearly a constant rate. What the cosine gains, it gains at the end.",
            "C": "as a constant rate is what it has nearly been so far. It loses against a cosine "
            "made for 600.",
        },
    ),
    hints=("What is the rate after a third of a cosine?", "½(1 + cos(π/3)) = 0.75"),
    solution="B",
)

updates_in_all = question(
    "updates_in_all",
    "Results at 600, 1200 and 1800 updates. Three cosines cost 3600 updates. How many does one "
    "constant run cost, with a cool-down of the last 20 % before each result?",
    grade_number(
        2160,
        mistakes={
            3600: "that is the price of three runs. The stable part is shared.",
            1800: "the cool-downs come on top: each branch leaves the constant run behind.",
            2520: "the last cool-down needs no constant run beside it: the trunk may stop at 1440.",
            720: "those are the cool-downs alone.",
            1440: "that is the constant run alone, up to its last branch.",
        },
        otherwise="the constant run goes to 1440; then the three cool-downs, 120, 240 and 360.",
        right="1440 + 120 + 240 + 360 = 2160, a good half of 3600. And a fourth result, at 2400, "
        "costs 960 more, not 2400.",
    ),
    hints=(
        "How far must the constant run itself go? Not to 1800.",
        "To 1440. Then 20 % of 600, of 1200 and of 1800.",
    ),
    solution=2160,
)

which_average = question(
    "which_average",
    "The rate stays constant, and you may average weights. What has the lower loss: A the mean of "
    "all weights so far, B a mean in which the recent ones count most, C both the same?",
    grade_choice(
        "B",
        {
            "A": "the first weights are in it for ever, and they know nothing. (On a bowl with "
            "noise alone you would be right.)",
            "B": "It leaves the early weights behind. With n⁸ it has the lower loss on every task.",
            "C": "the early weights are far away from the late ones. A mean of both is neither.",
        },
    ),
    hints=("What did the first hundred weights know?", "Averages that forget."),
    solution="B",
)

what_is_left_of_the_gap = question(
    "what_is_left_of_the_gap",
    "From a constant rate to a cosine made for the length there is a gap in loss. The best average "
    "of the constant run closes A next to nothing of it, B about half, C nearly all?",
    grade_choice(
        "C",
        {
            "A": "an average does to the noise what a small rate does: it makes the steps small, "
            "after the fact.",
            "B": "more. Each of them at its own best rate, of course.",
            "C": "In loss, an average of recent weights reaches what a decay reaches. It needs no "
            "end, and a second copy of the weights.",
        },
    ),
    hints=("Why does a decay help at the end?", "Because small steps average the noise."),
    solution="C",
)

schedule_free_at_the_end = question(
    "schedule_free_at_the_end",
    "Schedule-free SGD, each β at its own best rate. Which has the lowest loss after all updates: "
    "A β = 0.5, B β = 0.9, C β = 0.98?",
    grade_choice(
        "A",
        {
            "A": "On all four tasks, and with it the planned cosine is at most 0.01 ahead in loss.",
            "B": "it is the default of the authors' package, but here it ends behind the planned "
            "cosine on all four tasks.",
            "C": "then the gradient is taken almost at the average. Here that ends furthest "
            "behind, by 0.03 to 0.08.",
        },
    ),
    hints=("Default values come from other tasks.", "It is not the default."),
    solution="A",
)

# ------------------------------------------------------------------ exercises

memory_of_an_average = question(
    "memory_of_an_average",
    "An EMA shall remember about a tenth of a run of 5000 updates. Which decay d?",
    grade_number(
        0.998,
        mistakes={
            0.9: "that remembers ten updates, not a tenth of the run.",
            0.99: "that remembers 100 updates.",
            0.999: "that remembers 1000 updates, a fifth of the run.",
            0.9998: "that remembers 5000 updates, the whole run.",
            0.002: "that is 1 − d, the share of the newest weights.",
        },
        otherwise="a tenth of 5000 is 500, and the memory is 1/(1 − d).",
        right="1 − 1/500. To choose it you had to know the 5000: the horizon hides in d.",
        rtol=1e-5,
    ),
    hints=("The memory is 1/(1 − d) updates.", "1/(1 − d) = 500"),
    solution=0.998,
)


def my_cool_down(t, lr, start, steps):
    """1 - sqrt(u) of the rate, where u is how much of the cool-down has passed."""
    u = min(max((t - start) / steps, 0), 1)
    return lr * (1 - u**0.5)


_CLOSE = 1e-9


def _grade_cool_down(answer):
    lr, start, steps = 0.4, 100, 25
    right = {t: my_cool_down(t, lr, start, steps) for t in (0, 99, 100, 101, 109, 124, 125, 200)}
    got = {t: number(call(answer, t, lr, start, steps)) for t in right}
    expect(
        abs(got[0] - lr) < _CLOSE,
        f"before the cool-down the rate is lr = 0.4; at update 0 yours is {got[0]:.4g}.",
    )
    linear = lr * (1 - 9 / 25)
    expect(
        abs(got[109] - linear) > _CLOSE,
        "that is a straight line, 1 − u. Asked for is 1 − √u, which falls faster at first.",
    )
    expect(
        abs(got[109] - lr * (1 - 9 / 25) ** 0.5) > _CLOSE,
        "that is √(1 − u), which falls slowly at first. Asked for is 1 − √u.",
    )
    expect(
        abs(got[100] - lr) < _CLOSE,
        f"at update {start} the cool-down has not passed any time yet: u = 0; yours is "
        f"{got[100]:.4g}.",
    )
    expect(
        abs(got[200]) < _CLOSE,
        f"past the end the rate stays at 0; at update 200 yours is {got[200]:.4g}.",
    )
    for t, rate in right.items():
        expect(
            abs(got[t] - rate) < _CLOSE,
            f"at update {t} the rate must be {rate:.6g}, got {got[t]:.6g}: u = (t − start)/steps.",
        )
    return "A pure function of the update: the branch may start from any saved weights."


cool_down = question(
    "cool_down",
    "Write my_cool_down(t, lr, start, steps): lr up to update start, then lr (1 − √u) to 0.",
    _grade_cool_down,
    hints=(
        "u = (t − start) / steps, between 0 and 1.",
        "min(max(..., 0), 1) keeps it there.",
    ),
    solution=my_cool_down,
)


def my_average(path, power):
    """From the start, a <- a + (p + 1)/(n + p) (w_n - a).

    >>> my_average(np.array([[1.0], [2.0], [3.0]]), 1.0).round(4)
    array([2.3333])
    """
    a = np.zeros_like(path[0])
    for n, w in enumerate(path, start=1):
        a = a + (power + 1) / (n + power) * (w - a)
    return a


def _grade_average(answer):
    path = np.random.default_rng(8).normal(size=(12, 3))
    for power in (0.0, 8.0, 2.5):
        got, right = np.asarray(call(answer, path, power)), my_average(path, power)

        def is_like(values, got=got):
            return got.shape == np.shape(values) and np.allclose(got, values, rtol=0, atol=1e-9)

        expect(got.shape != (12, 3), "return the average after the last weights only, shape (3,).")
        expect(got.shape == (3,), f"return one set of weights, shape (3,), got {got.shape}.")
        if power:
            expect(not is_like(path.mean(axis=0)), "that is the plain mean: where is the power?")
            weights = np.arange(1.0, 13) ** power
            expect(
                not is_like(weights @ path / weights.sum()),
                "that weights each w_n by n^p: nearly the same for a long path, but asked for is "
                "the rule with (p + 1)/(n + p).",
            )
        late = np.zeros(3)
        for n, w in enumerate(path):
            late = late + min((power + 1) / max(n + power, 1e-9), 1) * (w - late)
        expect(not is_like(late), "you count n from 0. The first weights have n = 1, share 1.")
        expect(
            is_like(right),
            f"power {power:g}: a + (p + 1)/(n + p) · (w − a), n = 1, 2, ... Yours is off by "
            f"{np.abs(got - right).max():.2g}.",
        )
    return "Three lines, no horizon. With power 0 it is the mean of all."


average = question(
    "average",
    "Write my_average(path, power): a ← a + (p + 1)/(n + p) (w − a) over all weights of a path.",
    _grade_average,
    hints=("Loop with enumerate(path, start=1).", "At n = 1 the share is 1: a becomes w."),
    solution=my_average,
)


def my_plan(finish, share):
    """Cool down before each length; the trunk goes as far as the latest branch."""
    starts = [h - round(share * h) for h in finish]
    return max(starts) + sum(h - start for h, start in zip(finish, starts))


def _grade_plan(answer):
    for finish, share in (([600, 1200, 1800], 0.2), ([1000], 0.4), ([100, 1000, 200], 0.1)):
        got, right = number(call(answer, finish, share)), my_plan(finish, share)
        cooled = sum(round(share * h) for h in finish)
        wrong = {
            sum(finish): "that is the price of as many separate runs.",
            max(finish) + cooled: "the trunk need not go to the longest length: the last branch "
            "leaves it before.",
            cooled: "those are the cool-downs. The trunk costs updates, too.",
            right - cooled: "that is the trunk. Each cool-down costs updates, too.",
        }
        for value, why in wrong.items():
            expect(got != value or got == right, f"For {finish} and {share}: {why}")
        expect(got == right, f"for {finish} and {share} it is {right} updates, yours says {got:g}.")
    return "The price of not having decided the length: the cool-downs, and nothing else."


price = question(
    "price",
    "Write my_price(lengths, share): the updates of one trunk with a cool-down before each length.",
    _grade_plan,
    hints=(
        "A branch for the length h leaves the trunk at h − round(share · h).",
        "The trunk goes to the latest of these; then add all cool-downs.",
    ),
    solution=my_plan,
)


def my_schedule_free(gradient, w, rate, beta, updates):
    """Return x, the mean of all z; the gradient is taken between z and x."""
    x = z = w
    for t in range(updates):
        z = z - rate * gradient((1 - beta) * z + beta * x)
        x = x + (z - x) / (t + 1)
    return x


def _grade_schedule_free(answer):
    matrix = np.diag([1.0, 3.0])
    start, rate, beta, updates = np.array([1.0, -2.0]), 0.2, 0.6, 7

    def gradient(w):
        return matrix @ w - 0.5

    got = np.asarray(call(answer, gradient, start.copy(), rate, beta, updates))
    expect(got.shape == (2,), f"return one set of weights, shape (2,), got {got.shape}.")

    def walk(at, share):
        x = z = start
        for t in range(updates):
            y = (1 - at) * z + at * x
            z = z - rate * gradient(y)
            x = x + share(t) * (z - x)
        return x, y, z, (1 - at) * z + at * x

    right, *others = walk(beta, lambda t: 1 / (t + 1))
    wrong = {
        "that is y, where the gradient is taken. What you keep is x.": (others[0], others[2]),
        "that is z, the walker. What you keep is x.": (others[1],),
        "you take the gradient at z; take it at y.": (walk(0.0, lambda t: 1 / (t + 1))[0],),
        "you take the gradient at x; take it at y.": (walk(1.0, lambda t: 1 / (t + 1))[0],),
        "you have swapped z and x in y: β belongs to x.": (
            walk(1 - beta, lambda t: 1 / (t + 1))[0],
        ),
        "the first share must be 1: t begins at 0.": (walk(beta, lambda t: 1 / (t + 2))[0],),
    }
    for why, values in wrong.items():
        expect(not any(np.allclose(got, w, rtol=0, atol=1e-9) for w in values), why)
    off = np.abs(got - right).max()
    expect(off < _CLOSE, f"first y, then z, then x, with the new z. Yours is off by {off:.2g}.")
    return "No schedule in it, and nothing that knows how many updates there will be."


schedule_free = question(
    "schedule_free",
    "Write my_schedule_free(gradient, w, rate, beta, updates): from the weights w, return x.",
    _grade_schedule_free,
    hints=("y, then z, then x, with the new z.", "x = z = w before the loop; t = 0, 1, ..."),
    solution=my_schedule_free,
)
