"""Tables are regular Markdown, or HTML that a screen reader can follow."""

from xml.etree import ElementTree

import pytest

from course_utils.views.tables import Page, TextTable, html, inline

COLUMNS, ROWS = ("<name>", "what"), [("a & b", "`x < 1`"), ("✓ ok", "")]


def test_a_table_in_html_has_headers_and_nothing_is_taken_for_a_tag():
    root = ElementTree.fromstring(html(COLUMNS, ROWS))
    shown = [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]
    assert shown == [["<name>", "what"], ["a & b", "x < 1"], ["✓ ok", ""]]
    assert [h.get("scope") for h in root.iter("th")] == ["col", "col", "row", "row"]
    assert [code.text for code in root.iter("code")] == ["x < 1"]


@pytest.mark.parametrize("symbol", "■□●○◐✓✔✗✘")
def test_symbols_are_not_read_out(symbol):
    root = ElementTree.fromstring(f"<p>{inline(f'{symbol * 2} ok')}</p>")
    (span,) = root
    assert (span.text, span.get("aria-hidden"), span.tail) == (symbol * 2, "true", " ok")


def test_a_page_is_its_tables_and_is_written_as_it_is_shown(tmp_path):
    page = Page("All", (TextTable(["a", "b"], [["1", "2"]], "First"), TextTable(["c"], [["3"]])))
    lines = page._repr_markdown_().splitlines()
    assert lines == ["**All**", "", "*First*", "", "| a | b |", "|---|---|", "| 1 | 2 |", "",
                     "| c |", "|---|", "| 3 |"]  # fmt: skip
    page.save(tmp_path / "page.md")
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == repr(page) + "\n"
