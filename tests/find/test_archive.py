"""Unpacking: whole or not at all. Hostile archives are in tests/attacks."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from cxr.errors import DownloadError, StorageError, UsageError
from cxr.find.archive import is_junk, unzip

FILES = {
    "chest_xray/train/NORMAL/IM-0001.jpeg": bytes(range(256)) * 20,
    "chest_xray/train/PNEUMONIA/person1_virus_1.jpeg": b"",
    "chest_xray/nested.zip": b"PK\x03\x04 stays closed",
    "chest_xray/épreuve à part.txt": b"names in any language",
}
JUNK = {
    "__MACOSX/chest_xray/._train": b"x",
    "chest_xray/__MACOSX/._x": b"x",
    "chest_xray/train/.DS_Store": b"x",
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.mkdir("chest_xray")
        for name, content in (FILES | JUNK).items():
            zipped.writestr(name, content)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_what_went_in_comes_out_without_junk(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "a" / "out"
    assert unzip(archive, out) == out
    assert contents(out) == FILES
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_into_an_empty_folder(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert contents(unzip(archive, tmp_path / "out")) == FILES


def test_not_into_a_folder_with_something_in_it(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        unzip(archive, tmp_path / "out")
    assert contents(tmp_path / "out") == {"mine.txt": b"mine"}


def test_not_onto_a_file(archive: Path) -> None:
    with pytest.raises(UsageError, match="not a folder"):
        unzip(archive, archive)


def test_no_archive(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.zip is not a file"):
        unzip(tmp_path / "nothing.zip", tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06", b"\x1f\x8b" + b"x" * 500])
def test_what_is_no_zip(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.zip").write_bytes(content)
    with pytest.raises(DownloadError, match="damaged or not a zip"):
        unzip(tmp_path / "data.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_cut_zip(archive: Path, tmp_path: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(DownloadError, match="damaged"):
        unzip(archive, tmp_path / "out")


def test_one_flipped_bit_leaves_nothing(tmp_path: Path) -> None:
    archive = tmp_path / "data.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("first.txt", b"good")
        zipped.writestr("second.txt", b"SECOND")
    archive.write_bytes(archive.read_bytes().replace(b"SECOND", b"SECONE"))
    with pytest.raises(DownloadError, match="Bad CRC-32"):
        unzip(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["data.zip"]


def test_no_room_is_seen_first(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=5000))
    with pytest.raises(StorageError, match="free some space"):
        unzip(archive, tmp_path / "out")


def test_junk() -> None:
    assert is_junk("a/.DS_Store") and is_junk("__MACOSX/x") and is_junk("a/__MACOSX/")
    assert not is_junk("a/DS_Store") and not is_junk("MACOSX/x.jpeg") and not is_junk("")
