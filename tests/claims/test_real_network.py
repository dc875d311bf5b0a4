"""What article 004 says about a seven-layer CNN on CIFAR-100: lesson 6, from its recorded runs."""

from pathlib import Path

import numpy as np
import torch
from judging import judges
from torch import nn

from course_utils.experiments import cifar_runs
from course_utils.experiments.models import SevenLayerCNN

RESULTS = Path(__file__).parents[2] / "notebooks" / "results"
RUNS = cifar_runs.load(RESULTS / "06_article.json")
FIRST = cifar_runs.load(RESULTS / "06_dead.json")  # 200 updates


def at(lr, width=1.0):
    """The runs of 15 epochs, or as far as they were recorded."""
    return cifar_runs.select(RUNS, lr=lr, width=width, epochs=15)


@judges("004-E1")
def test_the_network_of_article_004():
    """Seven convolutions of 3 x 3 and a linear layer; 87.5 million multiplications an image."""
    model, x, multiplications = SevenLayerCNN(seed=0), torch.zeros(1, 3, 32, 32), 0
    for layer in model:
        x = layer(x)
        if hasattr(layer, "weight"):
            multiplications += layer.weight.numel() * (x[0, 0].numel() if x.ndim == 4 else 1)
    kinds = [type(layer) for layer in model]
    sizes = [p.numel() for p in model.parameters()]
    network = (kinds.count(nn.Conv2d), kinds.count(nn.Linear), sum(sizes)) == (7, 1, 5_201_124)
    return network and abs(multiplications - 87.5e6) < 0.1e6


@judges("004-G1", "004-G2")
def test_the_four_curves_of_article_004():
    """Each of its rates has the loss and the test accuracy of two epochs at least."""
    found = [at(lr)[0] for lr in (1e-1, 1e-3, 3e-4, 6.25e-3)]
    return all(run.epochs >= 2 and len(run.metrics["test_accuracy"]) > 2 for run in found)


@judges("004-C7")
def test_the_accuracy_suffers_at_both_ends():
    """After five epochs 1e-3 is best; 625e-5 as written lies above it, 6.25e-5 below; 0.1 is dead.

    For each rate the seed that the record has first; the gaps are far larger than the seeds'.
    """
    lrs = (6.25e-5, 3e-4, 1e-3, 6.25e-3)
    five = {lr: at(lr)[0].metrics["test_accuracy"][5] for lr in lrs}
    best = max(five, key=five.get)
    [high] = [run for run in FIRST if run.plan.lr == 0.1]
    too_high = best < 0.1 and (high.metrics["dead"][-1] == 1).any()
    suffers = {lr: five[lr] < five[best] - 0.1 for lr in (6.25e-5, 625e-5)}
    assert best == 1e-3 and suffers[625e-5]  # it suffers there as well, but from too high a rate
    return tuple(too_high and suffers[lr] and lr < best for lr in (625e-5, 6.25e-5))


@judges("004-C8")
def test_what_is_unstable_is_the_start():
    """Later the loss varies less than at 1e-3 in every run, living or dead."""
    falls = all((np.diff(run.epoch_loss) < 0).all() for lr in (1e-3, 3e-4) for run in at(lr))
    other = [run for run in FIRST if run.plan.lr in (6.25e-3, 1e-1)]
    leaps = all(run.loss[1] > 10 * run.loss[0] for run in other)
    [calm] = [run.loss[100:].std() for run in FIRST if run.plan.lr == 1e-3]
    assert len(other) == 11
    later = any(run.loss[100:].std() > calm for run in other)
    return falls and later, falls and leaps


@judges("004-C9")
def test_at_3e_4_the_training_loss_falls_more_slowly():
    """From the second epoch to the fifteenth, in both seeds, and in three at a quarter width."""
    pairs = [pair for width in (1.0, 0.25) for pair in zip(at(3e-4, width), at(1e-3, width))]
    assert [a.plan.seed - b.plan.seed for a, b in pairs] == [0] * 5
    return all((a.epoch_loss[1:15] > b.epoch_loss[1:15]).all() for a, b in pairs)
