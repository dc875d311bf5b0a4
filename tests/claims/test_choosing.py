"""What the articles say about choosing a rate, and about regularization: lesson 7."""

from pathlib import Path

import numpy as np
import torch
from judging import judges
from torch import nn

from course_utils.experiments.datasets import digits
from course_utils.experiments.evaluation import accuracy
from course_utils.experiments.intervals import estimate
from course_utils.experiments.models import mlp
from course_utils.experiments.range_test import minimum_over_ten, range_test
from course_utils.experiments.sweep import sweep
from course_utils.experiments.table import load
from course_utils.experiments.training import train
from course_utils.optimizers import Adam

RESULTS = Path(__file__).parents[2] / "notebooks" / "results"
FULL, TASKS = load(RESULTS / "07_table.json"), load(RESULTS / "07_tasks.json")
GAPS, MAP = load(RESULTS / "07_gap.json"), load(RESULTS / "07_map.json")
BATCHES = load(RESULTS / "07_batch_sizes.json")


def lost(name, lr):
    """Points of test accuracy below the best rate, after ten epochs."""
    mean = FULL[name].mean("test_accuracy")
    return 100 * (mean.max() - mean[FULL[name].nearest(lr)])


def best(name, metric):
    found = TASKS[name].best(metric)
    assert found.edge is None
    return found.lr


# --- choosing ------------------------------------------------------------------------------------


@judges("000-C31", "004-C26")
def test_a_rule_loses_what_a_measurement_finds():
    data = digits(n_train=800)
    readings = [
        minimum_over_ten(range_test(mlp((64, 64, 10), seed=s), data, optimizer="adam", seed=s))
        for s in range(3)
    ]
    return lost("adam", 1e-3) > 2 and max(lost("adam", lr) for lr in readings) < 1.5


@judges("003-C35", "004-C20")
def test_the_default_of_adam_is_not_good_at_every_budget():
    adam, momentum = (FULL[name].basin("test_accuracy", 0.02) for name in ("adam", "momentum"))
    return lost("adam", 1e-3) < 1, adam.decades >= momentum.decades


def forty_epochs(*lrs, **options):
    """The mean test accuracy after each epoch, a row per rate."""
    run = sweep(lrs, range(3), batch_size=32, epochs=40, evaluate_every=31, evaluate_on=("test",),
                **options)  # fmt: skip
    return run.metrics["test_accuracy"].mean(axis=1)


@judges("004-C4")
def test_a_tenth_is_better_while_the_training_is_short():
    plain, adam = forty_epochs(1e-3, 0.1), forty_epochs(1e-3, 0.1, optimizer=Adam())
    always = (plain[1] > plain[0])[1:].all()
    return always and (adam[1] > adam[0])[1:].all(), always and (adam[1] > adam[0])[[1, 3]].all()


@judges("004-C21")
def test_adam_never_recovers_at_a_rate_that_is_too_large():
    return (forty_epochs(0.3, optimizer=Adam())[0, 10:] < 0.6).all()


@judges("004-C6")
def test_the_best_rate_is_a_hundred_times_the_usual_one():
    return best("1000 examples", "test_accuracy") > 0.1 and best("10 classes", "test_loss") > 0.1


@judges("004-C18")
def test_six_grid_points_find_it_and_cost_six_runs():
    regrets = []
    for table in FULL.values():
        test = table.mean("test_accuracy")
        for phase in range(8):
            tried = np.arange(phase, 49, 8)[:6]
            chosen = tried[table.mean("validation_accuracy")[tried].argmax()]
            regrets.append(100 * (test.max() - test[chosen]))
    return np.mean(regrets) < 1


@judges("004-C19")
def test_random_search_needs_an_idle_axis():
    """Nine trials over six decades; the winner on validation of one seed, its test accuracy."""
    table, rng = FULL["momentum"], np.random.default_rng(0)
    validation, test = table.final("validation_accuracy"), table.final("test_accuracy")

    def mean_of(draw):
        scores = []
        for i in range(1500):
            tried = draw()
            chosen = tried[np.nan_to_num(validation[tried, i % 6]).argmax()]
            scores.append(test[chosen, i % 6])
        return np.mean(scores)

    def grid(n):
        return lambda: ((np.arange(n) + rng.random()) / n * 49).astype(int)

    at_random = {n: mean_of(lambda n=n: rng.integers(0, 49, n)) for n in (4, 9)}
    return at_random[4] > mean_of(grid(4)), at_random[9] > mean_of(grid(3))


# --- what moves the best rate --------------------------------------------------------------------


@judges("000-C5", "004-L1")
def test_data_batch_and_rule_move_the_best_rate():
    units = best("inputs x 1/4", "train_loss") / best("inputs x 4", "train_loss")
    amounts = best("1000 examples", "test_loss") / best("40 examples", "test_loss")
    sizes = [BATCHES[f"batch {n}, equal steps"].best("test_loss").lr for n in (512, 1)]
    basins = [FULL[name].basin("test_accuracy", 0.02) for name in ("momentum", "adam")]
    rules = np.sqrt(basins[0].low * basins[0].high / (basins[1].low * basins[1].high))
    return units > 3 and amounts > 3 and sizes[0] > 3 * sizes[1] and rules > 3


@judges("004-C5")
def test_a_harder_task_lowers_the_rate_that_generalizes_best():
    two, ten = (
        [best(f"{n} classes", f"{part}_loss") for part in ("train", "test")] for n in (2, 10)
    )
    return ten[0] < 0.5 * two[0] and ten[1] < 0.5 * two[1], ten[1] < 0.5 * two[1]


@judges("004-C13")
def test_a_harder_task_does_not_ask_for_a_larger_rate():
    parts = ("train_loss", "test_loss")
    return any(best("10 classes", part) > 1.5 * best("2 classes", part) for part in parts)


@judges("004-C14")
def test_with_squared_error_a_network_bears_larger_rates_than_a_line():
    grid, top = np.geomspace(0.01, 30, 13), {}
    for loss in ("mse", "cross_entropy"):
        for hidden in ((), (64,)):
            run = sweep(grid, range(2), hidden=hidden, loss=loss, batch_size=32, steps=400,
                        evaluate_on=("test",))  # fmt: skip
            top[loss, len(hidden)] = run.basin("test_accuracy", 0.02).high
    larger = {loss: top[loss, 1] > 1.5 * top[loss, 0] for loss in ("mse", "cross_entropy")}
    return all(larger.values()), larger["mse"]


@judges("004-C15")
def test_few_examples_want_a_small_rate_by_the_loss_at_fixed_updates():
    by = {
        metric: best("1000 examples", metric) / best("40 examples", metric)
        for metric in ("test_loss", "test_accuracy")
    }
    return min(by.values()) > 5, by["test_loss"] > 5


@judges("004-C16")
def test_single_examples_bear_smaller_rates():
    """The largest rate whose training loss is below half of that of guessing."""

    def limit(name):
        table = BATCHES[name]
        return table.lrs[np.nan_to_num(table.mean("train_loss"), nan=9) < 0.5 * np.log(10)].max()

    return any(
        limit(f"batch 1, equal {b}") > limit(f"batch 512, equal {b}") for b in ("steps", "epochs")
    )


# --- regularization ------------------------------------------------------------------------------


def at_equal_training_loss(name, large, small):
    table = GAPS[name]
    values = table.final("test_loss at level")
    return estimate(values[table.nearest(large)] - values[table.nearest(small)])


@judges("000-C17")
def test_a_small_rate_is_above_all_late():
    right = at_equal_training_loss("noise 0, L2 0", 0.46, 0.046)
    wrong = at_equal_training_loss("noise 0.2, L2 0", 0.46, 0.215)
    table = GAPS["noise 0, L2 0"]
    gap = (table.final("test_loss") - table.final("train_loss")).mean(axis=1)[table.lrs < 1.1]
    return right.low > 0 and wrong.low > 0, (np.diff(gap) > 0).all()


@judges("000-C29")
def test_only_near_the_cliff_is_a_large_rate_worse_with_either_labels():
    right = [at_equal_training_loss("noise 0, L2 0", lr, 0.215) for lr in (0.46, 1.0)]
    wrong = [at_equal_training_loss("noise 0.2, L2 0", lr, 0.215) for lr in (0.46, 1.0)]
    return right[0].low > 0 and wrong[0].low > 0, right[1].low > 0 and wrong[1].low > 0


@judges("000-C19")
def test_with_decay_larger_rates_are_good():
    table = GAPS["noise 0, L2 0.001"]
    columns = [t.mean("validation_loss") for n, t in MAP.items() if n.startswith("gradient")]
    loss = np.nan_to_num(np.stack(columns, axis=1), nan=9)
    good = loss <= loss.min() + 0.05
    bare, decayed = (np.flatnonzero(rows).max() for rows in (good[:, 0], good.any(axis=1)))
    return table.best("test_accuracy").lr > 0.1 and decayed >= bare + 2


@judges("000-C22")
def test_decay_limits_the_fit_and_lowers_the_held_out_loss():
    tables = [t for name, t in MAP.items() if name.startswith("gradient")]
    row = tables[0].nearest(0.3)
    fit = [t.mean("train_loss")[row] for t in tables]
    held_out = [t.mean("validation_loss")[row] for t in tables]
    return (np.diff(fit) > 0).all() and held_out[3] < held_out[0]


def softmax_regression(l1=0.0, l2=0.0, proximal=False):
    """The weights after 2000 steps at 0.5 on all digits, as in A.4."""
    x, y = digits().train.x.astype(float), np.eye(10)[digits().train.y]
    w, b = np.zeros((64, 10)), np.zeros(10)
    for _ in range(2000):
        p = np.exp(x @ w + b)
        error = (p / p.sum(axis=1, keepdims=True) - y) / len(x)
        w = w - 0.5 * (x.T @ error + 2 * l2 * w + (0 if proximal else l1 * np.sign(w)))
        if proximal:
            w = np.sign(w) * np.maximum(np.abs(w) - 0.5 * l1, 0)
        b = b - 0.5 * error.sum(axis=0)
    return w


@judges("000-C23")
def test_l1_makes_zeros_by_a_proximal_step():
    blank = (digits().train.x == 0).all(axis=0).mean()
    zeros = [(softmax_regression(l1=0.003, proximal=p) == 0).mean() for p in (False, True)]
    return zeros[0] > blank + 0.01, zeros[1] > 0.5


@judges("000-C24")
def test_l2_makes_weights_small_and_not_zero():
    blank = (digits().train.x == 0).all(axis=0)
    none, some = (softmax_regression(l2=l2)[~blank] for l2 in (0.0, 0.01))
    return np.median(abs(some)) < 0.5 * np.median(abs(none)) and (some != 0).all()


@judges("000-C26")
def test_both_penalties_have_gradients_for_weights_and_biases():
    layer = nn.Linear(64, 10)
    parts = [layer.weight, layer.bias]
    sum(0.01 * (p**2).sum() + 0.003 * p.abs().sum() for p in parts).backward()
    return all(torch.allclose(p.grad, 0.02 * p + 0.003 * p.sign()) for p in parts)


@judges("000-E4")
def test_the_regularized_layer_in_pytorch():
    """Keras adds 0.01 Σw², so weight_decay is 0.02, and the biases are in another group."""
    layer = nn.Linear(100, 64)
    before = layer.weight.detach().clone()
    groups = [{"params": [layer.weight], "weight_decay": 0.02}, {"params": [layer.bias]}]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    (0 * layer(torch.zeros(1, 100)).sum()).backward()
    optimizer.step()
    penalty = before.requires_grad_()
    (0.01 * (penalty**2).sum()).backward()
    return torch.allclose(layer.weight, before - 0.1 * penalty.grad)


@judges("000-C25")
def test_batch_normalization_above_all_makes_large_rates_usable():
    data, reached = digits(), {}
    for normalized in (False, True):
        for lr in (0.1, 3.0):
            linear = [part for part in mlp((64, 64, 64, 10), seed=0) if isinstance(part, nn.Linear)]
            extra = [[nn.BatchNorm1d(64)] if normalized else [] for _ in linear[:-1]]
            hidden = zip(linear, extra)
            parts = [p for one, more in hidden for p in (one, *more, nn.ReLU())]
            model = nn.Sequential(*parts, linear[-1])
            train(model, data, schedule=lr, steps=300, batch_size=32, seed=0)
            reached[normalized, lr] = accuracy(model, data.test)
    wider = reached[True, 3.0] > 0.9 > 0.5 > reached[False, 3.0]
    return not wider, wider
