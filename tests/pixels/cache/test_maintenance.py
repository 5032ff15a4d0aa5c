from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr._io import progress_disabled
from cxr._io.locks import take_lock
from cxr.errors import StorageError
from cxr.pixels import decode_all
from cxr.pixels.cache import maintenance as upkeep
from cxr.pixels.cache import record as kept
from cxr.pixels.cache.maintenance import CachedSet, cached_sets, clear, prune, used_bytes

KEY = "0123456789abcdef" * 2
DAY = 24 * 3600.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two sets: 16 x 16, last used two days ago, and 24 x 32, padded."""
    Image.fromarray(np.arange(900, dtype=np.uint8).reshape(30, 30)).save(tmp_path / "a.png")
    folder = tmp_path / "pixels"
    with progress_disabled():
        decode_all([tmp_path / "a.png"], 16, cache_dir=folder)
        for path in folder.iterdir():
            age(path, 2 * DAY)
        decode_all([tmp_path / "a.png"] * 3, (24, 32), "pad", cache_dir=folder)
    return folder


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def state(folder: Path) -> list[str]:
    return [found.state for found in cached_sets(folder)]


def name_of(folder: Path, side: int) -> str:
    return next(found.name for found in cached_sets(folder) if found.shape and side in found.shape)


def test_the_sets_that_are_there(folder: Path) -> None:
    first, second = cached_sets(folder)
    assert (first.images, first.shape, first.method, first.state) == (3, (24, 32), "pad", "ready")
    assert (second.images, second.shape, second.method) == (1, (16, 16), "squish")
    assert abs(time.time() - 2 * DAY - second.last_used) < 60
    npy = (folder / f"{first.name}.npy").stat().st_size
    assert npy == 128 + 3 * 24 * 32
    assert first.n_bytes == npy + (folder / f"{first.name}.json").stat().st_size
    assert used_bytes(folder) == sum(path.stat().st_size for path in folder.iterdir())


def test_no_folder_is_an_empty_cache(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    assert cached_sets(absent) == [] and used_bytes(absent) == 0
    assert clear(absent) == upkeep.Cleared(0, 0, 0)
    assert not absent.exists()


def test_what_is_not_used_says_why(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = name_of(folder, 32)
    monkeypatch.setattr(kept, "PIXELS", "other")
    assert state(folder) == ["other versions", "other versions"]
    monkeypatch.undo()
    (folder / f"{name}.npy").write_bytes(b"")
    assert state(folder) == ["damaged", "ready"]
    (folder / f"{name}.npy").unlink()
    assert state(folder) == ["damaged", "ready"]
    (folder / f"{name}.json").write_text("{}")
    assert cached_sets(folder)[0] == CachedSet(
        name, None, None, None, 2, (folder / f"{name}.json").stat().st_mtime, "damaged"
    )
    (folder / f"{name}.json").rename(folder / f"{name}.npy")
    assert state(folder) == ["incomplete", "ready"]


def test_only_names_that_cxr_gives_are_touched(folder: Path, tmp_path: Path) -> None:
    mine = ["notes.json", "a.npy", f"{KEY}.txt", f"x{KEY}.npy", ".hidden.part", "model.npy.part"]
    for name in mine:
        (folder / name).write_bytes(b"mine")
        age(folder / name, 90 * DAY)
    (folder / "sub").mkdir()
    prune(folder, 0)
    cleared = clear(folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*mine, "sub"])
    assert cleared.files == 0 and cached_sets(folder) == []


def test_clearing_says_what_was_freed(folder: Path) -> None:
    held, files = used_bytes(folder), len(list(folder.iterdir()))
    for path in folder.iterdir():
        age(path, -DAY)  # written by a machine whose clock is ahead
    assert clear(folder) == upkeep.Cleared(files, held, 0)
    assert list(folder.iterdir()) == []


def test_clearing_what_was_unused_for_a_day(folder: Path) -> None:
    assert clear(folder, DAY).files == 3  # pixels, record, list
    assert [found.shape for found in cached_sets(folder)] == [(24, 32)]
    assert len(list(folder.glob("*.list"))) == 1


def test_a_list_goes_with_its_set(folder: Path) -> None:
    for path in folder.glob(f"{name_of(folder, 32)}.*"):
        age(path, 3 * DAY)
    clear(folder, 2.5 * DAY)
    assert [found.shape for found in cached_sets(folder)] == [(16, 16)]
    assert len(list(folder.glob("*.list"))) == 1


def test_what_cannot_be_removed_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(StorageError, match="Permission denied"):
        clear(folder)
    prune(folder, 0)  # only makes room where it can
    assert state(folder) == ["ready", "ready"]


def test_half_written_files_stay_while_someone_writes_them(folder: Path) -> None:
    """Whatever the clock says: a run that was killed leaves room for the next at once."""
    dead, alive = (folder / f".pixels.npy.{pid}-00ff.part" for pid in (1, 2))
    old, new = (folder / f".2-{KEY}.json.{pid}-00ff.part" for pid in (1, 2))
    orphan, writing = (folder / f"2-{KEY[:-1]}{i}.npy" for i in (1, 2))
    for path in (dead, alive, old, new, orphan, writing):
        path.write_bytes(b"half")
    for path in (alive, old, orphan):
        age(path, 2 * upkeep.ABANDONED_S)
    with alive.open("r+b") as file:
        assert take_lock(file)
        prune(folder, 10**9)
        assert alive.exists() and new.exists() and writing.exists()
        assert not dead.exists() and not old.exists() and not orphan.exists()
        assert clear(folder).in_use == 2
    assert sorted(folder.iterdir()) == sorted([alive, new])


def test_without_locks_their_age_tells(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "is_held", lambda path: None)
    old, new = (folder / f".pixels.npy.{pid}-00ff.part" for pid in (1, 2))
    for path in (old, new):
        path.write_bytes(b"half")
    age(old, 2 * upkeep.ABANDONED_S)
    prune(folder, 10**9)
    assert new.exists() and not old.exists()


def test_an_older_format_is_removed_and_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(upkeep, "say", lines.append)
    newer = folder / f"{kept.FORMAT + 1}-{KEY}.npy"
    newer.write_bytes(b"newer")
    for kind in ("npy", "json"):
        (folder / f"{KEY}.{kind}").write_bytes(b"x" * 1_000_000)
    assert state(folder).count("other versions") == 2
    prune(folder, 10**9)
    assert newer.exists() and not list(folder.glob(f"{KEY}.*"))
    assert lines == [f"2.0 MB that an older cxr kept in {folder} were removed"]
