"""Stored DICOM values to the grey levels that a viewer would show.

The order is the standard's (PS3.3 C.11, PS3.4 N.2): modality, VOI, then the presentation. Every
step is a function of one value alone, so it is worked out once for each distinct stored value and
looked up for the pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ..raster import histogram, look_up

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

LOW, HIGH = 0.005, 0.995
"""Without a window or VOI LUT, these quantiles of the image become black and white: radiographs
use a small part of their range, and a few hot pixels or markers must not decide the contrast."""


def displayed(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """`stored` (H, W) or (H, W, 3), as pydicom decodes it, to grey uint8 (H, W), bones white.

    Modality LUT or rescale; then VOI LUT, else the first window, else the quantiles LOW and HIGH;
    MONOCHROME1 inverted; pixel padding black. Colour becomes Rec. 601 luma.
    Raises ValueError for a photometric interpretation that has no grey.
    """
    photometric = str(dataset.PhotometricInterpretation)
    if photometric == "PALETTE COLOR":
        from pydicom.pixels import apply_color_lut

        bits = int(dataset.RedPaletteColorLookupTableDescriptor[2])
        return _luma(apply_color_lut(stored, dataset), bits)
    if stored.ndim == 3 and stored.shape[2] == 3:
        return _luma(stored, int(dataset.BitsStored))
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise ValueError(f"photometric interpretation {photometric[:16]!r} is not known")
    values, index, counts = distinct(stored)
    padding = is_padding(values, dataset)
    if padding.all():
        raise ValueError("every pixel is padding")
    shown = _shown(values, np.where(padding, 0, counts), dataset)
    if photometric == "MONOCHROME1":
        shown = 1 - shown
    shown[padding] = 0
    return look_up((shown * 255 + 0.5).astype(np.uint8), index)


def distinct(stored: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The values that may occur, each pixel's index into them, and how often each occurs."""
    low, high = stored.min(), stored.max()
    if stored.dtype.kind not in "iu" or int(high) - int(low) >= 1 << 16:
        if not np.isfinite(stored).all():
            raise ValueError("some pixels are NaN or infinite")
        values, index, counts = np.unique(stored, return_inverse=True, return_counts=True)
        return values, index.reshape(stored.shape), counts
    values = np.arange(int(low), int(high) + 1)
    index = (stored.astype(np.int32) - int(low)).astype(np.uint16)
    return values, index, histogram(index, len(values))


def is_padding(values: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Stored values that mean 'no image here': Pixel Padding Value, or the range it opens."""
    first = dataset.get("PixelPaddingValue")
    if first is None:
        return np.zeros(len(values), bool)
    last = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((first, first if last is None else last))
    return (values >= low) & (values <= high)


def contrast(dataset: Dataset) -> tuple[str | None, str | None]:
    """What `displayed` applies: "lut", "linear" or None, then "voi lut", "window" or None."""
    slope = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
    linear = None if slope == (1, 0) else "linear"
    rescale = "lut" if dataset.get("ModalityLUTSequence") else linear
    window = None if window_of(dataset) is None else "window"
    return rescale, "voi lut" if dataset.get("VOILUTSequence") else window


def _shown(values: np.ndarray, counts: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Stored values to 0..1, before any inversion."""
    from pydicom.pixels import apply_modality_lut

    values = apply_modality_lut(values, dataset)
    if dataset.get("VOILUTSequence"):
        looked_up, top = through_voi_lut(values, dataset)
        return np.clip(looked_up / top, 0, 1)
    window = window_of(dataset)
    if window is None:
        low, high = quantiles(values, counts)
        return np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    return windowed(values, *window)


def through_voi_lut(values: np.ndarray, dataset: Dataset) -> tuple[np.ndarray, int]:
    """`values` looked up in the first VOI LUT, and the highest value that may come out."""
    from pydicom.pixels import apply_voi

    entries, first, bits = dataset.VOILUTSequence[0].LUTDescriptor
    last = first + (entries or 1 << 16) - 1
    inside = np.clip(values.round().astype(np.int64), first, last)
    return apply_voi(inside, dataset), (1 << bits) - 1


def window_of(dataset: Dataset) -> tuple[float, float, str] | None:
    """The first window (centre, width, function); None where there is none of a legal width."""
    centre, width = dataset.get("WindowCenter"), dataset.get("WindowWidth")
    if centre is None or width is None:
        return None
    centre, width = (float(np.atleast_1d(value)[0]) for value in (centre, width))
    function = str(dataset.get("VOILUTFunction") or "LINEAR").upper()
    wide_enough = width >= 1 if function == "LINEAR" else width > 0
    legal = wide_enough and np.isfinite((centre, width)).all()
    return (centre, width, function) if legal else None


def windowed(values: np.ndarray, centre: float, width: float, function: str) -> np.ndarray:
    """`values` through a window, 0..1: DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3.

    pydicom's `apply_windowing` computes the same, over an output range that depends on the header.
    """
    values = np.asarray(values, np.float64)
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1
    elif function != "LINEAR_EXACT":
        raise ValueError(f"VOI LUT function {function[:16]!r} is not known")
    return np.clip((values - centre) / max(width, 1e-12) + 0.5, 0, 1)


def quantiles(values: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    order = np.argsort(values, kind="stable")
    below = np.cumsum(counts[order]) / counts.sum()
    low, high = values[order][np.searchsorted(below, (LOW, HIGH))]
    return float(low), float(high)


def _luma(colour: np.ndarray, bits: int) -> np.ndarray:
    eight = colour if bits <= 8 else (colour >> (bits - 8))
    return np.asarray(Image.fromarray(eight.astype(np.uint8)).convert("L"))
