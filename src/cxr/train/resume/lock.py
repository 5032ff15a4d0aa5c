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
    """Makes the folder and keeps other processes out; a folder made here that stays empty goes.

    Raises UsageError naming the process that holds it, StorageError where nothing can be written.
    """
    made = [folder for folder in (run, *run.parents) if not folder.exists()]
    try:
        with lock_file(run / LOCK, "choose another --run folder"):
            yield
    finally:
        with suppress(OSError):  # not empty
            for folder in made:
                folder.rmdir()


def clear_lock(run: Path) -> None:
    """Removes the file of a dead process, where that can be; never that of a living one."""
    if (run / LOCK).exists():
        with suppress(CxrError), locked(run):
            pass
