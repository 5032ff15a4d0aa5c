from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cxr.apply.explain.overlay import draw_overlay, heat_png, image_png, onto_image
from cxr.pixels import resize


@pytest.mark.parametrize("method", ["squish", "pad", "crop"])
@pytest.mark.parametrize("shape", [(300, 200), (160, 320), (90, 90)])
def test_heat_lies_where_the_image_is(shape: tuple[int, int], method: str) -> None:
    row, column = shape[0] // 2 - 20, shape[1] // 2 + 15
    film = np.zeros(shape, np.uint8)
    film[row - 6 : row + 6, column - 6 : column + 6] = 255
    heat = resize(film, 64, method).astype(np.float32) / 255
    placed = onto_image(heat, shape, method)
    assert placed.shape == shape and placed.dtype == np.float32
    weights = placed / placed.sum()
    centre = (weights.sum(1) @ np.arange(shape[0]), weights.sum(0) @ np.arange(shape[1]))
    np.testing.assert_allclose(centre, (row - 0.5, column - 0.5), atol=2)


def test_what_was_cropped_off_is_not_explained() -> None:
    placed = onto_image(np.ones((64, 64), np.float32), (100, 300), "crop")
    assert placed[:, 100:200].min() == 1 and not placed[:, :100].any() and not placed[:, 200:].any()


def test_without_heat_the_image_is_drawn_as_it_is() -> None:
    film = np.random.default_rng(0).integers(0, 256, (80, 60), dtype=np.uint8)
    picture = draw_overlay(film, np.zeros((80, 60), np.float32), "A", "A")
    heated = draw_overlay(film, np.full((80, 60), 0.5, np.float32), "A", "A")
    assert is_grey(picture) and not is_grey(heated)


def is_grey(png: bytes) -> bool:
    from io import BytesIO

    red, green, blue = np.moveaxis(np.asarray(Image.open(BytesIO(png)).convert("RGB")), 2, 0)
    return bool((red == green).all() and (green == blue).all())


def test_small_images() -> None:
    film = np.random.default_rng(0).integers(0, 256, (80, 40), dtype=np.uint8)
    assert Image.open(BytesIO(image_png(film, 20))).size == (10, 20)
    heat = np.zeros((80, 40), np.float32)
    heat[60:, :] = 1
    both = np.asarray(Image.open(BytesIO(heat_png(film, heat, 80)))).astype(int)
    left, right = both[:, :40], both[:, -40:]
    np.testing.assert_array_equal(left[:, :, 0], film)
    np.testing.assert_array_equal(right[:55], left[:55])
    assert (right[65:, :, 0] > right[65:, :, 2]).all()
