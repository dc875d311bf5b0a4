"""Every notebook is freshly run, clean, accessible and complete; checked without running it.

A check is a function from a notebook to a list of complaints. The second half of this file proves
that each of them complains: a check that cannot fail guards nothing.
"""

from __future__ import annotations

import ast
import copy
import io
import json
import re
import statistics
import tokenize
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import links
import pytest
from lesson_map import section_minutes
from pictures import as_images

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

TAGS = {
    "nbval-check-output",  # the stored output is compared with a fresh one
    "nbval-ignore-output",  # never compared: live widgets, timings
    "raises-exception",  # the error is the point of the cell
    "exercise",  # a stub for the learner, and its check
    "hide-input",  # code that draws or fills a box: collapsed in JupyterLab, hidden in slides
    "slow",  # more than ten seconds
    "torch",  # needs PyTorch: a leaf, whose stored output is enough
}
SLIDE_TYPES = {"slide", "subslide", "fragment", "-", "skip", "notes"}  # "-": shown at once
MOST_LINES, MOST_LINES_MEDIAN, MOST_BYTES = 25, 6, 1_000_000
LEAST_CHECKED = 0.6
MINUTES = (35, 60)

CHECKS: dict[str, Callable[[dict, Path], list[str]]] = {}


def check(function: Callable[[dict, Path], list[str]]) -> Callable[[dict, Path], list[str]]:
    CHECKS[function.__name__] = function
    return function


# --- looking at a notebook ---------------------------------------------------------------------


def text(cell_or_output: Any) -> str:
    return cell_or_output if isinstance(cell_or_output, str) else "".join(cell_or_output)


def code_cells(nb: dict) -> list[dict]:
    return [cell for cell in nb["cells"] if cell["cell_type"] == "code"]


def markdown(nb: dict) -> str:
    cells = [text(cell["source"]) for cell in nb["cells"] if cell["cell_type"] == "markdown"]
    return re.sub(r"^```.*?^```", "", "\n\n".join(cells), flags=re.DOTALL | re.MULTILINE)


def tags(cell: dict) -> list[str]:
    return cell["metadata"].get("tags", [])


def headings(nb: dict) -> list[tuple[int, str]]:
    found = re.findall(r"^(#{1,6}) +(.+?)\s*$", markdown(nb), flags=re.MULTILINE)
    return [(len(marks), title) for marks, title in found]


def is_lesson(path: Path) -> bool:
    return re.match(r"(0[1-9]|[1-9]\d)_", path.name) is not None


def prints_text(cell: dict) -> bool:
    """A cell whose output is text that can be compared: not a picture, and not only HTML."""
    return any(
        output["output_type"] == "stream"
        or ("text/plain" in output.get("data", {}) and "image/png" not in output["data"])
        for output in cell["outputs"]
    )


def shown_text(cell: dict) -> Iterator[str]:
    for output in cell.get("outputs", []):
        yield text(output.get("text", ""))
        yield output.get("evalue", "")
        for kind, value in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield text(value)


# --- the checks --------------------------------------------------------------------------------


@check
def format_is_4_5_with_the_python3_kernel(nb: dict, path: Path) -> list[str]:
    complaints = []
    if (nb["nbformat"], nb["nbformat_minor"]) != (4, 5):
        complaints.append(f"nbformat is {nb['nbformat']}.{nb['nbformat_minor']}, want 4.5")
    if nb["metadata"].get("kernelspec", {}).get("name") != "python3":
        complaints.append("the kernelspec is not python3")
    return complaints


@check
def was_run_from_top_to_bottom(nb: dict, path: Path) -> list[str]:
    counts = [cell["execution_count"] for cell in code_cells(nb) if text(cell["source"]).strip()]
    return [] if counts == list(range(1, len(counts) + 1)) else [f"counts are {counts}: make run"]


@check
def ids_are_unique_and_plain(nb: dict, path: Path) -> list[str]:
    ids = [cell.get("id", "") for cell in nb["cells"]]
    complaints = [f"id {i!r} is used twice" for i in sorted(set(ids)) if ids.count(i) > 1]
    plain = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
    return complaints + [f"id {i!r} is not plain" for i in ids if not plain.fullmatch(i)]


@check
def no_volatile_metadata(nb: dict, path: Path) -> list[str]:
    complaints = [
        f"metadata {k!r}" for k in nb["metadata"].keys() - {"kernelspec", "language_info"}
    ]
    if "version" in nb["metadata"].get("language_info", {}):
        complaints.append("metadata language_info.version")
    for cell in nb["cells"]:
        extra = cell["metadata"].keys() - {"tags", "slideshow", "jupyter"}
        complaints += [f"cell {cell['id']}: metadata {k!r}" for k in sorted(extra)]
        for output in cell.get("outputs", []):
            if any("widget-view" in kind for kind in output.get("data", {})):
                complaints.append(f"cell {cell['id']}: a reference to a live widget")
    return complaints


@check
def plumbing_is_collapsed(nb: dict, path: Path) -> list[str]:
    """Cells tagged hide-input, and no others, are shown collapsed in JupyterLab."""
    return [
        f"cell {cell['id']}: the tag hide-input and the collapsed code do not go together"
        for cell in nb["cells"]
        if cell["metadata"].get("jupyter")
        != ({"source_hidden": True} if "hide-input" in tags(cell) else None)
    ]


@check
def only_known_tags(nb: dict, path: Path) -> list[str]:
    return [f"cell {c['id']}: tag {t!r}" for c in nb["cells"] for t in tags(c) if t not in TAGS]


@check
def checked_cells_have_something_to_check(nb: dict, path: Path) -> list[str]:
    return [
        f"cell {cell['id']} is tagged nbval-check-output and has no text in its stored output"
        for cell in nb["cells"]
        if "nbval-check-output" in tags(cell)
        and (cell.get("execution_count") is None or not any(s.strip() for s in shown_text(cell)))
    ]


@check
def most_printed_text_is_checked(nb: dict, path: Path) -> list[str]:
    printing = [cell for cell in code_cells(nb) if prints_text(cell)]
    checked = [cell for cell in printing if "nbval-check-output" in tags(cell)]
    if len(checked) >= LEAST_CHECKED * len(printing):
        return []
    loose = ", ".join(cell["id"] for cell in printing if cell not in checked)
    return [f"{len(checked)} of {len(printing)} printing cells are checked; not checked: {loose}"]


@check
def no_unexpected_errors_or_warnings(nb: dict, path: Path) -> list[str]:
    complaints = []
    for cell in code_cells(nb):
        for output in cell["outputs"]:
            if output["output_type"] == "error" and "raises-exception" not in tags(cell):
                complaints.append(f"cell {cell['id']}: {output['ename']}")
            if output.get("name") == "stderr":
                complaints.append(f"cell {cell['id']}: stderr {text(output['text'])[:60]!r}")
    return complaints


@check
def cells_are_plain_python_without_semicolons(nb: dict, path: Path) -> list[str]:
    complaints = []
    for cell in code_cells(nb):
        source = text(cell["source"])
        try:
            ast.parse(source)
        except SyntaxError as error:
            complaints.append(f"cell {cell['id']}: not plain Python ({error.msg})")
            continue
        if any(t.string == ";" for t in tokenize.generate_tokens(io.StringIO(source).readline)):
            complaints.append(f"cell {cell['id']}: a semicolon (nbval does not honor it)")
    return complaints


@check
def imports_are_explicit(nb: dict, path: Path) -> list[str]:
    stars = re.compile(r"^\s*from\s+\S+\s+import\s+\*", flags=re.MULTILINE)
    return [
        f"cell {c['id']}: star import" for c in code_cells(nb) if stars.search(text(c["source"]))
    ]


@check
def code_cells_are_short(nb: dict, path: Path) -> list[str]:
    lines = {
        cell["id"]: sum(bool(line.strip()) for line in text(cell["source"]).splitlines())
        for cell in code_cells(nb)
    }
    complaints = [
        f"cell {i}: {n} lines, over {MOST_LINES}" for i, n in lines.items() if n > MOST_LINES
    ]
    median = statistics.median(lines.values()) if lines else 0
    if median > MOST_LINES_MEDIAN:
        complaints.append(f"the median code cell has {median} lines, over {MOST_LINES_MEDIAN}")
    return complaints


@check
def solutions_are_not_run(nb: dict, path: Path) -> list[str]:
    called = re.compile(r"^[^#\n]*\.solution\(", flags=re.MULTILINE)
    return [
        f"cell {c['id']}: runs a solution"
        for c in code_cells(nb)
        if called.search(text(c["source"]))
    ]


@check
def pictures_are_png_with_alternative_text(nb: dict, path: Path) -> list[str]:
    complaints = []
    for cell in code_cells(nb):
        for output in cell["outputs"]:
            data = output.get("data", {})
            where = f"cell {cell['id']}"
            if "image/svg+xml" in data:
                complaints.append(f"{where}: an SVG picture (use PNG: views.with_alt)")
            if "image/png" in data:
                alt = output["metadata"].get("image/png", {}).get("alt", "")
                plain = text(data.get("text/plain", ""))
                if len(alt.split()) < 4:
                    complaints.append(f"{where}: a picture without alternative text")
                if len(plain.split()) < 4 or plain.startswith("<"):
                    complaints.append(
                        f"{where}: the text beside the picture says nothing: {plain!r}"
                    )
    for image in re.findall(r"!\[([^\]]*)\]\(|<img(?![^>]*\balt=)", markdown(nb)):
        if not image.strip():
            complaints.append("a Markdown picture without alternative text")
    return complaints


@check
def is_small(nb: dict, path: Path) -> list[str]:
    size = path.stat().st_size if path.exists() else len(json.dumps(nb))
    return [] if size <= MOST_BYTES else [f"{size} bytes, over {MOST_BYTES}"]


@check
def every_cell_has_its_place_in_the_slides(nb: dict, path: Path) -> list[str]:
    complaints = []
    kinds = [cell["metadata"].get("slideshow", {}).get("slide_type") for cell in nb["cells"]]
    for cell, kind in zip(nb["cells"], kinds, strict=True):
        if kind not in SLIDE_TYPES:
            complaints.append(f"cell {cell['id']}: slide_type {kind!r}")
    return complaints if "slide" in kinds else [*complaints, "no cell starts a slide"]


@check
def headings_are_in_order(nb: dict, path: Path) -> list[str]:
    levels = headings(nb)
    if not levels or levels[0][0] != 1 or [n for n, _ in levels].count(1) != 1:
        return ["there must be one title (#), and it must be the first heading"]
    return [
        f"heading {title!r} jumps from level {before} to {level}"
        for (before, _), (level, title) in zip(levels, levels[1:], strict=False)
        if level > before + 1
    ]


@check
def has_the_parts_of_a_lesson(nb: dict, path: Path) -> list[str]:
    if not is_lesson(path):
        return []
    prose, titles = markdown(nb), [title for _, title in headings(nb)]
    complaints = []
    if not titles or not titles[0].startswith(f"{int(path.name[:2])} · "):
        complaints.append(f"the title must start with '{int(path.name[:2])} · '")
    if "**You will be able to**" not in prose:
        complaints.append("objectives are missing (**You will be able to**)")
    if "**Prerequisites**" not in prose:
        complaints.append("**Prerequisites** are missing")
    complaints += [
        f"## {title} is missing" for title in ("Summary", "Further reading") if title not in titles
    ]
    summary = prose.partition("## Summary")[2].partition("\n#")[0]
    if len(re.findall(r"^\d\. ", summary, flags=re.MULTILINE)) != 5:
        complaints.append("the summary must have five numbered lines")
    minutes = section_minutes(prose)
    if not MINUTES[0] <= sum(minutes) <= MINUTES[1]:
        complaints.append(f"the table of minutes adds up to {sum(minutes)}, want 35 to 60")
    return complaints


@check
def nothing_of_this_machine(nb: dict, path: Path) -> list[str]:
    here = re.compile(
        r"(?<![\w.:/])/(?:work|opt|root|home|Users|tmp|var|private)/|[A-Z]:\\Users|file://"
    )
    address = re.compile(r"\b0x[0-9a-f]{8,}")
    complaints = []
    for cell in nb["cells"]:
        for part in (text(cell["source"]), *shown_text(cell)):
            complaints += [f"cell {cell['id']}: path {m!r}" for m in here.findall(part)]
            complaints += [f"cell {cell['id']}: address {m}" for m in address.findall(part)]
    return complaints


@check
def internal_links_lead_somewhere(nb: dict, path: Path) -> list[str]:
    return links.broken(markdown(nb), path)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
@pytest.mark.parametrize("name", CHECKS)
def test_notebook(path: Path, name: str) -> None:
    nb = json.loads(path.read_text(encoding="utf-8"))
    for cell in nb["cells"]:
        as_images(cell.get("outputs", []))
    assert CHECKS[name](nb, path) == []


# --- the checks are checked --------------------------------------------------------------------

PATH = FOLDER / "03_small.ipynb"  # need not exist


def cell(kind: str, source: str, slide: str = "slide", cell_tags: list[str] | None = None) -> dict:
    result = {
        "cell_type": kind,
        "id": f"cell-{zlib.crc32(source.encode())}",
        "metadata": {"slideshow": {"slide_type": slide}},
        "source": source,
    }
    if cell_tags:
        result["metadata"]["tags"] = cell_tags
    if kind == "code":
        result |= {"execution_count": None, "outputs": []}
    return result


def good() -> dict:
    """A small notebook that every check accepts: 0-3 prose, 4 prints, 5 draws, 6 raises, 7 asks."""
    prose = [
        "# 3 · Small\n\n**You will be able to**\n- see\n\n**Prerequisites**: none.",
        "| Section | Minutes |\n|---|---|\n| 3.1 A | 20 |\n| 3.2 B | 25 |\n",
        "## 3.1 A part\n\n### A detail\n\nSee [the part](#3.1-A-part) and [docs](https://x.org).",
        "## Summary\n\n1. a\n2. b\n3. c\n4. d\n5. e\n\n## Further reading\n\n- A book.",
    ]
    prints = cell("code", "print(1)", cell_tags=["nbval-check-output"])
    prints["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["1\n"]}]
    draws = cell("code", "views.with_alt(fig, alt=words)", "fragment", ["hide-input"])
    draws["metadata"]["jupyter"] = {"source_hidden": True}
    draws["outputs"] = [
        {
            "output_type": "execute_result",
            "execution_count": 2,
            "metadata": {"image/png": {"alt": "A curve that falls from 4 to 1."}},
            "data": {"image/png": "iVBOR", "text/plain": ["A curve that falls from 4 to 1."]},
        }
    ]
    raises = cell("code", "1 / 0", "skip", ["raises-exception"])
    raises["outputs"] = [
        {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "", "traceback": []}
    ]
    asks = cell("code", "answer = ...\n# ex.question.solution()", "skip", ["exercise"])
    cells = [cell("markdown", source) for source in prose] + [prints, draws, raises, asks]
    for count, code in enumerate(cells[4:], start=1):
        code["execution_count"] = count
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernelspec, "language_info": {"name": "python"}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


def put(*keys_and_value: Any) -> Callable[[dict], None]:
    """Return a change of the notebook: put(key, key, ..., value) sets nb[key][key]... = value."""
    *keys, last, value = keys_and_value

    def change(nb: dict) -> None:
        target = nb
        for key in keys:
            target = target[key]
        target[last] = value

    return change


PICTURE = ("cells", 5, "outputs", 0)
BAD: list[tuple[str, Callable[[dict], None]]] = [
    ("format_is_4_5_with_the_python3_kernel", put("nbformat_minor", 4)),
    ("format_is_4_5_with_the_python3_kernel", put("metadata", "kernelspec", "name", "conda-x")),
    ("was_run_from_top_to_bottom", put("cells", 4, "execution_count", None)),
    ("was_run_from_top_to_bottom", put("cells", 5, "execution_count", 7)),
    ("ids_are_unique_and_plain", put("cells", 1, "id", good()["cells"][0]["id"])),
    ("ids_are_unique_and_plain", put("cells", 1, "id", "Not Plain")),
    ("no_volatile_metadata", put("metadata", "widgets", {})),
    ("no_volatile_metadata", put("metadata", "language_info", "version", "3.11.7")),
    ("no_volatile_metadata", put("cells", 4, "metadata", "execution", {})),
    (
        "no_volatile_metadata",
        put(*PICTURE, "data", "application/vnd.jupyter.widget-view+json", {"model_id": "1f"}),
    ),
    ("plumbing_is_collapsed", put("cells", 5, "metadata", "jupyter", {"outputs_hidden": True})),
    ("plumbing_is_collapsed", put("cells", 4, "metadata", "jupyter", {"source_hidden": True})),
    ("only_known_tags", put("cells", 4, "metadata", "tags", ["nbval-check-outputs"])),
    ("checked_cells_have_something_to_check", put("cells", 4, "outputs", [])),
    ("checked_cells_have_something_to_check", put("cells", 4, "execution_count", None)),
    ("most_printed_text_is_checked", put("cells", 4, "metadata", "tags", [])),
    ("no_unexpected_errors_or_warnings", put("cells", 6, "metadata", "tags", [])),
    ("no_unexpected_errors_or_warnings", put("cells", 4, "outputs", 0, "name", "stderr")),
    ("cells_are_plain_python_without_semicolons", put("cells", 4, "source", "print(1);")),
    ("cells_are_plain_python_without_semicolons", put("cells", 4, "source", "%matplotlib inline")),
    ("imports_are_explicit", put("cells", 4, "source", "from numpy import *")),
    ("code_cells_are_short", put("cells", 4, "source", "x = 1\n" * 26)),
    ("code_cells_are_short", lambda nb: [c.update(source="x = 1\n" * 7) for c in nb["cells"][4:]]),
    ("solutions_are_not_run", put("cells", 7, "source", "ex.question.solution()")),
    ("pictures_are_png_with_alternative_text", put(*PICTURE, "metadata", {})),
    ("pictures_are_png_with_alternative_text", put(*PICTURE, "data", "image/svg+xml", "<svg/>")),
    (
        "pictures_are_png_with_alternative_text",
        put(*PICTURE, "data", "text/plain", "<Figure size 640x480 with 1 Axes>"),
    ),
    ("pictures_are_png_with_alternative_text", put("cells", 1, "source", "![](images/a.png)")),
    ("pictures_are_png_with_alternative_text", put("cells", 1, "source", "<img src='a.png'>")),
    ("is_small", put(*PICTURE, "data", "image/png", "i" * 1_000_001)),
    ("every_cell_has_its_place_in_the_slides", put("cells", 1, "metadata", {})),
    ("every_cell_has_its_place_in_the_slides", put("cells", 1, "metadata", "slideshow", {})),
    (
        "every_cell_has_its_place_in_the_slides",
        lambda nb: [c["metadata"].update(slideshow={"slide_type": "skip"}) for c in nb["cells"]],
    ),
    ("headings_are_in_order", put("cells", 2, "source", "#### Too deep")),
    ("headings_are_in_order", put("cells", 2, "source", "# A second title")),
    ("headings_are_in_order", put("cells", 0, "source", "No title")),
    ("has_the_parts_of_a_lesson", put("cells", 0, "source", "# 3 · Small")),
    ("has_the_parts_of_a_lesson", put("cells", 1, "source", "no minutes")),
    ("has_the_parts_of_a_lesson", put("cells", 3, "source", "## Further reading")),
    ("has_the_parts_of_a_lesson", put("cells", 3, "source", "## Summary\n\n1. a\n2. b")),
    ("nothing_of_this_machine", put("cells", 4, "source", "open('/home/me/x')")),
    ("nothing_of_this_machine", put("cells", 4, "outputs", 0, "text", ["<A at 0x7f00c0ffee00>"])),
    ("internal_links_lead_somewhere", put("cells", 2, "source", "[x](no_such_file.ipynb)")),
    ("internal_links_lead_somewhere", put("cells", 2, "source", "[x](#no-such-heading)")),
]


@pytest.mark.parametrize("name", CHECKS)
def test_the_good_notebook_passes(name: str) -> None:
    assert CHECKS[name](good(), PATH) == []


@pytest.mark.parametrize(("name", "spoil"), BAD, ids=[name for name, _ in BAD])
def test_the_check_complains(name: str, spoil: Callable[[dict], None]) -> None:
    nb = copy.deepcopy(good())
    spoil(nb)
    assert CHECKS[name](nb, PATH) != []


def test_every_check_was_seen_to_complain() -> None:
    assert {name for name, _ in BAD} == CHECKS.keys()
