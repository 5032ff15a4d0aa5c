"""Area under the precision-recall curve, as average precision: precision at each step of recall.

The step-wise sum of scikit-learn's `average_precision_score`, without interpolation, which would
flatter (Davis and Goadrich, 2006). A model that guesses scores the prevalence, not 0.5.
"""

from __future__ import annotations

import numpy as np

from ..._stats.bootstrap import ratio, running_sum
from .metric import Metric
from .sample import Binary, Floats


def auprc(sample: Binary, weights: Floats) -> Floats:
    """Precision changes recall at images with the finding alone, so only they are summed over."""
    with_it, without = sample.by_class
    falling, against = -sample.scores[with_it], -sample.scores[without]
    own = weights[:, with_it]
    found = running_sum(own)[:, np.searchsorted(falling, falling, side="right")]
    alarms = running_sum(weights[:, without])[:, np.searchsorted(against, falling, side="right")]
    flagged = found + alarms
    precision = np.divide(found, flagged, out=np.zeros_like(found), where=flagged > 0)
    return ratio(np.einsum("ru,ru->r", own, precision), own.sum(axis=1))


AUPRC = Metric("auprc", auprc, "no image has the finding", bounds=(0.0, 1.0))
