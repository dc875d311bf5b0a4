"""Seven libraries: what moves the schedule, how a warm-up begins, and what is logged.

The rates were recorded by `tests/golden/make_loops.py` in the libraries named there; the tests hold
each number of this table against that record.
"""

from __future__ import annotations

from dataclasses import dataclass

from course_utils.views.tables import TextTable

NONE = "—"


@dataclass(frozen=True)
class Loop:
    """What one library does with a schedule.

    Args:
        library: its name.
        moved: what moves the schedule on, when nothing else is asked for.
        accumulated: rates of 4 updates of two mini-batches each, a line from 1 to 0 over 4.
        warm_up: rates of the first updates of its own warm-up of 4.
        logged: what its log shows for the first 3 updates of that line, which use 1, 0.75, 0.5.
    """

    library: str
    moved: str
    accumulated: tuple[float, ...] = ()
    warm_up: tuple[float, ...] = ()
    logged: tuple[float, ...] = ()


RIGHT, TWICE = (1.0, 0.75, 0.5, 0.25), (0.75, 0.25, 0.0, 0.0)
FROM_0, USED, NEXT = (0.0, 0.25, 0.5, 0.75, 1.0), (1.0, 0.75, 0.5), (0.75, 0.5, 0.25)
NO_PEAK = (0.0, 0.25, 0.5, 0.75, 0.654508)
THIRD = (1 / 3, 1 / 2, 2 / 3, 5 / 6, 1.0)

LOOPS = {
    "torch": Loop("PyTorch", "you; here after every mini-batch", TWICE, THIRD, NEXT),
    "transformers": Loop("Transformers' Trainer", "the update", RIGHT, FROM_0, USED),
    "accelerate": Loop("accelerate", "the update, once per process", RIGHT),
    "lightning": Loop(
        "Lightning, `interval='step'`", "the update (default: epoch)", RIGHT, (), USED
    ),
    "keras": Loop("Keras 3", "the mini-batch", TWICE, FROM_0, NEXT),
    "optax": Loop("optax, `MultiSteps` around all", "the update", RIGHT, FROM_0, USED),
    "timm": Loop("timm, `t_in_epochs=False`", "the update (default: epoch)", (), NO_PEAK),
}
"""The loops by the name of the package."""


def table() -> TextTable:
    """Return the table of loops.

    Example:
        >>> table().rows[4][:3]
        ['Keras 3', 'the mini-batch', '0.75, 0.25, 0, 0']
    """
    return TextTable(
        [
            "library",
            "the schedule moves with",
            "line over 4 updates of two mini-batches",
            "warm-up of 4",
            "log of 1, 0.75, 0.5",
        ],
        [
            [loop.library, loop.moved, *map(_listed, (loop.accumulated, loop.warm_up, loop.logged))]
            for loop in LOOPS.values()
        ],
    )


def _listed(rates: tuple[float, ...]) -> str:
    return ", ".join(f"{rate:.2g}" for rate in rates) or NONE
