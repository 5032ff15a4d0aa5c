"""The technical facts of a DICOM header, with the patient and study as pseudonyms."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ImageError
from .dicom import HEAD_BYTES, refuse_deflated
from .limits import decoding_with, reading

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_TEXT = {
    "modality": "Modality",
    "view_position": "ViewPosition",
    "photometric_interpretation": "PhotometricInterpretation",
    "manufacturer_model": "ManufacturerModelName",
    "sex": "PatientSex",
}
_NUMBER = {"bits_stored": "BitsStored", "rows": "Rows", "columns": "Columns"}
_OTHER = (
    "PatientAge",
    "PatientID",
    "IssuerOfPatientID",
    "StudyInstanceUID",
    "PixelSpacing",
    "ImagerPixelSpacing",
)
_YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
OLDEST = 90.0
"""Higher ages are given as this: by HIPAA's safe harbour (45 CFR 164.514) they identify."""


def read_dicom_facts(path: Path | str, key: bytes | None = None) -> dict[str, Any]:
    """What a manifest may keep of a DICOM header. The pixels are not read.

    Keys: modality, view_position, photometric_interpretation, manufacturer_model, sex (text);
    bits_stored, rows, columns (int); transfer_syntax (UID); pixel_spacing ([row, column] in mm);
    age (years, at most 90); patient, study (pseudonyms). A fact that is absent is None.

    A pseudonym is `p-` and 16 hex digits of HMAC-SHA-256 under `key`, so the same person gets the
    same one in every file. Patient IDs are short: without a key of your own, anyone with a list of
    them can find which is which, so keep such a manifest as private as the files.

    Raises ImageError when the file cannot be read or is not DICOM.
    """
    import pydicom

    wanted = [*_TEXT.values(), *_NUMBER.values(), *_OTHER]
    with reading(Path(path)) as path, path.open("rb") as file:
        refuse_deflated(file.read(HEAD_BYTES), path)
    with decoding_with("pydicom", path):
        dataset = pydicom.dcmread(path, force=True, stop_before_pixels=True, specific_tags=wanted)
        if "Rows" not in dataset and "Modality" not in dataset:
            raise ImageError(path, "not a DICOM file; remove it or give it its right name")
        return _facts(dataset, key or b"")


def _facts(dataset: Dataset, key: bytes) -> dict[str, Any]:
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    facts: dict[str, Any] = {name: _text(dataset, word) for name, word in _TEXT.items()}
    facts |= {name: _integer(dataset, word) for name, word in _NUMBER.items()}
    return facts | {
        "transfer_syntax": str(syntax) if syntax else None,
        "pixel_spacing": _spacing(dataset),
        "age": age_in_years(_text(dataset, "PatientAge")),
        "patient": _pseudonym(dataset, ("IssuerOfPatientID", "PatientID"), key),
        "study": _pseudonym(dataset, ("StudyInstanceUID",), key),
    }


def _text(dataset: Dataset, keyword: str) -> str | None:
    return str(dataset.get(keyword) or "").strip() or None


def _integer(dataset: Dataset, keyword: str) -> int | None:
    value = dataset.get(keyword)
    return None if value is None else int(value)


def _spacing(dataset: Dataset) -> list[float] | None:
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        spacing = [float(value) for value in dataset.get(keyword) or ()]
        if len(spacing) == 2 and min(spacing) > 0:
            return spacing
    return None


def age_in_years(text: str | None) -> float | None:
    """DICOM's age string ('045Y', '018M', '003W', '010D') in years; None when it is not one."""
    if text is None or text[-1] not in _YEARS or not text[:-1].isdecimal():
        return None
    return min(round(int(text[:-1]) * _YEARS[text[-1]], 2), OLDEST)


def _pseudonym(dataset: Dataset, keywords: tuple[str, ...], key: bytes) -> str | None:
    """The last of `keywords` is the identity; the others only tell equal ones apart."""
    values = [_raw(dataset, keyword) for keyword in keywords]
    if not values[-1]:
        return None
    return "p-" + hmac.new(key, b"\0".join(values), hashlib.sha256).hexdigest()[:16]


def _raw(dataset: Dataset, keyword: str) -> bytes:
    # Unconverted: pydicom's checks would quote a malformed identity in a warning.
    value = dataset.get_item(keyword).value if keyword in dataset else b""
    return (value or b"").strip(b" \0")
