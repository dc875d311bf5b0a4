"""The studies of lesson 6 do what they say; what its text says in passing is in the records."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.experiments import cifar_runs
from course_utils.experiments.datasets import digits, synthetic_cifar100
from course_utils.experiments.diagnostics import dead_fractions
from course_utils.experiments.models import SevenLayerCNN
from course_utils.experiments.table import load
from course_utils.lessons.lesson06 import records, studies

RESULTS = Path(__file__).parents[3] / "notebooks" / "results"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return synthetic_cifar100(tmp_path_factory.mktemp("images"), 16000, 20)


def test_dead_channels_are_those_of_the_diagnostics(data):
    model = SevenLayerCNN(seed=0, width=0.25)
    nn.init.constant_(model.conv7.bias, -1000.0)
    found = studies.dead_shares(model, torch.tensor(data.train.inputs(slice(256))))
    np.testing.assert_allclose(found, dead_fractions(model, data.train, 256), atol=1e-6)
    assert found[-1] == 1


def test_the_normalized_network_has_the_weights_of_the_plain_one():
    plain, made = SevenLayerCNN(seed=3, width=0.25), studies.normalized(SevenLayerCNN(3, 0.25))
    kinds = [type(layer) for layer in made]
    assert kinds.count(nn.BatchNorm2d) == 7
    assert all(b is nn.BatchNorm2d for a, b in zip(kinds, kinds[1:]) if a is nn.Conv2d)
    [own] = [m for m in made if getattr(m, "out_features", 0) == 100]
    torch.testing.assert_close(own.weight, plain.fc.weight)


def test_the_arms_share_their_first_batch_and_differ_afterwards(data, monkeypatch):
    monkeypatch.setattr(studies, "STEPS", 1)
    one = [studies.one_run(arm, 1e-3, 0, data)["train_loss"] for arm in studies.ARMS]
    assert one[0] == one[1] == one[2] != one[3]
    monkeypatch.setattr(studies, "STEPS", 4)
    four = {arm: studies.one_run(arm, 1e-2, 0, data)["train_loss"] for arm in studies.ARMS}
    assert four["warm-up"] != four["plain"]
    monkeypatch.setattr(studies, "CLIP", 1e-6)
    assert studies.one_run("clipping", 1e-2, 0, data)["train_loss"] != four["plain"]


def test_the_record_of_the_arms_has_a_table_for_each(data, tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "STEPS", 1)
    monkeypatch.setattr(studies, "RATES", (1e-2, 1e-3))
    studies.record_arms(tmp_path / "06_arms.json", [0], data)
    made = load(tmp_path / "06_arms.json")
    assert list(made) == list(studies.ARMS) and made["plain"].lrs.tolist() == [1e-3, 1e-2]
    studies.record_arms(tmp_path / "06_again.json", [0], data)
    again = load(tmp_path / "06_again.json")["warm-up"].final("train_loss")
    np.testing.assert_array_equal(again, made["warm-up"].final("train_loss"))


def test_survival_is_read_from_the_runs(tmp_path):
    runs = cifar_runs.load(RESULTS / "06_dead.json")
    changes = {"width": 0.25}, {"steps": 1000}, {"width": 0.25, "seed": 10}
    others = [replace(runs[0], plan=replace(runs[0].plan, **change)) for change in changes]
    cifar_runs.add(tmp_path / "06_dead.json", [*runs, *others])  # all that `make cifar100` makes
    studies.record_survival(tmp_path / "06_survival.json")
    [found] = load(tmp_path / "06_survival.json").values()
    [kept] = load(RESULTS / "06_survival.json").values()
    for metric in kept.metrics:
        np.testing.assert_array_equal(found.final(metric), kept.final(metric))
    for run in runs:
        place = kept.nearest(run.plan.lr), run.plan.seed
        since = kept.final("dead_since")[place]
        lost = (run.metrics["dead"] == 1).any(axis=1)
        assert lost[run.metrics["step"] >= since].all()
        before = lost[run.metrics["step"] < since]
        assert not before[-1]  # the update before it some unit of each layer lived
        assert kept.final("train_loss")[place] == pytest.approx(run.loss[-50:].mean(), rel=1e-5)
    assert np.isfinite(kept.final("train_loss")).sum() == 30


def test_a_file_that_could_not_be_made_is_not_called_made(tmp_path, monkeypatch):
    monkeypatch.setattr(records.cifar100, "main", lambda words: 1)
    with pytest.raises(RuntimeError, match="'rates'"):
        records.RECORDS["06_rates.json"](tmp_path / "06_rates.json")


def test_where_the_photographs_are_missing_stand_ins_say_so(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CIFAR100", str(tmp_path))
    assert "synthetic" in studies.images().name
    assert digits().name != studies.images().name


def test_of_the_photographs_the_first_few_are_taken(monkeypatch, tmp_path):
    whole = synthetic_cifar100(tmp_path, 300, 100)
    monkeypatch.setenv("COURSE_CIFAR100", str(tmp_path))
    few = studies.images(50)
    assert (len(few.train), len(few.test)) == (50, 10)
    np.testing.assert_array_equal(few.train.x, whole.train.x[:50])
    np.testing.assert_array_equal(few.test.y, whole.test.y[:10])


# --- what the lesson says in its text ------------------------------------------------------------


def test_the_quarter_width_keeps_its_order_for_fifteen_epochs():
    runs = cifar_runs.select(cifar_runs.load(RESULTS / "06_article.json"), width=0.25, epochs=15)
    fast, slow = (cifar_runs.select(runs, lr=lr) for lr in (1e-3, 3e-4))
    gaps = [a.final("test_accuracy") - b.final("test_accuracy") for a, b in zip(fast, slow)]
    assert len(gaps) == 3 and min(gaps) > 0.05 and max(gaps) < 0.08


def test_first_losses_at_the_border_and_when_they_die():
    runs = cifar_runs.select(cifar_runs.load(RESULTS / "06_dead.json"), lr=6.25e-3)
    leaps = [run.loss[1] for run in runs]
    assert len(runs) == 10 and 57 < min(leaps) < 58 and 170 < max(leaps) < 171
    low = [r.loss[1] for r in cifar_runs.load(RESULTS / "06_dead.json") if r.plan.lr == 3e-3]
    assert len(low) == 4 and 5 < min(low) < max(low) < 6
    [table] = load(RESULTS / "06_survival.json").values()
    since = table.final("dead_since")[table.nearest(6.25e-3)]
    assert sorted(since[np.isfinite(since)]) == [35, 40, 45, 75, 170, 180]
    calmest, next_one = np.argsort(leaps)[:2]
    assert np.isinf(since[runs[calmest].plan.seed]) and since[runs[next_one].plan.seed] == 180


def test_in_three_runs_all_layers_came_back_for_a_while_and_none_learned():
    back = []
    for run in cifar_runs.load(RESULTS / "06_dead.json"):
        lost = (run.metrics["dead"] == 1).any(axis=1)
        if (lost[:-1] & ~lost[1:]).any():
            back.append((run.plan.lr, run.plan.seed))
            assert lost[-1] and run.loss[-30:].mean() > np.log(100) - 0.05
    assert sorted(back) == [(6.25e-3, 6), (6.25e-3, 9), (1e-2, 3)]


def test_cures_seed_by_seed():
    arms = load(RESULTS / "06_arms.json")
    learns = {arm: table.final("train_loss") < np.log(100) - 0.05 for arm, table in arms.items()}
    low = arms["plain"].nearest(6.25e-3)
    gained = learns["clipping"][low] & ~learns["plain"][low]
    lost = learns["plain"][low] & ~learns["clipping"][low]
    assert (gained.sum(), lost.sum()) == (5, 1)
    table = arms["normalization"]
    kept = 1 - np.max([table.final(f"dead_{i}")[table.nearest(2e-2)] for i in range(1, 8)], axis=0)
    assert 0.6 < kept.mean() < 0.7 and 0.31 < kept.min() < 0.32 and 0.89 < kept.max() < 0.9


def test_of_five_epochs_peak_and_gentle_start_count_together():
    runs = cifar_runs.load(RESULTS / "06_schedules.json")
    runs += cifar_runs.load(RESULTS / "06_article.json")

    def five(width, schedule, lr, metric="test_accuracy"):
        found = {
            r.plan.seed: r.metrics[metric][5]
            for r in runs
            if (r.plan.width, r.plan.schedule, r.plan.lr) == (width, schedule, lr)
        }
        return np.array([found[seed] for seed in range(1 if width == 1 else 2)])

    for width, points in ((1.0, [3.9]), (0.25, [2.4, 1.4])):
        ahead = five(width, "one-cycle", 3e-3) - five(width, "constant", 1e-3)
        np.testing.assert_allclose(100 * ahead, points, atol=0.05)
        gap = five(width, "one-cycle", 3e-3, "test_loss") - five(
            width, "constant", 1e-3, "test_loss"
        )
        assert (gap > -0.1).all() and (gap < -0.055).all()
        behind = 100 * (five(width, "constant", 1e-3) - five(width, "cosine", 1e-3))
        assert (behind > 2.95).all() and (behind < 4.15).all()
    reached = [five(0.25, *arm).mean() for arm in (("cosine", 3e-3), ("one-cycle", 1e-3),
                                                   ("one-cycle", 3e-3))]  # fmt: skip
    np.testing.assert_allclose(reached, [0.23, 0.24, 0.28], atol=0.005)


def test_a_cosine_from_three_times_the_peak_is_no_better():
    runs = cifar_runs.select(
        cifar_runs.load(RESULTS / "06_schedules.json"), width=0.25, schedule="cosine"
    )
    low, high = (cifar_runs.select(runs, lr=lr) for lr in (1e-3, 3e-3))
    assert len(low) == len(high) == 2
    for a, b in zip(low, high):
        assert abs(a.final("test_accuracy") - b.final("test_accuracy")) < 0.005
