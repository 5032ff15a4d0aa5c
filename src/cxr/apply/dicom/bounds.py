"""What a sender may make the receiver hold: bounded in bytes, in images and in time.

pynetdicom reads a PDU of whatever length its header states, up to 4 GB, and waits for it without
end; `BoundedConnection`, which reads in its place, does neither. `ImageQueue` holds what was
received until it is predicted.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from threading import Condition
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pynetdicom.events import Event

MAX_PDU = 1 << 20
"""Bytes; announced to senders is less (`PDU_SIZE`), associations of many contexts need some."""

PDU_SIZE = 1 << 17
MAX_OBJECT = 160 * 1024**2
"""Bytes of one image: 61 megapixels of 16 bits, the largest plates, take 122 MB uncompressed."""

PDU_SECONDS = 30.0
MAX_IMAGES, MAX_BYTES = 64, 512 * 1024**2  # of the queue


class BoundedConnection:
    """The socket of one sender."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.received = 0  # bytes of an object that is not yet whole

    def recv(self, size: int) -> bytearray:
        """`size` bytes, or fewer when the sender hangs up. Raises OSError beyond the bounds."""
        self.received += size
        if size > MAX_PDU or self.received > MAX_OBJECT:
            self._abort(f"more than {MAX_OBJECT} bytes or a PDU of more than {MAX_PDU}")
        data, end = bytearray(), time.monotonic() + PDU_SECONDS
        while len(data) < size:
            remaining = end - time.monotonic()
            if remaining <= 0:
                self._abort(f"a PDU took more than {PDU_SECONDS:.0f} s")
            self.connection.settimeout(remaining)
            part = self.connection.recv(min(size - len(data), 1 << 16))
            if not part:
                return data
            data += part
        self.connection.settimeout(None)
        return data

    def _abort(self, reason: str) -> None:
        self.connection.close()
        raise OSError(reason)


def bound_connection(event: Event) -> None:
    """For EVT_CONN_OPEN."""
    socket = event.assoc.dul.socket
    if socket is not None and socket.socket is not None:
        socket.bounded = BoundedConnection(socket.socket)  # type: ignore[attr-defined]
        socket.recv = socket.bounded.recv  # type: ignore[attr-defined,method-assign]


def object_received(event: Event) -> None:
    """For EVT_DIMSE_RECV: the count of its bytes begins anew."""
    bounded = getattr(event.assoc.dul.socket, "bounded", None)
    if bounded is not None:
        bounded.received = 0


def connection_closed(event: Event) -> None:
    """For EVT_CONN_CLOSE, where pynetdicom leaves two things behind.

    The socket, when the sender was the first to go. And the place of a connection that ends before
    it requests anything (a port scan, a check of whether the service lives) until a time limit.
    """
    bounded = getattr(event.assoc.dul.socket, "bounded", None)
    if bounded is not None:
        bounded.connection.close()
    if event.assoc.requestor.primitive is None:
        event.assoc.dul.to_user_queue.put(None)  # read as that the time is up


@dataclass(frozen=True)
class ReceivedImage:
    """`number` counts what was received: it names the image in the log, where no other name is
    safe."""

    number: int
    data: bytes
    ae_title: str
    host: str


class ImageQueue:
    """First in, first out, between the threads that receive and the one that predicts."""

    def __init__(self, max_images: int = MAX_IMAGES, max_bytes: int = MAX_BYTES) -> None:
        self.max_images, self.max_bytes = max_images, max_bytes
        self._images: deque[ReceivedImage] = deque()
        self._bytes, self._open = 0, True
        self._changed = Condition()

    def __len__(self) -> int:
        return len(self._images)

    def offer(self, image: ReceivedImage) -> bool:
        """False when there is no room, or no longer."""
        with self._changed:
            fits = self._bytes + len(image.data) <= self.max_bytes
            if not (self._open and fits and len(self._images) < self.max_images):
                return False
            self._images.append(image)
            self._bytes += len(image.data)
            self._changed.notify()
            return True

    def take(self) -> ReceivedImage | None:
        """The next image, waited for; None when closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._images or not self._open)
            if not self._images:
                return None
            image = self._images.popleft()
            self._bytes -= len(image.data)
            return image

    def close(self, *, discard: bool = False) -> int:
        """Takes no more. Returns how many images were discarded."""
        with self._changed:
            self._open = False
            lost = len(self._images) if discard else 0
            if discard:
                self._images.clear()
                self._bytes = 0
            self._changed.notify_all()
            return lost
