"""Put the learner's copy of a notebook aside and lay a fresh one; progress stays as it is.

Usage: python tools/fresh.py [03 05 ...]     without a number: which notebooks were changed?

The fresh one is the last commit's. Without Git (a download as a zip file) it comes from the zip
file that the installation keeps. Only the standard library, and no notebook is read: this works
where the installation or the notebook is broken.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import install
from install import Problem

ROOT = Path(__file__).resolve().parents[1]
COPIES = "my_copies"


class Git:
    """The notebooks of the last commit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = self._git("ls-tree", "-z", "--name-only", "HEAD", "./")
        self.names = [name for name in listed.split("\0") if name.endswith(".ipynb")]

    def _git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.folder, capture_output=True)
        if done.returncode:
            raise Problem("Git says: " + done.stderr.decode("utf-8", "replace").strip())
        return done.stdout.decode("utf-8", "surrogateescape")

    def changed(self, name: str) -> bool:
        """Whether `git pull` would mind: the file or what is staged differs from the commit."""
        return bool(self._git("status", "--porcelain", "--", name))

    def lay(self, name: str) -> None:
        """Write the notebook of the last commit, and unstage what was staged of it."""
        self._git("checkout", "--quiet", "HEAD", "--", name)


class Originals:
    """The notebooks as they were when the course was installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            with zipfile.ZipFile(folder / install.ORIGINALS) as kept:
                self.contents = {name: kept.read(name) for name in kept.namelist()}
        except (OSError, zipfile.BadZipFile):
            raise Problem(
                "There is neither Git here nor a copy from the installation to take a fresh "
                "notebook from.\nDownload the course once more, into another folder."
            ) from None
        self.names = list(self.contents)

    def changed(self, name: str) -> bool:
        """Whether the file differs from the original."""
        return install.read(self.folder / name) != self.contents[name]

    def lay(self, name: str) -> None:
        """Write the original, in one step: a reader sees the old file or the new."""
        scratch = self.folder / (name + ".tmp")
        scratch.write_bytes(self.contents[name])
        os.replace(scratch, self.folder / name)


def source(folder: Path) -> Git | Originals:
    """Return where fresh notebooks come from: Git if it has them, else the installation."""
    try:
        git = Git(folder)
        if git.names:
            return git
    except FileNotFoundError:  # there is no program of this name
        pass
    except Problem as problem:
        if (folder.parent / ".git").exists():  # a clone, and Git knows what is wrong with it
            raise problem from None
    return Originals(folder)


def chosen(names: list[str], known: list[str]) -> list[str]:
    """Return the notebooks that are meant by numbers, letters or file names.

    >>> chosen(["3", "a", "notebooks/03_x.ipynb"], ["03_x.ipynb", "A_y.ipynb"])
    ['03_x.ipynb', 'A_y.ipynb']
    """
    found = {}
    for name in names:
        short = os.path.basename(name)
        number = short.upper().lstrip("0")
        matches = [k for k in known if k == short or k.split("_")[0].lstrip("0") == number]
        if not matches:
            numbers = ", ".join(k.split("_")[0] for k in known)
            raise Problem(f"There is no notebook {name!r}. NB= takes one or more of {numbers}.")
        found[matches[0]] = None
    return list(found)


def put_aside(path: Path) -> Path:
    """Copy a file into the folder of copies, under a name that no file has; return the copy."""
    content = path.read_bytes()
    folder = path.parent / COPIES
    folder.mkdir(exist_ok=True)
    number, stem = 1, f"{path.stem}.{time.strftime('%Y-%m-%d_%H-%M-%S')}"
    while True:
        copy = folder / f"{stem}{f'_{number}' if number > 1 else ''}{path.suffix}"
        try:
            stream = copy.open("xb")  # fails where there is such a file
        except FileExistsError:
            number += 1
            continue
        try:
            with stream:
                stream.write(content)
        except OSError:
            copy.unlink()
            raise
        return copy


def refresh(name: str, fresh: Git | Originals) -> str:
    """Put one notebook aside and lay a fresh one; return what was done, in words."""
    path = fresh.folder / name
    if not fresh.changed(name):
        return f"{name}: you have not changed it, so there is nothing to do."
    kept = put_aside(path) if path.exists() else None
    fresh.lay(name)
    if kept is None:
        return f"{name}: it was missing; here it is again."
    return (
        f"{name}: fresh. Your copy is {kept.relative_to(fresh.folder.parent).as_posix()}\n"
        "If it is open in JupyterLab: File > Reload Notebook from Disk."
    )


def report(fresh: Git | Originals) -> str:
    """Return which notebooks were changed, and the command that makes them fresh."""
    changed = [name for name in fresh.names if fresh.changed(name)]
    if not changed:
        return "You have changed no notebook. (make fresh NB=03 is for one that you have.)"
    numbers = " ".join(name.split("_")[0] for name in changed)
    lines = ["You have changed (running a notebook is enough):", *changed]
    return "\n  ".join(lines) + f'\nPut them aside and get fresh ones: make fresh NB="{numbers}"'


def main(names: list[str], folder: Path = ROOT / "notebooks") -> int:
    """Make the named notebooks fresh, or say which were changed; return the exit status."""
    try:
        fresh = source(folder)
        if not names:
            print(report(fresh))
        for name in chosen(names, fresh.names):
            print(refresh(name, fresh), flush=True)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error}\n{install.diagnose(str(error))}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
