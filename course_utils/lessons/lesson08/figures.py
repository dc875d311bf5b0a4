"""The pictures of lesson 8 that are drawn more than once."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes

from course_utils import views
from course_utils.lessons.lesson08.methods import Study


def behind(
    ax: Axes,
    study: Study,
    methods: Mapping[str, str],
    *,
    metric: str = "loss",
    rate: str = "own",
) -> None:
    """Draw how far methods are behind the planned cosine at the three lengths, with 95 % intervals.

    Args:
        ax: where to draw.
        study: of one task.
        methods: {method: what the legend calls it}.
        metric: "loss", or "accuracy", in points.
        rate: "own" or "one", as in `Study.value`.
    """
    lengths = study.lengths
    for i, (method, label) in enumerate(methods.items()):
        found = [study.behind(method, h, metric, rate) for h in lengths]
        shift = (i - (len(methods) - 1) / 2) * 0.02 * lengths[-1]
        x, y = [h + shift for h in lengths], [e.mean for e in found]
        ax.errorbar(
            x,
            y,
            yerr=[e.high - e.mean for e in found],
            capsize=3,
            label=label,
            **views.line_style(i),
        )
    ax.axhline(0, color=views.GRAY, lw=1)
    ax.set(xlabel="updates", xticks=lengths)
    unit = "in loss" if metric == "loss" else "in points of accuracy"
    ax.set_ylabel(f"behind the planned cosine,\n{unit}")
