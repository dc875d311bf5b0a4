"""A share of seeds has Wilson's interval."""

import math

import pytest

from course_utils.experiments.intervals import share


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 4), (3, 4), (4, 10), (9, 9), (50, 200)])
def test_the_interval_ends_where_the_true_share_would_be_1_96_of_its_errors_away(k, n):
    found = share(k, n)
    assert found.mean == k / n and 0 <= found.low <= found.mean <= found.high <= 1
    for true in {found.low, found.high} - {0.0, 1.0}:
        error = math.sqrt(true * (1 - true) / n)
        assert abs(found.mean - true) / error == pytest.approx(1.959964, rel=1e-6)
    assert (found.low == 0) == (k == 0) and (found.high == 1) == (k == n)


@pytest.mark.parametrize(("k", "n"), [(-1, 4), (5, 4), (0, -1), (1.5, 4)])
def test_a_share_that_cannot_be_is_refused(k, n):
    with pytest.raises((TypeError, ValueError), match=r"successes|of"):
        share(k, n)


def test_of_no_seeds_nothing_is_known():
    found = share(0, 0)
    assert math.isnan(found.mean) and (found.low, found.high) == (0, 1)
