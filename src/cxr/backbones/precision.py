"""Whether bf16 is done in hardware: where it is, it halves the time of a forward pass or more."""

from __future__ import annotations

import torch


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
