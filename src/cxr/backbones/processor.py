"""What the machine offers a network: bf16 in hardware, and memory that stays with the process."""

from __future__ import annotations

import ctypes
import functools
import sys

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
NEVER = 2**31 - 1


def cpu_has_bf16() -> bool:
    """Whether this processor multiplies bf16 in hardware (AVX512-BF16, AMX or Arm's BF16)."""
    capability = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    names = ("avx512_bf16", "amx_bf16", "bf16")
    if any(capability.get(name) for name in names):
        return True
    tests = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, test)()) for test in tests if hasattr(torch.cpu, test))


def has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and cpu_has_bf16()


@functools.cache
def keep_freed_memory() -> bool:
    """Asks glibc, once a process, to keep freed blocks for the next step. False elsewhere.

    glibc gives every large block back to the system as soon as it is freed, and gets it again, page
    by page and filled with zeros, at the next layer: a fifth of a training step on a CPU
    (`docs/log.md`).
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, NEVER) and mallopt(M_TRIM_THRESHOLD, NEVER))
