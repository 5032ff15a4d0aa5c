"""Heat by covering one patch after the other: for networks that can only be run, not derived.

Zeiler and Fergus, Visualizing and Understanding Convolutional Networks (ECCV 2014).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product

import numpy as np
import numpy.typing as npt
from PIL import Image

PATCHES = 8  # a side of the grid
METHOD = "occlusion of one patch in 64 after the other"

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Logits = Callable[[Pixels], Floats]


def occlusion_heat(logits: Logits, pixels: Pixels, index: int, multi_label: bool) -> Floats:
    """float32 (S, S) in 0..1 of `pixels` uint8 (S, S): how much the score of class `index` falls
    without that part. `logits` takes (n, S, S) to (n, k). The strongest place is 1; zero where
    nothing speaks for the class."""
    falls = occlusion(logits, pixels, index, multi_label)
    smooth = Image.fromarray(falls.astype(np.float32)).resize(
        pixels.shape[::-1], Image.Resampling.BICUBIC
    )
    heat = np.maximum(np.asarray(smooth), 0)
    return heat / heat.max() if heat.max() > 0 else heat


def occlusion(logits: Logits, pixels: Pixels, index: int, multi_label: bool) -> Floats:
    """(8, 8), not negative: how much the score falls when a patch is replaced by the mean grey."""
    scores = log_odds(logits(covered(pixels)), index, multi_label)
    return np.maximum(scores[-1] - scores[:-1], 0).reshape(PATCHES, PATCHES)


def covered(pixels: Pixels) -> Pixels:
    """(65, S, S): each of 8 x 8 patches replaced by the mean grey; the last image is whole."""
    edges = np.linspace(0, len(pixels), PATCHES + 1).round().astype(int)
    spans = [slice(start, end) for start, end in pairwise(edges)]
    images = np.stack([pixels] * (PATCHES**2 + 1))
    for image, patch in zip(images, product(spans, spans), strict=False):
        image[patch] = round(float(pixels.mean()))
    return images


def log_odds(logits: Floats, index: int, multi_label: bool) -> Floats:
    """(n,): of one class against all others, which is what the decision turns on."""
    if multi_label or logits.shape[1] == 1:
        return logits[:, index]
    others = np.logaddexp.reduce(np.delete(logits, index, axis=1), axis=1)
    return np.asarray(logits[:, index] - others)
