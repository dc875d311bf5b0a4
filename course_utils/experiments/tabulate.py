"""Runs at every learning rate from every seed, as a table of what they measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from course_utils.experiments.table import Table


def tabulate(
    run: Callable[[float, int], Mapping[str, float]],
    lrs: Iterable[float],
    seeds: Iterable[int],
    meta: Mapping[str, Any] | None = None,
) -> Table:
    """Return the table of what `run(lr, seed)` measures, one run after the other.

    >>> tabulate(lambda lr, seed: {"loss": lr * seed}, [0.5, 1.0], [1, 2]).final("loss")
    array([[0.5, 1. ],
           [1. , 2. ]])
    """
    lrs, seeds = list(lrs), list(seeds)
    cells = [[run(lr, seed) for seed in seeds] for lr in lrs]
    metrics = {name: [[cell[name] for cell in row] for row in cells] for name in cells[0][0]}
    return Table(lrs, seeds, metrics, meta=meta or {})
