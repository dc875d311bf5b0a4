"""The recorder of rates, against how far a weight with gradient 1 really moved."""

import ast
import copy
import io
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.optim import SGD, AdamW, Optimizer

from course_utils.experiments import recorder
from course_utils.experiments.recorder import record_rates


def weights(n=1):
    return [torch.zeros(1, requires_grad=True, dtype=torch.float64) for _ in range(n)]


def move(optimizer, params, steps=4, after=lambda: None):
    """Updates with gradient 1: how far each parameter moved, (steps, parameters)."""
    moved = []
    for _ in range(steps):
        before = [p.item() for p in params]
        optimizer.zero_grad()
        sum(p.sum() for p in params).backward()
        optimizer.step()
        after()
        moved.append([a - p.item() for a, p in zip(before, params)])
    return np.array(moved)


class HalvesInZeroGrad(SGD):
    def zero_grad(self, set_to_none=True):
        super().zero_grad(set_to_none)
        for group in self.param_groups:
            group["lr"] /= 2


class HalvesBefore(SGD):
    def step(self, closure=None):
        for group in self.param_groups:
            group["lr"] = group["lr"] / 2
        return super().step(closure)


class HalvesAfter(SGD):
    def step(self, closure=None):
        super().step(closure)
        for group in self.param_groups:
            group["lr"] /= 2
        return [group["lr"] for group in self.param_groups]  # the next rates are read, too


class OwnRule(Optimizer):
    """No super().step(): it decides its rate, uses it, and prepares the next one."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            group["lr"] = group["lr"] * 0.8
            for p in group["params"]:
                p -= group["lr"] * p.grad
            group["lr"] *= 0.5


class NeverBuilt(Optimizer):
    """PyTorch calls the hooks of a step that `super()` reaches only if it has built its class."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p -= group["lr"] * p.grad


class SchedulesItself(NeverBuilt):
    def step(self, closure=None):
        super().step()
        for group in self.param_groups:
            group["lr"] = group["lr"] / 2


class HookAfter(SGD):
    def __init__(self, params, lr):
        super().__init__(params, lr)
        self.register_step_post_hook(lambda *_: self.halve())

    def halve(self):
        self.param_groups[0]["lr"] = self.param_groups[0]["lr"] / 2


KINDS = [SGD, HalvesInZeroGrad, HalvesBefore, HalvesAfter, OwnRule, SchedulesItself, HookAfter]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tensor", [False, True])
def test_what_is_recorded_is_how_far_the_weight_moved(kind, tensor):
    params = weights()
    rate = torch.tensor(1.0, dtype=torch.float64) if tensor else 1.0
    optimizer = kind(params, lr=rate)
    with record_rates(optimizer) as log:
        moved = move(optimizer, params)
        assert len(log.lr) == 4  # it can be read on the way
    np.testing.assert_allclose(log.lr, moved[:, 0], rtol=1e-12)
    assert kind is SGD or len(set(log.lr)) == 4


@pytest.mark.parametrize("settings", [{}, {"foreach": True}, {"fused": True}])
def test_a_tensor_that_a_scheduler_overwrites_in_place(settings):
    params = weights()
    optimizer = SGD(params, lr=torch.tensor(1.0, dtype=torch.float64), **settings)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 / (t + 1))
    with record_rates(optimizer) as log:
        moved = move(optimizer, params, after=scheduler.step)
    np.testing.assert_allclose(log.lr, moved[:, 0])
    np.testing.assert_allclose(log.lr, [1, 1 / 2, 1 / 3, 1 / 4])


def test_groups_have_columns_and_one_that_comes_later_begins_with_nan():
    a, b, c = weights(3)
    optimizer = SGD([{"params": [a]}, {"params": [b], "lr": 0.1}], lr=1.0)
    with record_rates(optimizer) as log:
        first = move(optimizer, [a, b], 2)
        optimizer.add_param_group({"params": [c], "lr": 0.5})
        then = move(optimizer, [a, b, c], 2)
    assert log.lr.shape == (4, 3) and np.isnan(log.lr[:2, 2]).all()
    np.testing.assert_allclose(log.lr[:2, :2], first)
    np.testing.assert_allclose(log.lr[2:], then)


def test_no_update_no_row():
    with record_rates(SGD(weights(), lr=0.1)) as log:
        assert log.lr.shape == (0,)


@pytest.mark.parametrize("kind", [SGD, torch.optim.LBFGS])
def test_a_closure_is_one_update_and_may_set_the_rate(kind):
    w = torch.tensor([3.0, 1.0], dtype=torch.float64, requires_grad=True)
    optimizer = kind([w], lr=0.05)
    calls = []

    def closure():
        calls.append(1)
        optimizer.zero_grad()
        if kind is SGD:
            optimizer.param_groups[0]["lr"] = 0.01 * len(calls)
        loss = (w**2).sum()
        loss.backward()
        return loss

    with record_rates(optimizer) as log:
        for _ in range(3):
            before = w.detach().clone()
            optimizer.step(closure)
            if kind is SGD:
                torch.testing.assert_close(before - w, log.lr[-1] * 2 * before)
    assert len(log.lr) == 3 and len(calls) >= 3
    np.testing.assert_allclose(log.lr, [0.01, 0.02, 0.03] if kind is SGD else 0.05)


@pytest.mark.parametrize("kind", [SGD, AdamW])
@pytest.mark.parametrize("fused", [False, True])
def test_a_step_that_a_gradient_scaler_skipped_is_no_update(kind, fused):
    """Fused optimizers are called all the same; they look at `found_inf` themselves."""
    w = torch.zeros(1, requires_grad=True)
    optimizer = kind([w], lr=1.0, fused=fused, weight_decay=0)
    scaler, called = torch.amp.GradScaler("cpu"), []
    optimizer.register_step_pre_hook(lambda *_: called.append(1))
    asked, moved = [1.0, 0.9, 0.8, 0.7, 0.6], []
    with record_rates(optimizer) as log:
        for t, lr in enumerate(asked):
            before = w.item()
            optimizer.param_groups[0]["lr"] = lr
            optimizer.zero_grad()
            scaler.scale(w.sum() * (math.inf if t in (0, 2) else 1)).backward()
            scaler.step(optimizer)
            scaler.update()
            moved.append(before - w.item())
    assert len(called) == (5 if fused else 3)
    np.testing.assert_allclose(log.lr, [0.9, 0.7, 0.6])
    np.testing.assert_allclose(moved, [0, 0.9, 0, 0.7, 0.6], rtol=1e-4, atol=1e-6)


def test_a_step_that_raised_is_no_update_and_the_next_ones_are_recorded():
    class Moody(HalvesAfter):
        def step(self, closure=None):
            if self.param_groups[0]["lr"] == 0.5:
                raise ArithmeticError
            return super().step(closure)

    params = weights()
    optimizer = Moody(params, lr=1.0)
    with record_rates(optimizer) as log:
        move(optimizer, params, 1)
        with pytest.raises(ArithmeticError):
            move(optimizer, params, 1)
        optimizer.param_groups[0]["lr"] = 0.3
        move(optimizer, params, 2)
    np.testing.assert_allclose(log.lr, [1, 0.3, 0.15])


def test_afterwards_everything_is_as_before_even_if_a_step_raised():
    def stop():
        raise KeyboardInterrupt

    params = weights()
    optimizer = SGD(params, lr=1.0)
    groups, group = optimizer.param_groups, optimizer.param_groups[0]
    with pytest.raises(KeyboardInterrupt), record_rates(optimizer) as log:
        move(optimizer, params, 1)
        optimizer.step(stop)
    assert optimizer.param_groups is groups and groups[0] is group and type(group) is dict
    assert not optimizer._optimizer_step_pre_hooks and not optimizer._optimizer_step_post_hooks
    move(optimizer, params, 2)
    assert len(log.lr) == 1


def test_a_group_that_somebody_holds_is_the_one_that_acts():
    params = weights()
    optimizer = SGD(params, lr=1.0)
    before = optimizer.param_groups[0]
    with record_rates(optimizer) as log:
        within = optimizer.param_groups[0]
        before["lr"] = 0.5
        move(optimizer, params, 1)
        within["lr"] = 0.25
        optimizer.zero_grad()
        optimizer.step(lambda: before.update(lr=0.125) or params[0].sum().backward())
    assert log.lr.tolist() == [0.5, 0.125]


def test_copies_pickles_and_states_made_within_are_ordinary():
    params = weights()
    optimizer = torch.optim.Adam(params, lr=0.1)
    with record_rates(optimizer) as log:
        move(optimizer, params, 2)
        copied, unpickled = copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))
        stored = io.BytesIO()
        torch.save(optimizer.state_dict(), stored)
        stored.seek(0)
        state = torch.load(stored, weights_only=True)
        state["param_groups"][0]["lr"] = 0.3
        optimizer.load_state_dict(state)
        move(optimizer, params, 2)
    for other in (copied, unpickled):
        assert type(other.param_groups[0]) is dict
        p = other.param_groups[0]["params"][0]
        assert move(other, [p], 1) == pytest.approx(0.1)
    assert log.lr.tolist() == [0.1, 0.1, 0.3, 0.3]


def test_two_recorders_at_once_agree():
    params = weights()
    optimizer = HalvesBefore(params, lr=1.0)
    with record_rates(optimizer) as one, record_rates(optimizer) as two:
        moved = move(optimizer, params)
    np.testing.assert_allclose(one.lr, moved[:, 0])
    np.testing.assert_allclose(two.lr, moved[:, 0])


@pytest.mark.parametrize("value", [None, 3, torch.optim.SGD, {"lr": 0.1}])
def test_what_is_no_optimizer_is_refused(value):
    with pytest.raises(TypeError, match="optimizer must be a torch"), record_rates(value):
        pass


def test_it_can_be_taken_home():
    source = Path(recorder.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source)
    imported = {
        a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names
    }
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"collections", "contextlib", "numpy", "torch"}
    public = [n.name for n in tree.body if hasattr(n, "name") and not n.name.startswith("_")]
    assert public == ["record_rates"] and len(source.splitlines()) <= 60
