"""Fitting a calibration by maximum likelihood: a temperature, or a factor and bias for each class.

Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks (2017). For two classes, and
for each of several labels, vector scaling is Platt scaling of the log-odds (Platt, 1999): a factor
for how confident the model sounds, a bias for how often it raises a false alarm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import DataError
from .calibration import VECTOR, Calibration, no_calibration

LOWEST, HIGHEST = 0.05, 20.0  # of a temperature
SMALLEST, LARGEST = 1 / HIGHEST, 1 / LOWEST  # a factor is the inverse of a temperature
UNCHANGED = (1.0, 0.0)
Floats = NDArray[np.float64]
Loss = Callable[[Floats], tuple[float, Floats]]  # scaled logits -> mean loss, and its gradient


def fit_temperature(logits: ArrayLike, targets: ArrayLike) -> float:
    """The T > 0 that minimises the cross-entropy of `logits / T`; fit it on validation images.

    `logits` (n, k) with `targets` (n,) class indices (softmax), or (n, k) of 1/0/NaN (sigmoid; a
    NaN is left out). T is searched from 0.05 to 20. Where every image is on the right side, the
    smaller T the better and none is best: 1.0 is returned, as sharper probabilities would be a
    promise without evidence.
    Raises DataError for no images, shapes that do not fit, or values that are not finite.
    """
    from scipy.optimize import minimize_scalar

    z, y = checked(logits, targets)
    if all_right(z, y):
        return 1.0
    bounds = (np.log(LOWEST), np.log(HIGHEST))
    fitted = minimize_scalar(lambda log_t: _mean_loss(z / np.exp(log_t), y), bounds=bounds)
    return float(np.exp(fitted.x))


def all_right(logits: Floats, targets: NDArray[Any]) -> bool:
    """Whether every image, or every known label, is on the right side."""
    if targets.ndim == 2:
        return bool((np.isnan(targets) | ((logits > 0) == (targets == 1))).all())
    return bool((logits.argmax(axis=1) == targets).all())


def image_losses(logits: Floats, targets: NDArray[Any]) -> Floats:
    """(n,) cross-entropy in nats; of several labels the mean over the known ones."""
    from scipy.special import log_softmax

    if targets.ndim == 2:
        return np.asarray(np.nanmean(_label_losses(logits, targets), axis=1))
    return np.asarray(-log_softmax(logits, axis=1)[np.arange(len(targets)), targets])


def _label_losses(logits: Floats, targets: Floats) -> Floats:
    return np.asarray(np.logaddexp(0, logits) - logits * targets)


def _mean_loss(logits: Floats, targets: NDArray[Any]) -> float:
    """Over images, or over all known labels."""
    losses = _label_losses if targets.ndim == 2 else image_losses
    return float(np.nanmean(losses(logits, targets)))


def checked(logits: ArrayLike, targets: ArrayLike) -> tuple[Floats, NDArray[Any]]:
    """Both as arrays, when a calibration can be fitted to them. Raises DataError when not."""
    z, y = np.asarray(logits, np.float64), np.asarray(targets)
    if z.ndim != 2 or y.shape not in (z.shape, z.shape[:1]):
        raise DataError(
            f"logits {z.shape} and targets {y.shape} do not fit; (n, k) with (n,) class "
            "indices or (n, k) of 1/0/NaN is needed"
        )
    if not np.isfinite(z).all():
        raise DataError("logits hold NaN or infinity; the model diverged, train it again")
    known = ~np.isnan(y) if y.ndim == 2 else np.ones(len(y), bool)
    if not known.any():
        raise DataError("no image with a known label; a calibration cannot be fitted")
    return z, y


def fit_vector(logits: ArrayLike, targets: ArrayLike) -> Calibration:
    """Fit it on validation images. Factors stay within 0.05 to 20, so that no ranking of images by
    one label or between two classes is turned round.

    `logits` (n, k) with `targets` (n,) class indices (softmax), or (n, k) of 1/0/NaN (sigmoid; a
    NaN is left out). Where a likelihood has no maximum, as a threshold parts the classes without an
    error or one class has no image, the logits (of that label) stay as they are: sharper
    probabilities would be a promise without evidence.
    Raises DataError for no images, shapes that do not fit, or values that are not finite.
    """
    z, y = checked(logits, targets)
    if y.ndim == 2:
        pairs = [_of_label(z[:, i], y[:, i]) for i in range(z.shape[1])]
        return _vector([factor for factor, _ in pairs], [bias for _, bias in pairs])
    if z.shape[1] == 2:
        factor, bias = fit_platt(z[:, 1] - z[:, 0], y)
        return _vector([factor, factor], [-bias / 2, bias / 2])
    return _of_classes(z, y)


def fit_platt(log_odds: Floats, truth: NDArray[Any]) -> tuple[float, float]:
    """Factor and bias of (n,) log-odds of a finding, with (n,) `truth` of 1 or 0.

    (1, 0) where no finite ones fit best.
    """
    positive = truth == 1
    if positive.all() or not positive.any():
        return UNCHANGED
    if log_odds[positive].min() >= log_odds[~positive].max():
        return UNCHANGED

    def loss(scaled: Floats) -> tuple[float, Floats]:
        chance = 0.5 + 0.5 * np.tanh(scaled / 2)  # cannot overflow
        return float((np.logaddexp(0, scaled) - positive[:, None] * scaled).mean()), (
            chance - positive[:, None]
        ) / len(scaled)

    factors, biases = _minimise(loss, log_odds[:, None])
    return float(factors[0]), float(biases[0])


def _of_label(log_odds: Floats, truth: Floats) -> tuple[float, float]:
    known = ~np.isnan(truth)
    return fit_platt(log_odds[known], truth[known]) if known.any() else UNCHANGED


def _of_classes(logits: Floats, targets: NDArray[np.int64]) -> Calibration:
    from scipy.special import log_softmax

    k = logits.shape[1]
    truth = np.eye(k)[targets]

    def loss(scaled: Floats) -> tuple[float, Floats]:
        logs = log_softmax(scaled, axis=1)
        return -float((logs * truth).sum(axis=1).mean()), (np.exp(logs) - truth) / len(scaled)

    if not truth.any(axis=0).all():
        return no_calibration(k)
    factors, biases = _minimise(loss, logits)
    if all_right(logits * factors + biases, targets):
        return no_calibration(k)
    return _vector(factors, biases - biases.mean())  # what is added to all classes says nothing


def _minimise(loss: Loss, logits: Floats) -> tuple[Floats, Floats]:
    """(k,) factors and (k,) biases. The loss is convex in both, so the minimum found is the one."""
    from scipy.optimize import minimize

    k = logits.shape[1]

    def objective(both: Floats) -> tuple[float, Floats]:
        value, slope = loss(logits * both[:k] + both[k:])
        return value, np.r_[(slope * logits).sum(axis=0), slope.sum(axis=0)]

    fitted = minimize(
        objective,
        np.r_[np.ones(k), np.zeros(k)],
        jac=True,
        method="L-BFGS-B",
        bounds=[(SMALLEST, LARGEST)] * k + [(None, None)] * k,
        options={"ftol": 1e-13, "gtol": 1e-8, "maxiter": 1000},
    )
    return fitted.x[:k], fitted.x[k:]


def _vector(factors: ArrayLike, biases: ArrayLike) -> Calibration:
    return Calibration(
        VECTOR, tuple(map(float, np.asarray(factors))), tuple(map(float, np.asarray(biases)))
    )
