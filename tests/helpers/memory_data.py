"""A classification data set of noise in memory, and the name of a very small network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from cxr.prepare import DataLoaders, Resize
from cxr.prepare.batches import Batches
from cxr.prepare.image_set import ImageSet
from cxr.prepare.items import Items

SIDE, BS = 32, 8
N_TRAIN, N_VALID = 7 * BS, 16
SMALL = "test_resnet"


def noisy_images(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise, bright at the lower left in the positive half: (n, H, W) uint8 and classes (n,)."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(40, 140, (n, SIDE, SIDE), dtype=np.uint8)
    positive = np.arange(n) % 2
    pixels[positive == 1, SIDE // 2 :, : SIDE // 2] += 60
    return pixels, positive


def loaders(classes: tuple[str, ...], label: Callable[[np.ndarray], np.ndarray]) -> DataLoaders:
    """`label` makes targets of whether each image is positive."""
    n = N_TRAIN + N_VALID
    pixels, positive = noisy_images(n, seed=0)
    targets = label(positive)
    paths = [Path(f"{i}.png") for i in range(n)]
    patients = [f"p{i // 2}" for i in range(n)]

    def side(rows: np.ndarray) -> ImageSet:
        of_side = ([some[i] for i in rows] for some in (paths, patients))
        side_paths, side_patients = of_side
        return ImageSet(side_paths, pixels, targets[rows], side_patients, classes, rows)

    rows = np.arange(n)
    return DataLoaders(
        train=Batches(side(rows[:N_TRAIN]), BS, shuffle=True),
        valid=Batches(side(rows[N_TRAIN:]), BS),
        items=Items(paths, targets, classes, patients),
        resize=Resize(SIDE),
        unreadable={},
        seed=42,
    )


def two_labels(positive: np.ndarray) -> np.ndarray:
    """Positive, and bright or not by chance; every fifth entry of the second is unknown."""
    targets = np.stack([positive, np.arange(len(positive)) // 2 % 2], axis=1).astype(np.float32)
    targets[::5, 1] = np.nan
    return targets
