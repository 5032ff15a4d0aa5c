"""Bodies: how much, how fast; and forms from friend and foe."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from cxr.apply.predictor import Predictor
from cxr.apply.service import Limits, make_app
from cxr.apply.service.http import (
    Request,
    RequestRefused,
    Upload,
    UploadMemory,
    read_body,
    read_form,
)

Form = Callable[..., tuple[bytes, str]]


def test_too_large_is_refused_declared_or_not(predictor: Predictor, asking: Any) -> None:
    with asking(make_app(predictor, limits=Limits(body=1000))) as ask:
        declared = ask.post("/predict", b"", content_length="1001")
        streamed = ask.post("/predict", [b"x" * 100] * 11)
        within = ask.post("/predict", [b"x" * 100] * 10)
    assert declared.status == streamed.status == 413
    assert "1,000 bytes" in declared.json["detail"]
    assert within.status == 422


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip"])
def test_compressed_bodies_are_not_unpacked(ask: Any, coding: str) -> None:
    assert ask.post("/predict", b"x", content_encoding=coding).status == 415
    assert ask.post("/predict", b"x", content_encoding="identity").status == 422


def a_request(*messages: Any) -> Request:
    left = list(messages)

    async def receive() -> Any:
        if not left:
            await asyncio.sleep(60)
        return left.pop(0)

    return Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)


def part(body: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_all_bodies_together_are_bounded() -> None:
    memory = UploadMemory(10, 7)
    first, second = a_request(part(b"123456", False)), a_request(part(b"12"), part(b"345"))
    assert asyncio.run(read_body(first, 100, 1, memory)) == b"123456"
    with pytest.raises(RequestRefused) as caught:
        asyncio.run(read_body(second, 100, 1, memory))
    assert caught.value.status == 429 and caught.value.headers == ((b"retry-after", b"7"),)
    assert memory.used == first.received + second.received == 8
    memory.release(first.received)
    third = a_request(part(b"12345"), part(b"678", False))
    assert asyncio.run(read_body(third, 100, 1, memory)) == b"12345678"


def test_too_slow_is_refused() -> None:
    with pytest.raises(RequestRefused, match="not sent within") as caught:
        asyncio.run(read_body(a_request(part(b"1")), 100, 0.02, UploadMemory(10, 1)))
    assert caught.value.status == 408


def test_a_body_that_ends_early() -> None:
    request = a_request(part(b"1"), {"type": "http.disconnect"})
    with pytest.raises(RequestRefused, match="ended") as caught:
        asyncio.run(read_body(request, 100, 1, UploadMemory(10, 1)))
    assert caught.value.status == 400


def test_parts_come_whole_and_in_order(form: Form) -> None:
    binary = bytes(range(256)) * 300 + b"\r\n--line-between-part\r\n--"
    body, kind = form(("a", binary), ("ü.dcm", b""), ("", b"\r\n"))
    assert read_form(body, kind, 3) == [
        Upload("a", binary),
        Upload("ü.dcm", b""),
        Upload("", b"\r\n"),
    ]
    assert read_form(body, kind.replace("boundary=", 'charset=x; boundary="') + '"', 3)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "multipart/form-data", 400),
        (b"", "multipart/form-data; boundary=", 400),
        (b"", "multipart/form-data; boundary=x", 400),
        (b"nothing", "multipart/form-data; boundary=x", 400),
        (b"--x--\r\n", "multipart/form-data; boundary=x", 400),
        (b"--x\r\n\r\ndata\r\n--x--\r\n", "multipart/form-data; boundary=x", 400),
        (b"--x\r\n", "multipart/form-data; boundary=" + "x" * 5000, 400),
    ],
)
def test_what_is_no_form(body: bytes, kind: str, status: int) -> None:
    with pytest.raises(RequestRefused) as caught:
        read_form(body, kind, 3)
    assert caught.value.status == status


def test_a_cut_form_is_refused(form: Form) -> None:
    body, kind = form(("a", b"12345"))
    for end in range(len(body) - 4):
        with pytest.raises(RequestRefused):
            read_form(body[:end], kind, 3)


def test_heads_are_bounded() -> None:
    line = b'Content-Disposition: form-data; name="file"\r\n'
    for head in (line + b"X: 1\r\n" * 50, line + b"X: " + b"1" * 10_000 + b"\r\n"):
        with pytest.raises(RequestRefused) as caught:
            read_form(
                b"--x\r\n" + head + b"\r\n1\r\n--x--\r\n", "multipart/form-data; boundary=x", 3
            )
        assert caught.value.status == 400


def test_damaged_forms_are_read_or_refused(form: Form) -> None:
    body, kind = form(("a.png", b"12345" * 20), ("b", b"\r\n--"))
    rng = random.Random(5)
    read = 0
    for _ in range(500):
        found = bytearray(body)
        for _ in range(rng.choice((1, 3, 20))):
            found[rng.randrange(len(found))] = rng.randrange(256)
        with suppress(RequestRefused):
            read += len(read_form(bytes(found), kind, 3)) > 0
    assert 0 < read < 500
