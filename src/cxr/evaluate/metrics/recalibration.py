"""Logistic recalibration of stated probabilities: as Cox (1958) did.

The truth is regressed on the log-odds x of the stated probability. The **slope** b of
`logit P = a + b x` is 1 when probabilities are as spread as they should be, below 1 when they are
too extreme, above 1 when too timid. The **intercept** a of `logit P = a + x`, slope held at 1
("calibration in the large"), is 0 when as many findings are predicted as there are, above 0 when
too few (Van Calster et al., 2019, doi:10.1186/s12916-019-1466-7).

The figure is the exact maximum-likelihood fit. How far a resample moves it is taken from images
pooled into `BINS` of like log-odds, as thousands of full fits would take a minute; with no more
distinct scores than bins that is exact too.
"""

from __future__ import annotations

import numpy as np

from ..predictions.table import SMALLEST_PROBABILITY
from .metric import Metric
from .sample import BinarySample, Floats

BINS = 100
STEPS, SMALL_STEP = 100, 1e-7
LARGEST_STEP = 1.0  # where probabilities are all but 0 or 1, a full Newton step overshoots
LARGEST = 50.0  # a coefficient beyond this is on its way to infinity
SEPARATED = "no finite fit: the probabilities part the classes perfectly, or are all the same"
ONE_CLASS = "all images are of one class; it needs both"


def calibration_slope(sample: BinarySample, weights: Floats) -> Floats:
    """(r,) slopes; NaN where no finite one fits."""
    return _recalibrated(sample, weights, terms=2)


def calibration_intercept(sample: BinarySample, weights: Floats) -> Floats:
    """(r,) intercepts in log-odds; NaN where no finite one fits."""
    return _recalibrated(sample, weights, terms=1)


def log_odds(probabilities: Floats) -> Floats:
    """Natural log-odds, finite where a probability underflowed to 0 or rounded to 1."""
    p = np.clip(probabilities, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return np.log(p) - np.log1p(-p)


def _recalibrated(sample: BinarySample, weights: Floats, terms: int) -> Floats:
    """(r,) last coefficients of fits with intercept (`terms` 1) or intercept and slope (2)."""
    odds, truth = log_odds(sample.scores), sample.truth.astype(np.float64)
    exact = _fit(odds, truth[None], np.ones((1, len(odds))), np.zeros((1, terms)))
    if np.isnan(exact).any():
        return np.full(len(weights), np.nan)
    pools = _pools(odds)
    size, positives = pools.sum(axis=0), truth @ pools
    centres = odds @ pools / size
    pooled = _fit(centres, positives[None], size[None], exact)
    start = np.repeat(pooled, len(weights), axis=0)
    moved = _fit(centres, weights @ (pools * truth[:, None]), weights @ pools, start)
    values: Floats = (exact + moved - pooled)[:, -1]
    return values


def _pools(odds: Floats) -> Floats:
    """(n, u) membership of each image in one of at most `BINS` pools of like log-odds."""
    distinct, place = np.unique(odds, return_inverse=True)
    if len(distinct) > BINS:
        rank = np.argsort(np.argsort(odds, kind="stable"), kind="stable")
        place, distinct = rank * BINS // len(odds), distinct[:BINS]
    members: Floats = np.eye(len(distinct))[place]
    return members


def _fit(x: Floats, positives: Floats, size: Floats, start: Floats) -> Floats:
    """(r, t) maximum-likelihood coefficients by Newton's method; rows that do not settle are NaN.

    In row r, `positives` (r, u) of `size` (r, u) images with log-odds `x` (u,) have the finding.
    """
    theta, active = start.copy(), np.arange(len(start))
    for _ in range(STEPS):
        step = _step(x, positives[active], size[active], theta[active])
        theta[active] += step
        moving = np.abs(step).max(axis=1) >= SMALL_STEP
        active = active[moving & (np.abs(theta[active]).max(axis=1) < LARGEST)]
        if not len(active):
            break
    theta[active] = np.nan
    theta[~(np.abs(theta) < LARGEST).all(axis=1)] = np.nan
    return theta


def _step(x: Floats, positives: Floats, size: Floats, theta: Floats) -> Floats:
    """(r, t) steps, none longer than `LARGEST_STEP`; NaN where the likelihood is flat."""
    t = theta.shape[1]
    terms = np.stack([np.ones_like(x), x][:t])
    p = 0.5 + 0.5 * np.tanh((theta @ terms + (x if t == 1 else 0.0)) / 2)  # cannot overflow
    gradient = (positives - size * p) @ terms.T
    products = (terms[:, None] * terms).reshape(t * t, -1)
    curvature = (size * p * (1 - p) @ products.T).reshape(-1, t, t)
    flat = np.linalg.det(curvature) <= np.finfo(float).tiny
    curvature[flat] = np.eye(t)
    step: Floats = np.linalg.solve(curvature, gradient[..., None])[..., 0]
    step[flat] = np.nan
    length = np.abs(step).max(axis=1, keepdims=True)
    return step / np.maximum(length / LARGEST_STEP, 1.0)


CALIBRATION_SLOPE = Metric("calibration_slope", calibration_slope, SEPARATED)
CALIBRATION_INTERCEPT = Metric("calibration_intercept", calibration_intercept, ONE_CLASS)
