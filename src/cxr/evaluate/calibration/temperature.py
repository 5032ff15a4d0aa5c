"""Temperature scaling: one number that makes stated probabilities match observed frequencies.

Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks (2017).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import DataError

LOWEST, HIGHEST = 0.05, 20.0


def fit_temperature(logits: ArrayLike, targets: ArrayLike) -> float:
    """The T > 0 that minimises the cross-entropy of `logits / T`; fit it on validation images.

    `logits` (n, k) with `targets` (n,) class indices (softmax), or (n, k) of 1/0/NaN (sigmoid; a
    NaN is left out). T is searched from 0.05 to 20. Where every image is on the right side, the
    smaller T the better and none is best: 1.0 is returned, as sharper probabilities would be a
    promise without evidence.
    Raises DataError for no images, shapes that do not fit, or values that are not finite.
    """
    from scipy.optimize import minimize_scalar

    z, y = checked(np.asarray(logits, np.float64), np.asarray(targets))
    if all_right(z, y):
        return 1.0
    nll = sigmoid_nll if y.ndim == 2 else softmax_nll
    bounds = (np.log(LOWEST), np.log(HIGHEST))
    found = minimize_scalar(lambda log_t: nll(z / np.exp(log_t), y), bounds=bounds)
    return float(np.exp(found.x))


def all_right(logits: NDArray[np.float64], targets: NDArray[Any]) -> bool:
    """Whether every image, or every known label, is on the right side."""
    if targets.ndim == 2:
        return bool((np.isnan(targets) | ((logits > 0) == (targets == 1))).all())
    return bool((logits.argmax(axis=1) == targets).all())


def softmax_nll(logits: NDArray[np.float64], targets: NDArray[Any]) -> float:
    from scipy.special import log_softmax

    return -float(log_softmax(logits, axis=1)[np.arange(len(targets)), targets].mean())


def sigmoid_nll(logits: NDArray[np.float64], targets: NDArray[Any]) -> float:
    return float(np.nanmean(np.logaddexp(0, logits) - logits * targets))


def checked(
    logits: NDArray[np.float64], targets: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Both, when a calibration can be fitted to them. Raises DataError when not."""
    if logits.ndim != 2 or targets.shape not in (logits.shape, logits.shape[:1]):
        raise DataError(
            f"logits {logits.shape} and targets {targets.shape} do not fit; (n, k) with (n,) class "
            "indices or (n, k) of 1/0/NaN is needed"
        )
    if not np.isfinite(logits).all():
        raise DataError("logits hold NaN or infinity; the model diverged, train it again")
    known = ~np.isnan(targets) if targets.ndim == 2 else np.ones(len(targets), bool)
    if not known.any():
        raise DataError("no image with a known label; a calibration cannot be fitted")
    return logits, targets
