"""Another DICOM application: where it is, and results sent to it by C-STORE."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..._io.extras import needed_for
from ...errors import StorageError, UsageError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SENDER = "sender"
CONNECT_SECONDS, ANSWER_SECONDS = 10, 30
WAITS = (1.0, 4.0)  # seconds before the second and the third try; there is no fourth


@dataclass(frozen=True)
class Peer:
    """An empty `ae_title` and `host` stand for whoever sent the image."""

    ae_title: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Peer:
        """`PACS@10.0.0.5:104`, or `sender:104`. Raises UsageError for anything else."""
        match = re.fullmatch(r"(?:(?P<title>[^@]+)@)?(?P<host>[^@]+):(?P<port>\d{1,5})", text)
        title, host = (match["title"] or "", match["host"]) if match else ("", "")
        if match is None or bool(title) == (host == SENDER) or not 0 < int(match["port"]) < 65536:
            raise UsageError(
                f"{text!r} is no DICOM peer; write AE@HOST:PORT, as in PACS@10.0.0.5:104, or "
                f"{SENDER}:PORT for whoever sent the image"
            )
        if host == SENDER:
            return cls("", "", int(match["port"]))
        return cls(check_ae_title(title), host.strip("[]"), int(match["port"]))

    def answering(self, ae_title: str, host: str) -> Peer:
        """This peer, or the sender at this port."""
        return self if self.host else Peer(ae_title, host, self.port)

    def __str__(self) -> str:
        return f"{self.ae_title}@{self.host}:{self.port}"


def check_ae_title(title: str) -> str:
    """Raises UsageError unless it is 1 to 16 printable ASCII characters (PS3.5 6.2, AE)."""
    if not (title.strip() and title.isascii() and title.isprintable() and "\\" not in title):
        raise UsageError(f"{title!r} is no AE title; give 1 to 16 letters, digits or _")
    if len(title) > 16:
        raise UsageError(f"AE title {title!r} has {len(title)} characters; at most 16 are allowed")
    return title.strip()


def send(peer: Peer, instances: Sequence[Dataset], ae_title: str) -> None:
    """C-STORE of all `instances`, tried again twice where the peer may recover.

    Raises StorageError, which says how far it came, when they are not all stored.
    """
    reason = ""
    for wait in (0.0, *WAITS):
        time.sleep(wait)
        reason, again = _attempt(peer, instances, ae_title)
        if not reason:
            return
        if not again:
            break
    raise StorageError(f"{peer}: {reason}; the results are not all stored there")


def _attempt(peer: Peer, instances: Sequence[Dataset], ae_title: str) -> tuple[str, bool]:
    """(what went wrong, or nothing; whether another try may help)."""
    association = _associate(peer, instances, ae_title)
    if association.is_rejected:
        return f"the association is refused; does it know the AE title {ae_title}?", False
    if not association.is_established:
        return "no DICOM application answers there", True
    try:
        for instance in instances:
            try:
                status = association.send_c_store(instance)
            except ValueError:
                return f"{instance.SOPClassUID.name} is not accepted there", False
            except RuntimeError:  # the association was lost
                return "the connection broke", True
            code = status.get("Status")
            if code is None:
                return "no answer, or the connection broke", True
            if code != 0 and code >> 12 != 0xB:  # Bxxx: stored, with a warning
                return f"refused with status {code:04X}h", code >> 8 == 0xA7  # out of resources
    finally:
        if association.is_established:
            association.release()
    return "", False


def _associate(peer: Peer, instances: Sequence[Dataset], ae_title: str):  # type: ignore[no-untyped-def]
    with needed_for("sending DICOM results"):
        from pynetdicom import AE
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

    entity = AE(ae_title)
    entity.connection_timeout = CONNECT_SECONDS
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = ANSWER_SECONDS
    for sop_class in {instance.SOPClassUID for instance in instances}:
        entity.add_requested_context(sop_class, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    return entity.associate(peer.host, peer.port, ae_title=peer.ae_title)
