"""A bar where it is asked for, and in a browser where a training takes long."""

from __future__ import annotations

import sys
import time

import pytest

from course_utils.experiments.progress_bar import progress_bar


@pytest.mark.parametrize(
    ("platform", "seconds", "shown"),
    [("linux", 9.0, False), ("emscripten", 1.0, False), ("emscripten", 9.0, True)],
)
def test_a_training_that_is_not_watched(platform, seconds, shown, monkeypatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr("tqdm.tqdm.monitor_interval", 10)
    seen = []
    monkeypatch.setattr("tqdm.notebook.display", seen.append)
    clock = [time.time()]
    with progress_bar(False, total=10) as bar:
        bar._time = lambda: clock[0]  # tqdm's own clock; a mute bar has none
        for _ in range(10):
            clock[0] += seconds / 10
            bar.update(1)
    assert [box is bar.container for box in seen] == [True] * shown
    if platform == "emscripten":
        assert bar.container.comm is None  # it goes when it is done
