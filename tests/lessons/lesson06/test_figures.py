"""The figures of lesson 6 show the numbers that they are given, and how many seeds there are."""

from dataclasses import replace

import numpy as np
import pytest

from course_utils import views
from course_utils.experiments.cifar_runs import Plan, Result
from course_utils.experiments.datasets import digits, synthetic_cifar100
from course_utils.experiments.intervals import share
from course_utils.lessons.lesson06 import figures

PER_EPOCH = 4


def recorded(lr, losses, accuracies, seed=0):
    """A run of one point per update; a loss for each epoch, an accuracy before and after each."""
    epochs = len(losses)
    loss = np.repeat(np.array(losses, float), PER_EPOCH)
    step = np.arange(epochs * PER_EPOCH)
    metrics = {"step": PER_EPOCH * np.arange(epochs + 1), "test_accuracy": np.array(accuracies)}
    meta = {"updates": len(step), "updates_per_epoch": PER_EPOCH}
    plan = Plan("article", lr, seed, epochs)
    return Result(plan, step, loss, loss, loss, metrics, losses[-1], False, meta)


FAST = recorded(1e-3, [4.0, 3.0], [0.01, 0.2, 0.3])
OTHER = recorded(1e-3, [4.2, 3.4, 3.0], [0.01, 0.1, 0.2, 0.9], seed=1)
DEAD = recorded(0.1, [4.6, 4.6], [0.01, 0.01, 0.01])


@pytest.fixture
def ax():
    return views.subplots()[1]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return synthetic_cifar100(tmp_path_factory.mktemp("images"), 120, 20)


def test_the_sheet_shows_different_classes_and_says_what_they_are(images):
    sheet = figures.contact_sheet(images, rows=2, cols=3)
    axes = sheet.figure.axes
    names = [ax.get_title(loc="left") for ax in axes]
    assert len(set(names)) == 6 and all(name in sheet.alt for name in names)
    row = np.flatnonzero(images.train.y == int(names[0].split()[-1]))[0]
    shown = axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown, images.train.x[row].transpose(1, 2, 0))
    assert sheet.alt.startswith("Synthetic")
    real = figures.contact_sheet(replace(images, name="CIFAR-100"), 1, 1)
    assert real.alt.startswith("Photographs")


def test_more_places_than_classes_stay_empty(images):
    few = replace(images, train=images.train.take(slice(2)))
    sheet = figures.contact_sheet(few, 1, 4)
    assert [len(ax.images) for ax in sheet.figure.axes] == [1, 1, 0, 0]


def test_the_sheet_wants_images():
    with pytest.raises(ValueError, match="data must hold images of bytes, got float32"):
        figures.contact_sheet(digits())


def test_shares_count_the_runs_that_there_are(ax):
    lives = np.array([[1, 1, 0, np.nan], [0, 0, 0, 0]])
    figures.shares(ax, [1e-3, 1e-2], lives)
    [points] = [line for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(points.get_xdata(), [1e-3, 1e-2])
    np.testing.assert_allclose(points.get_ydata(), [2 / 3, 0])
    assert [text.get_text() for text in ax.texts] == ["2/3", "0/4"]
    assert points.get_linestyle() == "None"  # nothing was measured between the rates
    [bars] = ax.collections
    ends = [segment[:, 1] for segment in bars.get_segments()]
    np.testing.assert_allclose(ends[0], [share(2, 3).low, share(2, 3).high])
    np.testing.assert_allclose(ends[1], [0, share(0, 4).high], atol=1e-12)


def test_a_label_moves_the_points_aside_and_joins_none(ax):
    for index in range(4):
        figures.shares(ax, [1e-3, 1e-2], np.ones((2, 3)), "plain", index)
    points = [line for line in ax.lines if line.get_marker() in "os^D"]
    assert [line.get_linestyle() for line in points] == ["None"] * 4 and not ax.texts
    places = np.array([line.get_xdata() for line in points])
    np.testing.assert_allclose(np.exp(np.log(places).mean(axis=0)), [1e-3, 1e-2])
    assert (np.diff(places, axis=0) > 0).all()


def test_losses_are_means_of_an_epoch_and_accuracies_come_at_its_end():
    assert figures.per_epoch(FAST, "loss").tolist() == [4, 3]
    assert figures.per_epoch(FAST, "test_accuracy").tolist() == [0.2, 0.3]
    with pytest.raises(ValueError, match="metric must be one of"):
        figures.per_epoch(FAST, "sharpness")


def test_curves_show_mean_and_band_up_to_the_shortest_run_and_then_the_others(ax):
    figures.epoch_curves(ax, {"a": [FAST, OTHER], "b": [DEAD]}, "loss")
    mean, alone, dead = ax.lines
    np.testing.assert_allclose(mean.get_ydata(), [4.1, 3.2])
    assert alone.get_xdata().tolist() == [2, 3] and alone.get_ydata().tolist() == [3.4, 3.0]
    assert alone.get_color() == mean.get_color() != dead.get_color()
    assert alone.get_linewidth() < mean.get_linewidth()
    assert mean.get_label() == "a" and alone.get_label().startswith("_")
    [band] = ax.collections  # one seed has none
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == 3.0 and heights.max() == 4.2
    assert ax.get_xlabel() == "epoch" and "loss" in ax.get_ylabel()


def test_dead_layers_are_drawn_from_the_first_layer_up(ax):
    dead = np.linspace(0, 1, 21).reshape(3, 7)
    run = replace(DEAD, metrics={"step": np.array([0, 5, 10]), "dead": dead})
    figures.dead_layers(ax, run)
    np.testing.assert_array_equal(ax.images[0].get_array(), dead.T)
    assert list(ax.get_ylim()) == [0.5, 7.5]
    shown = ax.images[0].to_rgba(np.array([0.0, 0.99, 1.0]))
    assert shown[2, 0] > 0.8 > shown[1, 0]  # only a layer that is all dead is red
    with pytest.raises(ValueError, match="metric must be one of"):
        figures.dead_layers(ax, FAST)
