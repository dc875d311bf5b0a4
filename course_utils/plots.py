"""Views: they draw `Run`s and sweeps on given Axes, and train nothing.

`canvas` gives a figure in the course's style, the view functions draw on its Axes and return
them, and `picture`, the last expression of a cell, shows the figure together with its text
alternative. Nothing here uses pyplot, so no figure stays open when its cell has run.
"""

from __future__ import annotations

import base64
import io
import math
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from PIL import Image

from . import validate
from .run import Run

STYLE = Path(__file__).with_name("course.mplstyle")
# Lessons also draw on the Axes directly, after `canvas` has returned: only a style that is in
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

DIVERGED = "some seed diverged"

CEILING = 100.0
"""A curve of a diverging run is cut where its loss exceeds this multiple of the first loss."""


# --------------------------------------------------------------------------- figure and picture


def canvas(
    rows: int = 1, cols: int = 1, size: tuple[float, float] = (10, 4), **gridspec: Any
) -> tuple[Figure, Any]:
    """Return a new figure in the course's style and its Axes (one, or an array), without pyplot.

    Args:
        rows, cols: how many Axes below and beside each other.
        size: width and height in inches, at 100 dots per inch.
        **gridspec: passed to `Figure.subplots` (sharex, ...) or to its grid (height_ratios, ...).

    Raises:
        ValueError: if a number of Axes is below 1 or a size is not positive.

    Example:
        >>> fig, (left, right) = canvas(cols=2)
        >>> fig.get_size_inches().tolist()
        [10.0, 4.0]
    """
    rows, cols = validate.integer("rows", rows, 1), validate.integer("cols", cols, 1)
    width, height = (validate.positive("size", side) for side in size)
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    shared = {name: gridspec.pop(name) for name in ("sharex", "sharey") if name in gridspec}
    return figure, figure.subplots(rows, cols, gridspec_kw=gridspec, **shared)


@dataclass(frozen=True)
class Picture:
    """A rendered figure with its text alternative; the last expression of a notebook cell.

    Args:
        png: the image file, as bytes.
        alt: what the figure shows, in words and numbers, for those who cannot see it.
        width: the width in pixels at which the picture is shown.
        figure: the matplotlib figure it was made from.

    Raises:
        ValueError: if `alt` is empty.

    Example:
        >>> fig, ax = canvas(size=(2, 1))
        >>> picture(fig, alt="An empty frame.")
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

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        """The forms in which Jupyter can show it: the image, and the text in its place."""
        data = {"image/png": base64.b64encode(self.png).decode("ascii"), "text/plain": self.alt}
        # nbconvert's classic template reads `alt`; `alttext` is what ipykernel's own figures use.
        return data, {"image/png": {"alt": self.alt, "alttext": self.alt, "width": self.width}}

    def save(self, path: str | Path) -> None:
        """Write the image to a PNG file."""
        Path(path).write_bytes(self.png)


def _alternative(alt: Any) -> str:
    if not isinstance(alt, str):
        raise TypeError(f"alt must be a text, got {alt!r} ({type(alt).__name__})")
    if not alt.strip():
        raise ValueError("alt must say what the figure shows, with its numbers; got an empty text")
    return " ".join(alt.split())


def picture(fig: Figure, alt: str, colors: int = 64, scale: float = 1.5) -> Picture:
    """Render `fig` and return it with its text alternative.

    Titles that are too long for their Axes are wrapped. The image has `scale` pixels per shown
    pixel, so that it is sharp on a projector, and a palette, so that the notebook stays small.

    Args:
        fig: a figure from `canvas`.
        alt: what the figure shows, with its numbers; must not be empty.
        colors: size of the palette, 2 to 256 (take 256 for a figure with a color map).
        scale: 0.5 to 4.

    Raises:
        ValueError: if `alt` is empty, or `colors` or `scale` is out of range.
        TypeError: if `fig` is not a matplotlib Figure.

    Example:
        >>> fig, ax = canvas(size=(3, 2))
        >>> _ = ax.set(title="A line", xlabel="x")
        >>> picture(fig, alt="A straight line from 0 to 1.").width
        300
    """
    if not isinstance(fig, Figure):
        raise TypeError(f"fig must be a matplotlib Figure, got {fig!r}")
    alt = _alternative(alt)
    colors = validate.integer("colors", validate.between("colors", colors, 2, 256))
    scale = validate.between("scale", scale, 0.5, 4)
    fit_titles(fig)
    shot = render(fig, scale)
    buffer = io.BytesIO()
    with_palette(shot, colors).save(buffer, "png", optimize=True)
    FigureCanvasAgg(fig)  # attaches itself; the old canvas goes, and its megabytes of pixels
    return Picture(buffer.getvalue(), alt, round(shot.width / scale), fig)


def render(fig: Figure, scale: float = 1.0) -> Image.Image:
    """Draw `fig` with `scale` pixels per pixel and return it as an RGB image.

    >>> render(Figure(figsize=(2, 1), dpi=100), scale=1.5).size
    (300, 150)
    """
    dpi, canvas_before = fig.get_dpi(), fig.canvas
    fig.set_dpi(dpi * scale)
    try:
        agg = FigureCanvasAgg(fig)  # of its own, so that its pixels are freed at once
        agg.draw()
        return pixels(agg)
    finally:
        fig.set_canvas(canvas_before)
        fig.set_dpi(dpi)


def pixels(agg: FigureCanvasAgg) -> Image.Image:
    """Return what was last drawn on `agg` as an RGB image (a copy).

    >>> agg = FigureCanvasAgg(Figure(figsize=(2, 1), dpi=100))
    >>> agg.draw()
    >>> pixels(agg).size
    (200, 100)
    """
    size = agg.get_width_height()
    shot = Image.frombuffer("RGBA", size, agg.buffer_rgba(), "raw", "RGBA", 0, 1)
    return shot.convert("RGB")


def quick_png(rgba: Any) -> bytes:
    """Return pixels (height, width, 4), uint8, as an RGB PNG file, made for speed.

    Pillow tries five filters per row; on a drawing with much white none of them is worth its
    time, and without them the file is made about three times faster and is no larger.

    Source: PNG specification, third edition, sections 5 (chunks) and 9 (filter type 0).

    >>> quick_png(np.zeros((2, 3, 4), np.uint8))[:4]
    b'\\x89PNG'
    """
    rgba = np.asarray(rgba)
    height, width = rgba.shape[:2]
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # a row starts with its filter: 0, none
    for channel in range(3):
        rows[:, 1 + channel :: 3] = rgba[:, :, channel]
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits each, RGB
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_palette(image: Image.Image, count: int) -> Image.Image:
    """Return an RGB image in at most `count` colors: the frequent ones exactly, the others nearly.

    Pillow's own methods tint large light areas or drop rare colors, such as a small red cross.

    >>> len(with_palette(Image.linear_gradient("L").convert("RGB"), 16).getcolors())
    16
    """
    frequent = sorted(image.getcolors(image.width * image.height), reverse=True)
    found = np.array([color for _, color in frequent], dtype=np.int32)
    chosen = list(range(min(max(count // 2, 1), len(found))))
    far = np.min([((found - found[k]) ** 2).sum(axis=1) for k in chosen], axis=0)
    while len(chosen) < min(count, len(found)):  # then always the color that is worst off
        chosen.append(int(np.argmax(far)))
        far = np.minimum(far, ((found - found[chosen[-1]]) ** 2).sum(axis=1))
    nearest = np.array([((found[chosen] - c) ** 2).sum(axis=1).argmin() for c in found], np.uint8)
    # Row by row: arrays as large as the picture would make up most of a lesson's memory.
    weights = np.array([1 << 16, 1 << 8, 1], dtype=np.int32)
    order = np.argsort(found @ weights)
    codes, nearest = (found @ weights)[order], nearest[order]
    rows = [nearest[np.searchsorted(codes, row @ weights)] for row in np.asarray(image)]
    result = Image.fromarray(np.array(rows), "P")
    result.putpalette(found[chosen].astype(np.uint8).tobytes())
    return result


def fit_titles(fig: Figure) -> None:
    """Wrap every title of `fig` that is wider than the room it has, so that nothing is cut.

    >>> fig, ax = canvas(size=(2, 1))
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


def headline(fig: Figure, text: str) -> None:
    """Write the finding above all Axes of `fig`, at the left, wrapped when it is shown.

    >>> fig, axes = canvas(cols=2)
    >>> headline(fig, "Both fall")
    >>> fig.get_suptitle()
    'Both fall'
    """
    fig.suptitle(text, x=0.012, ha="left")


# ------------------------------------------------------------------------------ runs over steps


def named(runs: Run | Mapping[str, Run] | Sequence[Run]) -> dict[str, Run]:
    """Return `runs` as a dict from label to `Run`; a single run gets an empty label.

    Raises:
        TypeError: if something in it is not a `Run`.
        ValueError: if it is empty.

    Example:
        >>> run = Run(lr=[0.1], loss=[4.0], grad_norm=[4.0], final_loss=1.0)
        >>> list(named({"small": run})), list(named(run)), list(named([run, run]))
        (['small'], [''], ['run 1', 'run 2'])
    """
    if isinstance(runs, Run):
        runs = {"": runs}
    elif isinstance(runs, Mapping):
        runs = {str(label): run for label, run in runs.items()}
    elif isinstance(runs, Sequence) and not isinstance(runs, str):
        runs = {f"run {i}": run for i, run in enumerate(runs, 1)}
    else:
        raise TypeError(f"runs must be a Run or a dict from label to Run, got {runs!r}")
    if not runs:
        raise ValueError("runs must contain at least one Run, got none")
    for label, run in runs.items():
        if not isinstance(run, Run):
            raise TypeError(f"runs[{label!r}] must be a Run, got {type(run).__name__}")
    return runs


def losses(run: Run) -> np.ndarray:
    """Return the loss after 0, 1, ..., T updates, shape (T + 1, ...).

    >>> losses(Run(lr=[0.1], loss=[4.0], grad_norm=[4.0], final_loss=1.0))
    array([4., 1.])
    """
    return np.concatenate([run.loss, np.asarray(run.final_loss)[np.newaxis]])


def loss_curve(
    ax: Axes,
    runs: Run | Mapping[str, Run],
    *,
    floor: float | None = None,
    ceiling: float = CEILING,
    smooth: int = 1,
    log: bool = True,
) -> Axes:
    """Draw loss against the number of updates done, 0 to T, on a logarithmic axis.

    The curve of a diverging run is cut where it leaves the frame, and a red cross says at which
    step; a loss of exactly zero, which a logarithmic axis cannot show, is a triangle at its foot.
    Runs with replicas show their median and, as a band, their range.

    Args:
        ax: where to draw.
        runs: a `Run` or a dict from label to `Run`.
        floor: the lowest loss shown; smaller ones lie on it.
        ceiling: diverging runs are cut at this multiple of the largest first loss.
        smooth: draw the mean of this many updates (and the raw curve faintly behind it).
        log: False for a linear loss axis.

    Raises:
        ValueError, TypeError: if an argument is out of range or not a run.

    Example:
        >>> run = Run(lr=[0.1, 0.1], loss=[4.0, 1.0], grad_norm=[4.0, 2.0], final_loss=0.25)
        >>> ax = loss_curve(canvas()[1], {"0.1": run})
        >>> ax.lines[0].get_ydata().tolist()
        [4.0, 1.0, 0.25]
    """
    runs = named(runs)
    floor = None if floor is None else validate.positive("floor", floor)
    ceiling, smooth = validate.positive("ceiling", ceiling), validate.integer("smooth", smooth, 1)
    curves = {label: losses(run) for label, run in runs.items()}
    top = ceiling * max(_first(curve) for curve in curves.values())
    bottom = floor if floor is not None else _lowest(curves.values())
    if log:
        ax.set_yscale("log")
    for i, (label, curve) in enumerate(curves.items()):
        _curve(ax, i, label, curve, runs[label].diverged, bottom, top, smooth, log)
    if floor is not None:
        ax.set_ylim(bottom=floor if log else 0)
    ax.set(xlabel=STEP_LABEL, ylabel="loss")
    ax.margins(x=0.02)
    if log:
        plain_log(ax.yaxis)
    legend(ax)
    return ax


def _first(curve: np.ndarray) -> float:
    first = np.asarray(curve[0])
    return float(np.max(first[np.isfinite(first)], initial=0.0)) or 1.0


def _lowest(curves: Any) -> float:
    """The place of a loss of exactly zero: one decade below the smallest positive one."""
    lowest = [np.min(c[np.isfinite(c) & (c > 0)], initial=np.inf) for c in curves]
    return float(min(lowest)) / 10 if np.isfinite(min(lowest)) else 1e-12


def _curve(
    ax: Axes,
    index: int,
    label: str,
    curve: np.ndarray,
    diverged: Any,
    bottom: float,
    top: float,
    smooth: int,
    log: bool,
) -> None:
    look = line_look(index)
    flat = curve.reshape(len(curve), -1)
    with np.errstate(invalid="ignore"):
        middle = np.median(flat, axis=1)
    end, why = _visible(middle, np.any(diverged), top, log)
    steps, shown = np.arange(end), middle[:end]
    if log:
        shown = np.maximum(shown, bottom)
    if smooth > 1:
        ax.plot(steps, shown, color=look["color"], lw=0.8, alpha=0.3)
        shown = running_mean(shown, smooth)
    if end == 1:
        look["marker"] = "o"  # a line of one point is invisible
    ax.plot(steps, shown, label=label or None, **look)
    if flat.shape[1] > 1:
        low, high = flat[:end].min(axis=1), flat[:end].max(axis=1)
        low = np.maximum(low, bottom) if log else low
        high = np.nan_to_num(np.minimum(high, top), nan=top)
        ax.fill_between(steps, low, high, color=look["color"], alpha=0.18, lw=0)
    if why == "diverged":
        _mark_divergence(ax, end, shown, index)
    elif why == "zero":
        _mark_zero(ax, end - 1, bottom, look["color"])


def _visible(loss: np.ndarray, diverged: bool, top: float, log: bool) -> tuple[int, str]:
    """How many entries of a curve can be shown, and why it ends: "diverged", "zero" or ""."""
    with np.errstate(invalid="ignore"):
        outside = ~(loss <= top)
    if diverged and outside.any():
        return int(np.argmax(outside)), "diverged"
    if log and loss[-1] == 0:
        return int(np.argmax(loss == 0)) + 1, "zero"
    return len(loss), ""


def _mark_zero(ax: Axes, step: int, bottom: float, shade: str) -> None:
    ax.plot([step], [bottom], "v", color=shade, ms=10, clip_on=False)
    ax.annotate("exactly 0", (step, bottom), (8, 4), textcoords="offset points", color=ink(shade))


def _mark_divergence(ax: Axes, end: int, shown: np.ndarray, index: int) -> None:
    """A red cross at the last point inside the frame, and in words when the run left it."""
    last = max(end - 1, 0)
    height = shown[-1] if len(shown) else 1.0
    ax.plot([last], [height], "x", color=INFEASIBLE, ms=11, mew=3, zorder=5, clip_on=False)
    ax.annotate(
        f"diverges, cut at step {end}",
        (last, height),
        (9, -4 if index % 2 == 0 else -18),
        textcoords="offset points",
        color=INFEASIBLE,
        va="center",
        bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8},
    )


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Return the mean of each entry and the `window` - 1 before it (fewer at the start).

    >>> running_mean(np.array([2.0, 4.0, 6.0]), 2)
    array([2., 3., 5.])
    """
    sums = np.cumsum(values, dtype=np.float64)
    sums[window:] -= sums[:-window].copy()
    return sums / np.minimum(np.arange(1, len(values) + 1), window)


def metric_curve(
    ax: Axes,
    runs: Run | Mapping[str, Run],
    name: str,
    *,
    log: bool = False,
    label: str | None = None,
) -> Axes:
    """Draw `run.metrics[name]` against `run.metrics["step"]`.

    Args:
        ax: where to draw.
        runs: a `Run` or a dict from label to `Run`.
        name: the metric, for instance "validation_accuracy".
        log: True for a logarithmic axis.
        label: the text of the y axis; the name of the metric if not given.

    Raises:
        ValueError: if a run has no such metric.

    Example:
        >>> run = Run([0.1], [4.0], [4.0], 1.0, metrics={"step": [0, 1], "accuracy": [0.1, 0.4]})
        >>> metric_curve(canvas()[1], run, "accuracy").lines[0].get_ydata().tolist()
        [0.1, 0.4]
    """
    runs = named(runs)
    for run in runs.values():
        validate.one_of("name", name, [known for known in run.metrics if known != "step"] or ("",))
    for i, (key, run) in enumerate(runs.items()):
        values = run.metrics[name].astype(float).reshape(len(run.metrics["step"]), -1)
        ax.plot(run.metrics["step"], np.median(values, axis=1), label=key or None, **line_look(i))
        if values.shape[1] > 1:
            low, high = values.min(axis=1), values.max(axis=1)
            ax.fill_between(run.metrics["step"], low, high, color=color(i), alpha=0.18, lw=0)
    if log:
        ax.set_yscale("log")
        plain_log(ax.yaxis)
    ax.set(xlabel=STEP_LABEL, ylabel=label or _in_words(name))
    ax.margins(x=0.02)
    legend(ax)
    return ax


def rate_strip(ax: Axes, runs: Run | Mapping[str, Run], *, log: bool | None = None) -> Axes:
    """Draw the learning rate that was used at each update: the strip of the flight recorder.

    Args:
        ax: where to draw.
        runs: a `Run` or a dict from label to `Run`.
        log: logarithmic axis; by default when one run's largest rate is over 30 times another's.

    Example:
        >>> run = Run(lr=[0.2, 0.1], loss=[4.0, 1.0], grad_norm=[4.0, 2.0], final_loss=0.25)
        >>> rate_strip(canvas()[1], run).lines[0].get_ydata().tolist()
        [0.2, 0.1, 0.1]
    """
    runs = named(runs)
    for i, (label, run) in enumerate(runs.items()):
        if run.steps:
            used = np.append(run.lr, run.lr[-1])  # update t lasts from t to t + 1
            _rate_line(ax, used, label=label or None, **line_look(i))
    rates = np.concatenate([run.lr for run in runs.values()])
    if log is None:
        peaks = [run.lr.max() for run in runs.values() if run.steps and run.lr.max() > 0]
        log = len(peaks) > 1 and max(peaks) > 30 * min(peaks)
    if log:
        ax.set_yscale("log")
        plain_log(ax.yaxis, 4)
    else:
        ax.set_ylim(min(0.0, 1.15 * rates.min(initial=0)), 1.15 * rates.max(initial=0) or 1.0)
        ax.yaxis.get_major_locator().set_params(nbins=3)
    ax.set(xlabel=STEP_LABEL, ylabel=RATE_LABEL.replace(" ", "\n"))
    ax.margins(x=0.02)
    return ax


def _rate_line(ax: Axes, rates: np.ndarray, **look: Any) -> None:
    """Rates as stairs, where one can see the stairs or the schedule itself has some."""
    steps = "steps-post" if len(rates) <= 60 or _has_jumps(rates) else "default"
    ax.plot(np.arange(len(rates)), rates, drawstyle=steps, **look)


def _has_jumps(rates: np.ndarray) -> bool:
    moves = np.abs(np.diff(rates))
    return bool(np.mean(moves == 0) > 0.5)


def loss_and_rate(
    runs: Run | Mapping[str, Run],
    title: str,
    alt: str,
    *,
    floor: float | None = None,
    smooth: int = 1,
    size: tuple[float, float] = (10, 5),
) -> Picture:
    """Return a picture of the loss with, under it, the rate that was used at each update.

    Args:
        runs: a `Run` or a dict from label to `Run`.
        title: the finding.
        alt: the text alternative, with the numbers.
        floor, smooth: as in `loss_curve`.
        size: inches.

    Example:
        >>> run = Run(lr=[0.1, 0.1], loss=[4.0, 1.0], grad_norm=[4.0, 2.0], final_loss=0.25)
        >>> loss_and_rate(run, "The loss falls", alt="Loss 4, 1, 0.25 at the rate 0.1.").width
        1000
    """
    fig, (above, below) = canvas(2, 1, size=size, height_ratios=(3, 1.15), sharex=True)
    loss_curve(above, runs, floor=floor, smooth=smooth)
    rate_strip(below, runs)
    above.set(title=title, xlabel="")
    fig.align_ylabels()
    return picture(fig, alt=alt)


# ------------------------------------------------------------------------------ paths on a loss


def trajectory(
    ax: Axes,
    problem: Any,
    runs: Run | Mapping[str, Run],
    xlim: tuple[float, float] | None = None,
    ylim: tuple[float, float] | None = None,
) -> Axes:
    """Draw the path of the parameters on the curve (d = 1) or the contours (d = 2) of the loss.

    Args:
        ax: where to draw.
        problem: a `problems.Problem` of one or two parameters.
        runs: runs with `params` of shape (T + 1, d), labeled or not.
        xlim, ylim: the window; by default the start, the minimum and what lies near them.

    Raises:
        ValueError: if a run has no recorded parameters, or not one or two of them.

    Example:
        >>> from course_utils.problems import shifted_square
        >>> run = Run([0.1], [36.0], [12.0], 23.04, params=[[5.0], [3.8]])
        >>> ax = trajectory(canvas()[1], shifted_square(), run)
        >>> ax.lines[1].get_ydata().tolist()
        [36.0, 23.04]
    """
    runs = named(runs)
    paths = {label: _path(label, run) for label, run in runs.items()}
    dimension = {path.shape[1] for path in paths.values()}
    if len(dimension) != 1 or not dimension <= {1, 2}:
        raise ValueError(f"runs must all have one or two parameters, got {sorted(dimension)}")
    if dimension == {1}:
        return _paths_on_curve(ax, problem, paths, xlim, ylim)
    return _paths_on_contours(ax, problem, paths, xlim, ylim)


def _path(label: str, run: Run) -> np.ndarray:
    if run.params is None:
        raise ValueError(f"runs[{label!r}] must have recorded params, got None")
    if run.params.ndim != 2:
        raise ValueError(f"runs[{label!r}].params must be (T + 1, d), got {run.params.shape}")
    return run.params


def _paths_on_curve(
    ax: Axes, problem: Any, paths: Mapping[str, np.ndarray], xlim: Any, ylim: Any
) -> Axes:
    xlim = xlim or _window([path[:, 0] for path in paths.values()], _minimum(problem, 0))
    draw_curve(ax, problem, xlim, ylim)
    for i, (label, path) in enumerate(paths.items()):
        with np.errstate(all="ignore"):
            heights = problem.loss(path)
        _path_line(ax, i, label, path[:, 0], heights, xlim, ax.get_ylim())
    legend(ax)
    return ax


def draw_curve(ax: Axes, problem: Any, xlim: tuple, ylim: tuple | None = None) -> Axes:
    """Draw the loss of a problem of one parameter over `xlim`, in gray."""
    w = np.linspace(*xlim, 400)
    loss = problem.loss(w[:, np.newaxis])
    ax.plot(w, loss, color="#888888", ls="-", lw=3, zorder=1)
    span = loss.max() - loss.min()
    ax.set(xlim=xlim, ylim=ylim or (loss.min() - 0.06 * span, loss.max()))
    ax.set(xlabel="parameter w", ylabel="loss")
    return ax


def _paths_on_contours(
    ax: Axes, problem: Any, paths: Mapping[str, np.ndarray], xlim: Any, ylim: Any
) -> Axes:
    xlim = xlim or _window([path[:, 0] for path in paths.values()], _minimum(problem, 0))
    ylim = ylim or _window([path[:, 1] for path in paths.values()], _minimum(problem, 1))
    draw_contours(ax, problem, xlim, ylim)
    for i, (label, path) in enumerate(paths.items()):
        _path_line(ax, i, label, path[:, 0], path[:, 1], xlim, ylim)
    legend(ax)
    return ax


def draw_contours(ax: Axes, problem: Any, xlim: tuple, ylim: tuple) -> Axes:
    """Draw contours of the loss of a problem of two parameters, and a star at its minimum."""
    x, y = np.meshgrid(np.linspace(*xlim, 161), np.linspace(*ylim, 121))
    loss = problem.loss(np.stack([x, y], axis=-1))
    # Levels that grow with the square are equally far apart on a parabola.
    levels = loss.min() + (loss.max() - loss.min()) * np.linspace(0.03, 1, 13) ** 2
    ax.contourf(x, y, loss, levels=[loss.min() - 1, *levels], cmap="Greys_r", alpha=0.2)
    ax.contour(x, y, loss, levels=levels, colors="#AAAAAA", linewidths=0.9)
    if problem.minimum is not None:
        point = np.atleast_1d(problem.minimum)
        ax.plot(*point, "*", ms=16, color="white", mec=BLACK, mew=1.2, zorder=4)
    ax.grid(False)
    ax.set(xlim=xlim, ylim=ylim, xlabel="parameter $w_1$", ylabel="parameter $w_2$")
    return ax


def _path_line(ax: Axes, i: int, label: str, x: Any, y: Any, xlim: Any, ylim: Any) -> None:
    """A path with a dot per update, a ring at the start, and a cross where it leaves the frame."""
    with np.errstate(invalid="ignore"):
        inside = (x >= xlim[0]) & (x <= xlim[1]) & (y >= ylim[0]) & (y <= ylim[1])
    out = int(np.argmin(inside)) if not inside.all() else len(x)
    look = line_look(i)
    shown = slice(
        0, min(out + 1, len(x))
    )  # with the first point outside: the line reaches the edge
    finite = np.isfinite(x[shown]) & np.isfinite(y[shown])
    ax.plot(
        x[shown][finite],
        y[shown][finite],
        marker="o",
        ms=5,
        label=label or None,
        zorder=3,
        **{**look, "lw": 1.6},
    )
    ax.plot(x[:1], y[:1], "o", ms=12, mfc="white", mec=look["color"], mew=2.4, zorder=4)
    if 0 < out < len(x):
        ax.plot(x[out - 1], y[out - 1], "x", ms=12, mew=3, color=INFEASIBLE, zorder=5)
        ax.annotate(
            f"leaves at step {out}",
            (x[out - 1], y[out - 1]),
            (10, 0),
            textcoords="offset points",
            color=INFEASIBLE,
            va="center",
            bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8},
        )


def _minimum(problem: Any, axis: int) -> float | None:
    return None if problem.minimum is None else float(np.atleast_1d(problem.minimum)[axis])


def _window(paths: Sequence[np.ndarray], minimum: float | None) -> tuple[float, float]:
    """A window around the starts and the minimum; a run that goes off does not widen it much."""
    starts = [float(path[0]) for path in paths]
    center = minimum if minimum is not None else float(np.mean(starts))
    reach = max(max(abs(start - center) for start in starts), 1e-3)
    points = np.concatenate([path[np.isfinite(path)] for path in paths])
    near = points[np.abs(points - center) <= 1.6 * reach]
    low, high = min(near.min(initial=center), center), max(near.max(initial=center), center)
    pad = 0.12 * (high - low)
    return (low - pad, high + pad)


# --------------------------------------------------------------------------- many learning rates


def u_curve(
    ax: Axes,
    sweep: Any,
    metric: str = "validation_loss",
    label: str | None = None,
    *,
    index: int | None = None,
    tolerance: float | None = None,
    log: bool = False,
) -> Axes:
    """Draw the final `metric` against the rate: mean over seeds, and their range as a band.

    Rates at which some run diverged (or the metric is not finite) get a red cross at the edge of
    the frame and no place in the line. With `tolerance` the width of the basin is drawn.

    Args:
        ax: where to draw; call it again on the same Axes to compare methods.
        sweep: a `sweep.Sweep`: `lrs` (R,), `final(metric)` (R, S), `diverged` (R, S).
        metric: for instance "validation_accuracy" or "train_loss".
        label: the name of the method in the legend.
        index: the color to use; by default the next one.
        tolerance: the basin is where the mean is within this distance of the best (`Sweep.basin`).
        log: logarithmic y axis, for losses over many orders of magnitude.

    Raises:
        TypeError: if `sweep` lacks what is needed.

    Example:
        >>> class Three:
        ...     lrs, diverged = np.array([0.1, 1.0, 10.0]), np.array([[False], [False], [True]])
        ...
        ...     def final(self, name):
        ...         return np.array([[0.8], [0.9], [np.nan]])
        >>> ax = u_curve(canvas()[1], Three(), "validation_accuracy")
        >>> ax.lines[0].get_ydata().tolist()
        [0.8, 0.9, nan]
    """
    lrs, values, bad = _cells(sweep, metric)
    index = sum(line.get_gid() == "u_curve" for line in ax.lines) if index is None else index
    feasible = ~bad.any(axis=1)
    mean, low, high = (
        np.where(feasible, f(values, axis=1), np.nan) for f in (np.mean, np.min, np.max)
    )
    ax.set_xscale("log")
    if log:
        ax.set_yscale("log")
        plain_log(ax.yaxis)
    marker = "os^DvP*"[index % 7]
    ax.plot(lrs, mean, marker=marker, label=label, gid="u_curve", **line_look(index))
    if values.shape[1] > 1:
        ax.fill_between(lrs, low, high, color=color(index), alpha=0.2, lw=0)
    _crosses(ax, lrs[~feasible], index, label, higher_is_better="accuracy" in metric)
    if tolerance is not None:
        _basin(ax, sweep, metric, tolerance, index)
    ax.set(xlabel=RATE_LABEL, ylabel=_in_words(metric))
    ax.set_xlim(min(lrs.min(), ax.dataLim.x0) / 1.3, max(lrs.max(), ax.dataLim.x1) * 1.3)
    plain_log(ax.xaxis)
    legend(ax)
    return ax


def _in_words(metric: str) -> str:
    """The name of a metric as an axis says it: training loss, not train_loss."""
    return metric.replace("_", " ").replace("train ", "training ")


def _cells(sweep: Any, metric: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rates, the final values with 0 in infeasible cells, and which cells are infeasible."""
    for name in ("lrs", "final", "diverged"):
        if not hasattr(sweep, name):
            raise TypeError(f"sweep must have .{name}, got {type(sweep).__name__}")
    lrs = np.asarray(sweep.lrs, dtype=float)
    values = np.asarray(sweep.final(metric), dtype=float)
    bad = np.asarray(sweep.diverged, dtype=bool) | ~np.isfinite(values)
    order = np.argsort(lrs, kind="stable")
    return lrs[order], np.where(bad, 0.0, values)[order], bad[order]


def _crosses(
    ax: Axes, lrs: np.ndarray, index: int, label: str | None, higher_is_better: bool
) -> None:
    """Red crosses on the edge where bad values lie, one row per method, with its name beside it."""
    if not len(lrs):
        return
    height = 0.04 + 0.07 * index
    height = height if higher_is_better else 1 - height
    known = any(line.get_label() == DIVERGED for line in ax.lines)
    ax.plot(
        lrs,
        np.full(len(lrs), height),
        "x",
        color=INFEASIBLE,
        ms=9,
        mew=2.6,
        transform=ax.get_xaxis_transform(),
        label="_again" if known else DIVERGED,
    )
    if label:
        ax.annotate(
            label,
            (lrs[0], height),
            (-9, 0),
            xycoords=ax.get_xaxis_transform(),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=12,
            color=ink(color(index)),
        )


def _basin(ax: Axes, sweep: Any, metric: str, tolerance: float, index: int) -> None:
    basin = sweep.basin(metric, tolerance)
    low, high, decades = basin
    at_least = "at least " if getattr(basin, "edge", None) else ""
    if not (np.isfinite(low) and np.isfinite(high)):
        return
    ax.axvspan(low, high, color=color(index), alpha=0.08, lw=0, zorder=0)
    height = (0.02 if "accuracy" in metric else 0.75) + 0.15 * index
    transform = ax.get_xaxis_transform()
    ax.annotate(
        "",
        (low, height),
        (high, height),
        xycoords=transform,
        arrowprops={
            "arrowstyle": "<->",
            "color": color(index),
            "lw": 1.8,
            "shrinkA": 0,
            "shrinkB": 0,
        },
    )
    ax.text(
        high,
        height + 0.02,
        f"within {tolerance:g} of the best:\n{at_least}{decades:.1f} decades",
        transform=transform,
        ha="right",  # to the left of the cliff
        zorder=1.5,  # behind the curves
        va="bottom",
        color=ink(color(index)),
        bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8},
    )


REGIMES = ("crawl", "approach", "oscillate", "diverge")


def regime_strip(
    ax: Axes,
    curvature: float,
    rates: Mapping[str, float] | None = None,
    *,
    low: float | None = None,
    high: float | None = None,
) -> Axes:
    r"""Draw the regimes of gradient descent on :math:`\frac{\lambda}{2} w^2` along the rate axis.

    Crawl up to 0.1/λ, approach up to 1/λ (there one step is enough), oscillate and converge up
    to 2/λ (there it never settles), diverge beyond.

    Args:
        ax: where to draw.
        curvature: λ, greater than 0.
        rates: labeled rates to mark on the strip.
        low, high: the ends of the (logarithmic) axis; 0.02/λ and 4/λ if not given.

    Example:
        >>> ax = regime_strip(canvas(size=(10, 2))[1], curvature=2.0, rates={"too large": 1.01})
        >>> [text.get_text() for text in ax.texts][:4]
        ['crawl', 'approach', 'oscillate', 'diverge']
    """
    curvature = validate.positive("curvature", curvature)
    rates = {k: validate.positive("rates", rate) for k, rate in (rates or {}).items()}
    low = validate.positive("low", low if low is not None else 0.02 / curvature)
    high = validate.positive("high", high if high is not None else 4 / curvature)
    low, high = (
        min([low, *(r / 1.6 for r in rates.values())]),
        max([high, *(1.6 * r for r in rates.values())]),
    )
    edges = np.clip([low, 0.1 / curvature, 1 / curvature, 2 / curvature, high], low, high)
    ax.set_xscale("log")
    shades = ("#56B4E9", GREEN, "#E69F00", INFEASIBLE)  # pale: words stand on them
    for name, left, right, shade in zip(REGIMES, edges, edges[1:], shades):
        ax.axvspan(left, right, color=shade, alpha=0.28, lw=0)
        if right > left:
            center = math.sqrt(left * right)
            ax.text(center, 0.7, name, ha="center", va="center", weight="bold")
    for at, text, side in ((1, "one step: 1/λ", "right"), (2, "2/λ: never settles", "left")):
        ax.axvline(at / curvature, color=BLACK, ls="-", lw=1.6)
        ax.annotate(text, (at / curvature, 1), (0, 5), textcoords="offset points", ha=side)
    before = 0.0
    for label, rate in sorted(rates.items(), key=lambda pair: pair[1]):
        # a label that would run into its left neighbor goes to the right of its own mark
        side = "right" if rate / 1.35 > before else "left"
        ax.plot([rate], [0.25], "v", color=BLACK, ms=10)
        ax.annotate(
            label,
            (rate, 0.25),
            (-9 if side == "right" else 9, 0),
            textcoords="offset points",
            ha=side,
            va="center",
        )
        before = rate
    ax.set(xlim=(low, high), ylim=(0, 1), yticks=[], xlabel=RATE_LABEL)
    ax.spines["left"].set_visible(False)
    ax.grid(False)
    return ax


def mark_rates(ax: Axes, rates: Mapping[str, float], *, height: float = 0.97) -> Axes:
    """Draw a vertical line with its label at each rate, for instance {"2/λ": 1.0}.

    Example:
        >>> [text.get_text() for text in mark_rates(canvas()[1], {"2/λ": 1.0}).texts]
        ['2/λ']
    """
    for label, rate in rates.items():
        ax.axvline(rate, color=BLACK, ls="-", lw=1.2, zorder=1)
        ax.annotate(
            label,
            (rate, height),
            (4, 0),
            xycoords=ax.get_xaxis_transform(),
            textcoords="offset points",
            va="top",
            bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8},
        )
    return ax


# ------------------------------------------------------------------- schedules, sharpness, tests


def schedule_gallery(
    schedules: Mapping[str, Any] | Sequence[Any],
    steps: int,
    *,
    alt: str | None = None,
    title: str | None = None,
    cols: int = 4,
) -> Picture:
    """Return a picture with one small plot per schedule, all with the same axes.

    Args:
        schedules: `Schedule`s, or a dict from label to schedule (or to a list of schedules, whose
            `parameters` then appear in a legend).
        steps: draw the updates 0 to `steps` - 1.
        alt: the text alternative; by default the first, middle and last rate of each.
        title: the finding.
        cols: plots per row.

    Example:
        >>> from course_utils.schedules import constant
        >>> schedule_gallery([constant(0.1)], 10).alt
        'Learning rate over 10 updates, first, middle, last: constant 0.1, 0.1, 0.1.'
    """
    steps, cols = validate.integer("steps", steps, 2), validate.integer("cols", cols, 1)
    if not isinstance(schedules, Mapping):
        schedules = {schedule.name: schedule for schedule in schedules}
    if not schedules:
        raise ValueError("schedules must contain at least one schedule, got none")
    cols = min(cols, len(schedules))
    rows = math.ceil(len(schedules) / cols)
    fig, axes = canvas(rows, cols, size=(12, 0.4 + 2.5 * rows), sharex=True, sharey=True)
    axes = np.atleast_1d(axes).ravel()
    shown, at = [], np.arange(steps)
    for ax, (name, schedule) in zip(axes, schedules.items()):
        rates = np.asarray(schedule(at))
        shown.append(f"{name} {rates[0]:.3g}, {rates[steps // 2]:.3g}, {rates[-1]:.3g}")
        _rate_line(ax, rates, color=BLUE, ls="-")
        ax.set_title(name, fontsize=13)
    _finish_gallery(fig, axes, len(schedules), rows, cols)
    if title:
        headline(fig, title)
    if alt is None:
        alt = f"Learning rate over {steps} updates, first, middle, last: {'; '.join(shown)}."
    return picture(fig, alt=alt)


def _finish_gallery(fig: Figure, axes: np.ndarray, count: int, rows: int, cols: int) -> None:
    """Label the outer Axes only, and remove those that hold no schedule."""
    for i, ax in enumerate(axes):
        if i >= count:
            ax.remove()
            continue
        ax.set_ylim(bottom=0)
        if i % cols == 0:
            ax.set_ylabel(RATE_LABEL)
        if i + cols >= count:
            ax.set_xlabel(STEP_LABEL)
            ax.tick_params(labelbottom=True)


def sharpness(ax: Axes, runs: Run | Mapping[str, Run], metric: str = "sharpness") -> Axes:
    """Draw the sharpness of each run and, dotted, the limit 2/lr of the rate it used then.

    Args:
        ax: where to draw.
        runs: runs with `metrics[metric]`, the largest Hessian eigenvalue.
        metric: its name.

    Raises:
        ValueError: if a run has no such metric.

    Example:
        >>> run = Run(
        ...     [0.4, 0.4],
        ...     [4.0, 1.0],
        ...     [4.0, 2.0],
        ...     0.5,
        ...     metrics={"step": [0, 2], "sharpness": [3, 5]},
        ... )
        >>> [line.get_ydata().tolist() for line in sharpness(canvas()[1], run).lines]
        [[3.0, 5.0], [5.0, 5.0]]
    """
    runs = named(runs)
    metric_curve(ax, runs, metric)
    for i, run in enumerate(runs.values()):
        at = run.metrics["step"].astype(int)
        rate = run.lr[np.minimum(at, run.steps - 1)]
        ax.plot(at, 2 / rate, color=color(i), ls=(0, (1, 1.5)), lw=2)
        ax.annotate(
            f"2/{rate[-1]:g}",
            (at[-1], 2 / rate[-1]),
            (2, 4),
            textcoords="offset points",
            ha="right",
            va="bottom",
            color=ink(color(i)),
        )
    ax.set_ylabel(r"sharpness $\lambda_{\max}$" if metric == "sharpness" else metric)
    ax.set_ylim(bottom=0)
    return ax


def differences(
    ax: Axes, pairs: Mapping[str, Any], *, label: str = "difference", scale: float = 1.0
) -> Axes:
    """Draw paired differences: each pair as a dot, their mean with two standard errors as a bar.

    Beside each bar stands the mean with its standard error, or "no difference detected" where
    the mean is smaller than two standard errors.

    Args:
        ax: where to draw.
        pairs: label -> differences, shape (S,), S >= 2: one per seed.
        label: what the differences are of, with the unit, on the x axis.
        scale: factor on the numbers, e.g. 100 for percentage points.

    Raises:
        ValueError: if there are fewer than two differences.

    Example:
        >>> ax = differences(canvas()[1], {"Adam - SGD": [0.1, 0.2, 0.3], "A - A": [-0.1, 0.1]})
        >>> [text.get_text() for text in ax.texts]
        ['+0.2 ± 0.058', '+0 ± 0.1: no difference detected']
    """
    if not pairs:
        raise ValueError("pairs must contain at least one comparison, got none")
    checked = {k: scale * validate.array(f"pairs[{k!r}]", v, ndim=1) for k, v in pairs.items()}
    for row, (name, values) in enumerate(checked.items()):
        if len(values) < 2:
            raise ValueError(f"pairs[{name!r}] must have at least 2 differences, got {len(values)}")
        mean, error = values.mean(), values.std(ddof=1) / math.sqrt(len(values))
        clear = abs(mean) >= 2 * error
        shade = BLUE if clear else GRAY
        ax.plot(values, np.full(len(values), row + 0.2), "o", ms=6, alpha=0.45, color=shade)
        ax.errorbar(mean, row, xerr=2 * error, fmt="D", color=shade, ms=8, capsize=6, lw=2.4)
        note = f"{mean:+.2g} ± {error:.2g}" if abs(mean) > 1e-12 else f"+0 ± {error:.2g}"
        ax.annotate(
            note + ("" if clear else ": no difference detected"),
            (mean, row),
            (0, 12),
            textcoords="offset points",
            ha="center",
            va="bottom",
            color=shade,
            bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8},
        )
    ax.axvline(0, color=BLACK, ls="-", lw=1.2, zorder=1)
    ax.set(yticks=range(len(checked)), yticklabels=list(checked), xlabel=label)
    ax.set_ylim(len(checked) - 0.5, -0.6)
    ax.margins(x=0.15)
    return ax


# --------------------------------------------------------------------------------- small helpers


def color(index: int) -> str:
    """Return the color of line `index`; after the last color comes the first again.

    >>> color(0) == color(len(COLORS)) == COLORS[0]
    True
    """
    return COLORS[index % len(COLORS)]


def ink(shade: str, least: float = 4.5) -> str:
    """Return a color for words that belong to a line: its own, as dark as words on white need it.

    The contrast of relative luminances, (1 + 0.05) / (Y + 0.05), must be at least 4.5 for text.

    Args:
        shade: any color that matplotlib knows.
        least: the contrast with white paper, between 1 and 21.

    Source: Web Content Accessibility Guidelines 2.2, success criterion 1.4.3.

    Example:
        >>> ink(BLUE), ink(VERMILLION)
        ('#0072b2', '#c15500')
    """
    rgb = np.array(matplotlib.colors.to_rgb(shade))
    while True:
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        if 1.05 / (linear @ (0.2126, 0.7152, 0.0722) + 0.05) >= least:
            return matplotlib.colors.to_hex(rgb)
        rgb = 0.98 * rgb


def line_look(index: int) -> dict[str, Any]:
    """Return color and line style of line `index`: two signs, so that neither is needed alone.

    >>> line_look(1)
    {'color': '#D55E00', 'ls': '--'}
    """
    return {"color": color(index), "ls": ("-", "--", "-.", ":", "-", "--", "-.")[index % 7]}


def plain_log(axis: Any, ticks: int = 7) -> None:
    """Put at most `ticks` labels on the decades of a logarithmic axis.

    >>> fig, ax = canvas()
    >>> _ = ax.semilogy([1e-9, 1e9])
    >>> plain_log(ax.yaxis, ticks=4)
    >>> len(ax.yaxis.get_major_locator().tick_values(1e-9, 1e9)) <= 6  # two lie outside
    True
    """
    axis.set_major_locator(LogLocator(base=10, numticks=ticks))


def legend(ax: Axes) -> None:
    """Show a legend if a line has a label.

    >>> fig, ax = canvas()
    >>> legend(ax)
    >>> ax.get_legend() is None
    True
    """
    if any(not label.startswith("_") for label in ax.get_legend_handles_labels()[1]):
        ax.legend()
