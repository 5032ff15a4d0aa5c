from __future__ import annotations

import io
import tracemalloc
import zipfile
from typing import Any

import numpy as np
import pytest

from cxr.bundle.archive import MAX_ARRAYS, npz_bytes, read_npz
from cxr.errors import BundleError

ARRAYS = {
    "whole numbers": np.arange(12, dtype=np.int64).reshape(3, 4),
    "columns": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "none": np.zeros((0, 5), np.uint8),
    "one": np.float16(3),
    "big end first": np.arange(3, dtype=">i2"),
}


def npy(header: dict[str, Any], data: bytes) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + data


def packed(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return file.getvalue()


def header(shape: tuple[int, ...], descr: str = "|u1") -> dict[str, Any]:
    return {"descr": descr, "fortran_order": False, "shape": shape}


def test_what_is_written_is_read_as_numpy_reads_it() -> None:
    data = npz_bytes(ARRAYS)
    found = read_npz(data, "x.npz")
    with np.load(io.BytesIO(data)) as expected:
        assert set(found) == set(expected.files)
        for name in found:
            np.testing.assert_array_equal(found[name], expected[name])
            assert found[name].dtype == expected[name].dtype and found[name].flags.writeable
    assert npz_bytes(ARRAYS) == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "too short"),
        (bytes(1000), "does not end as an archive"),
        (npz_bytes(ARRAYS)[:-1], "does not end as an archive"),
        (npz_bytes(ARRAYS) + b"\0", "does not end as an archive"),
        (packed(a=npy(header((4,)), b"123")), "is not what its 3 bytes hold"),
        (packed(a=npy(header((4,)), b"12345")), "is not what its 5 bytes hold"),
        (packed(a=npy(header((10**15,)), b"")), "is not what its 0 bytes hold"),
        (packed(a=npy(header((-1, -4)), b"1234")), "is not what its 4 bytes hold"),
        (packed(a=npy(header((1,), "|O"), b"12345678")), "objects, which are pickles"),
        (packed(a=b"\x80\x04N."), "cannot be read"),
        (packed(a=b""), "cannot be read"),
        (packed(**{f"a{i}": b"" for i in range(MAX_ARRAYS + 1)}), "65 members"),
    ],
)
def test_what_is_no_plain_npz(data: bytes, reason: str) -> None:
    with pytest.raises(BundleError, match=r"^x\.npz cannot be read \(.*\)$") as caught:
        read_npz(data, "x.npz")
    assert reason in str(caught.value) and len(str(caught.value)) < 300


def test_compressed_or_twice() -> None:
    file = io.BytesIO()
    np.savez_compressed(file, a=np.zeros(10**6))
    with pytest.raises(BundleError, match="it is compressed"):
        read_npz(file.getvalue(), "x.npz")
    twice = io.BytesIO(npz_bytes({"a": np.zeros(3)}))
    with zipfile.ZipFile(twice, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a.npy", b"x")
    with pytest.raises(BundleError, match="an array is there twice"):
        read_npz(twice.getvalue(), "x.npz")


def test_no_memory_is_taken_for_what_a_header_claims() -> None:
    data = packed(a=npy(header((3 << 30,)), b"123"))
    tracemalloc.start()
    with pytest.raises(BundleError, match="is not what its 3 bytes hold"):
        read_npz(data, "x.npz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


def test_a_header_as_long_as_the_file() -> None:
    deep = b"\x93NUMPY\x02\x00" + (200_000).to_bytes(4, "little") + b"[" * 200_000
    with pytest.raises(BundleError, match="cannot be read"):
        read_npz(packed(a=deep), "x.npz")
