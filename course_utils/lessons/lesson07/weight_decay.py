"""The map of lesson 7: what rate and weight decay give together, for two update rules.

A few digits with some wrong labels, where regularization has something to do. One network is
trained at every pair of a rate and a weight decay, by gradient descent (the decay is a part of
the gradient: L2) and by AdamW (the decay is a step of its own, as long as rate × decay). `record`
runs it in some minutes and writes `notebooks/results/07_map.json`; `load` reads that file.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from course_utils import validate
from course_utils.experiments import files
from course_utils.experiments.datasets import Data, digits
from course_utils.experiments.sweep import sweep
from course_utils.optimizers import AdamW, GradientDescent, Optimizer
from course_utils.run import read_json, write_atomically

RULES = ("gradient descent", "AdamW")
RATES = {
    "gradient descent": tuple(float(f"{r:.3g}") for r in np.geomspace(0.003, 3, 10)),
    "AdamW": tuple(float(f"{r:.3g}") for r in np.geomspace(0.0001, 0.1, 10)),
}
DECAYS = {
    "gradient descent": (0.0, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    "AdamW": (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
}
SEEDS = (0, 1, 2, 3, 4)
STEPS = 1500
BATCH_SIZE = 20
COMMAND = "python -m course_utils.lessons.lesson07.weight_decay results/07_map.json"


@dataclass(frozen=True, eq=False)
class Map:
    """R rates times D decays times S seeds, after the same number of updates.

    Args:
        rule: one of `RULES`.
        rates: shape (R,).
        decays: shape (D,).
        validation_loss, validation_accuracy, train_loss: shape (R, D, S); NaN where a run diverged.
        meta: how it was made.
    """

    rule: str
    rates: np.ndarray
    decays: np.ndarray
    validation_loss: np.ndarray
    validation_accuracy: np.ndarray
    train_loss: np.ndarray
    meta: dict[str, Any]

    @property
    def mean(self) -> np.ndarray:
        """Validation loss averaged over the seeds, shape (R, D); infinite where a run diverged."""
        return np.nan_to_num(self.validation_loss.mean(axis=-1), nan=np.inf)

    @property
    def best(self) -> tuple[int, int]:
        """The position (rate, decay) of the smallest mean validation loss."""
        row, column = np.unravel_index(self.mean.argmin(), self.mean.shape)
        return int(row), int(column)

    @property
    def best_rate(self) -> np.ndarray:
        """The best rate for each decay, shape (D,)."""
        return self.rates[self.mean.argmin(axis=0)]

    def usable(self, tolerance: float) -> np.ndarray:
        """Return the largest rate whose mean loss is within `tolerance` of its column's best, (D,).

        Args:
            tolerance: in units of the loss, >= 0.
        """
        tolerance = validate.nonnegative("tolerance", tolerance)
        good = self.mean <= self.mean.min(axis=0) + tolerance
        return np.array([self.rates[column].max() for column in good.T])


def problem() -> Data:
    """Return the data: 200 training digits, 20 % of the labels drawn anew.

    >>> len(problem().train)
    200
    """
    return digits().subset(200).with_label_noise(0.2, seed=7)


def rule(name: str, decay: float) -> Optimizer:
    """Return the update rule with its weight decay.

    Args:
        name: one of `RULES`.
        decay: >= 0.

    Example:
        >>> rule("AdamW", 0.1).weight_decay
        0.1
    """
    kinds = {"gradient descent": GradientDescent, "AdamW": AdamW}
    return kinds[validate.one_of("name", name, kinds)](weight_decay=decay)


def measure(
    name: str,
    rates: Sequence[float] | None = None,
    decays: Sequence[float] | None = None,
    seeds: Iterable[int] = SEEDS,
    steps: int = STEPS,
) -> Map:
    """Train at every rate and decay from every seed.

    Args:
        name: one of `RULES`.
        rates, decays: R and D numbers; None means those of the record.
        seeds: weights and batches, the same in every cell.
        steps: updates.

    Example:
        >>> measure("AdamW", [0.001, 0.01], [0.1], seeds=[0], steps=5).mean.shape
        (2, 1)
    """
    validate.one_of("name", name, RULES)
    rates = RATES[name] if rates is None else tuple(rates)
    decays = DECAYS[name] if decays is None else tuple(decays)
    seeds, data = tuple(seeds), problem()
    tables = [
        sweep(
            rates,
            seeds,
            data=data,
            batch_size=BATCH_SIZE,
            steps=steps,
            optimizer=rule(name, decay),
        )
        for decay in decays
    ]
    metrics = {
        key: np.stack(
            [np.where(t.diverged, np.nan, t.final(key)) for t in tables], axis=1
        )
        for key in ("validation_loss", "validation_accuracy", "train_loss")
    }  # fmt: skip
    meta = {
        "data": data.name,
        "network": [64, 64, 10],
        "batch_size": BATCH_SIZE,
        "steps": steps,
        "seeds": list(seeds),
    }
    return Map(name, np.array(rates), np.array(decays), **metrics, meta=meta)


def record(path: str | PathLike[str]) -> dict[str, Map]:
    """Measure both maps (some minutes) and write them to `path` with their provenance."""
    started = time.process_time()
    maps = {name: measure(name) for name in RULES}
    seconds = round(time.process_time() - started)
    provenance = files.provenance(COMMAND, cpu_seconds=seconds, **files.versions())
    content = {"provenance": provenance, "maps": [_to_json(one) for one in maps.values()]}
    write_atomically(path, json.dumps(content, allow_nan=False, separators=(",", ":")))
    return maps


def load(path: str | PathLike[str]) -> dict[str, Map]:
    """Read what `record` wrote: the name of the rule -> its map."""
    return read_json(path, _decode)


def _decode(content: Any) -> dict[str, Map]:
    if not isinstance(content, dict) or set(content) != {"provenance", "maps"}:
        raise ValueError("it is no record of this study")
    maps = [_from_json(one, content["provenance"]) for one in content["maps"]]
    return {one.rule: one for one in maps}


_ARRAYS = ("rates", "decays", "validation_loss", "validation_accuracy", "train_loss")


def _to_json(one: Map) -> dict[str, Any]:
    """Plain types; four significant digits, null where a run diverged."""
    arrays = {name: files.rounded(getattr(one, name), 4) for name in _ARRAYS}
    return {"rule": one.rule, **arrays, "meta": one.meta}


def _from_json(content: dict[str, Any], provenance: dict[str, Any]) -> Map:
    arrays = {name: np.array(content[name], dtype=float) for name in _ARRAYS}
    meta = content["meta"] | {"provenance": provenance}
    return Map(content["rule"], **arrays, meta=meta)


if __name__ == "__main__":
    record(sys.argv[1])
