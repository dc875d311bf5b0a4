"""Questions of lesson 2, too small and too large."""

from __future__ import annotations

import math

import numpy as np

from course_utils.course.exercises import (
    Incorrect,
    Lesson,
    call,
    choice,
    expect,
    expect_none_of,
    grade_number,
    number,
    pair,
)
from course_utils.lessons.lesson02.predictions import (  # noqa: F401
    above_the_limit_in_the_ravine,
    at_the_center,
    at_the_limit,
    one_percent_above,
    where_runs_leave,
    which_arrives_first,
    who_sets_what,
)
from course_utils.lessons.lesson02.unlabelled import mystery_runs, unlabelled_logs  # noqa: F401
from course_utils.problems import log_cosh_ravine, quadratic

question = Lesson(2).question

REGIMES = ("crawl", "approach", "one step", "oscillate", "never settles", "diverge")
"""What gradient descent can do on a parabola, from small to large rates."""

_MYSTERY_REGIMES = {
    "A": "oscillate",
    "B": "crawl",
    "C": "one step",
    "D": "diverge",
    "E": "approach",
    "F": "never settles",
}


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
        near=0.011,  # two decimals
        rtol=1e-3,
    ),
    hints=(
        "The limit is 2 divided by the largest curvature in any direction.",
        "np.linalg.eigvalsh gives the curvatures in the principal directions.",
    ),
    solution=0.5,
    explanation="Along (1, 1) the curvature is 3 + 1 = 4, along (1, −1) it is 3 − 1 = 2.",
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
    near = math.isclose(rate, 2 / 52, rel_tol=0.02)
    expect(
        not near or math.isclose(rate, 2 / 52, rel_tol=2e-3),
        f"The rate {rate:g} is nearly the best: give three digits.",
    )
    expect(near, f"The rate {rate:g} is not the best: {why}")
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
    (np.full(200, 36.0), False, "a loss that stands still is an alarm for you."),
    (
        2.3 + 0.1 * np.sin(3.02 * _t - 1.5),
        False,
        "a loss that wavers around 2.3 and happens to end a little above its start is an alarm for "
        "you. Blown up means many times the first loss.",
    ),
    (
        np.where(_t == 60, 15.0, 0.98**_t),
        False,
        "a single spike from which the run recovers is an alarm for you. Look at the end.",
    ),
    (
        np.append(2.3 * 0.98 ** _t[:190], 0.05 * 1.3 ** _t[:10]),
        False,
        "a loss that has fallen from 2.3 to 0.05 and is in a burst, at 0.5, is an alarm for you. "
        "Compare with the first loss, not with the lowest.",
    ),
    (
        1e6 * 0.9625**_t,
        False,
        "a loss that falls from a million to 500 is an alarm for you. What is large depends on the "
        "unit: compare with the first loss.",
    ),
    (
        36 * 1.04**_t,
        True,
        "a loss that grows by 4 % per step, from 36 to 90 000, is no alarm for you.",
    ),
    (
        2.2 * 1.0165**_t * (1 + 0.1 * (-1) ** (_t + 1)),
        True,
        "a loss that climbs from 2 to 60, in zigzag, is no alarm for you. That is thirty times the "
        "first loss.",
    ),
    (
        np.append(2.3 * 1.5 ** _t[:20], np.full(180, np.nan)),
        True,
        "a loss that has become NaN is no alarm for you. <, > and == with NaN are False: "
        "ask np.isfinite.",
    ),
    (np.append(4.0 ** _t[:100], np.full(100, np.inf)), True, "an infinite loss is no alarm."),
)


def _grade_detector(answer):
    for losses, truth, why in _WATCHED:
        got = call(answer, losses)
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


def rate(t):
    """Fast along the ravine while bouncing does no harm; then slow enough for its floor."""
    return 4.0 if t < 200 else 0.05


def _grade_free_the_loss(answer):
    ravine = log_cosh_ravine()
    w, used = ravine.start, []
    for t in range(400):
        used.append(number(call(answer, t)))
        expect(0 < used[-1] < math.inf, f"rate({t}) is {used[-1]:g}: a rate is positive.")
        w = w - used[-1] * ravine.gradient(w)
    x, y = np.abs(w)
    loss = float(ravine.loss(w))
    if loss < 1e-4:
        return f"The loss ends at {loss:.1e}. You have written your first schedule: see lesson 3."
    start = f"The loss ends at {loss:.2g}."
    expect(
        used[-1] <= 0.08 or x < 1e-3,
        f"{start} At {used[-1]:g} it still jumps between the walls: end below 2/25 = 0.08.",
    )
    expect(x < 0.01, f"{start} It has not come down the wall yet: x is {x:.3g}.")
    expect(
        max(used) < 100,
        f"{start} The floor is reached, but y = {y:.3g}: 2/0.02 = 100 is the limit along the "
        "ravine.",
    )
    raise Incorrect(
        f"{start} The floor is reached, but y = {y:.3g} is far from 0: go faster along the ravine."
    )


free_the_loss = question(
    "free_the_loss",
    "Write rate(t), the rate at update t of 400, that brings the ravine's loss below 0.0001.",
    _grade_free_the_loss,
    hints=(
        "Across the ravine only a rate below 0.08 settles. Along it, up to 100, larger is faster.",
        "Large first, while bouncing does no harm: `return ... if t < 200 else ...`.",
    ),
    solution=rate,
    explanation="At 4 the run bounces, but it also walks along the ravine, ten times faster "
    "than at 0.4. The small rate then lets it fall to the floor.",
)


def largest_rate(gradient, w):
    """Power iteration: a direction is multiplied by the Hessian until it points steepest."""
    v = np.random.default_rng(0).standard_normal(len(w))
    for _ in range(200):
        v = v / np.linalg.norm(v)
        hv = (gradient(w + 1e-5 * v) - gradient(w - 1e-5 * v)) / 2e-5
        curvature, v = v @ hv, hv
    return 2 / curvature


def _grade_largest_rate(answer):
    ravine = log_cosh_ravine()
    cases = (
        (quadratic([4.0, 1.0]), [3.0, 5.0], "½(4u² + v²)", ""),
        (quadratic([4.0, 1.0], rotation=45), [3.0, 5.0], "the same, turned by 45°", _ORTHOGONAL),
        (quadratic([4.0, 1.0], rotation=-45), [3.0, 5.0], "the same, turned by −45°", _ORTHOGONAL),
        (quadratic([1.0, 2.0, 3.0, 4.0, 10.0]), np.ones(5), "curvatures 1, 2, 3, 4, 10", ""),
        (ravine, [0.0, 3.0], "the bottom of the ravine", ""),
        (ravine, [0.3, 3.0], "the wall of the ravine", " Measure the curvature at w itself."),
    )
    for problem, w, what, more in cases:
        w = np.array(w)
        curvature = np.linalg.eigvalsh(problem.hessian(w))[-1]
        got = number(call(answer, problem.gradient, w))
        near = {curvature: "that is the curvature.", 1 / curvature: "that is 1/λ, not 2/λ."}
        expect_none_of(got, near, near=0.01)
        right = math.isclose(got, 2 / curvature, rel_tol=0.01)
        expect(right, f"For {what} you gave {got:.4g}, the limit is {2 / curvature:.4g}.{more}")
    return "From gradients alone, wherever the eigenvalue of largest size is positive."


_ORTHOGONAL = (
    " Start from a random direction: one that stands at a right angle to the steepest never finds "
    "it."
)
limit_from_gradients = question(
    "limit_from_gradients",
    "Write largest_rate(gradient, w): the largest stable rate at w, from gradients alone.",
    _grade_largest_rate,
    hints=(
        "The eight lines of section 2.5 give the largest curvature.",
        "Start from np.random.default_rng(0).standard_normal(len(w)), and return 2 / curvature.",
    ),
    solution=largest_rate,
    explanation="Two gradients per round, and no matrix.",
)


CAUSES = ("tiny rate", "bouncing", "burst", "dead units")
_CAUSE = {"A": "burst", "B": "dead units", "C": "tiny rate", "D": "bouncing"}


_CLUE = {
    "burst": "Its loss rises only for a while, and falls on. What would you mend?",
    "dead units": "Its loss is that of guessing, and its gradient has vanished.",
    "tiny rate": "Its gradient is as long as at the start, and does not turn. What holds it back?",
    "bouncing": "Its gradient is long and turns round at every update.",
}


def _grade_four_logs(answer):
    expect(isinstance(answer, dict), "answer with a dict: {'A': 'bouncing', …}.")
    expect(set(answer) == set(_CAUSE), "name all four logs, A to D.")
    for name, right in _CAUSE.items():
        chosen = choice(answer[name], CAUSES)
        expect(chosen == right, f"Log {name} is not {chosen!r}. {_CLUE[right]}")
    return "A: leave it alone. B: start again, lower. C: raise the rate. D: lower it."


four_logs = question(
    "four_logs",
    "What is the matter with each of four runs: 'tiny rate', 'bouncing', 'burst', 'dead units'?",
    _grade_four_logs,
    hints=(
        "Look at the gradient first: how long is it, and does it turn?",
        "Cosine near −1 for good: bouncing. Gradient gone: dead. As at the start: tiny rate.",
    ),
    solution=_CAUSE,
    explanation="The losses of B, C and D are all flat. The gradient tells them apart.",
)
