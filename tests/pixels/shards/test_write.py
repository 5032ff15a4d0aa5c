"""Shards hold the very pixels that decoding gives, however they were written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest

from cxr._io.files import unsealed
from cxr.errors import DataError, StorageError, UsageError
from cxr.find import read_manifest
from cxr.find.phantom import write_phantom
from cxr.pixels import WHOLE, decode_all, load, release
from cxr.pixels.cache.record import DecodeSettings, npy_header
from cxr.pixels.frame import locator_version
from cxr.pixels.shards import job
from cxr.pixels.shards.index import HEADER_BYTES, as_json, is_shards, read_index
from cxr.pixels.shards.job import random_order
from cxr.pixels.shards.read import open_shards
from cxr.pixels.shards.write import write_shards

SIZE, PER_SHARD = 32, 10


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """33 images, of which the 12th cannot be read."""
    folder = write_phantom(tmp_path_factory.mktemp("images") / "set", n_images=33, size=64)
    bad = folder / read_manifest(folder).table["path"][11]
    bad.write_bytes(bad.read_bytes()[:200])
    return folder


@pytest.fixture(scope="module")
def decoded(images, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    paths = read_manifest(images).paths()
    return decode_all(paths, SIZE, cache_dir=cache, progress=False)


@pytest.fixture
def cached(monkeypatch, tmp_path):
    monkeypatch.setenv("CXR_CACHE_DIR", str(tmp_path / "cache"))


def write(images, out, **options):
    options = {"images_per_shard": PER_SHARD} | options
    return write_shards(read_manifest(images), out, SIZE, **options)


def all_pixels(out):
    shards = open_shards(out)
    return shards.decoded(shards.manifest())


@pytest.mark.parametrize("kind", ["{}", "file://{}", "memory://shards{}"])
def test_the_pixels_are_those_of_decoding(images, decoded, tmp_path, cached, kind):
    out = kind.format((tmp_path / "a folder").as_posix())
    index = write(images, out)
    assert index.counts == (10, 9, 10, 3)
    assert (index.images, index.rows) == (32, 33)
    found = all_pixels(out)
    assert found.pixels.shape == decoded.pixels.shape and found.pixels.dtype == np.uint8
    np.testing.assert_array_equal(found.pixels[:], decoded.pixels)
    np.testing.assert_array_equal(found.ok, decoded.ok)
    assert found.errors == decoded.errors


@pytest.mark.parametrize(
    "key",
    [
        3,
        np.int64(-1),
        slice(8, 25, 3),
        np.array([30, 2, 2, 11, 19]),
        [5, 4],
        np.arange(33) % 2 == 0,
        np.empty(0, np.int64),
    ],
)
def test_pixels_are_picked_as_from_an_array(images, decoded, tmp_path, key):
    write(images, tmp_path / "out")
    pixels = all_pixels(tmp_path / "out").pixels
    np.testing.assert_array_equal(pixels[key], decoded.pixels[key])
    np.testing.assert_array_equal(np.asarray(pixels), decoded.pixels)
    assert len(pixels) == 33 and pixels.ndim == 3 and pixels.nbytes == 33 * SIZE**2
    release(pixels)
    with pytest.raises(IndexError):
        pixels[33]


def test_other_libraries_read_a_shard_as_an_array(images, decoded, tmp_path):
    write(images, tmp_path)
    second = np.load(tmp_path / "shard-000001.npy", allow_pickle=False)
    np.testing.assert_array_equal(second, np.delete(decoded.pixels[10:20], 1, axis=0))


def test_the_header_is_that_of_numpy():
    for n in (0, 4096, 10**9):
        assert len(npy_header((n, 2048, 2048))) == HEADER_BYTES


def test_the_manifest_is_kept_with_places_and_reasons(images, tmp_path):
    before = read_manifest(images)
    write(images, tmp_path)
    after = open_shards(tmp_path).manifest()
    assert (after.classes, after.multi_label, after.identity) == (
        before.classes,
        before.multi_label,
        before.identity,
    )
    assert after.fingerprint() == before.fingerprint()
    assert after.root == Path(images.name)
    for column in before.table:
        kept = after.table[column].astype(object).where(after.table[column].notna(), None)
        assert kept.tolist() == before.table[column].tolist()
    assert after.table.loc[[9, 12], ["shard", "shard_row"]].values.tolist() == [[0, 9], [1, 1]]
    bad = after.table.loc[11]
    assert bad[["shard", "shard_row", "crc32"]].isna().all()
    assert "damaged" in bad["unreadable"]


def test_sums_are_known_without_reading(images, decoded, tmp_path):
    write(images, tmp_path)
    pixels = all_pixels(tmp_path).pixels
    (tmp_path / "shard-000000.npy").unlink()
    assert pixels.sums(np.array([4])) == [zlib.crc32(decoded.pixels[4])]


def test_a_part_of_the_manifest_keeps_its_own_pixels(images, decoded, tmp_path):
    write(images, tmp_path)
    shards = open_shards(tmp_path)
    rows = np.array([31, 11, 0, 15])
    part = shards.decoded(shards.manifest().select(rows))
    np.testing.assert_array_equal(part.pixels[:], decoded.pixels[rows])
    assert part.ok.tolist() == [True, False, True, True]
    np.testing.assert_array_equal(part.pixels.shards_of(np.array([0, 2, 3])), [3, 0, 1])


def test_a_shuffled_set_holds_the_same_images(images, decoded, tmp_path):
    write(images, tmp_path, shuffle=3)
    shards = open_shards(tmp_path)
    names = read_manifest(images).table["path"].tolist()
    order = [names.index(name) for name in shards.manifest().table["path"]]
    assert order != sorted(order) and sorted(order) == list(range(33))
    found = shards.decoded(shards.manifest())
    np.testing.assert_array_equal(found.pixels[:], decoded.pixels[order])


def test_shuffling_keeps_splits_together(images):
    manifest = read_manifest(images).with_split(train=range(0, 33, 2), valid=range(1, 33, 2))
    order = random_order(manifest, 1)
    splits = manifest.table["split"].to_numpy()[order]
    assert splits.tolist() == ["train"] * 17 + ["valid"] * 16
    assert order[:17].tolist() != sorted(order[:17])


def test_memory_is_that_of_a_few_images(images, tmp_path, monkeypatch):
    """400 images of 262 KB are 105 MB."""
    many = read_manifest(images).select(np.zeros(400, np.int64))
    grey = np.zeros((512, 512), np.uint8)
    monkeypatch.setattr(load, "load_framed", lambda *_: (grey.copy(), WHOLE))
    tracemalloc.start()
    write_shards(many, tmp_path, 512, workers=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


KILLED = """
import itertools, sys, time
from cxr.find import read_manifest
from cxr.pixels import load
from cxr.pixels.shards import write
load_framed, count = load.load_framed, itertools.count()
def stuck_in_the_second_shard(*given):
    if next(count) >= 15:
        time.sleep(600)
    return load_framed(*given)
load.load_framed = stuck_in_the_second_shard
write.write_shards(read_manifest(sys.argv[1]), sys.argv[2], 32, images_per_shard=10)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX's")
def test_killed_at_any_moment_it_goes_on(images, decoded, tmp_path, capsys):
    out = tmp_path / "out"
    first, second = out / "shard-000000.json", out / "shard-000001.json"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(images), str(out)])
    while not first.is_file():
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not second.is_file() and not is_shards(out)
    with pytest.raises(UsageError, match="no finished shards"):
        open_shards(out)
    shard = out / "shard-000000.npy"
    kept = shard.stat()
    write(images, out)
    assert "1 of 4 shards were there already" in capsys.readouterr().err
    assert (shard.stat().st_ino, shard.stat().st_mtime_ns) == (kept.st_ino, kept.st_mtime_ns)
    np.testing.assert_array_equal(all_pixels(out).pixels[:], decoded.pixels)


def test_what_a_dead_writer_left_is_removed(images, tmp_path):
    left, fresh = tmp_path / ".old.part", tmp_path / ".new.part"
    for folder in (left, fresh):
        folder.mkdir()
    os.utime(left, (0, 0))
    write(images, tmp_path)
    assert not left.exists() and fresh.exists()


def test_a_changed_file_is_decoded_again(images, tmp_path, capsys):
    copy = Path(shutil.copytree(images, tmp_path / "set"))
    out = tmp_path / "out"
    write(copy, out)
    names = read_manifest(copy).table["path"]
    (copy / names[0]).write_bytes((copy / names[20]).read_bytes())
    write(copy, out)
    assert "3 of 4 shards were there already" in capsys.readouterr().err
    pixels = all_pixels(out).pixels
    np.testing.assert_array_equal(pixels[0], pixels[20])


def flip(path, at=-5):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_damage_is_found_and_mended(images, decoded, tmp_path):
    write(images, tmp_path)
    flip(tmp_path / "shard-000002.npy")
    pixels = all_pixels(tmp_path).pixels
    np.testing.assert_array_equal(pixels[20:29], decoded.pixels[20:29])
    with pytest.raises(DataError, match=r"image 9 of shard-000002 .* which mends it"):
        pixels[29]
    write(images, tmp_path)
    np.testing.assert_array_equal(pixels[:], decoded.pixels)


def test_a_short_or_missing_shard_is_refused_at_once(images, tmp_path):
    write(images, tmp_path)
    shard = tmp_path / "shard-000003.npy"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"shard-000003.npy has 3,199 bytes, 3,200 are needed"):
        open_shards(tmp_path)
    shard.unlink()
    with pytest.raises(DataError, match=r"shard-000003.npy is missing"):
        open_shards(tmp_path)


@pytest.mark.parametrize("name", ["shards.json", "manifest.parquet", "shard-000001.json"])
def test_a_damaged_table_or_index_is_refused_and_mended(images, tmp_path, name):
    write(images, tmp_path)
    before = (tmp_path / name).read_bytes()
    flip(tmp_path / name, len(before) // 2)
    if name != "shard-000001.json":  # which only writers read
        with pytest.raises(DataError, match=f"{name} is"):
            open_shards(tmp_path).manifest()
    write(images, tmp_path)
    assert (tmp_path / name).read_bytes() == before
    assert open_shards(tmp_path).manifest().fingerprint()


def test_an_index_of_another_format_is_refused(images, tmp_path):
    write(images, tmp_path)
    path = tmp_path / "shards.json"
    path.write_bytes(as_json(unsealed(path.read_bytes()) | {"format": 9}))
    with pytest.raises(DataError, match="its format is 9"):
        read_index(tmp_path)
    path.write_text(json.dumps({"checksum": 1}))
    with pytest.raises(DataError, match="is damaged"):
        read_index(tmp_path)


def test_other_shards_are_not_written_over(images, tmp_path):
    write(images, tmp_path)
    with pytest.raises(UsageError, match=r"another images_per_shard\)"):
        write(images, tmp_path, images_per_shard=7)
    with pytest.raises(UsageError, match=r"another height, width, method\)"):
        write_shards(read_manifest(images), tmp_path, 40, "pad", images_per_shard=PER_SHARD)
    with pytest.raises(UsageError, match=r"another images or labels\)"):
        write_shards(
            read_manifest(images).select(range(30)), tmp_path, SIZE, images_per_shard=PER_SHARD
        )


def test_a_disk_that_is_too_small_is_refused_before_work(images, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 33_000})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(StorageError, match=r"has 0\.0 MB free"):
        write(images, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_wrong_calls(images, tmp_path):
    with pytest.raises(UsageError, match="images_per_shard=0"):
        write(images, tmp_path, images_per_shard=0)
    one = read_manifest(images).select([11])
    with pytest.raises(DataError, match="none of the 1 images"):
        write_shards(one, tmp_path, SIZE)


def test_other_versions_decode_again(images, tmp_path, monkeypatch, capsys):
    write(images, tmp_path)
    monkeypatch.setattr(
        job,
        "DecodeSettings",
        lambda shape, method, frame: DecodeSettings(shape, method, {"pillow": "0"}, frame),
    )
    write(images, tmp_path)
    assert "already" not in capsys.readouterr().err


def test_frames_are_kept_with_the_pixels(images, tmp_path, cached):
    index = write(images, tmp_path / "out", frame="lungs")
    assert index.frame == "lungs" and index.versions["locator"] == locator_version()
    found = all_pixels(tmp_path / "out")
    expected = decode_all(read_manifest(images).paths(), SIZE, frame="lungs", progress=False)
    np.testing.assert_array_equal(found.pixels[:], expected.pixels)
    assert found.frames.dtype == np.float32
    np.testing.assert_array_equal(found.frames, expected.frames)
    again = (tmp_path / "out" / "shard-000000.json").stat().st_mtime_ns
    write(images, tmp_path / "out", frame="lungs")
    assert (tmp_path / "out" / "shard-000000.json").stat().st_mtime_ns == again


def test_another_frame_needs_another_folder(images, tmp_path):
    write(images, tmp_path, frame="whole")
    assert all_pixels(tmp_path).frames is None
    with pytest.raises(UsageError, match="another frame"):
        write(images, tmp_path, frame="lungs")


def test_shards_from_before_there_were_frames_are_whole(images, decoded, tmp_path):
    write(images, tmp_path)
    path = tmp_path / "shards.json"
    values = unsealed(path.read_bytes())
    del values["frame"]
    path.write_bytes(as_json(values | {"format": 1}))
    assert read_index(tmp_path)[0].frame == "whole"
    np.testing.assert_array_equal(all_pixels(tmp_path).pixels[:], decoded.pixels)
    assert write(images, tmp_path).format == 2
