"""The page of short programs: the rates follow from PyTorch's documentation, by hand."""

import numpy as np
import pytest
import torch

from course_utils.lessons.lesson10 import short_programs

RAN = {
    "skipped": [4 / 6, 3 / 6, 2 / 6, 1 / 6],
    "waited": [1, 5 / 6, 4 / 6, 3 / 6],
    "a_rate_for_a_factor": [[1, 0.1], [0.05, 0.005], [0.05, 0.005]],
    "a_floor_above_the_rate": [[1, 0.1], [0.875, 0.2], [0.625, 0.4], [0.5, 0.5]],
    "set_in_vain": [1, 1, 1, 1],
    "the_wrong_way_up": [1, 1, 1, 1, 0.5],
    "never_worse": [1] * 6,
}


@pytest.mark.parametrize("name", RAN)
def test_what_ran(name):
    np.testing.assert_allclose(short_programs.rates(name), RAN[name], atol=1e-9)


def test_one_cycle_gives_both_groups_one_rate():
    rates = short_programs.rates("one_peak_for_all")
    assert rates.shape == (4, 2) and (rates[:, 0] == rates[:, 1]).all()
    assert rates[0] == pytest.approx(1 / 25)


def test_the_page_has_every_program_with_what_it_announced_and_why():
    body = short_programs.page().rows
    assert [row[0] for row in body] == [f"`{name}`" for name in short_programs.PROGRAMS]
    assert all(all(row) for row in body)
    assert [row[:3] for row in body] == short_programs.page(why=False).rows
    assert [row[::3] for row in body] == short_programs.page(announced=False).rows
    assert body[0][2:] == [
        "0.67, 0.5, 0.33, 0.17",
        "a skipped update is none, but its step of the plan is gone",
    ]


def test_a_source_can_be_typed():
    assert short_programs.source("waited").startswith("def waited():")
    with pytest.raises(ValueError, match="name must be one of"):
        short_programs.source("wait")


def test_a_fused_optimizer_is_called_for_a_skipped_update_and_the_scale_tells():
    w, calls, moved, told = torch.zeros(1, requires_grad=True), [], [], []
    optimizer = torch.optim.SGD([w], lr=1.0, fused=True)
    optimizer.register_step_pre_hook(lambda *_: calls.append(1))
    scaler = torch.amp.GradScaler("cpu")
    for t in range(6):
        before, at = scaler.get_scale(), w.item()
        optimizer.zero_grad()
        scaler.scale((w * (np.inf if t < 2 else 1)).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        moved.append(w.item() != at)
        told.append(scaler.get_scale() >= before)
    assert len(calls) == 6 and moved == told == [False] * 2 + [True] * 4
