"""`make grade` on a folder with a right sheet, a copied one, and ones that misbehave."""

import csv
import importlib.util
import json
from pathlib import Path

import nbformat
import pytest

from course_utils.lessons.homework import sheet_2

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("grade", ROOT / "tools" / "grade.py")
grade = importlib.util.module_from_spec(spec)
spec.loader.exec_module(grade)

START = "from course_utils.lessons.homework import sheet_2\n\nsheet = sheet_2.SHEET\nstudent = {}"


def answers(owner):
    moves = sheet_2.right_moves(*sheet_2.gradients(owner)).tolist()
    third = sheet_2.SHEET.tasks[1].right(owner)
    return [f"third = {third}", f"moves = {moves}", 'which = "A decay is needed."']


def hand_in(folder, name, student, *cells):
    code = [START.format(student), *cells]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in code])
    nbformat.write(notebook, folder / f"{name}.ipynb")


def test_a_folder_of_homework(tmp_path):
    hand_in(tmp_path, "right", 11, *answers(11), "1 / 0")
    fake = 'print("x" * 32 + "{}")\nthird = "=1+1"'
    hand_in(tmp_path, "copied", 12, *answers(11), fake)
    hand_in(tmp_path, "endless", 13, "while True: pass", *answers(13))
    hand_in(tmp_path, "dies", 14, "import os; os._exit(1)")
    (tmp_path / "none.ipynb").write_text("{}", encoding="utf-8")
    before = (tmp_path / "right.ipynb").read_bytes()
    grade.grade(tmp_path, seconds=10, jobs=2)
    with (tmp_path / "grades.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["file"].removesuffix(".ipynb"): row for row in csv.DictReader(file)}
    assert rows["right"]["points"] == rows["endless"]["points"] == "4"
    assert "cell 5: ZeroDivisionError" in rows["right"]["notes"]
    assert "KeyboardInterrupt" in rows["endless"]["notes"]
    assert rows["copied"]["points"] == "0" and "moves: right for [11]" in rows["copied"]["notes"]
    assert rows["dies"]["student"] == rows["none"]["student"] == ""
    assert rows["dies"]["notes"] and rows["none"]["notes"]
    assert (tmp_path / "right.ipynb").read_bytes() == before
    assert "## 11 · which\n\nA decay is needed." in (tmp_path / "to_read.md").read_text("utf-8")


def test_no_cell_of_the_table_is_a_formula():
    assert grade.harmless("=1+1") == "'=1+1" and grade.harmless("1") == "1"
    assert grade.harmless(-1) == -1 and grade.harmless("-1") == "'-1"


def test_a_number_twice_is_noted(tmp_path, monkeypatch):
    hand_in(tmp_path, "a", 11)
    hand_in(tmp_path, "b", 11)
    monkeypatch.setattr(grade, "in_own_process", lambda *_: {"student": 11, "judged": {}})
    notes = {row["notes"] for row in grade.grade(tmp_path, 1, 1)}
    assert notes == {"this number came twice"}


def test_a_folder_without_notebooks_is_an_error(tmp_path, capsys):
    with pytest.raises(SystemExit):
        grade.main([str(tmp_path)])
    assert "is no folder with notebooks" in capsys.readouterr().err


def test_the_number_is_found_in_the_file(tmp_path):
    for written, number in (("417", 417), ('"0417"', 417), ("...", None)):
        path = tmp_path / "a.ipynb"
        path.write_text(json.dumps({"source": f"student = {written}"}), encoding="utf-8")
        assert grade.number_in(path) == number
