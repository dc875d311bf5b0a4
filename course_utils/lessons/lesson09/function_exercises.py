"""The functions that learners write in lesson 9, and how they are judged."""

from __future__ import annotations

import math

import numpy as np

from course_utils.course.exercises import call, expect, number


def mup_rates(lr, width, layers, base):
    """Adam's rate for the weights of each layer, from the input to the readout."""
    m = width / base
    return [lr] + [lr / m] * (layers - 1)


def grade_mup_rates(answer):
    """Compare the learner's rates with µP's and with typical mistakes."""
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


def adapter_forward(x, W, A, B, alpha):
    """What a layer with an adapter gives: x W + (α/r) x A B."""
    rank = A.shape[1]
    return x @ W + alpha / rank * (x @ A) @ B


def grade_adapter(answer):
    """Call the learner's layer with two adapters, fresh and trained."""
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
