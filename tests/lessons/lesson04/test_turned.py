"""A rotation is orthogonal and mixes everything; a turned network is the same network."""

import numpy as np
import pytest

from course_utils.experiments.datasets import digits
from course_utils.experiments.sweep import sweep
from course_utils.lessons.lesson04 import records
from course_utils.lessons.lesson04.turned import Rotation
from course_utils.optimizers import Adam, GradientDescent


@pytest.mark.parametrize("size", [4, 91, 4810])
def test_a_rotation_is_orthogonal(size):
    rotation, rng = Rotation(size, seed=1), np.random.default_rng(0)
    w, other = rng.standard_normal((2, size))
    u = rotation.turn(w)
    assert u @ rotation.turn(other) == pytest.approx(w @ other, abs=1e-9)
    np.testing.assert_allclose(rotation.back(u), w, atol=1e-12)
    np.testing.assert_allclose(rotation.turn(np.stack([w, other]))[0], u, atol=1e-12)


def test_every_coordinate_mixes_all_weights():
    columns = Rotation(91, seed=0).turn(np.eye(91))
    assert (columns != 0).all() and np.abs(columns).max() < 0.7
    assert not np.allclose(columns, Rotation(91, seed=1).turn(np.eye(91)))


def test_a_prime_number_of_weights_is_refused():
    with pytest.raises(ValueError, match="size must not be a prime, got 97"):
        Rotation(97, seed=0)


def test_gradient_descent_does_not_notice_and_the_own_axes_are_those_of_sweep():
    lrs = np.array([0.1, 0.5])
    own, turned = (
        records.record_networks(GradientDescent(), lrs, 3, 60, side) for side in (False, True)
    )
    np.testing.assert_allclose(turned["train_loss"], own["train_loss"], rtol=1e-3)
    same = sweep(lrs, [3], steps=60, data=digits(), progress=False)
    accuracy = same.final("validation_accuracy")[:, 0]
    np.testing.assert_allclose(own["validation_accuracy"], accuracy)


def test_a_full_random_matrix_does_the_same_to_adam(monkeypatch):
    """The shortcut of `Rotation` against a matrix drawn uniformly from all: a smaller network."""
    monkeypatch.setattr(records, "SIZES", (64, 7, 10))
    size = 65 * 7 + 8 * 10
    q = np.linalg.qr(np.random.default_rng(0).standard_normal((size, size)))[0]

    def accuracy(turned):
        with np.errstate(all="ignore"):
            runs = [
                records.record_networks(Adam(), np.array([0.003, 0.1]), seed, 200, turned)
                for seed in range(8)
            ]
        return np.mean([run["validation_accuracy"] for run in runs], axis=0)

    own, shortcut = accuracy(False), accuracy(True)
    monkeypatch.setattr(Rotation, "turn", lambda self, w: (w @ q.T).astype(w.dtype))
    monkeypatch.setattr(Rotation, "back", lambda self, u: (u @ q).astype(u.dtype))
    full = accuracy(True)
    assert full == pytest.approx(shortcut, abs=0.12)
    assert full[0] == pytest.approx(shortcut[0], abs=0.03)
    assert own[1] > max(full[1], shortcut[1]) + 0.15
