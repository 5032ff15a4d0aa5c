"""Mean over the classes of the share of their images that were decided rightly."""

from __future__ import annotations

import numpy as np

from ..._stats.bootstrap import ratio
from .metric import Metric
from .sample import Floats, Sample


def balanced_accuracy(sample: Sample, weights: Floats) -> Floats:
    cells = sample.confusion(weights)
    recalls = ratio(np.diagonal(cells, axis1=1, axis2=2), cells.sum(axis=2))
    return recalls.mean(axis=1)


BALANCED_ACCURACY = Metric(
    "balanced_accuracy", balanced_accuracy, "a class has no images", bounds=(0.0, 1.0)
)
