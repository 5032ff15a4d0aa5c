"""JPEG straight to grey with libjpeg-turbo, at a reduced scale when a small size is wanted."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import simplejpeg
from PIL import JpegImagePlugin

from ..errors import ImageError
from .limits import check_dimensions, decoding_with
from .raster import ORIENTATION_TAG, grey_from_image, upright
from .resize import fit, stretch

HEADROOM = 1.5
"""Decoding at 1/2, 1/4 or 1/8 averages whole pixel blocks. The reduced image stays at least this
much larger than the target, so that the antialiased resize still does the last, visible part."""

MAX_SCANS = 200
"""A progressive JPEG has about 10 scans; thousands make a small file take hours to decode."""

# libjpeg's words for lost picture data. Its other complaints (CMYK, 12 bits, an odd header) leave
# the pixels whole, and Pillow then decides.
_LOST_DATA = ("Premature end of JPEG", "Corrupt JPEG data")


def decode_jpeg(
    data: bytes, name: object, target: tuple[int, int] | None, method: str
) -> np.ndarray:
    """Grey (H, W) uint8, upright by its EXIF orientation.

    Decoded at a reduced scale it comes stretched to the size that `target` and `method` need,
    otherwise at native size. Grey is the file's own luma channel (Rec. 601 for colour). Truncated
    or corrupt data raise ImageError. CMYK, 12-bit and arithmetic-coded files are left to Pillow.
    """
    if data.count(b"\xff\xda") > MAX_SCANS:
        raise ImageError(name, f"more than {MAX_SCANS} JPEG scans; save it again as plain JPEG")
    try:
        return _decode_grey(data, name, target, method)
    except ValueError as error:
        if str(error).startswith(_LOST_DATA):
            raise ImageError(
                name, f"cut short or damaged (libjpeg: {error}); copy or download it again"
            ) from error
    with decoding_with("Pillow", name):
        return grey_from_image(JpegImagePlugin.JpegImageFile(BytesIO(data)), name)


def _decode_grey(
    data: bytes, name: object, target: tuple[int, int] | None, method: str
) -> np.ndarray:
    """Raises ValueError for what libjpeg-turbo reports or cannot turn into grey."""
    height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    check_dimensions(name, height, width)
    if colours not in ("Gray", "YCbCr", "RGB"):
        raise ValueError(f"{colours} is left to Pillow")
    orientation = _orientation(data, name)
    part, content = _fit(height, width, orientation, target, method)
    room = min(part[0] / content[0], part[1] / content[1]) / HEADROOM
    scale = next((scale for scale in (8, 4, 2) if scale <= room), 1)
    rows, columns = -(-height // scale), -(-width // scale)
    grey = simplejpeg.decode_jpeg(data, colorspace="GRAY", min_height=rows, min_width=columns)
    grey = grey[:, :, 0]
    if scale > 1:  # 1100 rows at 1/8 are 137.5 rows of picture in 138
        extent, part = (height / scale, width / scale), (part[0] / scale, part[1] / scale)
        grey = stretch(grey, extent, part, content)
    return upright(grey, orientation)


def _fit(
    height: int, width: int, orientation: int, target: tuple[int, int] | None, method: str
) -> tuple[tuple[float, float], tuple[int, int]]:
    """`resize.fit` as the file lies: on its side when the orientation is 5 to 8."""
    if target is None:
        return (height, width), (height, width)
    if orientation < 5:
        return fit((height, width), target, method)
    part, content = fit((width, height), target, method)
    return part[::-1], content[::-1]


def _orientation(data: bytes, name: object) -> int:
    # Looking for the words costs microseconds; Pillow's header parsing costs more than decoding.
    if b"Exif\0\0" not in data and b"tiff:Orientation" not in data:
        return 1
    with decoding_with("Pillow", name):
        exif = JpegImagePlugin.JpegImageFile(BytesIO(data)).getexif()
        return int(exif.get(ORIENTATION_TAG, 1))
