"""One small network as a function of its weights, so that the lesson can write its loop itself."""

from __future__ import annotations

import numpy as np

from course_utils import validate
from course_utils.experiments.batches import with_ones
from course_utils.experiments.datasets import Split
from course_utils.experiments.networks import Networks


class Network:
    r"""A classifier with one hidden layer of ReLU units; its P weights lie in one vector `w`.

    .. math:: p = \operatorname{softmax}(V \max(0, U x + a) + b), \quad L(w) = -\overline{\log p_y}

    The networks of `course_utils.experiments.sweep` with the same seed are the same.

    Args:
        inputs, hidden, classes: the number of pixels, of hidden units, of answers.

    Example:
        >>> from course_utils.experiments.datasets import digits
        >>> network, images = Network(64, 64, 10), digits().train
        >>> w = network.start(seed=0)
        >>> w.shape, round(network.loss(w, images), 2), network.accuracy(w, images) < 0.2
        ((4810,), 2.3, True)
        >>> loss, gradient = network.loss_and_gradient(w, images)
        >>> network.loss(w - 0.1 * gradient, images) < loss
        True
    """

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        sizes = {"inputs": inputs, "hidden": hidden, "classes": classes}
        self.sizes = [validate.integer(name, size, minimum=1) for name, size in sizes.items()]
        self._one = self._networks(0)

    def start(self, seed: int) -> np.ndarray:
        """Return the random first weights that belong to a seed, shape (P,), float32."""
        return self._networks(validate.integer("seed", seed, minimum=0)).initial()[0]

    def loss_and_gradient(self, w: np.ndarray, images: Split) -> tuple[float, np.ndarray]:
        """Return the mean loss over the images, and its derivative by each weight, shape (P,)."""
        targets = np.eye(self.sizes[-1], dtype=np.float32)[images.y]
        loss, gradient = self._one.loss_and_gradient(
            w[None], with_ones(images)[None], targets[None]
        )
        return float(loss[0, 0]), gradient[0].copy()  # the original is overwritten by the next

    def loss(self, w: np.ndarray, images: Split) -> float:
        """Return the mean cross-entropy over the images."""
        return self._evaluate(w, images)[0]

    def accuracy(self, w: np.ndarray, images: Split) -> float:
        """Return the part of the images that is classified rightly, 0 to 1."""
        return self._evaluate(w, images)[1]

    def _evaluate(self, w: np.ndarray, images: Split) -> tuple[float, float]:
        loss, accuracy = self._one.evaluate(w[None], with_ones(images), images.y)
        return float(loss[0, 0]), float(accuracy[0, 0])

    def _networks(self, seed: int) -> Networks:
        return Networks(1, [seed], self.sizes, "relu", "cross_entropy", l2=0.0)
