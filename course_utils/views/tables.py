"""Tables of texts: Markdown where cells hold formulas, HTML where they hold what a machine said."""

from __future__ import annotations

import html as escaping
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import PathLike

from course_utils.run import write_atomically

_SYMBOLS = re.compile("[■□●○◐✓✔✗✘]+")  # a screen reader would read out their names


@dataclass(frozen=True)
class TextTable:
    """A table that shows itself as Markdown; a bar in a formula is written `\\vert`.

    Example:
        >>> TextTable(("name", "formula"), [("cosine", "$1 + 1$")])
        | name | formula |
        |---|---|
        | cosine | $1 + 1$ |
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    heading: str = ""

    def __repr__(self) -> str:
        head, *body = [f"| {' | '.join(line)} |" for line in (self.columns, *self.rows)]
        above = [f"*{self.heading}*\n"] if self.heading else []
        return "\n".join([*above, head, "|" + "---|" * len(self.columns), *body])

    _repr_markdown_ = __repr__


@dataclass(frozen=True)
class Page:
    """Tables under one title.

    Example:
        >>> print(Page("Rates", (TextTable(["rule", "rate"], [["Adam", "0.001"]], "Defaults"),)))
        **Rates**
        <BLANKLINE>
        *Defaults*
        <BLANKLINE>
        | rule | rate |
        |---|---|
        | Adam | 0.001 |
    """

    title: str
    tables: Sequence[TextTable]

    def __repr__(self) -> str:
        return "\n\n".join([f"**{self.title}**", *map(repr, self.tables)])

    _repr_markdown_ = __repr__

    def save(self, path: str | PathLike[str]) -> None:
        """Write the page to a Markdown file, to be printed."""
        write_atomically(path, f"{self}\n")


def html(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table as HTML, whatever the cells hold; the first of each row is its header.

    Example:
        >>> html(["what"], [["<b>"]]).partition("<tbody>")[2]
        '<tr><th scope="row" style="text-align: left">&lt;b&gt;</th></tr></tbody></table>'
    """
    left = 'style="text-align: left"'
    head = "".join(f'<th scope="col" {left}>{inline(name)}</th>' for name in columns)
    body = "".join(
        f'<tr><th scope="row" {left}>{inline(first)}</th>'
        + "".join(f"<td {left}>{inline(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def inline(text: str) -> str:
    """Return text as HTML: `backticks` as code, symbols hidden from screen readers.

    Example:
        >>> inline("✓ `a < b`")
        '<span aria-hidden="true">✓</span> <code>a &lt; b</code>'
    """
    code = re.sub(r"`([^`]+)`", r"<code>\1</code>", escaping.escape(text))
    return _SYMBOLS.sub(r'<span aria-hidden="true">\g<0></span>', code)
