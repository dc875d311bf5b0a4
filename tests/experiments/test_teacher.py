"""The teacher: its stream repeats on demand and never by itself, and its labels have its law."""

import itertools
import math

import numpy as np
import pytest

from course_utils.experiments import datasets
from course_utils.experiments.networks import Networks
from course_utils.experiments.sweep import sweep
from course_utils.experiments.teacher import Teacher


def by_hand(seed, scale, stream, batch_size, index):
    """The definition with which lesson 8's numbers were recorded, in float32 and as loops."""
    rng = np.random.default_rng([seed, 77])
    w1 = rng.standard_normal((20, 16)).astype("f4") * np.float32(math.sqrt(2 / 20))
    b = rng.standard_normal(16).astype("f4") * np.float32(0.3)
    w2 = rng.standard_normal((16, 10)).astype("f4") * np.float32(scale / 4)
    rng = np.random.default_rng([stream, 5, batch_size, index])
    n = 2048 // batch_size * batch_size
    x = rng.standard_normal((n, 20), dtype=np.float32)
    labels = []
    for row, u in zip(x, rng.random(n, dtype=np.float32)):
        z = np.exp(np.maximum(row @ w1 + b, 0) @ w2)
        labels.append(min(int((u > np.cumsum(z / z.sum())).sum()), 9))
    return x, np.array(labels)


@pytest.mark.parametrize("case", [(0, 6.0, 3, 8, 0), (1, 3.0, 100, 48, 5)])
def test_blocks_are_those_of_the_recorded_experiments(case):
    seed, scale, stream, batch_size, index = case
    x, y = Teacher(seed, scale).block(stream, index, batch_size)
    expected, labels = by_hand(*case)
    np.testing.assert_array_equal(x.reshape(-1, 20), expected)
    assert (y.ravel() == labels).mean() > 0.999  # float32 may round a draw to another label
    assert x.dtype == np.float32 and y.dtype == np.int64


def test_the_best_that_can_be_reached_is_as_recorded():
    assert Teacher().best_accuracy == pytest.approx(0.743, abs=5e-4)


def test_the_same_block_twice_is_equal_and_another_is_independent():
    task = Teacher()
    blocks = {c: task.block(*c) for c in [(0, 0, 8), (0, 1, 8), (1, 0, 8), (0, 0, 16)]}
    for case, (x, y) in blocks.items():
        again = Teacher().block(*case)
        assert (x == again[0]).all() and (y == again[1]).all()
    for (one, _), (other, _) in itertools.combinations(blocks.values(), 2):
        correlation = np.corrcoef(one.ravel(), other.ravel())[0, 1]
        assert abs(correlation) < 4 / math.sqrt(one.size)


def test_a_training_that_goes_on_sees_what_it_would_have_seen():
    task = Teacher()
    whole = itertools.islice(task.batches([4, 2], 500), 3, 9)  # a block has 4 such batches
    rest = itertools.islice(task.batches([4, 2], 500, start=3), 6)
    for (x, y), (same_x, same_y) in zip(whole, rest, strict=True):
        assert x.shape == (2, 500, 20) and (x == same_x).all() and (y == same_y).all()
    x, y = next(task.batches([2], 5000, start=1))  # larger than a block: one batch each
    assert x.shape == (1, 5000, 20) and (y[0] == task.block(2, 1, 5000)[1]).all()


def test_labels_are_drawn_from_the_probabilities():
    task = Teacher()
    x, y = (np.concatenate(v) for v in zip(*(task.block(9, i, 2048) for i in range(20))))
    x, y = x.reshape(-1, 20), y.ravel()
    p, n = task.probabilities(x), len(y)
    surprise = (np.eye(10)[y] - p).sum(axis=0) / np.sqrt((p * (1 - p)).sum(axis=0))
    assert np.abs(surprise).max() < 4  # standard deviations, class by class
    right = (y == p.argmax(axis=1)).mean()  # the others are the label noise, a quarter
    assert abs(right - p.max(axis=1).mean()) < 4 * 0.5 / math.sqrt(n)
    assert abs(x.mean()) < 4 / math.sqrt(x.size) and abs(x.std() - 1) < 4 / math.sqrt(2 * x.size)


def test_score_is_the_divergence_from_the_teacher():
    task = Teacher(1, 3.0)
    x, p = task.held_out["validation"]
    students = np.random.default_rng(0).standard_normal((2, 2000, 10))
    loss, accuracy = task.score(students, "validation")
    for k, z in enumerate(students):
        q = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        assert loss[k] == pytest.approx(np.mean(np.sum(p * np.log(p / q), axis=1)), rel=1e-9)
        assert accuracy[k] == pytest.approx(np.mean([row[i] for row, i in zip(p, q.argmax(1))]))
    itself, best = task.score(np.log(task.held_out["test"][1]) + 5)
    assert abs(itself) < 1e-12 and best == pytest.approx(task.best_accuracy)


def test_networks_see_the_stream_and_are_scored_on_all_held_out_inputs():
    task = Teacher(1, 3.0)
    networks = Networks(2, [4, 7], (20, 8, 10), "relu", "cross_entropy", l2=0.0)
    params = networks.initial()
    given = itertools.islice(zip(task.stream([4, 7], 500), task.batches([4, 7], 500)), 5)
    for (inputs, target), (x, y) in given:  # five: beyond the first block
        assert inputs.dtype == np.float32 and (inputs[..., :20] == x).all()
        assert (inputs[..., 20:] == 1).all() and inputs.shape[-1] == 21
        assert (target.argmax(-1) == y).all() and (target.sum(-1) == 1).all()
    for part, (x, _) in task.held_out.items():
        whole = np.hstack([x, np.ones((2000, 1), np.float32)])
        z = networks.outputs(networks.layers(params), whole)[1].copy()
        for found, expected in zip(task.evaluate(networks, params, part), task.score(z, part)):
            assert found.shape == (2, 2) and found == pytest.approx(expected, rel=1e-5)


def test_a_student_learns_from_data_that_do_not_repeat():
    task = datasets.teacher()
    data = task.data(4000)
    assert [len(s) for s in data.splits.values()] == [4000, 2000, 2000]
    assert len(np.unique(np.concatenate([s.x for s in data.splits.values()]), axis=0)) == 8000
    table = sweep([0.1], [0], data=data, hidden=(64,), batch_size=8, epochs=1)
    assert 0.5 < table.final("validation_accuracy")[0, 0] < task.best_accuracy


def test_names_tell_apart_what_differs():
    assert Teacher() == Teacher(0, 6) and Teacher() != Teacher(1)
    names = [Teacher().data(9).name, Teacher(1).data(9).name, Teacher(0, 3).data(9).name]
    assert len({*names, Teacher().data(9, seed=1).name, Teacher().data(8).name}) == 5
    assert names[0] == "teacher 20-16-10, scale 6, 9 examples"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Teacher(-1), ValueError, "seed must be 0 or greater"),
        (lambda: Teacher(scale=0), ValueError, "scale must be greater than 0"),
        (lambda: Teacher().block(0, -1), ValueError, "index must be 0 or greater"),
        (lambda: Teacher().block(0.5, 0), TypeError, "seed must be an integer"),
        (lambda: Teacher().block(0, 0, 0), ValueError, "batch_size must be 1 or greater"),
        (lambda: next(Teacher().batches([0], 8, -1)), ValueError, "start must be 0 or greater"),
        (lambda: Teacher().data(0), ValueError, "n must be 1 or greater"),
        (lambda: Teacher().score(np.zeros((2000, 9))), ValueError, r"logits .* got \(2000, 9\)"),
        (lambda: Teacher().score(np.zeros((2000, 10)), "train"), ValueError, "part must be one of"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
