"""The image that a result is about: who and what it must be filed under.

Whatever of the header is copied has been checked, as the archive would: a broken birth date is left
empty, as DICOM allows, but a result is never filed under an identity that could not be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..._io.dicom_header import has_dicom_preamble, read_header
from ...errors import ImageError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MAKER = "cxr"
"""Manufacturer in all that cxr writes: such objects are never read as images."""

FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.1.1"
IMAGE_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.1": "Computed Radiography Image Storage",
    "1.2.840.10008.5.1.4.1.1.1.1": "Digital X-Ray Image Storage - For Presentation",
    "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture Image Storage",  # scanned images
}
"""What is received and fetched; from a folder also DX for processing, as `cxr predict` reads it."""

IDENTITY = ("PatientID", "PatientName", "IssuerOfPatientID")
REQUIRED_EMPTY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "AccessionNumber", "StudyID", "ReferringPhysicianName"),
)
COPIED = (
    *IDENTITY,
    *("PatientBirthDate", "PatientBirthTime", "PatientSex"),
    *("PatientAge", "PatientSize", "PatientWeight"),
    *("StudyDate", "StudyTime", "AccessionNumber", "StudyID"),
    *("StudyDescription", "ReferringPhysicianName"),
)
OF_IMAGE = (
    *("PatientOrientation", "BodyPartExamined", "BurnedInAnnotation"),
    *("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"),
)
_UIDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_ENUMERATED = {
    "PatientSex": {"M", "F", "O"},
    "BurnedInAnnotation": {"YES", "NO"},
    "LossyImageCompression": {"00", "01"},
}


@dataclass(frozen=True)
class Source:
    """The header of an image. `subject`: patient and study, checked, in UTF-8, with the empty
    values that DICOM requires. `pixel_attributes`: what is known of its pixels and valid."""

    sop_class: str
    sop_instance: str
    series: str
    study: str
    subject: Dataset
    pixel_attributes: Dataset


def read_source(data: bytes, name: object) -> Source:
    """Of a DICOM file's bytes. No pixel is read.

    Raises ImageError, without a value of the header, when it is not DICOM, does not say which
    study it belongs to, its patient cannot be read for certain, or it is a result of cxr itself.
    """
    header = _header(data, name)
    if _text(header, "Manufacturer") == MAKER:
        raise ImageError(name, "is a result that cxr made, not an image; leave it out")
    sop_class, instance, series, study = (_uid(header, keyword, name) for keyword in _UIDS)
    if sop_class not in (*IMAGE_CLASSES, FOR_PROCESSING):
        raise ImageError(name, f"is no image (CR, DX or secondary capture) but {_kind(sop_class)}")
    subject, pixel_attributes = _copy(header, COPIED), _copy(header, OF_IMAGE)
    for keyword in IDENTITY:
        if _is_given(header, keyword) and keyword not in subject:
            raise ImageError(
                name,
                f"{keyword} is damaged or not in the character set that the file states, so a "
                "result could not be filed under the same patient; correct it at its source",
            )
    for keyword in REQUIRED_EMPTY:
        if keyword not in subject:
            setattr(subject, keyword, "")
    subject.SpecificCharacterSet = "ISO_IR 192"
    return Source(sop_class, instance, series, study, subject, pixel_attributes)


def _header(data: bytes, name: object) -> Dataset:
    wanted = ["SpecificCharacterSet", "Manufacturer", *_UIDS, *COPIED, *OF_IMAGE]
    try:
        header = read_header(data, wanted, name=name)
        known = "SOPClassUID" in header
    except ImageError:
        raise
    except Exception as error:  # pydicom raises errors of many kinds, some of which quote values
        raise ImageError(name, "the DICOM header is damaged; export the file again") from error
    if not known and not has_dicom_preamble(data):
        raise ImageError(name, "not a DICOM file; results in DICOM are made of DICOM images only")
    return header


def _uid(header: Dataset, keyword: str, name: object) -> str:
    value = _text(header, keyword)
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)+", value) or len(value) > 64:
        state = "is not a UID" if value else "is missing"
        raise ImageError(name, f"{keyword} {state}, so a result has no place; export it again")
    return value


def _kind(sop_class: str) -> str:
    from pydicom.uid import UID

    return UID(sop_class).name


def _text(header: Dataset, keyword: str) -> str:
    try:
        return str(header.get(keyword) or "").strip()
    except Exception:  # a value that cannot be decoded at all
        return ""


def _is_given(header: Dataset, keyword: str) -> bool:
    """Whether there is anything, readable or not."""
    try:
        element = header.get_item(keyword)
        return element is not None and bool(element.value)
    except Exception:
        return True


def _copy(header: Dataset, keywords: tuple[str, ...]) -> Dataset:
    """The attributes that are whole."""
    from pydicom.dataset import Dataset

    valid = Dataset()
    for keyword in keywords:
        try:
            value = _checked(header, keyword)
        except Exception:  # damaged values raise errors of many kinds
            continue
        if value not in (None, "", []):
            setattr(valid, keyword, value)
    return valid


def _checked(header: Dataset, keyword: str) -> Any:
    """A value as text that fits its kind. Raises an error of some kind for any other."""
    from pydicom.config import RAISE
    from pydicom.datadict import dictionary_VM, dictionary_VR
    from pydicom.multival import MultiValue
    from pydicom.valuerep import validate_value

    if keyword not in header:
        return None
    value = header[keyword].value
    many = isinstance(value, MultiValue)
    texts = ["" if one is None else str(one) for one in (value if many else [value])]
    if many and dictionary_VM(keyword) == "1":
        raise ValueError("several values")
    for one in texts:
        validate_value(dictionary_VR(keyword), one, RAISE)
        if not (one.isprintable() and _is_certain(one, header)):
            raise ValueError("text that cannot be read for certain")
        if one not in _ENUMERATED.get(keyword, {one}):
            raise ValueError("not one of the allowed values")
    return texts if many else texts[0]


def _is_certain(one: str, header: Dataset) -> bool:
    """Letters beyond ASCII mean something only in a character set that is stated and known."""
    from pydicom.charset import python_encoding

    if one.isascii():
        return True
    sets = [name for name in _character_sets(header) if name]
    return bool(sets) and "�" not in one and all(name in python_encoding for name in sets)


def _character_sets(header: Dataset) -> Iterator[str]:
    stated = header.get("SpecificCharacterSet") or ""
    yield from [stated] if isinstance(stated, str) else stated
