"""A folder of small files that are whole or absent: on this machine, or in object storage."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ..._io.files import storage_error
from ..._io.journal import write_synced
from ..._io.locks import take_lock_if_any
from ..._io.text import error_text
from ...errors import CxrError, StorageError, UsageError
from .storage import is_uri, opened

LOCK = "_lock"


class Folder:
    """`place` is a path or a URI. Raises UsageError for a URI of no known kind, StorageError for
    what cannot be written."""

    def __init__(self, place: str | Path) -> None:
        from pyarrow.fs import LocalFileSystem

        self.place = str(place)
        if is_uri(place):
            self._system, self._root = opened(self.place)
        else:
            self._system, self._root = LocalFileSystem(), str(place)
        local = isinstance(self._system, LocalFileSystem)
        self.path = Path(self._root) if local else None
        self.far = not local  # then each write lets one wait

    def names(self) -> list[str]:
        """Of the files, sorted; none where there is no such folder."""
        from pyarrow.fs import FileSelector, FileType

        with self._storage():
            found = self._system.get_file_info(FileSelector(self._root, allow_not_found=True))
        return sorted(one.base_name for one in found if one.type == FileType.File)

    def write(self, name: str, data: bytes) -> None:
        """On disk when this returns; whole under its name or not there at all."""
        with self._storage():
            if self.path is not None:
                write_synced(self.path / name, data)
                return
            with self._system.open_output_stream(self._at(name)) as file:
                file.write(data)

    def read(self, name: str) -> bytes:
        """Raises OSError."""
        with self._system.open_input_stream(self._at(name)) as file:
            return file.read()

    def open(self, name: str) -> Any:
        """A seekable `pyarrow.NativeFile`. Raises OSError."""
        return self._system.open_input_file(self._at(name))

    def remove(self, name: str) -> None:
        with self._storage():
            self._system.delete_file(self._at(name))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Made if it is not there, and no other process's meanwhile, where that can be known."""
        with self._storage():
            self._system.create_dir(self._root, recursive=True)
        if self.path is None:
            yield
            return
        with self._storage():
            file = (self.path / LOCK).open("a+b")
        with file:
            self._take(file)
            yield

    def _take(self, file: BinaryIO) -> None:
        if not take_lock_if_any(file):
            raise UsageError(f"another process is writing {self.place}; let it finish or stop it")

    def vanish(self) -> None:
        """The folder itself, when all that matters in it is gone."""
        if self.path is not None:
            for name in self.names():
                (self.path / name).unlink(missing_ok=True)
            self.path.rmdir()
        else:
            self._system.delete_dir(self._root)

    def _at(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    @contextmanager
    def _storage(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            found = error if self.path is None else storage_error(error, self.path)
            if not isinstance(found, CxrError):
                said = os.strerror(error.errno) if error.errno else error_text(error)
                found = StorageError(
                    f"cannot use {self.place} ({said[:200]}); what is written there is safe, and "
                    "the same command goes on"
                )
            raise found from error
