"""For each image of a set, the few that may be copies of it: a search by descriptor.

Chest X-rays are alike, so plain differences of pixels say little. The descriptor is the low
frequencies of the histogram-equalised image, projected through Fisher's linear discriminant between
the images of the set, made from synthetic copies of some of them: what copying changes counts
little, what tells images apart counts much.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...pixels import available_cpus
from .registration import Bytes, Floats, Ints, between, positions, shrink, to_bytes

SIDE = 32
FREQUENCIES = 12  # along each axis
DIMENSIONS = 24
NEIGHBOURS, MIRRORED_NEIGHBOURS = 3, 1  # either of two mirrored copies may find the other
IMAGES, COPIES = 500, 2000  # of so many images at most, so many copies teach what copying does
STRETCH, SHIFT, LIGHT = 0.08, 0.05, 0.4  # the most that a synthetic copy is changed by
BLOCK = 1024


def look_alikes(thumbs: Bytes, images: Bytes) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Pairs (m, 2) of rows of `thumbs`, lower row first, and (m,) whether one is mirrored.

    `thumbs` (n, SIDE, SIDE) are the images of the set, two or more; `images` (up to IMAGES, N, N)
    are some of them in full. There are at most 4 n pairs, whatever the images.
    """
    waves = describe(thumbs)
    lens = discriminant(waves, images)
    projected = waves @ lens
    pairs = [
        _nearest(projected, projected, NEIGHBOURS + 1),  # the nearest to an image is itself
        _nearest(projected, (waves * _MIRRORED) @ lens, MIRRORED_NEIGHBOURS),
    ]
    return np.concatenate(pairs), np.repeat([False, True], [len(rows) for rows in pairs])


def describe(thumbs: Bytes) -> Floats:
    """(n, FREQUENCIES ** 2) low frequencies of images that all have one histogram."""
    from scipy.fft import dct

    cosines = dct(np.eye(SIDE, dtype=np.float32), axis=0, norm="ortho")[:FREQUENCIES]
    waves = np.empty((len(thumbs), FREQUENCIES, FREQUENCIES), np.float32)
    for start in range(0, len(thumbs), BLOCK):
        part = slice(start, start + BLOCK)
        waves[part] = cosines @ _equalised(thumbs[part]) @ cosines.T
    waves[:, 0, 0] = 0  # the mean, the same for all
    return waves.reshape(len(thumbs), -1)


# A cosine of odd order along x changes its sign when the image is mirrored, one of even not.
_MIRRORED = np.tile(np.where(np.arange(FREQUENCIES) % 2, -1, 1), FREQUENCIES).astype(np.float32)


def _equalised(thumbs: Bytes) -> Floats:
    """For each pixel the share of its image that is darker."""
    m = len(thumbs)
    levels = thumbs.reshape(m, -1) + 256 * np.arange(m)[:, None]
    counts = np.bincount(levels.ravel(), minlength=256 * m).reshape(m, 256)
    darker = (np.cumsum(counts, axis=1) - counts / 2) / levels.shape[1]
    return darker.astype(np.float32).ravel()[levels].reshape(thumbs.shape)


def discriminant(waves: Floats, images: Bytes) -> Floats:
    """(FREQUENCIES ** 2, up to DIMENSIONS) in whose image a copy is about 1 away on each axis."""
    from scipy.linalg import eigh

    copied = np.arange(COPIES) % len(images)
    originals = describe(to_bytes(shrink(images, SIDE)))
    changes = (describe(_synthetic_copies(images, copied)) - originals[copied]).astype(np.float64)
    within = changes.T @ changes / COPIES
    within += np.eye(len(within)) * 1e-3 * np.trace(within) / len(within)
    among = np.cov(waves[:: 1 + len(waves) // 10_000].T)
    _, axes = eigh(among, within)
    return axes[:, ::-1][:, : min(DIMENSIONS, len(waves) - 1)].astype(np.float32)


def _synthetic_copies(images: Bytes, copied: Ints) -> Bytes:
    """(COPIES, SIDE, SIDE): cut or shifted, and of another brightness, contrast or gamma."""
    rng, n = np.random.default_rng(0), images.shape[-1]
    copies = np.empty((len(copied), SIDE, SIDE), np.uint8)
    across = [_window(rng, len(copied), n) for _ in range(2)]
    lights = 1 + rng.uniform(-LIGHT, LIGHT, (3, len(copied), 1, 1)).astype(np.float32)
    for start in range(0, len(copied), 100):
        part = slice(start, start + 100)
        along_y, along_x = (between(point[part], n) for point in across)
        moved = along_y @ (images[copied[part]] / np.float32(255)) @ along_x.transpose(0, 2, 1)
        gain, gamma, offset = lights[:, part]
        lit = np.clip(gain * moved + (offset - 1) / 2, 0, 1) ** gamma
        copies[part] = to_bytes(shrink(lit * 255, SIDE))
    return copies


def _window(rng: np.random.Generator, m: int, n: int) -> Floats:
    """(m, n) points along one axis: a third cut to less, a third filled by black or the border."""
    kind = rng.integers(3, size=(m, 1))
    stretch = 1 - rng.uniform(0, STRETCH, m) * (kind[:, 0] == 0)
    farthest = np.where(kind[:, 0] == 0, (1 - stretch) / 2, SHIFT)
    shift = rng.uniform(-farthest, farthest)
    point = positions(stretch.astype(np.float32), shift.astype(np.float32), n)
    return np.where(kind == 1, np.clip(point, 0, n - 1), point)


def _nearest(projected: Floats, queries: Floats, neighbours: int) -> Ints:
    """Pairs (m, 2) of a row and one of the rows nearest to what is queries for it, each pair once.

    Neighbours may be up to twice as far as the nearest ones (eps=1), which takes a tenth of the
    time: copies are several times nearer than other images, and are hardly ever missed by that.
    """
    from scipy.spatial import cKDTree

    n = len(projected)
    near = min(neighbours, n)
    _, nearest = cKDTree(projected).query(
        queries, range(1, near + 1), eps=1, workers=available_cpus()
    )
    pairs = np.column_stack([np.repeat(np.arange(n), near), nearest.ravel()])
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    return pairs.astype(np.int64)
