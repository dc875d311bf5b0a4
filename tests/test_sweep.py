"""The sweep against a plain loop of torch.nn and torch.optim, and its record."""

import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_utils import optimizers, sampling
from course_utils.datasets import Data, Split, digits
from course_utils.run import Run
from course_utils.schedules import constant, exponential
from course_utils.sweep import Sweep, sweep

STEPS = 60


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
        correct = (model(x).argmax(1) == y).float().mean().item()
        return np.array(losses), np.array(norms), objective(x, y).item(), correct


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
    "adagrad": ("Adagrad", torch.optim.Adagrad, 0.02),
    "rmsprop": ("RMSprop", torch.optim.RMSprop, 0.001),
    "adam": ("Adam", torch.optim.Adam, 0.002),
    "adamw": ("AdamW", torch.optim.AdamW, 0.002),
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
    for i, schedule in enumerate(schedules):
        np.testing.assert_array_equal(result.lr[i], schedule(np.arange(settings["steps"])))
        for j, seed in enumerate([3, 4]):
            if settings["batch_size"] == len(data.train):  # the plain loop shuffles: same set
                pass
            losses, norms, final, accuracy = plain_loop(
                data, schedule, seed, make_optimizer, **settings
            )
            np.testing.assert_allclose(result.loss[i, j], losses, rtol=1e-5)
            np.testing.assert_allclose(result.grad_norm[i, j], norms, rtol=1e-4)
            np.testing.assert_allclose(result.final_loss[i, j], final, rtol=1e-5)
            assert result.final("train_accuracy")[i, j] == pytest.approx(accuracy, abs=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("setting", ["as is", "everything"])
def test_every_optimizer_agrees_with_torch(name, setting):
    rule, make_optimizer, lr = OPTIMIZERS[name]
    if isinstance(rule, str):
        rule = getattr(optimizers, rule)()
    factory = make_optimizer
    if name not in ("sgd", "momentum", "nesterov", "weight decay"):
        factory = lambda p: make_optimizer(p, lr=1.0)  # noqa: E731
    assert_agrees(rule, factory, lr, **SETTINGS[setting])


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_agrees_with_torch(setting):
    assert_agrees(None, lambda p: SGD(p, lr=1), 0.1, **SETTINGS[setting])
