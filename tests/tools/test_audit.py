"""The audit executes a lesson under a shift, and names what falls."""

from __future__ import annotations

from pathlib import Path

import audit
import nbformat
import pytest


def notebook(folder: Path, *sources: str, tags: tuple[str, ...] = ()) -> Path:
    cells = [nbformat.v4.new_code_cell(source, id=f"cell{i}") for i, source in enumerate(sources)]
    cells[-1].metadata["tags"] = list(tags)
    path = folder / "01_tiny.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_what_falls_is_named_and_the_cells_after_it_run(tmp_path: Path) -> None:
    path = notebook(
        tmp_path,
        "from course_utils.experiments import audit\nfirst = audit.seeds(3)[0]",
        "assert first >= 0\nassert (\n    first == 0\n), 'only with these seeds'",
        "assert first == 0 or first > 1",
        "unknown",
        "1 / 0",
        tags=("raises-exception",),
    )
    shifted, plain = audit.run(path, 2), audit.run(path, 0)
    assert shifted["failed"] == [("cell1", "assert first == 0, 'only with these seeds'")]
    assert [cell for cell, _ in shifted["errors"]] == ["cell3"]
    assert plain["failed"] == []


def test_a_summary_counts_shifts_and_tells_what_did_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = notebook(tmp_path, "assert True")
    monkeypatch.setattr(audit.contracts, "gone", lambda path: [("cell9", "assert old")])
    fell = {"failed": [["cell0", "assert x"]], "errors": [], "single": ["05.json: Adam"]}
    calm = {"failed": [], "errors": [], "single": []}
    text = audit.summary({(path, 1): fell, (path, 2): calm, (path, 3): fell, (path, 4): None})
    assert "1 assertions, 3 of 4 shifts ran" in text
    assert "fell 2×  cell cell0, shifts [1, 3]: assert x" in text
    assert "one seed only: 05.json: Adam" in text
    assert "no longer asserted: cell cell9: assert old" in text
    assert "no assertion fell" in audit.summary({(path, 2): calm})


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([{"failed": [], "errors": [], "single": []}] * 2, 0),
        ([{"failed": [["a", "assert x"]], "errors": [], "single": []}] * 2, 1),
        ([{"failed": [], "errors": [["a", "NameError: x"]], "single": []}] * 2, 1),
        ([None] * 2, 1),
        ([{"failed": [], "errors": [], "single": []}], 1),  # stopped before the second
    ],
)
def test_only_a_whole_and_calm_audit_succeeds(results, status, monkeypatch) -> None:
    monkeypatch.setattr(audit, "side_by_side", lambda jobs, processes: dict(zip(jobs, results)))
    assert audit.main(["01", "--shifts", "2"]) == status
