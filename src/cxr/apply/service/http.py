"""A request, the reply to it, and why one is refused."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

JSON = b"application/json"
Pairs = tuple[tuple[bytes, bytes], ...]


class Reply:
    """What goes back. `headers` come on top of those that every reply has."""

    __slots__ = ("body", "headers", "media_type", "status")

    def __init__(
        self, body: bytes, media_type: bytes = JSON, status: int = 200, headers: Pairs = ()
    ) -> None:
        self.body, self.media_type, self.status, self.headers = body, media_type, status, headers


def as_json(value: Any, status: int = 200, headers: Pairs = ()) -> Reply:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        body = text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which was sent so and goes back so
        body = json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    return Reply(body, JSON, status, headers)


class Refusal(Exception):
    """A request that is not served: its status and, in words for the client, the reason."""

    def __init__(self, status: int, reason: str, headers: Pairs = ()) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, headers

    def reply(self) -> Reply:
        return as_json({"detail": self.reason}, self.status, self.headers)


def come_again(status: HTTPStatus, reason: str, seconds: int) -> Refusal:
    return Refusal(status, reason, ((b"retry-after", str(seconds).encode()),))


class Request:
    """One ASGI request. What was read and done is noted for the log, in numbers only."""

    __slots__ = ("batch", "headers", "id", "images", "method", "path", "read", "receive", "scope")

    def __init__(self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]]) -> None:
        self.scope, self.receive = scope, receive
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.id = os.urandom(8).hex()
        self.read = 0
        self.images = 0
        self.batch = 0

    def header(self, name: bytes) -> str:
        """A header as text; "" where it is missing."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def media_type(self) -> str:
        return self.header(b"content-type").partition(";")[0].strip().lower()


class Memory:
    """The bytes of all bodies that lie in memory. Only touched in the event loop's thread."""

    def __init__(self, limit: int, retry_after: int) -> None:
        self.limit, self.retry_after = limit, retry_after
        self.used = 0

    def take(self, n: int) -> None:
        if self.used + n > self.limit:
            raise come_again(
                HTTPStatus.TOO_MANY_REQUESTS, "too many uploads at once", self.retry_after
            )
        self.used += n

    def give_back(self, n: int) -> None:
        self.used -= n


async def read_body(request: Request, most: int, seconds: float, memory: Memory) -> bytes:
    """The body, never more than `most` bytes and within `seconds`. `memory` is taken for it as it
    comes: whoever called gives `request.read` bytes back in the end."""
    _check_head(request, most)
    try:
        async with asyncio.timeout(seconds):
            return await _read(request, most, memory)
    except TimeoutError as error:
        raise Refusal(
            HTTPStatus.REQUEST_TIMEOUT,
            f"not sent within {seconds:g} s",
            ((b"connection", b"close"),),
        ) from error


def _check_head(request: Request, most: int) -> None:
    coding = request.header(b"content-encoding").strip().lower()
    if coding not in ("", "identity"):
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "compressed bodies are not taken: send it as it is"
        )
    length = request.header(b"content-length")
    if length.isdecimal() and int(length) > most:
        raise _too_large(most)


async def _read(request: Request, most: int, memory: Memory) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Refusal(HTTPStatus.BAD_REQUEST, "the connection ended before the body did")
        chunk = message.get("body", b"")
        if request.read + len(chunk) > most:
            raise _too_large(most)
        memory.take(len(chunk))
        request.read += len(chunk)
        chunks.append(chunk)
        if not message.get("more_body"):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(most: int) -> Refusal:
    # The rest is not read, so the connection cannot go on.
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"at most {most:,} bytes are taken",
        ((b"connection", b"close"),),
    )
