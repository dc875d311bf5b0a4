"""Claims on trial: the statements of the articles, and the verdict boxes of the lessons.

Five popular articles on the learning rate make the claims, code examples, formulas, printed tables,
figures and lists of `claims.csv`. A lesson measures something and hands the outcome to `trial`; the
verdict follows from the measured booleans and is never typed. All verdicts are in the appendix
(`lessons.appendix`); each box carries a record in the notebook's output, and a test compares.
"""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from typing import Any

from course_utils import validate
from course_utils.views import tables

MIME = "application/vnd.learning-rate-course.claim+json"
"""The MIME type of the record that every box leaves in the notebook."""

KINDS = {
    "C": "claim",
    "E": "code example",
    "F": "formula",
    "T": "printed table",
    "G": "figure",
    "L": "list",
}
"""What the letter in an id stands for."""

HOLDS, ONLY_IF, REFUTED = "holds", "holds only if", "refuted"
REBUILT, NOTED = "rebuilt", "noted"

# The symbol beside the word, and a color that can be seen on white and on black paper (at least
# 3 to 1): the colors of JupyterLab's own themes for warnings and borders are too pale on white.
STYLES = {
    HOLDS: ("✔", "#009e73"),
    ONLY_IF: ("◐", "#b87a00"),
    REFUTED: ("✘", "#d55e00"),
    REBUILT: ("■", "#0072b2"),
    NOTED: ("●", "#888888"),
}
_WIDTH = 88


@dataclass(frozen=True)
class Claim:
    """One row of the table: what an article says, in our words and without a verdict.

    Args:
        id: the article, a letter of `KINDS` and a number, such as "002-C5".
        statement: one sentence that can be understood without the article.

    Example:
        >>> claim = get("002-T2")
        >>> claim.source, claim.kind
        ('002', 'T')
    """

    id: str
    statement: str

    @property
    def source(self) -> str:
        """The number of the article, such as "002"."""
        return self.id[:3]

    @property
    def kind(self) -> str:
        """The letter of the kind, a key of `KINDS`."""
        return self.id[4]


def read_csv(package: str, name: str) -> list[dict[str, str]]:
    """Return the rows of a table that comes with a package.

    Example:
        >>> read_csv("course_utils.course", "claims.csv")[0]["id"]
        '000-C1'
    """
    text = resources.files(package).joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def table() -> dict[str, Claim]:
    """Return all rows by id, in the order of the articles.

    Example:
        >>> len(table()), list(table())[0]
        (171, '000-C1')
    """
    return {row["id"]: Claim(**row) for row in read_csv("course_utils.course", "claims.csv")}


def get(id: str) -> Claim:
    """Return the row with this id.

    Args:
        id: such as "002-C5".

    Example:
        >>> get("000-C16").statement
        'With a learning rate that is too small the model converges extremely slowly.'
    """
    rows = table()
    if not isinstance(id, str) or id not in rows:
        raise ValueError(f"id must be one of the {len(rows)} ids of the claims table, got {id!r}")
    return rows[id]


def decide(as_stated: bool, under_condition: bool = False) -> str:
    """Return the verdict that two measurements give.

    Args:
        as_stated: whether the measurement agrees with the claim as the article makes it.
        under_condition: whether it agrees under a condition that the article does not name.

    Example:
        >>> decide(True), decide(False, True), decide(False)
        ('holds', 'holds only if', 'refuted')
    """
    if validate.boolean("as_stated", as_stated):
        return HOLDS
    return ONLY_IF if validate.boolean("under_condition", under_condition) else REFUTED


@dataclass(frozen=True)
class Entry:
    """What one lesson found about one row: the record inside a box.

    Args:
        id: the id of the row.
        kind: a key of `KINDS`.
        verdict: "holds", "holds only if", "refuted", "rebuilt" or "noted".
        evidence: the numbers measured, or a remark.
        condition: the text after "holds only if", otherwise "".
    """

    id: str
    kind: str
    verdict: str
    evidence: str
    condition: str = ""


@dataclass(frozen=True)
class Verdict:
    """A box in a lesson: entries that share one verdict, as text, as HTML and as a record.

    Args:
        entries: one entry, or several rows that were rebuilt together.
    """

    entries: tuple[Entry, ...]

    @property
    def verdict(self) -> str:
        """ "holds", "holds only if", "refuted", "rebuilt" or "noted"."""
        return self.entries[0].verdict

    @property
    def summary(self) -> str:
        """The verdict with its condition, as a reader sees it."""
        return f"{self.verdict} {self.entries[0].condition}".strip()

    @property
    def evidence(self) -> str:
        """The numbers measured, or a remark."""
        return self.entries[0].evidence

    def __repr__(self) -> str:
        symbol = STYLES[self.verdict][0]
        lines = [f"{entry.id}  {get(entry.id).statement}" for entry in self.entries]
        if self.evidence:
            lines.append(f"{self._label}: {self.evidence}")
        lines.append(f"{symbol} {self.summary}")
        return "\n".join(textwrap.fill(line, _WIDTH, subsequent_indent="    ") for line in lines)

    @property
    def _label(self) -> str:
        return "Note" if self.verdict in (REBUILT, NOTED) else "Measured"

    def _repr_html_(self) -> str:
        symbol, color = STYLES[self.verdict]
        lines = [
            f"<div><b>{entry.id}</b>&ensp;<i>{tables.inline(get(entry.id).statement)}</i></div>"
            for entry in self.entries
        ]
        if self.evidence:
            lines.append(f"<div>{self._label}: {tables.inline(self.evidence)}</div>")
        lines.append(
            f'<div><span style="color: {color}" aria-hidden="true">{symbol}</span>'
            f" <b>{tables.inline(self.summary)}</b></div>"
        )
        style = (
            f"border-left: 4px solid {color}; "
            "padding: 0.3em 0.9em; margin: 0.4em 0; max-width: 60em; line-height: 1.5"
        )
        return f'<div style="{style}">' + "".join(lines) + "</div>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {
            "text/plain": repr(self),
            "text/html": self._repr_html_(),
            MIME: {"rows": [asdict(entry) for entry in self.entries]},
        }


def trial(
    id: str,
    *,
    as_stated: bool,
    evidence: str,
    only_if: tuple[str, bool] | None = None,
) -> Verdict:
    """Return the verdict on a claim, computed from what was measured.

    "holds" where `as_stated` is true; else "holds only if ..." where the condition of `only_if` is
    true; else "refuted".

    Args:
        id: the id of a claim (kind C).
        as_stated: whether the measurement agrees with the claim as the source makes it.
        evidence: the numbers just measured.
        only_if: a condition in words, and whether the claim held in the measurement made under
            that condition.

    Example:
        >>> trial("000-C16", as_stated=4346 > 10 * 431, evidence="4346 steps at 0.001, 431 at 0.01")
        000-C16  With a learning rate that is too small the model converges extremely slowly.
        Measured: 4346 steps at 0.001, 431 at 0.01
        ✔ holds
    """
    _of_kind("trial", get(id), "C")
    as_stated = validate.boolean("as_stated", as_stated)
    evidence = _text("evidence", evidence)
    condition, under_condition = "", False
    if only_if is not None:
        if not isinstance(only_if, tuple) or len(only_if) != 2:
            raise TypeError(f"only_if must be a pair (text, bool), got {only_if!r}")
        condition = _text("only_if[0]", only_if[0])
        under_condition = validate.boolean("only_if[1]", only_if[1])
    verdict = decide(as_stated, under_condition)
    return _box([id], verdict, evidence, condition if verdict == ONLY_IF else "")


def rebuilt(*ids: str, note: str = "") -> Verdict:
    """Return the mark of code examples, formulas, tables, figures and lists that a lesson rebuilt.

    Args:
        ids: one or more ids of kind E, F, T, G or L.
        note: how the rebuilt thing differs from the original, or how well it agrees.

    Example:
        >>> rebuilt("002-F1", note="written out in the notebook")
        002-F1  Formula of gradient descent: w ← w − lr · ∂loss/∂w.
        Note: written out in the notebook
        ■ rebuilt
    """
    if not ids:
        raise ValueError("ids must contain at least one id, got none")
    for id in ids:
        _of_kind("rebuilt", get(id), "EFTGL")
    return _box(ids, REBUILT, _text("note", note, empty_allowed=True))


def noted(id: str, text: str) -> Verdict:
    """Return the mark of a definition, a piece of advice or a list that cannot be tested.

    Args:
        id: an id of kind C or L.
        text: what the lesson says about it.

    Example:
        >>> noted("000-C10", "Lesson 02 says what too small and too large mean.")
        000-C10  The initial learning rate should be neither too large nor too small.
        Note: Lesson 02 says what too small and too large mean.
        ● noted
    """
    _of_kind("noted", get(id), "CL")
    return _box([id], NOTED, _text("text", text))


def _box(ids: Iterable[str], verdict: str, evidence: str, condition: str = "") -> Verdict:
    entries = (Entry(id, get(id).kind, verdict, evidence, condition) for id in ids)
    return Verdict(tuple(entries))


def _of_kind(function: str, claim: Claim, kinds: str) -> None:
    if claim.kind not in kinds:
        allowed = ", ".join(f"{kind} ({KINDS[kind]})" for kind in kinds)
        raise ValueError(f"{function} takes ids of kind {allowed}, got {claim.id!r}")


def _text(name: str, value: Any, empty_allowed: bool = False) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {value!r}")
    text = " ".join(value.split())
    if not text and not empty_allowed:
        raise ValueError(f"{name} must say something, got {value!r}")
    return text
