"""Run every benchmark of this folder, one after the other, and print one table of the verdicts.

A benchmark is a script `bench_*.py`. It prints what it measured, then one line per requirement that
ends in "yes" or "NO" ("at least 10 times faster at 32 rates: yes"), and exits with 0 when all are
met. Each runs in a process of its own: the memory and the imports of one do not disturb the next.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
VERDICT = re.compile(r"^(?P<requirement>.+): (?P<met>yes|NO)$")
MOST_SECONDS = 1200


def run(script: Path) -> list[tuple[str, str, str]]:
    """Run one benchmark, show its output, return its rows (name, requirement, verdict)."""
    name = script.stem.removeprefix("bench_")
    print(f"\n== {name}", flush=True)
    start = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, timeout=MOST_SECONDS
        )
        output, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired:
        output, code = f"finishes within {MOST_SECONDS} s: NO\n", 1
    print(output, end="")
    print(f"({time.perf_counter() - start:.0f} s)", flush=True)
    matches = [VERDICT.match(line) for line in output.splitlines()]
    rows = [(name, match["requirement"], match["met"]) for match in matches if match]
    met = bool(rows) and all(row[2] == "yes" for row in rows)
    if not rows or (code == 0) != met:  # it may have tried nothing
        rows.append((name, f"ends in order (exit status {code}, a verdict printed)", "NO"))
    return rows


def main() -> int:
    """Print all tables, then the verdicts; return 0 when every requirement is met."""
    rows = [row for script in sorted(HERE.glob("bench_*.py")) for row in run(script)]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    print("\n" + "  ".join(["benchmark".ljust(widths[0]), "requirement".ljust(widths[1]), "met"]))
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
    return 0 if all(row[2] == "yes" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
