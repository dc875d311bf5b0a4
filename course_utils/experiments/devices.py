"""Examples on the device where the network is: which device, which number format, which layout."""

from __future__ import annotations

from contextlib import AbstractContextManager

import numpy as np
import torch

from course_utils import validate
from course_utils.experiments.datasets import Split

PRECISIONS = ("float32", "bfloat16")


def best_device() -> torch.device:
    """Return the fastest device of this machine: CUDA, else Apple's MPS, else the CPU.

    Example:
        >>> best_device().type in ("cuda", "mps", "cpu")
        True
    """
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def as_device(device: torch.device | str) -> torch.device:
    """Return a device that can be computed on; "auto" is the best one.

    Example:
        >>> as_device("gpu")
        Traceback (most recent call last):
            ...
        ValueError: device must be 'auto' or a device such as 'cpu' or 'cuda', got 'gpu'
    """
    found = _named_device(device)
    try:
        torch.zeros(1, device=found).item()  # "meta" holds no numbers
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device must be one that this machine and this PyTorch have, got {device!r}"
        ) from error
    return found


def _named_device(device: torch.device | str) -> torch.device:
    """A device, whether it is there or not."""
    if isinstance(device, str) and device == "auto":
        return best_device()
    wanted = f"device must be 'auto' or a device such as 'cpu' or 'cuda', got {device!r}"
    if not isinstance(device, (str, torch.device)):
        raise TypeError(wanted)
    try:
        return torch.device(device)
    except RuntimeError as error:
        raise ValueError(wanted) from error


def torch_seed(name: str, seed: int) -> int:
    """Return a seed that NumPy and PyTorch both take, 0 <= seed < 2^64.

    Example:
        >>> torch_seed("seed", 2**64)
        Traceback (most recent call last):
            ...
        ValueError: seed must be less than 2^64, got 18446744073709551616
    """
    seed = validate.integer(name, seed, minimum=0)
    if seed >= 2**64:
        raise ValueError(f"{name} must be less than 2^64, got {seed}")
    return seed


def fast_precision(device: torch.device | str | None = None) -> str:
    """Return "bfloat16" where the hardware multiplies such numbers, else "float32".

    Elsewhere they are emulated, which takes twice as long as float32.

    Args:
        device: None means `best_device()`.

    Example:
        >>> fast_precision("cpu") in PRECISIONS
        True
    """
    device = best_device() if device is None else _named_device(device)
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        features = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        probes = [getattr(torch.cpu, name, lambda: False) for name in features]
        native = device.type == "cpu" and any(probe() for probe in probes)
    return "bfloat16" if native else "float32"


def autocast(device: torch.device, precision: str) -> AbstractContextManager:
    """Return the context in which a forward pass runs: bfloat16 where it is safe, or unchanged.

    Weights, gradients and the optimizer stay float32.

    Example:
        >>> with autocast(torch.device("cpu"), "bfloat16"):
        ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
        torch.bfloat16
    """
    enabled = validate.one_of("precision", precision, PRECISIONS) == "bfloat16"
    return torch.autocast(_named_device(device).type, dtype=torch.bfloat16, enabled=enabled)


def image_layout(device: torch.device, precision: str = "float32") -> torch.memory_format:
    """Return the faster memory layout for convolutions: channels last, but not on a CPU in float32.

    Example:
        >>> image_layout(torch.device("cuda"))
        torch.channels_last
    """
    narrow = validate.one_of("precision", precision, PRECISIONS) != "float32"
    slower = _named_device(device).type == "cpu" and not narrow
    return torch.contiguous_format if slower else torch.channels_last


class DeviceData:
    """A split whose examples lie on a device, ready to be drawn in batches.

    Pixels lie there as bytes and become normalized numbers batch by batch.

    Args:
        split: what to load.
        device: where to.
        dtype: of the inputs that are drawn.
        layout: of images; drawn batches have it.

    Example:
        >>> from course_utils.experiments.datasets import digits
        >>> x, y = DeviceData(digits().test, torch.device("cpu")).batch(np.array([3, 4]))
        >>> x.shape, y.shape
        (torch.Size([2, 64]), torch.Size([2]))
    """

    def __init__(
        self,
        split: Split,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        layout: torch.memory_format = torch.contiguous_format,
    ) -> None:
        if not isinstance(split, Split):
            raise TypeError(f"split must be a Split such as data.train, got {type(split).__name__}")
        if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
            raise TypeError(f"dtype must be a floating-point torch.dtype, got {dtype!r}")
        if not isinstance(layout, torch.memory_format):
            raise TypeError(f"layout must be a torch.memory_format, got {layout!r}")
        self.device, self.dtype = as_device(device), dtype
        self.last = layout == torch.channels_last and split.x.ndim == 4
        # Kept as (N, H, W, C), so that the rows of a batch are drawn in one piece each.
        x = split.x.transpose(0, 2, 3, 1) if self.last else split.x
        dtype_kept = None if split.pixels else dtype
        self.x = torch.tensor(x, device=device, dtype=dtype_kept).contiguous()
        self.y = torch.tensor(split.y, device=device)
        self.factor = self.shift = None
        if split.pixels:  # (x / 255 - mean) / std, written as x * factor + shift
            mean, std = (np.reshape(values, (-1, 1, 1)) for values in (split.mean, split.std))
            self.factor = torch.tensor(1 / (255 * std), dtype=dtype, device=device)
            self.shift = torch.tensor(-mean / std, dtype=dtype, device=device)

    def batch(self, rows: np.ndarray | slice | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the inputs and labels of some rows (an integer array or a slice), or of all."""
        x, y = self.x, self.y
        if isinstance(rows, np.ndarray):
            rows = torch.from_numpy(rows).to(self.device)
        if rows is not None:
            x, y = x[rows], y[rows]
        if self.last:
            x = x.permute(0, 3, 1, 2)  # a view: the usual shape, the memory channels last
        if self.factor is not None:
            x = x.to(self.dtype) * self.factor + self.shift
        return x, y
