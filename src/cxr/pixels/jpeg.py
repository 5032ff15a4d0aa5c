"""JPEG straight to grey with libjpeg-turbo, at a reduced scale when a small size is wanted."""

from __future__ import annotations

import math
from io import BytesIO

import numpy as np
import simplejpeg
from PIL import JpegImagePlugin

from ..errors import ImageError
from .frame import SIDE, LungFrame, locate_lungs
from .limits import MAX_PIXELS, check_dimensions, decoding_with
from .raster import grey_from_image, orientation_of, upright
from .resize import cut, fit, stretch

JPEG = b"\xff\xd8\xff"  # how its files begin

HEADROOM = 1.2
"""Decoding at a reduced scale averages pixel blocks. The reduced image stays at least this much
larger than the target, so that the antialiased resize still does the last, visible part. On 40
enlarged X-rays 999 of 1,000 pixels were within 3 grey levels of decoding in full."""

EIGHTHS = (1, 2, 3, 4, 8)
"""Scales that pay: libjpeg-turbo takes longer for 5, 6 or 7 eighths than for the whole image."""

EXPECTED = 0.5
"""Lungs take up at least this share of the width and height of nearly every chest X-ray."""

MAX_SCANS = 200
"""A progressive JPEG has about 10 scans; thousands make a small file take hours to decode."""

MAX_WORK = 1000
"""Scans times megapixels: each scan goes through the whole image. An image of 80 megapixels may
have 12."""

_READ_AS_GREY = ("Gray", "YCbCr", "RGB")

# libjpeg's words for lost image data. Its other complaints (CMYK, 12 bits, an odd header) leave
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
    _check_scans(data, name)
    try:
        return _decode_grey(data, name, target, method)
    except ValueError as error:
        _raise_if_lost(error, name)
    return _by_pillow(data, name)


def decode_jpeg_lungs(
    data: bytes, name: object, target: tuple[int, int] | None, method: str
) -> tuple[np.ndarray, LungFrame]:
    """As `decode_jpeg`, cut to the lungs and resized to `target`, and where they lie.

    One decoding serves both, at a scale that holds enough detail for lungs of EXPECTED size. A
    second one follows where the lungs are smaller, or where there are none.
    """
    _check_scans(data, name)
    try:
        return _decode_lungs(data, name, target, method)
    except ValueError as error:
        _raise_if_lost(error, name)
    grey = _by_pillow(data, name)
    frame = locate_lungs(grey)
    return cut(grey, frame.box, target, method), frame


def _raise_if_lost(error: ValueError, name: object) -> None:
    if str(error).startswith(_LOST_DATA):
        raise ImageError(
            name, f"cut short or damaged (libjpeg: {error}); copy or download it again"
        ) from error


def _by_pillow(data: bytes, name: object) -> np.ndarray:
    with decoding_with("Pillow", name):
        return grey_from_image(JpegImagePlugin.JpegImageFile(BytesIO(data)), name)


def jpeg_shape(data: bytes, name: object) -> tuple[int, int] | None:
    """(height, width), upright, from the header of a JPEG that `decode_jpeg` can decode at a
    reduced scale; None for any other file. Raises ImageError for a size that is not allowed."""
    if not data.startswith(JPEG):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    if colours not in _READ_AS_GREY:
        return None
    check_dimensions(name, height, width)
    return (height, width) if _orientation(data, name) < 5 else (width, height)


def _decode_grey(
    data: bytes, name: object, target: tuple[int, int] | None, method: str
) -> np.ndarray:
    """Raises ValueError for what libjpeg-turbo reports or cannot turn into grey."""
    shape = _shape_in_grey(data, name)
    orientation = _orientation(data, name)
    part, content = _fit(*shape, orientation, target, method)
    eighths = _eighths(part, content)
    grey, extent = _decode_at(data, shape, eighths)
    if eighths < 8:
        grey = stretch(grey, extent, (part[0] * eighths / 8, part[1] * eighths / 8), content)
    return upright(grey, orientation)


def _decode_lungs(
    data: bytes, name: object, target: tuple[int, int] | None, method: str
) -> tuple[np.ndarray, LungFrame]:
    """Raises ValueError as `_decode_grey`."""
    shape = _shape_in_grey(data, name)
    if target is None or _orientation(data, name) != 1:
        grey = _decode_grey(data, name, None, method)
        frame = locate_lungs(grey)
        return cut(grey, frame.box, target, method), frame

    def enough(height: float, width: float) -> int:
        return _eighths(*fit((shape[0] * height, shape[1] * width), target, method))

    eighths = max(enough(EXPECTED, EXPECTED), _eighths(shape, (SIDE, SIDE)))
    grey, extent = _decode_at(data, shape, eighths)
    frame = locate_lungs(grey, extent)
    needed = enough(frame.y1 - frame.y0, frame.x1 - frame.x0)
    if needed > eighths or (needed < eighths and not frame.found):
        eighths = needed
        grey, extent = _decode_at(data, shape, eighths)
    return cut(grey, frame.box, target, method, extent=extent, scale=eighths / 8), frame


def _shape_in_grey(data: bytes, name: object) -> tuple[int, int]:
    """(height, width) as the file lies; ValueError where libjpeg-turbo cannot make it grey."""
    height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    check_dimensions(name, height, width)
    if colours not in _READ_AS_GREY:
        raise ValueError(f"{colours} is left to Pillow")
    return height, width


def _eighths(part: tuple[float, float], content: tuple[int, int]) -> int:
    """The smallest scale at which `part` of the file still has HEADROOM over `content`."""
    reduction = min(part[0] / content[0], part[1] / content[1]) / HEADROOM
    return next((n for n in EIGHTHS if n * reduction >= 8), 8)


def _decode_at(
    data: bytes, shape: tuple[int, int], eighths: int
) -> tuple[np.ndarray, tuple[float, float]]:
    """Grey at this scale, and how much of it is image: 1100 rows at 1/8 are 137.5 rows in 138."""
    extent = shape[0] * eighths / 8, shape[1] * eighths / 8
    rows, columns = math.ceil(extent[0]), math.ceil(extent[1])
    grey = simplejpeg.decode_jpeg(data, colorspace="GRAY", min_height=rows, min_width=columns)
    return grey[:, :, 0], extent


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


def _check_scans(data: bytes, name: object) -> None:
    """Raises ImageError when a file would take many seconds to decode."""
    scans = _scans(data)
    if scans > MAX_SCANS:
        raise ImageError(name, f"more than {MAX_SCANS} JPEG scans; save it again as plain JPEG")
    if scans <= MAX_WORK * 1_000_000 // MAX_PIXELS:
        return  # few enough for any image
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:  # Pillow reads it, or nobody does
        return
    if scans * height * width > MAX_WORK * 1_000_000:
        raise ImageError(
            name, f"{scans} JPEG scans of {width}x{height}; save it again as plain JPEG"
        )


def _scans(data: bytes) -> int:
    """How often the marker of a scan occurs: numpy is six times as fast as `data.count`."""
    pairs = (np.frombuffer(data, "<u2", (len(data) - at) // 2, at) for at in (0, 1))
    return sum(int(np.count_nonzero(pair == 0xDAFF)) for pair in pairs)


def _orientation(data: bytes, name: object) -> int:
    # Looking for the words costs a microsecond; Pillow's parsing of a header 25.
    header = _header(data)
    if b"Exif\0\0" not in header and b"tiff:Orientation" not in header:
        return 1
    with decoding_with("Pillow", name):
        return orientation_of(JpegImagePlugin.JpegImageFile(BytesIO(data)))


def _header(data: bytes) -> bytes:
    """What comes before the image: segments of 0xFF, a marker, a length. All, if they do not."""
    at = 2
    while data[at : at + 1] == b"\xff":
        if data[at + 1 : at + 2] == b"\xda":  # the first scan starts
            return data[:at]
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return data
