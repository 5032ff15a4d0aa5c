from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cxr.errors import ImageError
from cxr.pixels import load_grey, load_overview
from cxr.pixels.overview import SHORTER_SIDE, colourfulness, stored_facts
from cxr.pixels.resize import resize

GREY = np.random.default_rng(0).integers(0, 256, (64, 48), dtype=np.uint8)


def random_image(height, width, seed=0):
    """Smooth, so that reduced decoding and resizing agree."""
    coarse = np.random.default_rng(seed).integers(40, 220, (8, 8), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("suffix", [".png", ".jpeg"])
def test_small_images_are_as_they_are(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    Image.fromarray(random_image(300, 200)).save(path)
    seen = load_overview(path)
    assert (seen.height, seen.width) == (300, 200)
    np.testing.assert_array_equal(seen.grey, load_grey(path))


@pytest.mark.parametrize("suffix", [".png", ".jpeg"])
@pytest.mark.parametrize(("height", "width"), [(1800, 1500), (1344, 2000)])
def test_large_images_are_reduced(tmp_path, suffix, height, width):
    path = tmp_path / f"x{suffix}"
    Image.fromarray(random_image(height, width)).save(path)
    seen = load_overview(path)
    assert (seen.height, seen.width) == (height, width)
    assert min(seen.grey.shape) == SHORTER_SIDE
    assert seen.grey.shape[0] / seen.grey.shape[1] == pytest.approx(height / width, rel=0.01)
    whole = resize(load_grey(path), seen.grey.shape)
    assert np.abs(seen.grey.astype(int) - whole).max() <= 3


def test_an_image_on_its_side_by_exif(tmp_path):
    path = tmp_path / "x.jpeg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(random_image(1000, 1400)).save(path, exif=exif)
    seen = load_overview(path)
    assert (seen.height, seen.width) == (1400, 1000) and seen.grey.shape[0] > seen.grey.shape[1]


def test_a_long_strip_stays_within_bounds(tmp_path):
    path = tmp_path / "x.png"
    Image.fromarray(np.zeros((20, 30_000), np.uint8)).save(path)
    assert load_overview(path).grey.shape == (5, 8192)


@pytest.mark.parametrize("data", [b"", b"no image", b"\xff\xd8\xff\xe0 cut"])
def test_what_cannot_be_read(tmp_path, data):
    path = tmp_path / "x.jpeg"
    path.write_bytes(data)
    with pytest.raises(ImageError):
        load_overview(path)


def test_too_large_a_jpeg_is_refused_by_its_header(tmp_path):
    path = tmp_path / "x.jpeg"
    Image.fromarray(random_image(64, 64)).save(path)
    data = bytearray(path.read_bytes())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    with pytest.raises(ImageError, match="megapixels"):
        load_overview(path)


def saved(image, format, **options):
    out = BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_jpeg_tables_are_those_that_pillow_reads(quality):
    data = saved(Image.fromarray(GREY), "JPEG", quality=quality)
    facts = stored_facts(data)
    with Image.open(BytesIO(data)) as image:
        assert facts.quantisation == pytest.approx(np.mean(image.quantization[0]))
    assert (facts.format, facts.bits, facts.channels) == ("jpeg", 8, 1)
    assert not facts.progressive and facts.subsampling == 0 and 0 < facts.header < len(data)


@pytest.mark.parametrize(("subsampling", "samples"), [(0, 1), (1, 2), (2, 4)])
def test_jpeg_in_colour(subsampling, samples):
    image = Image.fromarray(GREY).convert("RGB")
    facts = stored_facts(saved(image, "JPEG", subsampling=subsampling, progressive=True))
    assert (facts.channels, facts.subsampling, facts.progressive) == (3, samples, True)


def test_a_comment_makes_a_longer_header():
    image = Image.fromarray(GREY)
    plain, told = (stored_facts(saved(image, "JPEG", comment=text)) for text in (b"", b"x" * 50))
    assert told.header > plain.header and told.segments == plain.segments + 1


@pytest.mark.parametrize(
    ("format", "mode", "bits", "channels"),
    [("PNG", "L", 8, 1), ("PNG", "RGB", 8, 3), ("PNG", "1", 1, 1), ("BMP", "L", 8, 1)],
)
def test_other_formats(format, mode, bits, channels):
    facts = stored_facts(saved(Image.fromarray(GREY).convert(mode), format))
    assert (facts.format, facts.bits, facts.channels) == (format.lower(), bits, channels)


def test_sixteen_bits():
    wide = Image.fromarray(GREY.astype(np.uint16) * 200)
    assert stored_facts(saved(wide, "PNG")).bits == 16
    assert stored_facts(saved(wide, "TIFF")).bits == 16


def test_dicom_that_begins_like_a_tiff_is_dicom():
    """Files of two formats at once exist: the preamble of a DICOM file may hold anything."""
    assert stored_facts(b"II*\0".ljust(128, b"\0") + b"DICM" + bytes(64)).format == "dicom"


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_colour(format):
    grey = Image.fromarray(np.full((64, 64), 90, np.uint8))
    assert colourfulness(saved(grey, format)) == 0
    assert colourfulness(saved(grey.convert("RGB"), format)) < 2
    assert colourfulness(saved(Image.new("RGB", (64, 64), (200, 40, 40)), format)) > 100


def test_colour_of_what_is_no_image():
    assert colourfulness(b"\xff\xd8\xff broken") == colourfulness(b"") == 0
