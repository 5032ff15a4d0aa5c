"""Three ways to give a radiograph a chosen size, each with an antialiased filter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral
from typing import get_args

import numpy as np
from PIL import Image

from ..config import ResizeMethod
from ..errors import UnknownName, UsageError

METHODS = get_args(ResizeMethod)

MAX_SIDE = 8192

REDUCING_GAP = 3.0
"""Large images are first averaged over whole blocks down to 3 times the target (Pillow's
`reducing_gap`): several times faster, and within 2 grey levels of the direct resize."""


def target_shape(size: int | tuple[int, int]) -> tuple[int, int]:
    """`size` as (height, width). Raises UsageError unless it is one or two positive integers."""
    pair = size if isinstance(size, Sequence) else (size, size)
    if len(pair) != 2 or not all(isinstance(n, Integral) and 0 < n <= MAX_SIDE for n in pair):
        raise UsageError(
            f"size {size!r} is not allowed; give a side or (height, width), each 1 to {MAX_SIDE}"
        )
    return int(pair[0]), int(pair[1])


def check_method(method: str) -> None:
    if method not in METHODS:
        raise UnknownName("resize method", method, METHODS)


def fit(
    shape: tuple[float, float], target: tuple[int, int], method: str
) -> tuple[tuple[float, float], tuple[int, int]]:
    """The (height, width) of the centred part of an image that is used, and what it becomes.

    Cropping is done on the image, not on its enlargement: of a 16 x 6,000,000 pixel file the
    latter would fill the memory.
    """
    (height, width), (to_height, to_width) = shape, target
    scales = to_height / height, to_width / width
    if method == "pad":
        scale = min(scales)
        return shape, (max(1, round(height * scale)), max(1, round(width * scale)))
    if method == "crop":
        return (to_height / max(scales), to_width / max(scales)), target
    return shape, target


def resize(grey: np.ndarray, size: int | tuple[int, int], method: str = "squish") -> np.ndarray:
    """`grey` (H, W) uint8 at `size` (a side, or (height, width)), uint8 and C-contiguous.

    squish: stretched to fit, whatever its shape. pad: aspect kept, black bars around the centre.
    crop: aspect kept, the centre taken. The filter is Pillow's BILINEAR: a triangle as wide as
    the reduction when shrinking (antialiased), plain bilinear when enlarging.
    Raises UsageError for another kind of array, a wrong size or method.
    """
    check_method(method)
    target = target_shape(size)
    if grey.ndim != 2 or grey.dtype != np.uint8:
        raise UsageError(f"{grey.dtype} {grey.shape} is not grey (H, W) uint8; use load_grey")
    part, content = fit(grey.shape, target, method)
    return plain(_framed(stretch(grey, grey.shape, part, content), target))


def plain(grey: np.ndarray) -> np.ndarray:
    """`grey`, copied if need be: Pillow's own arrays are read-only, which torch warns about."""
    return np.require(grey, np.uint8, ["C", "W"])


def stretch(
    grey: np.ndarray,
    extent: tuple[float, float],
    part: tuple[float, float],
    shape: tuple[int, int],
) -> np.ndarray:
    """The centred `part` (height, width) of the image, as `shape`.

    `extent` is how much of `grey` is image: a reduced JPEG ends within its last row and column.
    """
    if grey.shape == extent == part == shape:
        return grey
    top, left = ((whole - used) / 2 for whole, used in zip(extent, part, strict=True))
    return _resampled(grey, (left, top, left + part[1], top + part[0]), shape)


def cut(
    grey: np.ndarray,
    box: tuple[float, float, float, float],
    size: int | tuple[int, int] | None,
    method: str = "squish",
    *,
    extent: tuple[float, float] | None = None,
    scale: float = 1.0,
) -> np.ndarray:
    """The part `box` (x0, y0, x1, y1: shares of width and height) of `grey` (H, W) uint8, resized
    as if it were an image of its own, in one step from full detail. uint8 and C-contiguous.

    `grey` may be the image reduced by `scale`, of which `extent` (rows, columns) is image. With no
    `size` the whole pixels that the box touches.
    """
    check_method(method)
    rows, columns = extent or grey.shape
    height, width = rows / scale, columns / scale
    top, left, bottom, right = box[1] * height, box[0] * width, box[3] * height, box[2] * width
    if size is None:
        rows_in = slice(math.floor(top * scale), math.ceil(bottom * scale))
        return plain(grey[rows_in, math.floor(left * scale) : math.ceil(right * scale)])
    target = target_shape(size)
    part, content = fit((bottom - top, right - left), target, method)
    top, left = top + (bottom - top - part[0]) / 2, left + (right - left - part[1]) / 2
    ends = min((left + part[1]) * scale, columns), min((top + part[0]) * scale, rows)
    return plain(_framed(_resampled(grey, (left * scale, top * scale, *ends), content), target))


def _resampled(
    grey: np.ndarray, box: tuple[float, float, float, float], shape: tuple[int, int]
) -> np.ndarray:
    """What lies in `box` (left, top, right, bottom, in pixels), as `shape`."""
    if box == (0, 0, *grey.shape[::-1]) and grey.shape == shape:
        return grey
    image = Image.fromarray(grey).resize(
        shape[::-1], Image.Resampling.BILINEAR, box=box, reducing_gap=REDUCING_GAP
    )
    return np.asarray(image)


def _framed(grey: np.ndarray, target: tuple[int, int]) -> np.ndarray:
    """`grey`, no larger than `target`, in the middle of black."""
    if grey.shape == target:
        return grey
    canvas = np.zeros(target, np.uint8)
    top, left = ((whole - used) // 2 for whole, used in zip(target, grey.shape, strict=True))
    canvas[top : top + grey.shape[0], left : left + grey.shape[1]] = grey
    return canvas
