"""Figures in JupyterLab: a screen reader is told what each one shows, in old notebooks as well."""

from __future__ import annotations

import base64

import desk
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from course_utils import views

IMAGES = ".jp-OutputArea-output img"
ALT = 'The loss falls from 4 to 1, "halved" twice & for < 3 steps.'
DRAW = f"""from course_utils import views
fig, ax = views.subplots(size=(4, 2))
ax.plot([4, 2, 1])
views.with_alt(fig, alt={ALT!r})"""


def drawn() -> views.Picture:
    fig, ax = views.subplots(size=(4, 2))
    ax.plot([4, 2, 1])
    return views.with_alt(fig, alt=ALT)


@pytest.fixture
def opened(lab, open_page):
    """Return a function that opens a notebook of one cell that has shown a picture."""
    notebooks = []

    def make(name: str, data: dict, **metadata: dict) -> desk.Notebook:
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        output = new_output("execute_result", data, metadata=metadata, execution_count=1)
        cell = new_code_cell(DRAW, outputs=[output], execution_count=1)
        content = new_notebook(cells=[cell], metadata={"kernelspec": kernel})
        nbformat.write(content, lab.root / f"{name}.ipynb")
        notebooks.append(desk.Notebook(open_page(), f"{name}.ipynb"))
        notebooks[-1].open(lab)
        return notebooks[-1]

    yield make
    for notebook in notebooks:
        notebook.shut_down()


def names(notebook: desk.Notebook) -> list[str]:
    """What the browser tells a screen reader of each picture among the outputs on the screen."""
    notebook.page.locator(IMAGES).first.wait_for(timeout=1000 * desk.MOVE_SECONDS)
    session = notebook.page.context.new_cdp_session(notebook.page)
    found = []
    for number in range(notebook.page.locator(IMAGES).count()):
        picked = f"document.querySelectorAll('{IMAGES}')[{number}]"
        node = session.send("Runtime.evaluate", {"expression": picked})["result"]["objectId"]
        wanted = {"objectId": node, "fetchRelatives": False}
        (seen,) = session.send("Accessibility.getPartialAXTree", wanted)["nodes"]
        assert seen["role"]["value"] == "image"
        found.append("" if seen["ignored"] else seen["name"]["value"])
    return found


def trusted(notebook: desk.Notebook) -> list[bool]:
    return notebook.page.evaluate(
        "() => Array.from(window.desk.panel.context.model.cells).map(cell => cell.trusted)"
    )


def test_a_figure_has_its_name_in_a_notebook_from_elsewhere_and_when_it_was_drawn_here(opened):
    stored = {"text/html": drawn()._repr_html_(), "text/plain": ALT}
    notebook = opened("picture", stored)
    for trust in (False, True):
        assert trusted(notebook) == [trust]
        assert names(notebook) == [ALT]
        size = notebook.page.locator(IMAGES).evaluate("i => [i.width, i.naturalWidth]")
        assert size == [400, 600]
        notebook.run_all()
    assert (notebook.errors(), notebook.console, notebook.outside) == ([], [], set())


def test_an_image_output_would_have_none(opened):
    """If this fails, JupyterLab has learned it, and image/png with metadata is enough again."""
    stored = {"image/png": base64.b64encode(drawn().png).decode(), "text/plain": ALT}
    assert names(opened("image", stored, **{"image/png": {"alt": ALT}})) == [""]
