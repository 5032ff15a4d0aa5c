"""The technical facts of a DICOM header: nothing in them says who the patient is.

Patients and studies are read in `cxr.find`, which gives them pseudonyms.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast

from ..._io.dicom_header import read_header
from ...errors import ImageError
from ..limits import decoding_with, reading
from .display import contrast

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_TEXT = {
    "modality": "Modality",
    "view_position": "ViewPosition",
    "body_part": "BodyPartExamined",
    "photometric_interpretation": "PhotometricInterpretation",
    "presentation_intent": "PresentationIntentType",
    "manufacturer": "Manufacturer",
    "manufacturer_model": "ManufacturerModelName",
}
_NUMBER = {
    "bits_stored": "BitsStored",
    "rows": "Rows",
    "columns": "Columns",
    "frames": "NumberOfFrames",
}
_OTHER = (
    *("PixelSpacing", "ImagerPixelSpacing", "ViewCodeSequence"),
    *("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept"),
    *("VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction"),
)
_LONGEST = 64  # characters, as the standard's LO; what comes from a file may end on a terminal


class DicomFacts(TypedDict):
    """How an image was made. What is absent or damaged is None."""

    modality: str | None
    view_position: str | None
    body_part: str | None
    photometric_interpretation: str | None
    presentation_intent: str | None
    manufacturer: str | None
    manufacturer_model: str | None
    bits_stored: int | None
    rows: int | None
    columns: int | None
    frames: int | None
    transfer_syntax: str | None  # its UID
    pixel_spacing: list[float] | None  # [row, column] in mm
    rescale: str | None  # "lut", or "linear" where the values change
    contrast: str | None  # "voi lut" or "window"


def read_dicom_facts(source: Path | str | bytes) -> DicomFacts:
    """What the header of a DICOM file, or of its bytes, says of how its image was made. The pixels
    are not read.

    Raises ImageError when the file cannot be read or is not DICOM.
    """
    if isinstance(source, bytes):
        return _facts_in(source, "bytes")
    with reading(Path(source)) as path:
        return _facts_in(path, path)


def _facts_in(source: Path | bytes, name: object) -> DicomFacts:
    with decoding_with("pydicom", name):
        dataset = read_header(source, [*_TEXT.values(), *_NUMBER.values(), *_OTHER], name=name)
        if "Rows" not in dataset and "Modality" not in dataset:
            raise ImageError(name, "not a DICOM file; remove it or give it its right name")
        return _facts(dataset)


def _facts(dataset: Dataset) -> DicomFacts:
    facts: dict[str, Any] = {name: _whole(_text, dataset, word) for name, word in _TEXT.items()}
    facts |= {name: _whole(_integer, dataset, word) for name, word in _NUMBER.items()}
    facts["view_position"] = facts["view_position"] or _whole(_coded_view, dataset)
    facts["transfer_syntax"] = _whole(_text, dataset.file_meta, "TransferSyntaxUID")
    facts["pixel_spacing"] = _whole(_spacing, dataset)
    facts["rescale"], facts["contrast"] = _whole(contrast, dataset) or (None, None)
    return cast(DicomFacts, facts)


def _whole(read: Callable[..., Any], *header: Any) -> Any:
    """One fact, or None where its entry is damaged: the others are still of use."""
    try:
        return read(*header)
    except Exception:  # pydicom raises errors of many kinds for damaged values
        return None


def _text(dataset: Dataset, keyword: str) -> str | None:
    value = str(dataset.get(keyword) or "").strip()
    return "".join(sign for sign in value if sign.isprintable())[:_LONGEST] or None


def _integer(dataset: Dataset, keyword: str) -> int | None:
    value = dataset.get(keyword)
    return None if value is None else int(value)


def _coded_view(dataset: Dataset) -> str | None:
    """DX may give the view as a code alone (PS3.3 C.8.11.5); its meaning is kept."""
    views = dataset.get("ViewCodeSequence")
    return _text(views[0], "CodeMeaning") if views else None


def _spacing(dataset: Dataset) -> list[float] | None:
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        spacing = [float(value) for value in dataset.get(keyword) or ()]
        if len(spacing) == 2 and min(spacing) > 0:
            return spacing
    return None
