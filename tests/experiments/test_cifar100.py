"""The experiment of lesson 6 at a tiny size: what it runs, how it is kept, how it goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from course_utils import views
from course_utils.experiments import cifar100 as experiment
from course_utils.experiments import cifar_files, cifar_runs
from course_utils.experiments.cifar100 import (
    fingerprint,
    left,
    load,
    main,
    record,
    record_run,
    recorded,
)
from course_utils.experiments.cifar_plans import GROUPS, PEAKS, SCHEDULES, plans
from course_utils.experiments.cifar_runs import Plan, Result, add, grid, select
from course_utils.experiments.datasets import cifar100, digits, synthetic_cifar100
from course_utils.experiments.diagnostics import dead_fractions
from course_utils.experiments.evaluation import evaluate
from course_utils.experiments.table import Table
from course_utils.experiments.training import train
from course_utils.run import Run

RESULTS = Path(__file__).parents[2] / "notebooks" / "results"


def tiny_cnn(seed, width=1.0):
    torch.manual_seed(seed)
    n = int(4 * width)
    return nn.Sequential(
        nn.Conv2d(3, n, 3, stride=8), nn.ReLU(), nn.Flatten(), nn.Linear(16 * n, 100)
    )


FEW = [
    Plan("dead", 0.1, 0, 1, measure="dead", steps=10),
    Plan("article", 0.01, 0, 3, precision="bfloat16"),
    Plan("article", 0.02, 0, 2, width=0.5),
    Plan("schedules", 0.01, 0, 2, schedule="cosine"),
    Plan("rates", 0.01, 0, 1, held_out=16),
]


def shrink(set_to):
    """A network, batches and plans that fit the synthetic data."""
    set_to(experiment, "SevenLayerCNN", tiny_cnn)
    set_to(experiment, "BATCH_SIZE", 8)
    set_to(experiment, "PROBE", 16)
    set_to(experiment, "plans", lambda: FEW)


@pytest.fixture(autouse=True)
def small(monkeypatch, root):
    shrink(monkeypatch.setattr)
    monkeypatch.setenv(cifar_files.VARIABLE, str(root))
    monkeypatch.setattr(torch, "set_num_threads", lambda n: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    synthetic_cifar100(folder, n_train=48, n_test=16)
    return folder


# --- the plans ---------------------------------------------------------------------------------


def test_the_plans_hold_what_the_lesson_needs_most_valuable_first():
    listed = plans()
    names = [plan.name for plan in listed]
    assert len(set(names)) == len(names) == len(set(listed))
    assert {plan.group for plan in listed} == set(GROUPS)
    assert {plan.schedule for plan in listed} == set(SCHEDULES)
    survival = [p for p in listed if p.steps == 200 and p.width == 1]
    assert listed[:30] == survival[:30]  # ahead of all; more seeds at the end
    for lr in (3e-3, 4.4e-3, 6.25e-3, 8e-3, 1e-2):
        assert {p.seed for p in survival if p.lr == lr} == set(range(10))
    article = [p for p in listed if p.group == "article" and p.width == 1]
    for lr in (6.25e-5, 3e-4, 1e-3):
        runs = [p for p in article if p.lr == lr]
        assert [p.seed for p in runs] == [0, 1, 2, 3, 4] and {p.epochs for p in runs} == {15}
    assert {(p.lr, p.epochs) for p in article if p.lr > 1e-3} == {(6.25e-3, 5), (1e-1, 2)}
    schedules = [p for p in listed if p.group == "schedules" and p.width == 1]
    arms = {(name, lr, seed) for name in PEAKS for lr in PEAKS[name] for seed in range(3)}
    assert {(p.schedule, p.lr, p.seed) for p in schedules} == arms
    assert [p.schedule for p in schedules[: len(PEAKS)]] == list(PEAKS)
    for plan in listed:  # the name and the plan say both
        assert f"-{plan.precision}" in plan.name
        assert plan.name.endswith("-width0.25") == (plan.width == 0.25)
        wide = plan.width == 1 and plan.measure != "dead"
        assert plan.precision == ("bfloat16" if wide else "float32")
        assert plan.held_out == (5000 if plan.group in ("rates", "momentum") else 0)


def test_the_run_of_a_narrower_network_trains_it():
    plan, data = Plan("rates", 1e-3, 0, 1, width=0.5), cifar100()
    network = tiny_cnn(0, 0.5)
    run = train(network, data, optimizer="adam", schedule=1e-3, epochs=1, batch_size=8)
    assert record_run(plan, data).final_loss == pytest.approx(run.final_loss)


def test_schedules_start_and_end_where_they_should():
    steps, epoch = 1000, 100
    end = {name: make(0.1, steps, epoch).rates(steps) for name, make in SCHEDULES.items()}
    assert all(rates.max() == pytest.approx(0.1) for rates in end.values())
    assert end["warm-up"][199] < 0.1 and (end["warm-up"][200:] == 0.1).all()
    assert end["warm-up"][0] == end["warm-up, cosine"][0] == pytest.approx(0.1 / 200)
    for name in ("cosine", "one-cycle", "warm-up, cosine"):
        assert end[name][-1] < 1e-5, name


# --- one run -----------------------------------------------------------------------------------


def result(plan, metrics):
    metrics = {"step": np.arange(2)} | {k: np.array(v) for k, v in metrics.items()}
    one = np.zeros(1)
    return Result(plan, np.zeros(1, int), one, one, one, metrics, 0.0, False, {})


def test_a_run_is_the_training_that_its_plan_names(root):
    data = cifar100(root)
    plan = Plan("article", 0.01, seed=3, epochs=4, schedule="cosine", optimizer="momentum")
    found = record_run(plan, data)
    model = tiny_cnn(3)
    schedule = SCHEDULES["cosine"](0.01, 24, 6)
    run = train(
        model, data, optimizer="momentum", schedule=schedule, epochs=4, batch_size=8, seed=3
    )  # fmt: skip
    np.testing.assert_array_equal(found.step, np.arange(24))  # 6 updates per epoch: every one
    np.testing.assert_array_equal(found.lr, schedule(np.arange(24)))
    np.testing.assert_array_equal(found.loss, run.loss)
    np.testing.assert_allclose(found.epoch_loss, run.loss.reshape(4, 6).mean(axis=1))
    assert found.metrics["step"].tolist() == [0, 6, 12, 18, 24]
    assert found.final("test_loss") == evaluate(model, data.test)[0]
    assert found.final("test_accuracy") == evaluate(model, data.test)[1]
    assert found.final_loss == run.final_loss and not found.diverged


def test_long_epochs_are_thinned_to_ten_points_each(root, monkeypatch):
    monkeypatch.setattr(experiment, "BATCH_SIZE", 2)  # 24 updates per epoch
    data = cifar100(root)
    found = record_run(Plan("article", 0.01, 0, epochs=2), data)
    run = train(tiny_cnn(0), data, optimizer="adam", schedule=0.01, epochs=2, batch_size=2)
    assert found.step.tolist() == list(range(0, 48, 2))
    np.testing.assert_allclose(found.loss, run.loss.reshape(-1, 2).mean(axis=1))
    np.testing.assert_allclose(found.epoch_loss, run.loss.reshape(2, 24).mean(axis=1))


def test_points_do_not_straddle_epochs(root, monkeypatch):
    monkeypatch.setattr(experiment, "BATCH_SIZE", 2)
    data = cifar100(root, n_validation=2)  # 23 updates per epoch, points of 2, 2, ..., 1
    found = record_run(Plan("rates", 0.01, 0, epochs=2, held_out=2), data)
    run = train(tiny_cnn(0), data, optimizer="adam", schedule=0.01, epochs=2, batch_size=2)
    assert 23 in found.step and found.step[-1] == 45
    np.testing.assert_allclose(found.epoch_loss, run.loss.reshape(2, 23).mean(axis=1))
    assert found.metrics["validation_accuracy"].shape == (3,)


def test_epoch_losses_are_those_of_whole_epochs(root):
    data = cifar100(root)  # 6 updates per epoch
    for steps, epochs in ((15, 2), (5, 0)):
        found = record_run(Plan("dead", 0.01, 0, 1, measure="dead", steps=steps), data)
        assert found.epochs == epochs
        expected = found.loss[: 6 * epochs].reshape(epochs, 6).mean(axis=1)
        np.testing.assert_allclose(found.epoch_loss, expected)
    assert "train_loss" not in grid([found]).metrics  # and nothing of its 7 layers


@pytest.mark.parametrize(
    ("loss", "diverged", "final"),
    [
        ([4, 3, 2, 1, np.nan], False, 2.0),  # blows up after the part that is kept
        ([4, 3, np.nan, np.nan, np.nan], True, np.nan),  # its last update did it
        ([4, 3, 50, 1, 1], True, 50.0),
        ([4, np.inf, 2, 1, 1], True, 2.0),
    ],
)
def test_the_kept_part_of_a_run_is_judged_by_itself(loss, diverged, final):
    """The batch after the kept part is the first that sees the weights at its end."""
    run = Run(
        lr=np.ones(5), loss=loss, grad_norm=loss, final_loss=loss[-1], metrics={"step": [0, 2, 4]}
    )
    part = experiment._first(run, 2)
    assert part.steps == 2 and part.metrics["step"].tolist() == [0, 2]
    assert part.diverged == diverged
    np.testing.assert_equal(part.final_loss, final)


def test_dead_units_are_watched(root):
    data = cifar100(root)
    dead = record_run(Plan("dead", 50.0, 0, epochs=1, measure="dead", steps=10), data)
    assert dead.metrics["step"].tolist() == [0, 5, 10] and dead.step.tolist() == list(range(10))
    assert dead.metrics["dead"].shape == (3, 1)
    model = tiny_cnn(0)
    train(model, data, optimizer="adam", schedule=50.0, steps=10, batch_size=8)
    assert dead.metrics["dead"][-1] == dead_fractions(model, data.train, 16)


def test_a_grid_has_the_seeds_that_every_rate_has():
    def run(lr, seed, accuracy):
        metrics = {"test_accuracy": [0.0, accuracy], "dead": [[0.0, 0.5], [0.0, 1.0]]}
        whole = replace(result(Plan("rates", lr, seed, 1), metrics), loss=np.array([lr]))
        return replace(whole, meta={"updates": 1, "updates_per_epoch": 1})

    runs = [
        run(0.1, 0, 0.3),
        run(0.01, 1, 0.2),
        run(0.01, 0, 0.1),
        run(0.01, 2, 0.9),
        run(0.1, 1, 0.4),
    ]
    found = grid(runs)
    assert isinstance(found, Table) and list(found.metrics) == ["test_accuracy", "train_loss"]
    assert found.lrs.tolist() == [0.01, 0.1] and found.seeds.tolist() == [0, 1]
    assert found.final("test_accuracy").tolist() == [[0.1, 0.2], [0.3, 0.4]]
    assert found.final("train_loss").tolist() == [[0.01, 0.01], [0.1, 0.1]]
    ax = views.sensitivity_curve(views.subplots()[1], found, "test_accuracy")
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [0.15, 0.35])
    with pytest.raises(ValueError, match="must differ in rate or seed, got 2 runs"):
        grid([runs[0], runs[0]])
    with pytest.raises(ValueError, match="common to all rates, got 2 runs"):
        grid([runs[0], runs[3]])


# --- the record --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(root, tmp_path_factory):
    """All runs of the plans: (folder of results, what was said)."""
    folder, lines = tmp_path_factory.mktemp("whole"), []
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch.setattr)
        patch.setenv(cifar_files.VARIABLE, str(root))
        assert record(folder / "results", say=lines.append)
    return folder / "results", lines


def test_the_whole_experiment_is_recorded_in_its_order(whole):
    results, lines = whole
    device = "cuda" if torch.cuda.is_available() else "cpu"
    expected = [f"{5 - i} runs left; on {device} now {plan.name}" for i, plan in enumerate(FEW)]
    assert lines == [*expected, "all runs are made"]
    for group in GROUPS[:4]:
        runs = load(results / f"06_{group}.json")
        assert {run.plan for run in runs} == {plan for plan in FEW if plan.group == group}
        assert all(run.plan.precision == run.meta["precision"] for run in runs)
    assert len(list(results.iterdir())) == 4
    assert not list((results.parent / "data" / "checkpoints").iterdir())  # 60 MB each


def test_every_run_says_where_it_comes_from(whole, root):
    run = load(whole[0] / "06_article.json")[0]
    assert "synthetic" in run.meta["data"] and run.meta["batch_size"] == 8
    assert run.meta["seconds"] > 0 and "constant" in run.meta["schedule"]
    origin = run.meta["provenance"]
    assert origin["images_sha256"] == fingerprint(cifar100(root))
    keys = "command date python numpy torch device threads machine fused"
    assert all(origin[key] for key in keys.split())


def test_the_record_gives_back_what_was_run(whole, root):
    [kept] = load(whole[0] / "06_schedules.json")
    fresh = record_run(kept.plan, cifar100(root))
    assert kept.plan == fresh.plan
    for name in ("lr", "loss", "grad_norm", "final_loss"):
        np.testing.assert_allclose(getattr(kept, name), getattr(fresh, name), rtol=1e-5)
    assert kept.metrics["step"].dtype.kind == kept.step.dtype.kind == "i"
    for name, values in fresh.metrics.items():
        np.testing.assert_allclose(kept.metrics[name], values, rtol=1e-5)


def test_what_is_published_is_not_made_again(whole, monkeypatch):
    monkeypatch.setattr(experiment, "record_run", lambda *args, **kwargs: pytest.fail("again"))
    assert left(whole[0]) == {} and record(whole[0])
    short, long, cosine = replace(FEW[1], epochs=2), replace(FEW[1], epochs=5), FEW[3]
    others = [replace(FEW[1], **one) for one in ({"seed": 1}, {"precision": "float32"},
              {"width": 0.25}, {"held_out": 8}, {"optimizer": "sgd"})]  # fmt: skip
    schedules = [replace(cosine, epochs=1), replace(cosine, epochs=3)]
    wanted = [short, long, *others, *schedules, replace(FEW[0], steps=9)]
    monkeypatch.setattr(experiment, "plans", lambda: wanted)
    # The first epochs of a constant rate are a shorter run; all else is another run.
    assert left(whole[0]) == {long: 3} | dict.fromkeys([*others, *schedules, wanted[-1]], 0)
    assert list(left(whole[0], ["dead"])) == wanted[-1:]


def test_numbers_that_are_not_finite_survive(tmp_path):
    plan = Plan("article", 1.0, 0, epochs=1)
    bad = replace(
        result(plan, {"dead": [[0.5, 1.0], [np.nan, 0.0]]}),
        loss=np.array([np.inf]), final_loss=float("nan"), diverged=True,
        meta={"precision": "float32", "provenance": {"images_sha256": "a"}},
    )  # fmt: skip
    add(tmp_path / "06_article.json", [bad])
    text = (tmp_path / "06_article.json").read_text()
    json.loads(text, parse_constant=pytest.fail)  # strict JSON
    [read] = load(tmp_path / "06_article.json")
    assert read.diverged and np.isnan(read.loss[0]) and np.isnan(read.final_loss)
    assert np.isnan(read.metrics["dead"][1, 0]) and read.metrics["dead"].shape == (2, 2)


def made(plan, updates=5, images="a"):
    """A finished run of 5 updates an epoch, as `record` adds it."""
    meta = {"precision": plan.precision, "updates": updates, "updates_per_epoch": 5}
    return replace(
        result(plan, {"test_loss": [1.0, 2.0]}),
        meta=meta | {"provenance": {"images_sha256": images}},
    )


def test_a_file_keeps_what_is_in_it_and_the_longer_of_two_recordings(tmp_path):
    path, plan = tmp_path / "06_rates.json", Plan("rates", 0.1, 0, 2)
    others = [replace(plan, **one) for one in ({"epochs": 3}, {"width": 0.5}, {"held_out": 8})]
    others.append(replace(plan, precision="bfloat16"))
    for run in (plan, *others):
        add(path, [made(run)])
    assert len(load(path)) == 5
    add(path, [made(plan, updates=10)])
    add(path, [made(plan, updates=5)])
    runs = load(path)
    assert [r.epochs for r in runs if r.plan == plan] == [2] and len(runs) == 5
    assert [r.plan.name for r in runs] == sorted(r.plan.name for r in runs)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"on the same images, got \['a', 'b'\]"):
        add(path, [made(replace(plan, lr=1.0), images="b")])
    assert path.read_bytes() == before


def test_other_images_are_refused_before_a_run_is_made(root, tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "record_run", lambda *args, **kwargs: pytest.fail("trained"))
    add(tmp_path / "06_dead.json", [made(Plan("dead", 0.1, 0, 2))])
    with pytest.raises(ValueError, match="results must hold runs on the same images"):
        record(tmp_path)


def test_the_recorded_files_of_the_lesson_say_their_precision():
    """Those of 2026-11 left it out of the plan; what they hold is what they held."""
    runs = recorded(RESULTS)
    assert runs
    for run in runs:
        assert run.plan.precision == run.meta["precision"], run.plan.name
    raw = json.loads((RESULTS / "06_article.json").read_text())["runs"]
    kept = load(RESULTS / "06_article.json")
    assert len(raw) == len(kept) == len({run.plan.name for run in kept})
    for a, b in zip(raw, kept):
        assert a["plan"] | {"precision": a["meta"]["precision"]} == asdict(b.plan)
        np.testing.assert_array_equal(np.array(a["loss"], float), b.loss)


KILLED = """
    import os, sys
    sys.path[:0] = {paths!r}
    from course_utils.experiments import cifar100 as experiment
    from test_cifar100 import shrink

    shrink(setattr)
    real, calls = experiment.evaluate, []
    def die(model, split):
        calls.append(1)
        if len(calls) == 3:  # in the first run, after its second epoch
            os._exit(9)
        return real(model, split)
    experiment.evaluate = die
    experiment.record({results!r}, ["article"])
"""


def comparable(result):
    content = cifar_runs._encode(result)
    content["meta"] = {
        k: v for k, v in content["meta"].items() if k not in ("seconds", "provenance")
    }
    return content


def test_killed_and_started_again_equals_uninterrupted(tmp_path, whole):
    results, here = tmp_path / "results", Path(__file__).parents[0]
    script = textwrap.dedent(KILLED).format(
        paths=[str(here), str(here.parent), str(here.parents[1])], results=str(results)
    )
    died = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=200
    )
    assert died.returncode == 9, died.stderr
    checkpoint = tmp_path / "data" / "checkpoints" / f"{FEW[1].name}.pt"
    assert torch.load(checkpoint, weights_only=True)["done"] == 12
    assert record(results, ["article"])
    resumed, reference = (load(f / "06_article.json") for f in (results, whole[0]))
    assert [comparable(r) for r in resumed] == [comparable(r) for r in reference]


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_the_whole_epochs_of_a_stopped_run_are_those_of_a_shorter_one(root, tmp_path, schedule):
    """A schedule knows how long the run is to be; a constant rate does not."""
    data, plan = cifar100(root), Plan("article", 0.01, 0, epochs=4, schedule=schedule)
    parts = []
    while not parts or parts[-1] is None or not parts[-1].complete:  # one update at a time
        parts.append(record_run(plan, data, checkpoint=tmp_path / "run.pt", max_seconds=1e-9))
    assert len(parts) == 24
    if schedule == "cosine":
        assert parts[:-1] == [None] * 23
        return
    assert parts[:6] == [None] * 6  # the end of the first epoch is measured with the next update
    assert [p.epochs for p in parts[6:]] == [1] * 6 + [2] * 6 + [3] * 5 + [4]
    shorter = record_run(replace(plan, epochs=2), data)
    part = parts[12]
    assert not part.complete and np.isnan(part.final_loss) and not part.diverged
    for name in ("step", "lr", "loss", "grad_norm", "epoch_loss"):
        np.testing.assert_array_equal(getattr(part, name), getattr(shorter, name))
    for name, values in shorter.metrics.items():
        np.testing.assert_array_equal(part.metrics[name], values)


def test_parts_are_published_and_gone_on_with(tmp_path, monkeypatch):
    real = experiment.record_run
    results, others = tmp_path / "a" / "results", tmp_path / "b" / "results"

    def stopped(plan, data, *, max_seconds, **options):
        assert 0 < max_seconds <= 60
        return real(plan, data, max_seconds=1e-9, **options)

    monkeypatch.setattr(experiment, "record_run", stopped)
    for _ in range(14):  # one update each
        assert not record(results, ["article"], minutes=1)
    assert left(results, ["article"]) == {FEW[1]: 2, FEW[2]: 0}
    others.mkdir(parents=True)
    add(others / "06_article.json", load(results / "06_article.json"))
    for _ in range(8):  # elsewhere, without the checkpoint, this run is not as far yet
        record(others, ["article"], minutes=1)
    assert left(others, ["article"]) == {FEW[1]: 2, FEW[2]: 0}
    monkeypatch.setattr(experiment, "record_run", real)
    assert record(others, ["article"])
    assert sorted(run.epochs for run in recorded(others)) == [2, 3]


# --- the command line --------------------------------------------------------------------------


def test_the_command_counts_what_is_left_stops_in_time_and_goes_on(tmp_path, capsys, monkeypatch):
    def shown(*words):
        status = main([*words, "--results", str(tmp_path / "r")])
        return status, capsys.readouterr().out.splitlines()

    status, lines = shown("--dry-run")
    assert status == 0 and lines[:-1] == [plan.name for plan in FEW]
    assert lines[-1] == "5 runs are left: 6 epochs at full width, 2 at a quarter"
    assert shown("--minutes", "1e-9") == (1, ["time is up, 5 runs left"])
    monkeypatch.setattr(experiment, "plans", lambda: [replace(FEW[1], epochs=1), *FEW[2:3]])
    assert shown("--only", "article")[0] == 0
    monkeypatch.setattr(experiment, "plans", lambda: [replace(FEW[0], steps=200), *FEW[1:]])
    status, lines = shown("--dry-run", "--only", "article", "dead")
    assert status == 0 and lines[1] == f"{FEW[1].name}, 1 epochs of it are published"
    assert lines[2:] == ["2 runs are left: 2 epochs at full width, 1 runs of 200 updates"]
    assert shown("--only", "article")[1][-1] == "all runs are made"
    assert shown("--dry-run", "--only", "article") == (0, ["0 runs are left"])


def test_the_library_trains_in_float32_on_every_processor(root):
    """The run of a plan without a word on precision is that of `train` without one."""
    plan, data = Plan("article", 0.01, 0, 1), cifar100(root)
    run = train(tiny_cnn(0), data, optimizer="adam", schedule=0.01, epochs=1, batch_size=8)
    assert record_run(plan, data).final_loss == run.final_loss
    assert record_run(replace(plan, precision="bfloat16"), data).final_loss != run.final_loss


def test_pressing_stop_says_how_to_go_on(root, tmp_path, capsys, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "record_run", stop)
    assert main(["--results", str(tmp_path / "r")]) == 1
    assert "the same command goes on" in capsys.readouterr().out


def test_without_data_the_command_says_what_to_do(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cifar_files, "URL", "http://127.0.0.1:9/nothing.tar.gz")
    monkeypatch.setenv(cifar_files.VARIABLE, str(tmp_path / "nothing"))
    assert main(["--results", str(tmp_path / "r")]) == 1
    assert "What you can do" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--minutes nan", "minutes must be a finite number, got nan"),
        ("--results FILE/results", "FILE/results"),
        ("--results DAMAGED", "DAMAGED/06_dead.json' (JSONDecodeError"),
        ("--results DAMAGED --dry-run", "DAMAGED/06_dead.json' (JSONDecodeError"),
    ],
)
def test_bad_words_on_the_command_line_are_named(tmp_path, capsys, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").write_text("")
    (tmp_path / "DAMAGED").mkdir()
    (tmp_path / "DAMAGED" / "06_dead.json").write_text('{"runs": [')
    assert main(words.split()) == 1
    shown = capsys.readouterr().out
    assert message in shown and shown.count("\n") == 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda w: record(w, ["all"]), ValueError, "groups must be one"),
        (lambda w: record(w, minutes=0), ValueError, "minutes must be greater"),
        (
            lambda w: record_run(Plan("dead", 0.1, 0, 1, schedule="cos"), digits()),
            ValueError,
            "plan.schedule must be one of 'constant', .* got 'cos'",
        ),
        (lambda w: select([], rate=1), ValueError, "settings must be one of 'group', 'lr'"),
        (lambda w: result(None, {}).final("train"), ValueError, "metric must be one of 'step'"),
    ],
)
def test_bad_input(tmp_path, call, error, message):
    with pytest.raises(error, match=message):
        call(tmp_path)
