"""Best rates and slopes of curves that are known exactly."""

from __future__ import annotations

import numpy as np
import pytest

from course_utils.experiments.table import Table
from course_utils.lessons.lesson09.transfer import best_rate, slope

RATES = 2.0 ** np.arange(-8, 9)


def valley(at: float, metric: str = "test_loss", seeds: int = 4, spread: float = 0.0) -> Table:
    """Parabolas in log rate (of the log of a loss), with their bottom near `at`."""
    rng = np.random.default_rng(1)
    shifts = spread * rng.standard_normal(seeds)
    away = np.log(RATES / at)[:, np.newaxis] - shifts
    values = 1 - away**2 / 50 if metric.endswith("accuracy") else np.exp(away**2 / 4)
    return Table(RATES, range(seeds), {metric: values})


@pytest.mark.parametrize("metric", ["test_loss", "test_accuracy"])
@pytest.mark.parametrize("at", [1.0, 1.3, 0.7])
def test_the_bottom_is_found_between_the_rates(metric: str, at: float) -> None:
    assert best_rate(valley(at, metric), metric) == pytest.approx(at)


def test_at_the_end_of_the_grid_the_end_is_returned() -> None:
    assert best_rate(valley(1e6)) == RATES[-1]


def test_a_rate_at_which_a_seed_was_lost_is_a_cliff_and_order_does_not_matter() -> None:
    table = valley(1.0)
    losses = table.final("test_loss").copy()
    losses[RATES > 1.5, 0] = np.nan
    order = np.random.default_rng(0).permutation(len(RATES))
    cut = Table(RATES[order], table.seeds, {"test_loss": losses[order]})
    assert 0.5 < best_rate(cut) <= 1.0
    assert best_rate(cut) == best_rate(Table(RATES, table.seeds, {"test_loss": losses}))
    shuffled = Table(
        RATES[order], table.seeds, {"test_loss": valley(1.3).final("test_loss")[order]}
    )
    assert best_rate(shuffled) == pytest.approx(1.3)


@pytest.mark.parametrize("power", [1.0, 0.5, -0.5])
def test_the_slope_is_that_of_the_law(power: float) -> None:
    exact = slope({x: valley(x**power) for x in (1, 4, 16)})
    assert (exact.value, exact.low, exact.high) == pytest.approx((power,) * 3)


def test_the_interval_holds_the_truth_and_narrows_with_more_seeds() -> None:
    few, many = (
        slope({1: valley(1.0, seeds=n, spread=0.5), 4: valley(2.0, seeds=n)}) for n in (4, 64)
    )
    assert few.low < 0.5 < few.high and many.low < 0.5 < many.high
    assert many.high - many.low < few.high - few.low
