"""A heat map drawn over its film."""

from __future__ import annotations

from io import BytesIO

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


def film_png(film: np.ndarray, side: int) -> bytes:
    """PNG of `film` (H, W) uint8 with its longer side `side` pixels."""
    return _as_png(Image.fromarray(_sized(film, side)))


def heat_png(film: np.ndarray, heat: np.ndarray, side: int) -> bytes:
    """PNG of the film (H, W) uint8 and, to its right, the same under `heat` (H, W) in 0..1.

    Without words, for a page that has its own; each half's longer side is `side` pixels.
    """
    grey = np.repeat(_sized(film, side)[:, :, None], 3, axis=2).astype(np.float32)
    warm = np.clip(_sized(heat.astype(np.float32), side), 0, 1)[:, :, None]
    colour = np.concatenate([np.ones_like(warm), 1 - warm, np.zeros_like(warm)], axis=2) * 255
    covered = grey + STRONGEST * warm * (colour - grey)  # from yellow to red, as COLOURS
    gap = np.full((len(grey), max(1, side // 60), 3), 255, np.float32)
    both = np.concatenate([grey, gap, covered], axis=1)
    return _as_png(Image.fromarray(both.round().astype(np.uint8)))


def _sized(values: np.ndarray, side: int) -> np.ndarray:
    scale = side / max(values.shape)
    height, width = (max(1, round(length * scale)) for length in values.shape)
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR))


def _as_png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
