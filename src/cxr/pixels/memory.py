"""How much memory there is, and how pixels that lie on disk stay out of it."""

from __future__ import annotations

import mmap
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..errors import DataError

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
