"""The experiments of lesson 7 measure what they say, and their records meet the acceptance."""

from __future__ import annotations

import itertools
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from course_utils.experiments.datasets import digits
from course_utils.experiments.models import mlp
from course_utils.experiments.range_test import RULES, range_test
from course_utils.experiments.sweep import sweep
from course_utils.lessons.lesson07 import studies as C
from course_utils.optimizers import Adam

RESULTS = Path(__file__).parents[3] / "notebooks" / "results"


def small(**metrics):
    """A table of 4 rates and 1 seed."""
    columns = {
        name: np.array(values, dtype=float)[:, np.newaxis] for name, values in metrics.items()
    }
    return C.Table([0.01, 0.1, 1.0, 10.0], [0], columns)


# --- The code -------------------------------------------------------------------------------------


def test_table_reads_best_edge_window_and_limit():
    table = small(test_loss=[2.0, 0.5, 0.6, math.nan], test_accuracy=[0.1, 0.6, 0.9, math.nan])
    assert (table.best("test_loss"), table.best("test_accuracy")) == (1, 2)
    assert table.edge("test_loss") is None
    assert table.window("test_loss", 0.2) == (0.1, 1.0)
    assert table.window("test_accuracy", 0.2) == (1.0, 1.0)
    assert table.limit("test_loss", 0.55) == 0.1 and table.limit("test_loss", 3) == 1.0
    assert small(a=[1, 2, 3, 4]).edge("a") == "low" and small(a=[4, 3, 2, 1]).edge("a") == "high"


def test_table_with_one_seed_lost_does_not_win():
    table = C.Table([0.1, 1.0], [0, 1], {"test_loss": [[3.0, 3.0], [0.0, math.nan]]})
    assert table.best("test_loss") == 0


def test_arms_are_sweeps_with_the_stated_settings():
    """Each study against a sweep that is written out here."""
    parts = ("train", "validation", "test")
    expected = {
        "batch": sweep([0.1], [2], data=digits().subset(64), batch_size=16, steps=5,
                       evaluate_on=parts),
        "epochs": sweep([0.1], [2], data=digits().subset(64), batch_size=16, epochs=2,
                        evaluate_on=parts),
        "task": sweep([0.1], [2], data=digits().scaled(4).subset(60), batch_size=30, steps=5,
                      evaluate_on=parts),
        "amount": sweep([0.1], [2], data=digits().subset(40), batch_size=20, steps=5,
                        evaluate_on=parts),
        "table": sweep([0.1], [2], data=digits(1, n_train=800), batch_size=32, epochs=1,
                       optimizer=Adam(), evaluate_on=parts),
    }  # fmt: skip
    found = {
        "batch": C.batch_sizes([16], "steps", [0.1], [2], n=64, amount=5)["batch 16"],
        "epochs": C.batch_sizes([16], "epochs", [0.1], [2], n=64, amount=2)["batch 16"],
        "task": C.tasks([0.1], [2], n=60, steps=5)["inputs x 4"],
        "amount": C.amounts([40], [0.1], [2], steps=5)["40 examples"],
        "table": C.table([0.1], [2], epochs=1, split=1)["adam"],
    }
    for name, table in found.items():
        for metric in ("train_loss", "validation_accuracy", "test_loss"):
            np.testing.assert_allclose(table.metrics[metric], expected[name].final(metric))


def test_clock_gives_every_rate_the_same_area():
    table = C.clock([0.1, 0.25, 0.5], [0], area=2.0)["200 images"]
    np.testing.assert_allclose(table.lrs * table.metrics["steps"][:, 0], 2.0)
    loss = table.mean("train_loss")
    assert loss.std() / loss.mean() < 0.01


def test_gap_compares_at_equal_training_loss():
    """The level is crossed between two measurements, and the values lie between theirs."""
    table = C.gap([0.01, 0.1, 0.4], [0, 1], [0.0], [0.0], steps=200, every=10, level=1.5)
    table = table["noise 0, L2 0"]
    trained = sweep([0.1], [1], data=digits().subset(200), batch_size=20, steps=200,
                    evaluate_every=10, evaluate_on=("train", "test"))  # fmt: skip
    loss = trained.metrics["train_loss"][0, 0]
    after = int(np.argmax(loss < 1.5))
    step = table.metrics["step at level"][1, 1]
    assert 10 * (after - 1) <= step <= 10 * after
    near = trained.metrics["test_loss"][0, 0, after - 1 : after + 1]
    assert near.min() <= table.metrics["test_loss at level"][1, 1] <= near.max()
    fast = table.metrics["step at level"]
    assert (fast[2] < fast[1]).all()  # a larger rate is there earlier
    assert np.isnan(fast[0]).all()  # this one never comes there
    np.testing.assert_array_equal(table.metrics["train_loss"], table.metrics["train_loss at 300"])


def test_pick_chooses_on_validation_and_reports_test():
    table = small(
        validation_accuracy=[0.5, 0.9, 0.9, math.nan],
        validation_loss=[1.0, 0.4, 0.3, math.nan],
        test_accuracy=[0.99, 0.7, 0.8, math.nan],
    )
    for candidates, expected in [
        ([0], 0.99), ([0, 1], 0.7), ([1, 2], 0.8), ([2, 1, 0], 0.8), ([3, 0], 0.99), ([3], 0.0),
    ]:  # fmt: skip
        assert C.pick(table, np.array(candidates), 0) == expected


def tables_of(accuracy):
    return C.Table(
        np.geomspace(1e-3, 1, len(accuracy)),
        [0],
        {
            name: np.array(accuracy, dtype=float)[:, np.newaxis] * sign
            for name, sign in
            [("validation_accuracy", 1), ("validation_loss", -1), ("test_accuracy", 1)]
        },
    )  # fmt: skip


def test_simulated_searches_have_the_expectation_that_counting_gives():
    """All 5^2 random searches and all phases of a grid, counted by hand."""
    accuracy = [0.1, 0.2, 0.9, 0.4, 0.3]
    table = tables_of(accuracy)
    pairs = [max(pair) for pair in itertools.product(accuracy, repeat=2)]
    random = C.simulate(table, "random", 2, draws=20000)
    assert random.mean() == pytest.approx(np.mean(pairs), abs=4 * np.std(pairs) / 20000**0.5)
    # With a phase in [0, 1) the two points of a grid are floor(2.5 u) and floor(2.5 (1 + u)).
    phases = (np.arange(10000) + 0.5) / 10000
    grid = [max(accuracy[int(2.5 * u)], accuracy[int(2.5 * (1 + u))]) for u in phases]
    found = C.simulate(table, "grid", 2, draws=20000)
    assert found.mean() == pytest.approx(np.mean(grid), abs=4 * np.std(grid) / 20000**0.5)


def test_idle_axis_costs_the_grid_and_not_the_random_search():
    table = tables_of(np.linspace(0, 1, 49) ** 8)
    nine = {axes: C.simulate(table, "grid", 9, axes=axes).mean() for axes in (1, 2)}
    assert nine[2] == pytest.approx(C.simulate(table, "grid", 3).mean())
    assert nine[2] < nine[1]
    random = [C.simulate(table, "random", 9, axes=axes) for axes in (1, 2)]
    np.testing.assert_array_equal(*random)


def test_accuracy_at_is_linear_on_the_log_axis():
    table = small(test_accuracy=[0.1, 0.3, 0.5, math.nan])
    found = C.accuracy_at(table, [1e-5, 0.01, 0.1 * 10**0.5, 10.0, 1e3])
    np.testing.assert_allclose(found, [0.1, 0.1, 0.4, 0.0, 0.0])


def test_proximal_step_arrives_at_the_minimizer():
    """The conditions of Karush, Kuhn and Tucker: |g| <= l1 where w = 0, else g = -l1 sign(w)."""
    l1, data = 0.01, digits()
    w, b = C._weights(1.0, l1, 0.0, True, 1500)
    x = data.train.x.astype(float)
    p = np.exp(x @ w + b)
    p /= p.sum(axis=1, keepdims=True)
    gradient = x.T @ (p - np.eye(10)[data.train.y]) / len(x)
    assert 0.7 < (w == 0).mean() < 1
    assert (np.abs(gradient[w == 0]) <= l1 * 1.001).all()
    np.testing.assert_allclose(gradient[w != 0], -l1 * np.sign(w[w != 0]), atol=l1 * 0.05)
    assert np.abs(w[0]).max() == 0  # a pixel that is always off: no gradient, whatever the rule
    subgradient, _ = C._weights(1.0, l1, 0.0, False, 300)
    assert (subgradient == 0).mean() == 0.0625 == (x.max(axis=0) == 0).mean()


def test_three_kinds_of_layers_begin_with_the_same_weights():
    networks = {name: C._network(name, 3) for name in C.LAYERS}
    firsts = [[p for p in n.parameters() if p.ndim == 2] for n in networks.values()]
    for weights in zip(*firsts):
        assert all((weight == weights[0]).all() for weight in weights)
    assert len(networks["dropout"]) == len(networks["batch normalization"]) == 7
    found = C.layers([0.1, 1e6], [0], steps=3)
    assert found["plain"].metrics["test_accuracy"].shape == (2, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: C.batch_sizes(budget="hours"), "budget must be one of 'steps', 'epochs'"),
        (lambda: C.clock(area=0), "area must be greater than 0"),
        (lambda: C.clock([0.0]), "lrs must be greater than 0"),
        (lambda: C.gap(level=-1), "level must be greater than 0"),
        (lambda: C.zeros([-1]), "lrs must be greater than 0"),
        (lambda: C.zeros(steps=0), "steps must be 1 or greater"),
        (lambda: C.simulate(small(), "tpe", 3), "kind must be one of 'grid', 'random'"),
        (lambda: C.simulate(small(), "grid", 0), "n must be 1 or greater"),
        (lambda: C.simulate(small(), "grid", 8, axes=2), r"n must be a power k\^2"),
        (lambda: C.simulate(small(), "random", 8, draws=0), "draws must be 1 or greater"),
        (lambda: C.record("nothing", "."), "study must be one of .*got 'nothing'"),
        (lambda: C.record("table", "no/such"), "folder must exist, got 'no/such'"),
        (lambda: small().mean("loss"), "name must be one of"),
        (lambda: small(a=[math.nan] * 4).best("a"), "name must be a metric with a finite mean"),
        (lambda: small(a=[1, 2, 3, 4]).limit("a", 1), "bound must be above the smallest mean"),
        (lambda: small(a=[1, 2, 3, 4]).window("a", -1), "tolerance must be 0 or greater"),
        (lambda: small(a=[1, 2]), r"metrics\['a'\] must have shape \(4, 1\), got \(2, 1\)"),
    ],
)
def test_bad_arguments_are_refused_before_any_work(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_record_is_read_back(tmp_path, monkeypatch):
    study = lambda: {"arm": small(test_loss=[1.234567, 2.0, math.nan, math.inf])}  # noqa: E731
    monkeypatch.setattr(C, "STUDIES", {"tiny": study})
    C.record_all([str(tmp_path)])
    found = C.load(tmp_path / "07_tiny.json")["arm"]
    np.testing.assert_array_equal(found.metrics["test_loss"][:, 0], [1.2346, 2, np.nan, np.nan])
    provenance = found.meta["provenance"]
    assert provenance["command"] == "python -m course_utils.lessons.lesson07.studies results tiny"
    assert {"date", "torch", "numpy", "python", "course_utils", "cpu_seconds"} <= set(provenance)
    json.loads((tmp_path / "07_tiny.json").read_text(), parse_constant=pytest.fail)


# --- The records ----------------------------------------------------------------------------------


class Recorded(dict):
    """The records, each read when it is asked for."""

    def __missing__(self, study):
        path = RESULTS / f"07_{study}.json"
        if not path.exists():
            pytest.skip(f"to be recorded: {C.COMMAND} {study}")
        self[study] = C.load(path)
        return self[study]


@pytest.fixture(scope="module")
def recorded():
    return Recorded()


def rank_correlation(x, y):
    """Spearman's: the correlation of the ranks."""
    ranks = [np.argsort(np.argsort(values)) for values in (x, y)]
    return np.corrcoef(*ranks)[0, 1]


@pytest.mark.parametrize("study", C.STUDIES)
def test_records_are_complete_small_and_say_where_they_come_from(recorded, study):
    tables = recorded[study]
    assert (RESULTS / f"07_{study}.json").stat().st_size < 200_000
    for table in tables.values():
        command = table.meta["provenance"]["command"]
        assert re.fullmatch(rf"python -m course_utils\.\S+ results {study}", command)
        assert (np.diff(table.lrs) > 0).all() and table.metrics
        for values in table.metrics.values():
            assert values.shape == (len(table.lrs), len(table.seeds))


def test_grid_wins_on_one_axis_and_random_on_two(recorded):
    for table in recorded["table"].values():
        assert table.edge("test_accuracy") is None
        for n in (2, 3, 4, 6, 8):
            grid, random = (C.simulate(table, kind, n, draws=500) for kind in ("grid", "random"))
            assert grid.mean() > random.mean() + 0.005
        grid = C.simulate(table, "grid", 9, draws=500, axes=2)
        random = C.simulate(table, "random", 9, draws=500, axes=2)
        assert random.mean() > grid.mean() + 0.003


def range_tests(method, seeds):
    """Rule -> the rates that it reads off range tests on the data of the table."""
    tests = [
        range_test(mlp((64, 64, 10), seed=s), digits(n_train=800), optimizer=method, seed=s)
        for s in seeds
    ]
    return {name: np.array([rule(test) for test in tests]) for name, rule in RULES.items()}


def test_range_test_is_close_to_the_oracle_with_one_rule(recorded):
    for method, table in recorded["table"].items():
        oracle = table.mean("test_accuracy").max()
        rates = range_tests(method, range(3))
        assert C.accuracy_at(table, rates["minimum / 10"]).mean() > oracle - 0.015
        assert oracle > 0.95
    momentum = recorded["table"]["momentum"]
    steep = C.accuracy_at(momentum, range_tests("momentum", range(3))["steepest"])
    assert steep.mean() < momentum.mean("test_accuracy").max() - 0.015


def test_default_rate_of_adam_loses_at_a_short_budget(recorded):
    table = recorded["table"]["adam"]
    lost = table.mean("test_accuracy").max() - C.accuracy_at(table, 1e-3)
    assert 0.03 < lost < 0.09
    windows = {
        name: table.lrs[table.mean("test_accuracy") >= 0.9]
        for name, table in recorded["table"].items()
    }
    decades = {name: math.log10(rates[-1] / rates[0]) for name, rates in windows.items()}
    assert decades["adam"] > decades["momentum"] + 0.2


def test_only_proximal_steps_make_weights_zero(recorded):
    zeros = {name: table.mean("zeros") for name, table in recorded["zeros"].items()}
    assert (zeros.pop("L1, proximal") > 0.5).all()
    assert all((fraction <= 0.07).all() for fraction in zeros.values())
    size = recorded["zeros"]["L1"].mean("size")
    assert size[1] / size[0] == pytest.approx(10, rel=0.5)  # as the rates: 0.5 and 0.05


def test_limit_of_the_rate_falls_with_the_batch(recorded):
    for budget in ("steps", "epochs"):
        tables = [recorded["batch_sizes"][f"batch {b}, equal {budget}"] for b in (512, 64, 8, 1)]
        limits = [table.limit("train_loss", 2.0) for table in tables]
        assert limits == sorted(limits, reverse=True) and limits[0] >= 3.9 * limits[-1]


def test_scale_moves_the_best_rate_and_difficulty_does_not(recorded):
    best = {n: t.lrs[t.best("train_loss")] for n, t in recorded["tasks"].items()}
    assert not any(table.edge("train_loss") for table in recorded["tasks"].values())
    counts = [best[f"{k} classes"] for k in (2, 5, 10)]
    assert max(counts) / min(counts) < 2.2
    assert best["inputs x 1/4"] / best["inputs x 4"] > 3


def test_best_rate_by_test_loss_grows_with_the_amount_of_data(recorded):
    tables = [recorded["amounts"][f"{n} examples"] for n in (40, 100, 300, 1000)]
    best = [table.lrs[table.best("test_loss")] for table in tables]
    assert best == sorted(best) and best[-1] > 5 * best[0]


def test_rate_is_a_clock(recorded):
    table = recorded["clock"]["200 images"]
    slow = (table.lrs >= 0.005) & (table.lrs <= 0.2)
    for name in ("train_loss", "test_loss"):
        mean = table.mean(name)[slow]
        assert (mean.max() - mean.min()) / mean.mean() < 0.01
    np.testing.assert_allclose(table.lrs * table.mean("steps"), table.meta["area"])


def test_small_rate_does_not_regularize(recorded):
    table = recorded["gap"]["noise 0, L2 0"]
    usable = table.lrs <= 1.001
    width = (table.mean("test_loss") - table.mean("train_loss"))[usable]
    assert rank_correlation(table.lrs[usable], width) > 0.9
    low = table.lrs <= 0.1001
    assert rank_correlation(table.lrs[low], table.mean("test_accuracy")[low]) > 0.8
    middle = (table.lrs > 0.045) & (table.lrs < 0.47)
    at_level = table.mean("test_loss at level")[middle]
    assert len(at_level) == 4 and at_level.max() / at_level.min() < 1.06


def test_larger_rate_is_better_with_wrong_labels(recorded):
    table = recorded["gap"]["noise 0.2, L2 0"]
    larger, smaller = (np.abs(table.lrs - rate).argmin() for rate in (0.464, 0.215))
    loss = table.metrics["test_loss at level"]
    difference = loss[smaller] - loss[larger]
    difference = difference[np.isfinite(difference)]
    assert len(difference) >= 6
    assert difference.mean() > 2 * difference.std(ddof=1) / math.sqrt(len(difference))


def test_batch_normalization_widens_the_window(recorded):
    decades = {}
    for name in ("plain", "batch normalization"):
        table = recorded["layers"][name]
        rates = table.lrs[table.mean("test_accuracy") >= 0.95]
        decades[name] = math.log10(rates[-1] / rates[0])
    assert decades["batch normalization"] >= decades["plain"] + 1.5
