"""From attenuation to an image: blur, scatter, noise, the tone curve, and what is burnt in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .fields import Field, Grid
from .patients import PhantomSpec, Pose, Stream, stream

# What each site's equipment does; drawn around, never read by the label.
# (modality, mean gamma, photons, blur in image heights, text corner)
SITE_HABITS = {
    "north": ("CR", 1.12, 1800.0, 0.0040, "left"),
    "harbour": ("DX", 0.92, 4200.0, 0.0024, "right"),
    "university": ("DX", 1.00, 3000.0, 0.0030, "left"),
}

GLYPHS = {  # 5 x 7 dots, a row each
    "S": (0x0F, 0x10, 0x10, 0x0E, 0x01, 0x01, 0x1E),
    "Y": (0x11, 0x11, 0x0A, 0x04, 0x04, 0x04, 0x04),
    "N": (0x11, 0x19, 0x15, 0x15, 0x13, 0x11, 0x11),
    "T": (0x1F, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04),
    "H": (0x11, 0x11, 0x11, 0x1F, 0x11, 0x11, 0x11),
    "E": (0x1F, 0x10, 0x10, 0x1E, 0x10, 0x10, 0x1F),
    "I": (0x0E, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0E),
    "C": (0x0F, 0x10, 0x10, 0x10, 0x10, 0x10, 0x0F),
    "L": (0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1F),
    "R": (0x1E, 0x11, 0x11, 0x1E, 0x14, 0x12, 0x11),
}


@dataclass(frozen=True)
class Exposure:
    """How one image was exposed and printed."""

    photons: float  # behind unit attenuation; sets the noise
    scatter: float
    blur: float  # standard deviation, image heights
    grain: float  # share of a neighbour's noise in each pixel
    gamma: float
    black: float  # shifts of the window's ends, as shares of its width
    white: float
    collimation: tuple[float, ...]  # top, bottom, left, right, image heights
    marker: str  # "L", "R"
    marker_at: float
    text: str  # corner of the word SYNTHETIC
    inverted: bool  # stored as MONOCHROME1 where the format can say so
    modality: str


def draw_exposure(spec: PhantomSpec, patient: int, image: int, site: str) -> Exposure:
    rng = stream(spec, Stream.ACQUISITION, patient, image)
    modality, gamma, photons, blur, corner = SITE_HABITS[site]
    borders = np.where(rng.random(4) < 0.3, 0.05 * rng.random(4), 0.0)
    return Exposure(
        photons=photons * 2.0 ** rng.uniform(-1.2, 1.0),
        scatter=rng.uniform(0.03, 0.16),
        blur=blur * rng.uniform(0.6, 1.5),
        grain=rng.uniform(0.1, 0.8),
        gamma=gamma * 2.0 ** rng.uniform(-0.45, 0.45),
        black=rng.uniform(-0.14, 0.08),
        white=rng.uniform(-0.08, 0.14),
        collimation=tuple(borders.tolist()),
        marker="L" if rng.random() < 0.5 else "R",
        marker_at=rng.uniform(0.04, 0.16),
        text=corner,
        inverted=rng.random() < 0.25,
        modality=modality,
    )


def place(field: Field, grid: Grid, pose: Pose, shape: tuple[int, int]) -> Field:
    """Rotates, scales and shifts the canvas onto the image of `shape`."""
    turn = np.deg2rad(pose.roll)
    cos, sin = np.cos(turn) / pose.scale, np.sin(turn) / pose.scale
    matrix = np.array([[cos, -sin], [sin, cos]])
    middle_in = (np.array(grid.shape) - 1) / 2
    middle_out = (np.array(shape) - 1) / 2
    shift = np.array(pose.shift[::-1]) * shape[0]
    offset = middle_in + shift - matrix @ middle_out
    return ndimage.affine_transform(
        field, matrix, offset, shape, output=np.float64, order=1, mode="nearest"
    )


def expose(attenuation: Field, exposure: Exposure, rng: np.random.Generator) -> Field:
    """Counts photons behind the body and prints them: 0 (black) to 1 (white), (H, W).

    Noise is Gaussian with the variance of a Poisson count: numpy's Poisson sampler may take
    another path where two machines' logarithms differ in the last digit, its normal one does not.
    """
    height = attenuation.shape[0]
    light = ndimage.gaussian_filter(np.exp(-2.6 * attenuation), exposure.blur * height, truncate=3)
    light = light + exposure.scatter * light.mean()
    light += _grain(rng, attenuation.shape, exposure.grain) * np.sqrt(light / exposure.photons)
    return _print_image(-np.log(np.maximum(light, 1e-4)), exposure)


def _grain(rng: np.random.Generator, shape: tuple[int, int], shared: float) -> Field:
    """Noise of spread 1 in which each pixel takes a share of its neighbours'."""
    noise = rng.standard_normal((shape[0] + 1, shape[1] + 1))
    noise = noise[1:] + shared * noise[:-1]
    noise = noise[:, 1:] + shared * noise[:, :-1]
    noise /= 1.0 + shared * shared
    return noise


def _print_image(density: Field, exposure: Exposure) -> Field:
    inner = density[density.shape[0] // 8 : -density.shape[0] // 8 : 3, ::3]
    low, high = np.percentile(inner, (4.0, 97.0))
    span = high - low
    low, high = low + exposure.black * span, high + exposure.white * span
    value = np.clip((density - low) / (high - low), 0.0, None)
    # A soft shoulder instead of burnt-out whites.
    value = value * (1.0 + 0.12 * value**2) / (1.0 + 0.24 * value**3)
    return np.clip(0.03 + 0.93 * value, 0.0, 1.0) ** exposure.gamma


def burn_in(image: Field, exposure: Exposure) -> Field:
    """Collimation, the side marker and the word SYNTHETIC; a new array."""
    height, width = image.shape
    out = image.copy()
    top, bottom, left, right = (round(b * height) for b in exposure.collimation)
    out[:top], out[height - bottom :] = 0.0, 0.0
    out[:, :left], out[:, width - right :] = 0.0, 0.0
    scale = max(1, round(height / 256))
    marker = _word(exposure.marker, 2 * scale)
    row = int(exposure.marker_at * height) + top
    gap = int(0.05 * height)
    column = left + gap if exposure.marker == "R" else width - right - gap - marker.shape[1]
    _stamp(out, marker, row, column, 0.92)
    word = _word("SYNTHETIC", scale)
    column = 3 * scale if exposure.text == "left" else width - word.shape[1] - 3 * scale
    row = height - word.shape[0] - 3 * scale
    out[row - scale : row + 8 * scale, column - scale : column + word.shape[1]] = 0.0
    _stamp(out, word, row, column, 0.85)
    return out


def _word(text: str, scale: int) -> NDArray[np.bool_]:
    """(7 * scale, 6 * len * scale) bool."""
    rows = np.array([GLYPHS[letter] for letter in text])  # (letters, 7) of 5 bits
    bits = (rows.T[:, :, None] << 1 >> np.arange(5, -1, -1)) & 1
    return np.kron(bits.reshape(7, -1), np.ones((scale, scale), dtype=int)).astype(bool)


def _stamp(image: Field, glyph: NDArray[np.bool_], row: int, column: int, value: float) -> None:
    height, width = glyph.shape
    image[row : row + height, column : column + width][glyph] = value


def quantise(image: Field, bits: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """0..1 to uint8 (8 bits) or uint16 (12 bits).

    First to a grid of 1e-6: elementary functions differ in the last digit between machines, and
    without it a value that lies on a half by construction could round either way.
    """
    top = 2**bits - 1
    steps = np.rint(image * 1e6)
    rounded = np.floor(steps * (top / 1e6) + 0.5)
    return rounded.astype(np.uint8) if bits == 8 else rounded.astype(np.uint16)
