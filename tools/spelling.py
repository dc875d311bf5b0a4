"""Check the spelling of the code, the documents and the prose of the notebooks with codespell.

codespell on a raw notebook stumbles over the letters of encoded pictures, so each notebook is
handed over as text: the Markdown cells and the code, without the outputs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CODESPELL = [sys.executable, "-m", "codespell_lib", "--toml", str(ROOT / "pyproject.toml")]
TEXT = {".py", ".md", ".toml", ".yml", ".yaml", ".cff", ".cfg", ".csv", ""}
FOREIGN = {"LICENSE-text", "test_claims.py"}  # a license; a list of British spellings


def tracked(root: Path) -> list[Path]:
    """Return the files that git knows or would add."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return sorted({root / name for name in names.split("\0") if name and (root / name).is_file()})


def prose(notebook: Path) -> str:
    """Return the sources of all cells, one below the other."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells)


def main() -> int:
    """Run codespell; return 0 when it found nothing."""
    files = tracked(ROOT)
    plain = [str(f.relative_to(ROOT)) for f in files if f.suffix in TEXT and f.name not in FOREIGN]
    status = subprocess.run([*CODESPELL, *plain], cwd=ROOT).returncode
    for notebook in (f for f in files if f.suffix == ".ipynb"):
        found = subprocess.run(
            [*CODESPELL, "-"], cwd=ROOT, input=prose(notebook), capture_output=True, text=True
        )
        if found.returncode:
            print(f"{notebook.relative_to(ROOT)}:\n{found.stdout}{found.stderr}", end="")
            status = 1
    return 1 if status else 0


if __name__ == "__main__":
    sys.exit(main())
