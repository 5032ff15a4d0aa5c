"""The system's own lock on an open file: it ends with its process, however that ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

_FAR = 1 << 30  # Windows locks bytes against reading, too: one that is not there

if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        at = file.tell()
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(at)
else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def take_lock(file: BinaryIO) -> bool:
    """Until the file is closed. False when another process has it.

    Raises OSError where the file system has no locks.
    """
    try:
        _lock(file)
    except (BlockingIOError, PermissionError):  # the latter on Windows
        return False
    return True


def is_held(path: Path) -> bool | None:
    """Whether a living process has locked the file; None where that cannot be told."""
    try:
        with path.open("rb") as file:
            return not take_lock(file)
    except OSError:
        return None
