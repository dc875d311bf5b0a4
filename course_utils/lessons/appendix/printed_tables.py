"""The numbers that article 002 prints: gradient descent on (w + 1)², three tables of 20 rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from course_utils import validate
from course_utils.course import claims

LR_OF_TABLE = {1: "0.01", 2: "0.99", 3: "0.2·0.99^step"}


@dataclass(frozen=True)
class PrintedTable:
    """One printed table, as strings, because the lessons compare every printed digit.

    Args:
        w: the weight after each of the 20 updates.
        loss: the loss printed in the same row.
        lr: the learning rate printed in the same row (table 3 only, else empty strings).
    """

    w: tuple[str, ...]
    loss: tuple[str, ...]
    lr: tuple[str, ...]


@cache
def printed_table(number: int) -> PrintedTable:
    """Return printed table 1 (rate 0.01), 2 (rate 0.99) or 3 (0.2·0.99^step) of article 002.

    Args:
        number: 1, 2 or 3.

    Example:
        >>> printed_table(1).w[0], printed_table(1).loss[0]
        ('4.880000', '36.000000')
    """
    validate.one_of("number", number, tuple(LR_OF_TABLE))
    every = claims.read_csv("course_utils.lessons.appendix", "article_tables.csv")
    rows = [row for row in every if row["table"] == str(number)]
    return PrintedTable(*(tuple(row[column] for row in rows) for column in ("w", "loss", "lr")))
