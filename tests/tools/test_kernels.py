"""nbval with our conftest.py: a kernel that dies is reported soon, a slow cell is left alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat import v4

ROOT = Path(__file__).resolve().parents[2]


def check(folder: Path, *sources: str, cell_timeout: int = 120) -> str:
    """Run nbval on a notebook with these cells; return what pytest says."""
    cells = [v4.new_code_cell(source) for source in sources]
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec})
    nbformat.write(notebook, folder / "cells.ipynb")
    shutil.copy(ROOT / "conftest.py", folder)
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-rA", "-c", os.devnull, "--rootdir", str(folder)),
        *("--nbval-lax", "--nbval-current-env", f"--nbval-cell-timeout={cell_timeout}"),
        *("-p", "no:cacheprovider", "--durations=0", "-vv", "cells.ipynb"),
    ]
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT / "tools")},
        capture_output=True,
        text=True,
        timeout=200,
    )
    return done.stdout + done.stderr


def test_a_dead_kernel_is_reported_within_a_minute_and_a_silent_one_is_not(tmp_path: Path) -> None:
    silent = "import time\ntime.sleep(7)"
    told = check(tmp_path, silent, "import os\nos._exit(1)", "2", "3")
    assert "Cell 1: The kernel died in this cell." in told
    assert float(re.search(r"([\d.]+)s call +cells.ipynb::Cell 1", told)[1]) < 60
    assert "1 failed, 1 passed, 2 xfailed" in told


def test_a_cell_that_takes_too_long_is_still_stopped(tmp_path: Path) -> None:
    told = check(tmp_path, "import time\ntime.sleep(300)", cell_timeout=5)
    assert "Timeout of 5 seconds exceeded" in told
    assert "1 failed" in told
