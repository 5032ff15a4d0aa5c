"""One file to one grey array: the same function for training and for serving."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
import simplejpeg
from PIL import Image

from .._io.dicom_header import has_dicom_preamble, read_header
from ..config import FrameMode
from ..errors import ImageError
from .dicom.decode import decode_dicom, has_dicom_suffix
from .frame import WHOLE, LungFrame, check_frame, locate_lungs
from .jpeg import JPEG, decode_jpeg, decode_jpeg_lungs
from .limits import check_bytes, reading
from .raster import grey_from_array, grey_from_image, open_raster, opener_for
from .resize import check_method, cut, plain, resize, target_shape

Source = str | Path | bytes | Image.Image | np.ndarray

_FOREIGN = {
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"\x1f\x8b": "gzip: unpack it first",
    b"%PDF": "a PDF: export its image first",
}


def load_grey(
    source: Source,
    size: int | tuple[int, int] | None = None,
    method: str = "squish",
    *,
    frame: FrameMode = "whole",
    name: str = "bytes",
) -> np.ndarray:
    """A radiograph as grey uint8 (H, W), 0 black (air) to 255 white (bone), C-contiguous.

    `source` is a path, a file's bytes, a Pillow image or an array; the content decides
    the format, not the name. `size` is a side or (height, width); None keeps the native size.
    `method` is squish, pad or crop (see `resize`). `frame` is "whole", or "lungs" to cut the image
    to them first (see `load_framed`). `name` is the file that bytes were read from.

    Raises ImageError, with the reason, for anything that is not one whole readable image
    between MIN_SIDE a side and MAX_PIXELS; UsageError for a wrong size, method or frame.
    """
    return load_framed(source, size, method, frame, name=name)[0]


def load_framed(
    source: Source,
    size: int | tuple[int, int] | None = None,
    method: str = "squish",
    frame: FrameMode = "lungs",
    *,
    name: str = "bytes",
) -> tuple[np.ndarray, LungFrame]:
    """As `load_grey`, and the part of the whole image that the pixels show.

    For "lungs" their box is found on the whole image, cut at full detail, then resized as if it
    were an image of its own. Where no lungs are found these are the pixels of the whole image.
    """
    check_method(method)
    check_frame(frame)
    target = None if size is None else target_shape(size)
    if isinstance(source, np.ndarray):
        grey = grey_from_array(source, "array")
    elif isinstance(source, Image.Image):
        grey = grey_from_image(source, getattr(source, "filename", "") or "Pillow image")
    else:
        data, name = (
            (source, name) if isinstance(source, bytes) else (read_file(source), str(source))
        )
        check_bytes(name, len(data))
        if frame == "lungs" and data.startswith(JPEG):
            return decode_jpeg_lungs(data, name, target, method)
        grey = _decode(data, name, target, method)
    if frame == "lungs":
        lungs = locate_lungs(grey)
        return cut(grey, lungs.box, target, method), lungs
    return plain(grey) if target is None else resize(grey, target, method), WHOLE


def load_or_reason(
    path: Path, shape: tuple[int, int], method: str, frame: FrameMode
) -> tuple[np.ndarray, LungFrame] | str:
    """As `load_framed`, but the reason why a file cannot be read is returned, not raised."""
    try:
        return load_framed(path, shape, method, frame)
    except ImageError as error:
        return error.reason


def read_file(path: str | Path) -> bytes:
    """A file's bytes. Raises ImageError when it cannot be read, is empty or too large."""
    with reading(Path(path)) as file:
        return file.read_bytes()


def kind_of(data: bytes, name: str) -> Literal["jpeg", "dicom", "raster"]:
    """Which decoder the first bytes call for; where they say nothing, the name may say DICOM.

    Raises ImageError for anything else.
    """
    if data.startswith(JPEG):
        return "jpeg"
    if has_dicom_preamble(data):
        return "dicom"
    if opener_for(data) is not None:
        return "raster"
    if has_dicom_suffix(name):
        return "dicom"
    for start, what in _FOREIGN.items():
        if data.startswith(start):
            raise ImageError(name, f"not an image but {what}")
    raise ImageError(
        name, "not an image: no known signature (JPEG, PNG, DICOM, TIFF, BMP, WebP, GIF)"
    )


def _decode(data: bytes, name: str, target: tuple[int, int] | None, method: str) -> np.ndarray:
    kind = kind_of(data, name)
    if kind == "jpeg":
        return decode_jpeg(data, name, target, method)
    if kind == "dicom":
        return decode_dicom(data, name)
    return grey_from_image(open_raster(data, name), name)


def pixels_in(data: bytes) -> int:
    """Rows times columns, as a file's header says; 0 where it does not say so in order.

    Nothing is decoded. A header that lies is refused when the image is read.
    """
    try:
        height, width = _shape(data)
    except Exception:  # decoders raise nearly anything on broken input, and will say so again
        return 0
    return max(0, height) * max(0, width)


def _shape(data: bytes) -> tuple[int, int]:
    if data.startswith(JPEG):
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        return height, width
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack_from(">II", data, 16)
        return height, width
    if has_dicom_preamble(data):
        return _dicom_shape(data)
    opener = opener_for(data)
    if opener is None:
        return 0, 0
    with opener(BytesIO(data)) as image:
        return image.height, image.width


def _dicom_shape(data: bytes) -> tuple[int, int]:
    head = read_header(data, ["Rows", "Columns"], name="bytes", force=False)
    return int(head.Rows), int(head.Columns)
