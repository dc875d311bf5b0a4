"""What `make audit` turns: all seeds of the lessons, and the seeds of every recorded table.

A conclusion should not hang on the seeds 0 to 4. With the environment variable COURSE_AUDIT_SHIFT
set to k = 1, 2, ... a notebook trains from other seeds (`seeds`) and reads its recorded tables with
their seeds drawn anew, with replacement (`table.load`, a bootstrap): every assertion is tried on
evidence that it has not seen. Without the variable, or at 0, nothing changes.
"""

from __future__ import annotations

import os
import zlib
from typing import Any

import numpy as np

from course_utils import validate

SHIFT = "COURSE_AUDIT_SHIFT"
REPORT = "COURSE_AUDIT_REPORT"
STRIDE = 1000
"""From one shift to the next, so that the seeds of two shifts have none in common."""


def shift() -> int:
    """Return which audit this process is part of: the integer in COURSE_AUDIT_SHIFT, or 0.

    >>> shift()
    0
    """
    text = os.environ.get(SHIFT, "").strip() or "0"
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{SHIFT} must be an integer, 0 or greater, got {text!r}")
    return int(text)


def seeds(n: int, start: int = 0) -> list[int]:
    """Return the n seeds a lesson trains from: start, start + 1, ..., 1000 k higher in audit k.

    Every live training of a lesson takes its seeds from here. Two experiments that must not share
    their seeds (one chooses a rate, the other judges it) differ in `start`.

    Example:
        >>> seeds(5), seeds(3, start=100)
        ([0, 1, 2, 3, 4], [100, 101, 102])
    """
    first = validate.integer("start", start, minimum=0) + STRIDE * shift()
    return list(range(first, first + validate.integer("n", n, minimum=1)))


def draw(source: str, labels: Any) -> np.ndarray:
    """Return S positions drawn with replacement from those of the S seeds `labels`.

    The draw follows from the shift, the name of the file and the seeds: all tables of a file that
    have the same seeds are drawn alike, so that what was paired stays paired.

    Example:
        >>> draw("05_speed.json", [0, 1, 2]).tolist() == draw("05_speed.json", [0, 1, 2]).tolist()
        True
    """
    labels = validate.each(validate.integer, "labels", labels)
    key = zlib.crc32(f"{source} {labels}".encode())
    return np.random.default_rng([shift(), key]).integers(len(labels), size=len(labels))


def report(line: str) -> None:
    """Append a line to the file named by COURSE_AUDIT_REPORT; without that variable do nothing.

    >>> report("05_speed.json: Adam")
    """
    if path := os.environ.get(REPORT):
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(line + "\n")
