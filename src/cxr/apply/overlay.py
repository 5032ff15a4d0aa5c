"""A heat map drawn over its film."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..bundle import DISCLAIMER
from ..evaluate.figures.style import png, shorten, style
from ..pixels.resize import fit

COLOURS = "autumn_r"
STRONGEST = 0.6  # opacity where the heat is 1: the film must show through
WIDTH_INCHES, CAPTION_INCHES = 8.0, 1.1


def onto_film(heat: np.ndarray, shape: tuple[int, int], method: str) -> np.ndarray:
    """`heat` (S, S), which lies over what the network saw, as float32 `shape` over the whole film.

    Undoes squish, pad or crop; what the network never saw is zero.
    """
    part, content = fit(shape, heat.shape, method)
    inner = _middle(heat, content)
    used = round(part[0]), round(part[1])
    stretched = Image.fromarray(inner).resize(used[::-1], Image.Resampling.BILINEAR)
    placed = np.zeros(shape, np.float32)
    _middle(placed, used)[:] = np.clip(np.asarray(stretched), 0, 1)
    return placed


def _middle(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A view of the centred part of `values`."""
    top, left = ((whole - used) // 2 for whole, used in zip(values.shape, shape, strict=True))
    return values[top : top + shape[0], left : left + shape[1]]


def draw_overlay(film: np.ndarray, heat: np.ndarray, headline: str, explained: str) -> bytes:
    """PNG: the film (H, W) uint8 alone, and under `heat` (H, W) in 0..1 for a class by name."""
    from matplotlib.figure import Figure

    height, width = film.shape
    panel = WIDTH_INCHES / 2 * min(max(height / width, 0.3), 2.5)
    with style():
        figure = Figure(figsize=(WIDTH_INCHES, panel + CAPTION_INCHES), layout="constrained")
        for axes in (panels := figure.subplots(1, 2)):
            axes.imshow(film, cmap="gray", vmin=0, vmax=255)
            axes.set_axis_off()
        panels[1].imshow(heat, cmap=COLOURS, vmin=0, vmax=1, alpha=STRONGEST * heat)
        figure.suptitle(headline, x=0.02, ha="left")
        found = "Coloured: raises" if heat.any() else "Nothing here raises"
        note = f"{found} the score of {shorten(explained)}.\n{DISCLAIMER}"
        figure.supxlabel(note, x=0.02, ha="left", fontsize=8)
        return png(figure)
