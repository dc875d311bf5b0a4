"""A recorded file that is damaged, or of another kind, is named by whoever reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from course_utils.experiments import cifar100
from course_utils.run import Run

RESULTS = Path(__file__).parents[2] / "notebooks" / "results"
LOADERS = {
    "06_article": cifar100.load,
    "run": Run.load,
}


@pytest.mark.parametrize("kind", LOADERS)
def test_a_damaged_or_foreign_file_is_named(kind, tmp_path):
    whole = (RESULTS / f"{kind}.json").read_bytes() if kind != "run" else b'{"lr": []}'
    foreign = (RESULTS / "05_digits_93.json").read_bytes()
    path = tmp_path / f"{kind}.json"
    for content in (whole[: len(whole) // 2], b"", b"\xff", b"[]", b"{}", b"3", b"null", foreign):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"got '.*{kind}.json' "):
            LOADERS[kind](path)
    with pytest.raises(FileNotFoundError, match="gone.json"):
        LOADERS[kind](tmp_path / "gone.json")
