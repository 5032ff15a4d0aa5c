from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr._io import progress_disabled
from cxr.errors import StorageError
from cxr.pixels import cache, decode, decode_all
from cxr.pixels.cache import PixelCache

N = 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "pixels"


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(4)
    for i in range(N):
        Image.fromarray(rng.integers(1, 256, (20, 20), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    return [tmp_path / f"{i}.png" for i in range(N)]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files decoded so far."""
    seen: list[Path] = []
    real = decode.load_grey

    def counting(source: Path, *rest: object) -> np.ndarray:
        seen.append(source)
        return real(source, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(decode, "load_grey", counting)
    return seen


def run(paths: list[Path], folder: Path, size: int = 16, method: str = "squish") -> np.ndarray:
    with progress_disabled():
        return decode_all(paths, size, method, cache_dir=folder).pixels


def test_the_second_run_decodes_nothing(
    paths: list[Path], folder: Path, decoded: list[Path]
) -> None:
    first = run(paths, folder)
    assert len(decoded) == N
    second = run(paths, folder)
    assert len(decoded) == N
    assert isinstance(second, np.memmap) and not second.flags.writeable
    assert (first == second).all()
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".npy"]


def test_the_default_folder_is_cxrs_cache(paths: list[Path]) -> None:
    with progress_disabled():
        found = decode_all(paths, 16)
    root = Path(os.environ["CXR_CACHE_DIR"]) / "pixels"
    assert Path(found.pixels.filename).parent == root  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "change",
    [
        lambda paths: paths[2].write_bytes(paths[3].read_bytes()),
        lambda paths: os.utime(paths[2], ns=(0, 12345)),
        lambda paths: paths.reverse(),
        lambda paths: paths.pop(),
    ],
)
def test_any_change_of_the_files_decodes_again(
    change: Callable[[list[Path]], object], paths: list[Path], folder: Path, decoded: list[Path]
) -> None:
    run(paths, folder)
    before = len(decoded)
    change(paths)
    run(paths, folder)
    assert len(decoded) == before + len(paths)


def test_settings_and_versions_have_entries_of_their_own(
    paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = PixelCache(Path("unused")).key
    found = {keys(paths, (16, 16), "squish"), keys(paths, (16, 16), "pad")}
    found.add(keys(paths, (16, 17), "squish"))
    monkeypatch.setattr(cache, "PIXELS", cache.PIXELS + 1)
    found.add(keys(paths, (16, 16), "squish"))
    monkeypatch.setattr(cache, "version", lambda name: "0")
    found.add(keys(paths, (16, 16), "squish"))
    assert len(found) == 5


def only(folder: Path, suffix: str) -> Path:
    (path,) = folder.glob(f"*{suffix}")
    return path


def flip_last_pixel(folder: Path) -> None:
    data = bytearray(only(folder, ".npy").read_bytes())
    data[-1] ^= 1
    only(folder, ".npy").write_bytes(data)


def edit_record(folder: Path) -> None:
    path = only(folder, ".json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"errors": {"0": "x"}}))


def other_shape(folder: Path) -> None:
    np.save(only(folder, ".npy"), np.zeros((N, 8, 8), np.uint8))


@pytest.mark.parametrize(
    "damage",
    [
        flip_last_pixel,
        edit_record,
        other_shape,
        lambda folder: only(folder, ".npy").write_bytes(only(folder, ".npy").read_bytes()[:-1]),
        lambda folder: only(folder, ".npy").write_bytes(b""),
        lambda folder: only(folder, ".npy").unlink(),
        lambda folder: only(folder, ".json").write_text("{"),
        lambda folder: only(folder, ".json").write_text("[1]"),
        lambda folder: only(folder, ".json").write_bytes(b"\xff\xfe\x00"),
    ],
)
def test_a_damaged_entry_is_thrown_away_and_built_again(
    damage: Callable[[Path], object],
    paths: list[Path],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = run(paths, folder).copy()
    damage(folder)
    lines: list[str] = []
    monkeypatch.setattr(cache, "say", lines.append)
    assert (run(paths, folder) == expected).all()
    assert len(lines) == 1 and "damaged" in lines[0] and "\n" not in lines[0]
    assert (run(paths, folder) == expected).all()
    assert len(lines) == 1


def test_an_array_without_its_record_does_not_count(
    paths: list[Path], folder: Path, decoded: list[Path]
) -> None:
    run(paths, folder)
    only(folder, ".json").unlink()
    run(paths, folder)
    assert len(decoded) == 2 * N


def test_failures_are_kept_but_tried_again(
    paths: list[Path], folder: Path, monkeypatch: pytest.MonkeyPatch, decoded: list[Path]
) -> None:
    data = paths[1].read_bytes()
    paths[1].write_bytes(data[:50])
    status = paths[1].stat()
    with progress_disabled():
        first, second = (decode_all(paths, 16, cache_dir=folder) for _ in range(2))
    assert first.errors == second.errors and list(second.errors) == [1]
    assert len(decoded) == N + 1
    # The same size and time, yet readable now: as after a permission or a plug-in is put right.
    real = decode.load_grey
    monkeypatch.setattr(
        decode, "load_grey", lambda path, *rest: real(data if path == paths[1] else path, *rest)
    )
    assert paths[1].stat().st_mtime_ns == status.st_mtime_ns
    with progress_disabled():
        assert decode_all(paths, 16, cache_dir=folder).ok.all()


def test_a_full_disk_falls_back_to_memory(
    paths: list[Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run(paths, folder).copy()
    lines: list[str] = []
    monkeypatch.setattr(decode, "say", lines.append)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, "fsync", full)
    found = run(paths, folder, 17)
    assert not isinstance(found, np.memmap) and found.shape == (N, 17, 17)
    assert len(lines) == 1 and "disk full" in lines[0]
    assert not list(folder.glob(".*"))
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: os.terminal_size((0, 0)))
    assert (run(paths, folder) == expected).all()  # reading needs no room


def test_too_little_room_is_seen_before_decoding(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: Usage)
    with pytest.raises(StorageError, match="GB free"):
        PixelCache(folder).build("key", (1, 64, 64), iter(()))


def test_the_longest_unused_go_when_the_folder_is_full(
    paths: list[Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for size in (16, 17, 18):
        run(paths, folder, size)
    ages = {size: 1000 * size for size in (16, 17, 18)}
    for record in folder.glob("*.json"):
        size = json.loads(record.read_text())["shape"][1]
        os.utime(record, (ages[size], ages[size]))
    run(paths, folder, 16)  # used again: now the newest
    monkeypatch.setattr(cache, "MAX_CACHE_BYTES", 3 * (N * 20 * 20 + 128))
    run(paths, folder, 20)
    kept = sorted(json.loads(record.read_text())["shape"][1] for record in folder.glob("*.json"))
    assert kept == [16, 18, 20]
    assert len(list(folder.glob("*.npy"))) == 3


def test_what_crashed_runs_left_is_removed(paths: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, age in ((".old.npy.1.part", 2 * 24 * 3600), (".new.npy.2.part", 60)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age,) * 2)
    run(paths, folder)
    assert [path.name for path in folder.glob(".*.part")] == [".new.npy.2.part"]


def test_two_processes_at_once(paths: list[Path], folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from cxr.pixels import decode_all;"
        "found = decode_all([Path(p) for p in sys.argv[2:]], 16, cache_dir=Path(sys.argv[1]));"
        "print(int(found.pixels.sum()))"
    )
    command = [sys.executable, "-c", code, str(folder), *map(str, paths)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    sums = [int(process.communicate(timeout=60)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sums[0] == sums[1] == int(run(paths, folder).sum()) > 0
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".npy"]
