"""Make a static site of all lessons with their stored outputs: search, formulas, no network.

Usage: python tools/book.py     writes book/index.html and what belongs to it

Nothing is executed. Copies of the notebooks, an index made from the table of lessons, and the
instructor's guide are handed to Sphinx, which reads notebooks with MyST-NB; MathJax is carried
along. The book is replaced as a whole, and only when it was built.
"""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

import vendor
from lesson_map import prose, row
from pictures import as_images

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "book"
TEMPLATE = ROOT / "tools" / "book_template"
TOOLS = ("sphinx", "myst_nb", "furo")
SECONDS = 600

# What a page can show. Everything else is for JupyterLab: live widgets, the records of claims.
SHOWN = ("text/plain", "text/html", "text/markdown", "image/png")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
LIVE = "Live in the notebook: the controls of this explorer need a running kernel."
REMARK = "**Teaching remark.** "
STUB = "○ not attempted"
LINK = '<a class="notebook-file" href="notebooks/{}" download>Download this page as a notebook</a>'
INDEX = """# The learning rate

*How far should each step go? A hands-on course.*

{table}

These pages show the lessons with their outputs, to read and to search. To change a number and see
what happens, open the notebooks in JupyterLab: each page links to its own. The notebooks need the
whole course around them; its README says how to start.

```{{toctree}}
:hidden:
:caption: Lessons

{lessons}
```
{for_teachers}"""
FOR_TEACHERS = """
```{toctree}
:hidden:
:caption: For teachers

INSTRUCTOR
```
"""


# --- from a notebook to a page --------------------------------------------------------------------


def is_live(cell: dict) -> bool:
    """Whether a cell shows an explorer: its stored output is a line of text or a dead widget."""
    last = "".join(cell["source"]).rstrip().rpartition("\n")[2]
    return re.fullmatch(r"\w*explorer", last) is not None


def for_paper(outputs: list[dict]) -> list[dict]:
    """Return outputs without what needs a kernel: widgets, and the answers to exercises."""
    kept, outputs = [], copy.deepcopy(outputs)
    as_images(outputs)
    for output in outputs:
        data = output.get("data", {})
        shown = {kind: value for kind, value in data.items() if kind in SHOWN}
        plain = "".join(data.get("text/plain", ""))
        if plain.startswith(STUB) or (WIDGET_VIEW in data and shown.keys() <= {"text/plain"}):
            continue
        if "data" in output:
            output["data"] = shown
        kept.append(output)
    return kept


def live_note() -> dict:
    """Return the output that stands for an explorer."""
    data = {"text/markdown": f"*{LIVE}*", "text/plain": LIVE}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def alternative(outputs: list[dict]) -> str:
    """Return the alternative text of the picture among some outputs."""
    pictures = (output.get("metadata", {}).get("image/png", {}) for output in outputs)
    return next((picture["alt"] for picture in pictures if picture.get("alt")), "")


def with_page_anchors(markdown: str) -> str:
    """Return Markdown in which links to headings are written as the book names them.

    >>> with_page_anchors("[x](02_b.ipynb#2.1-A-part) [y](https://z.org/#A.b)")
    '[x](02_b.ipynb#21-a-part) [y](https://z.org/#A.b)'
    """

    def renamed(match: re.Match) -> str:
        anchor = re.sub(r"[^\w\-]", "", unquote(match[2]).lower())
        return f"]({match[1]}#{anchor}"

    return re.sub(r"\]\(((?!https?:)[^)\s#]*)#([^)\s]+)", renamed, markdown)


def page(notebook: dict, name: str) -> dict:
    """Return a notebook as it is shown in the book: linked to its file, alive without a kernel."""
    notebook = copy.deepcopy(notebook)
    notebook["metadata"].pop("widgets", None)
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            cell["outputs"] = for_paper(cell["outputs"])
            if is_live(cell):
                cell["outputs"] = [live_note()]
            if alt := alternative(cell["outputs"]):
                cell["metadata"]["mystnb"] = {"image": {"alt": alt}}
        else:
            source = with_page_anchors(source)
            if source.startswith(REMARK):
                source = f":::{{admonition}} For teachers\n{source.removeprefix(REMARK)}\n:::"
            cell["source"] = source
    link = LINK.format(name)
    first = notebook["cells"][0]
    title, _, rest = "".join(first["source"]).partition("\n")
    first["source"] = f"{title}\n\n{link}\n{rest}"
    return notebook


# --- the sources of the book ----------------------------------------------------------------------


def table(lessons: list[Path]) -> str:
    """Return the table of lessons, with links to the pages of the book."""
    rows = [row(path, prose(path)).replace("](notebooks/", "](") for path in lessons]
    return "\n".join(["| | Lesson | The question | Minutes |", "|---|---|---|---|", *rows])


def write_sources(folder: Path, notebooks: Path, mathjax: Path) -> None:
    """Write what Sphinx reads: pages, settings, pictures, and the notebooks for download."""
    lessons = sorted(notebooks.glob("*.ipynb"))
    if not lessons:
        raise vendor.Problem(f"there are no notebooks in {notebooks.name}/")
    downloads, static = folder / "_extra" / "notebooks", folder / "_static"
    downloads.mkdir(parents=True)
    static.mkdir()
    for path in lessons:
        shown = page(json.loads(path.read_text(encoding="utf-8")), path.name)
        (folder / path.name).write_text(json.dumps(shown), encoding="utf-8")
        shutil.copy(path, downloads)
    guide = notebooks / "INSTRUCTOR.md"
    if guide.exists():
        text = with_page_anchors(guide.read_text(encoding="utf-8"))
        (folder / guide.name).write_text(text, encoding="utf-8")
    if (notebooks / "images").is_dir():
        shutil.copytree(notebooks / "images", folder / "images")
    index = INDEX.format(
        table=table([path for path in lessons if not path.name.startswith("00_")]),
        lessons="\n".join(path.stem for path in lessons),
        for_teachers=FOR_TEACHERS if guide.exists() else "",
    )
    (folder / "index.md").write_text(index, encoding="utf-8")
    shutil.copy(TEMPLATE / "conf.py", folder)
    for name in ("book.css", "book.js", "favicon.svg"):
        shutil.copy(TEMPLATE / name, static)
    (static / "mathjax").mkdir()
    shutil.copy(mathjax, static / "mathjax" / Path(vendor.MATHJAX).name)


# --- Sphinx ---------------------------------------------------------------------------------------


def build(source: Path, out: Path) -> list[str]:
    """Run Sphinx; return its warnings."""
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", "-d", f"{source}-read"]
    settings = os.environ | {"PYTHONWARNINGS": "ignore"}
    try:
        done = subprocess.run(
            [*command, str(source), str(out)],
            timeout=SECONDS,
            capture_output=True,
            text=True,
            env=settings,
        )
    except subprocess.TimeoutExpired:
        raise vendor.Problem(f"Sphinx was not done after {SECONDS // 60} minutes.") from None
    if done.returncode:
        raise vendor.Problem(f"Sphinx failed:\n{done.stderr[-3000:]}")
    return [line.replace(f"{source}{os.sep}", "") for line in done.stderr.splitlines() if line]


def outside(html: str) -> list[str]:
    """Return what a page would load from elsewhere when it is opened; links may lead there.

    >>> outside('<a href="https://a.b"><script src="https://c.d/e.js"></script>')
    ['https://c.d/e.js']
    """
    pattern = (
        r"<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=[\"']((?:https?:)?//[^\"']+)"
    )
    return re.findall(pattern, html)


def loads_from_elsewhere(folder: Path) -> Iterator[str]:
    """Yield a line for everything that a page of the book would fetch from another host."""
    for path in sorted(folder.rglob("*.html")):
        for address in outside(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(folder)} loads {address}"


def make(out: Path, notebooks: Path, mathjax: Path) -> list[str]:
    """Write the book into a folder, in place of what is there; return what is wrong with it."""
    with tempfile.TemporaryDirectory() as scratch:
        source, draft = Path(scratch) / "source", Path(scratch) / "html"
        write_sources(source, notebooks, mathjax)
        complaints = build(source, draft)
        (draft / ".buildinfo").unlink(missing_ok=True)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(draft, out)
    return complaints + list(loads_from_elsewhere(out))


def main() -> int:
    """Write the book; return 0 when all went well."""
    lacking = [name for name in TOOLS if find_spec(name) is None]
    if lacking:
        print(f"make book: not installed: {', '.join(lacking)}", file=sys.stderr)
        return 1
    try:
        mathjax = vendor.fetch(vendor.VENDOR) / vendor.MATHJAX
        complaints = make(OUT, ROOT / "notebooks", mathjax)
    except vendor.Problem as problem:
        print(f"make book: {problem}", file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in OUT.rglob("*") if path.is_file())
    print(f"{(OUT / 'index.html').relative_to(ROOT)}: {size / 1e6:.0f} MB in all")
    for complaint in complaints:
        print(f"make book: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
