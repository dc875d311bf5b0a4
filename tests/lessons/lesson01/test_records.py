"""The recorded budgets are what separate runs of that many updates come to."""

from pathlib import Path

import pytest

from course_utils.experiments.sweep import sweep
from course_utils.experiments.table import load
from course_utils.lessons.lesson01.records import BUDGETS, RULES, SEEDS

PATH = Path(__file__).parents[3] / "notebooks" / "results" / "01_budgets.json"


@pytest.mark.parametrize("budget", [50, 400, 2000])
@pytest.mark.parametrize(("rule", "lr"), [("gradient descent", 0.1), ("Adam", 0.01)])
def test_a_long_run_measured_on_its_way_is_the_short_run(rule, lr, budget):
    recorded = load(PATH)[f"{rule}, {budget} updates"].select(lrs=[lr], seeds=[0, 5])
    alone = sweep(recorded.lrs, [0, 5], optimizer=RULES[rule][0], steps=budget)
    for metric in ("train_loss", "validation_loss", "validation_accuracy"):
        # float32 in groups of another size, and three digits
        assert recorded.final(metric) == pytest.approx(alone.final(metric), rel=6e-3)
    assert not recorded.diverged.any()


def test_the_file_holds_both_rules_at_every_budget_and_both_edges():
    tables = load(PATH)
    assert set(tables) == {f"{rule}, {budget} updates" for rule in RULES for budget in BUDGETS}
    for name, table in tables.items():
        assert table.seeds.tolist() == list(SEEDS)
        assert table.basin("validation_accuracy", 0.02).edge is None, name
