"""Memory that was freed, handed back to the system."""

from __future__ import annotations

import ctypes
import sys


def give_back_memory() -> bool:
    """Asks glibc to return what it keeps for later. False where there is no glibc."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL("libc.so.6").malloc_trim(0))
    except (OSError, AttributeError):  # another C library
        return False
