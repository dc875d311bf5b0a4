"""`make run` gives the same file twice, spares a failing notebook, and tries twice to start."""

from __future__ import annotations

import codecs
import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

import notebooks

LOOP = "for i in range(3):\n    print(i, flush=True)"
WIDGET = "import ipywidgets\nipywidgets.VBox([ipywidgets.FloatSlider(value=0.5)])"


def small(path: Path, *sources: str) -> Path:
    cells = [v4.new_markdown_cell("# Small")] + [v4.new_code_cell(source) for source in sources]
    cells[1].metadata = {"tags": ["nbval-check-output"], "slideshow": {"slide_type": "slide"}}
    for number, cell in enumerate(cells):
        cell.id = f"c-{number}"
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec}), path)
    return path


def test_run_is_idempotent_and_leaves_nothing_volatile(tmp_path: Path) -> None:
    path = small(tmp_path / "01_small.ipynb", LOOP, WIDGET)
    assert notebooks.run(path)
    first = path.read_bytes()
    assert notebooks.run(path)
    assert path.read_bytes() == first
    assert list(tmp_path.iterdir()) == [path]

    nb = json.loads(first)
    printed, shown = (cell["outputs"] for cell in nb["cells"][1:])
    assert [len(printed), "".join(printed[0]["text"])] == [1, "0\n1\n2\n"]
    assert shown[0]["data"].keys() == {"text/plain"}
    assert [cell["execution_count"] for cell in nb["cells"][1:]] == [1, 2]
    assert [cell["id"] for cell in nb["cells"]] == ["c-0", "c-1", "c-2"]
    assert nb["cells"][1]["metadata"] == {
        "tags": ["nbval-check-output"],
        "slideshow": {"slide_type": "slide"},
    }
    assert "version" not in nb["metadata"]["language_info"]


def test_a_failing_notebook_stays_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = small(tmp_path / "01_small.ipynb", "1 / 0")
    before = path.read_bytes()
    assert not notebooks.run(path)
    assert path.read_bytes() == before
    assert "ZeroDivisionError" in capsys.readouterr().out


class Client:
    """A stand-in for NotebookClient whose kernel starts only at the given attempt."""

    attempts = 0
    starts_at = 2
    code_cells_executed = 0

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def execute(self) -> None:
        type(self).attempts += 1
        if self.attempts < self.starts_at:
            raise RuntimeError("Kernel didn't respond in 60 seconds")


@pytest.mark.parametrize(("starts_at", "succeeds"), [(1, True), (2, True), (3, False)])
def test_a_kernel_gets_two_chances_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starts_at: int, succeeds: bool
) -> None:
    monkeypatch.setattr(notebooks, "NotebookClient", Client)
    monkeypatch.setattr(Client, "attempts", 0)
    monkeypatch.setattr(Client, "starts_at", starts_at)
    path = small(tmp_path / "01_small.ipynb", LOOP)
    assert notebooks.run(path) is succeeds
    assert Client.attempts == min(starts_at, 2)


def test_notebooks_are_chosen_by_number_or_path(tmp_path: Path) -> None:
    one, two = (small(tmp_path / f"0{n}_x.ipynb", LOOP) for n in (1, 2))
    assert notebooks.chosen([], tmp_path) == [one, two]
    assert notebooks.chosen(["02"], tmp_path) == [two]
    assert notebooks.chosen([str(one)], tmp_path) == [one]
    with pytest.raises(SystemExit, match=r"no notebook '09'; known numbers: 01, 02"):
        notebooks.chosen(["09"], tmp_path)


@pytest.mark.parametrize("name", ["01_x.ipynb", "x.md"])
def test_spelling_reads_text_and_code_but_no_pictures(tmp_path: Path, name: str) -> None:
    told = {}
    for hidden in ("gur", "gru", "pbybhe"):  # because this file is checked as well
        word = codecs.decode(hidden, "rot13")
        path = small(tmp_path / "01_x.ipynb", f"{word} = 1")
        notebook = nbformat.read(path, as_version=4)
        picture = {
            "text/html": f'<img alt="a figure" src="data:image/png;base64,iVBOR/{word}/=">',
            "text/plain": "a figure",
        }
        notebook.cells[1].outputs = [v4.new_output("display_data", picture)]
        nbformat.write(notebook, path)
        (tmp_path / "x.md").write_text(f"{word}\n", encoding="utf-8")
        command = [sys.executable, "-m", "codespell_lib", str(tmp_path / name)]
        done = subprocess.run(command, cwd=notebooks.ROOT, capture_output=True, text=True)
        told[word] = done.stdout.count("==>")
    assert list(told.values()) == [0, 1, 1]
