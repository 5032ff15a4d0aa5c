"""Processors and memory: how much there is, and how work on many files stays within it."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..errors import DataError

_In = TypeVar("_In")
_Out = TypeVar("_Out")

CPUS = "CXR_CPUS"
"""Environment variable: what a scheduler that does not bind processes to CPUs has granted."""


def available_cpus() -> int:
    """CPUs that this process may use: a container or batch system may allow fewer than exist."""
    if hasattr(os, "sched_getaffinity"):
        there = len(os.sched_getaffinity(0))
    else:
        there = os.cpu_count() or 1
    granted = os.environ.get(CPUS, "")
    return min(there, int(granted)) if granted.isdecimal() and int(granted) else there


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


_MEMINFO = Path("/proc/meminfo")
# A container's own limit: what may be used, what is, and where the reclaimable part is counted.
_CGROUPS = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
)
_CGROUP_ROOT = Path("/sys/fs/cgroup")


def release(pixels: np.ndarray) -> None:
    """Gives the mapped pages under `pixels` (or the array that it is a view of) back.

    Pages of a file that were once touched count as this process's memory until then. The system
    keeps them cached, so reading them again costs next to nothing. Nothing happens to a plain
    array, nor where the system cannot do it (Windows).
    """
    pages = _mapping(pixels)
    if pages is not None and hasattr(mmap, "MADV_DONTNEED"):
        pages.madvise(mmap.MADV_DONTNEED)


def refuse_cut(pixels: np.ndarray) -> None:
    """Raises DataError where the file under mapped `pixels` is shorter than when it was mapped.

    To read on beyond its end would end the process without a word (SIGBUS).
    """
    if isinstance(pixels, np.memmap) and pixels.filename is not None:
        path, end = Path(pixels.filename), pixels.offset + pixels.nbytes
        with suppress(FileNotFoundError):  # what is mapped outlives its name
            if path.stat().st_size < end:
                raise DataError(
                    f"{path} was cut while it was in use; the same command makes it again"
                )


def _mapping(array: object) -> mmap.mmap | None:
    while array is not None and not isinstance(array, mmap.mmap):
        array = getattr(array, "_mmap", None) or getattr(array, "base", None)
    return array


def available_memory() -> int | None:
    """Bytes that this process may still take without swapping; None where nobody says."""
    known = [n for n in (_of_the_machine(), *map(_of_the_container, _CGROUPS)) if n is not None]
    return min(known, default=None)


def _of_the_machine() -> int | None:
    with suppress(OSError, ValueError):
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _of_the_container(names: tuple[str, str, str]) -> int | None:
    limit, usage = (_CGROUP_ROOT / name for name in names[:2])
    with suppress(OSError, ValueError):  # "max" where there is no limit
        left = int(limit.read_text()) - int(usage.read_text())
        counts = dict(
            line.split() for line in (usage.parent / "memory.stat").read_text().splitlines()
        )
        return max(0, left + int(counts.get(names[2], 0)))
    return None


def give_back_memory() -> bool:
    """Asks glibc to return what it keeps for later. False where there is no glibc."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL("libc.so.6").malloc_trim(0))
    except (OSError, AttributeError):  # another C library
        return False
