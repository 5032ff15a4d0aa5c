"""Brier score: mean squared distance of probability from truth (Brier, 1950); 0 is perfect.

For two classes over the probability of the finding, from 0 to 1; for more, summed over the
classes as in the original, from 0 to 2.
"""

from __future__ import annotations

from ..._stats.bootstrap import ratio
from .metric import Metric
from .sample import Floats, Sample


def brier(sample: Sample, weights: Floats) -> Floats:
    return ratio(weights @ sample.squared_errors, weights.sum(axis=1))


BRIER = Metric("brier", brier, "no images", bounds=(0.0, 2.0))
