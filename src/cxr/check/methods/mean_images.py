"""The mean image of each class with the mean box of the lungs: how the classes are framed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from ..._io.drawing import data_uri, jpeg_thumbnail, resized
from ..finding import Figure
from ..scan import BLOCK, Scan

DRAWN = 256  # pixels a side
OWN, OTHER = (255, 176, 0), (90, 200, 250)
Ints = npt.NDArray[np.int64]


def mean_images(scan: Scan, index: int, rows: Ints) -> list[Figure]:
    """Those without and with class `index`, on the whole images and after the cut.

    On each the mean box of its own class in orange, and that of the other in blue.
    """
    has = scan.flags[rows, index] == 1
    names = scan.manifest.classes
    two = len(names) == 2 and not scan.manifest.multi_label
    sides = [(names[0] if two else f"not {names[index]}", rows[~has]), (names[index], rows[has])]
    views = [("whole image", scan)]
    if len(scan.cut):
        views.append(("cut to the lungs", scan.after_cut))
    return [figure for what, view in views for figure in _figures(what, view, sides)]


def _figures(what: str, view: Scan, sides: list[tuple[str, Ints]]) -> Iterator[Figure]:
    boxes = [np.mean([view.frames[row].box for row in rows], axis=0) for _, rows in sides]
    for (name, rows), own, other in zip(sides, boxes, boxes[::-1], strict=True):
        grey = resized(_mean(view.squares, rows), (DRAWN, DRAWN))
        image = Image.fromarray(grey).convert("RGB")
        pen = ImageDraw.Draw(image)
        pen.rectangle((other * (DRAWN - 1)).round().tolist(), outline=OTHER, width=2)
        pen.rectangle((own * (DRAWN - 1)).round().tolist(), outline=OWN, width=3)
        jpeg, size = jpeg_thumbnail(image, DRAWN)
        yield Figure(f"{name}, {what}: mean of {len(rows):,} images", data_uri(jpeg), *size)


def _mean(squares: np.ndarray, rows: Ints) -> np.ndarray:
    total = np.zeros(squares.shape[1:])
    for start in range(0, len(rows), BLOCK):
        total += squares[rows[start : start + BLOCK]].sum(0, dtype=np.int64)
    return (total / len(rows)).round().astype(np.uint8)
