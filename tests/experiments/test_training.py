"""The torch loop: the same as a sweep and as a plain loop, stoppable, resumable."""

import math
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from course_utils import optimizers, sampling
from course_utils.experiments import training_state
from course_utils.experiments.datasets import Data, Split, digits
from course_utils.experiments.devices import best_device
from course_utils.experiments.evaluation import (
    accuracy,
    evaluate,
    half_squared_distance,
    mean_loss,
)
from course_utils.experiments.models import mlp
from course_utils.experiments.settings import OPTIMIZERS
from course_utils.experiments.sweep import sweep
from course_utils.experiments.training import train
from course_utils.run import Run
from course_utils.schedules import constant, cosine, exponential

DATA = digits()
SIZES = (64, 24, 10)


def test_the_textbook_loop_gives_the_same_weights():
    model, textbook = mlp(SIZES, seed=1), mlp(SIZES, seed=1)
    schedule = cosine(0.3, 40)
    run = train(model, DATA, schedule=schedule, steps=40, batch_size=25, seed=5)

    optimizer = torch.optim.SGD(textbook.parameters(), lr=0.3)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: schedule(t) / 0.3)
    x, y = torch.tensor(DATA.train.x), torch.tensor(DATA.train.y)
    losses, rates = [], []
    for batch in sampling.batch_order(1000, 25, 40, seed=5):
        loss = nn.functional.cross_entropy(textbook(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    np.testing.assert_allclose(run.loss, losses, rtol=1e-6)
    np.testing.assert_allclose(run.lr, rates, rtol=1e-12)
    for ours, theirs in zip(model.parameters(), textbook.parameters()):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


NAMES = {
    "sgd": (optimizers.GradientDescent(), 0.1),
    "momentum": (optimizers.GradientDescent(0.9), 0.02),
    "nesterov": (optimizers.GradientDescent(0.9, nesterov=True), 0.02),
    "adagrad": (optimizers.Adagrad(), 0.02),
    "rmsprop": (optimizers.RMSprop(), 0.001),
    "adam": (optimizers.Adam(), 0.002),
    "adamw": (optimizers.AdamW(), 0.002),
}


@pytest.mark.parametrize("name", NAMES)
def test_train_and_sweep_agree(name):
    rule, lr = NAMES[name]
    settings = {"steps": 40, "batch_size": 50, "l2": 0.002, "loss": "mse"}
    schedule = exponential(lr, 20, 0.5)
    swept = sweep(
        [schedule], [3], data=DATA, hidden=(24,), activation="tanh", optimizer=rule, **settings
    )
    model = mlp(SIZES, "tanh", seed=3)
    run = train(model, DATA, optimizer=name, schedule=schedule, seed=3, **settings)
    expected = swept.run(0, 0)
    np.testing.assert_array_equal(run.lr.astype(np.float32), expected.lr)  # what each one used
    np.testing.assert_allclose(run.loss, expected.loss, rtol=1e-5)
    np.testing.assert_allclose(run.grad_norm, expected.grad_norm, rtol=1e-4)
    assert run.final_loss == pytest.approx(expected.final_loss, rel=1e-5)
    assert accuracy(model, DATA.validation) == pytest.approx(
        swept.final("validation_accuracy")[0, 0], abs=1e-6
    )


def test_full_batch_agrees_with_sweep():
    settings = {"steps": 15, "batch_size": None}
    run = train(mlp(SIZES, seed=0), DATA, schedule=0.5, **settings)
    swept = sweep([0.5], [0], data=DATA, hidden=(24,), **settings)
    np.testing.assert_allclose(run.loss, swept.loss[0, 0], rtol=1e-5)


def test_a_constructor_is_an_optimizer_too():
    named = train(mlp(SIZES, seed=0), DATA, optimizer="momentum", schedule=0.02, steps=10)
    made = train(
        mlp(SIZES, seed=0),
        DATA,
        optimizer=lambda params: torch.optim.SGD(params, lr=123.0, momentum=0.9),
        schedule=0.02,
        steps=10,
    )
    np.testing.assert_array_equal(named.loss, made.loss)
    np.testing.assert_array_equal(made.lr, np.full(10, 0.02))  # 123 never acts


class Halving(torch.optim.SGD):
    """Changes its rate where no schedule would look."""

    def zero_grad(self, set_to_none=True):
        super().zero_grad(set_to_none)
        for group in self.param_groups:
            group["lr"] /= 2


def test_the_rate_that_is_recorded_is_the_rate_that_ran():
    schedule, plain = cosine(0.3, 20), mlp(SIZES, seed=0)
    model = mlp(SIZES, seed=0)
    make = lambda params: Halving(params, lr=0.0)  # noqa: E731
    run = train(model, DATA, optimizer=make, schedule=schedule, steps=20)
    np.testing.assert_array_equal(run.lr, schedule(np.arange(20)) / 2)
    half = train(plain, DATA, schedule=cosine(0.15, 20), steps=20)
    np.testing.assert_allclose(run.loss, half.loss, rtol=1e-5)  # and so it did


def test_a_factor_for_each_parameter_group():
    def groups(model, *rates):
        layers = [{"params": model[i].parameters(), "lr": lr} for i, lr in zip((0, 2), rates)]
        return lambda params: torch.optim.SGD(layers)

    model, by_hand = mlp(SIZES, seed=0), mlp(SIZES, seed=0)
    schedule = cosine(0.3, 8)
    run = train(
        model, DATA, optimizer=groups(model, 1.0, 1.0), schedule=schedule, steps=8,
        factors=(0.1, 1), batch_size=100, seed=2,
    )  # fmt: skip
    assert run.meta["factors"] == [0.1, 1]
    np.testing.assert_allclose(run.meta["group_lr"], np.outer(schedule.rates(8), [0.1, 1]))
    np.testing.assert_allclose(run.lr, schedule.rates(8) / 10)
    assert Run.from_json(run.to_json()).meta == run.meta

    optimizer = groups(by_hand, 0.1, 1)(None)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, [lambda t: schedule(t)] * 2)
    x, y = torch.tensor(DATA.train.x), torch.tensor(DATA.train.y)
    for batch in sampling.batch_order(1000, 100, 8, seed=2):
        optimizer.zero_grad()
        nn.functional.cross_entropy(by_hand(x[batch]), y[batch]).backward()
        optimizer.step()
        scheduler.step()
    for ours, theirs in zip(model.parameters(), by_hand.parameters()):
        torch.testing.assert_close(ours, theirs)
    with pytest.raises(ValueError, match=r"factors must say how .* 2 .* rates \[0\.1, 1\.0\]"):
        train(model, DATA, optimizer=groups(model, 0.1, 1.0), steps=8)
    with pytest.raises(ValueError, match="factors must have one entry for each of the 2"):
        train(model, DATA, optimizer=groups(model, 0.1, 1.0), steps=8, factors=(1,))


@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_accumulated_batches_are_one_large_batch(l2):
    settings = {"schedule": cosine(0.3, 30), "epochs": 3, "l2": l2, "seed": 4}
    model, large = mlp(SIZES, seed=0).double(), mlp(SIZES, seed=0).double()
    run = train(model, DATA, batch_size=25, accumulate=4, **settings)
    expected = train(large, DATA, batch_size=100, **settings)
    assert run.steps == expected.steps == 30 and run.meta["accumulate"] == 4
    for name in ("loss", "grad_norm", "lr", "final_loss"):
        np.testing.assert_allclose(getattr(run, name), getattr(expected, name), rtol=1e-12)
    for ours, theirs in zip(model.parameters(), large.parameters()):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)


def test_all_batches_at_once_are_the_full_batch():
    model, full = mlp(SIZES, seed=0).double(), mlp(SIZES, seed=0).double()
    run = train(model, DATA, batch_size=125, accumulate=8, steps=5)
    expected = train(full, DATA, batch_size=None, steps=5)
    np.testing.assert_allclose(run.loss, expected.loss, rtol=1e-12)
    np.testing.assert_allclose(run.grad_norm, expected.grad_norm, rtol=1e-12)


def test_a_long_gradient_is_shortened_and_the_effective_rate_recorded():
    model, clipped = mlp(SIZES, seed=0).double(), mlp(SIZES, seed=0).double()
    run = train(model, DATA, schedule=0.5, steps=12, clip=0.35, seed=1)
    optimizer = torch.optim.SGD(clipped.parameters(), lr=0.5)
    x, y = torch.tensor(DATA.train.x).double(), torch.tensor(DATA.train.y)
    norms = []
    for batch in sampling.batch_order(1000, 64, 12, seed=1):
        optimizer.zero_grad()
        nn.functional.cross_entropy(clipped(x[batch]), y[batch]).backward()
        norms.append(nn.utils.clip_grad_norm_(clipped.parameters(), 0.35).item())
        optimizer.step()
    np.testing.assert_allclose(run.grad_norm, norms, rtol=1e-5)  # before it was shortened
    for ours, theirs in zip(model.parameters(), clipped.parameters()):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)
    assert min(norms) < 0.35 < max(norms)
    effective = [0.5 * min(1, 0.35 / norm) for norm in norms]
    np.testing.assert_allclose(run.meta["effective_lr"], effective, rtol=1e-5)
    assert Run.from_json(run.to_json()).meta == run.meta


def test_the_record_of_a_clipped_training_that_diverged_is_json_too():
    run = train(mlp(SIZES, seed=0), DATA, schedule=1e30, steps=30, clip=1e30, loss="mse")
    assert run.diverged and run.meta["effective_lr"][-1] is None
    assert Run.from_json(run.to_json()).meta == run.meta


@pytest.mark.parametrize("name", NAMES)
def test_fused_kernels_change_the_last_digits_only(name):
    settings = {"optimizer": name, "schedule": NAMES[name][1], "steps": 40}
    model = mlp(SIZES, seed=0)
    seen = {}

    def watch(params):
        made = OPTIMIZERS[name](params)
        seen["plain"] = made.defaults.get("fused")
        return made

    run = train(mlp(SIZES, seed=0), DATA, **settings | {"optimizer": watch})
    fused = train(model, DATA, fused=True, **settings)
    np.testing.assert_allclose(fused.loss, run.loss, rtol=1e-4)
    np.testing.assert_array_equal(fused.lr, run.lr)
    assert not seen["plain"] and fused.meta["fused"] and "fused" not in run.meta


def test_fused_is_asked_of_the_optimizer_where_the_device_has_it(monkeypatch):
    asked = []

    def adam(params, fused=False):
        asked.append(fused)
        if fused == "cuda only":
            raise RuntimeError("`fused=True` requires all the params to be on another device")
        return torch.optim.Adam(params, lr=0.0, fused=fused)

    monkeypatch.setitem(OPTIMIZERS, "adam", adam)
    train(mlp(SIZES, seed=0), DATA, optimizer="adam", steps=1, fused=True)
    assert asked == [True]
    train(mlp(SIZES, seed=0), DATA, optimizer="adam", steps=1)
    assert asked == [True, False]

    def nowhere(params, fused=False):
        if fused:
            raise RuntimeError("`fused=True` requires all the params to be on another device")
        return torch.optim.Adam(params, lr=0.0)

    monkeypatch.setitem(OPTIMIZERS, "adam", nowhere)
    assert train(mlp(SIZES, seed=0), DATA, optimizer="adam", steps=1, fused=True).steps == 1


def half_frozen():
    torch.manual_seed(0)
    layers = nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 10)
    model = nn.Sequential(*layers)
    model[1].eval()  # as in fine-tuning: its statistics stay
    return model


def modes(model):
    return [module.training for module in model.modules()]


@pytest.mark.parametrize("root", [True, False])
def test_every_module_keeps_its_mode(root):
    model = half_frozen()
    model.training = root
    before, within = modes(model), []
    model[4].register_forward_hook(lambda *_: within.append(modes(model)))
    mean = model[1].running_mean.clone()
    for measure in (accuracy, mean_loss, evaluate):
        measure(model, DATA.test)
        assert modes(model) == before
    observers = {"accuracy": lambda m: accuracy(m, DATA.test)}
    train(model, DATA, steps=4, observers=observers, observe_every=2)
    assert modes(model) == before
    assert {any(mode) for mode in within} == {True, False}  # training, evaluation
    frozen = {mode[2] for mode in within}  # of the normalization
    assert frozen == ({False} if root else {True, False})
    assert torch.equal(mean, model[1].running_mean) == root
    with pytest.raises(ZeroDivisionError):
        train(model, DATA, steps=2, observers={"a": lambda m: 1 / 0})
    assert modes(model) == before


def test_observers_see_the_model_in_evaluation_mode_at_their_steps():
    model = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 10))
    modes = []

    def validation(model):
        modes.append(model.training)
        return accuracy(model, DATA.validation)

    observers = {"validation_accuracy": validation, "loss": lambda m: mean_loss(m, DATA.train)}
    run = train(model, DATA, steps=25, observers=observers, observe_every=10)
    assert run.metrics["step"].tolist() == [0, 10, 20, 25]
    assert modes == [False] * 4 and model.training
    assert run.metrics["loss"][-1] == run.final_loss
    assert run.metrics["validation_accuracy"][-1] == accuracy(model, DATA.validation)


def test_the_global_generator_is_left_alone_and_dropout_follows_the_seed():
    def losses(seed):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(64, 16), nn.Dropout(0.5), nn.Linear(16, 10))
        before = torch.get_rng_state()
        run = train(model, DATA, steps=5, seed=seed, batch_size=None)
        assert torch.equal(before, torch.get_rng_state())
        return run.loss

    np.testing.assert_array_equal(losses(0), losses(0))
    assert (losses(0) != losses(1)).any()


def test_divergence_is_recorded_and_ends_the_work():
    calls = []
    run = train(
        mlp(SIZES, seed=0), DATA, schedule=1e6, steps=500, batch_size=10, loss="mse",
        observers={"calls": lambda model: calls.append(1) or 0.0}, observe_every=10,
    )  # fmt: skip
    assert run.diverged and run.steps == 500 and np.isnan(run.loss[-1])
    np.testing.assert_array_equal(run.lr, np.full(500, 1e6))
    assert len(calls) < 15 and np.isnan(run.metrics["calls"][-1])


def stop_after(steps):
    """An observer that presses stop once the model has made so many updates."""

    def observer(model):
        observer.calls += 1
        if observer.calls > steps:
            raise KeyboardInterrupt
        return float(observer.calls)

    observer.calls = 0
    return {"calls": observer}


def test_pressing_stop_keeps_what_was_recorded():
    run = train(mlp(SIZES, seed=0), DATA, steps=50, observers=stop_after(7), observe_every=1)
    whole = train(mlp(SIZES, seed=0), DATA, steps=50)
    assert run.meta["interrupted"] and not whole.meta["interrupted"]
    assert run.steps == 7
    np.testing.assert_array_equal(run.loss, whole.loss[:7])
    assert np.isfinite(run.final_loss)
    assert run.metrics["step"].tolist() == list(range(7))  # nothing that was not measured


def test_a_stop_by_the_clock_has_no_metrics_of_a_step_that_was_not_observed():
    seen = {"weight": lambda model: float(model[0].weight[0, 0].detach())}
    settings = {"steps": 50, "observers": seen, "observe_every": 1}
    run = train(mlp(SIZES, seed=0), DATA, max_seconds=1e-9, **settings)
    assert run.steps == 1 and run.metrics["step"].tolist() == [0]
    assert np.isfinite(run.metrics["weight"]).all()


RESUMABLE = {
    "schedule": cosine(0.02, 60),
    "optimizer": "momentum",
    "steps": 60,
    "batch_size": 100,
    "checkpoint_every": 8,
    "observe_every": 7,
}


def dropout_network():
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 10))


def observe(extra=None):
    return {"weight": lambda model: model[0].weight[0, 0].item()} | (extra or {})


def assert_same(run, model, other, other_model):
    np.testing.assert_array_equal(run.loss, other.loss)
    np.testing.assert_array_equal(run.lr, other.lr)
    np.testing.assert_array_equal(run.grad_norm, other.grad_norm)
    np.testing.assert_array_equal(run.metrics["weight"], other.metrics["weight"])
    assert run.final_loss == other.final_loss
    for ours, theirs in zip(model.parameters(), other_model.parameters()):
        assert torch.equal(ours, theirs)


def test_interrupted_and_resumed_equals_uninterrupted(tmp_path):
    reference_model = dropout_network()
    reference = train(reference_model, DATA, observers=observe(), **RESUMABLE)

    path = tmp_path / "run.pt"
    model = dropout_network()
    state = {"calls": 0}

    def weight(model):  # the same metric, but stop is pressed between two checkpoints
        state["calls"] += 1
        if state["calls"] == 5:
            raise KeyboardInterrupt
        return model[0].weight[0, 0].item()

    part = train(model, DATA, observers={"weight": weight}, checkpoint=path, **RESUMABLE)
    assert part.steps == 28 and part.meta["interrupted"]
    model, untouched = (mlp((64, 16, 16, 10), seed=0) for _ in range(2))
    with pytest.raises(ValueError, match=r"belongs to another training \(model differ"):
        train(model, DATA, observers=observe(), checkpoint=path, **RESUMABLE)
    for ours, theirs in zip(model.parameters(), untouched.parameters()):
        assert torch.equal(ours, theirs)  # not even the layer that would fit is loaded
    model = dropout_network()
    resumed = train(model, DATA, observers=observe(), checkpoint=path, **RESUMABLE)
    assert_same(resumed, model, reference, reference_model)

    again_model = dropout_network()  # a finished training is read back, not repeated
    again = train(again_model, DATA, observers=observe(), checkpoint=path, **RESUMABLE)
    assert_same(again, again_model, reference, reference_model)
    assert list(tmp_path.iterdir()) == [path]  # no temporary file is left behind


def test_killed_in_the_middle_of_an_epoch_and_resumed_equals_uninterrupted(tmp_path):
    """The process dies without any chance to clean up; the next one finds the last checkpoint."""
    script = """
        import os, sys
        sys.path[:0] = {paths!r}
        from test_training import DATA, RESUMABLE, dropout_network, observe, train

        calls = []
        def die(model):
            calls.append(1)
            if len(calls) == 5:
                os._exit(9)
            return model[0].weight[0, 0].item()

        observers = {{"weight": die}}
        train(dropout_network(), DATA, observers=observers, checkpoint={path!r}, **RESUMABLE)
    """
    path = tmp_path / "run.pt"
    here = Path(__file__).parents[0]
    code = textwrap.dedent(script).format(paths=[str(here), str(here.parents[1])], path=str(path))
    died = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert died.returncode == 9, died.stderr
    assert torch.load(path, weights_only=True)["done"] == 24  # 28 updates were done

    model, reference_model = dropout_network(), dropout_network()
    resumed = train(model, DATA, observers=observe(), checkpoint=path, **RESUMABLE)
    reference = train(reference_model, DATA, observers=observe(), **RESUMABLE)
    assert_same(resumed, model, reference, reference_model)


def test_a_checkpoint_of_another_training_or_a_damaged_one_is_refused(tmp_path):
    path = tmp_path / "run.pt"
    train(mlp(SIZES, seed=0), DATA, steps=3, checkpoint=path)
    with pytest.raises(ValueError, match=r"belongs to another training \(schedule differ\)"):
        train(mlp(SIZES, seed=0), DATA, steps=3, schedule=0.2, checkpoint=path)
    with pytest.raises(ValueError, match=r"belongs to another training \(observers differ\)"):
        train(mlp(SIZES, seed=0), DATA, steps=3, observers={"a": lambda m: 0.0}, checkpoint=path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="cannot be read; delete it to start anew"):
        train(mlp(SIZES, seed=0), DATA, steps=3, checkpoint=path)


def test_a_checkpoint_knows_when_it_was_observed_and_on_how_much_data(tmp_path):
    path, settings = tmp_path / "run.pt", {"observers": {"a": lambda m: 0.0}, "batch_size": 100}
    train(mlp(SIZES, seed=0), DATA, steps=3, observe_every=1, checkpoint=path, **settings)
    with pytest.raises(ValueError, match=r"another training \(observe_at differ\)"):
        train(mlp(SIZES, seed=0), DATA, steps=3, observe_every=2, checkpoint=path, **settings)
    fewer = replace(DATA, train=DATA.train.take(slice(500)))  # under the same name
    with pytest.raises(ValueError, match=r"another training \(data differ\)"):
        train(mlp(SIZES, seed=0), fewer, steps=3, observe_every=1, checkpoint=path, **settings)


def test_a_checkpoint_is_read_into_the_memory_of_the_cpu(tmp_path, monkeypatch):
    """There Adam counts its steps, wherever the network is."""
    settings = {"steps": 3, "optimizer": "adam", "checkpoint": tmp_path / "run.pt"}
    train(mlp(SIZES, seed=0), DATA, **settings)
    places = []

    def load(*args, map_location, **options):
        places.append(str(map_location))
        raise OSError

    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(ValueError, match="cannot be read"):
        train(mlp(SIZES, seed=0), DATA, **settings)
    assert places == ["cpu"]


def test_a_failed_save_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "run.pt"
    train(mlp(SIZES, seed=0), DATA, steps=3, checkpoint=path)
    before = path.read_bytes()

    def disk_full(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", disk_full)
    with pytest.raises(OSError, match="No space left"):
        train(mlp(SIZES, seed=0), DATA, steps=3, checkpoint=path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


# --- images, bytes, devices, number formats ----------------------------------------------------


def images(n=48, classes=4):
    """Small pictures as bytes, one color channel brighter per class."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % classes
    x = rng.integers(0, 100, (n, 3, 8, 8))
    x[np.arange(n), y % 3] += 60 + 40 * (y[:, None, None] // 3)
    split = Split(x.astype(np.uint8), y, mean=(0.3, 0.3, 0.4), std=(0.2, 0.25, 0.2))
    return Data(split, None, split, "pictures", classes)


def small_cnn(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(32, 4),
    )  # fmt: skip


def test_bytes_train_like_the_normalized_images():
    data = images()
    floats = replace(data, train=Split(data.train.inputs(), data.train.y))
    settings = {"optimizer": "adam", "schedule": 0.01, "steps": 30, "batch_size": 16}
    run, other = (train(small_cnn(), d, **settings) for d in (data, floats))
    np.testing.assert_allclose(run.loss, other.loss, rtol=1e-4)
    assert run.final_loss < 0.5 * run.loss[0]


def test_the_layout_changes_no_result(monkeypatch):
    settings = {"schedule": 0.05, "steps": 20, "batch_size": 16}
    run = train(small_cnn(), images(), **settings)
    monkeypatch.setattr(training_state, "image_layout", lambda *args: torch.channels_last)
    model = small_cnn()
    other = train(model, images(), **settings)
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(run.loss, other.loss, rtol=1e-4)


def test_bfloat16_is_close_but_not_equal_and_leaves_the_weights_float32():
    settings = {"optimizer": "adam", "schedule": 0.005, "steps": 30, "batch_size": 16}
    model = small_cnn()
    run = train(small_cnn(), images(), **settings)
    formats = set()
    model[0].register_forward_hook(lambda *args: formats.add((args[0].training, args[2].dtype)))
    half = train(model, images(), precision="bfloat16", **settings)
    # Training in bfloat16, the final loss in float32.
    assert formats == {(True, torch.bfloat16), (False, torch.float32)}
    assert (run.loss != half.loss).any()
    np.testing.assert_allclose(half.loss, run.loss, rtol=0.1, atol=0.03)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert half.meta["precision"] == "bfloat16"


def test_auto_finds_a_device():
    model = small_cnn()
    train(model, images(), steps=1, batch_size=16, device="auto")
    assert next(model.parameters()).device.type == best_device().type


def test_observers_may_return_arrays_and_work_once_per_epoch():
    observers = {"pair": lambda m: [accuracy(m, DATA.test), 2.0], "one": lambda m: 1}
    run = train(
        mlp(SIZES, seed=0), DATA, epochs=3, batch_size=250, observers=observers,
        observe_every="epoch",
    )  # fmt: skip
    assert run.metrics["step"].tolist() == [0, 4, 8, 12]
    assert run.metrics["pair"].shape == (4, 2) and run.metrics["one"].shape == (4,)
    assert (run.metrics["pair"][:, 1] == 2).all()
    again = Run.from_json(run.to_json()).metrics["pair"]
    np.testing.assert_array_equal(again, run.metrics["pair"])


def test_out_of_time_is_a_stop_and_the_same_call_goes_on(tmp_path):
    settings = {
        "steps": 5, "batch_size": 100, "observers": {"pair": lambda m: [1.0, m[0].bias[0].item()]},
        "observe_every": 2,
    }  # fmt: skip
    reference_model = mlp(SIZES, seed=0)
    reference = train(reference_model, DATA, **settings)
    pieces, unfinished = 0, True
    while unfinished and pieces < 9:
        model = mlp(SIZES, seed=0)
        run = train(model, DATA, checkpoint=tmp_path / "run.pt", max_seconds=1e-9, **settings)
        pieces, unfinished = pieces + 1, run.meta["interrupted"]
    assert pieces == 5  # each call makes one update at least
    np.testing.assert_array_equal(run.loss, reference.loss)
    np.testing.assert_array_equal(run.metrics["pair"], reference.metrics["pair"])
    assert run.meta["seconds"] > 0
    for ours, theirs in zip(model.parameters(), reference_model.parameters()):
        assert torch.equal(ours, theirs)


def test_the_final_loss_of_a_large_training_set_is_that_of_a_part(monkeypatch):
    monkeypatch.setattr(training_state, "_FINAL_ROWS", 100)
    model = mlp(SIZES, seed=0)
    run = train(model, DATA, steps=2)
    assert run.final_loss == mean_loss(model, DATA.train.take(slice(100)))


def test_the_final_loss_is_over_more_than_one_piece_of_the_training_set():
    data = digits(n_train=1500, n_validation=100)
    model = mlp(SIZES, seed=0)
    run = train(model, data, steps=5)
    z = model(torch.tensor(data.train.x)).detach()
    expected = nn.functional.cross_entropy(z, torch.tensor(data.train.y)).item()
    assert run.final_loss == pytest.approx(expected, rel=1e-6)
    assert accuracy(model, data.train) == (z.argmax(1).numpy() == data.train.y).mean()


def test_half_squared_distance_refuses_what_it_would_broadcast():
    z, y = torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64)
    for outputs, labels, name in [(z[0], y, "outputs"), (z, y[:1], "labels"), (z, z, "labels")]:
        with pytest.raises(TypeError, match=f"{name} must be a tensor of shape"):
            half_squared_distance(outputs, labels)
    with pytest.raises(TypeError, match=r"labels must be of type torch\.int64"):
        half_squared_distance(z, y.float())


def test_half_squared_distance_is_its_formula():
    z = torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 3.0]])
    # by hand: (1 + 1 + 0) / 2 = 1 and (0 + 0 + 4) / 2 = 2
    assert half_squared_distance(z, torch.tensor([1, 2])).item() == pytest.approx(1.5)


def test_measures_of_a_whole_split():
    model = mlp(SIZES, seed=0)
    z = model(torch.tensor(DATA.train.x)).detach()
    y = torch.tensor(DATA.train.y)
    assert mean_loss(model, DATA.train) == pytest.approx(nn.functional.cross_entropy(z, y).item())
    assert mean_loss(model, DATA.train, "mse") == pytest.approx(half_squared_distance(z, y).item())
    both = evaluate(model, DATA.train, "mse")
    assert both.tolist() == [mean_loss(model, DATA.train, "mse"), accuracy(model, DATA.train)]
    assert accuracy(model, DATA.train) == (z.argmax(1) == y).double().mean().item()


def test_the_record_is_json():
    run = train(mlp(SIZES, seed=0), DATA, steps=2, schedule=constant(0.1))
    assert Run.from_json(run.to_json()).meta == run.meta


def model():
    return mlp((64, 10), seed=0)


GROWING = exponential(0.1, 1, 1.5)  # infinite after 1760 steps


def growing():
    """An observer that returns one number more each time."""
    values = []

    def observer(model):
        values.append(1.0)
        return values

    return observer


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: train("mlp", DATA, steps=1), TypeError, "model must be a torch.nn.Module"),
        (lambda: train(nn.ReLU(), DATA, steps=1), ValueError, "at least one trainable parameter"),
        (lambda: train(model(), DATA.train, steps=1), TypeError, "data must be a Data"),
        (
            lambda: train(model(), DATA, steps=1, optimizer="sdg"),
            ValueError,
            "optimizer must be one",
        ),
        (
            lambda: train(model(), DATA, steps=1, optimizer=None),
            ValueError,
            "optimizer must be one",
        ),
        (
            lambda: train(model(), DATA, steps=1, schedule=-0.1),
            ValueError,
            "schedule must be greater than",
        ),
        (
            lambda: train(model(), DATA, steps=1, schedule=math.nan),
            ValueError,
            "schedule must be a finite",
        ),
        (
            lambda: train(model(), DATA, steps=1, schedule="cosine"),
            TypeError,
            "schedule must be a number",
        ),
        (lambda: train(model(), DATA), ValueError, "either steps or epochs"),
        (lambda: train(model(), DATA, steps=1, epochs=1), ValueError, "either steps or epochs"),
        (lambda: train(model(), DATA, steps=0), ValueError, "steps must be 1 or greater"),
        (lambda: train(model(), DATA, epochs=1.5), TypeError, "epochs must be an integer"),
        (lambda: train(model(), DATA, steps=1, batch_size=0), ValueError, "batch_size must be 1"),
        (
            lambda: train(model(), DATA, steps=1, batch_size=1001),
            ValueError,
            "batch_size must be at",
        ),
        (lambda: train(model(), DATA, steps=1, loss="mae"), ValueError, "loss must be one of"),
        (lambda: train(model(), DATA, steps=1, l2=-1), ValueError, "l2 must be 0 or greater"),
        (lambda: train(model(), DATA, steps=1, seed=-1), ValueError, "seed must be 0 or greater"),
        (
            lambda: train(model(), DATA, steps=1, device="gpu0"),
            ValueError,
            "device must be 'auto' or a device",
        ),
        (
            lambda: train(model(), DATA, steps=1, observers=[accuracy]),
            TypeError,
            "observers must be",
        ),
        (
            lambda: train(model(), DATA, steps=1, observers={"accuracy": 0.9}),
            TypeError,
            "observers must be a dict",
        ),
        (
            lambda: train(model(), DATA, steps=1, observers={"step": accuracy}),
            ValueError,
            "observers must not be called 'step'",
        ),
        (
            lambda: train(model(), DATA, steps=1, observe_every=0),
            ValueError,
            "^observe_every must be 1",
        ),
        (
            lambda: train(model(), DATA, steps=1, checkpoint="/no/such/folder/run.pt"),
            ValueError,
            "checkpoint must be in an existing folder",
        ),
        (lambda: train(model(), DATA, steps=1, checkpoint=3), TypeError, "checkpoint must be"),
        (
            lambda: train(model(), DATA, steps=1, checkpoint_every=0),
            ValueError,
            "checkpoint_every must be 1 or greater",
        ),
        (
            lambda: train(model(), DATA, steps=1, precision="float16"),
            ValueError,
            "precision must be one of 'float32', 'bfloat16'",
        ),
        (
            lambda: train(model(), DATA, steps=1, max_seconds=0),
            ValueError,
            "max_seconds must be greater than 0",
        ),
        (
            lambda: train(model(), DATA, steps=1, observe_every="epochs"),
            TypeError,
            "^observe_every must be an integer",
        ),
        (
            lambda: train(model(), DATA, steps=2, observe_every=1, observers={"a": growing()}),
            ValueError,
            r"observers\['a'\] must return the same shape each time, got \(2,\) after \(1,\)",
        ),
        (
            lambda: train(model(), DATA, steps=1, optimizer=lambda p: torch.optim.LBFGS(p)),
            ValueError,
            "optimizer must make its step from one gradient, got LBFGS, which calls for a closure",
        ),
        (
            lambda: train(model(), DATA, steps=1, optimizer=lambda p: None),
            TypeError,
            "optimizer must return a torch.optim.Optimizer, got None",
        ),
        (
            lambda: train(
                model(), DATA, steps=1, optimizer=lambda p: torch.optim.SGD(model().parameters())
            ),
            ValueError,
            "optimizer must change the parameters that it is given",
        ),
        (
            lambda: train(model(), DATA, steps=1, optimizer=torch.optim.SGD, fused=True),
            ValueError,
            "fused must be False where you make the optimizer",
        ),
        (lambda: train(model(), DATA, steps=1, fused="yes"), TypeError, "fused must be True or"),
        (lambda: train(model(), DATA, steps=1, progress=2), TypeError, "progress must be True or"),
        (
            lambda: train(mlp((63, 10)), DATA, steps=1),
            ValueError,
            r"model must map inputs \(2, 64\) to outputs \(N, classes\), got mat1",
        ),
        (
            lambda: train(mlp((64, 9)), DATA, steps=1),
            ValueError,
            r"model must map inputs \(2, 64\) to at least 10 outputs each, got \(2, 9\)",
        ),
        (
            lambda: train(model(), DATA, steps=1, device="meta"),
            ValueError,
            "device must be one that this machine",
        ),
        (lambda: train(model(), DATA, steps=1, device=0), TypeError, "device must be 'auto'"),
        (lambda: train(model(), DATA, steps=1, seed=2**64), ValueError, "seed must be less than"),
        (lambda: train(model(), DATA, steps=1, clip=0), ValueError, "clip must be greater than 0"),
        (
            lambda: train(model(), DATA, steps=1, accumulate=0),
            ValueError,
            "accumulate must be 1 or greater",
        ),
        (
            lambda: train(model(), DATA, steps=1, accumulate=16),
            ValueError,
            "accumulate must be at most 15 with 1000 examples in batches of 64, got 16",
        ),
        (lambda: train(model(), DATA, steps=3000, schedule=GROWING), ValueError, "inf"),
        (
            lambda: train(model(), DATA, steps=1, factors=0.1),
            TypeError,
            "factors must be a list",
        ),
        (
            lambda: train(model(), DATA, steps=1, factors=(-1,)),
            ValueError,
            r"factors\[0\] must be 0 or greater",
        ),
        (
            lambda: train(model(), DATA, steps=1, observers={3: accuracy}),
            TypeError,
            "observers must have names that are text",
        ),
        (
            lambda: train(model(), DATA, steps=1, observers={"a": lambda m: "good"}),
            TypeError,
            r"observers\['a'\] must return a number or an array of numbers, got 'good'",
        ),
        (
            lambda: train(model(), DATA, steps=1, checkpoint="/"),
            ValueError,
            "checkpoint must be a file, got the folder",
        ),
        (lambda: mean_loss(mlp((3, 2)), DATA.test), ValueError, "model must map inputs"),
        (lambda: accuracy(mlp((64, 9)), DATA.test), ValueError, "model must map inputs"),
        (lambda: evaluate(model(), DATA.test, 3), ValueError, "loss must be one of"),
        (lambda: mean_loss(model(), DATA.test, "mae"), ValueError, "loss must be one of"),
        (lambda: mean_loss(model(), DATA), TypeError, "split must be a Split"),
        (lambda: accuracy(model, DATA.test), TypeError, "model must be a torch.nn.Module"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
