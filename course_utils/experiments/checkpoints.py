"""Files from which a training goes on. Each knows which training it belongs to.

A checkpoint is written whole or not at all, holds no code, and carries a checksum: what is read is
what was written, or the file is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
import signal
import threading
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils.atomic import replacing

FORMAT = 2


def digest(value: Any) -> str:
    """Return a SHA-256 checksum of tensors, arrays, numbers and text, nested as they like.

    Tensors count by type, shape and values, not by device and layout.

    Example:
        >>> one, other = torch.zeros(2, 3), torch.zeros(3, 2).T
        >>> digest({"w": one}) == digest({"w": other}), digest(one) == digest(one.double())
        (True, False)
    """
    found = hashlib.sha256()

    def add(part: Any) -> None:
        if isinstance(part, torch.Tensor):
            part = part.detach().cpu().contiguous()
            found.update(f"{part.dtype} {tuple(part.shape)}".encode())
            found.update(part.reshape(-1).view(torch.uint8).numpy())
        elif isinstance(part, np.ndarray):
            found.update(f"{part.dtype} {part.shape}".encode())
            found.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8))
        elif isinstance(part, (dict, list, tuple)):
            found.update(
                f"{len(part)} in a {'dict' if isinstance(part, dict) else 'list'}".encode()
            )
            for item in part.items() if isinstance(part, dict) else part:
                add(item)
        else:
            found.update(f"{part!r};".encode())

    add(value)
    return found.hexdigest()


def identity(
    model: nn.Module, optimizer: torch.optim.Optimizer, rates: np.ndarray, **settings: Any
) -> dict[str, Any]:
    """Return what has to agree for a training to go on: network, update rule, rates, settings.

    A schedule counts by its rates, so one with a function of yours is known again in a new process.

    Args:
        model: as the training begins; its weights do not count, their names and shapes do.
        optimizer: before its first step; its rates do not count, its other settings do.
        rates: of all updates (T,).
        settings: numbers, text, or lists of them.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> rule = torch.optim.SGD(model.parameters(), lr=0.1, momentum=np.float64(0.9))
        >>> identity(model, rule, np.ones(3), seed=0)["optimizer"]["groups"][0]["momentum"]
        0.9
    """
    tensors = [
        [name, str(value.dtype), list(value.shape)]
        for name, value in model.state_dict().items()
        if isinstance(value, torch.Tensor)
    ]
    groups = [
        {k: _named(v) for k, v in group.items() if k not in ("params", "lr", "initial_lr")}
        for group in optimizer.param_groups
    ]
    sizes = [len(group["params"]) for group in optimizer.param_groups]
    found = {
        "model": {
            "text": _named(model),
            "tensors": tensors,
            "frozen": [name for name, p in model.named_parameters() if not p.requires_grad]
            + [name for name, module in model.named_modules() if not module.training],
        },
        "optimizer": {"rule": type(optimizer).__name__, "groups": groups}
        | ({"sizes": sizes} if len(sizes) > 1 else {}),  # of one, the model says it
        "schedule": digest(np.asarray(rates, dtype=np.float64)),
    }
    return json.loads(json.dumps(found | {k: _named(v) for k, v in settings.items()}))


def save(path: Path, known: dict[str, Any], start: str, state: dict[str, Any]) -> None:
    """Write a checkpoint; who reads at the same time finds the old one or the new one, whole.

    Args:
        path: the file.
        known: the `identity` of the training.
        start: `digest` of the initial weights.
        state: "done" (updates), "model" (its state) and whatever else the training needs:
            tensors, numbers and text, nested as they like.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "run.pt"
        ...     save(path, {"seed": 0}, "", {"done": 3, "model": {}})
        ...     resume(path, {"seed": 0}, "", steps=5)["done"]
        3
    """
    content = _plain(state) | {"format": FORMAT, "identity": json.dumps(known), "start": start}
    with replacing(path) as stream:
        torch.save(content | {"checksum": digest(content)}, stream)


def resume(path: Path, known: dict[str, Any], start: str, steps: int) -> dict[str, Any] | None:
    """Return the state that `save` wrote, or None if there is no file.

    Args:
        path: the file.
        known, start: as in `save`, of the training that wants to go on.
        steps: how many updates it has. If it began with other weights, one that is finished is
            refused; one that is not goes on, with a warning (who set no seed must be able to).

    Raises:
        ValueError: if the file is damaged, or another training or another version wrote it.

    Example:
        >>> resume(Path("/no/such/file"), {}, "", steps=5) is None
        True
    """
    if not path.exists():
        return None
    content = _read(path)
    made = content.get("format")
    if not isinstance(made, int) or made != FORMAT:
        raise ValueError(
            f"checkpoint {str(path)!r} was written by another version of the course; "
            "delete it to start anew"
        )
    checksum = content.pop("checksum", None)
    if not isinstance(checksum, str) or checksum != digest(content):
        raise ValueError(f"checkpoint {str(path)!r} is damaged; delete it to start anew")
    found = json.loads(content["identity"])
    changed = sorted(k for k in known.keys() | found.keys() if known.get(k) != found.get(k))
    if changed:
        raise ValueError(
            f"checkpoint {str(path)!r} belongs to another training "
            f"({', '.join(changed)} differ); delete it or use another file"
        )
    if start not in (content["start"], digest(content["model"])):  # or the model that it made
        if content["done"] >= steps:
            raise ValueError(
                f"checkpoint {str(path)!r} belongs to a finished training that began with other "
                "initial weights; delete it or use another file"
            )
        warnings.warn(
            f"checkpoint {str(path)!r} began with other initial weights; it goes on with its own",
            stacklevel=3,
        )
    return content


@contextmanager
def stop_requests() -> Iterator[list[int]]:
    """Note that the user pressed stop, until there is something whole to save.

    Who presses it again does not wait: that raises KeyboardInterrupt, as usual. So it does in
    threads, and where a program handles the signal itself.

    Example:
        >>> with stop_requests() as asked:
        ...     signal.raise_signal(signal.SIGINT)
        ...     bool(asked)
        True
    """
    asked: list[int] = []

    def note(number: int, frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield asked
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _read(path: Path) -> dict[str, Any]:
    """The content of a file that may be anything."""
    try:
        with zipfile.ZipFile(path) as archive:  # torch.load does not look at the checksums
            broken = archive.testzip()
        # Adam counts its steps on the CPU; load_state_dict moves the rest to the device.
        content = torch.load(path, map_location="cpu", weights_only=True)
        if broken is not None or not isinstance(content, dict):
            raise ValueError(broken)
    except Exception as error:
        raise ValueError(
            f"checkpoint {str(path)!r} cannot be read; delete it to start anew"
        ) from error
    return content


def _plain(value: Any) -> Any:
    """The same in types that are read without running code: NumPy's become Python's."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return torch.tensor(value)
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return (
            type(value)(map(_plain, value))
            if type(value) in (list, tuple)
            else [*map(_plain, value)]
        )
    if value is None or isinstance(value, (bool, int, float, str, bytes, torch.Tensor)):
        return value
    raise TypeError(f"checkpoint cannot hold {value!r}: it holds tensors, numbers and text only")


def _named(value: Any) -> Any:
    """The same for JSON, without anything that changes from process to process."""
    if isinstance(value, (np.generic, np.ndarray, torch.Tensor)):
        return _named(value.tolist())
    if isinstance(value, dict):
        return {str(key): _named(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_named(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    text = getattr(value, "__qualname__", None) or repr(value)
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)
