"""How large an image is, read off its first bytes."""

from __future__ import annotations

import struct
from io import BytesIO

import simplejpeg

from .._io import quiet_pydicom
from .dicom.decode import has_dicom_preamble, refuse_deflated
from .raster import opener_for

PNG = b"\x89PNG\r\n\x1a\n"


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
    if data.startswith(b"\xff\xd8\xff"):
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        return height, width
    if data.startswith(PNG):
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
    import pydicom

    quiet_pydicom()
    refuse_deflated(data, "bytes")
    tags = ["Rows", "Columns"]
    head = pydicom.dcmread(BytesIO(data), stop_before_pixels=True, specific_tags=tags)
    return int(head.Rows), int(head.Columns)
