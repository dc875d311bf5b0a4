"""The figures of lesson 6: photographs, curves by epoch, dead layers, a training to watch."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator
from torch import nn

from course_utils import validate, views
from course_utils.experiments.cifar_runs import Result
from course_utils.experiments.datasets import Data
from course_utils.experiments.evaluation import evaluate
from course_utils.views.explorer import Explorer
from course_utils.views.figure import check_axes

_TOP = 6.0
"""Where a linear loss axis ends: above ln 100, below the first leaps of runs that die."""
_THIN = {"lw": 0.9, "markersize": 3}
_PANELS = ("loss", "test_accuracy")
_LABELS = {
    "loss": "training loss",
    "epoch_loss": "training loss, mean of the epoch",
    "test_accuracy": "test accuracy",
    "test_loss": "test loss",
}


def contact_sheet(data: Data, rows: int = 3, cols: int = 8) -> views.Picture:
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
    fig, axes = views.subplots(rows, cols, size=(max(1.4 * cols, 6), 1.45 * rows + 0.6))
    firsts = np.sort(np.unique(data.train.y, return_index=True)[1])
    shown = []
    for ax, row in zip(np.ravel(axes), firsts):
        ax.imshow(data.train.x[row].transpose(1, 2, 0), interpolation="nearest")
        shown.append(data.class_names[data.train.y[row]].replace("_", " "))
        ax.set_title(shown[-1], fontsize=10)
    for ax in np.ravel(axes):
        ax.set_axis_off()
    kind = "Synthetic images, no photographs" if "synthetic" in data.name else "Photographs"
    views.suptitle(fig, kind)
    return views.with_alt(fig, f"{kind}, 32 x 32 pixels: {', '.join(shown)}.", colors=256)


def by_rate(results: Sequence[Result]) -> dict[float, list[Result]]:
    """Return rate -> its runs, smallest rate first; every run has one whole epoch at least.

    Example:
        >>> by_rate([])
        {}
    """
    rates = sorted({result.plan.lr for result in results})
    found = {lr: [r for r in results if r.plan.lr == lr and r.epochs] for lr in rates}
    return {lr: runs for lr, runs in found.items() if runs}


def per_epoch(result: Result, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Return epochs and values: a training loss is a mean, all others come at an epoch's end.

    Args:
        result: a recorded run.
        metric: "loss" (ten means per epoch), "epoch_loss" (one), or one of `result.metrics`.

    Example:
        >>> from course_utils.experiments.cifar_runs import Plan
        >>> step, four = np.arange(4), np.array([4.0, 2.0, 1.0, 1.0])
        >>> meta = {"updates": 4, "updates_per_epoch": 2}
        >>> run = Result(Plan("article", 0.1, 0, 2), step, four, four, four, {}, 1.0, False, meta)
        >>> per_epoch(run, "epoch_loss")
        (array([1, 2]), array([3., 1.]))
    """
    if metric == "epoch_loss":
        return np.arange(1, result.epochs + 1), result.epoch_loss
    if metric == "loss":
        return result.step / result.meta["updates_per_epoch"], result.loss
    values = result.metrics[validate.one_of("metric", metric, result.metrics)]
    return result.metrics["step"] / result.meta["updates_per_epoch"], values


def epoch_curves(
    ax: Axes,
    runs: Mapping[str, Sequence[Result]],
    metric: str,
    *,
    epochs: int | None = None,
    order: Sequence[str] = (),
) -> Axes:
    """Draw a metric by epoch: the mean over seeds, their range, and how many there are.

    Where the seeds are not equally long, the mean ends with the shortest; thin lines go on with
    the others.

    Args:
        ax: where to draw.
        runs: label -> recorded runs that differ in their seeds.
        metric: "loss", "epoch_loss", "test_accuracy" or "test_loss".
        epochs: show only so many.
        order: all labels that have a color; a line keeps it when others are left out.

    Example:
        >>> epoch_curves(views.subplots()[1], {}, "test_accuracy").get_ylabel()
        'test accuracy'
    """
    check_axes(ax)
    order = list(order or runs)
    for label, seeds in runs.items():
        i = order.index(validate.one_of("label", label, order))
        x, table, longer = _aligned(seeds, metric)
        look = _look(metric, i)
        name = views.as_label(f"{label} ({_seeds(len(seeds))})")
        ax.plot(x, table.mean(axis=0), label=name, **look)
        if len(seeds) > 1:
            low, high = table.min(axis=0), table.max(axis=0)
            ax.fill_between(x, low, high, color=views.color(i), alpha=0.18, lw=0)
        if len(longer[0]):
            ax.plot(*longer, **look | _THIN)
    ax.set(xlabel="epoch", ylabel=_LABELS.get(metric, metric.replace("_", " ")))
    if epochs is not None:
        ax.set_xlim(-0.2, epochs + 0.2)
    ax.xaxis.get_major_locator().set_params(integer=True)
    views.legend(ax)
    return ax


def _aligned(
    seeds: Sequence[Result], metric: str
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Epochs (P,), values (seeds, P) as far as all seeds go, and one line of all that goes on."""
    curves = [per_epoch(result, metric) for result in seeds]
    length = min(len(values) for _, values in curves)
    # A gap (NaN) separates the seeds, so that one line can draw them all.
    rests = [
        np.vstack([x[length - 1 :], values[length - 1 :]])
        for x, values in curves
        if len(values) > length
    ]
    gap = np.full((2, 1), np.nan)
    longer = np.hstack([part for rest in rests for part in (rest, gap)] or [gap])[:, :-1]
    return curves[0][0][:length], np.array([v[:length] for _, v in curves]), (longer[0], longer[1])


def dead_layers(ax: Axes, result: Result) -> Axes:
    """Draw the fraction of dead units per layer (up) over the updates (right).

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
    image = ax.imshow(
        dead, origin="lower", aspect="auto", cmap="cividis_r", vmin=0, vmax=1, extent=extent
    )
    ax.set(xlabel=views.STEP_LABEL, ylabel="ReLU layer", title=f"rate {result.plan.lr:g}")
    ax.set_yticks(range(1, len(dead) + 1))
    ax.grid(False)
    ax.dead_image = image  # for a color bar
    return ax


# --------------------------------------------------------------------------- the article's figure


def _compute_article(
    results: Sequence[Result], shown: Sequence[bool], epochs: int, log: bool
) -> dict[str, Any]:
    """`last`: label -> training loss, test accuracy, epoch and seeds where the shown part ends."""
    rates = by_rate(results)
    runs = {f"{lr:g}": rates[lr] for lr, on in zip(rates, shown) if on}
    last = {}
    for label, seeds in runs.items():
        end = min(epochs, max(result.epochs for result in seeds))
        there = [result for result in seeds if result.epochs >= end]
        loss = np.mean([result.epoch_loss[end - 1] for result in there])
        accuracy = np.mean([per_epoch(result, "test_accuracy")[1][end] for result in there])
        last[label] = float(loss), float(accuracy), end, len(there)
    order = [f"{lr:g}" for lr in rates]
    return {"runs": runs, "epochs": epochs, "log": log, "last": last, "order": order}


def _draw_article(data: Mapping[str, Any], artists: Mapping[str, Artist]) -> str:
    for label in data["order"]:
        for metric in _PANELS:
            x, mean, longer = _until(data["runs"].get(label, []), metric, data["epochs"])
            artists[f"{metric} {label}"].set_data(x, mean)
            artists[f"{metric} {label}, longer"].set_data(*longer)
    _draw_loss_axis(data, artists)
    if not data["last"]:
        return "No rate is chosen."
    parts = [
        f"{label}: training loss {_number(loss)}, test accuracy {accuracy:.1%} after {end} "
        f"epoch{'s' if end > 1 else ''}" + _share(seeds, len(data["runs"][label]))
        for label, (loss, accuracy, end, seeds) in data["last"].items()
    ]
    return f"Learning rate {'; '.join(parts)}."


def _until(seeds: Sequence[Result], metric: str, epochs: int) -> tuple[Any, Any, tuple[Any, Any]]:
    """The mean over seeds by epoch, and what longer seeds add to it, as far as `epochs`."""
    if not seeds:
        return [], [], ([], [])
    x, table, longer = _aligned(seeds, metric)
    # A training loss at epoch 3.0 is a mean over updates of the fourth epoch.
    known, more = (at < epochs if metric == "loss" else at <= epochs for at in (x, longer[0]))
    return x[known], table.mean(axis=0)[known], tuple(values[more] for values in longer)


def _draw_loss_axis(data: Mapping[str, Any], artists: Mapping[str, Artist]) -> None:
    """Scale, limits and legend of the left panel; they do not depend on the epochs."""
    lines = {label: artists[f"loss {label}"] for label in data["runs"]}
    ax = next(iter(artists.values())).axes
    if data["log"]:
        losses = np.concatenate(
            [[1.0], *(r.loss for seeds in data["runs"].values() for r in seeds)]
        )
        losses = losses[np.isfinite(losses) & (losses > 0)]
        ax.set(yscale="log", ylim=(losses.min() / 1.5, 1.5 * losses.max()))
        near = losses.max() < 100
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if near else (1,), numticks=8))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter("")
    else:
        ax.set(yscale="linear", ylim=(0, _TOP))
    names = [f"{label} ({_seeds(len(seeds))})" for label, seeds in data["runs"].items()]
    old = ax.get_legend()
    if names != [text.get_text() for text in (old.get_texts() if old else ())]:
        if old:
            old.remove()
        if names:
            ax.legend(list(lines.values()), names, loc="upper right")


def _look(metric: str, index: int) -> dict[str, Any]:
    """Losses are many points, ten per epoch, and have no markers."""
    return {"marker": "" if metric == "loss" else "os^Dv"[index % 5], **views.line_style(index)}


def _seeds(count: int) -> str:
    return f"{count} seed{'s' if count > 1 else ''}"


def _share(seeds: int, of: int) -> str:
    return f" ({seeds} of {of} seeds)" if seeds < of else ""


def _number(loss: float) -> str:
    return f"{loss:.2f}" if loss < 1000 else f"{loss:.1e}"


def article(results: Sequence[Result]) -> Explorer:
    """Return the article's figure as an explorer: choose rates, epochs and the axis.

    Args:
        results: recorded runs of at least one rate.

    Example:
        >>> article([])
        Traceback (most recent call last):
        ValueError: results must contain a run with one whole epoch at least, got none
    """
    rates = by_rate(results)
    if not rates:
        raise ValueError("results must contain a run with one whole epoch at least, got none")
    longest = max(result.epochs for result in results)
    controls: dict[str, widgets.Widget] = {
        f"rate {lr:g}": widgets.Checkbox(True, description=f"learning rate {lr:g}") for lr in rates
    }
    controls["epochs"] = widgets.IntSlider(longest, 1, longest, description="epochs")
    controls["log"] = widgets.Checkbox(False, description="logarithmic loss")
    figure, (left, right) = views.subplots(1, 2, size=(11, 4.4))
    artists: dict[str, Artist] = {}
    for ax, metric in zip((left, right), _PANELS):
        ax.set(title=_LABELS[metric], xlabel="epoch", xlim=(-0.2, longest + 0.2))
        ax.xaxis.get_major_locator().set_params(integer=True)
        for i, lr in enumerate(rates):
            look = _look(metric, i)
            [artists[f"{metric} {lr:g}"]] = ax.plot([], [], **look)
            [artists[f"{metric} {lr:g}, longer"]] = ax.plot([], [], **look | _THIN)
    best = max(result.metrics["test_accuracy"].max() for result in results)
    right.set_ylim(0, 1.05 * best)

    def compute(epochs: int, log: bool, **shown: bool) -> dict[str, Any]:
        return _compute_article(results, list(shown.values()), epochs, log)

    def only(*chosen: float) -> dict[str, bool]:
        return {f"rate {lr:g}": lr in chosen for lr in rates}

    return Explorer(
        controls,
        compute,
        _draw_article,
        figure,
        artists,
        presets={
            "all": only(*rates),
            "below 0.005": only(*(lr for lr in rates if lr < 0.005)),
            "above 0.005": only(*(lr for lr in rates if lr > 0.005)),
        },
    )


# ------------------------------------------------------------------------------ a run of your own


class Watch:
    """An observer for `train` that draws while the network learns; show it before training.

    Args:
        data: what is trained on; loss and accuracy are those of the first examples of its training
            and test splits.
        examples: how many of each.

    Example:
        >>> from course_utils.experiments.datasets import digits
        >>> from course_utils.experiments.models import mlp
        >>> watch = Watch(digits(), examples=50)
        >>> watch(mlp((64, 10), seed=0)).shape
        (3,)
        >>> watch.state[:13]
        'After 0 s: tr'
    """

    def __init__(self, data: Data, examples: int = 500) -> None:
        rows = slice(validate.integer("examples", examples, minimum=1))
        self.train, self.test = data.train.take(rows), data.test.take(rows)
        self.guessing = float(np.log(data.classes))
        self.started: float | None = None
        self.points: list[tuple[float, float, float]] = []  # seconds, training loss, test accuracy
        self.image = widgets.Image(format="png", layout=widgets.Layout(max_width="100%"))
        self.status = widgets.HTML()
        self.widget = widgets.VBox([self.image, self.status])
        self.state = "Nothing is trained yet."
        self._draw()

    def __call__(self, model: nn.Module) -> np.ndarray:
        """Measure the model, draw, and return training loss, test loss and test accuracy."""
        now = time.perf_counter()
        self.started = self.started if self.started is not None else now
        loss = evaluate(model, self.train)[0]
        test_loss, accuracy = evaluate(model, self.test)
        self.points.append((now - self.started, float(loss), float(accuracy)))
        self.state = (
            f"After {now - self.started:.0f} s: training loss {loss:.2f} (guessing: "
            f"{self.guessing:.2f}), test accuracy {accuracy:.1%}."
        )
        self._draw()
        return np.array([loss, test_loss, accuracy])

    def _draw(self) -> None:
        figure, (left, right) = views.subplots(1, 2, size=(10, 3.4))
        seconds, loss, accuracy = np.array(self.points or [(np.nan,) * 3]).T
        left.plot(seconds, loss, marker="o", **views.line_style(0))
        left.axhline(self.guessing, color=views.GRAY, ls=":", label="guessing")
        left.set(xlabel="seconds", ylabel="training loss")
        left.legend()
        right.plot(seconds, accuracy, marker="o", **views.line_style(1))
        right.set(xlabel="seconds", ylabel="test accuracy")
        right.set_ylim(bottom=0)
        self.image.value = views.with_alt(figure, alt=self.state, scale=1).png
        self.status.value = f'<span role="status" aria-live="polite">{self.state}</span>'

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {**(self.widget._repr_mimebundle_() or {}), "text/plain": self.state}
