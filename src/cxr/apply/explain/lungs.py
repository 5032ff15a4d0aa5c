"""Where the lungs are likely to lie: an estimate from a fitted shape, not a segmentation.

A family of two-lung shapes of many sizes and places is laid over the image; the one that is darker
inside than around fits best. A filled (white) lung is still counted as lung, since the other lung
and the lower border hold the shape in place: what a threshold on darkness would lose first is the
pneumonia itself.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

ABOUT = "estimated from a fitted shape, not segmented"
SIDE = 64  # pixels a side at which shapes are fitted
# Shares of the image's side, of what a frontal image may show.
MIDDLES = (0.40, 0.44, 0.48, 0.52, 0.56, 0.60)
TOPS = (0.02, 0.06, 0.10, 0.14, 0.18, 0.22, 0.27)
HEIGHTS = (0.50, 0.56, 0.62, 0.68, 0.74, 0.80, 0.86)
HALF_WIDTHS = (0.28, 0.32, 0.36, 0.40, 0.44)
RING = 0.06  # how far around the lungs the image is compared with them
BETWEEN = 0.42  # widest dark stretch that may be a lung
USUAL = (0.50, 0.14, 0.60, 0.38)  # middle, top, height, half width where an image shows nothing
REACH = 4  # pixels of a Gaussian of one
RELIABLE = 0.25  # correlation below which the fit says nothing


def lung_estimate(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Bool (S, S): the estimated lung fields on a frontal image, `pixels` uint8 (S, S), squished.

    Where no shape fits, the usual place of lungs on an image. Costs about 2 ms.
    """
    darkness = _darkness(pixels)
    shapes, inside = _family()
    scores = shapes @ darkness
    best = int(scores.argmax())
    shape = inside[best] if scores[best] > RELIABLE else _lungs(*USUAL)
    large = Image.fromarray(shape.astype(np.float32)).resize(
        pixels.shape[::-1], Image.Resampling.BILINEAR
    )
    return np.asarray(large) > 0.5


def _darkness(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(SIDE * SIDE,), mean 0, length 1: how much darker than what is brighter on both its sides.

    A morphological closing along the rows (black top-hat): bare image beside the body has nothing
    brighter on its far side and does not count.
    """
    small = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX)
    grey = _smooth(_smooth(np.asarray(small, np.float32)).T).T
    width = round(BETWEEN * SIDE) // 2 * 2 + 1
    framed = np.pad(grey, ((0, 0), (width - 1, width - 1)))
    highest = sliding_window_view(framed, width, axis=1).max(axis=2)
    dark = sliding_window_view(highest, width, axis=1).min(axis=2) - grey
    dark = np.sqrt(np.maximum(dark, 0))
    dark -= dark.mean()
    return (dark / max(float(np.linalg.norm(dark)), 1e-6)).astype(np.float32).ravel()


def _smooth(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """By a Gaussian of one pixel along the rows; the edges are mirrored."""
    away = np.arange(-REACH, REACH + 1)
    weights = np.exp(-(away**2) / 2)
    framed = np.pad(grey, ((0, 0), (REACH, REACH)), "symmetric")
    windows = sliding_window_view(framed, 2 * REACH + 1, axis=1)
    return (windows @ (weights / weights.sum())).astype(np.float32)


def _dilated(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Bool (m, h, w), each grown by a pixel up, down, left and right."""
    grown = masks.copy()
    grown[:, 1:] |= masks[:, :-1]
    grown[:, :-1] |= masks[:, 1:]
    grown[:, :, 1:] |= masks[:, :, :-1]
    grown[:, :, :-1] |= masks[:, :, 1:]
    return grown


@lru_cache(maxsize=1)
def _family() -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Every shape as weights (m, SIDE * SIDE), and what it encloses, bool (m, SIDE, SIDE)."""
    inside = np.stack([_lungs(*place) for place in product(MIDDLES, TOPS, HEIGHTS, HALF_WIDTHS)])
    around = inside
    for _ in range(round(RING * SIDE)):
        around = _dilated(around)
    around &= ~inside
    weights = inside / inside.sum((1, 2), keepdims=True)
    weights = weights - around / around.sum((1, 2), keepdims=True)
    weights = weights.reshape(len(inside), -1)
    return (weights / np.linalg.norm(weights, axis=1, keepdims=True)).astype(np.float32), inside


def _lungs(middle: float, top: float, height: float, half_width: float) -> NDArray[np.bool_]:
    """Both lungs as bool (SIDE, SIDE): narrow apices, domes below, the heart cut from one side."""
    centres = (np.arange(SIDE) + 0.5) / SIDE
    x, down = centres[None, :] - middle, (centres[:, None] - top) / height
    out = np.abs(x) / half_width
    t = np.clip(down, 0, 1)
    lateral = 0.40 + 0.60 * np.sqrt(1 - (1 - t) ** 2.5)
    medial = 0.40 - 0.26 * np.sqrt(np.clip(t / 0.30, 0, 1))
    medial = medial + np.where(x > 0, 0.22, 0.06) * np.clip((t - 0.45) / 0.55, 0, 1)
    floor = 0.84 + 0.16 * np.clip((out - 0.45) / 0.55, 0, 1) ** 2 + np.where(x > 0, 0.02, 0.0)
    return (down > 0) & (down < floor) & (out < lateral) & (out > medial)
