"""The proof that a de-identified copy holds nothing of its original: it is read again as bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import DataError
from ..private.profile import action_for
from ..private.values import PIXELS, Element, elements, is_strong, pattern_of
from .apply import own_words

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_PATIENT_ID = 0x00100020
_IMPLEMENTATION = 0x00020012  # pydicom's own UID
_UID_ROOT = b"2.25."


def prove(copy: Path, values: frozenset[bytes], pixels: str | None) -> None:
    """Raises DataError, with the attribute but never the value, unless all of this holds:

    - no attribute is left that the profile removes, nothing in those that it empties;
    - every UID that is not the standard's own is a pseudonym;
    - none of `values` is in the text of any attribute, and none that is longer than a few letters
      anywhere in the bytes before the pixels;
    - the pixels have the digest `pixels` (see `pixel_digest`), where it is given.
    """
    import pydicom

    with copy.open("rb") as file:
        dataset = pydicom.dcmread(file)
        if pixels is not None and pixel_digest(dataset) != pixels:
            raise DataError("the proof failed: the pixels have changed")
        header = _header(copy)
    attributes = [*elements(dataset), *elements(dataset.file_meta)]
    for element in attributes:
        _check_action(element)
    _check_words(attributes, values)
    _check_bytes(header, attributes, values)


def pixel_digest(dataset: Dataset) -> str:
    """SHA-256 of the pixel data as they are stored."""
    digest = hashlib.sha256()
    for tag in PIXELS:
        if tag in dataset:
            digest.update(dataset.get_item(tag).value or b"")
    return digest.hexdigest()


def _header(copy: Path) -> bytes:
    """All bytes before the pixel data, which no attribute may follow (see `_check_action`)."""
    import pydicom

    with copy.open("rb") as file:
        pydicom.dcmread(file, stop_before_pixels=True)
        end = file.tell()
        file.seek(0)
        return file.read(end)


def _check_action(element: Element) -> None:
    action = action_for(element.tag)
    if action == "remove" or (element.tag > max(PIXELS)):
        raise DataError(f"the proof failed: {element.keyword} is still there")
    if action == "empty" and element.values:
        raise DataError(f"the proof failed: {element.keyword} is not empty")
    if element.vr == "UI" and not element.kept and element.tag != _IMPLEMENTATION:
        originals = [uid for uid in element.values if not uid.startswith(_UID_ROOT)]
        if originals:
            raise DataError(f"the proof failed: {element.keyword} is an original UID")


def _check_words(attributes: list[Element], values: frozenset[bytes]) -> None:
    pattern = pattern_of(values)
    if pattern is None:
        return
    for element in attributes:
        text = _without_own(element.raw) if element.is_words else b""
        if element.tag != _PATIENT_ID and pattern.search(text):
            raise DataError(f"the proof failed: a private value is left in {element.keyword}")


def _check_bytes(header: bytes, attributes: list[Element], values: frozenset[bytes]) -> None:
    pattern = pattern_of([value for value in values if is_strong(value)])
    if pattern is None:
        return
    for element in attributes:  # pseudonyms are random: a number in one of them is an accident
        if element.tag == _PATIENT_ID or (element.vr == "UI" and not element.kept):
            header = header.replace(element.raw, b"\n") if element.raw else header
    if pattern.search(_without_own(header)):
        raise DataError("the proof failed: a private value is left in the header's bytes")


def _without_own(text: bytes) -> bytes:
    for word in own_words():
        text = text.replace(word, b"\n")
    return text
