"""Every recorded file can be made again by one command, which can be stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import records

ROOT = Path(__file__).resolve().parents[2]
RESULTS = sorted((ROOT / "notebooks" / "results").glob("*.json"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_every_recorded_file_has_its_recipe(path: Path) -> None:
    assert callable(records.records(path.name[:2])[path.name])


@pytest.fixture
def lesson(tmp_path: Path) -> dict[str, str]:
    """The environment of a course whose lesson 99 records three files; `b` fails, `c` hangs."""
    folder = tmp_path / "course_utils" / "lessons" / "lesson99"
    folder.mkdir(parents=True)
    for package in (folder, folder.parent, folder.parent.parent):
        (package / "__init__.py").touch()
    (folder / "records.py").write_text(
        textwrap.dedent("""
            import time
            def a(path): path.write_text("made")
            def b(path): raise OSError("no room")
            def c(path): time.sleep(600)
            RECORDS = {"a.json": a, "b.json": b, "c.json": c}
            """)
    )
    return os.environ | {"PYTHONPATH": str(tmp_path)}


def command(folder: Path, *files: str) -> list[str]:
    script = str(ROOT / "tools" / "records.py")
    return [sys.executable, script, "99", *files, "--jobs", "1", "--folder", str(folder)]


def test_a_file_that_fails_does_not_stop_the_others(lesson: dict, tmp_path: Path) -> None:
    ran = subprocess.run(
        command(tmp_path, "b.json", "a.json"),
        env=lesson,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1 and "b.json: OSError: no room" in ran.stdout + ran.stderr
    assert (tmp_path / "a.json").read_text() == "made"


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
def test_stop_keeps_what_is_finished(lesson: dict, tmp_path: Path) -> None:
    job = subprocess.Popen(
        command(tmp_path, "a.json", "c.json"),
        env=lesson, cwd=tmp_path, start_new_session=True, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "a.json").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    os.killpg(job.pid, signal.SIGINT)
    said = job.communicate(timeout=60)[1]
    assert job.returncode == 130
    assert f'make records NB=99 ARGS="c.json --jobs 1 --folder {tmp_path}"' in said
    assert (tmp_path / "a.json").read_text() == "made"


@pytest.mark.parametrize("words", [["98"], ["99", "z.json"]])
def test_unknown_lessons_and_files_are_refused(words: list[str], lesson: dict) -> None:
    ran = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "records.py"), *words],
        env=lesson, cwd=lesson["PYTHONPATH"], capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 2 and "records" in ran.stderr
