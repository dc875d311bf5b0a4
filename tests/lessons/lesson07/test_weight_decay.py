"""The recorded map of rate and weight decay is what the code measures, and shows what is taught."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from course_utils.experiments.models import mlp
from course_utils.experiments.training import train
from course_utils.lessons.lesson07 import weight_decay as study

RECORD = Path(__file__).parents[3] / "notebooks" / "results" / "07_map.json"


@pytest.fixture(scope="module")
def maps():
    return study.load(RECORD)


def test_record_has_its_shape_and_provenance(maps):
    assert tuple(maps) == study.RULES
    for name, one in maps.items():
        assert tuple(one.rates) == study.RATES[name] and tuple(one.decays) == study.DECAYS[name]
        assert one.validation_loss.shape == (10, 8, 5)
        provenance = one.meta["provenance"]
        assert re.fullmatch(
            r"python -m course_utils\.\S+ results/07_map.json", provenance["command"]
        )
        assert {"date", "numpy", "python", "course_utils"} <= set(provenance)
    assert RECORD.stat().st_size < 100_000


def test_the_best_cell_is_not_on_an_edge(maps):
    for one in maps.values():
        row, column = one.best
        assert 0 < row < len(one.rates) - 1 and 0 < column < len(one.decays) - 1


def test_decay_makes_larger_rates_usable_until_it_is_too_much(maps):
    for one in maps.values():
        bare, best = one.mean[:, 0], one.mean.min(axis=1)
        wide, narrow = (values <= one.mean.min() + 0.05 for values in (best, bare))
        assert wide.sum() >= narrow.sum() + 2  # two more steps of the grid, two thirds of a decade
        assert one.rates[wide].max() >= 4 * one.rates[narrow].max()
        assert one.mean[:, -1].min() > one.mean.min() + 0.5


def test_code_measures_what_was_recorded(maps):
    """The first rate of each map is stable, so it repeats closely on every machine."""
    for name, one in maps.items():
        again = study.measure(name, one.rates[:1], one.decays[3:4], seeds=[1])
        recorded = one.validation_loss[:1, 3:4, 1:2]
        np.testing.assert_allclose(again.validation_loss, recorded, rtol=5e-3)


@pytest.mark.parametrize(("name", "torch_rule"), [("gradient descent", "SGD"), ("AdamW", "AdamW")])
def test_decay_means_what_it_means_in_torch(name, torch_rule):
    mine = study.measure(name, [0.01], [0.3], seeds=[2], steps=30).validation_loss.item()
    network = mlp((64, 64, 10), seed=2)
    rule = getattr(torch.optim, torch_rule)
    data = study.problem()
    train(
        network,
        data,
        optimizer=lambda params: rule(params, lr=0.01, weight_decay=0.3),
        schedule=0.01,
        steps=30,
        batch_size=study.BATCH_SIZE,
        seed=2,
    )
    with torch.no_grad():
        outputs = network(torch.tensor(data.validation.x))
    loss = torch.nn.functional.cross_entropy(outputs, torch.tensor(data.validation.y)).item()
    assert mine == pytest.approx(loss, rel=1e-4)


def test_usable_is_the_largest_good_rate():
    loss = np.array([[[1.0], [2.0]], [[0.5], [1.0]], [[0.52], [9.0]], [[np.nan], [9.0]]])
    one = study.Map("AdamW", np.array([1, 2, 3, 4.0]), np.array([0, 1.0]), loss, loss, loss, {})
    assert one.usable(0.05).tolist() == [3.0, 2.0] and one.best == (1, 0)
    assert one.best_rate.tolist() == [2.0, 2.0]
    with pytest.raises(ValueError, match="tolerance"):
        one.usable(-1)


def test_record_writes_what_load_reads(tmp_path, monkeypatch):
    small = {n: study.measure(n, [0.01, 1e6], [0.1], seeds=[0], steps=4) for n in study.RULES}
    monkeypatch.setattr(study, "measure", lambda name: small[name])
    study.record(tmp_path / "map.json")
    loaded = study.load(tmp_path / "map.json")
    for name in study.RULES:
        np.testing.assert_allclose(
            loaded[name].validation_loss, small[name].validation_loss, rtol=1e-3
        )
    assert np.isnan(loaded["gradient descent"].validation_loss[1]).all()  # diverged: null
    json.loads((tmp_path / "map.json").read_text(encoding="utf-8"))


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="name must be one of"):
        study.measure("Adam")
    with pytest.raises(ValueError, match="name must be one of"):
        study.rule("Adam", 0.1)
