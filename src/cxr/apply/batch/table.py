"""A table on disk that outlives being killed: no row is lost or there twice.

Rows go to `NAME.part`. Now and then they are forced to disk, and then `NAME.part.json` says how
many rows and bytes are there, with their CRC-32. Whoever goes on cuts off what follows them.
Parquet cannot be cut, so its rows wait as lines of JSON and are turned into one file at the end.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from ..._io.files import storage_error
from ..._io.journal import JobDescription, Journal, check_same, read_journal
from ..._io.locks import take_lock_if_any
from ...errors import StorageError, UsageError
from .formats import check_format, encoded, heading, read_lines, write_parquet

COMMIT_EVERY_S = 1.0  # at most this much work is done again
READ = 1 << 20


class ResumableTable:
    """`with ResumableTable(out, job, columns) as table: table.append(rows); ...; table.finish()`.

    `out` ends in .csv, .jsonl or .parquet and appears when it is whole, in place of an older one.
    `job` must not change between the calls that write one table. After the block the traces of the
    work are gone if `finish` was called; an error leaves them, and the same call goes on.

    Raises UsageError when the work begun was another or is going on in another process,
    StorageError when the disk is full or cannot be written.
    """

    def __init__(
        self, out: Path, job: JobDescription, columns: Sequence[str], *, restart: bool = False
    ) -> None:
        check_format(out)
        self.out, self.columns, self._restart = out, list(columns), restart
        self.part = out.with_name(f"{out.name}.part")
        self.journal_path = out.with_name(f"{out.name}.part.json")
        self.journal = self._pending = Journal(job)
        self._last = time.monotonic()
        self.finished = False
        self._file: BinaryIO | None = None

    @property
    def rows(self) -> int:
        """That are safely on disk."""
        return self.journal.rows

    def __enter__(self) -> ResumableTable:
        with self._storage():
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.part.open("a+b")
            try:
                self._begin(self._file)
            except BaseException:
                self._close()
                raise
        return self

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        """On disk after a second, or with `commit`."""
        unreadable = sum(row["error"] is not None for row in rows)
        self._write(encoded(rows, self._suffix), len(rows), unreadable)
        if time.monotonic() - self._last >= COMMIT_EVERY_S:
            self.commit()

    def commit(self) -> None:
        """Forces the rows so far to disk. A journal that is there never says more than is there."""
        with self._storage():
            self._opened.flush()
            os.fsync(self._opened.fileno())
            self._pending.write(self.journal_path)
        self.journal, self._last = self._pending, time.monotonic()

    def finish(self) -> Path:
        """Gives the table its name."""
        if self.finished:
            return self.out
        self.commit()
        with self._storage():
            self._close()  # Windows renames no open file
            whole = self._joined() if self.out.suffix == ".parquet" else self.part
            self.journal = replace(self.journal, whole=_measure(whole))
            self.journal.write(self.journal_path)
            whole.replace(self.out)
            self.part.unlink(missing_ok=True)
        self.finished = True
        return self.out

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._close()
        if self.finished:
            self.part.unlink(missing_ok=True)
            if error is None:
                self.journal_path.unlink(missing_ok=True)

    @property
    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise RuntimeError("a ResumableTable is used in its `with` block, before it is whole")
        return self._file

    @property
    def _suffix(self) -> str:
        return ".csv" if self.out.suffix == ".csv" else ".jsonl"

    def _write(self, data: bytes, rows: int = 0, unreadable: int = 0) -> None:
        with self._storage():
            self._opened.write(data)
        before = self._pending
        self._pending = replace(
            before,
            rows=before.rows + rows,
            unreadable=before.unreadable + unreadable,
            size=before.size + len(data),
            crc32=zlib.crc32(data, before.crc32),
        )

    def _begin(self, file: BinaryIO) -> None:
        """Takes up the work that was left, or begins it."""
        if not take_lock_if_any(file):
            raise UsageError(f"another process is writing {self.part}; let it finish or stop it")
        size = file.seek(0, os.SEEK_END)
        try:
            begun = None if self._restart else self._resumable(file, size)
        except UsageError:
            if not size:
                self._close()
                self.part.unlink()
            raise
        self.journal = self._pending = begun or self.journal
        if self.finished:
            return
        if begun is None:
            self.journal.write(self.journal_path)  # before the rows of other work are gone
        file.truncate(self.journal.size)
        if not self.journal.size:
            self._write(heading(self.columns, self._suffix))

    def _resumable(self, file: BinaryIO, size: int) -> Journal | None:
        """What is known of earlier work, if there is any."""
        journal = read_journal(self.journal_path)
        if journal is None:
            if size:
                raise UsageError(
                    f"{self.part} is there, but not {self.journal_path.name}, which says how far "
                    "it is; move it away, or write over it with --restart"
                )
            return None
        if journal.whole is not None:  # the table had its name, or was about to get it
            self.finished = journal.job == self.journal.job and _is(self.out, journal.whole)
            if self.finished or not size:
                return journal if self.finished else None
        check_same(self.part, journal.job, self.journal.job)
        file.seek(0)
        if size < journal.size or _crc32(file, journal.size) != journal.crc32:
            raise UsageError(
                f"{self.part} was changed or cut by something else since it was written; "
                "begin anew with --restart"
            )
        return journal

    def _joined(self) -> Path:
        """Parquet of the lines written so far."""
        joined = self.out.with_name(f"{self.out.name}.part.joined")
        write_parquet(read_lines(self.part), self.columns, joined)
        with joined.open("r+b") as file:
            os.fsync(file.fileno())
        return joined

    def _close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            with suppress(OSError):  # uncommitted rows that find no room, as was said
                file.close()

    @contextmanager
    def _storage(self) -> Iterator[None]:
        """A full disk keeps what is committed, and the same command goes on."""
        try:
            yield
        except OSError as error:
            one_line, why = storage_error(error, self.out), error.strerror or str(error)
            if self.journal.rows:
                one_line = StorageError(
                    f"cannot go on writing {self.part} ({why}): its first {self.journal.rows:,} "
                    "rows are safe; make room or make it writable, then the same command goes on"
                )
            elif not isinstance(one_line, StorageError):
                one_line = StorageError(f"cannot write {self.out} ({why}); check the disk")
            raise one_line from error


def _is(path: Path, whole: Sequence[int]) -> bool:
    return path.is_file() and path.stat().st_size == whole[0] and _measure(path) == list(whole)


def _measure(path: Path) -> list[int]:
    """Size and CRC-32."""
    size = path.stat().st_size
    with path.open("rb") as file:
        return [size, _crc32(file, size)]


def _crc32(file: BinaryIO, size: int) -> int:
    """Of the next `size` bytes."""
    crc32 = 0
    while size > 0 and (data := file.read(min(READ, size))):
        crc32 = zlib.crc32(data, crc32)
        size -= len(data)
    return crc32
