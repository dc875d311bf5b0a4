"""What the course shows can be read by everybody: contrast, color blindness, words beside colors.

Hygiene (test_hygiene.py) sees to it that every figure has a text alternative and that headings in
notebooks are in order. Here is what needs measuring: colors, and what the alternatives say.
"""

from __future__ import annotations

import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from pictures import as_images

from course_utils import views
from course_utils.course import checkup, claims, exercises, progress
from course_utils.descent import descend
from course_utils.experiments.sweep import sweep
from course_utils.lessons.appendix import verdicts
from course_utils.lessons.lesson07 import figures as lesson07
from course_utils.optimizers import Adam, GradientDescent
from course_utils.problems import quadratic
from course_utils.run import Run
from course_utils.schedules import cosine, step_decay
from course_utils.views.figure import COLORS, readable_color

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "notebooks" / "INSTRUCTOR.md"]

# WCAG 2.2: 1.4.3 for text, 1.4.11 for graphics that must be seen to understand.
TEXT, GRAPHICS = 4.5, 3.0
# Behind outputs: JupyterLab light, dark and its dark cells, the dark theme of the book.
PAPERS = ["#ffffff", "#111111", "#131416"]
# The least difference between two colors in CIELAB. One is just noticeable side by side at about
# 2.3; lines lie apart.
DIFFERENT = 12.0


# --- contrast -----------------------------------------------------------------------------------


def linear(color) -> np.ndarray:
    """Linear RGB of an sRGB color (IEC 61966-2-1)."""
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(one, other) -> float:
    """The ratio of relative luminances as WCAG 2.2 defines it, from 1 to 21."""
    low, high = sorted(linear(c) @ (0.2126, 0.7152, 0.0722) for c in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    # The last two are the gray that just passes on white, and the one that just does not.
    [("black", "white", 21.0), ("red", "white", 4.0), ("#767676", "white", 4.54),
     ("#777777", "white", 4.48)],
)  # fmt: skip
def test_contrast_is_what_others_compute(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize("color", [*COLORS, views.GRAY, views.INFEASIBLE])
def test_lines_stand_out_from_the_paper(color: str) -> None:
    assert contrast(color, mpl.rcParams["axes.facecolor"]) >= GRAPHICS


def test_the_style_and_the_module_have_the_same_colors() -> None:
    cycle = mpl.rcParams["axes.prop_cycle"].by_key()
    assert [to_hex(c) for c in cycle["color"]] == [c.lower() for c in COLORS]
    looks = [views.line_style(i) for i in range(len(COLORS))]
    assert cycle["linestyle"] == [look["ls"] for look in looks]


@pytest.mark.parametrize(
    "name", ["text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"]
)
def test_words_of_the_style_can_be_read(name: str) -> None:
    assert contrast(mpl.rcParams[name], mpl.rcParams["figure.facecolor"]) >= TEXT


@pytest.mark.parametrize("color", [*COLORS, "#E69F00", "yellow", "white"])
def test_words_in_the_color_of_a_line_are_dark_enough_and_no_darker_than_needed(color: str) -> None:
    words = readable_color(color)
    assert contrast(words, "white") >= TEXT
    assert words == to_hex(color) or contrast(words, "white") < 1.1 * TEXT


# --- color blindness ----------------------------------------------------------------------------

# G. M. Machado, M. M. Oliveira, L. A. F. Fernandes: A Physiologically-based Model for Simulation of
# Color Vision Deficiency, IEEE TVCG 15(6), 2009; the published matrices for severity 1.0, which act
# on linear RGB.
SEEN_WITH = {
    "normal vision": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
# Linear sRGB to CIE XYZ, white point D65 (IEC 61966-2-1).
TO_XYZ = np.array(
    [
        [0.4124, 0.3576, 0.1805],
        [0.2126, 0.7152, 0.0722],
        [0.0193, 0.1192, 0.9505],
    ]
)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB (CIE 15) of a linear RGB color."""
    ratio = TO_XYZ @ rgb / TO_XYZ.sum(axis=1)
    small = ratio <= (6 / 29) ** 3
    f = np.where(small, ratio / (3 * (6 / 29) ** 2) + 4 / 29, np.cbrt(ratio))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def difference(one: str, other: str, vision: str) -> float:
    """The distance of two colors in CIELAB, as somebody with this vision sees them."""
    matrix = np.array(SEEN_WITH[vision])
    return float(
        np.linalg.norm(np.subtract(*(lab((matrix @ linear(c)).clip(0, 1)) for c in (one, other))))
    )


def test_lab_is_what_others_compute() -> None:
    assert lab(linear("white")) == pytest.approx([100, 0, 0], abs=0.01)
    assert lab(linear("red")) == pytest.approx([53.24, 80.09, 67.20], abs=0.05)
    assert lab(linear("blue")) == pytest.approx([32.30, 79.19, -107.86], abs=0.05)


@pytest.mark.parametrize("vision", SEEN_WITH)
def test_gray_stays_gray_whoever_looks(vision: str) -> None:
    assert np.array(SEEN_WITH[vision]).sum(axis=1) == pytest.approx([1, 1, 1], abs=2e-6)


@pytest.mark.parametrize(
    ("vision", "one", "other"),
    [("protanopia", "#805000", "#5a5a00"), ("deuteranopia", "#d62728", "#8a6e28"),
     ("tritanopia", "#00a0a0", "#00a078")],
)  # fmt: skip
def test_known_confusions_are_confused(vision: str, one: str, other: str) -> None:
    assert difference(one, other, vision) < DIFFERENT < difference(one, other, "normal vision")


@pytest.mark.parametrize("vision", SEEN_WITH)
def test_any_two_lines_can_be_told_apart(vision: str) -> None:
    close = {
        (one, other): round(difference(one, other, vision), 1)
        for one, other in itertools.combinations(COLORS, 2)
        if difference(one, other, vision) < DIFFERENT
    }
    assert close == {}


def test_neighboring_lines_differ_in_style_as_well() -> None:
    looks = [views.line_style(i)["ls"] for i in range(len(COLORS))]
    assert len(set(looks[:4])) == 4
    assert all(one != other for one, other in itertools.pairwise(looks))


# --- figures as they are drawn ------------------------------------------------------------------


def runs() -> dict:
    bowl, rates = quadratic([1.0, 4.0]), (0.01, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6)
    found = {f"rate {lr}": descend(bowl, GradientDescent(), lr, 30) for lr in rates}
    return found | {"Adam": descend(bowl, Adam(), 0.05, 30)}


def figures() -> dict[str, Figure]:
    bowl, found = quadratic([1.0, 4.0]), runs()
    drawn = {}

    def axes(name: str):
        drawn[name], ax = views.subplots()
        return ax

    arrives = Run([0.5, 0.5], [4.0, 0.0], [4.0, 0.0], 0.0)
    views.loss_curve(axes("losses"), found)
    views.loss_curve(axes("zero"), {"a": arrives, "b": arrives})
    views.rate_strip(axes("rates"), found)
    views.trajectory(axes("paths"), bowl, found, (-3, 3), (-3, 3))
    small = sweep([0.01, 0.1, 1.0, 1e4], seeds=range(2), steps=20, loss="mse")
    curve = axes("curves")
    for name in ("a", "b", "c"):
        views.sensitivity_curve(curve, small, "validation_accuracy", name, tolerance=0.1)
    views.differences(axes("pairs"), {"a - b": [0.1, 0.2, 0.3], "a - a": [-0.1, 0.1]})
    drawn["gallery"] = views.schedule_gallery([cosine(0.1, 50), step_decay(0.1, 10)], 50).figure
    return drawn


def unreadable(figure: Figure) -> list[str]:
    """The words of a figure that are too pale."""
    return [
        f"{words.get_text()!r} in {to_hex(words.get_color())}"
        for words in figure.findobj(mpl.text.Text)
        if words.get_text().strip() and words.get_visible()
        if contrast(words.get_color(), "white") < TEXT
    ]


def pale(figure: Figure) -> list[str]:
    """The lines of a figure that are too pale; nearly transparent ones are background."""
    return [
        f"line {line.get_label()!r} in {to_hex(line.get_color())}"
        for ax in figure.axes
        for line in ax.lines
        if (line.get_alpha() or 1) >= 0.5
        if line.get_linestyle() != "None"
        if contrast(line.get_color(), "white") < GRAPHICS
    ]


def test_words_and_lines_of_figures_are_dark_enough() -> None:
    drawn = figures()
    assert {name: found for name, fig in drawn.items() if (found := unreadable(fig))} == {}
    assert {name: found for name, fig in drawn.items() if (found := pale(fig))} == {}


def test_pale_words_and_lines_are_noticed() -> None:
    figure, ax = views.subplots()
    ax.plot([0, 1], color="#E69F00", label="a")
    ax.set_title("b", color="#D55E00")
    assert pale(figure) == ["line 'a' in #e69f00"]
    assert unreadable(figure) == ["'b' in #d55e00"]


def test_numbers_on_a_colored_map_can_be_read() -> None:
    loss = np.linspace(0.0, 1.2, 60).reshape(12, 5)
    axes = np.geomspace(0.01, 1, 12), np.geomspace(0.01, 1, 5)
    ax = lesson07.decay_map(views.subplots()[1], *axes, loss)
    (image,) = ax.images
    for words, value in zip(ax.texts, loss.flat, strict=True):
        assert contrast(words.get_color(), image.cmap(image.norm(value))) >= TEXT, value


# --- boxes and tables ---------------------------------------------------------------------------


class Page(HTMLParser):
    """The words of some HTML, without what is hidden from screen readers, and its table headers."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words, self.tags, self.hidden = "", [], 0
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        values = dict(attributes)
        self.tags.append((tag, values))
        if self.hidden or values.get("aria-hidden") == "true":
            self.hidden += 1

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= bool(self.hidden)

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.words += data


def shown_colors(html: str) -> list[str]:
    """The colors that are set in style attributes: of borders, symbols and words."""
    styles = " ".join(values.get("style") or "" for _, values in Page(html).tags)
    return re.findall(r"#[0-9a-fA-F]{3,8}\b", styles)


BOXES = {
    "holds": claims.trial("002-C5", as_stated=True, evidence="x"),
    "refuted": claims.trial("002-C5", as_stated=False, evidence="x"),
    "holds only if": claims.trial("002-C5", as_stated=False, evidence="x", only_if=("y", True)),
    "rebuilt": claims.rebuilt("002-E1"),
    "noted": claims.noted("000-C2", "x"),
    **{
        status: exercises.Outcome(status, "Because.")
        for status in (exercises.NOT_ATTEMPTED, exercises.NOT_YET, exercises.CORRECT)
    },
}


@pytest.mark.parametrize("word", BOXES)
def test_a_box_says_in_words_what_its_color_says(word: str) -> None:
    assert word in Page(BOXES[word]._repr_html_()).words
    assert f" {word}" in repr(BOXES[word])


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("word", BOXES)
def test_a_box_can_be_seen_in_light_and_dark_themes(word: str, paper: str) -> None:
    html = BOXES[word]._repr_html_()
    colors = shown_colors(html)
    assert colors
    assert all(contrast(color, paper) >= GRAPHICS for color in colors), colors
    # Words take the color of the theme: no color is set on anything that is read.
    assert not [
        (tag, values)
        for tag, values in Page(html).tags
        if re.search(r"(?<![-\w])(color|background(-color)?):", values.get("style") or "")
        and values.get("aria-hidden") != "true"
    ]


def headless_tables(html: str) -> int:
    """How many tables have no header cells, or header cells that do not say what they head."""
    count = 0
    for table in re.findall(r"<table\b.*?</table>", html, re.DOTALL):
        heads = [values for tag, values in Page(table).tags if tag == "th"]
        count += not heads or any(values.get("scope") not in ("col", "row") for values in heads)
    return count


def html_outputs(path: Path) -> list[str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return ["".join(output.get("data", {}).get("text/html", "")) for output in outputs]


def test_tables_of_the_package_have_headers_that_say_what_they_head() -> None:
    statements = verdicts.Statements("002", ROOT / "notebooks")._repr_html_()
    health = checkup.Checkup((checkup.Check("a", checkup.NOTE, "b"),)).html()
    solved = progress.Overview({1: ("a",)}, {}, "x").html()
    for html in (statements, health, solved):
        assert "<table" in html
        assert headless_tables(html) == 0
    assert headless_tables("<table><tr><td>1</td></tr></table>") == 1
    assert headless_tables("<table><tr><th>a</th></tr></table>") == 1


# --- what is read -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_tables_in_outputs_have_headers(path: Path) -> None:
    assert [html[:200] for html in html_outputs(path) if headless_tables(html)] == []


def alternatives(path: Path) -> list[str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    as_images(outputs)
    found = [output.get("metadata", {}).get("image/png", {}).get("alt") for output in outputs]
    return [alt for alt in found if alt is not None]


def says_little(alt: str) -> str:
    """Why a text alternative does not stand for its figure, or nothing."""
    if re.match(r"(an? )?(image|picture|figure|plot|graph) of\b", alt, re.IGNORECASE):
        return "says that it is a picture"
    if len(alt.split()) < 10:
        return "fewer than ten words"
    return "" if re.search(r"\d", alt) else "no number"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_text_alternatives_say_what_the_figure_shows_with_its_numbers(path: Path) -> None:
    found = alternatives(path)
    assert {alt: why for alt in found if (why := says_little(alt))} == {}


@pytest.mark.parametrize(
    ("alt", "why"),
    [("Plot of the loss over 20 steps for two rates, 0.1 and 0.2.", "picture"),
     ("The loss falls from 4 to 1.", "ten words"),
     ("The loss falls quickly at the high rate, slowly at the low rate.", "no number")],
)  # fmt: skip
def test_an_alternative_that_says_little_is_noticed(alt: str, why: str) -> None:
    assert why in says_little(alt)


def out_of_order(markdown: str) -> list[str]:
    """What is wrong with the headings of a document."""
    markdown = re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE)
    levels = [len(marks) for marks in re.findall(r"^(#{1,6}) ", markdown, re.MULTILINE)]
    found = [] if levels[:1] == [1] and levels.count(1) == 1 else ["there must be one title, first"]
    jumps = [f"{a} to {b}" for a, b in itertools.pairwise(levels) if b > a + 1]
    return found + [f"a heading jumps from level {jump}" for jump in jumps]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_headings_of_documents_are_in_order(path: Path) -> None:
    assert out_of_order(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("text", ["## A", "# A\n\n# B", "# A\n\n### B", "no heading"])
def test_headings_out_of_order_are_noticed(text: str) -> None:
    assert out_of_order(text) != []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_pictures_in_documents_have_alternatives(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    pictures = re.findall(r"!\[([^\]]*)\]\(", text)
    assert all(len(alt.split()) >= 10 for alt in pictures), pictures
    assert "<img" not in text
