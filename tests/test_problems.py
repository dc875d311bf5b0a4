"""The toy losses against automatic differentiation of their formulas, and what is said of them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import problems
from course_utils.problems import Problem, quadratic, stable_rate

few = settings(max_examples=40)  # runs of many steps: enough examples, in seconds
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((20, 3)), RNG.standard_normal((20, 2))
X1, Y1 = X[:, 0], Y[:, 0]
C, S = math.cos(math.radians(30)), math.sin(math.radians(30))


def regression(theta):
    design = torch.column_stack([torch.ones(20, dtype=torch.float64), torch.tensor(X)])
    return ((design @ theta.reshape(4, 2) - torch.tensor(Y)) ** 2).sum(1).mean()


# Each problem beside its formula, written again in torch: the independent reference.
FORMULAS = {
    "shifted_square": (problems.shifted_square(), lambda w: (w[0] + 1) ** 2),
    "quadratic": (quadratic([3.0, 0.5, 0.0]), lambda w: 1.5 * w[0] ** 2 + 0.25 * w[1] ** 2),
    "quadratic, negative": (quadratic([1.0, -2.0]), lambda w: 0.5 * w[0] ** 2 - w[1] ** 2),
    "quadratic, turned": (
        quadratic([4.0, 1.0], start=[1.0, 2.0], rotation=30),
        lambda w: 2 * (C * w[0] + S * w[1]) ** 2 + 0.5 * (C * w[1] - S * w[0]) ** 2,
    ),
    "abc_surface": (problems.abc_surface(), lambda w: 50 * w[0] ** 2 + 0.005 * w[1] ** 2),
    "abc_surface, turned": (
        problems.abc_surface(rotation=45),
        lambda w: 25 * (w[0] + w[1]) ** 2 + 0.0025 * (w[1] - w[0]) ** 2,
    ),
    "log_cosh_ravine": (
        problems.log_cosh_ravine(),
        lambda w: torch.log(torch.cosh(5 * w[0])) + 0.01 * w[1] ** 2,
    ),
    "curved_valley": (
        problems.curved_valley(),
        lambda w: 50 * (w[0] - 0.05 * torch.sin(0.5 * w[1])) ** 2 + 0.005 * w[1] ** 2,
    ),
    "double_well": (problems.double_well(), lambda w: (w[0] ** 2 - 1) ** 2 + 0.3 * w[0]),
    "double_well, other tilt": (
        problems.double_well(-1.0),
        lambda w: (w[0] ** 2 - 1) ** 2 - w[0],
    ),
    "sharp_and_flat": (
        problems.sharp_and_flat(),
        lambda w: 0.1 * (w[0] + 3) ** 2 - 1.5 * torch.exp(-(((w[0] - 1) / 0.25) ** 2)),
    ),
    "saddle": (
        problems.saddle(),
        lambda w: 0.5 * w[0] ** 2 + 0.25 * (w[1] ** 2 - 1) ** 2,
    ),
    "slope": (problems.slope([2.0, -1.0]), lambda w: 2 * w[0] - w[1]),
    "linear_regression": (
        problems.linear_regression(X1, Y1),
        lambda w: ((w[0] + w[1] * torch.tensor(X1) - torch.tensor(Y1)) ** 2).mean(),
    ),
    "linear_regression, several outputs": (problems.linear_regression(X, Y), regression),
}
each = pytest.mark.parametrize("problem, formula", FORMULAS.values(), ids=FORMULAS)


def points(problem, n=12):
    """Random points around the start and around the minimum, and both."""
    rng = np.random.default_rng(5)
    centers = [problem.start] + ([] if problem.minimum is None else [problem.minimum])
    return np.concatenate(
        [c + rng.standard_normal((n, problem.dimension)) for c in centers] + [centers]
    )


@each
def test_loss_gradient_and_hessian_are_those_of_the_formula(problem, formula):
    for w in points(problem):
        at = torch.tensor(w, requires_grad=True)
        value = formula(at)
        (gradient,) = torch.autograd.grad(value, at, create_graph=True)
        hessian = torch.autograd.functional.hessian(formula, torch.tensor(w))
        close = {"rtol": 1e-10, "atol": 1e-10}
        np.testing.assert_allclose(problem.loss(w), value.detach().numpy(), **close)
        np.testing.assert_allclose(problem.gradient(w), gradient.detach().numpy(), **close)
        np.testing.assert_allclose(problem.hessian(w), hessian.numpy(), **close)


@each
def test_gradient_and_hessian_are_finite_differences_of_loss_and_gradient(problem, formula):
    w, h = points(problem), 1e-6
    shifts = h * np.eye(problem.dimension)
    plus, minus = w[:, None] + shifts, w[:, None] - shifts
    slope = (problem.loss(plus) - problem.loss(minus)) / (2 * h)
    curve = (problem.gradient(plus) - problem.gradient(minus)) / (2 * h)
    size = 1 + np.abs(problem.hessian(w)).max()
    np.testing.assert_allclose(problem.gradient(w), slope, rtol=1e-6, atol=1e-6 * size)
    np.testing.assert_allclose(problem.hessian(w), curve, rtol=1e-6, atol=1e-6 * size)


@each
def test_batches_of_any_shape_are_many_single_points(problem, formula):
    d = problem.dimension
    w = np.random.default_rng(1).standard_normal((2, 3, d))
    assert problem.loss(w).shape == (2, 3)
    assert problem.gradient(w).shape == (2, 3, d)
    assert problem.hessian(w).shape == (2, 3, d, d)
    for name in ("loss", "gradient", "hessian"):
        function = getattr(problem, name)
        single = [[function(w[i, j]) for j in range(3)] for i in range(2)]
        np.testing.assert_allclose(function(w), single, rtol=1e-13, atol=1e-13)
        assert np.shape(function(w[0, 0])) == np.shape(function(w))[2:]


@each
def test_nothing_is_changed(problem, formula):
    w = problem.start.copy()
    for function in (problem.loss, problem.gradient, problem.hessian):
        result = function(w)
        assert not np.shares_memory(result, w)
        if result.ndim:
            result += 1.0
    np.testing.assert_array_equal(w, problem.start)
    np.testing.assert_array_equal(problem.hessian(w), problem.hessian(problem.start))
    with pytest.raises(ValueError, match="read-only"):
        problem.start[0] = 7.0


@each
def test_the_minimum_is_one(problem, formula):
    if problem.minimum is None:
        return
    best = problem.minimum
    np.testing.assert_allclose(problem.gradient(best), 0, atol=1e-12)
    assert np.linalg.eigvalsh(problem.hessian(best)).min() >= -1e-12
    around = best + np.random.default_rng(2).standard_normal((20_000, problem.dimension)) * 3
    assert problem.loss(best) <= problem.loss(around).min() + 1e-12


def test_no_minimum_where_there_is_none():
    assert problems.slope().minimum is None
    assert quadratic([1.0, -1.0]).minimum is None
    assert quadratic([1.0, 0.0]).minimum.tolist() == [0.0, 0.0]


def test_the_starts_that_the_lessons_rely_on():
    assert problems.shifted_square().start.tolist() == [5.0]
    assert problems.shifted_square(-3).start.tolist() == [-3.0]
    assert problems.abc_surface().start.tolist() == [1.0, -10.0]
    assert problems.log_cosh_ravine().start.tolist() == [1.5, 3.0]
    assert problems.curved_valley().start.tolist() == [0.5, -20.0]
    assert quadratic([1.0, 2.0, 3.0]).start.tolist() == [1.0, 1.0, 1.0]
    assert problems.linear_regression(X1, Y1, start=[1.0, 2.0]).start.tolist() == [1.0, 2.0]


def test_every_problem_is_a_record():
    for problem, _ in FORMULAS.values():
        assert problem.name and problem.formula and "$" not in problem.formula
        for value in problem.parameters.values():
            assert isinstance(value, (int, float, list))


# --------------------------------------------------------------------------------------------
# What is said of them
# --------------------------------------------------------------------------------------------


def test_double_well_has_the_two_wells_of_claim_x15():
    well = problems.double_well(0.3)
    assert well.start[0] == pytest.approx(0.960, abs=5e-4)
    assert well.minimum[0] == pytest.approx(-1.036, abs=5e-4)
    assert well.loss(well.start) == pytest.approx(0.294, abs=5e-4)
    assert well.loss(well.minimum) == pytest.approx(-0.305, abs=5e-4)
    assert stable_rate(well, well.start) == pytest.approx(0.283, abs=5e-4)
    barrier = np.linspace(-1, 1, 100_001)[:, None]
    assert well.loss(barrier).max() - well.loss(well.start) == pytest.approx(0.717, abs=5e-4)


@pytest.mark.parametrize("tilt", [-1.5, -0.3, -1e-3, 1e-3, 0.3, 1.5])
def test_double_well_starts_in_the_shallow_well(tilt):
    well = problems.double_well(tilt)
    np.testing.assert_allclose(well.gradient(well.start), 0, atol=1e-12)
    assert well.hessian(well.start)[0, 0] > 0
    assert well.loss(well.start) > well.loss(well.minimum)
    assert np.sign(well.start[0]) == np.sign(tilt)


def test_sharp_and_flat_is_sharp_at_the_start_and_flat_at_the_minimum():
    problem = problems.sharp_and_flat()
    np.testing.assert_allclose(problem.gradient(problem.start), 0, atol=1e-13)
    assert problem.start[0] == pytest.approx(0.983329, abs=1e-6)
    assert problem.hessian(problem.start)[0, 0] == pytest.approx(47.56, abs=0.01)
    assert stable_rate(problem) == pytest.approx(10.0)
    assert problem.loss(problem.minimum) < problem.loss(problem.start)


def test_the_saddle_holds_on_the_ridge_and_curves_down_beside_it():
    problem = problems.saddle()
    assert problem.gradient(problem.start)[1] == 0.0
    assert np.linalg.eigvalsh(problem.hessian([0.0, 0.0])).tolist() == [-1.0, 1.0]
    assert problem.loss([0.0, 1.0]) == problem.loss([0.0, -1.0]) == 0.0


def test_the_ravine_does_not_overflow_far_up_its_walls():
    with np.errstate(over="raise", invalid="raise"):
        ravine = problems.log_cosh_ravine()
        assert ravine.loss([1e3, 0.0]) == pytest.approx(5e3 - math.log(2))
        assert ravine.gradient([-1e3, 0.0]).tolist() == [-5.0, 0.0]


@few
@given(st.floats(-360, 360), st.floats(0.1, 10), st.floats(0.1, 10))
def test_turning_a_surface_with_its_start_changes_no_loss_and_no_curvature(angle, a, b):
    level, turned = (quadratic([a, b], start=[1.0, -2.0], rotation=r) for r in (0.0, angle))
    assert turned.loss(turned.start) == pytest.approx(float(level.loss(level.start)), rel=1e-12)
    curvatures = np.linalg.eigvalsh(turned.hessian(turned.start))
    np.testing.assert_allclose(curvatures, sorted([a, b]), rtol=1e-10)
    norms = [np.linalg.norm(p.gradient(p.start)) for p in (level, turned)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-12)


def test_linear_regression_is_the_demo_of_source_003():
    np.random.seed(0)  # noqa: NPY002 - the source's own draw
    x = 2 * np.random.rand(100, 1)  # noqa: NPY002
    y = 4 + 3 * x + np.random.randn(100, 1)  # noqa: NPY002
    start = np.random.randn(2, 1).ravel()  # noqa: NPY002
    problem = problems.linear_regression(x, y, start)
    assert problem.loss(problem.start) == pytest.approx(82.663, abs=5e-4)
    np.testing.assert_allclose(problem.minimum, [4.22215, 2.96847], atol=5e-6)
    assert problem.loss(problem.minimum) == pytest.approx(0.992439, abs=5e-7)
    eigenvalues = np.linalg.eigvalsh(problem.hessian(start))
    np.testing.assert_allclose(eigenvalues, [0.3219, 4.1313], atol=5e-5)
    assert stable_rate(problem) == pytest.approx(0.4841, abs=5e-5)


def test_linear_regression_with_dependent_inputs_still_has_a_minimum():
    problem = problems.linear_regression(np.column_stack([X1, X1]), Y1)
    np.testing.assert_allclose(problem.gradient(problem.minimum), 0, atol=1e-12)


# --------------------------------------------------------------------------------------------
# stable_rate
# --------------------------------------------------------------------------------------------


@few
@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=5))
def test_stable_rate_of_a_quadratic_is_two_over_its_largest_curvature(curvatures):
    assert stable_rate(quadratic(curvatures)) == pytest.approx(2 / max(curvatures), rel=1e-12)


def test_stable_rate_of_many_points_and_of_none_that_curves_up():
    problem = problems.saddle()
    rates = stable_rate(problem, [[0.0, 0.0], [0.0, 1.0], [0.0, -2.0]])
    np.testing.assert_allclose(rates, [2.0, 1.0, 2 / 11])
    assert stable_rate(problems.slope()) == math.inf
    assert stable_rate(quadratic([-1.0])) == math.inf
    assert isinstance(stable_rate(problem), float)


# --------------------------------------------------------------------------------------------
# Bad input
# --------------------------------------------------------------------------------------------

NAN, INF = math.nan, math.inf
BAD = [
    (problems.shifted_square, (NAN,), ValueError, "start"),
    (problems.shifted_square, ("5",), TypeError, "start"),
    (problems.shifted_square, ([5.0],), TypeError, "start"),
    (quadratic, ([1.0, NAN],), ValueError, "curvatures"),
    (quadratic, ([],), ValueError, "curvatures"),
    (quadratic, (3.0,), ValueError, "curvatures"),
    (quadratic, ([[1.0]],), ValueError, "curvatures"),
    (quadratic, ("ab",), TypeError, "curvatures"),
    (quadratic, ([1.0, 2.0], [1.0]), ValueError, "start"),
    (quadratic, ([1.0, 2.0], [1.0, INF]), ValueError, "start"),
    (quadratic, ([1.0, 2.0, 3.0], None, 45), ValueError, "rotation"),
    (quadratic, ([1.0, 2.0], None, NAN), ValueError, "rotation"),
    (problems.abc_surface, (INF,), ValueError, "rotation"),
    (problems.abc_surface, (None,), TypeError, "rotation"),
    (problems.double_well, (0.0,), ValueError, "tilt"),
    (problems.double_well, (1.54,), ValueError, "tilt"),
    (problems.double_well, (-1.54,), ValueError, "tilt"),
    (problems.double_well, (NAN,), ValueError, "tilt"),
    (problems.slope, ([],), ValueError, "gradient"),
    (problems.slope, ([[1.0]],), ValueError, "gradient"),
    (problems.slope, (NAN,), ValueError, "gradient"),
    (problems.linear_regression, ([1.0, 2.0], [1.0]), ValueError, "y"),
    (problems.linear_regression, (1.0, [1.0]), ValueError, "x"),
    (problems.linear_regression, ([], []), ValueError, "x"),
    (problems.linear_regression, (np.ones((2, 2, 2)), [1.0, 2.0]), ValueError, "x"),
    (problems.linear_regression, ([1.0, 2.0], np.ones((2, 1, 1))), ValueError, "y"),
    (problems.linear_regression, ([1.0, NAN], [1.0, 2.0]), ValueError, "x"),
    (problems.linear_regression, ([1.0, 2.0], [1.0, INF]), ValueError, "y"),
    (problems.linear_regression, ([1.0, 2.0], [1.0, 2.0], [0.0]), ValueError, "start"),
    (stable_rate, ("quadratic",), TypeError, "problem"),
    (stable_rate, (problems.saddle(), [1.0]), ValueError, "w must have shape"),
    (stable_rate, (problems.saddle(), [NAN, 1.0]), ValueError, "w"),
]


@pytest.mark.parametrize("function, arguments, error, name", BAD)
def test_bad_input(function, arguments, error, name):
    with pytest.raises(error, match=rf"^{name} "):
        function(*arguments)


@pytest.mark.parametrize("w", [[1.0, 2.0, 3.0], 1.0, [[1.0], [2.0]], []])
@pytest.mark.parametrize("name", ["loss", "gradient", "hessian"])
def test_a_point_of_the_wrong_dimension(name, w):
    with pytest.raises(ValueError, match=r"^w must have shape \(\.\.\., 2\), got"):
        getattr(problems.saddle(), name)(w)


def test_a_point_that_is_no_number():
    for w in (["a"], [None], [1j], [True]):
        with pytest.raises(TypeError, match="^w must be an array of numbers"):
            problems.shifted_square().loss(w)


def test_a_problem_of_ones_own():
    cube = Problem(
        name="quartic",
        formula="w^4",
        loss=lambda w: w[..., 0] ** 4,
        gradient=lambda w: 4 * w**3,
        hessian=lambda w: (12 * w**2)[..., None],
        start=[2],
        minimum=[0.0],
    )
    assert cube.loss([2]) == 16 and cube.dimension == 1
    for field, value in [("start", []), ("start", 2.0), ("start", [NAN]), ("minimum", [0.0, 0.0])]:
        with pytest.raises(ValueError, match=field):
            Problem(**{**vars(cube), field: value})
