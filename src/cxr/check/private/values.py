"""The private strings of a DICOM header, to search for; they never leave the process."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .profile import action_for, keyword_of, kind_of, vr_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

SHORTEST = 3
STRONG = 5  # bytes; shorter ones, and plain numbers, are found by chance in binary values
BINARY_LIMIT = 65536
DUMMIES = (
    *(b"ANONYMIZED", b"Anonymized", b"000Y", b"0", b"http://anonymized.invalid"),
    *(b"00010101", b"00010101010101.000000+0000", b"000000.00"),
)
_DUMMY_TEXT = b" ".join(DUMMIES).lower()
PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
CHARACTER_SET = 0x00080005
_BINARY = ("OB", "OW", "UN")
_NUMBERS = (
    *("DS", "IS", "AT", "FD", "FL", "OD", "OF", "OL", "OV"),
    *("SL", "SS", "SV", "UL", "US", "UV"),
)
_LONG_TEXT = ("LT", "ST", "UT", "UR")  # a backslash is a letter there
_WHOLE = ("private-text", "private-facts", "private-tags")
_PARTS = re.compile(rb"[\^= ,.;:_\-]+")
_READABLE = re.compile(rb"[ -~]{6,}")


@dataclass(frozen=True)
class Element:
    """One attribute as the file has it. `kept`: the profile leaves it as it is."""

    tag: BaseTag
    vr: str
    raw: bytes
    kept: bool

    @property
    def keyword(self) -> str:
        return keyword_of(self.tag) or "a private attribute"

    @property
    def values(self) -> list[bytes]:
        parts = [self.raw] if self.vr in _LONG_TEXT else self.raw.split(b"\\")
        return [part for part in (one.strip(b" \0\r\n\t") for one in parts) if part]

    @property
    def is_words(self) -> bool:
        """Whether a person could have written something into it."""
        structure = self.tag.group == 0x0028 or self.tag == CHARACTER_SET
        return not structure and self.vr not in (*_NUMBERS, *_BINARY, "UI")


def elements(dataset: Dataset, gone: bool = False) -> Iterator[Element]:
    """Every attribute, those of nested items too, but the pixels. Values are not converted."""
    for tag in list(dataset.keys()):
        item = dataset.get_item(tag)
        vr = vr_of(tag, item.VR)
        kept = not gone and action_for(tag) == "keep"
        if vr == "SQ":
            for inner in dataset[tag].value or ():
                yield from elements(inner, not kept)
        elif tag not in PIXELS:
            raw = _raw(item.value)
            yield Element(tag, vr, raw, kept and not (vr == "UI" and not is_registered(raw)))


def is_word(dataset: Dataset, tag: BaseTag, pattern: re.Pattern[bytes]) -> bool:
    """Whether the text of an attribute holds what `pattern` looks for."""
    if tag in PIXELS:
        return False
    item = dataset.get_item(tag)
    element = Element(tag, vr_of(tag, item.VR), _raw(item.value), kept=True)
    return element.is_words and pattern.search(element.raw) is not None


def is_registered(uid: bytes) -> bool:
    """Whether the standard itself gives the UID (or each of several) its meaning."""
    from pydicom.uid import UID_dictionary

    parts = uid.decode("ascii", "replace").split("\\")
    return all(part.strip(" \0") in UID_dictionary for part in parts)


def private_values(dataset: Dataset) -> frozenset[bytes]:
    """What a copy must not hold: the values of all that the profile takes out or replaces.

    Names also in their parts, dates also as people write them. A description that an attribute
    that is kept holds as well ("CHEST") is not private; a name or identifier is, wherever it is.
    Shorter values than SHORTEST are left out.
    """
    identifying: set[bytes] = set()
    other: set[bytes] = set()
    kept_words = [_DUMMY_TEXT]
    for element in elements(dataset):
        if element.kept:
            kept_words.append(element.raw)
        elif kind_of(element.tag, element.vr) in _WHOLE:
            other.update(_whole(element))
        else:
            identifying.update(_identifying(element))
    kept = b"\n".join(kept_words).lower()
    found = identifying | {value for value in other if value.lower() not in kept}
    return frozenset(value for value in found if _is_worth(value))


def identity(dataset: Dataset) -> frozenset[bytes]:
    """Only what names the patient or the visit: names, identifiers, the birth date."""
    kinds = ("private-names", "private-identifiers", "private-births")
    return frozenset(
        value
        for element in elements(dataset)
        if not element.kept and kind_of(element.tag, element.vr) in kinds
        for value in _identifying(element)
        if _is_worth(value)
    )


def pattern_of(values: Collection[bytes]) -> re.Pattern[bytes] | None:
    """Finds any of `values`, whatever their case, as a word of its own.

    A number must not go on in further digits, a word shorter than STRONG in further letters.
    """
    patterns = [_bounded(value) for value in sorted(values, key=len, reverse=True)]
    return re.compile(b"|".join(patterns), re.IGNORECASE) if patterns else None


def is_strong(value: bytes) -> bool:
    """Whether a find of it in any bytes is no accident."""
    return len(value) >= STRONG and not value.isdigit()


def _bounded(value: bytes) -> bytes:
    before = after = b""
    if len(value) < STRONG and value[:1].isalpha():
        before = rb"(?<![A-Za-z\x80-\xff])"
    if len(value) < STRONG and value[-1:].isalpha():
        after = rb"(?![A-Za-z\x80-\xff])"
    if value[:1].isdigit():
        before = rb"(?<![0-9])" + (rb"(?<![0-9]\.)" if b"." in value else b"")
    if value[-1:].isdigit():
        after = rb"(?!\.?[0-9])" if b"." in value else rb"(?![0-9])"
    return before + re.escape(value) + after


def _raw(value: Any) -> bytes:
    """As stored; a value that pydicom has converted already, as text."""
    if isinstance(value, bytes):
        return value
    several = isinstance(value, Iterable) and not isinstance(value, str)
    many = value if several else [] if value is None else [value]
    return "\\".join(map(str, many)).encode("utf-8", "replace")


def _whole(element: Element) -> list[bytes]:
    if element.vr not in _BINARY:
        return [] if element.vr in _NUMBERS else element.values
    return _READABLE.findall(element.raw) if len(element.raw) <= BINARY_LIMIT else []


def _identifying(element: Element) -> list[bytes]:
    if element.vr in _BINARY:
        return _whole(element)
    if element.vr == "PN":
        return [part for one in element.values for part in (one, *_PARTS.split(one))]
    if element.vr in ("DA", "DT"):
        return [form for one in element.values for form in _as_people_write(one[:8])]
    return [] if element.vr in _NUMBERS else element.values


def _as_people_write(date: bytes) -> list[bytes]:
    year, month, day = date[:4], date[4:6], date[6:8]
    if not (len(date) == 8 and date.isdigit()):
        return [date]
    forms = ((year, month, day), (day, month, year), (month, day, year))
    return [date, *(mark.join(form) for form in forms for mark in (b"-", b".", b"/", b"_"))]


def _is_worth(value: bytes) -> bool:
    return len(value) >= SHORTEST and value.lower() not in _DUMMY_TEXT
