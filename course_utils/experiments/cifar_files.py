"""The files of CIFAR-100: find them, download them once, unpack, read and check them.

The official binary distribution is a folder `cifar-100-binary` with `train.bin` (50,000 records),
`test.bin` (10,000) and the names of the 100 fine labels. A record is 1 byte coarse label, 1 byte
fine label and 3072 bytes of pixels (32 x 32 red, then green, then blue). Nothing is unpickled.

Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009).
"""

from __future__ import annotations

import contextlib
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
NAMES_FILE = "fine_label_names.txt"
SYNTHETIC_FILE = "SYNTHETIC.txt"
"""A folder with this file holds invented images; see `write_synthetic`."""
SIDE = 32
FINE, COARSE = 100, 20
RECORD_BYTES = 2 + 3 * SIDE * SIDE
TIMEOUT = 30.0
"""Seconds to wait for an answer of the server, and for its next bytes."""
_UNFINISHED, _ABANDONED = ".cifar-100-unfinished-", 600.0
"""Folders of downloads; one in which nothing happened for so many seconds is of a dead process."""


class DataError(RuntimeError):
    """The data set is not there, cannot be had or is damaged; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Files:
    """What the files hold, read-only.

    Args:
        images: part -> uint8 pixels (N, 3, 32, 32).
        labels: part -> fine labels 0..99 (N,), uint8.
        names: the 100 names of the fine labels.
        synthetic: whether the images are invented.
    """

    images: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    names: tuple[str, ...]
    synthetic: bool


def load(root: str | os.PathLike[str] | None = None, download: bool = True) -> Files:
    """Return the data set from `root`, from the folder the environment names, or from the cache.

    Args:
        root: a folder that holds `cifar-100-binary`, or is it, or holds the archive. None means
            the environment variable COURSE_CIFAR100, or where that is not set, a cache folder of
            the user. What is not there is downloaded into it.
        download: whether the network may be used.

    Raises:
        DataError: if the data are not there and not to be downloaded, the download is broken, the
            folder cannot be used or the files are damaged.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_synthetic(folder, n_train=8, n_test=4)
        ...     load(folder, download=False).images["train"].shape
        (8, 3, 32, 32)
    """
    if not isinstance(download, bool):
        raise TypeError(f"download must be True or False, got {download!r}")
    root = home(root)
    try:
        return _load(root, download)
    except OSError as error:  # a locked folder, a name that is too long, a full disk
        why = error.strerror or error
        raise DataError(f"{root} cannot be used ({why}). {_remedies(root)}") from error


def home(root: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder that `load` would use.

    Example:
        >>> home("data").name
        'data'
    """
    if root is None:
        root = os.environ.get(VARIABLE) or _cache()
    return validate.path("root", root).expanduser()


def places(root: Path) -> tuple[Path, Path]:
    """Return the folders where `load` looks for the files, first things first.

    >>> [place.name for place in places(Path("data"))]
    ['data', 'cifar-100-binary']
    """
    return root, root / FOLDER


def read(folder: str | os.PathLike[str]) -> Files:
    """Read the three files of a folder and check their structure.

    Every class must have its 500 and 100 images, in any order, so that any lossless copy serves. A
    synthetic folder may have any number of records. A DataError names a file that is damaged.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_synthetic(folder, n_train=8, n_test=4)
        ...     read(folder).labels["test"].shape
        (4,)
    """
    folder = validate.path("folder", folder)
    synthetic = (folder / SYNTHETIC_FILE).exists()
    names = _read_names(folder)
    images, labels = {}, {}
    for part in RECORDS:
        path = folder / f"{part}.bin"
        records = _read_records(path, None if synthetic else RECORDS[part])
        if records[:, 0].max() >= COARSE or records[:, 1].max() >= FINE:
            raise _damaged(path, f"a label is outside 0..{COARSE - 1} (coarse) or 0..{FINE - 1}")
        counts = np.bincount(records[:, 1], minlength=FINE)
        if not synthetic and (counts != len(records) // FINE).any():
            raise _damaged(path, f"not every class has {len(records) // FINE} images")
        images[part] = records[:, 2:].reshape(-1, 3, SIDE, SIDE)
        labels[part] = records[:, 1]
    return Files(images, labels, names, synthetic)


def write_synthetic(
    folder: str | os.PathLike[str], n_train: int = 1000, n_test: int = 200, seed: int = 0
) -> None:
    """Write invented images in the format of CIFAR-100, marked as synthetic by a file.

    Every class is one smooth random picture; an image is that picture, shifted by up to two pixels
    and with noise. A network learns them quickly, and no result on them says anything about real
    images. Classes take turns, so `only_classes` and small numbers work. A folder that holds real
    data is refused.

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
    (folder / NAMES_FILE).write_text("".join(f"synthetic_{i:02d}\n" for i in range(FINE)))
    pictures = _smooth_pictures(rng)
    for part, n in sizes.items():
        fine = np.arange(n) % FINE
        images = np.stack(
            [np.roll(pictures[k], rng.integers(-2, 3, 2), axis=(1, 2)) for k in fine]
        ) + rng.normal(0, 20, (n, 3, SIDE, SIDE))
        records = np.empty((n, RECORD_BYTES), dtype=np.uint8)
        records[:, 0], records[:, 1] = fine % COARSE, fine
        records[:, 2:] = images.clip(0, 255).reshape(n, -1)
        (folder / f"{part}.bin").write_bytes(records[rng.permutation(n)].tobytes())


def _smooth_pictures(rng: np.random.Generator) -> np.ndarray:
    """One picture per class (100, 3, 32, 32): 4 x 4 random colors, enlarged."""
    coarse = rng.uniform(30, 225, (FINE, 3, 4, 4))
    return coarse.repeat(SIDE // 4, axis=2).repeat(SIDE // 4, axis=3)


def _cache() -> Path:
    import pooch  # imported here: it takes a third of a second to load

    return Path(pooch.os_cache("learning-rate-course"))


# ------------------------------------------------------------------------------- reading


def _read_names(folder: Path) -> tuple[str, ...]:
    path = folder / NAMES_FILE
    try:
        names = tuple(path.read_text(encoding="ascii").split())
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(path, "it is missing or unreadable") from error
    if len(set(names)) != FINE:
        raise _damaged(path, f"it holds {len(set(names))} different names instead of {FINE}")
    return names


def _read_records(path: Path, expected: int | None) -> np.ndarray:
    try:
        size = path.stat().st_size
        if expected is not None and size != expected * RECORD_BYTES:
            raise _damaged(path, f"it has {size:,} bytes, not {expected:,} x {RECORD_BYTES:,}")
        if size % RECORD_BYTES or not size:
            raise _damaged(path, f"its {size:,} bytes are no multiple of {RECORD_BYTES:,}")
        return np.memmap(path, dtype=np.uint8, mode="r").reshape(-1, RECORD_BYTES)
    except OSError as error:
        raise _damaged(path, f"it cannot be read ({error.strerror})") from error


def _damaged(path: Path, why: str) -> DataError:
    return DataError(
        f"{path} is damaged: {why}. Delete the folder {path.parent} and call again; the data are "
        "then fetched anew."
    )


# ------------------------------------------------------------------------------- download


def _load(root: Path, download: bool) -> Files:
    _remove_abandoned(root)
    for folder in places(root):
        if any((folder / f"{part}.bin").exists() for part in RECORDS):
            return read(folder)
    by_hand = (root / ARCHIVE).is_file()
    if not (by_hand or download):
        raise DataError(f"CIFAR-100 is not in {root}, and download is False. {_remedies(root)}")
    root.mkdir(parents=True, exist_ok=True)
    # A private folder, removed at the end: no process sees another's half work.
    with tempfile.TemporaryDirectory(
        dir=root, prefix=_UNFINISHED, ignore_cleanup_errors=True
    ) as shop:
        _unpack((root if by_hand else Path(shop)) / ARCHIVE, shop, root)
        try:
            os.rename(Path(shop, FOLDER), root / FOLDER)
        except OSError:
            if not (root / FOLDER / "train.bin").exists():
                raise
            # Another process was quicker: use its files.
    return read(root / FOLDER)


def _remove_abandoned(root: Path) -> None:
    """Remove what downloads that were killed left behind, up to 169 MB each."""
    for shop in root.glob(f"{_UNFINISHED}*"):
        with contextlib.suppress(OSError):  # another process is just removing it
            changed = max(path.lstat().st_mtime for path in (shop, *shop.iterdir()))
            if time.time() - changed > _ABANDONED:
                shutil.rmtree(shop)


def _unpack(archive: Path, shop: str, root: Path) -> None:
    """Download the archive if it is not there, compare its checksum and unpack it into `shop`."""
    import pooch

    if archive.is_file() and (found := pooch.file_hash(str(archive))) != SHA256:
        raise DataError(
            f"{archive} is not the official archive (its checksum is {found[:12]}… instead of "
            f"{SHA256[:12]}…), perhaps a download that broke off. Delete it, then call again."
        )
    source = archive if archive.is_file() else URL
    unpack = pooch.Untar(members=[FOLDER], extract_dir=shop)
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")  # it would print the path of the folder
    try:
        pooch.retrieve(
            URL, f"sha256:{SHA256}", ARCHIVE, archive.parent, processor=unpack, downloader=_fetch
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"CIFAR-100 could not be had from {source}: {_reason(error)}. Nothing was left "
            f"behind. {_remedies(root)}"
        ) from error
    finally:
        logger.setLevel(level)


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.HTTPError):
        return f"the server answered {error.response.status_code}"
    # A read that stalls half-way is reported as a ConnectionError.
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"the server did not answer for {TIMEOUT:g} seconds"
    if isinstance(error, requests.RequestException):
        return "the connection failed or broke off"
    if isinstance(error, OSError):
        return f"it cannot be stored ({error.strerror or error})"
    return "what arrived is not the file it should be (its size or checksum differs)"


def _fetch(url: str, target: str, _: object) -> None:
    """Copy `url` to the file `target`; pooch's own downloader has no limit of the size."""
    import requests
    from tqdm.auto import tqdm

    with requests.get(url, stream=True, timeout=TIMEOUT) as response:
        response.raise_for_status()
        bar = tqdm(total=ARCHIVE_BYTES, unit="B", unit_scale=True, desc="CIFAR-100")
        with bar, open(target, "wb") as stream:
            for chunk in response.iter_content(1 << 16):
                if stream.tell() + len(chunk) > ARCHIVE_BYTES:
                    raise ValueError(f"more than {ARCHIVE_BYTES:,} bytes")
                stream.write(chunk)
                bar.update(len(chunk))


def _remedies(root: Path) -> str:
    return (
        "What you can do: call again with download=True and a network connection; or fetch "
        f"{URL} ({ARCHIVE_BYTES / 1e6:.0f} MB) by other means and put it into {root}; or, if you "
        f"have the folder {FOLDER} already, name the folder it is in with root=... or the "
        f"environment variable {VARIABLE}."
    )
