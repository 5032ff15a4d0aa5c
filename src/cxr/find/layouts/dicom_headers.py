"""What DICOM headers say of the patient and the view, without reading a pixel.

Tags: DICOM PS3.6. The patient's own identifier never leaves this module: it becomes a pseudonym
that is the same wherever the identifier is the same and the key is (see `cxr.find.secret`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, cast

from ..._io import Progress, say
from ..._io.dicom_header import read_header
from ...errors import DataError
from ..files import DICOM_EXTENSIONS, extension, is_image_name
from ..secret import pseudonym, pseudonym_key
from .base import LayoutTable
from .columns import age_years, sex_letter

TAGS = [
    "SOPClassUID",
    "Modality",
    "Rows",
    "PatientID",
    "IssuerOfPatientID",
    "StudyInstanceUID",
    "ViewPosition",
    "PatientAge",
    "PatientSex",
]
COLUMNS = ("patient", "study", "view", "age", "sex")
OLDEST = 90.0  # years; higher ages identify (45 CFR 164.514) and are given as this
HEAD_BYTES = 4096  # of thousands of files: no more than is needed
SLOW = 500  # files; fewer are read before a progress bar would help


class PatientFacts(TypedDict, total=False):
    """What one header says, where it says it. Patient and study are pseudonyms."""

    patient: str
    study: str
    view: str
    age: float  # years
    sex: str
    no_image: str  # the kind of a file without pixels


def with_headers(
    listed: LayoutTable,
) -> tuple[LayoutTable, dict[str, PatientFacts], dict[str, str]]:
    """A row for each image, and the `header_facts` of those that are DICOM, by path.

    DICOM files that hold no image (reports, presentation states, directories of a medium) are
    left out, with a line; the third value names each with its kind. Raises DataError when nothing
    else is there.
    """
    paths = [path for path in listed.table["path"] if _may_be_dicom(path)]
    facts = dict(zip(paths, read_headers([listed.root / path for path in paths]), strict=True))
    other = {path: fact["no_image"] for path, fact in facts.items() if "no_image" in fact}
    if not other:
        return listed, facts, {}
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in Counter(other.values()).most_common(5))
    if len(other) == len(listed.table):
        raise DataError(f"no images under {listed.root}, only DICOM files without one ({kinds})")
    say(f"left out {len(other):,} DICOM files that hold no image ({kinds})")
    images = listed.table[~listed.table["path"].isin(list(other))]
    return replace(listed, table=images), facts, other


def without_patient_folders(listed: LayoutTable, facts: Mapping[str, PatientFacts]) -> LayoutTable:
    """No labels where the folders that gave them hold one patient each: a DICOM archive.

    Where all images are said to be of one patient, as anonymisers do, studies are counted.
    """
    labels, paths = listed.table.get("label"), listed.table["path"]
    if labels is None or labels.isna().any() or set(paths) - facts.keys():
        return listed
    if not all(label in path.split("/") for path, label in zip(paths, labels, strict=True)):
        return listed
    patients = [facts[path].get("patient") for path in paths]
    owners = patients if len(set(patients)) > 1 else [facts[path].get("study") for path in paths]
    if None in owners or len(set(zip(labels, owners, strict=True))) > labels.nunique():
        return listed
    say(
        f"the {labels.nunique():,} folders under {listed.root} hold one patient or study each, so "
        "their names are no classes: the images have no label"
    )
    return replace(listed, table=listed.table.assign(label=None))


def read_headers(paths: Sequence[Path]) -> list[PatientFacts]:
    """`header_facts` of each file, in order."""
    if not paths:
        return []
    key = pseudonym_key()
    if len(paths) < SLOW:
        return [header_facts(path, key) for path in paths]
    facts = []
    with Progress("reading DICOM headers", total=len(paths), unit="files") as progress:
        for path in paths:
            facts.append(header_facts(path, key))
            progress.advance()
    return facts


def header_facts(path: Path, key: bytes) -> PatientFacts:
    """What the header says of patient, study and view.

    The same identifier from two issuers is two people. `no_image` is there when the file is whole
    and of a kind without pixels, and names the kind. An unreadable file gives an empty dictionary:
    `cxr check` reports such files, and one must not keep the others from being listed.
    """
    try:
        text = _header_text(path)
    except Exception:  # pydicom raises errors of many kinds for damaged files
        return {}
    patient, study = text["PatientID"], text["StudyInstanceUID"]
    facts: dict[str, object] = {
        "patient": pseudonym(key, text["IssuerOfPatientID"], patient) if patient else None,
        "study": pseudonym(key, "study", study) if study else None,
        "view": text["ViewPosition"],
        "age": min(age_years(text["PatientAge"]), OLDEST) if text["PatientAge"] else None,
        "sex": sex_letter(text["PatientSex"]),
        "no_image": None if text["Rows"] else _kind_without_image(text["SOPClassUID"]),
    }
    return cast(PatientFacts, {name: value for name, value in facts.items() if value})


def _header_text(path: Path) -> dict[str, str]:
    header = read_header(path, TAGS, force=False, head_bytes=HEAD_BYTES)
    text = {tag: str(header.get(tag) or "").strip() for tag in TAGS}
    text["SOPClassUID"] = text["SOPClassUID"] or _media_class(header)
    return text


def _media_class(header: Any) -> str:
    """A DICOMDIR names its class in the file meta information alone."""
    return str(header.file_meta.get("MediaStorageSOPClassUID") or "")


def _kind_without_image(sop_class: str) -> str | None:
    """`Basic Text SR Storage`; None for images and for classes that the standard does not name."""
    from pydicom.uid import UID

    name = UID(sop_class).name
    return None if name == sop_class or "Image Storage" in name else name


def _may_be_dicom(path: str) -> bool:
    return extension(path) in DICOM_EXTENSIONS or not is_image_name(path)
