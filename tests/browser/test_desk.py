"""The instrument itself: it must see errors, dead kernels, and what the console says."""

from __future__ import annotations

import time

import desk
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook


@pytest.fixture
def opened(lab, open_page):
    """Return a function that opens a notebook with the given cells."""
    notebooks = []

    def make(name: str, *sources: str) -> desk.Notebook:
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        cells = [new_code_cell(source) for source in sources]
        content = new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(content, lab.root / f"{name}.ipynb")
        notebooks.append(desk.Notebook(open_page(), f"{name}.ipynb"))
        notebooks[-1].open(lab)
        return notebooks[-1]

    yield make
    for notebook in notebooks:
        notebook.shut_down()


def test_the_server_wants_its_token(lab):
    assert lab.address.startswith("http://127.0.0.1:")
    assert desk.refuses_strangers(lab)


def test_an_error_in_a_cell_is_seen(opened):
    notebook = opened("error", "1 + 1", "1 / 0", "2")
    notebook.run_all()
    assert notebook.errors() == ["cell 1: ZeroDivisionError: division by zero"]


def test_a_dead_kernel_is_reported_within_a_minute(opened):
    notebook = opened("death", "1 + 1", "import os\nos._exit(1)", "2")
    start = time.monotonic()
    with pytest.raises(desk.KernelDied, match="restarting|dead"):
        notebook.run_all()
    assert time.monotonic() - start < 60


def test_the_console_and_requests_to_elsewhere_are_heard(opened):
    notebook = opened("console", "1 + 1")
    assert (notebook.console, notebook.outside) == ([], set())
    notebook.page.evaluate("console.error('something broke')")
    notebook.page.evaluate("fetch('http://127.0.0.1:9/gone.js').catch(() => 0)")
    notebook.page.wait_for_timeout(500)
    assert "something broke" in notebook.console
    assert notebook.outside == {"http://127.0.0.1:9/gone.js"}
