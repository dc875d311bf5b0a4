"""Questions of lesson 2, too small and too large."""

from __future__ import annotations

import math

import numpy as np

from course_utils.course.exercises import (
    Incorrect,
    Lesson,
    NotAttempted,
    call,
    choice,
    expect,
    expect_none_of,
    grade_choice,
    grade_number,
    number,
    pair,
)
from course_utils.descent import descend
from course_utils.optimizers import GradientDescent
from course_utils.problems import log_cosh_ravine, quadratic
from course_utils.run import Run
from course_utils.schedules import piecewise_constant

question = Lesson(2).question

REGIMES = ("crawl", "approach", "one step", "oscillate", "never settles", "diverge")
"""What gradient descent can do on a parabola, from small to large rates."""

# Six rates on the parabola ½·4·w², whose best rate is 1/4 and whose limit is 2/4.
_MYSTERY = {"A": 0.47, "B": 0.005, "C": 0.25, "D": 0.51, "E": 0.1, "F": 0.5}
_MYSTERY_REGIMES = {
    "A": "oscillate",
    "B": "crawl",
    "C": "one step",
    "D": "diverge",
    "E": "approach",
    "F": "never settles",
}


def mystery_runs() -> dict[str, Run]:
    """Return six runs of 30 steps on one parabola, named A to F, each in another regime.

    >>> sorted(mystery_runs())
    ['A', 'B', 'C', 'D', 'E', 'F']
    """
    problem = quadratic([4.0], start=[1.0])
    return {name: descend(problem, GradientDescent(), lr, 30) for name, lr in _MYSTERY.items()}


# --- predictions -------------------------------------------------------------------------------


which_arrives_first = question(
    "which_arrives_first",
    "Which rate brings (w+1)² below 1e-6 first: '0.01', '0.99', 'both' at once, or 'neither'?",
    grade_choice(
        "both",
        {
            "0.01": "it is careful, but is it faster? Compare |1 − 2η| for both rates.",
            "0.99": "its steps are long, but most of each step is spent on the way back.",
            "both": "The factors are +0.98 and −0.98: the same size, so the same speed, to the "
            "last step.",
            "neither": "both factors are below 1 in size, so both distances shrink to nothing.",
        },
    ),
    hints=("Each step multiplies the distance by 1 − 2η.", "The loss forgets the sign."),
    solution="both",
    explanation="|1 − 2·0.01| = |1 − 2·0.99| = 0.98.",
)


at_the_limit = question(
    "at_the_limit",
    "What is the loss (w+1)² after 1000 steps from w = 5 at the rate 1.0?",
    grade_number(
        36,
        mistakes={
            0: "then the distance would have to shrink. What is 1 − 2·1?",
            math.inf: "to diverge, the factor must be larger than 1 in size. What is 1 − 2·1?",
            144: "(2·6)² is where it lands if the distance doubles. What is 1 − 2·1?",
            6: "6 is the distance. The loss is its square.",
        },
        otherwise="the factor is −1: the distance 6 changes its sign and nothing else.",
        right="5, −7, 5, −7, …: the distance is 6 for ever, and the loss 36.",
    ),
    hints=("Each step multiplies the distance to −1 by 1 − 2η.", "The factor is −1."),
    solution=36,
    explanation="The distance is 6 before and after every step; only its sign changes.",
)


def _grade_who_sets_what(answer):
    parts = pair(answer, "give a pair: ('steep' or 'flat', …).")
    limit, time = (choice(part, ("steep", "flat")) for part in parts)
    expect(
        (limit, time) != ("flat", "steep"),
        "It is the other way round: the steep direction is the first to blow up, and the flat "
        "one the last to arrive.",
    )
    expect(limit == "steep", "The limit is 2/λ, so the *largest* λ gives the smallest limit.")
    expect(time == "flat", "The steep direction arrives early. Which one is still on its way?")
    return "The steep direction sets the limit, the flat one the time. Their ratio is the trouble."


who_sets_what = question(
    "who_sets_what",
    "Which direction sets the largest stable rate, and which the number of steps?",
    _grade_who_sets_what,
    hints=("The limit in each direction is 2/λ.", "With one rate, the factors are 1 − ηλ."),
    solution=("steep", "flat"),
    explanation="A stable rate must be below 2/λ_max; then the factor of the flat direction, "
    "1 − ηλ_min, is close to 1.",
)


above_the_limit_in_the_ravine = question(
    "above_the_limit_in_the_ravine",
    "At rate 0.1, above the limit 0.08 of the bottom: what does the run do?",
    grade_choice(
        "bounces",
        {
            "diverges": "on a parabola it would. These walls become straight: the slope is never "
            "above 5.",
            "settles": "the bottom has the curvature 25, and 0.1 is above 2/25: it cannot stay "
            "there.",
            "bounces": "Too large to settle at the bottom, and too gentle walls to be thrown out.",
            "crawls": "along the valley, yes. But what happens across, where it is steep?",
        },
    ),
    hints=(
        "The gradient across is 5·tanh(5x), so it is never larger than 5.",
        "A step across is never longer than 0.1 · 5.",
    ),
    solution="bounces",
    explanation="It is caught in a jump between the walls, from x to −x, where the step "
    "0.1·5·tanh(5x) is exactly 2x.",
)


def _grade_one_percent_above(answer):
    value = number(answer)
    expect(value > 0, f"You gave {value:g}: a factor between two losses is positive.")
    expect(
        value > 1.5, f"You gave {value:g}: one percent *per step* would be mild; 500 steps are not."
    )
    expect(
        value > 1e5,
        f"You gave {value:g}: much too small. The factor of one step is 1 − 2.02 = −1.02; "
        "the loss grows by its square, 500 times.",
    )
    expect(value < 1e10, f"You gave {value:g}: too large. What is 1.02 to the power of 1000?")
    return "1.02^1000 is 4·10⁸, and about a tenth of the first loss lies in that direction."


one_percent_above = question(
    "one_percent_above",
    "By what factor does the loss grow in 500 steps at 1.01 times the limit, within a hundredfold?",
    _grade_one_percent_above,
    hints=(
        "In the steepest direction the factor of one step is 1 − 1.01·2.",
        "The loss grows by the square of that, 500 times.",
    ),
    solution=4e7,
    explanation="(1 − 2.02)^1000 = 4·10⁸, times the share of the loss in the steepest direction.",
)


def _grade_width_of_the_basin(answer):
    value = number(answer)
    expect(value > 0, f"You gave {value:g}: a width is positive.")
    expect(
        value > 0.3,
        f"You gave {value:g} decades, a factor of {10 ** min(value, 9):.2g}. The network is more "
        "forgiving; see the figure.",
    )
    expect(
        value < 3,
        f"You gave {value:g} decades: nobody would need to tune a rate then; see the figure.",
    )
    expect(value < 1.6, f"You gave {value:g} decades: not quite as forgiving; see the figure.")
    return "About one decade: a grid with a factor of 3 between rates cannot miss it."


width_of_the_basin = question(
    "width_of_the_basin",
    "How many decades of learning rates are within two points of the best accuracy?",
    _grade_width_of_the_basin,
    hints=("One decade is a factor of 10.", "Look at the flat top of the curve in lesson 1."),
    solution=1.0,
    explanation="From about 0.1 to about 1 in 400 steps.",
)


# --- exercises ---------------------------------------------------------------------------------


largest_stable_rate = question(
    "largest_stable_rate",
    "What is the largest stable rate for the Hessian [[3, 1], [1, 3]]?",
    grade_number(
        0.5,
        mistakes={
            2 / 3: "3 is on the diagonal, but it is no eigenvalue. The curvatures are the "
            "eigenvalues.",
            1: "that is the limit of the *flat* direction, λ = 2.",
            0.25: "1/λ_max is half of the limit: one step in the steep direction.",
            1 / 3: "2/(λ_max + λ_min) is the best rate, not the largest stable one.",
            4: "4 is the largest curvature. The limit is 2 divided by it.",
        },
        otherwise="find the eigenvalues of the Hessian, then 2/λ_max.",
        right="The eigenvalues are 4 and 2, so the limit is 2/4.",
        near=1e-3,
        rtol=1e-3,
    ),
    hints=(
        "The limit is 2 divided by the largest curvature in any direction.",
        "np.linalg.eigvalsh gives the curvatures in the principal directions.",
    ),
    solution=0.5,
    explanation="Along (1, 1) the curvature is 3 + 1 = 4, along (1, −1) it is 3 − 1 = 2.",
)


steps_at_0_002 = question(
    "steps_at_0_002",
    "How many steps from w = 5 until (w+1)² is below 1e-6, at rate 0.002?",
    grade_number(
        2171,
        mistakes={
            2155: "five times 431 is a good guess, but the exact number is not quite proportional.",
            4342: "the loss is the square of the distance: it shrinks by 0.996² per step.",
            2170: "after 2170 steps the loss is still above 1e-6. Round up.",
            1724: "start from the loss 36, not from 1.",
            4346: "the factor is 1 − 2·0.002 = 0.996, not 0.998: the curvature is 2.",
        },
        otherwise="solve 36 · 0.996^(2t) < 1e-6 for t and round up.",
        right="No computer needed 2171 steps to find this out: the closed form did.",
    ),
    hints=(
        "The loss after t steps is 36 · (1 − 2·0.002)^(2t).",
        "math.ceil(math.log(1e-6 / 36) / (2 * math.log(0.996)))",
    ),
    solution=2171,
    explanation="ln(36·10⁶) / (−2 ln 0.996) = 2170.5, rounded up.",
)

_MIXED_UP = {
    frozenset(
        {"crawl", "approach"}
    ): "Both come from one side; how much of the way is left after 30 steps?",
    frozenset({"approach", "oscillate"}): "Both arrive; only one of them changes sides.",
    frozenset({"oscillate", "never settles"}): "Both change sides; does the distance shrink?",
    frozenset({"never settles", "diverge"}): "Both change sides; does the distance grow?",
    frozenset({"one step", "approach"}): "Both come from one side; how many steps does it take?",
}


def _grade_name_the_regimes(answer):
    expect(isinstance(answer, dict), "answer with a dict: {'A': 'crawl', …}.")
    given = {
        str(name).strip().upper(): regime.removesuffix(" and converge")  # as in the titles of 2.2
        if isinstance(regime, str)
        else regime
        for name, regime in answer.items()
    }
    expect(
        set(given) == set(_MYSTERY_REGIMES),
        f"name all six runs, A to F; you named {', '.join(sorted(given)) or 'none'}.",
    )
    if all(regime is ... for regime in given.values()):
        raise NotAttempted
    for name, right in _MYSTERY_REGIMES.items():
        chosen = choice(given[name], REGIMES)
        if chosen != right:
            why = _MIXED_UP.get(frozenset({chosen, right}), "Look at the path once more.")
            raise Incorrect(f"Run {name} is not {chosen!r}. {why}")
    return "All six. From the loss alone, A and E would have been hard to tell apart."


name_the_regimes = question(
    "name_the_regimes",
    "Name the regime of each of the six runs.",
    _grade_name_the_regimes,
    hints=(
        "Look at two things: does the path change sides, and does the distance shrink?",
        "Changing sides: A, D and F. Same side: B, C and E.",
    ),
    solution=_MYSTERY_REGIMES,
    explanation="The factors 1 − 4η are A −0.88, B 0.98, C 0, D −1.04, E 0.6, F −1.",
)


def _grade_best_rate_and_factor(answer):
    rate, factor = map(number, pair(answer, "give a pair: (rate, factor per step)."))
    mistakes = {
        0.04: "at 2/50 the steep direction keeps jumping between two points. A bit less.",
        0.02: "1/50 solves the steep direction at once, but leaves the flat one a factor of 0.96.",
        0.5: "at 1/2 the flat direction is solved at once, but the steep one has the factor −24.",
        2 / 48: "2 / (λ_max − λ_min) is above the limit 2/50.",
    }
    expect_none_of(rate, mistakes, near=1e-4, reply="The rate {value:g}: {why}")
    why = "make the two factors equal in size: 1 − 2η = 50η − 1."
    expect(math.isclose(rate, 2 / 52, rel_tol=2e-3), f"The rate {rate:g} is not the best: {why}")
    expect(
        not math.isclose(abs(factor), 1 / 26, rel_tol=2e-3),
        "The factor is (κ − 1)/(κ + 1), not 1/(κ + 1): hardly anything is gained per step.",
    )
    close = math.isclose(abs(factor), 48 / 52, rel_tol=5e-3)
    expect(
        not close or math.isclose(abs(factor), 48 / 52, rel_tol=5e-4),
        f"The rate is right, and the factor {factor:g} nearly: give three digits.",
    )
    expect(
        close,
        f"The rate is right. The factor {factor:g} is not: put the rate into 1 − 2η.",
    )
    return "The best single rate still keeps 92 % of the distance at every step."


best_rate_and_factor = question(
    "best_rate_and_factor",
    "The best single rate for the curvatures 50 and 2, and the factor per step that it gives.",
    _grade_best_rate_and_factor,
    hints=(
        "The factors are |1 − 50η| and |1 − 2η|. The slower one counts.",
        "The best rate makes both equal: 50η − 1 = 1 − 2η.",
    ),
    solution=(1 / 26, 12 / 13),
    explanation="In general 2/(λ_max + λ_min) and (κ − 1)/(κ + 1); here κ = 25.",
)


def is_diverging(losses):
    """Not finite, or far above the start at the end. A rise on the way proves nothing."""
    losses = np.asarray(losses, dtype=float)
    return bool(not np.isfinite(losses).all() or losses[-1] > 10 * losses[0])


_t = np.arange(200.0)
_WATCHED = (
    (0.9**_t, False, "a loss that simply falls is an alarm for you."),
    (
        0.97**_t * (1 + 0.5 * (-1) ** _t),
        False,
        "a loss that goes up and down *while it falls* is an alarm for you. Do not compare with "
        "the step before: compare the end with the beginning.",
    ),
    (
        np.full(200, 36.0),
        False,
        "a loss that stands still is an alarm for you. Stuck is not diverging.",
    ),
    (
        np.where(_t == 60, 15.0, 0.98**_t),
        False,
        "a single spike from which the run recovers is an alarm for you. Look at the end.",
    ),
    (
        36 * 1.04**_t,
        True,
        "a loss that grows by 4 % per step, from 36 to 90 000, is no alarm for you.",
    ),
    (
        np.append(2.3 * 1.5 ** _t[:20], np.full(180, np.nan)),
        True,
        "a loss that has become NaN is no alarm for you. Every comparison with NaN is False: "
        "ask np.isfinite.",
    ),
    (
        np.append(4.0 ** _t[:100], np.full(100, np.inf)),
        True,
        "an infinite loss is no alarm for you.",
    ),
)


def _grade_detector(answer):
    for losses, truth, why in _WATCHED:
        got = call(answer, losses.copy())
        expect(
            isinstance(got, (bool, np.bool_)), f"return True or False, not {type(got).__name__}."
        )
        expect(bool(got) == truth, f"Not yet: {why}")
    return "It lets oscillation, stagnation and spikes pass, and catches growth, infinity and NaN."


detector = question(
    "detector",
    "Write is_diverging(losses): True where a run blew up, False where it only went up and down.",
    _grade_detector,
    hints=(
        "Two questions: is every loss finite, and is the last one far above the first?",
        "losses[-1] > 10 * losses[0] is False for NaN, so ask np.isfinite(losses).all() first.",
    ),
    solution=is_diverging,
    explanation="`Run.diverged` of this course uses the same two conditions.",
)


def _grade_free_the_loss(answer):
    first, second = map(number, pair(answer, "give a pair: (first rate, second rate)."))
    expect(first > 0 and second > 0, "Both rates must be greater than 0.")
    schedule = piecewise_constant([199], [first, second])
    run = descend(log_cosh_ravine(), GradientDescent(), schedule, 400)
    across, along = (abs(float(part)) for part in run.params[-1])
    if run.final_loss < 0.01:
        return f"The loss ends at {run.final_loss:.1e}: first along the valley, then to its floor."
    start = f"The loss ends at {run.final_loss:.2g}."
    if second > 0.08 and across > 1e-3:
        raise Incorrect(
            f"{start} At {second:g} it still jumps between the walls: go below 2/25 = 0.08."
        )
    if across > 0.05:
        raise Incorrect(f"{start} The second rate is so small that it never gets down the wall.")
    far = f"{start} The floor is reached, but y = {along:.3g} is far from 0"
    if first >= 100:
        raise Incorrect(
            f"{far}: a rate of 2/0.02 = 100 or more is too large even along the valley."
        )
    raise Incorrect(f"{far}: the first 200 steps along the valley were too short.")


free_the_loss = question(
    "free_the_loss",
    "Two rates for 200 steps each that bring the loss of the ravine below 0.01.",
    _grade_free_the_loss,
    hints=(
        "Across the valley only a rate below 0.08 settles. Along it, larger is faster.",
        "Use the large rate first, while bouncing does no harm.",
    ),
    solution=(0.4, 0.02),
    explanation="At 0.4 the run bounces, but it also walks along the valley, 20 times faster than "
    "at 0.02. The small rate then lets it fall to the floor. That is a schedule: lesson 3.",
)
