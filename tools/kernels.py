"""Start Jupyter kernels so that they neither race for ports nor wait for ever."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
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
