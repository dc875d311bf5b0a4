"""Results over learning rates: means, ranges, basins, and paired differences."""

from __future__ import annotations

import re
import statistics
from types import SimpleNamespace

import numpy as np
import pytest
from fakes import axes, find, texts

from course_utils import views
from course_utils.views.figure import COLORS


class FakeBasin(tuple):
    edge = None


def three_seeds(edge=None, values=None):
    """Four rates, not sorted, as a random search would have them; the largest one diverged."""
    values = values or [[0.8, 0.7, 0.9], [0.2, 0.3, 0.1], [0.9, 0.95, 0.97], [0.1, 0.1, 0.5]]
    basin = FakeBasin((0.1, 1.0, 1.0))
    basin.edge = edge
    return SimpleNamespace(
        lrs=np.array([1.0, 0.01, 0.1, 10.0]),
        diverged=np.array([[False] * 3, [False] * 3, [False] * 3, [False, True, False]]),
        final=lambda name: np.array(values),
        basin=lambda name, tolerance: basin,
    )


def curve(ax=None, sweep=None, metric="validation_accuracy", label=None, **options):
    ax = axes() if ax is None else ax
    return views.sensitivity_curve(ax, sweep or three_seeds(), metric, label, **options)


def test_the_curve_is_the_mean_over_seeds_sorted_by_rate_without_infeasible_cells():
    ax = curve(label="SGD")
    line = ax.lines[0]
    assert line.get_xdata().tolist() == [0.01, 0.1, 1.0, 10.0]
    assert line.get_ydata() == pytest.approx([0.2, 0.94, 0.8, np.nan], nan_ok=True)
    assert ax.get_xscale() == "log"
    (cross,) = find(ax, marker="x")
    assert cross.get_xdata().tolist() == [10.0]
    assert cross.get_label() == "some seed diverged"
    corners = {tuple(v) for path in ax.collections[0].get_paths() for v in path.vertices}
    assert corners >= {(0.1, 0.9), (0.1, 0.97), (0.01, 0.1), (0.01, 0.3)}


def test_the_next_method_takes_the_next_color_and_both_are_marked():
    ax = curve(curve(label="_SGD"), label="Adam")
    crosses = find(ax, marker="x")
    methods = [li for li in ax.lines if li not in crosses]
    assert [li.get_color() for li in methods] == list(COLORS[:2])
    assert len({li.get_ydata()[0] for li in crosses}) == 2
    shown = [text.get_text().strip() for text in ax.get_legend().get_texts()]
    assert sorted(shown) == ["Adam", "_SGD", "some seed diverged"]


@pytest.mark.parametrize(("edge", "words"), [(None, "best:\n1.0"), ("low", "best:\nat least 1.0")])
def test_the_width_of_the_basin_is_said(edge, words):
    ax = curve(sweep=three_seeds(edge), tolerance=0.05)
    assert any(words + " decades" in text for text in texts(ax))
    span = ax.patches[0].get_extents().transformed(ax.transData.inverted())
    assert (span.x0, span.x1) == pytest.approx((0.1, 1.0))


def test_crosses_of_a_loss_are_at_the_top():
    assert find(curve(metric="train_loss"), marker="x")[0].get_ydata()[0] == 1.0 - 0.04


@pytest.mark.parametrize(("lowest", "scale"), [(0.1, "log"), (-0.1, "linear")])
def test_the_axis_is_logarithmic_if_asked_and_possible(lowest, scale):
    values = [[0.8] * 3, [0.5] * 3, [lowest] * 3, [-1.0] * 3]  # the last one diverged
    ax = curve(sweep=three_seeds(values=values), metric="train_loss", log=True)
    assert ax.get_yscale() == scale


def test_mark_rates():
    assert views.mark_rates(axes(), {"2/λ": 0.5}).lines[0].get_xdata() == [0.5, 0.5]


def test_differences_show_mean_and_two_standard_errors():
    values = [0.3, 0.1, 0.2, 0.6]
    ax = views.differences(axes(), {"A - B": values}, scale=100)
    error = 100 * statistics.stdev(values) / 2
    left, right = ax.collections[0].get_segments()[0][:, 0]
    assert (left, right) == pytest.approx((30 - 2 * error, 30 + 2 * error))
    assert texts(ax) == ["+30 ± 11"]


def test_a_difference_below_two_standard_errors_is_not_one():
    ax = views.differences(axes(), {"A - B": [0.5, -0.4, 0.2]})
    assert texts(ax)[0].endswith("no difference detected")


BAD = {
    "sweep must": lambda: views.sensitivity_curve(axes(), {"lrs": [1]}),
    "ax must": lambda: curve(ax=views.subplots(2)[1]),
    "metric must": lambda: curve(metric=None),
    "rates must": lambda: views.mark_rates(axes(), [1.0]),
    "tolerance must": lambda: curve(tolerance=-1),
    "index must": lambda: curve(index=0.5),
    "rates['a'] must": lambda: views.mark_rates(axes(), {"a": np.nan}),
    "pairs must": lambda: views.differences(axes(), {}),
    "pairs['a'] must": lambda: views.differences(axes(), {"a": [1.0]}),
    "pairs['a'] must contain": lambda: views.differences(axes(), {"a": [1.0, np.nan]}),
    "scale must": lambda: views.differences(axes(), {"a": [1.0, 2.0]}, scale=np.inf),
}


@pytest.mark.parametrize("words", BAD)
def test_bad_input_is_refused_by_name(words):
    with pytest.raises((ValueError, TypeError), match=re.escape(words)):
        BAD[words]()
