"""µP's factors are those of the package `mup`, here and in the cell that the lesson shows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from course_utils.lessons.lesson09 import training, width

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = json.loads((ROOT / "tests/golden/mup.json").read_text(encoding="utf-8"))
NOTEBOOK = ROOT / "notebooks" / "09_transferring_a_learning_rate.ipynb"
LAYERS = ("input", "hidden", "readout")


def shown() -> dict:
    """What the lesson's own cell defines."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    (cell,) = [c for c in cells if "def three_factors" in "".join(c["source"])]
    names = {"np": np}
    exec("".join(cell["source"]), names)  # our own notebook
    return names


@pytest.mark.parametrize("n", [16, 64, 256, 512])
@pytest.mark.parametrize("rule", ["Adam", "SGD"])
def test_rates_and_starts_are_those_of_the_package(rule: str, n: int) -> None:
    for name, layer in zip(LAYERS, width.mup_factors(rule, 3, n), strict=True):
        assert layer.weights == pytest.approx(GOLDEN[rule][str(n)][f"{name}.weight"])
        assert layer.biases == pytest.approx(GOLDEN[rule][str(n)][f"{name}.bias"])
        assert layer.start == pytest.approx(GOLDEN["start"][str(n)][name], rel=0.01)  # a sample


@pytest.mark.parametrize("n", [16, 64, 256])
def test_the_cell_of_the_lesson_does_what_the_record_did(n: int) -> None:
    nets = training.networks(2, [0, 1], (20, n, n, 10))
    for mine, theirs in zip(
        shown()["three_factors"](nets, nets.initial()),
        width.apply_mup(nets, nets.initial(), "Adam"),
        strict=True,
    ):
        assert np.allclose(mine, theirs, rtol=1e-6, atol=0)


def test_at_the_base_width_nothing_changes() -> None:
    nets = training.networks(1, [3], (20, 64, 64, 10))
    for rule in width.RULES:
        params, factors = width.apply_mup(nets, nets.initial(), rule)
        assert (params == nets.initial()).all() and (factors == 1).all()


@pytest.mark.parametrize(
    ("arguments", "word"), [(("RMSprop", 3, 64), "rule"), (("Adam", 1, 64), "layers")]
)
def test_bad_input_is_named(arguments: tuple, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        width.mup_factors(*arguments)
