"""Files and folders on this machine or in object storage, through pyarrow or fsspec, by URI."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from ..._io.files import storage_error
from ..._io.journal import write_synced
from ..._io.locks import take_lock_if_any
from ..._io.text import error_text
from ...apply.batch import ImageList, list_images
from ...errors import CxrError, ImageError, StorageError, UsageError
from ...find.files import SKIPPED_FOLDERS, is_image_name, no_images
from ...pixels.limits import MAX_BYTES, check_bytes

LOCK = "_lock"
TRIES = 3
WAIT_S = 1.0  # before the second try, and twice as long before each one after it
GONE = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


class Unreachable(ImageError):
    """A file that could not be fetched, for reasons that may be those of the network."""


def is_uri(place: str | Path) -> bool:
    """`s3://bucket/images`, say. A Path holds no two slashes in a row, so it never is one."""
    return "://" in str(place)


def open_uri(uri: str) -> tuple[Any, str]:
    """A `pyarrow.fs.FileSystem` and the path in it. Raises UsageError when there is no such one."""
    scheme, _, rest = uri.partition("://")
    host, _, key = rest.partition("/")
    if "@" in host:
        raise UsageError(
            f"{scheme}://…@{host.rpartition('@')[2]} holds a login, which would end up in tables "
            "and logs; give it through the environment (AWS_ACCESS_KEY_ID, say)"
        )
    system, root = _system(f"{scheme}://{host}/")
    # The key as it is: within a URI a space or a % would have to be written otherwise.
    return system, f"{root.rstrip('/')}/{key}".rstrip("/") or "/"


@lru_cache
def _system(root: str) -> tuple[Any, str]:
    try:
        from pyarrow import fs
    except ImportError as error:
        raise UsageError(f'{root} needs pyarrow; run: pip install "cxr[ray]"') from error
    try:
        return fs.FileSystem.from_uri(root)
    except (ValueError, OSError) as error:  # pyarrow knows no such kind, or reaches no such place
        return _by_fsspec(root, error)


def _by_fsspec(root: str, first: Exception) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]
        from pyarrow.fs import FSSpecHandler, PyFileSystem

        system, path = url_to_fs(root)
    except (ImportError, ValueError, OSError) as error:
        why = first if isinstance(first, OSError) else error
        raise UsageError(f"cannot open {root} ({_line(why)}); check its name and login") from error
    return PyFileSystem(FSSpecHandler(system)), path


def list_anywhere(given: Sequence[str]) -> ImageList:
    """`list_images` of local files and folders and of URIs.

    Under a URI an image is known by the extension of its name. Raises UsageError and DataError as
    `list_images` does.
    """
    here = [item for item in given if not is_uri(item)]
    if len(here) == len(given):
        return list_images(given)
    names = (_under(item) if is_uri(item) else list_images([item]).names() for item in given)
    return ImageList(chain.from_iterable(names), here)


def _under(uri: str) -> Iterator[str]:
    from pyarrow.fs import FileType

    uri = uri.rstrip("/")
    system, path = open_uri(uri)
    try:
        kind = system.get_file_info(path).type
        if kind == FileType.NotFound:
            raise UsageError(f"there is nothing at {uri}; give images or folders with images")
        if kind == FileType.File:
            yield uri
            return
        name = None
        for name in _walk(system, path):
            yield f"{uri}/{name}"
    except OSError as error:
        raise UsageError(f"cannot list {uri} ({_line(error)}); check its name and login") from error
    if name is None:
        raise no_images(uri)


def _walk(system: Any, root: str, prefix: str = "") -> Iterator[str]:
    """Names of images, sorted as wholes, with the memory of the largest folder."""
    from pyarrow.fs import FileSelector, FileType

    files = system.get_file_info(FileSelector(f"{root.rstrip('/')}/{prefix}".rstrip("/") or "/"))
    # With the slash folders sort as the names in them do.
    entries = sorted(i.base_name + "/" * (i.type == FileType.Directory) for i in files)
    for entry in entries:
        if entry.startswith(".") or entry.rstrip("/") in SKIPPED_FOLDERS:
            continue
        if entry.endswith("/"):
            yield from _walk(system, root, prefix + entry)
        elif is_image_name(entry):
            yield prefix + entry


def read_object(uri: str) -> bytes:
    """Raises ImageError when there is no such file, Unreachable when TRIES did not help."""
    for attempt in range(TRIES):
        try:
            system, path = open_uri(uri)
            with system.open_input_stream(path) as file:
                data = file.read(MAX_BYTES + 1)
            check_bytes(uri, len(data))
            return data
        except GONE as error:
            raise ImageError(uri, f"cannot be read ({_line(error)})") from error
        except (OSError, UsageError) as error:
            if attempt + 1 == TRIES:
                raise Unreachable(uri, f"cannot be read ({_line(error)})") from error
            time.sleep(WAIT_S * 2**attempt)
    raise AssertionError("unreachable")


def _line(error: Exception) -> str:
    said = getattr(error, "strerror", None) or str(error)
    return " ".join(said.split())[:200] or type(error).__name__


class StorageFolder:
    """`place` is a path or a URI. Raises UsageError for a URI of no known kind, StorageError for
    what cannot be written."""

    def __init__(self, place: str | Path) -> None:
        from pyarrow.fs import LocalFileSystem

        self.place = str(place)
        if is_uri(place):
            self._system, self._root = open_uri(self.place)
        else:
            self._system, self._root = LocalFileSystem(), str(place)
        local = isinstance(self._system, LocalFileSystem)
        self.path = Path(self._root) if local else None
        self.far = not local  # then each write lets one wait

    def names(self) -> list[str]:
        """Of the files, sorted; none where there is no such folder."""
        from pyarrow.fs import FileSelector, FileType

        with self._storage():
            files = self._system.get_file_info(FileSelector(self._root, allow_not_found=True))
        return sorted(one.base_name for one in files if one.type == FileType.File)

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
    def locked(self) -> Iterator[None]:
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

    def remove_folder(self) -> None:
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
            reported = error if self.path is None else storage_error(error, self.path)
            if not isinstance(reported, CxrError):
                said = os.strerror(error.errno) if error.errno else error_text(error)
                reported = StorageError(
                    f"cannot use {self.place} ({said[:200]}); what is written there is safe, and "
                    "the same command goes on"
                )
            raise reported from error
