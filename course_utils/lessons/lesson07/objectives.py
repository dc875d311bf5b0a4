"""What the searches of lesson 7 minimize: the validation loss of a training at one rate."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import optuna

from course_utils import validate
from course_utils.experiments.datasets import Data, cifar100
from course_utils.experiments.sweep import sweep
from course_utils.lessons.lesson07 import job
from course_utils.optimizers import GradientDescent

RANGES = {"digits": (1e-3, 30.0), "cifar100": (1e-5, 1e-1)}
"""Task -> the lowest and the highest rate that a trial of it may have."""


def digits_loss(lr: float, epochs: int = 3) -> float:
    """Return the validation loss of a 64-64-10 network on the digits, the mean of 8 seeds.

    Momentum 0.9, batches of 32. Infinite where a training diverged: that is a result, and Optuna
    keeps it; NaN would count as an error.

    Example:
        >>> 0.1 < digits_loss(0.1) < 0.5, digits_loss(30.0)
        (True, inf)
    """
    momentum = GradientDescent(momentum=0.9)
    trained = sweep([lr], range(8), epochs=epochs, batch_size=32, optimizer=momentum)
    if trained.diverged.any():
        return math.inf
    return float(trained.final("validation_loss").mean())


def _cifar100_loss(lr: float, epochs: int, data: Data) -> float:
    """Return the held-out loss of the job's plan with the peak `lr`, one seed.

    In float32 on every machine, for a search that mixes precisions compares them along with the
    rates.
    """
    steps = epochs * (len(data.train) // job.BATCH_SIZE)
    loss = job.run(data, lr, 0, warmup=steps // 10, steps=steps)["validation_loss"]
    return loss if math.isfinite(loss) else math.inf


def objective(task: str) -> Callable[[optuna.Trial], float]:
    """Return the function of a trial that a worker runs; the study says for how many "epochs".

    So every worker, on whatever machine, spends the same on a trial.

    Args:
        task: "digits" or "cifar100".

    Raises:
        cifar_files.DataError: CIFAR-100 is not on this machine; nothing is fetched.

    Example:
        >>> study = optuna.create_study()
        >>> study.set_user_attr("epochs", 1)
        >>> study.optimize(objective("digits"), n_trials=1)
        >>> 1e-3 < study.best_params["lr"] < 30
        True
    """
    low, high = RANGES[validate.one_of("task", task, RANGES)]
    loss = digits_loss
    if task == "cifar100":
        data = cifar100(n_validation=5000, download=False)
        loss = functools.partial(_cifar100_loss, data=data)

    def run(trial: optuna.Trial) -> float:
        lr = trial.suggest_float("lr", low, high, log=True)
        return loss(lr, epochs=trial.study.user_attrs["epochs"])

    return run
