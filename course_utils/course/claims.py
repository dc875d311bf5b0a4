"""Claims on trial: the verdict boxes of the lessons and the ledger that they fill.

Five popular articles on the learning rate (`SOURCES`) make the claims, code examples, formulas,
printed tables, figures and lists of `claims.csv`. A lesson measures something and hands the
outcome to `trial`; the verdict follows from the measured booleans and is never typed. Each box
carries a machine-readable record in the notebook's output, and `ledger` reads those records back,
so that the ledger reports what the notebooks really measured.
"""

from __future__ import annotations

import csv
import json
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from course_utils import validate
from course_utils.views import tables

MIME = "application/vnd.learning-rate-course.claim+json"
"""The MIME type of the record that every box leaves in the notebook."""

SOURCES = {
    "000": "an article on the value, the scheduling and the size of the learning rate, with Keras",
    "001": "an article on ten ways of decaying the learning rate, with TensorFlow 1",
    "002": "an article on gradient descent on (w + 1)² at three learning rates, with TensorFlow 2",
    "003": "study notes on adaptive learning rates, after lectures by Hung-yi Lee",
    "004": "an article on choosing a learning rate for deep networks, with PyTorch",
}
"""The five articles, by the first part of an id."""

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
_STYLES = {
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
        id: the source, a letter of `KINDS` and a number, such as "002-C5".
        statement: one sentence that can be understood without the article.
        lessons: the numbers (1 to 7) of the lessons that may treat the row.

    Example:
        >>> claim = get("002-T2")
        >>> claim.source, claim.kind, claim.lessons
        ('002', 'T', (2,))
    """

    id: str
    statement: str
    lessons: tuple[int, ...]

    @property
    def source(self) -> str:
        """The number of the article, a key of `SOURCES`."""
        return self.id[:3]

    @property
    def kind(self) -> str:
        """The letter of the kind, a key of `KINDS`."""
        return self.id[4]


@cache
def _table() -> dict[str, Claim]:
    """All rows by id, read from the package data at the first use."""
    text = resources.files("course_utils.course").joinpath("claims.csv").read_text(encoding="utf-8")
    return {
        row["id"]: Claim(row["id"], row["statement"], tuple(map(int, row["lessons"].split())))
        for row in csv.DictReader(text.splitlines())
    }


def get(id: str) -> Claim:
    """Return the row with this id.

    Args:
        id: such as "002-C5".

    Example:
        >>> get("000-C16").statement
        'With a learning rate that is too small the model converges extremely slowly.'
    """
    rows = _table()
    if not isinstance(id, str) or id not in rows:
        raise ValueError(f"id must be one of the {len(rows)} ids of the claims table, got {id!r}")
    return rows[id]


def table(lesson: int | None = None, kind: str | None = None) -> list[Claim]:
    """Return the rows of one lesson, of one kind, of both, or all of them, in order.

    Args:
        lesson: a lesson number from 1 to 7, or None for all.
        kind: a key of `KINDS`, or None for all.

    Example:
        >>> [claim.id for claim in table(lesson=2, kind="T")]
        ['002-T1', '002-T2']
    """
    if lesson is not None:
        lesson = int(validate.between("lesson", validate.integer("lesson", lesson), 1, 7))
    if kind is not None:
        validate.one_of("kind", kind, KINDS)
    return [
        claim
        for claim in _table().values()
        if lesson in (None, *claim.lessons) and kind in (None, claim.kind)
    ]


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

    @property
    def summary(self) -> str:
        """The verdict with its condition, as a reader sees it."""
        return f"{self.verdict} {self.condition}".strip()


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
        return self.entries[0].summary

    @property
    def evidence(self) -> str:
        """The numbers measured, or a remark."""
        return self.entries[0].evidence

    def __repr__(self) -> str:
        symbol = _STYLES[self.verdict][0]
        lines = [f"{entry.id}  {get(entry.id).statement}" for entry in self.entries]
        if self.evidence:
            lines.append(f"{self._label}: {self.evidence}")
        lines.append(f"{symbol} {self.summary}")
        return "\n".join(textwrap.fill(line, _WIDTH, subsequent_indent="    ") for line in lines)

    @property
    def _label(self) -> str:
        return "Note" if self.verdict in (REBUILT, NOTED) else "Measured"

    def _repr_html_(self) -> str:
        symbol, color = _STYLES[self.verdict]
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
    if as_stated:
        return _box([id], HOLDS, evidence)
    if under_condition:
        return _box([id], ONLY_IF, evidence, condition)
    return _box([id], REFUTED, evidence)


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


@dataclass(frozen=True)
class Treatment:
    """One row of the ledger: the claim, the lesson that treated it, and what it found.

    Args:
        claim: the row of the claims table.
        lesson: the number of the lesson.
        entry: the record found in the lesson's stored output.
    """

    claim: Claim
    lesson: int
    entry: Entry


class Ledger(list):
    """A list of `Treatment`s that shows itself as a table."""

    def __repr__(self) -> str:
        return "\n".join(
            f"{row.claim.id:8} lesson {row.lesson:02}  {_STYLES[row.entry.verdict][0]} "
            f"{row.entry.summary}"
            for row in self
        )

    def _repr_html_(self) -> str:
        columns = ("id", "statement", "lesson", "verdict", "evidence")
        rows = (
            (
                row.claim.id,
                row.claim.statement,
                f"{row.lesson:02}",
                f"{_STYLES[row.entry.verdict][0]} {row.entry.summary}",
                row.entry.evidence,
            )
            for row in self
        )
        return tables.html(columns, rows)


def ledger(folder: str | Path) -> Ledger:
    """Return what the notebooks of a folder found, read from their stored outputs.

    Args:
        folder: a folder of notebooks named NN_title.ipynb, NN being the lesson.

    Returns:
        One row per claim and lesson, in the order of the claims table.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as empty:
        ...     len(ledger(empty))
        0
    """
    order = {id: number for number, id in enumerate(_table())}
    found = {
        (row["id"], lesson): Treatment(get(row["id"]), lesson, Entry(**row))
        for lesson, path in _notebooks(folder)
        for row in _records(path)
    }
    return Ledger(sorted(found.values(), key=lambda row: (order[row.claim.id], row.lesson)))


def untreated(folder: str | Path) -> list[str]:
    """Return the ids of all rows that no notebook of the folder has treated.

    Args:
        folder: as for `ledger`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as empty:
        ...     len(untreated(empty)) == len(table())
        True
    """
    treated = {row.claim.id for row in ledger(folder)}
    return [claim.id for claim in table() if claim.id not in treated]


def _notebooks(folder: str | Path) -> list[tuple[int, Path]]:
    """The lessons in a folder: (number, path), in order."""
    folder = validate.path("folder", folder)
    if not folder.is_dir():
        raise ValueError(f"folder must be an existing folder of notebooks, got {str(folder)!r}")
    return [(int(path.name[:2]), path) for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))]


def _records(path: Path) -> Iterator[dict[str, str]]:
    """The records of all boxes in the stored outputs of one notebook."""
    try:
        cells = list(json.loads(path.read_text(encoding="utf-8"))["cells"])
    except (ValueError, LookupError, TypeError) as error:  # empty, half merged, an old format
        told = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path.name} cannot be read as a notebook ({told})") from None
    for cell in cells:
        for output in cell.get("outputs", ()):
            for row in output.get("data", {}).get(MIME, {}).get("rows", ()):
                if row.get("id") not in _table() or row.get("verdict") not in _STYLES:
                    raise ValueError(f"{path.name} holds an unknown claim record: {row!r}")
                yield row


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
