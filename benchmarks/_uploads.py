"""Uploads that no server should have to see: damaged images, bombs, broken forms and HTTP.

Each kind is a function of a `Seeds`; a seeded generator draws from it, so that one seed gives one
sequence of uploads. Names that an upload carries hold CANARY, which must appear in no log.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from _bombs import BOMBS, CANARY
from _load import BOUNDARY
from _watch import HOST
from fuzz import DAMAGE, Sources

PATHS = ("/predict",) * 16 + ("/image",) * 3 + ("/explain",)


@dataclass(frozen=True)
class Upload:
    """`sent` in pieces. `owed`: it is a whole request, so that an answer must come; what breaks
    HTTP itself may also be met with a closed connection. `half`: it ends its side afterwards."""

    kind: str
    sent: tuple[bytes, ...]
    owed: bool = True
    half: bool = False
    pause: float = 0.0  # seconds between pieces


@dataclass(frozen=True)
class Seeds:
    rng: random.Random
    whole: Sources
    model: str  # its name in /v2/models/NAME/infer
    size: int  # its images are size x size

    def image(self, kind: str = "") -> bytes:
        rng = self.rng
        return rng.choice(self.whole[kind or rng.choice([*self.whole])])

    def path(self) -> str:
        return self.rng.choice(PATHS)


def request(path: str, body: bytes, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode("latin-1") + body


def form(parts: Sequence[bytes], boundary: str = BOUNDARY, end: bytes = b"--\r\n") -> bytes:
    mark = f"--{boundary}".encode("latin-1")
    return b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + end


def part(data: bytes, name: str = "file", filename: str = f"{CANARY}.jpeg") -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\n\r\n'
    return head.encode("utf-8", "surrogateescape") + data


def post_form(path: str, body: bytes, boundary: str = BOUNDARY) -> bytes:
    return request(path, body, f"Content-Type: multipart/form-data; boundary={boundary}")


def either(seeds: Seeds, kind: str, image: bytes) -> Upload:
    """As the body or as a form."""
    path = seeds.path()
    if seeds.rng.random() < 0.5:
        return Upload(kind, (request(path, image, "Content-Type: application/octet-stream"),))
    return Upload(kind, (post_form(path, form([part(image)])),))


def damaged(seeds: Seeds) -> Upload:
    rng = seeds.rng
    kind, damage = rng.choice([*seeds.whole]), rng.choice([*DAMAGE])
    other = seeds.image() if rng.random() < 0.3 else seeds.image(kind)
    return either(seeds, f"{damage}{kind}", DAMAGE[damage](rng, seeds.image(kind), other))


def bomb(seeds: Seeds) -> Upload:
    name, make = seeds.rng.choice(BOMBS)
    return either(seeds, f"bomb: {name}", make(seeds.rng, seeds.image(".jpeg")))


def broken_form(seeds: Seeds) -> Upload:
    rng, radiograph, path = seeds.rng, seeds.image(".jpeg"), seeds.path()
    good = form([part(radiograph)])
    odd = rng.choice(("../../etc/passwd", "a\0b", "\r\nX: y", 'q"uote', "é" * 300, "x" * 100_000))
    bodies = {
        "no end": good[: rng.randrange(len(good))],
        "not closed": form([part(radiograph)], end=b"\r\n"),
        "no parts": form([]),
        "parts without head": form([radiograph, b"", b"\r\n"]),
        "another name": form([part(radiograph, name="image")]),
        "a thousand parts": form([part(radiograph[:50])] * 1000),
        "many images": form([part(radiograph)] * rng.choice((2, 5, 33))),
        "odd file name": form([part(radiograph, filename=odd)]),
        "long head": form([b"X: " + b"y" * 100_000 + b"\r\n" + part(radiograph)]),
        "many heads": form([b"X: y\r\n" * 1000 + part(radiograph)]),
        "encoded": form([b"Content-Transfer-Encoding: base64\r\n" + part(radiograph)]),
        "form in a form": form([part(form([part(radiograph)]))]),
        "preamble": rng.randbytes(100_000) + good,
        "flipped": DAMAGE["flipped"](rng, good[:300], good) + good[300:],
    }
    boundaries = ("", "x" * 300, '"', "a b", "\x80", BOUNDARY + "x", "=?utf-8?q?x?=")
    kind = rng.choice([*bodies, "boundary", "boundary"])
    if kind == "boundary":
        return Upload(f"form: {kind}", (post_form(path, good, rng.choice(boundaries)),))
    return Upload(f"form: {kind}", (post_form(path, bodies[kind]),))


def wrong_type(seeds: Seeds) -> Upload:
    kind = seeds.rng.choice(
        (
            "Content-Type: application/json",
            "Content-Type: multipart/mixed; boundary=x",
            "Content-Type: application/x-www-form-urlencoded",
            "Content-Type: multipart/form-data",
            "Content-Type: image/jpeg; charset=\x80",
            "Content-Type: ",
            "Content-Encoding: gzip",
            "Content-Encoding: br",
            f"Accept: {CANARY}",
            "Accept: image/png",
            "Content-Type: image/jpeg\r\nContent-Type: text/plain",
        )
    )
    return Upload("wrong type", (request(seeds.path(), seeds.image(), kind),))


def chunked(seeds: Seeds) -> Upload:
    rng, radiograph = seeds.rng, seeds.image(".jpeg")
    radiograph = radiograph if len(radiograph) < 4000 or rng.random() < 0.2 else radiograph[:4000]
    head = f"POST {seeds.path()} HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n"
    size = f"{len(radiograph):x}".encode()
    whole = size + b"\r\n" + radiograph + b"\r\n"
    good = {
        "one": (whole + b"0\r\n\r\n",),
        "bytes": (*(b"1\r\n%c\r\n" % byte for byte in radiograph[:500]), b"0\r\n\r\n"),
        "extension": (size + b";x=" + b"y" * 500 + b"\r\n" + radiograph + b"\r\n0\r\n\r\n",),
        "trailer": (whole + b"0\r\nX: y\r\n\r\n",),
        "empty": (b"0\r\n\r\n",),
    }
    bad = {
        "no hex": b"zz\r\n" + radiograph,
        "negative": b"-5\r\n" + radiograph,
        "huge": b"FFFFFFFFFFFFFFFFFF\r\n" + radiograph,
        "short": b"5\r\n" + radiograph + b"\r\n0\r\n\r\n",
        "no end": whole,
        "half a chunk": size + b"\r\n" + radiograph[: len(radiograph) // 2],
        "bare line ends": size + b"\n" + radiograph + b"\n0\n\n",
    }
    kind = rng.choice([*good, *bad, "with a length"])
    if kind == "with a length":
        sent = (f"{head}Content-Length: 5\r\n\r\n".encode() + good["one"][0],)
        return Upload("chunked: with a length", sent, owed=False, half=True)
    if kind in good:
        return Upload(f"chunked: {kind}", (f"{head}\r\n".encode(), *good[kind]))
    sent = (f"{head}\r\n".encode() + bad[kind],)
    return Upload(f"chunked: {kind}", sent, owed=False, half=True)


def broken_http(seeds: Seeds) -> Upload:
    rng, radiograph = seeds.rng, seeds.image(".jpeg")
    good = request("/predict", radiograph, "Content-Type: image/jpeg")
    head, body = good.split(b"\r\n\r\n", 1)
    no_length = head.rpartition(b"\r\n")[0]
    kinds = {
        "no HTTP": rng.randbytes(2000),
        "flipped head": DAMAGE["flipped"](rng, head, head) + b"\r\n\r\n" + body,
        "version": good.replace(
            b"HTTP/1.1", rng.choice((b"HTTP/9.9", b"HTTP/1.0", b"HTTP/2", b""))
        ),
        "preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "TLS": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + rng.randbytes(500),
        "long head": head + b"\r\nX: " + b"y" * 200_000 + b"\r\n\r\n" + body,
        "many heads": head + b"\r\nX: y" * 5000 + b"\r\n\r\n" + body,
        "folded": head + b"\r\nX: y\r\n z\r\n\r\n" + body,
        "null": head + b"\r\nX: \0\r\n\r\n" + body,
        "lengths": head + b"\r\nContent-Length: 7\r\n\r\n" + body,
        "no length": no_length + b"\r\n\r\n" + body,
        "length": no_length + b"\r\nContent-Length: " + rng.choice(LENGTHS) + b"\r\n\r\n" + body,
        "more than sent": no_length + b"\r\nContent-Length: 999999\r\n\r\n" + body,
        "less than sent": no_length + b"\r\nContent-Length: 10\r\n\r\n" + body,
        "ends early": good[: rng.randrange(len(good))],
        "no host": good.replace(f"Host: {HOST}\r\n".encode(), b""),
    }
    kind = rng.choice([*kinds])
    return Upload(f"http: {kind}", (kinds[kind],), owed=False, half=True)


LENGTHS = (b"-1", b"abc", b"1e3", b"99999999999999999999999", b"0x10", b" ", b"+5", b"1_0")


def odd_request(seeds: Seeds) -> Upload:
    """Whole requests of HTTP, but strange ones."""
    rng, radiograph = seeds.rng, seeds.image()
    path = rng.choice((*ODD_PATHS, f"/{CANARY}", f"/predict?{CANARY}=1", "/" + "x" * 5000))
    method = rng.choice(("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "POST", "GET"))
    kinds = {
        "path": request(path, radiograph),
        "method": request("/predict", radiograph, method=method),
        "host": request("/predict", radiograph).replace(HOST.encode(), b"elsewhere.example"),
        "origin": request("/predict", radiograph, "Origin: http://elsewhere.example"),
        "token": request("/predict", radiograph, f"Authorization: Bearer {CANARY}"),
        "expect": request("/predict", radiograph, "Expect: 100-continue"),
        "upgrade": request("/predict", radiograph, "Connection: Upgrade", "Upgrade: h2c"),
        "websocket": request("/predict", radiograph, "Connection: Upgrade", "Upgrade: websocket"),
        "one after the other": request("/predict", radiograph) * 5,
        "empty": request("/predict", b""),
        "body with GET": request("/model", radiograph, method="GET"),
        "too large": request("/predict", b"x" * (65 * 1024**2)) if rng.random() < 0.02 else b"",
    }
    kind = rng.choice([kind for kind, sent in kinds.items() if sent])
    return Upload(f"odd: {kind}", (kinds[kind],))


ODD_PATHS = (
    *("/static/../../../etc/passwd", "/static/%2e%2e/%2e%2e/etc/passwd", "/static/", "//predict"),
    *("/predict/", "/%ff%fe", "/%", "/predict%00", "*", "/v2/models/x/infer", "/v2/models//infer"),
    "http://elsewhere.example/predict",
)


def tensor(seeds: Seeds) -> Upload:
    """JSON of the Open Inference Protocol, with a lie or damage in it."""
    rng, path = seeds.rng, f"/v2/models/{seeds.model}/infer"
    name, body = rng.choice([*tensors(seeds)])
    kind = rng.choice(("application/json", "application/json", "application/json", "text/plain"))
    return Upload(f"tensor: {name}", (request(path, body, f"Content-Type: {kind}"),))


def tensors(seeds: Seeds) -> Iterator[tuple[str, bytes]]:
    rng, side = seeds.rng, seeds.size
    data = [rng.randrange(256) for _ in range(side * side)]
    image = {"name": "image", "datatype": "UINT8", "shape": [1, 1, side, side], "data": data}
    good = json.dumps({"id": "1", "inputs": [image]}).encode()
    yield "good", good
    yield "flipped", DAMAGE["flipped"](rng, good, good)
    yield "truncated", good[: rng.randrange(len(good))]
    yield "deep", b"[" * 200_000
    yield "deep object", b'{"inputs":' * 50_000
    yield "long number", b'{"inputs":[' + b"9" * 100_000 + b"]}"
    yield "NaN", good.replace(b"[1, 1", b"[NaN, Infinity")
    yield "not UTF-8", good.replace(b'"1"', b'"\xff\xfe"')
    yield "surrogate", good.replace(b'"1"', rb'"\ud800"')
    yield "bytes order mark", b"\xef\xbb\xbf" + good
    shapes = ([-1, 1, side, side], [0, 1, side, side], [2**63, 1, side, side], [1.5], [True] * 4)
    more = ([], None, "x", [[1]], [1, 1, side * side, 1], [1, 3, side, side], [10**30] * 4)
    yield "shape", json.dumps({"inputs": [{**image, "shape": rng.choice(shapes + more)}]}).encode()
    wrong = ([], None, "abc", {"a": 1}, [256] * len(data), [-1] * len(data), [0.5] * len(data))
    odd = ([[data]], [None] * len(data), [True] * len(data), ["1"] * len(data), [1e400] * len(data))
    yield "data", json.dumps({"inputs": [{**image, "data": rng.choice(wrong + odd)}]}).encode()
    types = ("FP32", "uint8", "", None, 5, "BYTES", CANARY)
    yield "type", json.dumps({"inputs": [{**image, "datatype": rng.choice(types)}]}).encode()
    asked = ([{"name": "logits"}] * 2, [{"name": CANARY}], "logits", [5], [{}], {}, [None])
    yield "outputs", json.dumps({"inputs": [image], "outputs": rng.choice(asked)}).encode()
    many = ([image] * 2, [], {}, None, [None], "x", [{}], [{**image, "name": "x"}])
    yield "inputs", json.dumps({"inputs": rng.choice(many)}).encode()
    ids = ("x" * 100_000, 5, None, {}, [], "\0", "\N{GRINNING FACE}")
    yield "id", json.dumps({"id": rng.choice(ids), "inputs": [image]}).encode()
    yield "other JSON", rng.choice((b"null", b"1", b'""', b"[]", b"{}", b"", b" ", b"true"))


def whole_image(seeds: Seeds) -> Upload:
    """Nothing is wrong with it: shows that the server still does its work."""
    return Upload("whole image", (request("/predict", seeds.image(".jpeg")),))


def leaves(seeds: Seeds) -> Upload:
    """Sends a whole request and goes away without waiting."""
    return Upload("goes away", (request(seeds.path(), seeds.image()),), owed=False)


MIX: tuple[tuple[int, Callable[[Seeds], Upload]], ...] = (
    (50, damaged),
    (8, bomb),
    (10, broken_form),
    (3, wrong_type),
    (6, chunked),
    (6, broken_http),
    (4, odd_request),
    (8, tensor),
    (4, whole_image),
    (1, leaves),
)


def uploads(seeds: Seeds, n: int) -> Iterator[Upload]:
    weights, makers = zip(*MIX, strict=True)
    for make in seeds.rng.choices(makers, weights, k=n):
        yield make(seeds)


def slow_senders() -> list[Upload]:
    """Each must be told 408, or dropped, in its time: no head, half a head, half a body, drops."""
    head = f"POST /predict HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 100000\r\n\r\n".encode()
    drops = (head, *[b"x"] * 200)
    return [
        Upload("slow: says nothing", (b"",), owed=False),
        Upload("slow: half a head", (head[:30],), owed=False),
        Upload("slow: head in drops", tuple(b"%c" % byte for byte in head), pause=0.5, owed=False),
        Upload("slow: half a body", (head + b"x" * 50_000,)),
        Upload("slow: body in drops", drops, pause=0.5),
        Upload("slow: a chunk a second", chunk_drops(), pause=1.0),
    ]


def chunk_drops() -> tuple[bytes, ...]:
    head = f"POST /predict HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return (head, *[b"1\r\nx\r\n"] * 120)
