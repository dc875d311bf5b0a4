"""The browser edition in a real browser, served by a plain web server, without a network.

Where the site is made is told by `make test-lite`; the machine that opens it reaches nothing else.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import desk
import pytest
from desk import ARTIFACTS, note
from explorer_hands import Hands
from serving import Server
from test_lessons import exercise, explorers

from course_utils import lessons

lite = importlib.import_module("lite")  # by name: see tests/tools/test_book.py
NOTEBOOKS = lite.ROOT / "notebooks"
LESSONS = [p.name for p in sorted(NOTEBOOKS.glob("0*.ipynb")) if p.name.startswith(lite.LIVE[1:])]
TRIED = [name for name in LESSONS if name.startswith(os.environ.get("LITE_NB", "01"))]
VENV = Path(os.environ.get("LITE_VENV") or lite.ROOT / ".venv-lite")
START_PAGE, FIRST = lite.START, LESSONS[0]
LARGEST = 65e6  # bytes of the whole site
FIRST_CELL, SLOWEST = 25, 20  # seconds on two idle cores
# On a machine that does other things too, everything takes as many times longer.
BUSY = max(1.5, 2 * os.getloadavg()[0] / (os.cpu_count() or 1))

# What is rounded otherwise there, by cell: another libm, NumPy without BLAS.
ROUNDED = {
    "a53c81f7": "the edge of a basin: one validation image of 397, at one rate",
    "8a0c1e13": "the mean loss of eight noisy constant runs, in its last digit",
    "5a050001": "a mean accuracy after first updates at 0.3, which throw the network far out",
    "9d300003": "a mean accuracy of four networks, in its last digit",
}


@dataclass(frozen=True)
class Site:
    """Where the lessons are; the counterpart of `desk.Lab`."""

    address: str

    def url(self, name: str) -> str:
        return f"{self.address}/lab/index.html?path={name}"


@pytest.fixture(scope="module")
def server():
    if not (lite.OUT / "index.html").is_file():
        pytest.skip("There is no browser edition here: `make lite` makes it.")
    with Server(lite.OUT) as running:
        yield running


@pytest.fixture(scope="module")
def site(server) -> Site:
    return Site(server.address)


@pytest.fixture(scope="module")
def context(browser):
    """A window with a memory: what is opened in it finds what was kept before."""
    made = browser.new_context(viewport=desk.VIEWPORT)
    made.set_default_timeout(1000 * desk.MOVE_SECONDS)
    yield made
    made.close()


RUN = """async index => {
  const notebook = desk.panel.content;
  notebook.activeCellIndex = index;
  notebook.deselectAll();
  await jupyterapp.commands.execute('notebook:run-cell');
  const cell = desk.panel.context.model.cells.get(index).toJSON();
  return cell.outputs.map(o => o.text ?? o.data?.['text/plain'] ?? `${o.ename}: ${o.evalue}`)
    .map(text => Array.isArray(text) ? text.join('') : text).join('\\n');
}"""


@pytest.fixture(scope="module", params=TRIED)
def lesson(request, context, site):
    """A lesson, opened for the first time, all its cells run."""
    folder = ARTIFACTS / "lite" / request.param
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    notebook = desk.Notebook(context.new_page(), request.param)
    start = time.monotonic()
    notebook.page.goto(site.url(request.param))
    notebook.page.get_by_text("Python is being loaded").wait_for()
    notebook.page.screenshot(path=folder / "loading.png")
    try:
        notebook.open(site)
        first = next(c["index"] for c in notebook.cells() if c["type"] == "code")
        notebook.page.evaluate(RUN, first)
        notebook.first = time.monotonic() - start
        notebook.run_all()
    except Exception:
        notebook.page.screenshot(path=folder / "failed.png", timeout=10_000)
        raise
    yield notebook
    notebook.shut_down()


def test_the_site_is_small() -> None:
    size = sum(path.stat().st_size for path in lite.OUT.rglob("*") if path.is_file())
    note(f"browser edition: {size / 1e6:.0f} MB")
    assert size < LARGEST


def test_all_cells_run_without_an_error_or_a_request_to_elsewhere(lesson):
    slow = lesson.durations()[:4]
    note(
        f"{lesson.name} in the browser: first cell after {lesson.first:.0f} s, all in "
        f"{lesson.seconds:.0f} s; {', '.join(f'cell {i} {s:.1f} s' for s, i in slow)}"
    )
    lesson.photograph(ARTIFACTS / "lite" / lesson.name)
    assert lesson.errors() == []
    assert lesson.page.get_by_text("Error displaying widget").count() == 0
    assert lesson.console == []
    assert lesson.outside == set()
    assert lesson.first < BUSY * FIRST_CELL
    assert slow[0][0] < BUSY * SLOWEST


PRINTED = """() => Object.fromEntries(Array.from(desk.panel.context.model.cells)
  .filter(cell => cell.type === 'code').map(cell => [cell.id, cell.toJSON().outputs]))"""


def printed(outputs: list[dict]) -> list[str]:
    """What a reader sees as text: standard output, and results. (The bar of a sweep is gone.)"""
    join = "".join  # of a text, or of a list of lines
    outputs = [o for o in outputs if "%|" not in join(o.get("data", {}).get("text/plain", ""))]
    texts = [join(o["text"]) for o in outputs if o.get("name") == "stdout"]
    return [
        "".join(texts),
        *(join(o["data"].get("text/plain", "")) for o in outputs if "data" in o),
    ]


def test_the_printed_numbers_are_the_stored_ones(lesson):
    cells = json.loads((NOTEBOOKS / lesson.name).read_text(encoding="utf-8"))["cells"]
    here, different = lesson.page.evaluate(PRINTED), {}
    for cell in cells:
        tags = cell["metadata"].get("tags", [])
        if cell["cell_type"] != "code" or "nbval-ignore-output" in tags:
            continue
        stored, now = printed(cell["outputs"]), printed(here[cell["id"]])
        if "torch" in tags:
            assert now[0].startswith("Stored output"), cell["id"]
            now[0] = now[0].partition("\n")[2]
        if now != stored:
            different[cell["id"]] = (stored, now)
    assert {k: v for k, v in different.items() if k not in ROUNDED} == {}


def test_fifty_moves_of_a_slider(lesson):
    for index in explorers(lesson)[:1]:
        hands = Hands(lesson, index)
        if not hands.sliders:
            pytest.skip("its first explorer has menus only")
        measured, last_won = hands.burst(50)
        note(f"{lesson.name} in the browser, explorer in cell {index}: {measured}")
        assert last_won, measured
    assert lesson.console == []


def test_a_wrong_and_a_right_answer_are_told_and_kept(lesson, site):
    counted = lessons.exercises()[int(lesson.name[:2])]
    index, variable, name, question = exercise(lesson, counted)
    right = question.solution_value
    wrong = "something else" if isinstance(right, str) else 3 * right + 1
    for answer, status in ((wrong, "✗ not yet"), (right, "✓ correct")):
        source = f"{variable} = {answer!r}\nex.{name}.check({variable})"
        lesson.write(index, source)
        assert " ".join(lesson.run(index).split()).startswith(status)
    saved = "() => !desk.panel.context.model.dirty"
    lesson.page.wait_for_function(saved, timeout=1000 * desk.MOVE_SECONDS)  # by itself

    lesson.page.reload()
    lesson.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=1000 * desk.START_SECONDS)
    lesson.page.evaluate(desk.PREPARE)
    assert lesson.cells()[index]["source"] == source

    start = desk.Notebook(lesson.page, START_PAGE)  # in place of the lesson, and of its kernel
    start.open(site)
    start.run_all()
    assert start.errors() == []
    text = start.cell(start.showing("my_progress(")).inner_text()
    assert "1 of" in text and "storage of this browser" in text
    assert "browser edition" in start.cell(start.showing("checkup.check()")).inner_text()
    start.page.screenshot(path=ARTIFACTS / "lite" / "start_page.png")
    assert start.console == [] and start.outside == set()


def test_a_new_release_reaches_who_has_edited(browser, server, site, tmp_path):
    window = browser.new_context(viewport=desk.VIEWPORT)
    page = window.new_page()
    shown = ".jp-Notebook .jp-Cell"
    for name in ("lab/index.html", f"files/{FIRST}", "api/contents/all.json"):
        os.utime(lite.OUT / name, (0, 0))  # what is old, a browser keeps for long without asking
    page.goto(site.url(FIRST))
    page.wait_for_selector(shown, timeout=1000 * desk.START_SECONDS)
    page.evaluate(desk.PREPARE)
    edit = """async () => {
      await desk.panel.context.ready;
      desk.panel.context.model.cells.get(0).sharedModel.setSource('# Mine');
      await desk.panel.context.save();
      const kept = await jupyterapp.serviceManager.contents.get(
        desk.panel.context.path, {content: true});
      return [kept.content.cells[0].source, kept.content.metadata.release];
    }"""
    kept, release = page.evaluate(edit)
    assert kept == "# Mine" and re.fullmatch(r"[0-9a-f]{12}", release)
    changed = tmp_path / "notebooks"
    shutil.copytree(NOTEBOOKS, changed, ignore=shutil.ignore_patterns(".*", "data"))
    text = (changed / FIRST).read_text(encoding="utf-8")
    assert text.count("# 1 · ") == 1
    (changed / FIRST).write_text(text.replace("# 1 · ", "# 1 · New: "), encoding="utf-8")
    lite.make(tmp_path / "lite", changed, lite.environment(VENV, []))
    try:
        server.folder = tmp_path / "lite"
        page.goto(site.url(FIRST))
        page.wait_for_selector(shown, timeout=1000 * desk.START_SECONDS)
        said = page.get_by_text("What you had written is kept as").inner_text()
        page.evaluate(desk.PREPARE)
        title = "() => desk.panel.context.model.cells.get(0).sharedModel.getSource()"
        assert page.evaluate(title).startswith("# 1 · New: ")
        own = re.search(r"kept as (.*\.ipynb)", said)[1]
        files = "async () => (await jupyterapp.serviceManager.contents.get('')).content"
        assert own in [file["name"] for file in page.evaluate(files)]
        page.goto(site.url(own.replace(" ", "%20")))
        page.get_by_role("heading", name="Mine").wait_for(timeout=1000 * desk.START_SECONDS)
    finally:
        server.folder = lite.OUT
        window.close()


def test_without_a_service_worker_recorded_runs_come_from_the_wheel(browser, server):
    """Plain http on a LAN: the kernel does not see the files of the site."""
    page = browser.new_context(viewport=desk.VIEWPORT).new_page()
    notebook = desk.Notebook(page, LESSONS[1])
    notebook.open(Site(f"http://lesson.test:{server.server_port}"))
    assert not page.evaluate("isSecureContext")
    page.get_by_text("count until you reload only").wait_for(timeout=1000 * desk.MOVE_SECONDS)
    first = next(c["index"] for c in notebook.cells() if c["type"] == "code")
    assert "Error" not in page.evaluate(RUN, first)
    needs = [c["index"] for c in notebook.cells() if "results/" in c.get("source", "")]
    assert needs
    assert "Error" not in page.evaluate(RUN, needs[0])
    page.context.close()


def test_a_request_to_elsewhere_is_heard(context, site):
    notebook = desk.Notebook(context.new_page(), START_PAGE)
    notebook.open(site)
    elsewhere = "import pyodide.http; pyodide.http.open_url('http://elsewhere.test/data')"
    page = notebook.page
    page.evaluate("text => desk.panel.context.model.cells.get(2).sharedModel.setSource(text)",
                  elsewhere)  # fmt: skip
    assert "NetworkError" in page.evaluate(RUN, 2)
    assert notebook.outside == {"http://elsewhere.test/data"}
    notebook.shut_down()
