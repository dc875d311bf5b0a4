"""What the lesson says of PyTorch: with all made first, either load may come last."""

import warnings

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as lrs

SCHEDULERS = {
    "LambdaLR": lambda o: lrs.LambdaLR(o, lambda t: 1 - t / 8),
    "MultiplicativeLR": lambda o: lrs.MultiplicativeLR(o, lambda t: 0.9),
    "StepLR": lambda o: lrs.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda o: lrs.MultiStepLR(o, [3, 5], 0.5),
    "ExponentialLR": lambda o: lrs.ExponentialLR(o, 0.9),
    "ConstantLR": lambda o: lrs.ConstantLR(o, 0.3, 6),
    "LinearLR": lambda o: lrs.LinearLR(o, 1.0, 0.0, 8),
    "PolynomialLR": lambda o: lrs.PolynomialLR(o, 8),
    "CosineAnnealingLR": lambda o: lrs.CosineAnnealingLR(o, 8),
    "CosineAnnealingWarmRestarts": lambda o: lrs.CosineAnnealingWarmRestarts(o, 3),
    "OneCycleLR": lambda o: lrs.OneCycleLR(o, 1.0, total_steps=9),
    "CyclicLR": lambda o: lrs.CyclicLR(o, 0.1, 1.0, step_size_up=3, cycle_momentum=False),
    "SequentialLR": lambda o: lrs.SequentialLR(
        o, [lrs.LinearLR(o, 0.25, total_iters=3), lrs.CosineAnnealingLR(o, 5)], [3]
    ),
    "ChainedScheduler": lambda o: lrs.ChainedScheduler(
        [lrs.LinearLR(o, 0.25, total_iters=3), lrs.ExponentialLR(o, 0.9)]
    ),
}


def new():
    return torch.optim.SGD([torch.zeros(1)], lr=1.0)


def rates(updates, optimizer, scheduler):
    used = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(updates):
            used.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
    return used


@pytest.mark.parametrize("last", ["optimizer", "scheduler"])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_either_load_may_come_last(name, last):
    make, optimizer = SCHEDULERS[name], new()
    planned = rates(8, optimizer, make(optimizer))
    optimizer = new()
    scheduler = make(optimizer)
    rates(4, optimizer, scheduler)
    saved = optimizer.state_dict(), scheduler.state_dict()
    optimizer = new()
    scheduler = make(optimizer)
    loads = [
        lambda: optimizer.load_state_dict(saved[0]),
        lambda: scheduler.load_state_dict(saved[1]),
    ]
    for load in loads if last == "scheduler" else loads[::-1]:
        load()
    np.testing.assert_allclose(rates(4, optimizer, scheduler), planned[4:], rtol=1e-6, atol=1e-12)
