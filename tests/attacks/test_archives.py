"""Zips made to write elsewhere, fill the disk or confuse: refused, and nothing is left."""

from __future__ import annotations

import random
import stat
import struct
import unicodedata
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

import pytest

from cxr.errors import CxrError, DownloadError
from cxr.find.archive import unzip


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    (tmp_path / "room").mkdir()
    return tmp_path / "room" / "evil.zip"


def refused(archive: Path, match: str, **limits: float) -> None:
    """unzip refuses, in one line, and the folder around holds the archive alone."""
    with pytest.raises(DownloadError, match=match) as caught:
        unzip(archive, archive.parent / "out", **limits)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    around = {path.relative_to(archive.parents[1]).as_posix() for path in _all(archive.parents[1])}
    assert around == {"room", "room/evil.zip"}


def _all(folder: Path) -> list[Path]:
    return list(folder.rglob("*"))


def member(name: str) -> zipfile.ZipInfo:
    """An entry with exactly this name: zipfile would tidy it."""
    info = zipfile.ZipInfo("x")
    info.filename = name
    return info


def write(archive: Path, *members: zipfile.ZipInfo, content: bytes = b"pwned") -> None:
    with zipfile.ZipFile(archive, "w") as zipped:
        for info in members:
            zipped.writestr(info, b"" if info.filename.endswith("/") else content)


@pytest.mark.parametrize(
    "name",
    [
        "../evil.txt",
        "good/../../evil.txt",
        "..",
        "good/..",
        "./evil.txt",
        "good//evil.txt",
        "/etc/evil.txt",
        "//server/share/evil.txt",
        "C:/evil.txt",
        "C:evil.txt",
        "\\evil.txt",
        "..\\evil.txt",
        "good\\..\\..\\evil.txt",
        "good.txt:stream",
        "evil\x00.txt",
        "evil\n.txt",
        "evil\x1b[2J.txt",
        "evil\u202egpj.exe",  # writes from right to left
        "CON",
        "nul.txt",
        "good/Aux.jpeg",
        "com1",
        "LPT9.tar.gz",
        "CONIN$",
        "COM¹.txt",
        "nul .txt",
        "evil.",
        "evil ",
        "evil./good.txt",
        "a" * 300,
        "é" * 150,
        "a/" * 600 + "b",
        "what?.txt",
        "a|b",
        "../",
        "/",
    ],
)
def test_names_that_lead_elsewhere(archive: Path, name: str) -> None:
    write(archive, member("good.txt"), member(name))
    refused(archive, "is refused")


@pytest.mark.parametrize(
    "names",
    [
        ("a.txt", "a.txt"),
        ("a.txt", "A.TXT"),
        ("é.txt", unicodedata.normalize("NFD", "é.txt")),
        ("straße.txt", "STRASSE.txt"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_are_one_file_on_some_system(archive: Path, names: tuple[str, str]) -> None:
    write(archive, *map(member, names))
    refused(archive, "is in it twice")


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "A"), ("a/b/c", "a/b"), ("x", "x/")])
def test_a_name_that_is_file_and_folder(archive: Path, names: tuple[str, str]) -> None:
    write(archive, *map(member, names))
    refused(archive, "both a file and a folder")


def test_a_unicode_name_in_an_extra_field_changes_nothing(archive: Path) -> None:
    evil = b"../evil.txt"
    info = member("good.txt")
    extra = struct.pack("<BI", 1, zlib.crc32(b"good.txt")) + evil
    info.extra = struct.pack("<HH", 0x7075, len(extra)) + extra
    write(archive, info)
    with suppress(DownloadError):  # from Pythons that read the field
        unzip(archive, archive.parent / "out")
    written = {path.relative_to(archive.parents[1]).as_posix() for path in _all(archive.parents[1])}
    assert written <= {"room", "room/evil.zip", "room/out", "room/out/good.txt"}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices(archive: Path, kind: int) -> None:
    link = member("link")
    link.external_attr = (kind | 0o777) << 16
    write(archive, link, content=b"/etc/passwd")
    refused(archive, "link or not a plain file")


def test_a_link_and_a_file_through_it(archive: Path) -> None:
    link = member("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    write(archive, member("link/evil.txt"), link, content=b"..")
    refused(archive, "both a file and a folder|link")


def test_a_folder_with_contents(archive: Path) -> None:
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr(member("folder/"), b"hidden")
    refused(archive, "not a plain file")


def test_setuid_is_not_kept(archive: Path) -> None:
    info = member("tool")
    info.external_attr = (stat.S_IFREG | 0o6777) << 16
    write(archive, info)
    mode = (unzip(archive, archive.parent / "out") / "tool").stat().st_mode
    assert not mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH)


def test_an_encrypted_member(archive: Path) -> None:
    write(archive, member("secret.txt"))
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    refused(archive, "'secret.txt' is encrypted; nothing")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression(archive: Path, method: int) -> None:
    with zipfile.ZipFile(archive, "w", method) as zipped:
        zipped.writestr("a.txt", b"x" * 1000)
    refused(archive, "compression method")


def test_a_bomb_by_ratio(archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("zeros", bytes(10_000_000))
    refused(archive, "times its size")


def test_a_bomb_by_size_and_by_count(archive: Path) -> None:
    write(archive, *(member(f"{number}.txt") for number in range(11)), content=b"12345")
    refused(archive, "unpacks to 55 bytes, at most 54 are allowed", max_bytes=54)
    refused(archive, "holds 11 files, at most 10 are allowed", max_files=10)
    unzip(archive, archive.parent / "out", max_bytes=55, max_files=11)


def test_a_bomb_of_overlapping_files(archive: Path) -> None:
    """Many entries that share the same compressed bytes: each alone looks harmless."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("0000", bytes(50_000) + random.Random(1).randbytes(1000))
    content = archive.read_bytes()
    entry = content[content.index(b"PK\x01\x02") : content.index(b"PK\x05\x06")]
    entries = b"".join(entry.replace(b"0000", b"%04d" % number) for number in range(3000))
    start = content.index(b"PK\x01\x02")
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 3000, 3000, len(entries), start, 0)
    archive.write_bytes(content[:start] + entries + end)
    refused(archive, "times its size")


def test_a_bomb_that_understates_its_size(archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("zeros", bytes(1_000_000))
    true, lie = struct.pack("<I", 1_000_000), struct.pack("<I", 1000)
    archive.write_bytes(archive.read_bytes().replace(true, lie))
    refused(archive, "damaged")


def test_a_file_that_overstates_its_size(archive: Path) -> None:
    write(archive, member("a.txt"), content=b"x" * 777)
    true, lie = struct.pack("<II", 777, 777), struct.pack("<II", 777, 999)
    archive.write_bytes(archive.read_bytes().replace(true, lie))
    refused(archive, "damaged")


def _listed(size: int, *, zip64: bool) -> bytes:
    """The end of a zip whose list of files is said to be `size` bytes long."""
    if not zip64:
        return struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, size, 0, 0)
    record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, size, 0)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, 0, 1)
    return record + locator + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, 46, 0, 0)


@pytest.mark.parametrize("zip64", [False, True])
def test_a_list_of_files_that_would_fill_the_memory(
    archive: Path, zip64: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.write_bytes(_listed(3_000_000_000, zip64=zip64))
    # zipfile would read the list at once, so it must not even be asked.
    monkeypatch.setattr(zipfile, "ZipFile", None)
    refused(archive, "its list of files")


def test_archives_inside_stay_closed(archive: Path) -> None:
    write(archive, member("evil.txt"))
    inner = archive.read_bytes()
    write(archive, member("inner.zip"), content=inner)
    out = unzip(archive, archive.parent / "out")
    assert [path.name for path in _all(out)] == ["inner.zip"]
    assert (out / "inner.zip").read_bytes() == inner


def test_damaged_bytes_anywhere(archive: Path) -> None:
    """Whatever is changed, the answer is a whole folder or one CxrError."""
    rng = random.Random(42)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("a/one.txt", b"one" * 50)
        zipped.writestr("a/two.txt", rng.randbytes(200))
    good = archive.read_bytes()
    outcomes = {"whole": 0, "refused": 0}
    for turn in range(200):
        content = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        archive.write_bytes(content)
        out = archive.parents[1] / f"out{turn}"
        try:
            unzip(archive, out)
            outcomes["whole"] += 1
        except CxrError:
            assert not out.exists()
            outcomes["refused"] += 1
    assert all(outcomes.values())
    assert len(list(archive.parents[1].iterdir())) == 1 + outcomes["whole"]
    assert [path.name for path in archive.parent.iterdir()] == ["evil.zip"]
