"""The files around the course agree with each other: dependencies, pins, README, ignored paths."""

from __future__ import annotations

import ast
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import lesson_map
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TO_PIP = {"pytorch-cpu": "torch"}  # conda's name -> pip's name
IMPORT_NAMES = {"pyyaml": "yaml"}
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "notebooks/INSTRUCTOR.md"]
COME_ALONG = {
    "PIL": "matplotlib",
    "packaging": "matplotlib",
    "IPython": "ipykernel",
    "nbformat": "nbconvert",
    "markdown_it": "jupytext",
    "sqlalchemy": "optuna",
}


def split(requirement: str) -> tuple[str, str]:
    name, specifier = re.fullmatch(r"([A-Za-z0-9-]+)\s*(.*)", requirement).groups()
    return TO_PIP.get(name, name).lower(), specifier.replace(" ", "")


def from_pyproject() -> dict[str, str]:
    extras = PROJECT["optional-dependencies"]
    return dict(map(split, PROJECT["dependencies"] + extras["lab"] + extras["dev"]))


def on_demand() -> dict[str, str]:
    """What only `make test-browser`, `make book` or a PostgreSQL server needs."""
    extras = PROJECT["optional-dependencies"]
    return dict(map(split, extras["browser"] + extras["book"] + extras["postgresql"]))


def from_environment() -> dict[str, str]:
    content = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    names = [item for item in content["dependencies"] if isinstance(item, str)]
    return dict(map(split, names))


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def tracked_text() -> list[Path]:
    """The files of the repository that people read and write (not pictures, not recorded runs)."""
    if shutil.which("git") and (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split("\0")
        files = [ROOT / name for name in listed if name]
    else:  # an archive without git
        files = [p for p in ROOT.rglob("*") if ".venv" not in str(p.relative_to(ROOT))]
    ignored = {".png", ".npz", ".ipynb"}
    return [path for path in files if path.is_file() and path.suffix not in ignored]


def test_conda_and_pip_install_the_same() -> None:
    environment = from_environment()
    assert environment.pop("python") == PROJECT["requires-python"]
    assert environment.pop("pip") == ""
    assert environment == from_pyproject()


def test_conda_installs_the_package_itself_last() -> None:
    content = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert content["dependencies"][-1] == {"pip": ["-e ."]}
    assert content["channels"] == ["conda-forge"]


def test_every_dependency_is_pinned_exactly() -> None:
    assert from_pyproject().keys() | on_demand().keys() <= pins().keys()
    assert all(re.fullmatch(r"[0-9][0-9a-z.]*", version) for version in pins().values())


def test_the_pin_of_torch_fits_every_build() -> None:
    assert "+" not in pins()["torch"]


def test_the_pins_are_what_the_outputs_were_made_with() -> None:
    from importlib.metadata import PackageNotFoundError, version

    different = {}
    for name, pin in pins().items():
        try:
            installed = version(name).partition("+")[0]
        except PackageNotFoundError:
            continue  # needed on another platform only
        if installed != pin:
            different[name] = (pin, installed)
    if len(different) > 3:
        pytest.skip(f"this environment was not made from constraints.txt: {sorted(different)}")
    assert different.keys() <= {"soupsieve"}


@pytest.mark.parametrize("folder", ["course_utils", "tests", "tools"])
def test_every_import_is_declared(folder: str) -> None:
    declared = {IMPORT_NAMES.get(name, name) for name in from_pyproject()} | COME_ALONG.keys()
    declared |= on_demand().keys()
    declared |= {"course_utils", "jupyter_client", "nbclient", "pytest"}
    declared |= (
        {"jax"} if folder == "tests" else set()
    )  # `make bench` compares with it if it is there
    own = {path.stem for path in (ROOT / "tools").glob("*.py")}
    own |= {path.stem for path in (ROOT / "tests").rglob("*.py")}
    for path in (ROOT / folder).rglob("*.py"):
        if "golden" in path.parts:
            continue  # programs that made reference values, with other libraries, elsewhere
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            unknown = {name.partition(".")[0] for name in names} - declared - own
            assert unknown <= sys.stdlib_module_names, f"{path}: {unknown}"


def test_the_readme_names_exactly_the_notebooks_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme == lesson_map.updated(readme, lesson_map.table(ROOT / "notebooks")), "make readme"
    linked = set(re.findall(r"notebooks/([^)\s/]+\.ipynb)", readme))
    assert linked == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_in_documents_exist(name: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, flags=re.MULTILINE))
    text = (ROOT / name).read_text(encoding="utf-8")
    named = re.findall(r"(?:^|`|then )make ([a-z0-9-]+)", text, flags=re.MULTILINE)
    assert named
    assert set(named) <= targets


def test_every_make_target_explains_itself() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)[1].split()
    explained = re.findall(r"^([a-z0-9-]+):.*## \S", makefile, flags=re.MULTILINE)
    assert sorted(phony) == sorted(explained)


def test_no_registry_hosts_and_no_machine_paths_in_the_files() -> None:
    hosts = r"pypi\.org|python[h]osted|download\.pytorch|conda\.anaconda|/opt/(?:pypi|wheels)"
    machine = r"(?<![\w.:/`*])/(?:work|root)/"
    for path in tracked_text():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found = re.findall(f"{hosts}|{machine}", text)
        assert not found, f"{path.relative_to(ROOT)}: {found}"


def test_the_licenses_are_complete() -> None:
    assert "Permission is hereby granted, free of charge" in (ROOT / "LICENSE").read_text()
    text = (ROOT / "LICENSE-text").read_text(encoding="utf-8")
    assert "Creative Commons Attribution 4.0 International Public License" in text
    assert all(f"Section {n} --" in text for n in range(1, 9))


def test_the_versions_agree() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    from course_utils import __version__

    assert citation["version"] == __version__


def missing(text: str) -> list[str]:
    """Files, modules and functions of the course that a text names and that do not exist."""
    paths = re.findall(r"(?<![\w/.-])(?:tests|tools|course_utils)/[\w./-]*[\w/]", text)
    found = [path for path in paths if not (ROOT / path).exists() and "artifacts" not in path]
    folders = "plots|validate|run|views|experiments|course|lessons"
    for name in re.findall(rf"(?:\bcourse_utils\.|`(?:{folders})\.)[\w.]*\w", text):
        try:
            pkgutil.resolve_name(f"course_utils.{name.strip('`').removeprefix('course_utils.')}")
        except (ImportError, AttributeError):
            found.append(name.strip("`"))
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_name_only_what_there_is(name: str) -> None:
    assert missing((ROOT / name).read_text(encoding="utf-8")) == []


def test_a_thing_that_moved_is_noticed() -> None:
    moved = "tests/test_hygiene.py, `plots.picture(fig)`, course_utils.progress, `views.ink`"
    assert len(missing(moved)) == 4
    here = "tests/notebooks/, `views.with_alt(fig)`, `course_utils.course.progress`, runs/tests"
    assert missing(here) == []
