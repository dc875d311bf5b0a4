"""The sweep against a plain loop of torch.nn and torch.optim, and its record."""

import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_utils import optimizers, sampling
from course_utils.experiments.datasets import Data, digits
from course_utils.experiments.sweep import sweep
from course_utils.run import Run
from course_utils.schedules import constant, exponential

PARTS = ("train", "validation", "test")

STEPS = 40


def plain_loop(
    data, schedule, seed, make_optimizer, *, hidden=(64,), activation="relu", loss="cross_entropy",
    steps=STEPS, batch_size=16, l2=0.0,
):  # fmt: skip
    """One network the way a textbook trains it; only the draws come from the course."""
    x, y = torch.tensor(data.train.x), torch.tensor(data.train.y)
    sizes = (x.shape[1], *hidden, data.classes)
    layers = []
    for weight, bias in sampling.initial_parameters(sizes, seed):
        linear = torch.nn.Linear(*weight.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(weight.T))
            linear.bias.copy_(torch.tensor(bias))
        layers += [linear, torch.nn.ReLU() if activation == "relu" else torch.nn.Tanh()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = make_optimizer(model.parameters())

    def objective(inputs, labels):
        z = model(inputs)
        if loss == "cross_entropy":
            return F.cross_entropy(z, labels)
        return ((z - F.one_hot(labels, data.classes)) ** 2).sum(1).mean() / 2

    losses, norms = [], []
    for t, batch in enumerate(sampling.batch_order(len(x), batch_size, steps, seed)):
        for group in optimizer.param_groups:
            group["lr"] = schedule(t)
        optimizer.zero_grad()
        value = objective(x[batch], y[batch])
        penalty = l2 * sum((layer.weight**2).sum() for layer in model if hasattr(layer, "weight"))
        (value + penalty).backward()
        losses.append(value.item())
        norms.append(math.sqrt(sum((p.grad**2).sum().item() for p in model.parameters())))
        optimizer.step()
    with torch.no_grad():
        held_out = torch.tensor(data.validation.x), torch.tensor(data.validation.y)
        final = {
            "train_loss": objective(x, y).item(),
            "train_accuracy": (model(x).argmax(1) == y).float().mean().item(),
            "validation_loss": objective(*held_out).item(),
        }
        return np.array(losses), np.array(norms), final


SGD = torch.optim.SGD
OPTIMIZERS = {
    "sgd": (optimizers.GradientDescent(), lambda p: SGD(p, lr=1), 0.1),
    "momentum": (optimizers.GradientDescent(0.9), lambda p: SGD(p, lr=1, momentum=0.9), 0.02),
    "nesterov": (
        optimizers.GradientDescent(0.9, nesterov=True),
        lambda p: SGD(p, lr=1, momentum=0.9, nesterov=True),
        0.02,
    ),
    "weight decay": (
        optimizers.GradientDescent(weight_decay=0.01),
        lambda p: SGD(p, lr=1, weight_decay=0.01),
        0.1,
    ),
    "adagrad": (optimizers.Adagrad(), lambda p: torch.optim.Adagrad(p, lr=1), 0.02),
    "rmsprop": (optimizers.RMSprop(), lambda p: torch.optim.RMSprop(p, lr=1), 0.001),
    "adam": (optimizers.Adam(), lambda p: torch.optim.Adam(p, lr=1), 0.002),
    "adamw": (optimizers.AdamW(), lambda p: torch.optim.AdamW(p, lr=1), 0.002),
}
SETTINGS = {
    "as is": {},
    "l2": {"l2": 0.01},
    "mse": {"loss": "mse"},
    "tanh": {"activation": "tanh"},
    "two hidden layers": {"hidden": (32, 24)},
    "linear": {"hidden": ()},
    "everything": {"hidden": (24, 32), "loss": "mse", "activation": "tanh", "l2": 0.003},
    "full batch": {"batch_size": None, "steps": 20},
    "uneven batches": {"batch_size": 300},
}


def assert_agrees(optimizer, make_optimizer, lr, **settings):
    data = digits().subset(200) if settings.get("batch_size", 1) is None else digits()
    schedules = [constant(lr / 3), exponential(lr, 20, 0.5)]
    settings = {"steps": STEPS, "batch_size": 16} | settings
    result = sweep(schedules, seeds=[3, 4], data=data, optimizer=optimizer, **settings)
    settings["batch_size"] = settings["batch_size"] or len(data.train)
    for i, j in ((0, 1), (1, 0)):
        schedule, seed = schedules[i], (3, 4)[j]
        losses, norms, final = plain_loop(data, schedule, seed, make_optimizer, **settings)
        used = np.float32(schedule(np.arange(settings["steps"])))
        np.testing.assert_array_equal(result.lr[i], used, strict=True)
        np.testing.assert_allclose(result.loss[i, j], losses, rtol=1e-5)
        np.testing.assert_allclose(result.grad_norm[i, j], norms, rtol=1e-4)
        assert result.final_loss[i, j] == pytest.approx(final["train_loss"], rel=1e-5)
        for name, value in final.items():
            assert result.final(name)[i, j] == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("setting", ["as is", "everything"])
def test_every_optimizer_agrees_with_torch(name, setting):
    rule, make_optimizer, lr = OPTIMIZERS[name]
    assert_agrees(rule, make_optimizer, lr, **SETTINGS[setting])


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_agrees_with_torch(setting):
    assert_agrees(None, lambda p: SGD(p, lr=1), 0.1, **SETTINGS[setting])


def test_a_network_does_not_depend_on_its_neighbors(monkeypatch):
    alone = sweep([0.1], seeds=[2], steps=30)
    lrs = [0.01, 0.1, 1e4]  # the neighbor that diverges must not spoil the others
    together = sweep(lrs, seeds=[0, 2], steps=30)
    monkeypatch.setattr("course_utils.experiments.sweep_settings._GROUP", 2)
    in_groups = sweep(lrs, seeds=[0, 2], steps=30)
    for result in (together, in_groups):
        np.testing.assert_allclose(result.loss[1, 1], alone.loss[0, 0], rtol=1e-6)
    np.testing.assert_array_equal(in_groups.diverged, [[False] * 2, [False] * 2, [True] * 2])


def test_seeds_are_paired_across_rates():
    result = sweep([0.01, 0.1], seeds=[0, 1], steps=3)
    np.testing.assert_array_equal(result.loss[0, :, 0], result.loss[1, :, 0])
    assert result.loss[0, 0, 0] != result.loss[0, 1, 0]


def test_metrics_are_measured_when_and_where_they_say():
    data = digits()
    every = sweep([0.1], [0], steps=25, evaluate_every=10, evaluate_on=("validation", "test"))
    assert every.metrics["step"].tolist() == [0, 10, 20, 25]
    assert sorted(every.metrics) == sorted(
        ["step", "test_accuracy", "test_loss", "validation_accuracy", "validation_loss"]
    )
    # measured after 10 updates = the end of a sweep of 10 updates, on data where test is train
    swapped = Data(data.train, data.test, data.validation, "swapped", 10)
    short = sweep([0.1], [0], data=swapped, steps=10, evaluate_on=("validation",))
    assert short.final("validation_loss") == pytest.approx(every.metrics["test_loss"][..., 1])
    assert short.final("validation_accuracy") == every.metrics["test_accuracy"][..., 1]
    whole = sweep([0.1], [0], steps=10)
    assert short.final_loss == pytest.approx(whole.final("train_loss"), rel=1e-6)


def test_divergence_is_a_result_without_warnings():
    # warnings are errors in this suite, so a leaked RuntimeWarning would fail here
    result = sweep([0.1, 1e3, 1e30], [0, 1], steps=120, evaluate_every=60)
    assert result.diverged.tolist() == [[False, False], [True, True], [True, True]]
    for i in range(3):
        for j in range(2):
            assert result.run(i, j).diverged == result.diverged[i, j]
    assert np.isnan(result.loss[2, 0, -1])
    assert np.isnan(result.final("train_loss")[2]).all()
    assert result.best("train_loss").index == 0
    assert result.basin("train_loss", tolerance=10).high == 0.1
    with pytest.raises(ValueError, match="no learning rate of this table has a finite train_loss"):
        sweep([1e30], [0], steps=60).best("train_loss")


def test_linear_regression_falls_off_the_cliff_at_2_over_lambda_max():
    data = digits().subset(300)
    x = np.column_stack([data.train.x.astype(float), np.ones(300)])
    limit = 2 / np.linalg.eigvalsh(x.T @ x / 300)[-1]
    settings = {"data": data, "hidden": (), "loss": "mse", "batch_size": None, "steps": 600}
    result = sweep([0.9 * limit, 0.99 * limit, 1.01 * limit, 1.1 * limit], [0], **settings)
    assert result.diverged[:, 0].tolist() == [False, False, True, True]
    # a loss between 10 and 100 times the first is called diverged, below 10 it is not
    near = sweep(limit * np.linspace(1, 1.3, 31), [0], **settings | {"steps": 20})
    ratio = near.final_loss / near.loss[..., 0]
    assert ((ratio > 5) & (ratio < 10)).any() and ((ratio > 10) & (ratio < 20)).any()
    np.testing.assert_array_equal(near.diverged, ratio > 10)
    # just below, the loss falls as the linear solution says; just above it grows by (1 - 2 r)^2
    growth = result.loss[2, 0, -1] / result.loss[2, 0, -2]
    assert growth == pytest.approx((1 - 2 * 1.01) ** 2, rel=1e-3)


def test_run_and_iteration_give_the_same_records():
    result = sweep([0.05, exponential(0.2, 10, 0.5)], [4, 7], steps=12, evaluate_every=5)
    runs = list(result)
    assert len(runs) == 4 and all(isinstance(run, Run) for run in runs)
    run = runs[3]
    assert run.meta["seed"] == 7 and run.meta["peak_lr"] == 0.2
    assert run.meta["schedule"] == repr(exponential(0.2, 10, 0.5))
    np.testing.assert_array_equal(run.lr, np.float32(exponential(0.2, 10, 0.5)(np.arange(12))))
    np.testing.assert_array_equal(run.loss, result.loss[1, 1])
    np.testing.assert_array_equal(run.metrics["train_loss"], result.metrics["train_loss"][1, 1])
    assert run.final_loss == run.metrics["train_loss"][-1] == result.final_loss[1, 1]
    assert result.run(-1, -1).to_json() == run.to_json()
    assert Run.from_json(run.to_json()).meta == run.meta


def test_evaluate_on_names_parts_of_the_data(monkeypatch):
    data = dataclasses.replace(digits(), validation=None)
    monkeypatch.setattr(
        "course_utils.experiments.sweep._train", lambda *args: pytest.fail("trained")
    )
    with pytest.raises(ValueError, match="evaluate_on must be one of 'train', 'test', got 'valid"):
        sweep([0.1], [0], data=data, steps=2)


class Bar:
    def __init__(self, total):
        self.total, self.done, self.calls, self.closed = total, 0, 0, False

    def update(self, n):
        self.calls, self.done = self.calls + 1, self.done + n

    def close(self):
        self.closed = True

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


@pytest.fixture
def bars(monkeypatch):
    made = []

    def make(progress, total):
        made.append(Bar(total))
        return made[-1]

    monkeypatch.setattr("course_utils.experiments.sweep.progress_bar", make)
    return made


def test_the_bar_moves_at_every_update_and_ends_at_its_total(bars):
    sweep([0.1, 0.2], [0, 1], steps=20)
    [bar] = bars
    assert bar.calls >= 20 and bar.done == bar.total == 40 and bar.closed
    sweep([1e30], [0], steps=200)  # diverges, and ends long before its last update
    assert bars[1].done == bars[1].total == 200 and bars[1].closed


def test_the_bar_is_closed_when_a_run_raises(bars):
    rule = optimizers.GradientDescent()
    rule.step = lambda *args: 1 / 0
    with pytest.raises(ZeroDivisionError):
        sweep([0.1], [0], steps=20, optimizer=rule)
    assert bars[0].closed and bars[0].done == 0


def test_best_and_basin_are_those_of_the_table_of_last_values():
    result = sweep([0.001, 0.1, 0.3, 1e30], [0, 1], steps=60, evaluate_every=30, evaluate_on=PARTS)
    last = {name: v[..., -1].mean(axis=1) for name, v in result.metrics.items() if name != "step"}
    for part in PARTS:
        assert result.best(f"{part}_accuracy").index == np.argmax(last[f"{part}_accuracy"])
        assert result.best(f"{part}_loss").index == np.nanargmin(last[f"{part}_loss"])
    assert result.best().value == pytest.approx(np.nanmin(last["validation_loss"]))
    assert result.basin("test_accuracy", 1).low == 0.001 == result.basin(tolerance=10).low
    assert result.table.seeds.tolist() == [0, 1] and result.table.meta == result.meta


class Listening(optimizers.GradientDescent):
    """Remembers the rates it was given."""

    def step(self, params, grad, lr):
        self.given = [*getattr(self, "given", []), lr.copy()]
        return super().step(params, grad, lr)


def test_the_record_holds_the_rates_that_the_rule_was_given(monkeypatch):
    rule = Listening()
    monkeypatch.setattr("course_utils.experiments.sweep.copy.deepcopy", lambda rule: rule)
    result = sweep([0.1, exponential(1 / 3, 5, 0.5)], [0, 1], steps=7, optimizer=rule)
    given = np.hstack(rule.given)[::2]  # of the first seed
    np.testing.assert_array_equal(result.lr, given, strict=True)
    assert float(result.lr[0, 0]) != 0.1  # but the nearest float32
    assert result.lrs[0] == 0.1  # what was asked for


def test_progress_is_shown_on_request_only(capsys):
    sweep([0.1], [0], steps=2)
    assert capsys.readouterr() == ("", "")
    sweep([0.1], [0], steps=2, progress=True)
    assert "2/2" in capsys.readouterr().err


def test_the_optimizer_given_is_left_alone():
    adam = optimizers.Adam()
    sweep([0.01], [0], steps=3, optimizer=adam)
    assert adam.t == 0


RESULT = sweep([0.01, 0.1, 1], [0, 1], steps=2, evaluate_on=["validation"])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: sweep([0.1, -0.1], steps=1), ValueError, r"lrs\[1\] must be greater than 0"),
        (lambda: sweep([0], steps=1), ValueError, r"lrs\[0\] must be greater than 0, got 0"),
        (lambda: sweep([math.nan], steps=1), ValueError, r"lrs\[0\] must be a finite number"),
        (lambda: sweep([math.inf], steps=1), ValueError, r"lrs\[0\] must be a finite number"),
        (lambda: sweep(["0.1"], steps=1), TypeError, r"lrs\[0\] must be a number"),
        (lambda: sweep(0.1, steps=1), TypeError, "lrs must be a list of learning rates, got 0.1"),
        (lambda: sweep("0.1", steps=1), TypeError, "lrs must be a list"),
        (lambda: sweep([], steps=1), ValueError, "lrs must not be empty"),
        (lambda: sweep([0.1], [], steps=1), ValueError, "seeds must not be empty"),
        (lambda: sweep([0.1], [-1], steps=1), ValueError, r"seeds\[0\] must be 0 or greater"),
        (lambda: sweep([0.1], [1, 1], steps=1), ValueError, "seeds must be different integers"),
        (lambda: sweep([0.1], [2**63], steps=1), ValueError, "seeds must be .* below 2"),
        (lambda: sweep([0.1, 1e39], steps=1), ValueError, r"lrs\[1\] must give rates that"),
        (lambda: sweep([0.1], 5, steps=1), TypeError, "seeds must be a list of integers, got 5"),
        (lambda: sweep([0.1], steps=0), ValueError, "steps must be 1 or greater, got 0"),
        (lambda: sweep([0.1], steps=1.5), TypeError, "steps must be an integer"),
        (lambda: sweep([0.1]), ValueError, "either steps or epochs"),
        (lambda: sweep([0.1], steps=1, epochs=1), ValueError, "either steps or epochs"),
        (lambda: sweep([0.1], epochs=-1), ValueError, "epochs must be 1 or greater"),
        (lambda: sweep([0.1], steps=1, batch_size=0), ValueError, "batch_size must be 1"),
        (lambda: sweep([0.1], steps=1, batch_size=1001), ValueError, "batch_size must be at most"),
        (lambda: sweep([0.1], steps=1, hidden=(0,)), ValueError, r"hidden\[0\] must be 1 or"),
        (lambda: sweep([0.1], steps=1, hidden=64), TypeError, "hidden must be a list of integers"),
        (lambda: sweep([0.1], steps=1, activation="gelu"), ValueError, "activation must be one of"),
        (lambda: sweep([0.1], steps=1, loss="mae"), ValueError, "loss must be one of"),
        (lambda: sweep([0.1], steps=1, l2=-1), ValueError, "l2 must be 0 or greater"),
        (lambda: sweep([0.1], steps=1, l2=math.nan), ValueError, "l2 must be a finite number"),
        (lambda: sweep([0.1], steps=1, data="digits"), TypeError, "data must be a Data"),
        (lambda: sweep([0.1], steps=1, optimizer="adam"), TypeError, "optimizer must be an object"),
        (
            lambda: sweep([0.1], steps=1, optimizer=optimizers.Adam),
            TypeError,
            "optimizer must be an object",
        ),
        (
            lambda: sweep([0.1], steps=1, schedule=constant(0.1)),
            TypeError,
            "schedule must be a function from a rate",
        ),
        (lambda: sweep([0.1], steps=1, schedule=0.1), TypeError, "schedule must be a function"),
        (lambda: sweep([0.1], steps=1, schedule=lambda lr: None), TypeError, "lr must"),
        (lambda: sweep([0.1], steps=1, evaluate_every=0), ValueError, "^evaluate_every must be 1"),
        (lambda: sweep([0.1], steps=1, evaluate_on=["val"]), ValueError, "evaluate_on must be one"),
        (lambda: sweep([0.1], steps=1, evaluate_on="train"), TypeError, "evaluate_on must be a"),
        (lambda: RESULT.final("loss"), ValueError, "metric must be one of 'validation_loss'"),
        (lambda: RESULT.best("step"), ValueError, "metric must be one of 'validation_loss'"),
        (lambda: RESULT.basin("validation_loss", -1), ValueError, "tolerance must be 0 or greater"),
        (lambda: RESULT.run(3), ValueError, r"i must be in -3..2, got 3"),
        (lambda: RESULT.run(0, 2), ValueError, r"j must be in -2..1, got 2"),
        (lambda: RESULT.run(0.5), TypeError, "i must be an integer"),
    ],
)  # fmt: skip
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_no_optimizer_is_left_to_compute_with_subnormal_numbers(monkeypatch):
    """A dead unit's momentum shrinks for ever; below 1.2e-38 every operation on it is slow."""
    rules = []
    monkeypatch.setattr(
        "course_utils.experiments.sweep.copy.deepcopy", lambda rule: rules.append(rule) or rule
    )
    # at this rate many units die in the first updates
    result = sweep([0.3], [0], steps=1200, optimizer=optimizers.Adam(), evaluate_on=())
    assert not result.diverged.any()
    m = np.abs(rules[0].m)
    assert not ((m > 0) & (m < np.finfo(np.float32).tiny)).any()
    assert (m == 0).mean() > 0.2  # there were dead units, so the case did occur
