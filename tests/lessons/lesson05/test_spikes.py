"""The burst meter: thresholds against theory, single runs against the table, the explorer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import views
from course_utils.descent import descend
from course_utils.lessons.lesson05 import spikes
from course_utils.optimizers import Adagrad, Adam, GradientDescent, RMSprop
from course_utils.problems import curved_valley
from course_utils.schedules import constant, cosine, exponential, inverse_sqrt, with_warmup

RMSPROP, LECTURE, ADAM = spikes.RULES


@settings(max_examples=40, deadline=None)
@given(beta=st.floats(0.0, 0.98), factor=st.sampled_from([0.995, 1.005]))
def test_threshold_is_where_adam_with_a_frozen_scale_loses_its_stability(beta, factor):
    # w' = w - meter·m', m' = βm + (1-β)w: the characteristic roots leave the unit circle there.
    level = factor * spikes.threshold(beta)
    roots = np.roots([1.0, (1 - beta) * level - 1 - beta, beta])
    assert bool(np.abs(roots).max() < 1) is (factor < 1)


def test_mean_of_squares_is_the_lecture_written_out():
    valley, w, squares = curved_valley(), curved_valley().start, []
    run = descend(valley, Adagrad(eps=0.0), spikes.mean_of_squares(0.1), 200)
    for t in range(200):
        squares.append(valley.gradient(w) ** 2)
        w = w - 0.1 / np.sqrt(np.mean(squares, axis=0)) * valley.gradient(w)
        np.testing.assert_allclose(run.params[t + 1], w, rtol=0, atol=1e-11)


def test_meter_is_rate_times_factor_times_curvature():
    run = descend(curved_valley(), RMSprop(alpha=0.9), cosine(0.1, 50), 50)
    gradients = curved_valley().gradient(run.params[:-1])[:, 0]
    v, expected = 0.0, []
    for t, g in enumerate(gradients):
        v = 0.9 * v + 0.1 * g * g
        expected.append(100 * cosine(0.1, 50)(t) / (np.sqrt(v) + 1e-8))
    np.testing.assert_allclose(spikes.meter(run), expected, rtol=1e-12)
    with pytest.raises(ValueError, match="adaptive rule"):
        spikes.meter(descend(curved_valley(), GradientDescent(), 0.01, 3))


# --- X25: the late spikes, its trigger and its cure ----------------------------------------------


def jumps(rule, schedule, steps=2000):
    run = descend(curved_valley(), rule, schedule, steps)
    return spikes.excursions(spikes.distance(run.params)), run


@pytest.mark.parametrize("lr", [0.03, 0.1, 0.2])
def test_the_sum_never_bursts(lr):
    assert jumps(Adagrad(), lr)[0] == []


def test_the_mean_bursts_and_decay_cures_it():
    assert len(jumps(Adagrad(), spikes.mean_of_squares(0.1))[0]) >= 3
    for schedule in (inverse_sqrt(0.1), exponential(0.1, 1, 0.998)):
        assert jumps(Adagrad(), spikes.mean_of_squares(schedule))[0] == []
    early, run = jumps(Adagrad(), spikes.mean_of_squares(cosine(0.1, 2000)))
    assert len(early) <= 1 and run.final_loss < 1e-6


def test_rmsprop_is_cured_by_decay_and_not_by_warmup():
    short = RMSprop(alpha=0.9)
    assert len(jumps(short, 0.1)[0]) >= 1 and jumps(short, 0.1)[1].final_loss > 0.1
    assert jumps(short, with_warmup(0.1, 199, 1 / 200))[1].final_loss > 0.1
    assert jumps(short, cosine(0.1, 2000))[1].final_loss < 1e-6


@pytest.mark.parametrize(
    ("rule", "schedule", "limit", "high", "steps"),
    [
        (Adagrad(), spikes.mean_of_squares(0.1), 2, 4.5, 500),
        (Adam(beta1=0, beta2=0.9), constant(0.05), 2, 4.5, 500),
        (RMSprop(), constant(0.05), 2, 4.5, 500),
        (Adam(beta1=0.5), constant(0.1), 6, 7, 1500),
        (Adam(), constant(0.1), 38, 41, 7000),
    ],
    ids=["lecture", "RMSprop 0.9", "RMSprop 0.99", "Adam 0.5", "Adam 0.9"],
)
def test_bursts_follow_the_crossing_of_the_threshold(rule, schedule, limit, high, steps):
    start = np.tile([0.5, 0.0], (5, 1))
    run = descend(spikes.endless_valley(), rule, schedule, steps, start, gradient_noise=1e-3)
    for crossed, at, value in spikes.onset(run, limit):
        assert crossed < at < steps and limit < value < high


def test_no_burst_without_a_crossing():
    run = descend(spikes.endless_valley(), Adagrad(), 0.1, 2000, [[0.5, 0.0]], gradient_noise=1e-3)
    ((crossed, at, value),) = spikes.onset(run, 2.0)
    assert crossed == at == 2000 and value < 2


def test_endless_valley_gradient_is_the_slope_of_its_loss():
    problem, w, h = spikes.endless_valley(), np.array([0.3, -1.7]), 1e-6
    for i, e in enumerate(np.eye(2)):
        slope = (problem.loss(w + h * e) - problem.loss(w - h * e)) / (2 * h)
        assert slope == pytest.approx(problem.gradient(w)[i], rel=1e-6)
        bend = (problem.gradient(w + h * e) - problem.gradient(w - h * e)) / (2 * h)
        np.testing.assert_allclose(bend, problem.hessian(w)[i], atol=1e-6)


# --- boundaries and bad input -------------------------------------------------------------------


def test_excursions_need_an_arrival_first():
    assert spikes.excursions([0.5, 0.4, 0.3]) == []
    assert spikes.excursions([0.02, 0.1, 0.11]) == []  # neither nearer than 0.02 nor from there
    assert spikes.excursions([0.01, 0.1, 0.11, 0.5, 0.01, 0.2]) == [2, 5]


@pytest.mark.parametrize("shape", spikes.SHAPES)
@pytest.mark.parametrize("warmup", [0, 1, 2, 300])
def test_scheduled_rises_to_the_peak_and_starts_there(shape, warmup):
    rates = spikes.scheduled(shape, 0.1, warmup)(np.arange(spikes.STEPS))
    assert rates[max(warmup - 1, 0)] == pytest.approx(0.1) and rates.max() == pytest.approx(0.1)
    assert rates[0] == pytest.approx(0.1 / max(warmup, 1)) and (rates >= 0).all()


def test_bad_input():
    with pytest.raises(ValueError, match="beta1 must be"):
        spikes.threshold(1.0)
    with pytest.raises(ValueError, match="shape must be one of"):
        spikes.scheduled("flat", 0.1, 0)


# --- the explorer -------------------------------------------------------------------------------


@pytest.fixture
def explorer():
    made = spikes.burst_meter()
    yield made
    made.close()


@pytest.mark.parametrize("rule", spikes.RULES)
def test_table_agrees_with_single_runs(rule):
    kind = spikes.RULES[rule]
    schedule = spikes.scheduled("cosine to 0", 0.05, 100)
    if rule == LECTURE:
        schedule = spikes.mean_of_squares(schedule)
    run = descend(curved_valley(), kind.make(), schedule, spikes.STEPS)
    data = spikes.compute_burst(rule, 0.05, 100, "cosine to 0")
    np.testing.assert_allclose(data["off"], spikes.distance(run.params), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(data["meter"], spikes.meter(run), rtol=1e-6)
    assert data["final_loss"] == pytest.approx(run.final_loss, rel=1e-6, abs=1e-15)


def test_task_needs_decay_and_a_gentle_start(explorer):
    assert not explorer.task_reached and "2 bursts" in explorer.state
    explorer.set(shape="cosine to 0")
    assert not explorer.task_reached  # decay alone: calm at the end, bursts early
    explorer.set(shape="constant", warmup=300)
    assert not explorer.task_reached  # warm-up alone: no end
    explorer.set(shape="cosine to 0", warmup=300)
    assert explorer.task_reached and "0 bursts" in explorer.state
    explorer.set(rule=ADAM, lr=0.1)
    assert not explorer.task_reached  # the task is about RMSprop


def test_no_constant_rate_solves_the_task():
    for lr in spikes.RATES:
        for warmup in spikes.WARMUPS:
            assert not spikes.cured(spikes.compute_burst(RMSPROP, lr, warmup, "constant"))


def test_every_preset_can_be_drawn_and_static_says_what_it_shows(explorer):
    pictures = set()
    for button in explorer.buttons.values():
        button.click()
        pictures.add(explorer.image.value)
    assert len(pictures) == len(explorer.buttons)
    picture = explorer.static(rule=LECTURE, warmup=0, shape="constant", lr=0.1)
    assert "crosses 2 first at step 209; 5 bursts, at steps 344" in picture.alt


def test_draw_meter_takes_its_own_steps():
    ax = spikes.draw_meter(views.subplots()[1], {"a": [1.0, 3.0]}, 38.0, step=[0, 10])
    assert ax.lines[0].get_xdata().tolist() == [0, 10] and ax.lines[1].get_ydata() == [38.0, 38.0]
