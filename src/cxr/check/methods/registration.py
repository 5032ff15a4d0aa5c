"""How one image lies on another, and how alike the two are there in their fine detail.

Two images of one patient differ in the detail (breath, pose, projection) however alike they look;
two copies of one image agree in it once they lie on each other. Contrast is evened out locally, so
that brightness, gain and gamma hardly matter. The method: phase correlation (Kuglin and Hines,
1975) for the shift, then Gauss-Newton steps on shift and stretch along both axes, from coarse to
fine, with the gain solved for in each step (as in Evangelidis and Psarakis, 2008). Moving,
stretching and smoothing are products with small matrices, so that they are fast for many pairs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]  # float32 throughout
Ints = npt.NDArray[np.int64]

MARGIN = 0.07  # of a side; what a shift uncovers is filled by black or by anything
MAX_SHIFT = 0.1  # of a side
MAX_STRETCH = 1.15
SMOOTHING, SURROUND = 0.5, 2.0  # sigmas of the detail that is compared, in pixels
FLOOR = 4.0  # grey levels; a detail below it is noise


def shrink(images: npt.NDArray[Any], side: int) -> Floats:
    """(m, N, N) to (m, side, side) by averages of whole blocks; N is a multiple of side."""
    images = images.astype(np.float32)
    if images.shape[-1] == side:
        return images
    averages = _averages(images.shape[-1], side)
    return averages @ images @ averages.T


def to_bytes(images: Floats) -> Bytes:
    return np.rint(images).astype(np.uint8)


@lru_cache
def _averages(n: int, side: int) -> Floats:
    return np.repeat(np.eye(side, dtype=np.float32) * side / n, n // side, axis=1)


def detail(images: Floats) -> Floats:
    """(m, n, n): finer than the surround, and of one strength everywhere."""
    fine = _blur(images, SMOOTHING) - _blur(images, SURROUND)
    return fine / (np.sqrt(_blur(fine**2, 2 * SURROUND)) + FLOOR)


def _blur(images: Floats, sigma: float) -> Floats:
    kernel = _gaussian(images.shape[-1], sigma)
    return kernel @ images @ kernel.T


@lru_cache
def _gaussian(n: int, sigma: float) -> Floats:
    steps = np.arange(n)
    weights = np.exp(-0.5 * ((steps[:, None] - steps) / sigma) ** 2)
    weights[weights < 1e-4] = 0  # numbers near the smallest possible make products 100 times slower
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def same_place(m: int) -> Floats:
    """(m, 4) placements that move nothing: stretch and shift along y, stretch and shift along x.

    A placement says where in the moving image a point of the fixed one is: shift + stretch *
    point, in shares of the side from the centre.
    """
    return np.tile(np.array([1, 0, 1, 0], np.float32), (m, 1))


def find_shift(fixed: Floats, moving: Floats) -> Floats:
    """(m, 4) placements by phase correlation of details, to a pixel, at most MAX_SHIFT away."""
    from scipy.fft import irfft2, rfft2

    n = fixed.shape[-1]
    window = np.outer(_window(n), _window(n))
    cross = rfft2(moving * window) * rfft2(fixed * window).conj()
    cross /= np.sqrt(np.abs(cross)) + 1e-3
    far = int(MAX_SHIFT * n)
    near = np.arange(-far, far + 1)
    peaks = irfft2(cross, s=(n, n))[:, near[:, None], near].reshape(len(fixed), -1).argmax(axis=1)
    placement = same_place(len(fixed))
    placement[:, 1], placement[:, 3] = (near[peaks // len(near)] / n, near[peaks % len(near)] / n)
    return placement


@lru_cache
def _window(n: int) -> Floats:
    margin = round(MARGIN * n)
    window = np.zeros(n, np.float32)
    window[margin : n - margin] = np.hanning(n - 2 * margin + 2)[1:-1]
    return window


def refine(fixed: Floats, moving: Floats, placement: Floats, steps: int) -> Floats:
    """Better placements (m, 4), by Gauss-Newton steps on details (m, n, n)."""
    n = fixed.shape[-1]
    along = (np.arange(n, dtype=np.float32) - (n - 1) / 2) / n
    far = np.array([0.04, 0.025, 0.04, 0.025], np.float32)  # a longer step is a wrong one
    lowest = np.array([1 / MAX_STRETCH, -MAX_SHIFT] * 2, np.float32)
    highest = np.array([MAX_STRETCH, MAX_SHIFT] * 2, np.float32)
    for _ in range(steps):
        moved, common = _move(moving, placement)
        dy, dx = _slopes(moved)
        changes = np.stack([moved, dy * along[:, None], dy, dx * along, dx], axis=1)
        step = _least_squares(changes * common[:, None], fixed)
        placement = np.clip(placement + np.clip(step, -far, far), lowest, highest)
    return placement


def _slopes(images: Floats) -> tuple[Floats, Floats]:
    """Change along y and x, each per side of the image."""
    half = np.float32(images.shape[-1] / 2)
    dy, dx = np.zeros_like(images), np.zeros_like(images)
    dy[:, 1:-1] = (images[:, 2:] - images[:, :-2]) * half
    dx[:, :, 1:-1] = (images[:, :, 2:] - images[:, :, :-2]) * half
    return dy, dx


def _least_squares(changes: Floats, fixed: Floats) -> Floats:
    """The step (m, 4) after which the moved image, times a gain, is nearest to the fixed one."""
    m, k = changes.shape[:2]
    flat = changes.reshape(m, k, -1)
    products = flat @ flat.transpose(0, 2, 1)
    diagonal = np.einsum("mii->mi", products)
    diagonal *= 1 + 1e-4
    diagonal += 1e-3  # an image without detail goes nowhere
    solved = np.linalg.solve(products, flat @ fixed.reshape(m, -1, 1))[..., 0]
    return solved[:, 1:] / np.maximum(solved[:, :1], 0.1)


def similarity(fixed: Floats, moving: Floats, placement: Floats) -> Floats:
    """(m,) correlation of details where both images are, borders apart: 1 for a perfect copy."""
    moved, common = _move(moving, placement)
    area = common.sum(axis=(1, 2), keepdims=True)
    one, other = (
        common * (image - (common * image).sum(axis=(1, 2), keepdims=True) / area)
        for image in (fixed, moved)
    )
    strength = np.sqrt((one**2).sum(axis=(1, 2)) * (other**2).sum(axis=(1, 2)))
    return (one * other).sum(axis=(1, 2)) / (strength + 1e-3)


def _move(images: Floats, placement: Floats) -> tuple[Floats, Floats]:
    """The images as placement, and 1 where both images are, borders apart."""
    n = images.shape[-1]
    across_y, common_y = _along(placement[:, 0], placement[:, 1], n)
    across_x, common_x = _along(placement[:, 2], placement[:, 3], n)
    moved = across_y @ images @ across_x.transpose(0, 2, 1)
    return moved, common_y[:, :, None] * common_x[:, None, :]


def _along(stretch: Floats, shift: Floats, n: int) -> tuple[Floats, Floats]:
    margin = round(MARGIN * n)
    point = positions(stretch, shift, n)
    inside = np.zeros(n, bool)
    inside[margin : n - margin] = True
    common = inside & (point >= margin) & (point <= n - 1 - margin)
    return between(point, n), common.astype(np.float32)


def positions(stretch: Floats, shift: Floats, n: int) -> Floats:
    """(m, n) where along one axis of the moving image, in pixels, the fixed one's pixels lie."""
    middle = np.float32((n - 1) / 2)
    points = np.arange(n, dtype=np.float32) - middle
    return middle + n * shift[:, None] + stretch[:, None] * points


def between(point: Floats, n: int) -> Floats:
    """(m, n, n) matrices that take linear mixtures of n pixels at `point`; none outside."""
    return np.maximum(0, 1 - np.abs(point[:, :, None] - np.arange(n, dtype=np.float32)))
