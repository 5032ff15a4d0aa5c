"""Where and in which precision the arithmetic runs."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from typing import get_args

import torch

from ..backbones import has_bf16
from ..config import Device, Precision
from ..errors import UsageError

DEVICES, PRECISIONS = get_args(Device), get_args(Precision)


def choose_device(name: str = "auto") -> torch.device:
    """ "auto" takes CUDA, then Apple's MPS, then the CPU. Raises UsageError for what is missing."""
    if name not in DEVICES and not name.startswith("cuda:"):
        raise UsageError(f"device {name!r} is not one of {', '.join(DEVICES)}")
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next((kind for kind, there in here.items() if there), "cpu"))
    if not here.get(name.split(":")[0], True):
        raise UsageError(f"device {name!r} is not on this machine; use auto or cpu")
    return torch.device(name)


def autocast(device: torch.device, precision: str = "auto") -> AbstractContextManager[object]:
    """The context that training runs in: bf16 where the hardware has it, else plain fp32."""
    if precision not in PRECISIONS:
        raise UsageError(f"precision {precision!r} is not one of {', '.join(PRECISIONS)}")
    if trains_in_bf16(device, precision):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def trains_in_bf16(device: torch.device, precision: str) -> bool:
    return precision == "bf16" or (precision == "auto" and has_bf16(device))


def describe_compute(device: torch.device, precision: str) -> str:
    """In words where and how training runs, and what is missing that would make it faster."""
    where = f"{device}, {torch.get_num_threads()} threads" if device.type == "cpu" else f"{device}"
    if trains_in_bf16(device, precision):
        slow = " (which this processor has not in hardware: expect it to be slow)"
        return f"{where}, bf16{'' if has_bf16(device) else slow}"
    if precision == "auto":
        return f"{where}, fp32: no bf16 here, expect twice the time or more"
    return f"{where}, fp32"
