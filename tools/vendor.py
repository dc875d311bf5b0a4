"""Programs for the browser that come from npm, once: those of the slides, the book and `make lite`.

Slides and book carry reveal.js and MathJax along, from slides/.vendor. Each file that is used must
have the SHA-256 sum in tools/slides_template/vendor.sha256.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from install import Problem

ROOT = Path(__file__).resolve().parents[1]
VENDOR = ROOT / "slides" / ".vendor"
PACKAGES = ("reveal.js@4.6.1", "mathjax@3.2.2")
MATHJAX = "mathjax/es5/tex-svg-full.js"


def sums(path: Path) -> dict[str, str]:
    """Return the sum that each file must have, from a list as `sha256sum` writes it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: wanted for wanted, name in map(str.split, lines)}


FILES = sums(ROOT / "tools" / "slides_template" / "vendor.sha256")  # what is used of them


def plainly(name: str, work: Callable[[], int]) -> int:
    """Return the exit status of `make NAME`; say in one sentence what stopped it from outside.

    >>> plainly("book", lambda: 0)
    0
    """
    try:
        return work()
    except OSError as error:
        print(f"make {name}: {error.strerror}: {error.filename}", file=sys.stderr)
    except Problem as problem:
        print(f"make {name}: {problem}", file=sys.stderr)
    return 1


@contextmanager
def in_place_of(out: Path) -> Iterator[Path]:
    """Give a folder to work in; what is then in its folder `site` takes the place of `out`."""
    scratch = out.with_suffix(".tmp")
    shutil.rmtree(scratch, ignore_errors=True)  # of a run that was killed
    scratch.mkdir(parents=True)
    try:
        yield scratch
        if out.exists():
            shutil.rmtree(out)
        (scratch / "site").rename(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def run(name: str, command: Sequence[str], seconds: int, **told: Any) -> str:
    """Run a program; return what it complained of. A Problem says that it failed or hung."""
    try:
        done = subprocess.run(command, timeout=seconds, capture_output=True, text=True, **told)
    except subprocess.TimeoutExpired:
        raise Problem(f"{name} was not done after {seconds // 60} minutes.") from None
    if done.returncode:
        raise Problem(f"{name} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stderr


def wrong_files(folder: Path, files: Mapping[str, str] | None = None) -> list[str]:
    """Return which files {name: sum}, or else FILES, are missing or different below a folder."""
    return [
        name
        for name, wanted in (FILES if files is None else files).items()
        if not (folder / name).is_file()
        or hashlib.sha256((folder / name).read_bytes()).hexdigest() != wanted
    ]


def fetch(
    vendor: Path, packages: Sequence[str] = PACKAGES, files: Mapping[str, str] | None = None
) -> Path:
    """Return the folder with packages of npm; fetch them if they are not there.

    Args:
        vendor: the folder around it.
        packages: names with versions.
        files: what is used of them, with the sum that each must have; None means FILES.
    """
    modules = vendor / "node_modules"
    if not wrong_files(modules, files):
        return modules
    by_hand = f"copy {modules.relative_to(ROOT)} from a machine on which this worked"
    named = " and ".join(packages)
    npm = shutil.which("npm")
    if not npm:
        raise Problem(
            f"{named} are needed, which npm fetches once, and there is no npm here: install "
            f"Node.js, or {by_hand}."
        )
    print(f"Fetching {named}, once.", flush=True)
    vendor.mkdir(parents=True, exist_ok=True)
    (vendor / "package.json").write_text('{"private": true}\n', encoding="utf-8")
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--silent"]
    command = [npm, "install", *options, *packages]
    try:
        done = subprocess.run(command, cwd=vendor, timeout=600, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        raise Problem(f"npm did not answer within ten minutes. Try again, or {by_hand}.") from None
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        raise Problem(f"npm could not fetch {named}. Is there a network? If not, {by_hand}.")
    if wrong := wrong_files(modules, files):
        raise Problem(f"npm delivered something else than expected: {', '.join(wrong)}.")
    return modules
