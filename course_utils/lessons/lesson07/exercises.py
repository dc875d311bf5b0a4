"""Questions of lesson 7, choosing a learning rate, and its capstone: find one with ten runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
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
    pair,
)
from course_utils.experiments.datasets import digits
from course_utils.experiments.sweep import Sweep, sweep
from course_utils.optimizers import Adam, GradientDescent, Optimizer

question = Lesson(7).question


# --- predictions -------------------------------------------------------------------------------

which_point = question(
    "which_point",
    "Which point of a range test do you take as the rate: 'lowest', 'steepest' or 'tenth'?",
    grade_choice(
        "tenth",
        {
            "lowest": "at the lowest point the loss has stopped falling: the next rate undoes it.",
            "steepest": "a good idea, and the slope of a noisy curve is noisier than the curve; "
            "see the regrets.",
            "tenth": "A tenth of the rate with the lowest loss: far from the cliff, and easy to "
            "read.",
        },
    ),
    hints=("What has the loss just begun to do at its lowest point?", "Which point is robust?"),
    solution="tenth",
    explanation="The minimum of the smoothed curve is easy to find, and an order of magnitude "
    "below it there is room on both sides.",
)

one_dimension = question(
    "one_dimension",
    "Six runs, one dimension, the rate: does 'grid' or 'random' search do better, or is it 'even'?",
    grade_choice(
        "grid",
        {
            "grid": "Evenly spaced points leave the smallest holes. Random search needs a second "
            "dimension.",
            "random": "in one dimension random points leave holes and repeat each other.",
            "even": "the cost is even. But how wide is the largest hole between random points?",
        },
    ),
    hints=("How far is the best rate from the nearest trial, at worst?",),
    solution="grid",
    explanation="Six grid points over six decades are never more than half a decade from the best "
    "rate; six random points often are.",
)

brighter_pixels = question(
    "brighter_pixels",
    "All pixels times 4: does the best rate get 'larger' or 'smaller', or does it stay 'equal'?",
    grade_choice(
        "smaller",
        {
            "larger": "the gradients grow with the pixels: is a longer step needed as well?",
            "smaller": "Curvature grows with the square of the inputs, so the limit falls.",
            "equal": "the pictures show the same digits, but what happens to the curvature?",
        },
    ),
    hints=("For linear regression the Hessian is XᵀX.", "What is 2/λ if X becomes 4X?"),
    solution="smaller",
    explanation="For a linear layer λ grows sixteenfold. In the network only the first layer sees "
    "the inputs, so the best rate falls by less than that.",
)

equal_training_loss = question(
    "equal_training_loss",
    "Rates 0.046 and 0.46, both stopped at the training loss 0.05. Whose test loss is lower: "
    "'small', 'large', or 'equal' (within 10 %)?",
    grade_choice(
        "equal",
        {
            "small": "that is the claim. The small rate walks the same road, only slower.",
            "large": "with wrong labels that happens. Here the labels are clean.",
            "equal": "At the same point of the same road they generalize almost alike.",
        },
    ),
    hints=("Lesson 1: at small rates the rate is a clock.", "Compare positions, not times."),
    solution="equal",
    explanation="The gap between training and test loss grows along the road. A small rate has "
    "a smaller gap because it has not come as far.",
)


# --- exercises ---------------------------------------------------------------------------------


grid_size = question(
    "grid_size",
    "How many rates has a grid from 1e-4 to at least 1, each 3 times the one before?",
    grade_number(
        10,
        mistakes={
            9: "nine points make eight gaps of a factor of 3: they end at 0.66. Not quite 1.",
            8: "count the points, not the gaps, and round up.",
            5: "that is a factor of 10 between points.",
            4: "four decades, yes; a factor of 3 is less than half a decade.",
        },
        otherwise="solve 1e-4 · 3^(n − 1) ≥ 1 for the number of points n.",
        right="Ten runs cover four decades and cannot miss a basin of half a decade.",
    ),
    hints=("n points have n − 1 gaps.", "3^8 = 6561, 3^9 = 19683."),
    solution=10,
    explanation="log(10⁴)/log(3) = 8.4 gaps, so 9 gaps and 10 points.",
)


random_trials = question(
    "random_trials",
    "How many random trials over six decades until a basin of half a decade is hit with 95 %?",
    grade_number(
        35,
        mistakes={
            12: "twelve is what a grid needs. Random points do not keep their distance.",
            13: "that is about what a grid needs. Random points do not keep their distance.",
            34: "34 trials reach 94.8 %. Round up.",
            6: "the basin is a twelfth of the range, and it must be hit with a probability of "
            "95 %.",
        },
        otherwise="all n trials miss with the probability (1 − 1/12)^n. Make that 5 %.",
        right="35 random trials for what 12 grid points do with certainty: the price of chance in "
        "1-D.",
    ),
    hints=("One trial misses with the probability 11/12.", "log(0.05) / log(11/12)"),
    solution=35,
    explanation="(11/12)^34 = 0.052 and (11/12)^35 = 0.048.",
)


def _grade_distinct_rates(answer):
    parts = pair(answer, "give a pair: (different rates in the grid, different rates at random).")
    grid, random = given = tuple(map(number, parts))
    expect(given != (16, 4), "It is the other way round: the grid repeats each rate.")
    expect(grid != 16, "The 4 × 4 grid has 16 trials, but how many columns?")
    expect(random != 4, "Random trials do not share their rates: each draws its own.")
    expect(grid == 4, f"You gave {given}: a 4 × 4 grid has 4 columns.")
    expect(random == 16, f"You gave {given}: every random trial is a new rate.")
    return "If only the rate matters, the grid has spent 16 runs on 4 rates."


distinct_rates = question(
    "distinct_rates",
    "Sixteen runs over rate × weight decay: how many different rates does a 4 × 4 grid try, and "
    "how many does random search?",
    _grade_distinct_rates,
    hints=("Draw the 16 points and look along the axis of the rate.",),
    solution=(4, 16),
    explanation="Bergstra and Bengio's argument: every random trial is a new value on every axis.",
)


weight_decay = question(
    "weight_decay",
    "Keras: `l2(0.01)`. Which `weight_decay` of `torch.optim.SGD` is the same?",
    grade_number(
        0.02,
        mistakes={
            0.01: "PyTorch adds `weight_decay` · w to the gradient. What is the gradient of "
            "0.01 w²?",
            0.005: "that would be right if Keras had ½ · 0.01 · w²; it has no ½.",
            0.0001: "0.01 is not squared; w is.",
        },
        otherwise="differentiate 0.01 · w².",
        right="And only for the kernels: in PyTorch put the biases into a group of their own.",
    ),
    hints=("Keras adds 0.01 · Σw² to the loss.", "PyTorch adds weight_decay · w to the gradient."),
    solution=0.02,
    explanation="d/dw 0.01 w² = 0.02 w.",
)


def trustworthy(lrs, losses):
    """The best of the finite losses, if a smaller and a larger rate were tried as well."""
    lrs, losses = np.asarray(lrs, dtype=float), np.asarray(losses, dtype=float)
    if not np.isfinite(losses).any():
        return False
    best = lrs[np.where(np.isfinite(losses), losses, np.inf).argmin()]
    return bool(lrs.min() < best < lrs.max())


_SEARCHES = (
    ([0.01, 0.1, 1.0], [0.5, 0.2, 0.9], True, "a best rate in the middle is not trusted."),
    (
        [0.01, 0.1, 1.0],
        [0.5, 0.3, 0.2],
        False,
        "the best is the largest rate tried: a larger one may be better.",
    ),
    ([0.01, 0.1, 1.0], [0.2, 0.3, 0.9], False, "the best is the smallest rate tried."),
    (
        [0.1, 1.0, 0.01],
        [0.4, 0.2, 0.5],
        False,
        "the rates need not be sorted: the best is the largest, in the middle of the list.",
    ),
    (
        [0.01, 0.1, 1.0, 10.0],
        [0.5, 0.2, math.inf, math.nan],
        True,
        "a diverged run (NaN) is a valid neighbor: it says that the rate is too large. Do not "
        "let `argmin` choose it either.",
    ),
    ([0.1, 1.0], [math.nan, math.nan], False, "nothing can be trusted where every run diverged."),
)


def _grade_trust(answer):
    for lrs, losses, truth, why in _SEARCHES:
        got = call(answer, np.array(lrs), np.array(losses))
        expect(
            isinstance(got, (bool, np.bool_)), f"return True or False, not {type(got).__name__}."
        )
        expect(bool(got) == truth, f"Not yet, for rates {lrs} and losses {losses}: {why}")
    return "Sorted or not, with NaN or without: an answer on the edge is only a bound."


trust = question(
    "trust",
    "Write trustworthy(lrs, losses): False where the best rate lies on the edge of those tried.",
    _grade_trust,
    hints=(
        "Replace what is not finite by infinity before you look for the smallest loss.",
        "Compare the best rate with lrs.min() and lrs.max(), not its position with 0 and n − 1.",
    ),
    solution=trustworthy,
    explanation="`Sweep.best(...).edge` and `search.result(...).edge` of this course do the same.",
)


def soft_threshold(w, t):
    """Move every weight towards 0 by t; those nearer than t become exactly 0."""
    return np.sign(w) * np.maximum(np.abs(w) - t, 0.0)


def _grade_soft_threshold(answer):
    w = np.array([-2.0, -0.3, 0.0, 0.1, 0.5, 3.0])
    got = np.asarray(call(answer, w.copy(), 0.3), dtype=float)
    expect(got.shape == w.shape, f"return one weight per weight, not an array of {got.shape}.")
    right = soft_threshold(w, 0.3)
    if np.allclose(got, w - 0.3 * np.sign(w)):
        raise Incorrect("0.1 becomes −0.2: a weight nearer than t must stop at 0, not cross it.")
    if np.allclose(got, np.where(np.abs(w) > 0.3, w, 0.0)):
        raise Incorrect(
            "You cut the small weights off; the large ones must move towards 0 as well."
        )
    if np.allclose(got, np.maximum(w - 0.3, 0.0)):
        raise Incorrect("The negative weights are lost: work on |w| and give the sign back.")
    expect(np.allclose(got, right), f"for {w} and t = 0.3 you gave {got}, want {right}.")
    return "One line, and L1 makes true zeros."


threshold = question(
    "threshold",
    "Write soft_threshold(w, t), the proximal step of L1.",
    _grade_soft_threshold,
    hints=("|w| becomes max(|w| − t, 0).", "np.sign(w) * ..."),
    solution=soft_threshold,
    explanation="After each gradient step on the loss alone, t = rate × strength of the L1 term.",
)


# --- the capstone ------------------------------------------------------------------------------

BUDGET = 10
"""Runs that the capstone allows."""


class BudgetSpent(Exception):
    """Raised by `Task.run` when all runs are used up."""


@dataclass
class Task:
    """A network, a data set and an update rule that nobody tells you; only runs tell.

    Args:
        name: "A", "B" or "C".

    Example:
        >>> task = Task("A")
        >>> 0 < task.run(0.01) < 1, task.runs_left
        (True, 9)
    """

    name: str
    used: list[float] = field(default_factory=list)

    @property
    def runs_left(self) -> int:
        """How many runs of the budget are left."""
        return BUDGET - len(self.used)

    def run(self, lr: float) -> float:
        """Train at a rate; return the validation accuracy, NaN where the training diverged.

        Raises:
            BudgetSpent: after ten runs.
        """
        if not self.runs_left:
            raise BudgetSpent
        lr = number(lr)
        expect(0 < lr < math.inf, f"a rate must be positive and finite, got {lr:g}.")
        self.used.append(lr)
        table = _train(self.name, (lr,), _RUN_SEEDS)
        return math.nan if table.diverged.any() else _mean(table, "validation_accuracy")[0]


_HIDDEN: dict[str, tuple[float, Optimizer, int]] = {  # scale of the pixels, rule, batch size
    "A": (0.25, GradientDescent(momentum=0.9), 32),
    "B": (1.0, Adam(), 16),
    "C": (6.0, GradientDescent(), 16),
}
_ORACLE_RATES = tuple(10 ** (k / 6) for k in range(-24, 7))
_RUN_SEEDS, _SCORE_SEEDS = (0, 1, 2, 3), (4, 5, 6, 7, 8, 9)


def _train(name: str, lrs: tuple[float, ...], seeds: tuple[int, ...]) -> Sweep:
    scale, rule, batch_size = _HIDDEN[name]
    data = digits(n_train=600).scaled(scale)
    return sweep(
        lrs,
        seeds,
        data=data,
        hidden=(32,),
        optimizer=rule,
        batch_size=batch_size,
        steps=250,
        evaluate_on=("validation", "test"),
    )


def _mean(table: Sweep, name: str) -> list[float]:
    return table.final(name).mean(axis=1).tolist()


@cache
def oracle(name: str) -> tuple[float, float]:
    """Return the best rate of a task and its test accuracy: 31 rates, six seeds of its own.

    >>> 0.9 < oracle("B")[1] < 1
    True
    """
    scores = _mean(_train(name, _ORACLE_RATES, _SCORE_SEEDS), "test_accuracy")
    at = int(np.argmax(scores))
    return _ORACLE_RATES[at], scores[at]


def find_rate(run):
    """Six rates, a factor of ten apart; then four more around the best of them."""
    scores = {10.0**k: run(10.0**k) for k in range(-4, 2)}

    def best():
        return max(scores, key=lambda lr: -1 if math.isnan(scores[lr]) else scores[lr])

    center = best()
    for factor in (0.3, 3.0):
        scores[center * factor] = run(center * factor)
    center = best()
    for factor in (0.55, 1.8):
        scores[center * factor] = run(center * factor)
    return best()


def _grade_capstone(answer):
    regrets = []
    for name in _HIDDEN:
        task = Task(name)
        try:
            lr = number(call(answer, task.run))
        except BudgetSpent:
            raise Incorrect(
                f"task {name}: you asked for an eleventh run. Ten must be enough."
            ) from None
        expect(0 < lr < math.inf, f"task {name}: a rate must be positive and finite, got {lr:g}.")
        best_lr, best = oracle(name)
        regret = 100 * (best - _mean(_train(name, (lr,), _SCORE_SEEDS), "test_accuracy")[0])
        regrets.append(regret)
        expect(
            regret <= 1.0,
            f"task {name}: your rate {lr:.3g} is {regret:.1f} points below the oracle "
            f"({best:.1%}), after {len(task.used)} of {BUDGET} runs. {_advice(lr, best_lr, task)}",
        )
    return (
        "Within a point of the oracle on all three tasks; the regrets are "
        + ", ".join(f"{max(regret, 0.0):.1f}" for regret in regrets)
        + " points."
    )


def _advice(lr: float, best_lr: float, task: Task) -> str:
    tried = sorted(set(task.used))
    if not tried:
        return "You did not run anything: no rate is right for every task."
    if not tried[0] * 1.01 < best_lr < tried[-1] / 1.01:
        side = "small" if best_lr <= tried[0] * 1.01 else "large"
        return f"The best rate lies beyond the {side} end of what you tried: widen the range."
    if np.ptp(np.diff(tried)) < 1e-6 * tried[-1] and len(tried) > 2:
        return "Your rates are evenly spaced; space them evenly on a logarithmic axis."
    if len(task.used) < BUDGET:
        return "You have runs left: refine around the best rate."
    return "Coarse first, over many decades, then fine around the best."


capstone = question(
    "capstone",
    "Write find_rate(run): find a good rate for an unknown task with at most ten runs.",
    _grade_capstone,
    hints=(
        "Begin with a factor of ten between the rates, from 1e-4 to 10: six runs.",
        "Spend the other four around the best one, at factors of 3 and then less than 2.",
        "run(lr) returns NaN where the training diverged; NaN must not win.",
    ),
    solution=find_rate,
    explanation="Coarse to fine on a logarithmic axis. A range test would save most of the first "
    "six runs; here you cannot look inside a run.",
)
