"""The draws: PyTorch's law, epochs that see everything once, and seeds that mean something."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.sampling import (
    batch_order,
    epoch_batches,
    evaluation_steps,
    initial_parameters,
    layer_sizes,
    resolve_steps,
)


def test_weights_follow_the_law_of_torch_linear():
    (weight, bias), _ = initial_parameters((64, 4000, 2), seed=0)
    linear = torch.nn.Linear(64, 4000)
    for ours, theirs in ((weight, linear.weight), (bias, linear.bias)):
        theirs = theirs.detach().numpy()
        bound = 1 / math.sqrt(64)
        assert 0.99 * bound < np.abs(ours).max() <= bound
        assert abs(ours.mean()) < 5 * bound / math.sqrt(3 * ours.size)
        # 5 standard errors of the standard deviation of a uniform law
        error = bound / math.sqrt(3) * math.sqrt(0.2 / ours.size)
        assert ours.std() == pytest.approx(bound / math.sqrt(3), abs=5 * error)
        assert theirs.std() == pytest.approx(bound / math.sqrt(3), abs=5 * error)


def test_seeds_give_different_draws_and_weights_are_not_the_batches():
    first, second = (initial_parameters((8, 4), seed)[0][0] for seed in (0, 1))
    assert np.array_equal(first, initial_parameters((8, 4), 0)[0][0])
    assert not np.isclose(first, second).any()
    assert not np.array_equal(batch_order(50, 5, 10, 0), batch_order(50, 5, 10, 1))


@given(n=st.integers(1, 60), data=st.data(), steps=st.integers(0, 40), seed=st.integers(0, 2**40))
def test_every_epoch_sees_an_example_at_most_once(n, data, steps, seed):
    batch_size = data.draw(st.integers(1, n))
    order = batch_order(n, batch_size, steps, seed)
    assert order.shape == (steps, batch_size)
    per_epoch = n // batch_size
    for first in range(0, steps, per_epoch):
        seen = order[first : first + per_epoch].ravel()
        assert len(set(seen.tolist())) == len(seen)
        assert seen.min() >= 0 and seen.max() < n
        epoch = epoch_batches(n, batch_size, first // per_epoch, seed)
        assert np.array_equal(epoch[: len(order[first : first + per_epoch])].ravel(), seen)


def test_epochs_are_shuffled_anew_and_only_the_partial_batch_is_dropped():
    order = batch_order(10, 4, 4, seed=0)
    assert not np.array_equal(order[:2], order[2:])
    whole = batch_order(12, 4, 3, seed=0)
    assert sorted(whole.ravel().tolist()) == list(range(12))


def test_evaluation_steps_start_at_0_and_always_include_the_last():
    assert evaluation_steps(6, 2) == [0, 2, 4, 6]
    assert evaluation_steps(7, 2) == [0, 2, 4, 6, 7]
    assert evaluation_steps(3, 10) == [0, 3]
    assert evaluation_steps(5, None) == [5]


def test_steps_and_epochs():
    assert resolve_steps(1000, 64, None, 20) == (64, 300)  # the last 40 examples are dropped
    assert resolve_steps(1000, None, 7, None) == (1000, 7)
    assert resolve_steps(1000, None, None, 7) == (1000, 7)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: initial_parameters((64,), 0), ValueError, r"sizes must name at least .*\(64,\)"),
        (lambda: initial_parameters((64, 0), 0), ValueError, r"sizes\[1\] must be 1 or greater"),
        (lambda: initial_parameters((64, 2.5), 0), TypeError, r"sizes\[1\] must be an integer"),
        (lambda: initial_parameters("64", 0), TypeError, "sizes must be a list"),
        (lambda: initial_parameters(64, 0), TypeError, "sizes must be a list"),
        (lambda: initial_parameters((64, 10), -1), ValueError, "seed must be 0 or greater, got -1"),
        (lambda: initial_parameters((64, 10), None), TypeError, "seed must be an integer"),
        (lambda: layer_sizes("hidden", []), ValueError, "hidden must name"),
        (
            lambda: batch_order(10, 11, 5, 0),
            ValueError,
            "batch_size must be at most 10 .all examples., got 11",
        ),
        (lambda: batch_order(10, 0, 5, 0), ValueError, "batch_size must be 1 or greater, got 0"),
        (lambda: batch_order(0, 1, 5, 0), ValueError, "n must be 1 or greater"),
        (lambda: batch_order(10, 2, -1, 0), ValueError, "steps must be 0 or greater"),
        (lambda: batch_order(10, 2, 1.5, 0), TypeError, "steps must be an integer"),
        (lambda: batch_order(10, math.nan, 1, 0), TypeError, "batch_size must be an integer"),
        (lambda: epoch_batches(10, 2, -1, 0), ValueError, "epoch must be 0 or greater"),
        (lambda: resolve_steps(10, 4, None, None), ValueError, "either steps or epochs"),
        (lambda: resolve_steps(10, 4, 3, 3), ValueError, "either steps or epochs"),
        (lambda: resolve_steps(10, 4, 0, None), ValueError, "steps must be 1 or greater"),
        (lambda: resolve_steps(10, 4, None, -2), ValueError, "epochs must be 1 or greater"),
        (lambda: resolve_steps(10, 12, 3, None), ValueError, "batch_size must be at most 10"),
        (lambda: evaluation_steps(10, 0), ValueError, "every must be 1 or greater"),
        (lambda: evaluation_steps(10, "epoch"), TypeError, "every must be an integer"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
