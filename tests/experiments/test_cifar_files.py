"""CIFAR-100 on disk and over the network: whatever goes wrong, nothing broken stays behind."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from serving import Server

from course_utils.experiments import cifar_files
from course_utils.experiments.cifar_files import (
    ARCHIVE,
    FOLDER,
    NAMES_FILE,
    DataError,
    load,
    write_synthetic,
)
from course_utils.experiments.datasets import (
    CIFAR100_MEAN,
    CIFAR100_STD,
    cifar100,
    synthetic_cifar100,
)

NAMES = "".join(f"name_{i}\n" for i in range(100)).encode()


def records(n: int, seed: int = 0) -> bytes:
    """n records of the format, every class equally often, made by hand."""
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 256, (n, 3074)).astype(np.uint8)
    table[:, 1] = np.arange(n) % 100
    table[:, 0] = table[:, 1] // 5
    return table.tobytes()


TRAIN, TEST = records(200), records(100, seed=1)
FILES = {"train.bin": TRAIN, "test.bin": TEST, NAMES_FILE: NAMES}


def archive(files=FILES) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{FOLDER}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


GOOD = archive()


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The 'official' data set of these tests has 200 and 100 images; no server is there."""
    monkeypatch.setattr(cifar_files, "RECORDS", {"train": 200, "test": 100})
    monkeypatch.setattr(cifar_files, "SHA256", hashlib.sha256(GOOD).hexdigest())
    monkeypatch.setattr(cifar_files, "URL", f"http://127.0.0.1:9/{ARCHIVE}")
    monkeypatch.delenv(cifar_files.VARIABLE, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def served(tmp_path_factory, monkeypatch):
    """A server has the archive; the file may be changed."""
    with Server(tmp_path_factory.mktemp("served")) as server:
        monkeypatch.setattr(cifar_files, "URL", f"{server.address}/{ARCHIVE}")
        (server.folder / ARCHIVE).write_bytes(GOOD)
        yield server.folder / ARCHIVE


# --- the download ------------------------------------------------------------------------------


@pytest.mark.parametrize("relative", [False, True])
def test_the_first_call_downloads_and_the_second_does_not(
    served, tmp_path, monkeypatch, capfd, relative
):
    monkeypatch.chdir(tmp_path)
    root = Path("new/folder") if relative else tmp_path / "new" / "folder"
    data = cifar100(root)
    assert data.name == "CIFAR-100" and data.class_names[7] == "name_7" and data.classes == 100
    expected = np.frombuffer(TRAIN, np.uint8).reshape(200, 3074)
    np.testing.assert_array_equal(data.train.x.reshape(200, -1), expected[:, 2:])
    np.testing.assert_array_equal(data.train.y, expected[:, 1])
    assert [p.name for p in root.iterdir()] == [FOLDER]
    shown = capfd.readouterr()
    assert "100%" in shown.err and str(tmp_path) not in shown.err + shown.out
    served.unlink()
    np.testing.assert_array_equal(cifar100(root).test.x, data.test.x)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (GOOD[:-1] + b"?", "what arrived is not the official archive"),
        (archive({"train.bin": TRAIN}), "what arrived is not the official archive"),
        (None, "the server answered 404"),
    ],
)
def test_a_bad_download_leaves_nothing_and_says_what_to_do(served, tmp_path, content, reason):
    served.unlink() if content is None else served.write_bytes(content)
    with pytest.raises(DataError, match=f"{reason}.*What you can do.*COURSE_CIFAR100"):
        load(tmp_path)
    assert list(tmp_path.iterdir()) == []
    served.write_bytes(GOOD)  # and the next call is not disturbed
    assert len(load(tmp_path).labels["train"]) == 200


def test_offline_the_message_has_the_remedies(tmp_path):
    with pytest.raises(DataError, match="no connection to the server.*What you can do") as caught:
        load(tmp_path)
    for remedy in (cifar_files.URL, "169 MB", str(tmp_path), FOLDER, cifar_files.VARIABLE):
        assert remedy in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_fetched_unasked(served, tmp_path):
    with pytest.raises(DataError, match="it is not there, and download is False.*What you can do"):
        load(tmp_path / "a", download=False)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("where", ["course_utils.experiments.cifar_files.os.rename",
                                   "pooch.Untar.__call__"])  # fmt: skip
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_or_stop_leaves_nothing(served, tmp_path, monkeypatch, where, error):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(where, fail)
    with pytest.raises((DataError, KeyboardInterrupt), match="^$|No space left.*What you can do"):
        load(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_killed_downloads_left_is_swept_by_the_next_start(tmp_path):
    write_synthetic(tmp_path, n_train=2, n_test=2)
    dead, alive = (tmp_path / f"{cifar_files._UNFINISHED}{name}" for name in ("dead", "alive"))
    for shop in (dead, alive):
        shop.mkdir()
        (shop / "tmp123").write_bytes(GOOD)
    os.utime(dead / "tmp123", (time.time() - 70,) * 2)
    for shop in (dead, alive):  # a download changes the file in it, not the folder
        os.utime(shop, (time.time() - 70,) * 2)
    load(tmp_path, download=False)
    assert not dead.exists() and (alive / "tmp123").exists()


def test_the_slower_of_two_uses_the_files_of_the_quicker(served, tmp_path, monkeypatch):
    rename = os.rename

    def meanwhile(source, target):
        assert Path(source).parents[1] == tmp_path  # on the same disk: moved at once
        place(tmp_path / FOLDER)
        rename(source, target)

    monkeypatch.setattr(cifar_files.os, "rename", meanwhile)
    assert len(load(tmp_path).labels["train"]) == 200
    assert [p.name for p in tmp_path.iterdir()] == [FOLDER]


# --- where the data are looked for --------------------------------------------------------------


def place(folder: Path, files=FILES) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_offline_with_a_copy_at_hand(tmp_path, monkeypatch):
    place(tmp_path / "copy" / FOLDER)
    assert len(load(tmp_path / "copy", download=False).labels["test"]) == 100
    assert len(load(str(tmp_path / "copy" / FOLDER), download=False).labels["test"]) == 100
    monkeypatch.setenv(cifar_files.VARIABLE, str(tmp_path / "copy"))
    assert len(load(download=False).labels["test"]) == 100
    with pytest.raises(DataError, match="elsewhere"):
        load(tmp_path / "elsewhere", download=False)  # the argument wins


def test_without_a_variable_the_cache_of_the_user_is_used(monkeypatch):
    assert cifar_files.home().name == "learning-rate-course"
    monkeypatch.setenv(cifar_files.VARIABLE, "~/data")
    assert cifar_files.home() == Path.home() / "data"


def test_an_archive_put_there_by_hand_is_checked_and_unpacked(tmp_path):
    path = tmp_path / ARCHIVE
    path.write_bytes(GOOD[:-100])
    with pytest.raises(DataError, match="is not the official one; delete it"):
        load(tmp_path)
    path.write_bytes(GOOD)
    assert len(load(tmp_path, download=False).labels["train"]) == 200
    assert sorted(p.name for p in tmp_path.iterdir()) == [FOLDER, ARCHIVE]


def test_a_folder_that_cannot_be_used_is_named_with_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for root in (tmp_path / ("x" * 300), tmp_path / "file" / "below"):
        with pytest.raises(DataError, match="What you can do"):
            load(root)

    def locked(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", locked)
    with pytest.raises(DataError, match=f"{tmp_path}: Permission denied. What you can do"):
        load(tmp_path, download=False)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("train.bin", TRAIN[:-3074], "it has 611,726 bytes, not 200 x 3,074"),
        ("test.bin", None, "it has 0 bytes"),
        ("test.bin", TEST[:1] + bytes([100]) + TEST[2:], "it has the label 100, not 0..99"),
        (NAMES_FILE, b"apple\n" * 100, "it has 1 different names, not 100"),
        (NAMES_FILE, None, "it has 0 different names, not 100"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, reason):
    place(tmp_path / FOLDER)
    (tmp_path / FOLDER / name).unlink()
    if content is not None:
        (tmp_path / FOLDER / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name} is damaged: {reason}.* Delete the folder"):
        load(tmp_path)


# --- the data set ------------------------------------------------------------------------------


def test_bytes_are_normalized_color_by_color(tmp_path):
    place(tmp_path / FOLDER)
    data = cifar100(tmp_path)
    assert data.train.x.dtype == np.uint8 and data.validation is None
    assert list(data.splits) == ["train", "test"]
    raw = np.frombuffer(TRAIN, np.uint8).reshape(200, 3074)[:, 2:].reshape(200, 3, 32, 32)
    expected = np.stack(
        [(raw[:, c] / 255 - CIFAR100_MEAN[c]) / CIFAR100_STD[c] for c in range(3)], axis=1
    )
    assert data.train.inputs().dtype == np.float32
    np.testing.assert_allclose(data.train.inputs(), expected, atol=1e-5)
    np.testing.assert_array_equal(data.train.inputs(slice(3)), data.train.inputs()[:3])


def test_variants_keep_the_bytes_and_the_names(tmp_path):
    data = synthetic_cifar100(tmp_path, n_train=400, n_test=100)
    few = data.only_classes(2).subset(5).with_label_noise(0.5)
    assert few.train.x.dtype == np.uint8 and few.train.mean == CIFAR100_MEAN
    assert few.class_names == ("synthetic_00", "synthetic_01") and few.classes == 2
    np.testing.assert_array_equal(few.test.x, data.test.x[data.test.y < 2])
    centered = data.centered()
    assert centered.train.x.dtype == np.float32
    assert abs(centered.train.x.mean(axis=0)).max() < 1e-6
    mean = data.train.inputs().mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(centered.test.x, data.test.inputs() - mean, atol=1e-6)


def test_held_out_images_are_training_images_that_are_not_trained_on(tmp_path):
    place(tmp_path / FOLDER)
    whole, data = cifar100(tmp_path), cifar100(tmp_path, n_validation=50)
    assert data.name == "CIFAR-100, 50 held out"
    assert (len(data.train), len(data.validation), len(data.test)) == (150, 50, 100)
    key = lambda split: [x.tobytes() for x in split.x]  # noqa: E731
    assert sorted(key(data.train) + key(data.validation)) == sorted(key(whole.train))
    np.testing.assert_array_equal(
        data.validation.x, cifar100(tmp_path, n_validation=50).validation.x
    )


def test_synthetic_data_are_learnable_marked_and_reproducible(tmp_path):
    data = synthetic_cifar100(tmp_path / "a", n_train=600, n_test=200, seed=3)
    assert "synthetic" in data.name and all("synthetic" in name for name in data.class_names)
    assert "synthetic" in cifar100(tmp_path / "a").name
    assert "Not the data set" in (tmp_path / "a" / cifar_files.SYNTHETIC_FILE).read_text()
    centers = np.stack([data.train.inputs()[data.train.y == k].mean(axis=0) for k in range(100)])
    distance = ((data.test.inputs()[:, None] - centers[None]) ** 2).sum(axis=(2, 3, 4))
    assert (distance.argmin(axis=1) == data.test.y).mean() > 0.9  # nearest class mean; chance 0.01
    same = synthetic_cifar100(tmp_path / "b", n_train=600, n_test=200, seed=3)
    other = synthetic_cifar100(tmp_path / "c", n_train=600, n_test=200, seed=4)
    np.testing.assert_array_equal(same.train.x, data.train.x)
    assert (other.train.x != data.train.x).any()


@pytest.mark.parametrize("inside", [".", FOLDER])
@pytest.mark.parametrize("name", ["train.bin", "test.bin"])
def test_a_part_of_real_data_is_enough_to_refuse(tmp_path, inside, name):
    (tmp_path / inside).mkdir(exist_ok=True)
    (tmp_path / inside / name).write_bytes(b"real")
    with pytest.raises(ValueError, match=rf"must not hold real data, got .*{name}"):
        write_synthetic(tmp_path, n_train=2, n_test=2)
    assert (tmp_path / inside / name).read_bytes() == b"real"
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [name]


def test_synthetic_data_make_way_for_others(tmp_path):
    for folder in (tmp_path / FOLDER, tmp_path, tmp_path):
        write_synthetic(folder, n_train=2, n_test=2)
    assert load(tmp_path, download=False).synthetic


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda path: cifar100(3), TypeError, "root must be a path, got 3"),
        (lambda path: cifar100(path, download=1), TypeError, "download must be True or False"),
        (lambda path: cifar100(path, n_validation=-1), ValueError, "n_validation must be 0 or"),
        (lambda path: cifar100(path, n_validation=200), ValueError, "must be less than 200"),
        (lambda path: synthetic_cifar100(path / "n", 0), ValueError, "n_train must be 1 or"),
        (lambda path: synthetic_cifar100(path / "n", 9, 9, -1), ValueError, "seed must be 0 or"),
    ],
)
def test_bad_input(tmp_path, call, error, message):
    place(tmp_path / FOLDER)
    with pytest.raises(error, match=message):
        call(tmp_path)
    assert not (tmp_path / "n").exists()
