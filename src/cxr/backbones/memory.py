"""Freed memory stays with the process while a network is at work.

glibc gives every large block back to the system as soon as it is freed, and gets it again, page by
page and filled with zeros, at the next layer: a fifth of a training step on a CPU (`docs/log.md`).
"""

from __future__ import annotations

import ctypes
import functools
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
NEVER = 2**31 - 1


@functools.cache
def keep_freed_memory() -> bool:
    """Asks glibc, once a process, to keep freed blocks for the next step. False elsewhere."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, NEVER) and mallopt(M_TRIM_THRESHOLD, NEVER))
