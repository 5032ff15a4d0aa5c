"""One set of decoded images on disk.

`NAME.npy` holds the pixels (n, H, W) uint8. `NAME.json`, written last, says that they are complete:
how they were decoded, from which contents, which failed, and what every image must sum to.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..._io import write_text
from ..._io.files import sealed, unsealed
from ..._io.locks import take_lock_if_any
from ...config import FrameMode
from ..frame import LungFrame, locator_version
from ..resources import map_in_order, release

FORMAT = 3
"""Raise by one whenever older files cannot be read any more; 1 had no number in its file names.

A set of whole images is still written and named as in WHOLE_FORMAT, so that older sets serve.
"""

WHOLE_FORMAT = 2

PIXELS = 2
"""Raise by one whenever `load_grey` gives other pixels for the same file."""

MAX_VERIFIED_BYTES = 2 * 1024**3
"""How much of a set is summed when it is opened: about a second."""

_CHUNK_BYTES = 8 * 1024**2


@dataclass(frozen=True)
class DecodeSettings:
    """How images are decoded: whatever differs here may give other pixels.

    `versions` (by default those of today) has for "lungs" that of the locator, too.
    """

    shape: tuple[int, int]
    method: str
    versions: dict[str, str] = field(default_factory=dict)
    frame: FrameMode = "whole"

    def __post_init__(self) -> None:
        if not self.versions:
            object.__setattr__(self, "versions", _versions(self.frame))

    @property
    def format(self) -> int:
        return WHOLE_FORMAT if self.frame == "whole" else FORMAT

    def known(self) -> dict[str, Any]:
        """What names a set: for whole images as it was before there were frames."""
        values = asdict(self)
        if self.frame == "whole":
            del values["frame"]
        return values

    def alike(self, other: DecodeSettings) -> bool:
        """The same but for versions."""
        mine, theirs = ((s.shape, s.method, s.frame) for s in (self, other))
        return mine == theirs

    def changes(self, now: DecodeSettings) -> str:
        """`pillow 11.0, now 12.1`: the versions that differ."""
        pairs = ((name, self.versions.get(name), new) for name, new in now.versions.items())
        return ", ".join(f"{name} {was}, now {new}" for name, was, new in pairs if was != new)


def _versions(frame: FrameMode) -> dict[str, str]:
    libraries = {name: version(name) for name in ("simplejpeg", "pillow", "pydicom")}
    locator = {} if frame == "whole" else {"locator": locator_version()}
    return {"pixels": str(PIXELS), **libraries, **locator}


@dataclass
class DecodedRows:
    """Images in order. `pixels` (k, H, W) uint8; the rest by image, `errors` by index.

    `frames` is empty where the images are whole.
    """

    pixels: np.ndarray
    digests: list[str] = field(default_factory=list)
    crc32: list[int] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)
    frames: list[LungFrame] = field(default_factory=list)
    reused: int = 0

    def __len__(self) -> int:
        return len(self.digests)

    def add(self, other: DecodedRows) -> None:
        """All of `other` but its pixels."""
        self.errors |= {len(self) + index: why for index, why in other.errors.items()}
        self.digests += other.digests
        self.crc32 += other.crc32
        self.frames += other.frames
        self.reused += other.reused


@dataclass(frozen=True)
class CacheRecord:
    """What `NAME.json` says. A digest is that of a file's content; empty where none was read."""

    settings: DecodeSettings
    digests: list[str]
    crc32: list[int]
    errors: dict[int, str]
    frames: list[LungFrame] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int, int]:
        return (len(self.digests), *self.settings.shape)

    @property
    def name(self) -> str:
        """The same for the same contents in the same order, decoded in the same way."""
        marked = (f"{digest}{'!' * (i in self.errors)}" for i, digest in enumerate(self.digests))
        return set_name(self.settings, marked)


def set_name(settings: DecodeSettings, parts: Iterable[str]) -> str:
    """The format and 32 hexadecimal digits for `parts` under `settings`."""
    known = json.dumps([settings.format, settings.known(), *parts])
    return f"{settings.format}-{hashlib.sha256(known.encode()).hexdigest()[:32]}"


def write_pixels(
    path: Path, shape: tuple[int, int, int], blocks: Iterator[DecodedRows]
) -> DecodedRows:
    """Writes the pixels of all `blocks` to `path`; returns the rest of them in one piece."""
    # Plain writes, not a writable memory map: on a full disk those raise, and a map kills the run.
    written = DecodedRows(np.empty((0, *shape[1:]), np.uint8))
    with path.open("wb") as file:
        take_lock_if_any(file)  # without locks its age must tell that it is being written
        file.write(npy_header(shape))
        for block in blocks:
            file.write(block.pixels.data)
            written.add(block)
        file.flush()
        os.fsync(file.fileno())
    return written


def open_pixels(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """The array in `path`, mapped read-only. Raises ValueError or OSError unless it is `shape`."""
    # Compared, not parsed: what lies there may be anything by now.
    header = npy_header(shape)
    with path.open("rb") as file:
        if file.read(len(header)) != header:
            raise ValueError(f"it does not hold uint8 {shape}")
    missing = len(header) + math.prod(shape) - path.stat().st_size
    if missing:
        raise ValueError(f"{missing:,} bytes are missing" if missing > 0 else "it is too long")
    return np.memmap(path, np.uint8, "r", len(header), shape)


def npy_header(shape: tuple[int, int, int]) -> bytes:
    file = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def changed_rows(pixels: np.ndarray, record: CacheRecord, workers: int) -> list[int]:
    """Images whose pixels do not sum to what the record says.

    All are summed; of more than MAX_VERIFIED_BYTES only an evenly spread part. A cut or overwritten
    stretch is still found there if it is longer than the gaps, a single changed image may not be.
    """
    n, row_bytes = len(pixels), int(pixels[0].nbytes)
    rows = np.unique(np.linspace(0, n - 1, min(n, max(1, MAX_VERIFIED_BYTES // row_bytes))).round())
    step = max(1, _CHUNK_BYTES // row_bytes)
    chunks = (rows[start : start + step].astype(int) for start in range(0, len(rows), step))

    def changed(chunk: np.ndarray) -> list[int]:
        wrong = [int(i) for i in chunk if crc32(pixels[i]) != record.crc32[i]]
        release(pixels)
        return wrong

    return [i for wrong in map_in_order(changed, chunks, workers) for i in wrong]


def crc32(pixels: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(pixels).data)


def write_record(path: Path, record: CacheRecord) -> None:
    errors = {str(index): why for index, why in record.errors.items()}
    rows = {"digests": record.digests, "crc32": record.crc32, "errors": errors}
    if record.settings.frame != "whole":
        rows["frames"] = [frame.row() for frame in record.frames]
    write_text(path, sealed({"settings": record.settings.known(), **rows}))


def read_record(path: Path) -> CacheRecord:
    """Raises OSError or one of UNSEALED_ERRORS when it is damaged."""
    values = unsealed(path.read_bytes())
    settings, errors = values["settings"], values["errors"]
    frame, frames = settings.get("frame", "whole"), values.get("frames", [])
    n, n_frames = len(values["digests"]), len(frames)
    if len(values["crc32"]) != n or n_frames != (0 if frame == "whole" else n):
        raise ValueError("its record contradicts itself")
    return CacheRecord(
        DecodeSettings(tuple(settings["shape"]), settings["method"], settings["versions"], frame),
        values["digests"],
        values["crc32"],
        {int(index): why for index, why in errors.items()},
        [LungFrame.of_row(row) for row in frames],
    )
