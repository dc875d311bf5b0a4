"""Digits: the splits of scikit-learn, and variants that change only what they say."""

import json
import math
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch

from course_utils.experiments.datasets import Data, Split, digits

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/digits.json").read_text())


def digest(split: Split) -> str:
    return sha256(split.x.astype("<f4").tobytes() + split.y.astype("<i8").tobytes()).hexdigest()


@pytest.mark.parametrize(("case", "expected"), GOLDEN["splits"])
def test_digits_are_split_as_by_scikit_learn(case, expected):
    parts = digits(*case).splits.values()
    assert [digest(split) for split in parts] == expected


def test_digits_is_the_documented_split():
    data = digits()
    assert [len(s) for s in data.splits.values()] == [1000, 397, 400]
    assert data.train.x.dtype == np.float32 and data.train.y.dtype == np.int64
    everything = np.concatenate([s.x for s in data.splits.values()])
    assert everything.min() == 0 and everything.max() == 1
    assert len(np.unique(everything, axis=0)) == 1797
    for split in data.splits.values():  # stratified: every class has a tenth, give or take
        assert np.abs(np.bincount(split.y) / len(split) - 0.1).max() < 0.01


def test_another_seed_is_another_split():
    assert not np.array_equal(digits(1).train.y, digits(0).train.y)
    assert len(digits(0, n_train=500, n_validation=100).test) == 1197


def test_a_split_takes_tensors_and_whole_numbers_of_any_type():
    x, y = np.arange(12.0).reshape(3, 4), np.array([2, 0, 1])
    for labels in (y.astype(np.uint8), y.astype(float), y.tolist()):
        split = Split(x.tolist(), labels)
        assert split.y.dtype == np.int64 and split.y.tolist() == [2, 0, 1]
    split = Split(torch.tensor(x), torch.tensor(y))  # without PyTorch's DeprecationWarning
    assert split.x.dtype == np.float32 and (split.x == x).all() and split.y.tolist() == [2, 0, 1]
    assert Split(torch.zeros(1, 3, 4, 4, dtype=torch.uint8), [0]).pixels


def test_arrays_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        digits().train.x[0] = 0


def test_variants_change_only_what_they_say():
    data = digits()
    subset = data.subset(200)
    np.testing.assert_array_equal(subset.train.x, data.train.x[:200])
    assert subset.test is data.test

    centered = data.centered()
    mean = data.train.x.mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(centered.test.x, data.test.x - mean, atol=1e-7)
    assert centered.train.y.tolist() == data.train.y.tolist()

    np.testing.assert_allclose(data.scaled(4).validation.x, 4 * data.validation.x)

    few = data.only_classes(3)
    assert set(few.train.y.tolist()) == set(few.test.y.tolist()) == {0, 1, 2}
    assert len(few.train) == (data.train.y < 3).sum()


def test_label_noise_changes_that_many_training_labels():
    data = digits()
    noisy = data.with_label_noise(0.5, seed=0)
    changed = (noisy.train.y != data.train.y).mean()
    assert 0.40 < changed < 0.50  # one drawn label in ten is the old one
    assert noisy.validation is data.validation and noisy.test is data.test
    np.testing.assert_array_equal(noisy.train.y, data.with_label_noise(0.5, seed=0).train.y)
    assert (noisy.train.y != data.with_label_noise(0.5, seed=1).train.y).any()
    np.testing.assert_array_equal(data.with_label_noise(0).train.y, data.train.y)
    everything = data.with_label_noise(1, seed=0)
    assert 0.85 < (everything.train.y != data.train.y).mean() < 0.95


def test_names_say_what_was_done():
    name = digits(1).subset(400).centered().scaled(4).only_classes(2).with_label_noise(0.1).name
    assert name == (
        "digits (split 1), 400 training examples, centered, inputs times 4, first 2 classes, "
        "label noise 0.1"
    )


def test_names_tell_apart_what_differs():
    data = digits()
    assert (
        data.name == digits(0, 1000, 397).name == "digits" and digits(2).name == "digits (split 2)"
    )
    assert data.with_label_noise(0.1, 0).name == "digits, label noise 0.1"
    assert data.with_label_noise(0.1, 1).name == "digits, label noise 0.1 (seed 1)"
    assert digits(n_train=800).name == "digits (800 for training)"
    assert digits(1, 800, 500).name == "digits (split 1, 800 for training, 500 for validation)"


SPLIT = Split(np.zeros((3, 2)), [0, 1, 1])
PIXELS = np.zeros((1, 3, 4, 4), np.uint8)
X = np.zeros((2, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: digits(-1), ValueError, "seed must be 0 or greater, got -1"),
        (lambda: digits(0.5), TypeError, "seed must be an integer"),
        (lambda: digits(n_train=0), ValueError, "n_train must be 10 or greater"),
        (lambda: digits(n_validation=math.nan), TypeError, "n_validation must be an integer"),
        (lambda: digits(n_train=1500), ValueError, r"n_train \+ n_validation .* 1787.*got 1897"),
        (lambda: digits().subset(0), ValueError, "n must be 1 or greater"),
        (lambda: digits().subset(1001), ValueError, "n must be at most 1000, got 1001"),
        (lambda: digits().subset("all"), TypeError, "n must be an integer"),
        (lambda: digits().scaled(0), ValueError, "factor must be greater than 0"),
        (lambda: digits().scaled(math.inf), ValueError, "factor must be a finite"),
        (lambda: digits().scaled(1e308), ValueError, "factor must keep .* float32, got 1e\\+308"),
        (lambda: digits().with_label_noise(1.1), ValueError, r"fraction must be in \[0, 1\]"),
        (lambda: digits().with_label_noise(math.nan), ValueError, "fraction must be a finite"),
        (lambda: digits().with_label_noise(0.1, seed=-1), ValueError, "seed must be 0 or greater"),
        (lambda: digits().only_classes(11), ValueError, "k must be at most 10, got 11"),
        (lambda: digits().only_classes(0), ValueError, "k must be 1 or greater"),
        (lambda: Split(np.zeros((3, 2)), [0, 1]), ValueError, r"got \(3, 2\) and \(2,\)"),
        (lambda: Split(np.zeros(3), [0, 1, 2]), ValueError, "x must have shape"),
        (lambda: Split(np.zeros((0, 2)), []), ValueError, "N > 0"),
        (lambda: Split(X, [0, 1.9]), ValueError, "y must hold whole numbers, got 1.9"),
        (lambda: Split(X, [0, math.nan]), ValueError, "y must hold whole numbers, got nan"),
        (lambda: Split(X, np.uint64([0, 2**63])), ValueError, "y must .*, got 9223372036854775808"),
        (lambda: Split(X, ["cat", "dog"]), TypeError, "y must be an array of real numbers"),
        (lambda: Split(X, np.ma.masked_equal([0, 1], 1)), ValueError, "y must have no masked"),
        (lambda: Split(np.ma.masked_equal(X, 0), [0, 1]), ValueError, "x must have no masked"),
        (lambda: Split([["0"], ["1"]], [0, 1]), TypeError, "x must be an array of real numbers"),
        (lambda: Split(X + 1j, [0, 1]), TypeError, "x must .* got one of complex128"),
        (lambda: Split([[0.0], [math.inf]], [0, 1]), ValueError, "x must hold finite .* got inf"),
        (lambda: Split([[0.0], [1e39]], [0, 1]), ValueError, r"x must .* float32, got 1e\+39"),
        (lambda: Split([[1, 2], [3]], [0, 1]), ValueError, "x must .* rows of unequal size"),
        (lambda: Data(SPLIT, SPLIT, SPLIT, "d", 1), ValueError, r"train must have labels in 0..0"),
        (lambda: Data(SPLIT, 3, SPLIT, "d", 2), TypeError, "validation must be a Split"),
        (lambda: Data(SPLIT, None, None, "d", 2), TypeError, "test must be a Split"),
        (lambda: Data(SPLIT, None, SPLIT, "d", 2, ("a",)), ValueError, "class_names must have 2"),
        (lambda: Split(np.zeros((3, 2), np.uint8), [0, 1, 2]), ValueError, r"\(N, C, H, W\)"),
        (lambda: Split(PIXELS, [0], (0.5, 0.5)), ValueError, "mean must have 1 or 3 entries"),
        (lambda: Split(PIXELS, [0], std=(0.0,)), ValueError, r"std\[0\] must be greater than 0"),
        (lambda: Split(PIXELS, [0], mean=(math.nan,)), ValueError, r"mean\[0\] must be a finite"),
        (lambda: Split(np.zeros((1, 2)), [0], (0.5,)), ValueError, "mean and std are for uint8"),
        (
            lambda: Data(SPLIT, SPLIT, Split(np.zeros((1, 3)), [0]), "d", 2),
            ValueError,
            r"test must hold examples of shape \(2,\), got \(3,\)",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
