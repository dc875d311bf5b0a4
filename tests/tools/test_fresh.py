"""`make fresh` loses nothing: two real clones, a zip download, broken files, a full disk."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import fresh
import install
import pytest

ROOT = Path(__file__).resolve().parents[2]
NAME = "03_decay_families.ipynb"
OTHER = "00_start_here.ipynb"
APPENDIX = "A_articles_on_trial.ipynb"
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")


def notebook(answer: str, output: str = "") -> str:
    cell = {"cell_type": "code", "source": f"answer = {answer}", "outputs": [output]}
    return json.dumps({"cells": [cell]}, indent=1) + "\n"


def git(folder: Path, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True)


def make_fresh(course: Path, *names: str, path: str | None = None) -> subprocess.CompletedProcess:
    """What `make fresh NB=...` runs, with the file in this course's own folder."""
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "COURSE_PROGRESS")}
    env |= {"PATH": path} if path is not None else {}
    command = [sys.executable, str(course / "tools" / "fresh.py"), *names]
    return subprocess.run(command, cwd=course, env=env, capture_output=True, text=True)


def copies(course: Path) -> list[Path]:
    return sorted((course / "notebooks" / "my_copies").glob("*"))


@pytest.fixture(autouse=True)
def own_settings(tmp_path_factory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git reads neither the settings of this machine nor those of a hook that runs the tests."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path_factory.mktemp("home") / "gitconfig"))
    for name, value in {"name": "t", "email": "t@t.org"}.items():
        subprocess.run(["git", "config", "--global", f"user.{name}", value], check=True)


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """A small course under Git, with the real tools and the real list of ignored files."""
    course = tmp_path / "up stream"
    (course / "notebooks").mkdir(parents=True)
    (course / "tools").mkdir()
    for name in ("tools/fresh.py", "tools/install.py", ".gitignore", ".gitattributes"):
        shutil.copy(ROOT / name, course / name)
    for name in (OTHER, NAME, APPENDIX):
        (course / "notebooks" / name).write_text(notebook("..."), encoding="utf-8")
    git(course, "init", "--quiet", "--initial-branch=main")
    git(course, "add", "--all")
    git(course, "commit", "--quiet", "--message=first")
    return course


@pytest.fixture
def course(upstream: Path, tmp_path: Path) -> Path:
    """A learner's clone, with progress."""
    learner = tmp_path / "learner's copy"
    assert git(tmp_path, "clone", "--quiet", str(upstream), str(learner)).returncode == 0
    progress = learner / "notebooks" / ".progress"
    progress.mkdir()
    (progress / "03.write_cosine.v1").touch()
    return learner


@needs_git
@pytest.mark.parametrize("staged", [False, True])
def test_after_it_an_update_is_a_plain_pull(upstream: Path, course: Path, staged: bool) -> None:
    mine = course / "notebooks" / NAME
    mine.write_text(notebook("42"), encoding="utf-8")
    (upstream / "notebooks" / NAME).write_text(notebook("'better'"), encoding="utf-8")
    git(upstream, "commit", "--quiet", "--all", "--message=second")
    if staged:
        git(course, "add", "--all")
    refused = git(course, "pull", "--ff-only")
    assert refused.returncode != 0 and NAME in refused.stderr

    done = make_fresh(course, "03")
    assert done.returncode == 0, done.stderr
    assert mine.read_text(encoding="utf-8") == notebook("...")
    (copy,) = copies(course)
    assert copy.read_text(encoding="utf-8") == notebook("42")
    assert f"notebooks/my_copies/{copy.name}" in done.stdout
    assert re.fullmatch(r"03_decay_families\.\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.ipynb", copy.name)

    assert git(course, "status", "--porcelain").stdout == ""
    pulled = git(course, "pull", "--ff-only")
    assert pulled.returncode == 0, pulled.stderr
    assert mine.read_text(encoding="utf-8") == notebook("'better'")
    assert copy.exists()
    assert [m.name for m in (course / "notebooks/.progress").iterdir()] == ["03.write_cosine.v1"]


@needs_git
def test_outputs_of_a_run_are_a_change_too(course: Path) -> None:
    (course / "notebooks" / NAME).write_text(notebook("...", "0.1 s"), encoding="utf-8")
    assert make_fresh(course, "3").returncode == 0
    assert copies(course)[0].read_text(encoding="utf-8") == notebook("...", "0.1 s")


@needs_git
def test_an_untouched_notebook_stays(course: Path) -> None:
    path = course / "notebooks" / NAME
    os.utime(path)  # opened and saved without a change
    before = path.stat().st_mtime_ns
    done = make_fresh(course, "03")
    assert (done.returncode, path.stat().st_mtime_ns) == (0, before)
    assert "nothing to do" in done.stdout and copies(course) == []


@needs_git
def test_copies_of_the_same_second_do_not_overwrite_each_other(course: Path, monkeypatch) -> None:
    monkeypatch.setattr(fresh.time, "strftime", lambda form: "2026-01-01_00-00-00")
    for answer in "1", "2", "3":
        (course / "notebooks" / NAME).write_text(notebook(answer), encoding="utf-8")
        assert fresh.main(["03"], course / "notebooks") == 0
    kept = {path.name: path.read_text(encoding="utf-8") for path in copies(course)}
    stem = "03_decay_families.2026-01-01_00-00-00"
    assert kept == {f"{stem}{n}.ipynb": notebook(a) for n, a in (("", 1), ("_2", 2), ("_3", 3))}


@needs_git
@pytest.mark.parametrize("content", [b"", b'{"cells": [', b"\xff\xfe\x00", b"<<<<<<< HEAD\n"])
def test_a_notebook_that_cannot_be_read_is_kept_byte_by_byte(course: Path, content: bytes) -> None:
    (course / "notebooks" / NAME).write_bytes(content)
    assert make_fresh(course, NAME).returncode == 0
    assert (course / "notebooks" / NAME).read_text(encoding="utf-8") == notebook("...")
    assert copies(course)[0].read_bytes() == content


@needs_git
def test_a_missing_notebook_comes_back_and_a_second_one_of_its_number_stays(course: Path) -> None:
    mine = course / "notebooks" / "03_decay_families-Copy1.ipynb"
    (course / "notebooks" / NAME).rename(mine)
    done = make_fresh(course, "03")
    assert done.returncode == 0 and "missing" in done.stdout
    assert (course / "notebooks" / NAME).exists() and mine.exists()
    assert copies(course) == []


@needs_git
@pytest.mark.parametrize("wrong", ["8", "x", "README.md", "03_", "*"])
def test_an_unknown_number_is_told_what_is_allowed(course: Path, wrong: str) -> None:
    (course / "notebooks" / NAME).write_text(notebook("42"), encoding="utf-8")
    done = make_fresh(course, "03", wrong)
    assert done.returncode == 1 and done.stdout == ""
    assert f"'{wrong}'" in done.stderr and "00, 03, A" in done.stderr
    assert copies(course) == []  # before any work


@needs_git
def test_without_a_number_the_changed_ones_are_listed_with_the_command(course: Path) -> None:
    assert "changed no notebook" in make_fresh(course).stdout
    for name in (OTHER, APPENDIX):
        (course / "notebooks" / name).write_text(notebook("42"), encoding="utf-8")
    told = make_fresh(course).stdout
    assert OTHER in told and APPENDIX in told and NAME not in told
    assert 'make fresh NB="00 A"' in told and copies(course) == []
    assert make_fresh(course, "00", "a").returncode == 0
    assert len(copies(course)) == 2 and "changed no notebook" in make_fresh(course).stdout


@needs_git
def test_a_git_that_cannot_work_says_why_and_the_copy_is_there(course: Path) -> None:
    mine = course / "notebooks" / NAME
    mine.write_text(notebook("42"), encoding="utf-8")
    (course / ".git" / "index.lock").touch()
    done = make_fresh(course, "03")
    assert done.returncode == 1 and "index.lock" in done.stderr and "Traceback" not in done.stderr
    assert mine.read_text(encoding="utf-8") == notebook("42")


def test_a_full_disk_leaves_everything_as_it_was(tmp_path: Path, monkeypatch) -> None:
    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def write(self, content: bytes):
            raise OSError(28, "No space left on device")

    path = tmp_path / NAME
    path.write_text(notebook("42"), encoding="utf-8")
    true_open = Path.open

    def opened(self: Path, mode: str = "r", *rest):
        stream = true_open(self, mode, *rest)
        return stream if mode != "xb" else (stream.close(), Full())[1]

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(OSError, match="No space"):
        fresh.put_aside(path)
    assert path.exists() and list((tmp_path / fresh.COPIES).iterdir()) == []


# --- without Git ----------------------------------------------------------------------------------


@pytest.fixture
def unzipped(upstream: Path) -> Path:
    """A download as a zip file: no .git."""
    shutil.rmtree(upstream / ".git")
    return upstream


@pytest.mark.parametrize("path", [None, ""])  # with a program called git, and without
def test_without_git_the_installation_has_kept_the_originals(unzipped: Path, path) -> None:
    install.keep_originals(str(unzipped))
    mine = unzipped / "notebooks" / NAME
    mine.write_bytes(b"broken")
    install.keep_originals(str(unzipped))  # `make clean` and a new installation
    assert NAME in make_fresh(unzipped, path=path).stdout
    done = make_fresh(unzipped, "03", path=path)
    assert done.returncode == 0, done.stderr
    assert mine.read_text(encoding="utf-8") == notebook("...")
    assert copies(unzipped)[0].read_bytes() == b"broken"
    assert "nothing to do" in make_fresh(unzipped, "03", path=path).stdout


@needs_git
def test_a_course_inside_somebody_elses_repository(unzipped: Path) -> None:
    """Git would answer, and not know our files."""
    install.keep_originals(str(unzipped))
    git(unzipped.parent, "init", "--quiet")
    git(unzipped.parent, "commit", "--quiet", "--allow-empty", "--message=own")
    (unzipped / "notebooks" / NAME).write_bytes(b"broken")
    assert make_fresh(unzipped, "03").returncode == 0
    assert (unzipped / "notebooks" / NAME).read_text(encoding="utf-8") == notebook("...")


@pytest.mark.parametrize("spoil", [None, b"no zip file"])
def test_without_git_and_originals_it_says_what_to_do(unzipped: Path, spoil) -> None:
    if spoil:
        (unzipped / "notebooks" / install.ORIGINALS).write_bytes(spoil)
    done = make_fresh(unzipped, "03")
    assert done.returncode == 1 and "into another folder" in done.stderr
    assert "Traceback" not in done.stderr


@needs_git
def test_the_installation_keeps_nothing_in_a_clone(course: Path) -> None:
    install.keep_originals(str(course))
    assert not (course / "notebooks" / install.ORIGINALS).exists()


def test_the_originals_are_all_notebooks_and_nothing_half_written(unzipped: Path) -> None:
    os.utime(unzipped / "notebooks" / NAME, (0, 0))  # 1970, which a zip file cannot say
    install.keep_originals(str(unzipped))
    folder = unzipped / "notebooks"
    with zipfile.ZipFile(folder / install.ORIGINALS) as kept:
        assert sorted(kept.namelist()) == sorted(path.name for path in folder.glob("*.ipynb"))
        assert kept.testzip() is None
    assert not list(folder.glob("*.tmp"))


# --- nobody reads the copies ----------------------------------------------------------------------


def test_no_tool_and_no_test_reads_the_copies(tmp_path: Path) -> None:
    """Git, pytest, ruff and codespell, each asked itself, with the settings of the course."""
    course = tmp_path / "course"
    folder = course / "notebooks" / fresh.COPIES
    folder.mkdir(parents=True)
    for name in ("pyproject.toml", ".gitignore"):
        shutil.copy(ROOT / name, course)
    (folder / "03_x.ipynb").write_text('{"cells": [\n"recieve', encoding="utf-8")
    (course / "notebooks" / "test_one.py").write_text("def test_one():\n    pass\n")

    def told(*command: str) -> str:
        done = subprocess.run(command, cwd=course, capture_output=True, text=True)
        return done.stdout + done.stderr

    python = (sys.executable, "-m")
    collected = told(*python, "pytest", "--collect-only", "-q", "--nbval-lax", "notebooks")
    assert "1 test collected" in collected and "my_copies" not in collected
    assert "my_copies" not in told(*python, "ruff", "check", ".")
    assert "my_copies" not in told(*python, "codespell_lib")
    if shutil.which("git"):
        git(course, "init", "--quiet")
        assert "my_copies" not in git(course, "status", "--porcelain", "-uall").stdout
