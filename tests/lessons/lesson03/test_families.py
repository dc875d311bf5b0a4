"""The recorded comparison of shapes: what it trains, and what the files must hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from course_utils.experiments.datasets import digits, teacher
from course_utils.experiments.sweep import sweep
from course_utils.experiments.table import load
from course_utils.lessons.lesson03 import families
from course_utils.lessons.lesson03.families import CHOOSE, JUDGE, NAMES, NOISY, SETTINGS, designs
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
                alone.final(metric)[0, 0], rel=2e-4
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


def test_a_record_keeps_a_run_that_diverged(tmp_path, monkeypatch) -> None:
    wild = replace(SHORT, names=("constant",))
    monkeypatch.setattr(type(wild), "peaks", [0.1, 1e30])
    monkeypatch.setattr(families, "SETTINGS", {"wild": wild})
    families.record(tmp_path / "a.json", [0, 1], "validation")
    table = load(tmp_path / "a.json")["wild: constant"]
    assert table.diverged.tolist() == [[False, False], [True, True]]
    assert np.isfinite(table.final("validation_loss")[0]).all()


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
            assert table.lrs.tolist() == [lr for lr, *_ in designs(setting, name.split(": ")[1], 0)]
            assert table.meta["steps"] == setting.steps
    assert not set(CHOOSE) & set(JUDGE)
    assert NAMES[-1] == NOISY


def test_no_shape_is_judged_at_the_edge_of_its_peaks(recorded) -> None:
    for name, table in recorded[0].items():
        for metric in ("validation_loss", "validation_accuracy"):
            assert table.best(metric).edge is None, (name, metric)


def test_the_record_can_be_repeated(recorded) -> None:
    few = replace(SETTINGS["digits, 300 updates"], names=("linear",))
    now = families.train(few, [100], "test")["linear"].final("test_loss")[:, 0]
    kept = recorded[1]["digits, 300 updates: linear"].final("test_loss")[:, 0]
    calm = kept < 0.5  # larger losses are of runs at the edge, where rounding decides
    assert calm.sum() > 10
    np.testing.assert_allclose(now[calm], kept[calm], rtol=0.02)
