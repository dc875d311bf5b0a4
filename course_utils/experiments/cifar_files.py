"""The files of CIFAR-100: find them, or fetch them once; read them.

The official binary distribution is a folder `cifar-100-binary` with `train.bin` (50,000 records),
`test.bin` (10,000) and the names of the 100 fine labels. A record is 1 byte coarse label, 1 byte
fine label and 3072 bytes of pixels (32 x 32 red, then green, then blue). Nothing is unpacked before
its SHA-256 is the known one.

Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009).
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from course_utils import validate

URL = "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"
ARCHIVE = "cifar-100-binary.tar.gz"
ARCHIVE_BYTES = 168_513_733
SHA256 = "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"
FOLDER = "cifar-100-binary"
VARIABLE = "COURSE_CIFAR100"
"""The environment variable that names the folder to use instead of the cache."""
RECORDS = {"train": 50_000, "test": 10_000}
RECORD_BYTES = 2 + 3 * 32 * 32
NAMES_FILE = "fine_label_names.txt"
SYNTHETIC_FILE = "SYNTHETIC.txt"
"""A folder with this file holds invented images; see `write_synthetic`."""
_UNFINISHED, _ABANDONED = ".cifar-100-unfinished-", 60.0
"""Folders of downloads; one in which nothing happened for so many seconds is of a dead process."""


class DataError(RuntimeError):
    """The data set is not there, cannot be had or is damaged; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Files:
    """What the files hold, read-only; `images` and `labels` by part, "train" and "test"."""

    images: dict[str, np.ndarray]  # uint8 pixels (N, 3, 32, 32)
    labels: dict[str, np.ndarray]  # fine labels 0..99 (N,), uint8
    names: tuple[str, ...]  # of the 100 fine labels
    synthetic: bool


def load(root: str | os.PathLike[str] | None = None, download: bool = True) -> Files:
    """Return the data set from a folder; what is not there is fetched into it.

    Args:
        root: a folder that holds `cifar-100-binary`, or is it, or holds the archive; see `home`.
        download: whether the network may be used.

    Raises:
        DataError: if the data cannot be had or are damaged.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_synthetic(folder, n_train=8, n_test=4)
        ...     load(folder, download=False).images["train"].shape
        (8, 3, 32, 32)
    """
    validate.boolean("download", download)
    root = home(root)
    try:
        _remove_abandoned(root)
        for folder in places(root):
            if any((folder / f"{part}.bin").exists() for part in RECORDS):
                return read(folder)
        _fetch(root, download)
        return read(root / FOLDER)
    except (OSError, ValueError) as error:
        raise DataError(
            f"CIFAR-100 cannot be had with the folder {root}: {_reason(error)}. What you can do: "
            f"call cifar100() with a network connection; or fetch {URL} "
            f"({ARCHIVE_BYTES / 1e6:.0f} MB) by other means and put it into that folder; or, if "
            f"you have {FOLDER} somewhere, name the folder it is in with root=... or the "
            f"environment variable {VARIABLE}."
        ) from error


def home(root: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder that `load` uses: `root`, or the variable's, or a cache of the user.

    Example:
        >>> home("data").name
        'data'
    """
    if root is None and not (root := os.environ.get(VARIABLE)):
        import pooch  # here, because it takes a third of a second to load

        root = pooch.os_cache("learning-rate-course")
    return validate.path("root", root).expanduser().absolute()


def places(root: Path) -> tuple[Path, Path]:
    """Return the folders where `load` looks for the files, first things first.

    >>> [place.name for place in places(Path("data"))]
    ['data', 'cifar-100-binary']
    """
    return root, root / FOLDER


def read(folder: str | os.PathLike[str]) -> Files:
    """Read the three files of a folder; a DataError names one that is damaged.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_synthetic(folder, n_train=8, n_test=4)
        ...     read(folder).labels["test"].shape
        (4,)
    """
    folder = validate.path("folder", folder)
    synthetic = (folder / SYNTHETIC_FILE).exists()
    images, labels = {}, {}
    for part, n in RECORDS.items():
        path = folder / f"{part}.bin"
        size = path.stat().st_size if path.exists() else 0
        if size != n * RECORD_BYTES and not (synthetic and size and size % RECORD_BYTES == 0):
            raise _damaged(path, f"it has {size:,} bytes, not {n:,} x {RECORD_BYTES:,}")
        records = np.memmap(path, dtype=np.uint8, mode="r").reshape(-1, RECORD_BYTES)
        images[part], labels[part] = records[:, 2:].reshape(-1, 3, 32, 32), records[:, 1]
        if labels[part].max() >= 100:
            raise _damaged(path, f"it has the label {labels[part].max()}, not 0..99")
    path = folder / NAMES_FILE
    names = tuple(path.read_text(encoding="latin-1").split()) if path.exists() else ()
    if len(set(names)) != 100:
        raise _damaged(path, f"it has {len(set(names))} different names, not 100")
    return Files(images, labels, names, synthetic)


def write_synthetic(
    folder: str | os.PathLike[str], n_train: int = 1000, n_test: int = 200, seed: int = 0
) -> None:
    """Write invented images in the format of CIFAR-100, marked as synthetic by a file.

    An image is the smooth random picture of its class, shifted by up to two pixels and with noise.
    A network learns them quickly, and no result on them says anything about real images. Classes
    take turns. A folder that holds real data is refused.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_synthetic(folder, n_train=3, n_test=2, seed=1)
        ...     (Path(folder) / "train.bin").stat().st_size == 3 * 3074
        True
    """
    sizes = {
        "train": validate.integer("n_train", n_train, minimum=1),
        "test": validate.integer("n_test", n_test, minimum=1),
    }
    rng = np.random.default_rng(validate.integer("seed", seed, minimum=0))
    folder = validate.path("folder", folder)
    for place in places(folder):
        real = [file for part in RECORDS if (file := place / f"{part}.bin").exists()]
        if real and not (place / SYNTHETIC_FILE).exists():
            raise ValueError(f"folder must not hold real data, got one with {str(real[0])!r}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SYNTHETIC_FILE).write_text(
        f"Invented images in the format of CIFAR-100, made with seed {seed}. Not the data set.\n"
    )
    (folder / NAMES_FILE).write_text("".join(f"synthetic_{i:02d}\n" for i in range(100)))
    # One picture per class: 4 x 4 random colors, enlarged.
    pictures = rng.uniform(30, 225, (100, 3, 4, 4)).repeat(8, axis=2).repeat(8, axis=3)
    for part, n in sizes.items():
        fine = np.arange(n) % 100
        images = np.stack(
            [np.roll(pictures[k], rng.integers(-2, 3, 2), axis=(1, 2)) for k in fine]
        ) + rng.normal(0, 20, (n, 3, 32, 32))
        records = np.empty((n, RECORD_BYTES), dtype=np.uint8)
        records[:, 0], records[:, 1] = fine % 20, fine
        records[:, 2:] = images.clip(0, 255).reshape(n, -1)
        (folder / f"{part}.bin").write_bytes(records[rng.permutation(n)].tobytes())


def _fetch(root: Path, download: bool) -> None:
    """Put the files into `root`, from the archive in it or from the network."""
    import pooch

    by_hand = (root / ARCHIVE).is_file()
    if not (by_hand or download):
        raise OSError(errno.ENOENT, "it is not there, and download is False")
    if by_hand and pooch.file_hash(str(root / ARCHIVE)) != SHA256:  # pooch would fetch another
        raise OSError(errno.EINVAL, f"the {ARCHIVE} in it is not the official one; delete it")
    pooch.get_logger().setLevel("WARNING")  # else it prints paths of this machine
    root.mkdir(parents=True, exist_ok=True)
    # A private folder, removed at the end: no process sees another's half work.
    with tempfile.TemporaryDirectory(
        dir=root, prefix=_UNFINISHED, ignore_cleanup_errors=True
    ) as shop:
        pooch.retrieve(
            URL,
            f"sha256:{SHA256}",
            ARCHIVE,
            root if by_hand else shop,
            processor=pooch.Untar([FOLDER], extract_dir=shop),
            downloader=pooch.HTTPDownloader(progressbar=True, chunk_size=1 << 16),
        )
        try:
            os.rename(Path(shop, FOLDER), root / FOLDER)
        except OSError:
            if not (root / FOLDER / "train.bin").exists():
                raise
            # Another process was quicker: use its files.


def _remove_abandoned(root: Path) -> None:
    """Remove what killed downloads left behind, up to 350 MB each."""
    for shop in root.glob(f"{_UNFINISHED}*"):
        with contextlib.suppress(OSError):  # another process is just removing it
            changed = max(path.lstat().st_mtime for path in (shop, *shop.iterdir()))
            if time.time() - changed > _ABANDONED:
                shutil.rmtree(shop)


def _reason(error: OSError | ValueError) -> str:
    if (response := getattr(error, "response", None)) is not None:
        return f"the server answered {response.status_code}"
    if isinstance(error, OSError):  # the errors of `requests` are some, without a strerror
        return error.strerror or "there is no connection to the server, or it broke off"
    return "what arrived is not the official archive"


def _damaged(path: Path, why: str) -> DataError:
    return DataError(
        f"{path} is damaged: {why}. Delete the folder {path.parent} and call again; the data are "
        "then fetched anew."
    )
