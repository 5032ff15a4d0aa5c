"""Hostile and broken images: only ImageError may come out, soon, and never other pixels."""

from __future__ import annotations

import random
import struct
import tracemalloc
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from cxr.errors import ImageError
from cxr.pixels import load_grey

GREY = np.asarray(
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (8, 8), dtype=np.uint8)).resize(
        (96, 80), Image.Resampling.BICUBIC
    )
)
DICOMS = {
    name: Path(get_testdata_file(f"{name}.dcm", download=False)).read_bytes()
    for name in ("CT_small", "MR_small_RLE", "JPEG2000", "SC_rgb_jpeg_gdcm", "examples_palette")
}


def saved(kind: str, **options: object) -> bytes:
    file = BytesIO()
    Image.fromarray(GREY).save(file, kind, **options)
    return file.getvalue()


IMAGES = {
    "jpeg": saved("JPEG"),
    "progressive": saved("JPEG", progressive=True),
    "png": saved("PNG"),
    "tiff": saved("TIFF"),
    "lzw": saved("TIFF", compression="tiff_lzw"),
    "bmp": saved("BMP"),
    "gif": saved("GIF"),
    "webp": saved("WEBP"),
}
EVERYTHING = IMAGES | DICOMS


def refused(data: bytes | Path) -> str:
    with pytest.raises(ImageError) as caught:
        load_grey(data, 32)
    assert "\n" not in str(caught.value)
    return caught.value.reason


# pydicom warns about some damaged files before it refuses them; here a warning is an error already.
@pytest.mark.parametrize("name", EVERYTHING)
def test_a_truncated_file_is_refused_or_whole(name: str) -> None:
    data = EVERYTHING[name]
    whole = load_grey(data)
    lengths = {*range(1, len(data), max(1, len(data) // 50)), *range(len(data) - 12, len(data))}
    n_refused = 0
    for length in sorted(lengths):
        try:
            assert (load_grey(data[:length]) == whole).all()
        except ImageError:
            n_refused += 1
    assert n_refused > len(lengths) / 2


@pytest.mark.parametrize("name", EVERYTHING)
def test_flipped_bytes(name: str) -> None:
    rng = random.Random(name)
    for _ in range(40):
        data = bytearray(EVERYTHING[name])
        reach = len(data) if rng.random() < 0.5 else min(600, len(data))
        for _ in range(rng.choice((1, 4, 40))):
            data[rng.randrange(reach)] = rng.randrange(256)
        try:
            shape, said = load_grey(bytes(data), 32).shape, ""
        except ImageError as error:
            shape, said = (32, 32), str(error)
        assert shape == (32, 32) and "\n" not in said


def test_noise_behind_every_signature() -> None:
    rng = random.Random(0)
    starts = [data[: rng.choice((3, 4, 12))] for data in IMAGES.values()]
    starts += [b"", bytes(128) + b"DICM", DICOMS["CT_small"][:400]]
    for i in range(200):
        noise = starts[i % len(starts)] + rng.randbytes(rng.randrange(1, 3000))
        refused(noise)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"Patient: Jane Doe, born 1970", "no known signature"),
        (b"PK\x03\x04" + bytes(100), "a zip archive"),
        (b"%PDF-1.7", "a PDF"),
        (b"\x1f\x8b" + bytes(50), "gzip"),
        (b"\xff\xd8\xff", "Pillow"),
        (bytes(5000), "no known signature"),
    ],
)
@pytest.mark.parametrize("suffix", [".jpeg", ".png"])
def test_the_name_does_not_make_it_an_image(
    tmp_path: Path, content: bytes, reason: str, suffix: str
) -> None:
    path = tmp_path / f"chest{suffix}"
    path.write_bytes(content)
    assert reason in refused(path)
    assert "Jane" not in refused(path)


def test_a_text_file_named_dcm(tmp_path: Path) -> None:
    path = tmp_path / "report.dcm"
    path.write_text("Patient: Jane Doe, born 1970. " * 50)
    assert "Jane" not in refused(path)


def png_of(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(1_000_000), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def jpeg_of(width: int, height: int) -> bytes:
    data = bytearray(IMAGES["jpeg"])
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def dicom_of(width: int, height: int, name: str = "CT_small") -> bytes:
    dataset = pydicom.dcmread(BytesIO(DICOMS[name]))
    dataset.Rows, dataset.Columns = height, width
    file = BytesIO()
    dataset.save_as(file)
    return file.getvalue()


@pytest.mark.parametrize("make", [png_of, jpeg_of, dicom_of])
def test_a_bomb_is_refused_from_its_header(make) -> None:  # type: ignore[no-untyped-def]
    bomb = make(20_000, 20_000)
    refused(make(1, 1))  # what loads on first use is not counted below
    tracemalloc.start()
    reason = refused(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reason == "20000x20000 is 400 megapixels; at most 100 are allowed; resize it first"
    assert peak < 20e6


@pytest.mark.parametrize(("height", "width"), [(64, 128), (128, 64), (256, 128), (100, 131)])
@pytest.mark.parametrize("name", ["CT_small", "JPEG2000", "SC_rgb_jpeg_gdcm", "MR_small_RLE"])
def test_lying_rows_and_columns_are_refused(name: str, height: int, width: int) -> None:
    refused(dicom_of(width, height, name))


def test_compressed_data_larger_than_the_header_allows_are_not_decoded() -> None:
    dataset = pydicom.dcmread(BytesIO(DICOMS["JPEG2000"]))
    frame = next(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=1))
    at = frame.index(b"\xff\x4f\xff\x51") + 8
    bomb = frame[:at] + struct.pack(">II", 60_000, 60_000) + frame[at + 8 :]
    dataset.PixelData = pydicom.encaps.encapsulate([bomb])
    file = BytesIO()
    dataset.save_as(file)
    assert "header says 256x1024, pixel data 60000x60000" in refused(file.getvalue())


def test_a_deflate_bomb_is_not_inflated() -> None:
    data = Path(get_testdata_file("image_dfl.dcm", download=False)).read_bytes()
    assert "deflated" in refused(data)
