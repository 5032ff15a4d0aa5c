"""The cache of shards from afar: bounded, checked, shared, and ahead of its reader."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import time
import zlib
from dataclasses import dataclass, field

import numpy as np
import pytest

from cxr.errors import DataError, DownloadError, UsageError
from cxr.pixels.cache.record import npy_header
from cxr.pixels.shards import cache as shards_cache
from cxr.pixels.shards.cache import CachedShardFiles, limit_bytes
from cxr.pixels.shards.index import FORMAT, HEADER_BYTES, ShardIndex
from cxr.pixels.shards.read import ShardedPixels

SIDE, PER_SHARD, SHARDS = 8, 4, 6
SHARD_BYTES = HEADER_BYTES + PER_SHARD * SIDE**2


@dataclass
class FarStore:
    """Shards in memory; `opened` tells which were fetched, `faults` what goes wrong at first."""

    pixels: np.ndarray
    opened: list[int] = field(default_factory=list)
    faults: list[object] = field(default_factory=list)
    wait: threading.Event | None = None

    def __str__(self) -> str:
        return "far"

    def content(self, shard: int) -> bytes:
        some = self.pixels[shard * PER_SHARD : (shard + 1) * PER_SHARD]
        return npy_header(some.shape) + some.tobytes()

    def open(self, name: str) -> io.BytesIO:
        shard = int(name[6:12])
        self.opened.append(shard)
        if self.wait is not None:
            self.wait.wait(10)
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            raise fault
        return io.BytesIO(fault if isinstance(fault, bytes) else self.content(shard))


@pytest.fixture
def far():
    rng = np.random.default_rng(0)
    shape = SHARDS * PER_SHARD, SIDE, SIDE
    return FarStore(rng.integers(0, 256, shape, dtype=np.uint8))


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    pause = time.sleep
    monkeypatch.setattr(shards_cache.time, "sleep", lambda seconds: pause(min(seconds, 0.01)))


def index_of(far: FarStore) -> ShardIndex:
    digests = [hashlib.sha256(far.content(shard)).hexdigest() for shard in range(SHARDS)]
    return ShardIndex(
        format=FORMAT,
        height=SIDE,
        width=SIDE,
        method="squish",
        versions={},
        rows=len(far.pixels),
        images=len(far.pixels),
        images_per_shard=PER_SHARD,
        counts=(PER_SHARD,) * SHARDS,
        digests=tuple(digests),
        manifest="0" * 64,
        dataset="images",
        classes=("a", "b"),
        multi_label=False,
        identity="",
        fingerprint="",
        shuffle=None,
    )


@pytest.fixture
def make(far, tmp_path, monkeypatch):
    def make(room: int = SHARDS, folder: str = "cache") -> ShardedPixels:
        monkeypatch.setenv("CXR_SHARD_CACHE_GB", str(room * SHARD_BYTES / 1e9))
        index = index_of(far)
        files = CachedShardFiles(far, index, tmp_path / folder)
        sums = [zlib.crc32(image.tobytes()) for image in far.pixels]
        return ShardedPixels(files, index, np.arange(len(far.pixels)), np.array(sums, np.uint32))

    return make


def settled(pixels: ShardedPixels) -> None:
    """Waits for what was asked for ahead."""
    for future in list(pixels.files._pending.values()):
        future.exception()


def kept(pixels: ShardedPixels) -> list[int]:
    digests = pixels.index.digests
    return sorted(digests.index(path.stem) for path in pixels.files.folder.glob("*.npy"))


def test_a_shard_is_fetched_once(far, make):
    pixels = make()
    for _ in range(3):
        np.testing.assert_array_equal(pixels[[1, 9, 23]], far.pixels[[1, 9, 23]])
    assert sorted(far.opened) == [0, 2, 5]
    later = make()  # as another process would
    np.testing.assert_array_equal(later[9], far.pixels[9])
    settled(later)
    assert sorted(far.opened) == [0, 2, 3, 5]  # and the one that follows


def test_it_reads_ahead_when_read_in_turn(far, make):
    pixels = make()
    np.testing.assert_array_equal(pixels[0:2], far.pixels[0:2])
    settled(pixels)
    assert sorted(far.opened) == [0, 1]
    np.testing.assert_array_equal(pixels[[4, 9, 22]], far.pixels[[4, 9, 22]])
    settled(pixels)
    assert sorted(far.opened) == [0, 1, 2, 5]  # not in turn: nothing more
    pixels.prefetch([3])
    settled(pixels)
    assert kept(pixels) == [0, 1, 2, 3, 5]


def test_no_more_is_kept_than_allowed(far, make):
    pixels = make(room=3)
    assert pixels.files.capacity == 3
    for shard in (0, 2, 4):
        with pixels.files.open(shard) as file:
            assert file.read() == far.content(shard)
        os.utime(pixels.files._path(shard), (shard, shard))
    pixels.files._used.clear()
    pixels.files.open(0).close()  # used last
    pixels.files.open(5).close()
    assert kept(pixels) == [0, 4, 5]
    settled(pixels)
    np.testing.assert_array_equal(pixels[:], far.pixels)  # whatever had to go


@pytest.mark.parametrize("room", [1, 2])
def test_more_may_be_read_at_once_than_there_is_room_for(far, make, room):
    pixels = make(room=room)
    for _ in range(20):
        np.testing.assert_array_equal(pixels[::-1], far.pixels[::-1])
    assert len(kept(pixels)) <= room


def test_one_that_another_process_removed_is_fetched_again(far, make):
    pixels = make()
    expected = far.pixels[[0, 23]]
    np.testing.assert_array_equal(pixels[[0, 23]], expected)
    for path in pixels.files.folder.iterdir():
        path.unlink()
    np.testing.assert_array_equal(pixels[[0, 23]], expected)


def test_a_file_damaged_in_the_cache_is_fetched_again(far, make):
    pixels = make()
    assert pixels[20].any()
    path = pixels.files._path(5)
    content = bytearray(path.read_bytes())
    content[HEADER_BYTES + 3] ^= 1
    path.write_bytes(content)
    np.testing.assert_array_equal(pixels[20], far.pixels[20])
    assert far.opened == [5, 5]


def test_failures_are_tried_again(far, make, capsys):
    far.faults = [OSError("reset"), b"\x93NUMPY cut off"]
    pixels = make()
    np.testing.assert_array_equal(pixels[21], far.pixels[21])
    assert far.opened == [5, 5, 5]
    said = capsys.readouterr().err
    assert "shard-000005 failed (reset); trying again" in said
    assert "not as it was written" in said


def test_a_storage_that_is_down_ends_it_and_a_later_try_succeeds(far, make):
    far.faults = [OSError("down")] * 3
    pixels = make()
    with pytest.raises(OSError, match="down"):
        pixels[21]
    np.testing.assert_array_equal(pixels[21], far.pixels[21])


def test_wrong_content_is_never_kept(far, make):
    pixels = make()
    far.pixels = far.pixels[::-1].copy()
    with pytest.raises(DownloadError, match=r"shard-000005 of .* is not as it was written"):
        pixels[21]
    assert kept(pixels) == []


def test_right_files_with_wrong_pixels_are_refused(far, make):
    pixels = make()
    pixels.crc32 = pixels.crc32 + np.uint32(1)
    with pytest.raises(DataError, match="image 1 of shard-000005"):
        pixels[21]


def test_two_that_share_a_folder_fetch_once(far, make):
    far.wait = threading.Event()
    one, other = make(), make()
    one.prefetch([5])
    while not far.opened:
        time.sleep(0.001)
    found: list[np.ndarray] = []
    reader = threading.Thread(target=lambda: found.append(other[21]))
    reader.start()
    time.sleep(0.1)
    assert far.opened == [5]
    far.wait.set()
    reader.join(10)
    settled(other)
    np.testing.assert_array_equal(found[0], far.pixels[21])
    assert far.opened == [5]


def test_one_that_died_is_not_waited_for(far, make):
    pixels = make()
    pixels.files.folder.mkdir()
    path = pixels.files._path(5)
    part = path.with_name(f".{path.name}.1-aa.part")
    part.write_bytes(b"half")
    os.utime(part, (time.time() - 60,) * 2)
    np.testing.assert_array_equal(pixels[20], far.pixels[20])
    os.utime(part, (0, 0))
    pixels[4]
    assert not part.exists()


@pytest.mark.parametrize("given", ["0", "-1", "plenty", "nan", "inf"])
def test_limits_that_are_none(monkeypatch, given):
    monkeypatch.setenv("CXR_SHARD_CACHE_GB", given)
    with pytest.raises(UsageError, match="CXR_SHARD_CACHE_GB"):
        limit_bytes()
