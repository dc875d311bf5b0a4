"""Kernels for the checks: no race for ports, and nobody waits for one that is dead."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
from queue import Empty
from typing import Any

from jupyter_client.manager import KernelManager


def use_ipc() -> None:
    """Let every kernel that this process starts talk through a private folder, not through ports.

    Over TCP the client picks free ports and the kernel binds them a moment later; when another
    process takes one in between, the kernel hangs. Unix domain sockets have no such race, and only
    this user can open them. Windows has none, and keeps TCP.
    """
    if os.name != "posix" or getattr(KernelManager.__init__, "uses_ipc", False):
        return
    original = KernelManager.__init__

    def __init__(self: KernelManager, *args: Any, **kwargs: Any) -> None:
        if "transport" not in kwargs:
            # Not tempfile.gettempdir(): a socket's path may have about 100 characters only.
            folder = tempfile.mkdtemp(
                prefix="lr-", dir="/tmp" if os.access("/tmp", os.W_OK) else None
            )
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            kwargs.update(transport="ipc", ip=os.path.join(folder, "k"))
        original(self, *args, **kwargs)

    __init__.uses_ipc = True  # type: ignore[attr-defined]
    KernelManager.__init__ = __init__  # type: ignore[method-assign]


LOOK_SECONDS = 2.0
"""How often the process of a silent kernel is looked at."""


class KernelDied(Exception):
    """The process of a kernel is gone in the middle of a cell."""


def notice_dead_kernels() -> None:
    """Let nbval report a kernel that dies at once, and not when the time of its cell is over.

    nbval waits for an answer until the time-out of the cell, two minutes here, and never asks
    whether there is still a process to give one. Only the process is looked at: a kernel that is
    slow, because the cell or the machine is, has all the time of its cell as before.
    """
    from nbval.kernel import RunningKernel
    from nbval.plugin import IPyNbCell

    if getattr(RunningKernel.get_message, "looks", False):
        return
    wait_for_message, run_cell = RunningKernel.get_message, IPyNbCell.runtest

    def get_message(self: RunningKernel, stream: str, timeout: float | None = None) -> Any:
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        while True:
            left = end - time.monotonic()
            try:  # what arrived before the end of the process is read first
                return wait_for_message(self, stream, timeout=max(0.0, min(LOOK_SECONDS, left)))
            except Empty:
                if not self.is_alive():
                    raise KernelDied from None
                if left <= LOOK_SECONDS:
                    raise

    def runtest(self: IPyNbCell) -> None:
        try:
            run_cell(self)
        except KernelDied:
            self.parent.timed_out = True  # so that nbval expects nothing of the cells after it
            self.raise_cell_error("The kernel died in this cell.")

    get_message.looks = True  # type: ignore[attr-defined]
    RunningKernel.get_message, IPyNbCell.runtest = get_message, runtest  # type: ignore[method-assign]
