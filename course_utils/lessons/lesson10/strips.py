"""The eight strips: program and repair, what was announced, and what the mistake costs.

The cost is measured with the rates that ran: both programs' recorded rates, as multiples of their
peak of 0.5, train the same networks from the same seeds (`sweep`) at a grid of peaks. So a mistake
is judged at the peak that was announced, and at the best peak for the mistake itself.
"""

from __future__ import annotations

import difflib
import inspect
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from course_utils import schedules
from course_utils.experiments import table
from course_utils.experiments.sweep import sweep
from course_utils.experiments.table import Table
from course_utils.lessons.lesson10 import broken_programs as broken
from course_utils.lessons.lesson10 import repaired_programs as repaired
from course_utils.lessons.lesson10.task import BATCH, EPOCHS, HIDDEN, UPDATES, Task, data, fly
from course_utils.schedules import Schedule

PEAK = 0.5
PEAKS = (0.1, 0.2, 0.35, PEAK, 0.7, 1.0, 1.4, 2.0, 4.0)
SEEDS = 32
METRICS = ("validation_loss", "test_loss", "test_accuracy")
COMMAND = "make records NB=10 ARGS=10_strips.json"


@dataclass(frozen=True)
class Strip:
    """A wrong program, its repair, and the schedule that its announcement means."""

    wrong: Callable[[Task], None]
    right: Callable[[Task], None]
    announced: Schedule

    @property
    def announcement(self) -> str:
        """What the program says it does, in one sentence."""
        return inspect.getdoc(self.wrong) or ""

    @property
    def change(self) -> str:
        """The lines that the repair takes away (-) and puts in (+), and the loops around."""
        lines = list(difflib.ndiff(_body(self.wrong), _body(self.right)))
        loop = next(i for i, line in enumerate(lines) if line[1:].lstrip().startswith("for "))
        return "\n".join(
            line
            for i, line in enumerate(lines)
            if line[0] in "-+" or (i >= loop and line.lstrip().startswith(("for ", "if ")))
        )

    @property
    def source(self) -> str:
        """The wrong program itself."""
        return textwrap.dedent(inspect.getsource(self.wrong)).rstrip()


def _body(program: Callable[[Task], None]) -> list[str]:
    """The lines of a program without its first line and its docstring."""
    source = textwrap.dedent(inspect.getsource(program))
    return source.partition('"""\n')[2].rstrip().split("\n")


def _per_epoch(function: Callable[[int], float], name: str) -> Schedule:
    return schedules.custom(lambda step: function(step // UPDATES), name=name)


_STEPS = EPOCHS * UPDATES
_ANNOUNCED = {
    "warmed_up_too_late": _per_epoch(
        schedules.with_warmup(schedules.cosine(PEAK, 25), 5), "warm-up, then cosine"
    ),
    "boundary_out_of_reach": schedules.piecewise_constant(
        [_STEPS // 2 - 1, 3 * _STEPS // 4 - 1], [PEAK, PEAK / 10, PEAK / 100]
    ),
    "restarts_that_swing": _per_epoch(schedules.cosine_restarts(PEAK, 6, 1.0), "restarts"),
    "plotted_before_training": _per_epoch(schedules.step_decay(PEAK, 10), "step decay"),
    "stepped_every_update": _per_epoch(schedules.exponential(PEAK, 1, 0.85), "exponential"),
    "trained_past_the_end": _per_epoch(schedules.cosine(PEAK, 20), "cosine"),
    "resumed_at_step_0": _per_epoch(schedules.polynomial(PEAK, 30, end_lr=0.0), "line"),
    "counted_by_the_mini_batch": schedules.polynomial(PEAK, _STEPS, end_lr=0.0),
}
STRIPS = {
    number: Strip(getattr(broken, name), getattr(repaired, name), schedule)
    for number, (name, schedule) in enumerate(_ANNOUNCED.items(), start=1)
}
"""The eight strips by their number in the lesson (not in the order of the diagnoses)."""


def _shapes() -> dict[str, np.ndarray]:
    """Run all sixteen programs; return the rates of each as multiples of its peak."""
    return {
        f"strip {number}, {kind}": fly(getattr(strip, kind)).rates / PEAK
        for number, strip in STRIPS.items()
        for kind in ("wrong", "right")
    }


def measure(
    shape: np.ndarray, peaks: Sequence[float] | None = None, seeds: Sequence[int] | None = None
) -> Table:
    """Train under the rates peak x shape at every peak; return what each network reached.

    Args:
        shape: the rate of every update as a multiple of the peak, (T,).
        peaks, seeds: those of the record, unless others are given.

    Example:
        >>> measure(np.ones(30), peaks=[0.1, 0.5], seeds=[0]).best("test_loss").lr
        0.5
    """
    peaks = PEAKS if peaks is None else peaks
    seeds = range(SEEDS) if seeds is None else seeds
    found = sweep(
        [_scaled(peak, shape) for peak in peaks],
        seeds,
        data=data(),
        hidden=HIDDEN,
        steps=len(shape),
        batch_size=BATCH,
        evaluate_on=("validation", "test"),
    ).table
    metrics = {name: found.metrics[name].round(5) for name in METRICS}
    return Table(np.array(peaks), found.seeds, metrics, found.diverged, found.meta)


def _scaled(peak: float, shape: np.ndarray) -> Schedule:
    return schedules.custom(lambda step: peak * shape[step], name=f"recorded, peak {peak:g}")


def record(path: Path) -> None:
    """Measure all sixteen and write them; about two minutes."""
    start = time.perf_counter()
    tables = {name: measure(shape) for name, shape in _shapes().items()}
    table.save(path, tables, command=COMMAND, seconds=time.perf_counter() - start)


def lost(tables: dict[str, Table], number: int, metric: str, by: str | None = None) -> np.ndarray:
    """Return wrong minus right, seed by seed (S,): both at the announced peak, or each at its own.

    Args:
        tables: the recorded file 10_strips.json.
        number: of the strip.
        metric: what is compared.
        by: the metric that chooses the own peak. Each half of the seeds is judged at the peak that
            the other half chose, for nothing may be judged where it was chosen. None: announced.

    Example:
        >>> wrong, right = (Table([0.5], [0], {"test_loss": [[x]]}) for x in (0.5, 0.25))
        >>> lost({"strip 1, wrong": wrong, "strip 1, right": right}, 1, "test_loss")
        array([0.25])
    """
    wrong, right = (tables[f"strip {number}, {kind}"] for kind in ("wrong", "right"))
    if by is not None:
        return _chosen(wrong, metric, by) - _chosen(right, metric, by)
    at = wrong.nearest(PEAK)
    return wrong.final(metric)[at] - right.final(metric)[at]


def _chosen(found: Table, metric: str, by: str) -> np.ndarray:
    """`metric` of each seed, (S,), at the peak that is best for the other half of the seeds."""
    values, half = found.final(metric), np.arange(len(found.seeds)) % 2
    best = [found.select(seeds=found.seeds[half != k]).best(by).index for k in (0, 1)]
    return values[np.take(best, half), np.arange(len(half))]
