"""Execute notebooks in place and clean them, so that the same code gives the same file.

Usage: python tools/notebooks.py run [01 02 ... | paths]     execute in a fresh kernel, then clean
       python tools/notebooks.py clean [01 02 ... | paths]   clean only

A notebook is written only when every cell ran; after a failing cell the file stays as it was.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("PYTHONHASHSEED", "0")
os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
os.environ["COURSE_PROGRESS"] = "off"  # what runs here is no learner

import nbformat  # noqa: E402 - the kernels inherit the settings above
from kernels import use_ipc  # noqa: E402
from nbclient import NotebookClient  # noqa: E402
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError  # noqa: E402
from nbstripout import strip_output  # noqa: E402

from course_utils.run import write_atomically  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "notebooks"
CELL_SECONDS = 300
START_SECONDS = 60

# What nbstripout removes besides what it always does; outputs and counts are compared by nbval.
EXTRA_KEYS = [
    *("metadata.language_info.version", "metadata.widgets", "cell.metadata.execution"),
    *("cell.metadata.collapsed", "cell.metadata.scrolled", "cell.metadata.lines_to_next_cell"),
]
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def chosen(names: list[str], folder: Path = FOLDER) -> list[Path]:
    """Return the notebooks that are meant: numbers ("01"), paths, or nothing for all."""
    everything = sorted(folder.glob("*.ipynb"))
    if not names:
        return everything
    found = []
    for name in names:
        matches = [path for path in everything if path.name.startswith(f"{name}_")]
        matches = matches or [Path(name).resolve()]
        if not matches[0].is_file():
            known = ", ".join(path.name[:2] for path in everything) or "none yet"
            raise SystemExit(f"there is no notebook {name!r}; known numbers: {known}")
        found += matches
    return found


def execute(path: Path) -> nbformat.NotebookNode:
    """Run all cells of a notebook in a fresh kernel, in its folder; return it with the new outputs.

    Every wait is finite. A kernel that does not start gets a second chance: on a loaded machine
    that happens, and it says nothing about the notebook.
    """
    for last_chance in (False, True):
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            startup_timeout=START_SECONDS,
            kernel_name="python3",
            resources={"metadata": {"path": str(path.parent)}},
            store_widget_state=False,
            record_timing=False,
            coalesce_streams=True,
        )
        try:
            client.execute()
            return notebook
        except (CellExecutionError, CellTimeoutError):
            raise
        except (RuntimeError, OSError, TimeoutError, DeadKernelError) as error:
            if last_chance or client.code_cells_executed:
                raise
            print(f"{path.name}: the kernel did not start ({error}); trying once more", flush=True)
    raise AssertionError("unreachable")


def tidy(notebook: nbformat.NotebookNode) -> None:
    """Remove what differs between two runs of the same code, and collapse what is plumbing.

    A stored reference to a live widget is a random number that points at nothing; beside it is the
    text that says what the widget was, and that stays. JupyterLab shows the code of a cell tagged
    hide-input as a bar that opens with a click.
    """
    for cell in notebook.cells:
        cell.metadata.pop("jupyter", None)
        if "hide-input" in cell.metadata.get("tags", []):
            cell.metadata["jupyter"] = {"source_hidden": True}
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if len(data) > 1:
                data.pop(WIDGET_VIEW, None)


def is_live(cell: dict) -> bool:
    """Whether a cell shows an explorer: its stored output is a line of text or a dead widget."""
    last = cell["source"].rstrip().rpartition("\n")[2]
    return cell["cell_type"] == "code" and re.fullmatch(r"\w*explorer", last) is not None


def write(path: Path, notebook: nbformat.NotebookNode) -> None:
    """Clean a notebook and put it in place in one step: a reader sees the old file or the new."""
    tidy(notebook)
    kept = {"keep_output": True, "keep_count": True, "keep_id": True}
    text = nbformat.writes(strip_output(notebook, **kept, extra_keys=EXTRA_KEYS)) + "\n"
    if not path.exists() or text != path.read_text(encoding="utf-8"):
        write_atomically(path, text)


def run(path: Path) -> bool:
    """Execute and clean one notebook; report it in one line; return whether every cell ran."""
    start = time.perf_counter()
    try:
        write(path, execute(path))
    except Exception as error:  # whatever it was: say so, leave the file alone, go on to the next
        trace = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
        print(f"{path.name}: FAILED, the file was not changed\n{trace[-3000:]}", flush=True)
        return False
    seconds, size = time.perf_counter() - start, path.stat().st_size
    print(f"{path.name}: {seconds:.1f} s, {size / 1e3:.0f} kB", flush=True)
    return True


def main(arguments: list[str]) -> int:
    """Run or clean the chosen notebooks; return 0 when all went well."""
    if not arguments or arguments[0] not in ("run", "clean"):
        print(__doc__)
        return 2
    use_ipc()
    paths = chosen(arguments[1:])
    if arguments[0] == "clean":
        for path in paths:
            write(path, nbformat.read(path, as_version=4))
        return 0
    failed = [path.name for path in paths if not run(path)]
    print(f"make run: FAILED in {', '.join(failed)}" if failed else f"make run: {len(paths)} done.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
