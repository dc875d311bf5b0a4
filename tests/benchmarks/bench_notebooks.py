"""How long do the lessons take under nbval, and how much memory does the kernel of each need?

Time: wall time of pytest with nbval on each notebook, kernel start included. Memory: the largest
resident set of the kernel, asked from the kernel itself after its last cell. Run it on an idle
machine: on a loaded one the times are those of the load.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["COURSE_PROGRESS"] = "off"

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import nbformat
from kernels import use_ipc
from nbclient import NotebookClient

# What may not be exceeded: seconds for groups of lessons together, megabytes for each kernel.
MOST_SECONDS = {("01", "02"): 60, ("03",): 60, ("04",): 90, ("05",): 90}
MOST_MEGABYTES = 600

# VmHWM is the peak of this very process; ru_maxrss, the portable way, may inherit its parent's.
PEAK = """
import pathlib, re, resource, sys
try:
    status = pathlib.Path("/proc/self/status").read_text()
    kilobytes = int(re.search(r"VmHWM:\\s+(\\d+)", status)[1])
except (OSError, TypeError):
    unit = 1024 if sys.platform == "darwin" else 1
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit
print(kilobytes)
"""


def nbval_seconds(path: Path) -> float:
    """Wall time of the nbval check of one notebook, with the options of `make nbval`."""
    command = ["make", "-s", "nbval", f"NOTEBOOKS={path.relative_to(ROOT)}", f"VENV={sys.prefix}"]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-1000:])
        raise SystemExit(f"{path.name} does not pass: its time means nothing")
    return seconds


def peak_megabytes(path: Path) -> float:
    """Peak memory of a kernel that has run all cells of a notebook."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=300, startup_timeout=60, resources=resources).execute()
    return int(notebook.cells[-1].outputs[0].text) / 1024


def main() -> int:
    """Print the table; return 0 when all requirements are met."""
    use_ipc()
    seconds, megabytes = {}, {}
    print(f"{'notebook':40} {'nbval':>8} {'peak memory':>12}")
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        number = path.name[:2]
        seconds[number], megabytes[number] = nbval_seconds(path), peak_megabytes(path)
        print(f"{path.name:40} {seconds[number]:6.1f} s {megabytes[number]:9.0f} MB", flush=True)
    print(f"{'together':40} {sum(seconds.values()):6.1f} s")
    verdicts = [
        (
            f"nbval over {' and '.join(group)} within {limit} s",
            sum(seconds[n] for n in group) <= limit,
        )
        for group, limit in MOST_SECONDS.items()
        if all(number in seconds for number in group)
    ]
    within = all(peak <= MOST_MEGABYTES for peak in megabytes.values())
    verdicts.append((f"every kernel stays within {MOST_MEGABYTES} MB", within))
    for text, met in verdicts:
        print(f"{text}: {'yes' if met else 'NO'}")
    return 0 if all(met for _, met in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
