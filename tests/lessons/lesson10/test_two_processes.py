"""Two processes, for real; and what a reader sees when they cannot do their work."""

import pytest
import torch

from course_utils.lessons.lesson10 import two_processes


def test_the_processes_share_the_examples_and_make_the_whole_batch():
    parts = [two_processes.epoch(rank, 2) for rank in (0, 1)]
    whole = two_processes.epoch(batch=16)
    for (x0, y0), (x1, y1), (x, y) in zip(*parts, whole, strict=True):
        assert torch.equal(torch.stack([x0, x1], 1).reshape(16, 3), x)
        assert torch.equal(torch.stack([y0, y1], 1).reshape(16), y)


def test_one_process_is_plain_gradient_descent():
    batches = two_processes.epoch(batch=16)
    w, lr = torch.zeros(3, dtype=torch.float64), 0.1
    for t, (x, y) in enumerate(batches):
        w = w - lr * (1 - t / 4) * 2 * x.T @ (x @ w - y) / len(y)
    found, rates = two_processes.train(batches, plan=4, how="none")
    assert torch.allclose(found, w, atol=1e-14)
    assert rates == [1, 0.75, 0.5, 0.25]


def test_a_process_that_fails_is_quoted(tmp_path):
    script = tmp_path / "dies.py"
    script.write_text("raise SystemExit('no sockets here')", encoding="utf-8")
    with pytest.raises(RuntimeError, match=r"process 0 ended with 1. Two.*127.0.0.1(.|\n)*no sock"):
        two_processes.launch(script=script)


def test_processes_that_hang_are_ended(tmp_path):
    script = tmp_path / "hangs.py"
    script.write_text("import time; time.sleep(600)", encoding="utf-8")
    with pytest.raises(RuntimeError, match="not done after 0.5 s"):
        two_processes.launch(seconds=0.5, script=script)
