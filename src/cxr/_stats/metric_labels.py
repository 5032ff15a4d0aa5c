"""What documents call the figures of `metrics.json`: one table for reports, cards and pages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MetricLabel:
    """`short` and `full` name, a `meaning` of a few words, and which way is better.

    `higher_is_better` is None where neither is: a figure has a right value, or just describes.
    """

    short: str
    full: str
    meaning: str
    higher_is_better: bool | None = True


METRIC_LABELS = {
    "auroc": MetricLabel(
        "AUROC",
        "AUROC",
        "how often an image with the finding outscores one without; 0.5 is chance",
    ),
    "auprc": MetricLabel(
        "AUPRC",
        "AUPRC (average precision)",
        "average precision over all thresholds; chance is the prevalence",
    ),
    "sensitivity": MetricLabel("Sensitivity", "Sensitivity", "found among images with the finding"),
    "specificity": MetricLabel(
        "Specificity", "Specificity", "cleared among images without the finding"
    ),
    "ppv": MetricLabel("PPV", "Positive predictive value", "right among positive answers"),
    "npv": MetricLabel("NPV", "Negative predictive value", "right among negative answers"),
    "ppv_at_prevalence": MetricLabel(
        "PPV elsewhere",
        "Positive predictive value at the stated prevalence",
        "where the finding is as common as was stated",
    ),
    "npv_at_prevalence": MetricLabel(
        "NPV elsewhere",
        "Negative predictive value at the stated prevalence",
        "where the finding is as common as was stated",
    ),
    "f1": MetricLabel("F1", "F1", "harmonic mean of sensitivity and PPV"),
    "accuracy": MetricLabel("Accuracy", "Accuracy", "right among all images"),
    "error_rate": MetricLabel("Error rate", "Error rate", "wrong among all images", False),
    "balanced_accuracy": MetricLabel(
        "Balanced accuracy", "Balanced accuracy", "accuracy with every class weighing the same"
    ),
    "mcc": MetricLabel(
        "MCC", "Matthews correlation", "correlation of answer and truth, -1 to 1; 0 is chance"
    ),
    "brier": MetricLabel(
        "Brier score", "Brier score", "squared error of the probabilities; 0 is perfect", False
    ),
    "ece": MetricLabel(
        "ECE",
        "Expected calibration error",
        "gap between stated probability and observed frequency; 0 is perfect",
        False,
    ),
    "log_loss": MetricLabel(
        "Log loss", "Log loss, nats", "cross-entropy in nats; 0 is perfect", False
    ),
    "calibration_slope": MetricLabel(
        "Calibration slope",
        "Calibration slope",
        "1 is right; below, the probabilities are too extreme, above, too timid",
        None,
    ),
    "calibration_intercept": MetricLabel(
        "Calibration intercept",
        "Calibration intercept",
        "0 is right; above, findings are predicted too seldom, below, too often (log-odds)",
        None,
    ),
    "prevalence": MetricLabel(
        "Prevalence", "Prevalence", "images with the finding among all", None
    ),
}
"""By their names in `metrics.json`, in the order in which a report shows them."""
