"""What need not be decoded again: which content a file has, and where its pixels lie on disk."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..dicom.decode import has_dicom_suffix
from ..frame import WHOLE, LungFrame
from .record import CacheRecord, crc32


class PixelLocation(NamedTuple):
    """Where one image lies on disk."""

    path: Path
    offset: int
    crc32: int
    frame: LungFrame


@dataclass
class CachedContents:
    """`digests`: content by file (see `file_key`). `places`: pixels by content."""

    shape: tuple[int, int]
    digests: dict[str, str] = field(default_factory=dict)
    places: dict[str, PixelLocation] = field(default_factory=dict)

    def add(self, array_path: Path, record: CacheRecord) -> None:
        """All that was decoded into `array_path`."""
        row_bytes = self.shape[0] * self.shape[1]
        start = array_path.stat().st_size - len(record.digests) * row_bytes
        for i, digest in enumerate(record.digests):
            if i not in record.errors:
                frame = record.frames[i] if record.frames else WHOLE
                place = PixelLocation(array_path, start + i * row_bytes, record.crc32[i], frame)
                self.places[digest] = place

    def image(self, digest: str | None) -> tuple[np.ndarray, LungFrame] | None:
        """Pixels (H, W) uint8 and what they show; None when they are not kept, or no longer as
        they were written."""
        place = self.places.get(digest or "")
        if place is None:
            return None
        try:
            # Opened for each image: a map would grow the process, and on Windows lock the file.
            with place.path.open("rb") as file:
                file.seek(place.offset)
                data = file.read(self.shape[0] * self.shape[1])
        except (OSError, ValueError):  # another process has cleared the cache
            return None
        pixels = np.frombuffer(data, np.uint8)
        if pixels.size != self.shape[0] * self.shape[1] or crc32(pixels) != place.crc32:
            return None
        return pixels.reshape(self.shape), place.frame


def file_key(path: Path) -> str:
    """32 hexadecimal digits for the path and for what the system says of the file.

    Size and time of change are not enough: a copy may keep both. The time of the last change of
    the entry and its number cannot be set by a program that copies.
    """
    try:
        status = path.stat()
    except (OSError, ValueError):
        stamp = "absent"
    else:
        stamp = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
    known = os.fsencode(path.absolute()) + b"\0" + stamp.encode()
    return hashlib.sha256(known).hexdigest()[:32]


def content_digest(data: bytes, name: object) -> str:
    """32 hexadecimal digits for a file's bytes.

    SHA-256: processors have it built in, and it takes half of BLAKE2's time there. The name
    counts only as far as `load_grey` reads it.
    """
    digest = hashlib.sha256(data)
    if has_dicom_suffix(str(name)):
        digest.update(b"dicom")
    return digest.hexdigest()[:32]
