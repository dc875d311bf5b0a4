"""What the articles say about adaptive methods and momentum: lesson 4, trials of the appendix."""

import numpy as np
import pytest
import torch
from judging import judges

from course_utils.descent import descend
from course_utils.experiments.datasets import digits
from course_utils.experiments.network import Network
from course_utils.lessons.lesson04.race import steps_to_arrive
from course_utils.optimizers import Adagrad, Adam, GradientDescent, RMSprop
from course_utils.problems import abc_surface, linear_regression, log_cosh_ravine, quadratic
from course_utils.schedules import custom, piecewise_constant

SURFACE = abc_surface()  # curvatures 100 and 0.01, from A = (1, -10) to C = (0, 0)
RATES = np.geomspace(1e-4, 10, 41)


def steps_on(rule, slopes):
    """The length of each step at rate 1, if a rule meets these slopes."""
    rule.reset()
    return np.array([-float(rule.step(0.0, slope, 1.0)) for slope in slopes])


# --- one rate for two curvatures -----------------------------------------------------------------


@judges("003-G1")
def test_the_loss_of_the_ravine_goes_flat_at_a_large_gradient():
    run = descend(log_cosh_ravine(), GradientDescent(), 0.1, steps=400)
    return run.loss[-1] > 0.85 * run.loss[100] and run.grad_norm[100:].min() > 3


@judges("003-C4")
def test_on_the_floor_gradient_descent_is_late():
    """By its closed form: each step at the best stable rate multiplies w2 by 1 - 0.0199·0.01."""
    run = descend(SURFACE, GradientDescent(), 0.0199, steps=2000)
    assert run.params[-1, 1] == pytest.approx(-10 * (1 - 0.0199 * 0.01) ** 2000, rel=1e-9)
    patient = np.log(0.1 / 10) / np.log(1 - 0.0199 * 0.01)
    return not np.isfinite(patient), run.params[-1, 1] < -5 and patient > 20_000


@judges("003-C5", "003-G3", "003-G4")
def test_no_rate_manages_both_parts():
    surface = abc_surface()
    assert np.diag(surface.hessian(surface.start)).tolist() == [100.0, 0.01]
    return not np.isfinite(steps_to_arrive(GradientDescent(), surface, RATES, steps=5000)).any()


@judges("003-C6")
def test_only_who_starts_exactly_on_a_saddle_stays_there():
    """All weights of a network 0, or random and tiny: full batches of 300 digits, rate 0.5."""
    network, images = Network(64, 16, 10), digits().subset(300).train
    draw, left = np.random.default_rng(0), {}
    for size in (0.0, 1e-3):
        w = (size * draw.standard_normal(64 * 16 + 16 + 170)).astype(np.float32)
        for _ in range(600):
            w = w - 0.5 * network.loss_and_gradient(w, images)[1]
        left[size] = network.loss(w, images) < 1
    return left[0.0], left[1e-3]


# --- Adagrad -------------------------------------------------------------------------------------


@judges("003-C11", "003-C13")
def test_the_factor_is_the_root_of_the_sum_and_smaller_where_it_is_steep():
    run = descend(SURFACE, Adagrad(), 1.0, steps=200)
    sums = np.cumsum(SURFACE.gradient(run.params[:-1]) ** 2, axis=0)
    factor = run.metrics["scale"]
    return np.allclose(factor, 1 / np.sqrt(sums), rtol=1e-6) and (factor[:, 0] < factor[:, 1]).all()


@judges("003-C12")
def test_without_the_root_the_best_rate_depends_on_the_units():
    grid, best = np.geomspace(1e-4, 1e4, 33), {}
    for power in (0.5, 1.0):
        for units in (1, 10):
            w, s = np.tile(SURFACE.start, (len(grid), 1)), 0.0
            for _ in range(1000):
                g = units * SURFACE.gradient(w)
                s = s + g**2
                w = w - grid[:, None] * g / (s**power + 1e-12)
            best[power, units] = grid[SURFACE.loss(w).argmin()]
    assert best[0.5, 10] == best[0.5, 1]
    return best[1.0, 10] == best[1.0, 1]


@judges("003-F1", "003-F2")
def test_the_root_mean_square_is_adagrad_at_a_growing_rate():
    w, squares = SURFACE.start, []
    growing = descend(SURFACE, Adagrad(eps=0.0), custom(lambda t: 0.1 * (t + 1) ** 0.5), steps=300)
    for t in range(300):
        squares.append(SURFACE.gradient(w) ** 2)
        w = w - 0.1 / np.sqrt(np.mean(squares, axis=0)) * SURFACE.gradient(w)
        assert np.allclose(w, growing.params[t + 1], rtol=0, atol=1e-12)
    return True


@judges("003-C15")
def test_adagrad_stalls_on_an_endless_slope():
    steps = steps_on(Adagrad(), np.ones(10_000))
    assert np.allclose(steps, 1 / np.sqrt(np.arange(1, 10_001)))
    return (np.diff(steps) < 0).all() and steps.sum() < 0.1 * len(steps)


# --- RMSprop -------------------------------------------------------------------------------------


@judges("003-C16")
def test_two_rates_in_turn_beat_every_constant_one_for_a_single_parameter():
    """21 starts on the straight wall of the ravine, above its round bottom."""
    starts = np.column_stack([np.random.default_rng(0).uniform(15, 25, 21), np.zeros(21)])

    def arrived(schedule):
        run = descend(log_cosh_ravine(), GradientDescent(), schedule, 400, start=starts)
        late = int(np.flatnonzero(run.loss.max(axis=1) > 1e-6)[-1]) + 1
        return late if late < 400 else np.inf

    constant = min(arrived(lr) for lr in np.geomspace(0.02, 1, 25))
    return arrived(piecewise_constant([12], [0.4, 0.04])) < 0.5 * constant


@judges("003-C17")
def test_rmsprop_keeps_its_step_where_adagrads_shrinks():
    ours, sum_of_squares = (steps_on(rule, np.ones(10_000)) for rule in (RMSprop(), Adagrad()))
    return np.ptp(ours[5000:]) < 1e-9 and ours[-1] > 0.99 and sum_of_squares[-1] < 0.02


@judges("003-F3")
def test_the_lectures_start_makes_a_first_step_of_one_rate_and_pytorchs_of_ten():
    assert steps_on(RMSprop(), [7.0])[0] == pytest.approx(10, rel=1e-6)
    v = 7.0**2  # sigma_0 = |g_0|
    return 7.0 / v**0.5 == 1


@judges("003-C18")
def test_rmsprop_forgets_a_steep_part_and_its_rate_is_not_stable():
    changing = np.concatenate([np.full(500, 100.0), np.full(500, 1.0)])
    ours, sums = (steps_on(rule, changing)[500:].sum() for rule in (RMSprop(alpha=0.9), Adagrad()))
    scale = descend(SURFACE, RMSprop(alpha=0.9), 0.05, 3000).metrics["scale"]
    alive, rise = ours > 10 * sums, (scale[-1] / scale[0]).max()
    return alive and rise < 2, alive


@judges("003-C19")
def test_rmsprop_depends_on_alpha_at_its_best_rate():
    best = {a: steps_to_arrive(RMSprop(alpha=a), SURFACE, RATES, 2500).min() for a in (0.9, 0.99)}
    return best[0.99] > 1.5 * best[0.9]


# --- Adam ----------------------------------------------------------------------------------------


@judges("003-C20")
def test_without_momentum_and_correction_adam_is_rmsprop():
    bare = descend(SURFACE, Adam(beta1=0.0, bias_correction=False), 0.1, 500)
    same = descend(SURFACE, RMSprop(alpha=0.999), 0.1, 500)
    return np.allclose(bare.params, same.params, rtol=0, atol=1e-12)


@judges("003-F4")
def test_the_printed_formula_has_no_correction():
    t = np.arange(1, 101)
    printed = (1 - 0.9**t) / np.sqrt(1 - 0.999**t)
    steps = steps_on(Adam(bias_correction=False), np.ones(100))
    return np.allclose(steps, printed, rtol=1e-5) and abs(printed.max() - 6.57) < 0.005


@pytest.fixture(scope="module")
def line():
    """The 100 points of the article's program, from NumPy's old generator."""
    old = np.random.RandomState(0)
    x = 2 * old.rand(100)
    y = 4 + 3 * x + old.randn(100)
    return linear_regression(x, y, start=old.randn(2))


def away(line, rule, lr, steps=1000):
    return np.linalg.norm(descend(line, rule, lr, steps).params - line.minimum, axis=1)


@judges("003-E1", "003-G5")
def test_the_program_of_article_003(line):
    """Ten lines of Adam, at 0.1 for 100 epochs: what it prints, and where its path starts."""
    w, m, v = line.start, 0.0, 0.0
    for t in range(1, 101):
        g = line.gradient(w)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    assert line.start[1] == pytest.approx(-1.37, abs=0.005)
    assert np.linalg.norm(w - line.minimum) == pytest.approx(0.144, abs=0.001)
    return np.allclose(w, (4.16754203, 3.10220156), rtol=0, atol=1e-7)


@judges("003-C22")
def test_adam_may_not_converge(line):
    """It stops early, and (Reddi et al. 2018) with a short memory it ends at the worst point."""
    ends = {}
    for beta2 in (1 / 17, 0.999):
        rule, w = Adam(beta1=0.0, beta2=beta2, bias_correction=False), np.array([1.0])
        for t in range(5000):
            w = np.clip(rule.step(w, [4.0 if t % 3 == 0 else -1.0], 0.1 / (t + 1) ** 0.5), -1, 1)
        ends[beta2] = w[0]
    assert ends[0.999] < -0.99
    return away(line, Adam(), 0.1, 100)[-1] > 0.1 and ends[1 / 17] > 0.99


def test_the_advice_to_use_pytorchs_adam_is_fair(line):
    w = torch.tensor(line.start, dtype=torch.float64, requires_grad=True)
    theirs = torch.optim.Adam([w], lr=0.1)
    for _ in range(100):
        w.grad = torch.tensor(line.gradient(w.detach().numpy()))
        theirs.step()
    ours = descend(line, Adam(), 0.1, 100).params[-1]
    assert np.allclose(w.detach().numpy(), ours, rtol=0, atol=1e-12)


# --- momentum ------------------------------------------------------------------------------------


@judges("000-C30")
def test_nesterov_uses_no_higher_rate_at_the_limit_or_with_both_knobs_tuned():
    """Limits on a parabola against theory; then rate and momentum tuned on the long valley."""

    def rule(beta, nesterov):
        return GradientDescent(momentum=beta, nesterov=nesterov)

    limit = {False: 2 * 1.9, True: 2 * 1.9 / 2.8}
    best = {}
    for nesterov, most in limit.items():
        below, above = (
            descend(quadratic([1.0]), rule(0.9, nesterov), f * most, 2000).final_loss
            for f in (0.99, 1.01)
        )
        assert below < 1e-3 and not above < 1
        found = [
            (steps_to_arrive(rule(beta, nesterov), SURFACE, RATES, 1000), beta)
            for beta in (0.9, 0.95, 0.98, 0.99)
        ]
        steps, _ = min(found, key=lambda pair: pair[0].min())
        best[nesterov] = RATES[steps.argmin()]
    return limit[True] > limit[False] or best[True] > best[False]
