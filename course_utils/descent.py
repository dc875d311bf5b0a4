"""Run an optimizer with a schedule on a toy problem and record every update."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from course_utils import validate
from course_utils.optimizers import Optimizer
from course_utils.problems import Problem
from course_utils.run import Run
from course_utils.schedule import Schedule, as_schedule


def descend(
    problem: Problem,
    optimizer: Optimizer,
    schedule: float | Schedule | Sequence[float | Schedule],
    steps: int,
    start: Any = None,
    gradient_noise: float = 0.0,
    seed: int = 0,
    *,
    record_params: bool = True,
    average_replicas: bool = False,
) -> Run:
    r"""Minimize `problem` from `start` and record every update.

    .. math:: w_{t+1} = \text{step}\big(w_t,\ \nabla f(w_t) + \xi_t,\ \eta_t\big)

    Args:
        problem: what to minimize, with d parameters.
        optimizer: the update rule; it is `reset()` first.
        schedule: update t uses `schedule(t)`. A list of K gives each of K replicas its own.
        steps: the number of updates T, at least 1.
        start: shape (d,), or (..., d) for independent replicas along the leading axes, the last of
            them K; `problem.start` if not given. float32 is kept, as in a network.
        gradient_noise: the standard deviation of the Gaussian noise :math:`\xi`.
        seed: of that noise; the same seed, the same run.
        record_params: without it only the result is kept, in `metrics["params"][-1]`.
        average_replicas: record the mean over the replicas of loss and gradient norm.

    Returns:
        A `Run` with `lr` (T,) or (T, K), and for optimizers that scale each parameter
        `metrics["scale"]`: `lr * scale` is the rate that really acted. From where a loss is not
        finite, loss, gradient norm and parameters of that run are infinity.

    Example:
        >>> from course_utils.optimizers import GradientDescent
        >>> from course_utils.problems import shifted_square
        >>> run = descend(shifted_square(), GradientDescent(), 0.5, steps=2)
        >>> run.params.tolist(), run.loss.tolist(), run.final_loss
        ([[5.0], [-1.0], [-1.0]], [36.0, 0.0], 0.0)
    """
    validate.instance("problem", problem, Problem)
    validate.instance("optimizer", optimizer, Optimizer, "such as Adam()")
    steps = validate.integer("steps", steps, minimum=1)
    lr, schedules = _rates(schedule, steps)
    w = _start(problem, start, lr.shape[1:])
    noise = validate.nonnegative("gradient_noise", gradient_noise)
    rng = np.random.default_rng(validate.integer("seed", seed, minimum=0))
    record_params = validate.boolean("record_params", record_params)
    row = () if validate.boolean("average_replicas", average_replicas) else w.shape[:-1]

    # Infinity until shown otherwise: what is not reached stays at infinity.
    loss, grad_norm = np.full((steps, *row), np.inf), np.full((steps, *row), np.inf)
    params = np.full((steps + 1, *w.shape), np.inf) if record_params else None
    scales: list[Any] = []
    optimizer.reset()
    with np.errstate(all="ignore"):  # to diverge is a result, not an accident
        now, alive = _alive(problem.loss(w), True)
        for t in range(steps):
            if not alive.any():
                break
            grad = problem.gradient(w)
            if noise:
                grad = grad + noise * rng.standard_normal(w.shape)
            norm = np.where(alive, np.sqrt(np.sum(grad * grad, axis=-1)), np.inf)
            loss[t] = now.mean() if average_replicas else now
            grad_norm[t] = norm.mean() if average_replicas else norm
            if params is not None:
                params[t] = np.where(alive[..., None], w, np.inf)
            w = optimizer.step(w, grad, float(lr[t]) if lr.ndim == 1 else lr[t][:, None])
            if record_params and np.ndim(optimizer.scale):
                scales.append(optimizer.scale)
            now, alive = _alive(problem.loss(w), alive)
        w = np.where(alive[..., None], w, np.inf)
        final = now.mean() if average_replicas else now
    metrics = {} if record_params else {"step": np.array([steps]), "params": w[None]}
    if params is not None:
        params[steps] = w
    if scales:  # known once t + 1 updates are done; NaN where none was done
        scale = np.full((steps, *scales[0].shape), np.nan)
        scale[: len(scales)] = scales
        metrics = {"step": np.arange(1, steps + 1), "scale": scale}
    meta = {
        "problem": problem.name,
        "problem_parameters": dict(problem.parameters),
        "optimizer": optimizer.name,
        "optimizer_parameters": optimizer.parameters,
        "schedule": schedules,
        "steps": steps,
        "replicas": list(w.shape[:-1]),
        "gradient_noise": noise,
        "seed": int(seed),
    }
    return Run(lr, loss, grad_norm, final, params, metrics, meta)


def _rates(schedule: Any, steps: int) -> tuple[np.ndarray, str]:
    """The rate of every update, (T,) or (T, K) for K schedules, and what they are."""
    if isinstance(schedule, (list, tuple)) or (np.ndim(schedule) and not callable(schedule)):
        each = [as_schedule(one, f"schedule[{i}]") for i, one in enumerate(schedule)]
        if not each:
            raise ValueError("schedule must hold at least one schedule, got an empty list")
        return np.stack([one.rates(steps) for one in each], axis=1), repr(each)
    schedule = as_schedule(schedule, "schedule")
    return schedule.rates(steps), repr(schedule)


def _start(problem: Problem, start: Any, schedules: tuple[int, ...]) -> np.ndarray:
    """The first parameters, checked, shape (..., d), or (..., K, d) for K schedules."""
    w = problem.start if start is None else validate.array("start", start, keep=(np.float32,))
    wanted = (*schedules, problem.dimension)
    if w.ndim == 0 and problem.dimension == 1:
        w = w[None]
    w = np.tile(w, (*schedules, 1)) if w.shape == wanted[-1:] else w.copy()
    if w.shape[-len(wanted) :] != wanted:
        last = ", ".join(map(str, wanted))
        raise ValueError(f"start must have shape {wanted[-1:]} or (..., {last}), got {w.shape}")
    if not w.size:
        raise ValueError(f"start must hold at least one replica, got shape {w.shape}")
    return w


def _alive(loss: Any, alive: Any) -> tuple[np.ndarray, np.ndarray]:
    """The loss with infinity where a run has ever left the finite numbers, and where it has not."""
    alive = np.logical_and(alive, np.isfinite(loss))
    return np.where(alive, loss, np.inf), alive
