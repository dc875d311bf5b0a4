"""Run the check of all notebooks many times in a row, to find what fails only sometimes.

Usage: python tools/repeat.py [--runs 20] [--loaded 2] -- COMMAND ...

Each run prints a line; what a failed run said is kept in build/repeat/. In the runs given by
--loaded all processors are kept busy by another job, as on a machine that others use.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / "build" / "repeat"
LIMIT = 3600
"""Seconds after which a run counts as hanging, and as failed."""


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep so many processors busy for the time of a `with` block."""
    jobs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for job in jobs:
            job.kill()
            job.wait()


def once(command: Sequence[str], log: Path, limit: float = LIMIT) -> tuple[int, float, str]:
    """Run a command; return its exit status, its seconds, and the last line that it wrote.

    The status is 124 where it had to be stopped after `limit` seconds. Then, and when stop is
    pressed, what the command started ends with it.
    """
    start = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as out:
        # A session of its own, because only a group of processes can be ended as a whole.
        job = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            status = job.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            status = 124
        finally:
            if job.returncode is None:
                _end(job)
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    last = next((line for line in reversed(lines) if line.strip()), "")
    return status, time.monotonic() - start, last


def _end(job: subprocess.Popen[bytes]) -> None:
    """Kill a job that leads a session, and what it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)
    else:  # Windows
        job.kill()
    job.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command many times; return how often it failed, at most 125."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument(
        "--loaded", type=int, nargs="*", help="which runs, from 1 (the second, where there is one)"
    )
    parser.add_argument("command", nargs="+")
    chosen = parser.parse_args(arguments)
    if chosen.runs < 1:
        parser.error(f"--runs must be 1 or greater, got {chosen.runs}")
    if chosen.loaded is None:
        chosen.loaded = [2] if chosen.runs > 1 else []
    if outside := [k for k in chosen.loaded if not 1 <= k <= chosen.runs]:
        parser.error(f"--loaded must name runs from 1 to {chosen.runs}, got {outside}")
    seconds, failed = [], []
    try:
        for run in range(1, chosen.runs + 1):
            log = LOGS / f"run{run:02d}.txt"
            with busy((os.cpu_count() or 1) if run in chosen.loaded else 0):
                status, took, last = once(chosen.command, log)
            seconds.append(took)
            if status == 0:
                log.unlink()
            else:
                failed.append(run)
            word = "FAILED" if status else "passed"
            note = " all processors busy" if run in chosen.loaded else ""
            _say(f"run {run:2d}: {word}, {took:4.0f} s{note}; {last}")
    except KeyboardInterrupt:
        _say("stopped")
    if seconds:
        _say(
            f"{len(failed)} of {len(seconds)} runs failed {failed or ''}; "
            f"seconds: {min(seconds):.0f} to {max(seconds):.0f}"
        )
    return min(len(failed), 125) if seconds else 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
