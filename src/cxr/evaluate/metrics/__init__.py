"""Metrics by what they look at: decisions, ranking, probabilities. A new one joins a list here.

What documents call each is in `report/labels.py`.
"""

from .decisions import (
    ACCURACY,
    BALANCED_ACCURACY,
    ERROR_RATE,
    F1,
    MCC,
    NPV,
    PPV,
    PREVALENCE,
    SENSITIVITY,
    SPECIFICITY,
    at_prevalence,
)
from .metric import Metric, Proportion
from .probability import BRIER, ECE, LOG_LOSS
from .ranking import AUPRC, AUROC
from .recalibration import CALIBRATION_INTERCEPT, CALIBRATION_SLOPE
from .sample import BinarySample, Sample, binary

OVERALL: tuple[Metric, ...] = (
    ACCURACY,
    ERROR_RATE,
    BALANCED_ACCURACY,
    MCC,
    LOG_LOSS,
    BRIER,
    ECE,
)
"""Make sense for any number of classes that exclude each other."""

ONE_FINDING: tuple[Metric, ...] = (
    PREVALENCE,
    AUROC,
    AUPRC,
    SENSITIVITY,
    SPECIFICITY,
    PPV,
    NPV,
    F1,
    CALIBRATION_SLOPE,
    CALIBRATION_INTERCEPT,
)
"""Ask of each image whether it has one finding."""

__all__ = [
    "ACCURACY",
    "AUROC",
    "ONE_FINDING",
    "OVERALL",
    "PREVALENCE",
    "SENSITIVITY",
    "SPECIFICITY",
    "BinarySample",
    "Metric",
    "Proportion",
    "Sample",
    "at_prevalence",
    "binary",
]
