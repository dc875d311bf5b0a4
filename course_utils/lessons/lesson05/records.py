"""The recorded files of lesson 5, most valuable first; `make records NB=05` makes them again."""

from functools import partial
from pathlib import Path

from course_utils.lessons.lesson05 import studies


def _make(name: str, path: Path) -> None:
    studies.record(path.parent, [name])


RECORDS = {f"05_{name}.json": partial(_make, name) for name in studies.STUDIES}
