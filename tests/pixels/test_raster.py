from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from cxr.errors import ImageError
from cxr.pixels import load_grey, raster
from cxr.pixels.raster import eight_bits

GREY = np.random.default_rng(5).integers(0, 256, (40, 60), dtype=np.uint8)
COLOUR = np.random.default_rng(6).integers(0, 256, (40, 60, 3), dtype=np.uint8)
LUMA = np.asarray(Image.fromarray(COLOUR).convert("L"))


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF", "WEBP"])
def test_grey_comes_back_exactly(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    assert (load_grey(saved(Image.fromarray(GREY), kind, **options)) == GREY).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_colour_is_rec_601_luma(kind: str) -> None:
    expected = COLOUR @ np.array([0.299, 0.587, 0.114])
    grey = load_grey(saved(Image.fromarray(COLOUR), kind))
    assert np.abs(grey - expected).max() <= 1


def test_palette_is_looked_up() -> None:
    palette = Image.fromarray(COLOUR).quantize(64)
    assert (load_grey(saved(palette)) == np.asarray(palette.convert("RGB").convert("L"))).all()


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_lies_over_black(mode: str) -> None:
    image = Image.fromarray(GREY).convert(mode)
    alpha = np.linspace(0, 255, GREY.size).reshape(GREY.shape).astype(np.uint8)
    image.putalpha(Image.fromarray(alpha))
    expected = GREY * (alpha / 255)
    assert np.abs(load_grey(saved(image)) - expected).max() <= 1


def test_a_transparent_palette_colour_is_black() -> None:
    image = Image.new("P", (20, 20), 1)
    image.putpalette([0, 0, 0, 200, 200, 200])
    assert (load_grey(saved(image)) == 200).all()
    assert (load_grey(saved(image, transparency=1)) == 0).all()


def test_cmyk_and_one_bit() -> None:
    cmyk = Image.fromarray(COLOUR).convert("CMYK")
    assert np.abs(load_grey(saved(cmyk, "TIFF")) - LUMA.astype(int)).max() <= 1
    assert (load_grey(saved(Image.fromarray(GREY > 127))) == np.where(GREY > 127, 255, 0)).all()


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_by_the_range_in_use(bits: int, kind: str) -> None:
    top = (1 << bits) - 1
    values = np.linspace(0, top, 2400).round().astype(np.uint16).reshape(40, 60)
    grey = load_grey(saved(Image.fromarray(values), kind))
    assert np.abs(grey - values / top * 255).max() <= 0.51


def test_a_burnt_in_marker_does_not_darken_a_twelve_bit_image() -> None:
    values = np.tile(np.arange(4096, dtype=np.uint16), (4, 1))
    values[0, :60] = 65535  # 0.4 % of the pixels
    grey = eight_bits(values)
    assert (grey[1] == np.round(np.arange(4096) * 255 / 4095)).mean() > 0.999
    assert (grey[0, :60] == 255).all()


def test_sixteen_bit_tiff_with_white_as_zero_is_inverted() -> None:
    values = np.linspace(0, 65535, 2400).astype(np.uint16).reshape(40, 60)
    inverted = saved(Image.fromarray(values), "TIFF", tiffinfo={262: 0})
    assert np.abs(load_grey(inverted) - (255 - values / 257)).max() <= 1


def test_float_tiff_by_its_percentiles_and_nan_refused() -> None:
    values = np.linspace(-3, 5, 2400, dtype=np.float32).reshape(40, 60)
    grey = load_grey(saved(Image.fromarray(values), "TIFF"))
    assert grey[0, 0] == 0 and grey[-1, -1] == 255 and abs(int(np.median(grey)) - 127) <= 1
    values[3, 3] = np.nan
    with pytest.raises(ImageError, match="NaN"):
        load_grey(saved(Image.fromarray(values), "TIFF"))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(Image.fromarray(GREY), kind, exif=exif, **options)
    expected = ImageOps.exif_transpose(Image.open(BytesIO(data))).convert("L")
    assert (load_grey(data) == np.asarray(expected)).all()
    assert load_grey(data).shape == ((40, 60) if orientation < 5 else (60, 40))


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "PNG", "WEBP"])
def test_more_than_one_image_is_refused(kind: str) -> None:
    pages = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    data = saved(pages[0], kind, save_all=True, append_images=pages[1:])
    with pytest.raises(ImageError, match="more than one image"):
        load_grey(data)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (GREY, GREY),
        (GREY[:, :, None], GREY),
        (GREY[::2, ::-1], GREY[::2, ::-1]),
        (COLOUR, LUMA),
        (GREY > 127, np.where(GREY > 127, 255, 0)),
        (GREY / 255, GREY),
        (GREY.astype(np.float32) / 255, GREY),
        (GREY.astype(np.uint16) << 4, GREY),
    ],
)
def test_arrays(values: np.ndarray, expected: np.ndarray) -> None:
    grey = load_grey(values)
    assert grey.dtype == np.uint8 and grey.flags.c_contiguous and grey.flags.writeable
    assert np.abs(grey - expected.astype(int)).max() <= (1 if values.dtype == np.uint16 else 0)


@pytest.mark.parametrize(
    "values",
    [
        GREY.astype(np.int32),
        GREY.astype(np.float32),
        np.full((20, 20), np.nan),
        COLOUR.astype(np.uint16),
        GREY[0],
        COLOUR[None],
        GREY[:2],
        np.zeros((0, 0), np.uint8),
    ],
)
def test_arrays_refused(values: np.ndarray) -> None:
    with pytest.raises(ImageError, match="array: "):
        load_grey(values)


def test_pillow_images() -> None:
    grey = load_grey(Image.fromarray(GREY))
    assert (grey == GREY).all() and grey.flags.writeable
    assert (load_grey(Image.open(BytesIO(saved(Image.fromarray(COLOUR))))) == LUMA).all()


@pytest.mark.parametrize("at_a_time", [1, 100, 1 << 20])
def test_counting_and_looking_up_are_as_numpy_does_in_one_go(
    at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raster, "_AT_A_TIME", at_a_time)
    rng = np.random.default_rng(1)
    values = rng.integers(0, 500, (37, 23)).astype(np.uint16)
    table = rng.integers(0, 256, 600).astype(np.uint8)
    assert (raster.histogram(values, 600) == np.bincount(values.ravel(), minlength=600)).all()
    found = raster.look_up(table, values)
    assert (found == table[values]).all() and found.dtype == np.uint8
