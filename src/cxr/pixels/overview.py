"""An image small enough to look at quickly, whatever its size, and what the whole file is like."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .jpeg import jpeg_shape
from .load import load_grey, read_file
from .resize import resize
from .stored import StoredFacts, colourfulness, stored_facts

SHORTER_SIDE = 448
"""Enough for burnt-in letters to stay legible. Larger JPEGs are decoded at a reduced scale, which
still reads every coded bit and is several times as fast."""


@dataclass(frozen=True)
class Overview:
    """grey: (h, w) uint8, the whole image with its shorter side at most SHORTER_SIDE.
    height, width: of the image as stored, upright. colour: see `colourfulness`."""

    grey: np.ndarray
    height: int
    width: int
    stored: StoredFacts
    colour: float


def load_overview(path: Path) -> Overview:
    """One file, looked at in full. Raises ImageError for whatever `load_grey` refuses."""
    data = read_file(path)
    shape = jpeg_shape(data, path)
    if shape is not None:
        grey = load_grey(data, _reduced(shape), name=str(path))
    else:
        whole = load_grey(data, name=str(path))
        shape = whole.shape
        grey = resize(whole, _reduced(shape)) if _reduced(shape) != shape else whole
    return Overview(grey, *shape, stored_facts(data), colourfulness(data))


def _reduced(shape: tuple[int, int]) -> tuple[int, int]:
    """At least 1 pixel a side: a strip may be thousands of times as long as it is wide."""
    scale = min(1.0, SHORTER_SIDE / min(shape))
    scale = min(scale, 8192 / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))
