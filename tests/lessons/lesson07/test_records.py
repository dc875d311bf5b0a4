"""The records of lesson 7: what a row of each says when it is trained again; the job's rules."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from course_utils.experiments import range_test
from course_utils.experiments.datasets import digits, synthetic_cifar100
from course_utils.experiments.models import mlp
from course_utils.experiments.sweep import sweep
from course_utils.experiments.table import load
from course_utils.lessons.lesson07 import job, records

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
RESULTS = NOTEBOOKS / "results"


@pytest.mark.parametrize(
    ("file", "table", "settings"),
    [
        ("07_table", "adam", {"data": digits(n_train=800), "optimizer": records.RULES["adam"],
                              "batch_size": 32, "epochs": 10}),
        ("07_cases", "plain gradient descent, 3 epochs",
         records.cases()["plain gradient descent, 3 epochs"] | {"batch_size": 32}),
        ("07_tasks", "5 classes",
         {"data": records.tasks()["5 classes"][0], "batch_size": 30, "steps": 400}),
        ("07_batch_sizes", "batch 64, equal steps",
         {"data": digits().subset(512), "batch_size": 64, "steps": 600}),
        ("07_map", "AdamW, decay 0.1",
         {"data": digits().subset(200).with_label_noise(0.2, seed=7), "batch_size": 20,
          "steps": 1500, "optimizer": records.AdamW(weight_decay=0.1)}),
    ],
)  # fmt: skip
def test_a_row_trained_again_gives_the_record(file, table, settings):
    recorded = load(RESULTS / f"{file}.json")[table]
    row = len(recorded.lrs) // 2 - 2
    metrics = [name for name in recorded.metrics if name.endswith("loss")]
    parts = [name.removesuffix("_loss") for name in metrics]
    run = sweep(recorded.lrs[[row]], recorded.seeds[:2], evaluate_on=parts, **settings)
    for metric in metrics:
        found = run.final(metric)[0]
        np.testing.assert_allclose(found, recorded.final(metric)[row, :2], rtol=5e-3, atol=1e-3)


def test_level_is_where_a_line_in_the_logarithm_crosses_it():
    class Made:
        metrics = {
            "train_loss": np.array([[[1.0, 0.1, 0.01], [1.0, 0.9, 0.8]]]),
            "test_loss": np.array([[[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]]]),
        }

    found = records.at_level(Made, "test_loss", level=0.1 * math.sqrt(0.1))
    assert found[0, 0] == pytest.approx(1.5) and math.isnan(found[0, 1])


def test_a_run_that_still_guesses_is_stopped_and_a_learning_one_is_not(tmp_path, monkeypatch):
    synthetic_cifar100(tmp_path, n_train=300, n_test=20)
    data = job.cifar100(tmp_path, download=False, n_validation=100)
    monkeypatch.setattr(job, "STOP_AT", 3)
    dead = job.run(data, 30.0, seed=0, steps=6)
    late = job.run(data, 1e-9, seed=0, steps=6)
    assert dead["updates"] == late["updates"] == 3
    monkeypatch.setattr(job, "math", SimpleNamespace(log=lambda classes: 9.0))  # all know more
    whole = job.run(data, 1e-9, seed=0, steps=6, warmup=2, judge="test")
    assert whole["updates"] == 6 and whole["test_loss"] == pytest.approx(math.log(100), abs=0.05)


def test_the_log_has_the_runs_of_the_plan_and_no_other():
    log = load(RESULTS / "07_job.json")
    assert list(log) == [*job.TESTS, *job.RUNS]
    for name, (_, peaks, seeds) in job.RUNS.items():
        assert log[name].lrs.tolist() == list(peaks) and log[name].seeds.tolist() == list(seeds)
        assert log[name].meta["data"] == "CIFAR-100, 5000 held out"


def test_a_beginning_is_the_first_part_of_the_run(tmp_path):
    """One that still guesses costs `run` 100 updates, and `begin` says the same of it."""
    synthetic_cifar100(tmp_path, n_train=120, n_test=20)
    data = job.cifar100(tmp_path, download=False, n_validation=40)
    stopped = job.run(data, 1e-8, seed=3, warmup=60)
    begun = job.begin(data, 1e-8, seed=3, warmup=60)
    assert stopped["updates"] == 100 and begun["alive"] == 0
    assert begun["validation_loss"] == stopped["validation_loss"]


def test_survival_agrees_with_the_log_where_both_began_the_same_run():
    log, found = (load(RESULTS / f"07_{name}.json") for name in ("job", "survival"))
    for name, table in log.items():
        for i, lr in enumerate(table.lrs if name in found else ()):
            if lr in found[name].lrs:
                alive = found[name].final("alive")[found[name].nearest(lr), 0]
                assert alive == (table.final("updates")[i, 0] == job.STEPS)


def test_the_range_test_of_the_notebook_is_the_library_s():
    cells = json.loads((NOTEBOOKS / "07_choosing_a_learning_rate.ipynb").read_text())["cells"]
    sources, names = ["".join(cell["source"]) for cell in cells], {"np": np}
    for start in ("import copy", "def range_test"):
        exec(next(source for source in sources if source.startswith(start)), names)
    data, model = digits(n_train=800), mlp((64, 64, 10), seed=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)
    lr, _, smoothed = names["range_test"](model, data, optimizer)
    library = range_test.range_test(model, data, optimizer="momentum", seed=0)
    np.testing.assert_array_equal(lr, library.lr)
    np.testing.assert_allclose(smoothed, library.smoothed, rtol=1e-5)


def test_the_rules_of_the_notebook_are_those_of_the_library():
    cells = json.loads((NOTEBOOKS / "07_choosing_a_learning_rate.ipynb").read_text())["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    names = {"np": np}
    for start in ("def minimum_over_ten", "def read"):
        exec(next(source for source in sources if source.startswith(start)), names)
    rng = np.random.default_rng(0)
    for _ in range(20):
        values = np.concatenate([np.linspace(3, 1, 40), np.linspace(1, 9, 20)])
        values += 0.2 * rng.standard_normal(60)
        test = range_test.RangeTest(np.geomspace(1e-5, 10, 60), values, values, 3.0, "")
        for rule in ("minimum_over_ten", "steepest"):
            assert names["read"](test, names[rule]) == getattr(range_test, rule)(test)
    flat = range_test.RangeTest(test.lr, values, 3 + 0.01 * values, 3.0, "")
    assert names["read"](flat, names["steepest"]) is None
