"""Runs without names, which the exercises of lesson 2 ask for."""

from __future__ import annotations

import numpy as np

from course_utils.descent import descend
from course_utils.lessons.lesson02.network import digits_network
from course_utils.optimizers import GradientDescent
from course_utils.problems import log_cosh_ravine, quadratic
from course_utils.run import Run

# Six rates on the parabola ½·4·w², whose best rate is 1/4 and whose limit is 2/4.
_MYSTERY = {"A": 0.47, "B": 0.005, "C": 0.25, "D": 0.51, "E": 0.1, "F": 0.5}


def mystery_runs() -> dict[str, Run]:
    """Return six runs of 30 steps on one parabola, named A to F, each in another regime.

    >>> sorted(mystery_runs())
    ['A', 'B', 'C', 'D', 'E', 'F']
    """
    problem = quadratic([4.0], start=[1.0])
    return {name: descend(problem, GradientDescent(), lr, 30) for name, lr in _MYSTERY.items()}


def unlabelled_logs() -> dict[str, dict[str, np.ndarray]]:
    """Return four logs of 100 full-batch updates: "loss", "|gradient|" and "cosine".

    The cosine is that of the angle between two gradients in a row, NaN where they have vanished.

    >>> sorted(unlabelled_logs())
    ['A', 'B', 'C', 'D']
    """
    network, ravine = digits_network(), log_cosh_ravine()
    chosen = {"A": (network, 0.7), "B": (network, 6.0), "C": (network, 1e-3), "D": (ravine, 0.1)}
    logs = {}
    for name, (problem, lr) in chosen.items():
        run = descend(problem, GradientDescent(), lr, 100)
        g = problem.gradient(run.params[:-1])
        turn = (g[1:] * g[:-1]).sum(axis=-1)
        product = run.grad_norm[1:] * run.grad_norm[:-1]
        logs[name] = {
            "loss": run.loss,
            "|gradient|": run.grad_norm,
            "cosine": np.where(product > 1e-12, turn / np.maximum(product, 1e-12), np.nan),
        }
    return logs
