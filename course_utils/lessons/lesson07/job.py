"""The job of lesson 7: a procedure carried out once on lesson 6's network, a quarter as wide.

A run is 600 updates of Adam on batches of 64 photographs of CIFAR-100 (45,000 to train on, 5,000
held out), with a straight line from its peak to 0. `record` makes every run of the log again.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from course_utils import schedules
from course_utils.experiments.datasets import Data
from course_utils.experiments.evaluation import evaluate
from course_utils.experiments.models import SevenLayerCNN
from course_utils.experiments.training import train

STEPS = 600
BATCH_SIZE = 64
STOP_AT = 100
"""Updates after which a run that still knows nothing is stopped."""


class _Hopeless(Exception):
    """Raised inside a run that is stopped early."""


def run(
    data: Data,
    peak: float,
    seed: int,
    *,
    warmup: int = 0,
    weight_decay: float = 0.0,
    shape: str = "line",
    steps: int = STEPS,
    judge: str = "validation",
) -> dict[str, float]:
    """Train once; return loss, accuracy, and the price in updates.

    A run whose loss on 1000 held-out images is within 0.5 % of that of guessing after 100 updates
    is stopped, at the price of those.

    Args:
        data: with a held-out set.
        peak: of the schedule.
        seed: of the weights and the batches.
        warmup: updates of a linear rise to the peak.
        weight_decay: of AdamW.
        shape: "line" to 0, or "constant".
        steps: updates.
        judge: "validation" or "test", what is measured at the end.

    Returns:
        "train_loss", judge + "_loss", judge + "_accuracy" and "updates".
    """
    model = SevenLayerCNN(seed=seed, width=0.25)
    fall = {
        "line": lambda lr, n: schedules.polynomial(lr, n, end_lr=0.0),
        "constant": lambda lr, n: schedules.constant(lr),
    }[shape](peak, steps - warmup)
    plan = schedules.with_warmup(fall, warmup, start_factor=1 / warmup) if warmup else fall
    guess = math.log(data.classes)
    count, few = 0, data.validation.take(slice(1000))

    def watch(model: nn.Module) -> float:
        nonlocal count
        loss = float(evaluate(model, few)[0])
        if count == 1 and not loss < 0.995 * guess:
            raise _Hopeless(loss)
        count += 1
        return loss

    def optimizer(parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW(parameters, lr=0.0, weight_decay=weight_decay)

    try:
        record = train(
            model, data, optimizer=optimizer, schedule=plan, steps=steps, batch_size=BATCH_SIZE,
            seed=seed, observers={"watch": watch}, observe_every=STOP_AT,
        )  # fmt: skip
    except _Hopeless as stopped:
        loss = stopped.args[0]
        found = {"train_loss": loss, f"{judge}_loss": loss, f"{judge}_accuracy": 1 / data.classes}
        return found | {"updates": STOP_AT}
    loss, accuracy = evaluate(model, data.splits[judge])
    found = {"train_loss": record.final_loss, f"{judge}_loss": loss, f"{judge}_accuracy": accuracy}
    return {name: float(value) for name, value in found.items()} | {"updates": steps}
