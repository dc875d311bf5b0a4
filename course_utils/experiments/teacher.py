"""A task whose data never repeat: a fixed random network labels as many inputs as you like."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from course_utils import validate
from course_utils.experiments.batches import append_ones
from course_utils.experiments.datasets import Data, Split
from course_utils.experiments.networks import Networks

INPUTS, HIDDEN, CLASSES = 20, 16, 10
HELD_OUT = 2000
BLOCK = 2048  # examples that are drawn at once
# Every use of a seed gets its own stream.
_NETWORK, _HELD_OUT, _STREAM = 77, 78, 5


@dataclass(frozen=True)
class Teacher:
    r"""Gaussian inputs, and labels drawn from the softmax of a fixed ReLU network 20-16-10.

    .. math:: x \sim N(0, I), \qquad y \sim p(x) = \text{softmax}(W_2^T \max(0, W_1^T x + b))

    Labels are drawn, so no student can be always right: `best_accuracy` is what the teacher's own
    answers reach, `best_loss` the cross-entropy of its probabilities.

    Args:
        seed: which teacher.
        scale: of its last layer: the larger, the surer it is of its labels.
        held_out: "validation" and "test", each 2000 inputs (2000, 20) and their p (2000, 10).

    Example:
        >>> task = Teacher()
        >>> x, y = task.block(seed=0, index=7, batch_size=32)
        >>> x.shape, y.shape, round(task.best_accuracy, 3)
        ((64, 32, 20), (64, 32), 0.743)
    """

    seed: int = 0
    scale: float = 6.0
    held_out: dict[str, tuple[np.ndarray, np.ndarray]] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        seed = validate.integer("seed", self.seed, minimum=0)
        scale = validate.positive("scale", self.scale)
        rng = np.random.default_rng([seed, _NETWORK])
        w1 = rng.standard_normal((INPUTS, HIDDEN)) * math.sqrt(2 / INPUTS)
        b = rng.standard_normal(HIDDEN) * 0.3
        w2 = rng.standard_normal((HIDDEN, CLASSES)) * (scale / math.sqrt(HIDDEN))
        object.__setattr__(self, "_network", (w1, b, w2))
        held_out = {}
        for k, part in enumerate(("validation", "test")):
            x = np.random.default_rng([seed, _HELD_OUT, k]).standard_normal((HELD_OUT, INPUTS))
            x = x.astype(np.float32)
            held_out[part] = x, self.probabilities(x)
            for values in held_out[part]:
                values.setflags(write=False)
        object.__setattr__(self, "held_out", held_out)

    @property
    def name(self) -> str:
        """What it is, for the record of a run."""
        sizes = f"{INPUTS}-{HIDDEN}-{CLASSES}"
        return f"teacher {sizes}, scale {self.scale:g}" + f" (seed {self.seed})" * (self.seed != 0)

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """Return the probability of every class, (..., 10), for inputs (..., 20).

        In float64, so that the labels are the same on every processor.
        """
        w1, b, w2 = self._network
        z = np.maximum(x @ w1 + b, 0) @ w2
        p = np.exp(z - z.max(axis=-1, keepdims=True))
        return p / p.sum(axis=-1, keepdims=True)

    def block(self, seed: int, index: int, batch_size: int = 8) -> tuple[np.ndarray, np.ndarray]:
        """Draw one block of the stream of a seed, of K = max(1, 2048 // batch_size) batches.

        Args:
            seed: which stream.
            index: which block, from 0; any one can be drawn without those before.
            batch_size: examples per batch B; each size has its own stream.

        Returns:
            Inputs (K, B, 20), float32, and labels (K, B), int64.
        """
        seed = validate.integer("seed", seed, minimum=0)
        index = validate.integer("index", index, minimum=0)
        batch_size = validate.integer("batch_size", batch_size, minimum=1)
        rng = np.random.default_rng([seed, _STREAM, batch_size, index])
        k = max(1, BLOCK // batch_size)
        x = rng.standard_normal((k * batch_size, INPUTS), dtype=np.float32)
        y = _draw(self.probabilities(x), rng)
        return x.reshape(k, batch_size, INPUTS), y.reshape(k, batch_size)

    def batches(
        self, seeds: Iterable[int], batch_size: int, start: int = 0
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield batches without end, one per seed: inputs (S, B, 20) and labels (S, B).

        A training that goes on at update `start` sees what it would have seen.

        >>> x, y = next(Teacher().batches(range(3), 8, start=10_000))
        >>> x.shape, y.shape
        ((3, 8, 20), (3, 8))
        """
        seeds, size = list(seeds), validate.integer("batch_size", batch_size, minimum=1)
        index, skip = divmod(validate.integer("start", start, minimum=0), max(1, BLOCK // size))
        while True:
            drawn = [self.block(seed, index, size) for seed in seeds]
            x, y = (np.stack(part, axis=1) for part in zip(*drawn))
            yield from zip(x[skip:], y[skip:])
            index, skip = index + 1, 0

    def stream(
        self, seeds: Iterable[int], batch_size: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield `batches` as `Networks` take them, with ones (S, B, 21) and one-hot (S, B, 10).

        >>> x, target = next(Teacher().stream([0, 1], 8))
        >>> x.shape, target.shape
        ((2, 8, 21), (2, 8, 10))
        """
        one_hot = np.eye(CLASSES, dtype=np.float32)
        for x, y in self.batches(seeds, batch_size):
            yield append_ones(x), one_hot[y]

    def data(self, n: int, seed: int = 0) -> Data:
        """Return n training examples of a stream, and 2000 for validation and for the test each.

        For what trains on a `Data`. One epoch repeats nothing.

        >>> len(Teacher().data(5000).train)
        5000
        """
        n = validate.integer("n", n, minimum=1)
        blocks = [self.block(seed, index, BLOCK) for index in range(-(-n // BLOCK))]
        x, y = (np.concatenate([part[0] for part in parts])[:n] for parts in zip(*blocks))
        rng = np.random.default_rng([self.seed, _HELD_OUT, 2])
        held_out = {part: Split(x, _draw(p, rng)) for part, (x, p) in self.held_out.items()}
        name = f"{self.name}, {n} examples" + f" (stream {seed})" * (seed != 0)
        return Data(Split(x, y), **held_out, name=name, classes=CLASSES)

    def score(self, logits: np.ndarray, part: str = "test") -> tuple[np.ndarray, np.ndarray]:
        r"""Return a student's expected loss above the best possible, and its expected accuracy.

        .. math:: \text{KL}(p \,\|\, q) = \sum_c p_c \ln (p_c / q_c), \qquad p_{\arg\max q}

        Both are means over the 2000 inputs `held_out[part][0]`, exact for the labels.

        Args:
            logits: what the students say of these inputs, shape (..., 2000, 10).
            part: "validation" or "test".

        Example:
            >>> task = Teacher()
            >>> loss, accuracy = task.score(np.zeros((3, 2000, 10)))
            >>> loss.shape, bool(np.allclose(loss + task.best_loss, np.log(10)))
            ((3,), True)
        """
        _, p = self.held_out[validate.one_of("part", part, self.held_out)]
        if np.shape(logits)[-2:] != p.shape:
            raise ValueError(f"logits must have shape (..., 2000, 10), got {np.shape(logits)}")
        z = np.asarray(logits, dtype=np.float64)
        z = z - z.max(axis=-1, keepdims=True)
        log_q = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
        answer = z.argmax(axis=-1)[..., np.newaxis]
        right = np.take_along_axis(np.broadcast_to(p, z.shape), answer, axis=-1)
        return -(p * log_q).sum(axis=-1).mean(axis=-1) - _entropy(p), right[..., 0].mean(axis=-1)

    def evaluate(
        self, networks: Networks, params: np.ndarray, part: str = "test"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the `score` of networks with these parameters: loss and accuracy, (R, S) each."""
        x, _ = self.held_out[validate.one_of("part", part, self.held_out)]
        return self.score(networks.logits(params, append_ones(x)), part)

    @property
    def best_accuracy(self) -> float:
        """How often the likeliest label is right, on the test inputs."""
        return float(self.held_out["test"][1].max(axis=-1).mean())

    @property
    def best_loss(self) -> float:
        """The cross-entropy of the teacher's own probabilities, on the test inputs, in nats."""
        return _entropy(self.held_out["test"][1])


def _draw(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One label for every row of probabilities (N, C)."""
    above = rng.random((len(p), 1), dtype=np.float32) > p.cumsum(axis=-1)
    return above[:, :-1].sum(axis=-1, dtype=np.int64)


def _entropy(p: np.ndarray) -> float:
    return float(-(p * np.log(np.maximum(p, 1e-300))).sum(axis=-1).mean())
