"""The Basic Profile of PS3.15 on one data set in memory, header and pixels."""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..methods.text_detection import Box
from ..private.profile import EDITION, Action, action_for, vr_of
from ..private.values import is_registered, is_word, pattern_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

METHOD = f"DICOM PS3.15 Basic Profile, table of {EDITION}, keyed pseudonyms"
BLANKED = "text found in the pixels blanked"
PROFILE_CODE = ("113100", "DCM", "Basic Application Confidentiality Profile")
BESIDE, ABOVE = 2.0, 0.5  # heights of a line around it: single letters and dots belong to it
_ID = ("PatientID", "IssuerOfPatientID")


class Pseudonyms:
    """HMAC-SHA-256 under `key`: the same original, the same pseudonym, in every run."""

    def __init__(self, key: bytes) -> None:
        self.key = key

    def patient(self, identifier: str, issuer: str = "") -> str:
        """As `cxr.find` names the patient of the original file in a manifest."""
        from ...find.secret import pseudonym

        return pseudonym(self.key, issuer, identifier)

    def uid(self, original: str) -> str:
        """Under 2.25, the root for UUIDs (PS3.5, annex B.2)."""
        digest = hmac.new(self.key, b"uid\0" + original.encode(), hashlib.sha256).digest()
        return f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"


def apply_profile(
    dataset: Dataset, pseudonyms: Pseudonyms, values: frozenset[bytes] = frozenset()
) -> None:
    """Removes, empties and replaces in place, nested items too.

    An attribute that the profile keeps, but in whose text any of the private `values` of the same
    file stands ("SMITH, see the image of 1 May"), is emptied besides.
    """
    identifier, issuer = (str(dataset.get(keyword) or "").strip() for keyword in _ID)
    _treat_all(dataset, pseudonyms)
    if pattern := pattern_of(values):
        _empty_words(dataset, pattern)
    dataset.PatientID = pseudonyms.patient(identifier, issuer) if identifier else ""


def mark(dataset: Dataset, *, blanked: bool) -> None:
    """States in the header what was done (PS3.15, E.1.1 and E.3)."""
    from pydicom.dataset import Dataset as Item

    code = Item()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = PROFILE_CODE
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = [METHOD, BLANKED] if blanked else METHOD
    dataset.DeidentificationMethodCodeSequence = [code]
    dataset.LongitudinalTemporalInformationModified = "REMOVED"
    if blanked:
        dataset.BurnedInAnnotation = "NO"


def own_words() -> tuple[bytes, ...]:
    """What `mark` writes: nothing private is in it."""
    return tuple(word.encode() for word in (METHOD, BLANKED, *PROFILE_CODE))


def _treat_all(dataset: Dataset, pseudonyms: Pseudonyms) -> None:
    for tag in list(dataset.keys()):
        vr = vr_of(tag, dataset.get_item(tag).VR)
        action = action_for(tag)
        if action == "remove" or (vr == "SQ" and action in ("empty", "dummy")):
            _drop(dataset, tag, action)
        elif vr == "SQ":
            for item in dataset[tag].value or ():
                _treat_all(item, pseudonyms)
        elif vr == "UI":
            _replace_uids(dataset, tag, pseudonyms)
        elif action == "empty":
            dataset[tag].clear()
        elif action == "dummy":
            _replace(dataset, tag)


def _drop(dataset: Dataset, tag: BaseTag, action: Action) -> None:
    """A sequence to be emptied stays without items; one to be replaced goes.

    Where the profile wants a dummy for a sequence, it is of objects other than images.
    """
    if action == "empty":
        dataset[tag].value = []
    else:
        del dataset[tag]


def _replace_uids(dataset: Dataset, tag: BaseTag, pseudonyms: Pseudonyms) -> None:
    """All but those that the standard itself has given, such as the kind of object."""
    element = dataset[tag]
    value = element.value
    if not value:
        return
    many = [value] if isinstance(value, str) else list(value)
    new = [uid if is_registered(uid.encode()) else pseudonyms.uid(uid) for uid in map(str, many)]
    element.value = new[0] if len(new) == 1 else new


def _replace(dataset: Dataset, tag: BaseTag) -> None:
    """By a dummy that fits its representation; where there is none, it goes."""
    from dicomanonymizer.simpledicomanonymizer import replace_element

    if not dataset.get_item(tag).value:
        return
    try:
        replace_element(dataset[tag])
    except NotImplementedError:
        del dataset[tag]


def _empty_words(dataset: Dataset, pattern: re.Pattern[bytes]) -> None:
    for tag in list(dataset.keys()):
        if vr_of(tag, dataset.get_item(tag).VR) == "SQ":
            for item in dataset[tag].value or ():
                _empty_words(item, pattern)
        elif is_word(dataset, tag, pattern):
            dataset[tag].clear()


def blank(dataset: Dataset, regions: Sequence[Box]) -> None:
    """Paints over `regions`, in place, with the median of what is around each.

    The image is then stored without compression, in Explicit VR Little Endian.
    """
    from pydicom.pixels import pixel_array, set_pixel_data

    pixels = pixel_array(dataset).copy()
    for region in regions:
        paint_over(pixels, region)
    photometric = "RGB" if pixels.ndim == 3 else dataset.PhotometricInterpretation
    bits = dataset.BitsStored
    set_pixel_data(dataset, pixels, photometric, bits, generate_instance_uid=False)


def paint_over(pixels: np.ndarray, region: Box) -> None:
    """(H, W) or (H, W, channels), in place."""
    beside, above = round(BESIDE * region.height), round(ABOVE * region.height) + 1
    top, left = max(region.top - above, 0), max(region.left - beside, 0)
    bottom, right = region.bottom + above, region.right + beside
    rim = max(region.height // 4, 2)
    outer = pixels[max(top - rim, 0) : bottom + rim, max(left - rim, 0) : right + rim]
    mask = np.ones(outer.shape[:2], dtype=bool)
    inner_top, inner_left = min(top, rim), min(left, rim)
    mask[inner_top : inner_top + bottom - top, inner_left : inner_left + right - left] = False
    around = outer[mask] if mask.any() else outer.reshape(-1, *outer.shape[2:])
    pixels[top:bottom, left:right] = np.median(around, axis=0).astype(pixels.dtype)
