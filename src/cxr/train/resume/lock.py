"""One process a run folder.

The system's own lock on a file: it ends with its process however that ends, so that no lock is
ever stale and no clock is asked. What the file says is for people only.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..._io import say
from ..._io.files import storage_error
from ..._io.locks import take_lock
from ...errors import CxrError, UsageError

LOCK = "run.lock"


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Makes the folder and keeps other processes out; a folder that stays empty is removed.

    Raises UsageError naming the process that holds it, StorageError where nothing can be written.
    """
    new = not run.exists()
    file = _take(run)
    try:
        yield
    finally:
        _release(file, run / LOCK)
        if new:
            with suppress(OSError):  # not empty
                run.rmdir()


def clear_lock(run: Path) -> None:
    """Removes the file of a dead process, where that can be; never that of a living one."""
    if (run / LOCK).exists():
        with suppress(CxrError), locked(run):
            pass


def _take(run: Path) -> BinaryIO:
    path = run / LOCK
    while True:
        try:
            run.mkdir(parents=True, exist_ok=True)
            file = path.open("a+b")
        except OSError as error:
            raise storage_error(error, path) from error
        if not _try(file, path):
            holder = _holder(file)
            file.close()
            raise UsageError(
                f"{run} is in use by {holder}; wait for its end or choose another --run folder"
            )
        if _still_there(file, path):
            break
        file.close()  # its holder removed it as we waited
    try:
        _sign(file)
    except OSError as error:
        _release(file, path)
        raise storage_error(error, path) from error
    return file


def _sign(file: BinaryIO) -> None:
    file.truncate(0)
    file.write(json.dumps({"pid": os.getpid(), "host": platform.node()}).encode())
    file.flush()


def _holder(file: BinaryIO) -> str:
    try:
        file.seek(0)
        found = json.loads(file.read(1000))
        return f"process {int(found['pid'])} on {str(found['host'])[:100]}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _still_there(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _release(file: BinaryIO, path: Path) -> None:
    if sys.platform == "win32":  # where an open file cannot be removed
        file.close()
    with suppress(OSError):
        path.unlink()
    file.close()


def _try(file: BinaryIO, path: Path) -> bool:
    """False when another process holds it. A file system without locks is said and trusted."""
    try:
        return take_lock(file)
    except OSError as error:
        reason = error.strerror or error
        say(f"{path} cannot be locked ({reason}): see that no other process uses this folder")
    return True
