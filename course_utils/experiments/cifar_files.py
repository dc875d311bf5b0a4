"""The files of CIFAR-100: find them, download them once, unpack them safely, read and check them.

The official binary distribution is a folder `cifar-100-binary` with `train.bin` (50,000 records),
`test.bin` (10,000) and the names of the 100 fine labels. A record is 1 byte coarse label, 1 byte
fine label and 3072 bytes of pixels (32 x 32 red, then green, then blue). Nothing is unpickled.

Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

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
MEMBERS = ("train.bin", "test.bin", NAMES_FILE, "coarse_label_names.txt")
SYNTHETIC_FILE = "SYNTHETIC.txt"
"""A folder with this file holds invented images; see `write_synthetic`."""
SIDE = 32
FINE, COARSE = 100, 20
RECORD_BYTES = 2 + 3 * SIDE * SIDE
TIMEOUT = 30.0
"""Seconds to wait for an answer of the server, and for its next bytes."""


class DataError(RuntimeError):
    """The data set is not there, cannot be had or is damaged; the message says what to do.

    `why` is the reason alone, where the advice of the message does not apply.
    """

    def __init__(self, message: str, why: str = "") -> None:
        super().__init__(message)
        self.why = why or message


@dataclass(frozen=True, eq=False)
class Files:
    """What the files hold: bytes as they are, read-only.

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
        DataError: if the data are not there and not to be downloaded, the download or its archive
            is broken, or the files are damaged.
        TypeError: if root is not a path or download is not a bool.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_synthetic(folder, n_train=8, n_test=4)
        ...     load(folder, download=False).images["train"].shape
        (8, 3, 32, 32)
    """
    if not isinstance(download, bool):
        raise TypeError(f"download must be True or False, got {download!r}")
    root = home(root)
    for folder in places(root):
        if any((folder / f"{part}.bin").exists() for part in RECORDS):
            return read(folder)
    if (root / ARCHIVE).is_file():
        _check_archive(root / ARCHIVE)
        with _workshop(root) as shop:
            return _place(root / ARCHIVE, shop, root)
    if not download:
        raise DataError(f"CIFAR-100 is not in {root}, and download is False. {_remedies(root)}")
    with _workshop(root) as shop:
        return _place(_download(shop, root), shop, root)


def home(root: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder that `load` would use.

    Example:
        >>> home("data").name
        'data'
    """
    if root is None:
        root = os.environ.get(VARIABLE) or _cache()
    if not isinstance(root, (str, os.PathLike)):
        raise TypeError(f"root must be the path of a folder, got {root!r}")
    return Path(root).expanduser()


def places(root: Path) -> tuple[Path, Path]:
    """Return the folders where `load` looks for the files, first things first.

    >>> [place.name for place in places(Path("data"))]
    ['data', 'cifar-100-binary']
    """
    return root, root / FOLDER


def read(folder: str | os.PathLike[str]) -> Files:
    """Read the three files of a folder and check their structure.

    Sizes, label ranges, and that every class has its 500 and 100 images: order is free, so that
    any lossless copy of the data set serves. A synthetic folder may have any number of records.

    Raises:
        DataError: if a file is missing, truncated or holds something else.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_synthetic(folder, n_train=8, n_test=4)
        ...     read(folder).labels["test"].shape
        (4,)
    """
    folder = Path(folder)
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
    images. Classes take turns, so `only_classes` and small numbers work.

    Args:
        folder: where to write; created if needed. Existing files of other data are not touched.
        n_train: records in train.bin.
        n_test: records in test.bin.
        seed: decides everything.

    Raises:
        ValueError: if a number is below 1, seed is negative, or the folder holds real data.
        TypeError: if an argument is not an integer.

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
    folder = Path(folder)
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
        wrong = size % RECORD_BYTES or not size
        if expected is not None and size != expected * RECORD_BYTES:
            raise _damaged(
                path,
                f"it has {size:,} bytes instead of {expected * RECORD_BYTES:,} "
                f"({expected:,} records of {RECORD_BYTES:,} bytes)",
            )
        if wrong:
            raise _damaged(path, f"its {size:,} bytes are no multiple of {RECORD_BYTES:,}")
        return np.memmap(path, dtype=np.uint8, mode="r").reshape(-1, RECORD_BYTES)
    except OSError as error:
        raise _damaged(path, f"it cannot be read ({error.strerror})") from error


def _damaged(path: Path, why: str) -> DataError:
    return DataError(
        f"{path} is damaged: {why}. Delete the folder {path.parent} and call again; the data are "
        "then fetched anew.",
        why=f"{path.name} is damaged: {why}",
    )


# ------------------------------------------------------------------------------- download


@contextmanager
def _workshop(root: Path) -> Iterator[Path]:
    """A private folder inside `root`, removed at the end: no process sees another's half work."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        shop = Path(tempfile.mkdtemp(dir=root, prefix=".unfinished-"))
    except OSError as error:
        raise DataError(f"{root} cannot be written ({error}). {_remedies(root)}") from error
    try:
        yield shop
    finally:
        shutil.rmtree(shop, ignore_errors=True)


def _download(shop: Path, root: Path) -> Path:
    """The archive, fetched into `shop` and compared with its checksum."""
    import pooch
    import requests

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")  # it would print the path of the folder
    try:
        return Path(pooch.retrieve(URL, f"sha256:{SHA256}", ARCHIVE, shop, downloader=_fetch))
    except requests.Timeout as error:
        reason, cause = f"the server did not answer for {TIMEOUT:g} seconds", error
    except requests.HTTPError as error:
        reason, cause = f"the server answered {error.response.status_code}", error
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
        late = "timed out" in str(error)  # a read that stalls half-way is reported like this
        reason = f"the server did not answer for {TIMEOUT:g} seconds" if late else None
        reason, cause = reason or "the connection failed or broke off", error
    except requests.RequestException as error:
        reason, cause = f"the request failed ({type(error).__name__})", error
    except ValueError as error:  # pooch: the checksum differs
        reason, cause = "what arrived is not the file it should be (its checksum differs)", error
    except OSError as error:
        reason, cause = f"it cannot be stored ({error.strerror or error})", error
    finally:
        logger.setLevel(level)
    raise DataError(
        f"CIFAR-100 could not be downloaded from {URL}: {reason}. Nothing was left behind. "
        f"{_remedies(root)}"
    ) from cause


def _fetch(url: str, target: str, _: object) -> None:
    """Copy `url` to the file `target` with a progress bar, and close both whatever happens."""
    import requests
    from tqdm.auto import tqdm

    with requests.get(url, stream=True, timeout=TIMEOUT) as response:
        response.raise_for_status()
        total = int(response.headers.get("Content-Length", ARCHIVE_BYTES))
        bar = tqdm(total=total, unit="B", unit_scale=True, desc="CIFAR-100")
        with bar, open(target, "wb") as stream:
            for chunk in response.iter_content(1 << 16):
                stream.write(chunk)
                bar.update(len(chunk))


def _remedies(root: Path) -> str:
    return (
        "What you can do: call again with download=True and a network connection; or fetch "
        f"{URL} ({ARCHIVE_BYTES / 1e6:.0f} MB) by other means and put it into {root}; or, if you "
        f"have the folder {FOLDER} already, name the folder it is in with root=... or the "
        f"environment variable {VARIABLE}."
    )


# ------------------------------------------------------------------------------- unpacking


def _check_archive(archive: Path) -> None:
    """Refuse an archive that was put there by hand and is not the official one."""
    with archive.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != SHA256:
        raise DataError(
            f"{archive} is not the official archive (its checksum is {found[:12]}… instead of "
            f"{SHA256[:12]}…), perhaps a download that broke off. Delete it, then call again."
        )


def _place(archive: Path, shop: Path, root: Path) -> Files:
    """Unpack into the workshop, check everything, then move the folder to its place at once."""
    try:
        _unpack(archive, shop / FOLDER)
        read(shop / FOLDER)
    except DataError as error:
        raise DataError(
            f"The archive of CIFAR-100 is not usable: {error.why}. "
            f"Nothing was left behind. {_remedies(root)}"
        ) from error
    target = root / FOLDER
    try:
        os.rename(shop / FOLDER, target)
    except OSError as error:
        if not (target / "train.bin").exists():  # else another process was quicker: use its files
            raise DataError(
                f"{target} cannot be put in place ({error.strerror}). {_remedies(root)}"
            ) from error
    return read(target)


def _unpack(archive: Path, folder: Path) -> None:
    """Copy the expected files out of the archive, and nothing else.

    Names are compared, never used as paths, so an archive cannot write anywhere else. One that
    tries is refused altogether.
    """
    folder.mkdir()
    found = set()
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if (
                    path.is_absolute()
                    or ".." in path.parts
                    or not (member.isreg() or member.isdir())
                ):
                    raise DataError(f"its entry {member.name!r} is not safe to unpack")
                if member.isdir() or path.parent != PurePosixPath(FOLDER):
                    continue
                if path.name in MEMBERS and path.name not in found:
                    found.add(path.name)
                    _copy(tar.extractfile(member), folder / path.name, member.size)
            while tar.fileobj.read(1 << 20):  # to the end, where gzip has its own checksum
                pass
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        reason = f"it cannot be unpacked ({type(error).__name__}: {error})"
        raise DataError(reason) from error
    missing = {"train.bin", "test.bin", NAMES_FILE} - found
    if missing:
        raise DataError(f"it lacks {', '.join(sorted(missing))}")


def _copy(source: IO[bytes], target: Path, size: int) -> None:
    """Write one member; what claims to be larger than any file of the data set is refused."""
    if size > RECORDS["train"] * RECORD_BYTES:
        raise DataError(f"its entry {target.name} claims {size:,} bytes, which is too many")
    with source, target.open("wb") as stream:
        shutil.copyfileobj(source, stream, 1 << 20)
