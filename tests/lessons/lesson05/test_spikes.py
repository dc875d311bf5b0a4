"""Loss spikes: their definition, the threshold against theory, and what precedes them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.lessons.lesson05.spikes import loss_spikes, threshold
from course_utils.optimizers import Adagrad, Adam


@settings(max_examples=40, deadline=None)
@given(beta=st.floats(0.0, 0.98), factor=st.sampled_from([0.995, 1.005]))
def test_threshold_is_where_adam_with_a_frozen_scale_loses_its_stability(beta, factor):
    # w' = w - meter·m', m' = βm + (1-β)w: the characteristic roots leave the unit circle there.
    level = factor * threshold(beta)
    roots = np.roots([1.0, (1 - beta) * level - 1 - beta, beta])
    assert bool(np.abs(roots).max() < 1) is (factor < 1)


def by_hand(loss, start):
    """Word for word: above three times the smallest so far, and not so one update earlier."""
    above = [value > 3 * min(loss[: t + 1]) for t, value in enumerate(loss)]
    return [t for t in range(start, len(loss)) if above[t] and not (t and above[t - 1])]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30), st.integers(0, 31))
def test_a_spike_is_what_its_definition_says(loss, start):
    assert np.flatnonzero(loss_spikes(loss, start)).tolist() == by_hand(loss, start)


def test_spikes_at_the_boundary_and_on_bad_input():
    assert not loss_spikes([1.0, 3.0, 3.0]).any()  # three times is not above three times
    assert loss_spikes([1.0, 3.01, 9.0, 1.0, 4.0]).tolist() == [False, True, False, False, True]
    assert not loss_spikes([1.0, 4.0, 4.0], start=2).any()  # it began before
    assert loss_spikes([[1.0, 1.0], [4.0, 2.0]]).tolist() == [[False, False], [True, False]]
    assert loss_spikes([1.0, np.nan, np.inf]).tolist() == [False, True, False]
    for loss, start, why in ((3.0, 0, "one entry per update"), ([1.0], -1, "start must be")):
        with pytest.raises(ValueError, match=why):
            loss_spikes(loss, start)
    with pytest.raises(ValueError, match="beta1 must be"):
        threshold(1.0)


# --- one weight: what the lesson shows ------------------------------------------------------------


def watch(rule, lr, curvature=lambda t: 100.0, steps=1500, seed=0):
    """The loop of the lesson with the rule's σ worked out beside it: loss and meter (T, 16)."""
    noise, w = np.random.default_rng(seed), np.full(16, 0.5)
    v, loss, meter = 0.0, [], []
    rule.reset()
    for t in range(steps):
        c = curvature(t)
        loss.append(0.001 + c / 2 * w**2)
        g = c * w + 0.001 * noise.standard_normal(16)
        if isinstance(rule, Adagrad):
            v = v + g**2
            sigma = np.sqrt(v)
        else:
            v = rule.beta2 * v + (1 - rule.beta2) * g**2
            sigma = np.sqrt(v / (1 - rule.beta2 ** (t + 1)))
        w = rule.step(w, g, lr)
        meter.append(lr * c / sigma)
        np.testing.assert_allclose(lr * rule.scale * c, meter[-1], rtol=1e-5)
    return np.array(loss), np.array(meter)


@pytest.mark.parametrize("beta1", [0.0, 0.5, 0.9])
def test_every_spike_follows_the_crossing_of_the_threshold(beta1):
    loss, meter = watch(Adam(beta1=beta1, beta2=0.99), 0.1)
    above, spikes = meter > threshold(beta1), loss_spikes(loss, 100)
    assert spikes.any(axis=0).all()
    assert (above.argmax(axis=0) < spikes.argmax(axis=0)).all()
    assert (spikes.argmax(axis=0) < above.argmax(axis=0) + 45).all()


def test_adagrad_spikes_if_and_only_if_the_curvature_rises():
    assert not loss_spikes(watch(Adagrad(), 0.5)[0], 100).any()
    loss, meter = watch(Adagrad(), 0.5, lambda t: 100 + 0.3 * t)
    spikes = loss_spikes(loss, 100)
    assert spikes.any(axis=0).all()
    assert ((meter > 2).argmax(axis=0) < spikes.argmax(axis=0)).all()
