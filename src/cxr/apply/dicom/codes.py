"""Codes, UIDs and text values: SNOMED CT where it has a code, else cxr's own scheme.

UIDs are the same for the same statement on the same image: a random one would file one more
report with each run over an archive. They are version 5 UUIDs (RFC 9562) under 2.25, the root that
DICOM keeps for UUIDs (PS3.5 B.2): the archive sees that it has the object already. A UID is made
of all that the document depends on, so that another prediction, of another model or of a new
calibration, is another document and never hidden behind the old one.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import TYPE_CHECKING

from ..._io.markdown import one_line

if TYPE_CHECKING:
    from highdicom.sr import CodedConcept

SCHEME = "99CXR"
"""Private coding schemes begin with 99 (PS3.16 8.2)."""

LONGEST_MEANING, LONGEST_VALUE = 64, 16
_NAMESPACE = uuid.UUID("0c8f8d5e-64e5-4b2c-9b41-6d1c6a1f3a57")

# SNOMED CT, by the class names of the published data sets.
_FINDINGS = {
    "atelectasis": ("46621007", "Atelectasis"),
    "bacterial pneumonia": ("53084003", "Bacterial pneumonia"),
    "cardiomegaly": ("8186001", "Cardiomegaly"),
    "consolidation": ("95436008", "Lung consolidation"),
    "covid 19": ("840539006", "COVID-19"),
    "covid19": ("840539006", "COVID-19"),
    "edema": ("19242006", "Pulmonary edema"),
    "effusion": ("60046008", "Pleural effusion"),
    "emphysema": ("87433001", "Pulmonary emphysema"),
    "fibrosis": ("51615001", "Fibrosis of lung"),
    "lung consolidation": ("95436008", "Lung consolidation"),
    "normal": ("17621005", "Normal"),
    "pleural effusion": ("60046008", "Pleural effusion"),
    "pneumonia": ("233604007", "Pneumonia"),
    "pneumothorax": ("36118008", "Pneumothorax"),
    "pulmonary edema": ("19242006", "Pulmonary edema"),
    "tuberculosis": ("56717001", "Tuberculosis"),
    "viral pneumonia": ("75570004", "Viral pneumonia"),
}


def finding_code(name: str) -> CodedConcept:
    """SNOMED CT for a class name that is known, else a private code that carries the name."""
    from highdicom.sr import CodedConcept

    known = _FINDINGS.get(" ".join(re.split(r"[\W_]+", name.lower())).strip())
    if known is not None:
        return CodedConcept(known[0], "SCT", known[1])
    return private_code(_value(name), name)


def private_code(value: str, meaning: str) -> CodedConcept:
    """A code of cxr's own scheme."""
    from highdicom.sr import CodedConcept

    return CodedConcept(value, SCHEME, text(meaning, LONGEST_MEANING) or value)


def text(value: object, longest: int) -> str:
    r"""One line without invisible characters, nor \, which separates values in DICOM."""
    line = one_line(value).replace("\\", "/")
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _value(name: str) -> str:
    """The name itself where it makes a code, else digits that only it has."""
    if re.fullmatch(r"[A-Za-z0-9_-]+", name) and len(name) <= LONGEST_VALUE:
        return name
    return "CLASS-" + hashlib.sha256(name.encode()).hexdigest()[:10].upper()


def uid(kind: str, *parts: str) -> str:
    """A UID of at most 44 characters that depends on `kind` and every one of `parts`."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, _joined(kind, *parts)).int}"


def short_name(*parts: str) -> str:
    """12 hexadecimal digits for a file name, from which the parts cannot be read."""
    return uuid.uuid5(_NAMESPACE, _joined("name", *parts)).hex[:12]


def _joined(*parts: str) -> str:
    return "\0".join(parts)
