"""The recorded files of lesson 7, most valuable first; `make records NB=07` makes them again."""

from functools import partial
from pathlib import Path

from course_utils.lessons.lesson07 import studies, weight_decay


def _make(name: str, path: Path) -> None:
    studies.record(name, path.parent)


RECORDS = {f"07_{name}.json": partial(_make, name) for name in studies.STUDIES}
RECORDS["07_map.json"] = weight_decay.record
