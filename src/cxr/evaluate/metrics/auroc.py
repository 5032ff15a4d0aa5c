"""Area under the ROC curve: see `_stats/auroc.py`."""

from __future__ import annotations

from ..._stats.auroc import weighted_auroc
from .metric import Metric
from .sample import Binary, Floats


def auroc(sample: Binary, weights: Floats) -> Floats:
    return weighted_auroc(sample.scores, *sample.by_class, weights)


AUROC = Metric("auroc", auroc, "all images are of one class; it needs both", bounds=(0.0, 1.0))
