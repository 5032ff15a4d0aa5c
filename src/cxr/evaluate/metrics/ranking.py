"""Metrics of the order of scores, whatever the threshold: areas under ROC and precision-recall."""

from __future__ import annotations

import numpy as np

from ..._stats.auroc import weighted_auroc
from ..._stats.bootstrap import ratio, running_sum
from .metric import Metric
from .sample import BinarySample, Floats


def auroc(sample: BinarySample, weights: Floats) -> Floats:
    """How often an image with the finding outscores one without."""
    return weighted_auroc(sample.scores, *sample.by_class, weights)


def auprc(sample: BinarySample, weights: Floats) -> Floats:
    """Area under the precision-recall curve, as average precision.

    The step-wise sum of scikit-learn's `average_precision_score`, without interpolation, which
    would flatter (Davis and Goadrich, 2006). A model that guesses scores the prevalence, not 0.5.
    Precision changes recall at images with the finding alone, so only they are summed over.
    """
    with_it, without = sample.by_class
    falling, against = -sample.scores[with_it], -sample.scores[without]
    own = weights[:, with_it]
    hits = running_sum(own)[:, np.searchsorted(falling, falling, side="right")]
    alarms = running_sum(weights[:, without])[:, np.searchsorted(against, falling, side="right")]
    flagged = hits + alarms
    precision = np.divide(hits, flagged, out=np.zeros_like(hits), where=flagged > 0)
    return ratio(np.einsum("ru,ru->r", own, precision), own.sum(axis=1))


AUROC = Metric("auroc", auroc, "all images are of one class; it needs both", (0.0, 1.0))
AUPRC = Metric("auprc", auprc, "no image has the finding", (0.0, 1.0))
