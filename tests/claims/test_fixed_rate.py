"""What the articles say about the learning rate as such: lesson 1, trials of the appendix."""

import numpy as np
from judging import judges

from course_utils.experiments.datasets import digits
from course_utils.experiments.sweep import sweep
from course_utils.optimizers import Adagrad, Adam, GradientDescent, RMSprop

DATA = digits()


def accuracy(lrs, seeds=3, **settings):
    """Validation accuracy of each rate, mean over the seeds."""
    table = sweep(lrs, list(range(seeds)), data=DATA, progress=False, **settings)
    return table.final("validation_accuracy").mean(axis=1)


@judges("000-C6")
def test_adding_the_gradient_climbs():
    """On (w + 1)² from 5: adding multiplies the distance by 1.02 a step, subtracting by 0.98."""
    loss = {sign: 36 * (1 + sign * 0.02) ** 40 for sign in (1, -1)}
    w = 5.0
    for _ in range(20):
        w = w + 0.01 * 2 * (w + 1)
    assert abs((w + 1) ** 2 - loss[1]) < 1e-9 and loss[-1] < 36
    return loss[1] < 36


@judges("000-C9", "004-C11")
def test_the_rate_decides_speed_and_result():
    """At equal updates: from guessing over slow and fast to guessing again."""
    rates = [1e-4, 0.01, 0.7, 10]
    early, late = (accuracy(rates, hidden=(64,), steps=steps) for steps in (60, 620))
    return late[2] > 0.93 and max(late[0], late[3]) < 0.6 and early[2] - early[1] > 0.3


@judges("000-C7")
def test_every_rule_needs_a_rate():
    rules = [GradientDescent(), GradientDescent(0.9), Adagrad(), RMSprop(), Adam()]
    grid = [3e-4, 0.01, 0.1, 0.5, 3]
    settings = {"seeds": 2, "hidden": (64,), "batch_size": 32, "epochs": 5}
    found = [accuracy(grid, optimizer=rule, **settings) for rule in rules]
    return all(curve.max() - curve.min() > 0.3 for curve in found)


def losses(lr, clock=30, batch=None):
    """Mean training and test loss of 200 digits at the same rate × steps."""
    steps = round(clock / lr)
    settings = {"hidden": (64,), "batch_size": batch, "steps": steps, "progress": False}
    on = ("train", "test")
    table = sweep([lr], [0, 1], data=DATA.subset(200), evaluate_on=on, **settings)
    return np.array([table.final(f"{part}_loss").mean() for part in on])


@judges("000-C8")
def test_the_rate_is_a_clock_below_the_limit():
    slow, fast, edge = (losses(lr) for lr in (0.02, 0.2, 1.0))
    noisy = losses(0.5, batch=16)
    below = np.abs(fast / slow - 1).max() < 0.01
    return below and np.abs(np.array([edge, noisy]) / slow - 1).max() < 0.01, below


@judges("000-E1")
def test_the_network_of_article_000_is_late_at_its_rate():
    """100 ReLU units, 10 outputs, gradient descent at 0.001; ten epochs of 60,000 images."""
    settings = {"seeds": 1, "hidden": (100,), "batch_size": 32}
    short, long = (accuracy([0.001], steps=steps, **settings) for steps in (620, 18_750))
    return short < 0.3 and long > 0.85
