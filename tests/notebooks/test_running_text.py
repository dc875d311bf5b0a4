"""A lesson teaches its subject: its text names no article by number and no numbered claim."""

from __future__ import annotations

import re
from pathlib import Path

import lesson_map
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
APPENDIX = "A_articles_on_trial.ipynb"  # where the articles are the subject
NAME = re.compile(r"\b00\d-C\d+|\barticles?\s+(?:number\s+)?00\d\b", re.IGNORECASE)


def named(text: str) -> list[str]:
    """The numbers of articles and claims in a text, but not those inside the target of a link.

    >>> named("Article 002 says so, and (003-C11); see [there](A.ipynb#002-C1). 1002-C3, 00")
    ['Article 002', '003-C11']
    """
    return [" ".join(found.split()) for found in NAME.findall(re.sub(r"\]\([^)]*\)", "]", text))]


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(FOLDER.glob("*.ipynb")) if path.name != APPENDIX],
    ids=lambda path: path.stem,
)
def test_headings_and_running_text_name_no_articles(path: Path) -> None:
    assert named(lesson_map.prose(path)) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Article 002 prints 20 rows", ["Article 002"]),
        ("## 2.1 The table of article\n003", ["article 003"]),
        ("statements such as 002-C1 (article 002, claim 1)", ["002-C1", "article 002"]),
        ("a box for `004-C10`", ["004-C10"]),
        ("the articles 000 and 003", ["articles 000"]),
        ("[on trial](A_articles_on_trial.ipynb#002-C1), the rate 0.002, 002 runs, C1", []),
        ("Five articles on the learning rate", []),
    ],
)
def test_names_are_found_and_numbers_are_not(text: str, names: list[str]) -> None:
    assert named(text) == names
