"""In its first window an image looks as `load_grey` shows it, at a depth that is not lost."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr.errors import ImageError
from cxr.find.phantom import PhantomSpec, render_image
from cxr.find.phantom.dicom import write_dicom
from cxr.pixels import load_grey
from cxr.pixels.display import DisplayImage, load_for_display
from helpers.dicom_data import dicom_dataset, written

RNG = np.random.default_rng(5)
SHAPE = (48, 64)


def shown(image: DisplayImage) -> np.ndarray:
    """As a viewer draws it."""
    low = image.centre - image.width / 2
    return np.clip((image.values.astype(float) - low) / image.width, 0, 1) * 255


def ramp(low: int, high: int, dtype: type = np.uint16) -> np.ndarray:
    return np.linspace(low, high, SHAPE[0] * SHAPE[1]).round().astype(dtype).reshape(SHAPE)


def dicom(pixels: np.ndarray, **elements: object) -> bytes:
    return written(dicom_dataset(pixels, **elements))


def saved(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


WINDOW = {"WindowCenter": 1800, "WindowWidth": 1201}


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("low", "high", "dtype", "elements"),
    [
        (0, 4095, np.uint16, WINDOW),
        (900, 3000, np.uint16, {}),
        (-2000, 2047, np.int16, WINDOW),
        (-32768, 32767, np.int16, {}),
        (0, 4095, np.uint16, {**WINDOW, "VOILUTFunction": "LINEAR_EXACT"}),
        (0, 4095, np.uint16, {**WINDOW, "RescaleSlope": "0.5", "RescaleIntercept": "1000"}),
        (0, 4095, np.uint16, {**WINDOW, "PixelPaddingValue": 0}),
    ],
)
def test_dicom_looks_as_the_model_sees_it(low, high, dtype, elements, photometric) -> None:
    data = dicom(ramp(low, high, dtype), PhotometricInterpretation=photometric, **elements)
    image = load_for_display(data)
    assert image.kind == "dicom" and image.values.dtype == np.uint16
    assert image.values.max() <= image.maximum
    assert np.abs(shown(image) - load_grey(data)).max() <= 1


def test_every_stored_value_is_kept() -> None:
    pixels = ramp(0, 3071)
    image = load_for_display(dicom(pixels, **WINDOW))
    np.testing.assert_array_equal(image.values, pixels)
    assert (image.maximum, image.centre, image.width) == (3071, 1799.5, 1200)


def test_high_is_white_in_monochrome1() -> None:
    pixels = ramp(0, 4095)
    image = load_for_display(dicom(pixels, PhotometricInterpretation="MONOCHROME1", **WINDOW))
    np.testing.assert_array_equal(image.values, 4095 - pixels)


def test_padding_is_black_and_does_not_widen_the_range() -> None:
    pixels = ramp(1000, 2000)
    pixels[:5] = 65535
    image = load_for_display(dicom(pixels, PixelPaddingValue=65535))
    assert (image.values[:5] == 0).all() and image.maximum == 2000


def test_all_padding_is_refused() -> None:
    with pytest.raises(ImageError, match="padding"):
        load_for_display(dicom(np.full(SHAPE, 7, np.uint16), PixelPaddingValue=7))


def test_the_phantom_has_twelve_bits(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    write_dicom(path, render_image(0, spec=PhantomSpec(size=128), bits=12), seed=1)
    image = load_for_display(path)
    assert len(np.unique(image.values)) > 1000
    assert np.abs(shown(image) - load_grey(path)).max() <= 1


@pytest.mark.parametrize("name", ["voi_lut.dcm", "modality_lut.dcm"])
def test_lookup_tables(shared_data: Path, name: str) -> None:
    path = shared_data / "dicom" / name
    image = load_for_display(path)
    assert np.abs(shown(image) - load_grey(path)).max() <= 1


def test_a_real_image(shared_data: Path) -> None:
    path = shared_data / "dicom" / "chest_cr_monochrome1_jpeg2000.dcm"
    image = load_for_display(path, longest=512)
    assert max(image.values.shape) == 512 and image.maximum > 1000
    assert 40 < shown(image).mean() < 215


@pytest.mark.parametrize("top", [1023, 4095, 65535])
@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_sixteen_bits(kind: str, top: int) -> None:
    pixels = ramp(0, top)
    data = saved(pixels, kind)
    image = load_for_display(data)
    np.testing.assert_array_equal(image.values, pixels)
    assert image.kind == kind
    assert np.abs(shown(image) - load_grey(data)).max() <= 1


def test_white_is_zero_in_some_tiff() -> None:
    data = saved(ramp(0, 4095), "tiff", tiffinfo={262: 0})
    image = load_for_display(data)
    assert image.values[0, 0] == 4095 and image.values[-1, -1] == 0
    assert np.abs(shown(image) - load_grey(data)).max() <= 1


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_numbers_without_a_known_range(dtype: type) -> None:
    pixels = (ramp(0, 60_000).astype(np.float64) * 3 - 70_000).astype(dtype)
    data = saved(pixels, "tiff")
    image = load_for_display(data)
    assert image.maximum == 65535
    assert np.abs(shown(image) - load_grey(data)).max() <= 1


@pytest.mark.parametrize("kind", ["png", "jpeg", "bmp", "webp", "gif", "tiff"])
def test_eight_bits(kind: str) -> None:
    data = saved(ramp(0, 255, np.uint8), kind)
    image = load_for_display(data)
    assert (image.kind, image.maximum, image.centre, image.width) == (kind, 255, 127.5, 255)
    np.testing.assert_array_equal(image.values, load_grey(data))


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_large_images_are_averaged(kind: str) -> None:
    pixels = np.asarray(Image.fromarray(ramp(0, 255, np.uint8)).resize((640, 480)))
    image = load_for_display(saved(pixels, kind), longest=160)
    assert image.values.shape == (120, 160)
    blocks = pixels.reshape(120, 4, 160, 4).mean(axis=(1, 3))
    assert np.abs(image.values - blocks).max() <= 3


def test_sixteen_bits_are_averaged() -> None:
    pixels = RNG.integers(0, 65536, (96, 64), dtype=np.uint16)
    image = load_for_display(saved(pixels, "png"), longest=24)
    blocks = pixels.reshape(24, 4, 16, 4).mean(axis=(1, 3))
    assert np.abs(image.values - blocks).max() <= 1


def test_a_long_strip_keeps_a_pixel() -> None:
    image = load_for_display(saved(np.zeros((16, 9000), np.uint8), "png"), longest=512)
    assert image.values.shape == (1, 512)


@pytest.mark.parametrize("data", [b"", b"no image", b"\xff\xd8\xff\xe0 cut", b"\x89PNG\r\n\x1a\n"])
def test_what_load_grey_refuses_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError) as ours:
        load_for_display(data)
    with pytest.raises(ImageError) as theirs:
        load_grey(data)
    assert ours.value.reason == theirs.value.reason


def test_several_images_are_refused() -> None:
    file = io.BytesIO()
    images = [Image.fromarray(ramp(0, 4095)) for _ in range(2)]
    images[0].save(file, "tiff", save_all=True, append_images=images[1:])
    with pytest.raises(ImageError, match="more than one image"):
        load_for_display(file.getvalue())


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        load_for_display(tmp_path / "image.png")


def test_torch_stays_away() -> None:
    code = "import sys, cxr.pixels.display; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
