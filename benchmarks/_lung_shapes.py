"""Where lungs lie on real images and on phantoms, to teach the locator and to measure it.

On a phantom they are known. On a real image a family of two-lung shapes of many places and sizes
is laid over it, as in `cxr.apply.explain.lungs` but on a wider grid; the shape that is darker
inside than around fits best, and the correlation says how well.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from cxr.find.phantom import PhantomSpec, image_indices, lung_mask, render_image
from cxr.pixels import load_grey

SIDE = 48
RING = 0.06  # how far around the lungs the image is compared with them
BETWEEN = 0.42  # widest dark stretch that may be a lung
CENTRES = (np.arange(SIDE) + 0.5) / SIDE


def phantoms(n: int, seed: int, size: int = 128) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Images (H, W) uint8 and their lungs (H, W) bool."""
    spec = PhantomSpec(size=size, seed=seed)
    indices = image_indices(spec, n)
    pixels = [render_image(patient, image, spec).pixels for patient, image in indices]
    return pixels, [lung_mask(patient, image, spec) for patient, image in indices]


def box_of(mask: np.ndarray) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 around a mask (H, W), as shares."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    height, width = mask.shape
    return (
        columns[0] / width,
        rows[0] / height,
        (columns[-1] + 1) / width,
        (rows[-1] + 1) / height,
    )


def small(images: Iterable[Path | np.ndarray], side: int) -> np.ndarray:
    """Whole images averaged to uint8 (n, side, side)."""
    greys = (Image.fromarray(load_grey(image)) for image in images)
    return np.stack([np.asarray(g.resize((side, side), Image.Resampling.BOX)) for g in greys])


class ShapeFamily:
    """Every shape as weights (m, SIDE * SIDE) and the box that it fills."""

    def __init__(self) -> None:
        places = [
            place
            for place in product(
                np.arange(0.34, 0.67, 0.04),  # middle
                np.arange(-0.02, 0.35, 0.04),  # top
                np.arange(0.36, 0.93, 0.07),  # height
                np.arange(0.20, 0.53, 0.04),  # half width
            )
            if _may_be_seen(*place)
        ]
        inside = np.stack([_lungs(*place) for place in places])
        reach = np.ones((1, 3, 3), bool) & np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)
        around = ndimage.binary_dilation(inside, reach, round(RING * SIDE)) & ~inside
        weights = inside / inside.sum((1, 2), keepdims=True)
        weights = (weights - around / around.sum((1, 2), keepdims=True)).reshape(len(places), -1)
        self.weights = weights / np.linalg.norm(weights, axis=1, keepdims=True)
        middle, top, height, half = np.array(places).T
        self.boxes = np.stack([middle - half, top, middle + half, top + height], 1)

    def fit(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (n, 4) and correlations (n,) for uint8 (n, SIDE, SIDE)."""
        scores = _darkness(images) @ self.weights.T
        return self.boxes[scores.argmax(1)], scores.max(1)


def _may_be_seen(middle: float, top: float, height: float, half: float) -> bool:
    return bool(top + 0.84 * height < 1.06 and middle - half > -0.12 and middle + half < 1.12)


def _lungs(middle: float, top: float, height: float, half_width: float) -> np.ndarray:
    """Both lungs as bool (SIDE, SIDE): narrow apices, domes below, the heart cut from one side."""
    x, down = CENTRES[None, :] - middle, (CENTRES[:, None] - top) / height
    out, t = np.abs(x) / half_width, np.clip(down, 0, 1)
    lateral = 0.40 + 0.60 * np.sqrt(1 - (1 - t) ** 2.5)
    medial = 0.40 - 0.26 * np.sqrt(np.clip(t / 0.30, 0, 1))
    medial = medial + np.where(x > 0, 0.22, 0.06) * np.clip((t - 0.45) / 0.55, 0, 1)
    floor = 0.84 + 0.16 * np.clip((out - 0.45) / 0.55, 0, 1) ** 2 + np.where(x > 0, 0.02, 0.0)
    return (down > 0) & (down < floor) & (out < lateral) & (out > medial)


def _darkness(images: np.ndarray) -> np.ndarray:
    """(n, SIDE * SIDE), mean 0, length 1: how much darker than what is brighter on both sides."""
    grey = ndimage.gaussian_filter(images.astype(np.float32), (0, 1, 1))
    width = round(BETWEEN * SIDE)
    framed = np.pad(grey, ((0, 0), (0, 0), (width, width)))
    dark = ndimage.grey_closing(framed, (1, 1, width))[:, :, width:-width] - grey
    dark = np.sqrt(np.maximum(dark, 0)).reshape(len(images), -1)
    dark -= dark.mean(1, keepdims=True)
    return dark / np.maximum(np.linalg.norm(dark, axis=1, keepdims=True), 1e-6)
