"""Questions of lesson 6, the seven-layer CNN on CIFAR-100."""

from __future__ import annotations

import math

import numpy as np

from course_utils.course.exercises import (
    Incorrect,
    Lesson,
    call,
    expect,
    grade_choice,
    grade_number,
    number,
    pair,
)

question = Lesson(6).question


def choose_and_report(lrs, validation, test):
    """Return the rate with the best mean validation accuracy, and its mean test accuracy."""
    best = np.argmax(np.mean(validation, axis=1))
    return lrs[best], np.mean(test[best])


# --- predictions ----------------------------------------------------------------------------------


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


border = question(
    "border",
    "Ten seeds train the full network at 6.25e-3. How many of them still live after 200 updates?",
    grade_number(
        4,
        mistakes={
            0: "at 1e-2 that was so, four of four died. Here some seeds learn.",
            10: "at 1e-3 that may be so. Here the first update already multiplies the loss.",
        },
        otherwise="the record says 4 of 10; 3 and 5 are as good a guess.",
        right="The record says four of ten. With so few seeds the true share may be anything "
        "from 17 to 69 %.",
        rtol=0,
        atol=1,
    ),
    hints=("At 1e-3 nobody died, at 1e-2 everybody.", "6.25e-3 lies between."),
    solution=4,
    explanation="Seeds 1, 3, 5 and 7 live.",
)


wider = question(
    "wider",
    "Four times the channels: by which factor grows the first update's change of conv6's output?",
    grade_number(
        4,
        mistakes={
            1: "the step of each weight is the same, but a sum of four times as many steps is not.",
            2: "a root belongs to terms that cancel, like random weights. Do these steps cancel?",
            16: "there are 16 times as many weights, but a channel sums over its own inputs.",
        },
        otherwise="a channel sums four times as many steps. Do they cancel, or do they add up?",
        right="About 4: the steps of a channel's weights agree in sign more often than not.",
        rtol=0,
        atol=1.2,
    ),
    hints=("How many terms has the sum of one channel?", "Random terms cancel, equal ones add up."),
    solution=4,
    explanation="The change grows like the number of inputs, the old value like its root; PyTorch "
    "divides the start by that root, so the old value stays about as large.",
)


rescue = question(
    "rescue",
    'At 2e-2: which one makes every seed learn, "warm-up", "clipping" or "normalization"?',
    grade_choice(
        "normalization",
        {
            "warm-up": "it helps half of the seeds, as the first steps are short. Then the rate "
            "reaches 2e-2, and one layer or another may still go out.",
            "clipping": "it shortens the longest gradients; Adam divides the length away again, "
            "at least in part.",
            "normalization": "It gives each channel its mean and its spread back at every update.",
        },
    ),
    hints=("A warm-up ends. What then?", "What would put a channel back that has drifted away?"),
    solution="normalization",
    explanation="The other two change how long the steps are; normalization changes the network.",
)


surer = question(
    "surer",
    "From epoch 7 to 15 the test loss about doubles. What does the test accuracy do: "
    'it "halves", "loses about a point", or "gains about a point"?',
    grade_choice(
        "loses about a point",
        {
            "halves": "the loss also counts how sure a wrong answer is; the accuracy does not.",
            "loses about a point": "Hardly more answers are wrong; the wrong ones must be surer.",
            "gains about a point": "it passed its best at epoch nine.",
        },
    ),
    hints=("What does a wrong answer cost that is given with 99 %? With 60 %?",),
    solution="loses about a point",
    explanation="It is not wrong much more often, so it must be surer where it is wrong.",
)


# --- exercises ------------------------------------------------------------------------------------


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


_LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "conv6", "conv7", "fc")


def _grade_behind_a_dead_layer(answer):
    expect(
        isinstance(answer, (set, frozenset, list, tuple, np.ndarray)),
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
        "a dead channel gets the gradient exactly 0, in its weights and in its bias.",
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


three_seeds = question(
    "three_seeds",
    "At a rate where half of all seeds die: how likely is it that three seeds all live?",
    grade_number(
        0.125,
        mistakes={
            0.5: "that is the chance of one seed. Three must live.",
            1.5: "that is how many live on average; asked is a probability.",
            0.875: "that is the chance that at least one dies.",
            0.25: "that is the chance of two seeds.",
            12.5: "that is in percent: write 0.125.",
        },
        otherwise="three independent seeds, each lives with probability 1/2.",
        right="One time in eight: then three seeds call a rate safe at which half of them die.",
        near=0.01,
    ),
    hints=("The seeds are independent.", "1/2 for each of them."),
    solution=0.125,
    explanation="(1/2)³ = 1/8.",
)


def diagnose_training(loss, classes, dead):
    """Say what state a training is in: mean of its last losses, classes, dead share by layer."""
    if not math.isfinite(loss):
        return "diverged"
    if max(dead) == 1:
        return "dead"
    return "learning" if loss < math.log(classes) - 0.05 else "not begun"


_PATIENTS = (
    (3.1, 100, [0.0, 0.5, 0.9], "learning", "3.1 is far below ln 100, and every layer has a unit"),
    (4.606, 100, [0.0, 0.9, 1.0], "dead", "a layer has no living unit"),
    (
        4.606,
        100,
        [1.0, 0.9, 0.2],
        "dead",
        "a layer has no living unit, and it need not be the last",
    ),
    (4.604, 100, [0.0, 0.1, 0.5], "not begun", "it guesses, and every layer has living units"),
    (2.303, 10, [0.0, 0.1, 0.5], "not begun", "with 10 classes guessing costs ln 10"),
    (4.606, 100, [0.0, 0.99, 0.99], "not begun", "99 % are many, but one living unit is enough"),
    (math.nan, 100, [0.0, 0.0, 0.0], "diverged", "the loss is not a number"),
    (math.inf, 10, [1.0, 1.0, 1.0], "diverged", "the loss is infinite"),
    (4.55, 100, [0.0, 0.2, 0.3], "learning", "ln 100 − 0.05 is 4.555, and it is below"),
    (4.56, 100, [0.0, 0.2, 0.3], "not begun", "ln 100 − 0.05 is 4.555, and it is above"),
    (2.24, 10, [0.0, 0.2, 0.3], "learning", "ln 10 − 0.05 is 2.253, and it is below"),
)


def _grade_diagnose(answer):
    for loss, classes, dead, right, why in _PATIENTS:
        found = call(answer, loss, classes, dead)
        if found != right:
            raise Incorrect(
                f"loss {loss:g}, {classes} classes, dead {dead}: it returns {found!r}; this one "
                f'is "{right}", because {why}.'
            )
    return "The loss raises the question, the dead units answer it."


diagnose = question(
    "diagnose",
    "Write diagnose(loss, classes, dead): diverged, dead, learning or not begun.",
    _grade_diagnose,
    hints=(
        "Ask math.isfinite(loss) first, then max(dead).",
        "Guessing costs math.log(classes).",
    ),
    solution=diagnose_training,
    explanation="A layer without a living unit decides; only then does the loss.",
)


_LRS = np.array([1e-4, 1e-3, 3e-3, 1e-2])
_VALIDATION = np.array(
    [[0.20, 0.22, 0.21], [0.30, 0.28, 0.32], [0.25, 0.27, 0.26], [0.45, 0.01, 0.25]]
)
_TEST = np.array([[0.21, 0.21, 0.20], [0.29, 0.27, 0.28], [0.33, 0.30, 0.32], [0.30, 0.01, 0.29]])


def _grade_choose_rate(answer):
    lr, test = pair(
        call(answer, _LRS.copy(), _VALIDATION.copy(), _TEST.copy()), "return two numbers."
    )
    lr, test = number(lr), number(test)
    expect(lr != _LRS[2], "3e-3 is best on the test images; choose on the held-out ones.")
    expect(
        lr != _LRS[3],
        "one seed of 1e-2 is the best of all, one is dead: take the mean over the seeds.",
    )
    expect(lr == _LRS[1], f"it chooses {lr:g}; the best mean on the held-out images has 1e-3.")
    expect(
        not math.isclose(test, _VALIDATION[1].mean()),
        "it reports the accuracy by which the rate was chosen: that one is too good, on average.",
    )
    expect(
        not math.isclose(test, _TEST[1].max()),
        "it reports the best seed; report the mean of all.",
    )
    expect(math.isclose(test, _TEST[1].mean()), f"the test accuracy of 1e-3 is not {test:g}.")
    shifted = call(answer, _LRS[::-1].copy(), _VALIDATION[::-1].copy(), _TEST[::-1].copy())
    expect(
        number(pair(shifted, "return two numbers.")[0]) == _LRS[1],
        "it depends on the order of the rates.",
    )
    return "Chosen on held-out images, reported once on the test images: 0.28."


choose_rate = question(
    "choose_rate",
    "Write choose_rate(lrs, validation, test): the chosen rate, and what to report for it.",
    _grade_choose_rate,
    hints=("Rows are rates, columns are seeds.", "np.mean(validation, axis=1)."),
    solution=choose_and_report,
    explanation="The test images are asked once, when the choice is made.",
)
