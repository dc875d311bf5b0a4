"""The figures of lesson 6 show the numbers that they are given, and how many seeds there are."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from course_utils import views
from course_utils.experiments.cifar_runs import Plan, Result
from course_utils.experiments.datasets import digits, synthetic_cifar100
from course_utils.experiments.evaluation import evaluate
from course_utils.experiments.models import mlp
from course_utils.experiments.training import train
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


def test_runs_are_grouped_by_rate_and_those_without_an_epoch_left_out():
    stopped = replace(DEAD, meta={"updates": 3, "updates_per_epoch": PER_EPOCH})
    assert figures.by_rate([DEAD, FAST, OTHER]) == {1e-3: [FAST, OTHER], 0.1: [DEAD]}
    assert list(figures.by_rate([stopped, FAST])) == [1e-3]


def test_losses_belong_to_an_epoch_and_accuracies_to_its_end():
    epochs, loss = figures.per_epoch(FAST, "epoch_loss")
    assert epochs.tolist() == [1, 2] and loss.tolist() == [4, 3]
    epochs, accuracy = figures.per_epoch(FAST, "test_accuracy")
    assert epochs.tolist() == [0, 1, 2] and accuracy.tolist() == [0.01, 0.2, 0.3]
    epochs, loss = figures.per_epoch(FAST, "loss")
    assert epochs.tolist() == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75] and loss.tolist() == [
        4, 4, 4, 4, 3, 3, 3, 3,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="metric must be one of"):
        figures.per_epoch(FAST, "sharpness")


def test_curves_show_mean_and_range_up_to_the_shortest_run_and_then_the_others(ax):
    figures.epoch_curves(ax, {"0.001": [FAST, OTHER], "0.1": [DEAD]}, "epoch_loss")
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [4.1, 3.2])
    alone, dead = ax.lines[1:]  # the longer seed goes on alone
    assert alone.get_xdata().tolist() == [2, 3] and alone.get_ydata().tolist() == [3.4, 3.0]
    assert alone.get_color() == ax.lines[0].get_color() != dead.get_color()
    assert alone.get_linewidth() < ax.lines[0].get_linewidth()
    assert dead.get_ydata().tolist() == [4.6, 4.6]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["0.001 (2 seeds)", "0.1 (1 seed)"]
    assert len(ax.collections) == 1  # one seed has no range
    assert ax.get_xlabel() == "epoch" and "loss" in ax.get_ylabel()


def test_a_line_keeps_its_color_when_others_are_left_out(ax):
    figures.epoch_curves(ax, {"b": [DEAD]}, "epoch_loss", order=["a", "b"])
    assert ax.lines[0].get_color() == views.color(1)


def test_dead_layers_are_drawn_from_the_first_layer_up(ax):
    dead = np.linspace(0, 1, 21).reshape(3, 7)
    run = replace(DEAD, metrics={"step": np.array([0, 5, 10]), "dead": dead})
    figures.dead_layers(ax, run)
    np.testing.assert_array_equal(ax.images[0].get_array(), dead.T)
    assert list(ax.get_ylim()) == [0.5, 7.5] and "0.1" in ax.get_title(loc="left")
    with pytest.raises(ValueError, match="metric must be one of"):
        figures.dead_layers(ax, FAST)


# --- the explorer ------------------------------------------------------------------------------


@pytest.fixture
def explorer():
    made = figures.article([DEAD, FAST, OTHER])
    yield made
    made.close()


def labels(explorer):
    texts = explorer.figure.axes[0].get_legend()
    return [t.get_text().split()[0] for t in texts.get_texts()] if texts else []


def test_the_explorer_shows_the_chosen_rates_and_says_so(explorer):
    assert labels(explorer) == ["0.001", "0.1"]
    longer = "0.001: training loss 3.00, test accuracy 90.0% after 3 epochs (1 of 2 seeds); 0.1: "
    assert longer in explorer.state
    explorer.set(epochs=2)
    assert "0.001: training loss 3.20, test accuracy 25.0% after 2 epochs; 0.1" in explorer.state
    explorer.set(epochs=1, **{"rate 0.1": False})
    assert labels(explorer) == ["0.001"]
    assert explorer.state == (
        "Learning rate 0.001: training loss 4.10, test accuracy 15.0% after 1 epoch."
    )
    explorer.set(**{"rate 0.001": False})
    assert explorer.state == "No rate is chosen." and labels(explorer) == []
    explorer.reset()
    assert labels(explorer) == ["0.001", "0.1"]


def test_the_explorer_changes_its_axis(explorer):
    picture = bytes(explorer.image.value)
    explorer.set(log=True)
    assert explorer.figure.axes[0].get_yscale() == "log"
    assert bytes(explorer.image.value) != picture
    explorer.set(log=False)
    assert explorer.figure.axes[0].get_yscale() == "linear"
    assert bytes(explorer.image.value) == picture


def test_the_presets_separate_the_rates(explorer):
    explorer.set(**explorer.presets["above 0.005"])
    assert labels(explorer) == ["0.1"]
    explorer.set(**explorer.presets["below 0.005"])
    assert labels(explorer) == ["0.001"]


def test_bad_input_to_the_explorer(explorer):
    with pytest.raises(ValueError, match="results must contain a run"):
        figures.article([])
    with pytest.raises(ValueError, match="epochs must be in"):
        explorer.set(epochs=0)


# --- a training to watch -----------------------------------------------------------------------


def test_a_watched_training_is_measured_and_drawn():
    data, model = digits(), mlp((64, 10), seed=0)
    watch = figures.Watch(data, examples=100)
    assert watch.state == "Nothing is trained yet."
    empty = bytes(watch.image.value)
    run = train(model, data, schedule=0.5, steps=6, observers={"watch": watch}, observe_every=3)
    seen = run.metrics["watch"]
    assert seen.shape == (3, 3) and len(watch.points) == 3
    np.testing.assert_allclose(seen[-1, 0], evaluate(model, data.train.take(slice(100)))[0])
    np.testing.assert_allclose(seen[-1, 1:], evaluate(model, data.test.take(slice(100))))
    assert bytes(watch.image.value) != empty
    assert f"{seen[-1, 2]:.1%}" in watch.state and "2.30" in watch.state
    assert "image/png" not in watch._repr_mimebundle_() and watch.state in str(
        watch._repr_mimebundle_()
    )
    times = [seconds for seconds, *_ in watch.points]
    assert times[0] == 0 and times == sorted(times)


def test_a_watched_training_that_diverges_is_drawn_too():
    watch = figures.Watch(digits(), examples=20)
    model = mlp((64, 10), seed=0)
    with torch.no_grad():
        model[0].weight.fill_(torch.nan)
    assert np.isnan(watch(model)[0]) and "nan" in watch.state
    with pytest.raises(ValueError, match="examples"):
        figures.Watch(digits(), examples=0)
