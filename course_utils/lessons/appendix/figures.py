"""The figures of the appendix's trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from course_utils import schedules, views
from course_utils.experiments.sweep import Sweep
from course_utils.run import Run
from course_utils.views import Picture


def step_decay(epochs: np.ndarray, keras: np.ndarray, told: np.ndarray) -> Picture:
    """Draw the rate of Keras's `decay` and the step decay that article 000 takes it for.

    Example:
        >>> step_decay(np.arange(3), np.array([1, 0.9, 0.8]), np.array([1, 1, 0.5])).alt[:13]
        'Learning rate'
    """
    fig, ax = views.subplots(size=(10, 3.4))
    ax.plot(epochs, keras, label="what the code does")
    look = {"color": views.VERMILLION, "ls": "--"}
    ax.step(epochs, told, where="post", label="what the text says", **look)
    ax.set(xlabel="epoch (938 updates each)", ylabel=views.RATE_LABEL, ylim=(0, 1.08))
    ax.set_title("The rate falls a little with every update, and nothing happens at epoch 100")
    ax.legend(loc="lower left")
    return views.with_alt(
        fig,
        alt=f"Learning rate over {epochs[-1]} epochs. The code falls in a nearly straight line "
        f"from 1 to {keras[-1]:.2f}. The text: 1 up to epoch 100, then halved in every epoch.",
    )


def noisy_rates(horizon: int = 100) -> Picture:
    """Draw noisy linear cosine decay beside linear cosine decay.

    Example:
        >>> "below zero" in noisy_rates().alt
        True
    """
    steps = np.arange(horizon)
    noisy = schedules.noisy_linear_cosine(1.0, horizon, seed=0)(steps)
    fig, ax = views.subplots(size=(10, 3.6))
    ax.plot(steps, noisy, label="noisy")
    ax.plot(steps, schedules.linear_cosine(1.0, horizon)(steps), "k--", label="linear cosine")
    ax.axhspan(noisy.min() - 0.2, 0, color=views.INFEASIBLE, alpha=0.2, lw=0)
    ax.set(xlabel=views.STEP_LABEL, ylabel=views.RATE_LABEL, ylim=(noisy.min() - 0.2, None))
    ax.set_title("Below zero, in the shaded band, the step goes uphill")
    ax.legend(loc="upper right")
    return views.with_alt(
        fig,
        alt=f"The noisy rate over {horizon} steps jumps around linear cosine decay, which falls "
        f"from 1 to 0. Its range is {noisy.min():.2f} to {noisy.max():.2f}, and it is below zero "
        f"in {np.mean(noisy < 0):.0%} of the steps.",
    )


def losses(runs: Mapping[str, Run]) -> Picture:
    """Draw the loss of several runs on (w + 1)² on a logarithmic axis.

    Example:
        >>> run = Run(lr=[0.5], loss=[36.0], grad_norm=[12.0], final_loss=0.0)
        >>> losses({"constant 0.5": run}).alt[-22:]
        'constant 0.5 ends at 0'
    """
    fig, ax = views.subplots(size=(11, 4))
    for i, (name, run) in enumerate(runs.items()):
        values = views.losses(run)
        label = name if run.final_loss else f"{name} (0 after one step)"
        ax.semilogy(np.where(values > 0, values, 1e-9), label=label, **views.line_style(i))
    ax.set(xlabel=views.STEP_LABEL, ylabel="loss", ylim=(1e-8, 90), xticks=range(0, 21, 5))
    ax.set_title("0.01 and 0.99 are equally fast; what helps is a better rate")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=11)
    told = "; ".join(f"{name} ends at {run.final_loss:.2g}" for name, run in runs.items())
    return views.with_alt(fig, alt=f"Loss over {len(values) - 1} steps, from 36, log axis: {told}")


def distances(distance: Mapping[str, np.ndarray], epochs: Mapping[str, int]) -> Picture:
    """Draw how far several methods are from the best line, epoch by epoch.

    Example:
        >>> distances({"Adam": np.array([1.0, 0.1])}, {"Adam": 1}).alt[-8:]
        'Adam: 1.'
    """
    fig, ax = views.subplots(size=(11, 4))
    for i, (name, away) in enumerate(distance.items()):
        ax.semilogy(away[:700], label=name, **views.line_style(i))
    ax.axvline(100, color=views.GRAY, lw=1.2)
    ax.text(106, 2.6, "the article stops here", fontsize=12)
    ax.axhline(1e-3, color="0.4", ls=":")
    ax.set(xlabel="epoch (one update each)", ylabel="distance to the best line", ylim=(1e-4, 9))
    ax.set_title("After 100 epochs the article's Adam is not there yet")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=11)
    told = ", ".join(f"{name}: {count}" for name, count in epochs.items())
    return views.with_alt(
        fig, alt=f"Distance to the best line, log axis. Epochs until it is below 0.001: {told}."
    )


def limits(tables: Mapping[int, Sweep], largest: Mapping[int, float]) -> Picture:
    """Draw the training loss against the rate for several batch sizes.

    Args:
        tables: the sweep of each batch size.
        largest: the largest rate of each at which all seeds learn.

    Example:
        >>> from course_utils.experiments.sweep import sweep
        >>> tiny = sweep([0.1, 1.0], [0, 1], hidden=(4,), steps=3, progress=False)
        >>> limits({16: tiny}, {16: 1.0}).alt[-9:]
        '16: 1.00.'
    """
    fig, ax = views.subplots(size=(10, 4))
    for size, table in tables.items():
        views.sensitivity_curve(ax, table, "train_loss", label=f"batches of {size}")
    ax.axhline(np.log(10), color="0.4", ls=":", label="ln 10: guessing")
    ax.set(ylim=(0, 3))
    ax.set_title("The noise of single examples lowers the largest usable rate")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    told = ", ".join(f"{size}: {lr:.2f}" for size, lr in largest.items())
    seeds: Sequence[int] = next(iter(tables.values())).seeds
    return views.with_alt(
        fig,
        alt=f"Training loss against the rate, mean and band of {len(seeds)} seeds. Single examples "
        f"fail at much smaller rates than large batches. Largest rate at which all seeds learn, "
        f"by batch size: {told}.",
    )
