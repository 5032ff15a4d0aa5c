"""Predictive values where the finding is as common as stated, not as in these images.

By Bayes' rule from sensitivity and specificity, which the sample's own mix does not sway (Altman
and Bland, 1994, doi:10.1136/bmj.309.6947.102).
"""

from __future__ import annotations

from ..._stats.bootstrap import ratio
from .metric import Metric
from .sample import Binary, Floats
from .sensitivity import SENSITIVITY
from .specificity import SPECIFICITY

PPV_AT, NPV_AT = "ppv_at_prevalence", "npv_at_prevalence"
BOTH = "all images are of one class, or no answer would be {}"


def at_prevalence(prevalence: float) -> tuple[Metric, Metric]:
    """PPV and NPV at a share of 0 to 1 of images with the finding."""

    def ppv(sample: Binary, weights: Floats) -> Floats:
        right = SENSITIVITY.of(sample, weights) * prevalence
        return ratio(right, right + (1 - SPECIFICITY.of(sample, weights)) * (1 - prevalence))

    def npv(sample: Binary, weights: Floats) -> Floats:
        right = SPECIFICITY.of(sample, weights) * (1 - prevalence)
        return ratio(right, right + (1 - SENSITIVITY.of(sample, weights)) * prevalence)

    return (
        Metric(PPV_AT, ppv, BOTH.format("positive"), bounds=(0.0, 1.0)),
        Metric(NPV_AT, npv, BOTH.format("negative"), bounds=(0.0, 1.0)),
    )
