"""What the articles say about rates that are too small or too large: lesson 2."""

import numpy as np
from judging import judges

from course_utils.descent import descend
from course_utils.experiments.datasets import digits
from course_utils.experiments.sweep import sweep
from course_utils.optimizers import GradientDescent
from course_utils.problems import log_cosh_ravine, shifted_square
from course_utils.schedules import piecewise_constant


def losses(lr, steps=2000):
    """The loss on (w + 1)² from 5 before each update."""
    return descend(shifted_square(), GradientDescent(), lr, steps).loss


def steps_to_arrive(lr, most=5000):
    """Updates until it is below 1e-6; None if that takes too long."""
    below = losses(lr, most) < 1e-6
    return int(below.argmax()) if below.any() else None


@judges("000-C16")
def test_a_tenth_of_the_rate_takes_ten_times_the_steps():
    needed = [steps_to_arrive(lr) for lr in (0.1, 0.01, 0.001)]
    assert needed == [39, 431, 4346]
    return all(8.5 < b / a < 11.5 for a, b in zip(needed, needed[1:]))


@judges("002-C4")
def test_at_a_hundredth_the_parabola_takes_431_steps():
    return losses(0.01)[20] > 0.4 * 36 and steps_to_arrive(0.01) > 100 * steps_to_arrive(0.5)


@judges("002-C2", "004-C12")
def test_too_small_is_slow_and_too_large_does_not_converge():
    """Slow, but the loss falls at every step; at 1 it stays for ever, above it grows."""
    slow = steps_to_arrive(0.001) > 100 * steps_to_arrive(0.1)
    stable = (np.diff(losses(0.001)) < 0).all()
    return slow and stable and (losses(1.0) == 36).all() and (np.diff(losses(1.01)) > 0).all()


@judges("004-C2")
def test_a_larger_rate_is_faster_up_to_the_best_one():
    up_to_the_best = [steps_to_arrive(lr) for lr in (0.001, 0.01, 0.1, 0.5)]
    beyond = [steps_to_arrive(lr) for lr in (0.5, 0.9, 0.99)]
    harder = beyond == sorted(beyond) and steps_to_arrive(1.01) is None
    return harder and up_to_the_best == sorted(up_to_the_best), harder


@judges("000-C3", "000-C28")
def test_too_large_fails():
    """Linear regression 1 % above 2/λmax, and two networks behind their cliff."""
    data = digits()
    x, y = np.c_[data.train.x, np.ones(1000)], np.eye(10)[data.train.y]
    limit = 2 / np.linalg.eigvalsh(2 / 1000 * x.T @ x)[-1]

    def grown(lr):
        w = np.zeros((65, 10))
        for _ in range(500):
            w -= lr * 2 / 1000 * x.T @ (x @ w - y)
        return np.mean(np.sum((x @ w - y) ** 2, axis=1)) > 1e6

    assert grown(1.01 * limit) and not grown(0.99 * limit)
    for activation in ("relu", "tanh"):
        settings = {"hidden": (64,), "steps": 400, "activation": activation, "progress": False}
        found = sweep([0.5, 5, 10], [0, 1, 2], data=data, **settings)
        best, *behind = found.final("validation_accuracy").mean(axis=1)
        assert best > 0.9
        if max(behind) > best - 0.2:
            return False
    return True


# --- the ravine log cosh(5x) + y²/100, whose walls are not parabolas -----------------------------


def walk(lr, steps=400):
    return descend(log_cosh_ravine(), GradientDescent(), lr, steps)


@judges("003-C2")
def test_the_loss_stands_while_the_gradient_is_large():
    run = walk(0.1)
    assert np.ptp(run.grad_norm[50:]) < 0.01
    return run.loss[399] > 0.85 * run.loss[50] and run.grad_norm[399] > 3.5


@judges("003-C3", "003-G2")
def test_the_ravine_bounces_and_a_smaller_rate_ends_it():
    x = walk(0.1).params[50:, 0]
    assert abs(0.1 * 5 * np.tanh(5 * abs(x[-1])) - 2 * abs(x[-1])) < 1e-6  # the two-cycle
    bounces = (np.sign(x[1:]) == -np.sign(x[:-1])).all() and abs(x).min() > 0.1
    freed = walk(piecewise_constant([199], [0.4, 0.02]))
    return bounces and freed.final_loss < 0.01 * freed.loss[199]
