from __future__ import annotations

from cxr.check.private.profile import action_for, kind_of


def test_the_profile_is_that_of_the_standard() -> None:
    """Read off PS3.15 table E.1-1 by hand."""
    from pydicom.tag import Tag

    actions = {
        "PatientName": "empty",
        "PatientAge": "remove",
        "StudyInstanceUID": "uid",
        "AccessionNumber": "empty",
        "InstitutionAddress": "remove",
        "VerifyingObserverName": "dummy",
        "Modality": "keep",
        "Rows": "keep",
        "OverlayData": "remove",
    }
    tags = {word: Tag(0x60003000) if word == "OverlayData" else Tag(word) for word in actions}
    assert {word: action_for(tag) for word, tag in tags.items()} == actions
    assert action_for(Tag(0x00291001)) == "remove" and action_for(Tag(0x00080FFE)) == "remove"
    assert kind_of(Tag(0x00291001), "LO") == "private-tags"
