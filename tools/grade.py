"""Grade a folder of homework: run each notebook by itself, write one table.

Usage: python tools/grade.py FOLDER [--seconds 120] [--jobs 2]

Each .ipynb is copied, run in a kernel of its own, and judged for the student number that it names.
FOLDER gets grades.csv (points and reasons, task by task) and to_read.md (the prose, for a person).

A submission is code of a stranger, and is run. What holds: it has a time limit, its crash is its
own, and the notebooks handed in are not changed. What does not: it can read and write what you can,
and use the network. So grade as a user who owns nothing, or in a container without a network.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SHEET = re.compile(r"from course_utils\.lessons\.homework import (sheet_\d+)")
JUDGE = """
import json as _json
from course_utils.course.homework import student_number as _number
from course_utils.lessons.homework import {sheet} as _sheet
_student, _sheet, _all = _number(student), _sheet.SHEET, dict(globals())
_found = {{
    "student": _student,
    "judged": _sheet.judge(_student, _all),
    "owners": _sheet.owners(_student, _all, [n for n in {others} if n != _student]),
    "prose": {{t.name: str(_all.get(t.name, "")) for t in _sheet.tasks if t.grade is None}},
}}
print({token!r} + _json.dumps(_found))
"""


def run_one(path: Path, others: Sequence[int], seconds: float) -> dict[str, Any]:
    """Run one notebook with the judging cell behind it; return what that cell found."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    sheet = SHEET.search(code)
    if sheet is None:
        return {"error": "it imports no sheet of homework"}
    token = secrets.token_hex(16)  # what a submission prints is not taken for the judgment
    judge = JUDGE.format(sheet=sheet[1], others=list(others), token=token)
    notebook.cells.append(nbformat.v4.new_code_cell(judge))
    client = NotebookClient(
        notebook,
        timeout=seconds,
        interrupt_on_timeout=True,
        allow_errors=True,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    errors = [
        f"cell {k}: {output.ename}: {output.evalue}"
        for k, cell in enumerate(notebook.cells[:-1], start=1)
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]
    for output in notebook.cells[-1].outputs:
        if output.get("text", "").startswith(token):
            return {"errors": errors, **json.loads(output.text.removeprefix(token))}
        if output.output_type == "error":
            errors.append(f"not judged: {output.ename}: {output.evalue}")
    return {"error": "; ".join(errors) or "the kernel ended"}


def in_own_process(path: Path, others: Sequence[int], seconds: float) -> dict[str, Any]:
    """Start `run_one` in another process, in an empty folder; end all of it after the time."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "homework.ipynb"
        shutil.copyfile(path, copy)
        words = [str(copy), "--one", json.dumps(list(others)), "--seconds", str(seconds)]
        job = subprocess.Popen(
            [sys.executable, __file__, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(ROOT), "COURSE_PROGRESS": "off"},
        )
        try:
            said, _ = job.communicate(timeout=2 * seconds + 60)
        except subprocess.TimeoutExpired:
            said = json.dumps({"error": "out of time, and could not be interrupted"})
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(job.pid, signal.SIGKILL)  # the kernel, too
            job.communicate()
    try:
        return json.loads(said.splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        return {"error": "it could not be run: is it a notebook?"}


def row(path: Path, found: dict[str, Any]) -> dict[str, Any]:
    """Return one line of the table."""
    line: dict[str, Any] = {"file": path.name, "student": found.get("student", "")}
    judged = found.get("judged", {})
    line["points"] = sum(points or 0 for points, _ in judged.values())
    for task, (points, why) in judged.items():
        line[task] = "" if points is None else points
        line[f"{task}: why"] = why
    notes = [found["error"]] if "error" in found else found.get("errors", [])
    notes = [*notes, *(f"{task}: right for {n}" for task, n in found.get("owners", {}).items())]
    line["notes"] = "; ".join(notes)
    return line


def grade(folder: Path, seconds: float, jobs: int) -> list[dict[str, Any]]:
    """Grade all notebooks of a folder; write grades.csv and to_read.md into it."""
    from tqdm import tqdm

    paths = sorted(folder.glob("*.ipynb"))
    numbers = sorted({n for path in paths if (n := number_in(path)) is not None})
    with ThreadPoolExecutor(jobs) as pool:
        runs = pool.map(lambda path: in_own_process(path, numbers, seconds), paths)
        found = list(tqdm(runs, total=len(paths), unit="notebook", disable=None))
    rows = [row(path, one) for path, one in zip(paths, found)]
    given = [line["student"] for line in rows if line["student"] != ""]
    for line in rows:
        if given.count(line["student"]) > 1:
            line["notes"] = "; ".join(filter(None, [line["notes"], "this number came twice"]))
    columns = list(dict.fromkeys(key for line in rows for key in line if key != "notes"))
    with (folder / "grades.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*columns, "notes"])
        writer.writeheader()
        writer.writerows({key: harmless(value) for key, value in line.items()} for line in rows)
    prose = [
        f"## {one['student']} · {task}\n\n{text}\n"
        for one in found
        for task, text in one.get("prose", {}).items()
    ]
    (folder / "to_read.md").write_text("\n".join(prose), encoding="utf-8")
    return rows


def harmless(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@" and value else value


def number_in(path: Path) -> int | None:
    """Return the student number that a notebook writes down, None if it writes none."""
    found = re.search(r'student = \\?["\']?(\d{1,12})', path.read_text("utf-8", errors="replace"))
    return int(found[1]) if found else None


def main(arguments: Sequence[str]) -> int:
    """Print the table in short; return 1 if a notebook could not be judged."""
    parser = argparse.ArgumentParser(prog="make grade", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=120, help="for each cell")
    parser.add_argument("--jobs", type=int, default=2, help="notebooks at a time")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.one is not None:
        print(json.dumps(run_one(chosen.folder, json.loads(chosen.one), chosen.seconds)))
        return 0
    if not chosen.folder.is_dir() or not list(chosen.folder.glob("*.ipynb")):
        parser.error(f"{chosen.folder} is no folder with notebooks")
    rows = grade(chosen.folder, chosen.seconds, chosen.jobs)
    for line in rows:
        print(
            f"{line['file']:32.32}  {line['student']!s:>12}  {line['points']:3d}  {line['notes']}"
        )
    print(f"{len(rows)} notebooks: grades.csv and to_read.md are in {chosen.folder}")
    return int(any(line["student"] == "" for line in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
