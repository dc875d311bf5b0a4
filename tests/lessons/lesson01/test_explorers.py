"""The task of the live parabola: no button solves it, and only the smallest rate does."""

import pytest

from course_utils.lessons.lesson01 import explorers


@pytest.mark.parametrize(
    ("steps", "smallest"),
    [(40, 0.098), (39, 0.1), (1, 0.5)],  # by 36 (1 - 2 lr)^(2 steps) <= 1e-6
)
def test_only_the_smallest_rate_solves_the_task(steps, smallest):
    explorer = explorers.parabola(steps=steps)
    rates = [rate for _, rate in explorer.controls["lr"].options]
    place = rates.index(smallest)
    reached = []
    for rate in rates[place - 1 : place + 2]:
        explorer.set(lr=rate)
        reached.append((explorer.data["hit"] is not None, explorer.task_reached))
    assert reached[:2] == [(False, False), (True, True)]
    assert not reached[2][1]
    explorer.close()


def test_no_button_solves_the_task():
    explorer = explorers.parabola()
    for button in explorer.buttons.values():
        button.click()
        assert not explorer.task_reached
        assert "Not reached yet" in explorer.task_text.value
    explorer.close()
