"""Reading the record of lesson 5: what an arm reached, and by how much one leads another."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from course_utils import validate
from course_utils.experiments.intervals import Estimate, estimate
from course_utils.experiments.table import Table
from course_utils.lessons.lesson05.comparison import METRICS, ROWS, tuning


def reached(
    tables: Mapping[str, Table], arm: str, metric: str = "accuracy", settings: str = "loss"
) -> np.ndarray:
    """Return the test result of an arm from each fresh seed, shape (S,).

    Args:
        tables: a file of the record, such as "05_digits_930.json".
        arm: such as "Adam, cosine".
        metric: "accuracy", in percent, or "loss", in nats.
        settings: what has chosen rate and second knob: the "loss" or the "accuracy" on the
            validation data, or PyTorch, "default".

    Example:
        >>> cells = {"test_accuracy": [[0.5, 0.7]] * 3}
        >>> reached({"Adam, cosine": Table([1, 1, 1], [0, 1], cells)}, "Adam, cosine").tolist()
        [50.0, 70.0]
    """
    table = tables[validate.one_of("arm", arm, tables)]
    row = ROWS.index(validate.one_of("settings", settings, ROWS))
    values = table.final(f"test_{validate.one_of('metric', metric, METRICS)}")[row]
    return values * (100 if metric == "accuracy" else 1)


def lead(
    tables: Mapping[str, Table],
    arm: str,
    rival: str,
    metric: str = "accuracy",
    settings: str = "loss",
) -> Estimate:
    """Return arm minus rival, paired by seed: points of accuracy, or nats of loss.

    >>> cells = {"test_accuracy": [[0.5, 0.7]] * 3}
    >>> table = Table([1, 1, 1], [0, 1], cells)
    >>> lead({"Adam": table, "AdamW": table}, "Adam", "AdamW").mean
    0.0
    """
    ours, theirs = (reached(tables, one, metric, settings) for one in (arm, rival))
    return estimate(ours - theirs)


def in_words(found: Estimate, digits: int = 1) -> str:
    """Return a difference with its 95 % interval, and whether it is one.

    >>> in_words(Estimate(0.52, 0.1, 0.31, 0.73))
    '+0.5 [+0.3, +0.7]'
    >>> in_words(Estimate(0.1, 0.1, -0.11, 0.31), 2)
    '+0.10 [-0.11, +0.31] not detected'
    """
    text = f"{found.mean:+.{digits}f} [{found.low:+.{digits}f}, {found.high:+.{digits}f}]"
    return text + (" not detected" if found.low <= 0 <= found.high else "")


def off_by(tables: Mapping[str, Table], arm: str, factor: float) -> np.ndarray:
    """Return what an arm loses at `factor` times its best rate, shape (S,).

    Points of validation accuracy, on the seeds that chose rate and knob; NaN where that rate was
    not tried, all of it where a run diverged.

    Args:
        tables: a file of the record that has its grids.
        arm: such as "Adam, cosine".
        factor: a power of 2.

    Example:
        >>> meta = {"knob": "", "values": [0, 0, 0]}
        >>> judged = Table([1, 1, 1], [0], {"test_loss": [[1]] * 3}, meta=meta)
        >>> grid = Table([1, 4], [7], {"validation_accuracy": [[0.9], [0.5]]})
        >>> off_by({"SGD": judged, "SGD, tuning": grid}, "SGD", 4).tolist()
        [-40.0]
    """
    judged, row = tables[arm], ROWS.index("loss")
    grid = tables[tuning(arm, judged.meta["knob"], judged.meta["values"][row])]
    best, other = grid.nearest(judged.lrs[row]), grid.nearest(factor * judged.lrs[row])
    if abs(np.log2(grid.lrs[other] / (factor * judged.lrs[row]))) > 0.1:
        return np.full(len(grid.seeds), np.nan)
    accuracy = 100 * np.nan_to_num(grid.final("validation_accuracy"))
    return accuracy[other] - accuracy[best]
