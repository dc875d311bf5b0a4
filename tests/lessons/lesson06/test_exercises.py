"""Every checker of lesson 6 accepts its solution, knows its stub, and explains typical mistakes."""

import math

import numpy as np
import pytest
import torch
from exercise_table import check_lesson

from course_utils.course.exercises import CORRECT, NOT_YET
from course_utils.experiments.models import SevenLayerCNN
from course_utils.lessons.lesson06 import exercises as ex


def doctor(tolerance=0.01, below=math.inf, limit=0.95):
    """Return a diagnosis with other limits than those asked for."""

    def diagnose(losses, classes):
        last, guess = losses[-1], math.log(classes)
        if not math.isfinite(last):
            return "diverged"
        if -below <= last - guess and abs(last - guess) <= tolerance * guess:
            return "guessing"
        return "learning" if last < limit * guess else "unclear"

    return diagnose


WRONG = {
    "guessing": {100: "number of classes", 0.01: "probability", 2.303: "ten classes",
                 2: "base 10", 6.644: "base 2", -4.605: "positive", 1: "sum", 0: "certain",
                 3: "minus the logarithm"},
    "typo": {"smaller": "exponent", "equal": "decimal point", "bigger": "one of", 3: "one of"},
    "which_learn": {
        frozenset({1e-1, 6.25e-3, 1e-3, 3e-4}): "all four",
        (1e-1, 1e-3): "1e-1",
        (6.25e-3, 1e-3, 3e-4): "digits",
        (3e-4,): "default",
        (1e-3,): "slow",
        (0.5, 1e-3): "not among",
        frozenset({1e-1}): "twelve times",
        frozenset({6.25e-3}): "too low",
        frozenset(): "empty",
        ("1e-3",): "a number",
        1e-3: "a set",
    },
    "deeper": {"larger": "errors on", "same": "amplifies", "none": "one of"},
    "narrower": {4: "under a root", 0.5: "larger weights", 1: "9 · 128", 16: "number of weights",
                 3: "what it was"},
    "last_linear": {1024: "32 x 32", 2048: "both sides", 256: "channels", 16: "16 pixels",
                    16384: "stride", 5: "follow"},
    "parameters": {
        (lambda i, o: 9 * i * o): "a bias",
        (lambda i, o: i * o + o): "3 · 3",
        (lambda i, o: 9 * i * o + i): "output",
        (lambda i, o: 9 * (i * o + o)): "one number",
        (lambda i, o: 7): "from 3 to 16",
    },
    "tenth_of_a_weight": {1.473e-3: "bound", 2.551e-3: "512 channels", 8.505e-3: "a whole",
                          0.1: "is the ratio", 11.76: "divides", 3: "solve"},
    "behind_a_dead_layer": {
        frozenset(): "last layer",
        ("conv7",): "needs no input",
        ("fc",): "its biases?",
        ("conv7", "fc", "conv1"): "on the way back",
        ("conv6", "conv7", "fc"): "stays dead",
        ("conv8",): "is no layer",
        (3, "fc"): "is no layer",
        "fc": "a set of names",
    },
    "diagnose": {
        (lambda losses, classes: "guessing"): "fallen far below",
        (lambda losses, classes: "diverged" if math.isnan(losses[-1]) else "learning"): "within 1",
        (
            lambda losses, classes: (
                "guessing" if abs(losses[-1] - math.log(100)) < 0.05 else "learning"
            )
        ): "ln 10",
        (
            lambda losses, classes: "guessing"
            if abs(losses[-1] / math.log(classes) - 1) < 0.01
            else "learning"
        ): "not a number",
        (lambda losses, classes: ex.diagnose_training(losses, 10)): "fallen",
        (lambda losses, classes: ex.diagnose_training(losses[:1], classes)): "returns 'guessing'",
        (lambda losses, classes: ex.diagnose_training([min(losses)], classes)): "not a number",
        doctor(tolerance=0.01 / math.log(100)): "0.035 above",
        doctor(below=0.01): "0.035 below",
        doctor(tolerance=0.03): "returns 'guessing'; this one is \"unclear\"",
        doctor(limit=0.8): "95 % of ln 100",
        doctor(limit=1.0): "a little below guessing",
        3: "function",
    },
    "choose": {True: "Two seeds", 0.005: "standard error", 0: "mean difference",
               0.0033: "a number", "b": "True or False"},
}  # fmt: skip

# Nearly right, and wrong still: on each side of each threshold.
NEAR = {
    "guessing": (4.617, 4.593),
    "which_learn": ((1.001e-3, 3e-4), (1e-3, 3.001e-4)),
    "narrower": (2.001, 1.999),
    "last_linear": (4097, 4095),
    "parameters": (lambda i, o: ex.parameters_of(i, o) + (i == 512),),
    "tenth_of_a_weight": (8.7e-4, 8.3e-4),
}


@pytest.mark.parametrize("name", [*WRONG, None])
def test_question(name):
    check_lesson(ex, name, WRONG if name is None else WRONG[name], NEAR.get(name, ()))


def test_parameters_are_those_of_the_network():
    convolutions = [m for m in SevenLayerCNN(seed=0) if isinstance(m, torch.nn.Conv2d)]
    counted = [ex.parameters_of(m.in_channels, m.out_channels) for m in convolutions]
    assert counted == [sum(p.numel() for p in m.parameters()) for m in convolutions]
    assert f"{sum(counted):,d}" in ex.parameters.check(ex.parameters_of).message


def test_the_linear_layer_has_the_inputs_that_larger_images_bring():
    features = SevenLayerCNN(seed=0)[:-1]
    assert features(torch.zeros(1, 3, 64, 64)).shape[1] == ex.last_linear.solution_value


def test_the_first_step_of_adam_has_the_size_that_is_asked_for():
    model = SevenLayerCNN(seed=0)
    before = model.conv6.weight.detach().clone()
    optimizer = torch.optim.Adam(model.parameters(), lr=ex.tenth_of_a_weight.solution_value)
    torch.nn.functional.cross_entropy(
        model(torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))),
        torch.arange(8),
    ).backward()
    optimizer.step()
    moved = (model.conv6.weight.detach() - before).abs().median()
    assert float(moved / before.std()) == pytest.approx(0.1, rel=0.01)


def test_a_dead_layer_leaves_a_gradient_only_to_what_lies_behind_it():
    model = SevenLayerCNN(seed=0)
    torch.nn.init.constant_(model.conv6.bias, -1e6)
    images = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.nn.functional.cross_entropy(model(images), torch.arange(8)).backward()
    alive = {name for name, p in model.named_parameters() if p.grad.any()}
    assert {name.partition(".")[0] for name in alive} == ex.behind_a_dead_layer.solution_value
    assert "conv7.weight" not in alive


@pytest.mark.parametrize("answer", [[3e-4, 1e-3], (1e-3, 3 * 1e-4), {1e-3, 3e-4}])
def test_rates_may_come_in_any_container(answer):
    assert ex.which_learn.check(answer).status == CORRECT


@pytest.mark.parametrize("answer", [8.5e-4, 0.00085, 8.6e-4])
def test_two_digits_of_the_rate_are_enough(answer):
    assert ex.tenth_of_a_weight.check(answer).status == CORRECT


def test_diagnosis_of_the_solution_is_what_is_asked_for():
    assert ex.diagnose.check(doctor()).status == CORRECT


@pytest.mark.parametrize("answer", [1, 0.0, np.True_, np.float64(0), [False]])
def test_only_true_and_false_answer_a_question_of_yes_or_no(answer):
    assert ex.choose.check(answer).status == NOT_YET


def test_numpy_knows_false_as_well():
    assert ex.choose.check(np.float64(0) > 1).status == CORRECT


def test_the_difference_is_none():
    a, b = torch.tensor([0.410, 0.400, 0.420]), torch.tensor([0.415, 0.405, 0.410])
    error = (b - a).std() / math.sqrt(3)
    assert bool(abs((b - a).mean()) > 2 * error) is ex.choose.solution_value
