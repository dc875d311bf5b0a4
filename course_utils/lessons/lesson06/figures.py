"""The figures of lesson 6: photographs, shares of seeds, dead layers, curves by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from course_utils import validate, views
from course_utils.experiments.cifar_runs import Result
from course_utils.experiments.datasets import Data
from course_utils.experiments.intervals import share
from course_utils.views.figure import check_axes

_LABELS = {
    "loss": "training loss",
    "test_loss": "test loss",
    "test_accuracy": "test accuracy",
}


def contact_sheet(data: Data, rows: int = 2, cols: int = 10) -> views.Picture:
    """Return the first training images of different classes, each above the name of its class.

    Args:
        data: images of 32 x 32 bytes, from `cifar100` or `synthetic_cifar100`.
        rows: of the sheet.
        cols: of the sheet.

    Example:
        >>> import tempfile
        >>> from course_utils.experiments.datasets import synthetic_cifar100
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sheet = contact_sheet(synthetic_cifar100(folder, 120, 10), rows=1, cols=3)
        >>> sheet.alt[:49]
        'Synthetic images, no photographs, 32 x 32 pixels:'
    """
    if not data.train.pixels:
        raise ValueError(f"data must hold images of bytes, got {data.train.x.dtype}")
    fig, axes = views.subplots(rows, cols, size=(max(1.3 * cols, 6), 1.45 * rows + 0.6))
    firsts = np.sort(np.unique(data.train.y, return_index=True)[1])
    shown = []
    for ax, row in zip(np.ravel(axes), firsts):
        ax.imshow(data.train.x[row].transpose(1, 2, 0), interpolation="nearest")
        shown.append(data.class_names[data.train.y[row]].replace("_", " "))
        ax.set_title(shown[-1], fontsize=9)
    for ax in np.ravel(axes):
        ax.set_axis_off()
    synthetic = "synthetic" in data.name
    kind = "Synthetic images, no photographs" if synthetic else "Photographs of CIFAR-100"
    views.suptitle(fig, kind)
    return views.with_alt(fig, f"{kind}, 32 x 32 pixels: {', '.join(shown)}.", colors=256)


def shares(
    ax: Axes, lrs: Sequence[float], lives: np.ndarray, label: str | None = None, index: int = 0
) -> Axes:
    """Draw, against the rate, which share of the seeds lives, with its interval of 95 %.

    Args:
        ax: where to draw.
        lrs: rates (R,).
        lives: (R, S), 1 where a run lives, 0 where it does not, NaN where there is none.
        label: for the legend; None writes "3/4" above each point instead.
        index: of the color; with a label also moves the points aside, four fit around a rate.

    Example:
        >>> shares(views.subplots()[1], [0.1], np.array([[1.0, 0.0]])).get_xlabel()
        'learning rate'
    """
    check_axes(ax)
    lrs = np.asarray(lrs, dtype=float)
    counts = [(int(np.nansum(row)), int(np.isfinite(row).sum())) for row in lives]
    found = [share(k, n) for k, n in counts]
    mean = np.array([s.mean for s in found])
    reach = np.abs(np.array([[s.low for s in found], [s.high for s in found]]) - mean)
    place = lrs if label is None else lrs * 1.06 ** (index - 1.5)
    look = {"color": views.color(index), "marker": "os^D"[index % 4], "capsize": 3}
    look["ls"] = ""  # between the points nothing was measured
    ax.errorbar(place, mean, reach, label=label, **look)
    if label is None:
        for x, s, (k, n) in zip(place, found, counts):
            look = {"textcoords": "offset points", "ha": "center", "fontsize": 11}
            ax.annotate(f"{k}/{n}", (x, s.high), (0, 6), **look)
    ax.set(xscale="log", xlabel=views.RATE_LABEL, ylabel="share of seeds alive", ylim=(-0.04, 1.12))
    return ax


def dead_layers(ax: Axes, result: Result) -> Axes:
    """Draw the fraction of dead channels per layer (up) over the updates (right), all dead in red.

    Args:
        ax: where to draw.
        result: a run that was recorded with the measure "dead".

    Example:
        >>> one = np.zeros(1)
        >>> metrics = {"step": np.array([0, 5]), "dead": np.array([[0.0, 0.5], [1.0, 1.0]])}
        >>> from course_utils.experiments.cifar_runs import Plan
        >>> run = Result(Plan("dead", 0.1, 0, 1), one, one, one, one, metrics, 4.6, False, {})
        >>> dead_layers(views.subplots()[1], run).images[0].get_array().shape
        (2, 2)
    """
    check_axes(ax)
    validate.one_of("metric", "dead", result.metrics)
    dead, step = result.metrics["dead"].T, result.metrics["step"]
    half = (step[1] - step[0]) / 2
    extent = (step[0] - half, step[-1] + half, 0.5, len(dead) + 0.5)
    colors = colormaps["cividis_r"].with_extremes(over=views.VERMILLION)
    image = ax.imshow(
        dead, origin="lower", aspect="auto", cmap=colors, vmin=0, vmax=0.999, extent=extent
    )
    ax.set(xlabel=views.STEP_LABEL, ylabel="convolution")
    ax.set_yticks(range(1, len(dead) + 1))
    ax.grid(False)
    ax.dead_image = image  # for a color bar
    return ax


def per_epoch(result: Result, metric: str) -> np.ndarray:
    """Return a value for each epoch: of the training loss its mean, of all others the last one.

    Example:
        >>> from course_utils.experiments.cifar_runs import Plan
        >>> step, four = np.arange(4), np.array([4.0, 2.0, 1.0, 1.0])
        >>> meta = {"updates": 4, "updates_per_epoch": 2}
        >>> run = Result(Plan("article", 0.1, 0, 2), step, four, four, four, {}, 1.0, False, meta)
        >>> per_epoch(run, "loss")
        array([3., 1.])
    """
    if metric == "loss":
        return result.epoch_loss
    return result.metrics[validate.one_of("metric", metric, result.metrics)][1:]


def epoch_curves(ax: Axes, runs: Mapping[str, Sequence[Result]], metric: str) -> Axes:
    """Draw a metric by epoch: the mean over the seeds, and the band from the lowest to the highest.

    Where the seeds are not equally long, mean and band end with the shortest; thin lines go on.

    Args:
        ax: where to draw.
        runs: label -> recorded runs that differ in their seeds.
        metric: "loss", "test_loss" or "test_accuracy".

    Example:
        >>> epoch_curves(views.subplots()[1], {}, "test_accuracy").get_ylabel()
        'test accuracy'
    """
    check_axes(ax)
    for i, (label, seeds) in enumerate(runs.items()):
        curves = [per_epoch(result, metric) for result in seeds]
        length = min(map(len, curves))
        x, table = np.arange(1, length + 1), np.array([c[:length] for c in curves])
        look: dict[str, Any] = {"marker": "os^Dv"[i % 5], "markersize": 5, **views.line_style(i)}
        ax.plot(x, table.mean(axis=0), label=label, **look)
        if len(seeds) > 1:
            low, high = table.min(axis=0), table.max(axis=0)
            ax.fill_between(x, low, high, color=views.color(i), alpha=0.22, lw=0)
        for curve in curves:
            if len(curve) > length:
                rest = np.arange(length, len(curve) + 1)
                ax.plot(rest, curve[length - 1 :], color=views.color(i), lw=0.9)
    ax.set(xlabel="epoch", ylabel=_LABELS.get(metric, metric))
    ax.xaxis.get_major_locator().set_params(integer=True)
    return ax
