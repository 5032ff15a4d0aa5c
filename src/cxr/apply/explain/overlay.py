"""A heat map drawn over its image, by Pillow alone: a server draws the same images."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

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
    stretched = Image.fromarray(inner).resize(used[::-1], Image.Resampling.BILINEAR)
    placed = np.zeros(shape, np.float32)
    _middle(placed, used)[:] = np.clip(np.asarray(stretched), 0, 1)
    return placed


def _middle(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A view of the centred part of `values`."""
    top, left = ((whole - used) // 2 for whole, used in zip(values.shape, shape, strict=True))
    return values[top : top + shape[0], left : left + shape[1]]


def draw_overlay(
    film: np.ndarray, heat: np.ndarray, headline: str, explained: str, warning: str = ""
) -> bytes:
    """PNG: the image (H, W) uint8 alone, and under `heat` (H, W) in 0..1 for a class by name.

    Above them the headline and below it, where there is one, a warning in red; drawn by Pillow.
    """
    scale = min(PANEL / film.shape[1], HIGHEST / film.shape[0])
    shape = tuple(max(1, round(side * scale)) for side in film.shape)
    small, warm = (_resized(values, shape) for values in (film, heat.astype(np.float32)))
    found = "Coloured: raises" if heat.any() else "Nothing here raises"
    note = f"{found} the score of {shorten(explained, 60)}."
    above = [(line, HEADING, INK) for line in _wrapped(headline, HEADING)]
    above += [(line, LETTER, RED) for line in _wrapped(warning, LETTER)] if warning else []
    below = [(line, LETTER, INK) for text in (note, DISCLAIMER) for line in _wrapped(text, LETTER)]
    top = _height(above)
    page = Image.new("RGB", (WIDTH, top + shape[0] + _height(below)), "white")
    for half, picture in enumerate((small, warmed(small, warm))):
        left = MARGIN + half * (PANEL + MARGIN) + (PANEL - shape[1]) // 2
        page.paste(Image.fromarray(picture), (left, top))
    _write(page, above, 0)
    _write(page, below, top + shape[0])
    return _as_png(page)


Line = tuple[str, int, str]  # text, height of letters in pixels, colour


def _height(lines: list[Line]) -> int:
    return 2 * MARGIN + sum(_step(size) for _, size, _ in lines)


def _step(size: int) -> int:
    return round(1.4 * size)


def _write(page: Image.Image, lines: list[Line], top: int) -> None:
    pen, y = ImageDraw.Draw(page), top + MARGIN
    for text, size, colour in lines:
        pen.text((2 * MARGIN, y), text, fill=colour, font=type_of(size))
        y += _step(size)


def _wrapped(text: str, size: int) -> Iterator[str]:
    """Lines that fit, broken between words."""
    font, held = type_of(size), ""
    for word in writable(text).split():
        longer = f"{held} {word}".strip()
        if held and font.getlength(longer) > WIDTH - 4 * MARGIN:
            yield held
            longer = word
        held = longer
    yield held


@cache
def _letters() -> Path | None:
    """DejaVu Sans, which writes most languages, where matplotlib has it; it is not imported."""
    found = find_spec("matplotlib")
    path = (
        found and found.origin and Path(found.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"
    )
    return path if path and path.is_file() else None


@cache
def type_of(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    path = _letters()
    return ImageFont.load_default(size) if path is None else ImageFont.truetype(path, size)


def writable(text: str) -> str:
    """Pillow's own font knows no more than ASCII: accents go, other letters become `?`."""
    if _letters() is not None:
        return text
    plain = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(plain).encode("ascii", "replace").decode()


def image_png(film: np.ndarray, side: int) -> bytes:
    """PNG of `image` (H, W) uint8 with its longer side `side` pixels."""
    return _as_png(Image.fromarray(sized(film, side)))


def heat_png(film: np.ndarray, heat: np.ndarray, side: int) -> bytes:
    """PNG of the image (H, W) uint8 and, to its right, the same under `heat` (H, W) in 0..1.

    Without words, for a page that has its own; each half's longer side is `side` pixels.
    """
    grey = sized(film, side)
    covered = warmed(grey, sized(heat.astype(np.float32), side))
    gap = np.full((len(grey), max(1, side // 60), 3), 255, np.uint8)
    return _as_png(Image.fromarray(np.concatenate([_rgb(grey), gap, covered], axis=1)))


def warmed(grey: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """RGB uint8: grey (h, w) under `heat` (h, w) from yellow, which is nearly clear, to red."""
    warm = np.clip(heat, 0, 1)[:, :, None]
    colour = np.concatenate([np.ones_like(warm), 1 - warm, np.zeros_like(warm)], axis=2) * 255
    under = _rgb(grey).astype(np.float32)
    return (under + STRONGEST * warm * (colour - under)).round().astype(np.uint8)


def _rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[:, :, None], 3, axis=2)


def shorten(text: str, longest: int) -> str:
    """On one line of so many letters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def sized(values: np.ndarray, side: int) -> np.ndarray:
    scale = side / max(values.shape)
    return _resized(values, tuple(max(1, round(length * scale)) for length in values.shape))


def _resized(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    height, width = shape
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR))


def _as_png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
