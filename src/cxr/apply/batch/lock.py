"""One process at a time for one file; whoever is killed lets go."""

from __future__ import annotations

import errno
import os
import sys
from typing import BinaryIO

BEYOND = 1 << 40  # Windows locks bytes, and others could not read them: none that the file has
TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


def lock(file: BinaryIO) -> bool:
    """False when another process has it. Where the file system knows no locks, nobody has."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(BEYOND)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            file.seek(0, os.SEEK_END)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in TAKEN
    return True
