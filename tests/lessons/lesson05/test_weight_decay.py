"""What a schedule makes of weight decay, against PyTorch; the recorded runs, and their reading."""

import numpy as np
import pytest
import torch

from course_utils.experiments.models import mlp
from course_utils.experiments.table import Table
from course_utils.experiments.training import train
from course_utils.lessons.lesson05 import weight_decay as decay
from course_utils.schedules import constant, cosine, polynomial, warmup_stable_decay, with_warmup

PLANS = {
    "constant": constant(0.01),
    "linear": polynomial(0.01, 1000, 0.0),
    "cosine": cosine(0.01, 1000),
    "warm-up": with_warmup(polynomial(0.01, 901, 0.0), 99, 0.01),
    "end": warmup_stable_decay(0.01, 0, 800, 200),
}


def left_by_torch(make, rates):
    w = torch.ones(1, requires_grad=True, dtype=torch.float64)
    optimizer = make([w])
    for lr in rates:
        optimizer.param_groups[0]["lr"] = float(lr)
        w.grad = torch.zeros_like(w)
        optimizer.step()
    return w.item()


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
def test_what_is_left_of_a_weight_is_the_product_nearly_exp_of_the_area(name, kind):
    rates = PLANS[name](np.arange(1000))
    left = left_by_torch(lambda p: kind(p, lr=0.01, weight_decay=0.1), rates)
    assert left == pytest.approx(np.prod(1 - 0.1 * rates), rel=1e-12)
    assert left == pytest.approx(np.exp(-0.1 * rates.sum()), rel=1e-3)


def test_the_papers_convention_is_pytorchs_with_the_decay_over_the_peak():
    """Algorithm 2 of Loshchilov & Hutter, written out, on gradients that matter."""
    gradients, factor = np.random.default_rng(0).standard_normal((300, 5)), cosine(1.0, 300)
    alpha, papers = 0.01, 0.002
    w = torch.ones(5, requires_grad=True, dtype=torch.float64)
    optimizer = torch.optim.AdamW([w], lr=alpha, weight_decay=papers / alpha)
    theta, m, v = np.ones(5), 0.0, 0.0
    for t, g in enumerate(gradients):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        m_hat, v_hat = m / (1 - 0.9 ** (t + 1)), v / (1 - 0.999 ** (t + 1))
        step = alpha * m_hat / (np.sqrt(v_hat) + 1e-8)
        theta = theta - factor(t) * (step + papers * theta)
        optimizer.param_groups[0]["lr"] = alpha * float(factor(t))
        w.grad = torch.tensor(g)
        optimizer.step()
    np.testing.assert_allclose(w.detach().numpy(), theta, rtol=1e-10)


def test_adam_with_l2_hardly_shrinks_a_weight_with_large_gradients():
    left = {}
    for kind in (torch.optim.Adam, torch.optim.AdamW):
        for size in (1.0, 0.01):
            w = torch.ones(1, requires_grad=True, dtype=torch.float64)
            optimizer = kind([w], lr=0.001, weight_decay=0.01)
            for t in range(2000):
                w.grad = torch.full_like(w, size * (-1) ** t)
                optimizer.step()
            left[kind, size] = w.item()
    assert left[torch.optim.AdamW, 1.0] == pytest.approx(left[torch.optim.AdamW, 0.01], abs=2e-3)
    assert left[torch.optim.Adam, 0.01] < 0.3 < 0.9 < left[torch.optim.Adam, 1.0]


MAKE = {
    "AdamW": lambda w: torch.optim.AdamW(w, lr=0.01, weight_decay=0.5),
    "L2": lambda w: torch.optim.SGD(w, lr=0.01, weight_decay=0.5),
    "Adam with L2": lambda w: torch.optim.Adam(
        [
            {"params": [p for p in w if p.ndim > 1], "weight_decay": 0.5},
            {"params": [p for p in w if p.ndim == 1]},
        ],
        lr=0.01,
    ),
}


@pytest.mark.parametrize("rule", decay.RULES)
def test_a_recorded_run_is_that_of_pytorch(rule):
    mine = decay.trained(rule, [0.01], 0.5, [3], 30, "linear")
    theirs = train(
        mlp((64, 32, 10), seed=3), decay.task(), optimizer=lambda w: MAKE[rule](list(w)),
        schedule=polynomial(0.01, 30, 0.0), steps=30, batch_size=20, seed=3,
    )  # fmt: skip
    np.testing.assert_allclose(mine.loss[0, 0], theirs.loss, rtol=1e-4)


def tables(decays, judge):
    """One rule at three rates; the loss that chooses is smallest at the second decay."""
    found = {}
    for i, value in enumerate(decays):
        for part, metric, cells in (
            ("choose", "validation_loss", np.full((3, 2), abs(i - 1.0))),
            ("judge", "test_loss", judge[i]),
        ):
            name = decay.name("L2", "linear", 9, part, value)
            found[name] = Table([0.1, 0.2, 0.4], [0, 1], {metric: cells})
    return found


WHAT = ("L2", "linear", 9)


def test_price_takes_the_right_cells():
    cells = np.arange(18.0).reshape(3, 3, 2)  # decay, rate, seed
    kept, product = decay.price(tables([0.25, 0.5, 1.0], cells), WHAT, "test_loss")
    assert kept.tolist() == cells[1].tolist()
    assert product.tolist() == [cells[2, 0].tolist(), cells[1, 1].tolist(), cells[0, 2].tolist()]


def test_a_grid_that_does_not_reach_and_a_rule_that_is_not_recorded_are_named():
    with pytest.raises(ValueError, match="decays of .* must reach from 0.25 to 1"):
        decay.price(tables([0.3, 0.5, 1.0], np.zeros((3, 3, 2))), WHAT, "test_loss")
    with pytest.raises(ValueError, match="what must be recorded"):
        decay.measured({}, WHAT, "judge", "test_loss")
    with pytest.raises(ValueError, match="rule must be one of"):
        decay.trained("Adam", [0.1], 0.0, [0], 2, "linear")
