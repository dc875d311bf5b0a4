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
from course_utils.experiments import cifar_plans, cifar_runs
from course_utils.experiments.cifar100 import (
    fingerprint,
    left,
    load,
    main,
    record,
    record_run,
    recorded,
)
from course_utils.experiments.cifar_plans import ARTICLE, GROUPS, SCHEDULES, plans
from course_utils.experiments.cifar_runs import Plan, Result, add, grid, select
from course_utils.experiments.datasets import cifar100, digits, synthetic_cifar100
from course_utils.experiments.devices import fast_precision
from course_utils.experiments.diagnostics import dead_fractions
from course_utils.experiments.evaluation import evaluate
from course_utils.experiments.training import train
from course_utils.run import Run

RESULTS = Path(__file__).parents[2] / "notebooks" / "results"


def tiny_cnn(seed, width=1.0):
    torch.manual_seed(seed)
    n = int(4 * width)
    return nn.Sequential(
        nn.Conv2d(3, n, 3, stride=8), nn.ReLU(), nn.Flatten(), nn.Linear(16 * n, 100)
    )


def shrink(set_to):
    """A network and batches that fit the synthetic data."""
    set_to(experiment, "SevenLayerCNN", tiny_cnn)
    set_to(experiment, "BATCH_SIZE", 8)
    set_to(cifar_plans, "HELD_OUT", 16)
    set_to(cifar_plans, "SHORT", 10)
    set_to(cifar_plans, "LONG", 20)
    set_to(experiment, "PROBE", 16)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    shrink(monkeypatch.setattr)
    monkeypatch.setattr(torch, "set_num_threads", lambda n: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture(params=["with bfloat16", "without"])
def processor(request, monkeypatch):
    """A processor that multiplies bfloat16 quickly, or does not."""
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: request.param != "without", raising=False)
    assert fast_precision() == ("float32" if request.param == "without" else "bfloat16")
    return request.param


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    synthetic_cifar100(folder, n_train=48, n_test=16)
    return folder


@pytest.fixture(scope="module")
def whole(root, tmp_path_factory):
    """The whole experiment, one seed and one epoch: (folder, what was said)."""
    folder, lines = tmp_path_factory.mktemp("whole"), []
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch.setattr)
        assert record(
            root, work=folder / "work", results=folder / "results", epochs=1, seeds=1,
            precision="bfloat16", device="cpu", say=lines.append,
        )  # fmt: skip
    return folder, lines


# --- the plans ---------------------------------------------------------------------------------


def test_the_plans_hold_what_the_lesson_needs():
    listed = plans(epochs=15, seeds=3, precision="bfloat16")
    names = [plan.name for plan in listed]
    assert len(set(names)) == len(names)
    assert [plan.lr for plan in listed[:5]] == list(ARTICLE)
    assert set(ARTICLE) == {1e-1, 625e-5, 1e-3, 3e-4, 6.25e-5}
    article = [plan for plan in listed if plan.group == "article"]
    assert {(p.lr, p.seed) for p in article} == {(lr, s) for lr in ARTICLE for s in range(3)}
    assert all(p.epochs == 15 and not p.held_out for p in article)
    rates = {p.lr for p in listed if p.group == "rates"}
    assert len(rates) >= 9 and all(p.held_out for p in listed if p.group == "rates")
    assert {p.group for p in listed} == set(GROUPS)
    assert {p.schedule for p in listed} == set(SCHEDULES)
    assert {p.precision for p in listed if p.group != "precision"} == {"bfloat16"}
    assert {p.precision for p in listed if p.group == "precision"} == {"bfloat16", "float32"}
    plain = plans(precision="float32")
    assert {p.precision for p in plain} == {"float32"} and "precision" not in {
        p.group for p in plain
    }
    assert not {p.name for p in plain} & {p.name for p in listed if p.group != "precision"}


def test_a_narrower_network_has_the_same_plans_under_other_names():
    done = [result(p, {"validation_accuracy": [0.1]}) for p in plans(epochs=5)]
    wide, narrow = plans(epochs=5, done=done), plans(epochs=5, done=done, width=0.25)
    scan = [p for p in narrow if p.group == "momentum"]
    # The best rate of the article's network is not that of the narrow one.
    assert [p.seed for p in scan] == [0] * len(scan) and len(scan) < len(wide)
    assert [replace(p, width=1.0) for p in narrow] == plans(epochs=5)
    assert not {p.name for p in wide} & {p.name for p in narrow}
    assert narrow[0].name == wide[0].name + "-width0.25"


def test_the_run_of_a_narrower_network_trains_it(root):
    plan, data = Plan("rates", 1e-3, 0, 1, width=0.5), cifar100(root)
    network = tiny_cnn(0, 0.5)
    run = train(network, data, optimizer="adam", schedule=1e-3, epochs=1, batch_size=8)
    assert record_run(plan, data).final_loss == pytest.approx(run.final_loss)


def test_momentum_is_trained_in_full_at_the_rate_that_validation_prefers():
    scan = [plan for plan in plans(epochs=10, seeds=2) if plan.group == "momentum"]
    done = [result(plan, {"validation_accuracy": [0.0, 0.1]}) for plan in scan]
    done[2] = result(scan[2], {"validation_accuracy": [0.9, 0.2]})
    more = [p for p in plans(epochs=10, seeds=2, done=done) if p.group == "momentum"]
    assert [p for p in more if p not in scan] == [
        replace(scan[2], epochs=10, held_out=0, seed=seed) for seed in (0, 1)
    ]
    assert plans(epochs=10, seeds=2, done=done[:-1]) == plans(epochs=10, seeds=2)


def test_a_momentum_run_that_diverged_is_never_the_best():
    scan = [plan for plan in plans(epochs=10, seeds=1) if plan.group == "momentum"]
    accuracies = [np.nan, 0.1, 0.3, 0.2, np.nan, np.nan]  # the first one wins every comparison
    done = [result(p, {"validation_accuracy": [0, a]}) for p, a in zip(scan, accuracies)]
    more = [p for p in plans(epochs=10, seeds=1, done=done) if p.group == "momentum"]
    assert [p.lr for p in more if p not in scan] == [scan[2].lr]


def test_schedules_start_and_end_where_they_should():
    steps, epoch = 1000, 100
    end = {name: make(0.1, steps, epoch).rates(steps) for name, make in SCHEDULES.items()}
    assert all(rates.max() == pytest.approx(0.1) for rates in end.values())
    assert end["step decay"][[499, 500, 749, 750]].tolist() == pytest.approx(
        [0.1, 0.01, 0.01, 0.001]
    )
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
    with pytest.raises(ValueError, match="metric 'train_loss' must be of runs .* epoch, got 5 upd"):
        grid([found]).final("train_loss")


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


def test_dead_units_and_sharpness_are_watched(root):
    data = cifar100(root)
    dead = record_run(Plan("dead", 50.0, 0, epochs=1, measure="dead", steps=10), data)
    assert dead.metrics["step"].tolist() == [0, 5, 10] and dead.step.tolist() == list(range(10))
    assert dead.metrics["dead"].shape == (3, 1)
    model = tiny_cnn(0)
    train(model, data, optimizer="adam", schedule=50.0, steps=10, batch_size=8)
    assert dead.metrics["dead"][-1] == dead_fractions(model, data.train, 16)
    plan = Plan("sharpness", 0.01, 0, epochs=1, optimizer="sgd", measure="sharpness")
    watched = record_run(plan, data).metrics  # 6 updates per epoch: five times as often as others
    assert watched["step"].tolist() == list(range(7)) and watched["sharpness"].shape == (7,)


def test_a_grid_has_the_seeds_that_every_rate_has():
    def run(lr, seed, accuracy):
        return result(Plan("rates", lr, seed, 1), {"test_accuracy": [0.0, accuracy]})

    runs = [
        run(0.1, 0, 0.3),
        run(0.01, 1, 0.2),
        run(0.01, 0, 0.1),
        run(0.01, 2, 0.9),
        run(0.1, 1, 0.4),
    ]
    found = grid(runs)
    assert found.lrs.tolist() == [0.01, 0.1] and found.seeds == [0, 1]
    assert found.final("test_accuracy").tolist() == [[0.1, 0.2], [0.3, 0.4]]
    assert found.diverged.shape == (2, 2)
    ax = views.sensitivity_curve(views.subplots()[1], found, "test_accuracy")
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [0.15, 0.35])
    with pytest.raises(ValueError, match="must differ in rate or seed, got 2 runs"):
        grid([runs[0], runs[0]])
    with pytest.raises(ValueError, match="common to all rates, got 2 runs"):
        grid([runs[0], runs[3]])


# --- the record --------------------------------------------------------------------------------


def test_the_whole_experiment_is_recorded_in_its_order(whole):
    folder, lines = whole
    assert lines[0] == "in bfloat16 on cpu"
    made = [line.split()[-1] for line in lines[1:-1]]
    listed = [plan.name for plan in plans(epochs=1, seeds=1, precision="bfloat16")]
    assert [name for name in made if name in listed] == listed
    assert len(made) == len(listed) + 1 and lines[-1] == "all runs are made"  # momentum in full
    for group in GROUPS:
        results = load(folder / "results" / f"06_{group}.json")
        assert sorted(r.plan.name for r in results) == [r.plan.name for r in results]
        assert {r.plan.group for r in results} == {group}
    files = sorted(p.name for p in (folder / "results").iterdir())
    assert files == sorted(f"06_{group}.json" for group in GROUPS)
    assert not list((folder / "work").iterdir())  # checkpoints of 60 MB each


def test_every_run_says_where_it_comes_from(whole, root):
    run = load(whole[0] / "results" / "06_article.json")[0]
    assert "synthetic" in run.meta["data"] and run.meta["batch_size"] == 8
    assert run.meta["precision"] == "bfloat16" and run.meta["seconds"] > 0
    assert "constant" in run.meta["schedule"] and run.meta["updates"] == 6
    origin = run.meta["provenance"]
    assert origin["images_sha256"] == fingerprint(cifar100(root))
    for key in (
        "command",
        "date",
        "python",
        "numpy",
        "torch",
        "device",
        "threads",
        "machine",
        "fused",
    ):
        assert origin[key], key


def test_the_record_gives_back_what_was_run(whole, root):
    [kept, _] = select(load(whole[0] / "results" / "06_schedules.json"), schedule="cosine")
    fresh = record_run(kept.plan, cifar100(root))
    assert fresh.meta["precision"] == "bfloat16"
    assert kept.plan == fresh.plan
    for name in ("lr", "loss", "grad_norm", "final_loss"):
        np.testing.assert_allclose(getattr(kept, name), getattr(fresh, name), rtol=1e-5)
    assert kept.metrics["step"].dtype.kind == kept.step.dtype.kind == "i"
    for name, values in fresh.metrics.items():
        np.testing.assert_allclose(kept.metrics[name], values, rtol=1e-5)


def test_what_is_made_is_not_made_again(whole, root, monkeypatch):
    monkeypatch.setattr(experiment, "record_run", lambda *args, **kwargs: pytest.fail("again"))
    assert record(
        root, work=whole[0] / "other", results=whole[0] / "results", epochs=1, seeds=1,
        precision="bfloat16",
    )  # fmt: skip
    done = load(whole[0] / "results" / "06_article.json")
    assert left(whole[0] / "results", precision="bfloat16", epochs=1, seeds=1) == []
    again = left(whole[0] / "results", ["article"], epochs=1, seeds=1)  # in float32
    assert sorted(p.lr for p in again) == sorted(run.plan.lr for run in done)


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
        record(root, work=tmp_path / "w", results=tmp_path, groups=["sharpness"])


def test_the_recorded_files_of_the_lesson_say_their_precision():
    """Those of 2026-11 left it out of the plan; what they hold is what they held."""
    files = [RESULTS / f"06_{group}.json" for group in ("article", "dead", "rates", "schedules")]
    files += RESULTS.glob("incoming/*.json")
    runs = [(file, run) for file in files for run in load(file)]
    assert len(runs) >= 75
    for file, run in runs:
        assert run.plan.precision == run.meta["precision"], run.plan.name
        # Those of the older recorder have no precision in the name of the file.
        assert file.parent == RESULTS or run.plan.name.startswith(file.stem)
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
        if len(calls) == 8:  # in the second run, after its second epoch
            os._exit(9)
        return real(model, split)
    experiment.evaluate = die
    experiment.record({root!r}, work={work!r}, results={results!r}, epochs=3,
                       groups=["article"], seeds=1, device="cpu")
"""


def comparable(result):
    content = cifar_runs._encode(result)
    content["meta"] = {
        k: v for k, v in content["meta"].items() if k not in ("seconds", "provenance")
    }
    return content


def test_killed_and_started_again_equals_uninterrupted(root, tmp_path):
    work, results, here = tmp_path / "work", tmp_path / "results", Path(__file__).parents[0]
    script = textwrap.dedent(KILLED).format(
        paths=[str(here), str(here.parents[1])],
        root=str(root),
        work=str(work),
        results=str(results),
    )
    died = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=200
    )
    assert died.returncode == 9, died.stderr
    second = plans(epochs=3, seeds=1)[1].name
    assert torch.load(work / f"{second}.pt", weights_only=True)["done"] == 12
    assert len(load(results / "06_article.json")) == 1

    settings = {"groups": ["article"], "epochs": 3, "seeds": 1}
    assert record(root, work=work, results=results, device="cpu", **settings)
    assert record(root, work=tmp_path / "w", results=tmp_path / "r", device="cpu", **settings)
    resumed, reference = (load(f / "06_article.json") for f in (results, tmp_path / "r"))
    assert [comparable(r) for r in resumed] == [comparable(r) for r in reference]
    assert len(resumed) == 5


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


def test_parts_are_published_and_gone_on_with(root, tmp_path, monkeypatch):
    settings = {"results": tmp_path / "results", "groups": ["article"], "seeds": 1, "epochs": 3}
    real, updates = experiment.record_run, []

    def stopped(plan, data, *, max_seconds, **options):
        updates.append(1)
        return real(plan, data, max_seconds=1e-9, **options)

    def published():
        return [r.epochs for r in load(tmp_path / "results" / "06_article.json")]

    monkeypatch.setattr(experiment, "record_run", stopped)
    while len(updates) < 14:
        assert not record(root, work=tmp_path / "a", minutes=1, **settings)
    assert published() == [2] and len(left(tmp_path / "results", ["article"], 3, 1)) == 5
    for _ in range(8):  # from another folder, where this run is not as far yet
        record(root, work=tmp_path / "b", minutes=1, **settings)
    assert published() == [2]
    monkeypatch.setattr(experiment, "record_run", real)
    assert record(root, work=tmp_path / "b", **settings)
    assert published() == [3] * 5


# --- the command line --------------------------------------------------------------------------


def test_the_command_stops_in_time_and_goes_on(root, tmp_path, capsys):
    command = ["--data", str(root), "--work", str(tmp_path / "w"), "--results", str(tmp_path / "r"),
               "--only", "sharpness", "--epochs", "1", "--device", "cpu"]  # fmt: skip
    assert main([*command, "--minutes", "1e-9"]) == 1
    assert "time is up, 3 runs left" in capsys.readouterr().out
    assert main([*command, "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "3 runs are left, 3 epochs"
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "all runs are made"
    assert main([*command, "--dry-run"]) == 0
    assert capsys.readouterr().out == "0 runs are left\n"
    assert main([*command, "--dry-run", "--width", "0.5"]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("width0.5")
    assert main([*command, "--width", "0.5"]) == 0
    assert {r.plan.width for r in load(tmp_path / "r" / "06_sharpness.json")} == {0.5, 1.0}


def test_nothing_decides_the_precision_behind_the_readers_back(root, tmp_path, capsys, processor):
    def command(*more):
        words = ["--data", root, "--work", tmp_path / "w", "--results", tmp_path / "r"]
        words += ["--only", "sharpness", "--epochs", 1, "--device", "cpu", *more]
        assert main([str(word) for word in words]) == 0
        return capsys.readouterr().out.splitlines()

    assert command()[0] == "in float32 on cpu"
    assert {r.plan.precision for r in recorded(tmp_path / "r")} == {"float32"}
    shown = command("--precision", "auto")
    if processor == "without":
        assert shown == ["in float32 on cpu", "all runs are made"]
    else:
        assert shown[0] == "in bfloat16 on cpu"
        runs = recorded(tmp_path / "r")
        assert sorted(r.plan.precision for r in runs) == ["bfloat16"] * 3 + ["float32"] * 3
        assert all(r.plan.precision == r.meta["precision"] for r in runs)


def test_the_library_trains_in_float32_on_every_processor(root, processor):
    """The run of a plan without a word on precision is that of `train` without one."""
    plan, data = Plan("article", 0.01, 0, 1), cifar100(root)
    run = train(tiny_cnn(0), data, optimizer="adam", schedule=0.01, epochs=1, batch_size=8)
    assert record_run(plan, data).final_loss == run.final_loss
    assert record_run(replace(plan, precision="bfloat16"), data).final_loss != run.final_loss


def test_pressing_stop_says_how_to_go_on(root, tmp_path, capsys, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "record_run", stop)
    command = ["--data", str(root), "--work", str(tmp_path / "w"), "--results", str(tmp_path / "r")]
    assert main(command) == 1
    assert "the same command goes on" in capsys.readouterr().out


def test_without_data_the_command_says_what_to_do(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        "course_utils.experiments.cifar_files.URL", "http://127.0.0.1:9/nothing.tar.gz"
    )
    command = ["--data", str(tmp_path / "d"), "--work", str(tmp_path / "w")]
    assert main([*command, "--results", str(tmp_path / "r")]) == 1
    assert "What you can do" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--epochs 0", "epochs must be 1 or greater, got 0"),
        ("--seeds 0", "seeds must be 1 or greater, got 0"),
        ("--width nan", "width must be a finite number, got nan"),
        ("--device gpu", "device must be 'auto' or a device such as 'cpu' or 'cuda', got 'gpu'"),
        ("--threads 0", "threads must be 1 or greater, got 0"),
        ("--minutes nan", "minutes must be a finite number, got nan"),
        ("--work FILE/work", "FILE/work"),
        ("--results FILE/results", "FILE/results"),
        ("--results DAMAGED", "DAMAGED/06_dead.json' (JSONDecodeError"),
    ],
)
def test_bad_words_on_the_command_line_are_named(root, tmp_path, capsys, words, message):
    (tmp_path / "FILE").write_text("")
    (tmp_path / "DAMAGED").mkdir()
    (tmp_path / "DAMAGED" / "06_dead.json").write_text('{"runs": [')
    name, _, value = words.partition(" ")
    value = str(tmp_path / value) if value.startswith(("FILE", "DAMAGED")) else value
    folders = ["--work", str(tmp_path / "w"), "--results", str(tmp_path / "r")]
    command = ["--data", str(root), *folders, name, value, "--only", "dead"]
    unused = "FILE" in message or name == "--minutes"
    for more in [[]] if unused else [[], ["--dry-run"]]:
        status, shown = main([*command, *more]), capsys.readouterr().out
        assert status == 1 and message in shown and shown.count("\n") == 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda w: plans(epochs=0), ValueError, "epochs must be 1 or greater"),
        (lambda w: plans(seeds=1.5), TypeError, "seeds must be an integer"),
        (lambda w: plans(precision="half"), ValueError, "precision must be one of"),
        (
            lambda w: record(w, work=w / "w", results=w, groups=["all"]),
            ValueError,
            "groups must be one",
        ),
        (
            lambda w: record(w, work=w / "w", results=w, minutes=0),
            ValueError,
            "minutes must be greater",
        ),
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
