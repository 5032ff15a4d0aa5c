"""Hosts that are this machine, and token files."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxr._io.network import is_loopback, read_token
from cxr.errors import UsageError


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "::", "example", ""])
def test_other_machines(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


def test_a_token_is_the_one_word_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(" s3cret\n")
    assert read_token(path) == "s3cret"
    with pytest.raises(UsageError, match="at least 16 characters") as caught:
        read_token(path, 16)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"two\twords", b"\xff\xfe"])
def test_what_is_no_token(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="token"):
        read_token(path)
