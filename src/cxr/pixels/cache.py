"""Decoded pixels kept on disk between runs.

`<key>.npy` holds the pixels (n, H, W) uint8. `<key>.json`, written last, says that they are
complete, which files failed, and what some of the images must sum to. The key covers the settings,
the versions of the decoders, and every file's path, size and time of change.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from .._io import atomic_path, read_json, say, write_json
from ..errors import DataError, StorageError

FORMAT = 1
PIXELS = 1
"""Raise by one whenever `load_grey` gives other pixels for the same file."""

MAX_CACHE_BYTES = 20 * 1024**3
_STALE_S = 24 * 3600
_SAMPLES = 64

Block = tuple[np.ndarray, dict[int, str]]
"""Pixels (n, H, W) uint8 and, by index, why a file failed."""


class PixelCache:
    """One folder of decoded sets, at most MAX_CACHE_BYTES: the longest unused go first.

    Processes may share it: files appear whole, under their final name, or not at all.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def key(self, paths: Sequence[Path], shape: tuple[int, int], method: str) -> str:
        libraries = [version(name) for name in ("simplejpeg", "pillow", "pydicom")]
        digest = hashlib.sha256(repr((FORMAT, PIXELS, shape, method, libraries)).encode())
        for path in paths:
            digest.update(os.fsencode(path.absolute()) + b"\0" + _stamp(path))
        return digest.hexdigest()[:32]

    def open(self, key: str, shape: tuple[int, int, int]) -> Block | None:
        """What is kept under `key`; None when nothing is, or it is damaged (one line says so)."""
        record_path = self._path(key, "json")
        if not record_path.exists():
            return None
        try:
            record = read_json(record_path)
            pixels = _mapped(self._path(key, "npy"))
            _verify(record, pixels, shape)
        except (OSError, ValueError, TypeError, LookupError, DataError) as error:
            said = " ".join(str(error).split())
            say(f"the pixel cache {record_path.stem} is damaged ({said}); decoding again")
            self._remove(key)
            return None
        with suppress(OSError):  # a shared cache may be read-only
            os.utime(record_path)
        return pixels, _errors(record)

    def build(self, key: str, shape: tuple[int, int, int], blocks: Iterator[Block]) -> Block:
        """Writes `blocks` under `key` and opens them. Raises StorageError or OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        n_bytes = int(np.prod(shape, dtype=np.int64))
        self.prune(MAX_CACHE_BYTES - n_bytes)
        free = shutil.disk_usage(self.folder).free
        if n_bytes > free:
            raise StorageError(
                f"{self.folder} has {free / 1e9:.1f} GB free, {n_bytes / 1e9:.1f} needed"
            )
        array_path = self._path(key, "npy")
        with atomic_path(array_path) as temporary:
            record = _write(temporary, shape, blocks)
        write_json(self._path(key, "json"), record)
        return _mapped(array_path), _errors(record)

    def prune(self, limit: int) -> None:
        """Removes what crashed runs left, then the longest unused sets until `limit` bytes stay."""
        for left in self.folder.glob(".*.part"):
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > _STALE_S:
                    left.unlink()
        kept = sorted(self.folder.glob("*.npy"), key=self._last_used, reverse=True)
        total = 0
        for array_path in kept:
            with suppress(OSError):  # another process may have removed it
                total += array_path.stat().st_size
                if total > limit:
                    self._remove(array_path.stem)

    def _path(self, key: str, kind: str) -> Path:
        return self.folder / f"{key}.{kind}"

    def _last_used(self, array_path: Path) -> float:
        for path in (array_path.with_suffix(".json"), array_path):
            with suppress(OSError):
                return path.stat().st_mtime
        return 0.0

    def _remove(self, key: str) -> None:
        for kind in ("json", "npy"):
            with suppress(OSError):  # read-only, or in use on Windows: it will be written over
                self._path(key, kind).unlink(missing_ok=True)


def _mapped(path: Path) -> np.ndarray:
    return np.lib.format.open_memmap(path, mode="r")


def _stamp(path: Path) -> bytes:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return b"absent\0"
    return f"{status.st_size} {status.st_mtime_ns}\0".encode()


def _write(path: Path, shape: tuple[int, int, int], blocks: Iterator[Block]) -> dict[str, Any]:
    # Plain writes, not a writable memory map: on a full disk those raise, and a map kills the run.
    errors: dict[int, str] = {}
    sums: dict[int, int] = {}
    sampled = _sampled(shape[0])
    start = 0
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for pixels, failed in blocks:
            file.write(pixels.data)
            errors |= failed
            stop = start + len(pixels)
            sums |= {i: _crc(pixels[i - start]) for i in sampled if start <= i < stop}
            start = stop
        file.flush()
        os.fsync(file.fileno())
    record = {
        "format": FORMAT,
        "shape": list(shape),
        "errors": {str(index): why for index, why in errors.items()},
        "crc32": {str(index): crc for index, crc in sums.items()},
    }
    return record | {"checksum": _checksum(record)}


def _sampled(n: int) -> set[int]:
    """Evenly spaced indices, the first and last among them."""
    return set(np.linspace(0, n - 1, min(n, _SAMPLES)).round().astype(int).tolist())


def _crc(pixels: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(pixels).data)


def _errors(record: dict[str, Any]) -> dict[int, str]:
    return {int(index): why for index, why in record["errors"].items()}


def _checksum(record: dict[str, Any]) -> str:
    text = json.dumps({k: v for k, v in record.items() if k != "checksum"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _verify(record: dict[str, Any], pixels: np.ndarray, shape: tuple[int, int, int]) -> None:
    if record["checksum"] != _checksum(record):
        raise ValueError("its record was changed")
    if pixels.shape != shape or pixels.dtype != np.uint8 or record["shape"] != list(shape):
        raise ValueError(f"it holds {pixels.dtype} {pixels.shape}, not uint8 {shape}")
    for index, crc in record["crc32"].items():
        if _crc(pixels[int(index)]) != crc:
            raise ValueError(f"image {index} has changed")
