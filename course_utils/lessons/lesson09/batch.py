"""The best rate against the batch size, with equal examples and with equal updates."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from course_utils import validate
from course_utils.experiments.batches import Batches
from course_utils.experiments.datasets import digits
from course_utils.experiments.table import Table
from course_utils.experiments.teacher import Teacher
from course_utils.lessons.lesson09.training import (
    constant,
    evaluate,
    networks,
    result,
    score,
    train,
)
from course_utils.optimizers import Adam, GradientDescent

RULES = {"SGD": GradientDescent(), "momentum": GradientDescent(momentum=0.9), "Adam": Adam()}
BATCHES = (1, 4, 16, 64, 256)
TASKS = ("teacher", "digits")


def study(
    rule: str, batch_size: int, steps: int, lrs: Sequence[float], seeds: Sequence[int],
    on: str = "teacher",
) -> Table:  # fmt: skip
    """Train at constant rates: 20-64-10 on the teacher, or 64-32-10 on digits with wrong labels.

    >>> study("Adam", 4, 10, [0.01, 0.02], [0]).final("test_accuracy").shape
    (2, 1)
    """
    validate.one_of("on", on, TASKS)
    optimizer = RULES[validate.one_of("rule", rule, RULES)]
    if on == "teacher":
        source = Teacher()
        nets, batches = networks(len(lrs), seeds, (20, 64, 10)), source.stream(seeds, batch_size)
        measure = partial(score, nets, task=source)
    else:
        source = digits().with_label_noise(0.2)  # the test is clean
        nets = networks(len(lrs), seeds, (64, 32, 10))
        batches = Batches(source, batch_size).of_seeds(seeds)
        measure = partial(evaluate, nets, split=source.test, name="test")
    params = nets.initial()
    first = measure(params)["test_loss"]
    params = train(nets, params, batches, constant(lrs, steps), optimizer)
    return result(lrs, seeds, measure(params), first, {
        "data": source.name, "sizes": list(nets.sizes),
        "optimizer": optimizer.name, "steps": steps, "batch_size": batch_size,
    })  # fmt: skip
