"""How much memory do 4, 8 and 16 students need on one machine, each with a lesson open?

    python tests/benchmarks/bench_kernels.py [NN]

Each student is a kernel of its own, which runs the cells of a lesson (10, which needs PyTorch) up
to the end of its second section and then waits, as kernels do for most of a class. What
they have in common (the machine code of PyTorch) is in memory once, so that the sum of resident
sizes says too much. Reported per kernel: USS, what would be free if it ended; PSS, USS and its part
of what is shared; RSS, what `top` shows. Only memory is measured: the load of the machine does not
matter.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from statistics import mean

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import nbformat
import psutil
from jupyter_client.manager import start_new_kernel
from kernels import use_ipc

STUDENTS = (4, 8, 16)
CELL_SECONDS = 600  # 16 kernels on two cores
MOST_MEGABYTES = 500  # of PSS for each of 16
FREE_MEGABYTES = 12_000  # to begin at all


def first_cells(number: str) -> list[str]:
    """The code of a lesson up to the end of its second section."""
    (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    code, end = [], re.compile(rf"^## {int(number)}\.3 ", re.MULTILINE)
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            code.append(cell.source)
        elif end.search(cell.source):
            return code
    raise SystemExit(f"lesson {number} has no third section")


def student(code: list[str]):
    """Start a kernel, run the cells in it, and leave it waiting."""
    manager, client = start_new_kernel(
        kernel_name="python3", startup_timeout=120, cwd=str(ROOT / "notebooks")
    )
    for source in code:
        reply = client.execute_interactive(
            source, timeout=CELL_SECONDS, output_hook=lambda message: None
        )
        if reply["content"]["status"] != "ok":
            raise RuntimeError("\n".join(reply["content"]["traceback"]))
    return manager, client


def megabytes(process: psutil.Process) -> tuple[float, float, float]:
    """USS, PSS and RSS of a process; without PSS (not Linux), USS in its place."""
    info = process.memory_full_info()
    return tuple(size / 2**20 for size in (info.uss, getattr(info, "pss", info.uss), info.rss))


def main(number: str = "10") -> int:
    """Print the table; return 0 when a kernel needs no more than what is said above."""
    if psutil.virtual_memory().available < FREE_MEGABYTES * 2**20:
        raise SystemExit(f"less than {FREE_MEGABYTES} MB are free: not tried")
    use_ipc()
    code, running, pss = first_cells(number), [], 0.0
    print(f"lesson {number}, {len(code)} cells; mean (largest) of each kernel in MB")
    print(f"{'kernels':>8}{'USS':>14}{'PSS':>14}{'RSS':>14}{'PSS together':>14}")
    try:
        for count in STUDENTS:
            while len(running) < count:
                running.append(student(code))
            processes = [psutil.Process(m.provisioner.process.pid) for m, _ in running]
            columns = list(zip(*map(megabytes, processes)))
            pss = mean(columns[1])
            shown = "".join(f"{mean(c):8.0f} ({max(c):.0f})" for c in columns)
            print(f"{count:8}{shown}{sum(columns[1]):14.0f}", flush=True)
    finally:
        for manager, client in running:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    met = pss <= MOST_MEGABYTES
    limit = f"each of {STUDENTS[-1]} kernels needs at most {MOST_MEGABYTES} MB"
    print(f"{limit}: {'yes' if met else 'NO'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
