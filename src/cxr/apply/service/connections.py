"""uvicorn's HTTP protocol with bounds that it lacks: on heads that never end or never arrive, on
replies that nobody reads, and on the number of connections."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .limits import Limits

REFUSED = (
    b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    b"%sconnection: close\r\n\r\n%s"
)


class BoundedProtocol(HttpToolsProtocol):
    limits: Limits
    _timer: asyncio.TimerHandle | None = None  # runs while a head is awaited
    _in_head = False
    _head_bytes = 0
    _chunk = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        if len(self.connections) > self.limits.connections:
            again = b"retry-after: %d\r\n" % self.limits.retry_after
            self._refuse(b"429 Too Many Requests", b"too many connections", again)
        else:
            self._await_head(self.limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_complete()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._chunk = len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.limits.head:
                self._refuse(b"431 Request Header Fields Too Large", b"the head is too large")
        elif self._timer is None and self._idle():
            self._await_head(self.limits.body_seconds)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        # What came with a later one may have been the body before it.
        self._head_bytes = 0 if self.cycle is None else -self._chunk
        if self._timer is None:
            self._await_head(self.limits.head_seconds)

    def on_headers_complete(self) -> None:
        self._head_complete()
        super().on_headers_complete()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        # Closing waits until the reply is read, which may never happen.
        self.loop.call_later(self.limits.body_seconds, self.transport.abort)

    def _idle(self) -> bool:
        """Bytes arrive, but neither is a reply being made nor does uvicorn's timer run: the
        rest of a body that was refused, or empty lines."""
        answered = self.cycle is None or self.cycle.response_complete
        return answered and self.timeout_keep_alive_task is None

    def _await_head(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._head_overdue)

    def _head_complete(self) -> None:
        self._in_head = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _head_overdue(self) -> None:
        self._refuse(b"408 Request Timeout", b"no request within the time for one")

    def _refuse(self, status: bytes, reason: bytes, header: bytes = b"") -> None:
        body = b'{"detail":"%s"}' % reason
        self._head_complete()
        if not self.transport.is_closing():
            self.transport.write(REFUSED % (status, len(body), header, body))
            self.transport.close()
            self.loop.call_later(self.limits.head_seconds, self.transport.abort)


def bounded_protocol(limits: Limits) -> type[BoundedProtocol]:
    """The protocol class for `uvicorn.Config(http=...)`."""
    return type("BoundedProtocol", (BoundedProtocol,), {"limits": limits})
