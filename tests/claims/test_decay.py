"""What the articles say about letting the rate fall: lesson 3."""

import json
import math

import numpy as np
from judging import NOTEBOOKS, judges

from course_utils import schedules
from course_utils.experiments.intervals import estimate
from course_utils.experiments.sweep import sweep
from course_utils.experiments.table import load
from course_utils.optimizers import GradientDescent

TASKS = [f"{task}, {steps} updates" for task in ("digits", "teacher") for steps in (300, 3000)]


def on_the_parabola(rates, w=5.0):
    """The loss (w + 1)² after one step per rate, without noise."""
    for lr in rates:
        w = w - lr * 2 * (w + 1)
    return (w + 1) ** 2


def with_noise(rates, V=100.0):
    """The mean loss w²/2 after one step per rate; V is the mean of w²."""
    for lr in rates:
        V = (1 - lr) ** 2 * V + lr**2
    return V / 2


def difference(task, a, b, metric):
    """The interval of a minus b, each at the design that validation chose."""
    choose, judge = (
        load(NOTEBOOKS / "results" / f"03_{part}.json") for part in ("choose", "judge")
    )

    def at_best(shape):
        mean = choose[f"{task}: {shape}"].mean(f"validation_{metric}")
        row = mean.argmin() if metric == "loss" else mean.argmax()
        return judge[f"{task}: {shape}"].final(f"test_{metric}")[row]

    return estimate(at_best(a) - at_best(b))


# --- the families --------------------------------------------------------------------------------


@judges("000-F1", "002-F3", *(f"001-F{n}" for n in range(1, 9)))
def test_each_formula_is_what_the_library_computes():
    t = np.arange(301)
    x, wave = np.minimum(t / 150, 1), np.cos(np.pi * np.minimum(t / 150, 1))
    lap = np.select([t < 50, t < 150], [t / 50, (t - 50) / 100], (t - 150) / 200)
    pairs = [
        (schedules.exponential(0.1, 100, 0.5), 0.1 * 0.5 ** (t / 100)),
        (schedules.natural_exponential(0.1, 100, 0.5), 0.1 * np.exp(-0.5 * t / 100)),
        (schedules.polynomial(0.1, 150, 0.01, power=2.0), 0.09 * (1 - x) ** 2 + 0.01),
        (schedules.inverse_time(0.1, 100, 4.0), 0.1 / (1 + 4 * t / 100)),
        (schedules.cosine(0.1, 150, alpha=0.1), 0.1 * (0.9 * 0.5 * (1 + wave) + 0.1)),
        (schedules.cosine_restarts(0.1, 50), 0.05 * (1 + np.cos(np.pi * lap))),
        (schedules.linear_cosine(0.1, 150), 0.1 * ((1 - x) * 0.5 * (1 + wave) + 0.001)),
    ]
    quiet = schedules.noisy_linear_cosine(0.1, 150, initial_variance=0.0)
    pairs.append((quiet, schedules.linear_cosine(0.1, 150)(t)))
    return all(np.allclose(plan(t), formula, rtol=0, atol=1e-15) for plan, formula in pairs)


@judges("001-E1", "000-L1", *(f"001-G{n}" for n in range(1, 8)))
def test_the_gallery_shows_all_of_them():
    cells = json.loads((NOTEBOOKS / "03_decay_families.ipynb").read_text(encoding="utf-8"))["cells"]
    (gallery,) = [json.dumps(c["outputs"]) for c in cells if c["id"] == "5958764e"]
    words = ("piecewise constant", "exponential", "natural exponential", "linear", "cycle")
    words += ("inverse time", "cosine", "cosine restarts", "linear cosine", "noisy linear cosine")
    library = ("piecewise_constant", "exponential", "natural_exponential", "inverse_time", "cosine")
    library += ("polynomial", "cosine_restarts", "linear_cosine", "noisy_linear_cosine")
    library += ("step_decay", "custom")
    return all(w in gallery for w in words) and all(hasattr(schedules, n) for n in library)


@judges("001-C4")
def test_any_rates_after_any_steps():
    plan = schedules.piecewise_constant([7, 8, 300], [0.3, 0.001, 0.2, 0.0])
    return plan([7, 8, 9, 301]).tolist() == [0.3, 0.001, 0.2, 0.0]


@judges("001-C6")
def test_base_e_is_no_speed():
    """With k = −ln r it is the same curve; with the same number it freezes the run."""
    t = np.arange(200)
    translated = schedules.natural_exponential(0.1, 1, -math.log(0.96))(t)
    same = np.allclose(translated, schedules.exponential(0.1, 1, 0.96)(t), rtol=1e-12)
    return not same


@judges("001-C7")
def test_with_the_same_number_it_freezes_on_the_easiest_task():
    t = np.arange(200)
    natural, plain = 0.1 * np.exp(-0.96 * t), 0.1 * 0.96**t
    return on_the_parabola(natural) < on_the_parabola(plain)


@judges("001-C8")
def test_a_polynomial_stays_at_its_end():
    return bool((schedules.polynomial(0.1, 100, 0.01)([100, 101, 1000]) == 0.01).all())


@judges("001-C9")
def test_a_cycle_rises_again():
    plan = schedules.polynomial(0.1, 100, 0.01, cycle=True)
    return bool((plan([101, 201, 301]) > plan([100, 200, 300])).all())


@judges("001-C11")
def test_alpha_is_the_smallest_rate_as_a_fraction():
    lowest = schedules.cosine(0.5, 300, alpha=0.1)(np.arange(2000)).min()
    return math.isclose(lowest, 0.05)


# --- per what ------------------------------------------------------------------------------------


@judges("000-C14")
def test_keras_decay_is_no_step_decay():
    after, later = (1 / (1 + 1e-6 * 938 * epochs) for epochs in (100, 101))
    return after == 1.0 and later == 0.5


@judges("000-E2")
def test_keras_decay_is_inverse_time():
    t = np.arange(200_001)
    return np.allclose(schedules.inverse_time(1.0, 1, 1e-6)(t), 1 / (1 + 1e-6 * t), atol=1e-12)


@judges("000-C21")
def test_the_code_is_the_formula():
    epoch = np.arange(20)
    return np.allclose(0.01 * 0.6**epoch, 0.01 * np.exp(math.log(0.6) * epoch), rtol=0, atol=1e-15)


def behind_the_constant(updates_per_epoch):
    """Points of test accuracy that 0.01 · 0.6^epoch is behind 0.01, 20 epochs, three seeds."""
    table = sweep(
        [schedules.step_decay(0.01, updates_per_epoch, 0.6), 0.01],
        range(3),
        hidden=(64,),
        batch_size=64,
        steps=20 * updates_per_epoch,
        l2=0.01,
        optimizer=GradientDescent(momentum=0.9),
        evaluate_on=("test",),
    )
    decayed, constant = 100 * table.final("test_accuracy").mean(axis=1)
    return constant - decayed


@judges("000-E3")
def test_the_program_freezes_where_an_epoch_is_short():
    return behind_the_constant(15) > 20


@judges("001-C3")
def test_what_counts_are_the_updates_between_two_drops():
    updates_decide = behind_the_constant(15) > 20 > 3 > behind_the_constant(250)
    return not updates_decide, updates_decide


# --- decay or not --------------------------------------------------------------------------------


@judges("004-C23")
def test_a_falling_rate_is_fast_early_and_low_late():
    """Against the constant rate that is best for all 1000 steps."""
    t = np.arange(1000)
    falling = schedules.exponential(0.028, 1000, 0.03)(t)
    best = min(np.geomspace(0.004, 0.02, 60), key=lambda lr: with_noise(np.full(1000, lr)))
    early = with_noise(falling[:100]) < with_noise(np.full(100, best)) / 2
    return early and with_noise(falling) < with_noise(np.full(1000, best)) / 2


@judges("002-C6")
def test_large_first_helps_with_noise_or_several_curvatures():
    t = np.arange(20)
    alone = on_the_parabola(0.2 * 0.99**t) < on_the_parabola(np.full(20, 0.2))
    noisy = with_noise(schedules.exponential(0.028, 1000, 0.03).rates(1000)) < 0.5 * min(
        with_noise(np.full(1000, lr)) for lr in np.geomspace(0.004, 0.02, 60)
    )

    def two(rates):
        return (np.prod([1 - lr for lr in rates]) ** 2, np.prod([1 - 10 * lr for lr in rates]) ** 2)

    several = (
        sum(two([1.0] + [0.1] * 19))
        == 0
        < 1e-5
        < min(sum(two([lr] * 20)) for lr in np.linspace(0.01, 0.2, 191))
    )
    return alone, noisy and several


@judges("000-C12")
def test_exponential_within_an_order_of_magnitude_performs_well():
    """To a tenth of its peak or where validation puts its end, it beats the best constant rate."""
    losses = [difference(task, "exponential", "constant", "loss") for task in TASKS]
    points = [difference(task, "exponential", "constant", "accuracy") for task in TASKS]
    return all(e.high < 0 for e in losses) and all(e.low > 0 for e in points)


@judges("001-C5")
def test_exponential_is_as_good_as_any_where_its_end_is_right():
    frozen = on_the_parabola(0.01 * 0.9 ** np.arange(2000))
    near = [difference(task, "exponential", "cosine", "loss") for task in TASKS]
    return frozen < 1, all(e.high < 0.1 for e in near)


@judges("000-C20")
def test_on_wrong_labels_the_cosine_ends_better_than_the_best_constant_rate():
    gain = difference("digits, 300 updates", "cosine", "constant", "loss")
    return False, gain.high < 0


@judges("001-C15")
def test_noise_in_the_rate_does_not_help():
    """Nowhere is it clearly better, by loss or by accuracy."""
    losses = [difference(t, "noisy linear cosine", "linear cosine", "loss") for t in TASKS]
    points = [difference(t, "noisy linear cosine", "linear cosine", "accuracy") for t in TASKS]
    return any(e.high < 0 for e in losses) or any(e.low > 0 for e in points)


@judges("004-C24")
def test_an_untuned_cosine_loses_and_no_schedule_is_best_everywhere():
    choose = load(NOTEBOOKS / "results" / "03_choose.json")
    table = sweep([schedules.cosine(0.05, 300)], range(5), steps=300, hidden=(32,))
    best = choose["digits, 300 updates: constant"].mean("validation_accuracy").max()
    untuned = table.final("validation_accuracy").mean() < best
    return bool(untuned) and on_the_parabola(np.full(20, 0.5)) == 0


# --- up again ------------------------------------------------------------------------------------


def walk(rates, noise, copies=2000, start=0.9601, seed=0):
    """Copies that start in the shallow one of two wells, after one step per rate."""
    rng, w = np.random.default_rng(seed), np.full(copies, start)
    with np.errstate(all="ignore"):
        for lr in rates:
            w = w - lr * (4 * w * (w * w - 1) + 0.3 + noise * rng.standard_normal(copies))
    return w


def in_the_deep_well(rates, noise):
    return float(np.mean(walk(rates, noise) < 0.08))


@judges("001-C10")
def test_a_larger_rate_leads_out_with_noise_in_a_window_or_beyond_the_limit():
    quiet = in_the_deep_well(np.full(600, 0.25), 0.0)
    window = [in_the_deep_well(np.full(600, lr), 2.0) for lr in (0.05, 0.12, 0.25)]
    limit = 2 / (12 * 0.9601**2 - 4)
    beyond = np.abs(walk(np.full(600, 0.3), 0.0, 1, start=0.96) - 0.9601) > 0.05
    leads_out = window[0] < 0.1 < 0.5 < window[1] and window[2] < 0.1 and limit < 0.3
    return quiet > 0.5, leads_out and bool(beyond.all())


@judges("000-C18")
def test_a_small_rate_only_waits_longer():
    short = [in_the_deep_well(np.full(600, lr), 2.0) for lr in (0.01, 0.12)]
    longer = in_the_deep_well(np.full(6000, 0.06), 2.0) - in_the_deep_well(np.full(600, 0.06), 2.0)
    return longer < 0.1, short[0] == 0 and short[1] > 0.5 and longer > 0.2
