"""PNG, TIFF, BMP, WebP, GIF, Pillow images and arrays to 8-bit grey."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from ..errors import ImageError
from .limits import check_dimensions, decoding_with

_ORIENTATION_TAG, _PHOTOMETRIC_TAG = 0x0112, 262

_AT_A_TIME = 1 << 20  # pixels: numpy makes 8-byte copies of indices

_SIGNATURES: dict[bytes, Callable[..., Image.Image]] = {
    b"\x89PNG\r\n\x1a\n": PngImagePlugin.PngImageFile,
    b"II*\0": TiffImagePlugin.TiffImageFile,
    b"MM\0*": TiffImagePlugin.TiffImageFile,
    b"BM": BmpImagePlugin.BmpImageFile,
    b"GIF8": GifImagePlugin.GifImageFile,
}


def opener_for(data: bytes) -> Callable[..., Image.Image] | None:
    """The Pillow reader that the first bytes call for; None when no known format starts so."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WebPImagePlugin.WebPImageFile
    return next((opener for start, opener in _SIGNATURES.items() if data.startswith(start)), None)


def open_raster(data: bytes, name: object) -> Image.Image:
    """A file of one of these formats as a Pillow image, its pixels not yet read."""
    opener = opener_for(data)
    if opener is None:
        raise ImageError(name, "not a PNG, TIFF, BMP, WebP or GIF file")
    with decoding_with("Pillow", name):
        return opener(BytesIO(data))


def grey_from_image(image: Image.Image, name: object) -> np.ndarray:
    """A Pillow image of any mode as grey (H, W) uint8, upright by its EXIF orientation.

    Colour becomes Rec. 601 luma; transparency lies over black; 16-bit grey goes through
    `eight_bits`; 32-bit and float grey through `stretched`. More than one frame is refused.
    """
    check_header(image, name)
    with decoding_with("Pillow", name):
        image.load()
        return upright(_to_grey(image), orientation_of(image))


def check_header(image: Image.Image, name: object) -> None:
    """Raises ImageError for a size that is not allowed, and for several images in one file."""
    check_dimensions(name, image.height, image.width)
    if getattr(image, "is_animated", False):
        raise ImageError(name, "holds more than one image; save each as a file of its own")


def orientation_of(image: Image.Image) -> int:
    """1 to 8, as EXIF has it; 1 where it says nothing."""
    return int(image.getexif().get(_ORIENTATION_TAG, 1))


def white_is_zero(image: Image.Image) -> bool:
    """Whether a TIFF says that its lowest values are white."""
    return getattr(image, "tag_v2", {}).get(_PHOTOMETRIC_TAG) == 0


def _to_grey(image: Image.Image) -> np.ndarray:
    if image.mode == "L" and not image.has_transparency_data:
        return np.asarray(image)
    if image.mode.startswith("I;16"):
        grey = eight_bits(np.asarray(image).astype(np.uint16))
        return 255 - grey if white_is_zero(image) else grey
    if image.mode in ("I", "F"):
        return stretched(np.asarray(image))
    if image.has_transparency_data:
        layers = image.convert("RGBA")
        black = Image.new("RGBA", layers.size, (0, 0, 0, 255))
        return np.asarray(Image.alpha_composite(black, layers).convert("L"))
    return np.asarray(image.convert("RGB").convert("L"))


def eight_bits(values: np.ndarray) -> np.ndarray:
    """uint16 (H, W) to uint8, by the number of bits that the file really uses.

    Radiographs are often exported as 10, 12 or 14 bits in a 16-bit file, with nothing in the
    header to say so: see `used_bits`. What is above clips.
    """
    top = (1 << used_bits(values)) - 1
    grey_of_value = np.clip(np.arange(1 << 16) * (255 / top) + 0.5, 0, 255)
    return look_up(grey_of_value.astype(np.uint8), values)


def used_bits(values: np.ndarray) -> int:
    """The smallest of 8, 10, 12, 14, 16 bits that holds 99.5 % of the pixels of uint16 (H, W).

    Not all of them, so that one burnt-in marker at 65535 does not turn the chest black.
    """
    held = np.searchsorted(np.cumsum(histogram(values, 1 << 16)), 0.995 * values.size)
    return next(bits for bits in (8, 10, 12, 14, 16) if held < 1 << bits)


def stretched(values: np.ndarray) -> np.ndarray:
    """Numbers without a known range to uint8: the limits of `grey_range` become black and white."""
    low, high = grey_range(values)
    scaled = (values.astype(np.float64) - low) * (255 / max(high - low, 1e-12))
    return np.clip(scaled + 0.5, 0, 255).astype(np.uint8)


def grey_range(values: np.ndarray) -> tuple[float, float]:
    """The 0.5 and 99.5 percentiles of `values`. Raises ValueError when one is not finite."""
    if not np.isfinite(values).all():
        raise ValueError("some pixels are NaN or infinite")
    low, high = np.percentile(values, (0.5, 99.5))
    return low, high


def grey_from_array(values: np.ndarray, name: object) -> np.ndarray:
    """An array (H, W), (H, W, 1) or (H, W, 3) as grey (H, W) uint8.

    uint8 and bool are taken as they are, uint16 through `eight_bits`, floats as 0 to 1.
    """
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    colour = values.ndim == 3 and values.shape[2] == 3
    if values.ndim != 2 and not colour:
        raise ImageError(name, f"shape {values.shape} is not (H, W), (H, W, 1) or (H, W, 3)")
    check_dimensions(name, *values.shape[:2])
    if values.dtype.kind == "f":
        # NaN fails this comparison too.
        if not (values.min() >= 0 and values.max() <= 1):
            raise ImageError(name, "float pixels must be 0 to 1; scale them, or pass uint8")
        values = (values * 255 + 0.5).astype(np.uint8)
    elif values.dtype == bool:
        values = values.astype(np.uint8) * 255
    elif values.dtype == np.uint16 and not colour:
        values = eight_bits(values)
    if values.dtype != np.uint8:
        raise ImageError(name, f"{values.dtype} pixels; pass uint8, uint16 grey, or float 0 to 1")
    return np.asarray(Image.fromarray(values).convert("L")) if colour else values


_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: np.fliplr,
    3: lambda grey: grey[::-1, ::-1],
    4: np.flipud,
    5: np.transpose,
    6: lambda grey: np.rot90(grey, -1),
    7: lambda grey: grey[::-1, ::-1].T,
    8: np.rot90,
}


def upright(grey: np.ndarray, orientation: int) -> np.ndarray:
    """`grey` as EXIF `orientation` (1 to 8) says it should be seen; other values mean unturned."""
    return np.ascontiguousarray(_TURNS[orientation](grey)) if orientation in _TURNS else grey


def histogram(values: np.ndarray, n: int) -> np.ndarray:
    """How often each of 0 to `n` - 1 occurs in `values` (H, W) of unsigned integers."""
    counts = np.zeros(n, np.int64)
    for rows in _row_blocks(values):
        counts += np.bincount(values[rows].ravel(), minlength=n)
    return counts


def look_up(table: np.ndarray, values: np.ndarray) -> np.ndarray:
    """`table[values]` for (H, W) `values`, as `table`'s dtype."""
    result = np.empty(values.shape, table.dtype)
    for rows in _row_blocks(values):
        result[rows] = table[values[rows]]
    return result


def _row_blocks(values: np.ndarray) -> Iterator[slice]:
    height, width = values.shape
    step = max(1, _AT_A_TIME // width)
    return (slice(top, top + step) for top in range(0, height, step))
