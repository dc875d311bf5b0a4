"""The loop of lesson 9 against a loop of PyTorch, from any weights, with a factor per layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_layers import torch_layers, torch_loss

from course_utils.experiments.teacher import Teacher
from course_utils.lessons.lesson09 import task, training
from course_utils.optimizers import Adam, GradientDescent, Optimizer

SIZES = (20, 8, 8, 10)
FACTORS = (1.0, 0.25, 0.0)


@pytest.mark.parametrize(
    ("rule", "theirs"),
    [
        (GradientDescent(momentum=0.9), lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.9)),
        (Adam(), lambda p: torch.optim.Adam(p, lr=1.0)),
    ],
    ids=["momentum", "Adam"],
)
def test_a_run_is_that_of_torch_with_parameter_groups(rule: Optimizer, theirs) -> None:
    nets, teacher, lrs = training.networks(2, [3, 4], SIZES), Teacher(), [0.02, 0.05]
    start, rates = nets.initial(), training.to_zero(lrs, 30)
    factors = task.one_rate_a_layer(nets, FACTORS)
    batches = teacher.stream([3, 4], 8)
    ours = nets.layers(training.train(nets, start, batches, rates, rule, factors))
    layers = torch_layers(nets, start, 1, 0)
    groups = theirs([{"params": [layer]} for layer in layers])
    for lr, (x, y) in zip(rates[:, 1], teacher.batches([3], 8)):
        for group, factor in zip(groups.param_groups, FACTORS):
            group["lr"] = lr * factor
        groups.zero_grad()
        x = np.concatenate([x[0], np.ones((8, 1), np.float32)], axis=1)
        torch_loss(layers, x, y[0]).backward()
        groups.step()
    for mine, other in zip(ours, layers):
        assert np.allclose(mine[1, 0], other.detach().numpy(), atol=2e-5)


def test_the_weights_it_starts_from_stay_and_a_rule_starts_afresh() -> None:
    nets, rule = training.networks(1, [0], (20, 8, 10)), Adam()
    start = nets.initial()
    runs = [
        training.train(nets, start, Teacher().stream([0], 4), training.constant([0.01], 5), rule)
        for _ in range(2)
    ]
    assert (runs[0] == runs[1]).all() and (start == nets.initial()).all()


def test_rates_fall_on_a_line_and_the_last_update_still_moves() -> None:
    expected = np.outer([1, 0.75, 0.5, 0.25], [0.4, 0.8])
    assert np.allclose(training.to_zero([0.4, 0.8], 4), expected, rtol=1e-12)
    assert training.constant([0.4], 2).tolist() == [[0.4], [0.4]]


def test_the_few_examples_of_a_seed_come_once_an_epoch_and_are_its_own() -> None:
    x = np.arange(12, dtype=np.float32).reshape(2, 6, 1)
    batches = training.again(x, np.zeros((2, 6), int), [0, 1], 2)
    seen = np.concatenate([next(batches)[0] for _ in range(3)], axis=1)[..., 0]
    assert sorted(seen[0]) == list(range(6)) and sorted(seen[1]) == list(range(6, 12))


def test_the_score_is_that_of_the_teacher() -> None:
    nets, teacher = training.networks(1, [5], (20, 8, 10)), Teacher()
    x, p = teacher.held_out["test"]
    layers = torch_layers(nets, nets.initial(), 0, 0)
    ones = np.ones((len(x), 1), np.float32)
    with torch.no_grad():
        hidden = (torch.as_tensor(np.concatenate([x, ones], axis=1)) @ layers[0]).relu()
        log_q = (torch.cat([hidden, torch.ones(len(x), 1)], 1) @ layers[1]).log_softmax(1).double()
        loss = torch.nn.functional.kl_div(log_q, torch.tensor(p), reduction="batchmean")
    assert training.score(nets, nets.initial(), teacher)["test_loss"][0, 0] == pytest.approx(
        loss.item(), rel=1e-5
    )


def test_a_run_that_ended_above_ten_times_its_first_loss_diverged() -> None:
    metrics = {"test_loss": np.array([[1.0, 21.0, np.nan]])}
    table = training.result([0.1], [0, 1, 2], metrics, np.full((1, 3), 2.0), {})
    assert table.diverged.tolist() == [[False, True, True]]
