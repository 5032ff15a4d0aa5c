"""Metrics of decisions, all from the confusion matrix: what share of images was decided rightly?

Most are proportions, images that hit among images that count. Predictive values are also given
where the finding is as common as stated, by Bayes' rule from sensitivity and specificity, which the
sample's own mix does not sway (Altman and Bland, 1994, doi:10.1136/bmj.309.6947.102).
"""

from __future__ import annotations

import numpy as np

from ..._stats.bootstrap import ratio
from .metric import Metric, proportion
from .sample import BinarySample, Floats, Sample

ACCURACY = proportion("accuracy", lambda s: (s.correct, np.ones_like(s.correct)))
ERROR_RATE = proportion("error_rate", lambda s: (~s.correct, np.ones_like(s.correct)))
PREVALENCE = proportion("prevalence", lambda s: (s.truth, np.ones_like(s.truth)))
SENSITIVITY = proportion("sensitivity", lambda s: (s.positive, s.truth), "no image has the finding")
SPECIFICITY = proportion(
    "specificity", lambda s: (~s.positive, ~s.truth), "every image has the finding"
)
PPV = proportion("ppv", lambda s: (s.truth, s.positive), "no image was decided positive")
NPV = proportion("npv", lambda s: (~s.truth, ~s.positive), "no image was decided negative")


def f1(sample: BinarySample, weights: Floats) -> Floats:
    """The harmonic mean of sensitivity and positive predictive value: 2 TP / (2 TP + FP + FN)."""
    hits = 2 * (weights @ (sample.truth & sample.positive))
    return ratio(hits, weights @ sample.truth + weights @ sample.positive)


def balanced_accuracy(sample: Sample, weights: Floats) -> Floats:
    """Mean over the classes of the share of their images that were decided rightly."""
    cells = sample.confusion(weights)
    recalls = ratio(np.diagonal(cells, axis1=1, axis2=2), cells.sum(axis=2))
    return recalls.mean(axis=1)


def mcc(sample: Sample, weights: Floats) -> Floats:
    """Matthews correlation coefficient, -1 to 1, for any number of classes (Gorodkin, 2004)."""
    cells = sample.confusion(weights)
    actual, decided = cells.sum(axis=2), cells.sum(axis=1)
    total = actual.sum(axis=1)
    right = np.trace(cells, axis1=1, axis2=2)
    together = right * total - (actual * decided).sum(axis=1)
    spread = (total**2 - (actual**2).sum(axis=1)) * (total**2 - (decided**2).sum(axis=1))
    return ratio(together, np.sqrt(spread))


F1 = Metric("f1", f1, "no image has the finding and none was decided positive", (0.0, 1.0))
BALANCED_ACCURACY = Metric(
    "balanced_accuracy", balanced_accuracy, "a class has no images", (0.0, 1.0)
)
MCC = Metric("mcc", mcc, "all images are of one class, or were all decided alike", (-1.0, 1.0))


NO_VALUE = "all images are of one class, or no answer would be {}"


def at_prevalence(prevalence: float) -> tuple[Metric, Metric]:
    """PPV and NPV at a share of 0 to 1 of images with the finding."""

    shares = prevalence, 1 - prevalence

    def ppv(sample: BinarySample, weights: Floats) -> Floats:
        return by_bayes(shares, SENSITIVITY.of(sample, weights), SPECIFICITY.of(sample, weights))

    def npv(sample: BinarySample, weights: Floats) -> Floats:
        return by_bayes(
            shares[::-1], SPECIFICITY.of(sample, weights), SENSITIVITY.of(sample, weights)
        )

    return (
        Metric("ppv_at_prevalence", ppv, NO_VALUE.format("positive"), (0.0, 1.0)),
        Metric("npv_at_prevalence", npv, NO_VALUE.format("negative"), (0.0, 1.0)),
    )


def by_bayes(
    shares: tuple[float, float], right: float | Floats, other_right: float | Floats
) -> Floats:
    """How often the answer "it is of this class" is right; NaN where it is never given.

    `shares` are how common this class and the other are. `right` is the share of this class that
    gets the answer (sensitivity, for the positive class), `other_right` of the other that does not.
    """
    hits = np.asarray(shares[0] * right)
    return ratio(hits, hits + shares[1] * (1 - np.asarray(other_right)))
