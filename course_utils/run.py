"""The record of one training run: what happened at every update.

A rate that is *named* is not always the rate that *ran*: whatever trains returns a `Run`, and every
figure and every claim is made from its arrays.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from course_utils import validate
from course_utils.atomic import replacing

DIVERGENCE_RATIO = 10.0
"""A run whose loss ends above this multiple of its first loss is called diverged."""


@dataclass(frozen=True, eq=False)
class Run:
    r"""One training run of T updates; row t describes update t, :math:`w_{t+1} = w_t - \dots`.

    Args:
        lr: shape (T,), the learning rate used at update t; (T, K) where K replicas, or groups of
            parameters, each had its own.
        loss: shape (T, ...), the loss *before* update t; trailing axes hold replicas.
        grad_norm: shape (T, ...), the norm of the gradient used at update t.
        final_loss: the loss after the last update (a float, or an array over replicas).
        params: shape (T + 1, ...) or None: `params[t]` before update t, the last row the result.
        metrics: arrays of one length, measured after `metrics["step"]` updates.
        meta: what was run (optimizer, schedule, seed, ...), in plain JSON types.

    Example:
        >>> run = Run(lr=[0.1, 0.1], loss=[4.0, 1.0], grad_norm=[4.0, 2.0], final_loss=0.25)
        >>> run.steps, run.diverged
        (2, False)
    """

    lr: np.ndarray
    loss: np.ndarray
    grad_norm: np.ndarray
    final_loss: Any
    params: np.ndarray | None = None
    metrics: dict[str, np.ndarray] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("lr", "loss", "grad_norm", "params", "final_loss"):
            if name != "params" or self.params is not None:
                values = validate.array(name, getattr(self, name), finite=False)
                object.__setattr__(self, name, values)
        if self.final_loss.ndim == 0:
            object.__setattr__(self, "final_loss", float(self.final_loss))
        given = validate.instance("metrics", self.metrics, dict)
        object.__setattr__(self, "metrics", {k: np.asarray(v) for k, v in given.items()})
        if self.lr.ndim not in (1, 2):
            raise ValueError(f"lr must have one entry per update, got shape {self.lr.shape}")
        T = self.steps
        for name, entries in {"loss": T, "grad_norm": T, "params": T + 1}.items():
            values = getattr(self, name)
            if values is not None and values.shape[:1] != (entries,):
                wanted = f"{entries} entries for {T} rates in lr"
                raise ValueError(f"{name} must have {wanted}, got {values.shape}")
        if self.metrics and "step" not in self.metrics:
            raise ValueError(f"metrics must contain 'step', got {sorted(self.metrics)}")
        for name, values in self.metrics.items():
            rows = self.metrics["step"].shape[:1]
            if values.shape[:1] != rows or not values.ndim:
                wanted = f"as long as metrics['step'] {rows}"
                raise ValueError(f"metrics[{name!r}] must be {wanted}, got shape {values.shape}")

    @property
    def steps(self) -> int:
        """The number of updates T."""
        return len(self.lr)

    @property
    def diverged(self) -> bool | np.ndarray:
        """True where the loss was not finite or ended above 10 times a first that is not 0."""
        if self.steps == 0:
            return False
        with np.errstate(invalid="ignore", over="ignore"):
            bad = ~np.isfinite(self.loss).all(axis=0) | ~np.isfinite(self.final_loss)
            first = np.abs(self.loss[0])
            bad = bad | ((first > 0) & (self.final_loss > DIVERGENCE_RATIO * first))
        return bool(bad) if np.ndim(bad) == 0 else bad

    def to_json(self) -> str:
        """Return the run as strict JSON; infinities and NaN become the strings 'inf', 'nan'."""
        arrays = {name: _encode(values) for name, values in vars(self).items() if name != "meta"}
        return json.dumps(arrays | {"meta": self.meta}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Run:
        """Rebuild a run from `to_json`; text that holds none is a ValueError that says why."""
        validate.instance("text", text, str)
        try:
            content: dict[str, Any] = json.loads(text)
            if set(content) != set(cls.__dataclass_fields__):
                expected, found = sorted(cls.__dataclass_fields__), sorted(content)
                raise ValueError(f"text must hold the fields {expected}, got {found}")
            meta = content.pop("meta")
            return cls(**{name: _decode(values) for name, values in content.items()}, meta=meta)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"text must be a run, as `to_json` writes it: {error}") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the run to `path` atomically: a reader sees the old file or the new, never half."""
        write_atomically(path, self.to_json())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Run:
        """Read a run written by `save`."""
        return read_json(path, lambda content: cls.from_json(json.dumps(content)))


def read_json(path: str | os.PathLike[str], decode: Callable[[Any], Any] = lambda x: x) -> Any:
    """Return `decode(content)` of a JSON file; a ValueError names one that is damaged or foreign.

    >>> read_json("gone.json")
    Traceback (most recent call last):
        ...
    FileNotFoundError: [Errno 2] No such file or directory: 'gone.json'
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        return decode(json.loads(text, parse_constant=_refuse))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        why = f"{str(path)!r} ({type(error).__name__}: {error})"
        raise ValueError(f"path must name a whole file of the expected kind, got {why}") from error


def _refuse(constant: str) -> Any:
    raise ValueError(f"strict JSON has no {constant}")


def write_atomically(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` (UTF-8) to `path`, whole or not at all.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "a.json", '{"lr": 0.1}')
    ...     read_json(Path(folder) / "a.json")
    {'lr': 0.1}
    """
    with replacing(path) as stream:
        stream.write(text.encode("utf-8"))


def _encode(values: Any) -> Any:
    """Nested lists of numbers with non-finite entries as strings (strict JSON has no Infinity)."""
    if isinstance(values, dict):
        return {name: _encode(value) for name, value in values.items()}
    if isinstance(values, np.ndarray):
        finite = values.dtype.kind != "f" or np.isfinite(values).all()
        return values.tolist() if finite else _encode(values.tolist())
    if isinstance(values, list):
        return [_encode(value) for value in values]
    if isinstance(values, float) and not np.isfinite(values):
        return str(values)
    return values


def _decode(values: Any) -> Any:
    """The inverse of `_encode`; `float("inf")` and `float("nan")` read the strings back."""
    if values is None:
        return None
    if isinstance(values, dict):
        return {name: _decode(value) for name, value in values.items()}
    array = np.asarray(values)
    return array if array.dtype.kind in "iufb" else np.asarray(values, dtype=object).astype(float)
