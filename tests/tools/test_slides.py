"""Slides: what is shown, what goes into the notes, and that nothing is loaded from elsewhere."""

from __future__ import annotations

import base64
import doctest
import importlib
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from vendor import plainly

from course_utils import views

# By name: the folder slides/ that the tool writes would make linters take this for a package.
slides = importlib.import_module("slides")

PIXEL = "iVBORw0KGgo="


def markdown(source: str, slide: str) -> nbformat.NotebookNode:
    return new_markdown_cell(source, metadata={"slideshow": {"slide_type": slide}})


def code(
    source: str, slide: str, *tags: str, alt: str = "", text: str = ""
) -> nbformat.NotebookNode:
    outputs = []
    if alt:
        picture = views.Picture(base64.b64decode(PIXEL), alt, 1, None)
        data = {"text/html": picture._repr_html_(), "text/plain": alt}
        outputs = [new_output("execute_result", data, execution_count=1)]
    elif text:
        outputs = [new_output("stream", name="stdout", text=text)]
    metadata = {"slideshow": {"slide_type": slide}, "tags": list(tags)}
    return new_code_cell(source, metadata=metadata, outputs=outputs)


def alternatives(html: str) -> list[str]:
    found = []
    parser = HTMLParser()
    parser.handle_startendtag = parser.handle_starttag = lambda tag, attributes: (
        found.append(dict(attributes)["alt"]) if tag == "img" else None
    )
    parser.feed(html)
    return found


@pytest.fixture
def lesson() -> nbformat.NotebookNode:
    return new_notebook(
        cells=[
            markdown("# 7 · A lesson\n\nTitle", "slide"),
            code("import hidden", "skip"),
            markdown("Question with $x^2$", "slide"),
            code(
                "prediction = ...\nex.q.check(prediction)", "fragment", "exercise", text="not yet"
            ),
            code("shown()", "fragment", text="an output"),
            markdown("Explanation", "skip"),
            code("draw()", "slide", "hide-input", alt='A "curve" & a line'),
            code("claims.trial('002-C1')", "subslide", "hide-input", text="verdict"),
            markdown("**Teaching remark.** Ask.", "notes"),
            code("explorer = e()\nexplorer", "slide", text="live text"),
            code("explorer.static(lr=1)", "skip", alt="A still"),
        ]
    )


@pytest.fixture
def vendor(tmp_path: Path) -> Path:
    """Stand-ins for reveal.js and MathJax."""
    for name in slides.FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("@import url(font.css);\n/* </script> */", encoding="utf-8")
    return tmp_path


def test_the_examples_in_the_tool() -> None:
    assert doctest.testmod(slides).failed == 0


def test_what_is_shown_and_what_is_told(lesson: nbformat.NotebookNode) -> None:
    before = nbformat.writes(lesson)
    shown = {cell.source: slides.slide_type(cell) for cell in slides.for_lecture(lesson).cells}
    assert shown["prediction = ...\nex.q.check(prediction)"] == "skip"
    assert shown["Explanation"] == "notes"
    assert shown["claims.trial('002-C1')"] == "fragment"
    assert shown["explorer = e()\nexplorer"] == "skip"
    assert shown["explorer.static(lr=1)"] == "slide"
    assert nbformat.writes(lesson) == before  # the notebook itself is left alone


def test_a_full_slide_is_split() -> None:
    long = "\n".join(f"x{i} = {i}" for i in range(20))
    cells = [markdown("## 7.1 A section", "slide"), code(long, "fragment"), code(long, "fragment")]
    kinds = [slides.slide_type(c) for c in slides.for_lecture(new_notebook(cells=cells)).cells]
    assert kinds == ["slide", "fragment", "subslide"]


def test_a_long_table_shows_its_beginning() -> None:
    rows = [f"| row {n} | {'x' * 100} |" for n in range(30)]
    table = "\n".join(["**Title**", "", "| a | b |", "| --- | --- |", *rows])
    cell = code("table()", "slide")
    cell.outputs = [new_output("display_data", {"text/markdown": table, "text/plain": table})]
    (shown,) = slides.for_lecture(new_notebook(cells=[cell])).cells
    text = shown.outputs[0].data["text/markdown"]
    assert "row 8 " in text
    assert "row 9 " not in text
    assert text.endswith("*… and 21 more rows in the notebook.*")
    assert slides.shorten_table("\n".join(["| a |", "|---|", rows[0]])).endswith(rows[0])
    assert slides.shorten_table("no table\n" * 500) == "no table\n" * 500


# A formula relates or combines; a single letter or number between dollar signs does not count.
FORMULA = re.compile(r"[=<>^]|\\(to|gets|leftarrow|approx|le|ge|sim|frac|sum|prod|sqrt|cdot)\b")


def sights(cell: nbformat.NotebookNode) -> set[str]:
    """Return what a cell gives to look at: a figure, a formula, a table, what a program printed."""
    if cell.cell_type == "markdown":
        formula = any(FORMULA.search(part) for part in re.findall(r"\$+([^$]+)\$", cell.source))
        table = re.search(r"^\|[-:| ]+\|$", cell.source, re.MULTILINE)
        return ({"formula"} if formula else set()) | ({"table"} if table else set())
    found = set()
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if "image/png" in data:
            found.add("figure")
        elif "<table" in data.get("text/html", "") or "text/markdown" in data:
            found.add("table")
        elif "text/html" not in data:
            found.add("result")
    return found


def slides_of(notebook: nbformat.NotebookNode) -> list[set[str]]:
    """Return, for each slide of the lecture of a notebook, what there is to see on it."""
    seen: list[set[str]] = []
    for cell in slides.for_lecture(notebook).cells:
        kind = slides.slide_type(cell)
        if kind in ("slide", "subslide"):
            seen.append(set())
        if kind not in ("skip", "notes") and seen:
            seen[-1] |= sights(cell)
    return seen


SEEN = (
    (markdown("One letter: $x$, one number: $4.88$.", "slide"), set()),
    (markdown("The rate $\\eta_t = 1/t$", "slide"), {"formula"}),
    (markdown("| a | b |\n|---|---|\n| 1 | 2 |", "slide"), {"table"}),
    (code("draw()", "slide", alt="A figure"), {"figure"}),
    (code("print(1)", "slide", text="1"), {"result"}),
    (code("x = 1", "slide"), set()),
)


@pytest.mark.parametrize(("cell", "expected"), SEEN, ids=range(len(SEEN)))
def test_what_there_is_to_see(cell: nbformat.NotebookNode, expected: set[str]) -> None:
    assert slides_of(new_notebook(cells=[cell])) == [expected]


LESSONS = slides.lessons([])
# Lessons 6 and 7 try many claims with numbers that a program prints.
SHOWN = {"06": 0.3, "07": 0.45}


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lecture_has_the_right_length_and_something_to_see(path: Path) -> None:
    seen = slides_of(nbformat.read(path, as_version=4))
    assert 20 <= len(seen) <= 40
    shown = sum(bool(slide & {"figure", "formula", "table"}) for slide in seen)
    assert shown >= SHOWN.get(path.name[:2], 0.5) * len(seen)
    words_only = [n for n, slide in enumerate(seen, 1) if not slide]
    assert len(words_only) <= 0.3 * len(seen), f"nothing to see on the slides {words_only}"


def test_the_page(lesson: nbformat.NotebookNode, vendor: Path) -> None:
    page = slides.render(lesson, vendor)
    body = re.search(r'<div class="slides">(.*)</main>', page, re.DOTALL)[1]
    notes = " ".join(re.findall(r'<aside class="notes">(.*?)</aside>', body, re.DOTALL))
    assert "<title>7 · A lesson</title>" in page
    assert "Explanation" in notes
    assert "Ask." in notes
    for hidden in ("import hidden", "draw()", "not yet", "live text", "Out[", "In&nbsp;["):
        assert hidden not in body
    for shown in ("an output", "verdict", "$x^2$"):
        assert shown in body
    assert alternatives(body) == ['A "curve" & a line', "A still"]
    assert body.count("<section>") == body.count("</section>") == 4 + 4
    assert body.count('class="fit"') == 4


def outside(page: str) -> list[str]:
    """Return what a page would load from elsewhere when it is opened."""
    page = re.sub(r"(<script\b[^>]*>).*?</script>", r"\1", page, flags=re.DOTALL)
    loaded = re.findall(r"<(?:img|script|iframe|source|video)\b[^>]*?\bsrc=[\"']([^\"']+)", page)
    styles = re.findall(r"<link\b[^>]*?\bhref=[\"']([^\"']+)", page)
    css = "\n".join(re.findall(r"<style\b[^>]*>(.*?)</style>", page, re.DOTALL))
    imports = re.findall(r"@import ([^;]+);|url\([\"']?((?!data:|#)[^)\"']+)", css)
    imports = ["".join(pair) for pair in imports]
    return [name for name in styles + loaded + imports if not name.startswith("data:")]


def test_the_page_loads_nothing_from_elsewhere(lesson: nbformat.NotebookNode, vendor: Path) -> None:
    page = slides.render(lesson, vendor)
    assert outside(page) == []
    assert "<\\/script> */" in page  # a program cannot end its own element
    loading = '<img src="data:image/png;base64,AA"><link href="a.css"><script src="b.js">'
    assert outside(loading + "<style>@import url(c.css);</style>") == [
        "a.css",
        "b.js",
        "url(c.css)",
    ]


def test_the_start_page_is_no_lecture(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert all(not path.name.startswith(("00_", "A_")) for path in slides.lessons([]))
    assert plainly("slides", lambda: slides.main(["00"])) == 1
    assert "the start page is no lesson" in capsys.readouterr().err
