"""Choosing on some seeds, reporting on others: every number of a study, by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from course_utils.experiments.table import Table, load
from course_utils.lessons.lesson08 import methods, records
from course_utils.lessons.lesson08.training import TASKS, train
from course_utils.schedules import cosine, warmup_stable_decay

RESULTS = Path(__file__).parents[3] / "notebooks/results"
TINY = replace(TASKS["digits"], steps=30)


def scores(loss, accuracy):
    return {"validation_loss": np.array(loss), "validation_accuracy": np.array(accuracy)}


def test_each_length_chooses_for_itself_and_one_rate_for_their_sum():
    found = {
        10: scores([[0.5, 0.5], [0.1, 0.3], [0.2, 0.3]], [[0.9, 0.9], [0.1, 0.1], [0.2, 0.2]]),
        20: scores([[0.4, 0.4], [0.9, 0.9], [0.3, 0.1]], [[0.1, 0.1], [0.2, 0.3], [0.2, 0.2]]),
    }
    assert methods.choose(found, "loss") == {"10": 1, "20": 2, "one": 2}
    assert methods.choose(found, "accuracy") == {"10": 0, "20": 1, "one": 0}


def test_a_row_in_which_a_run_diverged_never_wins():
    found = {10: scores([[0.5, 0.5], [0.1, np.nan]], [[0.5, 0.5], [0.9, 0.9]])}
    assert methods.choose(found, "loss") == {"10": 0, "one": 0}


def table(loss, chosen, accuracy=0.5):
    metrics = {}
    for h, values in zip((10, 20, 30), loss):
        metrics[f"{h}_test_loss"] = np.array(values)
        metrics[f"{h}_test_accuracy"] = np.full(np.shape(values), accuracy)
    both = {"loss": chosen, "accuracy": chosen}
    return Table([0.1, 0.2], [7, 8], metrics, None, {"chosen": both, "steps": 30})


PLAN = table([[[0.2, 0.4]] * 2] * 3, {"10": 0, "20": 0, "30": 0, "one": 0}, 0.75)
FLAT = table(
    [[[1.2, 1.4], [2.2, 3.4]], [[3.2, 3.4], [0.7, 0.9]], [[9, 9], [0.3, 0.7]]],
    {"10": 0, "20": 1, "30": 1, "one": 1},
)
HALF = table([[[0.7, 0.9], [0, 0]]] * 3, {"10": 0, "20": 0, "30": 0, "one": 0})
STUDY = methods.Study(
    {"planned cosine": PLAN, "constant": FLAT, "average": HALF}, lengths=(10, 20, 30)
)


def test_values_at_the_own_rate_at_one_rate_and_at_that_of_the_whole():
    assert STUDY.value("constant", 10).tolist() == [1.2, 1.4]
    assert STUDY.value("constant", 10, rate="one").tolist() == [2.2, 3.4]
    assert STUDY.value("constant", 10, rate="whole").tolist() == [2.2, 3.4]
    assert [STUDY.rate("constant", 10, rate=rate) for rate in ("own", "one")] == [0.1, 0.2]


def test_behind_is_paired_and_positive_where_a_method_is_worse():
    gap = STUDY.behind("constant", 10)
    assert gap.mean == pytest.approx(1.0) and gap.standard_error == pytest.approx(0, abs=1e-12)
    assert STUDY.behind("constant", 10, "accuracy").mean == pytest.approx(25.0)
    assert STUDY.behind("constant", 10, other="average").mean == pytest.approx(0.5)


def test_closed_is_the_part_of_the_gap():
    assert STUDY.closed("average", 10) == pytest.approx(0.5)
    assert STUDY.closed("constant", 10) == pytest.approx(0)
    assert STUDY.closed("planned cosine", 10) == pytest.approx(1)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: STUDY.value("EMA", 10), "method"),
        (lambda: STUDY.value("constant", 10, "error"), "metric"),
        (lambda: STUDY.value("constant", 10, rate="mine"), "rate"),
    ],
)
def test_unknown_names_are_refused(call, word):
    with pytest.raises(ValueError, match=word):
        call()


def test_plans_know_what_they_may_know():
    """At update 8 of a run that is stopped at 10 and was planned for 30."""
    rates = {name: plan(0.4, 10, 30)(8) for name, plan in methods.PLANS.items()}
    assert rates["planned cosine"] == pytest.approx(cosine(0.4, 10)(8))
    assert rates["cosine cut"] == pytest.approx(cosine(0.4, 30)(8))
    assert rates["constant"] == rates["20 % linear"] == 0.4
    assert rates["40 % linear"] == pytest.approx(0.2)
    assert rates["40 % 1-sqrt"] == pytest.approx(0.4 * (1 - 0.5**0.5))


def test_a_record_reports_the_chosen_rates_on_fresh_seeds(tmp_path, monkeypatch):
    """Against the choice made here, and the run that it leads to."""
    monkeypatch.setitem(methods.RATES, "SGD", [0.01, 0.3])
    monkeypatch.setattr(methods, "CHOOSE", range(2))
    few = [methods.Method("planned cosine"), methods.Method("20 % linear")]
    monkeypatch.setitem(methods.METHODS, "SGD", few)
    used = []

    def spy(task, plans, seeds, **options):
        used.append((len(plans), list(seeds)))
        return train(task, plans, seeds, **options)

    monkeypatch.setattr(methods, "train", spy)
    methods.record(tmp_path / "few.json", "SGD", [TINY], range(50, 53))
    study = methods.studies(tmp_path / "few.json")["digits"]
    assert study.lengths == (10, 20, 30)
    assert used[:3] == [(2, [0, 1])] * 3 and used[3][1] == [50, 51, 52] and len(used) == 12
    plans = {lr: warmup_stable_decay(lr, 0, 24, 6) for lr in (0.01, 0.3)}
    tried = train(TINY, list(plans.values()), range(2))["last"][30]["validation_loss"]
    best = list(plans)[tried.mean(axis=1).argmin()]
    assert study.rate("20 % linear", 30) == best
    fresh = train(TINY, [plans[best]], range(50, 53))["last"][30]["test_loss"][0]
    np.testing.assert_allclose(study.value("20 % linear", 30), fresh, rtol=6e-4)


def test_the_recorded_files_say_what_the_lesson_says_of_them():
    """Seeds that report have chosen nothing, and no grid ends before the best rate by loss."""
    for name, table in load(RESULTS / "08_sgd.json").items():
        assert len(table.seeds) == 24 and not set(table.seeds) & set(methods.CHOOSE), name
        assert not [edge for edge in table.meta["edge"] if edge.startswith("loss")], name
    assert list(records.RECORDS)[0] == "08_sgd.json"
