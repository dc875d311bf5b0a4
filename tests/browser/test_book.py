"""The book in a real browser without a network: formulas, search, links, narrow screens."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import desk
import pytest
import vendor
from serving import Server

book = importlib.import_module("book")  # by name: see tests/tools/test_book.py
MATHJAX = vendor.VENDOR / "node_modules" / vendor.MATHJAX
SIZES = {"desk": (1280, 900), "phone": (390, 844)}

LOOK = """() => ({
  formulas: document.querySelectorAll('.math').length,
  drawn: document.querySelectorAll('.math mjx-container svg').length,
  wrong: document.querySelectorAll('mjx-merror, [data-mjx-error]').length,
  blind: [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src),
  mute: [...document.images].filter(i => !i.alt).map(i => i.src),
  tooWide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
})"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lacking = [name for name in book.TOOLS if book.find_spec(name) is None]
    if lacking or not MATHJAX.is_file():
        pytest.skip("`make book` has not been given here, so its tools or MathJax are missing.")
    folder = tmp_path_factory.mktemp("book") / "html"
    assert book.make(folder, book.ROOT / "notebooks", MATHJAX) == []
    return folder


@pytest.fixture(scope="module")
def address(folder: Path):
    with Server(folder) as server:
        yield f"{server.address}/"


def listen(page, base: str) -> list[str]:
    """Return the list in which everything that goes wrong on a page will be noted."""
    heard: list[str] = []

    def requested(request) -> None:
        if not request.url.startswith((base, "data:")):
            heard.append(f"outside: {request.url[:120]}")

    page.on("console", lambda m: m.type == "error" and heard.append(m.text[:200]))
    page.on("pageerror", lambda error: heard.append(str(error)[:200]))
    page.on("requestfailed", lambda request: heard.append(f"failed: {request.url}"))
    page.on("request", requested)
    return heard


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["http", "file"])
def test_every_page(folder: Path, address: str, open_page, size: str, scheme: str) -> None:
    base = address if scheme == "http" else f"{folder.as_uri()}/"
    screenshots = desk.ARTIFACTS / "book"
    screenshots.mkdir(parents=True, exist_ok=True)
    page = open_page()
    page.set_viewport_size(dict(zip(("width", "height"), SIZES[size], strict=True)))
    heard = listen(page, base)
    for path in sorted(folder.glob("*.html")):
        page.goto(base + path.name, wait_until="load")
        page.evaluate("() => window.MathJax ? MathJax.startup.promise : null")
        seen = page.evaluate(LOOK)
        assert heard == [], path.name
        assert seen["drawn"] == seen["formulas"], path.name
        assert seen["wrong"] == 0, path.name
        assert seen["blind"] == [], path.name
        assert seen["mute"] == [], path.name
        assert seen["tooWide"] <= 0, path.name
        page.screenshot(path=screenshots / f"{scheme}-{size}-{path.stem}.png")
    page.close()


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_search_and_the_way_back(folder: Path, address: str, open_page, scheme: str) -> None:
    base = address if scheme == "http" else f"{folder.as_uri()}/"
    page = open_page()
    heard = listen(page, base)
    page.goto(base + "index.html")
    page.fill("input[name=q]", "warm-up")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results li a")
    lesson = page.locator("#search-results li > a", has_text="5 ·")
    lesson.click()
    page.wait_for_selector("h1:has-text('Scheduling')")
    assert page.locator("a.notebook-file").get_attribute("href").startswith("notebooks/05_")
    if scheme == "http":  # a page that was opened as a file shows the file instead
        with page.expect_download() as downloaded:
            page.click("a.notebook-file")
        kept = book.ROOT / "notebooks" / downloaded.value.suggested_filename
        assert Path(downloaded.value.path()).read_bytes() == kept.read_bytes()
    assert heard == []
    page.close()


def test_a_missing_formula_would_be_noticed(folder: Path, open_page, tmp_path: Path) -> None:
    broken = tmp_path / "html"
    shutil.copytree(folder, broken)
    shutil.rmtree(broken / "_static" / "mathjax")
    page = open_page()
    heard = listen(page, f"{broken.as_uri()}/")
    page.goto(f"{broken.as_uri()}/01_fixed_learning_rate.html")
    seen = page.evaluate(LOOK)
    assert seen["drawn"] < seen["formulas"]
    assert any("tex-svg-full.js" in line for line in heard)
    page.close()
