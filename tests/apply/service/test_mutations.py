"""Damaged uploads: each is answered or refused, none is our failure, and nothing is kept."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

from cxr.apply.service import Service

UPLOADS = 300


def damaged(rng: random.Random, data: bytes, other: bytes) -> bytes:
    kind = rng.randrange(3)
    if kind == 0:
        return data[: rng.randrange(len(data))]
    if kind == 1:
        return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]
    found = bytearray(data)
    reach = rng.choice((len(data), min(600, len(data))))
    for _ in range(rng.choice((1, 8, 64))):
        found[rng.randrange(reach)] = rng.randrange(256)
    return bytes(found)


def test_no_upload_is_our_failure(ask: Any, app: Service, films: list[Path], form: Any) -> None:
    rng = random.Random(11)
    sources = [film.read_bytes() for film in films]
    statuses: Counter[int] = Counter()
    for n in range(UPLOADS):
        body = damaged(rng, rng.choice(sources), rng.choice(sources))
        path, headers = rng.choice(["/predict"] * 4 + ["/image"]), {}
        if n % 3 == 0:
            body, kind = form(("a", body), ("b", b"x"))
            body, headers = damaged(rng, body, body), {"content_type": kind}
        found = ask.post(path, body, **headers)
        assert found.status in (200, 400, 422), (found.status, found.body[:200])
        assert found.status == 200 or found.json["detail"]
        statuses[found.status] += 1
    assert min(statuses[200], statuses[400], statuses[422]) > 5, statuses
    assert app.memory.used == app.desk.pending == app.desk.asides == 0
