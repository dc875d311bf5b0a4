"""Lessons 00 to 05 run where PyTorch and its like cannot be imported: in a browser.

A cell that needs PyTorch is tagged `torch` and is a leaf: no later cell reads a name that it binds,
so that its stored output is enough.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import symtable
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
LESSONS = sorted(FOLDER.glob("0[0-589]_*.ipynb"))
HEAVY = ("torch", "sklearn", "optuna", "pooch", "requests")


def code_cells(path: Path) -> list[tuple[str, bool, str]]:
    """(id, whether it is tagged `torch`, source) of every code cell."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [
        (cell["id"], "torch" in cell["metadata"].get("tags", []), "".join(cell["source"]))
        for cell in cells
        if cell["cell_type"] == "code"
    ]


def steps(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """The simple statements and the heads of loops and branches, in the order of the text."""
    for node in body:
        match node:
            case ast.For():
                yield node.iter
                yield ast.Assign([node.target], ast.Constant(0))
            case ast.With():
                for item in node.items:
                    target = item.optional_vars or ast.Name("_", ast.Store())
                    yield ast.Assign([target], item.context_expr)
            case ast.If() | ast.While():
                yield node.test
            case ast.Try():
                pass
            case _:
                yield node
                continue
        inner = [getattr(node, part, []) for part in ("body", "orelse", "finalbody")]
        inner += [handler.body for handler in getattr(node, "handlers", [])]
        for statements in inner:
            yield from steps(statements)


def names(node: ast.AST) -> tuple[set[str], set[str]]:
    """The global names that a step reads, in functions too, and those that it binds."""
    table = symtable.symtable(ast.unparse(ast.fix_missing_locations(node)), "cell", "exec")
    symbols = table.get_symbols()
    bound = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
    read = {s.get_name() for s in symbols if s.is_referenced()}
    if isinstance(node, ast.AugAssign):
        read |= bound
    pending = table.get_children()
    while pending:
        scope = pending.pop()
        pending += scope.get_children()
        read |= {s.get_name() for s in scope.get_symbols() if s.is_global()}
    return read, bound


def leaks(cells: list[tuple[str, bool, str]]) -> list[str]:
    """Where a cell reads a name that a cell tagged `torch` has bound, and that it did not bind."""
    found, owner = [], {}
    for cell, torch, source in cells:
        for node in steps(ast.parse(source).body):
            read, bound = names(node)
            if not torch:
                found += [f"{cell} reads {n}, of {owner[n]}" for n in sorted(read & owner.keys())]
            for name in bound:
                if torch:
                    owner[name] = cell
                else:
                    owner.pop(name, None)
    return found


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.name[:2])
def test_no_cell_reads_what_a_torch_cell_binds(path: Path) -> None:
    assert leaks(code_cells(path)) == []


TORCH = ("a", True, "import torch\nnet = 1\nfor row in []: loss = 2\ndef f(): return net")


@pytest.mark.parametrize(
    ("source", "read"),
    [
        ("print(net)", ["net"]),
        ("x = [net for x in y]", ["net"]),
        ("def g():\n    return loss", ["loss"]),
        ("net += 1", ["net"]),
        ("torch.ones(3)\nrow", ["row", "torch"]),
        ("for net in range(net): pass", ["net"]),
        ("if f(): pass", ["f"]),
        ("net = 2\nprint(net)", []),
        ("for net in range(3): print(net)", []),
        ("with open() as net: net.read()", []),
        ("def g(net):\n    return net", []),
        ("[net for net in range(3)]", []),
        ("import torch\ntorch.ones(3)", []),
        ("x.net", []),
    ],
)
def test_a_leak_is_seen(source: str, read: list[str]) -> None:
    found = leaks([TORCH, ("b", False, source)])
    assert sorted({text.split(" reads ")[1].split(",")[0] for text in found}) == read


# IPython without a kernel: it renders what a cell shows, and starts in a second.
RUN = """
import json, sys
heavy, cells = json.load(sys.stdin)
for name in heavy: sys.modules[name] = None  # importing it raises ModuleNotFoundError
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell, torch, source in cells:
    if not torch and not shell.run_cell(source).success:
        sys.exit(f"cell {cell} failed")
"""


def run(path: Path, folder: Path, heavy: tuple[str, ...] = HEAVY) -> subprocess.CompletedProcess:
    """Run the cells of a lesson that are not tagged `torch`, top to bottom, in a new process."""
    settings = {"COURSE_PROGRESS": "off", "IPYTHONDIR": str(folder), "MPLBACKEND": "agg"}
    settings |= {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    return subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps([heavy, code_cells(path)]),
        cwd=path.parent,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=500,
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Path, Future]]:
    """All lessons, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        folder = tmp_path_factory.mktemp("ipython")
        yield {path: pool.submit(run, path, folder) for path in LESSONS}
        pool.shutdown(cancel_futures=True)


@pytest.mark.slow
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.name[:2])
def test_lesson_runs_without_heavy_libraries(path: Path, runs: dict[Path, Future]) -> None:
    ran = runs[path].result()
    assert ran.returncode == 0, ran.stdout[-3000:]


def test_a_cell_without_its_tag_is_seen(tmp_path: Path) -> None:
    cells = [{"id": "first", "metadata": {}, "cell_type": "code", "source": ["import torch"]}]
    path = tmp_path / "lesson.ipynb"
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    ran = run(path, tmp_path)
    assert ran.returncode == 1 and ran.stdout.endswith("cell first failed\n")
