"""The checkup sees what is missing or too old, and says what to do."""

from __future__ import annotations

import builtins
import re
import subprocess
import sys
import tomllib
import types
from importlib import metadata
from pathlib import Path

import pytest
from IPython.core.formatters import DisplayFormatter

from course_utils.course import checkup, progress
from course_utils.course.checkup import NOTE, OK, PROBLEM, Check, Checkup
from course_utils.experiments import cifar_files

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def installed(**versions: str):
    """Stand in for `metadata.version`."""

    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    return version


def test_what_is_asked_for_is_what_the_project_asks_for() -> None:
    asked = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["lab"]
    names = {re.match(r"[\w-]+", line)[0] for line in asked} | {"Python"}
    listed = checkup.versions().found.partition("asked for: ")[2].split(", ")
    assert {part.split()[0] for part in listed} == names
    for name in names - {"Python"}:
        assert f"{name} {metadata.version(name)}" in listed


@pytest.mark.parametrize(
    ("asked", "version", "wrong"),
    [
        ("numpy>=2.0", None, "numpy is missing"),
        ("numpy>=2.0", "1.26.4", "numpy is 1.26.4, and the course asks for >=2.0"),
        ("numpy>=2.0", "2.0", ""),
        ("numpy>=2.9", "2.10.1", ""),  # smaller as a text
        ("numpy>=2.0", "2.0.0+local", ""),
        ("numpy>=2.0", "2.1.0rc1", ""),
        ("numpy>=2.0", "2.0rc1", "numpy is 2.0rc1"),
        ("Python>=3.11", "3.10.14", "Python is 3.10.14"),
        ("Python>=3.11", "3.14.0b2", ""),
        ("numpy>=2.0; extra == 'book'", None, ""),
        ("numpy>=2.0; extra == 'lab'", None, "numpy is missing"),
    ],
)
def test_versions_are_compared_as_versions(asked: str, version: str | None, wrong: str) -> None:
    name = re.match(r"\w+", asked)[0]
    there = installed(tqdm="4", **({name: version} if version else {}))
    found = checkup.versions([asked, "tqdm>=4", "torch>=2"], there)
    assert found.status == PROBLEM and "torch is missing" in found.found  # all that is wrong
    found = checkup.versions([asked, "tqdm>=4"], there)
    assert found.status == (PROBLEM if wrong else OK)
    assert wrong in found.found and ("make install" in found.found) == bool(wrong)


def test_a_course_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "PROJECT", "no-such-project")
    found = checkup.versions()
    assert found.status == PROBLEM and "not installed" in found.found


@pytest.mark.parametrize(("threads", "status"), [(1, OK), (4, NOTE)])
def test_threads_are_counted(monkeypatch, threads: int, status: str) -> None:
    torch = types.ModuleType("torch")
    torch.get_num_threads = lambda: threads
    monkeypatch.setitem(sys.modules, "torch", torch)
    found = checkup.pytorch()
    assert found.status == status and ("OMP_NUM_THREADS" in found.found) == (threads > 1)


@pytest.mark.parametrize("error", [ImportError("no module"), OSError("WinError 126: c10.dll")])
def test_a_torch_that_does_not_load(monkeypatch, error: Exception) -> None:
    true_import = builtins.__import__

    def without_torch(name: str, *rest: object):
        if name == "torch":
            raise error
        return true_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_torch)
    found = checkup.pytorch()
    assert found.status == PROBLEM and str(error) in found.found and "README" in found.found


# --- data and progress ---------------------------------------------------------------------------


def test_cifar100_is_found_where_the_lesson_looks_and_never_fetched(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(cifar_files, "load", lambda *a: pytest.fail("loads"))
    monkeypatch.setenv(cifar_files.VARIABLE, str(tmp_path))
    assert str(round(cifar_files.ARCHIVE_BYTES / 1e6)) in checkup.cifar100().found
    for folder in (tmp_path, tmp_path / cifar_files.FOLDER):
        folder.mkdir(exist_ok=True)
        for name in ("train.bin", "test.bin"):
            assert "not here" in checkup.cifar100().found
            (folder / name).touch()
        assert "are here" in checkup.cifar100().found
        for name in ("train.bin", "test.bin"):
            (folder / name).unlink()
    monkeypatch.setenv(cifar_files.VARIABLE, "x" * 300)
    assert "not here" in checkup.cifar100().found


def test_without_pooch_the_table_is_shown(monkeypatch) -> None:
    monkeypatch.delenv(cifar_files.VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "pooch", None)  # importing it fails
    checks = {check.name: check for check in checkup.check().checks}
    assert checks["CIFAR-100"].status == NOTE and "pooch" in checks["CIFAR-100"].found


@pytest.mark.parametrize("name", ["", "x" * 300, "file/below"])
def test_progress_is_ok_exactly_where_it_can_be_kept(tmp_path: Path, monkeypatch, name) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(progress.VARIABLE, str(tmp_path / name))
    monkeypatch.setattr(progress, "_said", set())
    found = checkup.own_progress()
    assert str(tmp_path / name) in found.found
    if name:
        assert found.status == NOTE and progress.VARIABLE in found.found
        with pytest.warns(UserWarning, match="cannot be kept"):
            assert not progress.record(1, "q")
    else:
        assert found.status == OK and progress.record(1, "q")


# --- as it is shown ------------------------------------------------------------------------------

GOOD = Checkup((Check("<ok>", OK, "F1"), Check("<note>", NOTE, "F2")))
BAD = Checkup((*GOOD.checks, Check("<problem>", PROBLEM, "F3")))


def test_a_problem_is_in_the_first_line() -> None:
    assert repr(GOOD).splitlines()[0] == "✓ Everything that the lessons need is here."
    assert repr(BAD).splitlines()[0] == "✗ This needs your attention first: <problem>."
    assert "attention first: &lt;problem&gt;." in BAD.html()


def spoken(html: str) -> str:
    """What a screen reader says of it."""
    return re.sub(r'<span aria-hidden="true"[^>]*>[^<]*</span>', "", html)


def test_when_all_is_well_there_is_one_line() -> None:
    html = Checkup((Check("<ok>", OK, "F1"),)).html()
    assert spoken(html) == "<b> Everything that the lessons need is here.</b>"


@pytest.mark.parametrize("box", [GOOD, BAD])
def test_what_is_not_ok_is_said_in_words(box: Checkup) -> None:
    html = box.html()
    for check in box.checks:
        assert check.status[1:] in repr(box) and check.found in repr(box)
        shown = check.status != OK
        assert (check.found in html) == shown
        assert (f"{check.status[1:]}</td>" in spoken(html)) == shown
    assert "&lt;note&gt;" in html and "<note>" not in html


def test_the_lines_are_shown_where_matplotlib_is_missing() -> None:
    code = "import sys; sys.modules['matplotlib'] = None; "
    code += "from course_utils.course import checkup, progress; "
    code += "print(checkup.check(), progress.my_progress({1: ('a',)}))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, cwd=ROOT)


def test_the_slider_answers_every_move() -> None:
    slider, line = checkup.slider_test()
    assert line.value.startswith('<span role="status">○ The slider was not moved yet')
    for value in (1, 12, 0):
        slider.value = value
        assert f"✓ The slider works: {value} × {value} = {value * value}," in line.value
        assert 'role="status"' in line.value


@pytest.mark.parametrize("shown", [BAD, progress.my_progress({1: ("a",)})], ids=type)
def test_what_is_stored_is_true_on_any_computer(shown) -> None:
    """Live it is a widget; the text that stays in the file says nothing about this computer."""
    bundle = DisplayFormatter().format(shown)[0]
    live = bundle.pop("application/vnd.jupyter.widget-view+json")
    assert live["model_id"]
    assert bundle.keys() == {"text/plain"}
    assert bundle["text/plain"].endswith("(To see them, run the cell.)")


def test_in_the_browser_edition_it_says_what_runs_there(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv(progress.BROWSER, "1, 2")
    runs, kept = checkup.check().checks
    assert (runs.name, runs.status) == ("browser", NOTE)
    assert "lessons 1, 2:" in runs.found and "make lab" in runs.found
    assert kept.status == NOTE and "until you reload" in kept.found
    kept = checkup.browser_progress(str(tmp_path))
    assert kept.status == OK and "storage of this browser" in kept.found
