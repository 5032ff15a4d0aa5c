"""Small files that unfold to large ones, or say so: each kind from a generator and a real image."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from functools import cache
from io import BytesIO

CANARY = "Canary^Name"
HUGE = 2**31 - 1
Bomb = Callable[[random.Random, bytes], bytes]


def jpeg_claim(rng: random.Random, image: bytes) -> bytes:
    """A frame header that says 65,535 x 65,535, or next to nothing."""
    found = bytearray(image)
    at = next(i for i in range(len(found) - 1) if found[i] == 0xFF and found[i + 1] in (0xC0, 0xC2))
    side = rng.choice((65535, 65535, 9999, 1, 0))
    found[at + 5 : at + 9] = struct.pack(">HH", side, side)
    return bytes(found)


def jpeg_scans(rng: random.Random, image: bytes) -> bytes:
    """A progressive JPEG whose last scan is repeated many times."""
    data = progressive(rng.choice((1024, 4096)))
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * rng.choice((100, 180, 1000)) + data[-2:]


@cache
def progressive(side: int) -> bytes:
    from PIL import Image

    file = BytesIO()
    Image.linear_gradient("L").resize((side, side)).save(file, "JPEG", progressive=True)
    return file.getvalue()


def png_of(width: int, height: int, pixels: bytes, depth: int, kind: int, *extra: bytes) -> bytes:
    """`kind`: 0 grey, 2 RGB, 6 RGBA."""
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    chunks = [chunk(b"IHDR", head), *extra, chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@cache
def zeros(n: int) -> bytes:
    return zlib.compress(bytes(n), 9)


def png_claim(rng: random.Random, _: bytes) -> bytes:
    side = rng.choice((HUGE, 60_000, 0))
    return png_of(side, side, zeros(1000), 8, 0)


def png_bomb(rng: random.Random, _: bytes) -> bytes:
    """400 megapixels in half a megabyte; the limit is 100."""
    return png_of(20_000, 20_000, zeros(20_000 * 2_501), 1, 0)


def png_largest(rng: random.Random, image: bytes) -> bytes:
    """Just what is allowed, in different depths and colours."""
    depth, kind, channels = rng.choice(((1, 0, 1), (8, 0, 1), (16, 0, 1), (16, 2, 3), (8, 6, 4)))
    row = 1 + 9_999 * depth * channels // 8 + 1
    return png_of(9_999, 9_999, zeros(9_999 * row), depth, kind)


def png_text(rng: random.Random, _: bytes) -> bytes:
    """Compressed text and a colour profile of 50 MB each."""
    more = zeros(50_000_000)
    extra = chunk(b"zTXt", b"Comment\0\0" + more), chunk(b"iCCP", b"p\0\0" + more)
    return png_of(64, 64, zeros(64 * 65), 8, 0, rng.choice(extra))


def dicom(**elements: object) -> bytes:
    """A small DICOM image with these elements instead of its own."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = elements.pop("syntax", ExplicitVRLittleEndian)
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["image"])
    found = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    usual = {"Rows": 32, "Columns": 32, "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}
    usual |= {"PixelRepresentation": 0, "SamplesPerPixel": 1, "PatientName": CANARY}
    usual |= {"PhotometricInterpretation": "MONOCHROME2", "PixelData": bytes(32 * 32 * 2)}
    for name, value in {**usual, **elements}.items():
        setattr(found, name, value)
    file = BytesIO()
    found.save_as(file, enforce_file_format=True)
    return file.getvalue()


def dicom_claim(rng: random.Random, _: bytes) -> bytes:
    lies: tuple[dict[str, object], ...] = (
        {"Rows": 65535, "Columns": 65535},
        {"NumberOfFrames": 10**9},
        {"BitsAllocated": 64, "BitsStored": 64, "HighBit": 63},
        {"BitsStored": 0},
        {"SamplesPerPixel": 65535},
        {"WindowWidth": "1e999", "WindowCenter": "-1e999"},
        {"RescaleSlope": "1e308", "RescaleIntercept": "1e308"},
        {"PixelData": b""},
        {"Rows": 0},
    )
    return dicom(**rng.choice(lies))


def dicom_deflated(rng: random.Random, _: bytes) -> bytes:
    """200 MB of nothing, compressed."""
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    small = dicom(syntax=DeflatedExplicitVRLittleEndian)
    end = 132 + 12 + struct.unpack("<I", small[140:144])[0]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    element = struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, 200_000_000)
    body = packer.compress(element)
    for _ in range(200):
        body += packer.compress(bytes(1_000_000))
    return small[:end] + body + packer.flush()


def dicom_deep(rng: random.Random, _: bytes) -> bytes:
    """Sequences within sequences, 20,000 deep, none of which ends."""
    opened = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    opened += struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    whole = dicom()
    end = 132 + 12 + struct.unpack("<I", whole[140:144])[0]
    return whole[:end] + opened * 20_000


def dicom_long(rng: random.Random, _: bytes) -> bytes:
    """An element that says that it has nearly 4 GB."""
    whole = dicom()
    end = 132 + 12 + struct.unpack("<I", whole[140:144])[0]
    return whole[:end] + struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, 0xFFFFFFF0) + bytes(100)


def tiff_claim(rng: random.Random, _: bytes) -> bytes:
    side = rng.choice((HUGE, 60_000))
    tags = [(256, side), (257, side), (258, 8), (259, 1), (262, 1), (273, 8), (278, side), (279, 9)]
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + body + bytes(4)


def gif_claim(rng: random.Random, _: bytes) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6)
    return head + b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x44\x01\0;"


BOMBS: tuple[tuple[str, Bomb], ...] = (
    ("jpeg claims", jpeg_claim),
    ("jpeg scans", jpeg_scans),
    ("png claims", png_claim),
    ("png 400 Mpx", png_bomb),
    ("png 100 Mpx", png_largest),
    ("png text", png_text),
    ("dicom claims", dicom_claim),
    ("dicom deflated", dicom_deflated),
    ("dicom deep", dicom_deep),
    ("dicom long", dicom_long),
    ("tiff claims", tiff_claim),
    ("gif claims", gif_claim),
)
