"""The system's own lock on an open file: it ends with its process, however that ends.

So no lock is ever stale, and no clock matters. What a lock file says is for people only.
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

from ..errors import UsageError
from .files import storage_error
from .progress import say


def take_lock(file: BinaryIO) -> bool:
    """Until the file is closed. False when another process has it.

    Raises OSError where the file system has no locks.
    """
    from filelock import lock_descriptor  # only where something is locked: it takes time to load

    return lock_descriptor(file.fileno(), blocking=False)


def take_lock_if_any(file: BinaryIO) -> bool:
    """As `take_lock`; True where the file system has no locks."""
    try:
        return take_lock(file)
    except OSError:
        return True


def is_held(path: Path) -> bool | None:
    """Whether a living process has locked the file; None where that cannot be known."""
    try:
        with path.open("rb") as file:
            return not take_lock(file)
    except OSError:
        return None


@contextmanager
def lock_file(path: Path, else_do: str) -> Iterator[None]:
    """Keeps other processes out of the folder of `path`; makes both, and removes the file after.

    Raises UsageError, which names the process that holds it and what `else_do`; StorageError where
    nothing can be written.
    """
    file = _take(path, else_do)
    try:
        yield
    finally:
        _release(file, path)


def _take(path: Path, else_do: str) -> BinaryIO:
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+b")
        except OSError as error:
            raise storage_error(error, path) from error
        if not _try(file, path):
            holder = _holder(file)
            file.close()
            raise UsageError(f"{path.parent} is in use by {holder}; wait for its end or {else_do}")
        if _still_there(file, path):
            break
        file.close()  # its holder removed it as we waited
    try:
        _sign(file)
    except OSError as error:
        _release(file, path)
        raise storage_error(error, path) from error
    return file


def _try(file: BinaryIO, path: Path) -> bool:
    """True, with a line, where the file system has no locks."""
    try:
        return take_lock(file)
    except OSError as error:
        reason = error.strerror or error
        say(f"{path} cannot be locked ({reason}): see that no other process uses this folder")
    return True


def _sign(file: BinaryIO) -> None:
    """Blank where Windows locks, and so keeps others from reading: the first byte."""
    file.truncate(0)
    file.write(b" " + json.dumps({"pid": os.getpid(), "host": platform.node()}).encode())
    file.flush()


def _holder(file: BinaryIO) -> str:
    try:
        file.seek(1 if sys.platform == "win32" else 0)
        signed = json.loads(file.read(1000))
        return f"process {int(signed['pid'])} on {str(signed['host'])[:100]}"
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
