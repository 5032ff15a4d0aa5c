"""A heat map drawn over its image, by Pillow alone: a server draws the same images."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from ..._io.drawing import TextBlock, TextLine, png, resized, scaled_to
from ..._io.text import shorten
from ...bundle import DISCLAIMER
from ...pixels.frame import Box
from ...pixels.resize import fit

if TYPE_CHECKING:
    from ..decision.prediction import Prediction

STRONGEST = 0.6  # opacity where the heat is 1: the image must show through
PANEL, HIGHEST, MARGIN = 588, 1470, 8  # pixels: width of each half, most of its height
WIDTH = 2 * PANEL + 3 * MARGIN
HEADING, LETTER = 26, 16
INK, RED = "#000000", "#b00020"
FRAME, EDGE = "#35d0f0", "#000000"  # its line, and the lines on both sides of it
FRAME_WIDTH = 1 / 300  # of the image's longer side
FRAMED = "The model saw the framed part."

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


def headline_of(prediction: Prediction, name: str) -> str:
    """`NORMAL: probability of PNEUMONIA 0.312, operating threshold 0.518`; without the probability
    where the image was not judged."""
    line = shorten(prediction.decision or "no finding", 60)
    if prediction.judged:
        line += f": probability of {shorten(name)} {prediction.calibrated[name]:.3f}"
    at = prediction.thresholds.get(name)
    return line if at is None else f"{line}, operating threshold {at:.3f}"


def onto_image(
    heat: np.ndarray, shape: tuple[int, int], method: str, box: Box = WHOLE
) -> np.ndarray:
    """`heat` (S, S), which lies over what the network saw, as float32 `shape` over the whole image.

    `box` is the part that was cut out for the network, as shares (x0, y0, x1, y1) of width and
    height. Undoes squish, pad or crop of that part; what the network never saw is zero.
    """
    placed = np.zeros(shape, np.float32)
    left, top, right, bottom = box_in_pixels(box, shape)
    cut = placed[top:bottom, left:right]
    part, content = fit((bottom - top, right - left), heat.shape, method)
    inner = _middle(heat, content)
    used = round(part[0]), round(part[1])
    _middle(cut, used)[:] = np.clip(resized(inner, used), 0, 1)
    return placed


def box_in_pixels(box: Box, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of `box` on an image of `shape` (H, W): a pixel or more."""
    height, width = shape
    left, top = (
        min(round(share * side), side - 1)
        for share, side in zip(box[:2], (width, height), strict=True)
    )
    return left, top, max(left + 1, round(box[2] * width)), max(top + 1, round(box[3] * height))


def _middle(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A view of the centred part of `values`."""
    top, left = ((whole - used) // 2 for whole, used in zip(values.shape, shape, strict=True))
    return values[top : top + shape[0], left : left + shape[1]]


def draw_overlay(
    image: np.ndarray,
    heat: np.ndarray,
    headline: str,
    explained: str,
    warning: str = "",
    box: Box = WHOLE,
    outside_lungs: float | None = None,
) -> bytes:
    """PNG: the image (H, W) uint8 alone, and under `heat` (H, W) in 0..1 for a class by name.

    Above them the headline and below it, where there is one, a warning in red; drawn by Pillow.
    `box` (shares) is outlined over the heat, where the model saw only that part, and
    `outside_lungs` (see `HeatPlaces`) is said.
    """
    scale = min(PANEL / image.shape[1], HIGHEST / image.shape[0])
    shape = tuple(max(1, round(side * scale)) for side in image.shape)
    grey, warm = (resized(values, shape) for values in (image, heat.astype(np.float32)))
    block = partial(TextBlock, width=WIDTH, indent=2 * MARGIN, margin=MARGIN, spacing=1.4)
    raises = "Coloured: raises" if heat.any() else "Nothing here raises"
    note = f"{raises} the score of {shorten(explained, 60)}."
    note += "" if box == WHOLE else f" {FRAMED}"
    if outside_lungs is not None:
        note += f" About {outside_lungs:.0%} of the colour lies outside the lungs."
    warnings = [TextLine(warning, LETTER, RED)] if warning else []
    above = block([TextLine(headline, HEADING, INK), *warnings])
    below = block([TextLine(text, LETTER, INK) for text in (note, DISCLAIMER)])
    page = Image.new("RGB", (WIDTH, above.height + shape[0] + below.height), "white")
    for half, panel in enumerate((grey, outlined(warmed(grey, warm), box))):
        left = MARGIN + half * (PANEL + MARGIN) + (PANEL - shape[1]) // 2
        page.paste(Image.fromarray(panel), (left, above.height))
    above.draw(page, 0)
    below.draw(page, above.height + shape[0])
    return png(page)


def image_png(image: np.ndarray, side: int) -> bytes:
    """PNG of `image` (H, W) uint8 with its longer side `side` pixels."""
    return png(scaled_to(image, side))


def heat_png(image: np.ndarray, heat: np.ndarray, side: int, box: Box = WHOLE) -> bytes:
    """PNG of the image (H, W) uint8 and, to its right, the same under `heat` (H, W) in 0..1, with
    `box` (shares) outlined.

    Without words, for a page that has its own; each half's longer side is `side` pixels.
    """
    grey = scaled_to(image, side)
    covered = outlined(warmed(grey, scaled_to(heat.astype(np.float32), side)), box)
    gap = np.full((len(grey), max(1, side // 60), 3), 255, np.uint8)
    return png(np.concatenate([_rgb(grey), gap, covered], axis=1))


def warmed(grey: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """RGB uint8: grey (h, w) under `heat` (h, w) from yellow, which is nearly clear, to red."""
    warm = np.clip(heat, 0, 1)[:, :, None]
    colour = np.concatenate([np.ones_like(warm), 1 - warm, np.zeros_like(warm)], axis=2) * 255
    under = _rgb(grey).astype(np.float32)
    return (under + STRONGEST * warm * (colour - under)).round().astype(np.uint8)


def outlined(colours: np.ndarray, box: Box) -> np.ndarray:
    """RGB uint8 (h, w, 3) with a thin line around `box`, between two dark ones, so that it is seen
    on black and on white; unchanged where the box is the whole image."""
    if box == WHOLE:
        return colours
    canvas = Image.fromarray(colours)
    pen = ImageDraw.Draw(canvas)
    left, top, right, bottom = box_in_pixels(box, (canvas.height, canvas.width))
    wide = max(2, round(FRAME_WIDTH * max(canvas.size)))
    edge = max(1, wide // 2)
    for inset, width, colour in ((0, wide + 2 * edge, EDGE), (edge, wide, FRAME)):
        corners = (left + inset, top + inset, right - 1 - inset, bottom - 1 - inset)
        if corners[0] < corners[2] and corners[1] < corners[3]:
            pen.rectangle(corners, outline=colour, width=width)
    return np.asarray(canvas)


def _rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[:, :, None], 3, axis=2)
