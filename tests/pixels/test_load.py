from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr.errors import ImageError, UsageError
from cxr.find.phantom import PhantomSpec, render_image
from cxr.find.phantom.dicom import write_dicom
from cxr.pixels import MAX_PIXELS, MIN_SIDE, limits, load_grey
from cxr.pixels.load import pixels_in

SMALL = Image.fromarray(np.zeros((40, 30), np.uint8))
GREY = np.random.default_rng(7).integers(0, 256, (30, 50), dtype=np.uint8)


@pytest.fixture
def png(tmp_path: Path) -> Path:
    Image.fromarray(GREY).save(tmp_path / "chest.png")
    return tmp_path / "chest.png"


def test_every_kind_of_source_gives_the_same_pixels(png: Path) -> None:
    sources = [png, str(png), png.read_bytes(), Image.open(png), GREY]
    for source in sources:
        assert (load_grey(source) == GREY).all()
        assert (load_grey(source, 20) == load_grey(GREY, 20)).all()


def test_the_content_decides_not_the_name(png: Path) -> None:
    assert (load_grey(png.rename(png.with_suffix(".dcm"))) == GREY).all()


def test_what_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        load_grey(tmp_path / "none.png")
    with pytest.raises(ImageError, match="is a folder"):
        load_grey(tmp_path)
    with pytest.raises(ImageError, match=r"cannot be read|no such file"):
        load_grey("a\0b.png")


def test_size_limits_are_checked_on_the_header(monkeypatch: pytest.MonkeyPatch, png: Path) -> None:
    with pytest.raises(ImageError, match=r"1x1 is too small; at least 16 "):
        load_grey(np.zeros((1, 1), np.uint8))
    assert load_grey(np.zeros((MIN_SIDE, MIN_SIDE), np.uint8)).shape == (16, 16)
    huge = np.broadcast_to(np.uint8(0), (20_000, 20_000))
    with pytest.raises(
        ImageError,
        match=r"20000x20000 is 400 megapixels; at most 100 are allowed; resize it first",
    ):
        load_grey(huge)
    assert MAX_PIXELS == 100_000_000
    monkeypatch.setattr(limits, "MAX_BYTES", 100)
    with pytest.raises(ImageError, match="too large"):
        load_grey(png)


def test_a_wrong_call_is_not_blamed_on_the_file(png: Path) -> None:
    with pytest.raises(UsageError):
        load_grey(png, 0)
    with pytest.raises(UsageError):
        load_grey(png, 32, "stretch")


def test_pixels_of_a_file_do_not_depend_on_how_it_is_given(tmp_path: Path) -> None:
    file = BytesIO()
    Image.fromarray(np.tile(GREY, (20, 20))).save(file, "JPEG")
    path = tmp_path / "chest.jpeg"
    path.write_bytes(file.getvalue())
    assert (load_grey(path, 64) == load_grey(file.getvalue(), 64)).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF"])
def test_images_say_it_at_their_head(kind: str) -> None:
    file = BytesIO()
    SMALL.save(file, kind)
    assert pixels_in(file.getvalue()) == 1200


def test_dicom(tmp_path):
    image = render_image(1, spec=PhantomSpec(size=64), bits=12)
    write_dicom(tmp_path / "a.dcm", image, seed=1)
    assert pixels_in((tmp_path / "a.dcm").read_bytes()) == image.pixels.size


def test_a_claim_is_believed_before_anything_is_decoded() -> None:
    file = BytesIO()
    SMALL.save(file, "PNG")
    data = bytearray(file.getvalue())
    data[16:24] = (9999).to_bytes(4, "big") * 2
    assert pixels_in(bytes(data)) == 9999**2


@pytest.mark.parametrize(
    "data",
    [b"", b"no image", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\0" * 128 + b"DICM", b"II*\0"],
)
def test_what_says_nothing_counts_nothing(data: bytes) -> None:
    assert pixels_in(data) == 0
