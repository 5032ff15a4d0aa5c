"""What shows that an image is no frontal chest radiograph, without any training data.

Three tests that always apply to an image that is predicted: whether upright lungs are found,
whether it is in colour, and what its DICOM header says. None of them changes a pixel.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image, JpegImagePlugin

from .._io.dicom_header import has_dicom_preamble
from ..config import FrameMode
from ..errors import ImageError
from .dicom.decode import has_dicom_suffix
from .dicom.facts import read_dicom_facts
from .frame import LungFrame, locate_lungs
from .jpeg import JPEG
from .load import Source, kind_of, load_framed, read_file
from .raster import opener_for

RADIOGRAPHS = ("CR", "DX", "DR", "RG")
"""Modality (0008,0060) of a radiograph."""

MAY_BE_RADIOGRAPHS = ("RF", "XA", "OT", "SC")
"""Fluoroscopes take radiographs, too, and a scanned one is secondary capture or "other"."""

CHEST = ("CHEST", "THORAX", "TORAX", "LUNG", "RIB")
LATERAL = ("LL", "RL", "LLAT", "RLAT", "LAT")
NOT_FROM_THE_SIDE = ("ANTERO", "POSTERO", "DECUBITUS")

PREAMBLE = 132  # bytes, of which the last four name a DICOM file
SIDE = 64  # pixels at which colours are compared
LEVELS = 8  # of brightness, with equally many pixels each
TINT = 10.0  # levels of 255 that a pixel may depart from the tint of what is as bright
COLOURED = 0.18
"""Share of pixels with a tint of their own from which an image is in colour. Of 12 photographs 10
have more (0.19 to 0.77), radiographs in sepia or blue at most 0.02, one with red and green marks
over it 0.07; grey images have none."""

IN_COLOUR = "the image is in colour, as no radiograph is"
OTHER_PART = "the DICOM header names another part of the body than the chest"
FROM_THE_SIDE = "the DICOM header names a lateral view"


def load_for_prediction(
    source: Source,
    size: int | tuple[int, int],
    method: str = "squish",
    frame: FrameMode = "lungs",
    *,
    name: str = "bytes",
) -> tuple[np.ndarray, LungFrame]:
    """The pixels of `load_framed`, and its frame with the `doubt` that the file itself raises.

    Of whole images the box is whole, but its `finding` and `score` say whether there are lungs.
    """
    if isinstance(source, str | Path):
        source, name = read_file(source), str(source)
    pixels, found = load_framed(source, size, method, frame, name=name)
    if frame == "whole":
        lungs = locate_lungs(pixels)
        found = replace(found, finding=lungs.finding, score=lungs.score)
    return pixels, replace(found, doubt=doubt_of(source, name))


def doubt_of(source: Source, name: str = "bytes") -> str:
    """Why a readable image can be no frontal chest radiograph, in words; else nothing."""
    if isinstance(source, bytes) and kind_of(source, name) == "dicom":
        return header_doubt(source)
    small = _small(source)
    return IN_COLOUR if small is not None and is_coloured(small) else ""


def header_doubts(paths: Iterable[Path]) -> list[str]:
    """`header_doubt` of each file that is DICOM and at hand, "" of the others; about 1.5 ms a DICOM
    file, since no pixels are read."""
    return [header_doubt(path) if _is_dicom(path) else "" for path in paths]


def _is_dicom(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return has_dicom_preamble(file.read(PREAMBLE)) or has_dicom_suffix(path)


def header_doubt(source: Path | bytes) -> str:
    """Of a DICOM file, by Modality, BodyPartExamined and ViewPosition or the code of the view."""
    try:
        facts = read_dicom_facts(source)
    except ImageError:
        return ""
    modality = (facts["modality"] or "").upper()
    if modality and modality not in RADIOGRAPHS + MAY_BE_RADIOGRAPHS:
        named = f"{modality}, " if re.fullmatch("[A-Z]{2}", modality) else ""
        return f"the DICOM header says that this is {named}no radiograph"
    if facts["body_part"] is not None and not is_chest(facts["body_part"]):
        return OTHER_PART
    lateral = facts["view_position"] is not None and is_lateral(facts["view_position"])
    return FROM_THE_SIDE if lateral else ""


def is_chest(part: str) -> bool:
    return any(one in part.upper() for one in CHEST)


def is_lateral(view: str) -> bool:
    """By ViewPosition (LL, LATERAL) or the meaning of a view code ("left lateral")."""
    words = view.upper()
    if any(other in words for other in NOT_FROM_THE_SIDE):
        return False
    return words in LATERAL or "LATERAL" in words


def is_coloured(image: Image.Image) -> bool:
    """Whether COLOURED of its pixels or more have another tint than what is as bright.

    One tint for each brightness is how a scan or a photograph of a radiograph is tinted.
    """
    opaque = image.convert("RGBA") if image.has_transparency_data else image
    small = opaque.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX).convert("YCbCr")
    pixels = np.asarray(small).reshape(-1, 3).astype(np.float64)
    if np.hypot(*np.ptp(pixels[:, 1:], axis=0)) <= TINT:
        return False  # none can depart so far: grey, or one tint, as nearly all radiographs are
    departs = np.empty(len(pixels))
    for alike in np.array_split(np.argsort(pixels[:, 0], kind="stable"), LEVELS):
        tints = pixels[alike, 1:]
        departs[alike] = np.hypot(*(tints - np.median(tints, axis=0)).T)
    return bool((departs > TINT).mean() >= COLOURED)


def _small(source: Source) -> Image.Image | None:
    """An image that may have colours, of a JPEG an eighth of it; None where all is grey."""
    if isinstance(source, bytes):
        return _small_jpeg(source) if source.startswith(JPEG) else _in_colours(_opened(source))
    if isinstance(source, np.ndarray):
        coloured = source.ndim == 3 and source.shape[2] == 3
        return Image.fromarray(_bytes_of(source)) if coloured else None
    return _in_colours(source) if isinstance(source, Image.Image) else None


def _small_jpeg(data: bytes) -> Image.Image | None:
    with suppress(ValueError):  # what only Pillow reads
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours == "Gray":
            return None
        eighth = {"min_height": (height + 7) // 8, "min_width": (width + 7) // 8}
        return Image.fromarray(simplejpeg.decode_jpeg(data, "RGB", **eighth))
    return _in_colours(_opened(data))


def _opened(data: bytes) -> Image.Image | None:
    opener = JpegImagePlugin.JpegImageFile if data.startswith(JPEG) else opener_for(data)
    return None if opener is None else opener(BytesIO(data))


def _in_colours(image: Image.Image | None) -> Image.Image | None:
    grey = image is None or image.mode in ("1", "L", "LA", "F") or image.mode.startswith("I")
    return None if grey else image


def _bytes_of(colours: np.ndarray) -> np.ndarray:
    """uint8 of an array that `grey_from_array` takes."""
    return (colours * 255 + 0.5).astype(np.uint8) if colours.dtype.kind in "fb" else colours
