"""Image files under a folder: the same list, in the same order, on every system."""

from __future__ import annotations

import difflib
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import SupportsIndex, overload

from .._io import say
from .._io.dicom_header import has_dicom_preamble
from .._io.text import counted
from ..errors import DataError, UsageError

# A fixed list: the system's own table of file types (fast.ai's source) differs between machines.
IMAGE_EXTENSIONS = frozenset(
    {
        ".bmp",
        ".dcm",
        ".dicom",
        ".gif",
        ".jfif",
        ".jp2",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".pgm",
        ".png",
        ".tif",
        ".tiff",
        ".webp",
    }
)
DICOM_EXTENSIONS = frozenset({".dcm", ".dicom"})
SKIPPED_FOLDERS = frozenset({"__MACOSX"})
SHOWN = 10


class Files(list[Path]):
    """A list of paths that says how many it holds, as fast.ai's `L` does: `(#5232) [...]`."""

    def __repr__(self) -> str:
        shown = ",".join(repr(path) for path in self[:SHOWN])
        return f"(#{len(self)}) [{shown}{'...' if len(self) > SHOWN else ''}]"

    @overload
    def __getitem__(self, key: SupportsIndex) -> Path: ...
    @overload
    def __getitem__(self, key: slice) -> Files: ...
    def __getitem__(self, key: SupportsIndex | slice) -> Path | Files:
        found = super().__getitem__(key)
        return Files(found) if isinstance(found, list) else found


def get_image_files(
    path: Path | str,
    recurse: bool = True,
    folders: Iterable[str] | str | None = None,
    *,
    follow_links: bool = False,
) -> Files:
    """Every image file under `path`, sorted by its relative path written with `/`.

    `folders` keeps only these folders directly under `path` ("." stands for `path` itself), as in
    fast.ai. Names that begin with a dot and `__MACOSX` are skipped. Links to folders are not
    followed and links to files that lie outside `path` are skipped: what is inside is found at
    its own place, so nothing is counted twice and no link can make a loop. `follow_links` takes
    what such links lead to, too, but no folder that holds, or lies in, one that is read already.

    An image is known by its extension (`IMAGE_EXTENSIONS`). Only where there is none, or none but
    DICOM, files with the mark of DICOM (`DICM` at byte 128) count too, as scanners and archives
    often export them without an extension.

    Raises UsageError when `path` is not a folder, DataError when it holds no image, cannot be
    listed, or has an image whose name is not UTF-8.
    """
    root = Path(path)
    names = image_names(root, recurse, folders, follow_links=follow_links)
    if not names:
        raise no_images(root)
    return Files(root / name for name in names)


def image_names(
    root: Path,
    recurse: bool = True,
    folders: Iterable[str] | str | None = None,
    *,
    follow_links: bool = False,
) -> list[str]:
    """What `get_image_files` finds, as paths relative to `root` written with `/`; maybe nothing."""
    if not root.is_dir():
        raise missing_folder(root)
    wanted = _wanted_folders(root, folders)
    candidates = sorted(walk(root, recurse, wanted, follow_links))
    names = [name for name in candidates if is_image_name(name)]
    if all(extension(name) in DICOM_EXTENSIONS for name in names):
        named = set(names)
        names = [name for name in candidates if name in named or has_dicom_mark(root / name)]
    refuse_odd_names(names)
    return names


def parent_label(path: PurePath | str) -> str:
    """The name of the folder that holds the file."""
    return PurePath(path).parent.name


def is_image_name(name: PurePath | str) -> bool:
    return extension(name) in IMAGE_EXTENSIONS


def extension(name: PurePath | str) -> str:
    """What follows the last dot, with it, in lower case."""
    return "." + str(name).rpartition(".")[2].lower()


def no_images(root: Path | str) -> DataError:
    return DataError(
        f"no images under {root}; an image ends in one of {' '.join(sorted(IMAGE_EXTENSIONS))} or "
        "is a DICOM file"
    )


def missing_folder(path: Path) -> UsageError:
    """The error for a folder that is not there: it names what is beside it."""
    if path.exists():
        return UsageError(f"{path} is a file; give the folder that holds the images")
    parents = path.absolute().parents
    parent = next((folder for folder in parents if folder.is_dir()), path)
    try:
        beside = sorted(entry.name for entry in parent.iterdir() if not entry.name.startswith("."))
    except OSError:
        beside = []  # the message only loses its hint
    near = difflib.get_close_matches(path.name, beside, n=3) or beside[:5]
    return UsageError(f"there is no {path}; {parent} holds {', '.join(near) or 'nothing'}")


def refuse_odd_names(names: list[str]) -> None:
    """A name that is not UTF-8 could not be written into any table."""
    try:
        "".join(names).encode()
    except UnicodeEncodeError as error:
        odd = next(name for name in names if name != name.encode(errors="ignore").decode())
        raise DataError(f"the file name {odd!a} is not UTF-8; rename the file") from error


def _wanted_folders(root: Path, folders: Iterable[str] | str | None) -> frozenset[str] | None:
    if not folders:
        return None
    wanted = frozenset([folders] if isinstance(folders, str) else folders)
    for name in sorted(wanted):
        if not (root / name).is_dir():
            raise missing_folder(root / name)
    return wanted


def walk(
    root: Path, recurse: bool, wanted: frozenset[str] | None, follow_links: bool = False
) -> Iterator[str]:
    """Relative `/` names of all files that may be images."""
    links = _Links(root.resolve(), follow_links)
    links_out = 0
    pending = [("", root)]
    while pending:
        prefix, folder = pending.pop()
        keep_files = prefix or wanted is None or "." in wanted
        entries = entries_of(folder)
        # Which of two overlapping links is followed must not depend on the disk.
        for entry in sorted(entries, key=lambda one: one.name) if follow_links else entries:
            name = prefix + entry.name
            if _is_link(entry) and not links.leads_on(entry):
                links_out += 1
            elif entry.is_dir():
                if recurse and (prefix or wanted is None or entry.name in wanted):
                    pending.append((f"{name}/", Path(entry.path)))
            elif keep_files and entry.is_file():
                yield name
    if links_out:
        why = (
            "broken, or to folders that are read already"
            if follow_links
            else "to folders, or to files outside it (--follow-links takes them)"
        )
        say(f"skipped {counted(links_out, 'link')} under {root}: {why}")


def entries_of(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What is directly in a folder, without hidden names. Raises DataError if it is closed."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.name not in SKIPPED_FOLDERS:
                    yield entry
    except OSError as error:
        raise DataError(
            f"cannot list {folder} ({error.strerror}); check its permissions"
        ) from error


def _is_link(entry: os.DirEntry[str]) -> bool:
    if entry.is_symlink():
        return True
    if sys.platform == "win32":  # a junction is a link that Python 3.11 does not call one
        tag = entry.stat(follow_symlinks=False).st_reparse_tag
        return tag == stat.IO_REPARSE_TAG_MOUNT_POINT
    return False


def is_own_folder(entry: os.DirEntry[str]) -> bool:
    return not _is_link(entry) and entry.is_dir()


class _Links:
    """Which links are taken: those to files inside `real_root`, or with `follow` to others too."""

    def __init__(self, real_root: Path, follow: bool) -> None:
        self.real_root, self.follow = real_root, follow
        self.read = [real_root]

    def leads_on(self, entry: os.DirEntry[str]) -> bool:
        try:
            target = Path(entry.path).resolve(strict=True)
        except (OSError, RuntimeError):  # a dangling link, or links that go round in a circle
            return False
        if target.is_file():
            return self.follow or target.is_relative_to(self.real_root)
        overlaps = any(
            target.is_relative_to(one) or one.is_relative_to(target) for one in self.read
        )
        if overlaps or not self.follow:
            return False
        self.read.append(target)
        return True


def has_dicom_mark(path: Path) -> bool:
    if path.name.upper() == "DICOMDIR":  # an index, not an image
        return False
    try:
        with path.open("rb") as file:
            return has_dicom_preamble(file.read(132))
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}); check its permissions") from error
