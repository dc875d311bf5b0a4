"""The browser edition: only the expected files, whole notebooks, plain words where one is missing.

How it works in a browser is for tests/browser/test_lite.py.
"""

from __future__ import annotations

import doctest
import hashlib
import importlib
import json
import types
import zipfile
from pathlib import Path

import lesson_map
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from serving import Server
from vendor import Problem

lite = importlib.import_module("lite")  # by name: see test_slides.py
CONTENT = b"a wheel"
PACKAGE = {"file_name": "six-1.0-py3-none-any.whl", "sha256": hashlib.sha256(CONTENT).hexdigest()}


# --- Pyodide: what is needed, from wherever, with the right sum ----------------------------------


def test_what_is_asked_for_comes_along_and_what_nobody_uses_does_not() -> None:
    packages = {name: {"depends": []} for name in lite.WANTED} | {
        "numpy": {"depends": []},
        "matplotlib": {"depends": ["numpy", "Prompt_Toolkit", "pytz"]},
        "prompt_toolkit": {"depends": ["wcwidth"]},
        "wcwidth": {"depends": []},
        "pytz": {"depends": []},
        "pandas": {"depends": []},
    }
    kept = lite.trimmed(packages)
    assert kept.keys() == {*lite.WANTED, "prompt-toolkit", "wcwidth"}
    assert kept["matplotlib"]["depends"] == ["numpy", "Prompt_Toolkit"]


def test_a_package_that_is_not_there_is_named() -> None:
    with pytest.raises(Problem, match="no package micropip"):
        lite.trimmed({name: {"depends": []} for name in lite.WANTED if name != "micropip"})


@pytest.fixture
def distribution(tmp_path: Path):
    """A server that has the same files as the distribution of Pyodide; its address."""
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / PACKAGE["file_name"]).write_bytes(CONTENT)

    with Server(tmp_path / "served") as server:
        yield f"{server.address}/"


def test_a_wheel_is_fetched_once(distribution: str, tmp_path: Path) -> None:
    found = lite.wheel(PACKAGE, None, tmp_path / "store", distribution)
    assert found.read_bytes() == CONTENT
    (tmp_path / "served" / PACKAGE["file_name"]).unlink()
    assert lite.wheel(PACKAGE, None, tmp_path / "store", distribution) == found
    assert [path.name for path in (tmp_path / "store").iterdir()] == [PACKAGE["file_name"]]


def test_a_folder_comes_before_the_network(tmp_path: Path) -> None:
    (tmp_path / PACKAGE["file_name"]).write_bytes(CONTENT)
    found = lite.wheel(PACKAGE, tmp_path, tmp_path / "store", "http://127.0.0.1:9/")
    assert found.parent == tmp_path


@pytest.mark.parametrize("where", ["folder", "store", "server"])
def test_another_file_of_the_same_name_is_refused(
    where: str, distribution: str, tmp_path: Path
) -> None:
    places = {"folder": tmp_path, "store": tmp_path / "store", "server": tmp_path / "served"}
    places[where].mkdir(exist_ok=True)
    (places[where] / PACKAGE["file_name"]).write_bytes(b"something else")
    folder = tmp_path if where == "folder" else None
    with pytest.raises(Problem, match=r"six-1\.0.*its sum differs"):
        lite.wheel(PACKAGE, folder, tmp_path / "store", distribution)
    if where == "server":
        assert not (tmp_path / "store").exists()


def test_without_a_network_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="PYODIDE_WHEELS, or another address in PYODIDE_ADDRESS"):
        lite.wheel(PACKAGE, None, tmp_path, "http://127.0.0.1:9/")
    assert list(tmp_path.iterdir()) == []


def test_a_sum_for_each_file_that_npm_brings() -> None:
    assert {f"pyodide/{name}" for name in (*lite.CORE, lite.LOCK)} == lite.CORE_SUMS.keys()
    assert all(len(digest) == 64 for digest in lite.CORE_SUMS.values())
    assert lite.PYODIDE.partition("@")[2] in lite.ADDRESS


# --- our own wheels ------------------------------------------------------------------------------


def test_a_wheel_with_other_content_has_another_name(tmp_path: Path) -> None:
    one = lite.write_wheel(tmp_path, "a-b", {"a.py": b"1"})
    assert lite.write_wheel(tmp_path, "a-b", {"a.py": b"1"}) == one
    assert lite.write_wheel(tmp_path, "a-b", {"a.py": b"2"}) != one
    assert lite.write_wheel(tmp_path, "a-b", {"b.py": b"1"}) != one
    assert lite.license_of(one) == f"a-b {lite.__version__}: MIT (code), CC BY 4.0 (text)"


def test_the_course_brings_its_data_and_its_recorded_runs() -> None:
    files = lite.course_files(lite.ROOT / "notebooks")
    suffixes = {Path(name).suffix for name in files}
    assert set(lite.DATA) <= suffixes
    recorded = {Path(name).name for name in files if "/results/" in name}
    assert {"01_budgets.json", "02_edge.json"} <= recorded
    assert all(name.startswith(lite.LIVE) for name in recorded)
    kept = {p.suffix for p in (lite.ROOT / "course_utils").rglob("*") if p.is_file()} - {".pyc"}
    assert kept <= set(lite.DATA)


def test_a_license_is_found_or_asked_for(tmp_path: Path) -> None:
    for name, about, expected in (
        ("a", "License: MIT\nClassifier: License :: OSI Approved :: BSD License\n", "BSD License"),
        ("b", "License-Expression: MPL-2.0 AND MIT\nLicense: x\n", "MPL-2.0 AND MIT"),
        ("c", "License: Apache 2.0\n", "Apache 2.0"),
        ("sqlite3", "", "PSF License (Python)"),
        ("d", "", None),
    ):
        path = tmp_path / f"{name}-1-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{name}-1.dist-info/METADATA", f"Name: {name}\nVersion: 1\n{about}")
        if expected is None:
            with pytest.raises(Problem, match="which license"):
                lite.license_of(path)
        else:
            assert lite.license_of(path) == f"{name} 1: {expected}"


# --- notebooks -----------------------------------------------------------------------------------


def lesson(code: str = "1 + 1") -> dict:
    shown = new_output("stream", name="stdout", text="one\ntwo\n")
    needs_torch = new_code_cell("import torch", id="feed0001", outputs=[shown])
    needs_torch["metadata"]["tags"] = ["torch"]
    title = new_markdown_cell("# A title\n\nMore.", id="feed0000")
    return new_notebook(cells=[title, new_code_cell(code, id="feed0002"), needs_torch])


def test_the_code_of_a_torch_cell_stays_below_one_line() -> None:
    cells = lite.edition(lesson(), live=True)["cells"]
    assert [c["source"] for c in cells[1:]] == ["1 + 1", "%%recorded feed0001\nimport torch"]
    assert cells[2]["outputs"] == lesson()["cells"][2]["outputs"]


def test_a_lesson_that_does_not_run_there_says_so_below_its_title() -> None:
    cells = lite.edition(lesson(), live=False)["cells"]
    assert cells[0]["source"].startswith("# A title\n\n> **To be read here.**")
    assert cells[0]["source"].endswith("\n\nMore.")
    assert cells[2]["source"] == "import torch"


def test_another_content_is_another_release() -> None:
    names = [lite.edition(lesson(code), live=True)["metadata"]["release"] for code in "112"]
    assert names[0] == names[1] != names[2]


def test_contents_hold_the_lessons_and_only_recorded_runs_that_are_read(tmp_path: Path) -> None:
    source = tmp_path / "notebooks"
    (source / "results").mkdir(parents=True)
    for name in (lite.START, "02_b.ipynb", "06_c.ipynb"):
        nbformat.write(lesson(), source / name)
    for name in ("02_runs.json", "06_runs.json"):
        (source / "results" / name).write_text("{}", encoding="utf-8")
    releases = lite.write_contents(tmp_path / "files", source)
    assert [p.name for p in (tmp_path / "files" / "results").iterdir()] == ["02_runs.json"]
    text = (tmp_path / "files" / "02_b.ipynb").read_text(encoding="utf-8")
    written = json.loads(text)
    assert written["metadata"]["release"] == releases["02_b.ipynb"]
    # JupyterLite does not join the lists of lines that are in the source.
    assert "one\\ntwo" not in (source / "02_b.ipynb").read_text(encoding="utf-8")
    assert written["cells"][2]["outputs"][0]["text"] == "one\ntwo\n"
    (source / lite.START).unlink()
    with pytest.raises(Problem, match="there is no 00_start_here"):
        lite.write_contents(tmp_path / "again", source)


# --- in the browser ------------------------------------------------------------------------------


@pytest.fixture
def course_browser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> types.ModuleType:
    """The module that is imported in the browser, with one stored output."""
    stored = lite.stored_outputs(lesson())
    (tmp_path / "stored.json").write_text(json.dumps(stored), encoding="utf-8")
    (tmp_path / "results").mkdir()
    spec = importlib.util.spec_from_file_location(
        "course_browser", lite.TEMPLATE / "course_browser.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "HERE", tmp_path)
    return module


def test_a_torch_cell_shows_its_stored_output_and_says_so(course_browser, capsys) -> None:
    course_browser.recorded("feed0001", "import torch")
    assert capsys.readouterr().out == f"{course_browser.SAYS}\none\ntwo\n"
    assert "\n" not in course_browser.SAYS


def test_where_no_files_are_seen_the_recorded_runs_of_the_wheel_are(
    course_browser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = tmp_path / "home"
    here.mkdir()
    monkeypatch.chdir(here)
    taught = []
    shell = types.SimpleNamespace(register_magic_function=lambda *told: taught.append(told))
    monkeypatch.setattr(course_browser, "get_ipython", lambda: shell)
    course_browser.start()
    assert taught == [(course_browser.recorded, "cell")]
    assert (here / "results").resolve() == tmp_path / "results"


# --- the pages -----------------------------------------------------------------------------------


def test_a_page_of_another_jupyterlite_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text("<p>here</p>", encoding="utf-8")
    lite.replace(page, {"here": "gone"})
    assert page.read_text(encoding="utf-8") == "<p>gone</p>"
    with pytest.raises(Problem, match="not as expected"):
        lite.replace(page, {"here": "gone"})


def test_the_environment_is_pinned_and_agrees_with_the_pins_of_the_course() -> None:
    told = (lite.TEMPLATE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    asked = dict(line.split("==") for line in told if not line.startswith("#"))
    lines = (lite.ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert {name: pins.get(name, version) for name, version in asked.items()} == asked
    assert set(lite.FROM_PIP) <= pins.keys()


def test_the_table_of_lessons_links_what_is_published() -> None:
    text = "# 1 · A title\n\n*Why?*\n"
    there = "[in the browser](https://course.test/lite/lab/index.html?path=01_a.ipynb)"
    assert there in lesson_map.row(Path("01_a.ipynb"), text, "https://course.test")
    assert "browser" not in lesson_map.row(Path("01_a.ipynb"), text)
    assert doctest.testmod(lesson_map).failed == 0


def test_no_lesson_is_named_that_does_not_exist() -> None:
    assert all(list((lite.ROOT / "notebooks").glob(f"{number}_*.ipynb")) for number in lite.LIVE)
