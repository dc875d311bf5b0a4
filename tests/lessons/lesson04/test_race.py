"""Races: the count of steps against single runs and closed forms; the explorer of lesson 4."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import views
from course_utils.descent import descend
from course_utils.lessons.lesson04 import race
from course_utils.lessons.lesson04.race import steps_to_arrive
from course_utils.optimizers import Adagrad, Adam, GradientDescent, RMSprop
from course_utils.problems import abc_surface, linear_regression, quadratic, shifted_square, slope

RULES = [GradientDescent(), GradientDescent(0.9), Adagrad(), RMSprop(alpha=0.9), Adam()]


def one_by_one(rule, problem, rates, steps, level):
    """The same count from one recorded run per rate."""
    arrived = []
    for lr in rates:
        loss = views.losses(descend(problem, rule, float(lr), steps))
        high = np.flatnonzero(~(loss < level))
        first = high[-1] + 1 if len(high) else 0
        arrived.append(first if first <= 0.9 * steps else math.inf)
    return arrived


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("rotation", [0, 30])
def test_counts_what_single_runs_show(rule, rotation):
    problem = quadratic([4.0, 0.5], start=[1.0, -3.0], rotation=rotation)
    rates = [0.003, 0.05, 0.3, 0.6, 3.0]
    together = steps_to_arrive(rule, problem, rates, steps=150, level=0.05)
    assert together.tolist() == one_by_one(rule, problem, rates, 150, 0.05)


@settings(max_examples=25, deadline=None)
@given(lr=st.floats(0.02, 0.98), level=st.floats(1e-8, 1e-2))
def test_agrees_with_the_closed_form_of_the_parabola(lr, level):
    # (w + 1)² = 36 (1 - 2 lr)^(2t) falls below the level at this t.
    shrink = abs(1 - 2 * lr)
    (steps,) = steps_to_arrive(GradientDescent(), shifted_square(), [lr], steps=1000, level=level)
    if shrink < 1e-3:
        assert steps <= 2
        return
    exact = math.log(level / 36) / (2 * math.log(shrink))
    assert abs(steps - math.ceil(exact)) <= (abs(exact - round(exact)) < 1e-6)


def test_a_start_below_the_level_needs_no_step_and_divergence_never_arrives():
    problem = quadratic([1.0])
    assert steps_to_arrive(GradientDescent(), problem, [0.5], start=[0.01], level=0.1) == 0
    assert steps_to_arrive(GradientDescent(), problem, [2.1], start=[0.01], level=0.1) == math.inf
    assert steps_to_arrive(GradientDescent(), problem, [1e200], level=0.1) == math.inf


def test_low_by_chance_at_the_end_is_not_arrival():
    # A slope falls below any level at last, but stays there for less than a tenth of the steps.
    assert steps_to_arrive(GradientDescent(), slope(1.0), [1.0], steps=10, level=1e-3) == 0
    late = steps_to_arrive(GradientDescent(), slope(1.0), [1.0], steps=10, level=1e-3, start=[9.5])
    assert late == math.inf


def test_is_reset_first_and_changes_nothing():
    rule, problem, rates = Adam(), quadratic([1.0]), np.array([0.1])
    first = steps_to_arrive(rule, problem, rates)
    assert (steps_to_arrive(rule, problem, rates) == first).all()
    assert rates.tolist() == [0.1] and problem.start.tolist() == [1.0]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"optimizer": "Adam"}, TypeError, "optimizer must be an Optimizer"),
        ({"problem": lambda w: w}, TypeError, "problem must be a Problem"),
        ({"rates": []}, ValueError, "rates must hold numbers greater than 0"),
        ({"rates": [0.1, -0.1]}, ValueError, "rates must hold numbers greater than 0"),
        ({"rates": 0.1}, ValueError, "rates must have 1 dimension"),
        ({"rates": [np.nan]}, ValueError, "rates must contain finite"),
        ({"rates": ["a"]}, TypeError, "rates must be an array"),
        ({"steps": 0}, ValueError, "steps must be 1 or greater"),
        ({"steps": 2.5}, TypeError, "steps must be an integer"),
        ({"level": 0}, ValueError, "level must be greater than 0"),
        ({"start": [1.0, 2.0]}, ValueError, "start must have shape"),
    ],
)
def test_bad_input(change, error, message):
    good = {"optimizer": Adam(), "problem": quadratic([1.0]), "rates": [0.1]}
    with pytest.raises(error, match=message):
        steps_to_arrive(**{**good, **change})


# --- what lesson 4 says ------------------------------------------------------------------------


def test_adagrad_can_hardly_be_too_fast_on_a_smooth_surface():
    steps = steps_to_arrive(Adagrad(), abc_surface(), np.geomspace(1.01, 1e4, 17), steps=1000)
    assert (steps <= 50).all()


def test_momentum_does_not_notice_the_turn_and_adaptive_rules_do():
    rates = np.geomspace(1e-4, 10, 41)[14:27]
    straight, turned = abc_surface(), abc_surface(rotation=45)
    momentum = GradientDescent(momentum=0.9)
    assert (
        steps_to_arrive(momentum, straight, rates, 1000)
        == steps_to_arrive(momentum, turned, rates, 1000)
    ).all()
    assert steps_to_arrive(momentum, straight, rates, 1000).min() == 609
    for rule in (Adagrad(), RMSprop(alpha=0.9)):
        assert np.isfinite(steps_to_arrive(rule, straight, rates, 4000)).any()
        assert not np.isfinite(steps_to_arrive(rule, turned, rates, 4000)).any()


def test_rmsprop_gets_stuck_on_unscaled_inputs():
    rng = np.random.default_rng(0)
    x = rng.uniform(10, 700, 100)
    y = 20 + 2.7 * x + rng.normal(0, 50, 100)
    problem = linear_regression(x, y, start=[-120.0, -4.0])
    least = float(problem.loss(problem.minimum))
    run = descend(problem, RMSprop(alpha=0.9), 0.1, 5000)
    assert run.final_loss - least == pytest.approx(488, abs=1)


@pytest.mark.slow
def test_all_zero_weights_are_a_saddle_for_ever():
    # 3000 steps of full-batch gradient descent on a tanh network, in NumPy: tanh(0) = 0, so only
    # the biases of the output ever get a gradient.
    from course_utils.experiments.datasets import digits

    data = digits().subset(300)
    x, y = np.asarray(data.train.x, dtype=float), np.eye(10)[data.train.y]
    w1, b1, w2, b2 = np.zeros((64, 64)), np.zeros(64), np.zeros((64, 10)), np.zeros(10)
    for _ in range(3000):
        h = np.tanh(x @ w1 + b1)
        z = h @ w2 + b2
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        g = (p - y) / len(x)
        gh = g @ w2.T * (1 - h**2)
        steps = x.T @ gh, gh.sum(axis=0), h.T @ g, g.sum(axis=0)
        w1, b1, w2, b2 = (p - 0.5 * s for p, s in zip((w1, b1, w2, b2), steps))
    assert not w1.any() and not w2.any() and not b1.any()
    assert -np.log(p[y == 1]).mean() == pytest.approx(math.log(10), abs=0.02)


# --- the explorer ------------------------------------------------------------------------------


@pytest.fixture
def explorer():
    made = race.race()
    yield made
    made.close()


@pytest.mark.parametrize("rotation", [0, 45])
@pytest.mark.parametrize("surface", race.SURFACES)
def test_table_agrees_with_single_problems(surface, rotation):
    problem = quadratic(race.SURFACES[surface], start=[1.0, -10.0], rotation=rotation)
    for name, make in race.RULES.items():
        data = race.compute_race(surface, rotation, name, 12)
        (alone,) = steps_to_arrive(make(), problem, [data["lr"]], race.STEPS)
        assert data["at_this_rate"][name] == alone
        assert data["best"][name] == data["steps"][name].min()
        assert np.array_equal(data["w"][0], problem.start)
        run = descend(problem, make(), data["lr"], race.STEPS)
        early = slice(0, 50)  # rounding grows where a run jumps about its goal
        np.testing.assert_allclose(data["w"][early], run.params[early], rtol=1e-6, atol=1e-9)
        assert (np.isfinite(data["w"]) == np.isfinite(run.params)).all()


def test_tasks_can_be_reached_and_are_not_reached_at_first(explorer):
    assert not explorer.task_reached
    explorer.set(index=11)
    assert explorer.task_reached and "402 steps, 556 steps" in explorer.state
    explorer.set(rotation=45)
    assert not explorer.task_reached

    second = race.race("momentum beats both")
    assert not second.task_reached
    second.set(rotation=45, rule="momentum", index=12)
    assert second.task_reached and "609 steps" in second.state
    second.set(rule="Adam")
    assert not second.task_reached
    second.close()


def test_every_preset_and_every_rule_can_be_drawn(explorer):
    pictures = set()
    for button in explorer.buttons.values():
        button.click()
        pictures.add(explorer.image.value)
    assert len(pictures) == len(explorer.buttons)
    for rule in race.RULES:
        explorer.set(rule=rule, index=32)  # most of them diverge here
        assert rule in explorer.state


def test_static_picture_says_what_it_shows(explorer):
    picture = explorer.static(rotation=45, rule="Adam", index=17)
    assert "turned by 45°. Adam at rate 0.133: never" in picture.alt
    assert explorer.values["rotation"] == 0


def test_contours_are_contours():
    for surface, curvatures in race.SURFACES.items():
        problem = quadratic(curvatures, rotation=20)
        for line in race.contours(surface, 20):
            assert np.ptp(problem.loss(line)) < 1e-9 * problem.loss(line).max()


def test_an_unknown_task_is_refused():
    with pytest.raises(ValueError, match="task must be one of"):
        race.race("win")


def test_views_refuse_what_they_cannot_draw():
    run = descend(quadratic([1.0, 2.0]), GradientDescent(), 0.1, 3)
    with pytest.raises(ValueError, match="metrics"):
        race.draw_acting(views.subplots()[1], run, ("a", "b"))
    run = descend(quadratic([1.0, 2.0]), Adam(), 0.1, 3)
    with pytest.raises(ValueError, match="labels must hold 2"):
        race.draw_acting(views.subplots()[1], run, ("a",))
    with pytest.raises(ValueError, match="budget must be 1"):
        race.draw_steps(views.subplots()[1], [0.1], {"a": np.array([1.0])}, 0)
