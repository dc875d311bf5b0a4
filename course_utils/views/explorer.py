"""Live figures: move a slider, and the real run is computed and drawn again at once.

An `Explorer` is three small parts: a pure `compute(**values) -> data`, a pure
`draw(data, artists) -> text` that updates existing artists, and a thin skin of widgets. The figure
is made once. An update restores its background, draws the few artists that change (blitting) and
sends one PNG: about ten times faster than a new figure, and nothing flickers. What the picture
shows is also said in words below it, for those who cannot see it and for the tests.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from course_utils import validate
from course_utils.views.controls import offered
from course_utils.views.figure import Picture, fit_titles, with_alt
from course_utils.views.images import quick_png

LOSS_FLOOR = 1e-12
"""The foot of the logarithmic loss axes."""
_FITS = "calc(100% - 4px)"  # in a narrow window; ipywidgets puts 2 px around each control


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
        figure: a figure from `views.subplots`, everything static already drawn.
        artists: name -> artist of that figure that `draw` changes; only these are drawn again,
            and the rest of the figure only when `draw` changes the scale, the limits or the legend
            of an axis, which takes longer.
        task: what to reach, or None.
        presets: label -> values, a button each.
        preview: `preview(artists, **values)` updates those artists that can be known before a slow
            `compute`; they are shown at once, and the result when it is there.

    Example:
        >>> from course_utils.lessons.lesson01.explorers import parabola
        >>> explorer = parabola()
        >>> explorer.set(lr=0.098)
        >>> explorer.task_reached, explorer.state[:29]
        (True, 'Learning rate 0.098: approach')
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
        """Move several controls at once, with one update of the picture."""
        values = self._offered(values)
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

    def static(self, **values: Any) -> Picture:
        """Return a picture of the explorer at `values` (the others as they are), for print.

        The controls and the live picture stay as they are.

        Example:
            >>> from course_utils.lessons.lesson01.explorers import parabola
            >>> explorer = parabola()
            >>> explorer.static(lr=0.01).alt[:29]
            'Learning rate 0.01: crawl. Ea'
            >>> explorer.close()
        """
        values = {**self.values, **self._offered(values)}
        text = self.draw(self.compute(**values), self.artists)
        for artist in self.artists.values():
            artist.set_animated(False)
        try:
            return with_alt(self.figure, alt=text)
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
        self.presets = {label: self._offered(values) for label, values in self.presets.items()}

    def _offered(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """`values`, each as its control offers it; a number may be off by its last digits."""
        if self._closed:
            raise RuntimeError("this explorer is closed: run its cell again")
        for name in values:
            validate.one_of("control", name, self.controls)
        return {name: offered(name, self.controls[name], value) for name, value in values.items()}

    def _prepare_canvas(self) -> None:
        """Lay the figure out once, and keep the background without the artists that change."""
        fit_titles(self.figure)
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
        return quick_png(self._canvas.buffer_rgba())

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


def _live(text: str) -> str:
    """A text that a screen reader reads out when it changes."""
    return f'<span role="status" aria-live="polite">{text}</span>'


def _button(label: str, values: Mapping[str, Any]) -> widgets.Button:
    moves = ", ".join(f"{name} = {_short(value)}" for name, value in values.items())
    return widgets.Button(
        description=label, tooltip=f"{label}: {moves}", layout=widgets.Layout(width="auto")
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


def regime(lr: float, curvature: float) -> str:
    r"""Return what gradient descent does on :math:`\frac{\lambda}{2} w^2` at the rate `lr`.

    >>> [regime(lr, curvature=2.0) for lr in (0.01, 0.2, 0.5, 0.99, 1.0, 1.01)]
    ['crawl', 'approach', 'one step', 'oscillate and converge', 'never settles', 'diverge']
    """
    scaled = validate.positive("lr", lr) * validate.positive("curvature", curvature)
    if np.isclose(scaled, 1, rtol=1e-9):
        return "one step"
    if np.isclose(scaled, 2, rtol=1e-9):
        return "never settles"
    edges = {"crawl": 0.1, "approach": 1, "oscillate and converge": 2}
    return next((name for name, edge in edges.items() if scaled < edge), "diverge")


def as_written(value: float) -> str:
    """Return a number as one writes it by hand.

    >>> as_written(1e-6), as_written(36.0)
    ('1e-6', '36')
    """
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def on_log_axis(values: np.ndarray, floor: float = LOSS_FLOOR) -> np.ndarray:
    """Return losses that a logarithmic axis can take: none below `floor`, infinities far above.

    >>> on_log_axis(np.array([0.0, 1.0, np.inf]))
    array([1.e-12, 1.e+00, 1.e+30])
    """
    return np.clip(np.nan_to_num(values, nan=1e30, posinf=1e30), floor, 1e30)
