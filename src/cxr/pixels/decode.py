"""Many files to one array of pixels, in a pool of threads, through the cache."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from .._io import Progress, say
from .._io import cache_dir as default_cache_dir
from ..errors import ImageError, StorageError
from .cache import Block, PixelCache
from .load import load_grey
from .resize import check_method, target_shape

MAX_MEMORY_BYTES = 8 * 1024**3
"""What may be held in memory when the disk cannot be used."""

_BLOCK = 16
_In = TypeVar("_In")
_Out = TypeVar("_Out")

# Two threads of one process would write the same temporary file.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class DecodedSet:
    """Decoded files, in the order given.

    `pixels` (n, H, W) uint8, read-only where they lie on disk; `ok` (n,) bool; `errors` gives for
    each index that is not ok the reason (without the path), and its pixels are zero.
    """

    pixels: np.ndarray
    ok: np.ndarray
    errors: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ok)


def decode_all(
    paths: Sequence[Path],
    size: int | tuple[int, int],
    method: str = "squish",
    *,
    workers: int | None = None,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> DecodedSet:
    """Every file as `load_grey(path, size, method)` gives it.

    A file that cannot be read is recorded in `errors`; it never ends the run. The result is kept
    in `cache_dir` (default: `pixels` in cxr's cache folder) and memory-mapped; where that cannot
    be written, one line says so and the pixels stay in memory. `workers` threads, default one a
    CPU: the decoders release the GIL.

    Raises StorageError when neither the disk nor MAX_MEMORY_BYTES can hold the pixels, UsageError
    for a wrong size or method.
    """
    check_method(method)
    paths, shape = [Path(path) for path in paths], target_shape(size)
    cache = PixelCache(default_cache_dir() / "pixels" if cache_dir is None else Path(cache_dir))
    load = partial(_load, shape=shape, method=method)
    key = cache.key(paths, shape, method)
    with _one_at_a_time:
        found = cache.open(key, (len(paths), *shape))
        # The fault may lie outside the file (a permission, a plug-in), so failures are tried again.
        if found is None or any(load(paths[index])[1] is None for index in found[1]):
            blocks = partial(_blocks, paths, load, workers or available_cpus(), progress)
            found = _build(cache, key, (len(paths), *shape), blocks)
    pixels, errors = found
    ok = np.ones(len(paths), bool)
    ok[list(errors)] = False
    return DecodedSet(pixels, ok, errors)


def available_cpus() -> int:
    """CPUs that this process may use: a container or batch system may allow fewer than exist."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_in_order(
    function: Callable[[_In], _Out], items: Iterable[_In], workers: int
) -> Iterator[_Out]:
    """`map` over a thread pool that works at most two items a thread ahead of its reader."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="cxr-pixels")
    ahead: deque[Future[_Out]] = deque()
    try:
        for item in items:
            ahead.append(pool.submit(function, item))
            if len(ahead) > 2 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _load(path: Path, *, shape: tuple[int, int], method: str) -> tuple[np.ndarray, str | None]:
    try:
        return load_grey(path, shape, method), None
    except ImageError as error:
        return np.zeros(shape, np.uint8), error.reason


def _blocks(
    paths: Sequence[Path],
    load: Callable[[Path], tuple[np.ndarray, str | None]],
    workers: int,
    progress: bool,
) -> Iterator[Block]:
    def block(start: int) -> Block:
        loaded = [load(path) for path in paths[start : start + _BLOCK]]
        errors = {start + i: why for i, (_, why) in enumerate(loaded) if why is not None}
        return np.stack([pixels for pixels, _ in loaded]), errors

    done = map_in_order(block, range(0, len(paths), _BLOCK), workers)
    return _counted(done, len(paths)) if progress else done


def _counted(blocks: Iterator[Block], total: int) -> Iterator[Block]:
    with Progress("decoding", total) as bar:
        for block in blocks:
            yield block
            bar.advance(len(block[0]))


def _build(
    cache: PixelCache,
    key: str,
    shape: tuple[int, int, int],
    blocks: Callable[[], Iterator[Block]],
) -> Block:
    if not shape[0]:
        return np.zeros(shape, np.uint8), {}
    try:
        return cache.build(key, shape, blocks())
    except (StorageError, OSError) as error:
        n_bytes = int(np.prod(shape, dtype=np.int64))
        if n_bytes > MAX_MEMORY_BYTES:
            raise StorageError(
                f"{n_bytes / 1e9:.0f} GB of pixels fit neither the cache ({error}) nor memory; "
                "set CXR_CACHE_DIR to a folder with room, or choose a smaller size"
            ) from error
        say(f"pixels are kept in memory for this run only ({error})")
    return _in_memory(shape, blocks())


def _in_memory(shape: tuple[int, int, int], blocks: Iterator[Block]) -> Block:
    pixels, errors, start = np.empty(shape, np.uint8), dict[int, str](), 0
    for block, failed in blocks:
        pixels[start : start + len(block)] = block
        errors |= failed
        start += len(block)
    return pixels, errors
