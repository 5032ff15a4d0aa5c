"""Which private attributes a DICOM header holds: by kind and by the names of the attributes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..._io.dicom_header import read_header
from ...pixels import is_dicom
from .names import is_public
from .profile import kind_of
from .values import DUMMIES, Element, elements, identity, pattern_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_IDENTITY_REMOVED = 0x00120062
_PSEUDONYM = re.compile(rb"2\.25\.\d{30,39}|dcm-[0-9a-f]{16}")


@dataclass(frozen=True)
class HeaderFacts:
    """No value, only where values are.

    attributes: keywords by kind (see `profile.KINDS`). marked: the header says that the patient's
    identity was removed. in_name: the file's name holds the patient's name, an identifier or the
    birth date.
    """

    attributes: dict[str, set[str]]
    marked: bool
    in_name: bool


def header_facts(path: Path, name: str) -> HeaderFacts | None:
    """None for what is not DICOM or cannot be read: `check_unreadable` names such files."""
    try:
        return _facts(read_header(path), name) if is_dicom(path) else None
    except Exception:  # pydicom raises nearly anything on broken input
        return None


def _facts(dataset: Dataset, name: str) -> HeaderFacts:
    attributes = list(elements(dataset))
    marked = any(one.tag == _IDENTITY_REMOVED and one.raw.strip() == b"YES" for one in attributes)
    known = pattern_of([one for one in identity(dataset) if not _PSEUDONYM.fullmatch(one)])
    in_name = known is not None and not is_public(name) and known.search(name.encode()) is not None
    return HeaderFacts(_by_kind(attributes), marked, in_name)


def _by_kind(attributes: Iterable[Element]) -> dict[str, set[str]]:
    """Of the attributes that the profile takes out or replaces, those that hold something."""
    kinds: dict[str, set[str]] = {}
    for element in attributes:
        if not element.kept and _tells(element):
            kinds.setdefault(kind_of(element.tag, element.vr), set()).add(element.keyword)
    return kinds


def _tells(element: Element) -> bool:
    """Whether there is a value that is no dummy and no pseudonym of this program."""
    return any(value not in DUMMIES and not _PSEUDONYM.fullmatch(value) for value in element.values)
