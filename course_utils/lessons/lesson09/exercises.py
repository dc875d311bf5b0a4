"""Questions of lesson 9, transferring a learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from course_utils.course.exercises import (
    Incorrect,
    Lesson,
    NotAttempted,
    call,
    choice,
    expect,
    expect_none_of,
    expect_number,
    grade_choice,
    grade_number,
    number,
    pair,
)

question = Lesson(9).question


# ------------------------------------------------------------------------- 9.1 another batch


def _grade_sixteen_times(answer):
    sgd, adam = map(number, pair(answer, "give a pair of factors: (SGD's, Adam's)."))
    factors = {1, 4, 16}
    expect({sgd, adam} <= factors, "the factors to choose from are 1, 4 and 16.")
    expect(
        sgd != 1,
        "SGD × 1: with the rate kept, sixteen times fewer updates are sixteen times less far.",
    )
    expect(
        sgd == 16,
        "SGD × 4: that is the root. A sixteenth of the updates must go as far in all; and the "
        "noise of a gradient averaged over 16 times as many examples allows it.",
    )
    expect(
        adam != 16,
        "Adam × 16: Adam divides by the size of the gradient, noise included. In larger batches "
        "there is less noise, so its steps grow by themselves.",
    )
    expect(adam == 4, "Adam × 1: a sixteenth of the updates, and steps only four times as long.")
    return "× 16 for SGD, × 4 for Adam, where the examples are kept equal."


sixteen_times = question(
    "sixteen_times",
    "Batch × 16, as many examples as before: by what do the best rates of SGD and Adam change?",
    _grade_sixteen_times,
    hints=(
        "The number of updates falls to a sixteenth. How far must each of them go?",
        "Adam's step is rate × gradient / size of the gradient. With small batches the size is "
        "mostly noise, and noise falls like 1/√B.",
    ),
    solution=(16, 4),
    explanation="At equal examples only η/B counts for SGD and only η/√B for Adam.",
)


equal_updates = question(
    "equal_updates",
    "400 updates at every batch size: by how much does SGD's best rate grow from batch 1 to 16?",
    grade_choice(
        "4 to 10",
        {
            "less than 4": "larger batches have less noise, and that alone allows more than this.",
            "4 to 10": "About six times: neither 16 nor 4. No power that one could know before.",
            "16": "that needed a sixteenth of the updates: each had to go sixteen times as far.",
        },
    ),
    hints=(
        "The distance to go is the same, and so is the number of updates.",
        "Only the noise speaks for a larger rate now.",
    ),
    solution="4 to 10",
    explanation="Measured: from 0.04 to 0.25.",
)


# ------------------------------------------------------------------------- 9.2 another width


def _grade_wider(answer):
    value = number(answer)
    replies = {
        4: "more weights, each of them smaller: should steps grow?",
        2: "more weights, each of them smaller: should steps grow?",
        1: "that is what PyTorch's users hope for. It holds for SGD here, and for Adam with the "
        "three factors of this section.",
        0.25: "1/width. It is the rule for the hidden layer alone; all layers share one rate here, "
        "and the input layer wants none of it.",
    }
    expect_none_of(value, replies)
    expect(value == 0.5, "the factors to choose from are 4, 2, 1, 0.5 and 0.25.")
    return "About half: it falls, but more slowly than 1/width."


wider = question(
    "wider",
    "Adam's rate was tuned at width 64. By what does the best rate change at width 256?",
    _grade_wider,
    hints=(
        "A unit with four times as many inputs adds up four times as many changes.",
        "The input layer has as many inputs as before, and shares the rate.",
    ),
    solution=0.5,
    explanation="Between 1 (what the input layer wants) and 1/4 (what the others want).",
)


# -------------------------------------------------------------------------- 9.3 another task


def _grade_fine_tuning(answer):
    near, far = map(number, pair(answer, "give a pair of rates: (SGD near, Adam far)."))
    expect(near in (0.5, 0.05, 0.005), "SGD's rates to choose from are 0.5, 0.05 and 0.005.")
    expect(far in (0.02, 0.002, 0.0002), "Adam's rates to choose from are 0.02, 0.002 and 0.0002.")
    expect(
        near != 0.5,
        "SGD at 0.5: where pre-training ended, the turned pictures see a sharp valley. See the "
        "stability limit below the figure.",
    )
    expect(
        near == 0.05, "SGD at 0.005: a hundredth is safe, and a little too slow for 300 updates."
    )
    expect(
        far != 0.0002,
        "Adam at 0.0002: safe, and nowhere near. 300 updates at this rate cannot relearn a far "
        "task.",
    )
    expect(far == 0.02, "Adam at 0.002: a tenth is customary, and for a far task much too slow.")
    return "0.05 and 0.02: a tenth for the near task under SGD, the full rate for the far one."


fine_tuning = question(
    "fine_tuning",
    "Which rate fine-tunes best: SGD on digits turned by 10°, Adam on digits turned by 90°?",
    _grade_fine_tuning,
    hints=(
        "How far is the new task? Turned by 10°, 80 % are right untuned; by 90°, 11 %.",
        "For SGD ask for the stability limit of lesson 2 where fine-tuning begins; Adam divides by "
        "the gradient's size.",
    ),
    solution=(0.05, 0.02),
    explanation="Near and SGD: a tenth. Far and Adam: the rate of pre-training.",
)

_LAYERS = ("first", "last")


def _grade_which_layer(answer):
    pictures, labels = pair(answer, 'give a pair such as ("first", "last").')
    pictures, labels = choice(pictures, _LAYERS), choice(labels, _LAYERS)
    expect(
        pictures == "first",
        "pictures turned, last layer: it sees features that were made for upright digits.",
    )
    expect(
        labels == "last",
        "labels renamed, first layer: the features are right as they are; only names changed.",
    )
    return "New pictures: the first layer. New names: the last."


which_layer = question(
    "which_layer",
    "If only one layer may learn: which, for turned pictures and for renamed labels?",
    _grade_which_layer,
    hints=(
        "Which part of the network is still right after the change?",
        "What has changed stands beside the input, or beside the output.",
    ),
    solution=("first", "last"),
    explanation="The layer beside what has changed.",
)


# ------------------------------------------------------------- 9.4 tune small, train large

# From width 64 and batch 8 to width 512 and batch 64, as many examples.
_FACTORS = {
    "SGD": (8, "the batch asks for × 8, the width for nothing"),
    "Adam, standard": (8**-0.05, "the batch asks for √8, the width for 8 to the power −0.55 or so"),
    "Adam, µP": (8**0.5, "the batch asks for √8, the width for nothing: µP sees to that"),
}


def _grade_transfer(answer):
    expect(
        isinstance(answer, Mapping) and set(answer) == set(_FACTORS),
        f"answer with a dict with the keys {', '.join(_FACTORS)}.",
    )
    if all(value is ... for value in answer.values()):
        raise NotAttempted
    for name, (wanted, why) in _FACTORS.items():
        factor = number(answer[name])
        expect(factor > 0, f"{name}: a factor is greater than 0.")
        expect(factor <= 1.5 * wanted, f"{name}: × {factor:.3g} is too much: {why}.")
        expect(factor >= wanted / 1.5, f"{name}: × {factor:.3g} is too little: {why}.")
    return "Within a factor of 1.5 of what the rules say. Now see what such rates are worth."


transfer_all = question(
    "transfer_all",
    "8 times the width and 8 times the batch, as many examples: by what do you multiply each rate?",
    _grade_transfer,
    hints=(
        "Batch and width each bring a factor; multiply them.",
        "8 times the batch: × 8 for SGD, × √8 for Adam.",
        "8 times the width: nothing for SGD and under µP; Adam's standard slope was about −½.",
    ),
    solution={"SGD": 8, "Adam, standard": 1, "Adam, µP": 2.83},
    explanation="× 8, √8 · 8^(−0.55) = 0.9, and √8.",
)


# ----------------------------------------------------------------------------- 9.5 exercises


def mup_rates(lr, width, layers, base):
    """Adam's rate for the weights of each layer, from the input to the readout."""
    m = width / base
    return [lr] + [lr / m] * (layers - 1)


def _grade_mup_rates(answer):
    cases = [(0.004, 256, 3, 64), (0.01, 32, 4, 128), (0.002, 64, 2, 64)]
    for case in cases:
        lr, width, layers, base = case
        got = call(answer, *case)
        expect(
            isinstance(got, (list, tuple, np.ndarray)) and len(got) == layers,
            f"return one rate per layer: {layers} numbers, got {got!r}.",
        )
        rates, m = [number(rate) for rate in got], width / base
        told = f"lr {lr:g}, width {width}, {layers} layers, base {base}: "
        for wrong, why in (
            ([lr / m] * layers, "the input layer keeps its rate: its number of inputs is the same"),
            ([lr, *[lr / m] * (layers - 2), lr], "the readout has `width` inputs, too"),
            ([lr] + [lr * m] * (layers - 1), "wider means smaller rates: divide by m"),
            ([lr] + [lr / m**0.5] * (layers - 1), "the rate falls by m; the root belongs to the "
             "readout's first weights"),
            ([lr] * layers, "that is the standard: one rate for all"),
            ([lr] + [lr / width] * (layers - 1), "m is width / base, not the width"),
            ([lr * m, *[lr] * (layers - 2), lr / m], "those are SGD's factors"),
        ):  # fmt: skip
            if m != 1 and not np.allclose(wrong, mup_rates(*case)):
                expect(not np.allclose(rates, wrong, rtol=1e-9), told + why + ".")
        expect(np.allclose(rates, mup_rates(*case), rtol=1e-9), told + f"you gave {rates}.")
    return "The factors of the package `mup` for Adam."


write_mup_rates = question(
    "write_mup_rates",
    "Write Adam's µP rates for the weights of each layer.",
    _grade_mup_rates,
    hints=("m = width / base.", "Which layers have `width` inputs?"),
    solution=mup_rates,
    explanation="A layer with m times as many inputs gets its rate divided by m.",
)


def adapter_forward(x, W, A, B, alpha):
    """What a layer with an adapter gives: x W + (α/r) x A B."""
    rank = A.shape[1]
    return x @ W + alpha / rank * (x @ A) @ B


def _grade_adapter(answer):
    rng = np.random.default_rng(0)
    for n_in, n_out, rank, alpha in ((6, 5, 2, 8.0), (4, 7, 3, 1.5)):
        x, W = rng.standard_normal((3, n_in)), rng.standard_normal((n_in, n_out))
        A, B = rng.standard_normal((n_in, rank)), rng.standard_normal((rank, n_out))
        case = f"With {n_in} inputs, {n_out} outputs, rank {rank} and α = {alpha:g}: "
        fresh = np.asarray(call(answer, x, W, A, np.zeros_like(B), alpha), dtype=float)
        expect(fresh.shape == (3, n_out), f"{case}give one row per input, {n_out} numbers each.")
        expect(
            np.allclose(fresh, x @ W),
            f"{case}with B = 0, as it starts, the output must be that of the frozen layer, x @ W.",
        )
        got = np.asarray(call(answer, x, W, A, B, alpha), dtype=float)
        low = x @ A @ B
        for scale, why in (
            (0, "the adapter has no effect."),
            (1, "the factor α/r is missing."),
            (alpha, "you multiply by α; divide it by the rank r = A.shape[1]."),
            (alpha / n_in, "r is the *inner* size: A.shape[1], not A.shape[0]."),
            (alpha / n_out, "r is the *inner* size: B.shape[0], not B.shape[1]."),
            (alpha / rank**0.5, "that is α/√r, the variant rsLoRA."),
            (rank / alpha, "the factor is upside down: α/r."),
        ):
            if not math.isclose(scale, alpha / rank):
                expect(not np.allclose(got, x @ W + scale * low), case + why)
        expect(np.allclose(got, x @ W + alpha / rank * low), f"{case}x W + (α/r) x A B differs.")
    return "Unchanged at the start, and W + (α/r) A B from then on."


write_adapter = question(
    "write_adapter",
    "Write the forward pass of a layer with a low-rank adapter.",
    _grade_adapter,
    hints=("The rank is the inner size of A @ B.", "x @ W, plus α/r times (x @ A) @ B."),
    solution=adapter_forward,
    explanation="(x A) B costs far less than x (A B).",
)

shorter_budget = question(
    "shorter_budget",
    "Adam, tuned at batch 32 to 0.003. Batch 128, as many examples: which rate?",
    grade_number(
        0.006,
        mistakes={
            0.012: "× 4 is SGD's answer. For Adam η/√B counts.",
            0.003: "kept: then a quarter of the updates go too little far.",
            0.0015: "the wrong way: larger batches bear larger rates.",
            0.00075: "the wrong way: larger batches bear larger rates.",
        },
        otherwise="the batch grows by 4; Adam's rate by the root of it.",
        right="× √4. At equal *updates* instead, no such law would help you.",
    ),
    hints=("As many examples: which combination of η and B counts for Adam?",),
    solution=0.006,
    explanation="η/√B is kept: 0.003 · √(128/32).",
)


def _grade_alpha(answer):
    sgd, adam = map(number, pair(answer, "give a pair of factors: (SGD's, Adam's)."))
    expect_none_of(
        sgd,
        {
            4: "SGD × 4: a larger α makes every step longer already; the rate must fall.",
            1: "SGD × 1: α stands before A B, so gradients and steps grow with it.",
            0.5: "SGD × ½: that is Adam's, whose steps do not grow with the gradient.",
        },
        reply="{why}",
    )
    expect_number(sgd, 0.25, "rate × α is kept for SGD.")
    expect_none_of(
        adam,
        {
            0.25: "Adam × ¼: that is SGD's. Adam divides by the gradient's size.",
            1: "Adam × 1: the step on A and B is the same, but it counts α/r times in the layer.",
            2: "Adam × 2: the wrong way round.",
        },
        reply="{why}",
    )
    expect_number(adam, 0.5, "rate × √α is kept for Adam.")
    return "Rate × α for SGD, rate × √α for Adam."


doubled_alpha = question(
    "doubled_alpha",
    "An adapter was tuned with α = 16. With α = 64, by what must the best rate be multiplied: "
    "(SGD, Adam)?",
    _grade_alpha,
    hints=(
        "With s = α/r: a step η on A and B is a step sη on √s A and √s B for SGD.",
        "Adam's step does not grow with the gradient: only √s η.",
    ),
    solution=(0.25, 0.5),
    explanation="Best rate ∝ 1/α for SGD and ∝ 1/√α for Adam.",
)


def _grade_three_shifts(answer):
    right = {"scanner": "first", "language": "last", "nothing new": "all"}
    expect(
        isinstance(answer, Mapping) and set(answer) == set(right),
        f"answer with a dict with the keys {', '.join(right)}.",
    )
    if all(layer is ... for layer in answer.values()):
        raise NotAttempted
    why = {
        "scanner": "a new scanner changes the pictures: the layer beside the input must adapt.",
        "language": "new names for the same classes: only the layer beside the output is wrong.",
        "nothing new": "the same task, and many more examples of it: nothing is wrong in "
        "particular, so let all layers go on.",
    }
    for name, layer in right.items():
        if answer[name] is ...:
            raise Incorrect("fill in a layer for each of the three.")
        chosen = choice(answer[name], ("first", "last", "all"))
        expect(chosen == layer, f"{name}, {chosen!r}: {why[name]}")
    return "The layer beside what has changed; all of them where nothing has."


three_shifts = question(
    "three_shifts",
    "Which layer should learn fast: first, last or all?",
    _grade_three_shifts,
    hints=("What changes: the pictures, the names, or neither?",),
    solution={"scanner": "first", "language": "last", "nothing new": "all"},
    explanation="The layer beside what has changed.",
)
