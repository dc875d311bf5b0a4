"""Install what only one command needs, when that command is given for the first time.

Usage: python tools/extras.py book [arguments for pip ...]

Only the lines of that extra in pyproject.toml are handed to pip, not the course itself: pip then
has no reason to look at torch.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import install

ROOT = Path(__file__).resolve().parents[1]


def wanted(extra: str, root: Path = ROOT) -> list[str]:
    """Return the requirements of an extra, such as "furo>=2025.7".

    >>> all("torch" not in line for line in wanted("book"))
    True
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["optional-dependencies"][extra]


def pins(root: Path = ROOT) -> dict[str, str]:
    """Return the versions of constraints.txt by name."""
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def missing(requirements: list[str], pinned: dict[str, str]) -> list[str]:
    """Return the requirements that are not there in the version of constraints.txt.

    >>> missing(["pip", "no-such-package>=1"], {})
    ['no-such-package>=1']
    """
    absent = []
    for requirement in requirements:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)[0]
        try:
            fits = version(name) == pinned.get(name, version(name))
        except PackageNotFoundError:
            fits = False
        if not fits:
            absent.append(requirement)
    return absent


def main(extra: str, arguments: list[str]) -> int:
    """Install what is missing of an extra into this environment; return the exit status."""
    requirements = wanted(extra)
    if not missing(requirements, pins()):
        return 0
    print(f"Installing what `make {extra}` needs: half a minute, once.")
    try:
        install.pip_install(sys.prefix, [*arguments, *requirements])
    except install.Problem as problem:
        print(f"\n`make {extra}` lacks its tools.\n{problem}\n", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
