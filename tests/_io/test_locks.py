from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from cxr._io import locks
from cxr._io.locks import is_held, lock_file, take_lock, take_lock_if_any
from cxr.errors import StorageError, UsageError

LOCK = "run.lock"


def test_one_holder_at_a_time_until_the_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("a+b") as first, path.open("a+b") as second:
        assert take_lock(first) and is_held(path)
        assert not take_lock(second) and not take_lock_if_any(second)
    assert is_held(path) is False
    assert is_held(tmp_path / "absent") is None


def test_the_holder_is_named_with_what_else_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a" / LOCK
    held = pytest.raises(UsageError, match=f"process {os.getpid()} on .*end or come back")
    with lock_file(path, "come back"), held, lock_file(path, "come back"):
        pass
    assert not path.exists()


def test_where_no_locks_are_nobody_holds_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(file: object) -> bool:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "take_lock", unknown)
    with (tmp_path / "file").open("a+b") as file:
        assert take_lock_if_any(file)
    assert is_held(tmp_path / "file") is None


def test_a_lock_whose_file_was_removed_meanwhile_does_not_count(tmp_path, monkeypatch):
    """The first holder leaves between our opening the file and our locking it."""
    tries, take = [], locks.take_lock

    def removed_the_first_time(file):
        tries.append(file)
        if len(tries) == 1:
            (tmp_path / "a" / LOCK).unlink()
        return take(file)

    monkeypatch.setattr(locks, "take_lock", removed_the_first_time)
    with lock_file(tmp_path / "a" / LOCK, "come back"):
        assert (tmp_path / "a" / LOCK).is_file()
    assert len(tries) == 2


def test_a_full_disk(tmp_path, monkeypatch):
    def full(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(locks, "_sign", full)
    with (
        pytest.raises(StorageError, match="disk full"),
        lock_file(tmp_path / "a" / LOCK, "come back"),
    ):
        pass
    assert not (tmp_path / "a" / LOCK).exists()


def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch):
    said = []

    def unknown(file):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "take_lock", unknown)
    monkeypatch.setattr(locks, "say", said.append)
    with lock_file(tmp_path / "a" / LOCK, "come back"):
        pass
    assert len(said) == 1 and "cannot be locked (No locks available)" in said[0]
