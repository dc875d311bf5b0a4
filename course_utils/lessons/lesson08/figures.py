"""The picture of lesson 8 that is drawn three times: how far methods are behind the plan."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils import views
from course_utils.lessons.lesson08.methods import Study


def behind(
    studies: Mapping[str, Study], methods: Mapping[str, tuple[str, str]], titles: Mapping[str, str]
) -> Figure:
    """Return a figure of the loss behind the planned cosine at three lengths, 95 % intervals.

    Args:
        studies: {task: study}.
        methods: {what the legend calls it: (method, at which rate)}, as in `Study.value`.
        titles: {task: the finding}; a panel for each, in this order.

    Example:
        >>> from course_utils.lessons.lesson08.methods import studies
        >>> recorded = studies("notebooks/results/08_sgd.json")
        >>> shown = {"averaged": ("weights n^8", "own")}
        >>> fig = behind(recorded, shown, {"teacher": "Level", "digits": "Level"})
        >>> len(fig.axes)
        2
    """
    fig, axes = views.subplots(cols=len(titles), size=(12.5, 4.6))
    for ax, (task, title) in zip(axes, titles.items()):
        _panel(ax, studies[task], methods)
        ax.set_title(title)
    axes[0].set_ylabel("loss behind\nthe planned cosine")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return fig


def _panel(ax: Axes, study: Study, methods: Mapping[str, tuple[str, str]]) -> None:
    lengths = study.lengths
    for i, (label, (method, rate)) in enumerate(methods.items()):
        found = [study.behind(method, h, rate=rate) for h in lengths]
        shift = (i - (len(methods) - 1) / 2) * 0.008 * lengths[-1]
        ax.errorbar(
            [h + shift for h in lengths],
            [e.mean for e in found],
            yerr=[e.high - e.mean for e in found],
            capsize=3,
            label=label,
            **views.line_style(i),
        )
    ax.axhline(0, color=views.GRAY, lw=1, label="planned cosine")
    ax.set(xlabel="updates", xticks=lengths)
