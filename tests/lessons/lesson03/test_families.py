"""The comparison of decay families: what it runs, how it is kept, and what the record must show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from course_utils.experiments.datasets import digits
from course_utils.experiments.sweep import sweep
from course_utils.lessons.lesson03 import families as module
from course_utils.lessons.lesson03.families import (
    NOISY,
    compare,
    families,
    load,
    per_epoch_decay,
    record,
)
from course_utils.lessons.lesson03.figures import rank_correlation
from course_utils.schedules import cosine, cosine_restarts

RECORD = Path(__file__).resolve().parents[3] / "notebooks" / "results" / "03_families.json"


# --- the plans ---------------------------------------------------------------------------------


def test_every_family_starts_at_its_peak_or_rises_to_it():
    for name, factory in families().items():
        if name == NOISY:
            continue
        rates = factory(0.5, 0).rates(930)
        peak = 0.5005 if name == "linear cosine" else 0.5  # beta adds a thousandth
        assert rates.max() == pytest.approx(peak, rel=1e-12), name
        assert (rates[0] == rates.max()) == (name != "warm-up, then cosine"), name


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("constant", 1.0),
        ("piecewise constant", 0.01),
        ("exponential to 1 %", 0.01 ** (929 / 930)),
        ("exponential, 0.96 per epoch", 0.96 ** (929 / 62)),
        ("natural exponential, 0.96 per epoch", np.exp(-0.96 * 929 / 62)),
        ("0.6 per epoch", 0.6**14),
        ("inverse time", 1 / (1 + 929 / 93)),
        ("inverse square root", 1 / np.sqrt(1 + 929 / 93)),
        ("linear", 1 / 930),
        ("polynomial, power 2", 1 / 930**2),
        ("polynomial with cycle", 1 / 930),
        ("cosine", 0.5 * (1 + np.cos(np.pi * 929 / 930))),
        ("warm-up-stable-decay", 1 / 186),
    ],
)
def test_the_last_rate_of_a_family(name, last):
    assert families()[name](1.0, 0)(929) == pytest.approx(last, rel=1e-9)


def test_a_piecewise_drop_comes_after_half_and_three_quarters_of_the_run():
    schedule = families()["piecewise constant"](1.0, 0)
    assert schedule([464, 465, 696, 697]).tolist() == [1.0, 0.1, 0.1, 0.01]


@pytest.mark.parametrize("steps", [19, 0, -5])
def test_too_short_a_run_is_refused(steps):
    with pytest.raises(ValueError, match="steps"):
        families(steps)


def test_unknown_families_are_refused():
    with pytest.raises(ValueError, match="names"):
        compare(["cosinus"], rates=[0.1], seeds=[0], epochs=1)


# --- what compare runs -------------------------------------------------------------------------


def test_compare_is_a_sweep_of_the_network_that_it_names():
    got = compare(["cosine"], rates=[0.1, 0.3], seeds=[3, 4], noise=0.1, epochs=2)
    data = digits().with_label_noise(0.1, seed=0)
    parts = ("train", "validation", "test")
    table = sweep(
        [cosine(0.1, 124), cosine(0.3, 124)],
        [3, 4],
        data=data,
        hidden=(32,),
        epochs=2,
        evaluate_on=parts,
    )
    for key in module.METRICS:
        np.testing.assert_array_equal(got.metrics[key][0], table.final(key))


def test_the_noise_of_the_schedule_differs_between_seeds_and_is_kept():
    factory = families(124)[NOISY]
    assert not np.array_equal(factory(0.3, 0).rates(124), factory(0.3, 1).rates(124))
    both = compare([NOISY], rates=[0.3], seeds=[0, 1], epochs=2)
    second = compare([NOISY], rates=[0.3], seeds=[1], epochs=2)
    np.testing.assert_array_equal(both.metrics["test_loss"][..., 1:], second.metrics["test_loss"])


def test_best_is_the_smallest_mean_validation_loss_and_divergence_never_wins():
    few = compare(["constant"], rates=[0.01, 0.3, 1e4], seeds=[0, 1], epochs=2)
    assert few.best("constant") == 1 and not few.on_edge("constant")
    np.testing.assert_array_equal(few.at_best("constant"), few.metrics["test_accuracy"][0, 1])
    assert compare(["constant"], rates=[0.01, 0.3], seeds=[0], epochs=2).on_edge("constant")


def test_a_record_can_be_written_and_read(tmp_path, monkeypatch):
    short = {"rates": (0.1, 1e30), "seeds": [0, 1], "epochs": 1}
    run, per_epoch = compare, per_epoch_decay
    monkeypatch.setattr(
        module, "compare", lambda **options: run(["constant", "cosine"], **short, **options)
    )
    monkeypatch.setattr(module, "per_epoch_decay", lambda n: per_epoch(2, seeds=[0], epochs=2))
    record(tmp_path / "study.json")
    kept = load(tmp_path / "study.json")
    assert set(kept.comparisons) == {(noise, split) for noise in (0.0, 0.1) for split in (0, 1, 2)}
    fresh = run(["constant", "cosine"], **short, noise=0.1, split=2)
    for key in module.METRICS:
        np.testing.assert_allclose(
            kept.comparisons[0.1, 2].metrics[key][:, 0], fresh.metrics[key][:, 0], rtol=1e-3
        )
    assert kept.provenance["command"] == module.COMMAND and len(kept.per_epoch) == 4
    assert np.isnan(kept.comparisons[0.0, 0].metrics["train_loss"][:, 1]).all()  # 1e30 diverges


def test_per_epoch_decay_trains_with_the_rates_that_it_names():
    assert per_epoch_decay(15, seeds=[0], epochs=20)["area"] == pytest.approx(
        15 * 0.01 * (1 - 0.6**20) / 0.4
    )


# --- what the record must show (the acceptance criteria of the lesson) -------------------------


@pytest.fixture(scope="module")
def study():
    return load(RECORD)


def significance(differences) -> float:
    return differences.mean() / (differences.std(ddof=1) / np.sqrt(len(differences)))


def test_the_record_is_complete_and_no_family_is_judged_at_the_edge_of_its_grid(study):
    for comparison in study.comparisons.values():
        assert comparison.names == tuple(families()) and comparison.meta["seeds"] == list(range(10))
        assert not any(comparison.on_edge(name) for name in comparison.names)
        np.testing.assert_allclose(comparison.rates, module.RATES)


@pytest.mark.parametrize("split", [0, 1, 2])
def test_decay_pays_with_noisy_labels_restarts_do_not_and_freezing_costs(study, split):
    clean, noisy = study.comparisons[0.0, split], study.comparisons[0.1, split]
    assert significance(noisy.difference("cosine", "constant")) > 2
    for comparison in (clean, noisy):
        difference = comparison.difference("cosine restarts", "cosine")
        assert abs(difference.mean()) <= 2.5 * difference.std(ddof=1) / np.sqrt(10)
    natural = clean.difference("natural exponential, 0.96 per epoch", "exponential, 0.96 per epoch")
    assert significance(natural) < -3


@pytest.mark.parametrize("split", [0, 1, 2])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_at_a_small_peak_only_the_area_counts(study, noise, split):
    comparison = study.comparisons[noise, split]
    keep = [i for i, name in enumerate(comparison.names) if name != NOISY]
    area, loss = comparison.areas[keep], comparison.metrics["train_loss"][keep, 0].mean(axis=1)
    assert rank_correlation(area, loss) < -0.97
    equal = np.abs(area - 0.5) < 0.005
    assert equal.sum() >= 4 and np.ptp(loss[equal]) / loss[equal].mean() < 0.01


def test_noise_in_the_rate_never_helps_and_costs_loss_near_the_largest_usable_rate(study):
    higher = []
    for (noise, _), comparison in study.comparisons.items():
        noisy_row, plain_row = comparison.row(NOISY), comparison.row("linear cosine")
        accuracy = (
            comparison.metrics["test_accuracy"][noisy_row]
            - comparison.metrics["test_accuracy"][plain_row]
        )
        assert max(significance(row) for row in accuracy) < 3
        if noise == 0:
            loss = comparison.metrics["test_loss"]
            higher.append(loss[noisy_row, 5] - loss[plain_row, 5])
    assert significance(np.concatenate(higher)) > 2  # at 0.7, thirty pairs


def test_a_decay_per_epoch_freezes_only_where_epochs_are_short(study):
    gap = {
        row["steps_per_epoch"]: np.mean(row["constant"]["test_accuracy"])
        - np.mean(row["decayed"]["test_accuracy"])
        for row in study.per_epoch
    }
    assert gap[15] > 0.2 and abs(gap[938]) < 0.01


def test_the_record_can_be_repeated(study):
    kept = study.comparisons[0.0, 0]
    now = compare(["linear"], rates=[0.1, 0.35], seeds=range(3))
    recorded = kept.metrics["train_loss"][kept.row("linear")][[1, 3], :3]
    np.testing.assert_allclose(now.metrics["train_loss"][0], recorded, rtol=0.02)
    assert cosine_restarts(1.0, 133).area(930) / 930 == pytest.approx(
        kept.areas[kept.row("cosine restarts")]
    )
