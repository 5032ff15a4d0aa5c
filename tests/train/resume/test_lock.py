from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cxr._io.run_files import LOCK
from cxr.errors import StorageError, UsageError
from cxr.train.resume.lock import clear_lock, locked

# Without cxr, whose import takes seconds: what `take_lock` does, in another process.
HOLD = """
import json, os, sys
from pathlib import Path
from filelock import lock_descriptor
file = open(Path(sys.argv[1]) / "run.lock", "a+b")
assert lock_descriptor(file.fileno(), blocking=False)
file.truncate(0)
file.write(b" " + json.dumps({"pid": os.getpid(), "host": "ward-3"}).encode())
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


def test_a_disk_that_cannot_be_written(tmp_path, monkeypatch):
    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", read_only)
    refused = pytest.raises(StorageError, match=r"cannot write .*run\.lock \(Read-only file sys")
    with refused, locked(tmp_path / "a"):
        pass
