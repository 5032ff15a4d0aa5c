"""One file for the eye: its full depth of grey, with the window in which it is first shown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .dicom import display as dicom_display
from .dicom.decode import read_dicom
from .jpeg import jpeg_shape
from .limits import check_bytes, decoding_with
from .load import kind_of, load_grey, read_file
from .raster import (
    check_header,
    grey_from_image,
    grey_range,
    look_up,
    open_raster,
    orientation_of,
    upright,
    used_bits,
    white_is_zero,
)

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

LONGEST = 2048
TOP = (1 << 16) - 1


@dataclass(frozen=True)
class DisplayImage:
    """values: (H, W) uint16, bones white, at most `maximum`.
    centre, width: the window in which to show it, in the same numbers: black at centre - width / 2,
    white at centre + width / 2.
    kind: "jpeg", "png", "tiff", "bmp", "webp", "gif" or "dicom".
    """

    values: np.ndarray
    maximum: int
    centre: float
    width: float
    kind: str


def load_for_display(
    source: str | Path | bytes, longest: int = LONGEST, *, name: str = "bytes"
) -> DisplayImage:
    """A radiograph from a path or a file's bytes, its longer side at most `longest`.

    DICOM after the modality LUT and, where there is one, the VOI LUT, MONOCHROME1 turned so that
    high is white; 16- and 32-bit PNG and TIFF as they are; all else 8 bits. In its window it looks
    as `load_grey` shows it. Large images are reduced by averaging. Raises ImageError as `load_grey`
    does.
    """
    data, name = (source, name) if isinstance(source, bytes) else (read_file(source), str(source))
    check_bytes(name, len(data))
    image = _whole(data, name, longest)
    return replace(image, values=_reduced(image.values, longest))


def _whole(data: bytes, name: str, longest: int) -> DisplayImage:
    kind = kind_of(data, name)
    if kind == "dicom":
        return _from_dicom(data, name)
    if kind == "jpeg":
        shape = jpeg_shape(data, name)
        small = None if shape is None else _within(shape, longest)
        return _eight_bits(load_grey(data, small, name=name), "jpeg")
    image = open_raster(data, name)
    if image.mode.startswith(("I", "F")):
        with decoding_with("Pillow", name):
            return _from_deep(image, name)
    return _eight_bits(grey_from_image(image, name), _format(image))


def _format(image: Image.Image) -> str:
    return (image.format or "").lower()


def _eight_bits(grey: np.ndarray, kind: str) -> DisplayImage:
    return DisplayImage(grey.astype(np.uint16), 255, 127.5, 255, kind)


def _from_deep(image: Image.Image, name: str) -> DisplayImage:
    """16-bit grey as it is stored, 32-bit and float grey over its range."""
    check_header(image, name)
    image.load()
    values = upright(np.asarray(image), orientation_of(image))
    if not image.mode.startswith("I;16"):
        return _stretched(values, _format(image))
    values = values.astype(np.uint16)
    top = (1 << used_bits(values)) - 1
    if white_is_zero(image):
        values = top - np.minimum(values, top)
    return DisplayImage(values, max(top, int(values.max())), top / 2, top, _format(image))


def _stretched(values: np.ndarray, kind: str) -> DisplayImage:
    """Numbers without a known range, over all of 0 to TOP; the window is `raster.stretched`'s."""
    low, high = grey_range(values)
    scale = _Scale.over(values)
    centre, width = scale.window((low + high) / 2, high - low)
    return DisplayImage(scale(values), scale.maximum, centre, width, kind)


def _from_dicom(data: bytes, name: str) -> DisplayImage:
    with decoding_with("pydicom", name):
        stored, dataset = read_dicom(data, name)
        photometric = str(dataset.PhotometricInterpretation)
        if stored.ndim == 3 or not photometric.startswith("MONOCHROME"):
            return _eight_bits(dicom_display.displayed(stored, dataset), "dicom")
        return _monochrome(stored, dataset, inverted=photometric == "MONOCHROME1")


def _monochrome(stored: np.ndarray, dataset: Dataset, inverted: bool) -> DisplayImage:
    """Worked out once for each stored value that occurs, then looked up for the pixels."""
    from pydicom.pixels import apply_modality_lut

    values, index, counts = dicom_display.distinct(stored)
    padding = dicom_display.is_padding(values, dataset)
    counts = np.where(padding, 0, counts)
    if not counts.any():
        raise ValueError("every pixel is padding")
    values = apply_modality_lut(values, dataset)
    if dataset.get("VOILUTSequence"):
        values, top = dicom_display.through_voi_lut(values, dataset)
        scale = _Scale(0, 1, top)
        centre, width = top / 2, float(top)
    else:
        scale = _Scale.over(values[counts > 0])
        centre, width = scale.window(*_window(values, counts, dataset))
    shown = scale(values)
    if inverted:
        shown, centre = scale.maximum - shown, scale.maximum - centre
    shown[padding] = 0
    return DisplayImage(look_up(shown, index), scale.maximum, centre, width, "dicom")


def _window(values: np.ndarray, counts: np.ndarray, dataset: Dataset) -> tuple[float, float]:
    """(centre, width) in the units of `values`, black and white half a width away.

    A sigmoid becomes the straight line that it follows at its centre.
    """
    window = dicom_display.window_of(dataset)
    if window is None:
        low, high = dicom_display.quantiles(values, counts)
        return (low + high) / 2, high - low
    centre, width, function = window
    return (centre - 0.5, width - 1) if function == "LINEAR" else (centre, width)


@dataclass(frozen=True)
class _Scale:
    """Numbers to uint16: (value - low) * factor, at most `maximum`."""

    low: float
    factor: float
    maximum: int

    @classmethod
    def over(cls, values: np.ndarray) -> _Scale:
        """Whole numbers keep their steps where they fit; others fill 0 to TOP."""
        lowest, highest = float(values.min()), float(values.max())
        low = min(0.0, lowest) if highest <= TOP else lowest
        span = highest - low
        if span <= TOP and bool((values == np.round(values)).all()):
            return cls(low, 1, max(1, round(span)))
        return cls(lowest, TOP / max(highest - lowest, 1e-12), TOP)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        scaled = (values.astype(np.float64) - self.low) * self.factor
        return np.clip(scaled + 0.5, 0, self.maximum).astype(np.uint16)

    def window(self, centre: float, width: float) -> tuple[float, float]:
        return (centre - self.low) * self.factor, max(1.0, width * self.factor)


def _within(shape: tuple[int, int], longest: int) -> tuple[int, int] | None:
    """`shape` with its longer side `longest`; None where it is no longer than that."""
    scale = longest / max(shape)
    return (
        None if scale >= 1 else (max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale)))
    )


def _reduced(values: np.ndarray, longest: int) -> np.ndarray:
    small = _within(values.shape, longest)
    if small is None:
        return np.ascontiguousarray(values)
    return np.asarray(Image.fromarray(values).resize(small[::-1], Image.Resampling.BOX))
