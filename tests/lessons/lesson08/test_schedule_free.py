"""Against the authors' package, in float64 (tests/golden/schedule_free.json)."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from course_utils.lessons.lesson08.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD

TESTS = Path(__file__).parents[2]
NOTEBOOKS = TESTS.parent / "notebooks"
GOLDEN = json.loads((TESTS / "golden/schedule_free.json").read_text())


def rule(name, options):
    decay = options.get("weight_decay", 0.0)
    if name.startswith("SGD"):
        return ScheduleFreeSGD(options["momentum"], decay)
    which = "paper" if "paper" in name else "package"
    return ScheduleFreeAdamW(0.9, decay, rule=which)


@pytest.mark.parametrize("name", GOLDEN["cases"])
@pytest.mark.parametrize("rates", ["number", "array"])
def test_equals_the_authors_package(name, rates):
    """To 1e-12, y on the way and x at the end, with both of its rules for AdamW."""
    case = GOLDEN["cases"][name]
    matrix, vector, noise = (np.array(part) for part in GOLDEN["problem"].values())
    mine, warmup = rule(name, case["options"]), case["options"].get("warmup_steps", 0)
    y = np.ones((1, 6))
    for n, extra in enumerate(noise, start=1):
        lr = case["options"]["lr"] * min(1.0, n / max(warmup, 1))
        gradient = y @ matrix - vector + extra
        y = mine.step(y, gradient, np.array([[lr]]) if rates == "array" else lr)
        if str(n) in case["y"]:
            np.testing.assert_allclose(y[0], case["y"][str(n)], rtol=0, atol=1e-12)
    np.testing.assert_allclose(mine.average[0], case["x"], rtol=0, atol=1e-12)


def test_the_two_rules_of_the_package_differ():
    """Were they the same, the test above would not know which is which."""
    cases = GOLDEN["cases"]
    gap = np.subtract(cases["AdamW, package"]["x"], cases["AdamW, paper"]["x"])
    assert np.abs(gap).max() > 0.1


def test_many_rates_side_by_side_are_as_many_runs_alone():
    """And reset() begins anew."""
    gradients = np.random.default_rng(1).normal(size=(30, 2, 3))
    both, alone = ScheduleFreeAdamW(), ScheduleFreeAdamW()
    for _ in range(2):
        both.reset()
        y = np.ones((2, 3))
        for gradient in gradients:
            y = both.step(y, gradient, np.array([[0.1], [0.3]]))
    for row, lr in enumerate((0.1, 0.3)):
        alone.reset()
        one = np.ones(3)
        for gradient in gradients:
            one = alone.step(one, gradient[row], lr)
        np.testing.assert_allclose(one, y[row], rtol=1e-13)


def test_a_rate_of_zero_moves_nothing():
    """As at the first update of a warm-up that begins at 0: no division by the sum 0."""
    mine = ScheduleFreeSGD()
    assert mine.step([1.0, 2.0], [1.0, 1.0], 0.0).tolist() == [1.0, 2.0] == mine.average.tolist()


@pytest.mark.parametrize(
    ("options", "word"), [({"beta": 1.0}, "beta"), ({"rule": "optax"}, "rule")]
)
def test_refuses_what_has_no_meaning(options, word):
    with pytest.raises(ValueError, match=word):
        ScheduleFreeAdamW(**options)


class Bowl:
    """In the place of the notebook's network: the quadratic of the golden file, with its noise."""

    def __init__(self):
        self.matrix, self.vector, self.noise = (np.array(p) for p in GOLDEN["problem"].values())
        self.calls = 0

    def start(self, seed):
        return np.ones(6)

    def loss_and_gradient(self, w, batch):
        self.calls += 1
        return 0.0, self.matrix @ w - self.vector + self.noise[self.calls - 1]


def test_the_ten_lines_of_the_lesson_are_the_authors_rule():
    notebook = json.loads((NOTEBOOKS / "08_without_knowing_the_end.ipynb").read_text("utf-8"))
    (source,) = ("".join(c["source"]) for c in notebook["cells"] if c["id"] == "8a0c1e41")
    assert len(source.strip().splitlines()) <= 10
    data = SimpleNamespace(train=SimpleNamespace(take=lambda rows: rows))
    names = {
        "mlp": Bowl(),
        "data": data,
        "batch_order": lambda n, size, updates, seed: range(updates),
    }
    exec(source, names)
    x = names["schedule_free"](rate=0.1, beta=0.9, seed=0, updates=200)
    np.testing.assert_allclose(x, GOLDEN["cases"]["SGD"]["x"], rtol=0, atol=1e-12)
