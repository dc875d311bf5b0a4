"""Live figures: move a slider, and the real run is computed and drawn again at once.

An `Explorer` is three small parts: a pure `compute(**values) -> data`, a pure
`draw(data, artists) -> text` that updates existing artists, and a thin skin of widgets. The figure
is made once. An update restores its background, draws the few artists that change (blitting) and
sends one PNG: about ten times faster than a new figure, and nothing flickers. What the picture
shows is also said in words below it, for those who cannot see it and for the tests.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from . import plots, validate
from .descent import descend
from .optimizers import GradientDescent
from .problems import Problem, quadratic, shifted_square

RATE = "learning rate η"
_WIDE = "min(100%, 46em)"
_FITS = "calc(100% - 4px)"  # in a narrow window; ipywidgets puts 2 px around each control
_FLOOR = 1e-12  # the foot of the logarithmic loss axes


@dataclass(frozen=True)
class Task:
    """What the learner shall reach: a text, and whether `data` fulfills it.

    Example:
        >>> Task("Get below 1.", lambda data: data["loss"] < 1).reached({"loss": 0.5})
        True
    """

    text: str
    reached: Callable[[Any], bool]


class Explorer:
    """Controls, a persistent figure, and its state as text; shows itself in a notebook.

    Args:
        controls: name -> widget with a `value`; the names are the arguments of `compute`.
        compute: a pure function `compute(**values) -> data`.
        draw: `draw(data, artists) -> text` updates the artists in place and says what they show.
        figure: a figure from `plots.canvas`, everything static already drawn.
        artists: name -> artist of that figure that `draw` changes; only these are drawn again,
            and the rest of the figure only when `draw` changes the scale, the limits or the legend
            of an axis, which takes longer.
        task: what to reach, or None.
        presets: label -> values, a button each.
        preview: `preview(artists, **values)` updates those artists that can be known before a slow
            `compute`; they are shown at once, and the result when it is there.

    Raises:
        TypeError, ValueError: if a control has no value, or a preset names no control.

    Example:
        >>> explorer = parabola()
        >>> explorer.set(lr=0.5)
        >>> explorer.task_reached, explorer.state[:28]
        (True, 'Learning rate 0.5: one step.')
        >>> explorer.close()
    """

    def __init__(
        self,
        controls: Mapping[str, widgets.Widget],
        compute: Callable[..., Any],
        draw: Callable[[Any, Mapping[str, Artist]], str],
        figure: Figure,
        artists: Mapping[str, Artist],
        *,
        task: Task | None = None,
        presets: Mapping[str, Mapping[str, Any]] | None = None,
        preview: Callable[..., None] | None = None,
    ) -> None:
        self.controls, self.artists = dict(controls), dict(artists)
        self.compute, self.draw, self.figure, self.task = compute, draw, figure, task
        self.preview = preview
        self.presets = {label: dict(values) for label, values in (presets or {}).items()}
        self._quiet = self._closed = False
        self._check()
        self.defaults = self.values
        self.data: Any = None
        self.state = ""
        self.task_reached = False
        self.updates = 0
        self._prepare_canvas()
        self._build_widgets()
        _close_explorers_of_last_execution(self)
        self.update()

    # ------------------------------------------------------------------ what the lesson uses

    @property
    def values(self) -> dict[str, Any]:
        """The values of the controls now."""
        return {name: control.value for name, control in self.controls.items()}

    def set(self, **values: Any) -> None:
        """Move several controls at once, with one update of the picture.

        Raises:
            ValueError: if there is no such control, or it does not offer such a value.
        """
        self._known(values)
        for name, value in values.items():
            offered = _offered(self.controls[name])
            if offered is not None and value not in offered:
                ends = f"{offered[0]!r} to {offered[-1]!r}"
                raise ValueError(f"{name} must be one of its options ({ends}), got {value!r}")
        self._quiet = True
        try:
            for name, value in values.items():
                self.controls[name].value = value
        finally:
            self._quiet = False
        self.update()

    def reset(self) -> None:
        """Move all controls back to where they were at first."""
        self.set(**self.defaults)

    def static(self, **values: Any) -> plots.Picture:
        """Return a picture of the explorer at `values` (the others as they are), for print.

        The controls and the live picture stay as they are.

        Example:
            >>> explorer = parabola()
            >>> explorer.static(lr=0.01).alt[:29]
            'Learning rate 0.01: crawl. Ea'
            >>> explorer.close()
        """
        self._known(values)
        text = self.draw(self.compute(**{**self.values, **values}), self.artists)
        for artist in self.artists.values():
            artist.set_animated(False)
        try:
            return plots.picture(self.figure, alt=text)
        finally:
            for artist in self.artists.values():
                artist.set_animated(True)
            self.draw(self.data, self.artists)

    def close(self) -> None:
        """Remove the widgets and forget the figure; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        for control in self.controls.values():
            control.unobserve(self._moved, "value")
        for button in self.buttons.values():
            button.on_click(self._pressed, remove=True)
        # The text of the task is a widget even where no task shows it; closing twice does no harm.
        for widget in (*_family(self.widget), *_family(self.task_text)):
            widget.close()
        # IPython's Out keeps the result of every cell, so the explorer itself stays: make it small.
        self.figure = self._canvas = self._background = self._framed = None
        self.data = self.compute = self.draw = self.preview = None
        self.artists, self._moving, self.image.value = {}, [], b""

    def update(self) -> None:
        """Compute with the values of the controls, draw, and send the picture and its text."""
        if self._closed:
            return
        values = self.values
        if self.preview is not None and self.updates:
            self.preview(self.artists, **values)
            self._show()
        self.data = self.compute(**values)
        self.state = self.draw(self.data, self.artists)
        self._show()
        self._say()
        self.updates += 1

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle = self.widget._repr_mimebundle_() or {}
        return {**bundle, "text/plain": f"{self.state} (To move it, run the notebook.)"}

    def __repr__(self) -> str:
        return f"Explorer({', '.join(f'{k}={v!r}' for k, v in self.values.items())})"

    # --------------------------------------------------------------------------- how it works

    def _check(self) -> None:
        if not self.controls:
            raise ValueError("controls must contain at least one widget, got none")
        for name, control in self.controls.items():
            if not isinstance(control, widgets.Widget) or not control.has_trait("value"):
                raise TypeError(
                    f"controls[{name!r}] must be a widget with a value, got {control!r}"
                )
        for name, artist in self.artists.items():
            if not isinstance(artist, Artist):
                raise TypeError(f"artists[{name!r}] must be a matplotlib artist, got {artist!r}")
        if not isinstance(self.figure, Figure):
            raise TypeError(f"figure must be a matplotlib Figure, got {self.figure!r}")
        for values in self.presets.values():
            self._known(values)

    def _known(self, values: Mapping[str, Any]) -> None:
        if self._closed:
            raise RuntimeError("this explorer is closed: run its cell again")
        for name in values:
            validate.one_of("control", name, self.controls)

    def _prepare_canvas(self) -> None:
        """Lay the figure out once, and keep the background without the artists that change."""
        plots.fit_titles(self.figure)
        self.figure.draw_without_rendering()
        self.figure.set_layout_engine("none")
        for artist in self.artists.values():
            artist.set_animated(True)
        canvas = self.figure.canvas
        self._canvas = (
            canvas if isinstance(canvas, FigureCanvasAgg) else FigureCanvasAgg(self.figure)
        )
        self._draw_background()
        self._moving = sorted(self.artists.values(), key=lambda artist: artist.get_zorder())

    def _show(self) -> None:
        """Send the present picture; the rest of the figure first, if `draw` changed it."""
        if self._frame() != self._framed:
            self._draw_background()
        self.image.value = self._shot()

    def _draw_background(self) -> None:
        self._canvas.draw()
        self._background = self._canvas.copy_from_bbox(self.figure.bbox)
        self._framed = self._frame()

    def _frame(self) -> list[Any]:
        """What `draw` may change besides the artists: scales, limits and legends of the axes."""
        return [
            (*ax.get_xlim(), *ax.get_ylim(), ax.get_xscale(), ax.get_yscale(), ax.get_legend())
            for ax in self.figure.axes
        ]

    def _shot(self) -> bytes:
        """The present picture as a PNG file: the background, and on it what moves."""
        renderer = self._canvas.get_renderer()  # a new one after `static`, which uses more pixels
        self._canvas.restore_region(self._background)
        for artist in self._moving:
            artist.draw(renderer)
        return plots.quick_png(self._canvas.buffer_rgba())

    def _build_widgets(self) -> None:
        # No tooltip here: ipywidgets 8.1 shows an error in place of an Image that has one.
        look = widgets.Layout(max_width="100%", height="auto", object_fit="contain")
        self.image = widgets.Image(format="png", layout=look)
        self.task_text, self.status = widgets.HTML(tooltip=""), widgets.HTML(tooltip="")
        self.buttons = {label: _button(label, values) for label, values in self.presets.items()}
        self.buttons["reset"] = _button("reset", self.defaults)
        for button in self.buttons.values():
            button.on_click(self._pressed)
        for control in self.controls.values():
            control.observe(self._moved, "value")
            control.layout.max_width = control.layout.max_width or _FITS
            if control.has_trait("tooltip") and control.tooltip is None:
                control.tooltip = getattr(control, "description", "")  # else browsers show "null"
        row = widgets.HBox(list(self.buttons.values()), layout=widgets.Layout(flex_flow="row wrap"))
        above = [self.task_text] if self.task else []
        self.widget = widgets.VBox([*above, *self.controls.values(), row, self.image, self.status])

    def _moved(self, change: Any) -> None:
        if not self._quiet:
            self.update()

    def _pressed(self, button: widgets.Button) -> None:
        label = next(name for name, known in self.buttons.items() if known is button)
        self.set(**(self.defaults if label == "reset" else self.presets[label]))

    def _say(self) -> None:
        """Write the state below the picture, and above it whether the task is done."""
        self.status.value = _live(html.escape(self.state))
        if self.task is not None:
            self.task_reached = bool(self.task.reached(self.data))
            mark = "<b>✓ Task reached.</b>" if self.task_reached else "Not reached yet."
            self.task_text.value = f"<b>Task.</b> {html.escape(self.task.text)} " + _live(mark)


def _offered(control: widgets.Widget) -> list[Any] | None:
    """The values of a control with a list of options (values, or pairs of a label and a value)."""
    options = getattr(control, "options", None)
    if options is None:
        return None
    return [o[1] if isinstance(o, tuple) and len(o) == 2 else o for o in options]


def _live(text: str) -> str:
    """A text that a screen reader reads out when it changes."""
    return f'<span role="status" aria-live="polite">{text}</span>'


def _button(label: str, values: Mapping[str, Any]) -> widgets.Button:
    told = ", ".join(f"{name} = {_short(value)}" for name, value in values.items())
    return widgets.Button(
        description=label, tooltip=f"{label}: {told}", layout=widgets.Layout(width="auto")
    )


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _family(widget: widgets.Widget) -> list[widgets.Widget]:
    """A widget, all widgets inside it, and their layouts and styles."""
    children = [inner for child in getattr(widget, "children", ()) for inner in _family(child)]
    parts = [getattr(widget, name) for name in ("layout", "style") if widget.has_trait(name)]
    return [*children, widget, *parts]


_alive: dict[str, tuple[str, list[Explorer]]] = {}
"""Cell id -> (the request that ran the cell, the explorers that it made)."""


def _close_explorers_of_last_execution(explorer: Explorer) -> None:
    """Close what the same cell made when it ran before; ipywidgets itself keeps it for ever."""
    cell, request = _running_cell()
    if cell is None:
        return
    known, explorers = _alive.get(cell, ("", []))
    if known != request:
        for old in explorers:
            old.close()
        explorers = []
    _alive[cell] = (request, [*explorers, explorer])


def _running_cell() -> tuple[str | None, str]:
    """The id of the notebook cell that runs now and of the request to run it, if there is one."""
    try:
        from IPython import get_ipython

        parent = get_ipython().get_parent()
        return parent["metadata"]["cellId"], parent["header"]["msg_id"]
    except (ImportError, AttributeError, KeyError, TypeError):
        return None, ""  # not in a notebook, or a front end that does not name its cells


def rates_between(low: float, high: float) -> list[float]:
    """Return all rates of two digits from `low` to `high`: 0.010, 0.011, ..., 0.99, 1.0, 1.1, ...

    Example:
        >>> rates_between(0.098, 0.12)
        [0.098, 0.099, 0.1, 0.11, 0.12]
    """
    low, high = validate.positive("low", low), validate.positive("high", high)
    if low >= high:
        raise ValueError(f"low must be below high = {high}, got {low}")
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    rates = (float(f"{digits}e{decade - 1}") for decade in decades for digits in range(10, 100))
    return [rate for rate in rates if low <= rate <= high]


def choice_slider(options: Sequence[float], value: float, description: str) -> widgets.Widget:
    """Return a slider over the given numbers, each of them exact.

    A `FloatLogSlider` would not do: the browser moves it to the nearest stop, so that 0.5, the
    rate of the single step, silently becomes 0.501.

    Example:
        >>> slider = choice_slider([0.1, 0.2, 0.5], 0.2, "learning rate η")
        >>> slider.value, slider.index
        (0.2, 1)
    """
    options = [validate.finite("options", option) for option in options]
    validate.one_of("value", value, options)
    return widgets.SelectionSlider(
        options=[(f"{option:.3g}", option) for option in options],
        value=value,
        description=description,
        style={"description_width": "10em"},
        layout=widgets.Layout(width=_WIDE),
    )


def regime(lr: float, curvature: float) -> str:
    r"""Return what gradient descent does on :math:`\frac{\lambda}{2} w^2` at the rate `lr`.

    Example:
        >>> [regime(lr, curvature=2.0) for lr in (0.01, 0.2, 0.5, 0.99, 1.0, 1.01)]
        ['crawl', 'approach', 'one step', 'oscillate and converge', 'never settles', 'diverge']
    """
    scaled = validate.positive("lr", lr) * validate.positive("curvature", curvature)
    if np.isclose(scaled, 1, rtol=1e-9):
        return "one step"
    if np.isclose(scaled, 2, rtol=1e-9):
        return "never settles"
    edges = {"crawl": 0.1, "approach": 1, "oscillate and converge": 2, "diverge": np.inf}
    return next(name for name, edge in edges.items() if scaled < edge)


def first_below(losses: np.ndarray, target: float) -> int | None:
    """Return the first step at which the loss is at most `target`, or None.

    >>> first_below(np.array([4.0, 1.0, 0.25]), 1.0), first_below(np.array([4.0]), 1.0)
    (1, None)
    """
    hits = np.flatnonzero(np.asarray(losses) <= target)
    return int(hits[0]) if len(hits) else None


def _nearest(values: Sequence[float], wanted: float) -> float:
    return min(values, key=lambda value: abs(value - wanted))


def _number(value: float) -> str:
    """A number as one writes it by hand: 1e-6, not 1e-06."""
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def _above(values: np.ndarray, floor: float) -> np.ndarray:
    """Values for a logarithmic axis: zeros lie on its foot, infinities far above its top."""
    return np.clip(np.nan_to_num(values, nan=1e30, posinf=1e30), floor, 1e30)


def _until_outside(x: np.ndarray, y: np.ndarray, ax: Any) -> tuple[np.ndarray, np.ndarray, int]:
    """The path up to the first point outside of the window, and how many points are inside it."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    with np.errstate(invalid="ignore"):
        inside = (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
    end = len(x) if inside.all() else int(np.argmin(inside))
    far = 1e4 * max(abs(right), abs(left), abs(top), abs(bottom))  # as far as one can draw
    x, y = (np.nan_to_num(v[: end + 1], nan=far, posinf=far, neginf=-far) for v in (x, y))
    return np.clip(x, -far, far), np.clip(y, -far, far), end


def _draw_path(artists: Mapping[str, Artist], x: np.ndarray, y: np.ndarray) -> None:
    """Update a path, and the red cross at the last point before it leaves the window."""
    shown_x, shown_y, end = _until_outside(x, y, artists["path"].axes)
    artists["path"].set_data(shown_x, shown_y)
    gone = slice(end - 1, end) if 0 < end < len(x) else slice(0, 0)
    artists["exit"].set_data(shown_x[gone], shown_y[gone])


def _path_artists(ax: Any) -> dict[str, Artist]:
    """A path with a dot per update, and a red cross; above the legend, as in the live picture."""
    (path,) = ax.plot([], [], "o-", color=plots.BLUE, ms=6, lw=1.4, zorder=6)
    (cross,) = ax.plot([], [], "x", color=plots.INFEASIBLE, ms=13, mew=3, zorder=7)
    return {"path": path, "exit": cross}


# -------------------------------------------------------------------- lesson 01: the parabola


def compute_parabola(lr: float, steps: int = 40, target: float = 1e-6) -> dict[str, Any]:
    r"""Run gradient descent on :math:`(w+1)^2` from 5 and put the closed form beside it.

    .. math:: w_t + 1 = (w_0 + 1)(1 - 2\eta)^t

    Args:
        lr: η, greater than 0.
        steps: the number of updates T.
        target: the loss to reach.

    Returns:
        lr, factor 1 - 2η, regime, w (T + 1,), loss (T + 1,), closed_form (T + 1,), hit (first step
        with loss <= target, or None).

    Example:
        >>> data = compute_parabola(0.2)
        >>> data["hit"], bool(np.allclose(data["loss"], data["closed_form"]))
        (18, True)
    """
    lr, steps = validate.positive("lr", lr), validate.integer("steps", steps, 1)
    target = validate.positive("target", target)
    problem = shifted_square()
    run = descend(problem, GradientDescent(), lr, steps)
    loss = plots.losses(run)
    with np.errstate(over="ignore"):
        closed_form = problem.loss(problem.start) * (1 - 2 * lr) ** (2.0 * np.arange(steps + 1))
    return {
        "lr": lr,
        "factor": 1 - 2 * lr,
        "regime": regime(lr, 2.0),
        "w": run.params[:, 0],
        "loss": loss,
        "closed_form": closed_form,
        "hit": first_below(loss, target),
        "steps": steps,
        "target": target,
    }


def draw_parabola(data: Mapping[str, Any], artists: Mapping[str, Artist]) -> str:
    """Update the artists of `parabola`; return its state in words."""
    steps = np.arange(data["steps"] + 1)
    _draw_path(artists, data["w"], data["loss"])
    artists["loss"].set_data(steps, _above(data["loss"], _FLOOR))
    artists["closed form"].set_data(steps, _above(data["closed_form"], _FLOOR))
    artists["title"].set_text(f"η = {data['lr']:.3g}: {data['regime']}")
    factor, target = _number(data["factor"]), _number(data["target"])
    artists["right title"].set_text(f"each step: distance × {factor}".replace("-", "−"))
    done = "not reached" if data["hit"] is None else f"reached at step {data['hit']}"
    return (
        f"Learning rate {data['lr']:.3g}: {data['regime']}. Each step multiplies the distance to "
        f"the minimum by {factor}. Loss after {data['steps']} steps: {_number(data['loss'][-1])}; "
        f"a loss of {target}: {done}."
    )


def parabola(steps: int = 40, target: float = 1e-6) -> Explorer:
    """Return the explorer of lesson 01: the rate on (w + 1)², the path, and the loss over steps.

    Args:
        steps: updates per run, which is also what the task allows.
        target: the loss to reach.

    Example:
        >>> explorer = parabola()
        >>> explorer.set(lr=1.01)
        >>> explorer.data["regime"], explorer.task_reached
        ('diverge', False)
        >>> explorer.close()
    """
    figure, artists = _parabola_figure(
        validate.integer("steps", steps, 1), validate.positive("target", target)
    )
    return Explorer(
        {"lr": choice_slider(sorted({*rates_between(0.001, 2), 1.01}), 0.02, RATE)},
        lambda lr: compute_parabola(lr, steps, target),
        draw_parabola,
        figure,
        artists,
        task=Task(
            f"Reach a loss of {_number(target)} in at most {steps} steps.",
            lambda data: data["hit"] is not None,
        ),
        presets={
            "too small": {"lr": 0.01},
            "just right": {"lr": 0.2},
            "too large": {"lr": 1.01},
        },
    )


def _parabola_figure(steps: int, target: float) -> tuple[Figure, dict[str, Artist]]:
    figure, (left, right) = plots.canvas(cols=2)
    plots.draw_curve(left, shifted_square(), (-9, 7), (-4, 66))
    left.plot(5, 36, "o", ms=13, mfc="white", mec=plots.BLUE, mew=2.4, zorder=5)
    right.set(yscale="log", xlim=(-0.02 * steps, 1.03 * steps), ylim=(_FLOOR, 1e6))
    right.set(xlabel=plots.STEP_LABEL, ylabel="loss", yticks=10.0 ** np.arange(-12, 7, 3))
    right.axhspan(_FLOOR, target, color=plots.GREEN, alpha=0.15, lw=0)
    note = {"transform": right.transAxes, "ha": "right", "color": "#006B4E"}
    right.text(0.98, 0.26, "task: a dot down here", **note)
    look = {"color": plots.BLACK, "ls": "-", "lw": 1.2, "zorder": 7}
    (closed,) = right.plot([], [], label="36 (1 − 2η)²ᵗ", **look)
    (loss,) = right.plot([], [], "o", color=plots.BLUE, ms=6, zorder=6, label="measured")
    right.legend(loc="upper right")
    titles = {"title": left.set_title("η"), "right title": right.set_title("each step")}
    return figure, {**_path_artists(left), "loss": loss, "closed form": closed, **titles}


# ---------------------------------------------------------------------- lesson 02: the ravine

CONDITIONS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""The condition numbers that `ravine` offers."""

_RAVINE_START = (-4.0, 1.0)


def compute_ravine(lr: float, condition: float, steps: int = 100) -> dict[str, Any]:
    r"""Run gradient descent on :math:`\frac12 (w_1^2 + \kappa w_2^2)` from (-4, 1).

    Args:
        lr: η, greater than 0.
        condition: κ = λmax / λmin, 1 or more; λmin = 1.
        steps: the number of updates T.

    Returns:
        lr, condition, limit 2/λmax, best 2/(λmin + λmax), regimes (2,), w (T + 1, 2),
        parts (T + 1, 2): the loss along each direction, loss (T + 1,).

    Example:
        >>> data = compute_ravine(0.05, condition=50)
        >>> data["limit"], data["regimes"]
        (0.04, ('crawl', 'diverge'))
    """
    lr, steps = validate.positive("lr", lr), validate.integer("steps", steps, 1)
    condition = validate.between("condition", condition, 1, 1e6)
    run = descend(_ravine(condition), GradientDescent(), lr, steps)
    with np.errstate(over="ignore", invalid="ignore"):
        parts = 0.5 * np.array([1.0, condition]) * run.params**2
    return {
        "lr": lr,
        "condition": condition,
        "limit": 2 / condition,
        "best": 2 / (1 + condition),
        "regimes": (regime(lr, 1.0), regime(lr, condition)),
        "w": run.params,
        "parts": parts,
        "loss": plots.losses(run),
        "steps": steps,
    }


def _ravine(condition: float) -> Problem:
    return quadratic((1.0, condition), start=_RAVINE_START)


_ANGLES = np.linspace(0, 2 * np.pi, 97)
_LEVELS = np.concatenate([np.arange(0.5, 5.1, 0.75), np.arange(6, 22, 1.5)]) ** 2 / 2


def ellipses(condition: float) -> np.ndarray:
    """Return contours of the ravine, shape (levels, points, 2): w1² + κ w2² is constant on each.

    >>> line = ellipses(50.0)[3]
    >>> bool(np.allclose(line[:, 0] ** 2 + 50 * line[:, 1] ** 2, 2 * _LEVELS[3]))
    True
    """
    radius = np.sqrt(2 * _LEVELS)[:, np.newaxis]
    return np.stack(
        [radius * np.cos(_ANGLES), radius * np.sin(_ANGLES) / np.sqrt(condition)], axis=-1
    )


def draw_ravine(data: Mapping[str, Any], artists: Mapping[str, Artist]) -> str:
    """Update the artists of `ravine`; return its state in words."""
    steps = np.arange(data["steps"] + 1)
    artists["contours"].set_segments(ellipses(data["condition"]))
    _draw_path(artists, *data["w"].T)
    for name, part in zip(("flat", "steep"), data["parts"].T):
        artists[name].set_data(steps, _above(part, _FLOOR))
    artists["stable"].set_width(data["limit"])
    artists["unstable"].set_x(data["limit"])
    artists["rate"].set_data([data["lr"]], [0.5])
    flat, steep = data["regimes"]
    artists["title"].set_text(f"η = {data['lr']:.3g}, κ = {data['condition']:.3g}")
    short = f"flat: {flat}, steep: {steep}".replace(" and converge", "")
    artists["right title"].set_text(short)
    return (
        f"Learning rate {data['lr']:.3g}, condition number {data['condition']:.3g}. "
        f"Flat direction: {flat}; steep direction: {steep}. "
        f"The limit 2/λmax is {data['limit']:.3g}, the best rate 2/(λmin + λmax) is "
        f"{data['best']:.3g}. Loss after {data['steps']} steps: {_number(data['loss'][-1])}."
    )


def ravine(steps: int = 100, target: float = 0.02, condition: float = 50.0) -> Explorer:
    """Return the explorer of lesson 02: rate and condition number, path and loss per direction.

    Args:
        steps: updates per run.
        target: the loss that the task asks for.
        condition: κ at first, one of `CONDITIONS`; the task wants at least this one.

    Example:
        >>> explorer = ravine()
        >>> explorer.set(lr=0.035)
        >>> explorer.task_reached
        True
        >>> explorer.close()
    """
    steps, target = validate.integer("steps", steps, 1), validate.positive("target", target)
    condition = validate.one_of("condition", condition, CONDITIONS)
    figure, artists = _ravine_figure(steps)
    rates = rates_between(0.001, 3)
    return Explorer(
        {
            "lr": choice_slider(rates, 0.01, RATE),
            "condition": choice_slider(CONDITIONS, condition, "condition number κ"),
        },
        lambda lr, condition: compute_ravine(lr, condition, steps),
        draw_ravine,
        figure,
        artists,
        task=Task(
            f"At a condition number of {condition:g} or more, bring the loss below {target:g} "
            f"in {steps} steps.",
            lambda data: bool(data["condition"] >= condition - 1e-9 and data["loss"][-1] < target),
        ),
        presets={
            "too small": {"lr": _nearest(rates, 0.2 / condition), "condition": condition},
            "just right": {"lr": _nearest(rates, 1.75 / condition), "condition": condition},
            "too large": {"lr": _nearest(rates, 2.05 / condition), "condition": condition},
        },
    )


def _ravine_figure(steps: int) -> tuple[Figure, dict[str, Artist]]:
    figure, axes = plots.canvas(2, 2, height_ratios=(4, 1))
    for ax in axes[:, 0]:
        ax.remove()
    left = figure.add_subplot(axes[0, 0].get_gridspec()[:, 0])
    right, strip = axes[:, 1]
    left.set(xlim=(-5, 2), ylim=(-2, 2), xlabel="$w_1$ (flat)", ylabel="$w_2$ (steep)")
    left.grid(False)
    contours = left.add_collection(LineCollection([], colors="#BBBBBB", linewidths=0.9))
    left.plot(0, 0, "*", ms=16, color="white", mec=plots.BLACK, mew=1.2, zorder=2)
    left.plot(*_RAVINE_START, "o", ms=13, mfc="white", mec=plots.BLUE, mew=2.4, zorder=2)
    right.set(yscale="log", xlim=(-0.02 * steps, 1.02 * steps), ylim=(_FLOOR, 1e6))
    right.set(xlabel=plots.STEP_LABEL, ylabel="loss", yticks=10.0 ** np.arange(-12, 7, 6))
    (flat,) = right.plot([], [], "-", color=plots.BLUE, zorder=6, label="flat direction")
    (steep,) = right.plot([], [], "--", color=plots.VERMILLION, zorder=6, label="steep direction")
    right.legend(loc="upper right", ncols=2, fontsize=11, columnspacing=1)
    titles = {"title": left.set_title("η"), "right title": right.set_title("flat")}
    lines = {"contours": contours, "flat": flat, "steep": steep}
    return figure, {**lines, **_path_artists(left), **_rate_scale(strip), **titles}


def _rate_scale(ax: Any) -> dict[str, Artist]:
    """The rate axis with its limit 2/λmax: green below, red above, a triangle at the rate."""
    ax.set(xscale="log", xlim=(1e-3, 3), ylim=(0, 1), yticks=[])
    ax.set_xlabel("learning rate (red: above 2/λmax)")
    ax.spines["left"].set_visible(False)
    ax.grid(False)
    stable = ax.add_patch(Rectangle((0, 0), 1, 1, color=plots.GREEN, alpha=0.3, lw=0))
    unstable = ax.add_patch(Rectangle((1, 0), 10, 1, color=plots.INFEASIBLE, alpha=0.3, lw=0))
    (rate,) = ax.plot([], [], "v", color=plots.BLACK, ms=12, zorder=4)
    return {"stable": stable, "unstable": unstable, "rate": rate}


# --------------------------------------------------------------------- lesson 02: the network


def compute_network(result: Any, index: int, target: float) -> dict[str, Any]:
    """Look up the trainings with rate number `index` of a sweep.

    Args:
        result: a `sweep.Sweep` with "validation_accuracy".
        index: which rate, 0 to R - 1.
        target: the validation accuracy to reach.

    Returns:
        index, lr, loss (S, T) per mini-batch, accuracy (S,) at the end, steps, diverged (S,), and
        `largest`, the index of the largest rate that reaches the target (None if none does).
    """
    target = validate.between("target", target, 0, 1)
    index = validate.integer("index", index, 0)
    if index >= len(result.lrs):
        raise ValueError(f"index must be below {len(result.lrs)}, got {index}")
    return {
        "index": index,
        "lr": float(result.lrs[index]),
        "loss": np.asarray(result.loss)[index],
        "accuracy": np.asarray(result.final("validation_accuracy"))[index],
        "diverged": np.asarray(result.diverged)[index],
        "steps": np.asarray(result.loss).shape[-1],
        "largest": _largest_good(result, target),
    }


def _largest_good(result: Any, target: float) -> int | None:
    lrs = np.asarray(result.lrs)
    good = np.flatnonzero(np.asarray(result.final("validation_accuracy")).mean(axis=1) >= target)
    return int(good[np.argmax(lrs[good])]) if len(good) else None


def draw_network(data: Mapping[str, Any], artists: Mapping[str, Artist]) -> str:
    """Update the artists of `network`; return its state in words."""
    steps = np.arange(data["steps"])
    with np.errstate(invalid="ignore", over="ignore"):
        mean = _above(data["loss"].astype(np.float64).mean(axis=0), _FLOOR)
    artists["loss"].set_data(steps, mean)
    accuracy = float(data["accuracy"].mean())
    artists["rate"].set_data([data["lr"]], [accuracy])
    artists["line"].set_xdata([data["lr"]])
    artists["title"].set_text(f"η = {data['lr']:.3g}: training loss")
    artists["right title"].set_text(f"validation accuracy {accuracy:.3f}")
    bad = int(data["diverged"].sum())
    note = f" {bad} of {len(data['diverged'])} runs diverged." if bad else ""
    return (
        f"Learning rate {data['lr']:.3g}. After {data['steps']} updates the mini-batch loss is "
        f"{_number(mean[-10:].mean())} and the validation accuracy {accuracy:.3f} (mean of "
        f"{len(data['accuracy'])} seeds, {data['accuracy'].min():.3f} to "
        f"{data['accuracy'].max():.3f}).{note}"
    )


def network(result: Any = None, *, steps: int = 100, target: float = 0.9) -> Explorer:
    """Return the explorer of a real network: choose a rate, see its training on the digits.

    All rates are trained here and now, together, in about a second (`sweep`).

    Args:
        result: a `sweep.Sweep` to explore in place of a new one.
        steps: updates of the trainings (of a new sweep).
        target: the validation accuracy that the task asks for.

    Example:
        >>> explorer = network(steps=20, target=0.5)
        >>> len(explorer.controls["index"].options)
        33
        >>> explorer.close()
    """
    target = validate.between("target", target, 0, 1)
    if result is None:
        result = _train_many(validate.integer("steps", steps, 1))
    updates = np.asarray(result.loss).shape[-1]
    figure, artists = _network_figure(result, target)
    return Explorer(
        {"index": _network_slider(result)},
        lambda index: compute_network(result, index, target),
        draw_network,
        figure,
        artists,
        task=Task(
            f"Find the largest learning rate that still reaches a validation accuracy of "
            f"{target:g} after {updates} updates (mean over the seeds).",
            lambda data: data["index"] == data["largest"],
        ),
        presets=_network_presets(result),
    )


def _train_many(steps: int) -> Any:
    from .sweep import sweep  # its own imports are slow; the other explorers do without

    rates = np.geomspace(0.001, 10, 33)
    return sweep(rates, seeds=range(3), steps=steps, evaluate_on=("validation",))


def _network_slider(result: Any) -> widgets.SelectionSlider:
    options = [(f"{lr:.3g}", i) for i, lr in enumerate(np.asarray(result.lrs))]
    return widgets.SelectionSlider(
        options=options,
        value=len(options) // 4,
        description=RATE,
        style={"description_width": "10em"},
        layout=widgets.Layout(width=_WIDE),
    )


def _network_presets(result: Any) -> dict[str, dict[str, int]]:
    accuracy = np.asarray(result.final("validation_accuracy")).mean(axis=1)
    return {
        "too small": {"index": 0},
        "just right": {"index": int(np.nanargmax(accuracy))},
        "too large": {"index": len(accuracy) - 1},
    }


def _network_figure(result: Any, target: float) -> tuple[Figure, dict[str, Artist]]:
    figure, (left, right) = plots.canvas(cols=2)
    curves = np.asarray(result.loss, dtype=np.float64)
    for curve in curves:
        with np.errstate(invalid="ignore", over="ignore"):
            left.plot(_above(curve.mean(axis=0), _FLOOR), "-", color="#D8D8D8", lw=1)
    left.set(yscale="log", ylim=(1e-2, 1e2), xlabel=plots.STEP_LABEL, ylabel="mini-batch loss")
    note = {"transform": left.transAxes, "ha": "right", "va": "top", "color": plots.GRAY}
    left.text(0.98, 0.96, "gray: all rates", **note)
    plots.u_curve(right, result, "validation_accuracy")
    right.set(ylim=(0, 1.02), ylabel="validation accuracy")
    right.axhspan(target, 1.02, color=plots.GREEN, alpha=0.15, lw=0)
    (loss,) = left.plot([], [], "-", color=plots.VERMILLION, zorder=3)
    (rate,) = right.plot([], [], "D", color=plots.VERMILLION, ms=11, zorder=5)
    line = right.axvline(1, color=plots.VERMILLION, ls="-", lw=1.4)
    titles = left.set_title("η"), right.set_title("accuracy")
    names = ("loss", "rate", "line", "title", "right title")
    return figure, dict(zip(names, (loss, rate, line, *titles)))
