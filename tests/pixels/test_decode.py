from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr._io import progress_disabled
from cxr.errors import DataError, StorageError, UsageError
from cxr.pixels import decode, decode_all, load_grey, report_unreadable


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with progress_disabled():
        yield


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(2)
    made = []
    for i in range(70):  # more than one block
        kind = ("jpeg", "png")[i % 2]
        path = tmp_path / f"{i:03}.{kind}"
        Image.fromarray(rng.integers(0, 256, (20 + i, 30), dtype=np.uint8)).save(path)
        made.append(path)
    return made


def test_each_file_as_load_grey_gives_it(paths: list[Path]) -> None:
    found = decode_all(paths, 24, "pad")
    assert found.pixels.shape == (70, 24, 24) and found.pixels.dtype == np.uint8
    assert len(found) == 70 and found.ok.all() and found.errors == {}
    for path, pixels in zip(paths, found.pixels, strict=True):
        assert (pixels == load_grey(path, 24, "pad")).all()


def test_order_and_repeats_are_kept(paths: list[Path]) -> None:
    order = [5, 3, 3, 60]
    found = decode_all([paths[i] for i in order], (20, 30))
    assert (found.pixels == decode_all(paths, (20, 30)).pixels[order]).all()


def test_bad_files_are_recorded_and_zero(paths: list[Path], tmp_path: Path) -> None:
    paths[4].write_bytes(b"not an image")
    paths[65].write_bytes(paths[65].read_bytes()[:60])
    paths[8] = tmp_path / "absent.png"
    found = decode_all(paths, 16)
    assert sorted(found.errors) == [4, 8, 65] == np.flatnonzero(~found.ok).tolist()
    assert "no known signature" in found.errors[4] and "no such file" in found.errors[8]
    assert not found.pixels[[4, 8, 65]].any() and found.pixels[found.ok].any(axis=(1, 2)).all()


def test_nothing_to_decode() -> None:
    found = decode_all([], 32)
    assert found.pixels.shape == (0, 32, 32) and len(found) == 0 and found.ok.shape == (0,)


def test_any_number_of_workers_gives_the_same(paths: list[Path], tmp_path: Path) -> None:
    one, many = (
        decode_all(paths, 16, workers=n, cache_dir=tmp_path / f"cache{n}", progress=False)
        for n in (1, 5)
    )
    assert (one.pixels == many.pixels).all()


def test_a_wrong_call(paths: list[Path]) -> None:
    with pytest.raises(UsageError):
        decode_all(paths, 0)
    with pytest.raises(UsageError):
        decode_all(paths, 32, "stretch")


def test_where_the_cache_cannot_be_written_the_pixels_stay_in_memory(
    paths: list[Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("not a folder")
    expected = decode_all(paths, 16)
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr(decode, "say", lines.append)
        found = decode_all(paths, 16, cache_dir=blocked / "pixels")
    assert len(lines) == 1 and "kept in memory" in lines[0] and "\n" not in lines[0]
    assert not isinstance(found.pixels, np.memmap)
    assert (found.pixels == expected.pixels).all()


def test_neither_disk_nor_memory(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").write_text("")
    monkeypatch.setattr(decode, "MAX_MEMORY_BYTES", 1000)
    with pytest.raises(StorageError, match="CXR_CACHE_DIR"):
        decode_all(paths, 16, cache_dir=tmp_path / "a file" / "pixels")


def test_threads_of_one_process_may_ask_at_once(paths: list[Path], tmp_path: Path) -> None:
    found: list[decode.DecodedSet] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(
                decode_all(paths, 16, cache_dir=tmp_path / "cache", progress=False)
            )
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all((f.pixels == found[0].pixels).all() for f in found)
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_exactly_one_in_twenty_is_allowed() -> None:
    paths = [Path(f"{i}.png") for i in range(20)]
    assert report_unreadable(paths, {3: "truncated"}, 0.05) == {paths[3]: "truncated"}
    with pytest.raises(DataError, match="1 of 19 images"):
        report_unreadable(paths[:19], {3: "truncated"}, 0.05)


def test_a_long_list_of_unreadable_images_is_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(decode, "say", lines.append)
    paths = [Path(f"{i}.png") for i in range(200)]
    report_unreadable(paths, dict.fromkeys(range(8), "truncated"))
    assert len(lines) == 6
    assert lines[-1] == "left out: 3 more unreadable images"


def test_all_images_are_too_many() -> None:
    paths = ["a.png", "b.png"]
    with pytest.raises(DataError, match=r"no image can be read \(first: a.png: cut\)"):
        report_unreadable(paths, {0: "cut", 1: "empty"})
    assert report_unreadable(paths, {}) == {}
