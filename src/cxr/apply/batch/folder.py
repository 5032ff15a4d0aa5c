"""A folder of results, a file or two for each image, that outlives being killed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from ..._io import Progress, say
from ..._io.files import storage_error
from ..._io.journal import JobDescription, Journal, check_same, read_journal
from ...errors import ImageError, UsageError
from .table import COMMIT_EVERY_S

JOURNAL = ".unfinished.json"
LEFTOVERS = ".*.part"  # what `atomic_path` leaves behind when it is killed
MAX_NAMED = 10  # images without a result that are named


class ResumableFolder:
    """`with ResumableFolder(folder, job, patterns) as work: work.fill(...)`.

    `folder` must be new or empty, or hold what an earlier call with the same `job` left; how far
    that came is in a journal in it, which goes when the block ends without an error. `patterns`
    are the names of results, which `restart` removes. Files must be written by `atomic_path`:
    those after the last entry in the journal are made again.

    Raises UsageError when the folder is not empty or was begun for another job, StorageError when
    it cannot be written.
    """

    def __init__(
        self, folder: Path, job: JobDescription, patterns: Sequence[str], *, restart: bool = False
    ) -> None:
        self.folder, self._patterns, self._restart = folder, patterns, restart
        self.journal = Journal(job)
        self._path = folder / JOURNAL
        self._last = time.monotonic()

    @property
    def done(self) -> int:
        """Images that need no more work."""
        return self.journal.rows

    @property
    def failed(self) -> int:
        """Of these, the ones without a result."""
        return self.journal.unreadable

    def __enter__(self) -> ResumableFolder:
        begun = read_journal(self._path)
        if begun is not None and self._restart:
            self._remove(*self._patterns, LEFTOVERS, JOURNAL)
            begun = None
        if begun is None:
            require_empty(self.folder)
        else:
            check_same(self.folder, begun.job, self.journal.job)
            self._remove(LEFTOVERS)
            self.journal = begun
        self._write()
        return self

    def fill(
        self,
        what: str,
        files: Sequence[Path],
        make: Callable[[Path, str], object],
        names: Iterable[str],
    ) -> None:
        """`make(file, name)` for each file that is not done yet; an ImageError is said."""
        start, begun = self.done, self.journal.unreadable
        with Progress(what, len(files) - start) as progress:
            for file, name in islice(zip(files, names, strict=True), start, None):
                try:
                    make(file, name)
                except ImageError as error:
                    self.journal = replace(self.journal, unreadable=self.failed + 1)
                    if self.failed - begun <= MAX_NAMED:
                        say(f"{what} failed: {error}")
                self.journal = replace(self.journal, rows=self.done + 1)
                if time.monotonic() - self._last >= COMMIT_EVERY_S:
                    self._write()
                progress.advance()
        if self.failed - begun > MAX_NAMED:
            say(f"{what} failed for {self.failed - begun - MAX_NAMED:,} more images")
        self._write()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.journal.write(self._path)
        except OSError as error:
            raise storage_error(error, self.folder) from error
        self._last = time.monotonic()

    def _remove(self, *patterns: str) -> None:
        for pattern in patterns:
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)


def require_empty(folder: Path) -> None:
    """Nothing is ever written over: a folder of heat maps must be new or empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder; choose a new one for the heat maps")
