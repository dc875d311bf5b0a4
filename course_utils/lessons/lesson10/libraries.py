"""The table of libraries: the same schedule in PyTorch, Transformers, Keras, TensorFlow, optax.

Every row is data that can be checked, and is: `Version.code` is what a user of that library
writes, its rates equal `Row.schedule` (up to the step `Version.until`), and `Version.naive` is the
translation that copies the numbers, and goes wrong at the step `Version.naive_from`. PyTorch's
rows are run by the tests; the other libraries' own rates are recorded in tests/golden.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from course_utils import validate
from course_utils.schedules import (
    Schedule,
    constant,
    cosine,
    cosine_restarts,
    exponential,
    inverse_sqrt,
    inverse_time,
    join,
    linear_cosine,
    natural_exponential,
    noisy_linear_cosine,
    one_cycle,
    piecewise_constant,
    polynomial,
    triangular,
    warmup_stable_decay,
    with_warmup,
)
from course_utils.views.tables import TextTable

LIBRARIES = {
    "torch": "PyTorch",
    "transformers": "Transformers",
    "keras3": "Keras 3",
    "optax": "optax",
    "tf1": "TensorFlow 1",
}
"""The columns: key and heading."""

PREFIXES = {
    "torch": "torch.optim.lr_scheduler.",
    "transformers": "transformers.",
    "keras3": "keras.optimizers.schedules.",
    "optax": "optax.",
    "tf1": "tf.compat.v1.train.",
}
"""What the codes leave out; `ReduceLROnPlateau` is in `keras.callbacks`."""


@dataclass(frozen=True)
class Version:
    """How one library writes one schedule.

    Args:
        code: the expression; `t` is the step in TensorFlow 1, `optimizer` (made with lr=0.1) the
            optimizer in PyTorch. What stands before each name is in `PREFIXES`.
        defaults: the arguments that may be left out, and what they then are.
        until: the first step at which the rate is *not* that of the row; None if there is none.
        naive: the translation that copies the numbers, if there is a tempting one.
        naive_from: the first step at which the naive translation has another rate.
    """

    code: str
    defaults: dict[str, Any] = field(default_factory=dict)
    until: int | None = None
    naive: str = ""
    naive_from: int | None = None


@dataclass(frozen=True)
class Row:
    """One schedule in all libraries.

    Args:
        name: what the row is about.
        schedule: the course's version, whose rates the others are compared with.
        versions: by library (the keys of `LIBRARIES`); missing if the library has no such thing.
        boundary: what happens at the step where something changes.
        past_end: what happens when training goes on past the last step that was planned.
        trap: how to get it wrong, in one or two sentences.
    """

    name: str
    schedule: Schedule | None
    versions: dict[str, Version]
    boundary: str
    past_end: str
    trap: str


_DECAY = {"staircase": False}
_OPTAX_DECAY = {"transition_begin": 0, "staircase": False, "end_value": None}
_POLYNOMIAL = {"end_learning_rate": 0.0001, "power": 1.0, "cycle": False}
_RESTARTS = {"t_mul": 2.0, "m_mul": 1.0, "alpha": 0.0}
_LINEAR_COSINE = {"num_periods": 0.5, "alpha": 0.0, "beta": 0.001}

ROWS: tuple[Row, ...] = (
    Row(
        "constant",
        constant(0.1),
        {
            "torch": Version(
                "LambdaLR(optimizer, lambda t: 1.0)",
                naive="ConstantLR(optimizer)",
                naive_from=0,
            ),
            "transformers": Version("get_constant_schedule(optimizer)"),
            "optax": Version("constant_schedule(0.1)"),
        },
        boundary="none",
        past_end="never ends",
        trap="PyTorch's `ConstantLR` is not constant: by default it is a third of the rate for 5 "
        "steps. A constant rate needs no scheduler, only the optimizer's `lr`.",
    ),
    Row(
        "piecewise constant",
        piecewise_constant([10, 20], [0.1, 0.01, 0.001]),
        {
            "tf1": Version("piecewise_constant(t, [10, 20], [0.1, 0.01, 0.001])"),
            "keras3": Version("PiecewiseConstantDecay([10, 20], [0.1, 0.01, 0.001])"),
            "torch": Version(
                "MultiStepLR(optimizer, [11, 21])",
                {"gamma": 0.1},
                naive="MultiStepLR(optimizer, [10, 20])",
                naive_from=10,
            ),
            "optax": Version(
                "piecewise_constant_schedule(0.1, {11: 0.1, 21: 0.1})",
                {"boundaries_and_scales": None},
                naive="piecewise_constant_schedule(0.1, {10: 0.01, 20: 0.001})",
                naive_from=10,
            ),
        },
        boundary="TensorFlow, Keras: step b still has the old rate (t ≤ b). PyTorch, optax: step b "
        "has the new one (t < b)",
        past_end="the last value for ever",
        trap="The boundary is off by one between the libraries; and TensorFlow wants *rates*, "
        "PyTorch one *factor*, optax a *factor for each boundary*.",
    ),
    Row(
        "exponential",
        exponential(0.1, 10, 0.5),
        {
            "tf1": Version("exponential_decay(0.1, t, 10, 0.5)", _DECAY),
            "keras3": Version("ExponentialDecay(0.1, 10, 0.5)", _DECAY),
            "torch": Version(
                "ExponentialLR(optimizer, gamma=0.5 ** (1 / 10))",
                naive="ExponentialLR(optimizer, gamma=0.5)",
                naive_from=1,
            ),
            "optax": Version("exponential_decay(0.1, 10, 0.5)", _OPTAX_DECAY),
        },
        boundary="none: it is smooth",
        past_end="goes on falling; only optax can stop it (`end_value`)",
        trap="TensorFlow's rate is per `decay_steps`, PyTorch's `gamma` per call of `step()`: ten "
        "times as fast here. Made for epochs and stepped every update, it is faster by as many "
        "times as an epoch has updates.",
    ),
    Row(
        "step decay",
        exponential(0.1, 10, 0.5, staircase=True),
        {
            "tf1": Version("exponential_decay(0.1, t, 10, 0.5, staircase=True)", _DECAY),
            "keras3": Version("ExponentialDecay(0.1, 10, 0.5, staircase=True)", _DECAY),
            "torch": Version(
                "StepLR(optimizer, step_size=10, gamma=0.5)",
                {"gamma": 0.1},
                naive="StepLR(optimizer, step_size=10)",
                naive_from=10,
            ),
            "optax": Version("exponential_decay(0.1, 10, 0.5, staircase=True)", _OPTAX_DECAY),
        },
        boundary="all: step 10 has the new rate (unlike piecewise constant in TensorFlow)",
        past_end="goes on falling",
        trap="PyTorch's default factor is 0.1, not a half. Keras 2's `decay=1e-6` is *not* step "
        "decay but inverse time, per update: after 93,800 updates the factor is 0.914.",
    ),
    Row(
        "natural exponential",
        natural_exponential(0.1, 10, 0.5),
        {
            "tf1": Version("natural_exp_decay(0.1, t, 10, 0.5)", _DECAY),
            "keras3": Version(
                "ExponentialDecay(0.1, 10, math.exp(-0.5))",
                _DECAY,
                naive="ExponentialDecay(0.1, 10, 0.5)",
                naive_from=1,
            ),
            "torch": Version(
                "ExponentialLR(optimizer, gamma=math.exp(-0.5 / 10))",
                naive="ExponentialLR(optimizer, gamma=0.5)",
                naive_from=1,
            ),
            "optax": Version(
                "exponential_decay(0.1, 10, math.exp(-0.5))",
                _OPTAX_DECAY,
                naive="exponential_decay(0.1, 10, 0.5)",
                naive_from=1,
            ),
        },
        boundary="none: it is smooth",
        past_end="goes on falling",
        trap="The exponential in other clothes, with decay rate exp(−r). A *larger* r decays "
        "faster, a larger rate in `exponential` slower: 0.96 there is 0.041 here.",
    ),
    Row(
        "inverse time",
        inverse_time(0.1, 10, 0.5),
        {
            "tf1": Version("inverse_time_decay(0.1, t, 10, 0.5)", _DECAY),
            "keras3": Version("InverseTimeDecay(0.1, 10, 0.5)", _DECAY),
            "torch": Version("LambdaLR(optimizer, lambda t: 1 / (1 + 0.5 * t / 10))"),
        },
        boundary="none: it is smooth",
        past_end="goes on falling, ever more slowly",
        trap="Keras 2's argument `decay` is this with one decay step: per *update*, not per epoch. "
        "Keras 3 warns and ignores it: the rate is constant. In PyTorch Adagrad (`lr_decay`) and "
        "ASGD (`lambd`) have it built in.",
    ),
    Row(
        "inverse square root",
        inverse_sqrt(0.1, 10),
        {
            "torch": Version("LambdaLR(optimizer, lambda t: (1 + t / 10) ** -0.5)"),
            "transformers": Version(
                "get_inverse_sqrt_schedule(optimizer, 0, timescale=10)",
                {"timescale": None},
                naive="get_inverse_sqrt_schedule(optimizer, 0)",
                naive_from=1,
            ),
        },
        boundary="none: it is smooth",
        past_end="goes on falling, ever more slowly",
        trap="Transformers' `timescale` is the length of the warm-up, or 10,000 if there is none: "
        "then nothing falls for thousands of updates.",
    ),
    Row(
        "line to 0",
        polynomial(0.1, 10, end_lr=0.0),
        {
            "torch": Version(
                "LinearLR(optimizer, 1.0, 0.0, total_iters=10)",
                {"start_factor": 1 / 3, "end_factor": 1.0, "total_iters": 5},
                naive="LinearLR(optimizer, total_iters=10)",
                naive_from=0,
            ),
            "transformers": Version("get_linear_schedule_with_warmup(optimizer, 0, 10)"),
            "keras3": Version(
                "PolynomialDecay(0.1, 10, 0.0)",
                _POLYNOMIAL,
                naive="PolynomialDecay(0.1, 10)",
                naive_from=1,
            ),
            "optax": Version("linear_schedule(0.1, 0.0, 10)", {"transition_begin": 0}),
            "tf1": Version("polynomial_decay(0.1, t, 10, 0.0)", _POLYNOMIAL),
        },
        boundary="all: step 10 is the first at 0, so the last of ten updates has a tenth",
        past_end="stays at 0",
        trap="PyTorch's `LinearLR` is a warm-up unless told otherwise: it *rises*, from a third.",
    ),
    Row(
        "polynomial",
        polynomial(0.1, 10, end_lr=0.01, power=2.0),
        {
            "tf1": Version("polynomial_decay(0.1, t, 10, 0.01, power=2.0)", _POLYNOMIAL),
            "keras3": Version("PolynomialDecay(0.1, 10, 0.01, power=2.0)", _POLYNOMIAL),
            "torch": Version(
                "LambdaLR(optimizer, lambda t: 0.9 * (1 - min(t / 10, 1)) ** 2 + 0.1)",
                naive="PolynomialLR(optimizer, total_iters=10, power=2.0)",
                naive_from=1,
            ),
            "transformers": Version(
                "get_polynomial_decay_schedule_with_warmup(optimizer, 0, 10, lr_end=0.01, "
                "power=2.0)",
                {"lr_end": 1e-07, "power": 1.0},
            ),
            "optax": Version("polynomial_schedule(0.1, 0.01, 2, 10)", {"transition_begin": 0}),
        },
        boundary="step 10 is the first with the end rate",
        past_end="stays at the end rate",
        trap="PyTorch's `PolynomialLR` always ends at 0 (and `total_iters` is 5 by default); with "
        "power 1 use `LinearLR(optimizer, 1.0, end_lr / lr, 10)`. TensorFlow ends at 0.0001 unless "
        "told otherwise, which may be *above* a small first rate.",
    ),
    Row(
        "polynomial, cycling",
        polynomial(0.1, 10, end_lr=0.01, cycle=True),
        {
            "tf1": Version("polynomial_decay(0.1, t, 10, 0.01, cycle=True)", _POLYNOMIAL),
            "keras3": Version("PolynomialDecay(0.1, 10, 0.01, cycle=True)", _POLYNOMIAL),
        },
        boundary="step 10 has the end rate, step 11 jumps up",
        past_end="cycles for ever, each peak lower than the last",
        trap="It does not return to the first rate: the horizon is stretched. With power 1 and end "
        "rate 0 the k-th peak is about 1/k of the first.",
    ),
    Row(
        "cosine",
        cosine(0.1, 10, alpha=0.1),
        {
            "tf1": Version("cosine_decay(0.1, t, 10, alpha=0.1)", {"alpha": 0.0}),
            "keras3": Version(
                "CosineDecay(0.1, 10, alpha=0.1)",
                {"alpha": 0.0, "warmup_target": None, "warmup_steps": 0},
            ),
            "torch": Version(
                "CosineAnnealingLR(optimizer, T_max=10, eta_min=0.01)",
                {"eta_min": 0.0},
                until=11,
                naive="CosineAnnealingLR(optimizer, T_max=10, eta_min=0.1)",
                naive_from=1,
            ),
            "transformers": Version(
                "get_cosine_with_min_lr_schedule_with_warmup(optimizer, 0, 10, min_lr_rate=0.1)",
                {"num_cycles": 0.5, "min_lr": None, "min_lr_rate": None},
                until=11,
                naive="get_cosine_with_min_lr_schedule_with_warmup(optimizer, 0, 10, min_lr=0.1)",
                naive_from=1,
            ),
            "optax": Version(
                "cosine_decay_schedule(0.1, 10, alpha=0.1)", {"alpha": 0.0, "exponent": 1.0}
            ),
        },
        boundary="step 10 is the first with the lowest rate",
        past_end="Keras, optax, TensorFlow: stays. PyTorch, Transformers: climbs back up, with "
        "period 2 T_max",
        trap="`alpha` and `min_lr_rate` are *fractions* of the first rate, `eta_min` and `min_lr` "
        "*rates*. PyTorch's cosine climbs again if training outlasts T_max, also when T_max was "
        "meant in epochs.",
    ),
    Row(
        "cosine with restarts",
        cosine_restarts(0.1, 10),
        {
            "tf1": Version("cosine_decay_restarts(0.1, t, 10)", _RESTARTS),
            "keras3": Version("CosineDecayRestarts(0.1, 10)", _RESTARTS),
            "torch": Version(
                "CosineAnnealingWarmRestarts(optimizer, T_0=10, T_mult=2)",  # whole numbers only
                {"T_mult": 1, "eta_min": 0.0},
                naive="CosineAnnealingWarmRestarts(optimizer, T_0=10)",
                naive_from=11,
            ),
            "optax": Version(
                "sgdr_schedule([dict(init_value=0.1, peak_value=0.1, warmup_steps=0, decay_steps=n)"
                " for n in (10, 20)])",
                until=30,
            ),
        },
        boundary="step 10 is the first of the second cycle, at the peak: the lowest rate of a "
        "cycle is never quite 0",
        past_end="restarts for ever; optax: only the cycles that were listed",
        trap="Cycles grow by 2 in TensorFlow, by 1 in PyTorch unless told, never in Transformers. "
        "`m_mul` multiplies the peak (PyTorch has none). In float32 TensorFlow may restart a step "
        "early: `cosine_decay_restarts(0.1, t, 1000)` does at step 4,094,999.",
    ),
    Row(
        "linear cosine",
        linear_cosine(0.1, 10),
        {"tf1": Version("linear_cosine_decay(0.1, t, 10)", _LINEAR_COSINE)},
        boundary="step 10 is the first with the last rate",
        past_end="stays",
        trap="It starts at 1.001 and ends at 0.001 of the rate you give, because of `beta`.",
    ),
    Row(
        "noisy linear cosine",
        noisy_linear_cosine(0.1, 10),
        {
            "tf1": Version(
                "noisy_linear_cosine_decay(0.1, t, 10)",
                {"initial_variance": 1.0, "variance_decay": 0.55, **_LINEAR_COSINE},
                until=0,
            )
        },
        boundary="step 10 is the first with the last rate",
        past_end="stays (with a cosine that is not 0 there, the noise goes on)",
        trap="The rate can be negative: one run in six starts with a step *up*. TensorFlow draws "
        "new noise at each evaluation, so logging the rate shows another one than was used.",
    ),
    Row(
        "warm-up, then constant",
        with_warmup(constant(0.1), 5),
        {
            "torch": Version(
                "LambdaLR(optimizer, lambda t: min(t / 5, 1))",
                naive="LinearLR(optimizer, total_iters=5)",
                naive_from=0,
            ),
            "transformers": Version("get_constant_schedule_with_warmup(optimizer, 5)"),
            "optax": Version("linear_schedule(0.0, 0.1, 5)", {"transition_begin": 0}),
        },
        boundary="step 5 is the first with the full rate, step 0 has rate 0",
        past_end="never ends",
        trap="Rate 0 at step 0 is one lost update, here and in most libraries. PyTorch's "
        "`LinearLR` starts at a third unless told, and refuses 0.",
    ),
    Row(
        "warm-up, then cosine",
        with_warmup(cosine(0.1, 10), 5),
        {
            "keras3": Version(
                "CosineDecay(0.0, 10, warmup_target=0.1, warmup_steps=5)",
                {"alpha": 0.0, "warmup_target": None, "warmup_steps": 0},
                naive="CosineDecay(0.0, 15, warmup_target=0.1, warmup_steps=5)",
                naive_from=6,
            ),
            "torch": Version(
                "SequentialLR(optimizer, [LambdaLR(optimizer, lambda t: t / 5), "
                "CosineAnnealingLR(optimizer, T_max=10)], milestones=[5])",
                until=16,
                naive="SequentialLR(optimizer, [LinearLR(optimizer, total_iters=5), "
                "CosineAnnealingLR(optimizer, T_max=10)], milestones=[5])",
                naive_from=0,
            ),
            "transformers": Version(
                "get_cosine_schedule_with_warmup(optimizer, 5, 15)",
                {"num_cycles": 0.5},
                until=16,
                naive="get_cosine_schedule_with_warmup(optimizer, 5, 10)",
                naive_from=6,
            ),
            "optax": Version(
                "warmup_cosine_decay_schedule(0.0, 0.1, 5, 15)",
                {"end_value": 0.0, "exponent": 1.0},
                naive="warmup_cosine_decay_schedule(0.0, 0.1, 5, 10)",
                naive_from=6,
            ),
        },
        boundary="all: step 5 is the first of the cosine, at the peak",
        past_end="Keras, optax: stays. PyTorch, Transformers: climbs back up",
        trap="The length is *without* the warm-up in Keras and in PyTorch's `T_max`, *with* it in "
        "optax and Transformers: copying 10 or 15 from one to the other halves the cosine, or "
        "makes it half as long again.",
    ),
    Row(
        "warm-up, stable, decay",
        warmup_stable_decay(0.1, 5, 10, 5),
        {
            "torch": Version("LambdaLR(optimizer, lambda t: max(0, min(t / 5, 1, (20 - t) / 5)))"),
            "transformers": Version(
                'get_wsd_schedule(optimizer, 5, 5, num_stable_steps=10, decay_type="linear")',
                {
                    "num_training_steps": None,
                    "num_stable_steps": None,
                    "warmup_type": "linear",
                    "decay_type": "cosine",
                    "min_lr_ratio": 0,
                    "num_cycles": 0.5,
                },
                naive="get_wsd_schedule(optimizer, 5, 5, num_training_steps=20)",
                naive_from=16,
            ),
            "optax": Version(
                "join_schedules([linear_schedule(0, 0.1, 5), constant_schedule(0.1), "
                "linear_schedule(0.1, 0, 5)], [5, 15])"
            ),
        },
        boundary="step 5 is the first with the full rate, step 15 the last",
        past_end="stays at 0",
        trap="A rate of 0 at step 0 wastes one update; a `LambdaLR` without `max(0, ...)` goes "
        "negative past the end and climbs the loss. Transformers decays along a cosine unless "
        "told.",
    ),
    Row(
        "triangular (cyclic)",
        triangular(0.02, 0.1, 10),
        {
            "torch": Version(
                "CyclicLR(optimizer, 0.02, 0.1, step_size_up=10, cycle_momentum=False)",
                {"step_size_up": 2000, "mode": "triangular", "cycle_momentum": True},
                naive="CyclicLR(optimizer, 0.02, 0.1, cycle_momentum=False)",
                naive_from=1,
            )
        },
        boundary="step 10 is the peak",
        past_end="cycles for ever",
        trap="PyTorch also cycles the *momentum* unless told not to, so that plain SGD silently "
        "becomes SGD with momentum 0.8–0.9; `step_size_up` is half a cycle, 2,000 updates by "
        "default.",
    ),
    Row(
        "one cycle",
        one_cycle(0.1, 11, 4 / 11),
        {
            "torch": Version(
                "OneCycleLR(optimizer, 0.1, total_steps=11, pct_start=4 / 11, "
                "cycle_momentum=False)",
                {
                    "pct_start": 0.3,
                    "anneal_strategy": "cos",
                    "cycle_momentum": True,
                    "div_factor": 25.0,
                    "final_div_factor": 10000.0,
                    "three_phase": False,
                },
                until=11,
            ),
            "optax": Version(
                "cosine_onecycle_schedule(10, 0.1, pct_start=0.3)",
                {"pct_start": 0.3, "div_factor": 25.0, "final_div_factor": 10000.0},
                naive="cosine_onecycle_schedule(11, 0.1, pct_start=4 / 11)",
                naive_from=1,
            ),
        },
        boundary="PyTorch: peak at step pct_start · total − 1. optax: at step ⌊pct_start · total⌋",
        past_end="PyTorch: one step more, 12,000 times the last planned rate here, then an error. "
        "optax: stays",
        trap="The optimizer's `lr` is ignored, the momentum is cycled too, and 11 PyTorch steps "
        "are 10 optax transitions. The last rate is the peak / 250,000, in both.",
    ),
    Row(
        "one after another",
        join([0.1, exponential(0.1, 1, 0.9)], [10]),
        {
            "torch": Version(
                "SequentialLR(optimizer, [LambdaLR(optimizer, lambda t: 1.0), "
                "ExponentialLR(optimizer, gamma=0.9)], milestones=[10])"
            ),
            "optax": Version(
                "join_schedules([constant_schedule(0.1), exponential_decay(0.1, 1, 0.9)], [10])"
            ),
        },
        boundary="step 10 is the first of the second schedule, at *its* step 0",
        past_end="what the last schedule does",
        trap="The second schedule counts from its own 0. Two PyTorch schedulers that are both "
        "stepped *without* `SequentialLR` multiply each other's rates, if both compute the next "
        "rate from the last (`ExponentialLR`, `StepLR`); a `LambdaLR` overwrites the other.",
    ),
    Row(
        "reduce on plateau",
        None,
        {
            "keras3": Version(
                "ReduceLROnPlateau(monitor='loss', patience=2)",
                {"factor": 0.1, "patience": 10, "min_delta": 0.0001, "cooldown": 0, "min_lr": 0.0},
                until=2,
            ),
            "torch": Version(
                "ReduceLROnPlateau(optimizer, patience=2)",
                {
                    "mode": "min",
                    "factor": 0.1,
                    "patience": 10,
                    "threshold": 0.0001,
                    "threshold_mode": "rel",
                    "cooldown": 0,
                    "min_lr": 0,
                    "eps": 1e-08,
                },
            ),
            "transformers": Version("get_reduce_on_plateau_schedule(optimizer, patience=2)"),
            "optax": Version(
                "contrib.reduce_on_plateau(patience=2)",
                {
                    "factor": 0.1,
                    "patience": 10,
                    "rtol": 0.0001,
                    "atol": 0.0,
                    "cooldown": 0,
                    "accumulation_size": 1,
                    "min_scale": 0.0,
                },
                until=2,
            ),
        },
        boundary="PyTorch cuts after patience + 1 bad epochs, Keras and optax after patience",
        past_end="no end: stays at the lowest rate",
        trap="The same `patience` means one epoch more in PyTorch. Its threshold is a *fraction* "
        "of the best, Keras's `min_delta` an absolute difference. It has seen the validation set: "
        "report the test set.",
    ),
)
"""All rows; steps are updates, the first rate is 0.1, and the horizon 10 or so."""


def row(name: str) -> Row:
    """Return the row of that name.

    Example:
        >>> row("cosine").versions["torch"].code
        'CosineAnnealingLR(optimizer, T_max=10, eta_min=0.01)'
    """
    rows = {row.name: row for row in ROWS}
    return rows[validate.one_of("name", name, rows)]


# --------------------------------------------------------------------------------------------
# Rendering
# --------------------------------------------------------------------------------------------


def calls(names: Iterable[str] | None = None) -> TextTable:
    """Return the table of names: how each library writes the schedule.

    Args:
        names: which rows, all by default.

    Example:
        >>> print(calls(["exponential"]))
        | schedule | PyTorch | Transformers | Keras 3 | optax | TensorFlow 1 |
        ...
    """
    return TextTable(
        ["schedule", *LIBRARIES.values()],
        [[f"**{r.name}**", *(_code(r, library) for library in LIBRARIES)] for r in _rows(names)],
    )


def traps(names: Iterable[str] | None = None) -> TextTable:
    """Return the table of differences: boundary, past the end, and the trap.

    Args:
        names: which rows, all by default.

    Example:
        >>> print(traps(["linear cosine"]))
        | schedule | at the boundary | past the end | trap |
        ...
    """
    return TextTable(
        ["schedule", "at the boundary", "past the end", "trap"],
        [[f"**{r.name}**", r.boundary, r.past_end, r.trap] for r in _rows(names)],
    )


def defaults(names: Iterable[str] | None = None) -> TextTable:
    """Return the table of what each library assumes when you say nothing.

    Args:
        names: which rows, all by default.

    Example:
        >>> print(defaults(["cosine with restarts"]))
        | schedule | PyTorch | Transformers | Keras 3 | optax | TensorFlow 1 |
        ...
    """
    body = [[f"**{r.name}**", *(_defaults(r, key) for key in LIBRARIES)] for r in _rows(names)]
    return TextTable(["schedule", *LIBRARIES.values()], body)


def translations(names: Iterable[str] | None = None) -> TextTable:
    """Return the wrong translations: what copying the numbers gives, and where it goes wrong.

    Args:
        names: which rows, all by default.

    Example:
        >>> print(translations(["exponential"]))
        | schedule | library | copied | wrong from step | right |
        |---|---|---|---|---|
        | **exponential** | PyTorch | `ExponentialLR(optimizer, gamma=0.5)` | 1 | `...` |
    """
    body = [
        [
            f"**{r.name}**",
            LIBRARIES[key],
            f"`{version.naive}`",
            f"{version.naive_from}",
            f"`{version.code}`",
        ]
        for r in _rows(names)
        for key, version in r.versions.items()
        if version.naive
    ]
    return TextTable(["schedule", "library", "copied", "wrong from step", "right"], body)


def _rows(names: Iterable[str] | None) -> list[Row]:
    return list(ROWS) if names is None else [row(n) for n in validate.sequence("names", names)]


def _code(r: Row, library: str) -> str:
    if library not in r.versions:
        return "—"
    version = r.versions[library]
    if version.until is None:
        return f"`{version.code}`"
    unit = "epoch" if r.schedule is None else "step"
    same = f"the same up to {unit} {version.until - 1}" if version.until else "other noise"
    return f"`{version.code}` ({same})"


def _defaults(r: Row, library: str) -> str:
    if library not in r.versions:
        return "—"
    values = r.versions[library].defaults
    return ", ".join(f"`{key}={value!r}`" for key, value in values.items()) or "none"
