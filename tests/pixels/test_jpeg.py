"""Pillow decodes at full scale and resizes: the independent way to the same image."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from cxr.errors import ImageError
from cxr.pixels import jpeg, load_grey


def random_image(height: int, width: int, channels: int = 1) -> Image.Image:
    """Smooth shapes with fine noise, as a radiograph has them."""
    rng = np.random.default_rng(height * width + channels)
    coarse = rng.integers(0, 256, (12, 12, channels), dtype=np.uint8).squeeze()
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    noise = rng.normal(0, 4, np.asarray(image).shape)
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def as_jpeg(image: Image.Image, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", **{"quality": 90, **options})
    return file.getvalue()


def by_pillow(data: bytes, size: tuple[int, int]) -> np.ndarray:
    image = ImageOps.exif_transpose(Image.open(BytesIO(data))).convert("L")
    return np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR), np.int16)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
@pytest.mark.parametrize("channels", [1, 3])
def test_full_size_is_the_files_luma(channels: int, options: dict[str, object]) -> None:
    data = as_jpeg(random_image(90, 70, channels), **options)
    grey = load_grey(data)
    ours = np.asarray(Image.open(BytesIO(data)).convert("L"), np.int16)
    # Pillow goes through RGB and back for colour: saturated pixels lose some luma on the way.
    assert grey.shape == (90, 70)
    assert np.abs(grey - ours).mean() < (0.01 if channels == 1 else 2)


def test_grey_stored_as_rgb_is_the_grey() -> None:
    grey = random_image(200, 200)
    stored_grey, stored_rgb = (load_grey(as_jpeg(grey.convert(mode))) for mode in ("L", "RGB"))
    assert np.abs(stored_grey.astype(int) - stored_rgb).max() <= 1


@pytest.mark.parametrize("shape", [(1100, 1500), (1101, 1503), (997, 640), (300, 2000)])
@pytest.mark.parametrize("size", [64, 128, 224, 300])
def test_reduced_decoding_is_near_the_full_one(shape: tuple[int, int], size: int) -> None:
    data = as_jpeg(random_image(*shape))
    difference = np.abs(load_grey(data, size) - by_pillow(data, (size, size)))
    assert difference.mean() < 0.6
    assert difference.max() <= 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = as_jpeg(random_image(640, 900), exif=exif)
    native = load_grey(data)
    assert native.shape == ((640, 900) if orientation < 5 else (900, 640))
    small = load_grey(data, (60, 100))  # decoded at a reduced scale
    for grey in (native, small):
        assert np.abs(grey - by_pillow(data, grey.shape)).mean() < 0.6
        assert grey.flags.c_contiguous


def test_orientation_is_found_behind_filler() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = as_jpeg(random_image(64, 90), exif=exif)
    filled = data[:2] + b"\xff\xff" + data[2:]  # a marker may have any number of 0xFF before it
    assert (load_grey(filled) == load_grey(data)).all() and load_grey(data).shape == (90, 64)


def test_words_after_the_header_are_no_orientation(monkeypatch: pytest.MonkeyPatch) -> None:
    data = as_jpeg(random_image(64, 90))
    expected = load_grey(data)
    monkeypatch.delattr(jpeg.JpegImagePlugin, "JpegImageFile")  # Pillow is not asked
    assert (load_grey(data + b"Exif\0\0") == expected).all()


@pytest.mark.parametrize("method", ["pad", "crop"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_pad_and_crop_after_reduced_decoding(method: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = as_jpeg(random_image(640, 1300), exif=exif)
    expected = load_grey(load_grey(data), 96, method)
    difference = np.abs(load_grey(data, 96, method) - expected.astype(int))
    assert difference.mean() < 0.6


def test_cmyk_falls_back_to_pillow() -> None:
    cmyk = random_image(80, 80, 3).convert("CMYK")
    data = as_jpeg(cmyk)
    expected = Image.open(BytesIO(data)).convert("RGB").convert("L")
    assert (load_grey(data) == np.asarray(expected)).all()


def test_stored_as_rgb_without_a_colour_transform() -> None:
    data = as_jpeg(random_image(80, 80, 3), keep_rgb=True)
    expected = np.asarray(Image.open(BytesIO(data)).convert("L"), np.int16)
    assert np.abs(load_grey(data) - expected).max() <= 2


@pytest.mark.parametrize("size", [None, 64])
@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_every_truncation_is_refused(options: dict[str, object], size: int | None) -> None:
    data = as_jpeg(random_image(600, 600), **options)
    for length in [*range(2, len(data), len(data) // 40), len(data) - 2, len(data) - 1]:
        with pytest.raises(ImageError):
            load_grey(data[:length], size)


def test_says_what_libjpeg_said() -> None:
    data = as_jpeg(random_image(100, 100))
    with pytest.raises(ImageError, match=r"libjpeg: Premature end of JPEG file"):
        load_grey(data[: len(data) // 2])


def test_a_bomb_of_scans_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg, "MAX_SCANS", 3)
    assert load_grey(as_jpeg(random_image(64, 64))).shape == (64, 64)
    with pytest.raises(ImageError, match="scans"):
        load_grey(as_jpeg(random_image(64, 64), progressive=True))


def test_real_radiographs_match_pillow(shared_data: Path) -> None:
    paths = sorted((shared_data / "kermany224" / "val").rglob("*.jpeg"))
    assert len(paths) == 16
    for path in paths:
        expected = by_pillow(path.read_bytes(), (128, 128))
        assert np.abs(load_grey(path, 128) - expected).max() <= 2


def test_many_scans_of_a_large_image_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg, "MAX_WORK", 0.05)
    monkeypatch.setattr(jpeg, "MAX_PIXELS", 100_000)
    assert load_grey(as_jpeg(random_image(64, 64), progressive=True)).shape == (64, 64)
    with pytest.raises(ImageError, match=r"JPEG scans of 300x300; save it again"):
        load_grey(as_jpeg(random_image(300, 300), progressive=True))
