"""Zip archives in which nothing is hidden: every member stored as it is, one behind another, and
nothing before, between or after them. Model files are such archives, and so are the .npz in them.
"""

from __future__ import annotations

import struct
import zipfile
from typing import BinaryIO

END, END_BYTES = b"PK\x05\x06", 22
LOCATOR, LOCATOR_BYTES = b"PK\x06\x07", 20
END64, END64_BYTES = b"PK\x06\x06", 56
HEADER, HEADER_BYTES = b"PK\x03\x04", 30
BYTES_A_MEMBER = 1024  # of the list of members; longer names or notes are nobody's who means well
# What zipfile raises for one damaged archive or another; OSError for a seek before the start.
DAMAGED = (
    zipfile.BadZipFile,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
)


def check_list(file: BinaryIO, most: int) -> None:
    """Raises ValueError when `file` is not a plain archive of at most `most` members.

    To be called before zipfile opens it, which takes memory for as many as are claimed.
    """
    size = file.seek(0, 2)
    if size < END_BYTES:
        raise ValueError("it is too short for an archive")
    length = min(size, END_BYTES + LOCATOR_BYTES + END64_BYTES)
    file.seek(size - length)
    tail = file.read(length)
    end = tail[-END_BYTES:]
    if not end.startswith(END) or end[-2:] != b"\0\0":
        raise ValueError("it does not end as an archive does: cut off, or something was added")
    disks, here, members, n_bytes = struct.unpack("<LHHL", end[4:16])
    if disks or here != members:
        raise ValueError("it says that it goes on in another file")
    if tail[-END_BYTES - LOCATOR_BYTES :].startswith(LOCATOR):  # more than 2 GB
        if not tail.startswith(END64):
            raise ValueError("its list of members is damaged")
        members, n_bytes = struct.unpack("<QQ", tail[32:48])
    if members > most or n_bytes > most * BYTES_A_MEMBER:
        raise ValueError(f"it lists {members:,} members in {n_bytes:,} bytes, too many")


def check_layout(archive: zipfile.ZipFile, file: BinaryIO) -> None:
    """Raises ValueError unless the members fill `file` up to their list, in whatever order."""
    at = 0
    for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
        if info.header_offset != at:
            raise ValueError(f"something stands before {info.filename!r} that belongs to no member")
        file.seek(at)
        header = file.read(HEADER_BYTES)
        if not header.startswith(HEADER):
            raise ValueError(f"{info.filename!r} does not begin as a member does")
        at += HEADER_BYTES + sum(struct.unpack("<HH", header[26:30])) + info.compress_size
    if at != archive.start_dir:
        raise ValueError("something stands before the list of members that belongs to none")
