"""Which calibration? The simplest that predicts new patients as well as the best.

By cross-fitting: every image is calibrated by a fit to other patients. Measured on the images that
it was fitted to, a calibration looks better than it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .calibration import NONE, TEMPERATURE, VECTOR, Calibration, no_calibration
from .fit import Floats, checked, fit_temperature, fit_vector, image_losses

FOLDS = 5
Ints = NDArray[np.int64]
Fit = Callable[[Floats, NDArray[Any], Ints], Calibration]  # logits, targets, groups


def choose_calibration(
    logits: ArrayLike, targets: ArrayLike, groups: ArrayLike, *, seed: int = 0
) -> Calibration:
    """None, a temperature or a vector, fitted to all these images: use validation images.

    `logits` (n, k) with `targets` (n,) class indices or (n, k) of 1/0/NaN; `groups` (n,) int64,
    one number a patient. The three are compared by their log loss on folds of patients that they
    were not fitted to. A simpler one is taken unless the best gains more over it than one standard
    error of that gain between patients (the rule of Breiman et al., 1984, with the error of the
    paired difference). Images of one patient only cannot be cross-fitted: none is chosen.
    Raises DataError for no images, shapes that do not fit, or values that are not finite.
    """
    z, y = checked(logits, targets)
    known = known_rows(y)
    z, y, patients = z[known], y[known], np.asarray(groups, np.int64)[known]
    losses = {
        kind: image_losses(cross_fitted(fit, z, y, patients, seed), y) for kind, fit in FITS.items()
    }
    return FITS[_simplest(losses, patients)](z, y, patients)


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
        held_out, others = fold == one, fold != one
        fitted = fit(logits[others], targets[others], groups[others])
        calibrated[held_out] = fitted.apply(logits[held_out])
    return calibrated


def known_rows(targets: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) images with a known label."""
    return ~np.isnan(targets).all(axis=1) if targets.ndim == 2 else np.ones(len(targets), bool)


def _none(logits: Floats, targets: NDArray[Any], groups: Ints) -> Calibration:
    return no_calibration(logits.shape[1])


def _temperature(logits: Floats, targets: NDArray[Any], groups: Ints) -> Calibration:
    k = logits.shape[1]
    return Calibration(TEMPERATURE, (1 / fit_temperature(logits, targets),) * k, (0.0,) * k)


def _vector(logits: Floats, targets: NDArray[Any], groups: Ints) -> Calibration:
    return fit_vector(logits, targets)


FITS: dict[str, Fit] = {NONE: _none, TEMPERATURE: _temperature, VECTOR: _vector}


def _simplest(losses: dict[str, Floats], groups: Ints) -> str:
    """The first kind over which the best gains no more than chance might."""
    best = min(losses.values(), key=np.mean)
    gains = {kind: some - best for kind, some in losses.items()}  # the best over itself: nothing
    return next(k for k, gain in gains.items() if gain.mean() <= standard_error(gain, groups))


def standard_error(values: Floats, groups: Ints) -> float:
    """Of the mean of (n,) values that are alike within a patient (Liang and Zeger, 1986)."""
    _, of_image = np.unique(groups, return_inverse=True)
    sums = np.bincount(of_image, weights=values - values.mean())
    correction = len(sums) / max(len(sums) - 1, 1)
    return float(np.sqrt(correction * (sums**2).sum()) / len(values))
