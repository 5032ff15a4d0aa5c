"""One request at a time over a socket that does not block, and no more HTTP than that needs."""

from __future__ import annotations

import re
import socket

from _watch import HOST

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
CLOSING = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


class Connection:
    """`begin` a request, `send` until nothing is left, `receive` until it says so."""

    __slots__ = ("answer", "due", "fresh", "left", "request", "socket", "wanted")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=5)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answer = bytearray()
        self.request: bytes | None = None  # the one that is under way
        self.left = memoryview(b"")  # what of it is still to be sent
        self.due = 0.0
        self.wanted = -1  # length of the whole answer, -1: not known yet
        self.fresh = True  # nothing was answered over it so far

    def begin(self, request: bytes, due: float) -> None:
        self.request, self.due, self.wanted = request, due, -1
        self.answer.clear()
        self.left = memoryview(request)

    def send(self) -> None:
        """As much as goes now. Raises OSError when the server does not listen any more."""
        while self.left:
            try:
                self.left = self.left[self.socket.send(self.left) :]
            except BlockingIOError:
                return

    def receive(self) -> bool:
        """Whether the answer is complete. Raises ConnectionError when it ends before that."""
        try:
            data = self.socket.recv(1 << 16)
        except BlockingIOError:
            return False
        if not data:
            raise ConnectionResetError("closed by the server")
        self.answer += data
        if self.wanted < 0:
            self._look_at_head()
        if self.wanted == 0:
            return self.answer.endswith(b"\r\n0\r\n\r\n")
        return 0 < self.wanted <= len(self.answer)

    def _look_at_head(self) -> None:
        end = self.answer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self.answer[: end + 2])
        length = LENGTH.search(head)
        if length:
            self.wanted = end + 4 + int(length[1])
        elif CHUNKED.search(head):
            self.wanted = 0
        else:
            raise ConnectionError("an answer without a length")

    @property
    def status(self) -> int:
        return int(self.answer[9:12])

    @property
    def body(self) -> bytes:
        return bytes(self.answer).partition(b"\r\n\r\n")[2]

    @property
    def ends(self) -> bool:
        head, _, _ = bytes(self.answer).partition(b"\r\n\r\n")
        return bool(CLOSING.search(head)) or bool(self.left)
