"""Metrics of stated probabilities: do they match what was observed? Lower is better, 0 perfect."""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import NDArray

from ..._stats.bootstrap import ratio
from .metric import Metric
from .sample import Floats, Sample

BINS = 10


def log_loss(sample: Sample, weights: Floats) -> Floats:
    """Mean cross-entropy in nats."""
    return ratio(weights @ sample.log_losses, weights.sum(axis=1))


def brier(sample: Sample, weights: Floats) -> Floats:
    """Mean squared distance of probability from truth (Brier, 1950).

    For two classes over the probability of the finding, from 0 to 1; for more, summed over the
    classes as in the original, from 0 to 2.
    """
    return ratio(weights @ sample.squared_errors, weights.sum(axis=1))


def ece(sample: Sample, weights: Floats) -> Floats:
    """Expected calibration error: how far stated probabilities lie from observed frequencies.

    Ten bins of equal width, the gap between mean probability and frequency in each, weighted by the
    images in it (Naeini et al., 2015). For two classes over the probability of the finding, for
    more over that of the class decided for (Guo et al., 2017). Its estimate is too high on small
    samples, and resampling adds to that.
    """
    bins = np.eye(BINS)[bin_of(sample.confidence)]
    surplus = (sample.confidence - sample.outcome)[:, None]
    gaps = np.abs(weights @ (bins * surplus))  # images x (probability - frequency) of each bin
    return ratio(gaps.sum(axis=1), weights.sum(axis=1))


def bin_of(probabilities: Floats) -> NDArray[np.int64]:
    """(n,) bin indices, 0 to 9; a probability of 1 belongs to the last."""
    return np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)


LOG_LOSS = Metric("log_loss", log_loss, "no images", (0.0, inf))
BRIER = Metric("brier", brier, "no images", (0.0, 2.0))
ECE = Metric("ece", ece, "no images", recentre=True)
