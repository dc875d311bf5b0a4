"""The range test against closed forms; searches that are killed, torn, locked and raced."""

from __future__ import annotations

import copy
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState
from torch import nn

from course_utils.experiments import range_test, search
from course_utils.experiments.datasets import digits, synthetic_cifar100
from course_utils.experiments.models import mlp
from course_utils.experiments.sweep import sweep
from course_utils.experiments.training import train
from course_utils.schedules import exponential

ROOT = Path(__file__).parents[2]
FIVE = {"low": 0.01, "high": 1.0, "n": 5}


def parabola(lr: float) -> float:
    return math.log10(lr / 0.1) ** 2


# --- The range test -------------------------------------------------------------------------------


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
        (
            [20.0, 1.0],
            range_test.BLEW_UP,
            1,
        ),  # the first rate is too large: compared with the start
        ([], range_test.END, 0),
    ],
)
def test_ramp_stops(losses, stopped, rows):
    values = iter(losses)
    test = range_test.ramp([0.1] * len(losses), lambda lr: next(values), start=4.0, smoothing=0.0)
    assert test.stopped == stopped and len(test.loss) == len(test.smoothed) == len(test.lr) == rows


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
        ({"rates": "small"}, TypeError, "rates must be an array of numbers, got 'small'"),
        ({"rates": [0.1, math.nan]}, ValueError, "rates must contain finite numbers only"),
        ({"rates": [0.1, 0.0]}, ValueError, r"rates must be greater than 0, got \[0.1, 0.0\]"),
        ({"advance": 0.1}, TypeError, "advance must be a function of the rate, got 0.1"),
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


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"model": "net"}, TypeError, "model must be a torch.nn.Module, got 'net'"),
        ({"model": nn.ReLU()}, ValueError, "model must have at least one trainable"),
        ({"data": [1]}, TypeError, r"data must be a Data .*got \[1\]"),
        ({"lr_min": 0.0}, ValueError, "lr_min must be greater than 0"),
        ({"lr_max": 1e-6}, ValueError, "lr_max must be greater than lr_min = 1e-05, got 1e-06"),
        ({"lr_max": math.nan}, ValueError, "lr_max must be a finite number"),
        ({"steps": 1}, ValueError, "steps must be 2 or greater"),
        ({"optimizer": "sdg"}, ValueError, "optimizer must be one of 'sgd'.*got 'sdg'"),
        ({"batch_size": 2000}, ValueError, "batch_size must be at most 1000"),
        ({"loss": "l1"}, ValueError, "loss must be one of"),
        ({"smoothing": 1.0}, ValueError, r"smoothing must be in \[0, 1\), got 1.0"),
        ({"blow_up": 1.0}, ValueError, "blow_up must be greater than 1, got 1.0"),
        ({"seed": -1}, ValueError, "seed must be 0 or greater"),
    ],
)
def test_range_test_refuses(change, error, message):
    arguments = {"model": mlp((64, 10), seed=0), "data": digits()} | change
    with pytest.raises(error, match=message):
        range_test.range_test(**arguments)


def made(smoothed, lr=None):
    smoothed = np.array(smoothed, dtype=float)
    lr = np.geomspace(1e-5, 10, len(smoothed)) if lr is None else np.array(lr)
    return range_test.RangeTest(lr, smoothed, smoothed, 99.0, range_test.BLEW_UP)


def test_rules_read_a_curve_with_known_answers():
    """A sigmoid in log10(lr) that falls around 1e-3, and a wall at 1."""
    x = np.linspace(-5, 1, 121)
    curve = 2 / (1 + np.exp(3 * (x + 3))) + np.exp(4 * (x - 0.5))
    test = made(curve, 10**x)
    assert range_test.steepest(test) == pytest.approx(1e-3, rel=0.15)
    lowest = x[curve.argmin()]
    assert range_test.minimum_over_ten(test) == pytest.approx(10 ** (lowest - 1))
    assert range_test.minimum_over_ten(test, divisor=3) == pytest.approx(10**lowest / 3)
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
    plain, scaled = made(values), made(np.array(values) * factor)
    for rule in range_test.RULES.values():
        assert rule(scaled) == rule(plain)
    shifted = made(values, plain.lr * factor)
    for rule in (
        range_test.minimum_over_ten,
        range_test.valley,
    ):  # equal slopes are equal up to rounding only
        assert rule(shifted) == pytest.approx(rule(plain) * factor)


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


def test_rules_refuse_their_own_bad_arguments():
    test = made(np.arange(9, 0, -1))
    for divisor in (0, -1, math.inf):
        with pytest.raises(ValueError, match="divisor must be"):
            range_test.minimum_over_ten(test, divisor)
    with pytest.raises(ValueError, match="skip must leave two of the 9 rows, got 8"):
        range_test.steepest(test, skip=8)


# --- Searches in one process ----------------------------------------------------------------------


@pytest.fixture(params=["journal", "sqlite"])
def storage(request, tmp_path):
    path = tmp_path / "search"
    return f"sqlite:///{path}.db" if request.param == "sqlite" else str(path.with_suffix(".log"))


def rates_of(result):
    return [point.values[0] for point in result.points]


def test_grid_has_both_ends_and_every_point_once(storage):
    calls = []
    study = search.study("grid", storage, low=0.01, high=1, n=5)
    found = search.search(lambda lr: calls.append(lr) or parabola(lr), study)
    np.testing.assert_allclose(rates_of(found), np.geomspace(0.01, 1, 5))
    assert sorted(calls) == rates_of(found) and calls != sorted(calls)
    assert found.complete and found.edge is None
    assert found.best.values[0] == pytest.approx(0.1) and found.best.attempts == 1
    assert found.best.worker.endswith(f":{os.getpid()}")
    search.search(
        lambda lr: calls.append(lr), search.join("grid", storage)
    )  # again: nothing is left to do
    assert len(calls) == 5


def test_grid_of_two_axes_is_a_product():
    study = search.study("two", ":memory:", n=9, more={"l2": (1e-4, 1e-2)})
    found = search.search(lambda lr, l2: lr + l2, study)
    axes = [np.geomspace(1e-4, 10, 3), np.geomspace(1e-4, 1e-2, 3)]
    np.testing.assert_allclose(sorted(p.values for p in found.points), [*itertools.product(*axes)])
    assert found.edges == {"lr": "low", "l2": "low"}
    assert "the best l2 is on the low edge: extend the range" in str(found)


def test_axis_that_does_not_matter_has_no_edge():
    study = search.study("idle", ":memory:", n=9, more={"idle": (1e-4, 1e-2)})
    assert search.search(lambda lr, idle: -lr, study).edges == {"lr": "high", "idle": None}


def test_random_points_are_log_uniform_and_repeat():
    draws = [
        rates_of(
            search.result(search.study(f"r{seed}", ":memory:", sampler="random", n=300, seed=seed))
        )
        for seed in (0, 0, 1)
    ]
    assert draws[0] == draws[1] != draws[2]
    position = (np.log10(draws[0]) + 4) / 5  # sorted; uniform on [0, 1] by the claim
    gap = np.abs(position - (np.arange(300) + 0.5) / 300).max()
    assert min(draws[0]) >= 1e-4 and max(draws[0]) <= 10
    assert gap < 1.63 / np.sqrt(300)  # Kolmogorov and Smirnov, 1 %


def test_tpe_goes_where_it_is_good_and_a_resumed_search_is_equal(tmp_path):
    settings = {"sampler": "tpe", "low": 1e-5, "high": 10.0, "n": 20, "seed": 4}
    whole = search.search(parabola, search.study("tpe", tmp_path / "a", **settings))
    search.search(parabola, search.study("tpe", tmp_path / "b", **settings), n_trials=8)
    parts = search.search(parabola, search.study("tpe", tmp_path / "b", **settings))
    assert rates_of(parts) == rates_of(whole)
    near = [0.01 < rate < 1 for rate in rates_of(whole)]
    assert sum(near) >= 10  # of 20; 2 of the 6 decades, so random would have 6 or 7


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("direction", search.DIRECTIONS)
def test_infeasible_trials_are_kept_and_never_win(tmp_path, bad, direction):
    study = search.study("bad", tmp_path / "log", direction=direction, **FIVE)
    found = search.search(lambda lr: bad if lr > 0.5 else 1.0 - abs(math.log10(lr / 0.1)), study)
    assert [p.state for p in found.points] == ["done"] * 4 + ["infeasible"]
    assert math.isinf(found.points[-1].value) and found.complete
    best = 0.1 if direction == "maximize" else 0.01
    assert found.best.values[0] == pytest.approx(best)
    assert found.edge == (None if direction == "maximize" else "low")
    assert "1 infeasible" in str(found)
    assert ("low edge" in str(found)) == (direction == "minimize")


def test_result_of_a_search_that_has_not_begun():
    found = search.result(search.study("new", ":memory:", sampler="tpe", n=9))
    assert not found.complete and [p.state for p in found.points] == ["waiting"] * 9
    assert [len(p.values) for p in found.points] == [1] * 3 + [0] * 6  # TPE chooses the others
    with pytest.raises(ValueError, match="no trial of study 'new' has a finite value yet"):
        _ = found.best
    assert "0 of 9" in str(found) and "0 of 9" in found._repr_markdown_()


def test_markdown_table():
    found = search.search(parabola, search.study("table", ":memory:", **FIVE))
    lines = found._repr_markdown_().splitlines()
    assert lines[0] == "table: 5 of 5 trials ended"
    assert lines[2:4] == ["| lr | value | state |", "|---:|---:|---|"]
    assert lines[6] == "| 0.1 | 0 | done, best |" and len(lines) == 9


@pytest.mark.parametrize("error", [RuntimeError("no memory"), KeyboardInterrupt(), ValueError("x")])
def test_error_of_the_objective_is_raised_and_its_trial_run_again(tmp_path, error):
    calls, storage = [], tmp_path / "log"

    def objective(lr):
        calls.append(lr)
        if len(calls) == 2:
            raise error
        return lr

    study = search.study("error", storage, **FIVE)
    with pytest.raises(type(error)):
        search.search(objective, study)
    found = search.search(objective, search.join("error", storage))
    assert found.complete and len(calls) == 6
    assert calls.count(calls[1]) == 2 and sorted(set(calls)) == rates_of(found)


def test_n_trials_and_timeout_end_a_search():
    study = search.study("short", ":memory:", **FIVE)
    assert search.search(parabola, study, timeout=0.0).points[0].state == "waiting"
    found = search.search(parabola, study, n_trials=2)
    assert sum(p.state == "done" for p in found.points) == 2 and not found.complete


def test_search_does_not_wait_for_others_longer_than_the_timeout(tmp_path):
    study = search.study("others", tmp_path / "log", **FIVE)
    theirs = search._trials(study, TrialState.WAITING)[0]  # somebody else runs this one, and lives
    study._storage.set_trial_state_values(theirs._trial_id, TrialState.RUNNING)
    start = time.monotonic()
    found = search.search(parabola, study, timeout=0.5)
    assert time.monotonic() - start < 10
    assert sorted(p.state for p in found.points) == ["done"] * 4 + ["running"]


# --- Accidents ------------------------------------------------------------------------------------


def test_torn_last_line_is_cut_off(tmp_path):
    path = tmp_path / "torn"
    search.search(parabola, search.study("torn", path, **FIVE), n_trials=2)
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines()[-1][:20])  # a writer died in the middle of a line
    found = search.search(parabola, search.study("torn", path, **FIVE))
    assert found.complete and [p.attempts for p in found.points] == [1] * 5
    assert path.read_bytes().startswith(whole)
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_lock_of_a_dead_process_is_broken(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "_LOCK_GRACE", 3)
    path = tmp_path / "locked"
    search.search(parabola, search.study("locked", path, **FIVE), n_trials=2)
    Path(f"{path}.lock").touch()
    start = time.monotonic()
    assert search.search(parabola, search.join("locked", path)).complete
    assert 2 < time.monotonic() - start < 30


def test_other_files_are_not_touched(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("my notes, without a newline")
    with pytest.raises(ValueError, match="storage must be a new file or a journal"):
        search.study("x", path)
    assert path.read_text() == "my notes, without a newline"


def test_result_that_comes_after_the_trial_was_taken_over_is_dropped(storage):
    """A laptop sleeps during a trial; another process fails it and queues it again."""
    study = search.study("late", storage, **FIVE)
    calls = []

    def objective(lr):
        calls.append(lr)
        if len(calls) == 2:
            running = search._trials(study, TrialState.RUNNING)[0]
            study.tell(running.number, state=TrialState.FAIL)
            search._retry(study, running)
        return parabola(lr) if len(calls) != 2 else -100.0

    found = search.search(objective, study)
    assert found.complete and len(calls) == 6 and found.best.value >= 0
    taken = [p for p in found.points if p.attempts == 2]
    assert [p.values[0] for p in taken] == [calls[1]]


def test_process_that_dies_before_its_first_heartbeat_is_noticed(storage):
    study = search.study("unborn", storage, heartbeat=1, grace=2, **FIVE)
    waiting = search._trials(study, TrialState.WAITING)[0]
    study._storage.set_trial_state_values(waiting._trial_id, TrialState.RUNNING)  # ... and dies
    found = search.search(parabola, search.join("unborn", storage), timeout=60)
    assert [p.state for p in found.points] == ["done"] * 5
    assert sorted(p.attempts for p in found.points) == [1, 1, 1, 1, 2]


def test_trial_that_kills_its_process_every_time_is_given_up():
    study = search.study("poison", ":memory:", **FIVE)
    for _ in range(1 + search._RETRIES):
        waiting = [
            t for t in search._trials(study, TrialState.WAITING) if t.user_attrs["slot"] == 0
        ][0]
        study._storage.set_trial_state_values(waiting._trial_id, TrialState.RUNNING)
        study._storage.set_trial_state_values(waiting._trial_id, TrialState.FAIL)
        search._retry(study, waiting)
    found = search.search(parabola, study)
    assert found.complete and sorted(p.state for p in found.points) == ["done"] * 4 + ["given up"]
    assert [p.attempts for p in found.points if p.state == "given up"] == [4]


def test_trials_written_down_twice_run_once(monkeypatch):
    """Two processes saw the same trials missing."""
    study = search.study("twice", ":memory:", **FIVE)
    with monkeypatch.context() as patch:
        patch.setattr(search, "_missing", lambda study: [0, 1, 2, 3, 4])
        search._fill(study)
    calls = []
    found = search.search(lambda lr: calls.append(lr) or lr, study)
    assert sorted(calls) == rates_of(found) and found.complete
    assert [p.attempts for p in found.points] == [1] * 5


def test_process_that_comes_too_late_for_the_last_trial_adds_nothing():
    study = search.study("late", ":memory:", **FIVE)
    before = search.search(parabola, study)
    assert search._run_one(parabola, study, search._plan_of(study)) == 0
    assert search.result(study) == before


def test_maker_that_died_halfway_is_replaced(tmp_path, monkeypatch):
    path = tmp_path / "half"
    with monkeypatch.context() as patch:
        patch.setattr(
            search, "_fill", lambda study: study.enqueue_trial({}, user_attrs={"slot": 3})
        )
        search.study("half", path, sampler="tpe", **FIVE)  # died after its first trial
    assert [p.state for p in search.result(search.join("half", path)).points] == ["waiting"] * 5
    assert search.search(parabola, search.join("half", path)).complete
    optuna.create_study(study_name="empty", storage=search._open(path))  # died before the plan
    monkeypatch.setattr(search, "_PATIENCE", 0.1)
    assert search.search(parabola, search.study("empty", path, **FIVE)).complete


# --- Many processes -------------------------------------------------------------------------------

TASK = """
import os, time
def note(*words):
    with open(os.environ["NOTES"], "a") as stream:
        stream.write(" ".join(map(str, (os.getpid(), *words))) + "\\n")
def objective(lr):
    note("start", repr(lr))
    time.sleep(600 if "HANG" in os.environ else 0.05)
    note("end", repr(lr))
    return abs(lr - 0.1)
"""


def test_three_processes_and_one_is_killed_in_the_middle_of_a_trial(storage, tmp_path):
    (tmp_path / "slow_task.py").write_text(TASK)
    notes = tmp_path / "notes"
    notes.touch()
    # A live worker must not be taken for dead because other jobs have the processor.
    study = search.study("shared", storage, low=1e-3, high=10, n=12, heartbeat=1, grace=15)
    command = [
        sys.executable, "-m", "course_utils.experiments.search", "worker", "--study", "shared",
        "--storage", storage, "--task", "slow_task:objective", "--timeout", "120",
    ]  # fmt: skip
    environment = os.environ | {
        "NOTES": str(notes), "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}", "OMP_NUM_THREADS": "1",
    }  # fmt: skip

    def start(**more):
        return subprocess.Popen(
            command, env=environment | more, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    workers = [start(HANG="1"), start()]
    if "sqlite" not in storage:  # where two processes do, three would only take more time
        workers.append(start())
    victim = workers[0]
    try:
        deadline = time.monotonic() + 90
        while str(victim.pid) not in notes.read_text() and time.monotonic() < deadline:
            assert victim.poll() is None, victim.communicate()
            time.sleep(0.05)
        os.kill(victim.pid, signal.SIGKILL)
        outputs = [worker.communicate(timeout=120) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait(timeout=30)

    lines = [line.split() for line in notes.read_text().splitlines()]
    started = [(int(pid), float(lr)) for pid, what, lr in lines if what == "start"]
    ended = [float(lr) for _, what, lr in lines if what == "end"]
    assert [worker.returncode for worker in workers] == [-signal.SIGKILL, 0, 0][: len(workers)], (
        outputs
    )
    found = search.result(study)
    assert found.complete and [p.state for p in found.points] == ["done"] * 12
    assert sorted(ended) == rates_of(found)  # every trial ended exactly once ...
    killed = [lr for pid, lr in started if pid == victim.pid]
    assert len(killed) == 1 and [lr for _, lr in started].count(killed[0]) == 2  # ... also this one
    assert sorted(p.attempts for p in found.points) == [1] * 11 + [2]
    for printed, complained in outputs[1:]:
        assert printed == f"{found}\n" and "12 of 12 trials ended" in printed
        assert complained == ""


def test_a_trial_that_is_queued_again_between_two_looks_is_not_forgotten(monkeypatch):
    study = search.study("race", ":memory:", low=0.1, high=10, n=2)
    search.search(lambda lr: lr, study, n_trials=1)
    lost, real, looks = study.ask(), search._missing, []  # another process has the only trial ...

    def missing(one):
        found = real(one)
        looks.append(found)
        if len(looks) == 1:  # ... and dies while this one looks
            study.tell(lost, state=search.TrialState.FAIL)
            search._retry(study, study.trials[0])
        return found

    monkeypatch.setattr(search, "_missing", missing)
    found = search.search(lambda lr: lr, study, timeout=30)
    assert looks[0] == []
    assert found.complete and sorted(p.attempts for p in found.points) == [1, 2]


# --- Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"name": ""}, ValueError, "name must be a text that is not empty, got ''"),
        ({"name": 3}, ValueError, "name must be a text .*got 3"),
        ({"storage": 3}, TypeError, "storage must be a file, a database URL or .*got 3"),
        ({"storage": "no/such/folder/x"}, ValueError, "storage must be a file in an existing"),
        ({"sampler": "gird"}, ValueError, "sampler must be one of 'grid'.*got 'gird'"),
        ({"direction": "up"}, ValueError, "direction must be one of 'minimize'.*got 'up'"),
        ({"low": 0}, ValueError, "low must be greater than 0"),
        ({"high": 1e-5}, ValueError, "high must be greater than low = 0.0001, got 1e-05"),
        ({"n": 1}, ValueError, "n must be 2 or greater"),
        ({"n": 8, "more": {"l2": (1, 2)}}, ValueError, r"n must be a power k\^2 .*got 8"),
        ({"more": {"lr": (1, 2)}}, ValueError, "more must name axes other than 'lr'"),
        ({"more": {"l2": 1}}, TypeError, r"more\['l2'\] must be a pair \(low, high\), got 1"),
        ({"more": {"l2": (1, 1)}}, ValueError, r"more\['l2'\]\[1\] must be greater than"),
        ({"seed": -1}, ValueError, "seed must be 0 or greater"),
        ({"heartbeat": 0}, ValueError, "heartbeat must be 1 or greater"),
        ({"grace": 10}, ValueError, "grace must be greater than heartbeat = 10, got 10"),
    ],
)
def test_study_refuses(change, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        search.study(**({"name": "x", "storage": None} | change))
    assert not list(tmp_path.iterdir())


def test_default_storage_is_a_file_beside_the_notebook(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    search.study("beside", n=2)
    assert [path.name for path in tmp_path.iterdir()] == ["beside.journal"]


def test_study_of_the_same_name_must_be_the_same(tmp_path):
    storage = tmp_path / "log"
    search.study("same", storage, n=5)
    assert len(search.study("same", storage, n=5).trials) == 5
    with pytest.raises(ValueError, match="'same' exists with {'n': 5}, got {'n': 6}"):
        search.study("same", storage, n=6)


def test_strangers_are_refused(tmp_path, monkeypatch):
    storage = tmp_path / "log"
    monkeypatch.setattr(search, "_PATIENCE", 0.01)
    optuna.create_study(study_name="stranger", storage=search._open(storage))
    for name in ("stranger", "nobody"):
        with pytest.raises(ValueError, match=f"has no study '{name}' made by search.study"):
            search.join(name, storage)
    for function in (lambda x: search.search(parabola, x), search.result):
        for study in (optuna.create_study(), None):
            with pytest.raises(ValueError, match="study must come from search.study"):
                function(study)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"objective": 3}, TypeError, "objective must be a function of the learning rate, got 3"),
        ({"n_trials": -1}, ValueError, "n_trials must be 0 or greater"),
        ({"timeout": -1}, ValueError, "timeout must be 0 or greater"),
    ],
)
def test_search_refuses(change, error, message):
    arguments = {"objective": parabola, "study": search.study("x", ":memory:", n=2)} | change
    with pytest.raises(error, match=message):
        search.search(**arguments)


def test_command_line(tmp_path, capsys):
    path = str(tmp_path / "log")
    search.study("line", path, n=2)
    where = ["--study", "line", "--storage", path]
    assert search.main(["show", *where]) == 0
    assert "0 of 2 trials ended" in capsys.readouterr().out
    assert search.main(["worker", *where, "--task", "math:sqrt", "--trials", "1"]) == 0
    assert "1 of 2 trials ended" in capsys.readouterr().out
    bad = [
        (["worker", *where, "--task", "gone"], "task must be one of 'digits'"),
        (["worker", *where, "--task", "math:gone"], "got 'math:gone'"),
        (["worker", *where, "--task", "no_module_of_this_name:f"], "can be imported"),
        (["show", "--study", "gone", "--storage", path], "has no study 'gone'"),
        (["show", "--study", "line", "--storage", str(tmp_path)], "storage must be a file"),
    ]
    for arguments, message in bad:
        with pytest.raises(SystemExit, match="2"):
            search.main(arguments)
        assert message in capsys.readouterr().err


def test_no_password_in_messages(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "_open", lambda storage: optuna.storages.InMemoryStorage())
    with pytest.raises(ValueError) as caught:
        search.join("x", "postgresql://me:secret@host/db")
    assert "secret" not in str(caught.value) and "//***@host/db" in str(caught.value)
