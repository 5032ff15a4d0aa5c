"""Files that are whole or absent, whoever else writes them."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from cxr._io import atomic_path, scratch_path
from cxr.errors import StorageError


def test_threads_that_write_the_same_file_do_not_meet(tmp_path: Path) -> None:
    final, meet, failed = tmp_path / "a.txt", threading.Barrier(4), []

    def write(text: str) -> None:
        try:
            with atomic_path(final) as temporary:
                temporary.write_text(text * 1000)
                meet.wait(10)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert final.read_text() in [letter * 1000 for letter in "abcd"]
    assert list(tmp_path.iterdir()) == [final]


def test_what_is_not_taken_is_removed(tmp_path: Path) -> None:
    with scratch_path(tmp_path / "new" / "a.npy") as first, scratch_path(tmp_path / "b") as second:
        assert first.parent == tmp_path / "new" and first.name.startswith(".a.npy.")
        first.write_text("half")
        second.mkdir()
        (second / "x").write_text("half")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert not list((tmp_path / "new").iterdir())


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    final = tmp_path / "a.txt"
    final.write_text("old")

    def fill_up() -> None:
        with atomic_path(final) as temporary:
            temporary.write_text("new")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageError, match=r"disk full while writing .*a\.txt"):
        fill_up()
    assert final.read_text() == "old" and list(tmp_path.iterdir()) == [final]


def test_a_file_too_large_for_the_disk_is_named(tmp_path: Path) -> None:
    final = tmp_path / "model.cxr"

    def write() -> None:
        with atomic_path(final):
            raise OSError(errno.EFBIG, "File too large")

    with pytest.raises(StorageError, match=r"cannot write .*model\.cxr \(File too large\)"):
        write()
    assert not list(tmp_path.iterdir())
