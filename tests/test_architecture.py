"""The floors hold: imports go downwards, floor 1 is light, public things explain themselves."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "course_utils"

# From the ground up. A module may import from the lines above its own, never from its own line. A
# new module needs a place here; that is the moment to think about where it belongs.
FLOORS = [
    ["validate"],
    ["schedules", "optimizers", "problems", "sampling"],
    ["run", "progress"],
    ["cifar_files"],
    ["descent", "datasets", "models", "rosetta"],
    ["batches"],
    ["training", "sweep"],
    ["activity", "curvature", "search"],
    [
        "adaptive_study",
        "choice_study",
        "cifar_study",
        "decay_study",
        "edge_study",
        "regularization_study",
    ],
    ["plots"],
    ["explorers"],
    ["burst", "choice_views", "cnn_views", "decay_views", "designer", "race"],
    ["article", "claims"],
    ["cheat_sheet"],
    ["checkup", "ledger_browser"],
    ["exercises"],
]
FLOOR = {name: level for level, names in enumerate(FLOORS) for name in names}

NUMPY_ONLY = {*FLOORS[0], *FLOORS[1], *FLOORS[2], "descent", "article", "claims"}
DRAWING = {"matplotlib", "ipywidgets", "PIL", "IPython"}
# What each part may use beside the standard library and the floors below it.
ALLOWED = {
    "cifar_files": {"numpy", "pooch", "requests", "tqdm"},
    "sweep": {"numpy", "tqdm"},  # shows gradients written by hand: no torch
    "plots": {"numpy", "matplotlib", "PIL"},  # draws records: no training, so no torch
    "explorers": {"numpy", *DRAWING},
    "burst": {"numpy", *DRAWING},
    "designer": {"numpy", *DRAWING},
    "race": {"numpy", *DRAWING},
    "checkup": {"packaging", "torch", "ipywidgets"},
}
# Imported inside the one function that needs it, so that the module stays light.
ON_DEMAND = {("schedules", "torch")}  # to_torch

FILES = sorted(PACKAGE.rglob("*.py"))


def part(path: Path) -> str:
    """The module or subpackage of course_utils that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def run_time_imports(tree: ast.AST) -> set[str]:
    """Dotted names that are imported when the code runs (not those under `if TYPE_CHECKING`)."""
    names: set[str] = set()
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += node.orelse
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = ".".join(["course_utils"] * (node.level == 1) + [node.module or ""]).strip(".")
            assert node.level < 2, f"line {node.lineno}: write the import out, from course_utils"
            names |= {f"{module}.{alias.name}" for alias in node.names}
        pending += ast.iter_child_nodes(node)
    return names


def at_the_top(tree: ast.Module) -> set[str]:
    """The imports that run when the module is imported, not when a function is called."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    body = [node for node in tree.body if not isinstance(node, functions)]
    return run_time_imports(ast.Module(body=body, type_ignores=[]))


def heads(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def complaints(name: str, source: str) -> list[str]:
    """What is wrong with the imports and calls of a file that belongs to the part `name`."""
    if name not in FLOOR:
        return [f"{name} has no floor yet: add it to FLOORS"]
    tree = ast.parse(source)
    found = []
    for dotted in sorted(run_time_imports(tree)):
        top, _, rest = dotted.partition(".")
        target = rest.partition(".")[0]
        if top == "course_utils":
            if target == "__version__":
                continue
            if target not in FLOOR:
                found.append(f"imports {dotted}, which has no floor")
            elif target != name and FLOOR[target] >= FLOOR[name]:
                found.append(f"imports {target}, which is not below {name}")
        elif top not in sys.stdlib_module_names | allowed(name):
            if (name, top) not in ON_DEMAND or top in heads(at_the_top(tree)):
                found.append(f"imports {top}")
        if dotted.startswith("matplotlib.pyplot"):
            found.append("imports pyplot, which keeps every figure alive")
        if dotted.endswith(".*"):
            found.append(f"star import of {dotted}")
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "print"
        ):
            found.append(f"line {node.lineno}: print")
    return found


def allowed(name: str) -> set[str]:
    if name in NUMPY_ONLY:
        return {"numpy"}
    if name in ALLOWED:
        return ALLOWED[name]
    experiments = {"numpy", "torch", "sklearn", "tqdm", "pooch", "optuna"}
    return experiments | DRAWING if FLOOR[name] > FLOOR["plots"] else experiments


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_downwards_and_nothing_is_printed(path: Path) -> None:
    if path == PACKAGE / "__init__.py":
        assert run_time_imports(ast.parse(path.read_text(encoding="utf-8"))) == set()
    else:
        assert complaints(part(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("schedules", "import torch"),
        ("schedules", "def f():\n    import matplotlib.figure"),
        ("schedules", "from course_utils.optimizers import Adam"),  # sideways
        ("run", "from course_utils import descent"),  # upwards
        ("training", "import matplotlib"),
        ("plots", "import torch"),
        ("plots", "from course_utils.explorers import Explorer"),
        ("plots", "import matplotlib.pyplot as plt"),
        ("plots", "from matplotlib import pyplot"),
        ("plots", "from numpy import *"),
        ("sweep", "print(1)"),
        ("sweep", "import pandas"),
        ("brand_new", ""),
        ("schedules", "if True:\n    import torch"),
    ],
)
def test_the_rules_can_be_broken(name: str, source: str) -> None:
    assert complaints(name, source) != []


def test_imports_for_type_checking_only_are_free() -> None:
    source = "if TYPE_CHECKING:\n    from course_utils.sweep import Sweep"
    assert complaints("plots", source) == []


# --- weight ------------------------------------------------------------------------------------

IMPORT = """
import json, sys
import course_utils.schedules, course_utils.optimizers, course_utils.problems
print(json.dumps(sorted(sys.modules)))
"""


def test_floor_1_loads_nothing_heavy() -> None:
    """How long the import takes is for `make bench`."""
    heavy = {"torch", "matplotlib", "sklearn", "scipy", "ipywidgets", "optuna", "pandas"}
    output = subprocess.run(
        [sys.executable, "-c", IMPORT], check=True, capture_output=True, text=True, timeout=120
    ).stdout
    assert heavy & heads(set(json.loads(output))) == set()


# --- public things explain themselves ----------------------------------------------------------


def public_objects() -> list:
    found = []
    for path in FILES:
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        module = importlib.import_module(name)
        for attribute, value in sorted(vars(module).items()):
            own = getattr(value, "__module__", None) == name
            callable_ = inspect.isfunction(value) or inspect.isclass(value)
            if own and callable_ and not attribute.startswith("_"):
                found.append(pytest.param(value, id=f"{name}.{attribute}"))
    return found


# No example of their own, for a reason.
WITHOUT_EXAMPLE = {
    "record": "trains for minutes; the test of its study runs it at a tiny size",
    "load": "reads what `record` wrote",
    "compute_network": "looks up a sweep of seconds; its explorer and its tests show it",
    "draw_": "draws one explorer, and is shown by the example of that explorer",
}


def needs_example(thing: object) -> bool:
    if ".exercises." in thing.__module__:
        return False  # questions and solutions: the notebook is their example
    if inspect.isclass(thing):
        # Errors; records that functions return; what several classes share: theirs is the example.
        record = dataclasses.is_dataclass(thing) or issubclass(thing, (tuple, list))
        return not (record or issubclass(thing, Exception) or thing.__subclasses__())
    return not thing.__name__.startswith(tuple(WITHOUT_EXAMPLE))


@pytest.mark.parametrize("thing", public_objects())
def test_public_things_have_a_docstring_with_an_example(thing: object) -> None:
    doc = inspect.getdoc(thing) or ""
    first = doc.partition("\n")[0]
    assert first, "no docstring"
    assert first[0].isupper() or not first[0].isalpha(), "the first line is no sentence"
    assert ">>>" in doc or not needs_example(thing), "no doctested example"
