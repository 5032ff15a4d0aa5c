"""Names and addresses of other applications, and results sent to them."""

from __future__ import annotations

import pydicom
import pytest
from pynetdicom.sop_class import ComputedRadiographyImageStorage

from cxr.apply.dicom import Peer, peer
from cxr.errors import StorageError, UsageError


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("PACS@10.0.0.5:104", Peer("PACS", "10.0.0.5", 104)),
        ("PACS@[::1]:104", Peer("PACS", "::1", 104)),
        ("sender:4242", Peer("", "", 4242)),
    ],
)
def test_peers(words, found):
    assert Peer.parse(words) == found
    assert Peer.parse("sender:7").answering("A", "b") == Peer("A", "b", 7)


@pytest.mark.parametrize(
    "words", ["PACS", "PACS@host", "host:104", "A@sender:1", "A@h:0", "A@h:70000", "@h:1"]
)
def test_no_peers(words):
    with pytest.raises(UsageError, match="is no DICOM peer"):
        Peer.parse(words)


def test_a_peer_that_refuses_is_not_asked_again(listening, monkeypatch):
    monkeypatch.setattr(peer, "WAITS", (30.0,))
    port = listening(allow=("OTHER",)).port
    image = pydicom.Dataset()
    image.SOPClassUID = pydicom.uid.UID(ComputedRadiographyImageStorage)
    with pytest.raises(StorageError, match="does it know the AE title CXR"):
        peer.send(Peer("CXR", "127.0.0.1", port), [image], "CXR")
