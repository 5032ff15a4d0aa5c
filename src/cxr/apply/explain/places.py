"""Where the heat of a map lies on the whole image: in the lungs, between them, or beyond.

NumPy and Pillow alone, as a server says it of each image.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._io.drawing import resized, scaled_to
from ...pixels.frame import Box
from .lungs import lung_estimate
from .overlay import onto_image

WHOLE_SIDE = 256  # pixels a side at which the heat is laid on its image


class HeatPlaces(NamedTuple):
    """Shares of the heat: `outside_lungs`, and of these `between_lungs`, where the heart, the great
    vessels, the spine and the roots of the lungs lie."""

    outside_lungs: float
    between_lungs: float


def heat_places(
    image: NDArray[np.uint8], heat: NDArray[np.float32], method: str, box: Box
) -> HeatPlaces | None:
    """Of heat (S, S) over the part `box` of the whole image uint8 (H, W), resized by `method`; None
    where there is no heat. The lungs are an estimate (`lung_estimate`)."""
    if not heat.any():
        return None
    square, placed = on_square(image, heat, method, box)
    lungs = lung_estimate(square)
    total = placed.sum()
    return HeatPlaces(
        float(placed[~lungs].sum() / total), float(placed[between(lungs)].sum() / total)
    )


def on_square(
    image: NDArray[np.uint8], heat: NDArray[np.float32], method: str, box: Box
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The whole image as a square of WHOLE_SIDE, and the heat where the cut was."""
    shrunk = scaled_to(image, WHOLE_SIDE)
    square = (WHOLE_SIDE, WHOLE_SIDE)
    return resized(image, square), resized(onto_image(heat, shrunk.shape, method, box), square)


def between(lungs: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Bool (S, S): what lies in a row between the first and the last pixel of `lungs`, and is none
    of them."""
    begun = np.maximum.accumulate(lungs, axis=1)
    goes_on = np.maximum.accumulate(lungs[:, ::-1], axis=1)[:, ::-1]
    return begun & goes_on & ~lungs
