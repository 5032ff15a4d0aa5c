"""A flipped byte anywhere in a model file: refused, or one that means nothing in a zip archive.

What the parsers of the members make of damage that every checksum was mended for stands in
`test_bundles.py`; here it is the archive, the manifest and the signature that must notice.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from cxr.backbones import Architecture, build_network
from cxr.bundle import BundleConfig, read_bundle, write_bundle
from cxr.bundle.members import read_members
from cxr.bundle.sign import new_key, sign_bundle
from cxr.errors import BundleError

pytestmark = pytest.mark.timeout(120)

# Offset and length of the fields that a reader of the list of members at the end of the archive
# has no use for: in the header before each member, and in that list.
LOCAL, LISTED = b"PK\x03\x04", b"PK\x01\x02"
UNUSED = {
    LOCAL: {"version": (4, 2), "method": (8, 2), "time": (10, 4), "checksum and sizes": (14, 12)},
    LISTED: {"made by": (4, 2), "time": (12, 4), "disk": (34, 2), "attributes": (36, 6)},
}
# Bits of the flags, and versions needed, that change nothing for a stored member; and lengths in
# the last entry of the list, which cannot go on after its end whatever they say.
PARTLY_USED = {
    LOCAL: {"flags": (6, 2)},
    LISTED: {"version": (6, 2), "flags": (8, 2), "lengths": (28, 6)},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("sweep")
    network, _ = build_network(Architecture("test_efficientnet", 2, 64), weights=None, seed=1)
    config = BundleConfig(("NORMAL", "PNEUMONIA"), "test_efficientnet", 64)
    path = write_bundle(folder / "model.cxr", network, config)
    new_key(folder / "key")
    sign_bundle(path, folder / "key")
    read_bundle(path)
    return path.read_bytes()


@pytest.fixture
def outcome(tmp_path: Path, whole: bytes) -> Callable[[int, int], str]:
    """What happens with the byte at an offset changed: `refused` with a short reason, or `read`
    with every byte of every member as it was, so as the very same model."""
    path = tmp_path / "model.cxr"
    path.write_bytes(whole)
    expected = read_members(path)

    def of(offset: int, change: int) -> str:
        flipped = bytearray(whole)
        flipped[offset] ^= change
        path.write_bytes(flipped)
        try:
            found = read_members(path)
        except BundleError as error:
            return "refused" if "\n" not in str(error) and len(str(error)) < 400 else str(error)
        return "read" if found == expected else "changed"

    return of


def headers(whole: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of each header, the list's entries and the end of the archive."""
    count, _, at = struct.unpack("<HLL", whole[-12:-2])
    for _ in range(count):
        name, extra, note = struct.unpack("<HHH", whole[at + 28 : at + 34])
        local = struct.unpack("<L", whole[at + 42 : at + 46])[0]
        yield LOCAL, local, local + 30 + sum(struct.unpack("<HH", whole[local + 26 : local + 30]))
        yield LISTED, at, at + 46 + name + extra + note
        at += 46 + name + extra + note
    yield b"PK\x05\x06", at, len(whole)


def within(offset: int, fields: dict[str, tuple[int, int]]) -> bool:
    return any(start <= offset < start + length for start, length in fields.values())


def test_every_byte_of_the_headers(whole: bytes, outcome: Callable[[int, int], str]) -> None:
    n_read = 0
    for kind, start, end in headers(whole):
        for offset in range(end - start):
            found = {outcome(start + offset, change) for change in (0x01, 0x80)}
            if within(offset, UNUSED.get(kind, {})):
                assert found == {"read"}, (kind, offset)
                n_read += 1
            elif within(offset, PARTLY_USED.get(kind, {})):
                assert found <= {"read", "refused"}, (kind, offset)
            else:
                assert found == {"refused"}, (kind, offset)
    assert n_read == 6 * (20 + 14)


def test_every_997th_byte_of_all(whole: bytes, outcome: Callable[[int, int], str]) -> None:
    spans = [range(start, end) for _, start, end in headers(whole)]
    offsets = [at for at in range(0, len(whole), 997) if not any(at in span for span in spans)]
    assert len(offsets) > 300
    assert {outcome(offset, 0x10) for offset in offsets} == {"refused"}


@pytest.mark.parametrize("name", ["config.json", "manifest.json", "signature.json"])
def test_every_byte_of_what_says_what_the_rest_is(
    name: str, whole: bytes, outcome: Callable[[int, int], str], tmp_path: Path
) -> None:
    start = whole.index(read_members(tmp_path / "model.cxr")[name])
    end = min(at for _, at, _ in headers(whole) if at > start)
    assert end - start > 150
    assert {outcome(offset, 0x04) for offset in range(start, end)} == {"refused"}


@pytest.mark.parametrize("where", ["front", "between", "before the list", "end"])
def test_nothing_is_hidden_in_the_file(where: str, whole: bytes, tmp_path: Path) -> None:
    """Bytes that no member has: outside every hash, and what a signature does not cover."""
    path, stowaway = tmp_path / "model.cxr", b"hidden!!"
    starts = sorted(start for kind, start, _ in headers(whole) if kind == LOCAL)
    listing = min(start for kind, start, _ in headers(whole) if kind == LISTED)
    at = {"front": 0, "between": starts[2], "before the list": listing, "end": len(whole)}[where]
    data = bytearray(whole[:at] + stowaway + whole[at:])
    if where in ("between", "before the list"):  # with every offset mended
        for kind, start, _ in headers(whole):
            if kind == LOCAL:
                continue
            moved = start + len(stowaway)
            field = moved + (42 if kind == LISTED else 16)
            offset = struct.unpack("<L", data[field : field + 4])[0]
            offset += len(stowaway) * (offset >= at)
            data[field : field + 4] = struct.pack("<L", offset)
    path.write_bytes(data)
    with pytest.raises(BundleError, match=r"begin as one|belongs to no|end as an archive"):
        read_members(path)
