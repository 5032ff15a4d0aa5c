"""Bodies: how much, how fast, in what form."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cxr.apply.predictor import Predictor
from cxr.apply.service import Limits, make_app
from cxr.apply.service.http import Memory, Refusal, Request, read_body


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
    memory = Memory(10, 7)
    first, second = a_request(part(b"123456", False)), a_request(part(b"12"), part(b"345"))
    assert asyncio.run(read_body(first, 100, 1, memory)) == b"123456"
    with pytest.raises(Refusal) as caught:
        asyncio.run(read_body(second, 100, 1, memory))
    assert caught.value.status == 429 and caught.value.headers == ((b"retry-after", b"7"),)
    assert memory.used == first.read + second.read == 8
    memory.give_back(first.read)
    third = a_request(part(b"12345"), part(b"678", False))
    assert asyncio.run(read_body(third, 100, 1, memory)) == b"12345678"


def test_too_slow_is_refused() -> None:
    with pytest.raises(Refusal, match="not sent within") as caught:
        asyncio.run(read_body(a_request(part(b"1")), 100, 0.02, Memory(10, 1)))
    assert caught.value.status == 408


def test_a_body_that_ends_early() -> None:
    request = a_request(part(b"1"), {"type": "http.disconnect"})
    with pytest.raises(Refusal, match="ended") as caught:
        asyncio.run(read_body(request, 100, 1, Memory(10, 1)))
    assert caught.value.status == 400
