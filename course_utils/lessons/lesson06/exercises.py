"""Questions of lesson 6, the seven-layer CNN on CIFAR-100."""

from __future__ import annotations

import math

import numpy as np

from course_utils.course.exercises import (
    Incorrect,
    Lesson,
    call,
    expect,
    expect_none_of,
    grade_choice,
    grade_number,
    number,
)

question = Lesson(6).question
# ------------------------------------------------------------------------------- predictions

guessing = question(
    "guessing",
    "What is the cross-entropy loss of a network that gives 100 classes equal probabilities?",
    grade_number(
        math.log(100),
        mistakes={
            100: "100 is the number of classes; the loss is a logarithm.",
            1: "1 is the sum of all probabilities; the right class has only one of 100 parts.",
            0: "0 is the loss of a network that is certain, and right.",
            0.01: "0.01 is the probability of the right class; the loss is minus its logarithm.",
            math.log(10): "ln 10 belongs to ten classes.",
            2: "2 is the logarithm to base 10. Cross-entropy uses the natural one.",
            math.log2(100): "that is the logarithm to base 2. Cross-entropy uses the natural one.",
            -math.log(100): "a loss is minus the logarithm of a probability, so it is positive.",
        },
        otherwise="the loss is minus the logarithm of the probability of the right class.",
        right="−ln(1/100) = ln 100 = 4.605. A network that stays there has learned nothing.",
        near=0.02,
        rtol=2e-3,
    ),
    hints=("The right class gets the probability 1/100.", "Cross-entropy: −ln(probability)."),
    solution=math.log(100),
    explanation="−ln(1/C) = ln C.",
)


typo = question(
    "typo",
    'Is 625e-5 "smaller" than 1e-3, "equal" to it, or "larger"?',
    grade_choice(
        "larger",
        {
            "smaller": "write both without an exponent: 0.00625 and 0.001.",
            "equal": "move the decimal point five places to the left in 625.",
            "larger": "625e-5 = 0.00625, six times 1e-3. It cannot be the rate that is too low.",
        },
    ),
    hints=("625e-5 is 625 divided by 100,000.", "How many zeros follow the decimal point?"),
    solution="larger",
    explanation="625e-5 = 6.25e-3.",
)


_RATES = (1e-1, 6.25e-3, 1e-3, 3e-4)


def _grade_which_learn(answer):
    expect(
        isinstance(answer, (set, frozenset, list, tuple)),
        "answer with a set of rates, such as {1e-1, 3e-4}.",
    )
    chosen = set()
    for value in map(number, answer):
        rate = min(_RATES, key=lambda rate: abs(rate - value))
        expect(math.isclose(rate, value), f"{value:g} is not among 1e-1, 6.25e-3, 1e-3 and 3e-4.")
        chosen.add(rate)
    expect(chosen, "the set is empty, but at least one of the rates learns.")
    expect(len(chosen) != 4, "if all four learned, the article would have nothing to warn of.")
    expect(
        1e-1 not in chosen,
        "1e-1 moves every weight by 0.1 at once, in conv6 twelve times a typical weight.",
    )
    expect(
        6.25e-3 not in chosen,
        "the article calls 6.25e-3 too low, but it is above 1e-3. It is good for the digits "
        "and one hidden layer; this network is seven deep.",
    )
    expect(1e-3 in chosen, "1e-3 is Adam's default, and small enough here.")
    expect(3e-4 in chosen, "a rate below one that learns may be slow, but it learns.")
    return "1e-3 and 3e-4 learn. Look at the other two: what does their loss remind you of?"


which_learn = question(
    "which_learn",
    "Which of the rates 1e-1, 6.25e-3, 1e-3 and 3e-4 learn?",
    _grade_which_learn,
    hints=("Two of them.", "In what order do they stand, from the smallest to the largest?"),
    solution={1e-3, 3e-4},
    explanation="The two largest kill the network in their first updates.",
)


deeper = question(
    "deeper",
    'Is the largest rate that a deeper network bears "larger", the "same" or "smaller"?',
    grade_choice(
        "smaller",
        {
            "larger": "more layers have more parameters, but each one passes its errors on.",
            "same": "the width is the same; but what one layer does wrong the next amplifies.",
            "smaller": "Each layer amplifies the change of the one before.",
        },
    ),
    hints=("The change of one layer is the input of the next.", "Six dominoes, or one?"),
    solution="smaller",
    explanation="On the digits one hidden layer bears 0.1; six bear 0.00625, but not 0.05.",
)


narrower = question(
    "narrower",
    "A quarter of the channels: by which factor grows the rate at which η√(3n) is the same?",
    grade_number(
        2,
        mistakes={
            4: "n is four times smaller, but it stands under a root.",
            0.5: "a narrower layer has larger weights; it bears a larger rate, not a smaller one.",
            1: "conv6 has 9 · 128 inputs instead of 9 · 512. The ratio of 6.4 depends on them.",
            16: "the number of weights falls by 16; what counts is the inputs of one channel.",
        },
        otherwise="conv6 has n/4 inputs; ask for which rate η√(3n/4) is what it was.",
        right="√(3n) is halved, so the rate may double.",
        near=0.01,
    ),
    hints=("How many inputs has conv6 now?", "9 · 512 became 9 · 128."),
    solution=2,
    explanation="η√(3n/4) = η√(3n)/2: twice the rate moves the weights by the same fraction.",
)

# --------------------------------------------------------------------------------- exercises

last_linear = question(
    "last_linear",
    "How many inputs has the last linear layer if the images are 64 x 64?",
    grade_number(
        4096,
        mistakes={
            1024: "1024 belongs to images of 32 x 32.",
            2048: "both sides of the image double, not one.",
            256: "256 is the number of channels; each has several pixels left.",
            16: "16 pixels are left; each has 256 channels.",
            16384: "divide once more: the stride of conv1 halves the side as well.",
        },
        otherwise="follow the side: stride 2, then three poolings; then times 256 channels.",
        right="64 → 32 → 16 → 8 → 4 pixels a side, and 4 · 4 · 256 = 4096.",
        near=1e-3,
        rtol=1e-6,
    ),
    hints=("conv1 has stride 2, and three poolings follow.", "At the end there are 256 channels."),
    solution=4096,
    explanation="The side is halved four times: 64 / 16 = 4, and 4 · 4 · 256 = 4096.",
)


def parameters_of(channels_in, channels_out):
    """Count the weights and biases of a 3 x 3 convolution."""
    return 9 * channels_in * channels_out + channels_out


def _grade_parameters(answer):
    for n_in, n_out in ((3, 16), (16, 64), (512, 256)):
        found, right = number(call(answer, n_in, n_out)), parameters_of(n_in, n_out)
        case = f"from {n_in} to {n_out} channels"
        expect(found != 9 * n_in * n_out, "the weights are right; every output channel has a bias.")
        expect(found != n_in * n_out + n_out, "each pair of channels has 3 · 3 weights, not one.")
        expect(found != 9 * n_in * n_out + n_in, "the biases belong to the *output* channels.")
        expect(
            found != 9 * (n_in * n_out + n_out), "a bias is one number, not one per 3 x 3 pixel."
        )
        expect(found == right, f"{case} it returns {found:g}.")
    return "That is how the seven convolutions come to 5,098,624."


parameters = question(
    "parameters",
    "Count the parameters of a 3 x 3 convolution with biases.",
    _grade_parameters,
    hints=(
        "Every output channel looks at 3 x 3 pixels of every input channel.",
        "One bias for each output channel.",
    ),
    solution=parameters_of,
    explanation="9 · in · out weights and out biases.",
)


tenth_of_a_weight = question(
    "tenth_of_a_weight",
    "At which rate does Adam's first update move conv6's weights by 0.1 standard deviations?",
    grade_number(
        0.1 / math.sqrt(3 * 4608),
        mistakes={
            0.1 / math.sqrt(4608): "1/√n is the bound of the weights; their standard deviation is "
            "1/√(3n).",
            0.1 / math.sqrt(3 * 512): "n counts the inputs of a channel: 512 channels of "
            "3 x 3 pixels.",
            1 / math.sqrt(3 * 4608): "that moves them by a whole standard deviation.",
            0.1: "0.1 is the ratio. Which rate belongs to it?",
            0.1 * math.sqrt(3 * 4608): "√(3n) divides: ratio = η √(3n), and you look for η.",
        },
        otherwise="solve η √(3n) = 0.1 with n = 4608.",
        right="0.1/√13824 = 8.5e-4, a little below Adam's default of 1e-3.",
        near=0.02,
        rtol=0.02,
    ),
    hints=("The first step is η for every weight.", "The standard deviation is 1/√(3n), n = 4608."),
    solution=0.1 / math.sqrt(3 * 4608),
    explanation="η √(3n) = 0.1 gives η = 0.1/117.6 = 8.5e-4. With 64 inputs it is 7.2e-3.",
)


_LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "conv6", "conv7", "fc")


def _grade_behind_a_dead_layer(answer):
    expect(
        isinstance(answer, (set, frozenset, list, tuple)),
        'answer with a set of names, such as {"conv1", "fc"}.',
    )
    for name in answer:
        expect(name in _LAYERS, f"{name!r} is no layer. They are called conv1 to conv7, and fc.")
    chosen = set(answer)
    expect(
        not chosen & set(_LAYERS[:5]),
        "what conv6 puts out is 0 whatever comes in, so no gradient passes it on the way back.",
    )
    expect(
        "conv6" not in chosen,
        "a dead unit has the gradient exactly 0, in its weights and in its bias. So it stays dead.",
    )
    expect("fc" in chosen, "the last layer still has its biases, and a bias needs no input.")
    expect(
        "conv7" in chosen,
        "the inputs of conv7 are all 0, so its weights get no gradient. And its biases?",
    )
    return (
        "Only what lies behind it. The network can still learn a constant: one and the same guess."
    )


behind_a_dead_layer = question(
    "behind_a_dead_layer",
    "All units of conv6 are dead. Which layers still have a parameter with a gradient?",
    _grade_behind_a_dead_layer,
    hints=("Weights whose input is 0 get no gradient.", "A bias needs no input."),
    solution={"conv7", "fc"},
    explanation="conv7 sees zeros; its biases decide what it puts out, the same for each image.",
)


def diagnose_training(losses, classes):
    """Say what state a training is in, from its losses and the number of classes."""
    last, guess = losses[-1], math.log(classes)
    if not math.isfinite(last):
        return "diverged"
    if abs(last - guess) <= 0.01 * guess:
        return "guessing"
    return "learning" if last < 0.95 * guess else "unclear"


_PATIENTS = (
    ([4.6, 3.9, 3.1], 100, "learning", "it has fallen far below ln 100"),
    ([4.8, 4.61, 4.606], 100, "guessing", "it ends within 1 % of ln 100"),
    ([6e9, 70.0, 4.64], 100, "guessing", "1 % of ln 100 is 0.046, and it ends 0.035 above"),
    ([4.6, 4.57], 100, "guessing", "1 % of ln 100 is 0.046, and it ends 0.035 below"),
    ([2.4, 2.31, 2.303], 10, "guessing", "with 10 classes guessing costs ln 10"),
    ([4.6, 3.5, math.nan], 100, "diverged", "the last loss is not a number"),
    ([2.3, math.inf], 10, "diverged", "the last loss is infinite"),
    ([6e9, 4.7, 2.0], 100, "learning", "only the end counts, and it has recovered"),
    ([4.6, 4.36], 100, "learning", "95 % of ln 100 is 4.375, and it ends below"),
    ([4.6, 4.5], 100, "unclear", "it is a little below guessing, not yet below 95 % of it"),
    ([2.0, 7.5], 10, "unclear", "it is finite, and far above guessing"),
)


def _grade_diagnose(answer):
    for losses, classes, right, why in _PATIENTS:
        found = call(answer, losses, classes)
        if found != right:
            shown = ", ".join(f"{loss:g}" for loss in losses)
            raise Incorrect(
                f"losses {shown} with {classes} classes: it returns {found!r}; this one is "
                f'"{right}", because {why}.'
            )
    return "It finds the dead network after one epoch, which the article's figure did not."


diagnose = question(
    "diagnose",
    "Write diagnose(losses, classes): diverged, guessing, learning or unclear.",
    _grade_diagnose,
    hints=(
        "Look at losses[-1] and at math.log(classes).",
        "First ask math.isfinite, then whether it is near ln C, then whether it is below.",
    ),
    solution=diagnose_training,
    explanation="Guessing costs ln C, whatever the network.",
)


def _grade_choose(answer):
    if not isinstance(answer, (bool, np.bool_)):
        expect(not isinstance(answer, str), "answer with True or False.")
        mistakes = {
            0: "that is the mean difference. Is it beyond two standard errors, True or False?",
            0.005: "that is the standard error. Is the mean difference beyond two of them, True "
            "or False?",
        }
        value = number(answer)
        expect_none_of(value, mistakes, near=0.01)
        raise Incorrect(f"{value:g} is a number; answer with True or False.")
    expect(
        not answer,
        "the differences are +.005, +.005 and −.010: their mean is 0.000. Two seeds of three "
        "are no evidence.",
    )
    return "The mean difference is 0 and its standard error 0.005: no difference detected."


choose = question(
    "choose",
    "Three paired seeds: is the difference of the means beyond two standard errors?",
    _grade_choose,
    hints=("Subtract seed by seed.", "Mean of the differences, and their spread over √3."),
    solution=False,
    explanation="Differences +.005, +.005, −.010: mean 0, standard error 0.005.",
)
