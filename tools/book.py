"""Make a static site of all lessons with their stored outputs: search, formulas, no network.

Usage: python tools/book.py     writes book/index.html and what belongs to it

Nothing is executed. Copies of the notebooks, an index made from the table of lessons, and the
instructor's guide are handed to Sphinx, which reads notebooks with MyST-NB; MathJax is carried
along. The book is replaced as a whole, and only when it was built.
"""

from __future__ import annotations

import copy
import os
import re
import shutil
import sys
from html import unescape
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

import nbformat
import vendor
from lesson_map import address, live_link, table
from nbformat.v4 import new_output
from pictures import as_images

from notebooks import WIDGET_VIEW, is_live

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "book"
TEMPLATE = ROOT / "tools" / "book_template"
TOOLS = ("sphinx", "myst_nb", "furo")
SECONDS = 600

# What a page can show. Everything else is for JupyterLab: live widgets, the records of claims.
SHOWN = ("text/plain", "text/html", "text/markdown", "image/png")
LIVE = "Live in the notebook: the controls of this explorer need a running kernel."
REMARK = "**Teaching remark.** "
STUB = "○ not attempted"
LINK = '<a class="notebook-file" href="notebooks/{}" download>Download this page as a notebook</a>'
TRY = ' · <a class="live-page" href="{}">Run it in the browser, without installation</a>'


# --- from a notebook to a page --------------------------------------------------------------------


def for_paper(outputs: list[dict]) -> list[dict]:
    """Return outputs without what needs a kernel: widgets, and the answers to exercises."""
    kept, outputs = [], copy.deepcopy(outputs)
    as_images(outputs)
    for output in outputs:
        data = output.get("data", {})
        shown = {kind: value for kind, value in data.items() if kind in SHOWN}
        answer = data.get("text/plain", "").startswith(STUB)
        if answer or (WIDGET_VIEW in data and shown.keys() <= {"text/plain"}):
            continue
        if "text/html" in shown:
            shown["text/html"] = with_page_links("".join(shown["text/html"]))
        if "data" in output:
            output["data"] = shown
        kept.append(output)
    return kept


def live_note() -> dict:
    """Return the output that stands for an explorer."""
    return new_output("display_data", {"text/markdown": f"*{LIVE}*", "text/plain": LIVE})


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
        return f"]({match[1]}#{page_anchor(match[2])}"

    return re.sub(r"\]\(((?!https?:)[^)\s#]*)#([^)\s]+)", renamed, markdown)


def page_anchor(heading: str) -> str:
    """Return the name that the book gives to a heading, from JupyterLab's.

    >>> page_anchor("2.1-A-part?")
    '21-a-part'
    """
    return re.sub(r"[^\w\-]", "", unquote(heading).lower())


def with_page_links(html: str) -> str:
    """Return HTML whose links to notebooks lead to their pages in the book.

    >>> with_page_links('<a href="02_b.ipynb#2.1-A-part">')
    '<a href="02_b.html#21-a-part">'
    """

    def renamed(match: re.Match) -> str:
        return f'href="{match[1]}.html#{page_anchor(unescape(match[2]))}"'

    return re.sub(r'href="(\w+)\.ipynb#([^"]+)"', renamed, html)


def page(notebook: dict, name: str, base: str = "") -> dict:
    """Return a notebook as it is shown in the book: linked to its file, alive without a kernel.

    `base` is where the browser edition is published.
    """
    notebook = copy.deepcopy(notebook)
    notebook["metadata"].pop("widgets", None)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = for_paper(cell["outputs"])
            if is_live(cell):
                cell["outputs"] = [live_note()]
            if alt := alternative(cell["outputs"]):
                cell["metadata"]["mystnb"] = {"image": {"alt": alt}}
        else:
            source = with_page_anchors(cell["source"])
            if source.startswith(REMARK):
                source = f":::{{admonition}} For teachers\n{source.removeprefix(REMARK)}\n:::"
            cell["source"] = source
    live = live_link(name, base)
    link = LINK.format(name) + (TRY.format(live) if live else "")
    first = notebook["cells"][0]
    title, _, rest = first["source"].partition("\n")
    first["source"] = f"{title}\n\n{link}\n{rest}"
    return notebook


# --- the sources of the book ----------------------------------------------------------------------


def write_sources(folder: Path, notebooks: Path, mathjax: Path) -> None:
    """Write what Sphinx reads: pages, settings, pictures, and the notebooks for download."""
    lessons = sorted(notebooks.glob("*.ipynb"))
    if not lessons:
        raise vendor.Problem(f"there are no notebooks in {notebooks.name}/")
    shutil.copytree(TEMPLATE, folder)
    downloads = folder / "_extra" / "notebooks"
    downloads.mkdir(parents=True)
    base = address()
    for path in lessons:
        shown = page(nbformat.read(path, as_version=4), path.name, base)
        nbformat.write(shown, folder / path.name)
        shutil.copy(path, downloads)
    if (notebooks / "images").is_dir():
        shutil.copytree(notebooks / "images", folder / "images")
    guide = notebooks / "INSTRUCTOR.md"
    if guide.exists():
        text = with_page_anchors(guide.read_text(encoding="utf-8"))
        (folder / guide.name).write_text(text, encoding="utf-8")
    index = folder / "index.md"
    text = index.read_text(encoding="utf-8")
    rows = table(notebooks).replace("](notebooks/", "](")
    index.write_text(text.replace("TABLE OF LESSONS", rows), encoding="utf-8")
    (folder / "_static" / "mathjax").mkdir()
    shutil.copy(mathjax, folder / "_static" / "mathjax" / Path(vendor.MATHJAX).name)


# --- Sphinx ---------------------------------------------------------------------------------------


def build(source: Path, out: Path) -> list[str]:
    """Run Sphinx; return its warnings."""
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", "-d", f"{source}-read"]
    quiet = os.environ | {"PYTHONWARNINGS": "ignore"}
    said = vendor.run("Sphinx", [*command, str(source), str(out)], SECONDS, env=quiet)
    return [line.replace(f"{source}{os.sep}", "") for line in said.splitlines() if line]


def make(out: Path, notebooks: Path, mathjax: Path) -> list[str]:
    """Write the book into a folder, in place of what is there; return Sphinx's warnings."""
    with vendor.in_place_of(out) as scratch:
        write_sources(scratch / "source", notebooks, mathjax)
        complaints = build(scratch / "source", scratch / "site")
        (scratch / "site" / ".buildinfo").unlink(missing_ok=True)
    return complaints


def main() -> int:
    """Write the book; return 0 when all went well."""
    lacking = [name for name in TOOLS if find_spec(name) is None]
    if lacking:
        raise vendor.Problem(f"not installed: {', '.join(lacking)}")
    mathjax = vendor.fetch(vendor.VENDOR) / vendor.MATHJAX
    complaints = make(OUT, ROOT / "notebooks", mathjax)
    size = sum(path.stat().st_size for path in OUT.rglob("*") if path.is_file())
    print(f"{(OUT / 'index.html').relative_to(ROOT)}: {size / 1e6:.0f} MB in all")
    for complaint in complaints:
        print(f"make book: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(vendor.plainly("book", main))
