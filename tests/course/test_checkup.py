"""The checkup sees what is missing, too old or different, and says what to do."""

from __future__ import annotations

import builtins
import re
import sys
import tomllib
import types
from importlib import metadata
from pathlib import Path

import pytest

from course_utils.course import checkup, progress
from course_utils.experiments import cifar_files, datasets

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


# --- Python and packages -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("3.10.14", "problem"),
        ("3.11.0", "ok"),
        ("3.11.0rc1", "problem"),  # before 3.11
        ("3.13.1", "ok"),
        ("3.14.0b2", "ok"),
        ("4.0.0", "ok"),
    ],
)
def test_python_is_new_enough(version: str, status: str) -> None:
    found = checkup.python(version, ">=3.11")
    assert found.status == status
    assert version in found.text
    assert ("make install PYTHON=" in found.text) == (status == "problem")


def test_python_is_asked_for_by_the_project() -> None:
    assert PROJECT["requires-python"] in checkup.python().found


def test_the_packages_are_those_of_the_project() -> None:
    asked = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["lab"]
    names = {re.match(r"[\w-]+", line)[0] for line in asked}
    listed = re.search(r"asked for: ([^.]*(?:\.\d[^.]*)*)", checkup.packages().found)[1]
    assert {part.split()[0] for part in listed.split(", ")} == names
    for name in names:
        assert f"{name} {metadata.version(name).partition('+')[0]}" in listed


@pytest.mark.parametrize(
    ("version", "wrong"),
    [
        (None, "numpy is missing"),
        ("1.26.4", "numpy is 1.26.4, and the course asks for >=2.0"),
        ("2.0", ""),
        ("2.10.1", ""),  # larger than 2.9, though "2.1..." < "2.9" as text
        ("2.0.0+local", ""),
        ("2.1.0rc1", ""),
        ("2.0rc1", "numpy is 2.0rc1"),
        ("unknown", "numpy is unknown"),
    ],
)
def test_versions_are_compared_as_versions(version: str | None, wrong: str) -> None:
    found = checkup.packages(["numpy>=2.0", "tqdm>=4"], {}, {"numpy": version, "tqdm": "4"}.get)
    assert found.status == ("problem" if wrong else "ok")
    assert wrong in found.text
    assert ("make install" in found.text) == bool(wrong)


def test_all_that_is_wrong_is_said() -> None:
    found = checkup.packages(["numpy>=2.0", "torch>=2.4"], {}, {"torch": "2.3"}.get).found
    assert "numpy is missing" in found and "torch is 2.3" in found


@pytest.mark.parametrize(
    ("pin", "status"), [("2.9.0", "ok"), ("2.9.0+cpu", "ok"), ("2.8.0", "note"), (None, "ok")]
)
def test_other_versions_than_the_stored_outputs_are_noted(pin: str | None, status: str) -> None:
    pins = {} if pin is None else {"torch": pin}
    found = checkup.packages(["torch>=2.4"], pins, {"torch": "2.9.0+cpu"}.get)
    assert found.status == status
    assert ("other versions of torch" in found.found) == (status == "note")


def test_the_pins_are_those_of_the_constraints() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pins = checkup._pins()
    assert len(pins) == sum("==" in line for line in text.splitlines() if line[:1] != "#")
    assert f"numpy=={pins['numpy']}" in text


def test_a_course_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "PROJECT", "no-such-project")
    assert checkup.packages().status == "problem"
    assert "not installed" in checkup.packages().found
    assert checkup.python().status == "note"  # nothing is known that it could be compared with
    assert "what the course asks for is not known" in checkup.python().found


def test_bad_requirements_are_named() -> None:
    with pytest.raises(ValueError, match="wanted must hold lines like .* got '2.0<=numpy'"):
        checkup.packages(["2.0<=numpy"])


# --- device --------------------------------------------------------------------------------------


def stand_in(threads: int = 1, cuda: bool = False, mps: bool = False) -> types.ModuleType:
    torch = types.ModuleType("torch")
    torch.get_num_threads = lambda: threads
    torch.cuda = types.SimpleNamespace(
        is_available=lambda: cuda, get_device_name=lambda index: "Card 9"
    )
    torch.backends = types.SimpleNamespace(mps=types.SimpleNamespace(is_available=lambda: mps))
    return torch


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ({}, "ok", "CPU, 1 thread; no GPU"),
        ({"threads": 4}, "note", "4 threads"),
        ({"cuda": True}, "ok", "Card 9"),
        ({"mps": True}, "ok", "Apple MPS"),
        ({"cuda": True, "mps": True}, "ok", "Card 9"),
    ],
)
def test_the_device(monkeypatch, options: dict, status: str, words: str) -> None:
    monkeypatch.setitem(sys.modules, "torch", stand_in(**options))
    found = checkup.device()
    assert found.status == status
    assert words in found.found
    assert ("none is needed" in found.found) == (not options.get("cuda") and not options.get("mps"))


@pytest.mark.parametrize("error", [ImportError("no module"), OSError("WinError 126: c10.dll")])
def test_a_torch_that_does_not_load(monkeypatch, error: Exception) -> None:
    true_import = builtins.__import__

    def without_torch(name: str, *rest: object):
        if name == "torch":
            raise error
        return true_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_torch)
    found = checkup.device()
    assert found.status == "problem"
    assert str(error) in found.found and "README" in found.remedy


# --- data and progress ---------------------------------------------------------------------------


def test_digits_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup.datasets, "__file__", "elsewhere/datasets.py")
    assert checkup.digits().status == "problem"


def test_cifar100_is_found_and_never_fetched(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(cifar_files, "load", lambda *a: pytest.fail("loads"))
    missing = checkup.cifar100(tmp_path)
    assert missing.status == "ok" and "169 MB" in missing.found
    assert str(round(cifar_files.ARCHIVE_BYTES / 1e6)) in missing.found
    assert list(tmp_path.iterdir()) == []
    for folder in (tmp_path, tmp_path / cifar_files.FOLDER):
        folder.mkdir(exist_ok=True)
        for name in ("train.bin", "test.bin"):
            assert "not here" in checkup.cifar100(tmp_path).found
            (folder / name).touch()
        assert "the photographs of lesson 6 are here" in checkup.cifar100(tmp_path).found
        for name in ("train.bin", "test.bin"):
            (folder / name).unlink()


def test_stand_in_images_are_called_so(tmp_path: Path) -> None:
    datasets.synthetic_cifar100(tmp_path, n_train=100, n_test=100)
    assert "stand-in images" in checkup.cifar100(tmp_path).found


def test_cifar100_looks_where_the_lesson_looks(tmp_path: Path, monkeypatch) -> None:
    datasets.synthetic_cifar100(tmp_path, n_train=100, n_test=100)
    monkeypatch.setenv("COURSE_CIFAR100", str(tmp_path))
    assert "stand-in images" in checkup.cifar100().found


def test_without_pooch_the_table_is_shown(monkeypatch) -> None:
    monkeypatch.delenv(cifar_files.VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "pooch", None)  # importing it fails
    checks = {check.name: check for check in checkup.check().checks}
    assert checks["CIFAR-100"].status == "note" and "pooch" in checks["CIFAR-100"].found
    assert len(checks) == 6


def test_a_bad_folder_is_named() -> None:
    with pytest.raises(TypeError, match="root must be the path of a folder, got 3"):
        checkup.cifar100(3)


def test_progress_is_looked_at_without_writing(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(progress.VARIABLE, str(tmp_path / "a" / "b"))
    assert checkup.own_progress().status == "ok"
    assert str(tmp_path / "a" / "b") in checkup.own_progress().found
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a").touch(mode=0o755)  # a file in the way
    found = checkup.own_progress()
    assert found.status == "note" and "not kept" in found.found and "COURSE_" in found.remedy


# --- as it is shown ------------------------------------------------------------------------------


def boxes() -> dict[str, checkup.Checkup]:
    every = [checkup.Check(f"<{s}>", s, f"F{s[0]}", f"R{s[0]}") for s in ("ok", "note", "problem")]
    return {"good": checkup.Checkup(tuple(every[:2])), "bad": checkup.Checkup(tuple(every))}


def test_a_problem_is_in_the_first_line() -> None:
    good, bad = boxes().values()
    assert repr(good).splitlines()[0] == "Everything that the lessons need is here."
    assert repr(bad).splitlines()[0] == "This needs your attention first: <problem>."
    assert good.problems == () and [c.status for c in bad.problems] == ["problem"]


@pytest.mark.parametrize("name", ["good", "bad"])
def test_the_box_says_everything_in_words(name: str) -> None:
    box = boxes()[name]
    html = box._repr_html_()
    spoken = re.sub(r'<span aria-hidden="true"[^>]*>[^<]*</span>', "", html)
    for check in box.checks:
        for shown in (spoken, repr(box)):
            assert f" {check.status}" in shown
            assert check.found in shown and check.remedy in shown
    assert "<ok>" not in html and "&lt;ok&gt;" in html
    assert len(re.findall(r'<th scope="(?:row|col)"', html)) == html.count("<th") - html.count(
        "<thead"
    )


def test_the_slider_answers_every_move() -> None:
    test = checkup.SliderTest()
    assert test.text.startswith("○ not moved yet")
    assert test.text.partition(":")[0] in test.line.value
    for value in (1, 12, 0):
        test.slider.value = value
        assert test.text.startswith("✓ It works")
        assert f"{value} × {value} = {value * value}," in test.text
        assert test.text in test.line.value
        assert 'role="status"' in test.line.value
    test.close()


def test_the_slider_has_words_for_print() -> None:
    test = checkup.SliderTest()
    bundle = test._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"] == "A slider. (To move it, run the notebook.)"
    test.close()
