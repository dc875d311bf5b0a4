"""The recorded comparison of shapes: what it trains, and what the files must hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from course_utils.experiments.datasets import digits, teacher
from course_utils.experiments.sweep import sweep
from course_utils.experiments.table import Table, load
from course_utils.lessons.lesson03 import families
from course_utils.lessons.lesson03.families import CHOOSE, JUDGE, NOISY, SETTINGS, designs
from course_utils.schedules import constant, cosine

RESULTS = Path(__file__).resolve().parents[3] / "notebooks" / "results"
SHORT = replace(SETTINGS["digits, 300 updates"], steps=30, names=("constant", "cosine"))


def test_a_table_is_a_sweep_of_what_it_names_on_the_data_of_each_seed() -> None:
    got = families.train(SHORT, [3, 4], "test")["cosine"]
    for column, seed in enumerate([3, 4]):
        data = digits(seed=seed).with_label_noise(0.1, seed=seed)
        alone = sweep(
            [cosine(0.4, 30, alpha=0.03)],
            [seed],
            data=data,
            hidden=(32,),
            batch_size=16,
            steps=30,
            evaluate_on=("test",),
        )
        row = next(
            i
            for i, (lr, end) in enumerate(zip(got.lrs, got.meta["ends"]))
            if (lr, end) == (0.4, 0.03)
        )
        for metric in ("test_loss", "test_accuracy"):
            assert got.final(metric)[row, column] == pytest.approx(
                alone.final(metric)[0, 0], rel=6e-4
            )


def test_the_teacher_never_shows_an_example_twice() -> None:
    setting = SETTINGS["teacher, 300 updates"]
    data = setting.data(5, setting.steps * setting.batch_size)
    assert len(data.train) == 300 * 16 and data.name == teacher().data(4800, seed=5).name


def test_every_shape_gets_the_same_help() -> None:
    for setting in SETTINGS.values():
        pairs = {
            name: {(lr, end) for lr, end, _ in designs(setting, name, 0)} for name in setting.names
        }
        whole = {(lr, end) for lr in setting.peaks for end in families.ENDS}
        assert all(pairs[name] == whole for name in setting.names if name != "constant")
        assert pairs["constant"] == {(lr, 1.0) for lr in setting.peaks}


def test_the_noise_in_a_rate_is_another_for_each_seed() -> None:
    rates = [designs(SHORT, NOISY, seed)[0][2].rates(30) for seed in (0, 1)]
    assert not np.array_equal(*rates)
    assert designs(SHORT, "constant", 0)[0][2] == constant(0.1)


def test_unknown_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="name must be one of"):
        designs(SHORT, "cosinus", 0)


def test_the_candidates_are_the_best_by_either_metric_and_never_diverged() -> None:
    metrics = {
        "validation_loss": [[0.5, 0.5], [0.3, 0.1], [0.1, 0.1], [0.4, 0.4]],
        "validation_accuracy": [[0.9, 0.9], [0.5, 0.6], [1.0, 1.0], [0.7, 0.7]],
    }
    wild = np.array([[0, 0], [0, 0], [0, 1], [0, 0]])
    table = Table([0.1, 0.2, 0.3, 0.4], [0, 1], metrics, wild, {"ends": [1, 2, 3, 4]})
    assert families.candidates(table, count=1) == [0, 1]


def test_a_record_judges_what_was_chosen_on_other_seeds(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(families, "SETTINGS", {"short": SHORT})
    monkeypatch.setattr(families, "CHOOSE", [0, 1])
    monkeypatch.setattr(families, "JUDGE", [7])
    families.record_choose(tmp_path / "03_choose.json")
    families.record_judge(tmp_path / "03_judge.json")
    choose, judge = (load(tmp_path / f"03_{part}.json") for part in ("choose", "judge"))
    for name in ("short: constant", "short: cosine"):
        assert choose[name].seeds.tolist() == [0, 1] and judge[name].seeds.tolist() == [7]
        assert choose[name].lrs.tolist() == judge[name].lrs.tolist()
        assert choose[name].meta["ends"] == judge[name].meta["ends"]
        assert len(choose[name].lrs) <= 12
    row = 3
    plan = constant(judge["short: constant"].lrs[row])
    data = SHORT.data(7, 480)
    alone = sweep([plan], [7], data=data, hidden=(32,), steps=30, evaluate_on=("test",))
    got = judge["short: constant"].final("test_loss")[row, 0]
    assert got == pytest.approx(alone.final("test_loss")[0, 0], rel=6e-4)


# --- what the files must hold --------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded():
    return load(RESULTS / "03_choose.json"), load(RESULTS / "03_judge.json")


def test_the_files_are_complete_and_who_chooses_does_not_judge(recorded) -> None:
    for tables, seeds, part in zip(recorded, (CHOOSE, JUDGE), ("validation", "test")):
        assert set(tables) == {f"{s}: {n}" for s in SETTINGS for n in SETTINGS[s].names}
        for name, table in tables.items():
            setting = SETTINGS[name.split(": ")[0]]
            assert table.seeds.tolist() == list(seeds)
            assert set(table.metrics) == {f"{part}_loss", f"{part}_accuracy"}
            assert table.meta["steps"] == setting.steps
    assert not set(CHOOSE) & set(JUDGE)
    for name in recorded[0]:
        assert recorded[0][name].lrs.tolist() == recorded[1][name].lrs.tolist()
        assert recorded[0][name].meta["ends"] == recorded[1][name].meta["ends"]


def test_no_shape_is_judged_at_the_edge_of_its_peaks(recorded) -> None:
    for name, table in recorded[0].items():
        peaks = SETTINGS[name.split(": ")[0]].peaks
        for metric in ("validation_loss", "validation_accuracy"):
            assert peaks[0] < table.best(metric).lr < peaks[-1], (name, metric)


def test_the_record_can_be_repeated(recorded) -> None:
    kept = recorded[1]["digits, 300 updates: linear"]
    few = replace(SETTINGS["digits, 300 updates"], names=("linear",))
    every = [(lr, end) for lr, end, _ in designs(few, "linear", 0)]
    rows = [every.index(pair) for pair in zip(kept.lrs.tolist(), kept.meta["ends"])]
    now = families.train(few, [100], "test", {"linear": rows})["linear"].final("test_loss")[:, 0]
    calm = kept.lrs < 0.7  # at the edge of divergence rounding decides
    assert calm.sum() >= 2
    np.testing.assert_allclose(now[calm], kept.final("test_loss")[calm, 0], rtol=0.02)
