"""The recorded files of lesson 6, most valuable first; `make cifar100` has all settings."""

from functools import partial
from pathlib import Path

from course_utils.experiments import cifar100


def _make(group: str, path: Path) -> None:
    cifar100.main(["--only", group, "--results", str(path.parent)])


RECORDS = {f"06_{group}.json": partial(_make, group) for group in cifar100.GROUPS}
