from __future__ import annotations

import hashlib
import hmac
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cxr.errors import StorageError, UsageError
from cxr.find.secret import default_key_file, pseudonym, pseudonym_key


def test_a_pseudonym_is_a_keyed_hash() -> None:
    expected = hmac.new(b"secret", b"hospital\x004711", hashlib.sha256).hexdigest()[:16]
    assert pseudonym(b"secret", "hospital", "4711") == f"dcm-{expected}"
    assert pseudonym(b"other", "hospital", "4711") != pseudonym(b"secret", "hospital", "4711")
    assert pseudonym(b"secret", "a", "b") != pseudonym(b"secret", "ab", "")


def test_the_key_is_made_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "settings" / "my.key"
    key = pseudonym_key(file)
    assert len(key) == 32 and file.read_bytes() == key
    assert [path.name for path in file.parent.iterdir()] == ["my.key"]
    said = capsys.readouterr().err
    assert str(file) in said and key.hex() not in said
    assert pseudonym_key(file) == key != pseudonym_key(tmp_path / "another.key")
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_all_who_make_it_at_once_get_one_key(tmp_path: Path) -> None:
    for turn in range(10):
        file = tmp_path / f"{turn}.key"
        with ThreadPoolExecutor(8) as pool:
            keys = set(pool.map(pseudonym_key, [file] * 8))
        assert keys == {file.read_bytes()}


def test_where_the_key_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, named = tmp_path / "chosen", tmp_path / "named"
    chosen.write_bytes(b"c" * 20)
    named.write_bytes(b"n" * 20)
    monkeypatch.setenv("CXR_KEY_FILE", str(named))
    assert (pseudonym_key(chosen), pseudonym_key()) == (b"c" * 20, b"n" * 20)
    monkeypatch.delenv("CXR_KEY_FILE")
    if sys.platform.startswith("linux"):
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        assert default_key_file() == tmp_path / "cxr" / "pseudonym.key"
        assert pseudonym_key() == default_key_file().read_bytes()
    assert default_key_file().name == "pseudonym.key"


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(UsageError, match="has 0 bytes, at least 16"):
        pseudonym_key(tmp_path / "empty")


def test_a_key_that_cannot_be_kept(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="name another file by CXR_KEY_FILE"):
        pseudonym_key(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="name another file by CXR_KEY_FILE"):
        pseudonym_key(tmp_path / "file" / "key")
