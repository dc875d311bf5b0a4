"""Between the appendix's verdicts and what holds them: tests that judge, and boxes in lessons."""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from course_utils.course import claims
from course_utils.lessons.appendix import verdicts

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
CLAIMS = Path(__file__).parent / "claims"


def judges(*ids: str) -> Callable:
    """Decorate a test that returns what it measured: its verdict must be that of the appendix.

    The test returns whether the measurement agrees with the statement as the article makes it, or
    that and whether it agrees under the condition that the appendix names.
    """

    def decorate(test: Callable) -> Callable:
        @functools.wraps(test)
        def judged(*args, **kwargs) -> None:
            measured = test(*args, **kwargs)
            as_stated, *condition = measured if isinstance(measured, tuple) else (measured,)
            for id in ids:
                if claims.get(id).kind == "C":
                    found = claims.decide(bool(as_stated), *map(bool, condition))
                else:
                    found = claims.REBUILT if as_stated else "not rebuilt"
                assert found == verdicts.ruling(id).verdict, (id, measured)

        judged.judges = ids
        return judged

    return decorate


def judging_tests() -> dict[str, tuple[str, ...]]:
    """Return {"test_x.py::test_y": the ids that it judges} of all tests in tests/claims."""
    found = {}
    for path in sorted(CLAIMS.glob("test_*.py")):
        for name, value in vars(_module(path)).items():
            if ids := getattr(value, "judges", None):
                found[f"{path.name}::{name}"] = ids
    return found


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"judging_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def boxes() -> dict[str, dict[str, dict[str, str]]]:
    """Return the records of the boxes in stored outputs: {"03:cell id": {id: record}}."""
    found = {}
    for path in sorted(NOTEBOOKS.glob("[0-9A]*_*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", ()):
                rows = output.get("data", {}).get(claims.MIME, {}).get("rows", ())
                for row in rows:
                    where = f"{path.name.partition('_')[0]}:{cell['id']}"
                    found.setdefault(where, {})[row["id"]] = row
    return found
