"""Every checker of lesson 6 accepts its solution, knows its stub, and explains typical mistakes."""

import math

import numpy as np
import pytest
import torch
from exercise_table import check_lesson

from course_utils.course.exercises import CORRECT
from course_utils.experiments.models import SevenLayerCNN
from course_utils.lessons.lesson06 import exercises as ex


def doctor(margin=0.05, whole=1.0, guess=math.log):
    """Return a diagnosis with other limits than those asked for."""

    def diagnose(loss, classes, dead):
        if not math.isfinite(loss):
            return "diverged"
        if max(dead) >= whole:
            return "dead"
        return "learning" if loss < guess(classes) - margin else "not begun"

    return diagnose


def chooser(by="validation", report="test", of=np.mean, pick=np.mean):
    """Return a choice made by other numbers than the held-out ones, or reported by others."""

    def choose(lrs, validation, test):
        tables = {"validation": validation, "test": test}
        best = np.argmax(pick(tables[by], axis=1))
        return lrs[best], of(tables[report][best])

    return choose


WRONG = {
    "guessing": {100: "number of classes", 0.01: "probability", 2.303: "ten classes",
                 2: "base 10", 6.644: "base 2", -4.605: "positive", 1: "sum", 0: "certain",
                 3: "minus the logarithm"},
    "border": {0: "at 1e-2", 10: "at 1e-3", 8: "4 of 10"},
    "wider": {1: "is not", 2: "cancel, like random", 16: "16 times as many", 8: "add up"},
    "rescue": {"warm-up": "reaches 2e-2", "clipping": "divides", "dropout": "one of"},
    "surer": {"halves": "how sure", "gains about a point": "passed its best", "falls": "one of"},
    "last_linear": {1024: "32 x 32", 2048: "both sides", 256: "channels", 16: "16 pixels",
                    16384: "stride", 5: "follow"},
    "behind_a_dead_layer": {
        frozenset(): "last layer",
        ("conv7",): "needs no input",
        ("fc",): "its biases?",
        ("conv7", "fc", "conv1"): "on the way back",
        ("conv6", "conv7", "fc"): "exactly 0",
        ("conv8",): "is no layer",
        (3, "fc"): "is no layer",
        "fc": "a set of names",
    },
    "three_seeds": {0.5: "one seed", 1.5: "on average", 0.875: "at least one", 0.25: "two seeds",
                    12.5: "percent", 0.3: "independent"},
    "diagnose": {
        (lambda loss, classes, dead: "dead"): "far below",
        (lambda loss, classes, dead: "dead" if loss > 4.5 else "learning"): "not begun",
        (lambda loss, classes, dead: doctor()(loss, classes, dead[-1:])): "need not be the last",
        (lambda loss, classes, dead: doctor()(loss, 100, dead)): "ln 10",
        (lambda loss, classes, dead: doctor()(loss if loss == loss else 3, classes, dead)):
            "not a number",
        (lambda loss, classes, dead: "dead" if max(dead) == 1 else doctor()(loss, classes, dead)):
            "infinite",
        doctor(whole=0.99): "99 % are many",
        doctor(margin=0.06): "ln 100 − 0.05 is 4.555, and it is below",
        doctor(margin=0.04): "ln 100 − 0.05 is 4.555, and it is above",
        doctor(guess=lambda classes: math.log(100)): "ln 10",
        3: "function",
    },
    "choose_rate": {
        chooser(by="test"): "on the test images",
        chooser(pick=np.max): "mean over the seeds",
        chooser(report="validation"): "by which the rate was chosen",
        chooser(of=np.max): "the best seed",
        chooser(pick=np.min, of=np.min): "is not 0.27",
        (lambda lrs, validation, test: (lrs[0], 0.2)): "it chooses 0.0001",
        (lambda lrs, validation, test: (lrs[1], test[1].mean())): "order of the rates",
        (lambda lrs, validation, test: lrs[1]): "two numbers",
    },
}  # fmt: skip

# Nearly right, and wrong still: on each side of each threshold.
NEAR = {
    "guessing": (4.617, 4.593),
    "border": (2.9, 5.1),
    "wider": (2.7, 5.3),
    "last_linear": (4097, 4095),
    "three_seeds": (0.1249, 0.1251),
}


@pytest.mark.parametrize("name", [*WRONG, None])
def test_question(name):
    check_lesson(ex, name, WRONG if name is None else WRONG[name], NEAR.get(name, ()))


def test_the_linear_layer_has_the_inputs_that_larger_images_bring():
    features = SevenLayerCNN(seed=0)[:-1]
    assert features(torch.zeros(1, 3, 64, 64)).shape[1] == ex.last_linear.solution_value


def test_a_dead_layer_leaves_a_gradient_only_to_what_lies_behind_it():
    model = SevenLayerCNN(seed=0)
    torch.nn.init.constant_(model.conv6.bias, -1e6)
    images = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.nn.functional.cross_entropy(model(images), torch.arange(8)).backward()
    alive = {name for name, p in model.named_parameters() if p.grad.any()}
    assert {name.partition(".")[0] for name in alive} == ex.behind_a_dead_layer.solution_value
    assert "conv7.weight" not in alive


@pytest.mark.parametrize("kind", [list, tuple, set, np.array])
def test_layers_may_come_in_any_container(kind):
    assert ex.behind_a_dead_layer.check(kind(["fc", "conv7"])).status == CORRECT


@pytest.mark.parametrize("answer", [3, 4, 5, np.int64(4), 4.0])
def test_a_coin_toss_need_not_be_guessed_exactly(answer):
    assert ex.border.check(answer).status == CORRECT


def test_a_choice_may_be_a_list_of_numbers_of_numpy():
    assert ex.choose_rate.check(lambda *a: list(ex.choose_and_report(*a))).status == CORRECT
