"""Programs for the browser: only the expected ones, and plain words where they cannot be had."""

from __future__ import annotations

import hashlib
import importlib
import subprocess
from pathlib import Path

import pytest
import vendor

slides = importlib.import_module("slides")  # see test_slides.py


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for reveal.js and MathJax, with their sums."""
    for name in vendor.FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"a program")
    digest = hashlib.sha256(b"a program").hexdigest()
    monkeypatch.setattr(vendor, "FILES", dict.fromkeys(vendor.FILES, digest))
    return tmp_path


def test_what_is_used_has_a_sum() -> None:
    assert vendor.MATHJAX in vendor.FILES
    assert all(len(digest) == 64 for digest in vendor.FILES.values())
    assert {name.partition("/")[0] for name in vendor.FILES} == {
        package.rpartition("@")[0] for package in vendor.PACKAGES
    }


def test_a_changed_file_is_refused(modules: Path) -> None:
    assert vendor.wrong_files(modules) == []
    (modules / "reveal.js/dist/reveal.js").write_text("something else", encoding="utf-8")
    (modules / vendor.MATHJAX).unlink()
    assert vendor.wrong_files(modules) == ["reveal.js/dist/reveal.js", vendor.MATHJAX]


def test_without_npm_one_sentence_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(slides, "VENDOR", slides.ROOT / "slides" / ".none")
    monkeypatch.setattr(vendor.shutil, "which", lambda name: None)
    assert vendor.plainly("slides", lambda: slides.main([])) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "install Node.js" in told


def test_without_a_network_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_network(command, **options):
        return subprocess.CompletedProcess(command, 1, "", "ENOTFOUND")

    monkeypatch.setattr(vendor, "ROOT", tmp_path)
    monkeypatch.setattr(vendor.shutil, "which", lambda name: "npm")
    monkeypatch.setattr(vendor.subprocess, "run", no_network)
    with pytest.raises(vendor.Problem, match="Is there a network"):
        vendor.fetch(tmp_path / "vendor")


def test_other_files_than_expected_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def npm(command, **options):
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(vendor, "ROOT", tmp_path)
    monkeypatch.setattr(vendor.shutil, "which", lambda name: "npm")
    monkeypatch.setattr(vendor.subprocess, "run", npm)
    with pytest.raises(vendor.Problem, match="something else than expected"):
        vendor.fetch(tmp_path / "vendor")


def test_a_folder_that_cannot_be_written_is_named(capsys: pytest.CaptureFixture) -> None:
    def work() -> int:
        raise PermissionError(13, "Permission denied", "slides/01_x.html")

    assert vendor.plainly("slides", work) == 1
    assert capsys.readouterr().err == "make slides: Permission denied: slides/01_x.html\n"
