"""Make a lecture of each lesson: one HTML file that needs no network, with speaker notes.

Usage: python tools/slides.py [01 02 ... | paths]     writes slides/01_....html

nbconvert makes the slides from the slide types of the cells. reveal.js, which moves them, and
MathJax, which draws the formulas, are written into each file; tools/vendor.py fetches them, once.
"""

from __future__ import annotations

import copy
import re
import sys
from itertools import accumulate
from pathlib import Path

import nbformat
from nbconvert.exporters import SlidesExporter
from pictures import as_images
from vendor import FILES, VENDOR, Problem, fetch, plainly

from course_utils.run import write_atomically
from notebooks import ROOT, chosen, is_live

OUT = ROOT / "slides"
TEMPLATE = ROOT / "tools" / "slides_template"
# More than about 24 lines need smaller letters, and these are as small as a back row can read.
MOST_LINES = 32
# A table to look things up in is no slide; its beginning shows what there is to find.
MOST_LETTERS, MOST_ROWS = 1500, 9


# --- from a notebook to slides --------------------------------------------------------------------


def slide_type(cell: nbformat.NotebookNode) -> str:
    """Return the slide type of a cell, "-" for none."""
    return cell.metadata.get("slideshow", {}).get("slide_type", "-")


def set_slide_type(cell: nbformat.NotebookNode, value: str) -> None:
    """Give a cell a slide type."""
    cell.metadata.setdefault("slideshow", nbformat.NotebookNode())["slide_type"] = value


def has_picture(cell: nbformat.NotebookNode) -> bool:
    """Whether a cell shows a figure."""
    return any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))


def is_guess(cell: nbformat.NotebookNode) -> bool:
    """Whether a cell is the place for a prediction; the question stands in the cell above it."""
    return cell.cell_type == "code" and ".check(prediction)" in cell.source


def is_verdict(cell: nbformat.NotebookNode) -> bool:
    """Whether a cell does nothing but show the box of a claim."""
    return cell.cell_type == "code" and "claims." in cell.source and not has_picture(cell)


def stills_for_explorers(cells: list[nbformat.NotebookNode]) -> None:
    """Put the still picture that follows an explorer in its place on the slides."""
    code = [cell for cell in cells if cell.cell_type == "code"]
    for cell, following in zip(code, [*code[1:], None]):
        if is_live(cell):
            if following is not None and has_picture(following):
                if slide_type(following) == "skip":
                    set_slide_type(following, slide_type(cell))
                following.metadata["transient"] = {"remove_source": True}
            set_slide_type(cell, "skip")


def lines(cell: nbformat.NotebookNode) -> int:
    """Return roughly how high a cell is on a slide, in lines of code.

    >>> lines(nbformat.v4.new_code_cell("a = 1\\nb = 2"))
    2
    """
    if cell.cell_type == "markdown":
        return sum(1 + len(line) // 75 for line in cell.source.splitlines() if line)
    shown = not cell.metadata.get("transient", {}).get("remove_source")
    count = cell.source.count("\n") + 1 if shown else 0
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if "image/png" in data:
            count += 18
        elif "text/html" in data:
            count += 5
        else:
            count += output.get("text", data.get("text/plain", "")).count("\n") + 1
    return count


def split_full_slides(cells: list[nbformat.NotebookNode], most: int = MOST_LINES) -> None:
    """Let a fragment that would make its slide too full begin a slide of its own."""
    full = 0
    for cell in cells:
        kind = slide_type(cell)
        if kind in ("slide", "subslide"):
            full = lines(cell)
        elif kind in ("fragment", "-"):
            full += lines(cell)
            if kind == "fragment" and full > most:
                set_slide_type(cell, "subslide")
                full = lines(cell)


def shorten_table(markdown: str, most: int = MOST_LETTERS) -> str:
    """Return the beginning of Markdown tables, and a line that says how many more rows there are.

    >>> print(shorten_table("| a |\\n|---|\\n| 10 |\\n| 20 |\\n| 30 |", most=8))
    | a |
    |---|
    | 10 |
    <BLANKLINE>
    *… and 2 more rows in the notebook.*
    """
    lines = markdown.strip().splitlines()
    begins = [n for n, line in enumerate(lines) if re.fullmatch(r"\|[-:| ]+\|", line)]
    rows = [
        n
        for n, line in enumerate(lines)
        if line.startswith("|") and n not in begins and n + 1 not in begins
    ]
    letters = list(accumulate(len(lines[n]) for n in rows))
    kept = max(1, sum(total <= most for total in letters[:MOST_ROWS]))
    if kept >= len(rows):
        return markdown
    more = f"*… and {len(rows) - kept} more rows in the notebook.*"
    return "\n".join([*lines[: rows[kept - 1] + 1], "", more])


def shorten_tables(cells: list[nbformat.NotebookNode]) -> None:
    """Show the beginning of tables that are too long for a slide."""
    for cell in cells:
        for output in cell.get("outputs", []):
            if "text/markdown" in output.get("data", {}):
                output.data["text/markdown"] = shorten_table(output.data["text/markdown"])


def for_lecture(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a copy of a notebook to be shown: no plumbing, explanations in the speaker notes."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        as_images(cell.get("outputs", []))
    stills_for_explorers(notebook.cells)
    started = False
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if is_guess(cell) and slide_type(cell) in ("fragment", "-"):
            set_slide_type(cell, "skip")
        if is_verdict(cell) and slide_type(cell) == "subslide":
            set_slide_type(cell, "fragment")  # the figure stays in sight while the verdict is read
        if "exercise" in tags:
            cell.outputs = []
        if "hide-input" in tags:
            cell.metadata["transient"] = {"remove_source": True}
        if cell.cell_type == "markdown" and slide_type(cell) == "skip" and started:
            set_slide_type(cell, "notes")
        started = started or slide_type(cell) in ("slide", "subslide")
    shorten_tables(notebook.cells)
    split_full_slides(notebook.cells)
    return notebook


def title(notebook: nbformat.NotebookNode) -> str:
    """Return the first heading of a notebook."""
    return notebook.cells[0].source.partition("\n")[0].removeprefix("# ")


# --- into one file --------------------------------------------------------------------------------


def for_style_element(css: str) -> str:
    """Return CSS that loads nothing: without its @import lines.

    >>> for_style_element("@import url(./fonts/a.css);\\nbody { margin: 0 }").strip()
    'body { margin: 0 }'
    """
    return re.sub(r"@import [^;]*;", "", css)


def for_script_element(program: str) -> str:
    """Return a program that may stand between script tags.

    >>> for_script_element('x = "</script>"')
    'x = "<\\\\/script>"'
    """
    return re.sub(r"</(script)", r"<\\/\1", program, flags=re.IGNORECASE)


def deck(modules: Path, heading: str) -> dict:
    """Return what the template writes into the file besides the cells."""
    texts = {name: (modules / name).read_text(encoding="utf-8") for name in FILES}
    css = [for_style_element(text) for name, text in texts.items() if name.endswith(".css")]
    programs = [for_script_element(text) for name, text in texts.items() if name.endswith(".js")]
    start = (TEMPLATE / "start.js").read_text(encoding="utf-8")
    return {"title": heading, "css": "\n".join(css), "programs": programs, "start": start}


def between_lectures(page: str) -> str:
    """Let links from lesson to lesson lead from lecture to lecture, to the beginning.

    >>> between_lectures('<a href="01_a_rate.ipynb#1.2-Why">')
    '<a href="01_a_rate.html">'
    """
    return re.sub(r'href="(0[1-9]_\w+)\.ipynb(#[^"]*)?"', r'href="\1.html"', page)


def render(notebook: nbformat.NotebookNode, modules: Path) -> str:
    """Return the slides of a notebook as one HTML page."""
    exporter = SlidesExporter(
        template_name=TEMPLATE.name,
        extra_template_basedirs=[str(TEMPLATE.parent)],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    resources = {"deck": deck(modules, title(notebook))}
    page, _ = exporter.from_notebook_node(for_lecture(notebook), resources=resources)
    return between_lectures(page)


def lessons(arguments: list[str]) -> list[Path]:
    """Return the notebooks that are meant; the start page and the appendix are no lectures."""
    paths = [path for path in chosen(arguments) if not path.name.startswith(("00_", "A_"))]
    if not paths:
        raise Problem("the start page is no lesson, nor is the appendix: they have no slides")
    return paths


def main(arguments: list[str]) -> int:
    """Write the slides of the chosen lessons."""
    paths = lessons(arguments)
    modules = fetch(VENDOR)
    for path in paths:
        page = render(nbformat.read(path, as_version=4), modules)
        target = OUT / f"{path.stem}.html"
        write_atomically(target, page)
        print(f"{target.relative_to(ROOT)}: {len(page) / 1e6:.1f} MB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(plainly("slides", lambda: main(sys.argv[1:])))
