"""A single-frame DICOM image to 8-bit grey, refused with the reason when it is anything else."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..._io.dicom_header import has_dicom_preamble, quiet_pydicom, refuse_deflated
from ...errors import ImageError
from ..limits import check_dimensions, decoding_with, unread

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SUFFIXES = (".dcm", ".dicom", ".dic")

_PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def is_dicom(path: Path | str) -> bool:
    """Whether `path` is DICOM by its name (.dcm, .dicom, .dic) or by 'DICM' at byte 128.

    Raises ImageError when it cannot be read.
    """
    if has_dicom_suffix(path):
        return True
    try:
        with Path(path).open("rb") as file:
            return has_dicom_preamble(file.read(132))
    except (OSError, ValueError) as error:
        raise unread(path, error) from error


def has_dicom_suffix(name: Path | str) -> bool:
    return str(name).lower().endswith(SUFFIXES)


def decode_dicom(data: bytes, name: object) -> np.ndarray:
    """Grey (H, W) uint8 at native size, bones white: see `dicom_display.displayed`.

    Raises ImageError for several frames, no pixels, a size that the pixel data contradict,
    a compression that no installed library decodes, or anything that pydicom refuses.
    """
    from .display import displayed

    with decoding_with("pydicom", name):
        stored, dataset = read_dicom(data, name)
        return displayed(stored, dataset)


def read_dicom(data: bytes, name: object) -> tuple[np.ndarray, Dataset]:
    """Stored values (H, W) or (H, W, 3) and headers of one image that `decode_dicom` would take.

    Raises what pydicom raises, and ImageError.
    """
    import pydicom
    from pydicom.pixels import pixel_array

    quiet_pydicom()
    refuse_deflated(data, name)
    dataset = pydicom.dcmread(BytesIO(data), force=True)
    if not has_dicom_preamble(data):
        _check_is_bare_dicom(dataset, name)
    _check_is_one_image(dataset, name)
    _check_decoder(dataset, name)
    _check_pixel_data(dataset, name)
    return pixel_array(dataset), dataset


def _check_is_bare_dicom(dataset: Dataset, name: object) -> None:
    """A data set written without preamble and file meta also lacks its transfer syntax."""
    from pydicom import uid

    if "SOPClassUID" not in dataset:
        raise ImageError(name, "not a DICOM file, whatever its name; remove or rename it")
    implicit, little = dataset.original_encoding
    explicit = uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if implicit else explicit


def _check_is_one_image(dataset: Dataset, name: object) -> None:
    if not any(keyword in dataset for keyword in _PIXEL_KEYWORDS):
        modality = str(dataset.get("Modality", "") or "unknown modality")[:16]
        raise ImageError(name, f"DICOM without an image ({modality}: no pixel data); remove it")
    rows, columns = dataset.get("Rows"), dataset.get("Columns")
    if not rows or not columns:
        raise ImageError(name, "DICOM without Rows and Columns; export it again")
    check_dimensions(name, rows, columns)
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise ImageError(name, f"holds {frames} frames; export the one to use as a single frame")


def _check_decoder(dataset: Dataset, name: object) -> None:
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if not syntax:
        raise ImageError(name, "DICOM without a transfer syntax; export it again")
    fault = decoder_fault(syntax)
    if fault is not None:
        raise ImageError(name, fault)


def decoder_fault(syntax: str) -> str | None:
    """Why no pixels of a transfer syntax can be decoded here, with plug-ins by name, or None."""
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        return f"no decoder exists for transfer syntax {UID(syntax).name[:64]}"
    if decoder.is_available:
        return None
    missing = "; ".join(decoder.missing_dependencies)
    return f"no decoder installed for {decoder.UID.name}; install one: {missing}"


def _check_pixel_data(dataset: Dataset, name: object) -> None:
    """Rows and Columns must be what the pixel data hold; else the image is sheared or cut."""
    rows, columns = dataset.Rows, dataset.Columns
    declared = rows * columns * dataset.SamplesPerPixel * dataset.BitsAllocated // 8
    if not dataset.file_meta.TransferSyntaxUID.is_compressed:
        held = len(next(dataset[key].value for key in _PIXEL_KEYWORDS if key in dataset))
        if held > declared + declared // rows:  # less than a row is padding
            raise ImageError(name, f"{columns}x{rows} needs {declared} bytes of pixels, not {held}")
        return
    from pydicom.encaps import generate_frames

    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    if len(frame) > 2 * declared + 65536:
        raise ImageError(name, f"{columns}x{rows} cannot need {len(frame)} compressed bytes")
    height, width = _coded_shape(frame) or (rows, columns)
    if (height, width) != (rows, columns):
        raise ImageError(name, f"header says {columns}x{rows}, pixel data {width}x{height}")


def _coded_shape(frame: bytes) -> tuple[int, int] | None:
    """(height, width) from the header of a JPEG, JPEG-LS or JPEG 2000 stream, if it is one."""
    size = frame.find(b"\xff\x4f\xff\x51")  # JPEG 2000: start of codestream, then SIZ
    if size >= 0:
        x1, y1, x0, y0 = np.frombuffer(frame, ">u4", 4, size + 8).tolist()
        return y1 - y0, x1 - x0
    return _jpeg_shape(frame) if frame.startswith(b"\xff\xd8") else None


def _jpeg_shape(frame: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            height, width = np.frombuffer(frame, ">u2", 2, at + 5).tolist()
            return height, width
        else:
            at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None
