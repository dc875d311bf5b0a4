"""Make the recorded files of a lesson again, most valuable first.

Usage: python tools/records.py 05 [05_rare_400.json ...] [--jobs 2] [--folder notebooks/results]

The module `course_utils.lessons.lessonNN.records` says how: {file: function of its path}. Each file
is written when its experiment is done, in one step. Ctrl-C loses only what is running, and says how
to go on.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def records(lesson: str) -> dict[str, Callable[[Path], object]]:
    """Return what a lesson records, most valuable first; ValueError for a lesson without."""
    try:
        return importlib.import_module(f"course_utils.lessons.lesson{lesson}.records").RECORDS
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("course_utils"):
            raise
        raise ValueError(f"lesson {lesson!r} records nothing") from None


def make(lesson: str, name: str, folder: Path) -> float:
    """Make one file; return the seconds it took."""
    start = time.perf_counter()
    records(lesson)[name](folder / name)
    return time.perf_counter() - start


def main(arguments: Sequence[str]) -> int:
    """Make the chosen files; return 1 if one could not be made."""
    from tqdm import tqdm

    parser = argparse.ArgumentParser(prog="make records", description=__doc__.split("\n")[0])
    parser.add_argument("lesson", help="its number, such as 05")
    parser.add_argument("files", nargs="*", help="names of files; none for all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="files at a time")
    parser.add_argument("--folder", type=Path, default=ROOT / "notebooks" / "results")
    chosen = parser.parse_args(arguments)
    try:
        known = records(chosen.lesson)
    except ValueError as error:
        parser.error(str(error))
    if unknown := set(chosen.files) - set(known):
        parser.error(f"lesson {chosen.lesson} records {', '.join(known)}; not {min(unknown)}")
    failed = 0
    # Fresh processes: threads of a parent that has loaded PyTorch do not survive a fork.
    with ProcessPoolExecutor(chosen.jobs, multiprocessing.get_context("spawn")) as pool:
        jobs = {
            pool.submit(make, chosen.lesson, name, chosen.folder.resolve()): name
            for name in known
            if not chosen.files or name in chosen.files
        }
        try:
            for job in tqdm(as_completed(jobs), total=len(jobs), unit="file"):
                try:
                    tqdm.write(f"{jobs[job]}: {job.result():.0f} s")
                except Exception as error:  # the other files are still worth making
                    tqdm.write(f"{jobs[job]}: {type(error).__name__}: {error}")
                    failed += 1
        except KeyboardInterrupt:
            left = [name for job, name in jobs.items() if not job.done()]
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.kill()
            rest = " ".join([*left, *(word for word in arguments[1:] if word not in known)])
            go_on = f'make records NB={chosen.lesson} ARGS="{rest}"'
            print(f"stopped; finished files stay. To go on: {go_on}", file=sys.stderr)
            return 130
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
