"""How lesson 4 judges rules that a learner has chosen for three clients: by runs."""

from __future__ import annotations

import math

import numpy as np

from course_utils.course.exercises import Incorrect, expect, number, pair
from course_utils.descent import descend
from course_utils.lessons.lesson04.race import LEVEL, steps_to_arrive
from course_utils.optimizers import Optimizer
from course_utils.problems import abc_surface, quadratic


def _clients():
    """The three descriptions of the exercise: name -> (problem, budget in steps, loss to reach)."""
    return {
        "axes": (abc_surface(), 100, LEVEL),
        "turned": (abc_surface(rotation=45), 400, LEVEL),
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
            "the rule? See the maps of 4.3 and 4.4."
        )
    expect(steps <= budget, f"{told}: {steps:.0f} steps, but the client pays for {budget}.")
    return f"{rule.name} in {steps:.0f} steps"


def grade_defense(answer):
    """Run the chosen rule of each client."""
    clients = _clients()
    expect(
        isinstance(answer, dict) and set(answer) == set(clients),
        f"answer with a dict with the keys {', '.join(clients)}, got {answer!r}.",
    )
    if any(choice is ... for choice in answer.values()):
        raise Incorrect("fill in a pair (rule, rate) for each of the three clients.")
    told = [_defend(name, *clients[name], answer[name]) for name in clients]
    return f"Defended by runs: {', '.join(told)}. Three surfaces, and no rule for all of them."
