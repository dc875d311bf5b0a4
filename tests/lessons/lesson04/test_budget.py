"""What lesson 4 says in passing about its race: ten times the budget, and other values of β₁."""

import numpy as np
import pytest

from course_utils.lessons.lesson04.race import steps_to_arrive
from course_utils.optimizers import Adam, GradientDescent, RMSprop
from course_utils.problems import quadratic

RATES = np.geomspace(1e-3, 10, 33)
TEN_TIMES = 50_000


def valley(degrees):
    return quadratic([100.0, 0.01], start=[1.0, -10.0], rotation=degrees)


@pytest.mark.parametrize("degrees", [0, 45])
def test_with_ten_times_the_budget_the_leaders_are_the_same(degrees):
    """They arrive when they did, and stay; along the axes Adam is first, turned momentum."""
    first = {}
    for rule in (GradientDescent(momentum=0.97), Adam(beta2=0.9)):
        early, late = (
            steps_to_arrive(rule, valley(degrees), RATES, steps) for steps in (5000, TEN_TIMES)
        )
        assert early.min() == late.min() and early.argmin() == late.argmin()
        first[rule.name] = late.min()
    assert min(first, key=first.get) == ("momentum 0.97" if degrees else "Adam")


@pytest.mark.parametrize("alpha", [0.0, 0.9, 0.999])
def test_in_the_turned_valley_rmsprop_takes_thousands_of_steps(alpha):
    late = steps_to_arrive(RMSprop(alpha=alpha), valley(45), RATES, TEN_TIMES)
    assert 2500 < late.min() < 20_000


@pytest.mark.parametrize("beta1", [0.0, 0.5, 0.97, 0.99])
def test_along_the_axes_adam_is_slower_with_another_beta1(beta1):
    def fewest(b):
        return min(
            steps_to_arrive(Adam(beta1=b, beta2=beta2), valley(0), RATES, 5000).min()
            for beta2 in (0.5, 0.8, 0.9, 0.95, 0.99)
        )

    assert fewest(beta1) > fewest(0.9)
