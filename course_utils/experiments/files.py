"""The one format of recorded results: a JSON file of named entries, each with its provenance.

`table.save` and `table.load` keep tables in it, `save_runs` and `load_runs` keep runs. Each entry
says with what command, seeds and versions it was made, when, on what, and in how many seconds.
"""

from __future__ import annotations

import json
import math
import platform
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from os import PathLike
from typing import Any

import numpy as np

from course_utils import __version__, validate
from course_utils.run import Run, read_json, write_atomically

VERSION = 1
"""Of the format; no other is read."""


def save_runs(
    path: str | PathLike[str],
    runs: Mapping[str, Run],
    *,
    command: str,
    seconds: float | None = None,
) -> None:
    """Write runs to a file; the arguments are those of `table.save`.

    >>> save_runs("results/06_runs.json", {}, command="python make.py")
    Traceback (most recent call last):
        ...
    ValueError: runs must be a dictionary that is not empty, got {}
    """
    check("runs", runs, Run)
    entries = {name: json.loads(run.to_json()) for name, run in runs.items()}
    write(path, "runs", entries, command, seconds)


def load_runs(path: str | PathLike[str]) -> dict[str, Run]:
    """Read a file written by `save_runs`; `meta["provenance"]` says how each run was made."""
    return read(path, "runs", lambda content: Run.from_json(json.dumps(content)))


def check(kind: str, entries: Any, cls: type) -> None:
    """Raise unless `entries` maps at least one name to an object of the class `cls`.

    >>> check("runs", {"Adam": Run([0.1], [1.0], [1.0], 0.5)}, Run)
    """
    if not isinstance(entries, Mapping) or not entries:
        raise ValueError(f"{kind} must be a dictionary that is not empty, got {entries!r}")
    for name, entry in entries.items():
        if not isinstance(name, str) or not isinstance(entry, cls):
            raise TypeError(f"{kind} must map names to {cls.__name__}s, got {name!r}: {entry!r}")


def write(
    path: str | PathLike[str],
    kind: str,
    entries: Mapping[str, dict[str, Any]],
    command: str,
    seconds: float | None,
) -> None:
    """Write entries atomically, one per line, so that a change of one is a change of one line.

    Args:
        path: the file; its folder must exist.
        kind: what they are, in the plural.
        entries: plain JSON types, each with a dictionary "meta". One whose meta has a provenance
            (it was read from a file) keeps it.
        command: the line that makes this file again.
        seconds: how long the entries that are new took to make.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(f"{folder}/a.json", "notes", {"one": {"x": 1, "meta": {}}}, "by hand", None)
        ...     read(f"{folder}/a.json", "notes", lambda entry: entry["x"])
        {'one': 1}
    """
    path = validate.path("path", path)
    if not isinstance(command, str) or not command:
        raise ValueError(f"command must be the line that makes this file again, got {command!r}")
    seconds = None if seconds is None else validate.nonnegative("seconds", seconds)
    lines = []
    for name, entry in entries.items():
        seeds = entry.get("seeds", entry["meta"].get("seed"))
        made = provenance(command, seeds=seeds, seconds=seconds, versions=versions())
        meta = {"provenance": made} | entry["meta"]
        try:
            text = json.dumps(entry | {"meta": meta}, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{kind}[{name!r}].meta must hold plain JSON: {error}") from error
        lines.append(f"{json.dumps(name, ensure_ascii=False)}: {text}")
    head = f'{{"format": "learning rate {kind}", "version": {VERSION}, "{kind}": {{\n'
    write_atomically(path, head + ",\n".join(lines) + "\n}}\n")


def read(path: str | PathLike[str], kind: str, decode: Callable[[Any], Any]) -> dict[str, Any]:
    """Read what `write` wrote, each entry turned into an object by `decode`.

    Whatever is wrong with the content is a ValueError that names the file, and the entry.

    >>> read("setup.json", "tables", dict)
    Traceback (most recent call last):
        ...
    FileNotFoundError: [Errno 2] No such file or directory: 'setup.json'
    """
    content = read_json(validate.path("path", path))
    found = content.get("format") if isinstance(content, dict) else None
    if found != f"learning rate {kind}":
        raise ValueError(f"{path} must have the format 'learning rate {kind}', got {found!r}")
    if content.get("version") != VERSION:
        raise ValueError(f"{path} must have version {VERSION}, got {content.get('version')!r}")
    if not isinstance(content.get(kind), dict):
        raise ValueError(f"{path} must have a dictionary {kind!r}, got {content.get(kind)!r:.80}")
    entries = {}
    for name, entry in content[kind].items():
        try:
            entries[name] = decode(entry)
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: {kind}[{name!r}]: {error}") from error
    return entries


def provenance(command: str, **more: Any) -> dict[str, Any]:
    """Return where a result comes from: the command, whatever else is told, date and machine.

    >>> provenance("python make.py", seconds=3.0)["seconds"]
    3.0
    """
    return {
        "command": command,
        **more,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def versions() -> dict[str, str]:
    """Return the versions of the course, Python, NumPy, and of PyTorch where it is loaded.

    >>> versions()["course_utils"] == __version__
    True
    """
    loaded = [name for name in ("numpy", "torch") if name in sys.modules]
    return {
        "course_utils": __version__,
        "python": platform.python_version(),
        **{name: str(sys.modules[name].__version__) for name in loaded},
    }


def rounded(values: Any, digits: int) -> Any:
    """Return numbers, in arrays and dictionaries nested as they like, as JSON with few digits.

    Integers stay whole; what is not finite is null.

    >>> rounded({"loss": np.array([2 / 3, np.inf]), "step": np.array([0, 10])}, 3)
    {'loss': [0.667, None], 'step': [0, 10]}
    """
    if isinstance(values, Mapping):
        return {key: rounded(value, digits) for key, value in values.items()}
    if isinstance(values, (np.ndarray, np.generic)):
        values = values.tolist()
    if isinstance(values, (list, tuple)):
        return [rounded(value, digits) for value in values]
    if isinstance(values, int):
        return values
    return float(f"{values:.{digits}g}") if math.isfinite(values) else None
