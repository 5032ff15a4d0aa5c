"""multipart/form-data from friend and foe."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress

import pytest

from cxr.apply.service.form import Upload, read_form
from cxr.apply.service.http import Refusal

Form = Callable[..., tuple[bytes, str]]


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
    with pytest.raises(Refusal) as caught:
        read_form(body, kind, 3)
    assert caught.value.status == status


def test_a_cut_form_is_refused(form: Form) -> None:
    body, kind = form(("a", b"12345"))
    for end in range(len(body) - 4):
        with pytest.raises(Refusal):
            read_form(body[:end], kind, 3)


def test_heads_are_bounded() -> None:
    line = b'Content-Disposition: form-data; name="file"\r\n'
    for head in (line + b"X: 1\r\n" * 50, line + b"X: " + b"1" * 10_000 + b"\r\n"):
        with pytest.raises(Refusal) as caught:
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
        with suppress(Refusal):
            read += len(read_form(bytes(found), kind, 3)) > 0
    assert 0 < read < 500
