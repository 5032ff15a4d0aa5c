"""What DICOM headers say of the patient and the view, without reading a pixel.

Tags: DICOM PS3.6. The patient's own identifier never leaves this module: it becomes a pseudonym
that is the same wherever the identifier is the same.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..._io import Progress
from .columns import age_years, sex_letter

TAGS = [
    "PatientID",
    "IssuerOfPatientID",
    "StudyInstanceUID",
    "ViewPosition",
    "PatientAge",
    "PatientSex",
]
COLUMNS = ("patient", "study", "view", "age", "sex")
OLDEST = 90.0  # years; higher ages identify (45 CFR 164.514) and are given as this
DEFLATED = b"1.2.840.10008.1.2.1.99"
HEAD_BYTES = 4096
SLOW = 500  # files; fewer are read before a progress bar would help


def pseudonym(identifier: str, issuer: str = "") -> str | None:
    """`dcm-` and 12 hexadecimal digits of a SHA-256; None without an identifier.

    The same identifier from two issuers is two people. Who has a list of identifiers can find
    which is which: keep a manifest as private as the files that it was made from.
    """
    if not identifier:
        return None
    return "dcm-" + hashlib.sha256(f"{issuer}\0{identifier}".encode()).hexdigest()[:12]


def header_facts(path: Path) -> dict[str, Any]:
    """`patient` (pseudonym), `study` (pseudonym), `view`, `age` (years), `sex`, where given.

    An unreadable file gives an empty dictionary: `cxr check` reports such files, and one of them
    must not keep the others from being listed.
    """
    try:
        text = _header_text(path)
    except Exception:  # pydicom raises errors of many kinds for damaged files
        return {}
    facts: dict[str, Any] = {
        "patient": pseudonym(text["PatientID"], text["IssuerOfPatientID"]),
        "study": pseudonym(text["StudyInstanceUID"]),
        "view": text["ViewPosition"],
        "age": min(age_years(text["PatientAge"]), OLDEST) if text["PatientAge"] else None,
        "sex": sex_letter(text["PatientSex"]),
    }
    return {name: value for name, value in facts.items() if value}


def _header_text(path: Path) -> dict[str, str]:
    import pydicom

    with path.open("rb") as file:
        if DEFLATED in file.read(HEAD_BYTES):  # may unpack to any size: left to `cxr.pixels`
            return dict.fromkeys(TAGS, "")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a warning would quote a malformed identifier
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(TAGS))
        return {tag: str(header.get(tag) or "").strip() for tag in TAGS}


def read_headers(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """`header_facts` of each file, in order."""
    if len(paths) < SLOW:
        return [header_facts(path) for path in paths]
    facts = []
    with Progress("reading DICOM headers", total=len(paths), unit="files") as progress:
        for path in paths:
            facts.append(header_facts(path))
            progress.advance()
    return facts
