"""Questions of lesson 9, transferring a learning rate."""

from __future__ import annotations

from collections.abc import Mapping

from course_utils.course.exercises import (
    Lesson,
    NotAttempted,
    choice,
    expect,
    expect_none_of,
    expect_number,
    grade_choice,
    grade_number,
    number,
    pair,
)
from course_utils.lessons.lesson09.function_exercises import (
    adapter_forward,
    grade_adapter,
    grade_mup_rates,
    mup_rates,
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
    "From batch 1 to 16, as many examples: by what do the best rates of SGD and Adam change?",
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
    "400 updates at every batch size: does SGD's best rate grow by 16 from batch 1 to 16?",
    grade_choice(
        "less",
        {
            "16": "that needed a sixteenth of the updates: each had to go sixteen times as far.",
            "less": "About six times, on the digits five. No power that one could know before.",
            "not at all": "larger batches have less noise, and that alone allows more.",
        },
    ),
    hints=(
        "The distance to go is the same, and so is the number of updates.",
        "Only the noise speaks for a larger rate now.",
    ),
    solution="less",
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
        "and the input layer has no more inputs than before.",
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
    explanation="Measured: × 0.43, between 1 and 1/4.",
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
    return "New pictures: the first layer, which does as well as all. New names: the last."


which_layer = question(
    "which_layer",
    "If only one layer may learn: which, for turned pictures and for renamed labels?",
    _grade_which_layer,
    hints=(
        "Which part of the network is still right after the change?",
        "What has changed stands beside the input, or beside the output.",
    ),
    solution=("first", "last"),
    explanation="Of the two, the layer beside what has changed.",
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


larger_alpha = question(
    "larger_alpha",
    "An adapter was tuned; α becomes four times as large. What becomes of the best rates?",
    _grade_alpha,
    hints=(
        "With s = α/r: a step η on A and B is a step sη on √s A and √s B for SGD.",
        "Adam's step does not grow with the gradient: only √s η.",
    ),
    solution=(0.25, 0.5),
    explanation="Best rate ∝ 1/α for SGD and ∝ 1/√α for Adam.",
)


# ------------------------------------------------------------- 9.4 tune small, train large

# From width 64 and batch 8 to width 512 and batch 64, as many examples.
_FACTORS = {
    "SGD": (8, "the batch asks for × 8, the width for nothing"),
    "Adam, standard": (8**-0.09, "the batch asks for √8, the width for 8 to the power −0.59 or so"),
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
        "8 times the width: nothing for SGD and under µP; Adam's standard slope was −0.59.",
    ),
    solution={"SGD": 8, "Adam, standard": 1, "Adam, µP": 2.83},
    explanation="× 8, √8 · 8^(−0.59) = 0.8, and √8.",
)


# ----------------------------------------------------------------------------- 9.5 exercises


write_mup_rates = question(
    "write_mup_rates",
    "Write Adam's µP rates for the weights of each layer.",
    grade_mup_rates,
    hints=("m = width / base.", "Which layers have `width` inputs?"),
    solution=mup_rates,
    explanation="A layer with m times as many inputs gets its rate divided by m.",
)


write_adapter = question(
    "write_adapter",
    "Write the forward pass of a layer with a low-rank adapter.",
    grade_adapter,
    hints=("The rank is the inner size of A @ B.", "x @ W, plus α/r times (x @ A) @ B."),
    solution=adapter_forward,
    explanation="(x A) B costs far less than x (A B).",
)

larger_batch = question(
    "larger_batch",
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


def _grade_rule_and_record(answer):
    rule, record = map(number, pair(answer, "give a pair: (by the rule, by the record)."))
    expect_none_of(rule, {4: "by the rule × 4: that is Adam's."}, reply="{why}")
    expect_number(rule, 16, "SGD's rule: rate ∝ batch.")
    expect(record != 16, "by the record × 16: that is the rule again. Ask `best_rate`.")
    expect(record > 1, "by the record: divide the best rate of batch 64 by that of batch 4.")
    expect(4 <= record <= 8.2, f"by the record × {record:.3g}: call `best_rate` on both tables.")
    return (
        "The rule's rate, 2.2, lies beyond the edge: the record's 1.6 has lost half of what was "
        "right, its 3.2 guesses. A rule is where to look first; try three rates around it."
    )


rule_and_record = question(
    "rule_and_record",
    "Digits, SGD, batch 4 to 64, as many examples: by what does the best rate grow, by the rule "
    "and by the record?",
    _grade_rule_and_record,
    hints=(
        "As many examples: which combination of η and B counts for SGD?",
        "best_rate(table) gives the best rate of one table.",
    ),
    solution=(16, 4.4),
    explanation="By loss × 4.4, by accuracy × 8: on the digits SGD bends early.",
)
