"""The recorded files of lesson 6; `make cifar100` trains the networks of four of them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from course_utils.experiments import cifar100
from course_utils.lessons.lesson06 import studies


def _make(group: str, path: Path) -> None:
    if cifar100.main(["--only", group, "--results", str(path.parent)]):  # it has said why
        raise RuntimeError(f"not all runs of the group {group!r} are made")


RECORDS: dict[str, Callable[[Path], object]] = {
    "06_arms.json": studies.record_arms,
    **{f"06_{name}.json": partial(_make, name) for name in ("dead", "article")},
    "06_survival.json": studies.record_survival,  # from 06_dead.json
    **{f"06_{name}.json": partial(_make, name) for name in ("schedules", "rates")},
}
