"""Burnt-in text is found; side markers, ribs and wires are not text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from cxr.check.methods.text_detection import Box, text_regions
from cxr.find.phantom.image import render_image
from cxr.find.phantom.patients import PhantomSpec


def soft_image(side: int = 320) -> np.ndarray:
    """A soft image: a bright middle between two dark fields, with a little noise."""
    y, x = np.mgrid[0:side, 0:side] / side
    soft = 90 + 60 * np.cos(6 * x) + 30 * np.sin(5 * y)
    noise = np.random.default_rng(0).normal(0, 3, soft.shape)
    return np.clip(soft + noise, 0, 255).astype(np.uint8)


def written(
    grey: np.ndarray, text: str, at: tuple[int, int], size: int, grey_level: int = 255
) -> np.ndarray:
    image = Image.fromarray(grey)
    font = ImageFont.load_default(size)
    ImageDraw.Draw(image).text(at, text, font=font, fill=grey_level)
    return np.asarray(image)


def covers(box: Box, left: int, top: int, right: int, bottom: int) -> bool:
    """Whether the box holds most of a rectangle."""
    width = min(box.right, right) - max(box.left, left)
    height = min(box.bottom, bottom) - max(box.top, top)
    return width > 0.8 * (right - left) and height > 0.6 * (bottom - top)


@pytest.mark.parametrize("size", [11, 14, 20, 32, 60])
@pytest.mark.parametrize("grey_level", [255, 0])
def test_a_name_in_any_size_bright_or_dark(size: int, grey_level: int) -> None:
    side = max(320, 10 * size)
    back = soft_image(side) if grey_level else np.maximum(soft_image(side), 120)
    grey = written(back, "DOE^JANE 1965", (12, 20), size, grey_level)
    font = ImageFont.load_default(size)
    left, top, right, bottom = map(int, font.getbbox("DOE^JANE 1965"))
    found = text_regions(grey)
    assert any(covers(box, left + 12, top + 20, right + 12, bottom + 20) for box in found)


def test_where_and_that_the_image_stays() -> None:
    grey = written(soft_image(), "19.03.1965 SMITH", (150, 290), 14)
    before = grey.copy()
    boxes = text_regions(grey)
    assert len(boxes) == 1 and boxes[0].top > 280 and boxes[0].left > 140
    assert (boxes[0].bottom, boxes[0].right) == (
        boxes[0].top + boxes[0].height,
        boxes[0].left + boxes[0].width,
    )
    assert (grey == before).all()


@pytest.mark.parametrize("marker", ["R", "L", "AP", "R.P"])
def test_side_markers_are_no_text(marker: str) -> None:
    for size in (14, 24, 40):
        assert text_regions(written(soft_image(), marker, (20, 20), size)) == []


def test_lines_rings_and_noise_are_no_text() -> None:
    image = Image.fromarray(soft_image())
    draw = ImageDraw.Draw(image)
    draw.line((10, 10, 300, 40), fill=255, width=2)  # a wire
    draw.arc((60, 60, 200, 200), 0, 300, fill=255, width=2)
    draw.rectangle((220, 220, 300, 300), outline=255, width=3)
    assert text_regions(np.asarray(image)) == []
    noise = np.random.default_rng(1).integers(0, 256, (300, 300), dtype=np.uint8)
    assert len(text_regions(np.asarray(noise))) < 5  # and it ends


@pytest.mark.parametrize("side", [224, 256, 512])
def test_the_phantoms_text(side: int) -> None:
    """Burnt into the lower corner: the word SYNTHETIC; the marker L or R is not counted."""
    for patient in range(6):
        boxes = text_regions(render_image(patient, 0, PhantomSpec(seed=3, size=side)).pixels)
        assert [box.top > 0.9 * side for box in boxes] == [True], (patient, boxes)


def test_real_images_have_markers_and_a_few_have_times(shared_data: Any) -> None:
    """Of all 5,232, 70 are found, looked at by eye: 68 carry a time of day, 2 a clip by the R."""
    paths = sorted((shared_data / "kermany224" / "train" / "PNEUMONIA").glob("*.jpeg"))[::38][:100]
    accused = [path for path in paths if text_regions(np.asarray(Image.open(path).convert("L")))]
    assert len(accused) == 1


@pytest.mark.parametrize("shape", [(1, 1), (16, 400), (99, 99), (101, 103)])
def test_small_and_odd_images(shape: tuple[int, int]) -> None:
    assert text_regions(np.zeros(shape, np.uint8)) == []
