"""Averages of iterates against the libraries' own numbers, PyTorch, and what they promise."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.optim import swa_utils

from course_utils.averages import FIRST, exponential, polynomial, running, tail, uniform

GOLDEN = json.loads((Path(__file__).parent / "golden" / "averages.json").read_text())
WALK = np.arange(1.0, 7.0)
SAME = {
    "torch AveragedModel()": running(WALK, uniform),
    "torch get_ema_multi_avg_fn(0.9)": running(WALK, exponential(0.9)),
    "timm ModelEmaV3(decay=0.9)": running(WALK, exponential(0.9, "start"), start=0.0),
    "timm ModelEmaV3(decay=0.9, use_warmup=True)": running(WALK, exponential(0.9, "warm-up")),
    "optax ema(0.9, debias=True)": running(WALK, exponential(0.9, "corrected")),
    "optax ema(0.9, debias=False)": running(WALK, exponential(0.9, "start"), start=0.0),
    "LAWA, the last 3": tail(WALK, 3),
}


def test_equal_the_libraries_from_the_first_update_on():
    assert set(GOLDEN) == {"about", *SAME}
    for name, ours in SAME.items():
        np.testing.assert_allclose(ours, GOLDEN[name], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("options", "share"),
    [({}, uniform), ({"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(0.99)}, exponential(0.99))],
    ids=["running mean", "exponential"],
)
def test_equals_torch_over_a_random_path(options, share):
    path = np.random.default_rng(0).standard_normal((200, 3, 2))
    model = torch.nn.Linear(3, 2, bias=False, dtype=torch.float64)
    theirs = swa_utils.AveragedModel(model, **options)
    for ours, w in zip(running(path, share), path, strict=True):
        model.weight.data = torch.tensor(w.T)
        theirs.update_parameters(model)
        np.testing.assert_allclose(ours.T, theirs.module.weight.detach().numpy(), atol=1e-12)


@pytest.mark.parametrize("power", [0.0, 1.0, 3.0, 2.5])
def test_polynomial_weights_are_those_of_the_product_formula(power):
    """The share of w_i in the average of n: c_i times (1 - c_j) of all j after it; p = 1 is i."""
    shares = running(np.eye(9), polynomial(power))[-1]
    np.testing.assert_allclose(shares.sum(), 1, rtol=1e-12)
    i = np.arange(1, 10)
    if power in (0.0, 1.0, 3.0):  # i (i + 1) ... (i + p - 1), exactly
        exact = np.prod([i + k for k in range(int(power))], axis=0) * np.ones(9)
        np.testing.assert_allclose(shares, exact / exact.sum(), rtol=1e-12)
    assert power == 0.0 or (np.diff(shares) > 0).all()


@pytest.mark.parametrize("first", FIRST)
def test_exponential_shares_add_up_and_the_start_keeps_d_to_the_n(first):
    path = np.concatenate([np.zeros((1000, 1)), np.ones((0, 1))])
    left = running(path, exponential(0.999, first), start=1.0 * np.ones(1))[-1, 0]
    assert left == pytest.approx(0.999**1000 if first == "start" else 0.0, rel=1e-9)


def test_tail_is_the_mean_of_a_slice_and_survives_large_numbers():
    path = np.concatenate([[1e17], np.random.default_rng(0).standard_normal(50)])
    for n in (1, 5, 51):
        assert tail(path, 4)[n - 1] == path[:n][-4:].mean()
    assert tail([], 3).shape == (0,) and running([], uniform).shape == (0,)


def test_a_diverged_path_stays_diverged_without_a_warning():
    assert not np.isfinite(running([1.0, np.inf, 1.0], exponential(0.5))[1:]).any()


def test_averaging_is_worth_a_smaller_rate_on_a_noisy_parabola():
    """Stationary E w^2 at rate 0.1, h = sigma = 1: plain .0526, exponential .9 .0264, tail 10 .0383
    (closed forms: content of lesson 8), within 5 per cent over 4000 runs."""
    rng, w, path = np.random.default_rng(0), np.zeros(4000), []
    for _ in range(300):
        w = w - 0.1 * (w + rng.standard_normal(4000))
        path.append(w)
    ends = [w, running(path, exponential(0.9))[-1], tail(path[-10:], 10)[-1]]
    plain, d, a, K = 0.1 / 1.9, 0.9, 0.9, 10
    expected = [
        plain,
        plain * (1 - d) * (1 + a * d) / ((1 + d) * (1 - a * d)),
        plain / K**2 * (K + 2 * sum((K - j) * a**j for j in range(1, K))),
    ]
    np.testing.assert_allclose([np.mean(end**2) for end in ends], expected, rtol=0.06)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: exponential(1.0), r"decay must be in \[0, 1\)"),
        (lambda: exponential(0.9, "zero"), "first must be one of"),
        (lambda: polynomial(-1), "power must be 0 or greater"),
        (lambda: uniform(0), "n must be 1 or greater"),
        (lambda: running(1.0, uniform), "path must have shape"),
        (lambda: running(["a"], uniform), "path must be an array of numbers"),
        (lambda: running(WALK, 0.9), "share must be a function"),
        (lambda: running(WALK, exponential(0.9, "start")), "start must be given"),
        (lambda: running(WALK, uniform, start=[1.0]), "start must have shape"),
        (lambda: tail(WALK, 0), "last must be 1 or greater"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        call()
