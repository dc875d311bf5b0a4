"""What the articles say about schedules beside adaptive methods: lesson 5, mostly its record."""

from functools import cache

import numpy as np
import torch
from judging import NOTEBOOKS, judges

from course_utils import sampling
from course_utils.descent import descend
from course_utils.experiments.datasets import digits
from course_utils.experiments.intervals import estimate
from course_utils.experiments.models import mlp
from course_utils.experiments.network import Network
from course_utils.experiments.sweep import sweep
from course_utils.experiments.table import load
from course_utils.lessons.lesson05 import reading
from course_utils.lessons.lesson05.rules import ADAPTIVE, PLAIN
from course_utils.optimizers import Adagrad, Adam, GradientDescent, RMSprop
from course_utils.problems import curved_valley, double_well
from course_utils.schedules import (
    ReduceOnPlateau,
    constant,
    cosine,
    exponential,
    inverse_sqrt,
    with_warmup,
)

VALLEY = curved_valley()  # 50 (w1 - 0.05 sin(w2/2))² + 0.005 w2²


def record(name):
    return load(NOTEBOOKS / "results" / f"05_{name}.json")


def lead(name, arm, rival, metric="loss"):
    return reading.lead(record(name), arm, rival, metric)


def lowest(tables, rule):
    """The arm of a rule, among its shapes, with the lowest mean loss."""
    arms = [arm for arm in tables if arm.startswith(f"{rule}, ") and "tuning" not in arm]
    return min(arms, key=lambda arm: reading.reached(tables, arm, "loss").mean())


# --- rules and schedules side by side ------------------------------------------------------------


@judges("003-G8")
def test_the_comparison_has_every_rule_with_and_without_a_schedule():
    for task in ("digits_930", "noisy_930", "teacher_930", "rare_400"):
        tables = record(task)
        for rule in (*PLAIN, *ADAPTIVE):
            for shape in ("constant", "cosine"):
                assert len(reading.reached(tables, f"{rule}, {shape}")) == 16
    return True


@judges("003-C14", "003-C33")
def test_on_rare_features_the_adaptive_rules_end_lowest():
    """Each at its own best rate, knob and shape, against each plain rule; dense: a third at most.

    AdamW is left out: its second knob is weight decay, which one pass over new examples dislikes.
    """
    rare, dense = record("rare_400"), record("dense_400")
    gaps = {}
    for tables in (rare, dense):
        gaps[id(tables)] = [
            reading.lead(tables, lowest(tables, plain), lowest(tables, rule), "loss")
            for plain in PLAIN
            for rule in ("Adagrad", "RMSprop", "Adam")
        ]
    worst, dense_best = min(g.mean for g in gaps[id(rare)]), max(g.mean for g in gaps[id(dense)])
    assert dense_best < 0.7 * worst
    return all(gap.low > 0 for gap in gaps[id(rare)])


@judges("003-C21", "003-C34")
def test_adam_is_faster_than_descent_without_momentum_where_updates_are_few():
    few = {rival: lead("digits_93", f"{rival}, cosine", "Adam, cosine") for rival in PLAIN}
    many = lead("teacher_930", "gradient descent, cosine", "Adam, cosine")
    assert abs(many.mean) < 0.01  # with ten times the updates nothing is left of it
    return few["momentum"].low > 0, few["gradient descent"].low > 0.1


@judges("003-C30")
def test_a_decay_gains_points_where_there_is_noise():
    gain = {
        (task, rule): lead(task, f"{rule}, cosine", f"{rule}, constant", "accuracy")
        for task in ("digits_930", "noisy_930", "noisy_split_930", "teacher_930")
        for rule in ("gradient descent", "momentum")
    }
    clean = [g for (task, _), g in gain.items() if task == "digits_930"]
    noisy = [g for (task, _), g in gain.items() if task != "digits_930"]
    return all(g.low > 0 for g in clean + noisy), all(g.low > 0.5 for g in noisy)


@judges("003-C35", "004-C20")
def test_adam_forgives_a_rate_that_is_too_large_and_its_default_is_no_tuning():
    lost, missed = [], []
    for task in ("digits_930", "noisy_930", "teacher_930"):
        tables = record(task)
        off = [reading.off_by(tables, f"{rule}, cosine", 4).mean() for rule in ("Adam", "momentum")]
        lost.append(off[0] > off[1] + 1)
        arm = "Adam, cosine"
        tuned, default = (reading.reached(tables, arm, settings=s) for s in ("loss", "default"))
        missed.append((tuned - default).mean())
    return max(missed) < 1, all(lost)


@judges("003-C37")
def test_without_a_schedule_adam_leads_on_one_task_only_but_forgives_a_large_rate():
    arms = ("Adam (β₁), constant", "momentum, constant")
    leads = [lead(task, *arms, "accuracy").low > 0 for task in ("digits_930", "teacher_930")]
    assert leads == [False, True]
    forgiving = []
    for task in ("digits_930", "teacher_930"):
        off = [
            reading.off_by(record(task), f"{r}, constant", 4).mean() for r in ("Adam", "momentum")
        ]
        forgiving.append(off[0] > off[1] + 1)
    return all(leads), all(forgiving)


@judges("003-C36")
def test_adams_lead_at_small_batches_hangs_on_the_budget():
    """Over gradient descent, one image a batch, in nats; constant and decayed, β₁ tuned."""

    def leads(equal):
        for name, shape in (("batch_sizes_constant", "constant"), ("batch_sizes", "cosine")):
            arms = (f"{r}, {shape}, 1, equal {equal}" for r in ("gradient descent", "Adam (β₁)"))
            yield lead(name, *arms).low > 0.02

    updates = all(leads("updates"))
    return updates and all(leads("epochs")), updates


# --- spikes and their cure -----------------------------------------------------------------------


def on_an_endless_wall(rule, schedule, steps=1500, curvature=lambda t: 100.0):
    """|w| (steps, 16) of 16 weights on a parabola, and rate/σ × curvature, with a little noise."""
    noise, w = np.random.default_rng(0), np.full(16, 0.5)
    distance, meter = [], []
    rule.reset()
    for t in range(steps):
        distance.append(np.abs(w))
        gradient = curvature(t) * w + 1e-3 * noise.standard_normal(16)
        w = rule.step(w, gradient, schedule(t))
        meter.append(schedule(t) * rule.scale * curvature(t))
    return np.array(distance), np.array(meter)


def jumps(distance, start=100):
    """When each weight first leaves the floor (0.01 after 0.001) again; 0 for never."""
    calm = np.maximum.accumulate(distance[start:] < 1e-3, axis=0)
    away = calm & (distance[start:] > 1e-2)
    return np.where(away.any(axis=0), away.argmax(axis=0) + start, 0)


@judges("003-C25")
def test_late_jumps_follow_the_crossing_of_a_threshold():
    """As stated they would come with every σ that is made of past gradients, Adagrad's too."""
    adagrad, _ = on_an_endless_wall(Adagrad(), constant(0.5))
    rising, _ = on_an_endless_wall(Adagrad(), constant(0.5), curvature=lambda t: 100 + 0.3 * t)
    adam, meter = on_an_endless_wall(Adam(beta2=0.99), constant(0.1))
    crossed, first = (meter > 38).argmax(axis=0), jumps(adam)
    after = first[first > 0] > crossed[first > 0]
    return jumps(adagrad).any(), jumps(rising).all() and len(after) > 8 and after.all()


@judges("003-C24", "003-G6")
def test_a_decay_ends_the_jumps_of_adaptive_rules_late_in_the_run():
    ends = [descend(VALLEY, RMSprop(alpha=0.9), plan, 2000) for plan in (0.1, cosine(0.1, 2000))]
    late, _ = on_an_endless_wall(Adam(beta2=0.99), constant(0.1))
    return ends[0].final_loss > 0.1 and ends[1].final_loss < 1e-6 and jumps(late).any()


@judges("003-C27")
def test_only_a_schedule_that_decays_brings_it_under_control():
    warm = with_warmup(0.1, 149, 1 / 150)
    plans = {"warm-up": warm, "cosine": cosine(0.1, 1500), "0.998^t": exponential(0.1, 1, 0.998)}
    found = {n: jumps(on_an_endless_wall(Adam(beta2=0.99), p)[0], 200) for n, p in plans.items()}
    calm = not found["cosine"].any() and not found["0.998^t"].any()
    slow = on_an_endless_wall(Adam(beta2=0.99), cosine(0.1, 3000), 3000)[0]
    assert jumps(slow, 200).any()  # this one does not fall fast enough
    return calm and not found["warm-up"].any(), calm


@judges("003-C26")
def test_a_warm_up_ends_at_the_top_unless_a_decay_follows():
    warm = with_warmup(0.1, 199, 1 / 200)
    both = with_warmup(cosine(0.1, 1801), 199, 1 / 200)
    decays = [plan(1999) / 0.1 for plan in (inverse_sqrt(0.1, 100), cosine(0.1, 2000), both)]
    return max(decays) < 0.25 and warm(1999) < 0.025, max(decays) < 0.25


@judges("003-G7")
def test_the_two_curves_a_decay_falls_and_a_warm_up_rises():
    t = np.arange(200)
    return (np.diff(inverse_sqrt(0.1, 100)(t)) < 0).all() and (
        np.diff(with_warmup(0.1, 199, 1 / 200)(t)) > 0
    ).all()


@judges("003-C31")
def test_a_schedule_leaves_a_local_minimum_only_with_noise_strong_enough():
    well = double_well()
    start, gain = np.tile(well.start, (400, 1)), {}
    for noise in (0.0, 3.0, 5.0):
        ends = [
            descend(well, GradientDescent(), plan, 2000, start, noise, record_params=False)
            for plan in (constant(0.05), cosine(0.05, 2000))
        ]
        fixed, falling = ((run.metrics["params"][-1] < 0).mean() for run in ends)
        gain[noise] = falling - fixed
    return all(g > 0.05 for g in gain.values()), gain[5.0] > 0.05


# --- the start -----------------------------------------------------------------------------------


@judges("000-C15")
def test_a_small_rate_at_the_start_is_needed_where_the_rate_is_too_large():
    shared = {"seeds": range(8), "optimizer": Adam(), "batch_size": 64, "steps": 225}
    plain = sweep([0.01, 0.03], **shared).final("validation_accuracy")
    warmed = sweep([0.01, 0.03], schedule=lambda lr: with_warmup(lr, 74, 1 / 75), **shared)
    change = (warmed.final("validation_accuracy") - plain).mean(axis=1)
    arms = record("transformers")
    bare, warm = (arms[a].final("test_accuracy")[1] for a in ("post-norm", "post-norm, warm-up"))
    return (change > 0.01).all(), (bare < 0.3).all() and (warm > bare + 0.1).all()


@judges("000-C27")
def test_a_high_rate_is_faster_from_the_start_if_it_is_stable():
    ruined = sweep([0.3], range(8), optimizer=Adam(), batch_size=64, steps=225)
    sooner = sweep([0.03, 0.5], range(8), epochs=1, evaluate_on=("train",)).final("train_loss")
    return (ruined.final("validation_accuracy") > 0.9).all(), (sooner[1] < 0.5 * sooner[0]).all()


# --- both together, and what it costs ------------------------------------------------------------


@judges("003-F5")
def test_the_combination_is_adam_with_a_schedule():
    plan, w, m, v = cosine(0.1, 50), VALLEY.start, 0.0, 0.0
    for t in range(50):
        g = VALLEY.gradient(w)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        sigma = np.sqrt(v / (1 - 0.999 ** (t + 1))) + 1e-8
        w = w - plan(t) / sigma * m / (1 - 0.9 ** (t + 1))
    return np.allclose(w, descend(VALLEY, Adam(), plan, 50).params[-1], rtol=0, atol=1e-12)


def numbers_kept(make, samples):
    model = mlp([64, 16, 10], seed=0)
    rule = make(model.parameters())
    model(torch.ones(samples, 64)).sum().backward()
    rule.step()
    kept = [x for s in rule.state.values() for x in s.values() if torch.is_tensor(x) and x.ndim]
    return sum(x.numel() for x in kept) / sum(p.numel() for p in model.parameters())


@judges("003-C28")
def test_the_state_grows_with_the_parameters_not_with_the_data():
    kept = [numbers_kept(torch.optim.Adam, samples) for samples in (10, 1000)]
    return kept[1] > kept[0], kept == [2, 2] and numbers_kept(torch.optim.SGD, 10) == 0


@judges("004-C22")
def test_adaptive_rules_may_stay_above_the_minimum_and_keep_more():
    run = descend(VALLEY, RMSprop(alpha=0.9), 0.1, 2000)
    return run.final_loss > 0.1 and numbers_kept(torch.optim.Adam, 10) == 2


@cache
def lifted(noise):
    """What a watcher of the validation loss gives Adam at 0.01 in 30 epochs: points, and drops."""
    data = digits().with_label_noise(noise) if noise else digits()
    points, drops = [], []
    for seed in range(5):
        accuracy = {}
        for plateau in (False, True):
            network, rule, rate = Network(64, 64, 10), Adam(), 0.01
            w, watcher = network.start(seed), ReduceOnPlateau(0.01, factor=0.3, patience=3)
            for epoch in range(30):
                for batch in sampling.epoch_batches(len(data.train), 16, epoch, seed):
                    _, gradient = network.loss_and_gradient(w, data.train.take(batch))
                    w = rule.step(w, gradient, rate)
                if plateau:
                    rate = watcher.update(network.loss(w, data.validation))
            accuracy[plateau] = 100 * network.accuracy(w, data.test)
        points.append(accuracy[True] - accuracy[False])
        drops.append(round(np.log(rate / 0.01) / np.log(0.3)))
    return estimate(points), drops


@judges("003-C38")
def test_a_plateau_gives_adam_most_where_there_is_something_to_stop_early_for():
    clean, noisy = (lifted(noise)[0] for noise in (0.0, 0.2))
    return clean.low > 1, noisy.low > 1


@judges("001-C16", "004-C25")
def test_a_rule_that_watches_the_validation_loss_lowers_the_rate_and_helps():
    points, drops = lifted(0.2)
    return min(drops) >= 1 and points.low > 0
