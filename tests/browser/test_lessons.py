"""Every lesson in a real browser: it runs, its explorers move, its exercises answer."""

from __future__ import annotations

import importlib
import re
import shutil
from collections.abc import Collection

import desk
import pytest
from desk import ARTIFACTS, ROOT, note
from explorer_hands import Hands, in_words

NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
STUB = re.compile(r"(\w+) = \.\.\..*\n+ex\.(\w+)\.check\(\1\)\s*")


@pytest.fixture(scope="module", params=NOTEBOOKS)
def lesson(request, lab, open_page):
    """The notebook, open, all its cells run."""
    folder = ARTIFACTS / request.param
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    notebook = desk.Notebook(open_page(), f"{request.param}.ipynb")
    try:
        notebook.open(lab)
        notebook.run_all()
    except Exception:
        notebook.page.screenshot(path=folder / "failed.png", timeout=10_000)
        raise
    yield notebook
    notebook.shut_down()


@pytest.fixture
def folder(lesson):
    return ARTIFACTS / lesson.name.removesuffix(".ipynb")


def explorers(notebook: desk.Notebook) -> list[int]:
    """The cells that show an explorer: their last line is its name."""
    named = re.compile(r"(\w*_)?explorer", re.ASCII)
    sources = [(c["index"], c.get("source", "").strip()) for c in notebook.cells()]
    return [i for i, source in sources if named.fullmatch(source.rpartition("\n")[2])]


def exercise(notebook: desk.Notebook, names: Collection[str] | None = None):
    """The first exercise (of these names) whose answer is a number or a word.

    Returns its cell, the name of the answer, the exercise's own, and the question.
    """
    module = importlib.import_module(f"course_utils.lessons.lesson{notebook.name[:2]}.exercises")
    for cell in notebook.cells():
        match = STUB.fullmatch(cell.get("source", ""))
        wanted = match and (names is None or match[2] in names)
        question = wanted and getattr(module, match[2])
        if question and isinstance(question.solution_value, (int, float, str)):
            return cell["index"], match[1], match[2], question
    raise AssertionError("no exercise with a simple answer")


def test_no_figure_is_an_image_without_words(lesson):
    """See test_pictures.py: JupyterLab shows image/png without its alternative."""
    found = lesson.page.evaluate(
        """() => Array.from(window.desk.panel.context.model.cells).flatMap((cell, index) =>
        (cell.toJSON().outputs ?? []).some(o => o.data && 'image/png' in o.data) ? [index] : [])"""
    )
    assert found == []


def test_all_cells_run_without_an_error(lesson, folder):
    lesson.photograph(folder)  # what is never scrolled into view is never drawn
    slow = [f"cell {i} {s:.1f} s" for s, i in lesson.durations()[:4] if s >= 1]
    note(f"{lesson.name}: all cells in {lesson.seconds:.0f} s; {', '.join(slow)}")
    assert lesson.errors() == []
    assert lesson.page.get_by_text("Error displaying widget").count() == 0
    assert lesson.console == []
    assert lesson.outside == set()


def test_explorers_follow_the_keyboard(lesson, folder):
    indices = explorers(lesson)
    if not indices:
        pytest.skip("this notebook has no explorer")
    shown = {cell["index"] for cell in lesson.cells() if cell.get("live")}
    assert set(indices) <= shown
    for index in indices:
        hands, where = Hands(lesson, index), f"{lesson.name}, cell {index}"
        at_first = hands.reset()
        hands.cell.screenshot(path=folder / f"explorer{index}_first.png")
        assert hands.with_title("null") == [], where
        assert hands.out_of_reach() == [], where
        assert hands.dead_controls() == [], where
        for preset in hands.buttons[:-1]:
            hands.reset()
            hands.press(preset, "Enter")
            hands.settle()
            assert hands.text.inner_text().strip(), where
            name = re.sub(r"\W+", "_", preset.inner_text().strip())
            hands.cell.screenshot(path=folder / f"explorer{index}_{name}.png")
        assert hands.reset() == at_first, where
    assert lesson.console == []


def test_explorers_are_quick_and_the_last_move_wins(lesson):
    for index in explorers(lesson):
        hands = Hands(lesson, index)
        if not hands.sliders:  # menus only
            continue
        note(f"{lesson.name}, explorer in cell {index}: {in_words(hands.latency())}")
        measured, last_won = hands.burst()
        note(f"{lesson.name}, explorer in cell {index}: {measured}")
        assert last_won, f"{lesson.name}, cell {index}: {measured}"
        hands.reset()


def test_an_exercise_answers(lesson, folder):
    if not re.search(r"^ex\.", "\n".join(c.get("source", "") for c in lesson.cells()), re.M):
        pytest.skip("this notebook has no exercise")
    index, variable, name, question = exercise(lesson)
    right = question.solution_value
    wrong = "something else" if isinstance(right, str) else 3 * right + 1
    for answer, status in ((wrong, "✗ not yet"), (right, "✓ correct")):
        lesson.write(index, f"{variable} = {answer!r}\nex.{name}.check({variable})")
        text = " ".join(lesson.run(index).split())
        lesson.cell(index).screenshot(path=folder / f"exercise_{status[2:].replace(' ', '_')}.png")
        expected = question.check(answer)
        assert text.startswith(status), text
        assert len(expected.message) > 20
        assert " ".join(expected.message.split()) in text
    assert lesson.console == []


@pytest.mark.parametrize("width", [1024, 640])  # a small laptop; 1280 at 200 % zoom
def test_explorers_fit_a_narrow_window(lesson, folder, width):
    try:
        lesson.page.set_viewport_size({"width": width, "height": 1400})
        for index in explorers(lesson):
            hands = Hands(lesson, index)
            cut_off = hands.cut_off(width)
            hands.cell.screenshot(path=folder / f"explorer{index}_{width}px.png")
            assert cut_off == [], f"{lesson.name}, cell {index}"
    finally:
        lesson.page.set_viewport_size(desk.VIEWPORT)
