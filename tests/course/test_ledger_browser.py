"""The ledger is counted completely, filtered correctly, and hides nothing that is missing."""

import nbformat
import pytest

from course_utils.course import claims, ledger_browser
from course_utils.course.ledger_browser import LedgerBrowser


def write_notebook(folder, name, *boxes):
    outputs = [
        nbformat.v4.new_output("execute_result", box._repr_mimebundle_(), execution_count=1)
        for box in boxes
    ]
    cell = nbformat.v4.new_code_cell("", outputs=outputs, execution_count=1)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / name)


@pytest.fixture
def folder(tmp_path):
    refuted = claims.trial("002-C5", as_stated=False, evidence="431 < 432 steps")
    write_notebook(tmp_path, "01_a.ipynb", claims.rebuilt("002-T1", "002-F1"))
    write_notebook(
        tmp_path, "02_b.ipynb", refuted, claims.trial("003-C2", as_stated=True, evidence="x")
    )
    write_notebook(
        tmp_path, "04_d.ipynb", claims.trial("003-C2", as_stated=False, evidence="later")
    )
    return tmp_path


def test_counts_cover_every_row(folder):
    (table,) = ledger_browser.summary(folder).tables
    columns, rows = table.columns, table.rows
    assert table.heading == "Lessons that do not exist yet: 03, 05, 06, 07"
    for row in rows:
        assert int(row[1]) == sum(map(int, row[2:]))
    found = {row[0]: dict(zip(columns[1:], map(int, row[1:]))) for row in rows}
    assert found["all"]["rows"] == 171 and found["all"]["not treated yet"] == 167
    assert found["002"]["refuted"] == 1 and found["002"]["rebuilt"] == 2
    assert found["003"]["refuted"] == 1 and found["003"]["holds"] == 0  # the last lesson counts


def test_filters(folder):
    browser = LedgerBrowser(folder)
    assert len(browser.shown) == 5
    browser.source.value = "002"
    assert {row.claim.id for row in browser.shown} == {"002-C5", "002-F1", "002-T1"}
    browser.verdict.value = "refuted"
    assert [row.claim.id for row in browser.shown] == ["002-C5"]
    assert "431 &lt; 432 steps" in browser.page.value and "aria-live" in browser.page.value
    browser.source.value, browser.verdict.value = "all", "not treated yet"
    assert browser.shown == [] and browser.page.value.count("<li>") == 167


def test_it_says_what_is_missing(folder):
    browser = LedgerBrowser(folder)
    assert browser.missing == [3, 5, 6, 7]
    assert "167 rows not treated yet (no lesson 03, 05, 06, 07 yet)" in browser.state
    assert browser._repr_mimebundle_()["text/plain"].startswith(browser.state)
    for number in (3, 5, 6, 7):
        write_notebook(folder, f"{number:02}_x.ipynb")
    assert LedgerBrowser(folder).missing == []
    assert ledger_browser.summary(folder).tables[0].heading == "All seven lessons exist"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda b: b.select(source="005"), "source must be one of"),
        (lambda b: b.select(verdict="true"), "verdict must be one of"),
        (lambda b: b.waiting("x"), "source must be one of"),
        (lambda b: LedgerBrowser("no/such/folder"), "folder must be an existing folder"),
        (lambda b: ledger_browser.missing_lessons("no/such"), "folder must be an existing folder"),
    ],
)
def test_bad_input_is_named(folder, call, message):
    with pytest.raises(ValueError, match=message):
        call(LedgerBrowser(folder))
