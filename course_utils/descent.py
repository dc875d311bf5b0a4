"""Run an optimizer with a schedule on a toy problem and record every update."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils import validate
from course_utils.optimizers import Optimizer
from course_utils.problems import Problem
from course_utils.run import Run
from course_utils.schedules import as_schedule

if TYPE_CHECKING:
    from course_utils.schedules import Schedule

__all__ = ["descend"]


def descend(
    problem: Problem,
    optimizer: Optimizer,
    schedule: float | Schedule,
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
        schedule: the learning rate, a number or a `Schedule`; update t uses `schedule(t)`.
        steps: the number of updates T, at least 1.
        start: shape (d,), or (..., d) for independent replicas along the leading axes (a number
            will do for d = 1); `problem.start` if not given. float32 is kept, as in a network.
        gradient_noise: the standard deviation of the Gaussian noise added to every coordinate of
            every gradient.
        seed: of that noise; the same seed, the same run.
        record_params: keep the parameters before and after every update. Without it (thousands of
            replicas) only the result is kept, in `metrics["params"][-1]`.
        average_replicas: record the mean over the replicas of loss and gradient norm, T numbers
            each, in place of one column per replica.

    Returns:
        A `Run` with `lr` (T,), `loss` and `grad_norm` (T, ...), `params` (T + 1, ..., d) or None,
        and for optimizers that scale each parameter `metrics["scale"]`: `lr * scale` is the rate
        that really acted. As soon as a loss is not finite, that run has diverged: it is not
        updated any more, and its loss, gradient norm and parameters are infinity from there on.

    Raises:
        TypeError, ValueError: if an argument is not as described; nothing has run then.

    Example:
        >>> from course_utils.optimizers import GradientDescent
        >>> from course_utils.problems import shifted_square
        >>> run = descend(shifted_square(), GradientDescent(), 0.5, steps=2)
        >>> run.params.tolist(), run.loss.tolist(), run.final_loss
        ([[5.0], [-1.0], [-1.0]], [36.0, 0.0], 0.0)
    """
    if not isinstance(problem, Problem):
        raise TypeError(f"problem must be a Problem, got {problem!r}")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be an Optimizer such as Adam(), got {optimizer!r}")
    schedule = as_schedule(schedule)
    steps = validate.integer("steps", steps, minimum=1)
    w = _start(problem, start)
    noise = validate.nonnegative("gradient_noise", gradient_noise)
    seed = validate.integer("seed", seed, minimum=0)
    for name, value in (("record_params", record_params), ("average_replicas", average_replicas)):
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be True or False, got {value!r}")

    replicas = w.shape[:-1]
    row = () if average_replicas else replicas
    lr = np.asarray(schedule(np.arange(steps)), dtype=np.float64)
    # Infinity until shown otherwise: what is not reached stays at infinity.
    loss, grad_norm = np.full((steps, *row), np.inf), np.full((steps, *row), np.inf)
    params = np.full((steps + 1, *w.shape), np.inf) if record_params else None
    scales: list[Any] = []
    rng = np.random.default_rng(seed)
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
            if record_params:
                params[t] = np.where(alive[..., None], w, np.inf)
            w = optimizer.step(w, grad, float(lr[t]))
            if record_params and np.ndim(optimizer.scale):
                scales.append(optimizer.scale)
            now, alive = _alive(problem.loss(w), alive)
        w = np.where(alive[..., None], w, np.inf)
        final = now.mean() if average_replicas else now
    if record_params:
        params[steps] = w
    return Run(
        lr=lr,
        loss=loss,
        grad_norm=grad_norm,
        final_loss=final,
        params=params,
        metrics=_metrics(scales, steps) if record_params else {"step": [steps], "params": w[None]},
        meta={
            "problem": problem.name,
            "problem_parameters": _plain(problem.parameters),
            "optimizer": optimizer.name,
            "optimizer_parameters": _plain(optimizer.parameters),
            "schedule": schedule.name,
            "schedule_parameters": _plain(schedule.parameters),
            "steps": steps,
            "replicas": list(replicas),
            "gradient_noise": noise,
            "seed": seed,
        },
    )


def _start(problem: Problem, start: Any) -> np.ndarray:
    """The first parameters, checked, shape (..., d)."""
    if start is None:
        return problem.start.copy()
    w = validate.array("start", start)
    if w.ndim == 0 and problem.dimension == 1:
        w = w[None]
    if w.shape[-1:] != (problem.dimension,):
        raise ValueError(
            f"start must have shape ({problem.dimension},), or (replicas, {problem.dimension}), "
            f"got {w.shape}"
        )
    if not w.size:
        raise ValueError(f"start must hold at least one replica, got shape {w.shape}")
    return w.astype(np.float32) if getattr(start, "dtype", None) == np.float32 else w.copy()


def _alive(loss: Any, alive: Any) -> tuple[np.ndarray, np.ndarray]:
    """The loss with infinity where a run has ever left the finite numbers, and where it has not."""
    alive = np.logical_and(alive, np.isfinite(loss))
    return np.where(alive, loss, np.inf), alive


def _metrics(scales: list[np.ndarray], steps: int) -> dict[str, np.ndarray]:
    """The scale of every update, known once t + 1 updates are done; NaN where none was done."""
    if not scales:
        return {}
    scale = np.full((steps, *scales[0].shape), np.nan)
    scale[: len(scales)] = scales
    return {"step": np.arange(1, steps + 1), "scale": scale}


def _plain(value: Any) -> Any:
    """`value` in types that JSON knows; a function or a schedule becomes its name."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else str(value)
    return str(getattr(value, "name", None) or getattr(value, "__name__", None) or value)
