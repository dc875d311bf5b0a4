"""No statement of the articles is without verdict and check; no check is without a statement."""

import re
from collections import Counter

import pytest
from judging import NOTEBOOKS, boxes, judges, judging_tests

from course_utils.course import claims
from course_utils.lessons.appendix import verdicts

ROWS = verdicts.rulings()
BOXES = boxes()
TESTS = judging_tests()
SECTIONS = verdicts.sections(NOTEBOOKS)

# How many rows of each kind every article has; numbering starts at 1 but for the list 004-L0.
COUNTS = {
    "000": {"C": 31, "E": 4, "F": 1, "L": 1},
    "001": {"C": 16, "E": 1, "F": 8, "G": 7, "L": 1},
    "002": {"C": 9, "E": 3, "F": 3, "T": 3},
    "003": {"C": 38, "E": 1, "F": 5, "G": 8},
    "004": {"C": 26, "E": 1, "G": 2, "L": 1},
}
EXPECTED_IDS = {
    f"{article}-{kind}{number}"
    for article, kinds in COUNTS.items()
    for kind, count in kinds.items()
    for number in range(1, count + 1)
} | {"004-L0"}


def faults(complain):
    """Run a check on each row and list what it says, with the id."""
    return [f"{row.ids[0]}: {fault}" for row in ROWS for fault in complain(row)]


# --- the statements ------------------------------------------------------------------------------


def test_the_table_has_exactly_the_expected_statements():
    assert set(claims.table()) == EXPECTED_IDS and len(EXPECTED_IDS) == 171
    articles = [claim.source for claim in claims.table().values()]
    assert articles == sorted(articles) and set(articles) == set(verdicts.ARTICLES)
    statements = [claim.statement for claim in claims.table().values()]
    assert len(set(statements)) == len(statements)


KIND_WORDS = {"E": "Code:", "F": "Formula", "T": "Printed table:", "G": "Figure:", "L": "List:"}


@pytest.mark.parametrize("article", verdicts.ARTICLES)
def test_statements_are_clean(article):
    british = r"(isation|timis|colour|behaviour|centre|initialis|regularis|randomis)"
    verdict_words = r"✔|✘|◐|\b(wrong|wrongly|refuted|in fact|actually|contradict\w*|mistak\w*)\b"
    for claim in (claim for claim in claims.table().values() if claim.source == article):
        text = claim.statement
        assert text == " ".join(text.split()) and 20 <= len(text) <= 210 and text[0].isupper()
        assert text.endswith(".") and not re.search(r"[.!?] [A-Z]", text)  # one sentence
        assert not re.search("[\u3000-\u9fff\uff00-\uffef]", text)  # no quoted source text
        assert not re.search(british, text) and not re.search(verdict_words, text)
        for kind, word in KIND_WORDS.items():
            assert text.startswith(word) == (claim.kind == kind)


# --- the verdicts --------------------------------------------------------------------------------


def test_every_statement_has_one_verdict():
    assert Counter(id for row in ROWS for id in row.ids) == Counter(EXPECTED_IDS)


def test_rows_are_complete():
    def complain(row):
        kinds = {claims.get(id).kind for id in row.ids}
        texts = (row.condition, row.remark, row.reference, row.status)
        if row.verdict not in claims.STYLES:
            yield f"the verdict is {row.verdict!r}"
        if bool(row.condition) != (row.verdict == claims.ONLY_IF):
            yield "a condition belongs to “holds only if”, and to nothing else"
        if (row.verdict == claims.REBUILT) != ("C" not in kinds) and row.verdict != claims.NOTED:
            yield "rebuilt are things, and claims are judged"
        if "C" in kinds and kinds != {"C"}:
            yield "claims and things do not share a row"
        if row.verdict in (claims.REFUTED, claims.NOTED) and not row.remark:
            yield "what is true instead, or what there is to say, is missing"
        if row.status and not re.match(r"(in doubt|re-judged)\b.*: .", row.status):
            yield f"the status is {row.status!r}"
        if any(text != " ".join(text.split()) for text in texts):
            yield "stray spaces"
        for number in re.findall(r"arXiv:(\S+?)[;,]?(?:\s|$)", row.reference):
            if not re.fullmatch(r"\d{4}\.\d{4,5}", number):
                yield f"arXiv:{number}"

    assert faults(complain) == []


def test_every_row_has_a_check_that_judges_it_so():
    def complain(row):
        if not row.check and row.verdict != claims.NOTED:  # of advice there is nothing to measure
            yield "neither a test nor a box"
        for check in row.check:
            if not set(TESTS.get(check) or BOXES.get(check) or ()) & set(row.ids):
                yield f"{check} does not exist, or judges something else"
        if box := BOXES.get(row.check[0] if row.check else ""):
            record = next((box[id] for id in row.ids if id in box), row.__dict__)
            if (record["verdict"], record["condition"]) != (row.verdict, row.condition):
                yield f"the box says: {record['verdict']} {record['condition']}"

    assert faults(complain) == []


def test_a_judging_test_fails_where_the_table_says_something_else():
    assert verdicts.ruling("000-C6").verdict == "refuted"
    judges("000-C6")(lambda: False)()
    judges("000-C8")(lambda: (False, True))()
    judges("002-F1")(lambda: True)()
    for ids, measured in (("000-C6", True), ("000-C6", (False, True)), ("002-F1", False)):
        with pytest.raises(AssertionError):
            judges(ids)(lambda measured=measured: measured)()


def test_every_box_and_every_judging_test_is_named_by_its_rows():
    named = {(check, id) for row in ROWS for check in row.check for id in row.ids}
    there = {(check, id) for check, ids in (BOXES | TESTS).items() for id in ids}
    assert there - named == set()


def test_every_row_says_where_it_is_shown():
    assert all(row.shown for row in ROWS)
    assert faults(lambda row: set(row.shown) - set(SECTIONS)) == [], "no such sections"


def test_a_lesson_keeps_at_most_two_boxes():
    kept = Counter(where.partition(":")[0] for where in BOXES)
    assert max(kept.values()) <= 2


# --- how the appendix shows them -----------------------------------------------------------------


def test_every_row_stands_in_exactly_one_table():
    tables = [verdicts.Statements(a, NOTEBOOKS) for a in (verdicts.SHARED, *verdicts.ARTICLES)]
    assert Counter(row.ids for table in tables for row in table.rows) == Counter(
        row.ids for row in ROWS
    )


def test_a_table_links_escapes_and_says_it_in_words():
    table = verdicts.Statements("002", NOTEBOOKS)._repr_html_()
    assert "02_too_small_too_large.ipynb#2.1-" in table and "<b>refuted</b>" in table
    assert table.count("<tr>") == len(verdicts.Statements("002").rows) + 1
    with pytest.raises(ValueError, match="article must be one of"):
        verdicts.Statements("005")


def test_the_counts_add_up():
    *articles, total = verdicts.counts().rows
    for column in range(1, len(total)):
        assert sum(int(row[column]) for row in articles) == int(total[column])
    assert int(total[1]) == sum(map(int, total[2:])) == 171


def test_the_glossary_is_complete_and_in_simplified_characters():
    rows = verdicts.glossary().rows
    terms = [pair for row in rows for pair in (row[:2], row[2:]) if any(pair)]
    assert len(terms) >= 70 and len({english for english, _ in terms}) == len(terms)
    for english, chinese in terms:
        assert re.search("[\u4e00-\u9fff]", chinese) and not re.search("[\u4e00-\u9fff]", english)
        assert not set("學習調優極實驗標數據") & set(chinese)
