"""The image under its heat map, with words burnt in: what a secondary capture shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from ..explain.overlay import sized, type_of, warmed, writable

LONGEST, NARROWEST = 1024, 640  # pixels
LETTER, HEADLINE, MARGIN = 20, 28, 14
WHITE, YELLOW = "#ebebeb", "#ffd600"


class Line(NamedTuple):
    text: str
    size: int = LETTER
    colour: str = WHITE


def draw_capture(
    film: np.ndarray, heat: np.ndarray, above: Iterable[Line], below: Iterable[Line]
) -> np.ndarray:
    """RGB uint8 (h, w, 3): `image` (H, W) uint8 under `heat` (H, W) in 0..1, its longer side
    LONGEST, and the words on black above and below it, where they hide nothing."""
    warm = sized(heat.astype(np.float32), LONGEST)
    picture = Image.fromarray(warmed(sized(film, LONGEST), warm))
    width = max(picture.width, NARROWEST)
    top, bottom = list(_wrapped(above, width)), list(_wrapped(below, width))
    canvas = Image.new("RGB", (width, picture.height + _height(top) + _height(bottom)))
    canvas.paste(picture, ((width - picture.width) // 2, _height(top)))
    pen = ImageDraw.Draw(canvas)
    _write(pen, top, 0)
    _write(pen, bottom, _height(top) + picture.height)
    return np.asarray(canvas)


def _wrapped(lines: Iterable[Line], width: int) -> Iterator[Line]:
    """The lines, broken between words so that each fits."""
    room = width - 2 * MARGIN
    for line in lines:
        font, held = type_of(line.size), ""
        for word in writable(line.text).split():
            longer = f"{held} {word}".strip()
            if held and font.getlength(longer) > room:
                yield line._replace(text=held)
                longer = word
            held = longer
        yield line._replace(text=held)


def _height(lines: list[Line]) -> int:
    return 2 * MARGIN + sum(_step(line) for line in lines)


def _step(line: Line) -> int:
    return round(1.35 * line.size)


def _write(pen: ImageDraw.ImageDraw, lines: list[Line], top: int) -> None:
    y = top + MARGIN
    for line in lines:
        pen.text((MARGIN, y), line.text, fill=line.colour, font=type_of(line.size))
        y += _step(line)
