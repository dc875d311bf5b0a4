"""Write the table of lessons in README.md from the notebooks themselves, so that it stays true.

Usage: python tools/lesson_map.py

The title, the question under it and the minutes of each section are read from the first cells.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- lessons: written by `make readme` -->", "<!-- end of lessons -->"

# The lessons that run in the browser edition (`make lite`). One that is made for it joins by its
# line here.
LIVE = (
    "00",
    "01",
    "02",
    "03",
    "04",
    "05",
    "08",
    "09",
)


def address() -> str:
    """Return where the book and the browser edition are published; "" where nobody has said so."""
    import tomllib  # new in Python 3.11: an old one is told so by those who use this module

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return settings["tool"]["course"]["address"].rstrip("/")


def live_link(name: str, base: str) -> str:
    """Return the page on which a notebook runs in the browser, "" where there is none.

    >>> live_link("01_a.ipynb", "https://course.test")
    'https://course.test/lite/lab/index.html?path=01_a.ipynb'
    >>> live_link("01_a.ipynb", ""), live_link("06_a.ipynb", "https://course.test")
    ('', '')
    """
    here = bool(base) and name.startswith(LIVE)
    return f"{base}/lite/lab/index.html?path={name}" if here else ""


def prose(path: Path) -> str:
    """Return the Markdown of a notebook, cell below cell, or the text of another file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def lessons(folder: Path) -> list[Path]:
    """Return the notebooks of a folder in order, without the start page, which is no lesson."""
    return [path for path in sorted(folder.glob("*.ipynb")) if not path.name.startswith("00_")]


def section_minutes(text: str) -> list[int]:
    """Return the numbers of the first table with a column Minutes.

    >>> section_minutes("| Section | Minutes |\\n|---|---|\\n| 1.1 A | 5 |\\n| 1.2 B | 7 |\\n")
    [5, 7]
    """
    table = re.search(r"^\|[^\n]*\| *Minutes *\|\n\|[-| :]+\|\n((?:\|.*\n?)+)", text, re.MULTILINE)
    rows = table[1] if table else ""
    return [int(n) for n in re.findall(r"\| *(\d+) *\|\s*$", rows, re.MULTILINE)]


def row(notebook: Path, text: str, base: str = "") -> str:
    """Return the line of one lesson: number, linked title, question, minutes.

    `base` is where the browser edition is published.
    """
    title = re.search(r"^# +(?:(\S+) · )?(.+?)\s*$", text, re.MULTILINE)
    if not title:
        raise SystemExit(f"{notebook.name} has no title (a line that starts with '# ')")
    question = re.search(r"^\*([^*\n].*[^*\n])\*\s*$", text, re.MULTILINE)
    link = f"[{title[2]}](notebooks/{notebook.name})"
    if live := live_link(notebook.name, base):
        link += f" · [in the browser]({live})"
    minutes = sum(section_minutes(text)) or ""  # the appendix is no lesson, to look things up in
    cells = [title[1] or "", link, question[1] if question else "", minutes]
    return f"| {' | '.join(map(str, cells))} |"


def table(folder: Path) -> str:
    """Return the Markdown table of all lessons in a folder."""
    base = address()
    rows = [row(notebook, prose(notebook), base) for notebook in lessons(folder)]
    return "\n".join(["| | Lesson | The question | Minutes |", "|---|---|---|---|", *rows])


def updated(readme: str, lessons: str) -> str:
    """Return the text of README.md with the table of lessons put between its two marks."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"README.md has lost its marks: {BEGIN} ... {END}")
    return f"{before}{begin}\n{lessons}\n{end}{after}"


def main() -> int:
    """Write README.md anew if it is not up to date."""
    from course_utils.run import write_atomically  # needs NumPy; `make lite` does without

    path = ROOT / "README.md"
    old = path.read_text(encoding="utf-8")
    new = updated(old, table(ROOT / "notebooks"))
    if new == old:
        print("README.md: the table of lessons is up to date.")
    else:
        write_atomically(path, new)
        print("README.md: the table of lessons was written anew.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
