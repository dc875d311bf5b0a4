"""The loop of lesson 8 against `sweep`, a branch taken by hand, and averages taken by hand."""

from dataclasses import replace

import numpy as np
import pytest

from course_utils import averages
from course_utils.experiments.batches import Batches
from course_utils.experiments.networks import Networks
from course_utils.experiments.sweep import sweep
from course_utils.lessons.lesson08.methods import averages_of
from course_utils.lessons.lesson08.schedule_free import ScheduleFreeSGD
from course_utils.lessons.lesson08.training import TASKS, train
from course_utils.optimizers import AdamW, GradientDescent
from course_utils.schedules import constant, cosine, warmup_stable_decay

DIGITS, TEACHER = (replace(TASKS[name], steps=60) for name in ("digits", "teacher"))


@pytest.mark.parametrize("optimizer", [None, AdamW()])
def test_on_the_digits_it_is_sweep(optimizer):
    plans = [constant(0.01), cosine(0.05, 60)]
    mine = train(DIGITS, plans, range(3), optimizer=optimizer)["last"][60]
    reference = sweep(
        plans,
        range(3),
        data=DIGITS.source,
        hidden=(32,),
        batch_size=8,
        steps=60,
        optimizer=optimizer,
        evaluate_on=("validation", "test"),
    )
    for name, values in mine.items():
        np.testing.assert_array_equal(values, reference.final(name))


def walk(task, seed, lr, steps, w=None, begin=0):
    """The weights (updates, P) of one run at the rates lr(t), from weights given or drawn."""
    network = Networks(1, [seed], task.sizes, "relu", "cross_entropy", l2=0.0)
    w = network.initial() if w is None else w
    batches, rule, path = task.batches([seed]), GradientDescent(), []
    for t in range(steps):
        batch = next(batches)
        if t >= begin:
            _, gradient = network.loss_and_gradient(w, *batch)
            w = rule.step(w, gradient, np.float32(lr(t)))
            path.append(w)
    return network, path


@pytest.mark.parametrize("task", [DIGITS, TEACHER], ids=lambda task: task.name)
def test_a_branch_of_a_constant_run_is_warmup_stable_decay(task):
    """Saved at S and cooled down for D: the same as planned from the start, to the last bit."""
    whole = warmup_stable_decay(0.12, 0, 40, 20, "1-sqrt")
    _, trunk = walk(task, 3, constant(0.12), 40)
    network, branch = walk(task, 3, whole, 60, trunk[-1], begin=40)
    planned = train(task, [whole], [3])["last"][60]
    for name, values in task.scores(network, branch[-1]).items():
        np.testing.assert_array_equal(values, planned[name])


def test_averages_are_those_of_the_path():
    """Against means that NumPy takes of all weights of the run."""
    network, path = walk(DIGITS, 2, constant(0.12), 60)
    found = train(DIGITS, [constant(0.12)], [2], averages=averages_of((20, 40, 60)), at=[40, 60])
    path = np.array(path, dtype=np.float64)
    ema = 0.99 ** np.arange(60)[::-1, None, None]
    by_hand = {
        ("mean of all", 60): path.mean(axis=0),
        ("last half, 60", 60): path[30:].mean(axis=0),
        ("last half, 40", 40): path[20:40].mean(axis=0),
        ("EMA 0.99", 60): (ema * path).sum(axis=0) / ema.sum(),
        ("weights n^8", 60): averages.running(path, averages.polynomial(8.0))[-1],
    }
    for (name, n), w in by_hand.items():
        expected = DIGITS.scores(network, w.astype(np.float32))
        for metric, values in found[name][n].items():
            np.testing.assert_allclose(values, expected[metric], rtol=2e-5, err_msg=name)


def test_schedule_free_is_measured_at_its_average():
    """Not at y, which is in the network while it trains."""
    rule = ScheduleFreeSGD()
    found = train(DIGITS, [constant(0.3)], [0], optimizer=rule)["last"][60]
    network = Networks(1, [0], DIGITS.sizes, "relu", "cross_entropy", l2=0.0)
    parts = Batches(DIGITS.source, 8).parts
    loss, _ = network.evaluate(rule.average, *parts["test"])
    np.testing.assert_array_equal(found["test_loss"], loss)


def test_the_teachers_loss_is_above_its_best_possible():
    """Cross-entropy of the student under the teacher's probabilities, minus their entropy."""
    found = train(TEACHER, [constant(0.1)], [1], at=[1])["last"][1]
    network, path = walk(TEACHER, 1, constant(0.1), 1)
    x, p = TEACHER.source.held_out["test"]
    ones = np.concatenate([x, np.ones((len(x), 1), np.float32)], axis=1)
    z = network.outputs(network.layers(path[-1]), ones)[1][0, 0].astype(np.float64)
    q = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    kl = (p * np.log(p / q)).sum(axis=1).mean()
    assert found["test_loss"].item() == pytest.approx(kl, rel=1e-6)


def test_divergence_is_a_result():
    found = train(DIGITS, [constant(1e6)], [0])["last"][60]
    assert not found["test_loss"] < 100
