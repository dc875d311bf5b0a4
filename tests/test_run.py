"""The flight recorder: lengths that agree, strict JSON and back, files that are never half."""

import json
import math
import os
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from course_utils import run as run_module
from course_utils.run import Run, write_atomically

few = settings(max_examples=40)  # runs of many steps: enough examples, in seconds
INF, NAN = math.inf, math.nan


def example(**changes):
    content = {
        "lr": [0.1, 0.2, 0.3],
        "loss": [4.0, 2.0, 1.0],
        "grad_norm": [4.0, 2.0, 1.0],
        "final_loss": 0.5,
        "params": [[1.0, 2.0]] * 4,
        "metrics": {"step": [0, 3], "accuracy": [0.5, 0.75]},
        "meta": {"optimizer": "Adam", "seed": 3, "sizes": [64, 10], "l2": None, "shuffle": True},
    }
    return Run(**{**content, **changes})


def same(one, other):
    for name in ("lr", "loss", "grad_norm", "final_loss", "params"):
        a, b = getattr(one, name), getattr(other, name)
        assert type(a) is type(b)
        if a is not None:
            np.testing.assert_array_equal(a, b)
            assert np.shape(a) == np.shape(b)
    assert one.metrics.keys() == other.metrics.keys()
    for name, values in one.metrics.items():
        np.testing.assert_array_equal(values, other.metrics[name])
        assert values.dtype.kind == other.metrics[name].dtype.kind
    assert one.meta == other.meta


def test_fields_become_arrays_of_float64():
    run = example(lr=(1, 2, 3), loss=np.ones(3, np.float32), final_loss=np.float32(0.5))
    for name in ("lr", "loss", "grad_norm", "params"):
        assert getattr(run, name).dtype == np.float64
    assert type(run.final_loss) is float and run.steps == 3
    assert run.metrics["step"].dtype.kind == "i"
    with pytest.raises(AttributeError):
        run.lr = [1.0]


def test_a_run_has_its_own_dictionary_of_metrics():
    assert Run([0.1], [1.0], [1.0], 1.0).metrics is not Run([0.1], [1.0], [1.0], 1.0).metrics


# --------------------------------------------------------------------------------------------
# Lengths
# --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"lr": 0.1}, "^lr must have one entry per update"),
        ({"lr": [[[0.1]]] * 3}, "^lr must have one entry per update"),
        ({"lr": ["a", "b", "c"]}, "^lr must be an array of numbers"),
        ({"loss": [1j, 1, 1]}, "^loss must be an array of numbers"),
        ({"final_loss": None}, "^final_loss must be an array of numbers"),
        ({"lr": [0.1, 0.2]}, "^loss must have 2 entries"),
        ({"loss": 1.0}, "^loss must have 3 entries"),
        ({"loss": [1.0]}, "^loss must have 3 entries"),
        ({"grad_norm": [1.0] * 4}, "^grad_norm must have 3 entries"),
        ({"params": [[1.0, 2.0]] * 3}, "^params must have 4 entries"),
        ({"metrics": {"accuracy": [0.5]}}, "^metrics must contain 'step'"),
        (
            {"metrics": {"step": [0, 3], "accuracy": [0.5]}},
            r"^metrics\['accuracy'\] must be as long",
        ),
    ],
)
def test_lengths_that_do_not_agree(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        example(**changes)


def test_replica_axes_are_allowed():
    run = example(loss=np.ones((3, 5, 2)), grad_norm=np.ones((3, 5, 2)), final_loss=np.ones((5, 2)))
    assert run.diverged.shape == (5, 2) and not run.diverged.any()


# --------------------------------------------------------------------------------------------
# Diverged
# --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first, middle, final, diverged",
    [
        (4.0, 2.0, 0.5, False),
        (4.0, 1e9, 0.5, False),  # it came back
        (4.0, 2.0, 40.0, False),  # exactly 10 times
        (4.0, 2.0, 40.001, True),
        (4.0, 2.0, INF, True),
        (4.0, 2.0, NAN, True),
        (4.0, INF, 0.5, True),
        (4.0, NAN, 0.5, True),
        (INF, 2.0, 0.5, True),
        # A loss may be negative (two wells) or exactly zero (a start at the minimum).
        (-0.3, -0.2, -0.1, False),
        (-0.3, -0.2, 2.9, False),
        (-0.3, -0.2, 3.1, True),
        (-0.3, -9.0, -9.0, False),
        (0.0, 0.1, 0.2, False),
        (0.0, 0.1, INF, True),
    ],
)
def test_diverged(first, middle, final, diverged):
    run = example(loss=[first, middle, middle], final_loss=final)
    assert run.diverged is diverged
    many = example(
        loss=[[first, 1.0], [middle, 1.0], [middle, 1.0]],
        grad_norm=np.ones((3, 2)),
        final_loss=[final, 1.0],
    )
    assert many.diverged.tolist() == [diverged, False]


def test_a_run_without_updates_has_not_diverged():
    run = Run([], [], [], 3.0)
    assert run.steps == 0 and run.diverged is False
    same(Run.from_json(run.to_json()), run)


# --------------------------------------------------------------------------------------------
# JSON
# --------------------------------------------------------------------------------------------


def test_json_and_back():
    for changes in (
        {},
        {"params": None, "metrics": {}, "meta": {}},
        {"loss": [1.0, INF, NAN], "final_loss": -INF, "params": [[INF, 1.0]] * 4},
        {"metrics": {"step": [0, 3], "done": [True, False], "loss": [NAN, 1.0]}},
        {"loss": np.full((3, 2), INF), "grad_norm": np.ones((3, 2)), "final_loss": [NAN, 1.0]},
    ):
        run = example(**changes)
        same(Run.from_json(run.to_json()), run)


numbers = st.floats(allow_nan=True, allow_infinity=True)


@few
@given(st.data(), st.integers(1, 5), st.lists(st.integers(1, 3), max_size=2))
def test_json_and_back_to_the_last_bit(data, steps, replicas):
    def draw(*shape):
        return data.draw(hnp.arrays(np.float64, shape, elements=numbers))

    run = Run(
        lr=draw(steps),
        loss=draw(steps, *replicas),
        grad_norm=draw(steps, *replicas),
        final_loss=draw(*replicas) if replicas else data.draw(numbers),
        params=draw(steps + 1, *replicas, 2),
        metrics={"step": np.arange(2), "x": draw(2)},
    )
    same(Run.from_json(run.to_json()), run)


def test_the_json_is_strict():
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    text = example(loss=[1.0, INF, NAN], final_loss=-INF).to_json()
    content = json.loads(text, parse_constant=refuse)
    assert content["loss"] == [1.0, "inf", "nan"] and content["final_loss"] == "-inf"


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(TypeError):
        example(meta={"optimizer": object()}).to_json()
    with pytest.raises(ValueError):
        example(meta={"l2": NAN}).to_json()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "{}", '{"lr": [0.1]}', example().to_json()[:-1] + ', "more": 1}'],
)
def test_text_that_is_no_run(text):
    with pytest.raises(ValueError):
        Run.from_json(text)


def test_a_missing_field_is_named():
    content = json.loads(example().to_json())
    del content["lr"]
    with pytest.raises(ValueError, match="text must hold the fields .*'lr'"):
        Run.from_json(json.dumps(content))


# --------------------------------------------------------------------------------------------
# Files
# --------------------------------------------------------------------------------------------


def test_save_and_load(tmp_path):
    path = tmp_path / "run.json"
    for run in (example(), example(final_loss=INF)):  # the second replaces the first
        run.save(path)
        same(Run.load(path), run)
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]
    Run.load(str(path))


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    example().save(path)

    def fail(*arguments):
        raise OSError("disk full")

    for step in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(run_module.os, step, fail)
            with pytest.raises(OSError, match="disk full"):
                example(final_loss=99.0).save(path)
        assert Run.load(path).final_loss == 0.5
        assert os.listdir(tmp_path) == ["run.json"]


def test_a_run_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "run.json"
    example().save(path)
    with pytest.raises(TypeError):
        example(meta={"bad": object()}).save(path)
    assert Run.load(path).final_loss == 0.5


def test_a_reader_never_sees_half_a_file(tmp_path):
    path, done, seen = tmp_path / "text", threading.Event(), set()
    texts = ["a" * 200_000, "b" * 200_000]
    write_atomically(path, texts[0])

    def read():
        while not done.is_set():
            seen.add(path.read_text(encoding="utf-8"))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for i in range(20):
            write_atomically(path, texts[i % 2])
    finally:
        done.set()
        reader.join()
    assert seen <= set(texts)


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError):
        example().save(tmp_path / "nowhere" / "run.json")
