r"""Toy losses with everything known about them: gradient, Hessian, start and minimum.

All functions are batched, `w` has shape (..., d): one call serves a point, a whole trajectory, a
grid for a contour plot, or thousands of replicas of one experiment.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from course_utils import validate

Field = Callable[[Any], np.ndarray]


@dataclass(frozen=True, eq=False)
class Problem:
    r"""A loss :math:`f(w)` of d parameters to be minimized.

    Loss, gradient and Hessian are functions of w, shape (..., d), to (...,), (..., d) and
    (..., d, d). `start` and `minimum` (a global one, None where there is none) have shape (d,).
    `formula` is LaTeX without dollar signs; `parameters` are what the problem was made with.

    >>> shifted_square().loss([[5.0], [-1.0]])
    array([36.,  0.])
    """

    name: str
    formula: str
    loss: Field = field(repr=False)
    gradient: Field = field(repr=False)
    hessian: Field = field(repr=False)
    start: np.ndarray
    minimum: np.ndarray | None = None
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        start = np.array(validate.array("start", self.start, ndim=1))
        if not start.size:
            raise ValueError("start must hold at least one parameter, got an empty array")
        points = {"start": start}
        if self.minimum is not None:
            points["minimum"] = np.array(validate.array("minimum", self.minimum, shape=start.shape))
        for name, point in points.items():
            point.flags.writeable = False  # they are not changed by accident
            object.__setattr__(self, name, point)
        for name in ("loss", "gradient", "hessian"):
            object.__setattr__(self, name, _checked(name, getattr(self, name), start.size))

    @property
    def dimension(self) -> int:
        """The number of parameters d."""
        return self.start.size


def stable_rate(problem: Problem, w: Any = None) -> float | np.ndarray:
    r"""Return the largest stable rate of gradient descent near `w`, from the curvature there.

    .. math:: \eta_{\max} = 2 / \lambda_{\max}(\nabla^2 f(w))

    `w` has shape (..., d) and is the minimum if not given (the start if there is none); the rate is
    a float or an array (...,), infinity where nothing curves upwards. LeCun, Bottou, Orr & Müller
    1998, Efficient BackProp, section 5.1.

    >>> stable_rate(shifted_square())
    1.0
    """
    validate.instance("problem", problem, Problem)
    if w is None:
        w = problem.start if problem.minimum is None else problem.minimum
    w = validate.array("w", w)
    largest = np.linalg.eigvalsh(problem.hessian(w))[..., -1]
    with np.errstate(divide="ignore"):
        rate = np.where(largest > 0, 2.0 / np.maximum(largest, 0.0), np.inf)
    return float(rate) if rate.ndim == 0 else rate


def shifted_square(start: float = 5.0) -> Problem:
    r"""Return the parabola :math:`f(w) = (w + 1)^2`: minimum at -1, curvature 2, stable below 1.

    >>> shifted_square().hessian([0.0])
    array([[2.]])
    """
    start = validate.finite("start", start)
    return Problem(
        name="shifted square",
        formula=r"(w + 1)^2",
        loss=lambda w: (w[..., 0] + 1) ** 2,
        gradient=lambda w: 2 * (w + 1),
        hessian=lambda w: _constant_hessian(w, np.array([[2.0]])),
        start=np.array([start]),
        minimum=np.array([-1.0]),
        parameters={"start": start},
    )


def quadratic(curvatures: Any, start: Any = None, rotation: float = 0.0) -> Problem:
    r"""Return :math:`f(w) = \tfrac12 \sum_i \lambda_i u_i^2` with :math:`u = R^\top w`.

    The curvatures are the eigenvalues of the Hessian. The start, shape (d,), ones if not given, is
    in the coordinates u: it turns with the surface, by `rotation` degrees (d = 2) to the left.

    >>> quadratic([4.0, 1.0], rotation=90).hessian([0.0, 0.0]).round(12)
    array([[1., 0.],
           [0., 4.]])
    """
    curvatures = validate.array("curvatures", curvatures, ndim=1)
    if not curvatures.size:
        raise ValueError("curvatures must hold at least one number, got an empty array")
    d = len(curvatures)
    start = np.ones(d) if start is None else validate.array("start", start, shape=(d,))
    rotation = validate.finite("rotation", rotation)
    given = {"curvatures": curvatures.tolist(), "start": start.tolist(), "rotation": rotation}
    if rotation and d != 2:
        raise ValueError(f"rotation must be 0 without 2 curvatures, got {rotation} with {d}")
    turn, matrix = np.eye(d), np.diag(curvatures)
    if rotation:
        c, s = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
        turn = np.array([[c, -s], [s, c]])
        matrix = (turn * curvatures) @ turn.T

    def loss(w: np.ndarray) -> Any:
        return 0.5 * np.sum(curvatures * (w @ turn if rotation else w) ** 2, axis=-1)

    def gradient(w: np.ndarray) -> Any:
        # Per coordinate exact zeros stay exact.
        return w @ matrix if rotation else curvatures.astype(w.dtype) * w

    turned = r"\frac{1}{2} \sum_i \lambda_i u_i^2, \quad u = R^\top w"
    return Problem(
        name="quadratic",
        formula=turned if rotation else r"\frac{1}{2} \sum_i \lambda_i w_i^2",
        loss=loss,
        gradient=gradient,
        hessian=lambda w: _constant_hessian(w, matrix),
        start=turn @ start,
        minimum=np.zeros(d) if (curvatures >= 0).all() else None,
        parameters=given,
    )


def abc_surface(rotation: float = 0.0) -> Problem:
    r"""Return the A-B-C surface: a steep wall from A to B, then a flat valley floor from B to C.

    :math:`f(w) = \tfrac12 (100\, w_1^2 + 0.01\, w_2^2)`: no one rate serves both directions.
    Gradient descent does not notice a rotation; optimizers that scale each coordinate do.

    >>> abc_surface().gradient([1.0, -10.0])
    array([100. ,  -0.1])
    """
    bowl = quadratic([100.0, 0.01], start=[1.0, -10.0], rotation=rotation)
    formula = r"\frac{1}{2} (100\, u_1^2 + 0.01\, u_2^2)"
    given = {"rotation": float(rotation)}
    return replace(bowl, name="A-B-C surface", formula=formula, parameters=given)


def log_cosh_ravine() -> Problem:
    r"""Return a ravine whose walls are not parabolas: :math:`f(x, y) = \log\cosh(5x) + 0.01 y^2`.

    Above :math:`\eta = 2/25` gradient descent does not diverge: it jumps between the two walls.

    >>> stable_rate(log_cosh_ravine())
    0.08
    """

    def loss(w: np.ndarray) -> Any:
        x, y = w[..., 0], w[..., 1]
        # log cosh z = log(e^z + e^-z) - log 2 without overflow
        return np.logaddexp(5 * x, -5 * x) - math.log(2) + 0.01 * y**2

    def hessian(w: np.ndarray) -> np.ndarray:
        xx = 25 * (1 - np.tanh(5 * w[..., 0]) ** 2)
        return _symmetric(xx, np.zeros_like(xx), np.full_like(xx, 0.02))

    return Problem(
        name="log cosh ravine",
        formula=r"\log\cosh(5 w_1) + 0.01\, w_2^2",
        loss=loss,
        gradient=lambda w: np.stack([5 * np.tanh(5 * w[..., 0]), 0.02 * w[..., 1]], axis=-1),
        hessian=hessian,
        start=np.array([1.5, 3.0]),
        minimum=np.zeros(2),
    )


def curved_valley() -> Problem:
    r"""Return a steep valley whose floor winds: adaptive methods burst out of it late.

    :math:`f(w) = 50 (w_1 - 0.05 \sin(w_2/2))^2 + 0.005\, w_2^2`: across, the curvature is 100.

    >>> float(curved_valley().loss([0.0, 0.0]))
    0.0
    """

    def off(w: np.ndarray) -> Any:
        return w[..., 0] - 0.05 * np.sin(0.5 * w[..., 1])

    def gradient(w: np.ndarray) -> np.ndarray:
        along = -2.5 * off(w) * np.cos(0.5 * w[..., 1]) + 0.01 * w[..., 1]
        return np.stack([100 * off(w), along], axis=-1)

    def hessian(w: np.ndarray) -> np.ndarray:
        r, cos, sin = off(w), np.cos(0.5 * w[..., 1]), np.sin(0.5 * w[..., 1])
        along = 0.0625 * cos**2 + 1.25 * r * sin + 0.01
        return _symmetric(np.full_like(r, 100.0), -2.5 * cos, along)

    return Problem(
        name="curved valley",
        formula=r"50 (w_1 - 0.05 \sin(w_2/2))^2 + 0.005\, w_2^2",
        loss=lambda w: 50 * off(w) ** 2 + 0.005 * w[..., 1] ** 2,
        gradient=gradient,
        hessian=hessian,
        start=np.array([0.5, -20.0]),
        minimum=np.zeros(2),
    )


def double_well(tilt: float = 0.3) -> Problem:
    r"""Return two wells, one deeper: :math:`f(x) = (x^2 - 1)^2 + a x`.

    With a tilt of :math:`|a| > 8/(3\sqrt 3) \approx 1.54` there would be only one. A run starts at
    the bottom of the *shallow* well; `minimum` is that of the deep one.

    >>> double_well().minimum.round(3)
    array([-1.036])
    """
    tilt = validate.finite("tilt", tilt)
    limit = 8 / (3 * math.sqrt(3))
    if not 0 < abs(tilt) < limit:
        raise ValueError(f"tilt must be nonzero, -{limit:.4f} to {limit:.4f}, got {tilt}")
    left, _, right = np.sort(np.roots([4.0, 0.0, -4.0, tilt]).real)
    shallow, deep = (right, left) if tilt > 0 else (left, right)
    return Problem(
        name="double well",
        formula=rf"(w^2 - 1)^2 {'+' if tilt > 0 else '-'} {abs(tilt):g}\, w",
        loss=lambda w: (w[..., 0] ** 2 - 1) ** 2 + tilt * w[..., 0],
        gradient=lambda w: 4 * w * (w * w - 1) + tilt,
        hessian=lambda w: (12 * w * w - 4)[..., None],
        start=np.array([shallow]),
        minimum=np.array([deep]),
        parameters={"tilt": tilt},
    )


def sharp_and_flat() -> Problem:
    r"""Return a sharp local well in a flat global bowl.

    :math:`f(x) = 0.1 (x + 3)^2 - 1.5\, e^{-((x - 1)/0.25)^2}`. Gradient descent is stable below
    0.042 at the bottom of the sharp well, where a run starts, and below 10 around the minimum -3.

    >>> round(stable_rate(sharp_and_flat(), w=[0.98]), 3)
    0.042
    """

    def dip(w: np.ndarray) -> Any:
        return 1.5 * np.exp(-(((w - 1) / 0.25) ** 2))

    def gradient(w: np.ndarray) -> Any:
        return 0.2 * (w + 3) + 32 * (w - 1) * dip(w)

    def second(w: np.ndarray) -> Any:
        return 0.2 + (32 - 1024 * (w - 1) ** 2) * dip(w)

    start = np.array([1.0])
    for _ in range(20):  # Newton: the bowl pulls the bottom of the well a little to the left
        start = start - gradient(start) / second(start)
    return Problem(
        name="sharp and flat",
        formula=r"0.1 (w + 3)^2 - 1.5\, e^{-((w - 1)/0.25)^2}",
        loss=lambda w: (0.1 * (w + 3) ** 2 - dip(w))[..., 0],
        gradient=gradient,
        hessian=lambda w: second(w)[..., None],
        start=start,
        minimum=np.array([-3.0]),
    )


def saddle() -> Problem:
    r"""Return a saddle between two minima: :math:`f(w) = \tfrac12 w_1^2 + \tfrac14 (w_2^2 - 1)^2`.

    A run starts at (1, 0), on the ridge, and ends in the saddle, the origin, unless it is pushed
    along :math:`w_2`. The other minimum is (0, -1).

    >>> saddle().loss([0.0, 1.0])
    np.float64(0.0)
    """

    def hessian(w: np.ndarray) -> np.ndarray:
        second = 3 * w[..., 1] ** 2 - 1
        return _symmetric(np.ones_like(second), np.zeros_like(second), second)

    return Problem(
        name="saddle",
        formula=r"\frac{1}{2} w_1^2 + \frac{1}{4} (w_2^2 - 1)^2",
        loss=lambda w: 0.5 * w[..., 0] ** 2 + 0.25 * (w[..., 1] ** 2 - 1) ** 2,
        gradient=lambda w: np.stack([w[..., 0], w[..., 1] * (w[..., 1] ** 2 - 1)], axis=-1),
        hessian=hessian,
        start=np.array([1.0, 0.0]),
        minimum=np.array([0.0, 1.0]),
    )


def slope(gradient: Any = 1.0) -> Problem:
    r"""Return an endless slope, :math:`f(w) = g \cdot w`: the gradient is g everywhere.

    g is a number (one parameter) or an array (d,). There is no minimum.

    >>> slope(3.0).gradient([7.0])
    array([3.])
    """
    g = np.atleast_1d(validate.array("gradient", gradient))
    if g.ndim != 1 or not g.size:
        raise ValueError(f"gradient must be a number or have shape (d,), got shape {g.shape}")
    return Problem(
        name="slope",
        formula=r"g \cdot w",
        loss=lambda w: w @ g,
        gradient=lambda w: np.zeros_like(w) + g.astype(w.dtype),
        hessian=lambda w: _constant_hessian(w, np.zeros((g.size, g.size))),
        start=np.zeros(g.size),
        parameters={"gradient": g.tolist()},
    )


def linear_regression(x: Any, y: Any, start: Any = None) -> Problem:
    r"""Return least squares on data, with an intercept, under the *mean* squared error.

    .. math::
        f(\theta) = \frac1n \sum_{i=1}^n \big\| \theta_0 + \theta_{1:}^\top x_i - y_i \big\|^2,
        \qquad \nabla^2 f = \frac2n X^\top X

    There is no factor 1/2, and several outputs are summed. x has shape (n,) or (n, p), y (n,) or
    (n, k), X is x with a column of ones in front. The parameters, and `start` (else zeros), are
    (intercept, slopes), shape (p + 1,); with k outputs the matrix (p + 1, k), row by row.

    >>> linear_regression([0.0, 1.0, 2.0], [1.0, 3.0, 5.0]).minimum.round(12)
    array([1., 2.])
    """
    x, y = validate.array("x", x), validate.array("y", y)
    if x.ndim not in (1, 2) or not x.size:
        raise ValueError(f"x must have shape (n,) or (n, p), got {x.shape}")
    if y.ndim not in (1, 2) or len(y) != len(x) or not y.size:
        raise ValueError(f"y must have shape ({len(x)},) or ({len(x)}, k), as x, got {y.shape}")
    n = len(x)
    design = np.column_stack([np.ones(n), x])
    targets = y.reshape(n, -1)
    p, k = design.shape[1], targets.shape[1]
    start = np.zeros(p * k) if start is None else validate.array("start", start, shape=(p * k,))
    # The gradient 2/n X'(X theta - y) needs the data only through these two products.
    gram, moment = 2 / n * design.T @ design, 2 / n * design.T @ targets

    def loss(w: np.ndarray) -> Any:
        residual = design @ w.reshape(*w.shape[:-1], p, k) - targets
        return np.sum(residual**2, axis=(-2, -1)) / n

    def gradient(w: np.ndarray) -> Any:
        return (gram @ w.reshape(*w.shape[:-1], p, k) - moment).reshape(w.shape)

    return Problem(
        name="linear regression",
        formula=r"\frac{1}{n} \sum_i \| \theta_0 + \theta_{1:}^\top x_i - y_i \|^2",
        loss=loss,
        gradient=gradient,
        hessian=lambda w: _constant_hessian(w, np.kron(gram, np.eye(k))),
        start=start,
        minimum=np.linalg.lstsq(design, targets, rcond=None)[0].ravel(),
        parameters={"samples": n, "inputs": p - 1, "outputs": k},
    )


def _constant_hessian(w: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """One copy of `matrix` for each point in `w`."""
    return np.tile(matrix, (*w.shape[:-1], 1, 1))


def _symmetric(xx: np.ndarray, xy: np.ndarray, yy: np.ndarray) -> np.ndarray:
    """The batched matrix [[xx, xy], [xy, yy]]."""
    return np.stack([np.stack([xx, xy], axis=-1), np.stack([xy, yy], axis=-1)], axis=-2)


def _checked(name: str, function: Field, d: int) -> Field:
    """`function` behind a check that the last axis of its argument has length d."""
    if not callable(function):
        raise TypeError(f"{name} must be a function of w, got {function!r}")

    def call(w: Any) -> np.ndarray:
        w = validate.floats("w", w)
        if w.shape[-1:] != (d,):
            raise ValueError(f"w must have shape (..., {d}), got {w.shape}")
        return function(w)

    return call
