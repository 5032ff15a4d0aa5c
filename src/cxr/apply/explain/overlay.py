"""A heat map drawn over its image, by Pillow alone: a server draws the same images."""

from __future__ import annotations

from functools import partial

import numpy as np
from PIL import Image

from ..._io.drawing import TextBlock, TextLine, png, resized, scaled_to
from ..._io.text import shorten
from ...bundle import DISCLAIMER
from ...pixels.resize import fit

STRONGEST = 0.6  # opacity where the heat is 1: the image must show through
PANEL, HIGHEST, MARGIN = 588, 1470, 8  # pixels: width of each half, most of its height
WIDTH = 2 * PANEL + 3 * MARGIN
HEADING, LETTER = 26, 16
INK, RED = "#000000", "#b00020"


def onto_image(heat: np.ndarray, shape: tuple[int, int], method: str) -> np.ndarray:
    """`heat` (S, S), which lies over what the network saw, as float32 `shape` over the whole image.

    Undoes squish, pad or crop; what the network never saw is zero.
    """
    part, content = fit(shape, heat.shape, method)
    inner = _middle(heat, content)
    used = round(part[0]), round(part[1])
    placed = np.zeros(shape, np.float32)
    _middle(placed, used)[:] = np.clip(resized(inner, used), 0, 1)
    return placed


def _middle(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A view of the centred part of `values`."""
    top, left = ((whole - used) // 2 for whole, used in zip(values.shape, shape, strict=True))
    return values[top : top + shape[0], left : left + shape[1]]


def draw_overlay(
    image: np.ndarray, heat: np.ndarray, headline: str, explained: str, warning: str = ""
) -> bytes:
    """PNG: the image (H, W) uint8 alone, and under `heat` (H, W) in 0..1 for a class by name.

    Above them the headline and below it, where there is one, a warning in red; drawn by Pillow.
    """
    scale = min(PANEL / image.shape[1], HIGHEST / image.shape[0])
    shape = tuple(max(1, round(side * scale)) for side in image.shape)
    grey, warm = (resized(values, shape) for values in (image, heat.astype(np.float32)))
    block = partial(TextBlock, width=WIDTH, indent=2 * MARGIN, margin=MARGIN, spacing=1.4)
    raises = "Coloured: raises" if heat.any() else "Nothing here raises"
    note = f"{raises} the score of {shorten(explained, 60)}."
    warnings = [TextLine(warning, LETTER, RED)] if warning else []
    above = block([TextLine(headline, HEADING, INK), *warnings])
    below = block([TextLine(text, LETTER, INK) for text in (note, DISCLAIMER)])
    page = Image.new("RGB", (WIDTH, above.height + shape[0] + below.height), "white")
    for half, panel in enumerate((grey, warmed(grey, warm))):
        left = MARGIN + half * (PANEL + MARGIN) + (PANEL - shape[1]) // 2
        page.paste(Image.fromarray(panel), (left, above.height))
    above.draw(page, 0)
    below.draw(page, above.height + shape[0])
    return png(page)


def image_png(image: np.ndarray, side: int) -> bytes:
    """PNG of `image` (H, W) uint8 with its longer side `side` pixels."""
    return png(scaled_to(image, side))


def heat_png(image: np.ndarray, heat: np.ndarray, side: int) -> bytes:
    """PNG of the image (H, W) uint8 and, to its right, the same under `heat` (H, W) in 0..1.

    Without words, for a page that has its own; each half's longer side is `side` pixels.
    """
    grey = scaled_to(image, side)
    covered = warmed(grey, scaled_to(heat.astype(np.float32), side))
    gap = np.full((len(grey), max(1, side // 60), 3), 255, np.uint8)
    return png(np.concatenate([_rgb(grey), gap, covered], axis=1))


def warmed(grey: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """RGB uint8: grey (h, w) under `heat` (h, w) from yellow, which is nearly clear, to red."""
    warm = np.clip(heat, 0, 1)[:, :, None]
    colour = np.concatenate([np.ones_like(warm), 1 - warm, np.zeros_like(warm)], axis=2) * 255
    under = _rgb(grey).astype(np.float32)
    return (under + STRONGEST * warm * (colour - under)).round().astype(np.uint8)


def _rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[:, :, None], 3, axis=2)
