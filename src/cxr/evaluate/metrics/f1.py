"""F1, the harmonic mean of sensitivity and positive predictive value: 2 TP / (2 TP + FP + FN)."""

from __future__ import annotations

from ..._stats.bootstrap import ratio
from .metric import Metric
from .sample import Binary, Floats


def f1(sample: Binary, weights: Floats) -> Floats:
    hits = 2 * (weights @ (sample.truth & sample.positive))
    return ratio(hits, weights @ sample.truth + weights @ sample.positive)


F1 = Metric("f1", f1, "no image has the finding and none was decided positive", bounds=(0.0, 1.0))
