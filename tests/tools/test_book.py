"""The book: what a page shows, that it is complete, and that it needs no other host."""

from __future__ import annotations

import base64
import doctest
import importlib
import importlib.util
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pictures
import pytest
import vendor
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_utils import views

# By name: the folder book/ that the tool writes would make linters take this for a package.
book = importlib.import_module("book")

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
ALT = 'A "curve" & a line that fall to 3'
CLAIM = "application/vnd.learning-rate-course.claim+json"


def result(data: dict):
    return new_output("execute_result", data, execution_count=1)


def lesson() -> NotebookNode:
    live = {book.WIDGET_VIEW: {"model_id": "dead-1"}, "text/plain": "VBox(children=())"}
    html = views.Picture(base64.b64decode(PIXEL), ALT, 1, None)._repr_html_()
    picture = {"text/html": html, "text/plain": ALT}
    verdict = {CLAIM: {}, "text/html": "<div><b>002-C1</b> holds</div>", "text/plain": "holds"}
    cells = [
        new_markdown_cell(
            "# 1 · A lesson\n\n*Why?*\n\n| Section | Minutes |\n|---|---|\n| 1.1 | 5 |\n"
        ),
        new_markdown_cell("## 1.1 Part\n\nA warm-up with $\\eta^2$, see [below](#The-end).\n"),
        new_code_cell("print(7)", outputs=[new_output("stream", name="stdout", text="seven\n")]),
        new_code_cell("rate_explorer", outputs=[result(live)]),
        new_code_cell("other(1)", outputs=[result(live)]),
        new_code_cell("draw()", outputs=[result(picture)]),
        new_code_cell("claims.trial('002-C1')", outputs=[result(verdict)]),
        new_code_cell("ex.q.check(...)", outputs=[result({"text/plain": "○ not attempted yet"})]),
        new_markdown_cell("**Teaching remark.** Ask the room.\n"),
        new_markdown_cell("## The end\n\nBye.\n"),
    ]
    cells[5].metadata["tags"] = ["hide-input"]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    python = {"name": "python", "pygments_lexer": "ipython3"}
    notebook = new_notebook(cells=cells, metadata={"language_info": python})
    return notebook


def outputs_of(page: dict, source: str) -> list[dict]:
    return next(cell["outputs"] for cell in page["cells"] if cell["source"] == source)


@pytest.mark.parametrize("module", [book, vendor, pictures])
def test_the_examples_in_the_tools(module) -> None:
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


# --- one page -----------------------------------------------------------------------------------


def test_a_lesson_that_runs_in_the_browser_is_linked_where_that_is_published() -> None:
    def first(*where: str) -> str:
        return book.page(lesson(), *where)["cells"][0]["source"]

    there = 'href="https://course.test/lite/lab/index.html?path=01_a.ipynb"'
    assert there in first("01_a.ipynb", "https://course.test")
    assert "live-page" not in first("06_a.ipynb", "https://course.test")
    assert "live-page" not in first("01_a.ipynb")


def test_nothing_is_left_of_a_widget() -> None:
    page = book.page(lesson(), "01_a.ipynb")
    assert outputs_of(page, "other(1)") == []
    assert outputs_of(page, "rate_explorer") == [book.live_note()]
    assert "dead-1" not in json.dumps(page)
    assert "VBox" not in json.dumps(page)


def test_what_a_page_cannot_show_is_left_out_and_the_rest_stays() -> None:
    page = book.page(lesson(), "01_a.ipynb")
    (verdict,) = outputs_of(page, "claims.trial('002-C1')")
    assert verdict["data"].keys() == {"text/html", "text/plain"}
    assert outputs_of(page, "ex.q.check(...)") == []
    assert outputs_of(page, "print(7)")[0]["text"] == "seven\n"


def test_a_picture_is_a_file_with_its_words_and_not_a_part_of_the_page() -> None:
    page = book.page(lesson(), "01_a.ipynb")
    (drawn,) = (cell for cell in page["cells"] if cell["source"] == "draw()")
    (picture,) = drawn["outputs"]
    assert picture["data"] == {"image/png": PIXEL, "text/plain": ALT}
    assert drawn["metadata"]["mystnb"] == {"image": {"alt": ALT}}


def test_a_page_links_to_its_notebook_below_the_title() -> None:
    first = book.page(lesson(), "01_a.ipynb")["cells"][0]["source"].splitlines()
    assert first[0] == "# 1 · A lesson"
    assert 'href="notebooks/01_a.ipynb"' in first[2]


def test_the_notebook_itself_is_left_alone() -> None:
    notebook = lesson()
    book.page(notebook, "01_a.ipynb")
    assert notebook == lesson()


# --- the whole book -----------------------------------------------------------------------------

needs_sphinx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in book.TOOLS),
    reason="Sphinx, MyST-NB and Furo are not installed; the first `make book` installs them.",
)


class Site(HTMLParser):
    """What a page contains: ids, links, what it loads, pictures."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.alternatives: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list) -> None:
        values = dict(attributes)
        self.ids.add(values.get("id", ""))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in ("script", "img", "iframe") and "src" in values:
            self.loaded.append(values["src"])
        if tag == "link" and values.get("rel") in ("stylesheet", "icon", "shortcut icon"):
            self.loaded.append(values["href"])
        if tag == "img":
            self.alternatives.append(values.get("alt", ""))


def dead_ends(folder: Path) -> list[str]:
    """Links and files that a book names and does not have."""
    pages = {path.name: Site(path) for path in folder.glob("*.html")}
    found = []
    for name, site in pages.items():
        for target in site.links + site.loaded:
            if re.match(r"(https?:)?//|mailto:|data:|javascript:", target):
                continue
            file, _, anchor = target.partition("#")
            file = unquote(file.partition("?")[0]) or name
            if not (folder / file).is_file():
                found.append(f"{name}: {target}: no such file")
            elif anchor and file in pages and unquote(anchor) not in pages[file].ids:
                found.append(f"{name}: {target}: no such place")
    return found


def loads_from_elsewhere(folder: Path) -> list[str]:
    loaded = [target for path in folder.rglob("*.html") for target in Site(path).loaded]
    return [target for target in loaded if re.match(r"(https?:)?//", target)]


@pytest.fixture(scope="module")
def small_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    (notebooks / "01_a.ipynb").write_text(json.dumps(lesson()), encoding="utf-8")
    guide = "# Guide\n\nFor [lesson 1](01_a.ipynb#1.1-Part), see [setup](#setting-up).\n"
    guide += "\n## Setting up\n\nx\n"
    (notebooks / "INSTRUCTOR.md").write_text(guide, encoding="utf-8")
    (folder / "mathjax.js").write_text("// stands for MathJax", encoding="utf-8")
    assert book.make(folder / "html", notebooks, folder / "mathjax.js") == []
    return folder / "html"


@needs_sphinx
def test_a_book_of_one_lesson(small_book: Path) -> None:
    html = (small_book / "01_a.html").read_text(encoding="utf-8")
    for shown in ("seven", "002-C1", "Ask the room", book.LIVE, r"\(\eta^2\)", "Show the code"):
        assert shown in html
    for hidden in ("VBox", "not attempted", "vnd.", "requirejs", "Teaching remark"):
        assert hidden not in html
    assert ALT in Site(small_book / "01_a.html").alternatives
    assert (small_book / "notebooks" / "01_a.ipynb").read_text() == json.dumps(lesson())


@needs_sphinx
def test_the_book_is_complete_and_needs_no_other_host(small_book: Path) -> None:
    assert dead_ends(small_book) == []
    assert loads_from_elsewhere(small_book) == []
    assert {path.name for path in small_book.glob("*.html")} == {
        *("index.html", "01_a.html", "INSTRUCTOR.html", "search.html")
    }


@needs_sphinx
def test_words_can_be_found(small_book: Path) -> None:
    index = (small_book / "searchindex.js").read_text(encoding="utf-8")
    terms = json.loads(re.fullmatch(r"Search\.setIndex\((.*)\)", index)[1])["terms"]
    assert "warm" in terms
    assert "seven" in terms  # in an output


@needs_sphinx
def test_the_checks_of_the_book_complain(small_book: Path, tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_text('<p id="x"><a href="b.html">b</a><a href="#y">y</a><a href="#x">x</a>')
    assert dead_ends(tmp_path) == ["a.html: b.html: no such file", "a.html: #y: no such place"]
    page.write_text('<a href="//b.org"><script src="//cdn.example/x.js"></script>')
    assert loads_from_elsewhere(tmp_path) == ["//cdn.example/x.js"]


@needs_sphinx
def test_a_broken_link_is_a_complaint(tmp_path: Path) -> None:
    notebook = lesson()
    notebook["cells"][1]["source"] = "## 1.1 Part\n\n[nowhere](#no-such-place)\n"
    (tmp_path / "01_a.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    (tmp_path / "mathjax.js").touch()
    complaints = book.make(tmp_path / "html", tmp_path, tmp_path / "mathjax.js")
    assert any("no-such-place" in complaint for complaint in complaints)


# --- what is missing is said --------------------------------------------------------------------


def test_without_its_tools_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(book, "find_spec", lambda name: None)
    assert vendor.plainly("book", book.main) == 1
    assert "not installed: sphinx, myst_nb, furo" in capsys.readouterr().err


def test_without_npm_the_old_book_stays(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    def no_npm(folder: Path) -> Path:
        raise vendor.Problem("there is no npm here")

    (tmp_path / "index.html").touch()
    monkeypatch.setattr(book, "OUT", tmp_path)
    monkeypatch.setattr(book, "find_spec", lambda name: name)
    monkeypatch.setattr(vendor, "fetch", no_npm)
    assert vendor.plainly("book", book.main) == 1
    assert capsys.readouterr().err == "make book: there is no npm here\n"
    assert (tmp_path / "index.html").exists()
