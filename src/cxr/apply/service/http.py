"""A request, the images in its body or form, the reply to it, and why one is refused."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

JSON = b"application/json"
FORM = "multipart/form-data"
MAX_HEADERS, MAX_HEADER, MAX_NAME = 16, 4096, 255  # of a part of a form
Pairs = tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True)
class Reply:
    """What goes back. `headers` come on top of those that every reply has."""

    body: bytes
    media_type: bytes = JSON
    status: int = 200
    headers: Pairs = ()


def as_json(value: Any, status: int = 200, headers: Pairs = ()) -> Reply:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        body = text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which was sent so and goes back so
        body = json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    return Reply(body, JSON, status, headers)


class RequestRefused(Exception):
    """A request that is not served: its status and, for the client, the reason."""

    def __init__(self, status: int, reason: str, headers: Pairs = ()) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, headers


def try_later(status: HTTPStatus, reason: str, seconds: int) -> RequestRefused:
    return RequestRefused(status, reason, ((b"retry-after", str(seconds).encode()),))


class Request:
    """One ASGI request. What was read and done is noted for the log, in numbers only."""

    __slots__ = (
        "batch",
        "headers",
        "id",
        "images",
        "method",
        "path",
        "receive",
        "received",
        "scope",
    )

    def __init__(self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]]) -> None:
        self.scope, self.receive = scope, receive
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.id = os.urandom(8).hex()
        self.received = 0
        self.images = 0
        self.batch = 0

    def header(self, name: bytes) -> str:
        """A header as text; "" where it is missing."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def media_type(self) -> str:
        return self.header(b"content-type").partition(";")[0].strip().lower()


class UploadMemory:
    """The bytes of all bodies that lie in memory. Only touched in the event loop's thread."""

    def __init__(self, limit: int, retry_after: int) -> None:
        self.limit, self.retry_after = limit, retry_after
        self.used = 0

    def reserve(self, n: int) -> None:
        if self.used + n > self.limit:
            raise try_later(
                HTTPStatus.TOO_MANY_REQUESTS, "too many uploads at once", self.retry_after
            )
        self.used += n

    def release(self, n: int) -> None:
        self.used -= n


async def read_body(request: Request, most: int, seconds: float, memory: UploadMemory) -> bytes:
    """The body, at most `most` bytes and within `seconds`. `memory` is reserved for it as it
    arrives: the caller releases `request.received` bytes in the end."""
    _check_head(request, most)
    try:
        async with asyncio.timeout(seconds):
            return await _read(request, most, memory)
    except TimeoutError as error:
        raise RequestRefused(
            HTTPStatus.REQUEST_TIMEOUT,
            f"not sent within {seconds:g} s",
            ((b"connection", b"close"),),
        ) from error


def _check_head(request: Request, most: int) -> None:
    coding = request.header(b"content-encoding").strip().lower()
    if coding not in ("", "identity"):
        raise RequestRefused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "compressed bodies are not accepted: send it as it is",
        )
    length = request.header(b"content-length")
    if length.isdecimal() and int(length) > most:
        raise _too_large(most)


async def _read(request: Request, most: int, memory: UploadMemory) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise RequestRefused(HTTPStatus.BAD_REQUEST, "the connection ended before the body did")
        chunk = message.get("body", b"")
        if request.received + len(chunk) > most:
            raise _too_large(most)
        memory.reserve(len(chunk))
        request.received += len(chunk)
        chunks.append(chunk)
        if not message.get("more_body"):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(most: int) -> RequestRefused:
    # The rest is not read, so the connection cannot be used again.
    return RequestRefused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"at most {most:,} bytes are accepted",
        ((b"connection", b"close"),),
    )


class Upload(NamedTuple):
    """`name` is only ever given back to whoever sent it."""

    name: str
    data: bytes


def read_form(body: bytes, content_type: str, most: int) -> list[Upload]:
    """The parts named `file`, at most `most`, in order. Other parts are refused: a misspelt name
    must not pass unseen."""
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != FORM.encode() or not boundary:
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "the form has no boundary")
    parts = _FormParts(most)
    try:
        parser = MultipartParser(
            boundary, parts.callbacks(), max_header_count=MAX_HEADERS, max_header_size=MAX_HEADER
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise _damaged_form() from error
    if not parts.complete:
        raise _damaged_form()
    if not parts.uploads:
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "the form has no part named `file`")
    return parts.uploads


def _damaged_form() -> RequestRefused:
    return RequestRefused(HTTPStatus.BAD_REQUEST, "the form is damaged or incomplete")


class _FormParts:
    """Gathers what the parser meets; the callbacks have its signatures."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.uploads: list[Upload] = []
        self.complete = False

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._field,
            "on_header_value": self._value,
            "on_header_end": self._header,
            "on_headers_finished": self._headers,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        self.disposition = b""
        self.field = self.value = b""
        self.data: list[bytes] = []

    def _field(self, data: bytes, start: int, end: int) -> None:
        self.field += data[start:end]

    def _value(self, data: bytes, start: int, end: int) -> None:
        self.value += data[start:end]

    def _header(self) -> None:
        if self.field.lower() == b"content-disposition":
            self.disposition = self.value
        self.field = self.value = b""

    def _headers(self) -> None:
        _, options = parse_options_header(self.disposition)
        if options.get(b"name") != b"file":
            raise RequestRefused(HTTPStatus.BAD_REQUEST, "only parts named `file` are accepted")
        if len(self.uploads) >= self.most:
            raise RequestRefused(
                HTTPStatus.BAD_REQUEST, f"at most {self.most} files are accepted at once"
            )
        self.name = options.get(b"filename", b"").decode("utf-8", "replace")[:MAX_NAME]

    def _data(self, data: bytes, start: int, end: int) -> None:
        self.data.append(data[start:end])

    def _end(self) -> None:
        data = self.data[0] if len(self.data) == 1 else b"".join(self.data)
        self.uploads.append(Upload(self.name, data))

    def _finish(self) -> None:
        self.complete = True
