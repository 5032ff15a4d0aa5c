"""Decoded pixels on a GPU: the whole set where it fits, batch by batch where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from .batches import ImageSet

SHARE = 0.5
"""Of the GPU's free memory; the other half is left to the network at work."""

_CHUNK = 4096


def free_bytes(device: torch.device) -> int:
    """Free memory of a CUDA device; 0 for others, which share theirs with the system."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0


def on_device(images: ImageSet, device: torch.device) -> Tensor | None:
    """uint8 (n, 1, H, W) of all `images` on `device`; None where they should be streamed."""
    n_bytes = len(images) * int(np.prod(images.pixels.shape[1:]))
    if n_bytes > SHARE * free_bytes(device):
        return None
    shape = (len(images), 1, *images.pixels.shape[1:])
    pixels = torch.empty(shape, dtype=torch.uint8, device=device)
    for start in range(0, len(images), _CHUNK):
        which = np.arange(start, min(start + _CHUNK, len(images)))
        pixels[start : start + len(which)] = images.gather(which).to(device)
    return pixels


def stream(pixels: Tensor, device: torch.device) -> Tensor:
    """`pixels` on `device`; to a GPU from pinned memory, so that the copy is not waited for."""
    if device.type == "cuda":
        return pixels.pin_memory().to(device, non_blocking=True)
    return pixels.to(device)
