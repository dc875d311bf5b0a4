"""Files that are written whole or not at all, whatever stops the program meanwhile."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_HOST = re.sub(r"\W", "_", platform.node())
_STALE = 600  # seconds after which an unfinished file of another machine counts as left behind


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` once it is complete; after an error it is gone.

    What killed programs have left beside it is removed.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(f"{folder}/a.txt") as stream:
    ...         _ = stream.write(b"0.1")
    ...     os.listdir(folder)
    ['a.txt']
    """
    path = Path(path)
    _tidy(path)
    temporary = path.parent / f".{path.name}.{_HOST}-{os.getpid()}.{os.urandom(4).hex()}.tmp"
    try:
        with open(temporary, "xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _tidy(path: Path) -> None:
    """Remove the unfinished files of `path` whose process is gone."""
    pattern = re.compile(rf"\.{re.escape(path.name)}\.(\w+)-(\d+)\.\w+\.tmp")
    for file in path.parent.glob(".*.tmp"):
        if not (made := pattern.fullmatch(file.name)):
            continue
        try:
            here = made[1] == _HOST and os.name != "nt"  # there, os.kill would end the process
            if (here and not _runs(int(made[2]))) or time.time() - file.stat().st_mtime > _STALE:
                file.unlink()
        except OSError:  # another process was faster, or it is not ours to remove
            continue


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)  # sends nothing
    except OSError as error:  # or it is another user's
        return not isinstance(error, ProcessLookupError)
    return True
