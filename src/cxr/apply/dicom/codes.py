"""Codes for what a model may find on a chest X-ray, and cxr's own where no standard has one."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from ..._io.markdown import one_line

if TYPE_CHECKING:
    from highdicom.sr import CodedConcept

SCHEME = "99CXR"
"""Private coding schemes begin with 99 (PS3.16 8.2)."""

LONGEST_MEANING, LONGEST_VALUE = 64, 16

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


def finding(name: str) -> CodedConcept:
    """SNOMED CT for a class name that is known, else a private code that carries the name."""
    from highdicom.sr import CodedConcept

    known = _FINDINGS.get(" ".join(re.split(r"[\W_]+", name.lower())).strip())
    if known is not None:
        return CodedConcept(known[0], "SCT", known[1])
    return own(_value(name), name)


def own(value: str, meaning: str) -> CodedConcept:
    """A code of cxr's own scheme."""
    from highdicom.sr import CodedConcept

    return CodedConcept(value, SCHEME, text(meaning, LONGEST_MEANING) or value)


def text(words: object, longest: int) -> str:
    r"""One line without what cannot be seen, nor \, which separates values in DICOM."""
    line = one_line(words).replace("\\", "/")
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _value(name: str) -> str:
    """The name itself where it makes a code, else digits that only it has."""
    if re.fullmatch(r"[A-Za-z0-9_-]+", name) and len(name) <= LONGEST_VALUE:
        return name
    return "CLASS-" + hashlib.sha256(name.encode()).hexdigest()[:10].upper()
