"""The cache, as a run sees it: what is decoded, what is said, what lies on disk."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr._io import progress_disabled
from cxr._io.files import sealed
from cxr.errors import StorageError
from cxr.find.phantom import PhantomSpec, render_image
from cxr.pixels import WHOLE, DecodedSet, LungFrame, decode, decode_all, load
from cxr.pixels.cache import maintenance as upkeep
from cxr.pixels.cache import record as kept
from cxr.pixels.cache import store as cache

N = 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "pixels"


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    (tmp_path / "images").mkdir()
    made = [tmp_path / "images" / f"{i}.png" for i in range(N)]
    for seed, path in enumerate(made):
        random_image(seed).save(path)
    return made


def random_image(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(1, 256, (20, 20), dtype=np.uint8))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files decoded so far."""
    seen: list[str] = []
    real = load.load_framed

    def counting(source: object, *rest: object, name: str = "") -> tuple[np.ndarray, LungFrame]:
        seen.append(Path(name or str(source)).name)
        return real(source, *rest, **({"name": name} if name else {}))  # type: ignore[arg-type]

    for module in (decode, load):
        monkeypatch.setattr(module, "load_framed", counting)
    return seen


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files read so far."""
    seen: list[str] = []
    real = decode.read_file

    def counting(path: Path) -> bytes:
        seen.append(path.name)
        return real(path)

    monkeypatch.setattr(decode, "read_file", counting)
    return seen


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a person is told."""
    said: list[str] = []
    for module in (cache, decode, upkeep):
        monkeypatch.setattr(module, "say", said.append)
    return said


def run(paths: list[Path], folder: Path, size: int = 16, method: str = "squish") -> DecodedSet:
    with progress_disabled():
        return decode_all(paths, size, method, cache_dir=folder)


def fresh(paths: list[Path], folder: Path) -> np.ndarray:
    """The right answer: decoded into another cache."""
    other = folder.with_name("other")
    shutil.rmtree(other, ignore_errors=True)
    return run(paths, other).pixels


def only(folder: Path, suffix: str) -> Path:
    (path,) = folder.glob(f"*{suffix}")
    return path


def test_the_second_run_reads_nothing(
    paths: list[Path], folder: Path, read: list[str], lines: list[str]
) -> None:
    first = run(paths, folder).pixels
    assert len(read) == N
    second = run(paths, folder).pixels
    assert len(read) == N and lines == []
    assert isinstance(second, np.memmap) and not second.flags.writeable
    assert (first == second).all()
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".list", ".npy"]
    assert (np.load(only(folder, ".npy")) == first).all()


def test_the_default_folder_is_cxrs_cache(paths: list[Path]) -> None:
    with progress_disabled():
        found = decode_all(paths, 16)
    root = Path(os.environ["CXR_CACHE_DIR"]) / "pixels"
    assert Path(found.pixels.filename).parent == root  # type: ignore[attr-defined]


def replace_two(paths: list[Path]) -> None:
    for seed, path in ((11, paths[1]), (13, paths[3])):
        random_image(seed).save(path)


@pytest.mark.parametrize(
    ("change", "read_again", "decoded_again"),
    [
        (replace_two, ["1.png", "3.png"], ["1.png", "3.png"]),
        (lambda paths: os.utime(paths[2], ns=(0, 12345)), ["2.png"], []),
        (lambda paths: paths[2].write_bytes(paths[3].read_bytes()), ["2.png"], []),
        (lambda paths: paths.reverse(), [], []),
        (lambda paths: paths.pop(1), [], []),
        (lambda paths: paths.append(paths[0].rename(paths[0].with_name("z.png"))), ["z.png"], []),
    ],
)
def test_only_what_is_new_is_decoded(
    change: Callable[[list[Path]], object],
    read_again: list[str],
    decoded_again: list[str],
    paths: list[Path],
    folder: Path,
    read: list[str],
    decoded: list[str],
    lines: list[str],
) -> None:
    run(paths, folder)
    read.clear(), decoded.clear()
    change(paths)
    paths[:] = [path for path in paths if path.exists()]
    found = run(paths, folder).pixels.copy()
    assert sorted(read) == read_again and sorted(decoded) == decoded_again
    n = len(paths)
    assert lines == [f"{n - len(decoded_again)} of {n} images come from the pixel cache"]
    assert (found == fresh(paths, folder)).all()
    run(paths, folder)
    assert len(lines) == 1 and sorted(decoded) == sorted([*decoded_again, *(p.name for p in paths)])


def test_a_moved_folder_finds_its_pixels(
    paths: list[Path], folder: Path, decoded: list[str]
) -> None:
    before = run(paths, folder).pixels.copy()
    moved = paths[0].parent.rename(paths[0].parent.with_name("moved"))
    after = run([moved / path.name for path in paths], folder).pixels
    assert len(decoded) == N and (before == after).all()
    assert len(list(folder.glob("*.npy"))) == 1 and len(list(folder.glob("*.list"))) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no time of the entry's change")
def test_another_file_of_the_same_size_and_date_is_noticed(paths: list[Path], folder: Path) -> None:
    images = [path.with_suffix(".bmp") for path in paths]
    for seed, path in enumerate(images):
        random_image(seed).save(path)
    before = run(images, folder).pixels.copy()
    one, two = images[:2]
    contents, status = (one.read_bytes(), two.read_bytes()), one.stat()
    assert len(contents[0]) == len(contents[1])
    for path, content in zip((one, two), contents[::-1], strict=True):
        dates = path.stat()
        path.write_bytes(content)
        os.utime(path, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    assert (one.stat().st_size, one.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    after = run(images, folder).pixels
    assert (after[[1, 0]] == before[:2]).all() and (after[2:] == before[2:]).all()


def test_the_same_bytes_under_another_name_are_read_as_load_grey_does(
    tmp_path: Path, folder: Path, shared_data: Path
) -> None:
    """Without its preamble a DICOM file is one by its name alone."""
    data = next((shared_data / "dicom").rglob("*.dcm")).read_bytes()
    named, unnamed = tmp_path / "a.dcm", tmp_path / "a.bin"
    for path in (named, unnamed):
        path.write_bytes(data[132:])
    assert run([named], folder).ok.all()
    assert not run([unnamed], folder).ok.any()


def test_settings_and_versions_have_sets_of_their_own(
    paths: list[Path],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    decoded: list[str],
    lines: list[str],
) -> None:
    for size, method in ((16, "squish"), (16, "pad"), (17, "squish")):
        run(paths, folder, size, method)
    assert len(decoded) == 3 * N and lines == []
    before = kept.PIXELS
    monkeypatch.setattr(kept, "PIXELS", "changed")
    run(paths, folder)
    assert len(decoded) == 4 * N
    said = f"made with other versions (pixels {before}, now changed); decoding again"
    assert len(lines) == 1 and said in lines[0]
    run(paths, folder)
    assert len(decoded) == 4 * N and len(lines) == 1


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def flip_last_pixel(folder: Path) -> None:
    data = bytearray(only(folder, ".npy").read_bytes())
    data[-1] ^= 1
    only(folder, ".npy").write_bytes(data)


def noise_in_the_pixels(folder: Path) -> None:
    data = only(folder, ".npy").read_bytes()
    noise = np.random.default_rng(0).bytes(len(data) - 128)
    only(folder, ".npy").write_bytes(data[:128] + noise)


def noise_throughout(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_bytes(np.random.default_rng(1).bytes(path.stat().st_size))


def edit_record(folder: Path) -> None:
    path = only(folder, ".json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"errors": {"0": "x"}}))


def other_list(folder: Path) -> None:
    path = only(folder, ".list")
    path.write_text(sealed({"set": "../../images/0", "files": []}))


def other_shape(folder: Path) -> None:
    np.save(only(folder, ".npy"), np.zeros((N, 8, 8), np.uint8))


@pytest.mark.parametrize(
    ("damage", "decoded_again"),
    [
        (flip_last_pixel, 1),
        (noise_in_the_pixels, N),
        (noise_throughout, N),
        (other_shape, N),
        (lambda folder: write(only(folder, ".npy"), only(folder, ".npy").read_bytes()[:-1]), N),
        (lambda folder: write(only(folder, ".npy"), only(folder, ".npy").read_bytes() + b"x"), N),
        (lambda folder: write(only(folder, ".npy"), b""), N),
        (lambda folder: only(folder, ".npy").unlink(), N),
        (edit_record, N),
        (lambda folder: write(only(folder, ".json"), b"{"), N),
        (lambda folder: write(only(folder, ".json"), b"[1]"), N),
        (lambda folder: write(only(folder, ".json"), b"\xff\xfe\x00"), N),
        (other_list, 0),
        (lambda folder: write(only(folder, ".list"), b"{}"), 0),
        (lambda folder: write(only(folder, ".list"), b"\x00\xff"), 0),
    ],
)
def test_damage_is_said_and_mended(
    damage: Callable[[Path], object],
    decoded_again: int,
    paths: list[Path],
    folder: Path,
    lines: list[str],
    decoded: list[str],
) -> None:
    expected = run(paths, folder).pixels.copy()
    decoded.clear()
    damage(folder)
    assert (run(paths, folder).pixels == expected).all()
    assert len(decoded) == decoded_again
    assert "damaged" in lines[0] and "\n" not in "".join(lines)
    assert all("damaged" in line or "come from the pixel cache" in line for line in lines)
    assert len(lines) <= 2  # one a damaged file
    lines.clear()
    assert (run(paths, folder).pixels == expected).all()
    assert len(decoded) == decoded_again and lines == []


def test_of_a_large_set_a_part_is_summed(
    paths: list[Path], folder: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    run(paths, folder)
    monkeypatch.setattr(kept, "MAX_VERIFIED_BYTES", 2 * 16 * 16)  # the first and the last
    flip_last_pixel(folder)
    run(paths, folder)
    assert lines[0].startswith("1 of 5 images in the pixel cache")


def test_sets_that_change_places_are_noticed(
    paths: list[Path], folder: Path, lines: list[str]
) -> None:
    one, two = run(paths, folder).pixels.copy(), run(paths[::-1], folder).pixels.copy()
    first, second = sorted(path.stem for path in folder.glob("*.json"))
    for kind in ("npy", "json"):
        (folder / f"{first}.{kind}").rename(folder / "x")
        (folder / f"{second}.{kind}").rename(folder / f"{first}.{kind}")
        (folder / "x").rename(folder / f"{second}.{kind}")
    lines.clear()
    assert (run(paths, folder).pixels == one).all()
    assert (run(paths[::-1], folder).pixels == two).all()
    assert ["renamed" in line for line in lines] == [True, True, False]


def test_a_list_under_another_name_leads_nowhere(
    paths: list[Path], folder: Path, decoded: list[str]
) -> None:
    run(paths, folder)
    (mine,) = folder.glob("*.list")
    run(paths[:2], folder)
    other = next(path for path in folder.glob("*.list") if path != mine)
    other.replace(mine)
    assert len(run(paths, folder)) == N and len(decoded) == N


def test_pixels_without_their_record_do_not_count(
    paths: list[Path], folder: Path, decoded: list[str], lines: list[str]
) -> None:
    run(paths, folder)
    only(folder, ".json").unlink()
    run(paths, folder)
    assert len(decoded) == 2 * N and lines == []


def test_failures_are_kept_but_tried_again(
    paths: list[Path], folder: Path, monkeypatch: pytest.MonkeyPatch, decoded: list[str]
) -> None:
    data = paths[1].read_bytes()
    paths[1].write_bytes(data[:50])
    first, second = (run(paths, folder) for _ in range(2))
    assert first.errors == second.errors and list(second.errors) == [1]
    assert len(decoded) == N + 1
    # The same file, yet readable now: as after a permission or a plug-in is put right.
    real = load.load_framed
    for module in (decode, load):
        monkeypatch.setattr(
            module,
            "load_framed",
            lambda source, *rest, **name: real(
                data if "1.png" in f"{source}{name}" else source, *rest
            ),
        )
    third = run(paths, folder)
    assert third.ok.all() and third.pixels[1].all() and len(decoded) == N + 3
    assert (third.pixels[[0, 2, 3, 4]] == first.pixels[[0, 2, 3, 4]]).all()
    assert run(paths, folder).ok.all() and len(decoded) == N + 3


def test_why_a_file_fails_is_said_as_it_is_now(paths: list[Path], folder: Path) -> None:
    data = paths[1].read_bytes()
    paths[1].unlink()
    assert "no such file" in run(paths, folder).errors[1]
    paths[1].write_bytes(b"text")
    assert "no known signature" in run(paths, folder).errors[1]
    paths[1].write_bytes(data)
    assert run(paths, folder).ok.all()


def full(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_fills_up_leaves_no_junk(
    paths: list[Path], folder: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    expected = run(paths, folder).pixels.copy()
    before = sorted(folder.iterdir())
    monkeypatch.setattr(kept.os, "fsync", full)
    found = run(paths, folder, 17).pixels
    assert not isinstance(found, np.memmap) and found.shape == (N, 17, 17)
    assert len(lines) == 1 and "in memory for this run" in lines[0] and "disk full" in lines[0]
    assert sorted(folder.iterdir()) == before
    monkeypatch.setattr(shutil, "disk_usage", lambda path: os.terminal_size((0, 0)))
    assert (run(paths, folder).pixels == expected).all()  # reading needs no room


@pytest.mark.parametrize("writer", ["write_record", "write_text"])
def test_a_disk_that_is_full_at_the_very_end(
    writer: str,
    paths: list[Path],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[str],
) -> None:
    monkeypatch.setattr(cache, writer, lambda path, values: full(0))
    assert run(paths, folder).ok.all()
    assert len(lines) == 1 and "in memory" in lines[0]
    kinds = {path.suffix for path in folder.iterdir()}
    assert kinds == (set() if writer == "write_record" else {".npy", ".json"})


def test_a_read_only_cache_is_read(
    paths: list[Path], folder: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    expected = run(paths, folder).pixels.copy()

    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(cache.os, "utime", read_only)
    monkeypatch.setattr(cache, "write_pixels", read_only)
    assert (run(paths, folder).pixels == expected).all() and lines == []
    found = run([*paths, paths[0]], folder).pixels
    assert (found == expected[[*range(N), 0]]).all()
    assert len(lines) == 2 and "cannot write" in lines[0] and "Read-only" in lines[0]
    assert lines[1] == "6 of 6 images come from the pixel cache"


def test_too_little_room_is_seen_before_decoding(
    paths: list[Path],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    decoded: list[str],
) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage)
    monkeypatch.setattr(decode, "available_memory", lambda: 1279)
    with pytest.raises(StorageError, match=r"0.0 MB free, the pixels need 0.0 MB.* nor memory \(0"):
        run(paths, folder)
    assert decoded == []
    monkeypatch.setattr(decode, "available_memory", lambda: N * 16 * 16)
    assert run(paths, folder).ok.all()


def test_the_longest_unused_go_when_the_folder_is_full(
    paths: list[Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def record_of(size: int) -> Path:
        sizes = {path: kept.read_record(path).settings.shape[0] for path in folder.glob("*.json")}
        return next(path for path in sizes if sizes[path] == size)

    for size in (16, 17, 18):
        run(paths, folder, size)
        name = record_of(size).stem
        leads = [path for path in folder.glob("*.list") if name in path.read_text()]
        for path in (*folder.glob(f"{name}.*"), *leads):
            os.utime(path, (1000 * size,) * 2)
    run(paths, folder, 16)  # used again: now the newest
    room = 2 * upkeep.used_bytes(folder) // 3 + 20 * 20 * N + 500
    monkeypatch.setattr(cache, "MAX_CACHE_BYTES", room)
    run(paths, folder, 20)
    sizes = sorted(found.shape[0] for found in upkeep.cached_sets(folder) if found.shape)
    assert sizes == [16, 18, 20]
    assert len(list(folder.glob("*.npy"))) == len(list(folder.glob("*.list"))) == 3


def test_one_worker_is_enough(paths: list[Path], folder: Path) -> None:
    with progress_disabled():
        one = decode_all(paths, 16, cache_dir=folder, workers=1)
        again = decode_all(paths, 16, cache_dir=folder, workers=1)
    assert (one.pixels == fresh(paths, folder)).all() and (again.pixels == one.pixels).all()


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
    assert sums[0] == sums[1] == int(run(paths, folder).pixels.sum()) > 0
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".list", ".npy"]


def chests(folder: Path) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{patient}.png" for patient in range(4)]
    for patient, path in enumerate(paths):
        Image.fromarray(render_image(patient, spec=PhantomSpec(size=64)).pixels).save(path)
    return paths


def test_frames_are_kept_with_the_pixels(
    tmp_path: Path, folder: Path, decoded: list[str], lines: list[str]
) -> None:
    paths = chests(tmp_path / "chests")
    with progress_disabled():
        first = decode_all(paths, 16, frame="lungs", cache_dir=folder)
        second = decode_all(paths, 16, frame="lungs", cache_dir=folder)
        assert len(decoded) == 4
        part = decode_all(paths[2:], 16, frame="lungs", cache_dir=folder)
    assert len(decoded) == 4 and lines == ["2 of 2 images come from the pixel cache"]
    for path, pixels, row in zip(paths, first.pixels, first.frames, strict=True):
        grey, frame = load.load_framed(path, 16, "squish", "lungs")
        assert (grey == pixels).all() and LungFrame.of_row(row) == frame
    assert (first.frames == second.frames).all() and first.frames.dtype == np.float32
    assert (first.pixels[2:] == part.pixels).all() and (first.frames[2:] == part.frames).all()


def test_each_frame_has_its_own_pixels(tmp_path: Path, folder: Path, decoded: list[str]) -> None:
    paths = chests(tmp_path / "chests")
    with progress_disabled():
        lungs = decode_all(paths, 16, frame="lungs", cache_dir=folder)
        whole = decode_all(paths, 16, cache_dir=folder)
    assert len(decoded) == 8 and whole.frames is None
    assert (whole.pixels == fresh(paths, folder)).all()
    assert lungs.frames.shape == (4, 6)
    assert all(one.state == "ready" for one in upkeep.cached_sets(folder))


def test_another_locator_finds_its_frames_anew(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    paths = chests(tmp_path / "chests")
    with progress_disabled():
        decode_all(paths, 16, frame="lungs", cache_dir=folder)
        monkeypatch.setattr(kept, "locator_version", lambda: "newer")
        decode_all(paths, 16, frame="lungs", cache_dir=folder)
    assert len(lines) == 1 and "now newer" in lines[0]


def test_an_unreadable_image_has_the_whole_frame(tmp_path: Path, folder: Path) -> None:
    paths = chests(tmp_path / "chests")
    paths[1].write_bytes(b"no image")
    with progress_disabled():
        found = decode_all(paths, 16, frame="lungs", cache_dir=folder)
    assert list(found.errors) == [1] and LungFrame.of_row(found.frames[1]) == WHOLE


def test_whole_images_keep_the_names_of_their_sets(paths: list[Path], folder: Path) -> None:
    """What was decoded before there were frames need not be decoded again."""
    settings = kept.DecodeSettings((16, 16), "squish", {"pixels": "2"})
    known = [2, {"shape": [16, 16], "method": "squish", "versions": {"pixels": "2"}}, "a", "b"]
    digits = hashlib.sha256(json.dumps(known).encode()).hexdigest()[:32]
    assert kept.set_name(settings, "ab") == f"2-{digits}"
    run(paths, folder)
    assert {path.name[:2] for path in folder.iterdir()} == {"2-"}
