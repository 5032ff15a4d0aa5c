"""What each figure is called and what it says: one table for pages, cards, tables and figures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MetricLabel:
    """`hub` is the identifier on the Hugging Face Hub."""

    short: str
    long: str
    meaning: str
    hub: str = ""


METRICS = {
    "auroc": MetricLabel(
        "AUROC",
        "AUROC",
        "how often an image with the finding outscores one without; 0.5 is chance",
        "roc_auc",
    ),
    "auprc": MetricLabel(
        "AUPRC",
        "AUPRC (average precision)",
        "average precision over all thresholds; chance is the prevalence",
        "average_precision",
    ),
    "sensitivity": MetricLabel(
        "Sensitivity", "Sensitivity", "found among images with the finding", "recall"
    ),
    "specificity": MetricLabel(
        "Specificity", "Specificity", "negative among images without the finding", "specificity"
    ),
    "ppv": MetricLabel(
        "PPV", "Positive predictive value", "right among positive answers", "precision"
    ),
    "npv": MetricLabel("NPV", "Negative predictive value", "right among negative answers", "npv"),
    "ppv_at_prevalence": MetricLabel(
        "PPV elsewhere", "Positive predictive value elsewhere", "at the stated prevalence"
    ),
    "npv_at_prevalence": MetricLabel(
        "NPV elsewhere", "Negative predictive value elsewhere", "at the stated prevalence"
    ),
    "f1": MetricLabel("F1", "F1", "harmonic mean of sensitivity and PPV", "f1"),
    "accuracy": MetricLabel("Accuracy", "Accuracy", "right among all images", "accuracy"),
    "error_rate": MetricLabel("Error rate", "Error rate", "wrong among all images"),
    "balanced_accuracy": MetricLabel(
        "Balanced accuracy",
        "Balanced accuracy",
        "accuracy with every class weighing the same",
        "balanced_accuracy",
    ),
    "mcc": MetricLabel(
        "MCC",
        "Matthews correlation",
        "correlation of answer and truth, -1 to 1; 0 is chance",
        "matthews_correlation",
    ),
    "brier": MetricLabel(
        "Brier score",
        "Brier score",
        "squared error of the probabilities; 0 is perfect",
        "brier_score",
    ),
    "ece": MetricLabel(
        "ECE",
        "Expected calibration error",
        "gap between predicted probability and observed frequency; 0 is perfect",
        "expected_calibration_error",
    ),
    "log_loss": MetricLabel(
        "Log loss", "Log loss, nats", "cross-entropy in nats; 0 is perfect", "log_loss"
    ),
    "calibration_slope": MetricLabel(
        "Calibration slope",
        "Calibration slope",
        "1 is right; below, the probabilities are too extreme, above, not extreme enough",
        "calibration_slope",
    ),
    "calibration_intercept": MetricLabel(
        "Calibration intercept",
        "Calibration intercept",
        "0 is right; above, probabilities are too low, below, too high (log-odds)",
        "calibration_intercept",
    ),
    "prevalence": MetricLabel("Prevalence", "Prevalence", "images with the finding among all"),
}


def label(name: str) -> str:
    """The short name of a figure of metrics.json."""
    return METRICS[name].short
