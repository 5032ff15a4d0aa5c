"""Decoded pixels kept on disk between runs, so that no image is decoded twice.

A set of images (see `record`) is named after their contents and the settings, so a folder that was
moved, renamed or copied finds its pixels again. `NAME.list` leads from a list of files, as the
system describes them, to their set: nothing need be read to see that nothing has changed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..._io import cache_dir, say, scratch_path, write_text
from ..._io.files import require_room, sealed, unsealed
from ..._io.text import error_text
from .lookup import CachedContents
from .maintenance import DAMAGED, is_set_name, prune
from .record import (
    FORMAT,
    WHOLE_FORMAT,
    CacheRecord,
    DecodedRows,
    DecodeSettings,
    changed_rows,
    open_pixels,
    read_record,
    set_name,
    write_pixels,
    write_record,
)

MAX_CACHE_BYTES = 20 * 1024**3
"""All that is kept, together."""


def default_folder() -> Path:
    return cache_dir() / "pixels"


class PixelCache:
    """One folder of decoded sets, at most MAX_CACHE_BYTES (or one set that alone is larger).

    Processes may share it: files appear whole, under their final name, or not at all.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(
        self, settings: DecodeSettings, files: Sequence[str], workers: int
    ) -> tuple[np.ndarray, CacheRecord] | None:
        """Pixels of these files (see `file_key`), checked, and what is known of them.

        None when they are not kept, or damaged (one line says so).
        """
        list_path = self._path(set_name(settings, files), "list")
        name, listed = self._listed(list_path)
        record = self._record(name) if listed == list(files) else None
        if record is None or record.settings != settings or len(record.digests) != len(files):
            return None
        try:
            pixels = open_pixels(self._path(name, "npy"), record.shape)
        except (OSError, ValueError) as error:
            self._refuse(name, error)
            return None
        changed = changed_rows(pixels, record, workers)
        if changed:
            say(
                f"{len(changed):,} of {len(pixels):,} images in the pixel cache {name} are "
                "damaged; decoding them again"
            )
            return None
        for used in (self._path(name, "json"), list_path):
            with suppress(OSError):  # a shared cache may be read-only
                os.utime(used)
        return pixels, record

    def known(self, settings: DecodeSettings) -> CachedContents:
        """What need not be decoded again, whatever list of files it came from."""
        known, digests = CachedContents(settings.shape), dict[str, list[str]]()
        records = {path.stem: self._record(path.stem) for path in self._all("json")}
        alike = {name: r for name, r in records.items() if r and r.settings.alike(settings)}
        for name, record in alike.items():
            if record.settings == settings:
                with suppress(OSError):  # cleared by another process
                    known.add(self._path(name, "npy"), record)
                    digests[name] = record.digests
        for path in self._all("list"):
            name, files = self._listed(path)
            known.digests.update(zip(files, digests.get(name, ()), strict=False))
        if alike and not digests:
            changes = next(iter(alike.values())).settings.changes(settings)
            say(f"the pixel cache was made with other versions ({changes}); decoding again")
        return known

    def build(
        self, settings: DecodeSettings, files: Sequence[str], blocks: Iterator[DecodedRows]
    ) -> tuple[np.ndarray, DecodedRows]:
        """Writes `blocks`, leads `files` to them and opens them. Raises StorageError or OSError."""
        n_bytes = len(files) * math.prod(settings.shape)
        self.folder.mkdir(parents=True, exist_ok=True)
        prune(self.folder, MAX_CACHE_BYTES - n_bytes)
        require_room(self.folder, n_bytes, "the pixels need")
        with scratch_path(self.folder / "pixels.npy") as temporary:
            rows = write_pixels(temporary, (len(files), *settings.shape), blocks)
            record = CacheRecord(settings, rows.digests, rows.crc32, rows.errors, rows.frames)
            self._keep(temporary, record)
        listed = {"set": record.name, "files": list(files)}
        write_text(self._path(set_name(settings, files), "list"), sealed(listed))
        return open_pixels(self._path(record.name, "npy"), record.shape), rows

    def _keep(self, temporary: Path, record: CacheRecord) -> None:
        try:
            temporary.replace(self._path(record.name, "npy"))
        except PermissionError:
            if self._record(record.name) is None:  # else another process has the same set in use
                raise
        try:
            write_record(self._path(record.name, "json"), record)
        except BaseException:
            self._remove(record.name)
            raise

    def _record(self, name: str) -> CacheRecord | None:
        try:
            record = read_record(self._path(name, "json"))
            if record.name != name:
                raise ValueError("its files were renamed")
            return record
        except FileNotFoundError:
            return None
        except DAMAGED as error:
            self._refuse(name, error)
            return None

    def _listed(self, path: Path) -> tuple[str, list[str]]:
        """The set that a list leads to, and its files."""
        try:
            listed = unsealed(path.read_bytes())
            if not is_set_name(listed["set"]):
                raise ValueError("it leads to no set")
            return listed["set"], listed["files"]
        except FileNotFoundError:
            return "", []
        except DAMAGED as error:
            self._refuse(path.stem, error)
            return "", []

    def _refuse(self, name: str, error: Exception) -> None:
        say(f"the pixel cache {name} is damaged ({error_text(error)}); making it again")
        self._remove(name)

    def _remove(self, name: str) -> None:
        for kind in ("list", "json", "npy"):
            with suppress(OSError):  # read-only, or in use on Windows: it will be written over
                self._path(name, kind).unlink(missing_ok=True)

    def _all(self, kind: str) -> list[Path]:
        formats = (WHOLE_FORMAT, FORMAT)
        return sorted(path for n in formats for path in self.folder.glob(f"{n}-*.{kind}"))

    def _path(self, name: str, kind: str) -> Path:
        return self.folder / f"{name}.{kind}"
