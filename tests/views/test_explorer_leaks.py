"""An afternoon with an explorer: 200 moves and 20 runs of its cell leave nothing behind."""

from __future__ import annotations

import gc
import itertools
import threading
import weakref
from contextlib import contextmanager

import ipywidgets as widgets
import psutil
import pytest
from fakes import bare

from course_utils.lessons.lesson01 import explorers as explorers01
from course_utils.lessons.lesson02 import explorers as explorers02
from course_utils.lessons.lesson03 import designer
from course_utils.lessons.lesson04 import explorers as explorers04
from course_utils.views import explorer

# Name -> how it is made, and the number of moves: what moves a slider is the same code for all.
EXPLORERS = {
    "parabola": (explorers01.parabola, 200),
    "ravine": (explorers02.ravine, 40),
    "schedule designer": (lambda: designer.schedule_designer(steps=20), 40),
    "race": (explorers04.race, 40),
}
WARM = 20  # moves before counting: what is made once stays (fonts, caches of Matplotlib)
# Python objects; a figure has about ten thousand, an artist or a widget about a hundred.
MOST_OBJECTS = 2000
SHELL = 500  # objects of a closed explorer with its closed widgets
# A figure of a lesson with its canvas and background has 3 MB. Not less: malloc keeps some.
MOST_BYTES = 20_000_000


def move(explorer: explorer.Explorer, times: int) -> None:
    """Move all controls in turn, each to its next value."""
    for _, control in zip(range(times), itertools.cycle(explorer.controls.values())):
        control.index = (control.index + 1) % len(control.options)


def counts(explorer: explorer.Explorer) -> tuple[int, int, int]:
    """Widgets, artists and threads that are alive."""
    gc.collect()
    artists = len(explorer.figure.findobj())
    return len(widgets.widget._instances), artists, threading.active_count()


@contextmanager
def little_memory(most_objects: int = MOST_OBJECTS):
    """See that what happens here keeps few objects and few bytes."""
    process = psutil.Process()
    gc.collect()
    objects, size = len(gc.get_objects()), process.memory_full_info().uss
    yield
    gc.collect()
    assert len(gc.get_objects()) - objects < most_objects
    assert process.memory_full_info().uss - size < MOST_BYTES


@pytest.mark.parametrize("name", EXPLORERS)
def test_many_moves_leave_nothing_behind(name: str) -> None:
    make, moves = EXPLORERS[name]
    explorer = make()
    try:
        move(explorer, WARM)
        before, updates = counts(explorer), explorer.updates
        with little_memory():
            move(explorer, moves)
        assert explorer.updates == updates + moves
        assert counts(explorer) == before
    finally:
        explorer.close()


def test_running_a_cell_many_times_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = itertools.count()
    monkeypatch.setattr(explorer, "_running_cell", lambda: ("cell", str(next(runs))))
    monkeypatch.setattr(explorer, "_alive", {})
    out = [bare()]  # as IPython's Out does, keep them all for ever
    before, figures = counts(out[-1]), [weakref.ref(out[-1].figure)]
    with little_memory(20 * SHELL):
        for _ in range(20):
            out.append(bare())
            figures.append(weakref.ref(out[-1].figure))
    assert counts(out[-1]) == before
    assert [figure() is not None for figure in figures] == 20 * [False] + [True]
    assert [explorer._closed for explorer in out] == 20 * [True] + [False]
    out[-1].close()
