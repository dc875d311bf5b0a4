"""The schedules equal `torch.optim.lr_scheduler`'s where both mean the same, and run in PyTorch."""

import inspect
import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from course_utils.schedules import (
    ReduceOnPlateau,
    constant,
    cosine,
    cosine_restarts,
    custom,
    exponential,
    inverse_time,
    join,
    natural_exponential,
    noisy_linear_cosine,
    one_cycle,
    piecewise_constant,
    polynomial,
    step_decay,
    to_torch,
    triangular,
    warmup_stable_decay,
    with_warmup,
)


def new_optimizer(lr=0.1, momentum=0.0):
    weight = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    return torch.optim.SGD([weight], lr=lr, momentum=momentum)


def drive(optimizer, scheduler, steps):
    """Return the rates that a user's loop really uses: the parameter moves by -lr * 1."""
    used = []
    for _ in range(steps):
        weight = optimizer.param_groups[0]["params"][0]
        weight.grad = torch.ones_like(weight)
        used.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return np.array(used)


# --------------------------------------------------------------------------------------------
# Equality with PyTorch's schedulers
# --------------------------------------------------------------------------------------------

S = lr_scheduler
LR = 0.1
PAIRS = {
    "LambdaLR": (custom(lambda t: LR * 0.95**t), lambda o: S.LambdaLR(o, lambda t: 0.95**t)),
    "LambdaLR inverse time": (
        inverse_time(LR, 1, 0.5),
        lambda o: S.LambdaLR(o, lambda t: 1 / (1 + 0.5 * t)),
    ),
    "MultiplicativeLR": (exponential(LR, 1, 0.9), lambda o: S.MultiplicativeLR(o, lambda t: 0.9)),
    "StepLR": (step_decay(LR, 10, 0.5), lambda o: S.StepLR(o, 10, gamma=0.5)),
    "StepLR staircase": (exponential(LR, 7, 0.3, True), lambda o: S.StepLR(o, 7, gamma=0.3)),
    "MultiStepLR": (  # PyTorch changes at the milestone, piecewise_constant after the boundary
        piecewise_constant([29, 79], [LR, LR * 0.1, LR * 0.01]),
        lambda o: S.MultiStepLR(o, [30, 80], gamma=0.1),
    ),
    "MultiStepLR join": (join([LR, LR / 10], [30]), lambda o: S.MultiStepLR(o, [30])),
    "ConstantLR": (join([LR / 3, LR], [5]), lambda o: S.ConstantLR(o)),
    "LinearLR": (with_warmup(LR, 5, start_factor=1 / 3), lambda o: S.LinearLR(o)),
    "LinearLR down": (polynomial(LR, 40, 0.02), lambda o: S.LinearLR(o, 1.0, 0.2, 40)),
    "ExponentialLR": (exponential(LR, 100, 0.5), lambda o: S.ExponentialLR(o, 0.5 ** (1 / 100))),
    "ExponentialLR natural": (
        natural_exponential(LR, 20, 0.4),
        lambda o: S.ExponentialLR(o, float(np.exp(-0.4 / 20))),
    ),
    "PolynomialLR": (polynomial(LR, 50, 0.0, 2.0), lambda o: S.PolynomialLR(o, 50, power=2.0)),
    "CosineAnnealingWarmRestarts": (
        cosine_restarts(LR, 10, 2.0, alpha=0.05),
        lambda o: S.CosineAnnealingWarmRestarts(o, 10, T_mult=2, eta_min=0.05 * LR),
    ),
    "CosineAnnealingWarmRestarts defaults": (
        cosine_restarts(LR, 13, t_mul=1.0),
        lambda o: S.CosineAnnealingWarmRestarts(o, 13),
    ),
    "SequentialLR": (
        with_warmup(exponential(LR, 1, 0.97), 20, start_factor=0.1),
        lambda o: S.SequentialLR(
            o, [S.LinearLR(o, 0.1, total_iters=20), S.ExponentialLR(o, 0.97)], milestones=[20]
        ),
    ),
    "CyclicLR": (
        triangular(0.01, 0.2, 17),
        lambda o: S.CyclicLR(o, 0.01, 0.2, step_size_up=17, cycle_momentum=False),
    ),
}
# Classes with no counterpart above, and why.
NO_PAIR = {
    "LRScheduler": "the base class",
    "LambdaLR": "",
    "CosineAnnealingLR": "climbs again after T_max: compared up to there, below",
    "OneCycleLR": "ends with an error: compared up to there, below",
    "ReduceLROnPlateau": "watches a metric: below",
    "ChainedScheduler": "multiplies the factors of several schedulers",
}


@pytest.mark.parametrize("name", PAIRS)
def test_equals_pytorch(name):
    schedule, make = PAIRS[name]
    optimizer = new_optimizer()
    used = drive(optimizer, make(optimizer), 250)
    assert np.abs(schedule.rates(250) - used).max() <= 1e-12


def test_every_pytorch_scheduler_is_compared_or_has_a_reason():
    public = {
        name
        for name, cls in vars(lr_scheduler).items()
        if inspect.isclass(cls) and issubclass(cls, S.LRScheduler) and not name.startswith("_")
    }
    assert public == {name.split()[0] for name in PAIRS} | set(NO_PAIR)


@pytest.mark.parametrize("steps", [1, 2, 33, 100])
@pytest.mark.parametrize("alpha", [0.0, 0.1, 1.0])
def test_cosine_equals_pytorch_up_to_T_max_and_not_after(steps, alpha):
    optimizer = new_optimizer()
    torch_schedule = S.CosineAnnealingLR(optimizer, T_max=steps, eta_min=alpha * LR)
    used, ours = drive(optimizer, torch_schedule, 2 * steps + 1), cosine(LR, steps, alpha)
    assert np.abs(ours.rates(steps + 1) - used[: steps + 1]).max() <= 1e-12
    assert used[2 * steps] == pytest.approx(LR), "PyTorch climbs back to where it started"
    assert ours(2 * steps) == pytest.approx(alpha * LR, abs=1e-17)


@pytest.mark.parametrize("anneal", ["cos", "linear"])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("total", [11, 57, 200])  # at 10 * 0.1 PyTorch divides by zero
def test_one_cycle_equals_pytorch(total, share, anneal):
    optimizer = new_optimizer(momentum=0.9)
    make = S.OneCycleLR(
        optimizer, 0.3, total_steps=total, pct_start=share, anneal_strategy=anneal, div_factor=10
    )
    used = [make.get_last_lr()[0]]
    for _ in range(total - 1):
        optimizer.step()
        make.step()
        used.append(make.get_last_lr()[0])
    ours = one_cycle(0.3, total, share, div_factor=10, anneal=anneal)
    assert np.abs(ours.rates(total) - used).max() <= 1e-12
    if share < 1:
        make.step()  # PyTorch extrapolates one step past the end, and then refuses
        with pytest.raises(ValueError, match="Tried to step"):
            make.step()
    assert ours(total) == ours(total - 1) == ours(10 * total)


# --------------------------------------------------------------------------------------------
# to_torch
# --------------------------------------------------------------------------------------------

DRIVEN = [
    constant(0.3),
    cosine(0.1, 20),
    noisy_linear_cosine(0.1, 30, seed=3),
    piecewise_constant([3, 7], [0.3, 0.1, 0.0]),
    with_warmup(cosine_restarts(0.7, 5), 4),
    warmup_stable_decay(1 / 3, 3, 10, 7),
]


@pytest.mark.parametrize("schedule", DRIVEN, ids=lambda s: s.name)
def test_rate_used_at_update_t_is_exactly_schedule_t(schedule):
    optimizer = new_optimizer(lr=123.0)
    weight = optimizer.param_groups[0]["params"][0]
    scheduler = to_torch(schedule, optimizer)
    used = drive(optimizer, scheduler, 40)
    assert used.tolist() == schedule.rates(40).tolist()
    assert float(weight.detach()) == pytest.approx(-schedule.area(40), rel=1e-13)
    assert scheduler.get_last_lr() == [schedule(40)]


def two_groups(first=0.5, second=0.5):
    a, b = (torch.zeros(1, requires_grad=True) for _ in range(2))
    return torch.optim.AdamW([{"params": [a], "lr": first}, {"params": [b], "lr": second}])


@pytest.mark.parametrize("factors", [None, [1.0, 1.0], [1, 0.1], (0.0, 3.0)])
def test_each_parameter_group_gets_its_factor_of_the_rate(factors):
    optimizer = two_groups() if factors is None else two_groups(7.0, 0.5)
    scheduler = to_torch(cosine(0.1, 10), optimizer, factors)
    for t in range(12):
        rate, used = cosine(0.1, 10)(t), [group["lr"] for group in optimizer.param_groups]
        assert used == [factor * rate for factor in factors or (1.0, 1.0)]
        optimizer.step()
        scheduler.step()


def test_groups_of_different_rates_need_factors():
    optimizer = two_groups(7.0, 0.5)
    with pytest.raises(ValueError, match=r"^factors must be given .* rates \[7.0, 0.5\]"):
        to_torch(cosine(0.1, 10), optimizer)
    assert [group["lr"] for group in optimizer.param_groups] == [7.0, 0.5], "nothing was changed"


def test_a_group_added_later_is_told_what_to_do_and_that_works():
    optimizer, schedule = new_optimizer(), polynomial(1.0, 4, end_lr=0.0)
    scheduler = to_torch(schedule, optimizer)
    drive(optimizer, scheduler, 2)
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.5})
    with pytest.raises(ValueError, match=r"2 parameter groups, and had 1 .* step=3\)"):
        scheduler.step()
    scheduler = to_torch(schedule, optimizer, factors=[1.0, 0.1], step=3)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.1 * 0.25]
    assert drive(optimizer, scheduler, 2).tolist() == [0.25, 0.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer": "SGD"}, "optimizer must be an Optimizer of torch.optim"),
        ({"factors": [1.0, 0.1]}, "factors must be 1, one per parameter group"),
        ({"factors": [-1.0]}, r"factors\[0\] must be 0 or greater"),
        ({"factors": 0.1}, "factors must be a list"),
        ({"step": -1}, "step must be 0 or greater"),
    ],
)
def test_to_torch_refuses(change, message):
    optimizer = new_optimizer(lr=0.5)
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        to_torch(**{"schedule": 0.1, "optimizer": optimizer, **change})
    assert optimizer.param_groups[0]["lr"] == 0.5, "nothing was changed before the check"


@pytest.mark.parametrize("schedule", DRIVEN, ids=lambda s: s.name)
def test_resumes_from_state_dict(schedule):
    optimizer = new_optimizer()
    scheduler = to_torch(schedule, optimizer)
    first = drive(optimizer, scheduler, 13)
    file = io.BytesIO()
    torch.save({"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}, file)
    file.seek(0)
    state = torch.load(file, weights_only=True)

    optimizer = new_optimizer(lr=5.0)
    scheduler = to_torch(schedule, optimizer)
    scheduler.load_state_dict(state["scheduler"])
    optimizer.load_state_dict(state["optimizer"])
    rest = drive(optimizer, scheduler, 17)
    assert [*first, *rest] == schedule.rates(30).tolist()


def test_replaces_an_earlier_scheduler():
    optimizer = new_optimizer()
    drive(optimizer, to_torch(cosine(0.1, 5), optimizer), 5)
    used = drive(optimizer, to_torch(0.2, optimizer), 3)
    assert used.tolist() == [0.2] * 3


@pytest.mark.parametrize("wrong", [lambda t: 0.1, "cosine", None])
def test_to_torch_refuses_what_is_no_schedule(wrong):
    optimizer = new_optimizer(lr=0.5)
    with pytest.raises(TypeError, match="schedule must be"):
        to_torch(wrong, optimizer)
    assert optimizer.param_groups[0]["lr"] == 0.5, "nothing was changed before the check"


# --------------------------------------------------------------------------------------------
# ReduceOnPlateau
# --------------------------------------------------------------------------------------------

plateau_arguments = st.fixed_dictionaries(
    {
        "factor": st.sampled_from([0.1, 0.5, 0.9]),
        "patience": st.integers(0, 4),
        "mode": st.sampled_from(["min", "max"]),
        "threshold": st.sampled_from([0.0, 1e-4, 0.3]),
        "threshold_mode": st.sampled_from(["rel", "abs"]),
        "cooldown": st.integers(0, 3),
        "min_lr": st.sampled_from([0.0, 0.01, 0.05]),
        "eps": st.sampled_from([0.0, 1e-8, 0.02]),
    }
)
# Few distinct values, so that ties and plateaus are common; a diverged metric as well.
metrics = st.lists(
    st.one_of(
        st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 1.00005, 2.0]),
        st.floats(-10, 10),
        st.sampled_from([float("nan"), float("inf"), float("-inf")]),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(arguments=plateau_arguments, sequence=metrics)
def test_plateau_follows_pytorch_to_the_step(arguments, sequence):
    optimizer = new_optimizer()
    theirs, ours = S.ReduceLROnPlateau(optimizer, **arguments), ReduceOnPlateau(0.1, **arguments)
    for metric in sequence:
        theirs.step(metric)
        assert ours.update(metric) == ours.lr == optimizer.param_groups[0]["lr"]


def test_plateau_defaults_are_pytorchs():
    theirs = inspect.signature(S.ReduceLROnPlateau).parameters
    ours = inspect.signature(ReduceOnPlateau).parameters
    assert {k: p.default for k, p in ours.items() if k != "lr"} == {
        k: p.default for k, p in theirs.items() if k != "optimizer"
    }


def test_plateau_first_cut_after_patience_plus_one_bad_epochs():
    plateau = ReduceOnPlateau(1.0, patience=2)
    assert [plateau.update(1.0) for _ in range(5)] == [1.0, 1.0, 1.0, 0.1, 0.1]


def test_plateau_reset_forgets():
    plateau = ReduceOnPlateau(1.0, factor=0.5, patience=0, cooldown=2)
    first = [plateau.update(m) for m in (3, 3, 3, 2, 2, 2)]
    plateau.reset()
    assert [plateau.update(m) for m in (3, 3, 3, 2, 2, 2)] == first
