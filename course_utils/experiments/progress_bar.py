"""A bar for the updates of a training. tqdm is imported only where a bar is shown."""

from __future__ import annotations

import sys
from typing import Any


def progress_bar(progress: bool, total: int, initial: int = 0) -> Any:
    """Return a bar with `update(n=1)` and `close()`, which is also a context; or one that is mute.

    In a browser, where a training takes ten times as long, each that takes more than two seconds
    has its bar, which goes when it is done.

    Args:
        progress: whether it is shown.
        total: updates to make.
        initial: updates that were made before.

    Example:
        >>> with progress_bar(False, total=10) as bar:
        ...     bar.update(5)
    """
    if sys.platform == "emscripten" and not progress:
        from tqdm.notebook import tqdm

        tqdm.monitor_interval = 0  # else it complains that no thread can be started
        return tqdm(total=total, initial=initial, unit="updates", delay=2, leave=False)
    if not progress:
        return _Mute()
    from tqdm.auto import tqdm

    return tqdm(total=total, initial=initial, unit="updates")


class _Mute:
    def __enter__(self) -> _Mute:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def update(self, n: int = 1) -> None:
        pass

    def close(self) -> None:
        pass
