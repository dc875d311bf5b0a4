"""How lesson 4 judges an RMSprop that a learner has written."""

from __future__ import annotations

import numpy as np

from course_utils.course.exercises import call, expect


def rmsprop(gradient, w, lr, steps, alpha=0.99, eps=1e-8):
    """Divide each coordinate by the root of a moving average of its squared gradients."""
    v, path = 0.0, [w]
    for _ in range(steps):
        g = gradient(w)
        v = alpha * v + (1 - alpha) * g**2
        w = w - lr * g / (np.sqrt(v) + eps)
        path.append(w)
    return np.array(path)


def _variants(gradient, w, lr, steps, alpha, eps):
    """Paths of typical mistakes in `rmsprop`, each with what to tell the learner."""

    def run(average, divide, sign=-1.0, first=lambda g: 0.0):
        v, point, path = None, w, [w]
        for _ in range(steps):
            g = gradient(point)
            v = average(first(g) if v is None else v, g)
            point = point + sign * lr * g / divide(v)
            path.append(point)
        return np.array(path)

    def mean(v, g):
        return alpha * v + (1 - alpha) * g**2

    def outside(v):
        return np.sqrt(v) + eps

    yield run(mean, outside, sign=1.0), "you walk uphill: subtract the step."
    yield (
        run(lambda v, g: v + g**2, outside),
        "that is Adagrad: the squares add up and never fade. Weigh the old ones with α.",
    )
    yield (
        run(lambda v, g: (1 - alpha) * v + alpha * g**2, outside),
        "α and 1 − α are swapped: α is the part of the old average that is kept.",
    )
    yield (
        run(mean, lambda v: np.sqrt(v + eps)),
        "eps belongs outside the root here, as in PyTorch (Keras puts it inside).",
    )
    yield (
        run(mean, outside, first=lambda g: g**2),
        "the average starts at 0 here; you start it from the first squared gradient (the lecture).",
    )
    yield run(mean, lambda v: v + eps), "the root is missing: without it the step has a unit."
    yield (
        run(lambda v, g: alpha * v + g**2, outside),
        "the new square needs the weight 1 − α, or it is not an average.",
    )


def grade_rmsprop(answer):
    """Run the learner's RMSprop beside the right one and typical wrong ones."""
    curvature, start = np.array([2.0, 0.5]), np.array([1.0, -2.0])
    settings = {"lr": 0.05, "steps": 6, "alpha": 0.8, "eps": 0.01}

    def gradient(w):
        return curvature * w

    got = call(answer, gradient, start, **settings)
    expect(
        isinstance(got, (list, tuple, np.ndarray)),
        f"return the whole path, not a {type(got).__name__}.",
    )
    path, right = np.asarray(got, dtype=float), rmsprop(gradient, start, **settings)
    expect(
        path.shape != start.shape, "that is one point. Return the path: the start and each step."
    )
    expect(
        len(path) == len(right),
        f"{settings['steps']} steps visit {len(right)} points, start included; "
        f"you returned {len(path)}.",
    )
    expect(
        len(np.unique(path, axis=0)) > 1,
        "all points are the same: `w -= ...` changes one array in place, and the path holds it "
        "again and again. Write `w = w - ...`, or append a copy.",
    )
    for wrong, why in _variants(gradient, start, **settings):
        expect(not np.allclose(path, wrong, rtol=0, atol=1e-9), why)
    expect(
        np.allclose(path, right, rtol=0, atol=1e-9),
        "the path is not RMSprop's: v ← αv + (1 − α)g², then w ← w − lr·g/(√v + eps).",
    )
    return "The same path as the library's, with any α and eps."
