"""Hold the lessons against their contracts in notebooks/INSTRUCTOR.md, and count their minutes.

Usage: python tools/contracts.py

A contract is the part `### Contract` of a lesson's page: the question, the spine, the predictions
by name, one row per figure with its title, the cell that asserts it and the evidence, the minutes,
and what is left out. See "The contract of a lesson" in CONTRIBUTING.md.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "notebooks" / "INSTRUCTOR.md"
LESSON = re.compile(r"^## Lesson (\w+) · \[.+?\]\((.+?\.ipynb)\)$", re.MULTILINE)
PARTS = ("Question", "Spine", "Predictions", "Minutes", "Left out")
ROW = re.compile(
    r"^\| (?P<title>[^|]+) \| `(?P<cell>[^`|]+)` \| (?P<evidence>[^|]+) \|$", re.MULTILINE
)

WORDS, CODE, OUTPUT, FIGURE, PREDICTION = 150, 10, 18, 1.0, 1.2  # a minute each, or minutes each
NUMBER, FUNCTION, CAPSTONE = 2, 6, 15  # minutes of an exercise


@dataclass(frozen=True)
class Contract:
    """What a lesson promises: its parts by name, and (title, cell, evidence) of each figure."""

    parts: dict[str, str]
    headlines: tuple[tuple[str, str, str], ...]


def pages(guide: str) -> dict[str, tuple[str, str]]:
    """Return {number of the lesson: (notebook, its page of the guide)}."""
    starts = list(LESSON.finditer(guide))
    ends = [start.start() for start in starts[1:]] + [len(guide)]
    return {
        start[1].zfill(2): (start[2], guide[start.end() : end].split("\n## ")[0])
        for start, end in zip(starts, ends, strict=True)
    }


def contract(page: str) -> Contract | None:
    """Return the contract on a page of the guide, None if it has none."""
    found = re.search(r"^### Contract\n(.*?)(?=^### |\Z)", page, re.DOTALL | re.MULTILINE)
    if found is None:
        return None
    parts = re.findall(
        r"^\*\*([^*]+?)[.:?]?\*\*:? (.+?)(?=\n\n|\Z)", found[1], re.DOTALL | re.MULTILINE
    )
    rows = [(m["title"], m["cell"], m["evidence"]) for m in ROW.finditer(found[1])]
    return Contract(dict(parts), tuple(rows))


def text(source: str | list[str] | None) -> str:
    """Return a source or an output of a notebook as one string."""
    return source if isinstance(source, str) else "".join(source or [])


def assertions(cells: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return {id of a code cell: its assertions, written in one line each}."""
    found = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            try:
                tree = ast.parse(text(cell["source"]))
            except SyntaxError:  # a cell that shows one
                continue
            found[cell["id"]] = [
                ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Assert)
            ]
    return found


def broken(promise: Contract, cells: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with a contract, seen beside the cells of its notebook."""
    found = [f"the part {part!r} is missing" for part in PARTS if part not in promise.parts]
    asserted, code = assertions(cells), "\n".join(text(c["source"]) for c in cells)
    found += [] if promise.headlines else ["it has no headline"]
    for title, cell, evidence in promise.headlines:
        if cell not in asserted:
            found.append(f"{title!r} names the cell {cell}, which does not exist")
        elif not asserted[cell]:
            found.append(f"{title!r} is not asserted: the cell {cell} has no assertion")
        if not re.match(r"(live|recorded): .*\d", evidence):
            found.append(f"{title!r} needs its evidence: 'live: …' or 'recorded: …', with numbers")
    for name in re.findall(r"`(\w+)`", promise.parts.get("Predictions", "")):
        if f"ex.{name}.check(prediction)" not in code:
            found.append(f"the prediction {name} is not in the notebook")
    lesson, exercises = minutes(cells)
    for limit, now, what in ((60, lesson, "lesson"), (30, exercises, "exercises")):
        if now > limit:
            found.append(f"the {what} take {now} minutes, more than {limit}")
    told = [int(n) for n in re.findall(r"\d+", promise.parts.get("Minutes", ""))[:2]]
    if told and told != [lesson, exercises]:
        found.append(f"it says {told} minutes; counted are {[lesson, exercises]}")
    return found


def minutes(cells: list[dict[str, Any]]) -> tuple[int, int]:
    """Return the minutes of a lesson and of its exercises, as DESIGN counts them.

    What is folded away, hidden code and remarks for teachers do not count.
    """
    lesson, exercises, at_the_end = 0.0, 0, False
    for cell in cells:
        source, tags = text(cell["source"]), cell["metadata"].get("tags", [])
        if cell["cell_type"] == "markdown":
            at_the_end = at_the_end or bool(re.search(r"(?m)^#{2,3} .*[Ee]xercises", source))
            if not source.startswith("**Teaching remark"):
                plain = re.sub(r"(?s)<details>.*?</details>|<[^>]+>|\$[^$]*\$", " x ", source)
                lesson += len(plain.split()) / WORDS
            continue
        if "exercise" in tags and at_the_end:
            kind = FUNCTION if "def " in source else NUMBER
            exercises += CAPSTONE if "ex.capstone." in source else kind
        elif "exercise" in tags:
            lesson += PREDICTION
        elif "hide-input" not in tags:
            lesson += sum(bool(line.strip()) for line in source.split("\n")) / CODE
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            drawn = "<img " in text(data.get("text/html"))  # as views.with_alt shows a figure
            if drawn or any(kind.startswith("image/") for kind in data):
                lesson += FIGURE
            elif "exercise" not in tags and "widget" not in " ".join(data):
                shown = text(output.get("text") or data.get("text/plain"))
                lesson += (shown.count("\n") + bool(shown)) / OUTPUT
    return round(lesson), exercises


def gone(path: Path) -> list[tuple[str, str]]:
    """Return (cell, assertion) of what the last commit asserts and the file does not."""
    name = path.relative_to(ROOT).as_posix()
    shown = subprocess.run(
        ["git", "show", f"HEAD:{name}"], cwd=ROOT, capture_output=True, check=False
    )
    if shown.returncode:
        return []
    before = assertions(json.loads(shown.stdout)["cells"])
    now = {a for found in assertions(cells_of(path)).values() for a in found}
    return [(cell, a) for cell, found in before.items() for a in found if a not in now]


def cells_of(path: Path) -> list[dict[str, Any]]:
    """Return the cells of a notebook."""
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def main() -> int:
    """Print one line per lesson and what is broken; return 1 if a contract does not hold."""
    bad, book = 0, pages(GUIDE.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "notebooks").glob("[0-9]*_*.ipynb")):
        number = path.name.partition("_")[0].zfill(2)
        lesson, exercises = minutes(cells_of(path))
        promise = contract(book.get(number, ("", ""))[1])
        found = broken(promise, cells_of(path)) if promise else []
        state = "no contract" if promise is None else "broken" if found else "holds"
        print(f"{number}  {lesson:4d} min + {exercises:3d} min of exercises   {state}")
        print("".join(f"      {line}\n" for line in found), end="")
        bad += bool(found)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
