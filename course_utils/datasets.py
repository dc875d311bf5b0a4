"""Real data, ready to train on: NumPy arrays, a fixed split, and variants of it by pure methods."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from course_utils import validate


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set.

    Args:
        x: float32 inputs of shape (N, ...), one row per example.
        y: int64 labels of shape (N,).

    Raises:
        ValueError: if x and y do not have the same number of rows, or there are none.

    Example:
        >>> len(Split(x=[[0.0, 1.0], [1.0, 0.0]], y=[1, 0]))
        2
    """

    x: np.ndarray
    y: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", _frozen(self.x, np.float32))
        object.__setattr__(self, "y", _frozen(self.y, np.int64))
        if self.x.ndim < 2 or self.y.ndim != 1 or len(self.x) != len(self.y) or not len(self.y):
            raise ValueError(
                "x must have shape (N, ...) and y shape (N,) with the same N > 0, "
                f"got {self.x.shape} and {self.y.shape}"
            )

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, eq=False)
class Data:
    """A classification problem in three parts; every method returns a new `Data`.

    Args:
        train: what the weights are fitted to.
        validation: what rates are chosen on.
        test: used once, after the choice.
        name: what it is and what was done to it, for the record of a run.
        classes: number of classes; labels are 0 .. classes - 1.

    Raises:
        ValueError: if a label is outside 0 .. classes - 1, or the splits disagree in shape.

    Example:
        >>> data = digits().subset(200).with_label_noise(0.1, seed=0)
        >>> data.name, len(data.train)
        ('digits, 200 training examples, label noise 0.1', 200)
    """

    train: Split
    validation: Split
    test: Split
    name: str
    classes: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", validate.integer("classes", self.classes, minimum=1))
        for part, split in self.splits.items():
            if not isinstance(split, Split):
                raise TypeError(f"{part} must be a Split, got {type(split).__name__}")
            if split.x.shape[1:] != self.train.x.shape[1:]:
                raise ValueError(
                    f"{part} must hold examples of shape {self.train.x.shape[1:]}, "
                    f"got {split.x.shape[1:]}"
                )
            if split.y.min() < 0 or split.y.max() >= self.classes:
                raise ValueError(
                    f"{part} must have labels in 0..{self.classes - 1}, "
                    f"got {split.y.min()}..{split.y.max()}"
                )

    @property
    def splits(self) -> dict[str, Split]:
        """The three parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def subset(self, n: int) -> Data:
        """Keep the first n training examples; validation and test stay whole.

        >>> len(digits().subset(200).train)
        200
        """
        n = validate.integer("n", n, minimum=1)
        if n > len(self.train):
            raise ValueError(f"n must be at most {len(self.train)}, got {n}")
        train = Split(self.train.x[:n], self.train.y[:n])
        return replace(self, train=train, name=f"{self.name}, {n} training examples")

    def centered(self) -> Data:
        """Subtract the mean of the training inputs, feature by feature, from all three parts.

        >>> float(abs(digits().centered().train.x.mean(axis=0)).max()) < 1e-6
        True
        """
        mean = self.train.x.mean(axis=0, dtype=np.float64)
        return self._with_inputs(lambda x: x - mean, "centered")

    def scaled(self, factor: float) -> Data:
        """Multiply the inputs of all three parts by `factor` > 0.

        >>> float(digits().scaled(4).train.x.max())
        4.0
        """
        factor = validate.positive("factor", factor)
        return self._with_inputs(lambda x: x * factor, f"inputs times {factor:g}")

    def with_label_noise(self, fraction: float, seed: int = 0) -> Data:
        """Replace a fraction of the training labels by labels drawn uniformly from all classes.

        Exactly round(fraction * N) examples are drawn; a drawn label may equal the old one.

        >>> clean, noisy = digits(), digits().with_label_noise(0.2, seed=0)
        >>> bool(0.15 < (clean.train.y != noisy.train.y).mean() < 0.20)
        True
        """
        fraction = validate.between("fraction", fraction, 0, 1)
        rng = np.random.default_rng(validate.integer("seed", seed, minimum=0))
        chosen = rng.permutation(len(self.train))[: round(fraction * len(self.train))]
        labels = self.train.y.copy()
        labels[chosen] = rng.integers(0, self.classes, len(chosen))
        train = Split(self.train.x, labels)
        return replace(self, train=train, name=f"{self.name}, label noise {fraction:g}")

    def only_classes(self, k: int) -> Data:
        """Keep the examples of the first k classes in all three parts.

        >>> digits().only_classes(2).classes
        2
        """
        k = validate.integer("k", k, minimum=1)
        if k > self.classes:
            raise ValueError(f"k must be at most {self.classes}, got {k}")
        kept = {part: split.y < k for part, split in self.splits.items()}
        parts = {part: Split(s.x[kept[part]], s.y[kept[part]]) for part, s in self.splits.items()}
        return Data(**parts, name=f"{self.name}, first {k} classes", classes=k)

    def _with_inputs(self, change, label: str) -> Data:
        parts = {part: Split(change(split.x), split.y) for part, split in self.splits.items()}
        return Data(**parts, name=f"{self.name}, {label}", classes=self.classes)


def digits(seed: int = 0, n_train: int = 1000, n_validation: int = 397) -> Data:
    """Load the 1797 handwritten digits (8 x 8 pixels, 10 classes) that ship with scikit-learn.

    Pixels are divided by 16, so inputs are in [0, 1]. The split is stratified: every part has the
    same mix of classes. What is neither training nor validation is the test set (400 images).

    Args:
        seed: which split; the course uses 0 unless it says otherwise.
        n_train: number of training images.
        n_validation: number of validation images.

    Returns:
        `Data` with inputs of shape (N, 64).

    Raises:
        ValueError: if a part would have fewer images than classes (10), or seed is negative.
        TypeError: if an argument is not an integer.

    Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI (1998).

    Example:
        >>> data = digits()
        >>> len(data.train), len(data.validation), len(data.test)
        (1000, 397, 400)
    """
    seed = validate.integer("seed", seed, minimum=0)
    n_train = validate.integer("n_train", n_train, minimum=10)
    n_validation = validate.integer("n_validation", n_validation, minimum=10)
    if n_train + n_validation > 1787:
        raise ValueError(
            "n_train + n_validation must be at most 1787, so that 10 of the 1797 images are left "
            f"for the test, got {n_train + n_validation}"
        )
    return _digits(seed, n_train, n_validation)


@lru_cache(maxsize=8)  # the arrays are read-only, so sharing them is safe
def _digits(seed: int, n_train: int, n_validation: int) -> Data:
    from sklearn.datasets import load_digits  # imported here: scikit-learn takes a second to load
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x_train, x_rest, y_train, y_rest = train_test_split(
        x / 16, y, train_size=n_train, stratify=y, random_state=seed
    )
    x_validation, x_test, y_validation, y_test = train_test_split(
        x_rest, y_rest, train_size=n_validation, stratify=y_rest, random_state=seed
    )
    return Data(
        train=Split(x_train, y_train),
        validation=Split(x_validation, y_validation),
        test=Split(x_test, y_test),
        name="digits" if seed == 0 else f"digits (split {seed})",
        classes=10,
    )


def _frozen(values, dtype) -> np.ndarray:
    """A read-only contiguous copy, so that no experiment can change the data of the next."""
    copy = np.array(values, dtype=dtype, order="C")
    copy.setflags(write=False)
    return copy
