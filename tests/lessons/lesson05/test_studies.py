"""The recorded studies of lesson 5: the code measures what is recorded, and the records hold."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from course_utils.experiments.datasets import digits
from course_utils.experiments.models import mlp
from course_utils.experiments.sweep import sweep
from course_utils.lessons.lesson05 import studies as study
from course_utils.lessons.lesson05.transformer import Block
from course_utils.optimizers import Adagrad, Adam
from course_utils.schedules import with_warmup

FOLDER = Path(__file__).parents[3] / "notebooks" / "results"


@pytest.fixture(scope="module")
def records():
    return {name: study.load(FOLDER / f"05_{name}.json") for name in study.STUDIES}


def gap(arms, a, b, **how):
    return study.mean_and_error(arms.difference(a, b, **how))


@pytest.mark.parametrize("name", study.STUDIES)
def test_record_has_its_provenance_and_enough_seeds(name, records):
    meta = records[name].meta
    command = meta["provenance"]["command"]
    assert re.fullmatch(rf"python -m course_utils\.\S+ results {name}", command)
    assert {"date", "torch", "numpy", "python", "course_utils"} <= set(meta["provenance"])
    assert len(meta["seeds"]) >= (3 if name == "meter" else 5)
    assert (FOLDER / f"05_{name}.json").stat().st_size < 150_000


# --- the acceptance of the experiments, on the records ------------------------------------------


def test_x26_bursts_go_on_with_a_warmup_and_end_with_a_decay(records):
    late = {arm: m["late_bursts"][0] for arm, m in records["bursts"].metrics.items()}
    assert (late["RMSprop, constant"] >= 5).all() and (late["RMSprop, warm-up only"] >= 5).all()
    for arm in ("RMSprop, cosine", "RMSprop, warm-up, cosine", "RMSprop, 1/√t", "Adam, cosine"):
        assert (late[arm] == 0).all()
    for arm in ("Adagrad, constant", "gradient descent, constant"):
        assert (records["bursts"].metrics[arm]["bursts"] == 0).all()


def test_x26_the_network_hovers_at_the_threshold(records):
    curves = records["meter"].curves
    late = np.median(curves["meter"][:, curves["step"] >= 100], axis=1)
    assert ((late > 1.9) & (late < 3)).all()


def test_x27_deep_post_ln_needs_a_warmup(records):
    accuracy = {k: m["test_accuracy"][0] for k, m in records["transformers"].metrics.items()}
    assert (accuracy["post-LN, no warm-up"] < 0.5).sum() >= 4
    for arm in ("post-LN, warm-up 50", "post-LN, warm-up 100", "pre-LN, no warm-up"):
        assert (accuracy[arm] > 0.5).all()


def test_x27_small_network_needs_it_only_at_rates_that_are_too_large():
    settings = {"optimizer": Adam(), "batch_size": 64, "epochs": 15}
    plain = sweep([0.03, 0.3], range(5), **settings).final("validation_accuracy")
    warm = sweep(
        [0.03, 0.3], range(5), schedule=lambda lr: with_warmup(lr, 74, 1 / 75), **settings
    ).final("validation_accuracy")
    assert (plain[1] < 0.5).sum() >= 3 and (warm[1] > 0.5).all()
    assert abs(np.mean(warm[0] - plain[0])) < 0.01


def test_x28_plateau_helps_with_wrong_labels_at_high_rates_only(records):
    arms = records["plateau"]
    rates = arms.rates["plateau, clean"].tolist()

    def gain(kind, lr):
        i = rates.index(lr)
        ends = [arms.metrics[f"{p}, {kind}"]["test_accuracy"][i] for p in ("plateau", "constant")]
        return study.mean_and_error(100 * (ends[0] - ends[1]))

    mean, error = gain("noisy", 0.01)
    assert mean > 3 * error
    assert all(abs(gain("clean", lr)[0]) < 0.5 for lr in (0.001, 0.003, 0.01, 0.03))
    assert arms.metrics["plateau, noisy"]["drops"][rates.index(0.01)].min() >= 1


def test_x30_adagrad_wins_on_rare_features_only(records):
    how = {"metric": "test_loss", "by": "validation_loss"}
    mean, error = gap(
        records["sparse"], "gradient descent, linear, sparse", "Adagrad, sparse", **how
    )
    assert mean > 3 * error
    mean, error = gap(records["sparse"], "gradient descent, linear, dense", "Adagrad, dense", **how)
    assert abs(mean) < 3 * error


def test_x31_the_lead_over_gradient_descent_grows_with_the_batch(records):
    arms = records["batch_sizes"]
    lead = {n: gap(arms, f"Adam, {n}", f"gradient descent, {n}")[0] for n in (1, 4, 32, 256)}
    assert lead[256] > 0.05 and lead[256] > 3 * max(lead[1], lead[4], lead[32])


def test_x32_adam_is_not_faster_than_momentum(records):
    how = {"metric": "epochs", "by": "epochs"}
    mean, error = gap(records["speed"], "gradient descent", "Adam", **how)
    assert mean > 2 * error
    mean, error = gap(records["speed"], "momentum", "Adam", **how)
    assert mean < 2 * error


@pytest.mark.parametrize(
    ("name", "by"),
    [
        ("speed", "epochs"),
        ("batch_sizes", "validation_accuracy"),
        ("schedules", "validation_accuracy"),
        ("sparse", "validation_loss"),
        ("plateau", "validation_accuracy"),
    ],
)
def test_no_best_rate_sits_on_the_edge_of_its_grid(name, by, records):
    assert [arm for arm in records[name].rates if records[name].on_edge(arm, by)] == []


# --- the code measures what was recorded --------------------------------------------------------


def test_sparse_study_repeats(records):
    again = study.sparse_and_dense(["sparse"], seeds=[0, 1])
    for arm, metrics in again.metrics.items():
        np.testing.assert_allclose(
            metrics["test_loss"], records["sparse"].metrics[arm]["test_loss"][:, :2], rtol=1e-4
        )
    at = int(np.argmin(np.abs(again.rates["Adagrad, sparse"] - 0.56)))
    alone = study.sparse_excess(Adagrad(), float(again.rates["Adagrad, sparse"][at]), [0, 1])
    np.testing.assert_allclose(alone, again.metrics["Adagrad, sparse"]["test_loss"][at], rtol=1e-9)


def test_network_bursts_start_as_recorded(records):
    loss = study.network_bursts([0], steps=20).curves["RMSprop, constant"]
    recorded = records["bursts"].curves["RMSprop, constant"][:6]
    np.testing.assert_allclose(loss[:6], recorded, rtol=2e-3)


def test_small_studies_agree_with_their_records_in_distribution(records):
    again = study.speed(["Adam"], seeds=range(2)).metrics["Adam"]["epochs"]
    assert np.abs(again - records["speed"].metrics["Adam"]["epochs"][:, :2])[2:6].max() <= 3


def test_watched_networks_are_those_of_the_sweep():
    data, rates = digits(), np.array([0.003, 0.01])
    ours = study._train_watched(data, rates, [0, 1], epochs=2)
    theirs = sweep(rates, [0, 1], data=data, optimizer=Adam(), epochs=2, evaluate_on=("test",))
    assert (ours["drops"] == 0).all()
    np.testing.assert_allclose(ours["test_loss"], theirs.final("test_loss"), rtol=2e-3)


def test_preconditioned_sharpness_is_the_eigenvalue_of_the_dense_matrix():
    torch.manual_seed(0)
    data = digits().subset(60)
    model = mlp([64, 3, 10], "tanh", seed=0)
    params = list(model.parameters())
    scale = torch.rand(sum(p.numel() for p in params)) + 0.1
    x = torch.tensor(data.train.x)
    target = torch.nn.functional.one_hot(torch.tensor(data.train.y), 10).float()
    names = [name for name, _ in model.named_parameters()]

    def loss(flat):
        parts = torch.split(flat, [p.numel() for p in params])
        values = {n: part.view_as(p) for n, part, p in zip(names, parts, params)}
        return ((torch.func.functional_call(model, values, x) - target) ** 2).sum(1).mean() / 2

    flat = torch.cat([p.detach().flatten() for p in params])
    dense = torch.autograd.functional.hessian(loss, flat)
    root = scale.sqrt()
    exact = torch.linalg.eigvalsh(root[:, None] * dense * root)[-1].item()
    value, vector = study.preconditioned_sharpness(model, data, scale, iterations=200)
    assert value == pytest.approx(exact, rel=1e-3) and vector.shape == flat.shape


@pytest.mark.parametrize("pre", [False, True])
def test_blocks_normalize_where_they_say(pre):
    torch.manual_seed(0)
    out = Block(8, pre)(5 * torch.randn(2, 3, 8))
    normalized = torch.allclose(out.mean(-1), torch.zeros(2, 3), atol=1e-5)
    assert normalized is (not pre)


# --- counting, choosing, writing ----------------------------------------------------------------


def test_bursts_count_up_crossings_only():
    assert study.bursts([1.0, 2.9, 3.0, 3.1, 5.0, 2.0, 3.5]) == 2
    assert study.bursts([1.0, 0.5, 0.25]) == 0
    assert study.bursts([4.0, 1.0, 9.0], start=2) == 1
    with pytest.raises(ValueError, match="finite"):
        study.bursts([1.0, np.nan])


def test_arms_choose_by_the_right_direction_and_say_when_on_the_edge():
    rates = {"a": np.array([0.1, 0.2, 0.4])}
    metrics = {"validation_accuracy": [[0.1], [0.9], [np.nan]], "loss": [[0.3], [0.4], [np.nan]]}
    arms = study.Arms(rates, {"a": {k: np.array(v) for k, v in metrics.items()}})
    assert arms.best("a") == 1 and not arms.on_edge("a") and arms.best_rate("a") == 0.2
    assert arms.best("a", "loss") == 0 and arms.on_edge("a", "loss")
    assert arms.width("a", 0.02) == 0 and arms.width("a", 0.8) == pytest.approx(np.log10(2))
    with pytest.raises(ValueError, match="arm must be one of"):
        arms.best("b")


def test_schedules_of_the_bursts_keep_their_length():
    for name, schedule in study.burst_schedules(0.01, 100).items():
        rates = schedule(np.arange(100))
        assert rates.max() <= 0.01 + 1e-12 and (rates >= 0).all()
        assert bool(rates[-1] < 0.002) is (name not in ("constant", "warm-up only", "1/√t"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: study.transformers(["GPT"]), "arms must be one of"),
        (lambda: study.sparse_and_dense(["medium"]), "kind must be one of"),
        (lambda: study.mean_and_error([1.0]), "at least 2"),
        (lambda: study.record(".", ["all"]), "names must be one of"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_record_writes_what_load_reads(tmp_path, monkeypatch):
    small = study.Arms(
        {"a": np.array([0.1])}, {"a": {"epochs": np.array([[1.0, np.inf]])}}, {}, {"seeds": [0, 1]}
    )
    monkeypatch.setitem(study.STUDIES, "speed", lambda: small)
    study.record(tmp_path, ["speed"])
    loaded = study.load(tmp_path / "05_speed.json")
    assert loaded.rates["a"].tolist() == [0.1] and np.isnan(loaded.metrics["a"]["epochs"][0, 1])
    json.loads((tmp_path / "05_speed.json").read_text(), parse_constant=pytest.fail)
