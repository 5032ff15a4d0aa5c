"""An image small enough to look at quickly, whatever its size, and how its file stores it."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from .._io.dicom_header import has_dicom_preamble
from .jpeg import JPEG, jpeg_shape
from .limits import decoding_with
from .load import load_grey, read_file
from .raster import opener_for
from .resize import resize

SHORTER_SIDE = 448
"""Enough for burnt-in letters to stay legible. Larger JPEGs are decoded at a reduced scale, which
still reads every coded bit and is several times as fast."""

_FRAME_MARKERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_TABLES, _SCAN, _COMMENT = 0xDB, 0xDA, 0xFE
_COLOUR_SIDE = 32


@dataclass(frozen=True)
class StoredFacts:
    """How a file stores its image: facts of the format, none of them anatomy.

    Numbers that a format does not have are 0.
    format: "jpeg", "png", "tiff", "bmp", "webp", "gif" or "dicom".
    bits, channels: of each sample, and samples a pixel, as the file has them.
    quantisation: mean entry of a JPEG's first table: higher is coarser, 1 nearly lossless.
    subsampling: luma samples a chroma sample (1, 2 or 4) of a JPEG in colour.
    progressive: whether a JPEG or PNG comes in several passes.
    header: bytes before the image begins (JPEG), with the segments counted in `segments`.
    """

    format: str
    bits: int = 8
    channels: int = 1
    quantisation: float = 0.0
    subsampling: int = 0
    progressive: bool = False
    header: int = 0
    segments: int = 0


@dataclass(frozen=True)
class Overview:
    """grey: (h, w) uint8, the whole image with its shorter side at most SHORTER_SIDE.
    height, width: of the image as stored, upright. colour: see `colourfulness`."""

    grey: np.ndarray
    height: int
    width: int
    stored: StoredFacts
    colour: float


def load_overview(path: Path) -> Overview:
    """One file, looked at in full. Raises ImageError for whatever `load_grey` refuses."""
    data = read_file(path)
    shape = jpeg_shape(data, path)
    if shape is not None:
        grey = load_grey(data, _reduced(shape), name=str(path))
    else:
        whole = load_grey(data, name=str(path))
        shape = whole.shape
        grey = resize(whole, _reduced(shape)) if _reduced(shape) != shape else whole
    return Overview(grey, *shape, stored_facts(data), colourfulness(data))


def _reduced(shape: tuple[int, int]) -> tuple[int, int]:
    """At least 1 pixel a side: a strip may be thousands of times as long as it is wide."""
    scale = min(1.0, SHORTER_SIDE / min(shape))
    scale = min(scale, 8192 / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def stored_facts(data: bytes) -> StoredFacts:
    """What the header of an image file that `load_grey` reads says."""
    if data.startswith(JPEG):
        return _jpeg(data)
    opener = None if has_dicom_preamble(data) else opener_for(data)
    if opener is None:
        return StoredFacts("dicom", bits=0, channels=0)
    with decoding_with("Pillow", "image"), opener(BytesIO(data)) as image:
        return _raster(image)


def _raster(image: Image.Image) -> StoredFacts:
    wide = image.mode.startswith("I") or image.mode == "F"
    return StoredFacts(
        format=(image.format or "").lower(),
        bits=1 if image.mode == "1" else 16 if wide else 8,
        channels=len(image.getbands()),
        progressive=bool(image.info.get("interlace")),
    )


def _jpeg(data: bytes) -> StoredFacts:
    """Walks over the segments: ITU-T T.81, annex B."""
    facts: dict[str, Any] = {}
    at, segments = 2, 0
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != _SCAN:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        body = data[at + 4 : at + 2 + length]
        if marker == _TABLES and "quantisation" not in facts:
            facts["quantisation"] = _mean_of_first_table(body)
        elif marker in _FRAME_MARKERS and len(body) >= 8:
            facts |= {"bits": body[0], "channels": body[5], "progressive": marker == 0xC2}
            facts["subsampling"] = (body[7] >> 4) * (body[7] & 15) if body[5] > 1 else 0
        at, segments = at + 2 + length, segments + 1
    return StoredFacts("jpeg", header=at, segments=segments, **facts)


def _mean_of_first_table(body: bytes) -> float:
    wide = body[0] >> 4 if body else 0
    table = np.frombuffer(body[1 : 1 + 64 * (1 + wide)], ">u2" if wide else "u1")
    return float(table.mean()) if len(table) == 64 else 0.0


def colourfulness(data: bytes) -> float:
    """How far an image is from grey: the mean distance, in grey levels, of its largest to its
    smallest channel, over an image of at most a few dozen pixels a side. 0 for DICOM.

    An image that Pillow cannot open is 0 as well: `load_grey` says what is wrong with it.
    """
    opener = JpegImageFile if data.startswith(JPEG) else opener_for(data)
    if opener is None or has_dicom_preamble(data):
        return 0.0
    try:
        with opener(BytesIO(data)) as image:
            if image.mode in ("L", "1", "F") or image.mode.startswith("I"):
                return 0.0
            image.draft("RGB", (_COLOUR_SIDE, _COLOUR_SIDE))
            small = image.convert("RGB").resize((_COLOUR_SIDE, _COLOUR_SIDE), Image.Resampling.BOX)
    except Exception:  # Pillow raises nearly anything on broken input
        return 0.0
    pixels = np.asarray(small)
    return float(np.ptp(pixels, axis=2).mean())
