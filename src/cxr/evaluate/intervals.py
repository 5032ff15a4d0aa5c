"""A figure with its interval: `{"value", "low", "high", "n"}`, or the reason why there is none.

All intervals come from how patients move a figure, not images. Percentiles of the patient bootstrap
alone cover too little where a figure is near its limit, as good models' figures are, so:

- proportions have the exact binomial interval (Clopper and Pearson, 1934) of as many independent
  images as vary as much as the bootstrap says (Korn and Graubard, 1998). Where each patient has one
  image, these are the images themselves; where all images agree, and so every resample, the
  patients.
- other figures have the estimate plus and minus t standard errors of the bootstrap, on a scale on
  which their limits are infinitely far: log-odds from 0 to 1, logarithm above 0. Where few patients
  make most of the spread, it is itself known badly: t has the degrees of freedom that this leaves
  (Satterthwaite, 1946).
- the calibration error, which noise inflates, has a range of its own (`bootstrapped`).

`benchmarks/coverage.py` measures how often they hold the truth.
"""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import NDArray

from .._stats.bootstrap import patients_left_out
from ..errors import UsageError
from .metrics import Metric, Proportion, Sample
from .schema import Figure, undefined

LEVEL = 0.95
FEWEST_RESAMPLES = 100
ENOUGH_DEFINED = 0.9  # of the resamples; fewer means a class of two patients or one
MOST_LEFT_OUT = 250  # parts of the patients left out in turn
MANY = 1e6  # degrees of freedom with which t is the normal law
LARGEST_EXPONENT = 50.0
ERROR_BELOW = 0.8  # of the error allowed an inflated figure; with it 95 % are 95 % in simulation
Floats = NDArray[np.float64]


def check_resamples(resamples: int) -> None:
    """Raises UsageError for too few to make an interval."""
    if resamples < FEWEST_RESAMPLES:
        raise UsageError(
            f"{resamples} resamples; an interval needs {FEWEST_RESAMPLES} or more (2000 is usual)"
        )


def figure(
    metric: Metric,
    sample: Sample,
    groups: NDArray[np.int64],
    resampled: Floats,
    level: float = LEVEL,
) -> Figure:
    """One figure of `metrics.json`. `groups` (n,) patients, `resampled` (r,) values."""
    value, n = float(metric.of(sample, np.ones((1, len(groups))))[0]), len(groups)
    if np.isnan(value):
        return undefined(metric.undefined)
    if isinstance(metric, Proportion):
        _, trials = metric.parts(sample)
        n, patients = int(trials.sum()), len(np.unique(groups[trials]))
        if patients == n or value in (0.0, 1.0):
            low, high = clopper_pearson(round(value * patients), patients, level)
            return {"value": value, "low": low, "high": high, "n": n}
        return {**as_proportion(value, resampled, level, n, patients), "n": n}
    freedom = (
        degrees_of_freedom(metric, sample, groups) if np.isfinite(metric.bounds).any() else MANY
    )
    return {**with_interval(metric, value, resampled, level, freedom), "n": n}


def with_interval(
    metric: Metric, value: float, resampled: Floats, level: float = LEVEL, freedom: float = MANY
) -> Figure:
    """Of a metric, or of its mean over classes, from (r,) resampled values, NaN where undefined."""
    from scipy.special import expit, stdtrit  # scipy.stats would take seconds to import

    least, most = metric.bounds
    defined = resampled[~np.isnan(resampled)]
    if metric.recentre or _no_interval(defined, resampled) or not least < value < most:
        return bootstrapped(value, resampled, level, metric.recentre)
    reach = float(defined.std(ddof=1) * stdtrit(freedom, (1 + level) / 2)) * np.array([-1, 1])
    if least == -inf:
        low, high = value + reach
    elif most == inf:
        moved = np.clip(reach / (value - least), -LARGEST_EXPONENT, LARGEST_EXPONENT)
        low, high = least + (value - least) * np.exp(moved)
    else:
        below, above = value - least, most - value
        moved = np.log(below / above) + reach * (1 / below + 1 / above)
        low, high = least + (most - least) * expit(moved)
    return {"value": value, "low": float(low), "high": float(high)}


def as_proportion(value: float, resampled: Floats, level: float, n: int, patients: int) -> Figure:
    """The exact interval of the binomial whose spread is the bootstrap's, of at most `n` trials."""
    from scipy.special import stdtrit

    defined = resampled[~np.isnan(resampled)]
    if _no_interval(defined, resampled) or not 0 < value < 1 or patients < 2:
        return bootstrapped(value, resampled, level)
    few = stdtrit([n - 1, patients - 1], (1 + level) / 2)
    trials = value * (1 - value) / defined.var(ddof=1) * (few[0] / few[1]) ** 2
    trials = min(float(trials), n)
    low, high = clopper_pearson(value * trials, trials, level)
    return {"value": value, "low": low, "high": high}


def bootstrapped(
    value: float, resampled: Floats, level: float = LEVEL, recentre: bool = False
) -> Figure:
    """The percentile interval of (r,) resampled values, NaN where a resample was undefined.

    With `recentre` the figure is one that noise inflates: estimates lie above the truth by about
    as much as resamples lie above the estimate. The upper end is the percentile with the resamples'
    mean moved onto the estimate; the lower end is reflected (2 x estimate - percentile), and takes
    most of the error that is allowed, as the truth is hardly ever above the upper one.
    """
    defined = resampled[~np.isnan(resampled)]
    reason = _no_interval(defined, resampled)
    if reason:
        return {"value": value, "reason": reason}
    reflected = 1 - ERROR_BELOW * (1 - level)
    low, high, beyond = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2, reflected])
    if recentre:
        low = min(value, max(2 * value - beyond, 0.0))
        high = max(value, high + value - defined.mean())
    return {"value": value, "low": float(low), "high": float(high)}


def _no_interval(defined: Floats, resampled: Floats) -> str:
    if len(defined) < ENOUGH_DEFINED * len(resampled):
        return "no interval: too few patients in one class"
    if defined.min() == defined.max():
        return "no interval: every resample gives the same value"
    return ""


def degrees_of_freedom(metric: Metric, sample: Sample, groups: NDArray[np.int64]) -> float:
    """Of the figure's spread: 2 over the relative variance of its square, from 2 to the patients.

    That variance grows with the kurtosis of what each patient adds, found by leaving out patients,
    250 parts of them in turn if there are more: a sum of k patients has a k-th of their excess.
    """
    _, patient = np.unique(groups, return_inverse=True)
    patients = int(patient.max()) + 1
    parts = min(patients, MOST_LEFT_OUT)
    left = np.concatenate([metric.of(sample, w) for w in patients_left_out(patient, parts)])
    moves = left[~np.isnan(left)]
    moves = moves - moves.mean() if len(moves) else moves
    spread = float((moves**2).mean()) if len(moves) else 0.0
    if spread == 0:
        return float(patients)
    excess = max(float((moves**4).mean()) / spread**2 - 3.0, 0.0)
    return max(2 / (2 / patients + excess / parts), 2.0)


def clopper_pearson(hits: float, trials: float, level: float = LEVEL) -> tuple[float, float]:
    """Exact binomial interval of `hits` among `trials` independent draws, whole numbers or not."""
    from scipy.special import betaincinv

    tail, misses = (1 - level) / 2, trials - hits
    low = betaincinv(hits, misses + 1, tail) if hits else 0.0
    high = betaincinv(hits + 1, misses, 1 - tail) if misses else 1.0
    return float(low), float(high)
