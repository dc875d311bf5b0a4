"""An adapter of low rank beside every weight matrix, and its best rate against α and r."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from course_utils import validate
from course_utils.experiments.datasets import digits
from course_utils.experiments.networks import Networks
from course_utils.experiments.table import Table
from course_utils.lessons.lesson09.task import few, pretrained, target
from course_utils.lessons.lesson09.training import (
    again,
    evaluate,
    networks,
    optimizer,
    result,
    to_zero,
    train,
)

SIZES = (64, 64, 64, 10)
ANGLE, PER_CLASS, STEPS, PRETRAINED_AT = 60, 30, 300, 2.0**-6


class Adapter:
    r"""Networks whose weights are frozen, with an adapter (A, B) of rank r beside each matrix.

    .. math:: W + s A B, \quad s = \frac{\alpha}{r}, \qquad
        \nabla_A = s\, \nabla_W B^\top, \quad \nabla_B = s\, A^\top \nabla_W

    It is trained like `Networks`: `initial`, then `loss_and_gradient`; its parameters are all A and
    B of a network in one row (R*S, Q). A starts as PyTorch starts a layer, B at zero, so that
    nothing changes at first. Source: Hu et al. 2021 (arXiv:2106.09685), section 4.1.

    Args:
        nets: the networks.
        frozen: their weights (R*S, P).
        rank: r, the inner size of A B.
        alpha: α.

    Example:
        >>> nets = networks(1, [0], (64, 32, 10))
        >>> adapter = Adapter(nets, nets.initial(), rank=2, alpha=8)
        >>> w = adapter.initial()
        >>> w.shape, bool((adapter.merged(w) == nets.initial()).all())
        ((1, 276), True)
    """

    def __init__(self, nets: Networks, frozen: np.ndarray, rank: int, alpha: float) -> None:
        self.nets, self.frozen, self.seeds = nets, frozen, nets.seeds
        self.rank = validate.integer("rank", rank, minimum=1)
        self.scale = np.float32(validate.positive("alpha", alpha) / self.rank)
        self.pairs = list(zip(nets.sizes, nets.sizes[1:]))

    def initial(self) -> np.ndarray:
        """Return A uniform in ±1/√inputs and B = 0, the same for every rate, (R*S, Q)."""
        rows = []
        for seed in self.seeds:
            row = []
            for i, (n_in, n_out) in enumerate(self.pairs):
                a = np.random.default_rng([seed, 31, i]).uniform(-1, 1, n_in * self.rank)
                row += [a / np.sqrt(n_in), np.zeros(self.rank * n_out)]
            rows.append(np.concatenate(row))
        return np.tile(np.array(rows, dtype=np.float32), (self.nets.shape[0], 1))

    def parts(self, w: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return views (A, B) for each layer, (R, S, inputs, r) and (R, S, r, outputs)."""
        views, first = [], 0
        for n_in, n_out in self.pairs:
            middle = first + n_in * self.rank
            end = middle + self.rank * n_out
            a = w[:, first:middle].reshape(*self.nets.shape, n_in, self.rank)
            views.append((a, w[:, middle:end].reshape(*self.nets.shape, self.rank, n_out)))
            first = end
        return views

    def merged(self, w: np.ndarray) -> np.ndarray:
        """Return ordinary weights (R*S, P) that do the same."""
        whole = self.frozen.copy()
        for layer, (a, b) in zip(self.nets.layers(whole), self.parts(w)):
            layer[..., :-1, :] += self.scale * (a @ b)
        return whole

    def loss_and_gradient(
        self, w: np.ndarray, x: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean loss (R, S) and its derivative by all A and B, (R*S, Q)."""
        loss, gradient = self.nets.loss_and_gradient(self.merged(w), x, targets)
        result = np.empty_like(w)
        layers = zip(self.nets.layers(gradient), self.parts(w), self.parts(result))
        for g, (a, b), (to_a, to_b) in layers:
            g = self.scale * g[..., :-1, :]
            to_a[:] = g @ b.swapaxes(-1, -2)
            to_b[:] = a.swapaxes(-1, -2) @ g
        return loss, result


def study(
    rule: str, lrs: Sequence[float], seeds: Sequence[int], rank: int | None = None,
    alpha: float = 1.0, start: np.ndarray | None = None, steps: int = STEPS,
) -> Table:  # fmt: skip
    """Fine-tune on 300 digits turned by 60 degrees: adapters of a rank, or without one all weights.

    >>> study("Adam", [0.01], [0], rank=4, alpha=8, steps=2).final("new_loss").shape
    (1, 1)
    """
    nets = networks(len(lrs), seeds, SIZES)
    if start is None:
        start = pretrained("Adam", PRETRAINED_AT, seeds, SIZES)
    frozen = np.tile(start, (len(lrs), 1))
    new_train, new_test = target(ANGLE)
    batches = again(*few(new_train, PER_CLASS, seeds), seeds, 10)
    before = evaluate(nets, frozen, new_test, "new")["new_loss"]
    if rank is None:
        params = train(nets, frozen, batches, to_zero(lrs, steps), optimizer(rule))
    else:
        adapter = Adapter(nets, frozen, rank, alpha)
        w = train(adapter, adapter.initial(), batches, to_zero(lrs, steps), optimizer(rule))
        params = adapter.merged(w)
    after = evaluate(nets, params, new_test, "new") | evaluate(nets, params, digits().test, "old")
    return result(lrs, seeds, after, before, {
        "data": f"digits, turned by {ANGLE}", "sizes": list(SIZES), "optimizer": rule,
        "rank": rank, "alpha": alpha if rank else None, "steps": steps, "batch_size": 10,
        "examples": 10 * PER_CLASS,
    })  # fmt: skip
