"""Questions of lesson 5, scheduling against adaptive: predictions, and the exercises at its end."""

from __future__ import annotations

import math

import numpy as np

from course_utils.course.exercises import (
    Lesson,
    NotAttempted,
    call,
    expect,
    grade_choice,
    grade_number,
    number,
    pair,
)
from course_utils.experiments.datasets import digits
from course_utils.lessons.lesson05.spike_predictions import decay_and_rate as decay_and_rate
from course_utils.lessons.lesson05.spike_predictions import spike_threshold as spike_threshold
from course_utils.lessons.lesson05.tasks import linear, network
from course_utils.lessons.lesson05.weight_decay_exercises import weight_left as weight_left
from course_utils.optimizers import Adagrad, Adam, GradientDescent, Optimizer
from course_utils.schedules import Schedule, as_schedule, cosine, custom

question = Lesson(5).question


# ------------------------------------------------------------------------------- exercises


def lead(validation_a, test_a, validation_b, test_b):
    """Mean and standard error of a minus b, each at the rate that its validation chose."""
    a, b = (
        test[np.mean(validation, axis=1).argmax()]
        for validation, test in ((validation_a, test_a), (validation_b, test_b))
    )
    difference = a - b
    return difference.mean(), difference.std(ddof=1) / math.sqrt(len(difference))


def _four_tables() -> tuple[np.ndarray, ...]:
    """Two rules, five rates: what leads on the validation data does not lead on the test data."""
    rng = np.random.default_rng(5)
    seed = rng.normal(0, 1.0, 12)  # what a seed does to both rules
    tables = []
    for level, best, lucky in ((96.0, 2, 1), (95.5, 3, 0)):
        bend = level - np.abs(np.arange(5) - best)[:, None]
        tables += [bend + rng.normal(0, 0.3, (5, 8)), bend + seed + rng.normal(0, 0.3, (5, 12))]
        tables[-2][best + 1, 0] += 4.5  # one lucky run while choosing
        tables[-1][lucky, :9] += 7  # on most test seeds one rate is lucky
    return tuple(tables)


def _grade_lead(answer):
    data = _four_tables()
    why = "return a pair: the mean of the differences and its standard error."
    mean, error = map(number, pair(call(answer, *data), why))
    right = lead(*data)

    def is_(value, other):
        return math.isclose(value, other, rel_tol=1e-6, abs_tol=1e-9)

    validation_a, test_a, validation_b, test_b = data
    best_test = test_a.mean(axis=1).max() - test_b.mean(axis=1).max()
    expect(
        not is_(mean, best_test),
        "you took the rate that is best on the test data: whoever chooses there reports luck.",
    )
    each = test_a.max(axis=0).mean() - test_b.max(axis=0).mean()
    expect(not is_(mean, each), "one rate per rule, not the best of all rates for every seed.")
    rows = [v.mean(axis=1).argmax() for v in (validation_a, validation_b)]
    same = (test_a[rows[0]] - test_b[rows[0]]).mean()
    expect(not is_(mean, same), "b is judged at a's best rate: give each rule its own.")
    expect(not is_(mean, -right[0]), "the sign: it is a minus b.")
    luckiest = [np.unravel_index(v.argmax(), v.shape)[0] for v in (validation_a, validation_b)]
    by_luck = (test_a[luckiest[0]] - test_b[luckiest[1]]).mean()
    expect(
        is_(mean, right[0]) or not is_(mean, by_luck),
        "you chose by the best single run: choose by the mean over the seeds.",
    )
    expect(is_(mean, right[0]), f"the mean difference is {right[0]:.4f}, not {mean:.4f}.")
    a, b = test_a[rows[0]], test_b[rows[1]]
    n = len(a)
    unpaired = math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / n)
    expect(
        not is_(error, unpaired),
        f"{error:.3f} is the error of unpaired runs. Subtract seed by seed first: {right[1]:.3f}.",
    )
    expect(not is_(error, right[1] * math.sqrt(n)), "that is the spread of one seed: divide by √S.")
    expect(
        not is_(error, right[1] * math.sqrt((n - 1) / n)),
        "use the sample standard deviation, ddof=1: the mean was estimated from the same seeds.",
    )
    expect(is_(error, right[1]), f"its standard error is {right[1]:.4f}, not {error:.4f}.")
    return "Chosen on one set of seeds, judged on the other, and paired: a comparison to sign."


fair_lead = question(
    "fair_lead",
    "Write lead(validation_a, test_a, validation_b, test_b): a minus b, chosen and judged fairly.",
    _grade_lead,
    hints=(
        "np.mean(validation, axis=1).argmax() is the row of the best rate.",
        "Subtract the chosen rows of test_a and test_b seed by seed; then mean, and std/√S.",
    ),
    solution=lead,
    explanation="The test tables are never asked which rate to take.",
)


def warm_then_root(t, lr, warmup):
    """Rise in a straight line to lr at t = warmup - 1, then fall like 1/√t; a pure function."""
    return lr * min((t + 1) / warmup, math.sqrt(warmup / (t + 1)))


def _grade_warm_then_root(answer):
    first = number(call(answer, 0, 0.1, 4))
    expect(first != 0, "the rate of update 0 is 0: that update is wasted. Use (t+1)/warmup.")
    expect(math.isclose(first, 0.025), f"at t = 0, warm-up 4, lr 0.1 it is 0.025, not {first:g}.")
    top = number(call(answer, 3, 0.1, 4))
    expect(
        math.isclose(top, 0.1),
        f"at t = 3 four updates are done, so the rate is lr = 0.1, not {top:g}.",
    )
    late = number(call(answer, 399, 0.1, 4))
    expect(
        not math.isclose(late, 0.1), "after the warm-up the rate has to fall: it is still at lr."
    )
    expect(late < 0.1, f"at t = 399 it is {late:g}, above lr: take the smaller of the two parts.")
    expect(
        math.isclose(late, 0.01),
        f"at t = 399 it is 0.1·√(4/400) = 0.01, not {late:g}: count the root from update 0, "
        "√(warmup/(t+1)).",
    )
    one = number(call(answer, 0, 0.1, 1))
    expect(math.isclose(one, 0.1), f"with a warm-up of 1 the first rate is lr, not {one:g}.")
    again = number(call(answer, 0, 0.1, 4))
    expect(again == first, "called twice, it gives two answers: a schedule must not count calls.")
    return "One line, continuous, and right at t = 0, at the peak and long after it."


write_warmup = question(
    "write_warmup",
    "Write a warm-up followed by 1/√t as one pure function of the step.",
    _grade_warm_then_root,
    hints=(
        "Two parts that meet: (t+1)/warmup and √(warmup/(t+1)). Both are 1 at t = warmup − 1.",
        "Take the smaller of the two and multiply with lr.",
    ),
    solution=warm_then_root,
    explanation="The minimum of two curves needs no if, and has no jump.",
)


_PARAMETERS = 64 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10

state_of_adam = question(
    "state_of_adam",
    "How many numbers does Adam remember for a network 64-512-512-10?",
    grade_number(
        2 * _PARAMETERS,
        mistakes={
            _PARAMETERS: "that is one number per parameter. Adam keeps m and v.",
            3 * _PARAMETERS: "do not count the parameters themselves: they are not state.",
            2 * (_PARAMETERS - 1034): "the biases have a state, too.",
            2 * 1000 * _PARAMETERS: "the state does not grow with the number of samples.",
        },
        otherwise="count weights and biases of all layers, times two.",
        right="Two per parameter, whether you train on a hundred images or on a billion.",
    ),
    hints=(
        "A layer from a to b units has a·b weights and b biases.",
        "Adam keeps two numbers per parameter, m and v.",
    ),
    solution=602_132,
    explanation="33 280 + 262 656 + 5 130 = 301 066 parameters, times two.",
)


def _rule_and_schedule(answer, client: str) -> tuple[Optimizer, Schedule]:
    expect(isinstance(answer, dict) and client in answer, f'give a dict with the key "{client}".')
    why = f'"{client}" needs a pair (rule, rate or schedule), such as (Adam(), 0.01).'
    rule, rate = pair(answer[client], why)
    expect(isinstance(rule, Optimizer), why)
    return rule, as_schedule(rate)


def _grade_choose_and_defend(answer):
    stubs = list(answer.values()) if isinstance(answer, dict) else []
    if stubs and all(v is ... or (isinstance(v, tuple) and ... in v) for v in stubs):
        raise NotAttempted
    rule, schedule = _rule_and_schedule(answer, "rare")
    excess = linear("rare", 400).train(rule, [schedule], range(4)).mean("test_loss")[0]
    expect(
        excess <= 0.075,
        f'"rare": {rule.name} ends {excess:.4f} nats above the best possible; 0.075 is asked for.',
    )
    rule, schedule = _rule_and_schedule(answer, "short")
    reached = network(digits(), 93).train(rule, [schedule], range(4))
    accuracy = reached.mean("validation_accuracy")[0]
    expect(
        accuracy >= 0.94,
        f'"short": {rule.name} is at {accuracy:.2%} after 93 updates; 94% is asked for.',
    )
    rule, schedule = _rule_and_schedule(answer, "careless")
    scaled = [_times(schedule, factor) for factor in (0.25, 1.0, 4.0)]
    worst = network(digits(), 310, 32).train(rule, scaled, range(4)).mean("validation_accuracy")
    expect(
        worst.min() >= 0.945,
        f'"careless": at a quarter or at four times your rate {rule.name} falls to '
        f"{worst.min():.2%}; 94.5% is asked for.",
    )
    return "All three defended by runs, and by three different families of rules, most likely."


def _times(schedule: Schedule, factor: float) -> Schedule:
    return custom(lambda t: factor * schedule(t), vectorized=True)


choose_and_defend = question(
    "choose_and_defend",
    "Choose a rule and a rate or schedule for three clients, and defend them by runs.",
    _grade_choose_and_defend,
    hints=(
        '"rare": section 5.3. "short": the small comparison of 5.1 has 93 updates.',
        '"careless": which rules lose little at a rate four times too large (5.7)? Take the middle '
        "of the good rates, on a logarithmic axis.",
    ),
    solution={
        "rare": (Adagrad(), 0.8),
        "short": (GradientDescent(momentum=0.8), cosine(0.4, 93)),
        "careless": (Adam(), 0.012),
    },
    explanation="Rare features want rates of their own; these 93 updates want momentum "
    "and a decay; who cannot tune wants a rule without a cliff.",
)


# ------------------------------------------------------------------------------- predictions


what_decay_does = question(
    "what_decay_does",
    'Both with a cosine, and tuned anew: momentum\'s lead "grows", "stays", "shrinks", "turns"?',
    grade_choice(
        "shrinks",
        {
            "grows": "then the decay would have to help momentum more. Who has more noise to lose "
            "at the end of a constant rate?",
            "stays": "that would be so if the decay gave the same to both. Look at the two rows.",
            "shrinks": "Most of what looked like a property of the rule was the missing decay.",
            "turns": "the decay helps Adam much, but does it put Adam ahead?",
        },
    ),
    hints=("At a constant rate, each step of Adam has about the length η, to the very end.",),
    solution="shrinks",
    explanation="From 1.2 points to 0.2: here the decay helps Adam and adds little to momentum.",
)


def _grade_where_it_turns(answer):
    why = "give a pair of batch sizes, such as (1, 1): in equal updates, and in equal epochs."
    updates, epochs = (number(one) for one in pair(answer, why))
    expect({updates, epochs} <= {1.0, 256.0}, why)
    expect(
        (updates, epochs) != (256, 1),
        "both the other way round: where do the gradients have the most noise, and where are "
        "there only 24 updates?",
    )
    expect(
        updates == 1,
        "in equal updates, batches of 256 have little noise and 248 updates are enough for both "
        "rules. At a batch of one the gradients are mostly noise.",
    )
    expect(
        epochs == 256,
        "in equal epochs, batches of one have 8000 updates: time enough for both rules. Batches of "
        "256 have 24.",
    )
    return "The same record, two answers: the budget belongs to the result."


where_it_turns = question(
    "where_it_turns",
    "At which batch size, 1 or 256, does Adam lead most: in equal updates, and in equal epochs?",
    _grade_where_it_turns,
    hints=(
        "Equal updates: where is the noise largest?",
        "Equal epochs: where are the updates fewest?",
    ),
    solution=(1, 256),
    explanation="Adam leads where either the noise is large or the updates are few.",
)


rare_features = question(
    "rare_features",
    'Everybody at its best, decays included: who ends lowest, "plain", "adaptive", or "neither"?',
    grade_choice(
        "adaptive",
        {
            "plain": "one rate for the common and the rare feature: one of them is badly served.",
            "adaptive": "Here rates of their own are worth something that no schedule replaces.",
            "neither": "so it was on digits. But remember lesson 4: what rate does a weight "
            "want that is seen in one of a hundred examples?",
        },
    ),
    hints=("Which of the two directions, over weights or over time, is at stake here?",),
    solution="adaptive",
    explanation="Adagrad, RMSprop and Adam end a sixth to a fifth below the best plain rule.",
)
