"""The images in a request: its whole body, or the parts named `file` of a form."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from .http import Refusal

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FORM = "multipart/form-data"
MAX_HEADERS, MAX_HEADER, MAX_NAME = 16, 4096, 255


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
        raise Refusal(HTTPStatus.BAD_REQUEST, "the form has no boundary")
    reader = _Parts(most)
    try:
        parser = MultipartParser(
            boundary, reader.callbacks(), max_header_count=MAX_HEADERS, max_header_size=MAX_HEADER
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise _broken() from error
    if not reader.ended:
        raise _broken()
    if not reader.uploads:
        raise Refusal(HTTPStatus.BAD_REQUEST, "the form has no part named `file`")
    return reader.uploads


def _broken() -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, "the form is damaged or incomplete")


class _Parts:
    """Gathers what the parser finds."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.uploads: list[Upload] = []
        self.ended = False

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._field,
            "on_header_value": self._value,
            "on_header_end": self._header,
            "on_headers_finished": self._headers,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._all,
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
            raise Refusal(HTTPStatus.BAD_REQUEST, "only parts named `file` are taken")
        if len(self.uploads) >= self.most:
            raise Refusal(HTTPStatus.BAD_REQUEST, f"at most {self.most} files are taken at once")
        self.name = options.get(b"filename", b"").decode("utf-8", "replace")[:MAX_NAME]

    def _data(self, data: bytes, start: int, end: int) -> None:
        self.data.append(data[start:end])

    def _end(self) -> None:
        data = self.data[0] if len(self.data) == 1 else b"".join(self.data)
        self.uploads.append(Upload(self.name, data))

    def _all(self) -> None:
        self.ended = True
