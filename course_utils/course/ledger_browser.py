"""The ledger of all claims, to be counted and to be filtered by source and verdict.

`claims.ledger` reads what the notebooks found; this module adds what no notebook has treated yet,
so that nothing can be missing without being seen.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from course_utils import validate
from course_utils.course import claims
from course_utils.views.tables import Page, TextTable

VERDICTS = (claims.HOLDS, claims.ONLY_IF, claims.REFUTED, claims.REBUILT, claims.NOTED)
WAITING = "not treated yet"
ALL = "all"
LESSONS = range(1, 8)


def missing_lessons(folder: str | Path) -> list[int]:
    """Return the numbers of the lessons (1 to 7) that are not in the folder.

    Args:
        folder: a folder of notebooks named NN_title.ipynb.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as empty:
        ...     missing_lessons(empty)
        [1, 2, 3, 4, 5, 6, 7]
    """
    folder = validate.path("folder", folder)
    if not folder.is_dir():
        raise ValueError(f"folder must be an existing folder of notebooks, got {str(folder)!r}")
    found = {int(path.name[:2]) for path in folder.glob("[0-9][0-9]_*.ipynb")}
    return [number for number in LESSONS if number not in found]


def summary(folder: str | Path) -> Page:
    """Count the rows by source and verdict; a row that two lessons tried counts with the last one.

    Args:
        folder: as for `claims.ledger`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as empty:
        ...     summary(empty).tables[0].rows[-1]
        ('all', '171', '0', '0', '0', '0', '0', '171')
    """
    last = {row.claim.id: row.entry.verdict for row in claims.ledger(folder)}
    rows = []
    for source in (*claims.SOURCES, ALL):
        ids = [claim.id for claim in claims.table() if source in (ALL, claim.source)]
        counted = [last.get(id, WAITING) for id in ids]
        numbers = [len(ids), *(counted.count(verdict) for verdict in (*VERDICTS, WAITING))]
        rows.append((source, *map(str, numbers)))
    columns = ("source", "rows", *VERDICTS, WAITING)
    missing = ", ".join(f"{number:02}" for number in missing_lessons(folder))
    note = f"Lessons that do not exist yet: {missing}" if missing else "All seven lessons exist"
    return Page("The ledger", (TextTable(columns, rows, note),))


class LedgerBrowser:
    """The ledger with two menus, one for the source and one for the verdict.

    Args:
        folder: as for `claims.ledger`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as empty:
        ...     browser = LedgerBrowser(empty)
        >>> browser.source.value, len(browser.waiting("002")), len(browser.shown)
        ('all', 18, 0)
    """

    def __init__(self, folder: str | Path) -> None:
        self._ledger = claims.ledger(folder)
        self._waiting = claims.untreated(folder)
        self.missing = missing_lessons(folder)
        menu = widgets.Layout(width="22em")
        self.source = widgets.Dropdown(
            options=[ALL, *claims.SOURCES], description="source", layout=menu
        )
        self.verdict = widgets.Dropdown(
            options=[ALL, *VERDICTS, WAITING], description="verdict", layout=menu
        )
        self.page = widgets.HTML()
        for control in (self.source, self.verdict):
            control.observe(self._changed, "value")
        self.widget = widgets.VBox([widgets.HBox([self.source, self.verdict]), self.page])
        self._changed()

    def select(self, source: str = ALL, verdict: str = ALL) -> claims.Ledger:
        """Return the rows of one source, of one verdict, of both, or all.

        Args:
            source: "all" or a key of `claims.SOURCES`.
            verdict: "all" or one of `VERDICTS`.
        """
        validate.one_of("source", source, (ALL, *claims.SOURCES))
        validate.one_of("verdict", verdict, (ALL, *VERDICTS, WAITING))
        return claims.Ledger(
            row
            for row in self._ledger
            if source in (ALL, row.claim.source) and verdict in (ALL, row.entry.verdict)
        )

    def waiting(self, source: str = ALL) -> list[str]:
        """Return the ids of a source that no lesson has treated yet."""
        validate.one_of("source", source, (ALL, *claims.SOURCES))
        return [id for id in self._waiting if source in (ALL, id[:3])]

    @property
    def shown(self) -> claims.Ledger:
        """The rows that the menus choose now."""
        return self.select(self.source.value, self.verdict.value)

    @property
    def state(self) -> str:
        """What the page shows, in one sentence."""
        waiting = self.waiting(self.source.value)
        text = f"{len(self.shown)} verdicts shown; {len(waiting)} rows not treated yet"
        if self.missing:
            text += f" (no lesson {', '.join(f'{number:02}' for number in self.missing)} yet)"
        return text + "."

    def _changed(self, change: Mapping[str, Any] | None = None) -> None:
        waiting = self.waiting(self.source.value)
        lines = [f'<p role="status" aria-live="polite">{html.escape(self.state)}</p>']
        if self.shown:
            lines.append(self.shown._repr_html_())
        if waiting and self.verdict.value in (ALL, WAITING):
            rows = "".join(
                f"<li>{id}: {html.escape(claims.get(id).statement)}</li>" for id in waiting
            )
            lines.append(f"<p>{WAITING.capitalize()}:</p><ul>{rows}</ul>")
        self.page.value = "".join(lines)

    def __repr__(self) -> str:
        return f"LedgerBrowser: {self.state}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle = self.widget._repr_mimebundle_() or {}
        return {**bundle, "text/plain": f"{self.state} (To filter, run the notebook.)"}
