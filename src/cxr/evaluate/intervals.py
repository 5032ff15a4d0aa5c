"""A figure with its interval: `{"value", "low", "high", "n"}`, or the reason why there is none.

The interval is the percentile interval of the patient bootstrap (Efron and Tibshirani, 1993).
Proportions have an exact one (Clopper and Pearson, 1934) in two cases: each patient has one image,
so that images are independent; or all images agree, where every resample does too and the
bootstrap would claim certainty. Then patients are counted, not images.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .metrics import Metric, Proportion, Sample

ENOUGH_DEFINED = 0.9  # of the resamples; fewer means a class of two patients or one
Figure = dict[str, Any]


def figure(
    metric: Metric,
    sample: Sample,
    groups: NDArray[np.int64],
    resampled: NDArray[np.float64],
    level: float,
) -> Figure:
    """One figure of `metrics.json`. `groups` (n,) patients, `resampled` (r,) values."""
    value = float(metric.of(sample, np.ones((1, len(groups))))[0])
    if np.isnan(value):
        return undefined(metric.undefined)
    if not isinstance(metric, Proportion):
        return {**bootstrapped(value, resampled, level, metric.recentre), "n": len(groups)}
    _, trials = metric.parts(sample)
    n, patients = int(trials.sum()), len(np.unique(groups[trials]))
    if patients == n or value in (0.0, 1.0):
        low, high = clopper_pearson(round(value * patients), patients, level)
        return {"value": value, "low": low, "high": high, "n": n}
    return {**bootstrapped(value, resampled, level), "n": n}


def undefined(reason: str) -> Figure:
    return {"value": None, "reason": reason}


def bootstrapped(
    value: float, resampled: NDArray[np.float64], level: float, recentre: bool = False
) -> Figure:
    """The percentile interval of (r,) resampled values, NaN where a resample was undefined."""
    defined = resampled[~np.isnan(resampled)]
    if len(defined) < ENOUGH_DEFINED * len(resampled):
        return {"value": value, "reason": "no interval: too few patients in one class"}
    if defined.min() == defined.max():
        return {"value": value, "reason": "no interval: every resample gives the same value"}
    if recentre:
        defined = np.maximum(defined + value - defined.mean(), 0.0)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return {"value": value, "low": float(low), "high": float(high)}


def clopper_pearson(hits: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval of `hits` among `trials` independent draws."""
    from scipy.special import betaincinv  # scipy.stats would take seconds to import

    tail, misses = (1 - level) / 2, trials - hits
    low = betaincinv(hits, misses + 1, tail) if hits else 0.0
    high = betaincinv(hits + 1, misses, 1 - tail) if misses else 1.0
    return float(low), float(high)
