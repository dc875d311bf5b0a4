"""Article 002: the three programs on (w + 1)², and what is printed beside what."""

import numpy as np
import pytest
from judging import judges

from course_utils.lessons.appendix.printed_tables import printed_table

RATES = {
    1: lambda step: 0.01,
    2: lambda step: 0.99,
    3: lambda step: 0.2 * 0.99**step,
}


def program(rate, steps=20):
    """The article's loop in float32, with two roundings: of lr · gradient, and of the step."""
    w, rows, one = np.float32(5), [], np.float32(1)
    for step in range(steps):
        loss, lr = np.square(w + one), rate(step)
        w = w - np.float32(lr) * (np.float32(2) * (w + one))
        rows.append((f"{w:f}", f"{loss:f}", f"{lr:f}"))
    return list(zip(*rows, strict=True))


@pytest.mark.parametrize("number", RATES)
@judges("002-F1", "002-F2", "002-E1", "002-T1", "002-E2", "002-T2", "002-E3", "002-T3")
def test_the_program_of_article_002(number):
    printed = printed_table(number)
    w, loss, lr = program(RATES[number])
    return w == printed.w and loss == printed.loss and printed.lr in (lr, ("",) * 20)


@judges("002-C8")
def test_no_printed_loss_belongs_to_its_weight():
    pairs = [pair for n in RATES for pair in zip(printed_table(n).w, printed_table(n).loss)]
    belong = [abs((float(w) + 1) ** 2 - float(loss)) < 2e-5 * float(loss) for w, loss in pairs]
    assert len(belong) == 60 and not any(belong)
    return all(belong)


@judges("002-C7")
def test_the_decayed_run_does_not_start_at_0_99():
    w_of_text, *_ = program(lambda step: 0.99 * 0.99**step)
    loss_of_text = (float(w_of_text[-1]) + 1) ** 2
    assert loss_of_text == pytest.approx(0.0039, rel=0.01)  # 8000 times the program's 4.8e-7
    return float(printed_table(3).lr[0]) == 0.99
