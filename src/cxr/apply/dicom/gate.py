"""What a sender may make a receiver hold: bounded before it is read, in bytes and in time.

pynetdicom reads a PDU of whatever length its header states, up to 4 GB, and waits for it without
end. The reader of each connection is replaced by one that does neither.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pynetdicom.events import Event

MAX_PDU = 1 << 20
"""Bytes; announced to senders is less (`PDU_SIZE`), associations of many contexts need some."""

PDU_SIZE = 1 << 17
MAX_OBJECT = 160 * 1024**2
"""Bytes of one image: 61 megapixels of 16 bits, the largest plates, take 122 MB uncompressed."""

PDU_SECONDS = 30.0


class Gate:
    """Stands before one connection."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.held = 0  # bytes of an object that is not yet whole

    def recv(self, size: int) -> bytearray:
        """`size` bytes, or fewer when the sender hangs up. Raises OSError beyond the bounds."""
        self.held += size
        if size > MAX_PDU or self.held > MAX_OBJECT:
            self._refuse(f"more than {MAX_OBJECT} bytes or a PDU of more than {MAX_PDU}")
        data, end = bytearray(), time.monotonic() + PDU_SECONDS
        while len(data) < size:
            left = end - time.monotonic()
            if left <= 0:
                self._refuse(f"a PDU took more than {PDU_SECONDS:.0f} s")
            self.connection.settimeout(left)
            part = self.connection.recv(min(size - len(data), 1 << 16))
            if not part:
                return data
            data += part
        self.connection.settimeout(None)
        return data

    def _refuse(self, reason: str) -> None:
        self.connection.close()
        raise OSError(reason)


def guard(event: Event) -> None:
    """For EVT_CONN_OPEN: puts a gate before the new connection."""
    socket = event.assoc.dul.socket
    if socket is not None and socket.socket is not None:
        socket.gate = Gate(socket.socket)  # type: ignore[attr-defined]
        socket.recv = socket.gate.recv  # type: ignore[attr-defined,method-assign]


def object_is_whole(event: Event) -> None:
    """For EVT_DIMSE_RECV: the count begins anew."""
    gate = getattr(event.assoc.dul.socket, "gate", None)
    if gate is not None:
        gate.held = 0


def sender_is_gone(event: Event) -> None:
    """For EVT_CONN_CLOSE, where pynetdicom leaves two things behind.

    The socket, when the sender was the first to go. And the place of a connection that ends before
    it asks for anything (a port scan, a check of whether the service lives) until a time limit.
    """
    gate = getattr(event.assoc.dul.socket, "gate", None)
    if gate is not None:
        gate.connection.close()
    if event.assoc.requestor.primitive is None:
        event.assoc.dul.to_user_queue.put(None)  # read as that the time is up
