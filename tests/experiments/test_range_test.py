"""The range test against closed forms and the training loop; what it puts back; its three rules."""

from __future__ import annotations

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_utils.experiments import range_test
from course_utils.experiments.datasets import digits, synthetic_cifar100
from course_utils.experiments.models import mlp
from course_utils.experiments.sweep import sweep
from course_utils.experiments.training import train
from course_utils.schedules import exponential


def on_parabola(rates, curvature=2.0, start=3.0, **settings):
    """The range test of gradient descent on 0.5 * curvature * w^2."""
    w = start

    def advance(lr):
        nonlocal w
        w -= lr * curvature * w
        return 0.5 * curvature * w * w

    return range_test.ramp(rates, advance, 0.5 * curvature * start**2, **settings)


def test_ramp_matches_the_closed_form_of_a_parabola():
    rates = np.geomspace(1e-3, 10, 60)
    test = on_parabola(rates, smoothing=0.9)
    w = 3.0 * np.cumprod(1 - rates * 2.0)
    loss = w**2
    t = len(test.lr)
    np.testing.assert_allclose(test.loss, loss[:t], rtol=1e-10)
    np.testing.assert_array_equal(test.lr, rates[:t])
    weights = 0.9 ** np.arange(t)[::-1]  # the average written out: newest weight 1, then 0.9, ...
    expected = [(loss[: i + 1] * weights[t - 1 - i :]).sum() / weights[t - 1 - i :].sum()
                for i in range(t)]  # fmt: skip
    np.testing.assert_allclose(test.smoothed, expected, rtol=1e-10)
    assert (
        test.stopped == range_test.BLEW_UP and 1 < test.lr[-1] < 10
    )  # diverges above 2 / curvature = 1
    lowest = np.minimum.accumulate(np.minimum(expected, 9.0))
    assert expected[-1] > 4 * lowest[-1] and (expected[:-1] <= 4 * lowest[:-1]).all()


def test_loss_is_blamed_on_the_rate_that_caused_it():
    """One huge rate among small ones: the loss jumps in its own row, not in the next."""
    test = on_parabola([0.01, 0.01, 1.5, 0.01, 0.01], smoothing=0.0, blow_up=100)
    assert test.loss.argmax() == 2


@pytest.mark.parametrize(
    ("losses", "stopped", "rows"),
    [
        ([3.0, 2.0, 1.0], range_test.END, 3),
        ([3.0, math.nan, 1.0], range_test.NOT_FINITE, 2),
        ([3.0, math.inf, 1.0], range_test.NOT_FINITE, 2),
        ([3.0, 1.0, 4.1], range_test.BLEW_UP, 3),
        ([3.0, 1.0, 3.9, 4.0], range_test.END, 4),  # exactly 4 times the smallest
        ([20.0, 1.0], range_test.BLEW_UP, 1),  # the first rate is too large: 5 times the start
        ([-1.0, -2.0, -4.0, -3.5, 19.9], range_test.END, 5),  # from -4 up to 3 * (4 - -4) - 4 = 20
        ([-1.0, -2.0, -4.0, -3.5, 20.1, 0.0], range_test.BLEW_UP, 5),
        ([0.0, 1e-9, 0.5, 12.0], range_test.END, 4),  # after an exact 0 the fall from 4 measures
        ([0.0, 1e-9, 0.5, 12.1], range_test.BLEW_UP, 4),
        ([], range_test.END, 0),
    ],
)
def test_ramp_stops(losses, stopped, rows):
    values = iter(losses)
    test = range_test.ramp([0.1] * len(losses), lambda lr: next(values), start=4.0, smoothing=0.0)
    assert test.stopped == stopped and len(test.loss) == len(test.smoothed) == len(test.lr) == rows


def test_losses_below_zero_are_measured_by_their_size_where_they_did_not_fall():
    values = iter([-99.0, 199.0, 201.0, 0.0])  # -100 + 3 * 100 = 200
    test = range_test.ramp([1.0] * 4, lambda lr: next(values), start=-100.0, smoothing=0.0)
    assert len(test.loss) == 3 and test.stopped == range_test.BLEW_UP


def test_a_loss_that_is_zero_from_the_start_measures_nothing():
    values = iter([0.0, 1e-9, 5.0])
    test = range_test.ramp([1, 2, 3], lambda lr: next(values), start=0.0, smoothing=0.0)
    assert test.stopped == range_test.END and len(test.loss) == 3


def test_the_minimum_of_negative_losses_is_read():
    losses, rates = (
        iter([-1.0, -2.0, -3.0, -4.0, -3.5, -1.0, 5.0, 50.0]),
        np.geomspace(1e-4, 1e3, 8),
    )
    test = range_test.ramp(rates, lambda lr: next(losses), start=-0.5, smoothing=0.0)
    assert len(test.loss) == 8 and test.stopped == range_test.BLEW_UP
    assert range_test.minimum_over_ten(test) == pytest.approx(rates[3] / 10)


def test_one_batch_with_a_large_loss_is_no_explosion():
    """Its weight in the average is (1 - 0.9) / (1 - 0.9^10) = 0.154: from 1 to 1.6."""
    losses = [1.0] * 9 + [5.0] + [1.0] * 5
    values = iter(losses)
    test = range_test.ramp([0.1] * 15, lambda lr: next(values), start=1.0)
    assert test.stopped == range_test.END and test.loss.max() == 5.0
    assert test.smoothed[9] == pytest.approx(1 + 4 * 0.1 / (1 - 0.9**10))
    values = iter([1.0] * 9 + [5.0] * 30)  # one that stays is
    test = range_test.ramp([0.1] * 39, lambda lr: next(values), start=1.0)
    smoothed = [1 + 4 * (1 - 0.9**k) / (1 - 0.9 ** (9 + k)) for k in range(31)]
    assert test.stopped == range_test.BLEW_UP
    assert len(test.loss) == 9 + next(k for k in range(31) if smoothed[k] > 4)


def test_losses_in_half_precision_are_averaged_in_double():
    half, double = (
        range_test.ramp([0.1] * 9, lambda lr, kind=kind: kind(6.0e4), start=6e4)
        for kind in (np.float16, lambda x: float(np.float16(x)))
    )
    np.testing.assert_array_equal(half.smoothed, double.smoothed)


def test_range_test_is_the_training_loop_shifted_by_one():
    """The loss that `train` prints before update t + 1 is the one that rate t led to."""
    steps, ratio = 40, 1e4
    test = range_test.range_test(
        mlp((64, 32, 10), seed=3), digits(), lr_min=1e-4, lr_max=1.0, steps=steps,
        optimizer="momentum", batch_size=100, seed=5,
    )  # fmt: skip
    run = train(
        mlp((64, 32, 10), seed=3), digits(), optimizer="momentum", batch_size=100, seed=5,
        schedule=exponential(1e-4, steps - 1, ratio), steps=steps,
    )  # fmt: skip
    np.testing.assert_allclose(test.lr, run.lr, rtol=1e-9)
    np.testing.assert_allclose(test.loss[:-1], run.loss[1:], rtol=1e-5)
    assert test.start == pytest.approx(run.loss[0], rel=1e-6)
    assert test.stopped == range_test.END and len(test.loss) == steps


def test_everything_that_trains_sees_the_same_pixels(tmp_path):
    data = synthetic_cifar100(tmp_path, n_train=64, n_test=8)

    def network():
        return nn.Sequential(nn.Flatten(), *mlp((3072, 8, 100), seed=0))

    settings = {"steps": 6, "batch_size": 16}
    test = range_test.range_test(network(), data, lr_min=0.01, lr_max=0.1, **settings)
    slope = {"schedule": exponential(0.01, 5, 10.0)}
    run = train(network(), data, **slope, **settings)
    many = sweep([slope["schedule"]], [0], data=data, hidden=(8,), evaluate_on=["test"], **settings)
    np.testing.assert_allclose([test.start, *test.loss[:-1]], run.loss, rtol=1e-4)
    np.testing.assert_allclose(many.loss[0, 0], run.loss, rtol=1e-4)
    normalized = data.test.x / 255 - np.reshape(data.test.mean, (3, 1, 1))
    x = torch.tensor(normalized / np.reshape(data.test.std, (3, 1, 1)), dtype=torch.float32)
    trained = network()
    train(trained, data, **slope, **settings)
    expected = nn.functional.cross_entropy(trained(x), torch.tensor(data.test.y)).item()
    assert many.final("test_loss")[0, 0] == pytest.approx(expected, rel=1e-4)


def awkward():
    """A network and an optimizer with everything that a careless range test would change."""
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 10)
    )
    model[0].register_buffer("hidden_note", torch.arange(3.0), persistent=False)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.123)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.rand(8, 64)).square().mean().backward()
        optimizer.step()
    model.eval()
    model[3].train()
    return model, optimizer


def snapshot(model, optimizer):
    return copy.deepcopy(
        {
            "tensors": [t.detach() for t in itertools.chain(model.parameters(), model.buffers())],
            "gradients": [p.grad for p in model.parameters()],
            "modes": [module.training for module in model.modules()],
            "optimizer": optimizer.state_dict(),
            "torch": torch.get_rng_state(),
            "numpy": np.random.get_state()[1],  # noqa: NPY002 - that it is not touched
        }
    )


def equal(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    return bool(np.array_equal(a, b))


@pytest.mark.parametrize("lr_max", [1.0, 1e30], ids=["to the end", "to a NaN"])
def test_range_test_restores_everything(lr_max):
    model, optimizer = awkward()
    before = snapshot(model, optimizer)
    first = range_test.range_test(model, digits(), lr_max=lr_max, steps=20, optimizer=optimizer)
    assert equal(before, snapshot(model, optimizer))
    again = range_test.range_test(model, digits(), lr_max=lr_max, steps=20, optimizer=optimizer)
    np.testing.assert_array_equal(first.loss, again.loss)
    assert (first.stopped == range_test.END) == (lr_max == 1.0)


def test_frozen_modules_stay_frozen_and_a_model_in_evaluation_mode_is_trained():
    seen = []
    for root, inner in ((True, False), (True, True), (False, False)):
        model, _ = awkward()
        model.train(root)
        model[1].train(inner)
        model[1].register_forward_hook(lambda module, *_: seen.append(module.training))
        range_test.range_test(model, digits(), steps=2)
        assert [m.training for m in model.modules()] == [root, root, inner, root, root, root]
    assert seen == [False] * 3 + [True] * 6


def test_range_test_restores_everything_when_it_is_interrupted(monkeypatch):
    model, optimizer = awkward()
    before = snapshot(model, optimizer)

    def stop(rates, advance, *rest):
        advance(0.1)
        raise KeyboardInterrupt

    monkeypatch.setattr(range_test, "ramp", stop)
    with pytest.raises(KeyboardInterrupt):
        range_test.range_test(model, digits(), optimizer=optimizer)
    assert equal(before, snapshot(model, optimizer))


def test_gradients_of_the_caller_are_not_added_to():
    """Also not those of a layer that the optimizer does not own, and so does not zero."""
    model = mlp((64, 16, 10), seed=0)
    for p in model.parameters():
        p.grad = torch.full_like(p, 100.0)
    range_test.range_test(
        model, digits(), steps=5, optimizer=torch.optim.SGD(model[2].parameters(), lr=1)
    )
    assert all((p.grad == 100).all() for p in model.parameters())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"rates": 0.1}, ValueError, "rates must have 1 dimension"),
        ({"rates": [0.1, 0.0]}, ValueError, r"rates must be greater than 0, got \[0.1, 0.0\]"),
        ({"advance": 0.1}, TypeError, "advance must be a function of the rate, got 0.1"),
        ({"advance": lambda lr: None}, TypeError, "advance must return the loss .*got None"),
        ({"start": "high"}, TypeError, "start must be a number, got 'high'"),
        ({"smoothing": 1.0}, ValueError, r"smoothing must be in \[0, 1\), got 1.0"),
        ({"blow_up": 1}, ValueError, "blow_up must be greater than 1, got 1"),
    ],
)
def test_ramp_refuses(change, error, message):
    arguments = {"rates": [0.1, 0.2], "advance": lambda lr: pytest.fail("began"), "start": 1.0}
    with pytest.raises(error, match=message):
        range_test.ramp(**(arguments | change))


def test_a_ramp_may_start_at_a_loss_that_is_not_finite():
    assert (
        range_test.ramp([0.1, 0.2], lambda lr: math.nan, math.nan).stopped == range_test.NOT_FINITE
    )


OTHERS = torch.optim.SGD(mlp((64, 10), seed=0).parameters(), lr=0.1)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"model": "net"}, TypeError, "model must be a torch.nn.Module, got 'net'"),
        ({"model": nn.ReLU()}, ValueError, "model must have at least one trainable"),
        ({"data": [1]}, TypeError, r"data must be a Data .*got \[1\]"),
        ({"lr_min": 0.0}, ValueError, "lr_min must be greater than 0"),
        ({"lr_max": 1e-6}, ValueError, "lr_max must be greater than lr_min = 1e-05, got 1e-06"),
        ({"steps": 1}, ValueError, "steps must be 2 or greater"),
        ({"optimizer": "sdg"}, ValueError, "optimizer must be one of 'sgd'.*got 'sdg'"),
        ({"optimizer": lambda p: None}, TypeError, "optimizer must return a .*Optimizer, got None"),
        (
            {"optimizer": torch.optim.LBFGS},
            ValueError,
            "step from one gradient, got LBFGS",
        ),
        ({"batch_size": 2000}, ValueError, "batch_size must be at most 1000"),
        ({"loss": "l1"}, ValueError, "loss must be one of"),
        ({"smoothing": 1.0}, ValueError, r"smoothing must be in \[0, 1\), got 1.0"),
        ({"blow_up": 1.0}, ValueError, "blow_up must be greater than 1, got 1.0"),
        ({"seed": -1}, ValueError, "seed must be 0 or greater"),
        ({"seed": 2**64}, ValueError, "seed must be less than"),
        ({"optimizer": OTHERS}, ValueError, "optimizer must change the parameters that it is"),
    ],
)
def test_range_test_refuses(change, error, message):
    arguments = {"model": mlp((64, 10), seed=0), "data": digits()} | change
    with pytest.raises(error, match=message):
        range_test.range_test(**arguments)


def test_every_parameter_group_gets_the_rate():
    model, seen = mlp((64, 8, 10), seed=0), []

    class Spy(torch.optim.SGD):
        def step(self, closure=None):
            seen.append([group["lr"] for group in self.param_groups])
            return super().step(closure)

    groups = [{"params": model[0].parameters(), "lr": 7.0}, {"params": model[2].parameters()}]
    test = range_test.range_test(model, digits(), optimizer=Spy(groups, lr=1.0), steps=5)
    assert seen == [[lr, lr] for lr in test.lr]


def made(smoothed, lr=None, start=99.0):
    smoothed = np.array(smoothed, dtype=float)
    lr = np.geomspace(1e-5, 10, len(smoothed)) if lr is None else np.array(lr)
    return range_test.RangeTest(lr, smoothed, smoothed, start, range_test.BLEW_UP)


def test_rules_read_a_curve_with_known_answers():
    """A sigmoid in log10(lr) that falls around 1e-3, and a wall at 1."""
    x = np.linspace(-5, 1, 121)
    curve = 2 / (1 + np.exp(3 * (x + 3))) + np.exp(4 * (x - 0.5))
    test = made(curve, 10**x)
    assert range_test.steepest(test) == pytest.approx(1e-3, rel=0.15)
    lowest = x[curve.argmin()]
    assert range_test.minimum_over_ten(test) == pytest.approx(10 ** (lowest - 1))
    # The longest fall is the whole way from the left end to the minimum; its middle:
    assert math.log10(range_test.valley(test)) == pytest.approx((-5 + lowest) / 2, abs=0.11)


def test_valley_of_a_short_fall_is_not_the_last_row():
    """The longest fall, 4 to 3, is two rows long and ends in row 1: its formula gives -1."""
    test = made([4, 3, 5, 9, 20])
    assert range_test.valley(test) == test.lr[0]


def longest_fall(values):
    """Length and first possible end of the longest falling subsequence, by trying all of them."""
    best, end = 0, 0
    for size in range(len(values), 0, -1):
        for rows in itertools.combinations(range(len(values)), size):
            if all(values[a] > values[b] for a, b in zip(rows, rows[1:])):
                if size > best or rows[-1] < end:
                    best, end = size, rows[-1]
        if best:
            return best, end


@given(st.lists(st.integers(0, 9), min_size=2, max_size=9))
def test_valley_is_the_middle_of_the_longest_fall(values):
    test = made(values)
    if np.argmin(values) == 0:
        with pytest.raises(ValueError, match="loss that falls"):
            range_test.valley(test)
        return
    length, end = longest_fall(values)
    assert range_test.valley(test) == test.lr[max(0, end - length + length // 3 + length // 6)]


@given(
    st.lists(st.floats(0.1, 10), min_size=8, max_size=20).filter(lambda v: np.argmin(v) > 0),
    st.sampled_from([0.5, 2.0, 1024.0]),  # powers of two: exact
)
def test_rules_do_not_depend_on_units(values, factor):
    plain, scaled = made(values), made(np.array(values) * factor, start=99.0 * factor)
    for rule in range_test.RULES.values():
        assert rule(scaled) == rule(plain)
    shifted = made(values, plain.lr * factor)
    for rule in (
        range_test.minimum_over_ten,
        range_test.valley,
    ):  # equal slopes are equal up to rounding only
        assert rule(shifted) == pytest.approx(rule(plain) * factor)


@pytest.mark.parametrize("rule", range_test.RULES.values(), ids=range_test.RULES)
def test_the_lowest_point_of_noise_is_no_reading(rule):
    """A loss must fall by 3 % of its start; a start that is NaN has no percent."""
    falling = np.linspace(0.999, 0.97, 12)
    assert rule(made(100 * falling, start=100.0)) > 0
    for values, start in ((100 * falling + 0.01, 100.0), (falling, math.nan)):
        with pytest.raises(ValueError, match="falls by 3% of its start"):
            rule(made(values, start=start))


@pytest.mark.parametrize("rule", range_test.RULES.values(), ids=range_test.RULES)
def test_rules_ignore_the_end_and_refuse_nonsense(rule):
    values = [9, 8, 7, 6, 5, 4, 3, 2, 1.0]
    lr = np.geomspace(1e-5, 10, 10)
    assert rule(made([*values, math.nan], lr)) == rule(made(values, lr[:-1]))
    for smoothed in ([1, 2, 3, 4, 5, 6, 7, 8], [math.nan], [], [1.0], [math.nan] * 9):
        with pytest.raises(ValueError, match="test must contain a loss that falls"):
            rule(made(smoothed))
    with pytest.raises(TypeError, match="test must be a RangeTest, got 3"):
        rule(3)


def test_steepest_refuses_to_skip_everything():
    test = made(np.arange(9, 0, -1))
    with pytest.raises(ValueError, match="skip must leave two of the 9 rows, got 8"):
        range_test.steepest(test, skip=8)
