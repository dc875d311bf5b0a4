"""The verdict on every statement of the five articles, read from `verdicts.csv`.

One row per statement; what several articles say stands once, with all its ids. The appendix shows
the rows, and `tests/claims` holds each verdict against what its check finds: a test there, or the
verdict box of a lesson.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from os import PathLike
from pathlib import Path

from course_utils import validate
from course_utils.course import claims
from course_utils.views import tables

SHARED = "shared"


ARTICLES = ("000", "001", "002", "003", "004")
"""The five articles; their titles, authors and addresses stand at the top of the appendix."""


@dataclass(frozen=True)
class Ruling:
    """One row: a statement, the verdict, and where to see it.

    Args:
        ids: one id, or several that say the same; the statement shown is that of the first.
        verdict: "holds", "holds only if", "refuted", "rebuilt" or "noted".
        condition: what follows "holds only if", otherwise "".
        remark: what is true instead, or what else there is to say.
        reference: where to read it, "" where the course is the evidence.
        shown: sections of lessons ("2.3") or of the appendix ("A.4").
        check: what holds the verdict: tests ("test_x.py::test_y") or cells with a box
            ("03:0123abcd"), the decisive one first. A note needs none.
        status: "re-judged: why", "in doubt: why", or "".
    """

    ids: tuple[str, ...]
    verdict: str
    condition: str
    remark: str
    reference: str
    shown: tuple[str, ...]
    check: tuple[str, ...]
    status: str

    @property
    def statement(self) -> str:
        """What the article says, in our words."""
        return claims.get(self.ids[0]).statement

    @property
    def articles(self) -> tuple[str, ...]:
        """The numbers of the articles that say it."""
        return tuple(sorted({id[:3] for id in self.ids}))


@cache
def rulings() -> tuple[Ruling, ...]:
    """Return all rows, in the order of the file.

    Example:
        >>> sum(len(row.ids) for row in rulings()) == len(claims.table())
        True
    """
    several = ("ids", "shown", "check")
    return tuple(
        Ruling(**{k: tuple(v.split()) if k in several else v for k, v in row.items()})
        for row in claims.read_csv("course_utils.lessons.appendix", "verdicts.csv")
    )


def ruling(id: str) -> Ruling:
    """Return the row that holds this statement.

    Args:
        id: such as "002-C5".

    Example:
        >>> ruling("002-C5").verdict
        'refuted'
    """
    claims.get(id)  # names the id where there is no such statement
    return next(row for row in rulings() if id in row.ids)


def counts() -> tables.TextTable:
    """Count the statements of each article by verdict.

    Example:
        >>> counts().rows[-1][:2]
        ('all', '171')
    """
    rows = []
    for number in (*ARTICLES, ""):
        words = [ruling(id).verdict for id in claims.table() if id.startswith(number)]
        found = (str(words.count(verdict)) for verdict in claims.STYLES)
        rows.append((number or "all", str(len(words)), *found))
    marked = (f"{symbol} {verdict}" for verdict, (symbol, _) in claims.STYLES.items())
    return tables.TextTable(("article", "statements", *marked), rows)


def sections(folder: str | PathLike[str]) -> dict[str, str]:
    """Return where each numbered section of the notebooks in a folder is: {"2.3": link}.

    Args:
        folder: with notebooks named NN_title.ipynb, and A_title.ipynb.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as empty:
        ...     sections(empty)
        {}
    """
    found = {}
    for path in sorted(Path(validate.path("folder", folder)).glob("*_*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        prose = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
        for title in re.findall(r"^## +((?:\d+|A)\.\d+ .+?)\s*$", prose, re.MULTILINE):
            found[title.split()[0]] = f"{path.name}#{title.replace(' ', '-')}"
    return found


class Statements:
    """The statements of one article, or those that several share, as a table.

    Args:
        article: a number, or "shared".
        folder: of the notebooks, for the links.

    Example:
        >>> Statements("002")  # doctest: +ELLIPSIS
        Article 002: 1... statements of its own: ...
    """

    def __init__(self, article: str, folder: str | PathLike[str] = ".") -> None:
        validate.one_of("article", article, (*ARTICLES, SHARED))
        self.article = article
        self.rows = [
            row
            for row in rulings()
            if (row.articles == (article,) if article != SHARED else len(row.articles) > 1)
        ]
        self._links = sections(folder)

    def __repr__(self) -> str:
        words = [row.verdict for row in self.rows]
        found = ", ".join(f"{words.count(v)} {v}" for v in claims.STYLES if v in words)
        if self.article == SHARED:
            return f"{len(self.rows)} statements of several articles: {found}"
        return f"Article {self.article}: {len(self.rows)} statements of its own: {found}"

    def _repr_html_(self) -> str:
        columns = (("What it says", 42), ("Verdict", 44), ("See", 14))
        head = "".join(
            f'<th scope="col" style="{_CELL}; width: {width}%">{name}</th>'
            for name, width in columns
        )
        body = "".join(map(self._row, self.rows))
        style = "table-layout: fixed; width: 100%; min-width: 0; max-width: 75em"
        head = f"<thead><tr>{head}</tr></thead>"
        return f'<table style="{style}">{head}<tbody>{body}</tbody></table>'

    def _row(self, row: Ruling) -> str:
        symbol, color = claims.STYLES[row.verdict]
        says = f"{tables.inline(row.statement)}<br><small>{', '.join(row.ids)}</small>"
        told = [
            f'<span style="color: {color}" aria-hidden="true">{symbol}</span> '
            f"<b>{row.verdict}</b> {tables.inline(row.condition)}".rstrip()
        ]
        told += [tables.inline(row.remark)] if row.remark else []
        told += [f"<i>{tables.inline(_capital(row.status))}</i>"] if row.status else []
        told += [f"<small>{html.escape(row.reference)}</small>"] if row.reference else []
        where = ", ".join(map(self._link, row.shown))
        if row.check:
            kind = "test" if row.check[0].startswith("test_") else "box"
            where += f'<br><small title="{html.escape(row.check[0])}">{kind}</small>'
        return (
            f'<tr><th scope="row" style="{_CELL}; font-weight: normal">{says}</th>'
            f'<td style="{_CELL}">{"<br>".join(told)}</td><td style="{_CELL}">{where}</td></tr>'
        )

    def _link(self, section: str) -> str:
        target = self._links.get(section)
        return f'<a href="{html.escape(target)}">{section}</a>' if target else section


_CELL = "text-align: left; vertical-align: top; white-space: normal; overflow-wrap: break-word"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def glossary() -> tables.TextTable:
    """Return the terms of the course in English and in simplified Chinese, two to a line.

    Example:
        >>> glossary().rows[0][:2]
        ('learning rate (step size)', '学习率(步长)')
    """
    terms: Sequence[tuple[str, str]] = [
        (row["english"], row["chinese"])
        for row in claims.read_csv("course_utils.lessons.appendix", "glossary.csv")
    ]
    half = (len(terms) + 1) // 2
    rows = [a + b for a, b in zip(terms[:half], [*terms[half:], ("", "")])]
    return tables.TextTable(("English", "简体中文") * 2, rows)
