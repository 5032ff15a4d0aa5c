from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cxr.errors import StorageError, UsageError
from cxr.train.resume import lock
from cxr.train.resume.lock import LOCK, clear_lock, locked

# Without cxr, whose import takes seconds: what `take_lock` does, in another process.
HOLD = """
import json, os, sys
from pathlib import Path
file = open(Path(sys.argv[1]) / "run.lock", "a+b")
if os.name == "nt":
    import msvcrt
    file.seek(1 << 30)
    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl
    fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
file.truncate(0)
file.write(json.dumps({"pid": os.getpid(), "host": "ward-3"}).encode())
file.flush()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process in the run folder."""
    (tmp_path / "run").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "run"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline().strip() == b"held"
    yield process
    process.kill()
    process.communicate()


def test_the_second_process_is_told_of_the_first(holder, tmp_path):
    message = rf"is in use by process {holder.pid} on ward-3; wait for its end or choose another"
    with pytest.raises(UsageError, match=message), locked(tmp_path / "run"):
        pass
    assert (tmp_path / "run" / LOCK).is_file()


def test_a_dead_process_holds_nothing(holder, tmp_path):
    """Killed at once, its file still there; no clock is asked, the file may be from tomorrow."""
    holder.kill()
    holder.wait()
    os.utime(tmp_path / "run" / LOCK, (2**32, 2**32))
    with locked(tmp_path / "run"):
        assert json.loads((tmp_path / "run" / LOCK).read_text())["pid"] == os.getpid()
    assert (tmp_path / "run").is_dir() and not list((tmp_path / "run").iterdir())


def test_what_a_dead_process_left_is_removed(holder, tmp_path):
    clear_lock(tmp_path / "run")
    assert (tmp_path / "run" / LOCK).is_file(), "a living process's"
    holder.kill()
    holder.wait()
    clear_lock(tmp_path / "run")
    clear_lock(tmp_path / "run")
    assert (tmp_path / "run").is_dir() and not list((tmp_path / "run").iterdir())


def test_in_one_process_too(tmp_path):
    held = pytest.raises(UsageError, match=f"process {os.getpid()} on ")
    with locked(tmp_path / "a"), held, locked(tmp_path / "a"):
        pass
    with locked(tmp_path / "a"):
        pass


def test_a_folder_that_stays_empty_is_removed(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path / "a"):
        raise KeyError
    assert not (tmp_path / "a").exists()
    with locked(tmp_path / "a"):
        (tmp_path / "a" / "config.yaml").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["config.yaml"]


def test_a_lock_whose_file_was_removed_meanwhile_does_not_count(tmp_path, monkeypatch):
    """The first holder leaves between our opening the file and our locking it."""
    tries, take = [], lock.take_lock

    def removed_the_first_time(file):
        tries.append(file)
        if len(tries) == 1:
            (tmp_path / "a" / LOCK).unlink()
        return take(file)

    monkeypatch.setattr(lock, "take_lock", removed_the_first_time)
    with locked(tmp_path / "a"):
        assert (tmp_path / "a" / LOCK).is_file()
    assert len(tries) == 2


def test_a_disk_that_cannot_be_written(tmp_path, monkeypatch):
    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", read_only)
    refused = pytest.raises(StorageError, match=r"cannot write .*run\.lock \(Read-only file sys")
    with refused, locked(tmp_path / "a"):
        pass


def test_a_full_disk(tmp_path, monkeypatch):
    def full(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(lock, "_sign", full)
    with pytest.raises(StorageError, match="disk full"), locked(tmp_path / "a"):
        pass
    assert not (tmp_path / "a" / LOCK).exists()


def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch):
    said = []

    def unknown(file):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock, "take_lock", unknown)
    monkeypatch.setattr(lock, "say", said.append)
    with locked(tmp_path / "a"):
        pass
    assert len(said) == 1 and "cannot be locked (No locks available)" in said[0]
