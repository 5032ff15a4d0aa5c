"""What image files say beside the image."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cxr.check.private.notes import notes_of
from helpers.images import noise_image


def kinds_of_notes(path: Path) -> dict[str, set[str]]:
    notes = notes_of(path)
    return {kind: {n.field for n in notes if n.kind == kind} for kind in {n.kind for n in notes}}


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_exif(suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x013B], exif[0x010E], exif[0x0131] = "Zamborelli", "of Larkspur Crescent", "Acme 3"
    exif.get_ifd(0x8769)[0x9003] = "2024:01:31 10:11:12"
    exif.get_ifd(0x8769)[0xA431] = "SN-889123"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (51.0, 30.0, 0.0)
    path = tmp_path / f"a.{suffix}"
    noise_image().save(path, exif=exif)
    found = kinds_of_notes(path)
    first = {
        "image-names": {"Artist"},
        "image-text": {"ImageDescription"},
        "image-software": {"Software"},
    }
    if suffix == "tif":  # into which Pillow writes no further directories
        assert found == first
        return
    assert found == first | {
        "image-dates": {"DateTimeOriginal"},
        "image-numbers": {"BodySerialNumber"},
        "image-places": {"GPS"},
    }


def test_comments_and_chunks(tmp_path: Path) -> None:
    noise_image().save(tmp_path / "a.jpg", comment=b"Zamborelli")
    assert kinds_of_notes(tmp_path / "a.jpg") == {"image-text": {"comment"}}
    noise_image().save(tmp_path / "b.jpg", comment=b"LEAD Technologies Inc. V1.01")
    assert kinds_of_notes(tmp_path / "b.jpg") == {"image-software": {"comment"}}
    noise_image().save(tmp_path / "c.jpg", xmp=b"<x:xmpmeta>Zamborelli</x:xmpmeta>")
    assert kinds_of_notes(tmp_path / "c.jpg") == {"image-text": {"xmp"}}
    noise_image().save(tmp_path / "d.gif", comment=b"Zamborelli")
    assert kinds_of_notes(tmp_path / "d.gif") == {"image-text": {"comment"}}
    noise_image().save(tmp_path / "plain.png")
    assert notes_of(tmp_path / "plain.png") == []


@pytest.mark.parametrize("last", [False, True])
def test_png_text_before_and_after_the_image(last: bool, tmp_path: Path) -> None:
    chunks = PngInfo()
    chunks.add_text("Author", "Zamborelli")
    chunks.add_itxt("Zamborelli's key", "seen by Hobday", zip=True)
    chunks.add_text("date:create", "2024-01-31")
    noise_image().save(tmp_path / "a.png", pnginfo=chunks)
    if last:
        data = (tmp_path / "a.png").read_bytes()
        start, end = data.index(b"IDAT") - 4, data.index(b"IEND") - 4
        head = data[: 8 + 25]
        (tmp_path / "a.png").write_bytes(head + data[start:end] + data[33:start] + data[end:])
    assert kinds_of_notes(tmp_path / "a.png") == {
        "image-names": {"author"},
        "image-text": {"text"},
        "image-software": {"date:create"},
    }


def test_damaged_images_are_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8\xff\xe1\xff\xffExif")
    assert notes_of(tmp_path / "a.png") == notes_of(tmp_path / "b.jpg") == []
    assert notes_of(tmp_path / "none.png") == []
