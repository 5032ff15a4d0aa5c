"""Which way round the grey of an image goes: dark lungs, or white ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..scan import SIDE


def lung_polarity(squares: np.ndarray) -> npt.NDArray[np.float64]:
    """(m, SIDE, SIDE) -> (m,) how much brighter the spine is than the lungs, in units of contrast.

    At the height of the hila, the middle of an upright image is bone and heart, with lung to both
    sides. Of 5,232 images of children one was below 0, and all but one when inverted.
    """
    eighth = SIDE // 16
    middle = squares[:, round(0.3 * SIDE) : round(0.6 * SIDE)].astype(np.float32)
    spine = middle[:, :, 7 * eighth : 9 * eighth].mean((1, 2))
    left, right = middle[:, :, 3 * eighth : 6 * eighth], middle[:, :, 10 * eighth : 13 * eighth]
    lungs = (left.mean((1, 2)) + right.mean((1, 2))) / 2
    return (spine - lungs) / np.maximum(squares.std((1, 2), dtype=np.float32), 1)
