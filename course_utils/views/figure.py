"""A figure in the course's style, its colors and words, and its text alternative.

`subplots` gives the figure and its Axes, the other modules of `views` draw on them, and `with_alt`,
the last expression of a cell, shows the figure together with what it shows in words. Nothing here
uses pyplot, so no figure stays open when its cell has run.
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from course_utils import validate
from course_utils.views.images import render, with_palette

STYLE = Path(__file__).with_name("course.mplstyle")
# Lessons also draw on the Axes directly, after `subplots` has returned: only a style that is in
# force all the time reaches those lines.
matplotlib.style.use(STYLE)

BLUE, VERMILLION, GREEN, BLACK, PURPLE, BROWN, SKY = COLORS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#000000",
    "#CC79A7",
    "#805426",
    "#4C8FE0",
)
"""The colors in the order in which lines use them: five of Okabe and Ito, who chose them for color-
blind readers. Their yellow, orange and light blue are too pale on white paper; a brown and a darker
blue stand for the latter two (tests/test_accessibility.py measures all of them)."""

GRAY = "#666666"
INFEASIBLE = "#C00000"
"""The red of the crosses that mark runs which diverged."""
STEP_LABEL = "step (updates)"
RATE_LABEL = "learning rate"
WHITE_BOX = {"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8}
"""The `bbox` of words that may lie on lines."""


# --------------------------------------------------------------------------- figure and words


def subplots(
    rows: int = 1, cols: int = 1, size: tuple[float, float] = (10, 4), **gridspec: Any
) -> tuple[Figure, Any]:
    """Return a new figure in the course's style and its Axes (one, or an array), without pyplot.

    The font has Latin, Greek and Cyrillic letters; others are boxes unless you set `font.family`.

    Args:
        rows, cols: how many Axes below and beside each other.
        size: width and height in inches, at 100 dots per inch.
        **gridspec: passed to `Figure.subplots` (sharex, ...) or to its grid (height_ratios, ...).

    Example:
        >>> fig, (left, right) = subplots(cols=2)
        >>> fig.get_size_inches().tolist()
        [10.0, 4.0]
    """
    rows, cols = validate.integer("rows", rows, 1), validate.integer("cols", cols, 1)
    width, height = (validate.positive("size", x) for x in validate.array("size", size, shape=(2,)))
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    shared = {name: gridspec.pop(name) for name in ("sharex", "sharey") if name in gridspec}
    return figure, figure.subplots(rows, cols, gridspec_kw=gridspec, **shared)


@dataclass(frozen=True)
class Picture:
    """A rendered figure with its text alternative; the last expression of a notebook cell.

    It shows itself as an HTML image: JupyterLab 4 drops the alternative text of image/png outputs,
    and keeps that of an `<img>`, in notebooks that it does not trust as well.

    Args:
        png: the image file, as bytes.
        alt: what the figure shows, in words and numbers, for those who cannot see it.
        width: the width in pixels at which the picture is shown.
        figure: the matplotlib figure it was made from.

    Example:
        >>> fig, ax = subplots(size=(2, 1))
        >>> with_alt(fig, alt="An empty frame.")
        An empty frame.
    """

    png: bytes
    alt: str
    width: int
    figure: Figure = field(compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "alt", _alternative(self.alt))

    def __repr__(self) -> str:
        return self.alt

    def _repr_html_(self) -> str:
        source = base64.b64encode(self.png).decode("ascii")
        alt = html.escape(self.alt)
        return f'<img alt="{alt}" width="{self.width}" src="data:image/png;base64,{source}">'

    def save(self, path: str | Path) -> None:
        """Write the image to a PNG file."""
        Path(path).write_bytes(self.png)


def _alternative(alt: Any) -> str:
    if not isinstance(alt, str):
        raise TypeError(f"alt must be a text, got {alt!r} ({type(alt).__name__})")
    if not alt.strip():
        raise ValueError("alt must say what the figure shows, with its numbers; got an empty text")
    return " ".join(alt.split())


def with_alt(fig: Figure, alt: str, colors: int = 64, scale: float = 1.5) -> Picture:
    """Render `fig` and return it with its text alternative.

    Titles that are too long for their Axes are wrapped. The image has `scale` pixels per shown
    pixel, so that it is sharp on a projector, and a palette, so that the notebook stays small.

    Args:
        fig: a figure from `subplots`.
        alt: what the figure shows, with its numbers; must not be empty.
        colors: size of the palette, 2 to 256 (take 256 for a figure with a color map).
        scale: 0.5 to 4.

    Example:
        >>> fig, ax = subplots(size=(3, 2))
        >>> _ = ax.set(title="A line", xlabel="x")
        >>> with_alt(fig, alt="A straight line from 0 to 1.").width
        300
    """
    _check_figure(fig)
    alt = _alternative(alt)
    colors = validate.integer("colors", validate.between("colors", colors, 2, 256))
    scale = validate.between("scale", scale, 0.5, 4)
    fit_titles(fig)
    shot = render(fig, scale)
    buffer = io.BytesIO()
    with_palette(shot, colors).save(buffer, "png", optimize=True)
    FigureCanvasAgg(fig)  # attaches itself; the old canvas goes, and its megabytes of pixels
    return Picture(buffer.getvalue(), alt, round(shot.width / scale), fig)


def _check_figure(fig: Any) -> None:
    if not isinstance(fig, Figure):
        raise TypeError(f"fig must be a matplotlib Figure, got {fig!r}")


def fit_titles(fig: Figure) -> None:
    """Wrap every title of `fig` that is wider than the room it has, so that nothing is cut.

    >>> fig, ax = subplots(size=(2, 1))
    >>> title = ax.set_title("a finding that is wider than a figure of two inches", loc="left")
    >>> fit_titles(fig)
    >>> "\\n" in title.get_text()
    True
    """
    titles = [(ax._left_title, ax) for ax in fig.axes if ax._left_title.get_text()]
    if not titles and fig._suptitle is None:
        return
    for title, _ in titles:
        title.set_visible(False)  # otherwise a long title makes its Axes narrow
    fig.draw_without_rendering()  # the layout decides how wide the Axes are
    renderer = fig.canvas.get_renderer()
    for title, ax in titles:
        title.set_visible(True)
        _wrap(title, _right_end(ax, fig) - ax.bbox.x0, renderer)
    if fig._suptitle is not None:
        _wrap(fig._suptitle, 0.97 * fig.bbox.width, renderer)


def _right_end(ax: Axes, fig: Figure) -> float:
    """Where a title of `ax` must end, in pixels: before its right neighbor or the figure's edge."""
    gap = 0.015 * fig.bbox.width
    beside = [
        other.bbox.x0 - 2 * gap
        for other in fig.axes
        if other.bbox.x0 > ax.bbox.x1 and other.bbox.y0 < ax.bbox.y1 and other.bbox.y1 > ax.bbox.y0
    ]
    return min([*beside, fig.bbox.width - gap])


def _wrap(text: Any, room: float, renderer: Any) -> None:
    """Break `text` into as few lines as fit into `room` pixels, of about equal length."""
    words = re.findall(r"(?:\$[^$]*\$|\S)+", text.get_text())
    if text.get_window_extent(renderer).width <= room or len(words) < 2:
        return
    for lines in range(2, len(words) + 1):
        text.set_text(_lines(words, lines))
        if text.get_window_extent(renderer).width <= room:
            return


def _lines(words: Sequence[str], count: int) -> str:
    """Join `words` into at most `count` lines, each as long as the whole divided by `count`."""
    target = len(" ".join(words)) / count
    lines = [[words[0]]]
    for word in words[1:]:
        if len(lines) < count and len(" ".join(lines[-1])) + len(word) / 2 >= target:
            lines.append([])
        lines[-1].append(word)
    return "\n".join(" ".join(line) for line in lines)


def suptitle(fig: Figure, text: str) -> None:
    """Write the finding above all Axes of `fig`, at the left, wrapped when it is shown.

    >>> fig, axes = subplots(cols=2)
    >>> suptitle(fig, "Both fall")
    >>> fig.get_suptitle()
    'Both fall'
    """
    _check_figure(fig)
    fig.suptitle(text, x=0.012, ha="left")


# --------------------------------------------------------------------------------- small helpers


def color(index: int) -> str:
    """Return the color of line `index`; after the last color comes the first again.

    >>> color(0) == color(len(COLORS)) == COLORS[0]
    True
    """
    return COLORS[validate.integer("index", index) % len(COLORS)]


def readable_color(shade: str) -> str:
    """Return a color for words that belong to a line: its own, as dark as words on white need it.

    The contrast of relative luminances, (1 + 0.05) / (Y + 0.05), is at least 4.5.

    Source: Web Content Accessibility Guidelines 2.2, success criterion 1.4.3.

    >>> readable_color(BLUE), readable_color(VERMILLION)
    ('#0072b2', '#c15500')
    """
    if not matplotlib.colors.is_color_like(shade):
        raise ValueError(f"shade must be a color, got {shade!r}")
    rgb = np.array(matplotlib.colors.to_rgb(shade))
    while True:
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        if 1.05 / (linear @ (0.2126, 0.7152, 0.0722) + 0.05) >= 4.5:
            return matplotlib.colors.to_hex(rgb)
        rgb = 0.98 * rgb


def line_style(index: int) -> dict[str, Any]:
    """Return color and line style of line `index`: two signs, so that neither is needed alone.

    >>> line_style(1)
    {'color': '#D55E00', 'ls': '--'}
    """
    return {"color": color(index), "ls": ("-", "--", "-.", ":", "-", "--", "-.")[index % 7]}


def as_label(text: Any) -> str | None:
    """Return `text` as the label of a line, or None for no label.

    Matplotlib leaves labels that begin with an underscore out of the legend; a space helps.

    >>> as_label("_warm-up"), as_label("")
    (' _warm-up', None)
    """
    text = "" if text is None else str(text)
    return f" {text}" if text.startswith("_") else text or None


def check_axes(ax: Any) -> Axes:
    """Return `ax` if it is one Axes; the array that `subplots` returns for several is none.

    >>> check_axes(subplots(cols=2)[1])
    Traceback (most recent call last):
    TypeError: ax must be one matplotlib Axes, got array of 2
    """
    if not isinstance(ax, Axes):
        got = f"array of {ax.size}" if isinstance(ax, np.ndarray) else repr(ax)
        raise TypeError(f"ax must be one matplotlib Axes, got {got}")
    return ax


def log_ticks(axis: Any, ticks: int = 7) -> None:
    """Put at most `ticks` labels on the decades of a logarithmic axis.

    >>> fig, ax = subplots()
    >>> _ = ax.semilogy([1e-9, 1e9])
    >>> log_ticks(ax.yaxis, ticks=4)
    >>> marks = ax.yaxis.get_major_locator().tick_values(1e-9, 1e9)
    >>> len([mark for mark in marks if 1e-9 <= mark <= 1e9])
    4
    """
    if not isinstance(axis, Axis):
        raise TypeError(f"axis must be the xaxis or yaxis of Axes, got {axis!r}")
    axis.set_major_locator(LogLocator(base=10, numticks=validate.integer("ticks", ticks, 1)))


def legend(ax: Axes) -> None:
    """Show a legend if a line has a label.

    >>> fig, ax = subplots()
    >>> legend(ax)
    >>> ax.get_legend() is None
    True
    """
    if check_axes(ax).get_legend_handles_labels()[1]:
        ax.legend()
