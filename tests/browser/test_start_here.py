"""The start page in a real browser: the slider that answers, and a solved exercise that counts."""

from __future__ import annotations

import json
import shutil

import desk
import pytest

from course_utils.lessons.lesson01 import exercises

LESSON = "01_fixed_learning_rate.ipynb"
SOLVE = (
    "from course_utils.lessons.lesson01 import exercises as ex\n"
    "\n"
    f"ex.one_step_rate.check({exercises.one_step_rate.solution_value!r})"
)


@pytest.fixture
def opened(lab, open_page):
    """Return a function that opens a notebook."""
    notebooks = []

    def make(name: str) -> desk.Notebook:
        notebooks.append(desk.Notebook(open_page(), name))
        notebooks[-1].open(lab)
        return notebooks[-1]

    yield make
    for notebook in notebooks:
        notebook.shut_down()


@pytest.fixture
def kept(lab):
    """The folder of the progress of this JupyterLab, empty."""
    folder = lab.root.parent / "progress"
    shutil.rmtree(folder, ignore_errors=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_the_slider_answers_the_keyboard(opened):
    page = opened("00_start_here.ipynb")
    page.run_all()
    assert page.errors() == []
    cell = page.cell(page.showing("checkup.check()"))
    assert "Everything that the lessons need is here." in cell.inner_text()
    assert "To see them, run the cell" not in cell.inner_text()
    line = cell.locator("[role=status]")
    assert "not moved yet" in line.inner_text()
    cell.locator(".noUi-handle").focus()
    page.page.keyboard.press("ArrowRight")
    cell.get_by_text("1 × 1 = 1").wait_for(timeout=1000 * desk.MOVE_SECONDS)
    page.page.keyboard.press("ArrowRight")
    cell.get_by_text("2 × 2 = 4").wait_for(timeout=1000 * desk.MOVE_SECONDS)
    assert line.inner_text().startswith("✓ The slider works")
    assert cell.locator('[title="null"]').count() == 0
    folder = desk.ARTIFACTS / "00_start_here"
    folder.mkdir(parents=True, exist_ok=True)
    cell.screenshot(path=folder / "slider.png")
    page.cell(page.showing("views.with_alt(")).screenshot(path=folder / "picture.png")
    assert (page.console, page.outside) == ([], set())


def test_a_solved_exercise_counts_and_can_be_forgotten(opened, kept):
    start = opened("00_start_here.ipynb")
    start.run_all()
    table = start.showing("my_progress(")
    assert "Together 0 of" in start.cell(table).inner_text()

    lesson = opened(LESSON)
    stub = lesson.showing("ex.one_step_rate.check(answer)")
    lesson.write(stub, SOLVE)
    assert lesson.run(stub).startswith("✓ correct")
    assert [mark.name for mark in kept.iterdir()] == ["01.one_step_rate.v1"]

    start.page.bring_to_front()
    start.write(table, start.cells()[table]["source"])
    text = start.run(table)
    assert "1 of 6" in text and "Together 1 of" in text
    assert str(kept) in text
    start.cell(table).screenshot(path=desk.ARTIFACTS / "00_start_here" / "progress.png")

    start.write(table, "progress.forget()")
    assert "Forgotten: 1 right answer" in start.run(table)
    assert not kept.exists()
    assert start.console == [] and lesson.console == []


def test_links_of_the_map_open_lessons(opened):
    page = opened("00_start_here.ipynb")
    stored = json.loads((desk.ROOT / "notebooks" / page.name).read_text(encoding="utf-8"))["cells"]
    at = next(i for i, cell in enumerate(stored) if "".join(cell["source"]).startswith("## The le"))
    page.cell(at).get_by_role("link", name="A fixed learning rate").click()
    tab = page.page.locator(".lm-TabBar-tabLabel", has_text=LESSON)
    tab.wait_for(timeout=1000 * desk.START_SECONDS)
    assert page.console == []
