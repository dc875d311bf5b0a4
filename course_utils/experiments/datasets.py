"""Real data, ready to train on: NumPy arrays, a fixed split, and variants of it by pure methods."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils import validate
from course_utils.experiments.stratified import stratified

if TYPE_CHECKING:
    from course_utils.experiments.teacher import Teacher

# Mean and standard deviation per color of the 50,000 training images, pixels in [0, 1].
CIFAR100_MEAN = (0.507075, 0.486549, 0.440918)
CIFAR100_STD = (0.267334, 0.256438, 0.276150)


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set.

    Images may stay bytes (a quarter of the memory); a network then sees, color by color,

    .. math:: (x / 255 - \\text{mean}) / \\text{std}

    Args:
        x: inputs of shape (N, ...), one row per example: float32, or uint8 pixels (N, C, H, W).
        y: int64 labels of shape (N,).
        mean: of the pixels in [0, 1], one per color; (0,) for all. For uint8 only.
        std: likewise, > 0.

    Example:
        >>> len(Split(x=[[0.0, 1.0], [1.0, 0.0]], y=[1, 0]))
        2
    """

    x: np.ndarray
    y: np.ndarray
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        x, y = _numbers("x", self.x), _numbers("y", self.y)
        pixels = x.dtype == np.uint8
        object.__setattr__(self, "x", _frozen("x", x, np.uint8 if pixels else np.float32))
        object.__setattr__(self, "y", _frozen("y", y, np.int64))
        if self.x.ndim < 2 or self.y.ndim != 1 or len(self.x) != len(self.y) or not len(self.y):
            raise ValueError(
                "x must have shape (N, ...) and y shape (N,) with the same N > 0, "
                f"got {self.x.shape} and {self.y.shape}"
            )
        if pixels and self.x.ndim != 4:
            raise ValueError(f"x of uint8 must have shape (N, C, H, W), got {self.x.shape}")
        self._check_normalization(pixels)

    def _check_normalization(self, pixels: bool) -> None:
        for name in ("mean", "std"):
            check = validate.finite if name == "mean" else validate.positive
            values = tuple(validate.each(check, name, getattr(self, name)))
            object.__setattr__(self, name, values)
            if pixels and len(values) not in (1, self.x.shape[1]):
                raise ValueError(f"{name} must have 1 or {self.x.shape[1]} entries, got {values}")
        if not pixels and (self.mean, self.std) != ((0.0,), (1.0,)):
            raise ValueError("mean and std are for uint8 pixels; x is not uint8")

    def __len__(self) -> int:
        return len(self.y)

    @property
    def pixels(self) -> bool:
        """Whether x holds bytes, which are normalized where they are used."""
        return self.x.dtype == np.uint8

    def inputs(self, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Return what a network sees of some rows, float32.

        >>> Split(np.full((1, 1, 1, 2), 255, np.uint8), [0], mean=(0.5,), std=(0.25,)).inputs()
        array([[[[2., 2.]]]], dtype=float32)
        """
        x = self.x[rows]
        if not self.pixels:
            return x
        mean, std = (np.float32(v).reshape(-1, 1, 1) for v in (self.mean, self.std))
        return (x.astype(np.float32) / np.float32(255) - mean) / std

    def take(self, rows: slice | np.ndarray) -> Split:
        """Return the split of these rows only.

        >>> len(digits().test.take(slice(10)))
        10
        """
        return replace(self, x=self.x[rows], y=self.y[rows])


@dataclass(frozen=True, eq=False)
class Data:
    """A classification problem in three parts; every method returns a new `Data`.

    Args:
        train: what the weights are fitted to.
        validation: what rates are chosen on; None where everything is trained on.
        test: used once, after the choice.
        name: what it is and what was done to it, for the record of a run.
        classes: number of classes; labels are 0 .. classes - 1.
        class_names: what the labels mean, or () where they speak for themselves.

    Example:
        >>> data = digits().subset(200).with_label_noise(0.1, seed=0)
        >>> data.name, len(data.train)
        ('digits, 200 training examples, label noise 0.1', 200)
    """

    train: Split
    validation: Split | None
    test: Split
    name: str
    classes: int
    class_names: tuple[str, ...] = ()

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
        validate.sequence("class_names", self.class_names)
        if len(self.class_names) not in (0, self.classes):
            raise ValueError(
                f"class_names must have {self.classes} entries, got {len(self.class_names)}"
            )

    @property
    def splits(self) -> dict[str, Split]:
        """The parts by name, without those that are None."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {
            name: split
            for name, split in parts.items()
            if split is not None or name != "validation"
        }

    def subset(self, n: int) -> Data:
        """Keep the first n training examples; validation and test stay whole.

        >>> len(digits().subset(200).train)
        200
        """
        n = validate.integer("n", n, minimum=1)
        if n > len(self.train):
            raise ValueError(f"n must be at most {len(self.train)}, got {n}")
        train = self.train.take(slice(n))
        return replace(self, train=train, name=f"{self.name}, {n} training examples")

    def centered(self) -> Data:
        """Subtract the mean of the training inputs, feature by feature, from all three parts.

        >>> float(abs(digits().centered().train.x.mean(axis=0)).max()) < 1e-6
        True
        """
        mean = self.train.inputs().mean(axis=0, dtype=np.float64)
        return self._with_inputs(lambda x: x - mean, "centered")

    def scaled(self, factor: float) -> Data:
        """Multiply the inputs of all three parts by `factor` > 0.

        >>> float(digits().scaled(4).train.x.max())
        4.0
        """
        factor = validate.positive("factor", factor)
        largest = max(float(np.abs(split.inputs()).max()) for split in self.splits.values())
        if largest * factor > float(np.finfo(np.float32).max):
            raise ValueError(
                f"factor must keep inputs of up to {largest:g} within float32, got {factor!r}"
            )
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
        train = replace(self.train, y=labels)
        name = f"{self.name}, label noise {fraction:g}" + (f" (seed {seed})" if seed else "")
        return replace(self, train=train, name=name)

    def only_classes(self, k: int) -> Data:
        """Keep the examples of the first k classes in all three parts.

        >>> digits().only_classes(2).classes
        2
        """
        k = validate.integer("k", k, minimum=1)
        if k > self.classes:
            raise ValueError(f"k must be at most {self.classes}, got {k}")
        parts = {part: split.take(split.y < k) for part, split in self.splits.items()}
        name = f"{self.name}, first {k} classes"
        return replace(self, **parts, name=name, classes=k, class_names=self.class_names[:k])

    def _with_inputs(self, change, label: str) -> Data:
        parts = {name: Split(change(s.inputs()), s.y) for name, s in self.splits.items()}
        return replace(self, **parts, name=f"{self.name}, {label}")


def digits(seed: int = 0, n_train: int = 1000, n_validation: int = 397) -> Data:
    """Load 1797 handwritten digits (8 x 8 pixels, 10 classes); they ship with the course.

    Pixels are divided by 16, so inputs are in [0, 1], of shape (N, 64). The split is stratified:
    every part has the same mix of classes. What is neither training nor validation is the test set
    (400 images).

    Args:
        seed: which split; the course uses 0 unless it says otherwise.
        n_train, n_validation: number of images.

    Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository (1998), the test set, CC BY 4.0, doi:10.24432/C50P49; the copy of scikit-learn.

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
    with np.load(Path(__file__).with_name("digits.npz")) as file:
        x, y = file["x"] / 16, file["y"].astype(np.int64)
    train, rest = stratified(y, n_train, seed)
    validation, test = (rest[rows] for rows in stratified(y[rest], n_validation, seed))
    return Data(
        train=Split(x[train], y[train]),
        validation=Split(x[validation], y[validation]),
        test=Split(x[test], y[test]),
        name=_digits_name(seed, n_train, n_validation),
        classes=10,
    )


def _digits_name(seed: int, n_train: int, n_validation: int) -> str:
    """Only what is not as usual stands in the name: different data have different names."""
    changes = [f"split {seed}"] * (seed != 0)
    changes += [f"{n_train} for training"] * (n_train != 1000)
    changes += [f"{n_validation} for validation"] * (n_validation != 397)
    return f"digits ({', '.join(changes)})" if changes else "digits"


def cifar100(
    root: str | os.PathLike[str] | None = None, download: bool = True, *, n_validation: int = 0
) -> Data:
    """Load CIFAR-100: 60,000 photographs of 32 x 32 pixels in 100 classes, kept as bytes.

    The first call downloads 169 MB, checks them and keeps them in a cache. Pixels are normalized
    color by color where they are used (`Split.inputs`).

    Args:
        root: a folder that holds `cifar-100-binary` or its archive, or where to put it. None
            means the environment variable COURSE_CIFAR100, or else a cache folder of the user.
        download: whether the network may be used.
        n_validation: training images to hold out, always the same random ones; 0 trains on all.

    Returns:
        `Data` with inputs (N, 3, 32, 32); its name says "synthetic" where the folder holds those.

    Raises:
        cifar_files.DataError: if the data cannot be had; the message says what to do.

    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009).

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     synthetic_cifar100(folder, n_train=300, n_test=100).name
        'synthetic images in the format of CIFAR-100 (300)'
    """
    from course_utils.experiments import cifar_files  # it needs what only CIFAR-100 needs

    n_validation = validate.integer("n_validation", n_validation, minimum=0)
    files = cifar_files.load(root, download)
    n = len(files.labels["train"])
    if n_validation >= n:
        raise ValueError(f"n_validation must be less than {n}, got {n_validation}")
    name = f"synthetic images in the format of CIFAR-100 ({n})" if files.synthetic else "CIFAR-100"
    if n_validation:
        name += f", {n_validation} held out"
    held_out = np.zeros(n, dtype=bool)
    held_out[np.random.default_rng(0).permutation(n)[:n_validation]] = True

    def split(part: str, rows: np.ndarray | slice = slice(None)) -> Split:
        x, y = files.images[part][rows], files.labels[part][rows]
        return Split(x, y, CIFAR100_MEAN, CIFAR100_STD)

    return Data(
        train=split("train", ~held_out if n_validation else slice(None)),
        validation=split("train", held_out) if n_validation else None,
        test=split("test"),
        name=name,
        classes=len(files.names),
        class_names=files.names,
    )


def synthetic_cifar100(
    folder: str | os.PathLike[str], n_train: int = 1000, n_test: int = 200, seed: int = 0
) -> Data:
    """Write small invented data in the format of CIFAR-100 into `folder` and load them.

    They stand in where the real data cannot be had, and are marked as such in the folder, the name
    and the class names.

    Args:
        folder: where to write; later calls of `cifar100(folder)` find it.
        n_train, n_test: images.
        seed: decides the images.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     synthetic_cifar100(folder, n_train=100, n_test=20).class_names[7]
        'synthetic_07'
    """
    from course_utils.experiments import cifar_files

    cifar_files.write_synthetic(folder, n_train, n_test, seed)
    return cifar100(folder, download=False)


def teacher(seed: int = 0, scale: float = 6.0) -> Teacher:
    """Return a task whose data never repeat: a fixed random network labels Gaussian inputs.

    Args:
        seed: which network.
        scale: of its last layer; at 6 the best possible accuracy is 74 %, at 3 about 55 %.

    Example:
        >>> len(teacher().data(3000).train)
        3000
    """
    from course_utils.experiments.teacher import Teacher  # which needs this module

    return Teacher(seed, scale)


def _numbers(name: str, values: Any) -> np.ndarray:
    """`values`, a list, array or tensor of real numbers, as an array."""
    try:
        array = np.asarray(values)
    except ValueError as error:  # a ragged list
        raise ValueError(f"{name} must be an array of numbers, got rows of unequal size") from error
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be an array of real numbers, got one of {array.dtype}")
    if np.ma.is_masked(values):
        raise ValueError(f"{name} must have no masked entries")
    return array


def _frozen(name: str, values: np.ndarray, dtype: type) -> np.ndarray:
    """A read-only contiguous copy, so that no experiment can change the data of the next."""
    with np.errstate(over="ignore", invalid="ignore"):
        copy = np.array(values, dtype=dtype, order="C")
    if dtype is np.float32 and not (fine := np.isfinite(copy)).all():
        wrong = values[~fine][0].item()
        raise ValueError(f"{name} must hold finite numbers within float32, got {wrong}")
    if dtype is np.int64 and not (fine := copy == values).all():
        raise ValueError(f"{name} must hold whole numbers, got {values[~fine][0].item()}")
    copy.setflags(write=False)
    return copy
