"""What the DICOM standard says must go: PS3.15, annex E, the Basic Profile, table E.1-1.

The table is that of edition 2026c, as the library dicom-anonymizer has it. Where it leaves a
choice by the kind of object (X/Z/D and the like), the one is taken that is right for all kinds.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pydicom.tag import BaseTag

Action = Literal["remove", "empty", "dummy", "uid", "keep"]
EDITION = "2026c"
KINDS = {
    "private-names": "names of people",
    "private-births": "birth dates",
    "private-identifiers": "identifiers of patients, visits or orders",
    "private-addresses": "addresses, telephone numbers or places",
    "private-institutions": "names of institutions or departments",
    "private-dates": "dates of the examination",
    "private-devices": "names or serial numbers of devices",
    "private-uids": "identifiers that the hospital's archive knows (UIDs)",
    "private-text": "descriptions and comments in free text",
    "private-facts": "facts of the patient such as sex and age",
    "private-tags": "private tags of manufacturers, which may hold anything",
}
MILD = ("private-uids", "private-text", "private-facts")  # who has only these learns no name
_ACTIONS: dict[str, Action] = {
    "D_TAGS": "dummy",
    "Z_TAGS": "empty",
    "X_TAGS": "remove",
    "U_TAGS": "uid",
    "Z_D_TAGS": "dummy",
    "X_Z_TAGS": "empty",
    "X_D_TAGS": "dummy",
    "X_Z_D_TAGS": "dummy",
    "X_Z_U_STAR_TAGS": "keep",  # sequences of references: the UIDs in them are replaced
}
_WHOLE_GROUPS = (0x5000, 0x6000)  # curves and overlays, of which the table takes the data
_TEXT = ("LO", "LT", "SH", "ST", "UC", "UN", "UT", "OB")


@cache
def _table() -> dict[tuple[int, ...], Action]:
    from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector

    lists: dict[str, Any] = dicom_anonymization_database_selector(f"dicomfields_{EDITION}")
    return {tag: action for name, action in _ACTIONS.items() for tag in lists[name]}


def action_for(tag: BaseTag) -> Action:
    """Private attributes, and those that no edition known here names, are removed like X."""
    if tag.is_private or tag.group & 0xFF00 in _WHOLE_GROUPS or not keyword_of(tag):
        return "remove"
    return _table().get((tag.group, tag.element), "keep")


def keyword_of(tag: BaseTag) -> str:
    """`PatientName`; empty for private and unknown attributes."""
    from pydicom.datadict import keyword_for_tag

    return "" if tag.is_private else keyword_for_tag(tag)


def vr_of(tag: BaseTag, stored: str | None) -> str:
    """The value representation: the file's own, or else the dictionary's."""
    from pydicom.datadict import dictionary_has_tag, dictionary_VR

    if stored in (None, "UN") and not tag.is_private and dictionary_has_tag(tag):
        return str(dictionary_VR(tag)).split(" ")[0]
    return stored or "UN"


def kind_of(tag: BaseTag, vr: str) -> str:
    """What an attribute tells, as one of KINDS."""
    keyword = keyword_of(tag)
    if not keyword:
        return "private-tags"
    if vr == "UI":
        return "private-uids"
    if vr == "PN" or keyword in ("NameToUse", "PersonName"):
        return "private-names"
    if "Birth" in keyword:
        return "private-births"
    if vr in ("DA", "DT", "TM") or "Timezone" in keyword:
        return "private-dates"
    return _kind_by_word(keyword, vr)


_WORDS = {
    "private-addresses": (
        *("Address", "Phone", "Telephone", "Telecom", "Residence", "PatientLocation", "GPS"),
        "Geographic",
    ),
    "private-institutions": ("Institution", "Department", "Organization", "RequestingService"),
    "private-devices": (
        *("Device", "Detector", "Plate", "Cassette", "Gantry", "Generator", "Serial", "Station"),
        *("AETitle", "NetworkID", "Lens", "Camera"),
    ),
}


def _kind_by_word(keyword: str, vr: str) -> str:
    if "Description" in keyword or "Comment" in keyword:
        return "private-text"
    for kind, words in _WORDS.items():
        if any(word in keyword for word in words):
            return kind
    if keyword.endswith(("ID", "IDs", "Number", "Locator", "Identifier")) or "Issuer" in keyword:
        return "private-identifiers"
    return "private-text" if vr in _TEXT else "private-facts"
