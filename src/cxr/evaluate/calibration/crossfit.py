"""Cross-fitting: every image is judged by a fit that never saw its patient.

Judged on the images that it was fitted to, a calibration looks better than it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .calibration import Calibration

FOLDS = 5
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Fit = Callable[[Floats, NDArray[Any], Ints], Calibration]  # logits, targets, groups


def folds_of(groups: Ints, seed: int = 0) -> Ints:
    """(n,) fold of each image, from 0; all images of a patient in one, patients dealt at random."""
    names, of_image = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    return (order % min(FOLDS, len(names)))[of_image]


def cross_fitted(
    fit: Fit, logits: Floats, targets: NDArray[Any], groups: Ints, seed: int = 0
) -> Floats:
    """(n, k) logits, each fold's calibrated by a fit to the others; of one patient, as they are."""
    fold, calibrated = folds_of(groups, seed), logits.copy()
    for one in range(fold.max() + 1 if fold.any() else 0):
        held, seen = fold == one, fold != one
        calibrated[held] = fit(logits[seen], targets[seen], groups[seen]).apply(logits[held])
    return calibrated
