"""A folder of shards, wherever it is: on a disk, or in an object storage by its URI."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ..._io.files import atomic_path, storage_error
from ...errors import UsageError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

CHUNK = 4 * 1024**2


@dataclass(frozen=True)
class LocalStore:
    """A folder on a disk of this machine, or one that is mounted as such (NFS)."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)

    def size(self, name: str) -> int | None:
        """Bytes; None where there is no such file."""
        path = self.folder / name
        return path.stat().st_size if path.is_file() else None

    def open(self, name: str) -> BinaryIO:
        return (self.folder / name).open("rb")

    def put(self, source: Path, name: str) -> None:
        """Whole or not at all."""
        with atomic_path(self.folder / name) as temporary:
            shutil.move(source, temporary)


@dataclass(frozen=True)
class RemoteStore:
    """Object storage, through pyarrow, or through fsspec for what pyarrow does not know."""

    uri: str
    filesystem: FileSystem
    folder: str

    def __str__(self) -> str:
        return self.uri.split("?")[0]

    def size(self, name: str) -> int | None:
        """Bytes; None where there is no such object."""
        found = self.filesystem.get_file_info(f"{self.folder}/{name}")
        return found.size if found.is_file else None

    def open(self, name: str) -> BinaryIO:
        stream: BinaryIO = self.filesystem.open_input_stream(f"{self.folder}/{name}")
        return stream

    def put(self, source: Path, name: str) -> None:
        """Object stores show an object once it is whole. A folder that is mounted under a URI may
        show a part, which the record that is written after it does not vouch for.
        """
        try:
            self.filesystem.create_dir(self.folder, recursive=True)
            target = self.filesystem.open_output_stream(f"{self.folder}/{name}")
            with source.open("rb") as file, target:
                shutil.copyfileobj(file, target, CHUNK)
        except OSError as error:
            raise storage_error(error, Path(name)) from error


Store = LocalStore | RemoteStore


def open_store(where: Path | str) -> Store:
    """The folder that a path or a URI (`s3://`, `gs://`, `file://`, ...) names; nothing is read.

    Raises UsageError for a URI that holds a password, or of a kind that nothing here can open.
    """
    if "://" not in str(where):
        return LocalStore(Path(where))
    uri = str(where).rstrip("/")
    parts = urlsplit(uri)
    if parts.username or parts.password:
        raise UsageError(
            f"{parts.scheme}://...: a URI with a login in it would end up in logs and run folders; "
            "give it by the storage's own environment variables or files"
        )
    if parts.scheme == "file":
        return LocalStore(Path(url2pathname(parts.path)))
    filesystem, folder = _filesystem(uri)
    return RemoteStore(uri, filesystem, folder.rstrip("/"))


def _filesystem(uri: str) -> tuple[FileSystem, str]:
    from pyarrow import ArrowException, fs

    try:
        filesystem, folder = fs.FileSystem.from_uri(uri)
        return filesystem, str(folder)
    except ArrowException:
        pass  # not a kind that pyarrow knows
    import fsspec  # type: ignore[import-untyped]

    try:
        other, folder = fsspec.core.url_to_fs(uri)
    except (ValueError, ImportError) as error:
        raise UsageError(f"{uri.split('?')[0]} cannot be opened ({error})") from error
    return fs.PyFileSystem(fs.FSSpecHandler(other)), str(folder)


def read_bytes(store: Store, name: str) -> bytes:
    """Raises FileNotFoundError where there is no such file."""
    with store.open(name) as file:
        return file.read()


def digest_of(store: Store, name: str) -> str:
    """SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with store.open(name) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
