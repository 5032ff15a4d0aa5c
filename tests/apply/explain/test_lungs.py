"""The lung estimate against the phantom's own lungs."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cxr.apply.explain import lungs
from cxr.apply.explain.lungs import lung_estimate
from cxr.find.phantom import PhantomSpec, render_image
from cxr.find.phantom import image as drawn
from cxr.find.phantom.patients import Stream
from cxr.pixels import resize


def with_lungs(patient: int) -> tuple[np.ndarray, np.ndarray]:
    """An image of 128 x 128 pixels, and where its lungs were drawn."""
    spec = PhantomSpec(seed=9, size=128)
    build, pose = drawn.draw_build(spec, patient), drawn.draw_pose(spec, patient, 0)
    shape = spec.size, round(spec.size * pose.aspect)
    chest = drawn.draw_chest(
        drawn.canvas(*shape),
        build,
        pose,
        drawn.stream(spec, Stream.VESSELS, patient),
        drawn.stream(spec, Stream.TEXTURE, patient, 0),
    )
    lungs = drawn.place(chest.lungs.inside(chest.grid), chest.grid, pose, shape) > 0.5
    square = Image.fromarray(lungs).resize((128, 128), Image.Resampling.NEAREST)
    return resize(render_image(patient, 0, spec).pixels, 128), np.asarray(square)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def test_its_steps_are_those_of_scipy() -> None:
    from scipy import ndimage

    rng = np.random.default_rng(0)
    grey = rng.uniform(0, 255, (64, 64)).astype(np.float32)
    smooth = lungs._smooth(lungs._smooth(grey).T).T
    assert smooth == pytest.approx(ndimage.gaussian_filter(grey, 1.0), abs=1e-3)
    masks = rng.random((3, 20, 20)) < 0.05
    grown = lungs._dilated(lungs._dilated(masks))
    assert (grown == [ndimage.binary_dilation(mask, iterations=2) for mask in masks]).all()
    image = rng.integers(0, 256, (64, 64), dtype=np.uint8)
    framed = np.pad(ndimage.gaussian_filter(image.astype(np.float32), 1.0), ((0, 0), (27, 27)))
    dark = np.sqrt(np.maximum((ndimage.grey_closing(framed, (1, 27)) - framed)[:, 27:-27], 0))
    dark -= dark.mean()
    expected = (dark / np.linalg.norm(dark)).ravel()
    assert lungs._darkness(image) == pytest.approx(expected, abs=1e-3)


def test_it_overlaps_the_drawn_lungs() -> None:
    found = [dice(lung_estimate(film), lungs) for film, lungs in map(with_lungs, range(12))]
    assert np.mean(found) > 0.82 and min(found) > 0.75


def test_a_white_lung_is_still_a_lung() -> None:
    film, lungs = with_lungs(0)
    right = lungs.copy()
    right[:, 64:] = False
    film[right & (np.arange(128)[:, None] > 60)] = 190
    found = lung_estimate(film)
    assert found[right].mean() > 0.7


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_an_image_that_shows_nothing_gets_the_usual_place(grey: int) -> None:
    found = lung_estimate(np.full((96, 96), grey, np.uint8))
    assert found.shape == (96, 96) and 0.15 < found.mean() < 0.45
    assert found[40, 25] and found[40, 70] and not found[40, 48] and not found[90].any()


def test_brightness_and_contrast_do_not_matter() -> None:
    film, _ = with_lungs(1)
    dim = (film * 0.5 + 40).astype(np.uint8)
    assert dice(lung_estimate(film), lung_estimate(dim)) > 0.95
