"""The code in the table of libraries is run: PyTorch's here, the others' as recorded."""

import inspect
import json
import math
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from course_utils.lessons.lesson10 import libraries
from course_utils.schedules import (
    ReduceOnPlateau,
    cosine,
    inverse_time,
    noisy_linear_cosine,
    with_warmup,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "libraries.json"
RECORD = json.loads(GOLDEN.read_text(encoding="utf-8"))
STEPS = 41
PLATEAU_METRICS = [1.0] * 8  # of each epoch: it never improves
CELLS = [(row.name, library) for row in libraries.ROWS for library in row.versions]
NAIVE = [cell for cell in CELLS if libraries.row(cell[0]).versions[cell[1]].naive]
TOLERANCE = 1e-7  # of a first rate of 0.1: the others compute in float32


def own_rates(row):
    if row.schedule is not None:
        return row.schedule.rates(STEPS)
    plateau = ReduceOnPlateau(0.1, patience=2)
    return np.array([plateau.update(metric) for metric in PLATEAU_METRICS])


def rates(name, library, naive=False):
    """The rates of a library: computed if it is PyTorch, looked up otherwise."""
    version = libraries.row(name).versions[library]
    code = version.naive if naive else version.code
    if library == "torch":
        return torch_rates(code, libraries.row(name))
    entry = RECORD["rows"][name][library]
    assert entry["naive" if naive else "code"] == code, "run tests/golden/make_libraries.py again"
    return np.array(entry["naive_rates" if naive else "rates"])


def torch_rates(code, row):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = eval(code, {**vars(lr_scheduler), "optimizer": optimizer, "math": math})
    used = []
    if row.schedule is None:
        for metric in PLATEAU_METRICS:
            scheduler.step(metric)
            used.append(optimizer.param_groups[0]["lr"])
        return np.array(used)
    for _ in range(STEPS):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        try:
            scheduler.step()
        except ValueError:  # OneCycleLR, past its end
            break
    return np.array(used)


@pytest.mark.parametrize(("name", "library"), CELLS)
def test_code_gives_the_rates_of_the_row(name, library):
    row = libraries.row(name)
    used, own, until = rates(name, library), own_rates(row), row.versions[library].until
    n = len(own) if until is None else until
    assert len(used) >= n
    np.testing.assert_allclose(used[:n], own[:n], atol=TOLERANCE, rtol=0)
    if until is not None:
        assert abs(used[until] - own[until]) > 10 * TOLERANCE, "they agree for longer than said"


@pytest.mark.parametrize(("name", "library"), NAIVE)
def test_naive_translation_goes_wrong_exactly_where_it_says(name, library):
    row = libraries.row(name)
    own = own_rates(row)
    used = rates(name, library, naive=True)
    wrong = np.abs(used - own[: len(used)]) > 10 * TOLERANCE
    assert int(np.argmax(wrong)) == row.versions[library].naive_from and wrong.any()


@pytest.mark.parametrize(("name", "library"), CELLS)
def test_defaults_are_the_librarys(name, library):
    version = libraries.row(name).versions[library]
    if library != "torch":
        recorded = RECORD["rows"][name][library]["defaults"]
        assert version.defaults == recorded
        return
    function = getattr(lr_scheduler, re.match(r"\w+", version.code)[0])
    actual = {k: p.default for k, p in inspect.signature(function).parameters.items()}
    for argument, value in version.defaults.items():
        assert actual[argument] == value


def test_the_record_has_nothing_that_the_table_has_not():
    recorded = {(name, library) for name, cells in RECORD["rows"].items() for library in cells}
    assert recorded == {cell for cell in CELLS if cell[1] != "torch"}


def test_all_of_tensorflow_1_and_of_keras_3_is_in_the_table():
    used = {library: set() for library in libraries.LIBRARIES}
    for name, library in CELLS:
        used[library].add(re.match(r"\w+", libraries.row(name).versions[library].code)[0])
    assert len(used["tf1"]) == 9
    assert used["keras3"] == {
        "CosineDecay",
        "CosineDecayRestarts",
        "ExponentialDecay",
        "InverseTimeDecay",
        "PiecewiseConstantDecay",
        "PolynomialDecay",
        "ReduceLROnPlateau",
    }


def test_names_are_unique_and_no_cell_is_empty():
    assert len({row.name for row in libraries.ROWS}) == len(libraries.ROWS)
    for row in libraries.ROWS:
        assert row.boundary and row.past_end and row.trap and row.versions
        assert set(row.versions) <= set(libraries.LIBRARIES)


def test_the_copied_numbers_of_the_lessons_figure_are_the_libraries_own():
    rows = RECORD["rows"]["warm-up, then cosine"]
    for library, length in (("optax", 5), ("keras3", 15)):
        drawn = with_warmup(cosine(0.1, length), 5).rates(STEPS)
        np.testing.assert_allclose(rows[library]["naive_rates"], drawn, atol=TOLERANCE)
    climbing = rows["transformers"]["rates"]
    assert climbing[15] == pytest.approx(0, abs=TOLERANCE) and climbing[20] > 0.04


# The numbers in the column "trap"


def test_numbers_of_the_traps():
    assert inverse_time(1.0, 1, 1e-6)(93_800) == pytest.approx(0.914, abs=5e-4)
    assert -math.log(0.96) == pytest.approx(0.041, abs=5e-4)
    assert 25 * 1e4 == 250_000
    negative = np.mean([noisy_linear_cosine(0.1, 10, seed=s)(0) < 0 for s in range(2000)])
    assert negative == pytest.approx(1 / 6, abs=0.03)
    linear = libraries.row("linear cosine").schedule.rates(11)
    assert linear[[0, 10]] == pytest.approx([0.1001, 0.0001])


def test_cyclic_gives_plain_sgd_a_momentum():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler, used = lr_scheduler.CyclicLR(optimizer, 0.02, 0.1, step_size_up=10), []
    for _ in range(20):
        used.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        scheduler.step()
    assert [max(used), min(used)] == pytest.approx([0.9, 0.8])


def test_linear_lr_refuses_to_start_at_zero():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    with pytest.raises(ValueError, match="Starting multiplicative factor"):
        lr_scheduler.LinearLR(optimizer, start_factor=0.0)


def test_two_schedulers_on_one_optimizer_multiply():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    both = [lr_scheduler.ExponentialLR(optimizer, 0.5), lr_scheduler.StepLR(optimizer, 1, 0.1)]
    optimizer.step()
    for scheduler in both:
        scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * 0.5 * 0.1)


def test_a_scheduler_that_computes_from_the_first_rate_overwrites_the_other():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    both = [
        lr_scheduler.ExponentialLR(optimizer, 0.9),
        lr_scheduler.LambdaLR(optimizer, lambda t: 0.5),
    ]
    for _ in range(2):
        optimizer.step()
        for scheduler in both:
            scheduler.step()
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05)


def test_asgd_decays_in_inverse_time():
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.ASGD([weight], lr=0.1, lambd=0.5, alpha=1.0)
    moved = []
    for _ in range(4):
        weight.data.zero_()  # lambd also shrinks the weight
        weight.grad = torch.ones(1)
        optimizer.step()
        moved.append(-weight.item())
    expected = [0.1 / (1 + 0.5 * 0.1 * max(0, t)) for t in (0, 1, 2, 3)]  # ASGD's own count
    np.testing.assert_allclose(moved, expected, rtol=1e-6)


def test_the_step_after_the_last_of_one_cycle():
    used = torch_rates(
        "OneCycleLR(optimizer, 0.1, total_steps=11, pct_start=4 / 11)", libraries.row("one cycle")
    )
    assert used[11] / used[10] == pytest.approx(12_000, rel=0.05)


def test_one_cycle_replaces_the_rate_and_moves_the_momentum():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=123.0, momentum=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=11)
    group = optimizer.param_groups[0]
    assert group["lr"] == pytest.approx(0.1 / 25) and group["momentum"] == 0.95


# Rendering


@pytest.mark.parametrize("make", ["calls", "traps", "defaults", "translations"])
def test_tables_are_regular_markdown(make):
    table = getattr(libraries, make)()
    lines = table._repr_markdown_().splitlines()
    assert len(lines) == len(table.rows) + 2
    width = len(table.columns)
    for line in lines:
        assert line.count("|") == width + 1, line
    assert all(len(row) == width and all(row) for row in table.rows)


def test_a_table_of_chosen_rows():
    body = libraries.traps(["cosine", "exponential"]).rows
    assert [row[0] for row in body] == ["**cosine**", "**exponential**"]
    with pytest.raises(ValueError, match="name must be one of 'constant', .* got 'cosinus'"):
        libraries.calls(["cosinus"])


def test_the_table_says_where_libraries_part():
    text = str(libraries.calls(["cosine"]))
    assert "`CosineAnnealingLR(optimizer, T_max=10, eta_min=0.01)` (the same up to step 10)" in text
