"""Matthews correlation coefficient, -1 to 1, for any number of classes (Gorodkin, 2004)."""

from __future__ import annotations

import numpy as np

from ..._stats.bootstrap import ratio
from .metric import Metric
from .sample import Floats, Sample


def mcc(sample: Sample, weights: Floats) -> Floats:
    cells = sample.confusion(weights)
    actual, decided = cells.sum(axis=2), cells.sum(axis=1)
    total = actual.sum(axis=1)
    right = np.trace(cells, axis1=1, axis2=2)
    together = right * total - (actual * decided).sum(axis=1)
    spread = (total**2 - (actual**2).sum(axis=1)) * (total**2 - (decided**2).sum(axis=1))
    return ratio(together, np.sqrt(spread))


MCC = Metric(
    "mcc", mcc, "all images are of one class, or were all decided alike", bounds=(-1.0, 1.0)
)
