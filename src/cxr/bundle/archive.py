"""Zip archives in which nothing is hidden, and the .npz files in them.

Every member is stored as it is, one behind another, with nothing before, between or after them.
NumPy's own reader of .npz allocates whatever a header claims before it looks at how much is there;
here an array is as large as its bytes, or refused.
"""

from __future__ import annotations

import io
import struct
import zipfile
from math import prod
from typing import BinaryIO

import numpy as np

from ..errors import BundleError

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
MAX_ARRAYS = 64
SUFFIX = ".npy"
Arrays = dict[str, np.ndarray]


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


def npz_bytes(arrays: Arrays) -> bytes:
    """An uncompressed .npz: the same bytes for the same arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def read_npz(data: bytes, name: str) -> Arrays:
    """The arrays by name, copied out of `data`. `name` is the member's, for the message.

    Raises BundleError for anything but a plain .npz: compressed, an array twice, objects (which
    are pickles), a shape that is not that of the bytes.
    """
    try:
        file = io.BytesIO(data)
        check_list(file, MAX_ARRAYS)
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
                raise ValueError("it is compressed")
            if len({info.filename for info in infos}) != len(infos):
                raise ValueError("an array is there twice")
            check_layout(archive, file)
            return {
                info.filename.removesuffix(SUFFIX): _array(archive.read(info)) for info in infos
            }
    except Exception as error:  # zipfile and numpy raise errors of many kinds for damaged headers
        why = " ".join((str(error) or type(error).__name__).split())[:200]
        raise BundleError(f"{name} cannot be read ({why})") from error


def _array(data: bytes) -> np.ndarray:
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, by_columns, dtype = np.lib.format.read_array_header_2_0(file)
    if dtype.hasobject:
        raise ValueError("it holds objects, which are pickles (allow_pickle is off)")
    n_bytes = len(data) - file.tell()
    if min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != n_bytes:
        raise ValueError(f"an array of {shape} {dtype} is not what its {n_bytes:,} bytes hold")
    flat = np.frombuffer(data, dtype, count=prod(shape), offset=file.tell())
    return flat.reshape(shape, order="F" if by_columns else "C").copy()
