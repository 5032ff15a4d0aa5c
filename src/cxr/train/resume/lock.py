"""One process a run folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..._io.locks import lock_file
from ..._io.run_files import LOCK
from ...errors import CxrError


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Makes the folder and keeps other processes out; a folder that stays empty is removed.

    Raises UsageError naming the process that holds it, StorageError where nothing can be written.
    """
    new = not run.exists()
    try:
        with lock_file(run / LOCK, "choose another --run folder"):
            yield
    finally:
        if new:
            with suppress(OSError):  # not empty
                run.rmdir()


def clear_lock(run: Path) -> None:
    """Removes the file of a dead process, where that can be; never that of a living one."""
    if (run / LOCK).exists():
        with suppress(CxrError), locked(run):
            pass
