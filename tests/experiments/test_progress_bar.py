"""tqdm is needed where a bar is shown, and nowhere else."""

from __future__ import annotations

import sys

import pytest

from course_utils.experiments.datasets import digits
from course_utils.experiments.models import mlp
from course_utils.experiments.sweep import sweep
from course_utils.experiments.training import train

TRAININGS = {
    "sweep": lambda **more: sweep([0.1], [0], steps=2, **more),
    "train": lambda **more: train(mlp((64, 10), seed=0), digits(), steps=2, **more),
}


@pytest.mark.parametrize("name", TRAININGS)
def test_without_a_bar_nothing_asks_for_tqdm(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    TRAININGS[name]()
    with pytest.raises(ImportError, match=r"tqdm\.auto"):
        TRAININGS[name](progress=True)


@pytest.mark.parametrize(("name", "updates"), [("sweep", "2/2"), ("train", "2/2")])
def test_the_bar_that_is_shown_counts_updates(name, updates, capsys):
    TRAININGS[name](progress=True)
    assert updates in capsys.readouterr().err
