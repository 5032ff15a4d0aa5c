from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cxr.apply.explain.overlay import (
    WHOLE,
    box_in_pixels,
    draw_overlay,
    heat_png,
    image_png,
    onto_image,
    outlined,
)
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


@pytest.mark.parametrize("method", ["squish", "pad", "crop"])
@pytest.mark.parametrize("box", [(0.25, 0.1, 0.75, 0.8), (0.0, 0.5, 1.0, 1.0)])
def test_heat_of_a_cut_lies_where_the_cut_was(box: tuple, method: str) -> None:
    shape = 300, 240
    left, top, right, bottom = box_in_pixels(box, shape)
    row, column = (top + bottom) // 2 - 20, (left + right) // 2 + 15
    image = np.zeros(shape, np.uint8)
    image[row - 6 : row + 6, column - 6 : column + 6] = 255
    heat = resize(image[top:bottom, left:right].copy(), 64, method).astype(np.float32) / 255
    placed = onto_image(heat, shape, method, box)
    weights = placed / placed.sum()
    centre = (weights.sum(1) @ np.arange(shape[0]), weights.sum(0) @ np.arange(shape[1]))
    np.testing.assert_allclose(centre, (row - 0.5, column - 0.5), atol=2)
    inside = onto_image(np.ones((64, 64), np.float32), shape, "squish", box) == 1
    expected = np.zeros(shape, bool)
    expected[top:bottom, left:right] = True
    np.testing.assert_array_equal(inside, expected)


@pytest.mark.parametrize("method", ["squish", "pad", "crop"])
def test_the_whole_image_as_box_changes_nothing(method: str) -> None:
    heat = np.random.default_rng(0).random((64, 64), np.float32)
    for shape in ((301, 200), (57, 143)):
        placed = onto_image(heat, shape, method, WHOLE)
        np.testing.assert_array_equal(placed, onto_image(heat, shape, method))
        assert box_in_pixels(WHOLE, shape) == (0, 0, shape[1], shape[0])


def test_a_sliver_is_a_pixel() -> None:
    assert box_in_pixels((1.0, 1.0, 1.0, 1.0), (20, 30)) == (29, 19, 30, 20)
    assert box_in_pixels((0.5, 0.0, 0.5, 0.01), (20, 30)) == (15, 0, 16, 1)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_the_frame_is_seen_on_every_grey_and_hides_little(grey: int) -> None:
    image = np.full((200, 100, 3), grey, np.uint8)
    drawn = outlined(image, (0.2, 0.1, 0.8, 0.9))
    changed = (drawn.astype(int) - grey).__abs__().max(axis=2)
    assert changed[20, 20:80].min() > 100 or changed[21, 21:79].min() > 100
    assert not changed[24:176, 24:76].any() and not changed[:20].any() and not changed[180:].any()
    np.testing.assert_array_equal(outlined(image, WHOLE), image)


def test_pictures_outline_what_the_model_saw() -> None:
    image = np.random.default_rng(0).integers(0, 256, (80, 60), dtype=np.uint8)
    none = np.zeros((80, 60), np.float32)
    box = (0.2, 0.2, 0.8, 0.8)
    framed = draw_overlay(image, none, "A", "A", box=box)
    assert is_grey(draw_overlay(image, none, "A", "A")) and not is_grey(framed)
    plain, drawn = (
        np.asarray(Image.open(BytesIO(heat_png(image, none, 80, one)))) for one in (WHOLE, box)
    )
    np.testing.assert_array_equal(plain[:, :60], drawn[:, :60])  # the image alone stays as it is
    assert (plain != drawn).any()


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
