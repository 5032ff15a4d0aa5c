from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cxr.errors import ImageError
from cxr.pixels import load_grey, load_overview
from cxr.pixels.overview import SHORTER_SIDE
from cxr.pixels.resize import resize


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
