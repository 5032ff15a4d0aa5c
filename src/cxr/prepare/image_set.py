"""The decoded images of a split: taken by position, placed on a GPU, drawn as a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .._io.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GPU_SHARE = 0.5
"""Of the GPU's free memory; the other half is left to the network at work."""

_CHUNK = 4096


@dataclass(frozen=True)
class ImageSet:
    """Images of one split, decoded.

    `pixels` uint8 (n, H, W); `targets` int64 (n,) class indices, or float32 (n, k) of 1/0/NaN
    (multi-label, NaN unknown); `paths` and `patients` (None: unknown) of length n. `frames` float32
    (n, 6), see `LungFrame.row`: what part of its image each shows; None where images are whole.
    """

    paths: Sequence[Path]
    pixels: np.ndarray
    targets: np.ndarray
    patients: Sequence[str | None]
    classes: tuple[str, ...]
    rows: np.ndarray  # where in `pixels` each image lies: splits share one array
    frames: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def gather(self, which: np.ndarray) -> Tensor:
        """uint8 (B, 1, H, W) of the images `which` (positions in this set)."""
        return torch.from_numpy(self.pixels[self.rows[which]]).unsqueeze(1)

    def target(self, which: np.ndarray) -> Tensor:
        return torch.from_numpy(self.targets[which])

    def label_of(self, index: int) -> str:
        """The class name of image `index`, or its positive labels joined by '; '."""
        target = self.targets[index]
        if self.targets.ndim == 1:
            return self.classes[int(target)]
        positive = [c for c, value in zip(self.classes, target, strict=True) if value == 1]
        return "; ".join(positive) or "none"


def free_bytes(device: torch.device) -> int:
    """Free memory of a CUDA device; 0 for others, which share theirs with the system."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0


def on_device(images: ImageSet, device: torch.device) -> Tensor | None:
    """uint8 (n, 1, H, W) of all `images` on `device`; None where they should be streamed."""
    n_bytes = len(images) * int(np.prod(images.pixels.shape[1:]))
    if n_bytes > GPU_SHARE * free_bytes(device):
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


def show_images(
    images: np.ndarray | Sequence[np.ndarray],
    titles: Sequence[str],
    nrows: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> Figure:
    """A grid of `images` (n, H, W), float in 0..1 or uint8, with a title each.

    Returns the figure; a notebook shows it.
    """
    n = len(images)
    rows = nrows or max(1, round(math.sqrt(n)))
    columns = math.ceil(n / rows)
    figure = new_figure(figsize or (columns * 2.4, rows * 2.6))
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, image, title in zip(axes.flat, images, titles, strict=False):
        axis.imshow(image, cmap="gray", vmin=0, vmax=255 if image.dtype == np.uint8 else 1)
        axis.set_title(title, fontsize=9)
    return figure
