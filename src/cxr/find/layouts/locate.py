"""Where the files are that a table names."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path

from ...errors import ManifestError
from ..files import image_names, missing_folder

SHOWN = 3
SAMPLE = 100  # names that tell how many leading folders are not there


def locate(names: Iterable[str], root: Path, table: str, follow_links: bool = False) -> list[str]:
    """The path of each image relative to `root`, written with `/`.

    A table need not give it in full: leading folders that all rows share and that are not there
    are ignored (CheXpert begins with the data set's own name), a bare file name is looked up in
    the whole tree (NIH spreads its images over twelve folders), and the extension of a bare name
    may be missing. Only files inside `root` are ever named, and what its links lead to where
    `follow_links` says so.

    Raises ManifestError with the first names for which there is no file.
    """
    if not root.is_dir():
        raise missing_folder(root)
    wanted = [_clean(name) for name in names]
    tree = _Tree(root, follow_links)
    start = max(
        range(_shared_folders(wanted) + 1),
        key=lambda start: sum(tree.find(name, start) is not None for name in wanted[:SAMPLE]),
    )
    paths = [tree.find(name, start) for name in wanted]
    missing = ["/".join(name) for name, path in zip(wanted, paths, strict=True) if path is None]
    if not missing:
        return [path for path in paths if path is not None]
    raise ManifestError(
        f"{table} names {len(missing):,} of {len(wanted):,} images that are not under {root} (or "
        f"several times), such as {', '.join(missing[:SHOWN])}; put them there or give the folder "
        "that the names start from with --image-root"
    )


class _Tree:
    """All image files under `root`, by path, by name and by name without extension."""

    def __init__(self, root: Path, follow_links: bool) -> None:
        self.root, self.follow_links = root, follow_links
        self.real_root = root.resolve()
        self.paths = set(image_names(root, follow_links=follow_links))
        self.by_name: dict[str, list[str]] = {}
        for path in self.paths:
            name = posixpath.basename(path)
            for key in {name, posixpath.splitext(name)[0]}:
                self.by_name.setdefault(key, []).append(path)

    def find(self, parts: Sequence[str], start: int) -> str | None:
        """The file for a name without its first `start` folders."""
        name = "/".join(parts[start:])
        if name in self.paths or self._is_file(name):
            return name
        # A name with folders is not looked up elsewhere: A/1.png is not B/1.png.
        same_name = self.by_name.get(name, []) if len(parts) == 1 else []
        return same_name[0] if len(same_name) == 1 else None

    def _is_file(self, name: str) -> bool:
        """A file without a known extension counts when a table names it."""
        path = self.root / name
        inside = self.follow_links or path.resolve().is_relative_to(self.real_root)
        return inside and path.is_file()


def _clean(name: str) -> list[str]:
    parts = posixpath.normpath(name.strip().replace("\\", "/")).split("/")
    absolute = parts[0] == "" or parts[0].endswith(":")  # /data/a.png or C:/data/a.png
    return parts[1:] if absolute else parts


def _shared_folders(names: list[list[str]]) -> int:
    if not names:
        return 0
    first, last = min(names), max(names)  # what these two share, all share
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(first[:-1], last[:-1], strict=False))
    return len(list(shared))
