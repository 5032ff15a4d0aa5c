"""Expected calibration error: how far stated probabilities lie from observed frequencies.

Ten bins of equal width, the gap between mean probability and frequency in each, weighted by the
images in it (Naeini et al., 2015). For two classes over the probability of the finding, for more
over that of the class decided for (Guo et al., 2017). Its estimate is too high on small samples,
and resampling adds to that.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..._stats.bootstrap import ratio
from .metric import Metric
from .sample import Floats, Sample

BINS = 10


def bin_of(probabilities: Floats) -> NDArray[np.int64]:
    """(n,) bin indices, 0 to 9; a probability of 1 belongs to the last."""
    return np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)


def ece(sample: Sample, weights: Floats) -> Floats:
    bins = np.eye(BINS)[bin_of(sample.confidence)]
    surplus = (sample.confidence - sample.outcome)[:, None]
    gaps = np.abs(weights @ (bins * surplus))  # images x (probability - frequency) of each bin
    return ratio(gaps.sum(axis=1), weights.sum(axis=1))


ECE = Metric("ece", ece, "no images", recentre=True)
