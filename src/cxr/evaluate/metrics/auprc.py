"""Area under the precision-recall curve, as average precision: precision at each step of recall.

The step-wise sum of scikit-learn's `average_precision_score`, without interpolation, which would
flatter (Davis and Goadrich, 2006). A model that guesses scores the prevalence, not 0.5.
"""

from __future__ import annotations

import numpy as np

from .metric import Metric
from .sample import Binary, Floats, ratio


def auprc(sample: Binary, weights: Floats) -> Floats:
    positives, negatives = sample.ranked_counts(weights)
    found = np.cumsum(positives, axis=1)
    flagged = found + np.cumsum(negatives, axis=1)
    precision = np.divide(found, flagged, out=np.zeros_like(found), where=flagged > 0)
    return ratio(np.einsum("ru,ru->r", positives, precision), found[:, -1])


AUPRC = Metric("auprc", auprc, "no image has the finding")
