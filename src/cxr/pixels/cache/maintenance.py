"""What lies in the folder of the pixel cache: a listing, a bound, a way to empty it.

Nothing is ever touched there that does not bear a name which cxr gives.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..._io import say
from ..._io.files import UNSEALED_ERRORS, storage_error, unsealed
from ..._io.locks import is_held
from .record import FORMAT, WHOLE_FORMAT, CacheRecord, DecodeSettings, read_record

ABANDONED_S = 3600
"""What is half-written and nothing was added to for so long was left by a run that died.

Its age counts only where the file system has no locks (`record.write_pixels` takes one).
"""

DAMAGED = (OSError, *UNSEALED_ERRORS)
"""What reading a record that is not as it was written may raise."""

_NAME = r"(?:(?P<format>\d+)-)?[0-9a-f]{32}"  # format 1 had no number
_KEPT = re.compile(rf"{_NAME}\.(?P<kind>npy|json|list)")
_PART = re.compile(rf"\.(?:{_NAME}|pixels)\.(?:npy|json|list)\.[0-9a-f-]+\.part")


@dataclass(frozen=True)
class CachedSet:
    """One set of images on disk; what is not known is None.

    `state` is "ready", or why it is not used: "other versions" (of cxr or of the libraries that
    decode), "incomplete" (being written, or left by a run that died), "damaged". `last_used` is in
    seconds since 1970.
    """

    name: str
    images: int | None
    shape: tuple[int, int] | None
    method: str | None
    n_bytes: int
    last_used: float
    state: str


@dataclass(frozen=True)
class Cleared:
    """What was removed; `in_use` half-written files were left to the runs that write them."""

    files: int
    n_bytes: int
    in_use: int


@dataclass
class _Entry:
    """Files that are used, and go, together: a set, a list, or a half-written file."""

    name: str
    kind: str
    format: int
    paths: list[Path]
    n_bytes: int = 0
    last_used: float = 0.0

    @property
    def abandoned(self) -> bool:
        if self.kind == "list" or any(path.suffix == ".json" for path in self.paths):
            return False
        held = is_held(self.paths[0]) if ".npy." in self.name else None
        return time.time() - self.last_used > ABANDONED_S if held is None else not held

    def remove(self) -> int:
        """Bytes freed; what another process holds (Windows) or owns stays."""
        freed = 0
        for path in sorted(self.paths):  # the record goes before its pixels
            with suppress(OSError):
                n_bytes = path.stat().st_size
                path.unlink()
                freed += n_bytes
        return freed


def is_set_name(name: object) -> bool:
    return _KEPT.fullmatch(f"{name}.npy") is not None


def cached_sets(folder: Path) -> list[CachedSet]:
    """All sets in `folder`, the one used last first. Their pixels are not read."""
    sets = [_described(entry) for entry in _entries(folder) if entry.kind == "set"]
    return sorted(sets, key=lambda one: one.last_used, reverse=True)


def used_bytes(folder: Path) -> int:
    return sum(entry.n_bytes for entry in _entries(folder))


def prune(folder: Path, limit: int) -> None:
    """Removes older formats, what dead runs left, and the longest unused over `limit` bytes."""
    entries = sorted(_entries(folder), key=lambda entry: entry.last_used, reverse=True)
    freed = sum(entry.remove() for entry in entries if entry.format < WHOLE_FORMAT)
    if freed:
        say(f"{freed / 1e6:,.1f} MB that an older cxr kept in {folder} were removed")
    total = 0
    for entry in entries:
        if entry.abandoned:
            entry.remove()
        elif entry.format >= WHOLE_FORMAT:
            total += entry.n_bytes
            if total > limit and entry.kind != "part":
                entry.remove()
    _remove_orphans(folder)


def clear(folder: Path, unused_s: float = 0.0) -> Cleared:
    """Removes all that cxr keeps in `folder`, or what was not used for `unused_s` seconds.

    Raises StorageError when a file cannot be removed.
    """
    files = n_bytes = in_use = 0
    for entry in _entries(folder):
        writing = entry.kind == "part" and not entry.abandoned
        in_use += writing
        unused = max(0.0, time.time() - entry.last_used)  # another machine's clock may be ahead
        if not writing and unused >= unused_s:
            n_bytes += entry.n_bytes
            files += len(entry.paths)
            _unlink(entry.paths)
    _remove_orphans(folder)
    return Cleared(files, n_bytes, in_use)


def _unlink(paths: Iterable[Path]) -> None:
    for path in sorted(paths):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, path) from error


def _remove_orphans(folder: Path) -> None:
    """Lists that lead to no set."""
    entries = _entries(folder)
    sets = {entry.name for entry in entries if entry.kind == "set"}
    for entry in entries:
        if entry.kind == "list" and _leads_to(entry.paths[0]) not in sets:
            entry.remove()


def _leads_to(path: Path) -> object:
    try:
        return unsealed(path.read_bytes())["set"]
    except DAMAGED:
        return None


def _entries(folder: Path) -> list[_Entry]:
    entries: dict[str, _Entry] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        part, kept = _PART.fullmatch(path.name), _KEPT.fullmatch(path.name)
        if part:
            entry = _Entry(path.name, "part", FORMAT, [])
        elif kept:
            kind = "list" if kept["kind"] == "list" else "set"
            entry = _Entry(path.stem, kind, int(kept["format"] or 1), [])
        else:
            continue
        with suppress(OSError):  # another process has just removed it
            status = path.stat()
            entry = entries.setdefault(f"{entry.kind} {entry.name}", entry)
            entry.paths.append(path)
            entry.n_bytes += status.st_size
            entry.last_used = max(entry.last_used, status.st_mtime)
    return list(entries.values())


def _described(entry: _Entry) -> CachedSet:
    by_kind = {path.suffix: path for path in entry.paths}
    record, state = None, "incomplete"
    if entry.format not in (WHOLE_FORMAT, FORMAT):
        state = "other versions"
    elif ".json" in by_kind:
        try:
            record = read_record(by_kind[".json"])
            state = _state(record, by_kind.get(".npy"))
        except DAMAGED:
            state = "damaged"
    n = len(record.digests) if record else None
    settings = record.settings if record else None
    return CachedSet(
        entry.name,
        n,
        settings.shape if settings else None,
        settings.method if settings else None,
        entry.n_bytes,
        entry.last_used,
        state,
    )


def _state(record: CacheRecord, array_path: Path | None) -> str:
    n, height, width = record.shape
    if array_path is None or array_path.stat().st_size <= n * height * width:
        return "damaged"
    was = record.settings
    now = DecodeSettings(was.shape, was.method, frame=was.frame)
    return "ready" if record.settings == now else "other versions"
