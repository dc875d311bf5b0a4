"""Examples on a device, and the choice of device, number format and layout."""

import numpy as np
import pytest
import torch

from course_utils.experiments import devices
from course_utils.experiments.datasets import Split, digits
from course_utils.experiments.devices import (
    DeviceData,
    as_device,
    autocast,
    best_device,
    fast_precision,
    image_layout,
    torch_seed,
)
from course_utils.experiments.evaluation import mean_loss
from course_utils.experiments.models import mlp
from course_utils.experiments.training import train

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)
PIXELS = Split(
    RNG.integers(0, 256, (5, 3, 4, 6)).astype(np.uint8),
    [0, 1, 2, 3, 4],
    mean=(0.1, 0.2, 0.3),
    std=(0.5, 0.6, 0.7),
)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("rows", [None, slice(1, 4), np.array([4, 0, 2])])
def test_batches_are_the_inputs_of_the_split(layout, rows):
    resident = DeviceData(PIXELS, CPU, layout=layout)
    x, y = resident.batch(rows)
    chosen = slice(None) if rows is None else rows
    np.testing.assert_allclose(x.numpy(), PIXELS.inputs(chosen), atol=1e-6)
    np.testing.assert_array_equal(y.numpy(), PIXELS.y[chosen])
    assert x.is_contiguous(memory_format=layout) and x.dtype == torch.float32
    assert resident.x.dtype == torch.uint8  # a quarter of the memory


def test_numbers_that_are_no_pixels_are_not_touched():
    split = digits().test
    x, _ = DeviceData(split, CPU, torch.float64, torch.channels_last).batch(np.array([7]))
    assert x.dtype == torch.float64
    np.testing.assert_array_equal(x.numpy(), split.x[[7]])


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(1, 1, "cuda"), (1, 0, "cuda"), (0, 1, "mps"), (0, 0, "cpu")]
)
def test_the_best_device_is_cuda_then_mps_then_the_cpu(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(cuda))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: bool(mps))
    assert best_device().type == expected


def test_bfloat16_is_fast_where_the_hardware_has_it(monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert fast_precision("cpu") == fast_precision("mps") == "float32"
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)
    assert fast_precision("cpu") == "bfloat16" and fast_precision("mps") == "float32"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert fast_precision("cuda") == "float32"
    monkeypatch.setattr(devices, "best_device", lambda: torch.device("cpu"))
    assert fast_precision() == "bfloat16"


@pytest.mark.parametrize("native", [False, True])
def test_nobody_decides_the_precision_but_who_calls(monkeypatch, native):
    """Numbers of workers on different machines are compared with each other."""
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: native, raising=False)
    assert fast_precision("cpu") == ("bfloat16" if native else "float32")
    model, formats = mlp((64, 10), seed=0), set()
    model.register_forward_hook(lambda *found: formats.add(found[2].dtype))
    run = train(model, digits(), steps=3, device="auto" if best_device().type == "cpu" else "cpu")
    mean_loss(model, digits().test)
    assert formats == {torch.float32} and run.meta["precision"] == "float32"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fast_precision("gpu"), ValueError, "device must be 'auto' or a device"),
        (lambda: fast_precision(3.5), TypeError, "device must be 'auto' or a device"),
        (lambda: as_device("meta"), ValueError, "device must be one that this machine"),
        (lambda: as_device(True), TypeError, "device must be 'auto' or a device"),
        (lambda: autocast("gpu", "float32"), ValueError, "device must be 'auto'"),
        (lambda: autocast(CPU, "half"), ValueError, "precision must be one of 'float32', 'bf"),
        (lambda: image_layout(CPU, 16), ValueError, "precision must be one of"),
        (lambda: image_layout(None), TypeError, "device must be"),
        (lambda: DeviceData(digits(), CPU), TypeError, "split must be a Split"),
        (lambda: DeviceData(PIXELS, "gpu"), ValueError, "device must be"),
        (lambda: DeviceData(PIXELS, CPU, torch.int64), TypeError, "dtype must be a floating"),
        (lambda: DeviceData(PIXELS, CPU, layout="NCHW"), TypeError, "layout must be a torch.mem"),
        (lambda: torch_seed("seed", -1), ValueError, "seed must be 0 or greater"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_layouts():
    assert image_layout(CPU, "float32") == torch.contiguous_format
    assert image_layout(CPU, "bfloat16") == torch.channels_last
    assert image_layout(torch.device("cuda"), "float32") == torch.channels_last


def test_float32_is_left_alone():
    with autocast(CPU, "float32"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
