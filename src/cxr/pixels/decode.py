"""Many files to one array of pixels, in a pool of threads, through the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from pathlib import Path
from typing import TypeVar

import numpy as np

from .._io import Progress, say
from ..config import FrameMode
from ..errors import DataError, ImageError, StorageError
from .cache.lookup import CachedContents, content_digest, file_key
from .cache.record import DecodedRows, DecodeSettings, crc32
from .cache.store import PixelCache, default_folder
from .frame import WHOLE, LungFrame, check_frame, frame_rows
from .load import load_framed, load_or_reason, read_file
from .resize import check_method, target_shape
from .resources import available_cpus, available_memory, map_in_order

MAX_MEMORY_BYTES = 8 * 1024**3
"""What may be held in memory when the disk cannot be used."""

MAX_UNREADABLE = 0.05
"""Of the images to train on or to evaluate."""

_SHOWN = 5
_BLOCK_IMAGES, _BLOCK_BYTES = 16, 4 * 1024**2

_Name = TypeVar("_Name", Path, str)
_Decoded = tuple[np.ndarray, dict[int, str], list[LungFrame]]


@dataclass(frozen=True)
class DecodedSet:
    """Decoded files, in the order given.

    `pixels` (n, H, W) uint8, read-only where they lie on disk; `ok` (n,) bool; `errors` gives for
    each index that is not ok the reason (without the path), and its pixels are zero. `frames`
    float32 (n, 6), see `LungFrame.row`: what part of each whole image its pixels show; None where
    nobody looked for lungs.
    """

    pixels: np.ndarray
    ok: np.ndarray
    errors: dict[int, str] = field(default_factory=dict)
    frames: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ok)


def decode_all(
    paths: Sequence[Path],
    size: int | tuple[int, int],
    method: str = "squish",
    *,
    frame: FrameMode = "whole",
    workers: int | None = None,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> DecodedSet:
    """Every file as `load_framed(path, size, method, frame)` gives it.

    A file that cannot be read is recorded in `errors`; it never ends the run. The result is kept
    in `cache_dir` (default: `pixels` in cxr's cache folder) and memory-mapped; where that cannot
    be written, one line says so and the pixels stay in memory. Only contents that were never seen
    before are decoded, wherever the files lie now; one line says how many were known. `workers`
    threads, default one a CPU: the decoders release the GIL.

    Raises StorageError when neither the disk nor the memory can hold the pixels, UsageError for a
    wrong size, method or frame.
    """
    check_method(method)
    check_frame(frame)
    settings = DecodeSettings(target_shape(size), method, frame=frame)
    paths, workers = [Path(path) for path in paths], workers or available_cpus()
    if not paths:
        empty = np.zeros((0, *settings.shape), np.uint8)
        return DecodedSet(empty, np.ones(0, bool), frames=_frames([], settings))
    cache = PixelCache(default_folder() if cache_dir is None else Path(cache_dir))
    files = [file_key(path) for path in paths]
    cached = _opened(cache, settings, paths, files, workers)
    pixels, errors, frames = cached or _decoded(cache, settings, paths, files, workers, progress)
    ok = np.ones(len(paths), bool)
    ok[list(errors)] = False
    return DecodedSet(pixels, ok, errors, _frames(frames, settings))


def report_unreadable(
    paths: Sequence[_Name], errors: Mapping[int, str], most: float = 1.0
) -> dict[_Name, str]:
    """Says which files are left out, the first few by name; returns the reason by path.

    Raises DataError when they are more than the share `most` of the images, or all.
    """
    unreadable = {paths[i]: errors[i] for i in sorted(errors)}
    for path, reason in list(unreadable.items())[:_SHOWN]:
        say(f"left out: {path}: {reason}")
    if len(unreadable) > _SHOWN:
        say(f"left out: {len(unreadable) - _SHOWN:,} more unreadable images")
    if len(unreadable) > most * len(paths):
        raise DataError(
            f"{len(unreadable):,} of {len(paths):,} images cannot be read, more than {most:.0%} "
            f"(first: {next(iter(unreadable))}); mend or remove them, or use a folder without them"
        )
    if unreadable and len(unreadable) == len(paths):
        raise DataError(f"no image can be read (first: {paths[0]}: {errors[0]})")
    return unreadable


def _frames(frames: Sequence[LungFrame], settings: DecodeSettings) -> np.ndarray | None:
    return None if settings.frame == "whole" else frame_rows(frames)


def _opened(
    cache: PixelCache,
    settings: DecodeSettings,
    paths: Sequence[Path],
    files: Sequence[str],
    workers: int,
) -> _Decoded | None:
    """The images as they are kept; None when something must be decoded."""
    opened = cache.open(settings, files, workers)
    if opened is None:
        return None
    pixels, record = opened
    errors = _tried_again(record.errors, paths, settings, workers)
    return None if errors is None else (pixels, errors, record.frames)


def _decoded(
    cache: PixelCache,
    settings: DecodeSettings,
    paths: Sequence[Path],
    files: Sequence[str],
    workers: int,
    progress: bool,
) -> _Decoded:
    """The images, by decoding what no set in the cache holds."""
    known = cache.known(settings)
    blocks = partial(_blocks, paths, files, known, settings, workers, progress)
    pixels, rows = _build(cache, settings, files, blocks)
    if rows.reused:
        say(f"{rows.reused:,} of {len(paths):,} images come from the pixel cache")
    return pixels, rows.errors, rows.frames


def _tried_again(
    failed: dict[int, str], paths: Sequence[Path], settings: DecodeSettings, workers: int
) -> dict[int, str] | None:
    """Why these files fail now: the fault may have lain outside them (a permission, a plug-in).

    None when one of them can be read after all.
    """
    errors: dict[int, str] = {}
    load = partial(
        load_or_reason, shape=settings.shape, method=settings.method, frame=settings.frame
    )
    results = map_in_order(load, (paths[i] for i in failed), workers)
    for index, result in zip(failed, results, strict=True):
        if not isinstance(result, str):
            return None
        errors[index] = result
    return errors


def _blocks(
    paths: Sequence[Path],
    files: Sequence[str],
    known: CachedContents,
    settings: DecodeSettings,
    workers: int,
    progress: bool,
) -> Iterator[DecodedRows]:
    step = max(1, min(_BLOCK_IMAGES, _BLOCK_BYTES // prod(settings.shape)))

    def block(start: int) -> DecodedRows:
        some = list(zip(paths[start : start + step], files[start : start + step], strict=True))
        rows = DecodedRows(np.zeros((len(some), *settings.shape), np.uint8))
        for path, file in some:
            _load_next(rows, path, known.digests.get(file, ""), known, settings)
        return rows

    done = map_in_order(block, range(0, len(paths), step), workers)
    return _counted(done, len(paths)) if progress else done


def _load_next(
    rows: DecodedRows, path: Path, digest: str, known: CachedContents, settings: DecodeSettings
) -> None:
    """The next image of `rows`: from the cache if its content is known, else from its file."""
    index, frame = len(rows), WHOLE
    image = known.image(digest)
    rows.reused += image is not None
    try:
        if image is None:
            data = read_file(path)
            digest = content_digest(data, path)
            image = known.image(digest)
            rows.reused += image is not None
        if image is None:
            image = load_framed(
                data, settings.shape, settings.method, settings.frame, name=str(path)
            )
        rows.pixels[index], frame = image
    except ImageError as error:
        rows.errors[index] = error.reason
    rows.digests.append(digest)
    rows.frames += [] if settings.frame == "whole" else [frame]
    rows.crc32.append(crc32(rows.pixels[index]))


def _counted(blocks: Iterator[DecodedRows], total: int) -> Iterator[DecodedRows]:
    with Progress("decoding", total) as bar:
        for block in blocks:
            yield block
            bar.advance(len(block))


def _build(
    cache: PixelCache,
    settings: DecodeSettings,
    files: Sequence[str],
    blocks: Callable[[], Iterator[DecodedRows]],
) -> tuple[np.ndarray, DecodedRows]:
    """On disk; where that fails in memory, where that is too small not at all."""
    shape = (len(files), *settings.shape)
    try:
        return cache.build(settings, files, blocks())
    except (StorageError, OSError) as error:
        available = available_memory()
        fits = MAX_MEMORY_BYTES if available is None else min(MAX_MEMORY_BYTES, available)
        if prod(shape) > fits:
            raise StorageError(
                f"{prod(shape) / 1e6:,.1f} MB of pixels fit neither the cache ({error}) nor "
                f"memory ({fits / 1e6:,.1f} MB); set CXR_CACHE_DIR to a folder with room, or "
                "choose a smaller size"
            ) from error
        say(f"pixels are kept in memory for this run only ({error})")
    return _in_memory(shape, blocks())


def _in_memory(
    shape: tuple[int, int, int], blocks: Iterator[DecodedRows]
) -> tuple[np.ndarray, DecodedRows]:
    rows = DecodedRows(np.empty(shape, np.uint8))
    for block in blocks:
        rows.pixels[len(rows) : len(rows) + len(block)] = block.pixels
        rows.add(block)
    return rows.pixels, rows
