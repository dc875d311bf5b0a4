"""Try every conclusion of the lessons on other seeds: which assertions do not survive?

Usage: python tools/audit.py [01 03 ...] [--shifts 10] [--jobs 2]

Each run executes one notebook with the environment variable COURSE_AUDIT_SHIFT set: lessons draw
other seeds (`course_utils.experiments.audit.seeds`), and recorded tables are handed out with their
seeds drawn anew. Runs go on side by side; Ctrl-C ends them and prints what is known so far.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import contracts

import notebooks

CELL_SECONDS = 600


def run(path: Path, shift: int) -> dict[str, Any]:
    """Execute a notebook under a shift; return what failed, and which tables have one seed.

    Cells after a failing one run as well: one conclusion that falls says nothing about the next.
    """
    import nbformat
    from kernels import use_ipc
    from nbclient import NotebookClient

    use_ipc()
    notebook = nbformat.read(path, as_version=4)
    with tempfile.NamedTemporaryFile("r", suffix=".txt", encoding="utf-8") as report:
        variables = {"COURSE_AUDIT_SHIFT": str(shift), "COURSE_AUDIT_REPORT": report.name}
        NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            allow_errors=True,
            kernel_name="python3",
            resources={"metadata": {"path": str(path.parent)}},
        ).execute(env=os.environ | variables)
        single = sorted(set(report.read().splitlines()))
    failed, errors = [], []
    for cell in notebook.cells:
        if "raises-exception" in cell.metadata.get("tags", []):
            continue
        for output in cell.get("outputs", []):
            if output.output_type == "error" and output.ename == "AssertionError":
                failed.append((cell.id, assertion(cell.source, output.traceback)))
            elif output.output_type == "error":
                errors.append((cell.id, f"{output.ename}: {output.evalue}"[:200]))
    return {"failed": failed, "errors": errors, "single": single}


def assertion(source: str, traceback: Iterable[str]) -> str:
    """Return the assertion that a traceback points at, in one line."""
    trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(traceback))
    lines = [int(n) for n in re.findall(r"^-+> *(\d+)", trace, re.MULTILINE)]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert) and lines and node.lineno <= lines[0] <= node.end_lineno:
            return ast.unparse(node)
    return "an assertion in the package"


def side_by_side(jobs: list[tuple[Path, int]], processes: int) -> dict[tuple[Path, int], Any]:
    """Run all jobs, so many at a time, each in its own session; Ctrl-C returns what is done."""
    from tqdm import tqdm

    started: list[subprocess.Popen[str]] = []
    stopped = False

    def one(path: Path, shift: int) -> Any:
        if stopped:
            return None
        command = [sys.executable, __file__, "--one", str(path), str(shift)]
        job = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        started.append(job)
        output = job.communicate()[0].splitlines()
        return json.loads(output[-1]) if job.returncode == 0 and output else None

    done: dict[tuple[Path, int], Any] = {}
    with ThreadPoolExecutor(processes) as pool:
        waiting = {pool.submit(one, *job): job for job in jobs}
        try:
            for future in tqdm(as_completed(waiting), total=len(jobs), unit="run"):
                done[waiting[future]] = future.result()
        except KeyboardInterrupt:
            stopped = True
            for job in started:
                if job.poll() is None:
                    os.killpg(job.pid, signal.SIGKILL)
    return done


def summary(done: dict[tuple[Path, int], Any]) -> str:
    """Say per lesson which assertions fell, under which shifts, and what was not tried."""
    book = contracts.pages(contracts.GUIDE.read_text(encoding="utf-8"))
    lines = []
    for path in sorted({path for path, _ in done}):
        results = {shift: found for (p, shift), found in done.items() if p == path}
        ran = [shift for shift, found in sorted(results.items()) if found is not None]
        fell: dict[tuple[str, str], list[int]] = defaultdict(list)
        for shift in ran:
            for kind in ("failed", "errors"):
                for cell, what in results[shift][kind]:
                    fell[cell, what].append(shift)
        promise = contracts.contract(book.get(path.name.partition("_")[0], ("", ""))[1])
        count = sum(map(len, contracts.assertions(contracts.cells_of(path)).values()))
        lines.append(f"\n{path.name}: {count} assertions, {len(ran)} of {len(results)} shifts ran")
        for (cell, what), shifts in sorted(fell.items(), key=lambda item: -len(item[1])):
            lines.append(f"  fell {len(shifts)}×  cell {cell}, shifts {shifts}: {what}")
        lines += [
            f"  one seed only: {name}"
            for name in sorted({s for k in ran for s in results[k]["single"]})
        ]
        lines += [f"  not audited, old format: {name}" for name in old_records(path)]
        lines += [
            f"  no longer asserted: cell {cell}: {what}" for cell, what in contracts.gone(path)
        ]
        if promise is None:
            lines.append("  no contract: its headlines are not audited")
        else:
            broken = contracts.broken(promise, contracts.cells_of(path))
            lines += [f"  contract: {what}" for what in broken]
        if not fell and ran:
            lines.append(f"  no assertion fell under {len(ran)} shifts")
    return "\n".join(lines)


def old_records(path: Path) -> list[str]:
    """Return the recorded files of a lesson that `table.load` cannot hand out with other seeds."""
    from course_utils.experiments import table

    names = []
    for file in sorted((path.parent / "results").glob(f"{path.name[:2]}_*.json")):
        try:
            table.load(file)
        except ValueError:
            names.append(file.name)
    return names


def main(arguments: list[str]) -> int:
    """Run the audit; return 1 if an assertion fell, a cell failed or a run is missing."""
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__.split("\n")[0])
    parser.add_argument("lessons", nargs="*", help="numbers, such as 03; none for all")
    parser.add_argument("--shifts", type=int, default=10, help="how many other draws of the seeds")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time")
    parser.add_argument("--one", nargs=2, metavar=("NOTEBOOK", "SHIFT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.one:
        print(json.dumps(run(Path(chosen.one[0]), int(chosen.one[1]))))
        return 0
    paths = [path for path in notebooks.chosen(chosen.lessons) if not path.name.startswith("00")]
    jobs = [(path, shift) for shift in range(1, chosen.shifts + 1) for path in paths]
    done = side_by_side(jobs, chosen.jobs)
    print(summary(done))
    calm = [found and not found["failed"] and not found["errors"] for found in done.values()]
    return 0 if len(done) == len(jobs) and all(calm) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
