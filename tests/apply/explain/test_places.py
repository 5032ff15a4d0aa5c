"""Where heat lies on the whole image."""

from __future__ import annotations

import numpy as np
import pytest

from cxr.apply.explain import places
from cxr.apply.explain.places import HeatPlaces, between, heat_places, on_square

BOX = (0.25, 0.25, 0.75, 0.75)
IMAGE = np.zeros((256, 256), np.uint8)


@pytest.fixture
def lungs(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Two columns, of which the box holds the inner part."""
    mask = np.zeros((256, 256), bool)
    mask[64:192, 64:96] = mask[64:192, 160:192] = True
    monkeypatch.setattr(places, "lung_estimate", lambda image: mask)
    return mask


def test_even_heat_in_a_box_lies_as_the_areas_do(lungs: np.ndarray) -> None:
    found = heat_places(IMAGE, np.ones((64, 64), np.float32), "squish", BOX)
    assert found == pytest.approx(HeatPlaces(0.5, 0.5))


def test_heat_in_a_lung_and_above_it(lungs: np.ndarray) -> None:
    heat = np.zeros((64, 64), np.float32)
    heat[:, :16] = 1  # the left quarter of the box: one lung
    assert heat_places(IMAGE, heat, "squish", BOX) == pytest.approx(HeatPlaces(0, 0), abs=0.03)
    above = heat_places(IMAGE, heat, "squish", (0.25, 0, 0.75, 0.25))
    assert above == pytest.approx(HeatPlaces(1, 0), abs=0.03)


def test_no_heat_lies_nowhere(lungs: np.ndarray) -> None:
    assert heat_places(IMAGE, np.zeros((64, 64), np.float32), "squish", BOX) is None


def test_what_is_between() -> None:
    mask = np.array([[0, 1, 0, 0, 1, 0], [0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]], bool)
    assert between(mask).tolist() == [[0, 0, 1, 1, 0, 0], [0] * 6, [0] * 6]


def test_an_oblong_image_is_measured_as_a_square() -> None:
    square, placed = on_square(
        np.zeros((100, 300), np.uint8), np.ones((32, 32), np.float32), "squish", (0, 0, 0.5, 1)
    )
    assert square.shape == placed.shape == (256, 256)
    assert placed[:, :120].min() > 0.99 and placed[:, 136:].max() < 0.01
