"""Which files, in which order: lists of millions of paths that take a few bytes each."""

from __future__ import annotations

import hashlib
import heapq
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar, overload

from ...errors import UsageError
from ...find.files import (
    DICOM_EXTENSIONS,
    extension,
    has_dicom_mark,
    is_image_name,
    missing_folder,
    no_images,
    refuse_odd_names,
    walk,
)

T = TypeVar("T")
BLOCK = 4096  # names packed together: sorted paths are so alike that a tenth of the bytes is left
RUN = 1 << 18  # names sorted in memory at a time


class PackedNames:
    """A list of strings that only grows, compressed. Raises DataError for a name not in UTF-8."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._blocks: list[bytes] = []
        self._n = 0
        for block in batches(names, BLOCK):
            refuse_odd_names(block)
            self._blocks.append(zlib.compress("\0".join(block).encode(), 1))
            self._n += len(block)

    def __len__(self) -> int:
        return self._n

    def since(self, start: int) -> Iterator[str]:
        for i in range(start // BLOCK, len(self._blocks)):
            names = zlib.decompress(self._blocks[i]).decode().split("\0")
            yield from names[start - i * BLOCK :] if start > i * BLOCK else names


class ImageList(Sequence[Path]):
    """Paths in the order in which they are predicted.

    `fingerprint` is a SHA-256 of them and of where they were looked for: another one means another
    list. It says nothing of what is in the files.
    """

    def __init__(self, paths: Iterable[Path | str], given: Iterable[Path | str] = ()) -> None:
        digest = hashlib.sha256(
            "\0".join(str(Path(one).absolute()) for one in given).encode(errors="surrogateescape")
        )
        self._names = PackedNames(_hashed(digest, map(str, paths)))
        self.fingerprint = digest.hexdigest()

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[Path]:
        return self.since(0)

    def since(self, start: int) -> Iterator[Path]:
        """Those from number `start` on."""
        return map(Path, self.names(start))

    def names(self, start: int = 0) -> Iterator[str]:
        """The same as they were given: a Path would alter the address of an object."""
        return self._names.since(start)

    @overload
    def __getitem__(self, key: int) -> Path: ...
    @overload
    def __getitem__(self, key: slice) -> list[Path]: ...
    def __getitem__(self, key: int | slice) -> Path | list[Path]:
        wanted = range(len(self))[key]
        if isinstance(wanted, int):
            return next(self.since(wanted))
        if wanted.step == 1:
            return list(islice(self.since(wanted.start), len(wanted)))
        return [self[i] for i in wanted]


def expand_images(given: Sequence[Path | str]) -> list[Path]:
    """Files as they are named, folders by their images. Raises UsageError for what is not there."""
    return list(list_images(given))


def list_images(given: Sequence[Path | str]) -> ImageList:
    """`expand_images` for millions of files, in a few bytes each.

    In the order given; within a folder that of `get_image_files`: sorted by relative path written
    with `/`. Raises UsageError for what is not there, DataError for a folder without images and
    for a name that is not UTF-8.
    """
    for item in map(Path, given):
        if not item.exists():
            raise UsageError(f"no file or folder {item}; give images or folders with images")
    return ImageList(chain.from_iterable(map(_expanded, map(Path, given))), given)


def _expanded(item: Path) -> Iterator[Path]:
    if not item.is_dir():
        yield item
        return
    empty = True
    for name in names_under(item):
        empty = False
        yield item / name
    if empty:
        raise no_images(item)


def names_under(root: Path) -> Iterator[str]:
    """What `find.image_names(root)` lists, in its order, without holding all names at once."""
    if not root.is_dir():
        raise missing_folder(root)
    named, others, all_dicom = _Sorter(), _Sorter(), True
    for name in walk(root, True, None):
        if is_image_name(name):
            named.add(name)
            all_dicom = all_dicom and extension(name) in DICOM_EXTENSIONS
        elif all_dicom:
            others.add(name)
    if not all_dicom:
        return named.merged()
    marked = (name for name in others.merged() if has_dicom_mark(root / name))
    return heapq.merge(named.merged(), marked)


class _Sorter:
    """Sorts what is added in runs, each packed until they are merged."""

    def __init__(self) -> None:
        self._run: list[str] = []
        self._packed: list[PackedNames] = []

    def add(self, name: str) -> None:
        self._run.append(name)
        if len(self._run) == RUN:
            self._packed.append(PackedNames(sorted(self._run)))
            self._run.clear()

    def merged(self) -> Iterator[str]:
        return heapq.merge(*(run.since(0) for run in self._packed), sorted(self._run))


def _hashed(digest: hashlib._Hash, names: Iterable[str]) -> Iterator[str]:
    for block in batches(names, BLOCK):
        digest.update("\0".join(["", *block]).encode(errors="surrogateescape"))
        yield from block


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch
