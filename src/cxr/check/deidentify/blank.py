"""Regions of a DICOM image painted over, in the stored values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..checks.burned_in import Box

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

BESIDE, ABOVE = 2.0, 0.5  # heights of a line around it: single letters and dots belong to it


def blank(dataset: Dataset, regions: Sequence[Box]) -> None:
    """Paints over `regions`, in place, with the median of what is around each.

    The image is then stored without compression, in Explicit VR Little Endian.
    """
    from pydicom.pixels import pixel_array, set_pixel_data

    pixels = pixel_array(dataset).copy()
    for region in regions:
        paint_over(pixels, region)
    photometric = "RGB" if pixels.ndim == 3 else dataset.PhotometricInterpretation
    bits = dataset.BitsStored
    set_pixel_data(dataset, pixels, photometric, bits, generate_instance_uid=False)


def paint_over(pixels: np.ndarray, region: Box) -> None:
    """(H, W) or (H, W, channels), in place."""
    beside, above = round(BESIDE * region.height), round(ABOVE * region.height) + 1
    top, left = max(region.top - above, 0), max(region.left - beside, 0)
    bottom, right = region.bottom + above, region.right + beside
    rim = max(region.height // 4, 2)
    outer = pixels[max(top - rim, 0) : bottom + rim, max(left - rim, 0) : right + rim]
    mask = np.ones(outer.shape[:2], dtype=bool)
    inner_top, inner_left = min(top, rim), min(left, rim)
    mask[inner_top : inner_top + bottom - top, inner_left : inner_left + right - left] = False
    around = outer[mask] if mask.any() else outer.reshape(-1, *outer.shape[2:])
    pixels[top:bottom, left:right] = np.median(around, axis=0).astype(pixels.dtype)
