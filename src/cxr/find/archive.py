"""Unpacks a zip that nobody has vouched for: everything is checked before a byte is written."""

from __future__ import annotations

import errno
import stat
import struct
import unicodedata
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from .._io import Progress, atomic_path
from .._io.files import require_room
from ..errors import DownloadError, UsageError

GB = 1_000_000_000
CHUNK = 1 << 20
ELSEWHERE = "free some space or choose another disk"
DIRECTORY_BYTES_PER_FILE = 512  # a central directory entry is 46 bytes, its name and some extras
DEVICES = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³"
}
BAD_CHARACTERS = frozenset('<>:"|?*\\')
BROKEN_ZIP = (
    zipfile.BadZipFile,  # also a wrong CRC
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    IndexError,
)


def unzip(
    archive: Path | str,
    folder: Path | str,
    *,
    max_bytes: int = 100 * GB,
    max_files: int = 500_000,
    max_ratio: float = 100.0,
) -> Path:
    """Unpack `archive` into `folder` (new or empty) and return it; whole or not at all.

    `max_bytes` bounds the unpacked size, `max_files` the number of entries, `max_ratio` unpacked
    over packed bytes (X-rays are compressed already: about 1). Archives inside are left closed;
    `__MACOSX` and `.DS_Store` are left out.

    Raises UsageError (folder not empty), DownloadError (damaged or unsafe archive), StorageError.
    """
    archive, folder = Path(archive), Path(folder)
    if not archive.is_file():
        raise UsageError(f"{archive} is not a file; give the path of a zip")
    require_empty(folder)
    try:
        _check_directory_size(archive, max_files)
        with zipfile.ZipFile(archive) as zipped:
            members = zipped.infolist()
            _check_amount(archive, members, max_bytes, max_files, max_ratio)
            wanted = [member for member in members if not is_junk(member.filename)]
            _check_names(archive, wanted)
            _check_kinds(archive, wanted)
            need = sum(member.file_size for member in wanted)
            require_room(folder.parent, need, "unpacking needs", ELSEWHERE)
            with atomic_path(folder) as temporary:
                _extract(zipped, wanted, temporary)
                remove_empty(folder)
    except BROKEN_ZIP as error:
        raise _refused(archive, f"damaged or not a zip ({error})") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # that is what a nonsense offset ends in
            raise
        raise _refused(archive, "damaged or not a zip (an offset outside the file)") from error
    return folder


def require_empty(folder: Path) -> None:
    """Raises UsageError unless `folder` is absent or an empty folder."""
    if folder.is_dir():
        if any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty; name a new folder or empty this one first")
    elif folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder} is not a folder; name a new one")


def remove_empty(folder: Path) -> None:
    """Makes way for a rename: Windows renames onto nothing, not even onto an empty folder."""
    if folder.is_dir():
        folder.rmdir()


def is_junk(name: str) -> bool:
    """What macOS leaves in archives."""
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or parts[-1:] == (".DS_Store",)


def _refused(archive: Path, why: str) -> DownloadError:
    return DownloadError(f"{archive.name} is refused: {why}; nothing was unpacked")


def _check_directory_size(archive: Path, max_files: int) -> None:
    """zipfile reads the whole list of entries into memory, so its length is looked at first."""
    with archive.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(max(0, end - 76 - 22 - 65_535))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise zipfile.BadZipFile("it does not end as a zip does")
    size = int.from_bytes(tail[at + 12 : at + 16], "little")
    zip64 = tail[max(0, at - 76) : at]  # record and locator
    if zip64[:4] == b"PK\x06\x06" and zip64[56:60] == b"PK\x06\x07":
        size = int.from_bytes(zip64[40:48], "little")
    if size > max_files * DIRECTORY_BYTES_PER_FILE:
        raise _refused(
            archive, f"its list of files has {size:,} bytes, for {max_files:,} files at most"
        )


def _check_amount(
    archive: Path,
    members: list[zipfile.ZipInfo],
    max_bytes: int,
    max_files: int,
    max_ratio: float,
) -> None:
    unpacked = sum(member.file_size for member in members)
    packed = archive.stat().st_size
    if len(members) > max_files:
        raise _refused(
            archive, f"it holds {len(members):,} files, at most {max_files:,} are allowed"
        )
    if unpacked > max_bytes:
        raise _refused(
            archive, f"it unpacks to {unpacked:,} bytes, at most {max_bytes:,} are allowed"
        )
    # Against the size of the archive, not of its entries: those may share the same bytes.
    if unpacked > max_ratio * packed:
        raise _refused(
            archive,
            f"it unpacks to {unpacked / packed:,.0f} times its size, at most "
            f"{max_ratio:,.0f} times is allowed",
        )


def _check_names(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    files: set[str] = set()
    folders: set[str] = set()
    for member in members:
        # Both names: zipfile cuts `filename` at a null byte, turns backslashes on Windows and may
        # take it from an extra field.
        for name in (member.orig_filename, member.filename):
            if why := _unsafe(name):
                raise _refused(archive, f"{name[:200]!r} {why}")
        # Compared as Windows and macOS do: letter case and composition of accents don't count.
        key = unicodedata.normalize("NFC", member.filename.rstrip("/")).casefold()
        folders.update(parent.as_posix() for parent in PurePosixPath(key).parents)
        if member.is_dir():
            folders.add(key)
        elif key in files:
            raise _refused(archive, f"{member.filename[:200]!r} is in it twice")
        else:
            files.add(key)
    if both := files & folders:
        raise _refused(archive, f"{min(both)[:200]!r} is both a file and a folder")


def _unsafe(name: str) -> str:
    """Why this name may not be written on some system; empty when it may on all."""
    if not name or name.startswith("/") or BAD_CHARACTERS & set(name):
        return "is an absolute path or has characters that a file name may not have"
    if len(name) > 1000 or not name.isprintable():
        return "is too long or has characters that cannot be shown"
    return next((why for part in name.removesuffix("/").split("/") if (why := _bad_part(part))), "")


def _bad_part(part: str) -> str:
    if part in ("", ".", ".."):
        return "leads out of the folder or nowhere"
    if len(part.encode("utf-8", "surrogatepass")) > 255 or part[-1] in ". ":
        return "has a part that is too long or ends in a dot or a space"
    if part.split(".")[0].rstrip().casefold() in DEVICES:
        return "is the name of a device on Windows"
    return ""


def _check_kinds(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    for member in members:
        name = repr(member.filename[:200])
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (
            member.is_dir() and (kind == stat.S_IFREG or member.file_size)
        ):
            raise _refused(archive, f"{name} is a link or not a plain file")
        if member.flag_bits & 0x41:
            raise _refused(archive, f"{name} is encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _refused(archive, f"{name} uses compression method {member.compress_type}")


def _extract(zipped: zipfile.ZipFile, members: list[zipfile.ZipInfo], folder: Path) -> None:
    folder.mkdir()
    files = [member for member in members if not member.is_dir()]
    with Progress("unpacking", total=len(files), unit="files") as bar:
        for member in files:
            target = folder.joinpath(*member.filename.split("/"))
            target.parent.mkdir(parents=True, exist_ok=True)
            _extract_one(zipped, member, target)
            bar.advance()


def _extract_one(zipped: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    left = member.file_size
    with zipped.open(member) as source, target.open("xb") as file:
        while chunk := source.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                break
            file.write(chunk)
    if left:
        raise zipfile.BadZipFile(f"{member.filename[:200]!r} does not have the size it declares")
