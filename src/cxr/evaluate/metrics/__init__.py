"""One metric a file. To add one, add its file and name it in the lists below."""

from .accuracy import ACCURACY
from .at_prevalence import at_prevalence
from .auprc import AUPRC
from .auroc import AUROC
from .balanced_accuracy import BALANCED_ACCURACY
from .brier import BRIER
from .ece import ECE
from .error_rate import ERROR_RATE
from .f1 import F1
from .log_loss import LOG_LOSS
from .mcc import MCC
from .metric import Metric, Proportion
from .npv import NPV
from .ppv import PPV
from .prevalence import PREVALENCE
from .recalibration import CALIBRATION_INTERCEPT, CALIBRATION_SLOPE
from .sample import Binary, Sample, binary
from .sensitivity import SENSITIVITY
from .specificity import SPECIFICITY

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
    "ONE_FINDING",
    "OVERALL",
    "Binary",
    "Metric",
    "Proportion",
    "Sample",
    "at_prevalence",
    "binary",
]
