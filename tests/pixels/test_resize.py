from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cxr.errors import UnknownName, UsageError
from cxr.pixels import resize
from cxr.pixels.resize import fit

WIDE = np.tile(np.linspace(0, 255, 300).astype(np.uint8), (100, 1))


def smooth(height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(3).integers(0, 256, (9, 9), dtype=np.uint8)
    return np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("method", ["squish", "pad", "crop"])
@pytest.mark.parametrize("size", [64, (50, 80), 400])
def test_gives_the_size_asked_for(method: str, size: int | tuple[int, int]) -> None:
    out = resize(WIDE, size, method)
    assert out.shape == ((size, size) if isinstance(size, int) else size)
    assert out.dtype == np.uint8 and out.flags.c_contiguous and out.flags.writeable


@pytest.mark.parametrize("size", [32, 100, 128, 600])
def test_squish_is_pillows_antialiased_bilinear(size: int) -> None:
    grey = smooth(1100, 1500)
    expected = Image.fromarray(grey).resize((size, size), Image.Resampling.BILINEAR)
    assert np.abs(resize(grey, size) - np.asarray(expected, np.int16)).max() <= 2


def test_shrinking_averages_instead_of_skipping_pixels() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (256, 128))
    assert np.abs(resize(stripes, 32).astype(int) - 127.5).max() < 3


def test_pad_keeps_the_aspect_between_black_bars() -> None:
    white = np.full((100, 300), 255, np.uint8)
    out = resize(white, 60, "pad")
    assert (out[20:40] == 255).all() and not out[:20].any() and not out[40:].any()


def test_crop_keeps_the_aspect_and_takes_the_centre() -> None:
    out = resize(WIDE, 100, "crop")
    assert (out == WIDE[:, 100:200]).all()


@pytest.mark.parametrize("side", [15, 16])
@pytest.mark.parametrize("target", [20, 21])
def test_odd_spare_pixels_are_placed(side: int, target: int) -> None:
    out = resize(np.full((40, side), 255, np.uint8), target, "pad")
    columns = np.flatnonzero(out.max(axis=0))
    assert abs((columns[0] + columns[-1]) / 2 - (target - 1) / 2) <= 0.5


def test_crop_of_a_sliver_never_enlarges_the_whole() -> None:
    part, shape = fit((16, 6_000_000), (224, 224), "crop")
    assert part == (16, 16) and shape == (224, 224)
    sliver = np.zeros((16, 1_000_000), np.uint8)
    sliver[:, 499_980:500_020] = 200
    assert (resize(sliver, 224, "crop") == 200).all()


def test_refuses_what_is_not_grey() -> None:
    for wrong in (np.zeros((20, 20, 3), np.uint8), np.zeros((20, 20))):
        with pytest.raises(UsageError, match="not grey"):
            resize(wrong, 10)


def test_refuses_unknown_methods_and_sizes() -> None:
    with pytest.raises(UnknownName, match=r"squash.*squish"):
        resize(WIDE, 32, "squash")
    for size in (0, -3, (8, 0), (1, 2, 3), 10_000, 2.5):
        with pytest.raises(UsageError, match="size"):
            resize(WIDE, size)  # type: ignore[arg-type]
