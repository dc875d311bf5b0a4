"""Tables in files: `save` and `load`. In an audit, `load` draws the seeds of each table anew."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.experiments import audit, files

if TYPE_CHECKING:
    from course_utils.experiments.table import Table


def save(
    path: str | PathLike[str],
    tables: Mapping[str, Table],
    *,
    command: str,
    seconds: float | None = None,
) -> None:
    """Write tables to a file, atomically; every float is read back exactly as it was.

    Args:
        path: the file; its folder must exist.
        tables: one per method. A table that was read from a file keeps its provenance.
        command: the line that makes this file again.
        seconds: how long the tables that are new took to make.

    Example:
        >>> import tempfile
        >>> from course_utils.experiments.table import Table
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table = Table([0.1], [0], {"test_loss": [[0.25]]})
        ...     save(f"{folder}/speed.json", {"Adam": table}, command="python speed.py", seconds=9)
        ...     load(f"{folder}/speed.json")["Adam"].final("test_loss").tolist()
        [[0.25]]
    """
    files.check("tables", tables, _class())
    for name, table in tables.items():
        if "drawn" in table.meta:
            raise ValueError(f"tables[{name!r}] has its seeds drawn anew, for an audit: not saved")
    entries = {name: _encode(table) for name, table in tables.items()}
    files.write(path, "tables", entries, command, seconds)


def load(path: str | PathLike[str]) -> dict[str, Table]:
    """Read a file written by `save`; `meta["provenance"]` says how each table was made.

    In an audit (`course_utils.experiments.audit`) the seeds of every table are drawn anew; the
    labels `seeds` stay, and `meta["drawn"]` says whose results stand in each column.
    """
    tables = files.read(path, "tables", _decode)
    if audit.shift():
        tables = {name: _drawn_anew(Path(path).name, name, t) for name, t in tables.items()}
    return tables


def _encode(table: Table) -> dict[str, Any]:
    return {
        "lrs": table.lrs.tolist(),
        "seeds": table.seeds.tolist(),
        "metrics": {
            metric: [[v if math.isfinite(v) else str(v) for v in row] for row in values.tolist()]
            for metric, values in table.metrics.items()
        },
        "diverged": table.diverged.astype(int).tolist(),
        "meta": table.meta,
    }


def _decode(content: Any) -> Table:
    kind = _class()
    expected = sorted(field.name for field in fields(kind))
    if not isinstance(content, dict) or sorted(content) != expected:
        raise ValueError(f"it must have the fields {expected}, got {content!r:.80}")
    metrics = {k: [list(map(_number, row)) for row in v] for k, v in content["metrics"].items()}
    return kind(**content | {"metrics": metrics})


def _number(value: Any) -> float:
    if type(value) not in (int, float) and value not in ("nan", "inf", "-inf"):
        raise ValueError(f"metrics must hold numbers, 'nan', 'inf' and '-inf', got {value!r}")
    return float(value)  # of those strings, too: strict JSON has no such numbers


def _class() -> type[Table]:
    from course_utils.experiments.table import Table  # which exports what stands here

    return Table


def _drawn_anew(file: str, name: str, table: Table) -> Table:
    if len(table.seeds) == 1:  # nothing to draw from: `make audit` lists the tables it cannot try
        audit.report(f"{file}: {name}")
        return table
    columns = audit.draw(file, table.seeds)
    return replace(
        table,
        metrics={metric: values[:, columns] for metric, values in table.metrics.items()},
        diverged=table.diverged[:, columns],
        meta=table.meta | {"drawn": table.seeds[columns].tolist()},
    )
